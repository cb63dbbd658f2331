/* SPDX-License-Identifier: MIT */
/*
 * What something costs the thread that does it: its own CPU time, over many times.
 */
#ifndef CORDBMEM_TOOLS_COST_H
#define CORDBMEM_TOOLS_COST_H

#include <stddef.h>
#include <stdint.h>

/* A median is that of the last ones. */
#define COST_RECENT 65536U

struct cost {
	uint64_t count, sum, least;
	uint32_t recent[COST_RECENT];
};

/* The thread's CPU time in ns. A machine whose clock counts instructions counts them here, too. */
uint64_t cost_clock(void);

/* Between two readings of the clock; what the clock itself takes is left out. */
void cost_add(struct cost *cost, uint64_t before, uint64_t after);

uint64_t cost_mean(const struct cost *cost);
/* Sorts what is recent. */
uint64_t cost_median(struct cost *cost);

#endif /* CORDBMEM_TOOLS_COST_H */
