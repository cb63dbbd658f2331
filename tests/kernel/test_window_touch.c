// SPDX-License-Identifier: GPL-2.0
/*
 * Touches of a window's mapping: by the kernel on behalf of the tracer, by many threads at once, and
 * where two processes show each other's windows. They end, with the right bytes or with EFAULT.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"

#define SEED 16
#define PAGES ((size_t)8)
#define SIZE (PAGES * PAGE)
#define LENGTH ((size_t)3 * PAGE) /* of one touch */

static const uint8_t zeros[LENGTH];

/* ---- the kernel's touches ---- */

/* Each takes LENGTH bytes from an address into a buffer: 0 or an errno. */
typedef int taker(const void *from, uint8_t *to);

static int by_pipe(const void *from, uint8_t *to)
{
	int ends[2], error = 0;

	if (pipe2(ends, O_CLOEXEC))
		return errno;
	if (write(ends[1], from, LENGTH) != (ssize_t)LENGTH)
		error = errno;
	else if (read(ends[0], to, LENGTH) != (ssize_t)LENGTH)
		error = EIO;
	close(ends[0]);
	close(ends[1]);
	return error;
}

static int by_vmsplice(const void *from, uint8_t *to)
{
	struct iovec iov = { .iov_base = pointer(number(from)), .iov_len = LENGTH };
	int ends[2], error = 0;

	if (pipe2(ends, O_CLOEXEC))
		return errno;
	if (vmsplice(ends[1], &iov, 1, 0) != (ssize_t)LENGTH)
		error = errno;
	else if (read(ends[0], to, LENGTH) != (ssize_t)LENGTH)
		error = EIO;
	close(ends[0]);
	close(ends[1]);
	return error;
}

static int by_socket(const void *from, uint8_t *to)
{
	int ends[2], error = 0;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
		return errno;
	if (send(ends[0], from, LENGTH, 0) != (ssize_t)LENGTH)
		error = errno;
	else if (recv(ends[1], to, LENGTH, 0) != (ssize_t)LENGTH)
		error = EIO;
	close(ends[0]);
	close(ends[1]);
	return error;
}

static int by_file(const void *from, uint8_t *to)
{
	int fd = memfd_create("taken", MFD_CLOEXEC), error = 0;
	ssize_t n = pwrite(fd, from, LENGTH, 0);

	/* A write to a file may end short of what cannot be had. */
	if (n != (ssize_t)LENGTH)
		error = n < 0 ? errno : EFAULT;
	else if (pread(fd, to, LENGTH, 0) != (ssize_t)LENGTH)
		error = EIO;
	close(fd);
	return error;
}

static int by_process_vm_writev(const void *from, uint8_t *to)
{
	struct iovec local = { .iov_base = pointer(number(from)), .iov_len = LENGTH };
	struct iovec remote = { .iov_base = to, .iov_len = LENGTH };
	ssize_t n = process_vm_writev(getpid(), &local, 1, &remote, 1, 0);

	return n == (ssize_t)LENGTH ? 0 : n < 0 ? errno : EFAULT;
}

/* What is taken is the owner's own memory as the kernel's lookup of pages has it. */
static int by_process_vm_readv(const void *from, uint8_t *to)
{
	ssize_t n = vm_readv(getpid(), number(from), to, LENGTH);

	return n == (ssize_t)LENGTH ? 0 : n < 0 ? (int)-n : EFAULT;
}

static int by_ring(const void *from, uint8_t *to, unsigned int flags)
{
	int fd = memfd_create("taken", MFD_CLOEXEC), error = 0;
	struct io_uring_cqe *cqe;
	struct io_uring_sqe *sqe;
	struct io_uring ring;

	if (io_uring_queue_init(4, &ring, 0) < 0)
		return ENOSYS;
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_write(sqe, fd, from, LENGTH, 0);
	sqe->flags |= (uint8_t)flags;
	io_uring_submit(&ring);
	if (io_uring_wait_cqe(&ring, &cqe))
		error = EIO;
	else if (cqe->res != (int)LENGTH)
		error = cqe->res < 0 ? -cqe->res : EFAULT;
	else if (pread(fd, to, LENGTH, 0) != (ssize_t)LENGTH)
		error = EIO;
	io_uring_queue_exit(&ring);
	close(fd);
	return error;
}

static int by_io_uring(const void *from, uint8_t *to)
{
	return by_ring(from, to, 0);
}

/* By a thread of the kernel's that works for us. */
static int by_io_uring_worker(const void *from, uint8_t *to)
{
	return by_ring(from, to, IOSQE_ASYNC);
}

FIXTURE(touch)
{
	int device;
	int fd;
	uint8_t *source;
	struct child target;
	struct window w; /* with a hole at its end */
};

FIXTURE_VARIANT(touch)
{
	taker *take;
	bool by_pages; /* which the kernel looks up; a window's are refused */
};

// clang-format off
#define TOUCH(name_, by_pages_) \
	FIXTURE_VARIANT_ADD(touch, name_) { .take = (name_), .by_pages = (by_pages_) }

TOUCH(by_pipe, false);
TOUCH(by_socket, false);
TOUCH(by_file, false);
TOUCH(by_process_vm_writev, false);
TOUCH(by_io_uring, false);
TOUCH(by_io_uring_worker, false);
TOUCH(by_vmsplice, true);
TOUCH(by_process_vm_readv, true);
// clang-format on

FIXTURE_SETUP(touch)
{
	self->device = device_open();
	self->source = island_pages(PAGES);
	pattern_fill(self->source, SIZE, SEED, number(self->source));
	self->target = child_start();
	munmap(self->source, SIZE);
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
	self->w = window_open(self->fd, number(self->source), 2 * SIZE, 0);
}

FIXTURE_TEARDOWN(touch)
{
	child_end(&self->target);
}

/* The pattern or the zeros that are to be taken from a place, and were. */
#define EXPECT_TAKEN(offset_, pattern_)                                                          \
	do {                                                                                     \
		uint8_t t_bytes[LENGTH];                                                         \
		int t_error = variant->take(pointer(number(self->w.data + (offset_))), t_bytes); \
                                                                                                 \
		if (t_error == ENOSYS)                                                           \
			SKIP(return, "the kernel has it not");                                   \
		EXPECT_EQ(variant->by_pages ? EFAULT : 0, t_error);                              \
		if (!t_error && (pattern_))                                                      \
			EXPECT_EQ(LENGTH, pattern_check(t_bytes, LENGTH, SEED,                   \
							self->w.address + (offset_)));           \
		if (!t_error && !(pattern_))                                                     \
			EXPECT_EQ(0, memcmp(t_bytes, zeros, LENGTH));                            \
	} while (0)

static long drop(long address)
{
	return madvise(pointer((uint64_t)address), SIZE, MADV_DONTNEED);
}

TEST_F(touch, of_the_kernel_takes_the_bytes_or_fails)
{
	/* pages that nobody asked for, that POPULATE found, and that are mapped */
	EXPECT_TAKEN(0, true);
	window_fill(&self->w);
	EXPECT_TAKEN(3 * PAGE, true);
	EXPECT_TAKEN(3 * PAGE, true);
	/* pages that are not there, twice */
	EXPECT_TAKEN(SIZE + PAGE, false);
	EXPECT_TAKEN(SIZE + PAGE, false);
	/* pages that went, that came back, and of nobody */
	ASSERT_EQ(0, child_call(&self->target, drop, (long)number(self->source)));
	call_sync(self->w.fd);
	EXPECT_TAKEN(3 * PAGE, false);
	child_end(&self->target);
	EXPECT_TAKEN(0, false);
	EXPECT_TAKEN(5 * PAGE, false);
}

/* ---- any touch ---- */

FIXTURE(place)
{
	int device;
	int fd;
	uint8_t *source;
	struct child target;
	struct window w;
};

FIXTURE_SETUP(place)
{
	self->device = device_open();
	self->source = island_pages(PAGES);
	pattern_fill(self->source, SIZE, SEED, number(self->source));
	self->target = child_start();
	munmap(self->source, SIZE);
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
	self->w = window_open(self->fd, number(self->source), 2 * SIZE, 0);
}

FIXTURE_TEARDOWN(place)
{
	child_end(&self->target);
}

TEST_F(place, cannot_be_written_by_the_kernel)
{
	int zero = open("/dev/zero", O_RDONLY | O_CLOEXEC);

	window_fill(&self->w);
	EXPECT_EQ(-1, read(zero, pointer(number(self->w.data)), 8));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(-1, read(zero, pointer(number(self->w.state)), 8));
	EXPECT_EQ(EFAULT, errno);
}

static int futex_wait(const volatile void *address, int operation, uint32_t value)
{
	struct timespec soon = { .tv_nsec = 20000000 };

	return syscall(SYS_futex, address, operation, value, &soon, NULL, 0) < 0 ? errno : 0;
}

TEST_F(place, is_no_place_to_wait_at_for_ever)
{
	uint32_t word;

	for (size_t page = 0; page < PAGES; page += 3) {
		const volatile uint8_t *at = self->w.data + page * PAGE;

		EXPECT_EQ(EAGAIN, futex_wait(at, FUTEX_WAIT_PRIVATE, 0));
		memcpy(&word, (const void *)(uintptr_t)at, 4);
		EXPECT_EQ(ETIMEDOUT, futex_wait(at, FUTEX_WAIT_PRIVATE, word));
		/* Shared ones are told by their page. */
		EXPECT_EQ(EFAULT, futex_wait(at, FUTEX_WAIT, word));
	}
	EXPECT_EQ(EFAULT, futex_wait(self->w.state, FUTEX_WAIT, 0));
	EXPECT_EQ(ETIMEDOUT, futex_wait(self->w.data + SIZE, FUTEX_WAIT_PRIVATE, 0));
}

/* ---- many at once ---- */

#define THREADS 4
#define ROUNDS 300

static struct meeting {
	pthread_barrier_t barrier;
	const struct window *w;
	uint8_t expected;
	long wrong;
} meeting;

/* In the target: a new page with one value, which is in the low bits of the argument. */
static long renew(long argument)
{
	uint8_t *page = pointer((uint64_t)argument & ~(PAGE - 1));

	if (madvise(page, PAGE, MADV_DONTNEED))
		return errno;
	memset(page, (int)(argument & 0xff), PAGE);
	return 0;
}

static void *meet(void *thread)
{
	for (int round = 0; round < ROUNDS; round++) {
		size_t at = (size_t)round % PAGES * PAGE + number(thread) * 8;

		pthread_barrier_wait(&meeting.barrier);
		if (meeting.w->data[at] != meeting.expected)
			__atomic_add_fetch(&meeting.wrong, 1, __ATOMIC_SEQ_CST);
		pthread_barrier_wait(&meeting.barrier);
	}
	return NULL;
}

TEST_F(place, is_where_threads_meet)
{
	pthread_t threads[THREADS];

	meeting.w = &self->w;
	pthread_barrier_init(&meeting.barrier, NULL, THREADS + 1);
	for (uint64_t i = 0; i < THREADS; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, meet, pointer(i)));
	for (int round = 0; round < ROUNDS; round++) {
		uint64_t page = number(self->source) + (size_t)round % PAGES * PAGE;

		meeting.expected = (uint8_t)(1 + round % 255);
		ASSERT_EQ(0, child_call(&self->target, renew, (long)page + meeting.expected));
		EXPECT_EQ(0, call_sync(self->w.fd));
		pthread_barrier_wait(&meeting.barrier);
		pthread_barrier_wait(&meeting.barrier);
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, meeting.wrong);
	EXPECT_LE(ROUNDS, window_stats(&self->w).filled);
}

/* ---- mirrors ---- */

#define OWN ((size_t)32)  /* pages of memory, in front of */
#define SEEN ((size_t)64) /* pages that show the other's memory, and what the other is shown */

static struct mirrors {
	int device;
	pid_t pids[2];
	uint8_t *arena; /* at the same address in both */
	long accepted[2];
	long wrong[2];
} * mirrors;

static struct window mirror;

static void map_mirror(void)
{
	mirror.data = mmap(mirrors->arena + OWN * PAGE, SEEN * PAGE, PROT_READ,
			   MAP_SHARED | MAP_FIXED, mirror.fd, 0);
	if (mirror.data == MAP_FAILED)
		die("a mirror");
}

static long open_mirror(long me)
{
	int fd = attach(mirrors->device, mirrors->pids[!me], 0);

	mirror = window_open(fd, number(mirrors->arena), SEEN * PAGE, 0);
	munmap(pointer(number(mirror.data)), SEEN * PAGE);
	map_mirror();
	return 0;
}

/* The word is zero, where a page is new, or the other's pattern; in its window nothing is valid. */
static void look(long me, size_t page)
{
	uint64_t address = number(mirrors->arena) + page * PAGE, word;

	if (page >= OWN && (mirror.data[page * PAGE] || window_valid(&mirror, page)))
		mirrors->wrong[me]++;
	if (!window_read(&mirror, page * PAGE, &word, 8))
		return;
	mirrors->accepted[me]++;
	if (word && pattern_check(&word, 8, SEED + (uint64_t)!me, address) != 8)
		mirrors->wrong[me]++;
}

static long churn(long me)
{
	uint64_t turn = 0;

	for (double end = seconds() + 2.5; seconds() < end; turn++) {
		uint8_t *page = mirrors->arena + turn * 7 % OWN * PAGE;

		if (turn % 3 == 0)
			madvise(page, PAGE, MADV_DONTNEED);
		pattern_fill(page, 64, SEED + (uint64_t)me, number(page));
		if (turn % 5 == 0)
			window_fill(&mirror);
		if (turn % 31 == 0)
			call_sync(mirror.fd);
		if (turn % 101 == 0)
			map_mirror();
		for (size_t seen = 0; seen < SEEN; seen += 5)
			look(me, (seen + turn) % SEEN);
	}
	return 0;
}

TEST(two_processes_that_show_each_others_windows_go_on)
{
	struct child children[2];
	long result;

	mirrors = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, mirrors);
	mirrors->device = device_open();
	mirrors->arena = island_pages(OWN + SEEN);
	for (int me = 0; me < 2; me++) {
		children[me] = child_start();
		mirrors->pids[me] = children[me].pid;
	}
	for (int me = 0; me < 2; me++)
		child_call(&children[me], open_mirror, me);
	for (int me = 0; me < 2; me++)
		child_send(&children[me], churn, me);
	for (int me = 0; me < 2; me++)
		EXPECT_TRUE(child_result(&children[me], &result));
	for (int me = 0; me < 2; me++) {
		TH_LOG("%ld words accepted", mirrors->accepted[me]);
		EXPECT_EQ(0, mirrors->wrong[me]);
		/* An emulated machine may let one of them hardly run. */
		EXPECT_LT(0, mirrors->accepted[me]);
		child_end(&children[me]);
	}
}

TEST_HARNESS_MAIN
