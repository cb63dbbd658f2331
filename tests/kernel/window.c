// SPDX-License-Identifier: GPL-2.0
/*
 * Windows: made, mapped, and read by the protocol of the state words.
 */
#include "window.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "support.h"

struct cordbmem_window window_argument(uint64_t address, uint64_t length, uint32_t flags)
{
	return (struct cordbmem_window){
		.size = sizeof(struct cordbmem_window),
		.flags = flags,
		.address = address,
		.length = length,
		.window_fd = (int)POISON32,
	};
}

int call_window(int target_fd, struct cordbmem_window *argument)
{
	return call(target_fd, CORDBMEM_IOC_WINDOW, argument);
}

int call_populate(int window_fd, struct cordbmem_populate *argument)
{
	argument->size = sizeof(*argument);
	argument->pages = POISON64;
	argument->done = POISON64;
	return call(window_fd, CORDBMEM_IOC_POPULATE, argument);
}

int call_sync(int window_fd)
{
	struct cordbmem_sync argument = { .size = sizeof(argument) };

	return call(window_fd, CORDBMEM_IOC_SYNC, &argument);
}

int call_stats(int window_fd, struct cordbmem_stats *argument)
{
	memset(argument, POISON, sizeof(*argument));
	argument->size = sizeof(*argument);
	argument->flags = 0;
	return call(window_fd, CORDBMEM_IOC_STATS, argument);
}

int window_fd(int target_fd, uint64_t address, uint64_t length, uint32_t flags)
{
	struct cordbmem_window argument = window_argument(address, length, flags);
	int err = call_window(target_fd, &argument);

	return err ? -err : argument.window_fd;
}

struct window window_open(int target_fd, uint64_t address, size_t size, uint32_t flags)
{
	size_t state = (size / PAGE * sizeof(uint32_t) + PAGE - 1) & ~(PAGE - 1);
	struct window w = {
		.fd = window_fd(target_fd, address, size, flags),
		.address = address,
		.size = size,
	};

	if (w.fd < 0) {
		errno = -w.fd;
		die("a window of %zu bytes", size);
	}
	w.data = mmap(NULL, size, PROT_READ, MAP_SHARED, w.fd, 0);
	w.state = mmap(NULL, state, PROT_READ, MAP_SHARED, w.fd, (off_t)CORDBMEM_WINDOW_STATE);
	if (w.data == MAP_FAILED || w.state == MAP_FAILED)
		die("mapping a window of %zu bytes", size);
	return w;
}

void window_close(struct window *w)
{
	munmap((void *)(uintptr_t)w->data, w->size);
	munmap((void *)(uintptr_t)w->state,
	       (w->size / PAGE * sizeof(uint32_t) + PAGE - 1) & ~(PAGE - 1));
	close(w->fd);
	w->fd = -1;
}

size_t window_fill(const struct window *w)
{
	struct cordbmem_populate argument = { .length = w->size };
	int err = call_populate(w->fd, &argument);

	if (err) {
		errno = err;
		die("populating a window");
	}
	return argument.pages;
}

static uint32_t state_word(const struct window *w, size_t page)
{
	return __atomic_load_n(&w->state[page], __ATOMIC_ACQUIRE);
}

bool window_valid(const struct window *w, size_t page)
{
	return state_word(w, page) & CORDBMEM_WINDOW_VALID;
}

static bool read_page(const struct window *w, size_t offset, uint8_t *to, size_t length)
{
	uint32_t word = state_word(w, offset / PAGE);

	if (!(word & CORDBMEM_WINDOW_VALID))
		return false;
	memcpy(to, (const void *)(uintptr_t)(w->data + offset), length);
	atomic_thread_fence(memory_order_acquire);
	return state_word(w, offset / PAGE) == word;
}

bool window_read(const struct window *w, size_t offset, void *to, size_t length)
{
	uint8_t *bytes = to;

	while (length) {
		size_t n = PAGE - offset % PAGE;

		if (n > length)
			n = length;
		if (!read_page(w, offset, bytes, n))
			return false;
		offset += n;
		bytes += n;
		length -= n;
	}
	return true;
}

struct cordbmem_stats window_stats(const struct window *w)
{
	struct cordbmem_stats stats;
	int err = call_stats(w->fd, &stats);

	if (err) {
		errno = err;
		die("the statistics of a window");
	}
	return stats;
}
