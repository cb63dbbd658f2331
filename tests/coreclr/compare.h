/* SPDX-License-Identifier: MIT */
/*
 * One range after the other is read by the genuine library and by ours, and what they say compared.
 */
#ifndef COMPARE_H
#define COMPARE_H

#include <cordbmem/cordbmem.h>

#include "defects.h"
#include "ranges.h"

struct tally {
	size_t compared, agreed, defects, disagreements;
};

struct comparison {
	struct ranges *ranges;
	struct oracle *oracle;
	struct cordbmem_process *ours;
	/* What the genuine library gets wrong for a known reason. */
	const struct defect *defects;
	size_t defect_count;
	struct tally tally;
};

/* Reads @count ranges of a kind. What differs is told on stderr, up to a point. */
void compare(struct comparison *comparison, enum range_kind kind, size_t count);

/* The same with ranges around a breakpoint of the defects. */
void compare_defects(struct comparison *comparison, size_t count);

#endif
