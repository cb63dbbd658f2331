/* SPDX-License-Identifier: MIT */
/*
 * The module's objects, with no library in between: device, target, window.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include <linux/cordbmem.h>

#include "bench.h"

int device_open(void);
/** device_attach() - a target fd */
int device_attach(int device, pid_t pid);

/** struct window - a window fd, @size bytes of the target, and their state words */
struct window {
	int fd;
	size_t size;
	const char *data;
	const uint32_t *state;
};

/** window_open() - of a target fd, with both mappings; nothing is valid yet */
struct window window_open(int target, const void *address, size_t size);
void window_close(struct window *w);
/** window_populate() - make a range valid; @flags: of struct cordbmem_populate */
void window_populate(const struct window *w, size_t offset, size_t length, uint32_t flags);
/** window_read_long() - window_read() of more than a page */
bool window_read_long(const struct window *w, size_t offset, void *to, size_t length);
/** window_read_again() - what is not valid is made so, once, and read */
bool window_read_again(const struct window *w, size_t offset, void *to, size_t length);

/** window_read() - by the protocol; false: nothing of @to is of use */
static inline bool window_read(const struct window *w, size_t offset, void *to, size_t length)
{
	const uint32_t *state = &w->state[offset / PAGE];
	uint32_t word;

	if (offset % PAGE + length > PAGE)
		return window_read_long(w, offset, to, length);
	word = __atomic_load_n(state, __ATOMIC_ACQUIRE);
	if (!(word & CORDBMEM_WINDOW_VALID))
		return false;
	memcpy(to, w->data + offset, length);
	atomic_thread_fence(memory_order_acquire);
	return __atomic_load_n(state, __ATOMIC_RELAXED) == word;
}

/** window_get() - by the protocol, of pages that are most likely valid */
static inline bool window_get(const struct window *w, size_t offset, void *to, size_t length)
{
	return window_read(w, offset, to, length) || window_read_again(w, offset, to, length);
}

#endif /* WINDOW_H */
