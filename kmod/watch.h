/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Telling pollers of a target fd that the target's memory is gone.
 */
#ifndef _CORDBMEM_WATCH_H
#define _CORDBMEM_WATCH_H

#include <linux/poll.h>

#include "cordbmem.h"

struct cordbmem_watch;

#ifdef CONFIG_MMU_NOTIFIER
int cordbmem_watch_init(void);
void cordbmem_watch_exit(void);
struct cordbmem_watch *cordbmem_watch_new(struct cordbmem_target *target);
void cordbmem_watch_put(struct cordbmem_watch *watch);
void cordbmem_watch_poll(struct cordbmem_watch *watch, struct file *file,
			 poll_table *wait);
bool cordbmem_watch_failed(struct cordbmem_watch *watch);
#else
/*
 * Without notifiers an exit is seen at once, an execve at the next poll. The
 * watch is the target itself, which outlives the file.
 */
static inline int cordbmem_watch_init(void)
{
	return 0;
}

static inline void cordbmem_watch_exit(void)
{
}

static inline struct cordbmem_watch *
cordbmem_watch_new(struct cordbmem_target *target)
{
	return (struct cordbmem_watch *)target;
}

static inline void cordbmem_watch_put(struct cordbmem_watch *watch)
{
}

static inline void cordbmem_watch_poll(struct cordbmem_watch *watch,
				       struct file *file, poll_table *wait)
{
	struct cordbmem_target *target = (struct cordbmem_target *)watch;

	poll_wait(file, &target->tgid->wait_pidfd, wait);
}

static inline bool cordbmem_watch_failed(struct cordbmem_watch *watch)
{
	return false;
}
#endif

#endif /* _CORDBMEM_WATCH_H */
