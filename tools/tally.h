/* SPDX-License-Identifier: MIT */
/*
 * What a process's managed threads were seen doing: a row of counts for each.
 */
#ifndef CORDBMEM_TOOLS_TALLY_H
#define CORDBMEM_TOOLS_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "task.h"
#include "threads.h"

/* A process can forge new threads in each sample. */
#define TALLY_ROWS_MAX 16384U

enum activity {
	ACTIVITY_MANAGED,   /* managed code, or the runtime on the managed heap: a GC has to wait */
	ACTIVITY_WAITING,   /* Sleep, Wait, Join, a contended lock */
	ACTIVITY_SUSPENDED, /* held up by a GC or a debugger */
	ACTIVITY_NATIVE,    /* all else: P/Invoke, a system call, the runtime's own code */
	ACTIVITIES,
	ACTIVITY_NONE = ACTIVITIES /* it has not started, or has ended */
};

enum activity activity_of(const struct thread *thread);

struct tally_row {
	uint64_t address; /* of the Thread */
	uint32_t id;
	uint64_t os_id; /* 0: never had one */
	char name[TASK_NAME_ROOM];
	uint32_t state; /* all bits that were ever seen */
	bool unstarted; /* at last */
	uint64_t seen;	/* samples in which it ran */
	uint64_t activities[ACTIVITIES];
	uint64_t exceptions;	    /* samples with one on its way */
	uint64_t steps, allocating; /* from sample to sample; it allocated meanwhile */
	uint64_t allocation;	    /* where the next object goes */
	bool has_allocation;
	/* CPU time since the row was made, as the kernel tells it. */
	bool has_cpu;
	uint64_t cpu, cpu_before, made_at;
};

struct tally {
	struct tally_row *rows; /* in no order */
	size_t count, capacity;
	uint32_t index[2 * TALLY_ROWS_MAX]; /* by address and id: a row's number plus 1, or 0 */
	bool full;			    /* a thread found no row */
};

/* The row of a Thread, made if need be; SIZE_MAX: there is no more room. */
size_t tally_row(struct tally *tally, uint64_t address, uint32_t id, uint64_t now);

/* One sample of a thread. allocation is NULL if it is not known. */
void tally_add(struct tally *tally, size_t row, const struct thread *thread,
	       const uint64_t *allocation);
/* Ask the kernel about a row's thread: first when it is known, again at the end. */
void tally_ask(struct tally *tally, size_t row, pid_t pid, bool end);

/* In the order of their managed ids; the numbers of rows change. */
void tally_sort(struct tally *tally);
void tally_free(struct tally *tally);

#endif /* CORDBMEM_TOOLS_TALLY_H */
