// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls of windows with every bad argument: the documented errno, and nothing done.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"

#define SEED 13
#define PAGES 5
#define SIZE (PAGES * PAGE)
#define TASK_SIZE 0x7ffffffff000ULL /* 47 bits less a page */
#define NOFAULT CORDBMEM_READ_NOFAULT

union argument {
	uint8_t bytes[128];
	struct cordbmem_window window;
	struct cordbmem_populate populate;
	struct cordbmem_sync sync;
	struct cordbmem_stats stats;
};

FIXTURE(argument)
{
	int device;
	int target_fd;
	int window_fd;
	int fd; /* the one that takes the ioctl */
	uint64_t address;
	struct child target;
	union argument valid;
};

FIXTURE_VARIANT(argument)
{
	unsigned long ioctl;
	size_t size;
};

// clang-format off
FIXTURE_VARIANT_ADD(argument, window) {
	.ioctl = CORDBMEM_IOC_WINDOW, .size = sizeof(struct cordbmem_window) };
FIXTURE_VARIANT_ADD(argument, populate) {
	.ioctl = CORDBMEM_IOC_POPULATE, .size = sizeof(struct cordbmem_populate) };
FIXTURE_VARIANT_ADD(argument, sync) {
	.ioctl = CORDBMEM_IOC_SYNC, .size = sizeof(struct cordbmem_sync) };
FIXTURE_VARIANT_ADD(argument, stats) {
	.ioctl = CORDBMEM_IOC_STATS, .size = sizeof(struct cordbmem_stats) };
// clang-format on

/* A target with a pattern at the address. */
static struct child pattern_target(uint64_t *address)
{
	uint8_t *source = island_pages(PAGES);
	struct child target;

	pattern_fill(source, SIZE, SEED, number(source));
	target = child_start();
	munmap(source, SIZE);
	*address = number(source);
	return target;
}

FIXTURE_SETUP(argument)
{
	self->device = device_open();
	self->target = pattern_target(&self->address);
	self->target_fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->target_fd);
	self->window_fd = window_fd(self->target_fd, self->address, SIZE, 0);
	ASSERT_LE(0, self->window_fd);
	self->fd = variant->ioctl == CORDBMEM_IOC_WINDOW ? self->target_fd : self->window_fd;

	memset(&self->valid, POISON, sizeof(self->valid));
	self->valid.sync = (struct cordbmem_sync){ .size = (uint32_t)variant->size };
	if (variant->ioctl == CORDBMEM_IOC_WINDOW)
		self->valid.window = window_argument(self->address, SIZE, 0);
	if (variant->ioctl == CORDBMEM_IOC_POPULATE) {
		self->valid.populate.offset = 0;
		self->valid.populate.length = SIZE;
	}
}

FIXTURE_TEARDOWN(argument)
{
	child_end(&self->target);
}

/* Nothing was done: no fd, no page, no out member. */
#define EXPECT_REFUSED(error_, argument_)                                                  \
	do {                                                                               \
		union argument r_before = (argument_);                                     \
		int r_fds = open_fds();                                                    \
		struct cordbmem_stats r_stats;                                             \
                                                                                           \
		EXPECT_EQ((error_), call(self->fd, variant->ioctl, &(argument_)));         \
		EXPECT_EQ(0, memcmp(r_before.bytes, (argument_).bytes, sizeof(r_before))); \
		EXPECT_EQ(r_fds, open_fds());                                              \
		EXPECT_EQ(0, call_stats(self->window_fd, &r_stats));                       \
		EXPECT_EQ(0, r_stats.filled);                                              \
	} while (0)

TEST_F(argument, valid_is_accepted_and_its_in_members_stay)
{
	union argument argument = self->valid, expected = self->valid;

	EXPECT_EQ(0, call(self->fd, variant->ioctl, &argument));
	switch (variant->ioctl) {
	case CORDBMEM_IOC_WINDOW:
		EXPECT_LT(self->window_fd, argument.window.window_fd);
		EXPECT_EQ(FD_CLOEXEC, fcntl(argument.window.window_fd, F_GETFD));
		argument.window.window_fd = expected.window.window_fd;
		break;
	case CORDBMEM_IOC_POPULATE:
		EXPECT_EQ(PAGES, argument.populate.pages);
		EXPECT_EQ(SIZE, argument.populate.done);
		argument.populate.pages = expected.populate.pages;
		argument.populate.done = expected.populate.done;
		break;
	case CORDBMEM_IOC_STATS:
		memset(&expected.stats.pages, 0, sizeof(expected.stats) - 8);
		break;
	}
	EXPECT_EQ(0, memcmp(expected.bytes, argument.bytes, sizeof(argument)));
}

TEST_F(argument, shorter_than_the_first_revision_is_EINVAL)
{
	for (uint32_t size = 0; size < variant->size; size++) {
		union argument argument = self->valid;

		argument.sync.size = size;
		EXPECT_REFUSED(EINVAL, argument);
	}
}

TEST_F(argument, longer_with_a_tail_of_zeros_is_accepted)
{
	static const size_t tails[] = { 1, 4, 8, 64, 1000, 4096 - 64 };

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		struct guarded g = guarded_new(variant->size + tails[i]);

		memset(g.bytes, 0, g.size);
		memcpy(g.bytes, &self->valid, variant->size);
		memcpy(g.bytes, &(uint32_t){ (uint32_t)g.size }, sizeof(uint32_t));
		EXPECT_EQ(0, call(self->fd, variant->ioctl, g.bytes))
		TH_LOG("tail of %zu", tails[i]);
		EXPECT_EQ(g.size, *(uint32_t *)(void *)g.bytes);
		for (size_t k = variant->size; k < g.size; k++)
			ASSERT_EQ(0, g.bytes[k]);
		EXPECT_TRUE(guarded_intact(&g));
		guarded_free(&g);
	}
}

TEST_F(argument, longer_with_a_tail_of_anything_else_is_E2BIG)
{
	for (size_t place = variant->size; place < sizeof(union argument); place++) {
		union argument argument = { .bytes = { 0 } };

		memcpy(&argument, &self->valid, variant->size);
		argument.sync.size = sizeof(argument);
		argument.bytes[place] = 1;
		EXPECT_REFUSED(E2BIG, argument);
	}
	for (int bit = 13; bit < 32; bit++) {
		union argument argument = self->valid;

		argument.sync.size = 1U << bit;
		EXPECT_REFUSED(E2BIG, argument);
	}
}

TEST_F(argument, that_cannot_be_read_or_written_is_EFAULT)
{
	uint8_t *page = island_pages(1);
	const uint64_t places[] = { 0, 8, number(page) + PAGE, TASK_SIZE, 0xffff800000000000 };
	int fds = open_fds();

	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		EXPECT_EQ(EFAULT, call(self->fd, variant->ioctl, pointer(places[i])));
	for (size_t in = 1; in < variant->size; in++) {
		memcpy(page + PAGE - in, &self->valid, in);
		EXPECT_EQ(EFAULT, call(self->fd, variant->ioctl, page + PAGE - in));
	}
	memcpy(page, &self->valid, variant->size);
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	/* SYNC has nothing to say. */
	EXPECT_EQ(variant->ioctl == CORDBMEM_IOC_SYNC ? 0 : EFAULT,
		  call(self->fd, variant->ioctl, page));
	EXPECT_EQ(fds, open_fds());
}

TEST_F(argument, with_an_unknown_flag_is_EINVAL)
{
	uint32_t known = 0;

	if (variant->ioctl == CORDBMEM_IOC_WINDOW)
		known = NOFAULT | CORDBMEM_WINDOW_NOWAIT;
	if (variant->ioctl == CORDBMEM_IOC_POPULATE)
		known = NOFAULT;
	for (int bit = 0; bit < 32; bit++) {
		union argument argument = self->valid;

		argument.sync.flags = 1U << bit;
		if (!(argument.sync.flags & known))
			EXPECT_REFUSED(EINVAL, argument);
	}
	self->valid.sync.flags = known;
	EXPECT_EQ(0, call(self->fd, variant->ioctl, &self->valid));
}

TEST_F(argument, on_a_file_of_another_kind_is_ENOTTY)
{
	const int files[] = { self->device, self->target_fd, self->window_fd };
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC), closed = dup(null);

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		union argument argument = self->valid;

		if (files[i] != self->fd)
			EXPECT_EQ(ENOTTY, call(files[i], variant->ioctl, &argument));
	}
	EXPECT_EQ(ENOTTY, call(null, variant->ioctl, &self->valid));
	close(closed);
	EXPECT_EQ(EBADF, call(closed, variant->ioctl, &self->valid));
}

/* ---- values ---- */

FIXTURE(values)
{
	int device;
	int fd;
	uint64_t address;
	struct child target;
	int window;
};

FIXTURE_SETUP(values)
{
	self->device = device_open();
	self->target = pattern_target(&self->address);
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
	self->window = window_fd(self->fd, self->address, SIZE, 0);
	ASSERT_LE(0, self->window);
}

FIXTURE_TEARDOWN(values)
{
	child_end(&self->target);
}

TEST_F(values, of_WINDOW)
{
	static const struct {
		uint64_t address, length;
		int error;
	} table[] = {
		{ 0, PAGE, 0 },
		{ PAGE, 1ULL << 36, 0 },
		{ TASK_SIZE - PAGE, PAGE, 0 },
		{ TASK_SIZE - (1ULL << 36), 1ULL << 36, 0 },
		{ PAGE, 0, EINVAL },
		{ PAGE, 1, EINVAL },
		{ PAGE, PAGE - 1, EINVAL },
		{ PAGE, PAGE + 1, EINVAL },
		{ PAGE, (1ULL << 36) + PAGE, EINVAL },
		{ PAGE, 1ULL << 63, EINVAL },
		{ PAGE, -PAGE, EINVAL },
		{ 1, PAGE, EINVAL },
		{ PAGE + 8, PAGE, EINVAL },
		{ TASK_SIZE, PAGE, EINVAL },
		{ TASK_SIZE - PAGE, 2 * PAGE, EINVAL },
		{ TASK_SIZE - (1ULL << 36) + PAGE, 1ULL << 36, EINVAL },
		{ 1ULL << 63, PAGE, EINVAL },
		{ -PAGE, PAGE, EINVAL },
		{ -PAGE, 2 * PAGE, EINVAL },
		{ 0xffffffffff600000, PAGE, EINVAL },
	};
	struct cordbmem_window argument;
	int fds = open_fds();

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		argument = window_argument(table[i].address, table[i].length, 0);
		EXPECT_EQ(table[i].error, call_window(self->fd, &argument))
		TH_LOG("%#lx, %#lx", table[i].address, table[i].length);
		if (!table[i].error)
			close(argument.window_fd);
		else
			EXPECT_EQ((int)POISON32, argument.window_fd);
	}
	for (int bit = 0; bit < 32; bit++) {
		argument = window_argument(self->address, PAGE, 0);
		argument.reserved = 1U << bit;
		EXPECT_EQ(EINVAL, call_window(self->fd, &argument));
	}
	EXPECT_EQ(fds, open_fds());
}

TEST_F(values, of_POPULATE)
{
	static const struct {
		uint64_t offset, length;
		int error;
		uint64_t pages;
	} table[] = {
		{ 0, SIZE, 0, PAGES },
		{ PAGE, PAGE, 0, 1 },
		{ 0, 0, 0, 0 },
		{ SIZE, 0, 0, 0 },
		{ 0, SIZE + PAGE, EINVAL, 0 },
		{ PAGE, SIZE, EINVAL, 0 },
		{ SIZE, PAGE, EINVAL, 0 },
		{ SIZE + PAGE, 0, EINVAL, 0 },
		{ 1, PAGE, EINVAL, 0 },
		{ 0, PAGE - 1, EINVAL, 0 },
		{ 0, PAGE + 1, EINVAL, 0 },
		{ PAGE, -PAGE, EINVAL, 0 },
		{ -PAGE, PAGE, EINVAL, 0 },
		{ -PAGE, 2 * PAGE, EINVAL, 0 },
		{ CORDBMEM_WINDOW_STATE, PAGE, EINVAL, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct cordbmem_populate argument = {
			.offset = table[i].offset,
			.length = table[i].length,
		};

		EXPECT_EQ(table[i].error, call_populate(self->window, &argument))
		TH_LOG("%#lx, %#lx", table[i].offset, table[i].length);
		EXPECT_EQ(table[i].error ? POISON64 : table[i].pages, argument.pages);
		EXPECT_EQ(table[i].error ? POISON64 : table[i].length, argument.done);
	}
}

TEST_F(values, of_numbers_are_ENOTTY_when_unknown)
{
	union argument argument;

	memset(&argument, 0, sizeof(argument));
	for (unsigned int nr = 0; nr < 256; nr++) {
		if (nr != _IOC_NR(CORDBMEM_IOC_WINDOW))
			EXPECT_EQ(ENOTTY, call(self->fd, _IO(CORDBMEM_IOC_MAGIC, nr), &argument));
		if (nr < _IOC_NR(CORDBMEM_IOC_POPULATE) || nr > _IOC_NR(CORDBMEM_IOC_STATS))
			EXPECT_EQ(ENOTTY,
				  call(self->window, _IO(CORDBMEM_IOC_MAGIC, nr), &argument));
	}
	/* The number is all of it. */
	EXPECT_EQ(ENOTTY, call(self->window, _IOWR(CORDBMEM_IOC_MAGIC, 0x22, struct cordbmem_stats),
			       &argument));
	EXPECT_EQ(ENOTTY, call(self->window, _IO(CORDBMEM_IOC_MAGIC + 1, 0x22), &argument));
}

TEST_F(values, of_a_target_that_is_gone_are_ESRCH)
{
	struct cordbmem_window argument = window_argument(self->address, PAGE, 0);
	struct cordbmem_populate populate = { .length = SIZE };
	struct cordbmem_stats stats;
	int fds = open_fds();

	child_end(&self->target);
	EXPECT_EQ(ESRCH, call_window(self->fd, &argument));
	EXPECT_EQ((int)POISON32, argument.window_fd);
	EXPECT_EQ(ESRCH, call_populate(self->window, &populate));
	EXPECT_EQ(0, call_sync(self->window));
	EXPECT_EQ(0, call_stats(self->window, &stats));
	EXPECT_EQ(fds - 1, open_fds());
}

TEST_F(values, that_leave_no_fd_are_EMFILE)
{
	struct cordbmem_window argument = window_argument(self->address, PAGE, 0);
	struct rlimit limit = { .rlim_cur = 3, .rlim_max = 4096 }, before;
	int error;

	ASSERT_EQ(0, getrlimit(RLIMIT_NOFILE, &before));
	limit.rlim_max = before.rlim_max;
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	error = call_window(self->fd, &argument);
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &before));
	EXPECT_EQ(EMFILE, error);
	EXPECT_EQ((int)POISON32, argument.window_fd);
}

/* ---- what a window says of itself ---- */

TEST_F(values, of_INFO)
{
	struct cordbmem_info info = info_argument();

	ASSERT_EQ(0, call_info(self->device, &info));
	EXPECT_EQ(CORDBMEM_ABI, info.abi);
	EXPECT_TRUE(info.features & CORDBMEM_FEATURE_WINDOW);
	EXPECT_EQ(1ULL << 36, info.window_length);
	EXPECT_EQ(file_number("/sys/module/cordbmem/parameters/window_pages", -1),
		  info.window_pages);
}

/* The struct as it was before windows came. */
TEST_F(values, of_INFO_in_its_first_revision)
{
	struct guarded g = guarded_new(offsetof(struct cordbmem_info, window_length));
	struct cordbmem_info info = info_argument(), known = info_argument();

	ASSERT_EQ(0, call_info(self->device, &known));
	info.size = (uint32_t)g.size;
	memcpy(g.bytes, &info, g.size);
	EXPECT_EQ(0, call(self->device, CORDBMEM_IOC_INFO, g.bytes));
	EXPECT_EQ(0, memcmp(g.bytes + 4, (uint8_t *)&known + 4, g.size - 4));
	EXPECT_TRUE(guarded_intact(&g));
	guarded_free(&g);
}

TEST_F(values, of_fdinfo)
{
	struct cordbmem_populate populate = { .length = 3 * PAGE };
	char path[64], text[1024], line[64];

	ASSERT_EQ(0, call_populate(self->window, &populate));
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", self->window);
	ASSERT_TRUE(file_text(path, text, sizeof(text)));
	snprintf(line, sizeof(line), "Pid:\t%d\n", self->target.pid);
	EXPECT_TRUE(strstr(text, line) != NULL);
	snprintf(line, sizeof(line), "Range:\t%lx-%lx\n", self->address, self->address + SIZE);
	EXPECT_TRUE(strstr(text, line) != NULL);
	EXPECT_TRUE(strstr(text, "Pages:\t3\n") != NULL);
	child_end(&self->target);
	call_sync(self->window);
	ASSERT_TRUE(file_text(path, text, sizeof(text)));
	EXPECT_TRUE(strstr(text, "Pid:\t-1\n") != NULL);
	EXPECT_TRUE(strstr(text, "Pages:\t0\n") != NULL);
}

TEST_F(values, are_not_read_or_written_as_a_file)
{
	char byte;

	EXPECT_EQ(-1, read(self->window, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_EQ(-1, write(self->window, &byte, 1));
	EXPECT_EQ(EBADF, errno);
	EXPECT_EQ(-1, ftruncate(self->window, 0));
}

TEST_HARNESS_MAIN
