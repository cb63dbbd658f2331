/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Windows: made, mapped, and read by the protocol of the state words.
 */
#ifndef WINDOW_H
#define WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call.h"

struct window {
	int fd;
	uint64_t address; /* in the target */
	size_t size;
	volatile uint8_t *data;
	volatile uint32_t *state;
};

/* Each returns 0 or a positive errno. */
int call_window(int target_fd, struct cordbmem_window *argument);
int call_populate(int window_fd, struct cordbmem_populate *argument);
int call_sync(int window_fd);
int call_stats(int window_fd, struct cordbmem_stats *argument);
struct cordbmem_window window_argument(uint64_t address, uint64_t length, uint32_t flags);

/* A window fd, or a negative errno. */
int window_fd(int target_fd, uint64_t address, uint64_t length, uint32_t flags);

/* A window with both of its mappings; dies when it cannot be had. */
struct window window_open(int target_fd, uint64_t address, size_t size, uint32_t flags);
void window_close(struct window *w);

/* Makes all of it valid that can be; returns how many pages are. Dies of an error. */
size_t window_fill(const struct window *w);

bool window_valid(const struct window *w, size_t page);

/* By the protocol: true, and @to has bytes that were in the target. */
bool window_read(const struct window *w, size_t offset, void *to, size_t length);

struct cordbmem_stats window_stats(const struct window *w);

#endif
