// SPDX-License-Identifier: GPL-2.0
/*
 * The end of a target: what poll says, what reads say, and that nothing keeps a dead one's memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#define SEED 9
#define FOREVER 10000

FIXTURE(life)
{
	int device;
	int fd;
	uint8_t *page;
	struct child target;
	uint8_t bytes[64];
};

FIXTURE_SETUP(life)
{
	self->device = device_open();
	self->page = island_pages(1);
	pattern_fill(self->page, PAGE, SEED, number(self->page));
	self->target = child_start();
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(life)
{
	child_end(&self->target);
	close(self->fd);
}

/* What poll says, if it says it before the time is up: it looks once more then. */
static short poll_for(int fd, short events, int timeout)
{
	struct pollfd p = { .fd = fd, .events = events };
	double start = seconds();

	if (poll(&p, 1, timeout) < 0)
		die("poll");
	return timeout && seconds() - start > timeout / 1000.0 * 0.9 ? 0 : p.revents;
}

#define EXPECT_LIVES(fd_)                                                                \
	do {                                                                             \
		EXPECT_EQ(64, pread_at((fd_), self->bytes, 64, number(self->page)));     \
		EXPECT_EQ(64, pattern_check(self->bytes, 64, SEED, number(self->page))); \
		EXPECT_EQ(POLLIN | POLLRDNORM,                                           \
			  poll_for((fd_), POLLIN | POLLRDNORM | POLLPRI | POLLOUT, 0));  \
		EXPECT_EQ(0, poll_for((fd_), 0, 0));                                     \
	} while (0)

#define EXPECT_GONE(fd_)                                                                 \
	do {                                                                             \
		EXPECT_EQ(-ESRCH, pread_at((fd_), self->bytes, 64, number(self->page))); \
		EXPECT_EQ(-ESRCH, pread_at((fd_), self->bytes, 1, 0));                   \
		EXPECT_EQ(POLLHUP, poll_for((fd_), POLLIN | POLLRDNORM | POLLOUT, 0));   \
		EXPECT_EQ(POLLHUP, poll_for((fd_), 0, 0));                               \
	} while (0)

static long exec_sleep(long unused)
{
	char *const argv[] = { "sleep", "1000", NULL };

	(void)unused;
	execv("/bin/sleep", argv);
	return errno;
}

static long leave(long status)
{
	_exit((int)status);
}

TEST_F(life, poll_says_readable_while_the_image_lives)
{
	EXPECT_LIVES(self->fd);
	EXPECT_LIVES(self->fd);
}

TEST_F(life, a_kill_wakes_poll)
{
	child_kill(&self->target);
	EXPECT_EQ(POLLHUP, poll_for(self->fd, 0, FOREVER));
	EXPECT_GONE(self->fd);
	child_reap(&self->target);
	EXPECT_GONE(self->fd);
}

TEST_F(life, an_exit_wakes_poll)
{
	child_send(&self->target, leave, 3);
	EXPECT_EQ(POLLHUP, poll_for(self->fd, 0, FOREVER));
	EXPECT_GONE(self->fd);
}

TEST_F(life, an_execve_wakes_poll)
{
	child_send(&self->target, exec_sleep, 0);
	EXPECT_EQ(POLLHUP, poll_for(self->fd, 0, FOREVER));
	EXPECT_GONE(self->fd);
	/* The process lives, and a new fd reads its new image. */
	EXPECT_EQ(0, kill(self->target.pid, 0));
	EXPECT_LE(0, attach(self->device, self->target.pid, 0));
	EXPECT_GONE(self->fd);
}

TEST_F(life, poll_after_the_end_says_so_at_once)
{
	child_end(&self->target);
	EXPECT_GONE(self->fd);
}

TEST_F(life, poll_after_an_execve_says_so_at_once)
{
	uint64_t start, end;

	child_send(&self->target, exec_sleep, 0);
	while (!mapping_named(self->target.pid, "/sleep", &start, &end))
		sched_yield();
	EXPECT_GONE(self->fd);
}

TEST_F(life, epoll_wakes_level_and_edge)
{
	int level = epoll_create1(EPOLL_CLOEXEC), edge = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = 0 };

	ASSERT_EQ(0, epoll_ctl(level, EPOLL_CTL_ADD, self->fd, &event));
	event.events = EPOLLET;
	ASSERT_EQ(0, epoll_ctl(edge, EPOLL_CTL_ADD, self->fd, &event));
	EXPECT_EQ(0, epoll_wait(level, &event, 1, 0));
	EXPECT_EQ(0, epoll_wait(edge, &event, 1, 0));
	child_kill(&self->target);
	EXPECT_EQ(1, epoll_wait(level, &event, 1, FOREVER));
	EXPECT_EQ(EPOLLHUP, event.events);
	EXPECT_EQ(1, epoll_wait(edge, &event, 1, FOREVER));
	EXPECT_EQ(EPOLLHUP, event.events);
	EXPECT_EQ(1, epoll_wait(level, &event, 1, 0));
}

static int polled_fd;

static void *poll_thread(void *unused)
{
	(void)unused;
	return pointer((uint64_t)poll_for(polled_fd, 0, FOREVER));
}

TEST_F(life, every_poller_of_every_fd_is_woken)
{
	pthread_t threads[6];
	int other = attach(self->device, self->target.pid, 0);

	ASSERT_LE(0, other);
	for (int i = 0; i < 6; i++) {
		polled_fd = i % 2 ? other : self->fd;
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, poll_thread, NULL));
		/* until it has picked up its fd and sleeps */
		usleep(20000);
	}
	child_kill(&self->target);
	for (int i = 0; i < 6; i++) {
		void *revents;

		pthread_join(threads[i], &revents);
		EXPECT_EQ(POLLHUP, number(revents));
	}
}

static volatile sig_atomic_t alarms;

static void on_alarm(int unused)
{
	(void)unused;
	alarms++;
}

/* A signal may end poll, it must not make it say that something is wrong with the target. */
TEST_F(life, poll_under_signals_never_says_error)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = {
		.it_value.tv_usec = 150,
		.it_interval.tv_usec = 150,
	};

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int round = 0; round < 400; round++) {
		struct pollfd p = { .events = POLLIN };
		struct child target;

		/* The first poll of a target is the one that sets something up. */
		if (round % 20 == 0) {
			child_end(&self->target);
			target = child_start();
			self->target = target;
		}
		p.fd = attach(self->device, self->target.pid, 0);
		if (p.fd == -EINTR)
			continue;
		ASSERT_LE(0, p.fd);
		if (poll(&p, 1, 0) == 1)
			ASSERT_EQ(POLLIN, p.revents);
		close(p.fd);
	}
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, NULL);
	EXPECT_LT(0, alarms);
}

static long map_many(long count)
{
	for (long i = 0; i < count; i++) {
		/* every other one, so that they do not merge */
		if (mmap(NULL, PAGE, i % 2 ? PROT_READ : PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0) == MAP_FAILED)
			return errno;
	}
	return 0;
}

/* An epoll that was set up while a signal came hears of the end like any other. */
TEST_F(life, epoll_under_signals_hears_of_the_end)
{
	struct sigaction action = { .sa_handler = on_alarm };
	const struct itimerval never = { 0 };

	sigaction(SIGALRM, &action, NULL);
	for (int round = 0; round < 4; round++) {
		/* One signal, at another time in each round: a stream of them may leave no time for the call. */
		const struct itimerval soon = { .it_value.tv_usec = 150 << round };
		int epoll = epoll_create1(EPOLL_CLOEXEC), fd;
		struct epoll_event event = { .events = 0 };

		/* what is registered at the first poll takes long enough to be interrupted */
		ASSERT_EQ(0, child_call(&self->target, map_many, 2000));
		fd = attach(self->device, self->target.pid, 0);
		ASSERT_LE(0, fd);
		setitimer(ITIMER_REAL, &soon, NULL);
		while (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) && errno == EINTR)
			;
		setitimer(ITIMER_REAL, &never, NULL);
		child_kill(&self->target);
		EXPECT_EQ(1, epoll_wait(epoll, &event, 1, FOREVER));
		EXPECT_EQ(EPOLLHUP, event.events);
		close(fd);
		close(epoll);
		child_reap(&self->target);
		self->target = child_start();
	}
}

/* ---- threads ---- */

static void *follow_each_other(void *unused)
{
	pthread_attr_t detached;
	pthread_t next;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	while (pthread_create(&next, &detached, follow_each_other, NULL))
		sched_yield();
	return unused;
}

/* Ends the first thread; from then on there is always another, and never one for long. */
static long live_from_thread_to_thread(long unused)
{
	follow_each_other(NULL);
	syscall(SYS_exit, 0);
	return unused;
}

TEST_F(life, goes_on_while_threads_follow_each_other)
{
	child_send(&self->target, live_from_thread_to_thread, 0);
	wait_for_state(self->target.pid, 'Z');
	for (int i = 0; i < 1000; i++) {
		struct cordbmem_read read =
			read_argument(self->target.pid, number(self->page), self->bytes, 64);
		int error = call_read(self->device, &read);

		/* in which a process that lives is not said to be gone */
		EXPECT_EQ(0, error);
		EXPECT_EQ(64, pread_at(self->fd, self->bytes, 64, number(self->page)));
	}
	EXPECT_EQ(0, poll_for(self->fd, 0, 0));
}

static int thread_ran;

static void *sleep_for_ever(void *unused)
{
	__atomic_store_n(&thread_ran, 1, __ATOMIC_SEQ_CST);
	for (;;)
		pause();
	return unused;
}

/* Leaves a second thread behind and ends the first. */
static long end_main_thread(long unused)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, sleep_for_ever, NULL))
		die("thread");
	while (!__atomic_load_n(&thread_ran, __ATOMIC_SEQ_CST))
		sched_yield();
	syscall(SYS_exit, 0);
	return unused;
}

TEST_F(life, goes_on_when_the_main_thread_ends_before_others)
{
	child_send(&self->target, end_main_thread, 0);
	wait_for_state(self->target.pid, 'Z');
	EXPECT_LIVES(self->fd);
	child_kill(&self->target);
	EXPECT_EQ(POLLHUP, poll_for(self->fd, 0, FOREVER));
	EXPECT_GONE(self->fd);
}

static int told_tid, thread_may_end;

static void *tell_tid(void *unused)
{
	__atomic_store_n(&told_tid, (int)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&thread_may_end, __ATOMIC_SEQ_CST))
		sched_yield();
	return unused;
}

static long start_thread(long unused)
{
	pthread_t thread;

	(void)unused;
	if (pthread_create(&thread, NULL, tell_tid, NULL))
		return -1;
	while (!__atomic_load_n(&told_tid, __ATOMIC_SEQ_CST))
		sched_yield();
	return told_tid;
}

static long let_thread_end(long unused)
{
	__atomic_store_n(&thread_may_end, 1, __ATOMIC_SEQ_CST);
	return unused;
}

TEST_F(life, goes_on_when_the_thread_it_was_made_by_ends)
{
	pid_t tid = (pid_t)child_call(&self->target, start_thread, 0);
	int fd = attach(self->device, tid, 0);

	ASSERT_LE(0, fd);
	EXPECT_LIVES(fd);
	child_call(&self->target, let_thread_end, 0);
	while (kill(tid, 0) == 0)
		sched_yield();
	EXPECT_LIVES(fd);
	child_kill(&self->target);
	EXPECT_EQ(POLLHUP, poll_for(fd, 0, FOREVER));
}

/* ---- an image that two processes have ---- */

static volatile pid_t vfork_pid;
static volatile int vfork_go;

static int wait_and_exec(void *unused)
{
	(void)unused;
	vfork_pid = getpid();
	while (!vfork_go)
		sched_yield();
	return (int)exec_sleep(0);
}

static long vfork_and_exec(long unused)
{
	run_in_my_memory(wait_and_exec);
	return unused;
}

/*
 * A child of vfork has its parent's image until it calls execve, which leaves the image alive in
 * the parent. For the fd on the child it is the end all the same: whoever asks hears of it. (There
 * is nothing that could wake a sleeper.)
 */
TEST_F(life, an_execve_after_vfork_ends_the_childs_fd_only)
{
	struct child target = child_start();
	uint64_t start, end;
	int fd, mem, one = 1;
	double begin;
	pid_t pid = 0;

	child_send(&target, vfork_and_exec, 0);
	while (!pid) {
		ASSERT_EQ(0, read_all(self->device, target.pid, number(&vfork_pid), &pid,
				      sizeof(pid)));
	}
	fd = attach(self->device, pid, 0);
	ASSERT_LE(0, fd);
	EXPECT_LIVES(fd);
	/* The parent waits in vfork, so the word that lets the child go comes from outside. */
	mem = mem_open(target.pid, O_RDWR);
	ASSERT_EQ(4, pwrite(mem, &one, 4, (off_t)number(&vfork_go)));
	begin = seconds();
	while (!mapping_named(pid, "/sleep", &start, &end) && seconds() < begin + 20)
		usleep(1000);
	EXPECT_TRUE(mapping_named(pid, "/sleep", &start, &end));
	EXPECT_GONE(fd);
	/* The parent was not asked about. */
	EXPECT_EQ(64, pread_at(self->fd, self->bytes, 64, number(self->page)));
	child_end(&target);
	kill(pid, SIGKILL);
}

/* ---- memory ---- */

/*
 * The pages of a file without a name are freed with the last mapping: free blocks of a filesystem
 * of our own tell whether the target's memory is still there.
 */
TEST_F(life, a_dead_targets_memory_is_freed_though_fds_on_it_are_open)
{
	const char *folder = own_tmpfs("size=40m,mode=755");
	const size_t size = 32 << 20;
	struct statfs before, during, after;
	char path[128];
	struct child target;
	uint8_t *memory, bytes[8];
	int file, fds[8], mem;
	double end;

	if (!folder)
		SKIP(return, "no tmpfs: %s", strerror(errno));
	ASSERT_EQ(0, statfs(folder, &before));
	snprintf(path, sizeof(path), "%s/memory", folder);
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, size));
	memory = island(size, PROT_READ | PROT_WRITE, MAP_SHARED, file);
	unlink(path);
	memset(memory, 1, size);
	target = child_start();
	munmap(memory, size);
	close(file);
	/* The fixture's target was made before all this. */
	for (int i = 0; i < 4; i++) {
		fds[i] = attach(self->device, target.pid, 0);
		ASSERT_LE(0, fds[i]);
		for (size_t at = 0; at < size; at += 1 << 20)
			ASSERT_EQ(8, pread_at(fds[i], bytes, 8, number(memory) + at));
		/* with and without a poll */
		if (i % 2)
			EXPECT_EQ(0, poll_for(fds[i], 0, 0));
	}
	mem = mem_open(target.pid, O_RDONLY);
	fds[4] = attach(self->device, mem, CORDBMEM_ATTACH_MEM_FD);
	ASSERT_LE(0, fds[4]);
	/* and it is remembered by the device */
	ASSERT_EQ(0, read_all(self->device, target.pid, number(memory), bytes, 8));
	ASSERT_EQ(0, statfs(folder, &during));
	ASSERT_LT(during.f_bfree + size / PAGE / 2, before.f_bfree);

	child_end(&target);
	for (end = seconds() + 10;;) {
		ASSERT_EQ(0, statfs(folder, &after));
		if (after.f_bfree == before.f_bfree || seconds() > end)
			break;
		usleep(10000);
	}
	EXPECT_EQ(before.f_bfree, after.f_bfree);
	EXPECT_EQ(-ESRCH, pread_at(fds[0], bytes, 8, number(memory)));
	own_tmpfs_gone();
}

TEST_F(life, an_image_left_by_execve_is_freed_though_fds_on_it_are_open)
{
	const char *folder = own_tmpfs("size=40m,mode=755");
	const size_t size = 16 << 20;
	struct statfs before, after;
	char path[128];
	struct child target;
	uint8_t *memory;
	int file, fd;
	double end;

	if (!folder)
		SKIP(return, "no tmpfs: %s", strerror(errno));
	ASSERT_EQ(0, statfs(folder, &before));
	snprintf(path, sizeof(path), "%s/memory", folder);
	file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_LE(0, file);
	ASSERT_EQ(0, ftruncate(file, size));
	memory = island(size, PROT_READ | PROT_WRITE, MAP_SHARED, file);
	unlink(path);
	memset(memory, 1, size);
	target = child_start();
	munmap(memory, size);
	close(file);
	fd = attach(self->device, target.pid, 0);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, poll_for(fd, 0, 0));
	child_send(&target, exec_sleep, 0);
	for (end = seconds() + 10;;) {
		ASSERT_EQ(0, statfs(folder, &after));
		if (after.f_bfree == before.f_bfree || seconds() > end)
			break;
		usleep(10000);
	}
	EXPECT_EQ(before.f_bfree, after.f_bfree);
	child_end(&target);
	own_tmpfs_gone();
}

/* Open and close, poll and not, die first and last, in every order. */
TEST_F(life, ends_in_any_order)
{
	for (int order = 0; order < 16; order++) {
		struct child target = child_start();
		int a = attach(self->device, target.pid, 0),
		    b = attach(self->device, target.pid, 0);

		ASSERT_LE(0, a);
		ASSERT_LE(0, b);
		if (order & 1)
			poll_for(a, 0, 0);
		if (order & 2)
			poll_for(b, POLLIN, 0);
		if (order & 4)
			close(a);
		if (order & 8)
			close(b);
		child_end(&target);
		if (!(order & 4)) {
			EXPECT_EQ(POLLHUP, poll_for(a, 0, 0));
			close(a);
		}
		if (!(order & 8)) {
			EXPECT_EQ(POLLHUP, poll_for(b, 0, 0));
			close(b);
		}
	}
}

TEST_F(life, a_target_fd_in_a_READV_ends_too)
{
	struct cordbmem_element element =
		element_of(self->fd, CORDBMEM_READ_TARGET_FD, number(self->page), self->bytes, 8);
	struct cordbmem_readv readv = readv_argument(&element, 1);

	ASSERT_EQ(0, call_readv(self->device, &readv));
	EXPECT_EQ(0, element.error);
	child_end(&self->target);
	ASSERT_EQ(0, call_readv(self->device, &readv));
	EXPECT_EQ(1, readv.done);
	EXPECT_EQ(ESRCH, element.error);
	EXPECT_EQ(0, element.bytes_read);
}

TEST_HARNESS_MAIN
