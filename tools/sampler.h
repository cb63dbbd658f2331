/* SPDX-License-Identifier: MIT */
/*
 * Looking at the managed threads of a process many times a second, through one or more doors.
 */
#ifndef CORDBMEM_TOOLS_SAMPLER_H
#define CORDBMEM_TOOLS_SAMPLER_H

#include <stdbool.h>
#include <stdint.h>

#include "cost.h"
#include "door.h"
#include "tally.h"
#include "threads.h"

/* A door with what it costs. */
struct sampler_door {
	struct door door;
	struct cost cost;
	/* Threads seen doing the same as through the first door just before or after. */
	uint64_t compared, same;
};

struct sampler {
	pid_t pid;
	int rate; /* samples per second */
	int seconds;
	struct cordbmem_process *process; /* walks the list */
	struct thread_layout layout;
	struct sampler_door doors[DOOR_KINDS]; /* the first one's samples count */
	size_t door_count;

	/* What came of it. */
	struct tally *tally;
	uint64_t samples;
	uint64_t missed;      /* moments that passed before the sample before them was done */
	uint64_t restless;    /* the list changed during the sample, which does not count */
	uint64_t suspended;   /* samples in which a thread suspended the others */
	uint64_t suspensions; /* periods of that */
	uint64_t ended_at;    /* by CLOCK_MONOTONIC in ns, as rows are made at */
	uint64_t elapsed;     /* ns */
	size_t ranges, bytes; /* of a sample, at last */
	bool gone;	      /* the process went away */

	/* Its own. */
	struct thread_list list;
	size_t rows[THREADS_MAX];	 /* of the threads in the list, in the tally */
	size_t allocations[THREADS_MAX]; /* pieces, or 0 */
	bool was_suspended;
};

/*
 * Sample until the time is up, the process is gone, or SIGINT or SIGTERM comes. Returns 0, or an errno:
 * EPROTO if there never was a list of threads.
 */
int sampler_run(struct sampler *sampler);

#endif /* CORDBMEM_TOOLS_SAMPLER_H */
