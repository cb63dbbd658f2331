// SPDX-License-Identifier: MIT
/*
 * Masking: the readers' side of the table of patches. patches.h explains how
 * readers and writers meet.
 */
#include "patches.h"

#include <string.h>

/* Bytes masked by one lookup. */
#define SPAN 64 /* the bits of taken */

/* What one lookup found to replace. */
struct span {
	uint64_t start;
	uint64_t end;
	uint64_t taken;	      /* a bit for each byte that a patch decides */
	uint64_t owner[SPAN]; /* of those, the id of the patch */
	BYTE bytes[SPAN];
};

/*
 * The first of count (> 0) entries that is not below the address. Written so that the compiler
 * selects instead of branching: where a search turns cannot be predicted.
 */
static size_t lower_bound(const struct patch_entry *entries, size_t count, uint64_t address)
{
	const struct patch_entry *low = entries;

	while (count > 1) {
		size_t half = count / 2;

		low += PATCH_LOAD(&low[half - 1].address) < address ? half : 0;
		count -= half;
	}
	return (size_t)(low - entries) + (PATCH_LOAD(&low->address) < address);
}

/* Let a patch decide the bytes of the span that no older one decides. */
static void span_take(struct span *span, uint64_t address, uint64_t size, uint64_t id,
		      const struct patch_slot *slot)
{
	uint64_t words[CORDBMEM_PATCH_MAX / 8];
	BYTE original[CORDBMEM_PATCH_MAX];
	uint64_t i;

	for (i = 0; i < CORDBMEM_PATCH_MAX / 8; i++)
		words[i] = PATCH_LOAD(&slot->original[i]);
	memcpy(original, words, sizeof(original));

	for (i = 0; i < size && i < CORDBMEM_PATCH_MAX; i++) {
		uint64_t at = address + i;
		uint64_t place = at - span->start, bit;

		if (at < span->start || at >= span->end)
			continue;
		bit = UINT64_C(1) << place;
		if (!(span->taken & bit) || id < span->owner[place]) {
			span->taken |= bit;
			span->owner[place] = id;
			span->bytes[place] = original[i];
		}
	}
}

enum lookup { LOOKUP_CLEAN, LOOKUP_FOUND, LOOKUP_FORGOTTEN, LOOKUP_AGAIN };

/* Find the first bytes of [from, end) that have to be replaced. */
static enum lookup find_span(const struct patches *patches, uint64_t view, uint64_t from,
			     uint64_t end, struct span *span)
{
	uint64_t sequence = PATCH_LOAD(&patches->sequence);
	const struct patch_index *index = &patches->index[sequence & 1];
	const struct patch_block *block = PATCH_LOAD(&index->block);
	size_t count = PATCH_LOAD(&index->count);
	bool forgotten = PATCH_LOAD(&index->forgotten) > view;
	const uint64_t reach = CORDBMEM_PATCH_MAX - 1;
	bool found = false;
	size_t i;

	if (!block)
		count = 0;
	else if (count > block->capacity) /* not of one moment; see below */
		count = block->capacity;

	span->end = end;
	i = count ? lower_bound(block->entries, count, from > reach ? from - reach : 0) : 0;
	for (; i < count; i++) {
		uint64_t address = PATCH_LOAD(&block->entries[i].address);
		const struct patch_slot *slot;
		uint64_t size;

		if (address >= span->end)
			break;
		slot = PATCH_LOAD(&block->entries[i].slot);
		size = PATCH_LOAD(&slot->size);
		if (address + size <= from || PATCH_LOAD(&slot->removed) <= view)
			continue;
		if (!found) {
			found = true;
			span->start = address > from ? address : from;
			if (end - span->start > SPAN)
				span->end = span->start + SPAN;
			span->taken = 0;
		}
		span_take(span, address, size, PATCH_LOAD(&slot->id), slot);
	}

	/* Ordered after the loads above, because they are acquires. */
	if (atomic_load_explicit(&patches->sequence, memory_order_relaxed) != sequence)
		return LOOKUP_AGAIN;
	if (forgotten)
		return LOOKUP_FORGOTTEN;
	return found ? LOOKUP_FOUND : LOOKUP_CLEAN;
}

bool patches_mask(const struct patches *patches, uint64_t view, uint64_t address, BYTE *buffer,
		  size_t size)
{
	uint64_t from = address, end = address + size;
	struct span span;

	PATCH_FENCE(memory_order_acquire);
	if (!PATCH_LOAD(&patches->sequence)) /* nothing was ever registered */
		return true;

	while (from < end) {
		switch (find_span(patches, view, from, end, &span)) {
		case LOOKUP_AGAIN:
			/* A writer got further, so this does not go on forever. */
			continue;
		case LOOKUP_FORGOTTEN:
			return false;
		case LOOKUP_CLEAN:
			return true;
		case LOOKUP_FOUND:
			break;
		}
		for (uint64_t left = span.taken; left; left &= left - 1) {
			unsigned int i = (unsigned int)__builtin_ctzll(left);

			buffer[span.start - address + i] = span.bytes[i];
		}
		from = span.end;
	}
	return true;
}
