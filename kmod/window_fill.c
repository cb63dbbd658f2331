// SPDX-License-Identifier: GPL-2.0
/*
 * Getting a target's pages into a window.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "cordbmem.h"
#include "window.h"

/* How often a fill looks again when the target or other fills got in its way. */
#define FILL_TRIES 4

static void chunk_free(struct window_chunk *chunk)
{
	if (chunk->state)
		free_page((unsigned long)chunk->state);
	kfree(chunk);
}

/**
 * window_chunk_get - the chunk of a page, made if need be
 * @w: the window
 * @page: the page
 *
 * Return: the chunk, which lives as long as the window; NULL without memory.
 */
struct window_chunk *window_chunk_get(struct window *w, unsigned long page)
{
	unsigned long index = page / WINDOW_CHUNK;
	struct window_chunk *chunk = xa_load(&w->chunks, index), *other;

	if (chunk)
		return chunk;
	chunk = kzalloc(sizeof(*chunk), GFP_KERNEL_ACCOUNT);
	if (!chunk)
		return NULL;
	chunk->index = index;
	INIT_LIST_HEAD(&chunk->stale_node);
	chunk->state = (u32 *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!chunk->state) {
		chunk_free(chunk);
		return NULL;
	}
	other = xa_cmpxchg(&w->chunks, index, NULL, chunk, GFP_KERNEL);
	if (!other)
		return chunk;
	chunk_free(chunk);
	return xa_is_err(other) ? NULL : other;
}

/*
 * The chunk of a page, with room for its pages, which one that is only looked at has
 * not. NULL without memory.
 */
static struct window_chunk *chunk_with_room(struct window *w,
					    unsigned long page)
{
	struct window_chunk *chunk = window_chunk_get(w, page);
	struct page **pages;

	if (!chunk || READ_ONCE(chunk->pages))
		return chunk;
	pages = kvcalloc(WINDOW_CHUNK, sizeof(*pages), GFP_KERNEL_ACCOUNT);
	if (!pages)
		return NULL;
	spin_lock(&w->lock);
	if (!chunk->pages) {
		WRITE_ONCE(chunk->pages, pages);
		pages = NULL;
	}
	spin_unlock(&w->lock);
	kvfree(pages);
	return chunk;
}

/* Gives up the pages of one chunk, the chunks taking turns. */
static bool window_evict(struct window *w)
{
	struct window_chunk *chunk;
	unsigned long start = w->hand, index = start;
	bool around = false;

	lockdep_assert_held(&w->lock);
	for (;;) {
		unsigned long count;

		chunk = xa_find(&w->chunks, &index, around ? start : ULONG_MAX,
				XA_PRESENT);
		if (!chunk) {
			if (around || !start)
				return false;
			around = true;
			index = 0;
			continue;
		}
		count = window_make_stale(w, chunk, 0, WINDOW_CHUNK - 1);
		index++;
		if (count) {
			w->stats.evicted += count;
			w->hand = index;
			return true;
		}
	}
}

/*
 * Puts looked up pages where there is none, and NULL in their place in @pages.
 * Returns how many are there now, from the first on, or -EAGAIN after the worker has
 * run. Caller holds the lock.
 */
static long fill_take(struct window *w, struct window_chunk *chunk,
		      unsigned long first, struct page **pages, long count,
		      unsigned long *charged)
{
	unsigned long limit = quota_window_pages();
	unsigned long bit = first % WINDOW_CHUNK;
	long i;

	for (i = 0; i < count; i++, bit++) {
		if (test_bit(bit, chunk->fresh)) {
			if (chunk->pages[bit] == pages[i])
				continue;
			/*
			 * Replaced and we were not told, as khugepaged did until
			 * 6.1 (CVE-2022-48991).
			 */
			window_make_stale(w, chunk, bit, bit);
		}
		if (test_bit(bit, chunk->zero))
			window_unmake_zero(w, chunk, bit);
		if (test_bit(bit, chunk->stale)) {
			window_wake_worker(w, chunk);
			return -EAGAIN;
		}
		if (w->pages >= limit || !*charged) {
			if (i)
				return i;
			return window_evict(w) ? -EAGAIN : -ENOSPC;
		}
		if (bitmap_empty(chunk->fresh, WINDOW_CHUNK))
			window_keep_lease(w, chunk);
		--*charged;
		w->pages++;
		w->fresh++;
		w->stats.filled++;
		chunk->pages[bit] = pages[i];
		pages[i] = NULL;
		__set_bit(bit, chunk->fresh);
		/* No PTE maps anything else, so it tells the truth from now on. */
		WRITE_ONCE(chunk->state[bit],
			   chunk->state[bit] | CORDBMEM_WINDOW_VALID);
	}
	return count;
}

static long fill_once(struct window *w, unsigned long first, unsigned long last,
		      unsigned int gup_flags)
{
	struct window_use use = { .first = first, .last = last };
	struct page *pages[WINDOW_BATCH];
	struct window_chunk *chunk = NULL;
	unsigned long charged = 0;
	struct task_struct *task;
	long count, i, ret;
	bool restless;

	/* The image may live on in a vfork child when the target has left it. */
	task = cordbmem_target_task(w->target);
	if (!task)
		return -ESRCH;
	put_task_struct(task);
	if (!mmget_not_zero(w->target->mm))
		return -ESRCH;
	/*
	 * From here on the callback tells us of every event that could make these
	 * pages wrong; and none of those before may still be under way.
	 */
	spin_lock(&w->lock);
	restless = w->active && first <= w->active_last &&
		   last >= w->active_first;
	if (!restless)
		list_add(&use.node, &w->fills);
	spin_unlock(&w->lock);
	if (restless) {
		mmput(w->target->mm);
		return -EAGAIN;
	}

	count = cordbmem_lookup(w->target->mm,
				w->address + ((u64)first << PAGE_SHIFT),
				last - first + 1, gup_flags, pages);
	/* Only now, since a range with nothing in it must not cost memory. */
	if (count > 0) {
		chunk = chunk_with_room(w, first);
		charged = quota_take_pages(w->quota, count);
	}

	spin_lock(&w->lock);
	list_del(&use.node);
	if (count <= 0)
		ret = count;
	else if (!chunk)
		ret = -ENOMEM;
	else if (use.hit)
		ret = -EAGAIN;
	else
		ret = fill_take(w, chunk, first, pages, count, &charged);
	spin_unlock(&w->lock);

	for (i = 0; i < count; i++)
		if (pages[i])
			put_page(pages[i]);
	quota_give_pages(w->quota, charged);
	mmput(w->target->mm);
	return ret;
}

/**
 * window_fill - make pages fresh
 * @w: the window
 * @first: first page
 * @last: last page, in the same chunk, less than WINDOW_BATCH further on
 * @gup_flags: FOLL_*
 *
 * The caller holds no lock.
 *
 * Return: how many are fresh, from the first on (for a moment, at least), or a
 * negative errno: -ESRCH: the target is gone; -EINTR; -ENOMEM; -ENOSPC: the limit
 * is reached and there is nothing to give up; -EAGAIN: the target is too
 * restless; others: the first page cannot be had.
 */
long window_fill(struct window *w, unsigned long first, unsigned long last,
		 unsigned int gup_flags)
{
	unsigned long most = quota_window_pages();
	int tries = FILL_TRIES;
	long ret;

	if (last - first >= most)
		last = first + most - 1;
	if (WARN_ON_ONCE(last - first >= WINDOW_BATCH))
		return -EINVAL;
	do {
		ret = fill_once(w, first, last, gup_flags);
		if (ret == -EAGAIN)
			window_flush(w);
	} while (ret == -EAGAIN && --tries && !fatal_signal_pending(current));
	return ret;
}

/*
 * The next page from @page on that could be had: a reservation of many GiB that
 * nobody may read yet is not to be tried page by page.
 */
static unsigned long window_next_mapped(struct window *w, unsigned long page)
{
	u64 end = w->address + ((u64)w->nr_pages << PAGE_SHIFT);
	u64 address = w->address + ((u64)page << PAGE_SHIFT);
	struct mm_struct *mm = w->target->mm;
	struct vm_area_struct *vma;

	if (!mmget_not_zero(mm))
		return page;
	if (!mmap_read_lock_killable(mm)) {
		vma = find_vma(mm, address);
		while (vma && (vma->vm_flags & (VM_IO | VM_PFNMAP) ||
			       !(vma->vm_flags & VM_READ))) {
			address = max_t(u64, address, vma->vm_end);
			vma = address < end ? find_vma(mm, address) : NULL;
		}
		address = vma ? max_t(u64, address, vma->vm_start) : end;
		page = (min(address, end) - w->address) >> PAGE_SHIFT;
		mmap_read_unlock(mm);
	}
	mmput(mm);
	return page;
}

/**
 * window_populate - make a range fresh as far as the target has it
 * @w: the window
 * @first: first page
 * @count: how many, within the window
 * @gup_flags: FOLL_*
 * @pages: set to how many were fresh
 * @done: set to how many were looked at
 *
 * Return: 0, also when a signal came after the first page, or the limit; or -ESRCH,
 * -ENOMEM, -EINTR, -ENOSPC.
 */
int window_populate(struct window *w, unsigned long first, unsigned long count,
		    unsigned int gup_flags, u64 *pages, u64 *done)
{
	unsigned long page = first, end = first + count;
	long ret = 0;

	*pages = 0;
	while (page < end) {
		unsigned long last = min3(page + WINDOW_BATCH - 1,
					  page | (WINDOW_CHUNK - 1), end - 1);

		if (signal_pending(current) &&
		    (page > first || fatal_signal_pending(current))) {
			ret = -EINTR;
			break;
		}
		cond_resched();
		ret = window_fill(w, page, last, gup_flags);
		if (ret == -ESRCH || ret == -ENOMEM || ret == -EINTR ||
		    ret == -ENOSPC)
			break;
		if (ret > 0) {
			*pages += ret;
			page += ret;
		} else {
			page = max(window_next_mapped(w, page), page + 1);
		}
	}
	*done = min(page, end) - first;
	return *done || ret >= 0 ? 0 : ret;
}
