// SPDX-License-Identifier: MIT
/*
 * What is worth a window: places that are read again and again, and do not change all the time.
 */
#include <errno.h>
#include <time.h>

#include "internal.h"
#include "window_slots.h"

/* A heat entry: the block's tag, how seldom it is populated (as a power of 2), reads since then. */
#define HEAT_TAG_SHIFT 24
#define HEAT_LEVEL_SHIFT 16
#define HEAT_LEVEL_MAX 12
#define HEAT_COUNT UINT64_C(0xffff)
/* The second read of a place shows that it is read more than once. */
#define HEAT_FIRST 2
/* What is missed again within this time after it was populated is restless. */
#define RESTLESS UINT64_C(10000000) /* ns */

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool is_pinned(const struct windows *windows, uint64_t start, uint64_t end)
{
	unsigned int count = atomic_load_explicit(&windows->pin_count, memory_order_acquire);

	for (unsigned int i = 0; i < count; i++)
		if (windows->pins[i].start < end && start < windows->pins[i].end)
			return true;
	return false;
}

/*
 * Counts a read that found no window. True: there were enough of them since this place was last populated, the
 * more the sooner it was missed again then.
 */
static bool heat_add(struct window_heat *heat, uint64_t tag)
{
	uint64_t entry = atomic_load_explicit(&heat->count, memory_order_relaxed);
	uint64_t level = 0, count = 1;

	if (entry >> HEAT_TAG_SHIFT == tag) {
		level = entry >> HEAT_LEVEL_SHIFT & 0xff;
		count = (entry & HEAT_COUNT) + 1;
		if (count == 1) {
			uint64_t last =
				atomic_load_explicit(&heat->filled_at, memory_order_relaxed);

			if (now_ns() - last <= RESTLESS)
				level += level < HEAT_LEVEL_MAX;
			else
				level -= level > 0;
		}
	}
	if (count >= (uint64_t)HEAT_FIRST << level)
		return true;
	atomic_store_explicit(&heat->count,
			      tag << HEAT_TAG_SHIFT | level << HEAT_LEVEL_SHIFT | count,
			      memory_order_relaxed);
	return false;
}

static void heat_populated(struct window_heat *heat, uint64_t tag)
{
	uint64_t entry = atomic_load_explicit(&heat->count, memory_order_relaxed), level = 0;

	if (entry >> HEAT_TAG_SHIFT == tag)
		level = entry >> HEAT_LEVEL_SHIFT & 0xff;
	atomic_store_explicit(&heat->filled_at, now_ns(), memory_order_relaxed);
	atomic_store_explicit(&heat->count, tag << HEAT_TAG_SHIFT | level << HEAT_LEVEL_SHIFT,
			      memory_order_relaxed);
}

bool window_missed(struct cordbmem_process *process, uint64_t address, size_t size)
{
	const uint64_t step = UINT64_C(1) << HEAT_SHIFT;
	struct windows *windows = windows_of(process);
	uint64_t start = address & ~(step - 1), end = (address + size + step - 1) & ~(step - 1);
	uint64_t place = address >> HEAT_SHIFT & (UINT64_MAX >> HEAT_TAG_SHIFT);
	uint32_t flags = CORDBMEM_READ_NOFAULT;
	struct window_heat *heat;
	int64_t pages = 0;
	int saved = errno;
	bool pinned;

	if (windows_mode(process) == CORDBMEM_WINDOWS_OFF)
		return false;
	if (!windows)
		windows = windows_make(process);
	if (!windows || atomic_load_explicit(&windows->off, memory_order_relaxed))
		return false;
	heat = &windows->heat[(place * UINT64_C(0x9e3779b97f4a7c15)) >> 54];
	pinned = is_pinned(windows, address, address + size);
	if (!heat_add(heat, place) && !pinned)
		return false;
	/* A pinned page is faulted in, as it was at first. */
	if (pinned && !(process->flags & CORDBMEM_OPEN_NOFAULT))
		flags = 0;
	/* Somebody else is at it: the next read that misses sees. */
	if (pthread_mutex_trylock(&windows->lock) != 0)
		return false;
	if (windows_mode(process) != CORDBMEM_WINDOWS_OFF && process_usable(process)) {
		/* Where a little is read, more will be read around it. */
		if (size >= step / 4 || pinned) {
			start = window_page_floor(address);
			end = window_page_floor(address + size + WINDOW_PAGE - 1);
		}
		pages = windows_populate(process, windows, start, end, flags, false);
		heat_populated(heat, place);
	}
	pthread_mutex_unlock(&windows->lock);
	errno = saved;
	return pages > 0;
}
