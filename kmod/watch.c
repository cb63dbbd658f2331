// SPDX-License-Identifier: GPL-2.0
/*
 * Telling pollers of a target fd that the target's memory is gone.
 */
#include <linux/atomic.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "cordbmem.h"
#include "watch.h"

/**
 * struct cordbmem_watch - wakes pollers when a target's mm is torn down
 * @ref: the file's, and one of @work while it is queued or runs
 * @target: whose end, a reference
 * @wait: the pollers, who also wait on the target's struct pid
 * @polled: set by the first poll, which queues @work. Only a target fd that
 *	is polled pays for a notifier, and so does only its target
 * @registered: @notifier is
 * @failed: there was no memory for it
 * @work: registers @notifier
 * @notifier: hears of the end of the mm; an exit and an execve look the same
 */
struct cordbmem_watch {
	struct kref ref;
	struct cordbmem_target *target;
	wait_queue_head_t wait;
	atomic_t polled;
	bool registered;
	bool failed;
	struct work_struct work;
	struct mmu_notifier notifier;
};

static struct workqueue_struct *watch_wq;

static void watch_release(struct mmu_notifier *notifier, struct mm_struct *mm)
{
	struct cordbmem_watch *watch =
		container_of(notifier, struct cordbmem_watch, notifier);

	wake_up_all(&watch->wait);
}

static const struct mmu_notifier_ops watch_ops = {
	.release = watch_release,
};

/*
 * Not done by poll() itself: the registration gives up when a signal is pending,
 * and an epoll that is told of an error only then would never look again. The
 * wait for the mmap_lock can be long, as another reader may hold it over a
 * page fault for as long as the target likes; nobody waits for this work but the
 * unloading of the module.
 */
static void watch_work(struct work_struct *work)
{
	struct cordbmem_watch *watch =
		container_of(work, struct cordbmem_watch, work);
	struct mm_struct *mm = watch->target->mm;

	if (mmget_not_zero(mm)) {
		if (!mmu_notifier_register(&watch->notifier, mm))
			watch->registered = true;
		else
			WRITE_ONCE(watch->failed, true);
		mmput(mm);
	}
	/* The end may have come before: everybody looks once more. */
	wake_up_all(&watch->wait);
	cordbmem_watch_put(watch);
}

/**
 * cordbmem_watch_new - make a watch, which costs the target nothing yet
 * @target: whose end
 *
 * Return: the watch, or NULL without memory.
 */
struct cordbmem_watch *cordbmem_watch_new(struct cordbmem_target *target)
{
	struct cordbmem_watch *watch;

	watch = kzalloc(sizeof(*watch), GFP_KERNEL_ACCOUNT);
	if (!watch)
		return NULL;
	kref_init(&watch->ref);
	kref_get(&target->ref);
	watch->target = target;
	init_waitqueue_head(&watch->wait);
	INIT_WORK(&watch->work, watch_work);
	watch->notifier.ops = &watch_ops;
	return watch;
}

static void watch_free(struct kref *ref)
{
	struct cordbmem_watch *watch =
		container_of(ref, struct cordbmem_watch, ref);

	if (watch->registered)
		mmu_notifier_unregister(&watch->notifier, watch->target->mm);
	cordbmem_target_put(watch->target);
	kfree(watch);
}

/**
 * cordbmem_watch_put - end a watch; nobody polls any more
 * @watch: the watch
 */
void cordbmem_watch_put(struct cordbmem_watch *watch)
{
	kref_put(&watch->ref, watch_free);
}

/**
 * cordbmem_watch_poll - let a poller wait for the end of a target
 * @watch: the watch
 * @file: the file
 * @wait: the poll table
 *
 * The process may exit while its mm lives on in another one, hence two wait
 * queues. The caller looks at the target after this, so no wakeup is lost.
 */
void cordbmem_watch_poll(struct cordbmem_watch *watch, struct file *file,
			 poll_table *wait)
{
	poll_wait(file, &watch->wait, wait);
	poll_wait(file, &watch->target->tgid->wait_pidfd, wait);
	if (!atomic_read(&watch->polled) && !atomic_xchg(&watch->polled, 1)) {
		kref_get(&watch->ref);
		queue_work(watch_wq, &watch->work);
	}
}

/**
 * cordbmem_watch_failed - is there no way to tell of the end?
 * @watch: the watch
 *
 * Return: true when the kernel had no memory for it.
 */
bool cordbmem_watch_failed(struct cordbmem_watch *watch)
{
	return READ_ONCE(watch->failed);
}

/**
 * cordbmem_watch_init - what all watches share
 *
 * Return: 0 or -ENOMEM.
 */
int cordbmem_watch_init(void)
{
	watch_wq = alloc_workqueue("cordbmem", WQ_UNBOUND, 0);
	return watch_wq ? 0 : -ENOMEM;
}

/**
 * cordbmem_watch_exit - wait for the last work; no file is open any more
 */
void cordbmem_watch_exit(void)
{
	destroy_workqueue(watch_wq);
}
