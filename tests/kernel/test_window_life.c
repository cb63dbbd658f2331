// SPDX-License-Identifier: GPL-2.0
/*
 * The life of windows: what outlives what, and who else may have one.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "module.h"
#include "support.h"
#include "window.h"

#define SEED 15
#define PAGES ((size_t)40)
#define SIZE (PAGES * PAGE)
#define REFERENCES "/sys/module/cordbmem/refcnt"

static const uint8_t zeros[SIZE];

FIXTURE(life)
{
	int device;
	int fd;
	uint8_t *source;
	struct child target;
	struct window w;
};

FIXTURE_SETUP(life)
{
	self->device = device_open();
	self->source = island_pages(PAGES);
	pattern_fill(self->source, SIZE, SEED, number(self->source));
	self->target = child_start();
	munmap(self->source, SIZE);
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
	self->w = window_open(self->fd, number(self->source), SIZE, 0);
}

FIXTURE_TEARDOWN(life)
{
	child_end(&self->target);
}

static bool shows(const struct window *w)
{
	return pattern_check((const void *)(uintptr_t)w->data, w->size, SEED, w->address) ==
	       w->size;
}

static bool shows_zeros(const struct window *w)
{
	return memcmp((const void *)(uintptr_t)w->data, zeros, w->size) == 0;
}

static size_t valid_pages(const struct window *w)
{
	size_t valid = 0;

	for (size_t page = 0; page < w->size / PAGE; page++)
		valid += window_valid(w, page);
	return valid;
}

/* In the target. */
static long drop_all(long address)
{
	return madvise(pointer((uint64_t)address), SIZE, MADV_DONTNEED);
}

static long drop_one(long address)
{
	return madvise(pointer((uint64_t)address), PAGE, MADV_DONTNEED);
}

/* ---- what outlives what ---- */

TEST_F(life, goes_on_without_the_target_fd_and_the_device)
{
	close(self->fd);
	close(self->device);
	EXPECT_TRUE(shows(&self->w));
	EXPECT_EQ(PAGES, window_fill(&self->w));
	EXPECT_EQ(0, child_call(&self->target, drop_one, (long)number(self->source)));
	EXPECT_FALSE(window_valid(&self->w, 0));
}

TEST_F(life, of_a_mapping_goes_on_without_the_fd)
{
	window_fill(&self->w);
	close(self->w.fd);
	close(self->fd);
	close(self->device);
	EXPECT_TRUE(shows(&self->w));
	EXPECT_EQ(PAGES, valid_pages(&self->w));
	EXPECT_EQ(0, child_call(&self->target, drop_all, (long)number(self->source)));
	EXPECT_EQ(0, valid_pages(&self->w));
	/* There is nobody to ask for SYNC, but it comes. */
	for (double end = seconds() + 5; !shows_zeros(&self->w) && seconds() < end;)
		usleep(1000);
	EXPECT_TRUE(shows_zeros(&self->w));
	child_end(&self->target);
	EXPECT_TRUE(shows_zeros(&self->w));
}

TEST_F(life, of_state_words_goes_on_without_the_data)
{
	window_fill(&self->w);
	munmap(pointer(number(self->w.data)), SIZE);
	close(self->w.fd);
	EXPECT_EQ(PAGES, valid_pages(&self->w));
	EXPECT_EQ(0, child_call(&self->target, drop_one, (long)number(self->source)));
	EXPECT_EQ(PAGES - 1, valid_pages(&self->w));
}

enum part { DATA, STATE, WINDOW_FD, TARGET_FD, TARGET, PARTS };

static void end_part(struct window *w, int fd, struct child *target, enum part part)
{
	switch (part) {
	case DATA:
		munmap(pointer(number(w->data)), w->size);
		w->data = NULL;
		break;
	case STATE:
		munmap(pointer(number(w->state)), PAGE);
		w->state = NULL;
		break;
	case WINDOW_FD:
		close(w->fd);
		break;
	case TARGET_FD:
		close(fd);
		break;
	default:
		child_end(target);
	}
}

/* With and without something for the worker to do. */
TEST_F(life, ends_in_any_order)
{
	uint8_t *memory = island_pages(PAGES);

	memset(memory, 7, SIZE);
	for (int order = 0; order < 120; order++) {
		enum part left[PARTS] = { DATA, STATE, WINDOW_FD, TARGET_FD, TARGET };
		struct child target = child_start();
		int fd = attach(self->device, target.pid, 0), code = order;
		struct window w = window_open(fd, number(memory), SIZE, 0);

		if (order % 3)
			EXPECT_EQ(PAGES, window_fill(&w));
		EXPECT_EQ(7, w.data[PAGE]);
		for (int n = PARTS; n; code /= n--) {
			if (order % 2 && target.pid > 0)
				child_call(&target, drop_one, (long)number(memory));
			end_part(&w, fd, &target, left[code % n]);
			left[code % n] = left[n - 1];
			if (!w.data)
				continue;
			/* Of a dead one it is zeros, now or soon. */
			EXPECT_TRUE(w.data[PAGE] == 7 || (target.pid < 0 && w.data[PAGE] == 0));
		}
	}
}

/* ---- others ---- */

static struct window *given;

static long has_mapping(long address)
{
	uint64_t start, end;

	return mapping_of(getpid(), (uint64_t)address, &start, &end);
}

TEST_F(life, is_not_inherited_by_fork)
{
	struct child forked;

	window_fill(&self->w);
	EXPECT_TRUE(shows(&self->w));
	forked = child_start();
	EXPECT_EQ(0, child_call(&forked, has_mapping, (long)number(self->w.data)));
	EXPECT_EQ(0, child_call(&forked, has_mapping, (long)number(self->w.state)));
	EXPECT_EQ(1, child_call(&forked, has_mapping, (long)number(&zeros)));
	EXPECT_TRUE(shows(&self->w));
	EXPECT_EQ(0, child_call(&self->target, drop_one, (long)number(self->source)));
	EXPECT_FALSE(window_valid(&self->w, 0));
	child_end(&forked);
	EXPECT_EQ(PAGES - 1, valid_pages(&self->w));
}

static long map_window(long size)
{
	int fd = receive_fd(child_socket);
	uint8_t *data = mmap(NULL, (size_t)size, PROT_READ, MAP_SHARED, fd, 0);

	if (data == MAP_FAILED)
		return errno;
	given = malloc(sizeof(*given));
	*given = (struct window){ .fd = fd, .address = number(data), .size = (size_t)size };
	given->data = data;
	given->state = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)CORDBMEM_WINDOW_STATE);
	return given->state == MAP_FAILED ? errno : 0;
}

static long given_byte(long offset)
{
	return given->data[offset];
}

static long given_valid(long page)
{
	return window_valid(given, (size_t)page);
}

static long given_sync(long unused)
{
	(void)unused;
	return call_sync(given->fd);
}

TEST_F(life, goes_on_in_a_process_that_was_given_the_fd)
{
	struct child third = child_start();
	long error;

	child_send(&third, map_window, SIZE);
	child_give_fd(&third, self->w.fd);
	ASSERT_TRUE(child_result(&third, &error));
	ASSERT_EQ(0, error);
	EXPECT_EQ(self->w.data[PAGE + 5], child_call(&third, given_byte, PAGE + 5));
	window_fill(&self->w);
	EXPECT_EQ(1, child_call(&third, given_valid, 1));
	window_close(&self->w);
	close(self->fd);
	close(self->device);
	EXPECT_EQ(pattern_byte(SEED, number(self->source) + PAGE + 5),
		  child_call(&third, given_byte, PAGE + 5));
	EXPECT_EQ(0, child_call(&self->target, drop_all, (long)number(self->source)));
	EXPECT_EQ(0, child_call(&third, given_valid, 1));
	EXPECT_EQ(0, child_call(&third, given_sync, 0));
	EXPECT_EQ(0, child_call(&third, given_byte, PAGE + 5));
	child_end(&third);
}

TEST_F(life, of_two_mappings_is_one)
{
	struct window second = self->w;

	second.data = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, self->w.fd, 0);
	ASSERT_NE(MAP_FAILED, second.data);
	window_fill(&self->w);
	EXPECT_TRUE(shows(&self->w));
	EXPECT_TRUE(shows(&second));
	EXPECT_EQ(PAGES, window_stats(&self->w).pages);
	EXPECT_EQ(0, child_call(&self->target, drop_all, (long)number(self->source)));
	EXPECT_EQ(0, call_sync(self->w.fd));
	EXPECT_TRUE(shows_zeros(&self->w));
	EXPECT_TRUE(shows_zeros(&second));
	munmap(pointer(number(second.data)), SIZE);
	EXPECT_TRUE(shows_zeros(&self->w));
}

TEST_F(life, of_32_windows_that_overlap)
{
	struct window windows[32];

	for (size_t i = 0; i < 32; i++) {
		windows[i] = window_open(self->fd, number(self->source) + i * PAGE,
					 (PAGES - i) * PAGE, 0);
		if (i % 2)
			EXPECT_EQ(PAGES - i, window_fill(&windows[i]));
		EXPECT_TRUE(shows(&windows[i]));
	}
	EXPECT_EQ(0, child_call(&self->target, drop_one, (long)number(self->source + 31 * PAGE)));
	for (size_t i = 0; i < 32; i++) {
		EXPECT_FALSE(window_valid(&windows[i], 31 - i));
		EXPECT_TRUE(window_valid(&windows[i], 32 - i));
		EXPECT_EQ(0, call_sync(windows[i].fd));
		EXPECT_EQ(0, windows[i].data[(31 - i) * PAGE + 1]);
	}
	child_end(&self->target);
	for (size_t i = 0; i < 32; i++) {
		EXPECT_EQ(0, valid_pages(&windows[i]));
		EXPECT_EQ(0, call_sync(windows[i].fd));
		EXPECT_TRUE(shows_zeros(&windows[i]));
		EXPECT_EQ(0, window_stats(&windows[i]).pages);
		window_close(&windows[i]);
	}
}

/* ---- the module ---- */

TEST_F(life, keeps_the_module)
{
	double end = seconds() + 5;

	/* The target has the fds that were open when it was made. */
	child_end(&self->target);
	close(self->device);
	close(self->fd);
	EXPECT_EQ(EWOULDBLOCK, module_unload());
	munmap(pointer(number(self->w.state)), PAGE);
	close(self->w.fd);
	EXPECT_TRUE(shows_zeros(&self->w));
	EXPECT_EQ(EWOULDBLOCK, module_unload());
	EXPECT_LT(0, file_number(REFERENCES, -1));
	munmap(pointer(number(self->w.data)), SIZE);
	while (file_number(REFERENCES, -1) && seconds() < end)
		usleep(1000);
	EXPECT_EQ(0, file_number(REFERENCES, -1));
}

TEST_HARNESS_MAIN
