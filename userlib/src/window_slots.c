// SPDX-License-Identifier: MIT
/*
 * Windows and the places that they are mapped to: making one over a block, filling it, giving it up. All of
 * it is under the lock of the table.
 */
#include "window_slots.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"

/* How often a window that is pinned is asked for. */
#define PIN_TRIES 20

static bool slot_reserve(struct window_slot *slot)
{
	BYTE *area;

	if (slot->data)
		return true;
	/* Whatever is not mapped of a window stays ours, so that MAP_FIXED hits nobody. */
	area = mmap(NULL, WINDOW_SIZE + WINDOW_STATE_SIZE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return false;
	slot->state = (const uint32_t *)(const void *)(area + WINDOW_SIZE);
	slot->data = area;
	return true;
}

static bool slot_map(const struct window_slot *slot, int fd, uint64_t length)
{
	BYTE *data = (BYTE *)(uintptr_t)slot->data, *state = (BYTE *)(uintptr_t)slot->state;
	size_t state_length = length / WINDOW_PAGE * sizeof(uint32_t);

	state_length = (state_length + WINDOW_PAGE - 1) & ~((size_t)WINDOW_PAGE - 1);
	return mmap(data, length, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED &&
	       mmap(state, state_length, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
		    (off_t)CORDBMEM_WINDOW_STATE) != MAP_FAILED;
}

/*
 * Zeros instead of a mapping. They are made elsewhere, where they can be unlocked first: after
 * mlockall(MCL_FUTURE) mmap() would put a page at each address that can be read. Where there is
 * no room for that, or mremap() stopped half way, mmap() will do.
 */
static bool map_zeros(const void *at, size_t size)
{
	void *place = (void *)(uintptr_t)at;
	void *zeros =
		mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (zeros != MAP_FAILED) {
		if (munlock(zeros, size) == 0 && mprotect(zeros, size, PROT_READ) == 0 &&
		    mremap(zeros, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place)
			return true;
		munmap(zeros, size);
	}
	return mmap(place, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
		    -1, 0) != MAP_FAILED;
}

bool window_slot_unmap(struct window_slot *slot)
{
	atomic_store(&slot->key, 0);
	if (!map_zeros(slot->state, WINDOW_STATE_SIZE) || !map_zeros(slot->data, WINDOW_SIZE))
		return false;
	/* Not close(), at which a thread can be cancelled, lock and all. */
	syscall(SYS_close, slot->fd_plus_1 - 1);
	slot->fd_plus_1 = 0;
	return true;
}

/* Not what is pinned, nor what was used since somebody last came by. */
static bool slot_give_up(struct windows *windows, struct window_slot *slot)
{
	if (slot->pinned || !(atomic_fetch_or(&slot->key, WINDOW_IDLE) & WINDOW_IDLE) ||
	    !window_slot_unmap(slot))
		return false;
	windows->live--;
	return true;
}

static bool evict(struct windows *windows)
{
	for (unsigned int i = 0; i < 2 * WINDOW_SLOTS; i++) {
		struct window_slot *slot = &windows->slots[windows->hand++ % WINDOW_SLOTS];

		if (slot->fd_plus_1 && slot_give_up(windows, slot))
			return true;
	}
	return false;
}

struct window_slot *window_slot_for(struct windows *windows, uint64_t block, bool *there)
{
	struct window_slot *slots[2];

	*there = true;
	for (unsigned int i = 0; i < 2; i++) {
		slots[i] = &windows->slots[window_slot_of(block, i)];
		if (slots[i]->fd_plus_1 &&
		    ((uint32_t)atomic_load(&slots[i]->key) & ~WINDOW_IDLE) == block + 1)
			return slots[i];
	}
	*there = false;
	for (unsigned int i = 0; i < 2; i++)
		if (!slots[i]->fd_plus_1)
			return slots[i];
	for (unsigned int i = 0; i < 2; i++)
		if (slot_give_up(windows, slots[i]))
			return slots[i];
	return NULL;
}

/*
 * Asks for a window, over and over if it is important: a target that is busy with its mmap_lock, and signals
 * of one's own, are no reason to go without. Only in the end it queues for that lock.
 */
static int ask_for(const struct cordbmem_process *process, struct cordbmem_window *window,
		   bool important)
{
	int tries = important ? PIN_TRIES : 1, rc;

	do {
		if (important && tries == 1)
			window->flags &= ~CORDBMEM_WINDOW_NOWAIT;
		rc = ioctl(process->memory_fd, CORDBMEM_IOC_WINDOW, window);
	} while (rc && (errno == EAGAIN || errno == EINTR) && --tries);
	return rc;
}

/* A window over a block. Returns NULL if there can be none now. */
static struct window_slot *slot_open(struct cordbmem_process *process, struct windows *windows,
				     uint64_t block, bool important)
{
	struct cordbmem_window window = {
		.size = sizeof(window),
		.flags = CORDBMEM_WINDOW_NOWAIT,
		.address = block << WINDOW_SHIFT,
		.length = block == WINDOW_LAST_BLOCK ? WINDOW_SIZE - WINDOW_PAGE : WINDOW_SIZE,
	};
	struct window_slot *slot;
	bool there;

	/* Nobody's memory; and no reason to think that windows do not work. */
	if (block > WINDOW_LAST_BLOCK)
		return NULL;
	slot = window_slot_for(windows, block, &there);
	if (there || !slot)
		return slot;
	if (windows->live >= WINDOW_LIVE && !evict(windows))
		return NULL;
	if (!slot_reserve(slot))
		return NULL;
	if (process->flags & CORDBMEM_OPEN_NOFAULT)
		window.flags |= CORDBMEM_READ_NOFAULT;
	if (ask_for(process, &window, important) != 0) {
		/* No such ioctl, or no window for this target ever. */
		if (errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL)
			atomic_store(&windows->off, true);
		return NULL;
	}
	slot->fd_plus_1 = window.window_fd + 1;
	windows->live++;
	if (!slot_map(slot, window.window_fd, window.length)) {
		if (window_slot_unmap(slot))
			windows->live--;
		return NULL;
	}
	atomic_store(&slot->key, (uint64_t)++slot->number << 32 | (block + 1));
	return slot;
}

int64_t windows_populate(struct cordbmem_process *process, struct windows *windows, uint64_t start,
			 uint64_t end, uint32_t flags, bool important)
{
	int64_t pages = 0;

	/* ReadMemory refuses address 0, and the fast path does not look. */
	if (start < WINDOW_PAGE)
		start = WINDOW_PAGE;

	while (start < end) {
		uint64_t block = start >> WINDOW_SHIFT;
		uint64_t limit = (block + 1) << WINDOW_SHIFT;
		struct window_slot *slot = slot_open(process, windows, block, important);
		struct cordbmem_populate argument = {
			.size = sizeof(argument),
			.flags = flags,
			.offset = start - (block << WINDOW_SHIFT),
		};

		if (limit > end)
			limit = end;
		if (block == WINDOW_LAST_BLOCK &&
		    limit > ((block + 1) << WINDOW_SHIFT) - WINDOW_PAGE)
			limit = ((block + 1) << WINDOW_SHIFT) - WINDOW_PAGE;
		if (!slot || limit <= start)
			return slot ? pages : -1;
		argument.length = limit - start;
		if (ioctl(slot->fd_plus_1 - 1, CORDBMEM_IOC_POPULATE, &argument) != 0)
			return -1;
		pages += (int64_t)argument.pages;
		start = limit;
	}
	atomic_fetch_add_explicit(&windows->populates, 1, memory_order_relaxed);
	return pages;
}
