/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Unloading the module under test.
 */
#ifndef MODULE_H
#define MODULE_H

/* 0 or a positive errno: EWOULDBLOCK or EBUSY while it is in use. */
int module_unload(void);

/* The same, tried for some seconds: the last files of a process are closed a moment after it was reaped. */
int module_unload_soon(double patience);

#endif
