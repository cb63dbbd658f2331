// SPDX-License-Identifier: GPL-2.0
/*
 * Whatever happens to whatever kind of memory: what a window says is valid is what the target has,
 * and after SYNC nothing else is to be seen in its mapping.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"
#include "window_kinds.h"

#define HUGETLB_POOL "/proc/sys/vm/nr_hugepages"

FIXTURE(page)
{
	int device;
	int fd;
	struct child target;
	struct window w; /* with a page more on each side */
	long hugetlb_pool;
};

FIXTURE_VARIANT(page)
{
	const struct kind *kind;
	const struct event *event;
};

// clang-format off
#define PAIR(kind_, event_) \
	FIXTURE_VARIANT_ADD(page, kind_##__##event_) { .kind = &(kind_), .event = &(event_) }
#define PRIVATE(event_) \
	PAIR(anonymous, event_); PAIR(zero_page, event_); PAIR(private_file, event_); \
	PAIR(private_file_written, event_)
#define SHARED(event_) PAIR(shared_anonymous, event_); PAIR(tmpfs_file, event_)
#define HUGE(event_) \
	PAIR(hugetlb, event_); PAIR(hugetlb_private, event_); PAIR(huge, event_); \
	PAIR(huge_file, event_)
#define EVERY(event_) \
	PRIVATE(event_); SHARED(event_); HUGE(event_); PAIR(merged, event_); PAIR(disk_file, event_)
#define FILES(event_) \
	PAIR(tmpfs_file, event_); PAIR(memfd, event_); PAIR(private_file, event_); \
	PAIR(private_file_written, event_)
#define FILES_AND_HUGE(event_) FILES(event_); PAIR(huge_file, event_); PAIR(hugetlb, event_)
#define MANY(event_) PRIVATE(event_); SHARED(event_); PAIR(huge, event_)

EVERY(write_in_place); PAIR(stack, write_in_place); PAIR(memfd, write_in_place);
EVERY(poke); PAIR(vdso, poke);
EVERY(write_from_outside);
EVERY(unmap); PAIR(vdso, unmap); PAIR(stack, unmap); PAIR(memfd, unmap);
EVERY(move_away); PAIR(vdso, move_away);
EVERY(forbid); PAIR(vdso, forbid); PAIR(stack, forbid);
EVERY(forbid_and_allow);
EVERY(write_protect);
EVERY(drop); PAIR(vdso, drop); PAIR(stack, drop);
EVERY(fork_and_write); PAIR(stack, fork_and_write);
EVERY(fork_and_child_writes); PAIR(stack, fork_and_child_writes);
EVERY(fork_exit_and_write);
EVERY(leave); PAIR(vdso, leave); PAIR(memfd, leave);
EVERY(exec); PAIR(vdso, exec); PAIR(stack, exec);
MANY(unmap_and_map);
MANY(map_over); PAIR(vdso, map_over);
MANY(move_in);
PAIR(anonymous, mark_free); PAIR(zero_page, mark_free); PAIR(huge, mark_free);
FILES(write_to_file);
FILES_AND_HUGE(truncate_file);
FILES_AND_HUGE(truncate_and_extend);
FILES_AND_HUGE(punch_hole);
SHARED(remove_pages); PAIR(memfd, remove_pages); PAIR(hugetlb, remove_pages);
PAIR(huge_file, remove_pages);
PAIR(anonymous, forget_writes); PAIR(private_file_written, forget_writes); PAIR(huge, forget_writes);
PAIR(anonymous, page_out); PAIR(private_file_written, page_out); PAIR(stack, page_out);
SHARED(page_out); PAIR(memfd, page_out); PAIR(disk_file, page_out); PAIR(huge, page_huge_out);
PAIR(anonymous, take_offline); PAIR(private_file_written, take_offline); PAIR(stack, take_offline);
SHARED(take_offline); PAIR(huge, take_huge_offline); PAIR(huge_file, take_huge_offline);
PAIR(merged, take_offline); PAIR(disk_file, take_offline);
/* (Not hugetlb: 6.12 spins in its own sysctl when the pool grows after a page of it went offline.) */
PAIR(anonymous, poison); PAIR(tmpfs_file, poison); PAIR(huge, poison);
PAIR(anonymous, to_other_node); PAIR(tmpfs_file, to_other_node); PAIR(private_file, to_other_node);
PAIR(tmpfs_file, numa_hint); PAIR(memfd, numa_hint);
PAIR(anonymous, compact); PAIR(tmpfs_file, compact); PAIR(merged, compact); PAIR(huge, compact);
PAIR(small_pages, collapse); PAIR(small_pages, collapse_anew);
PAIR(huge, split); PAIR(huge_file, split);
PAIR(anonymous, merge); PAIR(merged, unmerge);
PAIR(anonymous, userfault_copy); PAIR(tmpfs_file, userfault_copy); PAIR(memfd, userfault_copy);
// clang-format on

FIXTURE_SETUP(page)
{
	long error;

	self->device = device_open();
	self->fd = -1;
	self->w.fd = -1;
	self->hugetlb_pool = -1;
	subject_new(variant->kind);
	if (variant->kind->hugetlb) {
		self->hugetlb_pool = file_number(HUGETLB_POOL, -1);
		if (file_write_number(HUGETLB_POOL, self->hugetlb_pool + 4) ||
		    file_number(HUGETLB_POOL, 0) < self->hugetlb_pool + 4)
			SKIP(return, "no huge pages to be had");
	}
	if (variant->kind->huge_tmpfs) {
		subject->folder = own_tmpfs("size=40m,huge=always");
		if (!subject->folder)
			SKIP(return, "no tmpfs of huge pages: %s", strerror(errno));
	}
	if (variant->event->swap) {
		error = swap_on();
		if (error)
			SKIP(return, "no swap: %s", strerror((int)error));
	}
	self->target = child_start();
	error = child_call(&self->target, variant->kind->make, 0);
	if (error == NOT_HERE)
		SKIP(return, "this kernel has no such memory");
	ASSERT_EQ(0, error)
	TH_LOG("%s", strerror((int)error));
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
	self->w = window_open(self->fd, number(subject->memory) - PAGE,
			      (variant->kind->shown + 2) * PAGE, 0);
}

FIXTURE_TEARDOWN(page)
{
	if (self->w.fd >= 0)
		window_close(&self->w);
	child_end(&self->target);
	if (variant->event->swap)
		swap_off();
	if (subject->folder)
		own_tmpfs_gone();
	if (self->hugetlb_pool >= 0)
		file_write_number(HUGETLB_POOL, self->hugetlb_pool);
}

/* What is wrong with the window on a target that stands still. */
struct disagreement {
	const char *what; /* NULL: nothing */
	size_t page;	  /* of the window */
	size_t valid;	  /* how many are */
	size_t readable;  /* through the target fd */
};

static const uint8_t zeros[PAGE];

/*
 * @raw: the mapping itself, too, shows nothing but what the target has. Where a page cannot be
 * had it is zeros; and it may be where one can, once a touch has found none.
 */
static struct disagreement disagree(const struct window *w, int fd, bool raw)
{
	uint8_t truth[PAGE], seen[PAGE];
	struct disagreement d = { NULL };

	for (size_t page = 0; page < w->size / PAGE; page++) {
		bool valid = window_read(w, page * PAGE, seen, PAGE);
		bool readable = pread_at(fd, truth, PAGE, w->address + page * PAGE) == (long)PAGE;

		d.page = page;
		d.valid += valid;
		d.readable += readable;
		if (valid && !readable)
			d.what = "is valid, and the target has none";
		else if (valid && memcmp(seen, truth, PAGE) != 0)
			d.what = "is valid, and not the target's";
		if (d.what)
			break;
		if (!raw)
			continue;
		memcpy(seen, (const void *)(uintptr_t)(w->data + page * PAGE), PAGE);
		if (readable && memcmp(seen, truth, PAGE) == 0)
			continue;
		if (memcmp(seen, zeros, PAGE) != 0)
			d.what = "shows what the target does not have";
		else if (window_valid(w, page))
			d.what = "shows zeros, and is valid";
		if (d.what)
			break;
	}
	return d;
}

#define EXPECT_TRUTH(raw_, when_)                                               \
	do {                                                                    \
		d = disagree(&self->w, self->fd, (raw_));                       \
		EXPECT_EQ(NULL, d.what)                                         \
		TH_LOG("%s, page %zu of the window %s", when_, d.page, d.what); \
	} while (0)

/* What the window shows now, by the protocol, after SYNC in its mapping, and when it is filled. */
#define EXPECT_TRUTH_IN_ALL_WAYS(when_)                                  \
	do {                                                             \
		EXPECT_TRUTH(false, when_);                              \
		EXPECT_EQ(0, call_sync(self->w.fd));                     \
		EXPECT_TRUTH(true, when_ " and SYNC");                   \
		if (!variant->event->ends) {                             \
			size_t t_pages = window_fill(&self->w);          \
                                                                         \
			EXPECT_TRUTH(true, when_ ", SYNC and POPULATE"); \
			EXPECT_EQ(d.readable, d.valid);                  \
			EXPECT_EQ(d.valid, t_pages);                     \
		}                                                        \
	} while (0)

TEST_F_TIMEOUT(page, is_what_the_target_has_or_not_valid, 240)
{
	const struct event *event = variant->event;
	struct disagreement d;
	long error;

	if (_metadata->skip)
		return;
	window_fill(&self->w);
	EXPECT_TRUTH(true, "at first");
	ASSERT_LE(variant->kind->shown, d.valid);

	error = event->inside ? child_call(&self->target, event->inside, 0)
			      : event->outside(&self->target);
	if (error == NOT_HERE)
		SKIP(return, "this cannot happen here");
	if (!event->tolerated || error != event->tolerated)
		EXPECT_EQ(0, error)
	TH_LOG("%s", strerror((int)error));

	for (size_t i = 0; event->replaces && i < variant->kind->victims && i < SHOWN; i++)
		ASSERT_FALSE(window_valid(&self->w, 1 + variant->kind->victim + i));
	EXPECT_TRUTH_IN_ALL_WAYS("after the event");
	if (event->ends) {
		EXPECT_EQ(0, d.valid);
		EXPECT_EQ(0, window_stats(&self->w).pages);
		return;
	}
	child_call(&self->target, rewrite, 0);
	EXPECT_TRUTH_IN_ALL_WAYS("after the event and a write");
	child_call(&self->target, rewrite, 0);
	EXPECT_TRUTH_IN_ALL_WAYS("after the event and two writes");
}

TEST_HARNESS_MAIN
