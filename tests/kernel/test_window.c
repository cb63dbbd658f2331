// SPDX-License-Identifier: GPL-2.0
/*
 * Windows: what they show, what their state words say, and what is refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"

#define SEED 9
#define PAGES 300
#define SIZE (PAGES * PAGE)

FIXTURE(window)
{
	int device;
	int fd;
	uint8_t *source;
	uint64_t address;
	struct child target;
	struct window w;
	uint8_t buffer[2 * PAGE];
};

FIXTURE_SETUP(window)
{
	self->device = device_open();
	ASSERT_TRUE(has_feature(self->device, CORDBMEM_FEATURE_WINDOW));
	self->source = island_pages(PAGES);
	self->address = number(self->source);
	pattern_fill(self->source, SIZE, SEED, self->address);
	self->target = child_start();
	munmap(self->source, SIZE);
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
	self->w = window_open(self->fd, self->address, SIZE, 0);
}

FIXTURE_TEARDOWN(window)
{
	window_close(&self->w);
	child_end(&self->target);
	close(self->fd);
}

/* In the target: functions that the test calls there. */
static long write_byte(long argument)
{
	*(volatile uint8_t *)(uintptr_t)argument = 0xa5;
	return 0;
}

static long unmap_page(long argument)
{
	return munmap(pointer((uint64_t)argument), PAGE);
}

static long drop_page(long argument)
{
	return madvise(pointer((uint64_t)argument), PAGE, MADV_DONTNEED);
}

static long forbid_page(long argument)
{
	return mprotect(pointer((uint64_t)argument), PAGE, PROT_NONE);
}

static long fork_and_write(long argument)
{
	pid_t pid = fork();

	if (!pid) {
		sleep(100);
		_exit(0);
	}
	*(volatile uint8_t *)(uintptr_t)argument = 0x5a;
	return pid;
}

TEST_F(window, shows_the_target)
{
	for (size_t page = 0; page < PAGES; page++)
		ASSERT_EQ(PAGE, pattern_check((const void *)(uintptr_t)(self->w.data + page * PAGE),
					      PAGE, SEED, self->address + page * PAGE));
	EXPECT_EQ(PAGES, window_stats(&self->w).pages);
	EXPECT_GT(PAGES / 8, window_stats(&self->w).faults);
}

TEST_F(window, populate_makes_pages_valid)
{
	EXPECT_FALSE(window_valid(&self->w, 0));
	EXPECT_EQ(PAGES, window_fill(&self->w));
	for (size_t page = 0; page < PAGES; page++) {
		ASSERT_TRUE(window_read(&self->w, page * PAGE, self->buffer, PAGE));
		ASSERT_EQ(PAGE,
			  pattern_check(self->buffer, PAGE, SEED, self->address + page * PAGE));
	}
}

TEST_F(window, what_the_target_writes_is_seen_at_once)
{
	uint64_t at = self->address + 5 * PAGE + 7;

	/* The page is the child's own only after its first write: it was the test's as well. */
	child_call(&self->target, write_byte, (long)at + 1);
	window_fill(&self->w);
	EXPECT_EQ(pattern_byte(SEED, at), self->w.data[5 * PAGE + 7]);
	child_call(&self->target, write_byte, (long)at);
	EXPECT_EQ(0xa5, self->w.data[5 * PAGE + 7]);
	EXPECT_TRUE(window_valid(&self->w, 5));
}

TEST_F(window, what_the_target_unmaps_is_invalid_at_once_and_zeros_later)
{
	window_fill(&self->w);
	EXPECT_NE(0, self->w.data[3 * PAGE + 1]);
	EXPECT_EQ(0, child_call(&self->target, unmap_page, (long)(self->address + 3 * PAGE)));
	EXPECT_FALSE(window_valid(&self->w, 3));
	EXPECT_TRUE(window_valid(&self->w, 2));
	EXPECT_TRUE(window_valid(&self->w, 4));
	EXPECT_EQ(0, call_sync(self->w.fd));
	EXPECT_EQ(0, self->w.data[3 * PAGE + 1]);
	EXPECT_FALSE(window_valid(&self->w, 3));
	EXPECT_EQ(1, window_stats(&self->w).invalidated);
	EXPECT_EQ(1, window_stats(&self->w).fallbacks);
	EXPECT_EQ(PAGES - 1, window_stats(&self->w).pages);
}

TEST_F(window, a_page_that_was_dropped_comes_back_by_populate)
{
	uint64_t at = self->address + 4 * PAGE;

	window_fill(&self->w);
	EXPECT_EQ(0, child_call(&self->target, drop_page, (long)at));
	EXPECT_FALSE(window_valid(&self->w, 4));
	child_call(&self->target, write_byte, (long)at);
	EXPECT_EQ(PAGES, window_fill(&self->w));
	EXPECT_TRUE(window_read(&self->w, 4 * PAGE, self->buffer, 2));
	EXPECT_EQ(0xa5, self->buffer[0]);
	EXPECT_EQ(0, self->buffer[1]);
}

TEST_F(window, zeros_of_a_touch_are_replaced_by_populate)
{
	uint64_t at = self->address + 4 * PAGE;

	EXPECT_EQ(0, child_call(&self->target, forbid_page, (long)at));
	EXPECT_EQ(0, self->w.data[4 * PAGE]);
	EXPECT_EQ(PAGES - 1, window_fill(&self->w));
	EXPECT_FALSE(window_valid(&self->w, 4));
	child_end(&self->target);
	EXPECT_FALSE(window_valid(&self->w, 5));
	EXPECT_EQ(0, call_sync(self->w.fd));
	EXPECT_EQ(0, self->w.data[5 * PAGE]);
	EXPECT_EQ(0, window_stats(&self->w).pages);
	self->target = child_start();
}

TEST_F(window, the_target_copies_a_page_on_write)
{
	uint64_t at = self->address + 6 * PAGE;
	long child;

	window_fill(&self->w);
	EXPECT_EQ(pattern_byte(SEED, at), self->w.data[6 * PAGE]);
	child = child_call(&self->target, fork_and_write, (long)at);
	EXPECT_FALSE(window_valid(&self->w, 6));
	EXPECT_EQ(0, call_sync(self->w.fd));
	EXPECT_EQ(0x5a, self->w.data[6 * PAGE]);
	EXPECT_TRUE(window_read(&self->w, 6 * PAGE, self->buffer, 1));
	EXPECT_EQ(0x5a, self->buffer[0]);
	kill((pid_t)child, SIGKILL);
}

TEST_HARNESS_MAIN
