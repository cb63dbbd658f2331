// SPDX-License-Identifier: GPL-2.0
/*
 * A target fd that cannot be watched for want of memory: poll says so, reads go on. A kernel thread makes
 * the watch, so no failure of the caller's gets there.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "../kernel/call.h"
#include "../kernel/child.h"
#include "../kernel/memory.h"
#include "../kernel/support.h"
#include "faults.h"

#define SEED 12
#define FAILSLAB "/sys/kernel/debug/failslab/"
#define FOREVER 20000

/* Allocations of the threads that do the kernel's queued work fail from now on, or no longer. */
static void fail_workers(bool fail)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		die("/proc");
	while ((entry = readdir(proc))) {
		char path[300], name[64];

		snprintf(path, sizeof(path), "/proc/%s/comm", entry->d_name);
		if (!file_text(path, name, sizeof(name)) || strncmp(name, "kworker/", 8) != 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%s/make-it-fail", entry->d_name);
		file_write(path, fail ? "1" : "0");
	}
	closedir(proc);
	if (file_write(FAILSLAB "task-filter", "Y") || file_write(FAILSLAB "times", "-1") ||
	    file_write(FAILSLAB "probability", fail ? "100" : "0"))
		die("failslab");
}

FIXTURE(watch)
{
	bool possible;
	int device;
	uint8_t *page;
	struct child target;
};

FIXTURE_SETUP(watch)
{
	self->possible = faults_possible();
	self->device = device_open();
	self->page = island_pages(1);
	pattern_fill(self->page, PAGE, SEED, number(self->page));
	self->target = child_start();
}

FIXTURE_TEARDOWN(watch)
{
	if (self->possible)
		fail_workers(false);
	child_end(&self->target);
	close(self->device);
}

static short poll_for(int fd, short events, int timeout)
{
	struct pollfd p = { .fd = fd, .events = events };

	if (poll(&p, 1, timeout) < 0)
		die("poll");
	return p.revents;
}

TEST_F(watch, poll_says_when_there_is_no_memory_for_it)
{
	uint8_t bytes[64];
	short said = 0;
	int fd = -1, good;

	if (!self->possible)
		SKIP(return, "this kernel has no fault injection");
	/* A worker that was made meanwhile knows nothing of failing. */
	for (int tries = 0; said != POLLERR && tries < 20; tries++) {
		child_end(&self->target);
		self->target = child_start();
		close(fd);
		fd = attach(self->device, self->target.pid, 0);
		ASSERT_LE(0, fd);
		fail_workers(true);
		said = poll_for(fd, 0, 500);
		fail_workers(false);
	}
	ASSERT_EQ(POLLERR, said);

	/* It stays so for this fd, and is no more than that. */
	EXPECT_EQ(POLLERR, poll_for(fd, POLLIN, 0));
	EXPECT_EQ(64, pread_at(fd, bytes, 64, number(self->page)));
	EXPECT_EQ(64, pattern_check(bytes, 64, SEED, number(self->page)));
	good = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, good);
	EXPECT_EQ(POLLIN, poll_for(good, POLLIN, 0));
	EXPECT_EQ(0, poll_for(good, 0, 200));
	child_end(&self->target);
	EXPECT_EQ(POLLHUP, poll_for(good, 0, FOREVER));
	EXPECT_EQ(POLLHUP, poll_for(fd, 0, FOREVER));
	close(good);
	close(fd);
}

TEST_HARNESS_MAIN
