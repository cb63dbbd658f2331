/* SPDX-License-Identifier: MIT */
/*
 * Windows: parts of the target's memory that are mapped into this process, so that reading them
 * is a copy and no system call. <linux/cordbmem.h> explains the state words.
 *
 * How readers and the one who makes windows meet
 * ----------------------------------------------
 * The address space of the target is cut into blocks of 64 GiB. A slot of the table maps one block; its
 * place is told by the block's number. Readers take no lock and store to nothing that is shared,
 * except now and then to tell that a slot is in use:
 *
 * - "key" names the block, with a number that grows each time the slot gets another one. It is 0 while
 *   the mappings are exchanged. A reader loads it first and last; if it is the same, then
 *   so were the mappings. Whoever looks for a slot to evict marks the keys that he passes by as
 *   idle; so the next read misses the quick way, and takes the mark away.
 * - The areas that a slot maps its windows to are never given back before the handle is, and a window is
 *   put into them by one mmap each, so that a late reader copies from one window
 *   or the next, never from nothing.
 *
 * What to map is told by the reads that found no window: "heat" counts them per 64 KiB. A page that
 * the target replaces over and over is populated ever more seldom.
 *
 * The table is in memory that a fork leaves empty in the child, because the windows themselves are
 * not there: the child starts with plain reads.
 */
#ifndef CORDBMEM_SRC_WINDOW_H
#define CORDBMEM_SRC_WINDOW_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <linux/cordbmem.h>

#include "patches.h"

#define WINDOW_PAGE 4096U
#define WINDOW_SHIFT 36 /* 64 GiB, the most that the kernel takes */
#define WINDOW_SLOTS 64 /* places, a power of 2 */
#define WINDOW_LIVE 16	/* windows at a time */
#define WINDOW_PINS 32	/* pinned ranges */

#define HEAT_SHIFT 16	  /* 64 KiB */
#define HEAT_ENTRIES 1024 /* a power of 2 */

#define WINDOW_IDLE (UINT64_C(1) << 31)

/* A cache line each. */
struct window_slot {
	_Alignas(64) _Atomic(uint64_t) key; /* number << 32 | WINDOW_IDLE | block + 1, or 0 */
	/* Constant once there was a key. */
	const BYTE *data;
	const uint32_t *state;
	/* Under the lock. */
	uint32_t number;
	int fd_plus_1; /* 0: none, as a child finds it */
	bool pinned;
};

struct window_heat {
	_Atomic(uint64_t) count; /* see window_heat.c */
	_Atomic(uint64_t) filled_at;
};

struct window_pin {
	uint64_t start;
	uint64_t end;
};

struct windows {
	struct window_slot slots[WINDOW_SLOTS];
	struct window_heat heat[HEAT_ENTRIES];
	/* Under the lock, which all zeros initializes. */
	pthread_mutex_t lock;
	struct window_pin pins[WINDOW_PINS];
	unsigned int live;
	unsigned int hand; /* of the clock that finds a slot to evict */
	_Atomic(unsigned int) pin_count;
	_Atomic(bool) off; /* this kernel or this target has no windows */
	_Atomic(uint64_t) populates;
	_Atomic(uint64_t) checked;
	_Atomic(uint64_t) mismatches;
};

/* Page of the block, and where its bytes are. */
struct window_place {
	struct window_slot *slot;
	uint64_t key;
	uint64_t offset; /* in the block */
};

/* A block can be in either of two slots. */
static inline unsigned int window_slot_of(uint64_t block, unsigned int which)
{
	uint64_t first = block % WINDOW_SLOTS;

	return (unsigned int)(which ? (first + 1 + block / WINDOW_SLOTS % (WINDOW_SLOTS - 1)) %
					      WINDOW_SLOTS
				    : first);
}

static inline bool window_find(struct windows *windows, uint64_t address,
			       struct window_place *place)
{
	uint64_t block = address >> WINDOW_SHIFT;

	place->offset = address & ((UINT64_C(1) << WINDOW_SHIFT) - 1);
	for (unsigned int i = 0; i < 2; i++) {
		place->slot = &windows->slots[window_slot_of(block, i)];
		place->key = atomic_load_explicit(&place->slot->key, memory_order_acquire);
		if ((uint32_t)place->key == block + 1)
			return true;
		if ((uint32_t)place->key == (WINDOW_IDLE | (block + 1))) {
			uint64_t idle = place->key;

			/* Whoever was faster did the same, or took the slot away. */
			place->key &= ~WINDOW_IDLE;
			return atomic_compare_exchange_strong(&place->slot->key, &idle,
							      place->key) ||
			       idle == place->key;
		}
	}
	return false;
}

static inline bool window_unmoved(const struct window_place *place)
{
	return atomic_load_explicit(&place->slot->key, memory_order_relaxed) == place->key;
}

/* An aligned word comes out whole: sequence counters and pointers rely on it. */
static inline void window_copy(BYTE *to, const BYTE *from, size_t size)
{
	if (size == 8 && !((uintptr_t)from & 7)) {
		uint64_t word = *(const volatile uint64_t *)(const void *)from;

		memcpy(to, &word, 8);
	} else if (size == 4 && !((uintptr_t)from & 3)) {
		uint32_t word = *(const volatile uint32_t *)(const void *)from;

		memcpy(to, &word, 4);
	} else {
		memcpy(to, from, size);
	}
}

/* Does a window show the page now? A hint for what is the cheaper way. */
static inline bool window_shows(struct windows *windows, uint64_t address)
{
	struct window_place place;

	return window_find(windows, address, &place) &&
	       __atomic_load_n(&place.slot->state[place.offset / WINDOW_PAGE], __ATOMIC_RELAXED) &
		       CORDBMEM_WINDOW_VALID;
}

/*
 * The bytes of [address, address + size), which is within one page, by the protocol. False: nothing is
 * known of them, and to is garbage.
 */
static inline bool window_read_page(struct windows *windows, uint64_t address, BYTE *to,
				    size_t size)
{
	const uint32_t *state;
	struct window_place place;
	uint32_t word;

	if (!window_find(windows, address, &place))
		return false;
	state = &place.slot->state[place.offset / WINDOW_PAGE];
	word = __atomic_load_n(state, __ATOMIC_ACQUIRE);
	if (!(word & CORDBMEM_WINDOW_VALID))
		return false;
	window_copy(to, place.slot->data + place.offset, size);
	atomic_thread_fence(memory_order_acquire);
	return __atomic_load_n(state, __ATOMIC_RELAXED) == word && window_unmoved(&place);
}

#define WINDOW_FEW_LEAST 16
#define WINDOW_FEW_MOST 64

/*
 * The copy of so few bytes, without a call. The halves may overlap, so it is for whole words only: half of a
 * word from each of two moments would be torn.
 */
static inline __attribute__((always_inline)) void window_copy_few(BYTE *to, const BYTE *from,
								  size_t size)
{
	if (size >= 32) {
		memcpy(to, from, 32);
		memcpy(to + size - 32, from + size - 32, 32);
	} else {
		memcpy(to, from, 16);
		memcpy(to + size - 16, from + size - 16, 16);
	}
}

/*
 * The same for few aligned words of 8 bytes, or for an aligned word (of a size that is constant, 4 or 8), in a block that is in its
 * first slot.
 */
static inline __attribute__((always_inline)) bool window_read_quick(struct windows *windows,
								    uint64_t address, void *to,
								    size_t size, bool is_word)
{
	uint64_t block = address >> WINDOW_SHIFT;
	struct window_slot *slot = &windows->slots[block % WINDOW_SLOTS];
	uint64_t key = atomic_load_explicit(&slot->key, memory_order_acquire);
	uint64_t offset = address & ((UINT64_C(1) << WINDOW_SHIFT) - 1);
	const uint32_t *state;
	const BYTE *from;
	uint32_t word;

	if ((uint32_t)key != (uint32_t)block + 1)
		return false;
	state = &slot->state[offset / WINDOW_PAGE];
	from = slot->data + offset;
	word = __atomic_load_n(state, __ATOMIC_ACQUIRE);
	if (!(word & CORDBMEM_WINDOW_VALID))
		return false;
	if (is_word)
		window_copy(to, from, size);
	else
		window_copy_few(to, from, size);
	atomic_thread_fence(memory_order_acquire);
	return __atomic_load_n(state, __ATOMIC_RELAXED) == word &&
	       atomic_load_explicit(&slot->key, memory_order_relaxed) == key;
}

struct cordbmem_process;

/*
 * The first bytes of a range through a window, as far as it goes; returns how many. *size becomes 0 then, and otherwise the
 * number of bytes that are to be read by a system call now, because no window shows them.
 */
size_t window_read(struct cordbmem_process *process, uint64_t address, BYTE *to, size_t *size);

/* A range is not in a window: is it time for one? True: it is there now, some of it at least. */
bool window_missed(struct cordbmem_process *process, uint64_t address, size_t size);

/*
 * Tells the fast paths of ReadMemory what they may use, as they look at nothing else: to be called after each change of the
 * mode, and after patches were added.
 */
void windows_publish(struct cordbmem_process *process);

/*
 * They may use nothing any more: to be called before the handle's state is made something else than alive, so that whoever
 * has seen that state reads nothing from then on.
 */
void windows_never(struct cordbmem_process *process);
#define WINDOWS_NEVER ((struct windows *)1)

static inline bool windows_are_there(const struct windows *fast)
{
	return (uintptr_t)fast > (uintptr_t)WINDOWS_NEVER;
}

/* Lets go of the target, unless somebody is populating: then with the handle. Readers may be under way. */
void windows_close(struct cordbmem_process *process);
void windows_destroy(struct cordbmem_process *process);

#endif /* CORDBMEM_SRC_WINDOW_H */
