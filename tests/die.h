/* SPDX-License-Identifier: MIT */
/*
 * How a test gives up when what it needs cannot be had.
 */
#ifndef DIE_H
#define DIE_H

/* Ends the process (and so the test) with words and, when it is set, errno. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
