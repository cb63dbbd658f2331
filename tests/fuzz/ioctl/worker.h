/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A worker: a thread that calls, again and again, and watches its own memory.
 */
#ifndef WORKER_H
#define WORKER_H

#include <stdint.h>

#include "lot.h"
#include "shared.h"

#define ARENA (6 * PAGE)

/* One worker's memory. Only @arena is written by the calls of that worker, and only where said. */
struct worker {
	struct random r;
	uint8_t *arena;	       /* ARENA bytes, then a page that is not there */
	uint8_t *structs;      /* a page for arguments, then a page that is not there */
	uint8_t *array;	       /* a page for the elements of READV, likewise */
	uint8_t before[ARENA]; /* copy of the arena */
};

/* For pthread_create; the argument is the number of the worker. */
void *worker_main(void *argument);

#endif
