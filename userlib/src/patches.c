// SPDX-License-Identifier: MIT
/*
 * The writers' side of the table of patches. patches.h explains how readers and
 * writers meet; everything static here runs under the lock.
 */
#include "patches.h"

#include <stdlib.h>
#include <string.h>

/* A sweep waits for this many removed patches, and spares the newest. */
#define SWEEP_MIN 32
#define SWEEP_SPARE 16

#define STORE(p, value) atomic_store_explicit((p), (value), memory_order_release)
/* For a writer, about words that only writers store. */
#define OWN(p) atomic_load_explicit((p), memory_order_relaxed)

void patches_lock(struct patches *patches)
{
	pthread_mutex_lock(&patches->lock);
}

void patches_unlock(struct patches *patches)
{
	pthread_mutex_unlock(&patches->lock);
}

bool patches_init(struct patches *patches)
{
	memset(patches, 0, sizeof(*patches));
	return pthread_mutex_init(&patches->lock, NULL) == 0;
}

void patches_destroy(struct patches *patches)
{
	for (size_t i = 0; i < 2; i++) {
		struct patch_block *block = OWN(&patches->index[i].block);

		while (block) {
			struct patch_block *older = block->older;

			free(block);
			block = older;
		}
	}
	for (size_t i = 0; i < PATCH_CHUNKS; i++)
		free(patches->chunks[i]);
	free(OWN(&patches->filter));
	free(patches->spare_filter);
	while (patches->old_filters) {
		struct patch_filter *older = patches->old_filters->older;

		free(patches->old_filters);
		patches->old_filters = older;
	}
	pthread_mutex_destroy(&patches->lock);
}

static bool reserve_slots(struct patches *patches, size_t count)
{
	for (size_t i = 0; i < PATCH_CHUNKS; i++) {
		uint32_t size = PATCH_FIRST_CHUNK << i;
		struct patch_slot *chunk;

		if (patches->slots_free >= count)
			return true;
		if (patches->chunks[i])
			continue;
		if (patches->slots + size > 1U << PATCH_SLOT_BITS)
			return false;
		chunk = aligned_alloc(_Alignof(struct patch_slot), size * sizeof(*chunk));
		if (!chunk)
			return false;
		memset(chunk, 0, size * sizeof(*chunk));
		patches->chunks[i] = chunk;
		for (uint32_t j = size; j-- > 0;) {
			chunk[j].number = patches->slots + j;
			chunk[j].next_free = patches->free_slots;
			patches->free_slots = &chunk[j];
		}
		patches->slots += size;
		patches->slots_free += size;
	}
	return patches->slots_free >= count;
}

static struct patch_slot *slot_of(const struct patches *patches, cordbmem_patch_id id)
{
	uint32_t number = id & ((1U << PATCH_SLOT_BITS) - 1);

	for (size_t i = 0; i < PATCH_CHUNKS && patches->chunks[i]; i++) {
		if (number < PATCH_FIRST_CHUNK << i)
			return &patches->chunks[i][number];
		number -= PATCH_FIRST_CHUNK << i;
	}
	return NULL;
}

static struct patch_block *bigger_block(const struct patch_block *old, size_t need)
{
	size_t capacity = old ? old->capacity : PATCH_FIRST_CHUNK;
	struct patch_block *block;

	while (capacity < need)
		capacity *= 2;
	block = calloc(1, sizeof(*block) + capacity * sizeof(block->entries[0]));
	if (block)
		block->capacity = capacity;
	return block;
}

static void move_entry(struct patch_entry *to, const struct patch_entry *from)
{
	STORE(&to->slot, OWN(&from->slot));
	STORE(&to->address, OWN(&from->address));
}

/* The copy that no reader is sent to. */
static struct patch_index *idle_index(struct patches *patches)
{
	return &patches->index[(OWN(&patches->sequence) + 1) & 1];
}

/* Send readers to the copy that was idle. */
static void change_over(struct patches *patches)
{
	STORE(&patches->sequence, OWN(&patches->sequence) + 1);
}

struct addition {
	uint64_t address;
	size_t position; /* in the caller's list; younger is larger */
	struct patch_slot *slot;
};

static int compare_additions(const void *a, const void *b)
{
	const struct addition *x = a, *y = b;

	if (x->address != y->address)
		return x->address < y->address ? -1 : 1;
	return x->position < y->position ? -1 : 1;
}

/* Merge from the end, where there is room; additions are the younger ones. */
static void merge(struct patch_index *index, struct patch_block *bigger,
		  const struct addition *additions, size_t added)
{
	struct patch_block *block = OWN(&index->block);
	size_t old = OWN(&index->count), to = old + added;

	if (bigger) {
		for (size_t i = 0; i < old; i++)
			move_entry(&bigger->entries[i], &block->entries[i]);
		bigger->older = block;
		block = bigger;
		STORE(&index->block, block);
	}
	while (added) {
		uint64_t address = additions[added - 1].address;

		to--;
		if (old && OWN(&block->entries[old - 1].address) > address) {
			move_entry(&block->entries[to], &block->entries[old - 1]);
			old--;
		} else {
			STORE(&block->entries[to].slot, additions[added - 1].slot);
			STORE(&block->entries[to].address, address);
			added--;
		}
	}
}

static void fill_slots(struct patches *patches, struct cordbmem_patch *list,
		       struct addition *additions, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct patch_slot *slot = patches->free_slots;
		uint64_t words[CORDBMEM_PATCH_MAX / 8] = { 0 };

		patches->free_slots = slot->next_free;
		patches->slots_free--;
		list[i].id = ++patches->serial << PATCH_SLOT_BITS | slot->number;
		memcpy(words, list[i].original, list[i].size);
		for (size_t j = 0; j < CORDBMEM_PATCH_MAX / 8; j++)
			STORE(&slot->original[j], words[j]);
		STORE(&slot->size, list[i].size);
		STORE(&slot->id, list[i].id);
		STORE(&slot->removed, PATCH_NEVER);
		additions[i] = (struct addition){ list[i].address, i, slot };
	}
}

/* ---- the filter ---- */

static struct patch_filter *filter_new(size_t capacity)
{
	size_t bits = capacity * PATCH_FILTER_BITS;
	struct patch_filter *filter = calloc(1, sizeof(*filter) + bits / 8);

	if (!filter)
		return NULL;
	filter->capacity = capacity;
	filter->mask = bits - 1;
	return filter;
}

static void filter_set(struct patch_filter *filter, uint64_t address, uint64_t size)
{
	uint64_t last = (address + size - 1) >> PATCH_GRANULE_SHIFT;

	for (uint64_t granule = address >> PATCH_GRANULE_SHIFT; granule <= last; granule++) {
		uint64_t bit = granule & filter->mask;
		_Atomic(uint64_t) *word = &filter->words[bit / 64];

		STORE(word, OWN(word) | UINT64_C(1) << bit % 64);
	}
}

/*
 * Room in the filter for so many more. When it has seen too many patches come and go it is made anew from those that
 * are left: in the spare, whose readers, if there are any, began before the last change of the sequence,
 * and so find out. False: there is no memory.
 */
static bool filter_reserve(struct patches *patches, size_t more)
{
	struct patch_filter *filter = OWN(&patches->filter), *fresh = patches->spare_filter;
	const struct patch_index *index = &patches->index[OWN(&patches->sequence) & 1];
	size_t count = OWN(&index->count), capacity = filter ? filter->capacity : PATCH_FIRST_CHUNK;
	const struct patch_block *block = OWN(&index->block);

	if (filter && patches->filtered + more <= capacity)
		return true;
	while (capacity < 2 * (count + more))
		capacity *= 2;
	if (fresh && fresh->capacity == capacity) {
		for (size_t i = 0; i < capacity * PATCH_FILTER_BITS / 64; i++)
			STORE(&fresh->words[i], 0);
	} else {
		fresh = filter_new(capacity);
		if (!fresh)
			return false;
		if (patches->spare_filter) {
			patches->spare_filter->older = patches->old_filters;
			patches->old_filters = patches->spare_filter;
		}
	}
	for (size_t i = 0; i < count; i++)
		filter_set(fresh, OWN(&block->entries[i].address),
			   OWN(&OWN(&block->entries[i].slot)->size));
	patches->filtered = count;
	patches->spare_filter = filter;
	STORE(&patches->filter, fresh);
	return true;
}

static void filter_add(struct patches *patches, const struct cordbmem_patch *list, size_t count)
{
	struct patch_filter *filter = OWN(&patches->filter);

	for (size_t i = 0; i < count; i++)
		filter_set(filter, list[i].address, list[i].size);
	patches->filtered += count;
}

HRESULT patches_add(struct patches *patches, struct cordbmem_patch *list, size_t count)
{
	struct patch_block *bigger[2] = { NULL, NULL };
	struct addition *additions;
	HRESULT hr = E_OUTOFMEMORY;
	size_t need;

	if (count >> PATCH_SLOT_BITS)
		return E_OUTOFMEMORY;
	additions = malloc(count * sizeof(*additions));
	if (!additions)
		return E_OUTOFMEMORY;

	patches_lock(patches);
	need = OWN(&patches->index[0].count) + count;
	for (size_t i = 0; i < 2; i++) {
		struct patch_block *block = OWN(&patches->index[i].block);

		if (block && block->capacity >= need)
			continue;
		bigger[i] = bigger_block(block, need);
		if (!bigger[i])
			goto out;
	}
	if (!reserve_slots(patches, count) || !filter_reserve(patches, count))
		goto out;
	filter_add(patches, list, count);

	fill_slots(patches, list, additions, count);
	qsort(additions, count, sizeof(*additions), compare_additions);
	for (size_t i = 0; i < 2; i++) {
		struct patch_index *index = idle_index(patches);
		struct patch_block **mine = &bigger[index - patches->index];

		merge(index, *mine, additions, count);
		*mine = NULL;
		STORE(&index->count, need);
		change_over(patches);
	}
	patches->live += count;
	/* The caller may write the trap after this. */
	PATCH_FENCE(memory_order_seq_cst);
	hr = S_OK;
out:
	patches_unlock(patches);
	free(bigger[0]);
	free(bigger[1]);
	free(additions);
	return hr;
}

/* Drop the patches that only reads of long ago could still need. */
static void sweep(struct patches *patches)
{
	uint64_t limit = OWN(&patches->sequence) - 2 * SWEEP_SPARE;
	size_t dropped = 0;

	for (int pass = 0; pass < 2; pass++) {
		struct patch_index *index = idle_index(patches);
		struct patch_block *block = OWN(&index->block);
		size_t count = OWN(&index->count), kept = 0;

		for (size_t i = 0; i < count; i++) {
			struct patch_slot *slot = OWN(&block->entries[i].slot);

			if (OWN(&slot->removed) > limit) {
				if (kept != i)
					move_entry(&block->entries[kept], &block->entries[i]);
				kept++;
			} else if (pass) {
				/* By now no valid lookup can reach it. */
				slot->next_free = patches->free_slots;
				patches->free_slots = slot;
				dropped++;
			}
		}
		STORE(&index->count, kept);
		STORE(&index->forgotten, limit);
		change_over(patches);
	}
	patches->removed -= dropped;
	patches->slots_free += (uint32_t)dropped;
}

HRESULT patches_remove(struct patches *patches, cordbmem_patch_id id)
{
	HRESULT hr = CORDBMEM_E_NOT_FOUND;
	struct patch_slot *slot;

	patches_lock(patches);
	slot = slot_of(patches, id);
	if (slot && id && OWN(&slot->id) == id && OWN(&slot->removed) == PATCH_NEVER) {
		uint64_t next = OWN(&patches->sequence) + 2;

		/* The caller restored the code before this. */
		PATCH_FENCE(memory_order_seq_cst);
		STORE(&slot->removed, next);
		STORE(&patches->sequence, next);
		patches->live--;
		patches->removed++;
		if (patches->removed > SWEEP_MIN + patches->live / 4)
			sweep(patches);
		hr = S_OK;
	}
	patches_unlock(patches);
	return hr;
}

size_t patches_list(struct patches *patches, struct cordbmem_patch *list, size_t capacity)
{
	const struct patch_index *index;
	const struct patch_block *block;
	size_t count, live = 0;

	patches_lock(patches);
	index = &patches->index[OWN(&patches->sequence) & 1];
	block = OWN(&index->block);
	count = OWN(&index->count);
	for (size_t i = 0; i < count; i++) {
		const struct patch_slot *slot = OWN(&block->entries[i].slot);
		uint64_t words[CORDBMEM_PATCH_MAX / 8];

		if (OWN(&slot->removed) != PATCH_NEVER)
			continue;
		if (live < capacity) {
			for (size_t j = 0; j < CORDBMEM_PATCH_MAX / 8; j++)
				words[j] = OWN(&slot->original[j]);
			list[live].id = OWN(&slot->id);
			list[live].address = OWN(&block->entries[i].address);
			list[live].size = OWN(&slot->size);
			memcpy(list[live].original, words, sizeof(words));
		}
		live++;
	}
	patches_unlock(patches);
	return live;
}
