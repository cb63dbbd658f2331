/* SPDX-License-Identifier: MIT */
/*
 * Between the files that windows are made of: the slots of the table, and what is in them.
 */
#ifndef CORDBMEM_SRC_WINDOW_SLOTS_H
#define CORDBMEM_SRC_WINDOW_SLOTS_H

#include "internal.h"
#include "window.h"

#define WINDOW_SIZE (UINT64_C(1) << WINDOW_SHIFT)
#define WINDOW_STATE_SIZE (WINDOW_SIZE / WINDOW_PAGE * sizeof(uint32_t))
/* Where user space ends on x86-64, a page of it is nobody's. */
#define WINDOW_LAST_BLOCK (UINT64_C(0x7fffffffffff) >> WINDOW_SHIFT)

static inline struct windows *windows_of(const struct cordbmem_process *process)
{
	return atomic_load(&process->windows);
}

static inline int windows_mode(const struct cordbmem_process *process)
{
	return atomic_load(&process->window_mode);
}

static inline uint64_t window_page_floor(uint64_t address)
{
	return address & ~(uint64_t)(WINDOW_PAGE - 1);
}

/* The table, made if there is none; its memory begins as zeros, in a child of fork once more. NULL: no memory. */
struct windows *windows_make(struct cordbmem_process *process);

/* The rest is for the holder of the lock. */

/* Zeros, which say that nothing is valid, instead of the slot's window. False: there is no memory for that. */
bool window_slot_unmap(struct window_slot *slot);

/* A slot for a block: it is there already, or one is free, or one has not been used lately. NULL: none of these. */
struct window_slot *window_slot_for(struct windows *windows, uint64_t block, bool *there);

/*
 * Fills a range (whole pages) as far as the target has it; flags are CORDBMEM_READ_NOFAULT or 0. What is important waits for
 * the target's mmap_lock, if need be. Returns the pages that are valid, -1 for no window.
 */
int64_t windows_populate(struct cordbmem_process *process, struct windows *windows, uint64_t start,
			 uint64_t end, uint32_t flags, bool important);

#endif /* CORDBMEM_SRC_WINDOW_SLOTS_H */
