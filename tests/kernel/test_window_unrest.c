// SPDX-License-Identifier: GPL-2.0
/*
 * Targets and tracers that are too busy: events that never end, locks that are never free, mappings
 * without number. Nobody is held up for long by them, and nobody hangs.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <cordbmem/cordbmem.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"

#define PAGES ((size_t)256)
#define SIZE (PAGES * PAGE)
#define BYTE_SHOWN 8
/* A library's window: the 64 GiB block around an address. */
#define BLOCK_SIZE ((uint64_t)64 << 30)

#define RAGING 6 /* threads with events of their own */
#define BUSY 4	 /* threads that keep them from the processors */
#define RAGE_SIZE ((size_t)1 << 30)
#define ROOM (RAGING * RAGE_SIZE + SIZE)

/* What is slow on a machine under emulation, but no hang. */
#define LONG 20.0

/* In the target, at the same place as here; the quiet part is last. */
static uint8_t *memory;

static uint8_t *quiet(void)
{
	return memory + RAGING * RAGE_SIZE;
}

static long prepare(long unused)
{
	(void)unused;
	if (mmap(memory, ROOM, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != memory ||
	    madvise(memory, ROOM, MADV_NOHUGEPAGE))
		return errno;
	memset(quiet(), BYTE_SHOWN, SIZE);
	return 0;
}

/* Whoever is preempted in the middle of it has an event under way all the while. */
static void *drop_again_and_again(void *area)
{
	struct sched_param none = { 0 };

	sched_setscheduler(0, SCHED_IDLE, &none);
	for (;;)
		madvise(area, RAGE_SIZE, MADV_DONTNEED);
	return NULL;
}

static void *spin(void *unused)
{
	for (;;)
		__asm__ volatile("");
	return unused;
}

/* Its page faults and its madvise() have the mmap_lock nearly always. */
static void *fault_again_and_again(void *area)
{
	uint8_t *pages = area;

	for (;;) {
		madvise(pages, SIZE, MADV_DONTNEED);
		for (size_t at = 0; at < SIZE; at += PAGE)
			pages[at] = 1;
	}
	return NULL;
}

static long start(void *(*function)(void *), size_t threads, size_t stride)
{
	pthread_t thread;
	int error = 0;

	for (size_t i = 0; i < threads && !error; i++)
		error = pthread_create(&thread, NULL, function, memory + i * stride);
	return error;
}

static long rage(long unused)
{
	long error = start(drop_again_and_again, RAGING, RAGE_SIZE);

	(void)unused;
	return error ? error : start(spin, BUSY, 0);
}

static long fault(long unused)
{
	(void)unused;
	return start(fault_again_and_again, 3, SIZE);
}

FIXTURE(unrest)
{
	struct child target;
	struct child watchdog;
};

/* Should all else hang for good, it does not. */
static long kill_later(long pid)
{
	sleep(100);
	return kill((pid_t)pid, SIGKILL);
}

FIXTURE_SETUP(unrest)
{
	memory = island_hole(ROOM);
	self->target = child_start();
	ASSERT_EQ(0, child_call(&self->target, prepare, 0));
	self->watchdog = child_start();
	child_send(&self->watchdog, kill_later, self->target.pid);
}

FIXTURE_TEARDOWN(unrest)
{
	child_end(&self->target);
	child_end(&self->watchdog);
}

#define EXPECT_QUICK(expression)                               \
	do {                                                   \
		double q_begin = seconds(), q_took;            \
                                                               \
		expression;                                    \
		q_took = seconds() - q_begin;                  \
		EXPECT_GT(LONG, q_took)                        \
		TH_LOG("%s took %.1f s", #expression, q_took); \
	} while (0)

/* An interval notifier's readers waited until no event was under way in all of the target: for ever. */
TEST_F(unrest, of_overlapping_events_holds_up_no_window)
{
	uint64_t address = number(quiet()) & ~(BLOCK_SIZE - 1);
	int device = device_open(), fd;
	struct cordbmem_stats stats;
	struct cordbmem_populate populate = {
		.size = sizeof(populate),
		.offset = number(quiet()) - address,
		.length = SIZE,
	};
	uint8_t *data;

	ASSERT_EQ(0, child_call(&self->target, rage, 0));
	usleep(200000);
	EXPECT_QUICK(fd = window_fd(attach(device, self->target.pid, 0), address, BLOCK_SIZE, 0));
	ASSERT_LE(0, fd);
	data = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, (off_t)populate.offset);
	ASSERT_NE(MAP_FAILED, data);
	for (int i = 0; i < 5; i++) {
		EXPECT_QUICK(call_populate(fd, &populate));
		EXPECT_QUICK(EXPECT_TRUE(data[(size_t)i * PAGE] == BYTE_SHOWN ||
					 !data[(size_t)i * PAGE]));
		EXPECT_QUICK(call_sync(fd));
	}
	EXPECT_EQ(0, call_stats(fd, &stats));
	munmap(data, SIZE);
	EXPECT_QUICK(close(fd));
}

TEST_F(unrest, of_overlapping_events_holds_up_no_read)
{
	struct cordbmem_process *process;
	uint64_t at = 0;

	ASSERT_EQ(S_OK, cordbmem_process_open(self->target.pid, NULL, &process, NULL));
	ASSERT_EQ(0, child_call(&self->target, rage, 0));
	for (double end = seconds() + 4; seconds() < end; at += 8) {
		uint64_t word = 0;
		SIZE_T got;

		EXPECT_QUICK(cordbmem_ReadMemory(process, number(quiet()) + at % SIZE, 8,
						 (BYTE *)&word, &got));
		ASSERT_EQ(0x0101010101010101 * BYTE_SHOWN, word);
	}
	EXPECT_QUICK(cordbmem_process_free(process));
}

TEST_F(unrest, of_the_targets_lock_does_not_keep_a_pin_from_being_made)
{
	struct cordbmem_process *process;
	double end;

	ASSERT_EQ(S_OK, cordbmem_process_open(self->target.pid, NULL, &process, NULL));
	ASSERT_EQ(0, child_call(&self->target, fault, 0));
	end = seconds() + 6;
	for (int i = 0; i < 3 || (i < 40 && seconds() < end); i++) {
		SIZE_T pages = 0;

		cordbmem_process_set_windows(process, CORDBMEM_WINDOWS_OFF);
		cordbmem_process_set_windows(process, CORDBMEM_WINDOWS_AUTO);
		EXPECT_EQ(S_OK,
			  cordbmem_process_pin_window(process, number(quiet()), SIZE, &pages));
		/* But for pages to which something happens just then. */
		EXPECT_LE(PAGES - PAGES / 8, pages);
	}
	cordbmem_process_free(process);
}

#define MAPPINGS 3000

static long drop_quiet(long unused)
{
	(void)unused;
	return madvise(quiet(), SIZE, MADV_DONTNEED);
}

/* One call for each stale page and each mapping took minutes, in which nothing could be killed. */
TEST_F(unrest, of_mappings_without_number_does_not_hold_up_SYNC)
{
	struct window w =
		window_open(attach(device_open(), self->target.pid, 0), number(quiet()), SIZE, 0);

	for (size_t page = 0; page < PAGES; page += 2)
		EXPECT_EQ(BYTE_SHOWN, w.data[page * PAGE]);
	for (int i = 0; i < MAPPINGS; i++)
		ASSERT_NE(MAP_FAILED, mmap(NULL, SIZE, PROT_READ, MAP_SHARED, w.fd, 0));
	for (int i = 0; i < 3; i++) {
		EXPECT_LT(0, window_fill(&w));
		EXPECT_EQ(0, child_call(&self->target, drop_quiet, 0));
		EXPECT_QUICK(EXPECT_EQ(0, call_sync(w.fd)));
		EXPECT_EQ(0, window_stats(&w).pages);
	}
	EXPECT_QUICK(window_close(&w));
}

TEST_HARNESS_MAIN
