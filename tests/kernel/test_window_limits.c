// SPDX-License-Identifier: GPL-2.0
/*
 * How much windows hold, what they cost, and what they leave alone in the target.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "cgroup.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"

#define SEED 14
#define PAGES ((size_t)2600) /* in three chunks or four of 1024 */
#define SIZE (PAGES * PAGE)
#define PARAMETERS "/sys/module/cordbmem/parameters/"
#define NOFAULT CORDBMEM_READ_NOFAULT
#define MIB (1 << 20)

static const struct {
	const char *path;
	long standard;
} parameters[] = {
	{ PARAMETERS "window_pages", 1 << 18 },
	{ PARAMETERS "file_pages", 1 << 20 },
	{ PARAMETERS "file_windows", 256 },
	{ PARAMETERS "window_lease", 10 },
};

enum limit { WINDOW_PAGES, FILE_PAGES, FILE_WINDOWS, WINDOW_LEASE };

static void set_standards(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
		file_write_number(parameters[i].path, parameters[i].standard);
}

static void set_limit(enum limit limit, long number)
{
	errno = file_write_number(parameters[limit].path, number);
	if (errno)
		die("%s", parameters[limit].path);
}

FIXTURE(limit)
{
	int device;
	int fd;
	uint8_t *source;
	struct child target;
};

FIXTURE_SETUP(limit)
{
	self->device = device_open();
	self->source = island_pages(PAGES);
	pattern_fill(self->source, SIZE, SEED, number(self->source));
	self->target = child_start();
	munmap(self->source, SIZE);
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(limit)
{
	child_end(&self->target);
	set_standards();
}

static bool page_is_true(const struct window *w, size_t page)
{
	return pattern_check((const void *)(uintptr_t)(w->data + page * PAGE), PAGE, SEED,
			     w->address + page * PAGE) == PAGE;
}

/* Which are valid, and they tell the truth. */
static size_t count_valid(const struct window *w)
{
	uint8_t bytes[PAGE];
	size_t valid = 0;

	for (size_t page = 0; page < w->size / PAGE; page++) {
		if (!window_read(w, page * PAGE, bytes, PAGE))
			continue;
		if (pattern_check(bytes, PAGE, SEED, w->address + page * PAGE) != PAGE)
			die("page %zu is valid and wrong", page);
		valid++;
	}
	return valid;
}

TEST_F(limit, is_as_documented_by_default)
{
	for (size_t i = 0; i < ARRAY_SIZE(parameters); i++)
		EXPECT_EQ(parameters[i].standard, file_number(parameters[i].path, -1));
}

TEST_F(limit, is_told_by_INFO)
{
	static const long values[] = { 1, 100, 1 << 20 };
	struct cordbmem_info info;

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		set_limit(WINDOW_PAGES, values[i]);
		info = info_argument();
		ASSERT_EQ(0, call_info(self->device, &info));
		EXPECT_EQ(values[i], info.window_pages);
	}
}

/* ---- pages ---- */

static struct watch {
	const struct window *w;
	uint64_t most;
	int stop;
} watch;

static void *watch_pages(void *unused)
{
	while (!__atomic_load_n(&watch.stop, __ATOMIC_SEQ_CST)) {
		uint64_t pages = window_stats(watch.w).pages;

		if (pages > watch.most)
			watch.most = pages;
	}
	return unused;
}

/* Each of as many pages as are some rounds of eviction. */
TEST_F(limit, of_a_windows_pages_is_kept_at_every_moment)
{
	static const struct {
		uint64_t limit;
		size_t pages;
	} table[] = { { 1, 40 },      { 2, 40 },       { 17, 100 },    { 64, 300 },
		      { 300, PAGES }, { 1024, PAGES }, { 2000, PAGES } };

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		uint64_t limit = table[i].limit;
		struct cordbmem_stats stats;
		pthread_t thread;
		struct window w;

		set_limit(WINDOW_PAGES, (long)limit);
		w = window_open(self->fd, number(self->source), table[i].pages * PAGE, 0);
		watch = (struct watch){ .w = &w };
		ASSERT_EQ(0, pthread_create(&thread, NULL, watch_pages, NULL));
		window_fill(&w);
		/* and by touches, which all find what they want, in any order */
		for (size_t touch = 0; touch < 80; touch++)
			ASSERT_TRUE(page_is_true(&w, touch * 7919 % table[i].pages));
		__atomic_store_n(&watch.stop, 1, __ATOMIC_SEQ_CST);
		pthread_join(thread, NULL);
		EXPECT_GE(limit, watch.most);

		EXPECT_EQ(0, call_sync(w.fd));
		stats = window_stats(&w);
		EXPECT_LT(0, stats.pages);
		EXPECT_GE(limit, stats.pages);
		EXPECT_LT(0, stats.evicted);
		EXPECT_EQ(stats.pages, stats.filled - stats.evicted - stats.invalidated);
		EXPECT_EQ(stats.pages, count_valid(&w));
		window_close(&w);
	}
}

TEST_F(limit, of_a_file_is_shared_by_its_windows)
{
	struct cordbmem_populate populate = { .length = 400 * PAGE };
	struct window a, b, c;
	int other;

	set_limit(FILE_PAGES, 300);
	a = window_open(self->fd, number(self->source), 300 * PAGE, 0);
	b = window_open(self->fd, number(self->source), 400 * PAGE, 0);
	window_fill(&a);
	EXPECT_EQ(300, window_stats(&a).pages);
	/* Nothing is left, and nobody takes from another window. */
	EXPECT_EQ(ENOSPC, call_populate(b.fd, &populate));
	EXPECT_EQ(300, window_stats(&a).pages);
	EXPECT_EQ(0, window_stats(&b).pages);
	EXPECT_EQ(0, count_valid(&b));
	EXPECT_EQ(0, b.data[5]);
	/* Another open device has a limit of its own. */
	other = attach(device_open(), self->target.pid, 0);
	ASSERT_LE(0, other);
	c = window_open(other, number(self->source), 300 * PAGE, 0);
	EXPECT_EQ(300, window_fill(&c));
	EXPECT_EQ(300, window_stats(&c).pages);
	window_close(&a);
	/* which gives its pages back */
	EXPECT_EQ(400, window_fill(&b));
	EXPECT_LT(0, window_stats(&b).pages);
	EXPECT_GE(300, window_stats(&b).pages);
}

/* The device is closed, and what it allows is still counted. */
TEST_F(limit, of_a_file_outlives_its_fd)
{
	struct cordbmem_populate populate = { .length = 100 * PAGE };
	struct window a, b;
	int second = attach(self->device, self->target.pid, 0);

	close(self->device);
	set_limit(FILE_PAGES, 100);
	a = window_open(self->fd, number(self->source), 100 * PAGE, 0);
	b = window_open(second, number(self->source), 100 * PAGE, 0);
	EXPECT_EQ(100, window_fill(&a));
	EXPECT_EQ(ENOSPC, call_populate(b.fd, &populate));
}

TEST_F(limit, of_windows_is_ENOSPC)
{
	int fds[40], before = open_fds(), other;
	struct window mapped;

	set_limit(FILE_WINDOWS, 33);
	mapped = window_open(self->fd, number(self->source), PAGE, 0);
	for (int i = 0; i < 32; i++) {
		fds[i] = window_fd(self->fd, number(self->source), SIZE, 0);
		ASSERT_LE(0, fds[i]);
	}
	EXPECT_EQ(-ENOSPC, window_fd(self->fd, number(self->source), SIZE, 0));
	/* A window that is mapped is one, with or without its fd. */
	close(mapped.fd);
	EXPECT_EQ(-ENOSPC, window_fd(self->fd, number(self->source), SIZE, 0));
	EXPECT_EQ(before + 32, open_fds());
	other = attach(device_open(), self->target.pid, 0);
	EXPECT_LE(0, window_fd(other, number(self->source), SIZE, 0));
	close(fds[7]);
	fds[7] = window_fd(self->fd, number(self->source), SIZE, 0);
	EXPECT_LE(0, fds[7]);
	window_close(&mapped);
	EXPECT_LE(0, window_fd(self->fd, number(self->source), SIZE, 0));
	EXPECT_EQ(-ENOSPC, window_fd(self->fd, number(self->source), SIZE, 0));
}

TEST_F(limit, of_nothing_still_leaves_one_page)
{
	struct cordbmem_populate populate = { .length = SIZE };
	struct window w;

	set_limit(WINDOW_PAGES, 0);
	w = window_open(self->fd, number(self->source), SIZE, 0);
	for (size_t page = 0; page < 40; page++)
		EXPECT_TRUE(page_is_true(&w, page));
	EXPECT_GE(1, window_stats(&w).pages);
	/* None at all for the file: zeros, and not valid. */
	set_limit(FILE_PAGES, 0);
	window_close(&w);
	w = window_open(self->fd, number(self->source), SIZE, 0);
	EXPECT_EQ(ENOSPC, call_populate(w.fd, &populate));
	EXPECT_EQ(0, w.data[5]);
	EXPECT_FALSE(window_valid(&w, 0));
	EXPECT_EQ(0, window_stats(&w).pages);
}

TEST_F(limit, of_the_largest_number_is_none)
{
	struct window w;

	ASSERT_EQ(0, file_write(parameters[WINDOW_PAGES].path, "18446744073709551615"));
	ASSERT_EQ(0, file_write(parameters[FILE_PAGES].path, "18446744073709551615"));
	w = window_open(self->fd, number(self->source), SIZE, 0);
	EXPECT_TRUE(page_is_true(&w, 7));
	EXPECT_EQ(PAGES, window_fill(&w));
	EXPECT_EQ(PAGES, count_valid(&w));
}

/* ---- time ---- */

TEST_F(limit, of_time_ends_for_pages_that_are_read_too)
{
	struct window w;
	double begin;

	set_limit(WINDOW_LEASE, 1);
	w = window_open(self->fd, number(self->source), SIZE, 0);
	begin = seconds();
	EXPECT_EQ(PAGES, window_fill(&w));
	while (window_valid(&w, 7) && seconds() < begin + 10)
		EXPECT_TRUE(page_is_true(&w, 7));
	/* The kernel's clock of ticks lags where a CPU is kept from running. */
	EXPECT_LE(0.5, seconds() - begin);
	while (count_valid(&w) && seconds() < begin + 10)
		usleep(10000);
	EXPECT_EQ(0, count_valid(&w));
	EXPECT_EQ(0, call_sync(w.fd));
	EXPECT_EQ(0, window_stats(&w).pages);
	/* Where the time was up just before the last look, that look had some mapped again. */
	EXPECT_LE(PAGES, window_stats(&w).evicted);
	/* Whoever wants them again has them again. */
	EXPECT_TRUE(page_is_true(&w, 7));
	EXPECT_EQ(PAGES, window_fill(&w));
	EXPECT_EQ(PAGES, count_valid(&w));
}

TEST_F(limit, of_time_can_be_none)
{
	struct window w;

	set_limit(WINDOW_LEASE, 0);
	w = window_open(self->fd, number(self->source), SIZE, 0);
	EXPECT_EQ(PAGES, window_fill(&w));
	sleep(1);
	EXPECT_EQ(PAGES, count_valid(&w));
	EXPECT_EQ(0, window_stats(&w).evicted);
}

/* ---- costs ---- */

#define WIDE ((size_t)1 << 36)
#define SPARSE 64

/* In the target: pages far from each other in a range of the longest length. */
static uint8_t *wide;

static long scatter(long unused)
{
	(void)unused;
	for (size_t at = 0; at < WIDE; at += WIDE / SPARSE) {
		if (!pages_at(wide + at, PAGE))
			return errno;
		pattern_fill(wide + at, PAGE, SEED, number(wide + at));
	}
	return 0;
}

TEST_F(limit, of_length_costs_what_is_looked_at)
{
	long before, open, filled, after;
	struct window w;
	double begin;

	errno = cgroup_new();
	if (errno)
		SKIP(return, "no memory cgroup: %s", strerror(errno));
	wide = island_hole(WIDE);
	child_end(&self->target);
	self->target = child_start();
	ASSERT_EQ(0, child_call(&self->target, scatter, 0));
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);

	cgroup_enter(getpid());
	before = cgroup_number("memory.current");
	w = window_open(self->fd, number(wide), WIDE, 0);
	open = cgroup_number("memory.current");
	begin = seconds();
	EXPECT_EQ(SPARSE, window_fill(&w));
	EXPECT_GT(10, seconds() - begin);
	for (size_t page = 0; page < WIDE / PAGE; page += WIDE / SPARSE / PAGE) {
		EXPECT_TRUE(window_valid(&w, page));
		EXPECT_TRUE(page_is_true(&w, page));
	}
	filled = cgroup_number("memory.current");
	EXPECT_EQ(SPARSE, window_stats(&w).pages);
	window_close(&w);
	after = cgroup_number("memory.current");
	TH_LOG("KiB: open %ld, with %d pages %ld, closed %ld", (open - before) >> 10, SPARSE,
	       (filled - before) >> 10, (after - before) >> 10);
	/* State words, a table of pages and page tables of two mappings for each place: 20 KiB, or 32 with debugging. */
	EXPECT_GT(MIB / 4, open - before);
	EXPECT_GT(SPARSE * 40L * 1024, filled - before);
	EXPECT_LT(SPARSE * 4L * 1024, filled - before);
	EXPECT_GT((filled - before) / 2, after - before);
	file_write_number("/sys/fs/cgroup/cgroup.procs", getpid());
	cgroup_gone();
}

/* ---- what is left alone ---- */

static long map_untouched(long unused)
{
	(void)unused;
	if (!pages_at(wide, SIZE) || madvise(wide, SIZE, MADV_NOHUGEPAGE))
		return errno;
	/* every tenth page */
	for (size_t at = 0; at < SIZE; at += 10 * PAGE)
		wide[at] = 1;
	return 0;
}

TEST_F(limit, of_NOFAULT_leaves_untouched_memory_untouched)
{
	struct cordbmem_populate populate = { .flags = NOFAULT, .length = SIZE };
	struct window w, faulting;
	long resident;

	wide = island_hole(SIZE);
	child_end(&self->target);
	self->target = child_start();
	ASSERT_EQ(0, child_call(&self->target, map_untouched, 0));
	self->fd = attach(self->device, self->target.pid, 0);
	wait_for_state(self->target.pid, 'S');
	resident = resident_pages(self->target.pid);

	w = window_open(self->fd, number(wide), SIZE, NOFAULT);
	for (size_t page = 0; page < 200; page++)
		EXPECT_EQ(page % 10 == 0, w.data[page * PAGE]);
	faulting = window_open(self->fd, number(wide), SIZE, 0);
	EXPECT_EQ(0, call_populate(faulting.fd, &populate));
	EXPECT_EQ(SIZE, populate.done);
	EXPECT_EQ(PAGES / 10, populate.pages);
	for (size_t page = 0; page < PAGES; page++)
		ASSERT_EQ(page % 10 == 0, window_valid(&faulting, page));
	EXPECT_EQ(resident, resident_pages(self->target.pid));
	EXPECT_FALSE(page_present(self->target.pid, number(wide) + PAGE));

	/* One touch is one page, whatever lies around it. */
	EXPECT_EQ(0, faulting.data[15 * PAGE]);
	EXPECT_TRUE(page_present(self->target.pid, number(wide) + 15 * PAGE));
	EXPECT_FALSE(page_present(self->target.pid, number(wide) + 14 * PAGE));
	EXPECT_FALSE(page_present(self->target.pid, number(wide) + 16 * PAGE));
	EXPECT_TRUE(window_valid(&faulting, 15));
	/* which is there for the others now, when they ask */
	populate.flags = NOFAULT;
	EXPECT_EQ(0, call_populate(w.fd, &populate));
	EXPECT_EQ(PAGES / 10 + 1, populate.pages);
	EXPECT_TRUE(window_valid(&w, 15));
}

TEST_HARNESS_MAIN
