/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory of every kind in a target, and what can happen to it there.
 *
 * A test that wants some sets up the subject and then forks off the target.
 */
#ifndef WINDOW_KINDS_H
#define WINDOW_KINDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "call.h"
#include "child.h"

#define HUGE_PAGE ((size_t)2 << 20)
#define HUGE_PAGES (HUGE_PAGE / PAGE)

/* The most pages of the memory that are written, and that a window shows; some of a huge one. */
#define SHOWN ((size_t)24)

/* What does not exist on this machine; the test is skipped. */
#define NOT_HERE ENODEV

/*
 * Events happen to the victims, which are some of the pages, so that there are others to compare
 * with.
 */
struct kind {
	child_function *make; /* in the target: 0 or an errno */
	size_t pages;
	size_t victim; /* the first */
	size_t victims;
	size_t shown;	 /* of the pages */
	bool hugetlb;	 /* takes pages of the pool */
	bool huge_tmpfs; /* is in a file system of its own */
};

extern const struct kind anonymous, zero_page, small_pages, shared_anonymous, merged, stack,
	tmpfs_file, memfd, private_file, private_file_written, disk_file, hugetlb, hugetlb_private,
	huge, huge_file;
/* As large as this kernel's, since it cannot be split; known before main(). */
extern struct kind vdso;

struct event {
	child_function *inside;			    /* in the target: 0 or an errno */
	int (*outside)(const struct child *target); /* or in the test */
	int tolerated;				    /* that the kernel may answer with */
	bool replaces;				    /* all victims, for certain */
	bool ends;				    /* the target's memory */
	bool swap;				    /* is needed */
};

extern const struct event write_in_place, poke, write_from_outside, unmap, unmap_and_map, map_over,
	move_away, move_in, forbid, forbid_and_allow, write_protect, drop, mark_free, page_out,
	fork_and_write, fork_and_child_writes, fork_exit_and_write, truncate_file,
	truncate_and_extend, punch_hole, write_to_file, remove_pages, forget_writes, collapse,
	collapse_anew, split, take_offline, take_huge_offline, page_huge_out, to_other_node,
	numa_hint, compact, poison, merge, unmerge, userfault_copy, leave, exec;

/* Shared with the target. */
struct subject {
	const struct kind *kind;
	uint8_t *memory;    /* where the kind is; made by it where it is not a mapping of its own */
	const char *folder; /* for huge_tmpfs */
	int source;	    /* bytes to write */
	size_t generation;  /* of what was written last */
};

extern struct subject *subject;

/* In the target: the file of a kind that has one, else -1. */
extern int subject_file;

/* For the test: before the target is forked off. */
void subject_new(const struct kind *kind);

/*
 * In the target: writes new bytes to all pages that are shown, as far as they can be written, by the processor's
 * own stores in the kernel's copy to user space. Returns how many pages.
 */
long rewrite(long unused);

/* In the target: has the kernel merge all pages, which are alike. 0 or an errno. */
int merge_pages(void);

/* A swap device of our own, 0 or an errno. */
int swap_on(void);
void swap_off(void);

#endif
