// SPDX-License-Identifier: MIT
/* The functions of ranges.h. */
#include <stdlib.h>

#include "ranges.h"
#include "support.h"

#define PAGE 4096UL
#define MOST_MAPPINGS 4096

const char *const range_names[RANGE_KINDS] = {
	"breakpoint", "code", "msil",	"native",  "pinned",
	"array",      "hole", "closed", "nowhere", "anywhere",
};

void ranges_begin(struct ranges *ranges, const struct scene *scene, uint64_t seed)
{
	uint64_t begin, end;
	uint32_t size;

	*ranges = (struct ranges){ .scene = scene, .random = seed };
	if (oracle_module(scene->oracle, &begin, &size) != S_OK)
		die("the oracle does not know where the module is");
	ranges->msil = (struct region){ begin, size };
	if (!text_of(scene->debuggee.pid, scene->runtime.clr, &begin, &end))
		die("the runtime has no code");
	ranges->native = (struct region){ begin, end - begin };
	ranges->mappings = calloc(MOST_MAPPINGS, sizeof(*ranges->mappings));
	if (!ranges->mappings)
		die("calloc");
	ranges->mapping_count = mappings(scene->debuggee.pid, ranges->mappings, MOST_MAPPINGS);
}

void ranges_end(struct ranges *ranges)
{
	free(ranges->mappings);
}

static uint64_t below(struct ranges *ranges, uint64_t limit)
{
	if (!limit)
		die("a region is empty");
	return next_random(&ranges->random) % limit;
}

/* Mostly small; sometimes some pages; seldom 0 or many pages. */
static DWORD any_size(struct ranges *ranges)
{
	switch (below(ranges, 16)) {
	case 0:
		return (DWORD)below(ranges, 2);
	case 1 ... 6:
		return (DWORD)(1 + below(ranges, 16));
	case 7 ... 11:
		return (DWORD)(1 + below(ranges, 256));
	case 12 ... 14:
		return (DWORD)(1 + below(ranges, 3 * PAGE));
	default:
		return (DWORD)(1 + below(ranges, RANGE_MAX_SIZE - 1));
	}
}

/* Half of them begin or end within 16 bytes of a page's end. Not only inside of the region. */
static struct range in_region(struct ranges *ranges, struct region region, DWORD size)
{
	struct range range = { .size = size };

	range.address = region.address + below(ranges, region.size);
	if (below(ranges, 2)) {
		range.address = (range.address & -PAGE) + below(ranges, 32) - 16;
		if (below(ranges, 2))
			range.address -= size;
	}
	return range;
}

static struct range near_breakpoint(struct ranges *ranges)
{
	const struct scene *scene = ranges->scene;
	struct range range = { .size = any_size(ranges) };

	range.address = scene->breakpoints[below(ranges, scene->count)].address;
	if (below(ranges, 2))
		range.address -= range.size;
	range.address += below(ranges, 4) - 2;
	return range;
}

static struct range nowhere(struct ranges *ranges)
{
	static const CORDB_ADDRESS edges[] = {
		0, PAGE, 0x800000000000, 0xffff800000000000, 0xffffffff80000000, 0xffffffffff600000,
	};
	struct range range = { .size = any_size(ranges) };

	if (below(ranges, 4))
		range.address = edges[below(ranges, 6)] + below(ranges, 64) - 32 -
				range.size * below(ranges, 2);
	else
		range.address = next_random(&ranges->random) | 1UL << 63;
	return range;
}

static struct range anywhere(struct ranges *ranges)
{
	uint64_t *mapping = ranges->mappings[below(ranges, ranges->mapping_count)];
	struct region region = { mapping[0], mapping[1] - mapping[0] };

	/* At its ends, or within. */
	if (below(ranges, 2))
		region.address += below(ranges, 2) ? region.size - 1 : 0;
	if (region.address == mapping[0] + region.size - 1 || below(ranges, 4) == 0)
		region.size = 1;
	return in_region(ranges, region, any_size(ranges));
}

struct range range_next(struct ranges *ranges, enum range_kind kind)
{
	const struct scene *scene = ranges->scene;
	const struct debuggee *debuggee = &scene->debuggee;
	const struct region regions[RANGE_KINDS] = {
		[RANGE_CODE] = scene->code,	   [RANGE_MSIL] = ranges->msil,
		[RANGE_NATIVE] = ranges->native,   [RANGE_PINNED] = debuggee->pinned,
		[RANGE_ARRAY] = debuggee->array,   [RANGE_HOLE] = debuggee->hole,
		[RANGE_CLOSED] = debuggee->closed,
	};
	struct range range;

	if (kind == RANGE_BREAKPOINT)
		range = near_breakpoint(ranges);
	else if (kind == RANGE_NOWHERE)
		range = nowhere(ranges);
	else if (kind == RANGE_ANYWHERE)
		range = anywhere(ranges);
	else
		range = in_region(ranges, regions[kind], any_size(ranges));
	range.kind = kind;
	return range;
}

static bool inside(struct region region, CORDB_ADDRESS address)
{
	return address - region.address < region.size;
}

bool range_holds(const struct ranges *ranges, const struct range *range, const BYTE *bytes,
		 SIZE_T count, CORDB_ADDRESS *wrong)
{
	const struct scene *scene = ranges->scene;
	const struct debuggee *debuggee = &scene->debuggee;
	const struct region filled[] = { debuggee->hole, debuggee->closed, debuggee->pinned,
					 debuggee->array };

	for (SIZE_T i = 0; i < count; i++) {
		CORDB_ADDRESS address = *wrong = range->address + i;

		if (inside(scene->code, address) && bytes[i] != scene_original(scene, address))
			return false;
		for (int k = 0; k < 4; k++)
			if (inside(filled[k], address) &&
			    bytes[i] != debuggee_byte(address - filled[k].address, k + 1))
				return false;
	}
	return true;
}
