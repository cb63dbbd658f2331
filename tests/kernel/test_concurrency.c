// SPDX-License-Identifier: GPL-2.0
/*
 * Many readers at once: every byte checked, through one open device and many, while targets come
 * and go.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#define READERS 8
#define TARGETS 4
#define PAGES 24
#define SIZE (PAGES * PAGE)

static struct work {
	int device;
	int fds[TARGETS];
	pid_t targets[TARGETS];
	uint8_t *source;
	int stop;
	long reads[READERS];
	long wrong[READERS];
	long errors[READERS];
	int allowed_error; /* what a read may fail with, 0: nothing */
} * work;

/* Targets differ by the seed of their pattern. */
static uint64_t seed_of(int target)
{
	return 100 + (uint64_t)target;
}

static struct child targets[TARGETS];

/*
 * The target's fd keeps its number and is replaced at one moment: a reader that was preempted
 * between taking the number and reading must not meet another target's fd under it.
 */
static void start_target(int t)
{
	int fd;

	pattern_fill(work->source, SIZE, seed_of(t), number(work->source));
	targets[t] = child_start();
	work->targets[t] = targets[t].pid;
	fd = attach(work->device, targets[t].pid, 0);
	if (fd < 0)
		die("attach: %d", fd);
	if (!work->fds[t]) {
		work->fds[t] = fd;
		return;
	}
	if (dup3(fd, work->fds[t], O_CLOEXEC) < 0)
		die("dup3: %d", errno);
	close(fd);
}

static void one_read(int reader, uint64_t turn, uint8_t *buffer)
{
	int t = (int)(turn * 7 + (uint64_t)reader) % TARGETS;
	size_t length = turn % 3 ? turn * 131 % 700 + 1 : turn * 977 % (SIZE / 2) + 1;
	uint64_t address = number(work->source) + turn * 613 % (SIZE - length);
	struct cordbmem_element elements[3] = {
		element_of(work->targets[t], 0, address, buffer, length),
		element_of(work->fds[t], CORDBMEM_READ_TARGET_FD, address, buffer, length),
		element_of(work->targets[t], 0, address, buffer, length),
	};
	struct cordbmem_readv readv = readv_argument(elements, 3);
	ssize_t got;
	int error = 0;

	switch ((turn + (uint64_t)reader) % 3) {
	case 0:
		error = read_all(work->device, work->targets[t], address, buffer, length);
		break;
	case 1:
		got = pread_at(work->fds[t], buffer, length, address);
		if (got < 0)
			error = (int)-got;
		else if ((size_t)got != length)
			error = EIO;
		break;
	case 2:
		error = call_readv(work->device, &readv);
		for (int i = 0; i < 3 && !error; i++)
			error = elements[i].error;
		break;
	}
	work->reads[reader]++;
	if (error && error == work->allowed_error)
		return;
	if (error)
		work->errors[reader]++;
	else if (pattern_check(buffer, length, seed_of(t), address) != length)
		work->wrong[reader]++;
}

static void *reader_thread(void *argument)
{
	static _Thread_local uint8_t buffer[SIZE];
	int reader = (int)(intptr_t)argument;

	for (uint64_t turn = 0; !__atomic_load_n(&work->stop, __ATOMIC_SEQ_CST); turn++)
		one_read(reader, turn, buffer);
	return NULL;
}

static long reader_process(long reader)
{
	reader_thread((void *)(intptr_t)reader);
	return 0;
}

/* A device of its own, and target fds made with it. */
static long lonely_reader_process(long reader)
{
	struct work *shared = work, own = *work;
	static uint8_t buffer[SIZE];

	own.device = device_open();
	for (int t = 0; t < TARGETS; t++)
		own.fds[t] = attach(own.device, own.targets[t], 0);
	work = &own;
	for (uint64_t turn = 0; !__atomic_load_n(&shared->stop, __ATOMIC_SEQ_CST); turn++)
		one_read((int)reader, turn, buffer);
	shared->reads[reader] = own.reads[reader];
	shared->wrong[reader] = own.wrong[reader];
	shared->errors[reader] = own.errors[reader];
	return 0;
}

FIXTURE(readers){};

FIXTURE_SETUP(readers)
{
	(void)self;
	work = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, work);
	work->device = device_open();
	work->source = island_pages(PAGES);
	for (int t = 0; t < TARGETS; t++)
		start_target(t);
}

FIXTURE_TEARDOWN(readers)
{
	(void)self;
	for (int t = 0; t < TARGETS; t++)
		child_end(&targets[t]);
}

#define EXPECT_ALL_TRUE()                              \
	do {                                           \
		long r_all = 0;                        \
                                                       \
		for (int r = 0; r < READERS; r++) {    \
			EXPECT_LT(10, work->reads[r]); \
			EXPECT_EQ(0, work->wrong[r]);  \
			EXPECT_EQ(0, work->errors[r]); \
			r_all += work->reads[r];       \
		}                                      \
		TH_LOG("%ld reads", r_all);            \
	} while (0)

static void let_them_read(double time)
{
	for (double end = seconds() + time; seconds() < end;)
		usleep(50000);
	__atomic_store_n(&work->stop, 1, __ATOMIC_SEQ_CST);
}

TEST_F(readers, eight_threads_of_one_open_device)
{
	pthread_t threads[READERS];

	for (long r = 0; r < READERS; r++)
		ASSERT_EQ(0, pthread_create(&threads[r], NULL, reader_thread, (void *)r));
	let_them_read(5);
	for (int r = 0; r < READERS; r++)
		pthread_join(threads[r], NULL);
	EXPECT_ALL_TRUE();
}

TEST_F(readers, eight_processes_that_share_one_open_device)
{
	struct child readers[READERS];
	long result;

	for (int r = 0; r < READERS; r++) {
		readers[r] = child_start();
		child_send(&readers[r], reader_process, r);
	}
	let_them_read(5);
	for (int r = 0; r < READERS; r++) {
		EXPECT_TRUE(child_result(&readers[r], &result));
		child_end(&readers[r]);
	}
	EXPECT_ALL_TRUE();
}

TEST_F(readers, eight_processes_with_a_device_each)
{
	struct child readers[READERS];
	long result;

	for (int r = 0; r < READERS; r++) {
		readers[r] = child_start();
		child_send(&readers[r], lonely_reader_process, r);
	}
	let_them_read(5);
	for (int r = 0; r < READERS; r++) {
		EXPECT_TRUE(child_result(&readers[r], &result));
		child_end(&readers[r]);
	}
	EXPECT_ALL_TRUE();
}

/*
 * Targets die and are replaced under the readers. A read may find nobody, it may not find anybody
 * else's bytes. The numbers of the new targets are new, so the readers learn them as they go.
 */
TEST_F(readers, targets_that_come_and_go)
{
	pthread_t threads[READERS];
	double end;

	work->allowed_error = ESRCH;
	for (long r = 0; r < READERS; r++)
		ASSERT_EQ(0, pthread_create(&threads[r], NULL, reader_thread, (void *)r));
	for (end = seconds() + 6; seconds() < end;) {
		for (int t = 0; t < TARGETS; t++) {
			child_end(&targets[t]);
			start_target(t);
		}
		usleep(20000);
	}
	__atomic_store_n(&work->stop, 1, __ATOMIC_SEQ_CST);
	for (int r = 0; r < READERS; r++)
		pthread_join(threads[r], NULL);
	for (int r = 0; r < READERS; r++)
		EXPECT_EQ(0, work->wrong[r]);
}

/* The source changes its mappings all the time: bytes of its own, or a hole. */
static void *remap_thread(void *unused)
{
	uint8_t *memory = work->source;
	uint64_t seed = seed_of(0);

	for (size_t turn = 0;; turn++) {
		uint8_t *at = memory + turn * 5 % PAGES * PAGE;

		switch (turn % 4) {
		case 0:
			munmap(at, PAGE);
			if (mmap(at, PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE, -1,
				 0) != at)
				_exit(1);
			break;
		case 1:
			mprotect(at, PAGE, PROT_NONE);
			mprotect(at, PAGE, PROT_READ | PROT_WRITE);
			break;
		case 2:
			madvise(at, PAGE, MADV_DONTNEED);
			break;
		case 3:
			madvise(at, PAGE, MADV_PAGEOUT);
			break;
		}
		pattern_fill(at, PAGE, seed, number(at));
	}
	return unused;
}

static long start_remapping(long unused)
{
	pthread_t thread;

	(void)unused;
	return pthread_create(&thread, NULL, remap_thread, NULL);
}

TEST_F(readers, a_target_that_remaps_shows_its_own_bytes_or_none)
{
	uint8_t buffer[SIZE];
	double end;
	long full = 0, part = 0;

	ASSERT_EQ(0, child_call(&targets[0], start_remapping, 0));
	for (end = seconds() + 5; seconds() < end;) {
		struct cordbmem_read read =
			read_argument(targets[0].pid, number(work->source), buffer, SIZE);
		int error = call_read(work->device, &read);

		ASSERT_TRUE(error == 0 || error == EIO);
		full += read.bytes_read == SIZE;
		part += read.bytes_read != SIZE;
		for (size_t i = 0; i < read.bytes_read; i++) {
			/* a page that is just filled reads as zeros up to some byte */
			if (buffer[i] != pattern_byte(seed_of(0), number(work->source) + i))
				ASSERT_EQ(0, buffer[i]);
		}
	}
	TH_LOG("%ld whole, %ld partial", full, part);
	EXPECT_LT(0, full);
}

/* Open, attach, poll-less close and exit, all at the same time. */
static void *attach_thread(void *argument)
{
	int reader = (int)(intptr_t)argument;
	uint8_t bytes[8];

	for (uint64_t turn = 0; !__atomic_load_n(&work->stop, __ATOMIC_SEQ_CST); turn++) {
		int device = open(CORDBMEM_DEVICE, O_RDONLY | O_CLOEXEC);
		int t = (int)(turn + (uint64_t)reader) % TARGETS;
		int fd = attach(device, work->targets[t], 0);

		close(device);
		if (fd < 0) {
			work->errors[reader] += fd != -ESRCH;
			continue;
		}
		if (pread_at(fd, bytes, 8, number(work->source)) == 8 &&
		    pattern_check(bytes, 8, seed_of(t), number(work->source)) != 8)
			work->wrong[reader]++;
		work->reads[reader]++;
		close(fd);
	}
	return NULL;
}

TEST_F(readers, opens_attaches_and_closes_in_a_crowd)
{
	pthread_t threads[READERS];
	double end;

	for (long r = 0; r < READERS; r++)
		ASSERT_EQ(0, pthread_create(&threads[r], NULL, attach_thread, (void *)r));
	for (end = seconds() + 4; seconds() < end;) {
		child_end(&targets[0]);
		start_target(0);
		usleep(30000);
	}
	__atomic_store_n(&work->stop, 1, __ATOMIC_SEQ_CST);
	for (int r = 0; r < READERS; r++)
		pthread_join(threads[r], NULL);
	for (int r = 0; r < READERS; r++) {
		EXPECT_LT(0, work->reads[r]);
		EXPECT_EQ(0, work->wrong[r]);
		EXPECT_EQ(0, work->errors[r]);
	}
}

TEST_HARNESS_MAIN
