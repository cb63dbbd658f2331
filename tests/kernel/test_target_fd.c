// SPDX-License-Identifier: GPL-2.0
/*
 * The target fd as a file: every way to read it, its offset, its modes, and what it is not.
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "identity.h"
#include "memory.h"
#include "support.h"

#define SEED 8
#define PAGES 4
#define SIZE (PAGES * PAGE)

FIXTURE(file)
{
	int device;
	int fd;
	uint8_t *source;
	uint64_t address;
	uint64_t end;
	struct child target;
	uint8_t buffer[2 * SIZE];
};

FIXTURE_SETUP(file)
{
	self->device = device_open();
	self->source = island_pages(PAGES);
	self->address = number(self->source);
	self->end = self->address + SIZE;
	pattern_fill(self->source, SIZE, SEED, self->address);
	self->target = child_start();
	munmap(self->source, SIZE);
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
	memset(self->buffer, POISON, sizeof(self->buffer));
}

FIXTURE_TEARDOWN(file)
{
	child_end(&self->target);
	close(self->fd);
}

#define EXPECT_PATTERN(count_, at_) \
	EXPECT_EQ((count_), pattern_check(self->buffer, (count_), SEED, (at_)))

TEST_F(file, pread_of_every_size_and_alignment)
{
	static const size_t lengths[] = { 1, 2, 8, 255, 256, 257, 4095, 4096, 4097, 9000 };

	for (uint64_t offset = 0; offset < PAGE + 20; offset += offset < 20 ? 1 : 509) {
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			memset(self->buffer, POISON, lengths[i] + 64);
			ASSERT_EQ(lengths[i], pread_at(self->fd, self->buffer, lengths[i],
						       self->address + offset));
			ASSERT_EQ(lengths[i], pattern_check(self->buffer, lengths[i], SEED,
							    self->address + offset));
			ASSERT_EQ(POISON, self->buffer[lengths[i]]);
		}
	}
}

TEST_F(file, pread_counts_up_to_the_hole_and_is_EIO_in_it)
{
	for (size_t before = 1; before < 600; before += before < 20 ? 1 : 67) {
		ASSERT_EQ(before, pread_at(self->fd, self->buffer, before + 1, self->end - before));
		ASSERT_EQ(before, pread_at(self->fd, self->buffer, SIZE, self->end - before));
		EXPECT_PATTERN(before, self->end - before);
	}
	EXPECT_EQ(-EIO, pread_at(self->fd, self->buffer, 1, self->end));
	EXPECT_EQ(-EIO, pread_at(self->fd, self->buffer, SIZE, self->end));
	EXPECT_EQ(-EIO, pread_at(self->fd, self->buffer, SIZE, self->address - 1));
	EXPECT_EQ(-EIO, pread_at(self->fd, self->buffer, 8, 0));
	EXPECT_EQ(-EIO, pread_at(self->fd, self->buffer, 8, 0x0000800000000000));
	EXPECT_EQ(-EIO, pread_at(self->fd, self->buffer, 8, INT64_MAX - 8));
}

TEST_F(file, addresses_from_2_to_the_63_on_are_EINVAL)
{
	static const uint64_t addresses[] = {
		1ULL << 63, 0xffff800000000000, 0xffffffff81000000, 0xffffffffff600000, UINT64_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(addresses); i++) {
		EXPECT_EQ(-EINVAL, pread_at(self->fd, self->buffer, 8, addresses[i]));
		EXPECT_EQ(-1, lseek(self->fd, (off_t)addresses[i], SEEK_SET));
		EXPECT_EQ(EINVAL, errno);
	}
	/* A range that crosses that border may be cut or refused, nothing else. */
	EXPECT_GT(0, pread_at(self->fd, self->buffer, 64, INT64_MAX - 8));
}

TEST_F(file, no_bytes_read_nothing)
{
	EXPECT_EQ(0, pread_at(self->fd, self->buffer, 0, self->address));
	EXPECT_EQ(0, pread_at(self->fd, NULL, 0, self->end));
	EXPECT_EQ(POISON, self->buffer[0]);
}

TEST_F(file, bad_buffers_are_EFAULT)
{
	uint8_t *page = island_pages(1);

	EXPECT_EQ(-EFAULT, pread_at(self->fd, NULL, 8, self->address));
	EXPECT_EQ(-EFAULT, pread_at(self->fd, page + PAGE, 8, self->address));
	EXPECT_EQ(-EFAULT, pread_at(self->fd, pointer(0xffff888000001000), 8, self->address));
	EXPECT_EQ(5, pread_at(self->fd, page + PAGE - 5, 8, self->address));
	EXPECT_EQ(5, pattern_check(page + PAGE - 5, 5, SEED, self->address));
	EXPECT_EQ(3000, pread_at(self->fd, page + PAGE - 3000, SIZE, self->address));
	EXPECT_EQ(3000, pattern_check(page + PAGE - 3000, 3000, SEED, self->address));
}

TEST_F(file, read_goes_on_where_the_last_one_ended)
{
	EXPECT_EQ(0, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(self->address + 7, lseek(self->fd, (off_t)self->address + 7, SEEK_SET));
	EXPECT_EQ(100, read(self->fd, self->buffer, 100));
	EXPECT_PATTERN(100, self->address + 7);
	EXPECT_EQ(5000, read(self->fd, self->buffer, 5000));
	EXPECT_PATTERN(5000, self->address + 107);
	EXPECT_EQ(self->address + 5107, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(self->end - 10, lseek(self->fd, (off_t)(SIZE - 10 - 5107), SEEK_CUR));
	/* up to the hole, and then no further */
	EXPECT_EQ(10, read(self->fd, self->buffer, 100));
	EXPECT_EQ(self->end, lseek(self->fd, 0, SEEK_CUR));
	EXPECT_EQ(-1, read(self->fd, self->buffer, 100));
	EXPECT_EQ(EIO, errno);
	EXPECT_EQ(self->end, lseek(self->fd, 0, SEEK_CUR));
	/* pread does not move it */
	EXPECT_EQ(8, pread_at(self->fd, self->buffer, 8, self->address));
	EXPECT_EQ(self->end, lseek(self->fd, 0, SEEK_CUR));
}

TEST_F(file, lseek_knows_no_end)
{
	static const int whences[] = { SEEK_END, SEEK_DATA, SEEK_HOLE, 5, -1, 99 };

	for (size_t i = 0; i < ARRAY_SIZE(whences); i++) {
		EXPECT_EQ(-1, lseek(self->fd, 0, whences[i]))
		TH_LOG("whence %d", whences[i]);
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(-1, lseek(self->fd, -1, SEEK_SET));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, lseek(self->fd, -1, SEEK_CUR));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(INT64_MAX, lseek(self->fd, INT64_MAX, SEEK_SET));
	EXPECT_EQ(-1, lseek(self->fd, 1, SEEK_CUR));
	EXPECT_EQ(INT64_MAX, lseek(self->fd, 0, SEEK_CUR));
}

TEST_F(file, vectors)
{
	struct iovec iov[] = {
		{ self->buffer, 10 },
		{ self->buffer + 10, 0 },
		{ self->buffer + 10, 5000 },
		{ self->buffer + 5010, 1 },
	};
	struct iovec over[] = {
		{ self->buffer, 100 },
		{ self->buffer + 100, 100 },
		{ self->buffer + 200, 100 },
	};

	EXPECT_EQ(5011, preadv(self->fd, iov, 4, (off_t)self->address + 3));
	EXPECT_PATTERN(5011, self->address + 3);
	memset(self->buffer, POISON, 6000);
	lseek(self->fd, (off_t)self->address + 3, SEEK_SET);
	EXPECT_EQ(5011, readv(self->fd, iov, 4));
	EXPECT_PATTERN(5011, self->address + 3);
	EXPECT_EQ(self->address + 5014, lseek(self->fd, 0, SEEK_CUR));
	memset(self->buffer, POISON, 6000);
	EXPECT_EQ(150, preadv(self->fd, over, 3, (off_t)self->end - 150));
	EXPECT_PATTERN(150, self->end - 150);
	EXPECT_EQ(-1, preadv(self->fd, over, 3, (off_t)self->end));
	EXPECT_EQ(EIO, errno);
}

TEST_F(file, is_no_file_to_write_map_or_cut)
{
	struct iovec iov = { self->buffer, 8 };
	struct stat st;

	EXPECT_EQ(-1, write(self->fd, self->buffer, 8));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, pwrite(self->fd, self->buffer, 8, (off_t)self->address));
	EXPECT_EQ(-1, pwritev(self->fd, &iov, 1, (off_t)self->address));
	EXPECT_EQ(-1, ftruncate(self->fd, 0));
	EXPECT_EQ(-1, fallocate(self->fd, 0, 0, 1));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, self->fd, 0));
	EXPECT_EQ(0, fstat(self->fd, &st));
	EXPECT_FALSE(S_ISREG(st.st_mode));
	EXPECT_EQ(O_RDONLY, fcntl(self->fd, F_GETFL) & O_ACCMODE);
}

TEST_F(file, knows_no_ioctl_of_the_device_nor_any_other)
{
	struct cordbmem_info info = info_argument();
	struct cordbmem_read read = read_argument(self->target.pid, self->address, self->buffer, 8);

	EXPECT_EQ(ENOTTY, call_info(self->fd, &info));
	EXPECT_EQ(ENOTTY, call_read(self->fd, &read));
	EXPECT_EQ(ENOTTY, call(self->fd, _IO(CORDBMEM_IOC_MAGIC, 0x80), &read));
	EXPECT_EQ(ENOTTY, call(self->fd, 0x5401, &read));
	EXPECT_EQ(POISON, self->buffer[0]);
}

/* Cannot be opened anew with other rights. */
TEST_F(file, is_not_to_be_reopened)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", self->fd);
	EXPECT_EQ(-1, open(path, O_RDONLY));
	EXPECT_EQ(-1, open(path, O_RDWR));
}

TEST_F(file, dup_shares_the_offset)
{
	int copy = dup(self->fd);

	ASSERT_LE(0, copy);
	lseek(self->fd, (off_t)self->address, SEEK_SET);
	EXPECT_EQ(8, read(copy, self->buffer, 8));
	EXPECT_EQ(self->address + 8, lseek(self->fd, 0, SEEK_CUR));
	close(self->fd);
	EXPECT_EQ(8, pread_at(copy, self->buffer, 8, self->address + 1));
	EXPECT_PATTERN(8, self->address + 1);
	self->fd = copy;
}

TEST_F(file, sendfile_and_splice_give_true_bytes_or_an_error)
{
	int file = memory_file(0, 0), pipe_fds[2];
	off_t offset = (off_t)self->address + 5;
	ssize_t got;

	got = sendfile(file, self->fd, &offset, 3000);
	if (got > 0) {
		EXPECT_EQ(got, pread(file, self->buffer, 3000, 0));
		EXPECT_PATTERN((size_t)got, self->address + 5);
	}
	ASSERT_EQ(0, pipe(pipe_fds));
	offset = (off_t)self->address + 5;
	got = splice(self->fd, &offset, pipe_fds[1], NULL, 3000, SPLICE_F_NONBLOCK);
	if (got > 0) {
		EXPECT_EQ(got, read(pipe_fds[0], self->buffer, 3000));
		EXPECT_PATTERN((size_t)got, self->address + 5);
	}
}

/* ---- modes ---- */

static long protect_first(long address)
{
	return mprotect(pointer((uint64_t)address), PAGE, PROT_NONE);
}

TEST_F(file, reads_protected_pages_only_in_force_mode)
{
	int forced = attach(self->device, self->target.pid, CORDBMEM_READ_FORCE);

	if (forced == -EPERM)
		SKIP(return, "force is switched off");
	ASSERT_LE(0, forced);
	ASSERT_EQ(0, child_call(&self->target, protect_first, (long)self->address));
	EXPECT_EQ(-EIO, pread_at(self->fd, self->buffer, 8, self->address));
	EXPECT_EQ(SIZE, pread_at(forced, self->buffer, SIZE, self->address));
	EXPECT_PATTERN(SIZE, self->address);
}

TEST_F(file, faults_nothing_in_in_no_fault_mode)
{
	uint8_t *memory = island_pages(64);
	struct child target;
	int fd;

	ASSERT_EQ(0, madvise(memory, 64 * PAGE, MADV_NOHUGEPAGE));
	target = child_start();
	fd = attach(self->device, target.pid, CORDBMEM_READ_NOFAULT);
	ASSERT_LE(0, fd);
	EXPECT_EQ(-EIO, pread_at(fd, self->buffer, 8, number(memory)));
	EXPECT_EQ(-EIO, pread_at(fd, self->buffer, SIZE, number(memory)));
	EXPECT_FALSE(page_present(target.pid, number(memory)));
	child_end(&target);
}

TEST_F(file, by_mem_fd_has_modes_too)
{
	int mem = mem_open(self->target.pid, O_RDONLY);
	int forced = attach(self->device, mem, CORDBMEM_ATTACH_MEM_FD | CORDBMEM_READ_FORCE);
	int plain = attach(self->device, mem, CORDBMEM_ATTACH_MEM_FD);

	ASSERT_LE(0, plain);
	ASSERT_EQ(0, child_call(&self->target, protect_first, (long)self->address));
	EXPECT_EQ(-EIO, pread_at(plain, self->buffer, 8, self->address));
	if (forced == -EPERM)
		SKIP(return, "force is switched off");
	EXPECT_EQ(8, pread_at(forced, self->buffer, 8, self->address));
}

/* ---- in other hands ---- */

static int inherited_fd;
static uint64_t inherited_address;

static long take_and_read(long unused)
{
	uint8_t bytes[64];
	int fd;

	(void)unused;
	become(1001, 0);
	fd = receive_fd(child_socket);
	if (fd < 0 || pread_at(fd, bytes, 64, inherited_address) != 64)
		return 1;
	return pattern_check(bytes, 64, SEED, inherited_address) == 64 ? 0 : 2;
}

static long inherit_and_read(long unused)
{
	uint8_t bytes[64];

	(void)unused;
	become(1001, 0);
	if (pread_at(inherited_fd, bytes, 64, inherited_address) != 64)
		return 1;
	return pattern_check(bytes, 64, SEED, inherited_address) == 64 ? 0 : 2;
}

TEST_F(file, reads_for_whoever_it_is_handed_to)
{
	struct child stranger;
	long result = -1;

	inherited_address = self->address;
	stranger = child_start();
	child_send(&stranger, take_and_read, 0);
	child_give_fd(&stranger, self->fd);
	EXPECT_TRUE(child_result(&stranger, &result));
	EXPECT_EQ(0, result);
	child_end(&stranger);

	inherited_fd = self->fd;
	stranger = child_start();
	EXPECT_EQ(0, child_call(&stranger, inherit_and_read, 0));
	child_end(&stranger);
}

static long attach_drop_and_read(long pid)
{
	int fd = attach(device_open(), (int)pid, 0);
	uint8_t bytes[64];

	become(1001, 0);
	if (fd < 0 || pread_at(fd, bytes, 64, inherited_address) != 64)
		return 1;
	return pattern_check(bytes, 64, SEED, inherited_address) == 64 ? 0 : 2;
}

/* The check was made when it was opened. */
TEST_F(file, goes_on_when_its_opener_drops_privileges)
{
	struct child opener;

	inherited_address = self->address;
	opener = child_start();
	EXPECT_EQ(0, child_call(&opener, attach_drop_and_read, self->target.pid));
	child_end(&opener);
}

/* ---- io_uring ---- */

static int submit_and_wait(struct io_uring *ring)
{
	struct io_uring_cqe *cqe;
	int ret = io_uring_submit(ring);

	if (ret != 1)
		die("io_uring_submit: %d", ret);
	ret = io_uring_wait_cqe(ring, &cqe);
	if (ret)
		die("io_uring_wait_cqe: %d", ret);
	ret = cqe->res;
	io_uring_cqe_seen(ring, cqe);
	return ret;
}

static bool ring_start(struct io_uring *ring)
{
	int ret = io_uring_queue_init(16, ring, 0);

	errno = -ret;
	return ret == 0;
}

TEST_F(file, io_uring_read)
{
	static const unsigned int flags[] = { 0, IOSQE_ASYNC };
	struct io_uring ring;

	if (!ring_start(&ring))
		SKIP(return, "no io_uring: %s", strerror(errno));

	for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
		static const unsigned int lengths[] = { 1, 8, 300, 4096, 10000 };

		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
			struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

			memset(self->buffer, POISON, sizeof(self->buffer));
			io_uring_prep_read(sqe, self->fd, self->buffer, lengths[i],
					   self->address + 77);
			sqe->flags |= (uint8_t)flags[f];
			EXPECT_EQ((int)lengths[i], submit_and_wait(&ring));
			EXPECT_PATTERN(lengths[i], self->address + 77);
			EXPECT_EQ(POISON, self->buffer[lengths[i]]);
		}
	}
	io_uring_queue_exit(&ring);
}

TEST_F(file, io_uring_counts_and_errors)
{
	struct io_uring ring;

	if (!ring_start(&ring))
		SKIP(return, "no io_uring: %s", strerror(errno));

	io_uring_prep_read(io_uring_get_sqe(&ring), self->fd, self->buffer, 5000, self->end - 33);
	EXPECT_EQ(33, submit_and_wait(&ring));
	EXPECT_PATTERN(33, self->end - 33);
	io_uring_prep_read(io_uring_get_sqe(&ring), self->fd, self->buffer, 8, self->end);
	EXPECT_EQ(-EIO, submit_and_wait(&ring));
	io_uring_prep_read(io_uring_get_sqe(&ring), self->fd, NULL, 8, self->address);
	EXPECT_EQ(-EFAULT, submit_and_wait(&ring));
	io_uring_prep_write(io_uring_get_sqe(&ring), self->fd, self->buffer, 8, self->address);
	EXPECT_GT(0, submit_and_wait(&ring));
	child_end(&self->target);
	io_uring_prep_read(io_uring_get_sqe(&ring), self->fd, self->buffer, 8, self->address);
	EXPECT_EQ(-ESRCH, submit_and_wait(&ring));
	io_uring_queue_exit(&ring);
}

TEST_F(file, io_uring_vectors)
{
	struct iovec iov[] = { { self->buffer, 100 }, { self->buffer + 100, 4000 } };
	struct io_uring ring;

	if (!ring_start(&ring))
		SKIP(return, "no io_uring: %s", strerror(errno));

	io_uring_prep_readv(io_uring_get_sqe(&ring), self->fd, iov, 2, self->address + 1);
	EXPECT_EQ(4100, submit_and_wait(&ring));
	EXPECT_PATTERN(4100, self->address + 1);
	io_uring_queue_exit(&ring);
}

TEST_F(file, io_uring_with_registered_buffers_and_files)
{
	struct iovec iov = { self->buffer, sizeof(self->buffer) };
	struct io_uring_sqe *sqe;
	int ret;
	struct io_uring ring;

	if (!ring_start(&ring))
		SKIP(return, "no io_uring: %s", strerror(errno));

	ret = io_uring_register_buffers(&ring, &iov, 1);
	if (ret)
		SKIP(return, "cannot register buffers: %s", strerror(-ret));
	ASSERT_EQ(0, io_uring_register_files(&ring, &self->fd, 1));
	sqe = io_uring_get_sqe(&ring);
	io_uring_prep_read_fixed(sqe, 0, self->buffer + 16, 5000, self->address + 5, 0);
	sqe->flags |= IOSQE_FIXED_FILE;
	EXPECT_EQ(5000, submit_and_wait(&ring));
	EXPECT_EQ(5000, pattern_check(self->buffer + 16, 5000, SEED, self->address + 5));
	EXPECT_EQ(POISON, self->buffer[15]);
	EXPECT_EQ(POISON, self->buffer[5016]);
	io_uring_queue_exit(&ring);
}

TEST_F(file, io_uring_poll_waits_for_the_end)
{
	struct io_uring_cqe *cqe;
	struct io_uring ring;

	if (!ring_start(&ring))
		SKIP(return, "no io_uring: %s", strerror(errno));

	io_uring_prep_poll_add(io_uring_get_sqe(&ring), self->fd, 0);
	ASSERT_EQ(1, io_uring_submit(&ring));
	EXPECT_EQ(-EAGAIN, io_uring_peek_cqe(&ring, &cqe));
	child_kill(&self->target);
	ASSERT_EQ(0, io_uring_wait_cqe(&ring, &cqe));
	EXPECT_TRUE(cqe->res & POLLHUP);
	io_uring_queue_exit(&ring);
}

TEST_HARNESS_MAIN
