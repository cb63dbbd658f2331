/* SPDX-License-Identifier: MIT */
/*
 * The table of registered patches: what a read has to hide.
 *
 * The whole interface to readers is patches_begin and patches_mask, called
 * before and after the code bytes are read: table, code, table. A later source of
 * patches (the runtime's own table) can stand beside this one with the same two
 * calls.
 *
 * How readers and writers meet
 * ----------------------------
 * Writers hold the lock and never wait for a reader. Readers take no lock, store to
 * nothing that is shared, and never wait for a writer, not even for one that
 * was preempted in the middle:
 *
 * - There are two copies of the sorted index. Readers use the copy named by the
 *   lowest bit of "sequence"; a writer changes the other one, adds 1 (readers change
 *   over), changes the first one, adds 1. A lookup is valid if "sequence"
 *   did not change meanwhile, and is repeated otherwise (a "latch").
 * - Removal only stamps the patch with the sequence number from which on it is
 *   gone. A read that began before (patches_begin returned a smaller number)
 *   may have seen the trap, and still masks it. So patches that come and go during
 *   a read are all found by the one lookup after it, and no memory has to be read
 *   again. Only when stamped patches had to be swept out ("forgotten")
 *   since the read began is it told to start over.
 * - Patches live in slots that are never freed, only reused, and index blocks grow
 *   by doubling with the old ones kept: a reader that is late reads old
 *   or new words, never freed ones, and finds out by "sequence".
 *   Together that is at most four times the memory of the largest table.
 *
 * Memory order: every shared word is atomic. Writers store with release, readers load
 * with acquire. Hence a reader that loads any word of a copy under change
 * also sees the "sequence" that was stored before the change began, and drops
 * the lookup; no fence is needed. Two fences stand between table and target
 * memory: patches_mask orders the code bytes (which may be plain loads from
 * a live window) before its loads; adding ends with a full fence and removal begins
 * with one, so that "table before trap, code before table" holds also when the trap is
 * written from the same thread with a plain store.
 */
#ifndef CORDBMEM_SRC_PATCHES_H
#define CORDBMEM_SRC_PATCHES_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <cordbmem/cordbmem.h>

/* Stamp of a patch that was not removed: later than every read. */
#define PATCH_NEVER UINT64_MAX

/* A cache line each. */
struct patch_slot {
	_Alignas(64) _Atomic(uint64_t) id;
	_Atomic(uint64_t) removed; /* sequence number from which on it is gone */
	_Atomic(uint64_t) original[CORDBMEM_PATCH_MAX / 8];
	_Atomic(uint32_t) size;
	uint32_t number;	      /* constant */
	struct patch_slot *next_free; /* writers only */
};

struct patch_entry {
	_Atomic(uint64_t) address;
	_Atomic(struct patch_slot *) slot;
};

struct patch_block {
	size_t capacity;
	struct patch_block *older; /* kept for readers that are late */
	struct patch_entry entries[];
};

/* One copy of the index, sorted by address, oldest first where equal. */
struct patch_index {
	_Atomic(struct patch_block *) block;
	_Atomic(size_t) count;
	/* Patches removed at this sequence number or before may be missing. */
	_Atomic(uint64_t) forgotten;
};

/* An id is serial << PATCH_SLOT_BITS | slot number; so older ids are smaller. */
#define PATCH_SLOT_BITS 24
#define PATCH_FIRST_CHUNK 64U
#define PATCH_CHUNKS 18 /* together as many slots as the bits can number */

/*
 * Which granules of 128 bytes no patch touches: a bit that is clear tells so, one that is set
 * tells nothing, since granules share bits. Bits are set before the patch can be in the code, and only cleared by a writer that
 * makes all of them anew, in the other of two filters.
 */
#define PATCH_GRANULE_SHIFT 7
#define PATCH_FILTER_BITS 32 /* per patch */

struct patch_filter {
	uint64_t mask;	 /* their number, a power of 2, less 1 */
	size_t capacity; /* patches */
	struct patch_filter *older;
	_Atomic(uint64_t) words[];
};

struct patches {
	/* Read by readers; written by writers only, so it stays shared. */
	_Alignas(64) _Atomic(uint64_t) sequence;
	_Atomic(struct patch_filter *) filter;
	struct patch_index index[2];

	/* Writers' own, under the lock. */
	_Alignas(64) pthread_mutex_t lock;
	struct patch_slot *chunks[PATCH_CHUNKS];
	struct patch_slot *free_slots;
	uint64_t serial;     /* of the patch registered last */
	uint32_t slots;	     /* in the chunks altogether */
	uint32_t slots_free; /* on the list */
	size_t live;
	size_t removed;			   /* stamped, not yet swept */
	struct patch_filter *spare_filter; /* as large as the other */
	struct patch_filter *old_filters;  /* kept for readers that are late */
	size_t filtered;		   /* patches in the filter, removed ones too */
};

/* gcc's TSan knows no fences; there the copy is made by the kernel anyway. */
#ifdef __SANITIZE_THREAD__
#define PATCH_FENCE(order) __asm__ volatile("" ::: "memory")
#else
#define PATCH_FENCE(order) atomic_thread_fence(order)
#endif

#define PATCH_LOAD(p) atomic_load_explicit((p), memory_order_acquire)

bool patches_init(struct patches *patches);
void patches_destroy(struct patches *patches);

/*
 * Call before the code bytes are read, and pass the result to patches_mask.
 */
static inline uint64_t patches_begin(const struct patches *patches)
{
	return atomic_load_explicit(&patches->sequence, memory_order_acquire);
}

static inline __attribute__((always_inline)) bool patch_filter_has(
	const struct patch_filter *filter, uint64_t granule)
{
	/* Addresses of code are dense enough to be their own hash. */
	uint64_t bit = granule & filter->mask;

	return PATCH_LOAD(&filter->words[bit / 64]) >> bit % 64 & 1;
}

/* No patch touches these few bytes, if the filter is of the newest view. False tells nothing. */
static inline __attribute__((always_inline)) bool patch_filter_clear(
	const struct patch_filter *filter, uint64_t address, size_t size)
{
	uint64_t first = address >> PATCH_GRANULE_SHIFT;
	uint64_t last = (address + size - 1) >> PATCH_GRANULE_SHIFT;

	return last - first <= 1 && !patch_filter_has(filter, first) &&
	       (last == first || !patch_filter_has(filter, last));
}

/* Is the view still the newest, after what was loaded since? */
static inline __attribute__((always_inline)) bool patches_unchanged(const struct patches *patches,
								    uint64_t view)
{
	PATCH_FENCE(memory_order_acquire);
	return atomic_load_explicit(&patches->sequence, memory_order_relaxed) == view;
}

/*
 * The quick answer for few bytes that were read since patches_begin: true, no patch touches them. False tells
 * nothing. The view must still be the newest, and then the filter is the one that the view
 * belongs to, or one with more in it.
 */
static inline __attribute__((always_inline)) bool patches_clear(const struct patches *patches,
								uint64_t view, uint64_t address,
								size_t size)
{
	PATCH_FENCE(memory_order_acquire);
	/* The filter is there since before the first patch was. */
	return (!view || patch_filter_clear(PATCH_LOAD(&patches->filter), address, size)) &&
	       patches_unchanged(patches, view);
}

/*
 * Replace what the patches cover in the size bytes of buffer, which were read
 * from address since patches_begin. False: they must be read again, and
 * the buffer is garbage. True whenever no writer came between.
 */
bool patches_mask(const struct patches *patches, uint64_t view, uint64_t address, BYTE *buffer,
		  size_t size);

/*
 * Keep writers out, for a read that was told to start over too often. The target
 * may stall the caller meanwhile, so this is the last resort.
 */
void patches_lock(struct patches *patches);
void patches_unlock(struct patches *patches);

HRESULT patches_add(struct patches *patches, struct cordbmem_patch *list, size_t count);
HRESULT patches_remove(struct patches *patches, cordbmem_patch_id id);
size_t patches_list(struct patches *patches, struct cordbmem_patch *list, size_t capacity);

#endif /* CORDBMEM_SRC_PATCHES_H */
