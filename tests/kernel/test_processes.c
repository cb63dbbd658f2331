// SPDX-License-Identifier: GPL-2.0
/*
 * Kinds of processes: threads, zombies, kernel threads, oneself, and ends in the middle.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#define SEED 3

static uint8_t buffer[64 * PAGE];

FIXTURE(process)
{
	int device;
	uint8_t *memory;
	struct child target;
};

FIXTURE_SETUP(process)
{
	self->device = device_open();
	self->memory = island_pages(1);
	pattern_fill(self->memory, PAGE, SEED, number(self->memory));
	self->target = child_start();
}

FIXTURE_TEARDOWN(process)
{
	child_end(&self->target);
}

#define EXPECT_READABLE(pid_)                                                                     \
	do {                                                                                      \
		memset(buffer, 0, PAGE);                                                          \
		EXPECT_EQ(0, read_all(self->device, (pid_), number(self->memory), buffer, PAGE)); \
		EXPECT_EQ(PAGE, pattern_check(buffer, PAGE, SEED, number(self->memory)));         \
	} while (0)

/* All three ways to name a process by pid. */
#define EXPECT_REFUSED(error_, pid_)                                                        \
	do {                                                                                \
		struct cordbmem_element r_element =                                         \
			element_of((pid_), 0, number(self->memory), buffer, 8);             \
		struct cordbmem_readv r_readv = readv_argument(&r_element, 1);              \
                                                                                            \
		memset(buffer, POISON, 8);                                                  \
		EXPECT_EQ((error_),                                                         \
			  read_all(self->device, (pid_), number(self->memory), buffer, 8)); \
		EXPECT_EQ(0, call_readv(self->device, &r_readv));                           \
		EXPECT_EQ(1, r_readv.done);                                                 \
		EXPECT_EQ((error_), r_element.error);                                       \
		EXPECT_EQ(0, r_element.bytes_read);                                         \
		EXPECT_EQ(-(error_), attach(self->device, (pid_), 0));                      \
		EXPECT_EQ(POISON, buffer[0]);                                               \
	} while (0)

static int thread_tid;
static int thread_may_end;

static void *tell_tid(void *unused)
{
	__atomic_store_n(&thread_tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&thread_may_end, __ATOMIC_SEQ_CST))
		sched_yield();
	return unused;
}

static long let_thread_end(long unused)
{
	__atomic_store_n(&thread_may_end, 1, __ATOMIC_SEQ_CST);
	return unused;
}

static long start_thread(long unused)
{
	pthread_t thread;

	(void)unused;
	if (pthread_create(&thread, NULL, tell_tid, NULL))
		return -1;
	while (!__atomic_load_n(&thread_tid, __ATOMIC_SEQ_CST))
		sched_yield();
	return thread_tid;
}

/* Ends this thread only, and never answers. */
static long end_thread(long unused)
{
	syscall(SYS_exit, 0);
	return unused;
}

TEST_F(process, a_thread_names_its_process)
{
	pid_t tid = (pid_t)child_call(&self->target, start_thread, 0);
	int fd;

	ASSERT_LT(0, tid);
	ASSERT_NE(self->target.pid, tid);
	EXPECT_READABLE(tid);
	fd = attach(self->device, tid, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(PAGE, pread_at(fd, buffer, PAGE, number(self->memory)));
}

TEST_F(process, a_zombie_is_ESRCH)
{
	child_kill(&self->target);
	wait_for_state(self->target.pid, 'Z');
	EXPECT_REFUSED(ESRCH, self->target.pid);
	child_reap(&self->target);
}

TEST_F(process, a_reaped_process_is_ESRCH)
{
	pid_t pid = self->target.pid;

	child_end(&self->target);
	EXPECT_REFUSED(ESRCH, pid);
}

TEST_F(process, a_process_that_exits_after_a_read_is_ESRCH)
{
	pid_t pid = self->target.pid;

	EXPECT_READABLE(pid);
	EXPECT_READABLE(pid);
	child_kill(&self->target);
	wait_for_state(pid, 'Z');
	EXPECT_REFUSED(ESRCH, pid);
	child_reap(&self->target);
	EXPECT_REFUSED(ESRCH, pid);
}

TEST_F(process, a_kernel_thread_is_ESRCH)
{
	ASSERT_EQ('k', ({
			  char c[32] = "";
			  file_text("/proc/2/comm", c, sizeof(c));
			  c[0];
		  }));
	EXPECT_REFUSED(ESRCH, 2);
	EXPECT_REFUSED(ESRCH, 2);
}

TEST_F(process, a_group_number_without_a_process_is_ESRCH)
{
	/* The number of the dead leader of a process group that lives on. */
	struct child leader = child_start();
	struct child member;
	pid_t pid = leader.pid;

	ASSERT_EQ(0, setpgid(leader.pid, leader.pid));
	member = child_start();
	ASSERT_EQ(0, setpgid(member.pid, leader.pid));
	child_end(&leader);
	ASSERT_EQ(0, kill(-pid, 0));
	EXPECT_REFUSED(ESRCH, pid);
	child_end(&member);
}

TEST_F(process, a_leader_that_exited_before_its_threads_is_readable)
{
	pid_t tid = (pid_t)child_call(&self->target, start_thread, 0);
	int fd;

	ASSERT_LT(0, tid);
	child_send(&self->target, end_thread, 0);
	wait_for_state(self->target.pid, 'Z');
	EXPECT_READABLE(self->target.pid);
	EXPECT_READABLE(self->target.pid);
	EXPECT_READABLE(tid);
	EXPECT_READABLE(self->target.pid);
	fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(PAGE, pread_at(fd, buffer, PAGE, number(self->memory)));
}

TEST_F(process, the_end_of_the_named_thread_ends_reads_by_its_tid)
{
	pid_t tid = (pid_t)child_call(&self->target, start_thread, 0);

	ASSERT_LT(0, tid);
	EXPECT_READABLE(tid);
	child_call(&self->target, let_thread_end, 0);
	while (kill(tid, 0) == 0)
		sched_yield();
	EXPECT_REFUSED(ESRCH, tid);
	EXPECT_READABLE(self->target.pid);
}

TEST_F(process, oneself)
{
	EXPECT_READABLE(getpid());
	EXPECT_READABLE((pid_t)syscall(SYS_gettid));
}

/* The caller's own page faults must not meet a lock that the read holds. */
TEST_F(process, oneself_into_memory_that_was_never_touched)
{
	uint8_t *from = island_pages(300), *to = island_pages(300);

	EXPECT_EQ(0, read_all(self->device, getpid(), number(from), to, 300 * PAGE));
	EXPECT_EQ(0, read_all(self->device, getpid(), number(to), from, 300 * PAGE));
	EXPECT_EQ(0, from[12345] | to[12345]);
}

TEST_F(process, oneself_with_a_buffer_that_overlaps_the_source)
{
	static const size_t shifts[] = { 0, 1, 8, 100, PAGE, 3 * PAGE + 1 };
	size_t size = 20 * PAGE;
	uint8_t *memory = island_pages(40);

	for (size_t i = 0; i < ARRAY_SIZE(shifts); i++) {
		memset(memory, 0, 40 * PAGE);
		pattern_fill(memory, size, SEED, number(memory));
		EXPECT_EQ(0, read_all(self->device, getpid(), number(memory), memory + shifts[i],
				      size));
		EXPECT_EQ(0, memory[size + shifts[i]]);
		if (shifts[i] == 0) {
			EXPECT_EQ(size, pattern_check(memory, size, SEED, number(memory)));
		}

		memset(memory, 0, 40 * PAGE);
		pattern_fill(memory + shifts[i], size, SEED, number(memory + shifts[i]));
		EXPECT_EQ(0, read_all(self->device, getpid(), number(memory + shifts[i]), memory,
				      size));
		/*
		 * Down never overwrites what is still to be read; but within a page that is up to the kernel, whose
		 * copy may take some of it twice.
		 */
		if (shifts[i] >= PAGE) {
			EXPECT_EQ(size,
				  pattern_check(memory, size, SEED, number(memory + shifts[i])));
		}
	}
}

static long exec_sleep(long unused)
{
	char *const argv[] = { "sleep", "1000", NULL };

	(void)unused;
	execv("/bin/sleep", argv);
	return errno;
}

TEST_F(process, execve_gives_reads_by_pid_the_new_image)
{
	uint64_t start, end;

	EXPECT_READABLE(self->target.pid);
	EXPECT_READABLE(self->target.pid);
	child_send(&self->target, exec_sleep, 0);
	while (mapping_of(self->target.pid, number(self->memory), &start, &end) ||
	       !mapping_named(self->target.pid, "/sleep", &start, &end))
		sched_yield();
	/* The old island is gone, the program is there. */
	EXPECT_EQ(EIO, read_all(self->device, self->target.pid, number(self->memory), buffer, 8));
	ASSERT_EQ(0, read_all(self->device, self->target.pid, start, buffer, 4));
	EXPECT_EQ(0, memcmp(buffer, "\177ELF", 4));
}

/* A child of vfork has its parent's memory until it calls execve. */
static volatile pid_t vfork_pid;

static int tell_and_wait(void *unused)
{
	(void)unused;
	vfork_pid = getpid();
	for (;;)
		pause();
	return 0;
}

static long start_vfork(long unused)
{
	run_in_my_memory(tell_and_wait);
	return unused;
}

TEST_F(process, a_child_of_vfork_reads_as_its_parent)
{
	pid_t pid;

	child_send(&self->target, start_vfork, 0);
	do {
		ASSERT_EQ(0, read_all(self->device, self->target.pid, number(&vfork_pid), &pid,
				      sizeof(pid)));
	} while (!pid);
	EXPECT_READABLE(pid);
	EXPECT_READABLE(self->target.pid);
	kill(pid, SIGKILL);
	EXPECT_READABLE(self->target.pid);
}

/* ---- an end in the middle ---- */

static int killer_pid;

static void *kill_soon(void *spin)
{
	for (volatile long i = 0; i < (long)(intptr_t)spin; i++)
		;
	kill(killer_pid, SIGKILL);
	return NULL;
}

TEST_F(process, exit_during_a_read_gives_true_bytes_or_ESRCH)
{
	size_t size = 4096 * PAGE;
	uint8_t *source = island_pages(4096), *to;

	pattern_fill(source, size, SEED, number(source));
	to = island_pages(4096);
	for (int round = 0; round < 12; round++) {
		struct child target = child_start();
		struct cordbmem_read read = read_argument(target.pid, number(source), to, size);
		pthread_t thread;
		int error;

		killer_pid = target.pid;
		ASSERT_EQ(0, pthread_create(&thread, NULL, kill_soon,
					    (void *)(intptr_t)(round * 400000)));
		error = call_read(self->device, &read);
		pthread_join(thread, NULL);
		if (error) {
			EXPECT_EQ(ESRCH, error);
		} else if (read.bytes_read < size) {
			EXPECT_TRUE(read.error == ESRCH || read.error == EIO)
			TH_LOG("%lu bytes, error %d", read.bytes_read, read.error);
		} else {
			EXPECT_EQ(0, read.error);
		}
		if (!error) {
			EXPECT_EQ(read.bytes_read,
				  pattern_check(to, read.bytes_read, SEED, number(source)));
		}
		child_reap(&target);
	}
}

TEST_HARNESS_MAIN
