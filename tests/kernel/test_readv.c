// SPDX-License-Identifier: GPL-2.0
/*
 * READV: order, one status per element, any mix of targets, and the array itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#define SEED 5
#define PAGES 4
#define SIZE (PAGES * PAGE)
#define TARGET_FD CORDBMEM_READ_TARGET_FD

FIXTURE(readv)
{
	int device;
	uint8_t *source;
	uint64_t address;
	struct child target;
	uint8_t buffer[SIZE];
};

FIXTURE_SETUP(readv)
{
	self->device = device_open();
	self->source = island_pages(PAGES);
	self->address = number(self->source);
	pattern_fill(self->source, SIZE, SEED, self->address);
	self->target = child_start();
	munmap(self->source, SIZE);
	memset(self->buffer, POISON, SIZE);
}

FIXTURE_TEARDOWN(readv)
{
	child_end(&self->target);
}

/* What an element says after the call, and the bytes behind it. */
#define EXPECT_ELEMENT(element_, count_, error_)                                            \
	do {                                                                                \
		const struct cordbmem_element *e_element = (element_);                      \
		const uint64_t e_count = (count_);                                          \
		const int e_error = (error_);                                               \
                                                                                            \
		EXPECT_EQ(e_count, e_element->bytes_read)                                   \
		LOG_ELEMENT(e_element);                                                     \
		EXPECT_EQ(e_error, e_element->error)                                        \
		LOG_ELEMENT(e_element);                                                     \
		EXPECT_EQ(e_count, pattern_check(pointer(e_element->buffer), e_count, SEED, \
						 e_element->address))                       \
		LOG_ELEMENT(e_element);                                                     \
	} while (0)

#define LOG_ELEMENT(e)                                                                 \
	TH_LOG("source %d flags %#x address %#lx length %lu", (e)->source, (e)->flags, \
	       (unsigned long)(e)->address, (unsigned long)(e)->length)

TEST_F(readv, nothing_is_fine)
{
	static const uint64_t places[] = { 0, 1, 0x10000, 0x00007ffffffff000 };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		struct cordbmem_readv readv = readv_argument(pointer(places[i]), 0);

		EXPECT_EQ(0, call_readv(self->device, &readv));
		EXPECT_EQ(0, readv.done);
	}
}

TEST_F(readv, every_count_up_to_some)
{
	struct cordbmem_element elements[40];

	for (uint32_t count = 1; count <= ARRAY_SIZE(elements); count++) {
		struct cordbmem_readv readv = readv_argument(elements, count);

		memset(self->buffer, 0, SIZE);
		for (uint32_t i = 0; i < count; i++)
			elements[i] = element_of(self->target.pid, 0, self->address + i * 401 + 3,
						 self->buffer + i * 400, 1 + i * 10);
		ASSERT_EQ(0, call_readv(self->device, &readv));
		ASSERT_EQ(count, readv.done);
		for (uint32_t i = 0; i < count; i++)
			EXPECT_ELEMENT(&elements[i], 1 + i * 10, 0);
	}
}

TEST_F(readv, elements_of_every_size)
{
	static const uint64_t lengths[] = {
		0, 1, 8, 255, 256, 257, 511, 512, 513, 0, 1024, 4095, 4096, 4097, 8000, 1, 12288, 8,
	};
	struct cordbmem_element elements[ARRAY_SIZE(lengths)];
	struct cordbmem_readv readv = readv_argument(elements, ARRAY_SIZE(lengths));
	uint8_t *buffer = island_pages(ARRAY_SIZE(lengths) * 4);

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		elements[i] = element_of(self->target.pid, 0, self->address + 99 + i,
					 buffer + i * 4 * PAGE, lengths[i]);
	ASSERT_EQ(0, call_readv(self->device, &readv));
	EXPECT_EQ(ARRAY_SIZE(lengths), readv.done);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		EXPECT_ELEMENT(&elements[i], lengths[i], 0);
		EXPECT_EQ(0, buffer[i * 4 * PAGE + lengths[i]]);
	}
}

TEST_F(readv, bad_elements_do_not_stop_the_rest)
{
	int pipe_fds[2], mem = mem_open(self->target.pid, O_RDONLY);
	int closed = dup(self->device);
	struct child dead = child_start();
	struct {
		struct cordbmem_element element;
		uint64_t count;
		int error;
	} cases[24];
	struct cordbmem_element elements[2 * ARRAY_SIZE(cases)];
	uint8_t *page = island_pages(1), *other = island_pages(1);
	uint8_t good[ARRAY_SIZE(cases)][32];
	struct cordbmem_readv readv;
	pid_t pid = self->target.pid;
	uint8_t *to = self->buffer;
	uint64_t end = self->address + SIZE;
	size_t n = 0;

	ASSERT_EQ(0, pipe(pipe_fds));
	close(closed);
	child_kill(&dead);
	wait_for_state(dead.pid, 'Z');
	ASSERT_LE(0, mem);
#define CASE(count_, error_, ...)                           \
	do {                                                \
		cases[n].element = element_of(__VA_ARGS__); \
		cases[n].count = (count_);                  \
		cases[n].error = (error_);                  \
		n++;                                        \
	} while (0)
	CASE(0, ESRCH, NO_PID, 0, self->address, to, 8);
	CASE(0, ESRCH, -1, 0, self->address, to, 8);
	CASE(0, ESRCH, 0, 0, self->address, to, 8);
	CASE(0, ESRCH, 2, 0, self->address, to, 8);
	CASE(0, ESRCH, dead.pid, 0, self->address, to, 8);
	CASE(0, EINVAL, pid, 1U << 31, self->address, to, 8);
	CASE(0, EINVAL, pid, CORDBMEM_ATTACH_MEM_FD, self->address, to, 8);
	CASE(0, EINVAL, pid, 0, self->address, to, 8);
	cases[n - 1].element.reserved = 1;
	CASE(0, EIO, pid, 0, end, to, 8);
	CASE(0, EIO, pid, 0, UINT64_MAX, to, 8);
	CASE(0, EIO, pid, 0, 0xffff888000000000, to, 8);
	CASE(5, EIO, pid, 0, end - 5, to, 80);
	CASE(300, EIO, pid, 0, end - 300, to + 100, 1 << 20);
	CASE(0, EBADF, closed, TARGET_FD, self->address, to, 8);
	CASE(0, EBADF, -1, TARGET_FD, self->address, to, 8);
	CASE(0, EBADF, 1 << 30, TARGET_FD, self->address, to, 8);
	CASE(0, EINVAL, self->device, TARGET_FD, self->address, to, 8);
	CASE(0, EINVAL, pipe_fds[0], TARGET_FD, self->address, to, 8);
	CASE(0, EINVAL, mem, TARGET_FD, self->address, to, 8);
	CASE(0, EFAULT, pid, 0, self->address, page + PAGE, 8);
	CASE(0, EFAULT, pid, 0, self->address, pointer(0xffff888000001000), 8);
	CASE(0, EFAULT, pid, 0, self->address, NULL, 600);
	CASE(7, EFAULT, pid, 0, self->address, page + PAGE - 7, 8);
	CASE(700, EFAULT, pid, 0, self->address, other + PAGE - 700, 2000);
#undef CASE
	ASSERT_EQ(ARRAY_SIZE(cases), n);
	for (size_t i = 0; i < n; i++) {
		elements[2 * i] = cases[i].element;
		elements[2 * i + 1] = element_of(pid, 0, self->address + i, good[i], 32);
	}
	memset(good, 0, sizeof(good));
	readv = readv_argument(elements, (uint32_t)(2 * n));
	ASSERT_EQ(0, call_readv(self->device, &readv));
	EXPECT_EQ(2 * n, readv.done);
	for (size_t i = 0; i < n; i++) {
		EXPECT_ELEMENT(&elements[2 * i], cases[i].count, cases[i].error);
		EXPECT_ELEMENT(&elements[2 * i + 1], 32, 0);
	}
	/* Alone, and each first in the call, they say the same. */
	for (size_t i = 0; i < n; i++) {
		elements[0] = cases[i].element;
		readv = readv_argument(elements, 1);
		ASSERT_EQ(0, call_readv(self->device, &readv));
		EXPECT_EQ(1, readv.done);
		EXPECT_ELEMENT(&elements[0], cases[i].count, cases[i].error);
	}
	child_reap(&dead);
}

/* In members of an element stay as they were. */
TEST_F(readv, only_out_members_change)
{
	struct cordbmem_element elements[2] = {
		element_of(self->target.pid, 0, self->address, self->buffer, 16),
		element_of(NO_PID, CORDBMEM_READ_NOFAULT, self->address, self->buffer, 16),
	};
	struct cordbmem_element before[2];
	struct cordbmem_readv readv = readv_argument(elements, 2);

	memcpy(before, elements, sizeof(before));
	ASSERT_EQ(0, call_readv(self->device, &readv));
	for (int i = 0; i < 2; i++) {
		before[i].bytes_read = elements[i].bytes_read;
		before[i].error = elements[i].error;
		EXPECT_EQ(0, memcmp(&before[i], &elements[i], sizeof(before[i])));
	}
}

TEST_F(readv, several_processes_and_target_fds_mixed)
{
	enum { TARGETS = 5, ELEMENTS = 60 };
	struct child targets[TARGETS];
	int fds[TARGETS];
	uint64_t *page = (void *)island_pages(1);
	uint64_t values[ELEMENTS] = { 0 };
	struct cordbmem_element elements[ELEMENTS];
	struct cordbmem_readv readv = readv_argument(elements, ELEMENTS);

	for (uint64_t i = 0; i < TARGETS; i++) {
		page[0] = 1000 + i;
		targets[i] = child_start();
		fds[i] = attach(self->device, targets[i].pid, 0);
		ASSERT_LE(0, fds[i]);
	}
	for (int i = 0; i < ELEMENTS; i++) {
		int t = i / 2 * 7 % TARGETS;
		bool by_fd = i / 3 % 2;

		elements[i] = element_of(by_fd ? fds[t] : targets[t].pid, by_fd ? TARGET_FD : 0,
					 number(page), &values[i], 8);
	}
	ASSERT_EQ(0, call_readv(self->device, &readv));
	EXPECT_EQ(ELEMENTS, readv.done);
	for (int i = 0; i < ELEMENTS; i++) {
		EXPECT_EQ(0, elements[i].error);
		EXPECT_EQ(8, elements[i].bytes_read);
		EXPECT_EQ(1000 + (uint64_t)(i / 2 * 7 % TARGETS), values[i]);
	}
	/* One of them dies: its elements say so, the others do not care. */
	child_end(&targets[2]);
	for (int i = 0; i < ELEMENTS; i++)
		values[i] = 0;
	ASSERT_EQ(0, call_readv(self->device, &readv));
	EXPECT_EQ(ELEMENTS, readv.done);
	for (int i = 0; i < ELEMENTS; i++) {
		int t = i / 2 * 7 % TARGETS;

		EXPECT_EQ(t == 2 ? ESRCH : 0, elements[i].error);
		EXPECT_EQ(t == 2 ? 0 : 8, elements[i].bytes_read);
		EXPECT_EQ(t == 2 ? 0 : 1000 + (uint64_t)t, values[i]);
	}
	for (int i = 0; i < TARGETS; i++)
		child_end(&targets[i]);
}

static long protect(long address)
{
	return mprotect(pointer((uint64_t)address), PAGE, PROT_NONE);
}

TEST_F(readv, flags_are_each_elements_own)
{
	int forced = attach(self->device, self->target.pid, CORDBMEM_READ_FORCE);
	int plain = attach(self->device, self->target.pid, 0);
	struct cordbmem_element elements[] = {
		element_of(self->target.pid, 0, self->address, self->buffer, 8),
		element_of(self->target.pid, CORDBMEM_READ_FORCE, self->address, self->buffer + 8,
			   8),
		element_of(self->target.pid, 0, self->address, self->buffer + 16, 8),
		/* the mode of the target fd does not count */
		element_of(forced, TARGET_FD, self->address, self->buffer + 24, 8),
		element_of(plain, TARGET_FD | CORDBMEM_READ_FORCE, self->address, self->buffer + 32,
			   8),
		element_of(plain, TARGET_FD, self->address + PAGE, self->buffer + 40, 8),
	};
	struct cordbmem_readv readv = readv_argument(elements, ARRAY_SIZE(elements));

	if (forced == -EPERM)
		SKIP(return, "force is switched off");
	ASSERT_EQ(0, child_call(&self->target, protect, (long)self->address));
	ASSERT_EQ(0, call_readv(self->device, &readv));
	EXPECT_ELEMENT(&elements[0], 0, EIO);
	EXPECT_ELEMENT(&elements[1], 8, 0);
	EXPECT_ELEMENT(&elements[2], 0, EIO);
	EXPECT_ELEMENT(&elements[3], 0, EIO);
	EXPECT_ELEMENT(&elements[4], 8, 0);
	EXPECT_ELEMENT(&elements[5], 8, 0);
}

TEST_F(readv, as_many_as_INFO_says_and_not_one_more)
{
	struct cordbmem_info info = info_argument();
	struct cordbmem_element *elements;
	struct cordbmem_readv readv;
	uint8_t *bytes;
	uint32_t limit;

	ASSERT_EQ(0, call_info(self->device, &info));
	limit = info.max_elements;
	elements = (void *)island_pages((limit + 1) * sizeof(*elements) / PAGE + 1);
	bytes = island_pages((limit + 1) / PAGE + 1);
	for (uint32_t i = 0; i <= limit; i++)
		elements[i] = element_of(self->target.pid, 0, self->address + i, &bytes[i], 1);
	readv = readv_argument(elements, limit);
	ASSERT_EQ(0, call_readv(self->device, &readv));
	EXPECT_EQ(limit, readv.done);
	for (uint32_t i = 0; i < limit; i++) {
		ASSERT_EQ(1, elements[i].bytes_read);
		ASSERT_EQ(0, elements[i].error);
	}
	EXPECT_EQ(limit, pattern_check(bytes, limit, SEED, self->address));
	EXPECT_EQ(POISON64, elements[limit].bytes_read);

	for (uint32_t count = limit + 1; count; count = count * 2 + 1) {
		for (uint32_t i = 0; i <= limit; i++)
			elements[i] =
				element_of(self->target.pid, 0, self->address + i, &bytes[i], 1);
		memset(bytes, POISON, limit + 1);
		readv = readv_argument(elements, count);
		EXPECT_EQ(E2BIG, call_readv(self->device, &readv));
		EXPECT_EQ(POISON32, readv.done);
		EXPECT_EQ(POISON64, elements[0].bytes_read);
		EXPECT_EQ(POISON, bytes[0]);
		if (count == UINT32_MAX)
			break;
	}
}

TEST_F(readv, flags_and_reserved_must_be_zero)
{
	struct cordbmem_element element =
		element_of(self->target.pid, 0, self->address, self->buffer, 8);

	for (int bit = 0; bit < 32; bit++) {
		struct cordbmem_readv readv = readv_argument(&element, 1), before;

		readv.flags = 1U << bit;
		before = readv;
		EXPECT_EQ(EINVAL, call_readv(self->device, &readv));
		EXPECT_EQ(0, memcmp(&before, &readv, sizeof(readv)));
		readv = readv_argument(&element, 1);
		readv.reserved = 1U << bit;
		before = readv;
		EXPECT_EQ(EINVAL, call_readv(self->device, &readv));
		EXPECT_EQ(0, memcmp(&before, &readv, sizeof(readv)));
	}
	EXPECT_EQ(POISON64, element.bytes_read);
	EXPECT_EQ(POISON, self->buffer[0]);
}

TEST_F(readv, short_elements_are_EINVAL)
{
	struct cordbmem_element element =
		element_of(self->target.pid, 0, self->address, self->buffer, 8);

	for (uint32_t size = 0; size < sizeof(element); size++) {
		struct cordbmem_readv readv = readv_argument(&element, 1);

		readv.element_size = size;
		EXPECT_EQ(EINVAL, call_readv(self->device, &readv));
		EXPECT_EQ(POISON32, readv.done);
	}
	EXPECT_EQ(POISON, self->buffer[0]);
}

TEST_F(readv, longer_elements_with_tails_of_zeros_are_accepted)
{
	static const uint32_t tails[] = { 1, 4, 8, 16, 100, 1000 };
	enum { COUNT = 7 };

	for (size_t t = 0; t < ARRAY_SIZE(tails); t++) {
		size_t stride = sizeof(struct cordbmem_element) + tails[t];
		struct guarded g = guarded_new(COUNT * stride);
		struct cordbmem_readv readv = readv_argument((void *)g.bytes, COUNT);

		memset(g.bytes, 0, g.size);
		for (size_t i = 0; i < COUNT; i++) {
			struct cordbmem_element element =
				element_of(self->target.pid, 0, self->address + i * 8,
					   self->buffer + i * 8, 8);

			memcpy(g.bytes + i * stride, &element, sizeof(element));
		}
		readv.element_size = (uint32_t)stride;
		ASSERT_EQ(0, call_readv(self->device, &readv));
		EXPECT_EQ(COUNT, readv.done);
		for (size_t i = 0; i < COUNT; i++) {
			struct cordbmem_element element;

			memcpy(&element, g.bytes + i * stride, sizeof(element));
			EXPECT_ELEMENT(&element, 8, 0);
			for (size_t k = sizeof(element); k < stride; k++)
				ASSERT_EQ(0, g.bytes[i * stride + k]);
		}
		EXPECT_TRUE(guarded_intact(&g));
		guarded_free(&g);
	}
}

TEST_F(readv, longer_elements_with_other_tails_are_E2BIG)
{
	struct {
		struct cordbmem_element element;
		uint64_t tail;
	} elements[3];

	for (int bad = 0; bad < 3; bad++) {
		struct cordbmem_readv readv = readv_argument(&elements[0].element, 3);

		for (int i = 0; i < 3; i++) {
			elements[i].element =
				element_of(self->target.pid, 0, self->address, self->buffer, 8);
			elements[i].tail = i == bad ? 1ULL << 63 : 0;
		}
		readv.element_size = sizeof(elements[0]);
		EXPECT_EQ(E2BIG, call_readv(self->device, &readv));
		EXPECT_EQ(POISON32, readv.done);
		for (int i = 0; i < 3; i++)
			EXPECT_EQ(POISON64, elements[i].element.bytes_read);
	}
	EXPECT_EQ(POISON, self->buffer[0]);
}

TEST_F(readv, absurd_element_sizes_are_refused)
{
	static const uint32_t sizes[] = { 1 << 20, 0x7fffffff, 0x80000000, 0xffffffff };
	uint8_t *page = island_pages(1);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct cordbmem_readv readv = readv_argument((void *)page, 2);
		int error;

		readv.element_size = sizes[i];
		error = call_readv(self->device, &readv);
		EXPECT_TRUE(error == EINVAL || error == E2BIG || error == EFAULT)
		TH_LOG("size %u: %d", sizes[i], error);
	}
}

TEST_F(readv, unreadable_array_is_EFAULT_and_nothing_is_done)
{
	struct cordbmem_element *page = (void *)island_pages(1);
	const size_t fit = PAGE / sizeof(*page);
	const uint64_t places[] = {
		0, 1, number(page) + PAGE, 0x0000800000000000, 0xffff888000001000, UINT64_MAX - 40,
	};
	struct cordbmem_readv readv;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		for (uint32_t count = 1; count < 20; count += 6) {
			readv = readv_argument(pointer(places[i]), count);
			EXPECT_EQ(EFAULT, call_readv(self->device, &readv));
		}
	}
	/* The last element is beyond the page: the first ones are not read either. */
	memset(self->buffer, POISON, 8);
	for (size_t i = 0; i < fit; i++)
		page[i] = element_of(self->target.pid, 0, self->address, self->buffer, 8);
	readv = readv_argument((void *)((uint8_t *)page + PAGE - fit * sizeof(*page)),
			       (uint32_t)fit + 1);
	memmove(pointer(readv.elements), page, fit * sizeof(*page));
	EXPECT_EQ(EFAULT, call_readv(self->device, &readv));
	EXPECT_EQ(POISON, self->buffer[0]);
}

TEST_F(readv, unwritable_array_is_EFAULT)
{
	struct cordbmem_element *pages = (void *)island_pages(2);
	struct cordbmem_readv readv = readv_argument(pages, 2 * PAGE / sizeof(*pages));

	for (uint32_t i = 0; i < readv.count; i++)
		pages[i] = element_of(self->target.pid, 0, self->address, self->buffer, 8);
	ASSERT_EQ(0, mprotect(pages, 2 * PAGE, PROT_READ));
	EXPECT_EQ(EFAULT, call_readv(self->device, &readv));
	ASSERT_EQ(0, mprotect(pages, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EFAULT, call_readv(self->device, &readv));
	ASSERT_EQ(0, mprotect(pages, 2 * PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, call_readv(self->device, &readv));
	EXPECT_EQ(readv.count, readv.done);
}

/* Elements that fetch the elements behind them: the kernel has its own copy. */
TEST_F(readv, changing_the_array_by_a_read_changes_nothing)
{
	struct cordbmem_element elements[8];
	struct cordbmem_readv readv = readv_argument(elements, 8);
	uint8_t bytes[8] = { 0 };

	elements[0] = element_of(self->target.pid, 0, self->address, &elements[4],
				 2 * sizeof(elements[0]));
	for (size_t i = 1; i < 8; i++)
		elements[i] = element_of(self->target.pid, 0, self->address + i, &bytes[i], 1);
	ASSERT_EQ(0, call_readv(self->device, &readv));
	EXPECT_EQ(8, readv.done);
	EXPECT_EQ(7, pattern_check(bytes + 1, 7, SEED, self->address + 1));
}

/* ---- order ---- */

static volatile uint64_t *counter;

static void *count_up(void *unused)
{
	for (;;)
		(*counter)++;
	return unused;
}

static long start_counting(long unused)
{
	pthread_t thread;

	(void)unused;
	return pthread_create(&thread, NULL, count_up, NULL);
}

TEST_F(readv, elements_are_read_in_order)
{
	enum { ELEMENTS = 32 };
	struct cordbmem_element elements[ELEMENTS];
	struct cordbmem_readv readv = readv_argument(elements, ELEMENTS);
	uint64_t values[ELEMENTS], changes = 0;
	struct child target;
	double end;
	int fd;

	counter = (void *)island_pages(1);
	target = child_start();
	ASSERT_EQ(0, child_call(&target, start_counting, 0));
	fd = attach(self->device, target.pid, 0);
	ASSERT_LE(0, fd);
	for (int i = 0; i < ELEMENTS; i++)
		elements[i] = element_of(i % 8 == 7 ? fd : target.pid, i % 8 == 7 ? TARGET_FD : 0,
					 number(counter), &values[i], 8);
	for (end = seconds() + 2; seconds() < end;) {
		ASSERT_EQ(0, call_readv(self->device, &readv));
		ASSERT_EQ(ELEMENTS, readv.done);
		for (int i = 1; i < ELEMENTS; i++) {
			ASSERT_LE(values[i - 1], values[i]);
			changes += values[i] > values[i - 1];
		}
	}
	if (!changes)
		SKIP(goto out, "the counter never moved during a call");
out:
	child_end(&target);
}

/*
 * A seqlock whose writer also replaces the page of the data, by copy on write and by mremap: a
 * reader that looked the pages up beforehand would see old data between two equal sequence words.
 */
#define WORDS 48

static volatile uint64_t *sequence;
static volatile uint64_t *data;
static uint8_t *spare;

static void replace_data_page(void)
{
	memcpy(spare, (void *)(uintptr_t)data, PAGE);
	if (mremap(spare, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, (void *)(uintptr_t)data) !=
	    (void *)(uintptr_t)data)
		_exit(1);
	if (mmap(spare, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != spare)
		_exit(1);
}

static void *write_seqlock(void *unused)
{
	for (uint64_t round = 1;; round++) {
		pid_t child = -1;

		/* A fork shares the page, so that the write below copies it. */
		if (round % 64 == 0)
			child = fork();
		if (child == 0)
			_exit(0);
		__atomic_store_n(sequence, 2 * round - 1, __ATOMIC_SEQ_CST);
		if (round % 3 == 0)
			replace_data_page();
		for (size_t i = 0; i < WORDS; i++)
			data[i] = round;
		__atomic_store_n(sequence, 2 * round, __ATOMIC_SEQ_CST);
		if (child > 0)
			waitpid(child, NULL, 0);
		/* let readers in */
		for (volatile int i = 0; i < 2000; i++)
			;
	}
	return unused;
}

static long start_writing(long unused)
{
	pthread_t thread;

	(void)unused;
	return pthread_create(&thread, NULL, write_seqlock, NULL);
}

FIXTURE(seqlock){};

FIXTURE_SETUP(seqlock)
{
	(void)self;
}

FIXTURE_TEARDOWN(seqlock)
{
	(void)self;
}

FIXTURE_VARIANT(seqlock)
{
	bool by_fd;
	bool long_data;
};

FIXTURE_VARIANT_ADD(seqlock, by_pid){
	.by_fd = false,
};

FIXTURE_VARIANT_ADD(seqlock, by_target_fd){
	.by_fd = true,
};

FIXTURE_VARIANT_ADD(seqlock, by_pid_with_a_page_of_data){
	.long_data = true,
};

TEST_F_TIMEOUT(seqlock, equal_even_sequences_mean_untorn_data, 60)
{
	int device = device_open();
	uint64_t before, after, copy[PAGE / 8];
	size_t length = variant->long_data ? PAGE : WORDS * 8;
	struct cordbmem_element elements[3];
	struct cordbmem_readv readv = readv_argument(elements, 3);
	long consistent = 0, torn = 0, rounds = 0;
	uint64_t seen = 0;
	struct child target;
	uint32_t flags = variant->by_fd ? TARGET_FD : 0;
	double end;
	int source;

	sequence = (void *)island_pages(1);
	data = (void *)island_pages(1);
	spare = island_pages(1);
	target = child_start();
	ASSERT_EQ(0, child_call(&target, start_writing, 0));
	source = variant->by_fd ? attach(device, target.pid, 0) : target.pid;
	ASSERT_LE(0, source);
	elements[0] = element_of(source, flags, number(sequence), &before, 8);
	elements[1] = element_of(source, flags, number(data), copy, length);
	elements[2] = element_of(source, flags, number(sequence), &after, 8);
	for (end = seconds() + 6; seconds() < end;) {
		ASSERT_EQ(0, call_readv(device, &readv));
		ASSERT_EQ(3, readv.done);
		ASSERT_EQ(0, elements[0].error);
		ASSERT_EQ(0, elements[2].error);
		rounds++;
		if (elements[1].error || before != after || before % 2) {
			torn++;
			continue;
		}
		consistent++;
		for (size_t i = 0; i < WORDS; i++)
			ASSERT_EQ(before / 2, copy[i]);
		ASSERT_LE(seen, before);
		seen = before;
	}
	child_end(&target);
	TH_LOG("%ld reads: %ld consistent, %ld to be repeated", rounds, consistent, torn);
	EXPECT_LT(0, consistent);
	EXPECT_LT(10, seen);
}

TEST_HARNESS_MAIN
