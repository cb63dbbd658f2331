// SPDX-License-Identifier: GPL-2.0
/*
 * Telling pollers of a target fd that the target's memory is gone.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "cordbmem.h"
#include "watch.h"

static void watch_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct cordbmem_watch *watch =
		container_of(notifier, struct cordbmem_watch, notifier);

	wake_up_poll(&watch->wait, EPOLLHUP);
}

static const struct mmu_notifier_ops watch_ops = {
	.release = watch_release,
};

/**
 * cordbmem_watch_init - prepare a watch, which costs nothing yet
 * @watch: the watch
 */
void cordbmem_watch_init(struct cordbmem_watch *watch)
{
	mutex_init(&watch->lock);
	init_waitqueue_head(&watch->wait);
	watch->notifier.ops = &watch_ops;
}

/*
 * The first poll registers the notifier. The wait for the target's mmap_lock
 * can be long, as another reader may hold it over a page fault; a kill ends it.
 */
static int watch_start(struct cordbmem_watch *watch, struct mm_struct *mm)
{
	int ret = 0;

	if (!mmget_not_zero(mm))
		return 0;
	if (mutex_lock_killable(&watch->lock)) {
		ret = -EINTR;
		goto put_mm;
	}
	if (!watch->registered) {
		ret = mmap_write_lock_killable(mm);
		if (!ret) {
			ret = __mmu_notifier_register(&watch->notifier, mm);
			mmap_write_unlock(mm);
		}
		if (!ret)
			/* pairs with the load in cordbmem_watch_poll() */
			smp_store_release(&watch->registered, true);
	}
	mutex_unlock(&watch->lock);
put_mm:
	mmput(mm);
	return ret;
}

/**
 * cordbmem_watch_poll - let a poller wait for the end of a target
 * @watch: the watch of its file
 * @file: the file
 * @wait: the poll table
 * @target: whose end
 *
 * The process may exit while its mm lives on in another one, hence two wait
 * queues. The caller looks at the target after this, so no wakeup is lost.
 *
 * Return: 0, or a negative errno when the end cannot be watched.
 */
int cordbmem_watch_poll(struct cordbmem_watch *watch, struct file *file,
			poll_table *wait, struct cordbmem_target *target)
{
	int ret;

	/* pairs with the store in watch_start() */
	if (!smp_load_acquire(&watch->registered)) {
		ret = watch_start(watch, target->mm);
		if (ret)
			return ret;
	}
	poll_wait(file, &watch->wait, wait);
	poll_wait(file, &target->tgid->wait_pidfd, wait);
	return 0;
}

/**
 * cordbmem_watch_stop - end a watch; nobody polls any more
 * @watch: the watch
 * @target: the target it watched
 */
void cordbmem_watch_stop(struct cordbmem_watch *watch,
			 struct cordbmem_target *target)
{
	if (watch->registered)
		mmu_notifier_unregister(&watch->notifier, target->mm);
}
