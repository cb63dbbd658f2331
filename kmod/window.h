/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The live window: a range of a target's memory, mapped into its tracer.
 *
 * A page of a window is in one of four states, kept in bitmaps of its chunk:
 *
 *	empty	no PTE of a tracer maps anything for it
 *	fresh	the target's own page, with a reference; PTEs may map it. The state
 *		word is valid
 *	stale	was fresh, and the target replaced it. PTEs may still map it. Only
 *		the worker makes it empty, after it removed the PTEs
 *	zero	PTEs may map the zero page
 *
 * The callback of the notifier, which may not sleep, makes fresh pages stale and
 * their words invalid. Whoever inserts PTEs is on window->inserts meanwhile, and
 * takes them out again if a page went stale; what such an insertion covers the
 * worker leaves stale. So a page that is empty, and with it one that becomes
 * fresh, has no PTE of anything else: valid words tell the truth.
 */
#ifndef _CORDBMEM_WINDOW_H
#define _CORDBMEM_WINDOW_H

#include <linux/bits.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mmu_notifier.h>
#include <linux/spinlock.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>

#include "cordbmem.h"
#include "quota.h"

#ifdef CONFIG_MMU_NOTIFIER

/* Pages whose state words fill one page: 4 MiB of the target. */
#define WINDOW_CHUNK (PAGE_SIZE / sizeof(u32))

/* The longest range; bounds the memory for state words to 64 MiB a window. */
#define WINDOW_LENGTH BIT_ULL(36)

/* Pages that are looked up, or inserted, at a time. */
#define WINDOW_BATCH 64

/**
 * struct window_chunk - the state of WINDOW_CHUNK pages
 * @state:	their state words, one page that tracers map
 * @pages:	the target's pages, where fresh or stale; NULL until one was
 * @fresh:	which are
 * @stale:	which are
 * @zero:	which are
 * @stale_node:	on window->stale while a page is stale that the worker shall see
 * @index:	of this chunk in the window
 * @since:	jiffies when the first of the fresh pages became so
 */
struct window_chunk {
	u32 *state;
	struct page **pages;
	DECLARE_BITMAP(fresh, WINDOW_CHUNK);
	DECLARE_BITMAP(stale, WINDOW_CHUNK);
	DECLARE_BITMAP(zero, WINDOW_CHUNK);
	struct list_head stale_node;
	unsigned long index;
	unsigned long since;
};

/**
 * struct window_use - pages in the hands of somebody who does not hold the lock
 * @node:	on window->inserts or window->fills
 * @first:	first page
 * @last:	last page
 * @hit:	the target replaced one of them
 */
struct window_use {
	struct list_head node;
	unsigned long first;
	unsigned long last;
	bool hit;
};

/**
 * struct window - what a window fd stands for
 * @target:	whose memory, a reference
 * @quota:	what it counts against, a reference
 * @address:	first byte in the target
 * @nr_pages:	length in pages
 * @gup_flags:	FOLL_* of touches
 * @notifier:	hears what the target does with the range
 * @mapping:	of the inode of this window alone, to find its PTEs by
 * @work:	the worker
 * @lease:	lets go of pages that were held for long
 * @lock:	all below, the contents of the chunks, and their state words. Taken
 *		by the callback, under whatever locks the target holds
 * @chunks:	struct window_chunk; never removed before the end
 * @stale:	chunks with work for the worker
 * @inserts:	struct window_use of insertions under way
 * @fills:	struct window_use of fills under way
 * @pages:	pages held: fresh and stale
 * @fresh:	of these, the fresh ones
 * @active:	events of the target in the range that are under way
 * @active_first: first page that one of them touches, since @active was 0
 * @active_last: last page, likewise
 * @hand:	the chunk that is next to give up its pages
 * @stats:	counters of struct cordbmem_stats
 */
struct window {
	struct cordbmem_target *target;
	struct cordbmem_quota *quota;
	u64 address;
	unsigned long nr_pages;
	unsigned int gup_flags;
	struct mmu_notifier notifier;
	struct address_space *mapping;
	struct delayed_work work;
	struct delayed_work lease;
	spinlock_t lock; /* see above */
	struct xarray chunks;
	struct list_head stale;
	struct list_head inserts;
	struct list_head fills;
	unsigned long pages;
	unsigned long fresh;
	unsigned long active;
	unsigned long active_first;
	unsigned long active_last;
	unsigned long hand;
	struct cordbmem_stats stats;
};

static inline bool window_use_meets(const struct window_use *use,
				    unsigned long first, unsigned long last)
{
	return use->first <= last && use->last >= first;
}

/* window.c */
struct window *window_new(struct cordbmem_target *target,
			  struct cordbmem_quota *quota, u64 address,
			  u64 length, unsigned int gup_flags, bool nowait);
void window_free(struct window *w);
unsigned long window_make_stale(struct window *w, struct window_chunk *chunk,
				unsigned long first, unsigned long last);
void window_unmake_zero(struct window *w, struct window_chunk *chunk,
			unsigned long bit);
void window_keep_lease(struct window *w, struct window_chunk *chunk);
void window_wake_worker(struct window *w, struct window_chunk *chunk);
void window_flush(struct window *w);
int window_sync(struct window *w);
int window_work_init(void);
void window_work_exit(void);

/* window_fill.c */
struct window_chunk *window_chunk_get(struct window *w, unsigned long page);
long window_fill(struct window *w, unsigned long first, unsigned long last,
		 unsigned int gup_flags);
int window_populate(struct window *w, unsigned long first, unsigned long count,
		    unsigned int gup_flags, u64 *pages, u64 *done);

/* window_fault.c */
extern const struct vm_operations_struct window_data_ops;
extern const struct vm_operations_struct window_state_ops;

/* window_file.c */
int cordbmem_window_init(void);
void cordbmem_window_exit(void);
int cordbmem_window_ioctl(struct cordbmem_target *target,
			  struct cordbmem_quota *quota, void *arg,
			  void __user *uarg);
void cordbmem_window_info(struct cordbmem_info *info);

#else

static inline int cordbmem_window_init(void)
{
	return 0;
}

static inline void cordbmem_window_exit(void)
{
}

static inline int cordbmem_window_ioctl(struct cordbmem_target *target,
					struct cordbmem_quota *quota, void *arg,
					void __user *uarg)
{
	return -EOPNOTSUPP;
}

static inline void cordbmem_window_info(struct cordbmem_info *info)
{
	info->window_length = 0;
	info->window_pages = 0;
}

#endif /* CONFIG_MMU_NOTIFIER */
#endif /* _CORDBMEM_WINDOW_H */
