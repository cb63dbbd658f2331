/* SPDX-License-Identifier: MIT */
/*
 * A thread that has the genuine library remove and set breakpoints, some at each stop of the debuggee
 * and as many a second as a beat allows, whoever else is busy.
 */
#ifndef TOGGLER_H
#define TOGGLER_H

#include <pthread.h>
#include <stdatomic.h>

#include "scene.h"

struct toggler {
	struct scene *scene;
	/* Between two stops; breakpoints that change at each. */
	long beat_ms;
	int batch;
	uint64_t random;
	atomic_bool end;
	atomic_ulong stops, changes;
	pthread_t thread;
};

/* The other members are filled in. */
void toggler_start(struct toggler *toggler);

/* Sets what it removed and ends. */
void toggler_end(struct toggler *toggler);

#endif
