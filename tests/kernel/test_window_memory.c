// SPDX-License-Identifier: GPL-2.0
/*
 * Windows do not keep memory: not that of a target that is gone, not from the kernel when it is short
 * of it, and their own is paid for.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "cgroup.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef SYS_process_mrelease
#define SYS_process_mrelease 448
#endif

#define LEASE "/sys/module/cordbmem/parameters/window_lease"
#define HUGE_PAGE ((size_t)2 << 20)

FIXTURE(memory)
{
	int device;
	int fd;
	struct child target;
};

FIXTURE_SETUP(memory)
{
	self->device = device_open();
	self->target = child_start();
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(memory)
{
	child_end(&self->target);
	file_write_number(LEASE, 10);
}

static size_t valid_pages(const struct window *w)
{
	size_t valid = 0;

	for (size_t page = 0; page < w->size / PAGE; page++)
		valid += window_valid(w, page);
	return valid;
}

static long exec_sleep(long unused)
{
	char *const argv[] = { "sleep", "1000", NULL };

	(void)unused;
	execv("/bin/sleep", argv);
	return errno;
}

/*
 * Free blocks of a file system of our own tell whether a nameless file is gone, which its mapping in the
 * target would keep; the window's own count tells whether it let go of the pages, a timer later. (Writing
 * pages that were a program's before can take an emulator milliseconds for each.)
 */
TEST_F_TIMEOUT(memory, of_a_target_that_is_gone_is_free, 120)
{
	const char *folder = own_tmpfs("size=40m,mode=755");
	const size_t size = 6 << 20;

	if (!folder)
		SKIP(return, "no tmpfs: %s", strerror(errno));
	for (int by_exec = 0; by_exec < 2; by_exec++) {
		int file = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600), fd;
		struct statfs before, after;
		struct child target;
		uint8_t *memory;
		struct window w;
		double end;

		ASSERT_EQ(0, statfs(folder, &before));
		ASSERT_EQ(0, ftruncate(file, (off_t)size));
		memory = island(size, PROT_READ | PROT_WRITE, MAP_SHARED, file);
		memset(memory, 1, size);
		target = child_start();
		munmap(memory, size);
		close(file);
		fd = attach(self->device, target.pid, 0);
		w = window_open(fd, number(memory), size, 0);
		EXPECT_EQ(size / PAGE, window_fill(&w));
		for (size_t at = 0; at < size; at += PAGE)
			ASSERT_EQ(1, w.data[at]);
		if (by_exec)
			child_send(&target, exec_sleep, 0);
		else
			child_end(&target);
		end = seconds() + 10;
		do {
			ASSERT_EQ(0, statfs(folder, &after));
		} while ((after.f_bfree != before.f_bfree || window_stats(&w).pages) &&
			 seconds() < end && !usleep(10000));
		EXPECT_EQ(before.f_bfree, after.f_bfree);
		EXPECT_EQ(0, window_stats(&w).pages);
		child_end(&target);
		close(fd);
	}
	own_tmpfs_gone();
}

static long allocate(long bytes)
{
	uint8_t *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (long at = 0; at < bytes; at += (long)PAGE)
		memory[at] = 1;
	return (long)number(memory);
}

/* The OOM reaper's way, while the target itself does nothing for its end: callbacks may not wait. */
TEST_F(memory, is_free_for_the_reaper)
{
	const long much = 8 << 20;
	long address = child_call(&self->target, allocate, much);
	struct window w = window_open(self->fd, (uint64_t)address, (size_t)much, 0);
	int pidfd = (int)syscall(SYS_pidfd_open, self->target.pid, 0), status;

	ASSERT_LE(0, pidfd);
	EXPECT_EQ(much / (long)PAGE, window_fill(&w));
	for (long at = 0; at < much; at += (long)PAGE)
		ASSERT_EQ(1, w.data[at]);
	/* It stops where it would begin to exit. */
	ASSERT_EQ(0, ptrace(PTRACE_SEIZE, self->target.pid, NULL, PTRACE_O_TRACEEXIT));
	child_kill(&self->target);
	ASSERT_EQ(self->target.pid, waitpid(self->target.pid, &status, __WALL));
	ASSERT_TRUE(WIFSTOPPED(status));
	EXPECT_EQ(much / (long)PAGE, valid_pages(&w));

	EXPECT_EQ(0, syscall(SYS_process_mrelease, pidfd, 0))
	TH_LOG("%s", strerror(errno));
	EXPECT_EQ(0, valid_pages(&w));
	EXPECT_EQ(0, call_sync(w.fd));
	EXPECT_EQ(0, window_stats(&w).pages);
	EXPECT_EQ(0, w.data[0]);
	ptrace(PTRACE_DETACH, self->target.pid, NULL, NULL);
}

static uint8_t *small_pages;

static long make_small_pages(long unused)
{
	(void)unused;
	if (!pages_at(small_pages, HUGE_PAGE) || madvise(small_pages, HUGE_PAGE, MADV_NOHUGEPAGE))
		return errno;
	memset(small_pages, 1, HUGE_PAGE);
	return madvise(small_pages, HUGE_PAGE, MADV_HUGEPAGE) ? errno : 0;
}

static long collapse(long unused)
{
	(void)unused;
	return madvise(small_pages, HUGE_PAGE, MADV_COLLAPSE) ? errno : 0;
}

/* Some look at a page's references first, and never tell that they want it. */
TEST_F_TIMEOUT(memory, is_free_in_time_for_whoever_looks_at_references_first, 60)
{
	long error = EAGAIN;
	struct window w;

	small_pages = island_hole(HUGE_PAGE);
	child_end(&self->target);
	self->target = child_start();
	if (child_call(&self->target, make_small_pages, 0))
		SKIP(return, "no transparent huge pages");
	self->fd = attach(self->device, self->target.pid, 0);
	file_write_number(LEASE, 4);
	w = window_open(self->fd, number(small_pages), HUGE_PAGE, 0);
	EXPECT_EQ(HUGE_PAGE / PAGE, window_fill(&w));
	EXPECT_EQ(EAGAIN, child_call(&self->target, collapse, 0));
	for (double end = seconds() + 15; error && seconds() < end; usleep(10000))
		error = child_call(&self->target, collapse, 0);
	EXPECT_EQ(0, error);
	EXPECT_EQ(0, valid_pages(&w));
	EXPECT_EQ(HUGE_PAGE / PAGE, window_fill(&w));
	EXPECT_EQ(1, w.data[HUGE_PAGE - 1]);
}

TEST_F(memory, is_free_for_the_OOM_killer)
{
	const long much = 24 << 20;
	long address, charged, result;
	struct window w;
	double end;

	errno = cgroup_new();
	if (errno)
		SKIP(return, "no memory cgroup: %s", strerror(errno));
	cgroup_set("memory.max", "33554432");
	cgroup_enter(self->target.pid);
	address = child_call(&self->target, allocate, much);
	w = window_open(self->fd, (uint64_t)address, (size_t)much, 0);
	EXPECT_EQ(much / (long)PAGE, window_fill(&w));
	for (long at = 0; at < much; at += (long)PAGE)
		ASSERT_EQ(1, w.data[at]);
	charged = cgroup_number("memory.current");
	EXPECT_LT(much, charged);

	child_send(&self->target, allocate, much);
	EXPECT_FALSE(child_result(&self->target, &result));
	child_reap(&self->target);
	EXPECT_LT(0, cgroup_count("memory.events", "oom_kill"));
	for (end = seconds() + 5; cgroup_number("memory.current") > much / 8 && seconds() < end;)
		usleep(1000);
	EXPECT_GT(much / 8, cgroup_number("memory.current"));
	EXPECT_EQ(0, valid_pages(&w));
	EXPECT_EQ(0, call_sync(w.fd));
	EXPECT_EQ(0, window_stats(&w).pages);
	cgroup_gone();
}

#define WIDE ((size_t)1 << 36)

/* Each touch makes the module allocate for this process. */
static long touch_widely(long address)
{
	int device = device_open();
	int fd = attach(device, getppid(), 0);
	struct window w = window_open(fd, (uint64_t)address, WIDE, 0);
	long sum = 0;

	for (size_t at = 0; at < WIDE; at += 4 << 20)
		sum += w.data[at];
	return sum;
}

TEST_F(memory, of_a_greedy_tracer_is_limited)
{
	struct child tracer;
	long result;

	errno = cgroup_new();
	if (errno)
		SKIP(return, "no memory cgroup: %s", strerror(errno));
	cgroup_set("memory.max", "8388608");
	tracer = child_start();
	cgroup_enter(tracer.pid);
	child_send(&tracer, touch_widely, (long)number(island_hole(WIDE)));
	EXPECT_FALSE(child_result(&tracer, &result));
	child_reap(&tracer);
	EXPECT_LT(0, cgroup_count("memory.events", "oom_kill"));
	for (double end = seconds() + 5;
	     cgroup_number("memory.current") > 2 << 20 && seconds() < end;)
		usleep(1000);
	EXPECT_GT(2 << 20, cgroup_number("memory.current"));
	cgroup_gone();
}

TEST_HARNESS_MAIN
