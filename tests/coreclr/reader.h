/* SPDX-License-Identifier: MIT */
/*
 * A thread that reads code with breakpoints in it as fast as it can, through ours, and knows what each
 * byte must be.
 */
#ifndef READER_H
#define READER_H

#include <pthread.h>
#include <stdatomic.h>

#include <cordbmem/cordbmem.h>

#include "scene.h"

enum reader_task {
	READER_WAITS,
	/* Reads the decoy: as busy, but not with the debuggee. */
	READER_READS_DECOY,
	READER_READS,
	READER_ENDS,
};

struct reader {
	const struct scene *scene;
	struct cordbmem_process *ours;
	/* A process that has the original code at scene->original, as this one. */
	struct cordbmem_process *decoy;
	/* Many ranges a call instead of one. */
	bool scatter;
	uint64_t random;
	/* What it does now, an enum reader_task. */
	atomic_int *task;
	/* Trap bytes that were shown; bytes that are neither that nor the original. */
	unsigned long reads, bytes, traps, stale, failures;
	/* What the memory itself showed at a breakpoint in between, to know that there was something to hide. */
	unsigned long raw_traps, raw_originals;
	pthread_t thread;
};

/* The members up to task are filled in, the rest is 0. */
void reader_start(struct reader *reader);
void reader_join(struct reader *reader);

#endif
