/* SPDX-License-Identifier: MIT */
/*
 * The calls of the library's on the forged process. Each has to end soon, with a result that is
 * documented, and with bytes that can be.
 */
#ifndef CALLS_H
#define CALLS_H

/* Looks for CoreCLR; and makes a call by lot, which may be that. */
void call_find(void);
void call_any(void);

#endif
