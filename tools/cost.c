// SPDX-License-Identifier: MIT
/*
 * The functions of cost.h.
 */
#include "cost.h"

#include <stdlib.h>
#include <time.h>

#define TRIES 100

uint64_t cost_clock(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

/* The least that two readings in a row differ by. */
static uint64_t clock_cost(void)
{
	static uint64_t least = UINT64_MAX;

	for (int i = 0; least == UINT64_MAX || i < TRIES; i++) {
		uint64_t before = cost_clock(), after = cost_clock();

		if (after - before < least)
			least = after - before;
	}
	return least;
}

void cost_add(struct cost *cost, uint64_t before, uint64_t after)
{
	static uint64_t own;
	uint64_t spent = after - before;

	if (!cost->count)
		own = clock_cost();
	spent = spent > own ? spent - own : 0;
	if (!cost->count || spent < cost->least)
		cost->least = spent;
	cost->recent[cost->count % COST_RECENT] = spent < UINT32_MAX ? (uint32_t)spent : UINT32_MAX;
	cost->sum += spent;
	cost->count++;
}

uint64_t cost_mean(const struct cost *cost)
{
	return cost->count ? cost->sum / cost->count : 0;
}

static int compare(const void *a, const void *b)
{
	uint32_t left = *(const uint32_t *)a, right = *(const uint32_t *)b;

	return left < right ? -1 : left > right;
}

uint64_t cost_median(struct cost *cost)
{
	size_t count = cost->count < COST_RECENT ? (size_t)cost->count : COST_RECENT;

	if (!count)
		return 0;
	qsort(cost->recent, count, sizeof(cost->recent[0]), compare);
	return cost->recent[count / 2];
}
