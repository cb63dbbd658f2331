// SPDX-License-Identifier: GPL-2.0
/*
 * What all windows of one open device may use together, and one alone.
 *
 * A page that a window holds is the target's, and charged where the target's pages
 * are; but as long as it is held nobody can have it back. Hence the limits.
 * What the module allocates for a window is charged to the tracer's memory cgroup.
 */
#include <linux/atomic.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/refcount.h>
#include <linux/slab.h>

#include "quota.h"

static unsigned long window_pages = 1UL << 18;
module_param(window_pages, ulong, 0644);
MODULE_PARM_DESC(window_pages, "Most pages that one window holds (1 GiB)");

static unsigned long file_pages = 1UL << 20;
module_param(file_pages, ulong, 0644);
MODULE_PARM_DESC(file_pages,
		 "Most pages that all windows of one open device hold (4 GiB)");

static unsigned int file_windows = 256;
module_param(file_windows, uint, 0644);
MODULE_PARM_DESC(file_windows, "Most windows of one open device");

static unsigned int window_lease = 10;
module_param(window_lease, uint, 0644);
MODULE_PARM_DESC(window_lease,
		 "Seconds after which a window lets go of pages; 0: never");

/**
 * struct cordbmem_quota - what has been taken
 * @ref:	the open device, its target fds and windows
 * @pages:	held by its windows
 * @windows:	how many there are
 */
struct cordbmem_quota {
	refcount_t ref;
	atomic_long_t pages;
	atomic_t windows;
};

/**
 * cordbmem_quota_new - for an open device
 *
 * Return: a quota with one reference, or NULL without memory.
 */
struct cordbmem_quota *cordbmem_quota_new(void)
{
	struct cordbmem_quota *quota;

	quota = kzalloc(sizeof(*quota), GFP_KERNEL_ACCOUNT);
	if (quota)
		refcount_set(&quota->ref, 1);
	return quota;
}

/**
 * cordbmem_quota_get - take a reference
 * @quota: the quota
 *
 * Return: @quota.
 */
struct cordbmem_quota *cordbmem_quota_get(struct cordbmem_quota *quota)
{
	refcount_inc(&quota->ref);
	return quota;
}

/**
 * cordbmem_quota_put - give a reference back
 * @quota: the quota
 */
void cordbmem_quota_put(struct cordbmem_quota *quota)
{
	if (refcount_dec_and_test(&quota->ref))
		kfree(quota);
}

/**
 * quota_window_pages - the most pages that one window holds
 *
 * Return: at least 1; the administrator may change it at any time.
 */
unsigned long quota_window_pages(void)
{
	return clamp(READ_ONCE(window_pages), 1UL, LONG_MAX / 2UL);
}

/**
 * quota_lease - how long a window holds a page at most
 *
 * Return: jiffies; 0: as long as it likes.
 */
unsigned long quota_lease(void)
{
	return min(READ_ONCE(window_lease), 1U << 20) * (unsigned long)HZ;
}

/**
 * quota_take_window - count one more window
 * @quota: the quota
 *
 * Return: false when there are too many.
 */
bool quota_take_window(struct cordbmem_quota *quota)
{
	if (atomic_inc_return(&quota->windows) <= READ_ONCE(file_windows))
		return true;
	atomic_dec(&quota->windows);
	return false;
}

/**
 * quota_give_window - one less
 * @quota: the quota
 */
void quota_give_window(struct cordbmem_quota *quota)
{
	atomic_dec(&quota->windows);
}

/**
 * quota_take_pages - count more pages
 * @quota: the quota
 * @count: how many more
 *
 * Return: how many of them may be held.
 */
unsigned long quota_take_pages(struct cordbmem_quota *quota,
			       unsigned long count)
{
	unsigned long limit = min(READ_ONCE(file_pages), LONG_MAX / 2UL);
	unsigned long held = atomic_long_add_return(count, &quota->pages);
	unsigned long over;

	if (held <= limit)
		return count;
	over = min(held - limit, count);
	atomic_long_sub(over, &quota->pages);
	return count - over;
}

/**
 * quota_give_pages - so many less
 * @quota: the quota
 * @count: how many
 */
void quota_give_pages(struct cordbmem_quota *quota, unsigned long count)
{
	atomic_long_sub(count, &quota->pages);
}
