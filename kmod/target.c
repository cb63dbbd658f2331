// SPDX-License-Identifier: GPL-2.0
/*
 * A target: the identity of one memory image, and what is remembered of it.
 */
#include <linux/err.h>
#include <linux/hash.h>
#include <linux/jiffies.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>

#include "compat.h"
#include "cordbmem.h"

/**
 * cordbmem_target_new - make a target
 * @pid: the process or thread as it was named
 * @tgid: its process
 * @mm: its memory image, which the caller is entitled to read
 *
 * Return: the target with one reference and nothing to remember it by, or
 * -ENOMEM.
 */
struct cordbmem_target *cordbmem_target_new(struct pid *pid, struct pid *tgid,
					    struct mm_struct *mm)
{
	struct cordbmem_target *target;

	target = kzalloc(sizeof(*target), GFP_KERNEL_ACCOUNT);
	if (!target)
		return ERR_PTR(-ENOMEM);
	kref_init(&target->ref);
	target->pid = get_pid(pid);
	target->tgid = get_pid(tgid);
	mmgrab(mm);
	target->mm = mm;
	return target;
}

static void target_release(struct kref *ref)
{
	struct cordbmem_target *target =
		container_of(ref, struct cordbmem_target, ref);

	/*
	 * A reader of a cache that still sees the struct compares these
	 * pointers only after it got a reference, which it no longer can.
	 */
	put_pid(target->pid);
	put_pid(target->tgid);
	mmdrop(target->mm);
	if (target->caller) {
		put_cred(target->caller);
		put_cred(target->subject);
	}
	kfree_rcu(target, rcu);
}

/**
 * cordbmem_target_put - give a reference back
 * @target: the target. Not to be called in atomic context
 */
void cordbmem_target_put(struct cordbmem_target *target)
{
	kref_put(&target->ref, target_release);
}

/**
 * cordbmem_target_task - a thread that has the target's memory image
 * @target: the target
 *
 * Return: the task with a reference, or NULL when the image is gone from the
 * process: it exited or called execve.
 */
struct task_struct *cordbmem_target_task(struct cordbmem_target *target)
{
	struct task_struct *task, *thread;

	rcu_read_lock();
	task = pid_task(target->pid, PIDTYPE_PID);
	if (!task || READ_ONCE(task->mm) != target->mm) {
		struct task_struct *leader =
			pid_task(target->tgid, PIDTYPE_TGID);

		task = NULL;
		if (leader) {
			for_each_thread(leader, thread) {
				if (READ_ONCE(thread->mm) == target->mm) {
					task = thread;
					break;
				}
			}
		}
	}
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

/*
 * Does everything that the outcome rested on still stand? The reference that
 * the caller has on @target makes equal pointers mean the same objects. What a
 * module cannot see, Yama's scope and relations or a reloaded policy, is asked
 * anew every second.
 */
static bool target_current(const struct cordbmem_target *target,
			   struct task_struct *task)
{
	return task && READ_ONCE(task->mm) == target->mm &&
	       time_before(jiffies, target->checked + HZ) &&
	       rcu_access_pointer(task->real_cred) == target->subject &&
	       get_dumpable(target->mm) == target->dumpable;
}

static struct cordbmem_target __rcu **target_slot(struct cordbmem_file *file,
						  pid_t nr)
{
	return &file->cache[hash_32(nr, CORDBMEM_CACHE_BITS)];
}

/* Takes over one reference on @new, which may be NULL. */
static void target_remember(struct cordbmem_file *file,
			    struct cordbmem_target __rcu **slot,
			    struct cordbmem_target *new)
{
	struct cordbmem_target *old;

	spin_lock(&file->lock);
	old = rcu_replace_pointer(*slot, new, lockdep_is_held(&file->lock));
	spin_unlock(&file->lock);
	if (old)
		cordbmem_target_put(old);
}

/*
 * The remembered outcome for @nr, if it holds for the current task. A struct pid
 * keeps its number while a task has it, and one cred is never shared between
 * processes, so the number still means the same process for this caller.
 */
static struct cordbmem_target *
target_recall(struct cordbmem_target __rcu **slot, pid_t nr,
	      struct task_struct **taskp)
{
	struct cordbmem_target *target;
	struct task_struct *task;
	bool current_one = false;

	rcu_read_lock();
	target = rcu_dereference(*slot);
	if (target && !kref_get_unless_zero(&target->ref))
		target = NULL;
	if (target && target->nr == nr && target->caller == current_cred()) {
		task = pid_task(target->pid, PIDTYPE_PID);
		if (target_current(target, task)) {
			get_task_struct(task);
			*taskp = task;
			current_one = true;
		}
	}
	rcu_read_unlock();
	if (current_one)
		return target;
	if (target)
		cordbmem_target_put(target);
	return NULL;
}

/**
 * cordbmem_target_get - the target that the current task means by a number
 * @file: open file that remembers outcomes
 * @nr: pid or tid in the namespace of the current task
 * @taskp: set to a thread of the target that has its memory, with a reference
 *
 * Runs the gate unless this very caller passed it for this very target and
 * nothing has changed on either side.
 *
 * Return: the target with a reference, or the gate's error.
 */
struct cordbmem_target *cordbmem_target_get(struct cordbmem_file *file,
					    pid_t nr,
					    struct task_struct **taskp)
{
	struct cordbmem_target __rcu **slot = target_slot(file, nr);
	struct cordbmem_target *target;
	struct task_struct *task;
	struct pid *pid;

	target = target_recall(slot, nr, taskp);
	if (target)
		return target;

	pid = find_get_pid(nr);
	if (!pid)
		return ERR_PTR(-ESRCH);
	target = cordbmem_gate_pid(pid);
	put_pid(pid);
	if (IS_ERR(target)) {
		target_remember(file, slot, NULL);
		return target;
	}
	task = cordbmem_target_task(target);
	if (!task) {
		cordbmem_target_put(target);
		return ERR_PTR(-ESRCH);
	}
	target->nr = nr;
	if (target->caller) {
		kref_get(&target->ref);
		target_remember(file, slot, target);
	}
	*taskp = task;
	return target;
}

/**
 * cordbmem_target_forget_all - drop what an open file remembers
 * @file: the open file, which nobody else uses any more
 */
void cordbmem_target_forget_all(struct cordbmem_file *file)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(file->cache); i++)
		target_remember(file, &file->cache[i], NULL);
}
