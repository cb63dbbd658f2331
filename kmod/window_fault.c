// SPDX-License-Identifier: GPL-2.0
/*
 * Touches of a window's mapping that found no PTE.
 *
 * The target's mmap_lock is never taken under the tracer's, so a page is fetched
 * in two steps: with the tracer's lock dropped it gets into the window, and when
 * the fault comes again it is mapped.
 */
#include <linux/bitmap.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched.h>

#include "cordbmem.h"
#include "window.h"

/* Pages around a touch that are fetched along, if the target has them mapped. */
#define FAULT_AROUND 16

/* How often to wait for the worker before a touch that is given up. */
#define FAULT_TRIES 4

/**
 * struct fault_pages - what is to be inserted
 * @next:	the page of the next PTE
 * @vma:	the mapping
 */
struct fault_pages {
	struct page **next;
	struct vm_area_struct *vma;
};

static int fault_set_pte(pte_t *pte, unsigned long address, void *data)
{
	struct fault_pages *pages = data;
	struct vm_area_struct *vma = pages->vma;
	unsigned long pfn = page_to_pfn(*pages->next++);

	/* Special: it is not counted, not found by others, and not theirs to pin. */
	if (pte_none(*pte))
		set_pte_at(vma->vm_mm, address, pte,
			   pte_mkspecial(pfn_pte(pfn, vma->vm_page_prot)));
	return 0;
}

/* The widest range of fresh pages to map at one touch. Caller holds the lock. */
static void fault_range(const struct vm_fault *vmf, struct window_chunk *chunk,
			struct window_use *use)
{
	unsigned long page = vmf->pgoff, from, to, bit = page % WINDOW_CHUNK;
	unsigned long before = (vmf->address - max(vmf->vma->vm_start,
						   vmf->address & PMD_MASK)) >>
			       PAGE_SHIFT;
	unsigned long after = (min(vmf->vma->vm_end - 1,
				   vmf->address | ~PMD_MASK) -
			       vmf->address) >> PAGE_SHIFT;

	/* An aligned batch, but neither beyond the mapping nor its page table. */
	before = min(before, bit % WINDOW_BATCH);
	after = min(after, WINDOW_BATCH - 1 - bit % WINDOW_BATCH);
	from = bit;
	while (bit - from < before && test_bit(from - 1, chunk->fresh))
		from--;
	to = bit;
	while (to - bit < after && test_bit(to + 1, chunk->fresh))
		to++;
	use->first = page - (bit - from);
	use->last = page + (to - bit);
}

/*
 * Maps what is there. Returns 0 when there was nothing, or when it was replaced
 * meanwhile, which @hit tells.
 */
static vm_fault_t fault_insert(struct window *w, const struct vm_fault *vmf,
			       bool alone, bool *hit)
{
	struct vm_area_struct *vma = vmf->vma;
	unsigned long page = vmf->pgoff, bit = page % WINDOW_CHUNK, count;
	struct window_use use = { .first = page, .last = page };
	struct page *pages[WINDOW_BATCH];
	struct window_chunk *chunk;
	struct fault_pages fill = { .next = pages, .vma = vma };
	int err;

	spin_lock(&w->lock);
	chunk = xa_load(&w->chunks, page / WINDOW_CHUNK);
	if (chunk && test_bit(bit, chunk->zero)) {
		pages[0] = ZERO_PAGE(0);
	} else if (chunk && test_bit(bit, chunk->fresh)) {
		if (!alone)
			fault_range(vmf, chunk, &use);
		memcpy(pages, &chunk->pages[use.first % WINDOW_CHUNK],
		       (use.last - use.first + 1) * sizeof(*pages));
	} else {
		spin_unlock(&w->lock);
		return 0;
	}
	count = use.last - use.first + 1;
	/*
	 * Being on the list keeps the pages: none of them becomes empty while we
	 * are. Nothing but the list may stand in between, since allocating a
	 * page table can end in the callback.
	 */
	list_add(&use.node, &w->inserts);
	spin_unlock(&w->lock);

	err = apply_to_page_range(vma->vm_mm,
				  vmf->address -
					  ((page - use.first) << PAGE_SHIFT),
				  count << PAGE_SHIFT, fault_set_pte, &fill);

	spin_lock(&w->lock);
	if (use.hit) {
		spin_unlock(&w->lock);
		unmap_mapping_range(w->mapping, (loff_t)use.first << PAGE_SHIFT,
				    (loff_t)count << PAGE_SHIFT, 1);
		spin_lock(&w->lock);
	}
	list_del(&use.node);
	/* The worker may have passed by what we covered. */
	bit = use.first % WINDOW_CHUNK;
	if (find_next_bit(chunk->stale, bit + count, bit) < bit + count)
		window_wake_worker(w, chunk);
	w->stats.faults++;
	spin_unlock(&w->lock);
	*hit = use.hit;
	if (err)
		return VM_FAULT_OOM;
	return use.hit ? 0 : VM_FAULT_NOPAGE;
}

static bool window_is_fresh(struct window *w, unsigned long page)
{
	struct window_chunk *chunk;
	bool fresh;

	spin_lock(&w->lock);
	chunk = xa_load(&w->chunks, page / WINDOW_CHUNK);
	fresh = chunk && test_bit(page % WINDOW_CHUNK, chunk->fresh);
	spin_unlock(&w->lock);
	return fresh;
}

/* Gets the page, and others around it that cost little. */
static bool fault_fetch(struct window *w, unsigned long page)
{
	unsigned long first = page & ~(FAULT_AROUND - 1UL);
	unsigned long last = first + FAULT_AROUND - 1;

	if (first == page && page && window_is_fresh(w, page - 1))
		last = page + WINDOW_BATCH - 1;
	last = min3(last, page | (WINDOW_CHUNK - 1), w->nr_pages - 1);
	if (window_fill(w, first, last, w->gup_flags | FOLL_NOFAULT) >
	    (long)(page - first))
		return true;
	if (first != page &&
	    window_fill(w, page, last, w->gup_flags | FOLL_NOFAULT) > 0)
		return true;
	return !(w->gup_flags & FOLL_NOFAULT) &&
	       window_fill(w, page, page, w->gup_flags) > 0;
}

/* Lets a page that cannot be had be zeros, unless it is there after all. */
static void fault_give_up(struct window *w, unsigned long page)
{
	struct window_chunk *chunk = xa_load(&w->chunks, page / WINDOW_CHUNK);
	unsigned long bit = page % WINDOW_CHUNK;
	int tries = FAULT_TRIES;
	bool stale;

	do {
		window_flush(w);
		spin_lock(&w->lock);
		stale = test_bit(bit, chunk->stale);
		if (!stale && !test_bit(bit, chunk->fresh) &&
		    !test_bit(bit, chunk->zero)) {
			__set_bit(bit, chunk->zero);
			w->stats.fallbacks++;
		}
		spin_unlock(&w->lock);
		/* Somebody is still inserting; he may need this CPU to get done. */
		if (stale)
			schedule_timeout_killable(1);
	} while (stale && --tries);
}

/*
 * A touch never fails for what the target does, and the target cannot keep it from
 * ending: after one attempt that was in vain the page is given up. Only another
 * insertion of the same page under way makes it wait.
 */
static vm_fault_t window_data_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct window *w = vma->vm_file->private_data;
	bool again = vmf->flags & FAULT_FLAG_TRIED, hit = false;
	unsigned long page = vmf->pgoff;
	struct file *file;
	vm_fault_t ret;

	/* Here, because without the lock there is no way to say so. */
	if (!window_chunk_get(w, page))
		return VM_FAULT_OOM;
	ret = fault_insert(w, vmf, false, &hit);
	/* It may have been a neighbour, and that must not go on for ever. */
	if (!ret && hit)
		ret = fault_insert(w, vmf, true, &hit);
	if (ret)
		return ret;
	/* Nobody who looks pages of a window up gets here: GUP refuses them. */
	if (!(vmf->flags & FAULT_FLAG_ALLOW_RETRY))
		return VM_FAULT_SIGBUS;
	if (vmf->flags & FAULT_FLAG_RETRY_NOWAIT)
		return VM_FAULT_RETRY;

	file = get_file(vma->vm_file);
	mmap_read_unlock(vma->vm_mm);
	/* vma and vmf are no longer ours to look at */
	if (again || hit || !fault_fetch(w, page))
		fault_give_up(w, page);
	fput(file);
	return VM_FAULT_RETRY;
}

static vm_fault_t window_state_fault(struct vm_fault *vmf)
{
	struct window *w = vmf->vma->vm_file->private_data;
	unsigned long index = vmf->pgoff -
			      (CORDBMEM_WINDOW_STATE >> PAGE_SHIFT);
	struct window_chunk *chunk = window_chunk_get(w, index * WINDOW_CHUNK);

	if (!chunk)
		return VM_FAULT_OOM;
	vmf->page = virt_to_page(chunk->state);
	get_page(vmf->page);
	return 0;
}

/* No part of a mapping can be unmapped or changed alone. */
static int window_may_split(struct vm_area_struct *vma, unsigned long address)
{
	return -EINVAL;
}

const struct vm_operations_struct window_data_ops = {
	.fault		= window_data_fault,
	.may_split	= window_may_split,
};

const struct vm_operations_struct window_state_ops = {
	.fault		= window_state_fault,
	.may_split	= window_may_split,
};
