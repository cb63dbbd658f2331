// SPDX-License-Identifier: MIT
/*
 * The module's objects, with no library in between: device, target, window.
 */
#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/cordbmem.h>

#include "bench.h"
#include "window.h"

/* Pages whose words are kept while they are copied. */
#define RUN 64

int device_open(void)
{
	int fd = open(CORDBMEM_DEVICE, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		give_up("cannot open " CORDBMEM_DEVICE);
	return fd;
}

int device_attach(int device, pid_t pid)
{
	struct cordbmem_attach arg = { .size = sizeof(arg), .source = pid };

	if (ioctl(device, CORDBMEM_IOC_ATTACH, &arg))
		give_up("cannot attach");
	return arg.target_fd;
}

static size_t state_size(size_t size)
{
	return (size / PAGE * sizeof(uint32_t) + PAGE - 1) & ~(PAGE - 1);
}

struct window window_open(int target, const void *address, size_t size)
{
	struct cordbmem_window arg = {
		.size = sizeof(arg),
		.address = (uintptr_t)address,
		.length = size,
	};
	struct window w = { .size = size };

	if (ioctl(target, CORDBMEM_IOC_WINDOW, &arg))
		give_up("cannot make a window");
	w.fd = arg.window_fd;
	w.data = mmap(NULL, size, PROT_READ, MAP_SHARED, w.fd, 0);
	w.state = mmap(NULL, state_size(size), PROT_READ, MAP_SHARED, w.fd,
		       (off_t)CORDBMEM_WINDOW_STATE);
	if (w.data == MAP_FAILED || w.state == MAP_FAILED)
		give_up("cannot map a window");
	return w;
}

void window_close(struct window *w)
{
	munmap((void *)(uintptr_t)w->data, w->size);
	munmap((void *)(uintptr_t)w->state, state_size(w->size));
	close(w->fd);
}

void window_populate(const struct window *w, size_t offset, size_t length, uint32_t flags)
{
	struct cordbmem_populate arg = {
		.size = sizeof(arg),
		.flags = flags,
		.offset = offset,
		.length = length,
	};

	if (ioctl(w->fd, CORDBMEM_IOC_POPULATE, &arg))
		give_up("cannot populate a window");
}

/* Bytes of up to RUN pages, in one copy. */
static bool read_pages(const struct window *w, size_t offset, void *to, size_t length)
{
	const uint32_t *state = &w->state[offset / PAGE];
	size_t count = (offset + length - 1) / PAGE - offset / PAGE + 1;
	uint32_t words[RUN], all = CORDBMEM_WINDOW_VALID, changes = 0;

#pragma GCC unroll 8
	for (size_t i = 0; i < count; i++) {
		words[i] = __atomic_load_n(&state[i], __ATOMIC_RELAXED);
		all &= words[i];
	}
	atomic_thread_fence(memory_order_acquire);
	if (!all)
		return false;
	memcpy(to, w->data + offset, length);
	atomic_thread_fence(memory_order_acquire);
#pragma GCC unroll 8
	for (size_t i = 0; i < count; i++)
		changes |= words[i] ^ __atomic_load_n(&state[i], __ATOMIC_RELAXED);
	return !changes;
}

bool window_read_long(const struct window *w, size_t offset, void *to, size_t length)
{
	while (length) {
		size_t n = RUN * PAGE - offset % PAGE;

		if (n > length)
			n = length;
		if (!read_pages(w, offset, to, n))
			return false;
		offset += n;
		to = (char *)to + n;
		length -= n;
	}
	return true;
}

bool window_read_again(const struct window *w, size_t offset, void *to, size_t length)
{
	size_t first = offset & ~(PAGE - 1);

	window_populate(w, first, ((offset + length + PAGE - 1) & ~(PAGE - 1)) - first, 0);
	return window_read(w, offset, to, length);
}
