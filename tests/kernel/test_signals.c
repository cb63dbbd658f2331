// SPDX-License-Identifier: GPL-2.0
/*
 * Signals during long reads: exact counts, and a kill that ends one at once.
 *
 * Length costs no memory here: the source is a small file mapped over and over, the buffer
 * another. The two have different lengths, so that every lap leaves other bytes in the buffer
 * and the count can be checked to the byte.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#define SEED 4
#define SOURCE_BLOCK (257 * PAGE)
#define BUFFER_BLOCK (256 * PAGE)
#define LAPS ((size_t)1024)
#define LENGTH (LAPS * BUFFER_BLOCK)

FIXTURE(signal)
{
	int device;
	uint8_t *source;
	uint8_t *buffer;
	uint8_t *file; /* the buffer's memory, once */
	struct child target;
};

FIXTURE_SETUP(signal)
{
	int fd = memory_file(SOURCE_BLOCK, SEED);

	self->device = device_open();
	self->source = island_repeated(LAPS * SOURCE_BLOCK, SOURCE_BLOCK, fd, PROT_READ);
	self->target = child_start();
	munmap(self->source, LAPS * SOURCE_BLOCK);
	fd = memory_file(BUFFER_BLOCK, 0);
	self->buffer = island_repeated(LENGTH, BUFFER_BLOCK, fd, PROT_READ | PROT_WRITE);
	self->file = self->buffer;
}

FIXTURE_TEARDOWN(signal)
{
	setitimer(ITIMER_REAL, &(struct itimerval){ 0 }, NULL);
	child_end(&self->target);
}

static volatile sig_atomic_t alarms;

static void on_alarm(int unused)
{
	(void)unused;
	alarms++;
}

static void alarm_every(long microseconds, bool again)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = { .it_value.tv_usec = microseconds };

	if (again)
		timer.it_interval.tv_usec = microseconds;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

/* The first of the bytes before @count that is not the source's; @count if all are. */
static size_t check_bytes(const uint8_t *file, size_t count)
{
	size_t from = count > BUFFER_BLOCK ? count - BUFFER_BLOCK : 0;

	/* What is older than one lap is overwritten; what came after the count may be anything. */
	while (from < count) {
		size_t at = from % BUFFER_BLOCK, in = from % SOURCE_BLOCK;
		size_t n = count - from, good;

		n = n < BUFFER_BLOCK - at ? n : BUFFER_BLOCK - at;
		n = n < SOURCE_BLOCK - in ? n : SOURCE_BLOCK - in;
		good = pattern_check(file + at, n, SEED, in);
		if (good < n)
			return from + good;
		from += n;
	}
	return count;
}

TEST_F(signal, ends_a_long_read_with_the_exact_count)
{
	for (int round = 0; round < 6; round++) {
		struct cordbmem_read read =
			read_argument(self->target.pid, number(self->source), self->buffer, LENGTH);

		memset(self->file, 0, BUFFER_BLOCK);
		alarms = 0;
		alarm_every(20000 + round * 7777, false);
		ASSERT_EQ(0, call_read(self->device, &read));
		EXPECT_EQ(1, alarms);
		EXPECT_LT(0, read.bytes_read);
		EXPECT_GT(LENGTH, read.bytes_read);
		EXPECT_EQ(EINTR, read.error);
		/* The lap before the count may have been scribbled over past the count. */
		EXPECT_EQ(read.bytes_read, check_bytes(self->file, read.bytes_read));
	}
}

TEST_F(signal, ends_a_long_read_of_a_target_fd_with_the_exact_count)
{
	int fd = attach(self->device, self->target.pid, 0);

	ASSERT_LE(0, fd);
	for (int round = 0; round < 3; round++) {
		ssize_t got;

		memset(self->file, 0, BUFFER_BLOCK);
		alarm_every(20000 + round * 7777, false);
		got = pread_at(fd, self->buffer, LENGTH, number(self->source));
		ASSERT_LT(0, got);
		EXPECT_GT(LENGTH, (size_t)got);
		EXPECT_EQ(got, check_bytes(self->file, (size_t)got));
	}
}

/* A read in a storm of signals gets on: what a caller does that goes on where it was stopped. */
TEST_F(signal, a_read_in_pieces_arrives)
{
	size_t done = 0, wanted = 16 * BUFFER_BLOCK;
	int pieces = 0;

	alarm_every(3000, true);
	while (done < wanted) {
		struct cordbmem_read read =
			read_argument(self->target.pid, number(self->source) + done,
				      self->buffer + done, wanted - done);
		int error = call_read(self->device, &read);

		ASSERT_TRUE(error == 0 || error == EINTR);
		if (!error)
			ASSERT_EQ(read.bytes_read == wanted - done ? 0 : EINTR, read.error);
		done += read.bytes_read;
		pieces++;
	}
	alarm_every(0, false);
	EXPECT_EQ(wanted, done);
	EXPECT_EQ(wanted, check_bytes(self->file, wanted));
	EXPECT_LT(1, pieces);
}

TEST_F(signal, short_reads_are_not_disturbed)
{
	uint8_t bytes[64];

	alarm_every(300, true);
	for (int i = 0; i < 3000; i++) {
		ASSERT_EQ(0, read_all(self->device, self->target.pid, number(self->source) + 5,
				      bytes, 64));
		ASSERT_EQ(64, pattern_check(bytes, 64, SEED, 5));
	}
	alarm_every(0, false);
	EXPECT_LT(0, alarms);
}

TEST_F(signal, ends_a_READV_between_or_in_elements)
{
	enum { ELEMENTS = 64 };
	const size_t length = LENGTH / ELEMENTS;
	struct cordbmem_element elements[ELEMENTS];
	struct cordbmem_readv readv = readv_argument(elements, ELEMENTS);

	for (size_t i = 0; i < ELEMENTS; i++)
		elements[i] = element_of(self->target.pid, 0, number(self->source) + i * length,
					 self->buffer + i * length, length);
	alarm_every(50000, false);
	ASSERT_EQ(0, call_readv(self->device, &readv));
	ASSERT_LT(0, readv.done);
	ASSERT_GT(ELEMENTS, readv.done);
	for (uint32_t i = 0; i < ELEMENTS; i++) {
		if (i + 1 < readv.done) {
			EXPECT_EQ(length, elements[i].bytes_read);
			EXPECT_EQ(0, elements[i].error);
		} else if (i < readv.done) {
			EXPECT_GE(length, elements[i].bytes_read);
			EXPECT_EQ(elements[i].bytes_read == length ? 0 : EINTR, elements[i].error);
		} else {
			EXPECT_EQ(POISON64, elements[i].bytes_read);
			EXPECT_EQ((int32_t)POISON32, elements[i].error);
		}
	}
}

static struct cordbmem_read endless;
static int endless_device;

static long read_for_ever(long unused)
{
	for (;;)
		call_read(endless_device, &endless);
	return unused;
}

TEST_F(signal, a_killed_reader_ends_at_once)
{
	uint8_t *source =
		island(64UL << 30, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1);
	int fd = memory_file(BUFFER_BLOCK * 16, 0);
	uint8_t *buffer =
		island_repeated(16UL << 30, BUFFER_BLOCK * 16, fd, PROT_READ | PROT_WRITE);
	struct child target = child_start(), reader;
	double killed;

	/* Some hundred times what the machine reads in the time it gets. */
	endless_device = self->device;
	endless = read_argument(target.pid, number(source), buffer, 16UL << 30);
	reader = child_start();
	child_send(&reader, read_for_ever, 0);
	while (proc_number(reader.pid, "status", "VmRSS:") < 2 * 1024)
		sched_yield();
	killed = seconds();
	child_kill(&reader);
	child_reap(&reader);
	EXPECT_GT(2.0, seconds() - killed);

	/* Nor does a killed target hold its reader. */
	reader = child_start();
	child_send(&reader, read_for_ever, 0);
	while (proc_number(reader.pid, "status", "VmRSS:") < 2 * 1024)
		sched_yield();
	killed = seconds();
	child_end(&target);
	EXPECT_GT(5.0, seconds() - killed);
	child_end(&reader);
	EXPECT_GT(5.0, seconds() - killed);
}

TEST_HARNESS_MAIN
