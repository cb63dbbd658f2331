// SPDX-License-Identifier: GPL-2.0
/*
 * The gate: may this caller read that target? The kernel decides.
 *
 * The kernel's check, mm_access(), cannot be called by a module, and a copy of it
 * would miss the security modules and rot. Opening /proc/PID/mem runs it. The
 * module has a procfs mount of its own, so nobody can rearrange it, and
 * opens in two steps: the walk with O_PATH does not test the mode bits (0600),
 * dentry_open() then runs the security modules and mm_access() with the
 * caller's credentials. The file that comes back carries the mm that was
 * authorised; it is closed again, the mm is the result.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/dcache.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/jiffies.h>
#include <linux/kernel.h>
#include <linux/module.h>
#include <linux/namei.h>
#include <linux/pid_namespace.h>
#include <linux/proc_fs.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>

#include "compat.h"
#include "cordbmem.h"

/*
 * Set by cordbmem_gate_init(), constant until cordbmem_gate_exit(). The mount's
 * superblock pins the pid namespace.
 */
static struct vfsmount *gate_mnt;
static struct pid_namespace *gate_ns;
static const struct file_operations *gate_mem_fops;

static struct file *gate_open(const char *name)
{
	struct file *path, *file;

	path = file_open_root_mnt(gate_mnt, name, O_PATH, 0);
	if (IS_ERR(path))
		return path;
	file = dentry_open(&path->f_path, O_RDONLY | O_LARGEFILE,
			   current_cred());
	fput(path);
	return file;
}

/* What the outcome of the check rests on, on the target's side. */
struct gate_evidence {
	struct mm_struct *mm;		/* compared, never dereferenced */
	const struct cred *cred;	/* a reference */
	int dumpable;
};

static void gate_collect(struct task_struct *task, struct gate_evidence *e)
{
	task_lock(task);
	e->mm = task->mm;
	e->dumpable = e->mm ? get_dumpable(e->mm) : -1;
	task_unlock(task);
	e->cred = get_task_cred(task);
}

static bool gate_evidence_equal(const struct gate_evidence *a,
				const struct gate_evidence *b)
{
	return a->mm == b->mm && a->cred == b->cred &&
	       a->dumpable == b->dumpable;
}

/*
 * The task to check for @pid, one that has an mm. A leader that has exited before
 * its threads has none any more, its threads still have. NULL: nobody has.
 */
static struct task_struct *gate_task(struct pid *pid)
{
	struct task_struct *task, *named, *thread;

	rcu_read_lock();
	named = pid_task(pid, PIDTYPE_PID);
	task = named;
	if (named && !READ_ONCE(named->mm)) {
		task = NULL;
		if (thread_group_leader(named)) {
			for_each_thread(named, thread) {
				if (READ_ONCE(thread->mm)) {
					task = thread;
					break;
				}
			}
		}
	}
	if (task && (task->flags & PF_KTHREAD))
		task = NULL;
	if (task)
		get_task_struct(task);
	rcu_read_unlock();
	return task;
}

/*
 * What a failed open means. -EAGAIN: the task went away while its directory was
 * walked. EPERM is how the uAPI says that forced reads are off, so a security
 * module that says it is taken to mean EACCES.
 */
static struct cordbmem_target *gate_refusal(long err)
{
	if (err == -ENOENT || err == -ESRCH)
		return ERR_PTR(-EAGAIN);
	return ERR_PTR(err == -EPERM ? -EACCES : err);
}

/*
 * One pass of the check. -EAGAIN: the target called execve meanwhile, its
 * number went to another process, or the thread that was asked has exited.
 */
static struct cordbmem_target *gate_check(struct pid *pid,
					  struct task_struct *task)
{
	struct gate_evidence before, after;
	struct cordbmem_target *target;
	struct mm_struct *mm;
	struct file *file;
	unsigned long checked;
	struct pid *tgid;
	char name[32];
	pid_t nr;

	tgid = get_task_pid(task, PIDTYPE_TGID);
	nr = task_pid_nr_ns(task, gate_ns);
	if (!tgid || !nr) {
		target = ERR_PTR(pid_alive(task) ? -ESRCH : -EAGAIN);
		goto put_tgid;
	}
	snprintf(name, sizeof(name), "%d/mem", nr);

	checked = jiffies;
	gate_collect(task, &before);
	file = gate_open(name);
	if (IS_ERR(file)) {
		target = gate_refusal(PTR_ERR(file));
		goto put_before;
	}
	mm = file->f_op == gate_mem_fops ? file->private_data : NULL;
	if (!mm) {
		/* it exited just now, others may live on */
		target = ERR_PTR(-EAGAIN);
		goto close;
	}

	gate_collect(task, &after);
	if (after.mm != mm) {
		target = ERR_PTR(-EAGAIN);
		goto put_after;
	}
	target = cordbmem_target_new(pid, tgid, mm);
	if (!IS_ERR(target) && gate_evidence_equal(&before, &after)) {
		target->caller = get_current_cred();
		target->subject = get_cred(after.cred);
		target->dumpable = after.dumpable;
		target->checked = checked;
	}
put_after:
	put_cred(after.cred);
close:
	fput(file);
put_before:
	put_cred(before.cred);
put_tgid:
	put_pid(tgid);
	return target;
}

/**
 * cordbmem_gate_pid - check the current task against a process or thread
 * @pid: whom it wants to read
 *
 * Return: the target, with a reference for the caller. -ESRCH: no process, no
 * memory, or not in the module's pid namespace. -EACCES and whatever else the
 * security modules say: refused.
 */
struct cordbmem_target *cordbmem_gate_pid(struct pid *pid)
{
	struct cordbmem_target *target;
	struct task_struct *task;
	unsigned long patience = jiffies + HZ / 4;
	int tries;

	for (tries = 0; tries < 100 || time_before(jiffies, patience); tries++) {
		task = gate_task(pid);
		if (!task)
			return ERR_PTR(-ESRCH);
		target = gate_check(pid, task);
		put_task_struct(task);
		if (target != ERR_PTR(-EAGAIN))
			return target;
		if (fatal_signal_pending(current))
			return ERR_PTR(-EINTR);
		cond_resched();
	}
	/* A target that does nothing but execve is not there long enough. */
	return ERR_PTR(-ESRCH);
}

/*
 * The pid that a file of some procfs mount is about: the name of its
 * directory, in the pid namespace of that mount.
 */
static struct pid *gate_pid_of(struct file *file)
{
	struct dentry *dentry = file->f_path.dentry, *dir;
	struct name_snapshot name;
	struct pid *pid = NULL;
	int nr;

	dir = dget_parent(dentry);
	take_dentry_name_snapshot(&name, dir);
	if (!kstrtoint(name.name.name, 10, &nr)) {
		rcu_read_lock();
		pid = get_pid(find_pid_ns(nr, proc_pid_ns(dentry->d_sb)));
		rcu_read_unlock();
	}
	release_dentry_name_snapshot(&name);
	dput(dir);
	return pid;
}

/**
 * cordbmem_gate_mem_fd - take the caller's own fd on /proc/PID/mem as proof
 * @fd: the fd
 *
 * Whoever opened it passed the kernel's check. The number that the file was
 * opened by may belong to somebody else by now; the mm tells.
 *
 * Return: the target, with a reference for the caller. -EBADF: no such fd, or
 * not open for reading. -EINVAL: a file of another kind. -ESRCH: gone.
 */
struct cordbmem_target *cordbmem_gate_mem_fd(int fd)
{
	struct cordbmem_target *target;
	struct task_struct *task;
	struct pid *pid, *tgid;
	struct mm_struct *mm;
	struct file *file;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op != gate_mem_fops) {
		target = ERR_PTR(-EINVAL);
		goto close;
	}
	if (!(file->f_mode & FMODE_READ)) {
		target = ERR_PTR(-EBADF);
		goto close;
	}
	target = ERR_PTR(-ESRCH);
	mm = file->private_data;
	pid = mm ? gate_pid_of(file) : NULL;
	if (!pid)
		goto close;
	task = gate_task(pid);
	if (!task)
		goto put_pid;
	tgid = get_task_pid(task, PIDTYPE_TGID);
	put_task_struct(task);
	if (!tgid)
		goto put_pid;
	target = cordbmem_target_new(pid, tgid, mm);
	put_pid(tgid);
	if (IS_ERR(target))
		goto put_pid;

	task = cordbmem_target_task(target);
	if (task) {
		put_task_struct(task);
	} else {
		cordbmem_target_put(target);
		target = ERR_PTR(-ESRCH);
	}
put_pid:
	put_pid(pid);
close:
	fput(file);
	return target;
}

/**
 * cordbmem_gate_init - mount the private procfs and prove the assumption
 *
 * That private_data of an open mem file is the mm is an implementation detail
 * of procfs. The module's loader has an mm and may read it: if its own mem file
 * does not show that mm, refuse to load.
 *
 * Return: 0 or a negative errno.
 */
int cordbmem_gate_init(void)
{
	struct file_system_type *type;
	struct file *file;
	int ret = 0;

	type = get_fs_type("proc");
	if (!type)
		return -ENODEV;
	gate_mnt = kern_mount(type);
	module_put(type->owner);
	if (IS_ERR(gate_mnt))
		return PTR_ERR(gate_mnt);
	gate_ns = proc_pid_ns(gate_mnt->mnt_sb);

	file = gate_open("self/mem");
	if (IS_ERR(file)) {
		ret = PTR_ERR(file);
		pr_err("cannot open mem of the loading process: %d\n", ret);
		goto unmount;
	}
	gate_mem_fops = file->f_op;
	if (!current->mm || file->private_data != current->mm) {
		pr_err("procfs of this kernel does not show the mm of a mem file\n");
		ret = -ENODEV;
	}
	fput(file);
	if (!ret)
		return 0;
unmount:
	/*
	 * The file is closed when this task returns to user space; it holds
	 * its own reference on the mount until then.
	 */
	kern_unmount(gate_mnt);
	return ret;
}

/**
 * cordbmem_gate_exit - drop the private procfs
 */
void cordbmem_gate_exit(void)
{
	kern_unmount(gate_mnt);
}
