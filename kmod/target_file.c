// SPDX-License-Identifier: GPL-2.0
/*
 * The target fd: a file whose offset is the target's address, and ATTACH.
 */
#include <linux/anon_inodes.h>
#include <linux/compat.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cordbmem.h"
#include "ioctl.h"
#include "watch.h"
#include "window.h"

/**
 * struct target_file - one target fd
 * @target: whom it reads
 * @flags: mode of its reads, CORDBMEM_READ_*
 * @watch: tells pollers that the image is gone
 * @quota: of the open device that made it
 */
struct target_file {
	struct cordbmem_target *target;
	u32 flags;
	struct cordbmem_watch *watch;
	struct cordbmem_quota *quota;
};

static ssize_t target_file_read(struct file *file, char __user *buf,
				size_t count, loff_t *ppos)
{
	struct target_file *tf = file->private_data;
	struct cordbmem_span span = {
		.address = *ppos,
		.length = count,
		.buffer = buf,
		.flags = tf->flags,
		.by_lookup = true,
	};
	struct task_struct *task;
	u64 bytes_read;
	int ret;

	/* each time, because forced reads can be switched off meanwhile */
	ret = cordbmem_read_flags(tf->flags, &span.gup_flags);
	if (ret)
		return ret;
	task = cordbmem_target_task(tf->target);
	if (!task)
		return -ESRCH;
	ret = cordbmem_read_span(tf->target, task, &span, &bytes_read);
	put_task_struct(task);
	if (!bytes_read)
		return ret;
	*ppos += bytes_read;
	return bytes_read;
}

static loff_t target_file_llseek(struct file *file, loff_t offset, int whence)
{
	return no_seek_end_llseek_size(file, offset, whence, LLONG_MAX);
}

static __poll_t target_file_poll(struct file *file, poll_table *wait)
{
	struct target_file *tf = file->private_data;
	struct task_struct *task;

	cordbmem_watch_poll(tf->watch, file, wait);
	task = cordbmem_target_task(tf->target);
	if (!task)
		return EPOLLHUP;
	put_task_struct(task);
	if (cordbmem_watch_failed(tf->watch))
		return EPOLLERR;
	return EPOLLIN | EPOLLRDNORM;
}

static void target_file_show_fdinfo(struct seq_file *m, struct file *file)
{
	struct target_file *tf = file->private_data;
	struct task_struct *task = cordbmem_target_task(tf->target);

	/* as pidfd does it: the number of a dead process may be another's */
	seq_printf(m, "Pid:\t%d\n", task ? pid_vnr(tf->target->tgid) : -1);
	if (task)
		put_task_struct(task);
	seq_printf(m, "Mode:\t0x%x\n", tf->flags);
}

static int target_file_release(struct inode *inode, struct file *file)
{
	struct target_file *tf = file->private_data;

	cordbmem_watch_put(tf->watch);
	cordbmem_target_put(tf->target);
	cordbmem_quota_put(tf->quota);
	kfree(tf);
	return 0;
}

static int window_ioctl(struct file *filp, void *arg, void __user *uarg)
{
	struct target_file *tf = filp->private_data;

	return cordbmem_window_ioctl(tf->target, tf->quota, arg, uarg);
}

static const struct cordbmem_ioctl target_file_ioctls[] = {
	CORDBMEM_IOCTL(CORDBMEM_IOC_WINDOW, struct cordbmem_window, reserved,
		       window_ioctl),
};

static long target_file_ioctl(struct file *filp, unsigned int cmd,
			      unsigned long uarg)
{
	return cordbmem_ioctl_run(target_file_ioctls,
				  ARRAY_SIZE(target_file_ioctls), filp, cmd,
				  (void __user *)uarg);
}

static const struct file_operations target_file_fops = {
	.owner		= THIS_MODULE,
	.read		= target_file_read,
	.llseek		= target_file_llseek,
	.poll		= target_file_poll,
	.unlocked_ioctl	= target_file_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= target_file_show_fdinfo,
	.release	= target_file_release,
};

/**
 * cordbmem_target_from_fd - the target behind a target fd
 * @fd: the fd
 *
 * Return: the target with a reference; -EBADF: no such fd; -EINVAL: not a
 * target fd.
 */
struct cordbmem_target *cordbmem_target_from_fd(int fd)
{
	struct cordbmem_target *target = ERR_PTR(-EINVAL);
	struct target_file *tf;
	struct file *file;

	file = fget(fd);
	if (!file)
		return ERR_PTR(-EBADF);
	if (file->f_op == &target_file_fops) {
		tf = file->private_data;
		target = tf->target;
		kref_get(&target->ref);
	}
	fput(file);
	return target;
}

/* Through the gate each time: what is remembered for READ can be a second old. */
static struct cordbmem_target *attach_target(const struct cordbmem_attach *arg)
{
	struct cordbmem_target *target;
	struct pid *pid;

	if (arg->flags & CORDBMEM_ATTACH_MEM_FD)
		return cordbmem_gate_mem_fd(arg->source);
	pid = find_get_pid(arg->source);
	if (!pid)
		return ERR_PTR(-ESRCH);
	target = cordbmem_gate_pid(pid);
	put_pid(pid);
	return target;
}

/**
 * cordbmem_attach_ioctl - CORDBMEM_IOC_ATTACH
 * @filp: the open device
 * @arg: kernel copy of struct cordbmem_attach
 * @uarg: the caller's
 *
 * Return: 0 or a negative errno.
 */
int cordbmem_attach_ioctl(struct file *filp, void *arg, void __user *uarg)
{
	const u32 mode = CORDBMEM_READ_FORCE | CORDBMEM_READ_NOFAULT;
	struct cordbmem_file *file = filp->private_data;
	struct cordbmem_attach __user *uattach = uarg;
	struct cordbmem_attach *attach = arg;
	struct cordbmem_target *target;
	unsigned int gup_flags;
	struct target_file *tf;
	struct file *new;
	int fd, ret;

	if (attach->flags & ~(mode | CORDBMEM_ATTACH_MEM_FD))
		return -EINVAL;
	ret = cordbmem_read_flags(attach->flags & mode, &gup_flags);
	if (ret)
		return ret;

	tf = kzalloc(sizeof(*tf), GFP_KERNEL_ACCOUNT);
	if (!tf)
		return -ENOMEM;
	tf->flags = attach->flags & mode;
	tf->quota = cordbmem_quota_get(file->quota);
	target = attach_target(attach);
	if (IS_ERR(target)) {
		ret = PTR_ERR(target);
		goto free;
	}
	tf->target = target;
	tf->watch = cordbmem_watch_new(target);
	if (!tf->watch) {
		ret = -ENOMEM;
		goto put_target;
	}

	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		ret = fd;
		goto put_watch;
	}
	new = anon_inode_getfile("[cordbmem-target]", &target_file_fops, tf,
				 O_RDONLY | O_LARGEFILE);
	if (IS_ERR(new)) {
		ret = PTR_ERR(new);
		goto put_fd;
	}
	/* from here on the file owns tf and all in it */
	new->f_mode |= FMODE_LSEEK | FMODE_PREAD;

	if (put_user(fd, &uattach->target_fd)) {
		fput(new);
		put_unused_fd(fd);
		return -EFAULT;
	}
	fd_install(fd, new);
	return 0;

put_fd:
	put_unused_fd(fd);
put_watch:
	cordbmem_watch_put(tf->watch);
put_target:
	cordbmem_target_put(target);
free:
	cordbmem_quota_put(tf->quota);
	kfree(tf);
	return ret;
}
