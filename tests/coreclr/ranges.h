/* SPDX-License-Identifier: MIT */
/*
 * Ranges of the debuggee to read, drawn by lot: of all kinds of memory, with edges where they hurt.
 */
#ifndef RANGES_H
#define RANGES_H

#include <stdbool.h>

#include <cordbmem/types.h>

#include "scene.h"

enum range_kind {
	RANGE_BREAKPOINT, /* begins or ends close to a breakpoint */
	RANGE_CODE,	  /* JIT-compiled code, often across pages */
	RANGE_MSIL,	  /* the image of the module */
	RANGE_NATIVE,	  /* the runtime's own code */
	RANGE_PINNED,	  /* a pinned array on the heap */
	RANGE_ARRAY,	  /* one that can move */
	RANGE_HOLE,	  /* pages with a hole in them */
	RANGE_CLOSED,	  /* pages with PROT_NONE in them */
	RANGE_NOWHERE,	  /* not of user space, or it wraps, or it is unmapped by all odds */
	RANGE_ANYWHERE,	  /* any mapping, and its ends */
	RANGE_KINDS
};

extern const char *const range_names[RANGE_KINDS];

struct range {
	enum range_kind kind;
	CORDB_ADDRESS address;
	DWORD size;
};

#define RANGE_MAX_SIZE 300000U

struct ranges {
	const struct scene *scene;
	uint64_t random;
	struct region msil, native;
	uint64_t (*mappings)[2];
	size_t mapping_count;
};

/* The debuggee must be stopped: the oracle is asked where the module's image is. */
void ranges_begin(struct ranges *ranges, const struct scene *scene, uint64_t seed);
void ranges_end(struct ranges *ranges);

struct range range_next(struct ranges *ranges, enum range_kind kind);

/*
 * What is known of the bytes of a range, independently of both libraries. False: it has one
 * that is not what it must be, and @wrong is its address.
 */
bool range_holds(const struct ranges *ranges, const struct range *range, const BYTE *bytes,
		 SIZE_T count, CORDB_ADDRESS *wrong);

#endif
