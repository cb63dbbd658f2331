/* SPDX-License-Identifier: MIT */
/*
 * What the genuine library calls back: an object of ours with ICorDebugManagedCallback and
 * ICorDebugManagedCallback2, which lets the debuggee go on after every event.
 */
#ifndef HANDLER_H
#define HANDLER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "cordebug.h"

struct handler;

/* One interface of the object: what the library holds a pointer to. */
struct face {
	void *const *slots;
	struct handler *handler;
};

struct handler {
	struct face faces[2];
	/* Name of the module to keep, without folder and ".dll". */
	const char *wanted;
	/* With a reference; NULL until it is loaded. */
	_Atomic(struct com *) module;
	/* Whom to tell to go on when an event does not say. Kept without a reference. */
	_Atomic(struct com *) process;
	atomic_ulong events, breakpoints;
	atomic_bool exited;
};

void handler_init(struct handler *handler, const char *wanted_module);

#endif
