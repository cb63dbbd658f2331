// SPDX-License-Identifier: GPL-2.0
/*
 * A window's life, what the target's events do to it, and its worker.
 */
#include <linux/bitmap.h>
#include <linux/delay.h>
#include <linux/err.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "compat.h"
#include "cordbmem.h"
#include "window.h"

/*
 * How long a page that was replaced may stay. Not at once, since waking somebody
 * from within the target's own event costs the target more than a timer,
 * and a burst of events is worth one pass. Whoever needs the page sooner flushes.
 */
#define WINDOW_DELAY 1

/* Pages between two that are to be unmapped which are worth a call of their own. */
#define WINDOW_ZAP_GAP 32

/* An own queue, because its work sets memory free. */
static struct workqueue_struct *window_wq;

/* Tells those who have pages in their hands that these changed. */
static void window_hit(struct list_head *uses, unsigned long first,
		       unsigned long last)
{
	struct window_use *use;

	list_for_each_entry(use, uses, node)
		if (window_use_meets(use, first, last))
			use->hit = true;
}

/**
 * window_wake_worker - there are stale pages
 * @w: the window
 * @chunk: where
 *
 * Caller holds the lock.
 */
void window_wake_worker(struct window *w, struct window_chunk *chunk)
{
	if (list_empty(&chunk->stale_node))
		list_add_tail(&chunk->stale_node, &w->stale);
	queue_delayed_work(window_wq, &w->work, WINDOW_DELAY);
}

/**
 * window_make_stale - fresh pages of a chunk are no longer the target's
 * @w: the window
 * @chunk: the chunk
 * @first: first page, from the chunk's first
 * @last: last page, likewise
 *
 * Caller holds the lock.
 *
 * Return: how many were fresh.
 */
unsigned long window_make_stale(struct window *w, struct window_chunk *chunk,
				unsigned long first, unsigned long last)
{
	unsigned long bit, count = 0;

	lockdep_assert_held(&w->lock);
	for (bit = find_next_bit(chunk->fresh, last + 1, first); bit <= last;
	     bit = find_next_bit(chunk->fresh, last + 1, bit + 1)) {
		u32 word = chunk->state[bit];

		/* the next generation, and not valid */
		WRITE_ONCE(chunk->state[bit],
			   (word & ~CORDBMEM_WINDOW_VALID) + 2);
		__clear_bit(bit, chunk->fresh);
		__set_bit(bit, chunk->stale);
		count++;
	}
	if (count) {
		unsigned long base = chunk->index * WINDOW_CHUNK;

		w->fresh -= count;
		window_hit(&w->inserts, base + first, base + last);
		window_wake_worker(w, chunk);
	}
	return count;
}

/**
 * window_unmake_zero - a page shall no longer be zeros
 * @w: the window
 * @chunk: where it is
 * @bit: which, from the chunk's first
 *
 * Its PTEs map the zero page, so it is stale first. Caller holds the lock.
 */
void window_unmake_zero(struct window *w, struct window_chunk *chunk,
			unsigned long bit)
{
	unsigned long page = chunk->index * WINDOW_CHUNK + bit;

	lockdep_assert_held(&w->lock);
	__clear_bit(bit, chunk->zero);
	__set_bit(bit, chunk->stale);
	window_hit(&w->inserts, page, page);
	window_wake_worker(w, chunk);
}

/**
 * window_keep_lease - a chunk that had no fresh page is about to have one
 * @w: the window
 * @chunk: the chunk
 *
 * Caller holds the lock.
 */
void window_keep_lease(struct window *w, struct window_chunk *chunk)
{
	unsigned long lease = quota_lease();

	chunk->since = jiffies;
	if (lease)
		queue_delayed_work(window_wq, &w->lease, lease);
}

/*
 * Lets go of what has been held for the time of a lease, however often it is read: whoever
 * reads it asks for it again. Some in the kernel look at a page's references
 * before they tell the notifiers (splitting and reclaim of huge pages, compaction
 * of anonymous memory, collapse), and would never get at a page that is held.
 */
static void window_end_leases(struct work_struct *work)
{
	struct window *w =
		container_of(to_delayed_work(work), struct window, lease);
	unsigned long lease = quota_lease(), index, next = 0;
	struct window_chunk *chunk;

	if (!lease)
		return;
	xa_for_each(&w->chunks, index, chunk) {
		unsigned long age;

		spin_lock(&w->lock);
		age = jiffies - chunk->since;
		if (bitmap_empty(chunk->fresh, WINDOW_CHUNK)) {
			/* nothing to let go of */
		} else if (age >= lease) {
			w->stats.evicted += window_make_stale(w, chunk, 0,
							      WINDOW_CHUNK - 1);
		} else if (!next || lease - age < next) {
			next = lease - age;
		}
		spin_unlock(&w->lock);
		cond_resched();
	}
	if (next)
		queue_delayed_work(window_wq, &w->lease, next);
}

/* What an event touches of the window; false: nothing. */
static bool window_touched(const struct window *w,
			   const struct mmu_notifier_range *range,
			   unsigned long *first, unsigned long *last)
{
	u64 end = w->address + ((u64)w->nr_pages << PAGE_SHIFT);

	if (range->start >= end || range->end <= w->address)
		return false;
	*first = (max_t(u64, range->start, w->address) - w->address) >>
		 PAGE_SHIFT;
	*last = (min_t(u64, range->end, end) - 1 - w->address) >> PAGE_SHIFT;
	return true;
}

/* Caller holds the lock. */
static void window_invalidate(struct window *w, unsigned long first,
			      unsigned long last)
{
	struct window_chunk *chunk;
	unsigned long index;

	window_hit(&w->fills, first, last);
	/* A window that shows nothing costs the target next to nothing. */
	if (!w->fresh)
		return;
	xa_for_each_range(&w->chunks, index, chunk, first / WINDOW_CHUNK,
			  last / WINDOW_CHUNK) {
		unsigned long base = index * WINDOW_CHUNK;
		unsigned long from = max(first, base) - base;
		unsigned long to = min(last - base, WINDOW_CHUNK - 1);

		w->stats.invalidated += window_make_stale(w, chunk, from, to);
	}
}

/*
 * Called while the target is about to change a range, with any locks held,
 * and in reclaim: it may not sleep, allocate, or touch a page table.
 *
 * Not an interval notifier, although that would be called for the range only: who
 * asks one whether an event is under way has to wait, and cannot be killed, until
 * none is in the whole mm. A target with a few threads in madvise() never lets
 * that come.
 */
static int window_range_start(struct mmu_notifier *notifier,
			      const struct mmu_notifier_range *range)
{
	struct window *w = container_of(notifier, struct window, notifier);
	unsigned long first, last;

	if (!window_touched(w, range, &first, &last))
		return 0;
	spin_lock(&w->lock);
	if (!w->active++) {
		w->active_first = first;
		w->active_last = last;
	} else {
		w->active_first = min(w->active_first, first);
		w->active_last = max(w->active_last, last);
	}
	window_invalidate(w, first, last);
	spin_unlock(&w->lock);
	return 0;
}

static void window_range_end(struct mmu_notifier *notifier,
			     const struct mmu_notifier_range *range)
{
	struct window *w = container_of(notifier, struct window, notifier);
	unsigned long first, last;

	if (!window_touched(w, range, &first, &last))
		return;
	spin_lock(&w->lock);
	w->active--;
	spin_unlock(&w->lock);
}

/* The mm is about to be torn down, without further words. */
static void window_mm_release(struct mmu_notifier *notifier,
			      struct mm_struct *mm)
{
	struct window *w = container_of(notifier, struct window, notifier);

	spin_lock(&w->lock);
	window_invalidate(w, 0, w->nr_pages - 1);
	spin_unlock(&w->lock);
}

static const struct mmu_notifier_ops window_notifier_ops = {
	.release		= window_mm_release,
	.invalidate_range_start	= window_range_start,
	.invalidate_range_end	= window_range_end,
};

/*
 * Takes what is set out of the page tables of all who mapped the window. What is close
 * together goes at once, with what is between, which faults in again.
 */
static void window_zap(struct window *w, unsigned long base,
		       const unsigned long *set)
{
	unsigned long first, last, next;

	for (first = find_first_bit(set, WINDOW_CHUNK); first < WINDOW_CHUNK;
	     first = next) {
		last = first;
		for (;;) {
			next = find_next_bit(set, WINDOW_CHUNK, last + 1);
			if (next >= WINDOW_CHUNK ||
			    next - last > WINDOW_ZAP_GAP)
				break;
			last = next;
		}
		unmap_mapping_range(w->mapping,
				    (loff_t)(base + first) << PAGE_SHIFT,
				    (loff_t)(last - first + 1) << PAGE_SHIFT, 1);
	}
}

/*
 * Makes what is set, of which no PTE is left, empty; but for what an insertion
 * under way covers. That one wakes the worker again when it is done. Insertions that
 * begin meanwhile do not matter: they cover fresh pages only.
 */
static void window_release(struct window *w, struct window_chunk *chunk,
			   unsigned long *set)
{
	unsigned long base = chunk->index * WINDOW_CHUNK, bit = 0;
	struct page *pages[WINDOW_BATCH];
	struct window_use *use;

	spin_lock(&w->lock);
	list_for_each_entry(use, &w->inserts, node) {
		if (window_use_meets(use, base, base + WINDOW_CHUNK - 1)) {
			unsigned long from = max(use->first, base) - base;
			unsigned long to = min(use->last - base,
					       WINDOW_CHUNK - 1);

			bitmap_clear(set, from, to - from + 1);
		}
	}
	while (bit < WINDOW_CHUNK) {
		unsigned int count = 0, i;

		for_each_set_bit_from(bit, set, WINDOW_CHUNK) {
			if (count == WINDOW_BATCH)
				break;
			__clear_bit(bit, chunk->stale);
			/* It was the zero page. */
			if (!chunk->pages || !chunk->pages[bit])
				continue;
			pages[count++] = chunk->pages[bit];
			chunk->pages[bit] = NULL;
		}
		w->pages -= count;
		spin_unlock(&w->lock);
		for (i = 0; i < count; i++)
			put_page(pages[i]);
		quota_give_pages(w->quota, count);
		cond_resched();
		spin_lock(&w->lock);
	}
	spin_unlock(&w->lock);
}

static struct window_chunk *window_next_stale(struct window *w,
					      unsigned long *set)
{
	struct window_chunk *chunk;

	spin_lock(&w->lock);
	chunk = list_first_entry_or_null(&w->stale, struct window_chunk,
					 stale_node);
	if (chunk) {
		list_del_init(&chunk->stale_node);
		bitmap_copy(set, chunk->stale, WINDOW_CHUNK);
	}
	spin_unlock(&w->lock);
	return chunk;
}

/* The only one that makes stale pages empty; runs once at a time. */
static void window_work(struct work_struct *work)
{
	struct window *w =
		container_of(to_delayed_work(work), struct window, work);
	DECLARE_BITMAP(set, WINDOW_CHUNK);
	struct window_chunk *chunk;

	while ((chunk = window_next_stale(w, set))) {
		window_zap(w, chunk->index * WINDOW_CHUNK, set);
		window_release(w, chunk, set);
	}
}

/**
 * window_flush - wait until what is stale now is empty
 * @w: the window
 *
 * Or until insertions under way have left it to the next time. The caller
 * holds no lock.
 */
void window_flush(struct window *w)
{
	flush_delayed_work(&w->work);
}

/**
 * window_sync - wait until no PTE maps what is stale now
 * @w: the window
 *
 * An insertion under way takes its own PTEs out. The caller holds no lock.
 *
 * Return: 0 or -EINTR.
 */
int window_sync(struct window *w)
{
	struct window_use *use;
	bool busy;

	do {
		window_flush(w);
		busy = false;
		spin_lock(&w->lock);
		list_for_each_entry(use, &w->inserts, node)
			busy |= use->hit;
		spin_unlock(&w->lock);
		if (busy) {
			schedule_timeout_killable(1);
			if (fatal_signal_pending(current))
				return -EINTR;
		}
	} while (busy);
	return 0;
}

/* For a few milliseconds, without standing in anybody's way. */
static int window_try_lock(struct mm_struct *mm)
{
	int tries = 50;

	while (!cordbmem_mmap_write_trylock(mm)) {
		if (!--tries || fatal_signal_pending(current))
			return -EAGAIN;
		usleep_range(50, 100);
	}
	return 0;
}

static int window_register(struct window *w, bool nowait)
{
	struct mm_struct *mm = w->target->mm;
	int ret;

	w->notifier.ops = &window_notifier_ops;
	if (!mmget_not_zero(mm))
		return -ESRCH;
	/* Somebody may hold it over a page fault for long. */
	ret = nowait ? window_try_lock(mm) : mmap_write_lock_killable(mm);
	if (!ret) {
		ret = __mmu_notifier_register(&w->notifier, mm);
		mmap_write_unlock(mm);
	}
	mmput(mm);
	return ret;
}

/**
 * window_new - make a window that maps nothing yet
 * @target: whose memory
 * @quota: what it counts against
 * @address: first byte
 * @length: bytes; both checked by the caller
 * @gup_flags: FOLL_* of touches
 * @nowait: do not wait for the target's mmap_lock
 *
 * Return: the window, whose mapping the caller sets; or -ENOSPC, -ESRCH, -EINTR,
 * -EAGAIN, -ENOMEM.
 */
struct window *window_new(struct cordbmem_target *target,
			  struct cordbmem_quota *quota, u64 address,
			  u64 length, unsigned int gup_flags, bool nowait)
{
	struct window *w;
	int ret;

	if (!quota_take_window(quota))
		return ERR_PTR(-ENOSPC);
	w = kzalloc(sizeof(*w), GFP_KERNEL_ACCOUNT);
	if (!w) {
		quota_give_window(quota);
		return ERR_PTR(-ENOMEM);
	}
	w->target = target;
	w->address = address;
	w->nr_pages = length >> PAGE_SHIFT;
	w->gup_flags = gup_flags;
	INIT_DELAYED_WORK(&w->work, window_work);
	INIT_DELAYED_WORK(&w->lease, window_end_leases);
	spin_lock_init(&w->lock);
	xa_init_flags(&w->chunks, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&w->stale);
	INIT_LIST_HEAD(&w->inserts);
	INIT_LIST_HEAD(&w->fills);

	ret = window_register(w, nowait);
	if (ret) {
		quota_give_window(quota);
		kfree(w);
		return ERR_PTR(ret);
	}
	kref_get(&target->ref);
	w->quota = cordbmem_quota_get(quota);
	return w;
}

static void window_free_chunk(struct window_chunk *chunk)
{
	unsigned long bit;

	for (bit = 0; chunk->pages && bit < WINDOW_CHUNK; bit++)
		if (chunk->pages[bit])
			put_page(chunk->pages[bit]);
	kvfree(chunk->pages);
	free_page((unsigned long)chunk->state);
	kfree(chunk);
}

/**
 * window_free - end a window that nobody has mapped or open
 * @w: the window
 */
void window_free(struct window *w)
{
	struct window_chunk *chunk;
	unsigned long index;

	mmu_notifier_unregister(&w->notifier, w->target->mm);
	cancel_delayed_work_sync(&w->lease);
	cancel_delayed_work_sync(&w->work);
	xa_for_each(&w->chunks, index, chunk) {
		window_free_chunk(chunk);
		cond_resched();
	}
	xa_destroy(&w->chunks);
	quota_give_pages(w->quota, w->pages);
	quota_give_window(w->quota);
	cordbmem_quota_put(w->quota);
	cordbmem_target_put(w->target);
	kfree(w);
}

/**
 * window_work_init - what all windows share
 *
 * Return: 0 or -ENOMEM.
 */
int window_work_init(void)
{
	window_wq = alloc_workqueue("cordbmem_window",
				    WQ_UNBOUND | WQ_MEM_RECLAIM, 0);
	return window_wq ? 0 : -ENOMEM;
}

/**
 * window_work_exit - no window is left
 */
void window_work_exit(void)
{
	destroy_workqueue(window_wq);
}
