/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Telling pollers of a target fd that the target's memory is gone.
 */
#ifndef _CORDBMEM_WATCH_H
#define _CORDBMEM_WATCH_H

#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/poll.h>
#include <linux/wait.h>

#include "cordbmem.h"

/**
 * struct cordbmem_watch - wakes pollers when a target's mm is torn down
 * @lock: serialises the registration
 * @wait: the pollers, besides those on the target's struct pid
 * @notifier: hears of the end of the mm; an exit and an execve look the same
 * @registered: @notifier is registered. Only a target fd that is polled
 *	pays for one, and so does only its target
 */
struct cordbmem_watch {
#ifdef CONFIG_MMU_NOTIFIER
	struct mutex lock; /* the registration */
	wait_queue_head_t wait;
	struct mmu_notifier notifier;
	bool registered;
#endif
};

#ifdef CONFIG_MMU_NOTIFIER
void cordbmem_watch_init(struct cordbmem_watch *watch);
int cordbmem_watch_poll(struct cordbmem_watch *watch, struct file *file,
			poll_table *wait, struct cordbmem_target *target);
void cordbmem_watch_stop(struct cordbmem_watch *watch,
			 struct cordbmem_target *target);
#else
/* Without notifiers an exit is seen at once, an execve at the next poll. */
static inline void cordbmem_watch_init(struct cordbmem_watch *watch)
{
}

static inline int cordbmem_watch_poll(struct cordbmem_watch *watch,
				      struct file *file, poll_table *wait,
				      struct cordbmem_target *target)
{
	poll_wait(file, &target->tgid->wait_pidfd, wait);
	return 0;
}

static inline void cordbmem_watch_stop(struct cordbmem_watch *watch,
				       struct cordbmem_target *target)
{
}
#endif

#endif /* _CORDBMEM_WATCH_H */
