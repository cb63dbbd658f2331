// SPDX-License-Identifier: GPL-2.0
/*
 * ATTACH: which sources give a target fd and which do not, and what else can go wrong.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "identity.h"
#include "memory.h"
#include "support.h"

#define SEED 7
#define MEM_FD CORDBMEM_ATTACH_MEM_FD

FIXTURE(attach)
{
	int device;
	uint8_t *page;
	struct child target;
};

FIXTURE_SETUP(attach)
{
	self->device = device_open();
	self->page = island_pages(1);
	pattern_fill(self->page, PAGE, SEED, number(self->page));
	self->target = child_start();
}

FIXTURE_TEARDOWN(attach)
{
	child_end(&self->target);
}

#define EXPECT_READS(fd_)                                                                \
	do {                                                                             \
		uint8_t r_bytes[64] = { 0 };                                             \
                                                                                         \
		EXPECT_EQ(64, pread_at((fd_), r_bytes, 64, number(self->page) + 9));     \
		EXPECT_EQ(64, pattern_check(r_bytes, 64, SEED, number(self->page) + 9)); \
	} while (0)

TEST_F(attach, by_pid)
{
	int fd = attach(self->device, self->target.pid, 0);

	ASSERT_LE(0, fd);
	EXPECT_READS(fd);
	EXPECT_EQ(0, close(fd));
}

TEST_F(attach, sets_close_on_exec)
{
	int fd = attach(self->device, self->target.pid, 0);

	ASSERT_LE(0, fd);
	EXPECT_EQ(FD_CLOEXEC, fcntl(fd, F_GETFD));
}

TEST_F(attach, outlives_the_device_fd)
{
	int fd = attach(self->device, self->target.pid, 0);

	ASSERT_LE(0, fd);
	close(self->device);
	EXPECT_READS(fd);
}

TEST_F(attach, twice_gives_two_files)
{
	int a = attach(self->device, self->target.pid, 0);
	int b = attach(self->device, self->target.pid, 0);

	ASSERT_LE(0, a);
	ASSERT_LE(0, b);
	EXPECT_NE(a, b);
	EXPECT_EQ(100, lseek(a, 100, SEEK_SET));
	EXPECT_EQ(0, lseek(b, 0, SEEK_CUR));
	close(a);
	EXPECT_READS(b);
}

TEST_F(attach, to_oneself)
{
	int fd = attach(self->device, getpid(), 0);

	ASSERT_LE(0, fd);
	EXPECT_READS(fd);
}

TEST_F(attach, by_mem_fd)
{
	int mem = mem_open(self->target.pid, O_RDONLY), fd;

	ASSERT_LE(0, mem);
	fd = attach(self->device, mem, MEM_FD);
	ASSERT_LE(0, fd);
	EXPECT_NE(mem, fd);
	EXPECT_READS(fd);
	/* The one has nothing to do with the other any more. */
	close(mem);
	EXPECT_READS(fd);
	mem = mem_open(self->target.pid, O_RDWR);
	ASSERT_LE(0, mem);
	EXPECT_LE(0, attach(self->device, mem, MEM_FD));
}

TEST_F(attach, by_mem_fd_of_a_thread_and_of_oneself)
{
	char path[64];
	int mem, fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/mem", self->target.pid, self->target.pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, mem);
	fd = attach(self->device, mem, MEM_FD);
	ASSERT_LE(0, fd);
	EXPECT_READS(fd);
	mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, mem);
	fd = attach(self->device, mem, MEM_FD);
	ASSERT_LE(0, fd);
	EXPECT_READS(fd);
	mem = open("/proc/thread-self/mem", O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, mem);
	EXPECT_LE(0, attach(self->device, mem, MEM_FD));
}

TEST_F(attach, by_mem_fd_of_another_procfs)
{
	const char *folder;
	char path[128];
	int mem, fd;

	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
		SKIP(return, "no mount namespace: %s", strerror(errno));
	folder = own_tmpfs("mode=755");
	if (!folder || mount("proc", folder, "proc", 0, NULL))
		SKIP(return, "no second procfs: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/%d/mem", folder, self->target.pid);
	mem = open(path, O_RDONLY | O_CLOEXEC);
	ASSERT_LE(0, mem);
	fd = attach(self->device, mem, MEM_FD);
	ASSERT_LE(0, fd);
	EXPECT_READS(fd);
	own_tmpfs_gone();
	EXPECT_READS(fd);
}

static int opened_device;

static long be_nobody(long unused)
{
	become(1001, 0);
	return unused;
}

static long take_mem_and_attach(long unused)
{
	int mem = receive_fd(child_socket);

	(void)unused;
	return attach(opened_device, mem, MEM_FD);
}

/* Who opened it was checked; who holds it need not be. */
TEST_F(attach, by_mem_fd_that_somebody_else_opened)
{
	struct child stranger;
	int mem = mem_open(self->target.pid, O_RDONLY);

	ASSERT_LE(0, mem);
	opened_device = self->device;
	stranger = child_start();
	child_call(&stranger, be_nobody, 0);
	child_send(&stranger, take_mem_and_attach, 0);
	child_give_fd(&stranger, mem);
	{
		long fd = -1;

		ASSERT_TRUE(child_result(&stranger, &fd));
		EXPECT_LE(0, fd);
	}
	child_end(&stranger);
}

TEST_F(attach, by_fds_that_are_no_mem_fds_is_EINVAL)
{
	static const char *const names[] = {
		"maps", "environ", "auxv", "pagemap", "smaps", "stat", "clear_refs", "attr/current",
	};
	char path[64];
	int pipe_fds[2], fds[8], n = 0, before;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		int fd;

		snprintf(path, sizeof(path), "/proc/%d/%s", self->target.pid, names[i]);
		fd = open(path, (strcmp(names[i], "clear_refs") ? O_RDONLY : O_WRONLY) | O_CLOEXEC);
		if (fd < 0)
			continue;
		EXPECT_EQ(-EINVAL, attach(self->device, fd, MEM_FD))
		TH_LOG("%s", path);
		close(fd);
	}
	ASSERT_EQ(0, pipe(pipe_fds));
	fds[n++] = pipe_fds[0];
	fds[n++] = self->device;
	fds[n++] = memory_file(PAGE, 0);
	fds[n++] = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fds[n++] = open("/dev/zero", O_RDWR | O_CLOEXEC);
	fds[n++] = eventfd(0, EFD_CLOEXEC);
	fds[n++] = (int)syscall(SYS_pidfd_open, self->target.pid, 0);
	fds[n++] = attach(self->device, self->target.pid, 0);
	before = open_fds();
	for (int i = 0; i < n; i++) {
		ASSERT_LE(0, fds[i]);
		EXPECT_EQ(-EINVAL, attach(self->device, fds[i], MEM_FD))
		TH_LOG("fd %d", i);
	}
	EXPECT_EQ(before, open_fds());
}

TEST_F(attach, by_fds_that_are_not_open_for_reading_is_EBADF)
{
	int fd = mem_open(self->target.pid, O_WRONLY);

	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, attach(self->device, fd, MEM_FD));
	close(fd);
	fd = mem_open(self->target.pid, O_PATH);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EBADF, attach(self->device, fd, MEM_FD));
	close(fd);
	EXPECT_EQ(-EBADF, attach(self->device, fd, MEM_FD));
	EXPECT_EQ(-EBADF, attach(self->device, -1, MEM_FD));
	EXPECT_EQ(-EBADF, attach(self->device, INT32_MIN, MEM_FD));
	EXPECT_EQ(-EBADF, attach(self->device, INT32_MAX, MEM_FD));
}

TEST_F(attach, by_mem_fd_without_memory_is_ESRCH)
{
	int mem = mem_open(2, O_RDONLY);

	if (mem < 0) {
		/* This kernel opens no mem file of a kernel thread. */
		EXPECT_EQ(-ESRCH, mem);
	} else {
		EXPECT_EQ(-ESRCH, attach(self->device, mem, MEM_FD));
	}
	mem = mem_open(self->target.pid, O_RDONLY);
	ASSERT_LE(0, mem);
	child_kill(&self->target);
	wait_for_state(self->target.pid, 'Z');
	EXPECT_EQ(-ESRCH, attach(self->device, mem, MEM_FD));
	child_reap(&self->target);
	EXPECT_EQ(-ESRCH, attach(self->device, mem, MEM_FD));
}

static long exec_sleep(long unused)
{
	char *const argv[] = { "sleep", "1000", NULL };

	(void)unused;
	execv("/bin/sleep", argv);
	return errno;
}

TEST_F(attach, by_mem_fd_from_before_an_execve_is_ESRCH)
{
	int mem = mem_open(self->target.pid, O_RDONLY);
	uint64_t start, end;

	ASSERT_LE(0, mem);
	child_send(&self->target, exec_sleep, 0);
	while (!mapping_named(self->target.pid, "/sleep", &start, &end))
		sched_yield();
	EXPECT_EQ(-ESRCH, attach(self->device, mem, MEM_FD));
}

TEST_F(attach, to_a_number_that_went_to_another_process_is_ESRCH)
{
	pid_t pid = self->target.pid;
	int mem = mem_open(pid, O_RDONLY);

	ASSERT_LE(0, mem);
	child_end(&self->target);
	self->target = child_start_as(pid);
	if (self->target.pid < 0)
		SKIP(return, "no process by a wanted number: %s", strerror(errno));
	EXPECT_EQ(-ESRCH, attach(self->device, mem, MEM_FD));
	EXPECT_LE(0, attach(self->device, pid, 0));
}

TEST_F(attach, to_nobody_is_ESRCH)
{
	static const int32_t pids[] = { 0, -1, INT32_MIN, INT32_MAX, NO_PID, 2 };

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		EXPECT_EQ(-ESRCH, attach(self->device, pids[i], 0))
		TH_LOG("pid %d", pids[i]);
	}
}

TEST_F(attach, refuses_unknown_flags)
{
	const uint32_t known = CORDBMEM_READ_FORCE | CORDBMEM_READ_NOFAULT | MEM_FD;

	for (int bit = 0; bit < 32; bit++) {
		struct cordbmem_attach argument = attach_argument(self->target.pid, 1U << bit);

		if (known >> bit & 1)
			continue;
		EXPECT_EQ(EINVAL, call_attach(self->device, &argument))
		TH_LOG("flag %#x", 1U << bit);
		EXPECT_EQ((int32_t)POISON32, argument.target_fd);
	}
}

TEST_F(attach, without_a_free_fd_is_EMFILE_and_leaves_nothing)
{
	struct rlimit limit, none;
	int fd, before = open_fds();

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &limit));
	none = limit;
	none.rlim_cur = 0;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &none));
	EXPECT_EQ(-EMFILE, attach(self->device, self->target.pid, 0));
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	EXPECT_EQ(before, open_fds());
	fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, fd);
	EXPECT_READS(fd);
}

TEST_F(attach, takes_the_lowest_free_fd_and_gives_it_back)
{
	int first = attach(self->device, self->target.pid, 0);

	ASSERT_LE(0, first);
	for (int i = 0; i < 200; i++) {
		close(first);
		ASSERT_EQ(first, attach(self->device, self->target.pid, 0));
	}
}

TEST_HARNESS_MAIN
