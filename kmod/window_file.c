// SPDX-License-Identifier: GPL-2.0
/*
 * The window fd: WINDOW, which makes it, its mmap and its ioctls.
 */
#include <linux/compat.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mount.h>
#include <linux/pseudo_fs.h>
#include <linux/sched/task.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "cordbmem.h"
#include "ioctl.h"
#include "window.h"

#define WINDOW_FS_MAGIC 0x636f7264 /* "cord" */

static struct vfsmount *window_mnt;
static int window_mnt_count;

static int window_fs_init(struct fs_context *fc)
{
	if (!init_pseudo(fc, WINDOW_FS_MAGIC))
		return -ENOMEM;
	/* PROT_EXEC is EPERM, and READ_IMPLIES_EXEC does not imply it. */
	fc->s_iflags |= SB_I_NOEXEC;
	return 0;
}

/*
 * A file system, so that each window has an inode and with it a mapping of its own, by
 * which the PTEs of this window and no other are found. Mounted while there are
 * windows; it holds the module until the last is really gone.
 */
static struct file_system_type window_fs = {
	.name			= "cordbmem_window",
	.owner			= THIS_MODULE,
	.init_fs_context	= window_fs_init,
	.kill_sb		= kill_anon_super,
};

static int window_mmap(struct file *filp, struct vm_area_struct *vma)
{
	const unsigned long state = CORDBMEM_WINDOW_STATE >> PAGE_SHIFT;
	struct window *w = filp->private_data;
	unsigned long first = vma->vm_pgoff, limit = w->nr_pages;
	const struct vm_operations_struct *ops = &window_data_ops;
	/*
	 * VM_IO: no memory to be pinned, dumped or inherited, whatever madvise()
	 * is told. VM_PFNMAP, of data: no struct page behind it is anybody's
	 * business.
	 */
	unsigned long set = VM_IO | VM_DONTCOPY | VM_DONTEXPAND | VM_DONTDUMP;

	/* (The core took VM_SHARED away, as the file is not open for writing.) */
	if (!(vma->vm_flags & VM_MAYSHARE) || vma->vm_flags & VM_WRITE)
		return -EINVAL;
	/* Its faults and its zaps would be the target's own. */
	if (vma->vm_mm == w->target->mm)
		return -EINVAL;
	if (first >= state) {
		first -= state;
		limit = DIV_ROUND_UP(limit, WINDOW_CHUNK);
		ops = &window_state_ops;
	} else {
		set |= VM_PFNMAP;
	}
	if (first >= limit || vma_pages(vma) > limit - first)
		return -EINVAL;
	cordbmem_vm_flags_mod(vma, set, VM_MAYWRITE | VM_MAYEXEC);
	vma->vm_ops = ops;
	return 0;
}

static int window_release_file(struct inode *inode, struct file *filp)
{
	window_free(filp->private_data);
	simple_release_fs(&window_mnt, &window_mnt_count);
	return 0;
}

static void window_show_fdinfo(struct seq_file *m, struct file *filp)
{
	struct window *w = filp->private_data;
	struct task_struct *task = cordbmem_target_task(w->target);

	seq_printf(m, "Pid:\t%d\n", task ? pid_vnr(w->target->tgid) : -1);
	if (task)
		put_task_struct(task);
	seq_printf(m, "Range:\t%llx-%llx\n", w->address,
		   w->address + ((u64)w->nr_pages << PAGE_SHIFT));
	seq_printf(m, "Pages:\t%lu\n", READ_ONCE(w->pages));
}

static int populate_ioctl(struct file *filp, void *arg, void __user *uarg)
{
	struct cordbmem_populate *populate = arg;
	struct window *w = filp->private_data;
	u64 size = (u64)w->nr_pages << PAGE_SHIFT;
	unsigned int gup_flags;
	int ret;

	if (populate->flags & ~CORDBMEM_READ_NOFAULT ||
	    !PAGE_ALIGNED(populate->offset) || !PAGE_ALIGNED(populate->length) ||
	    populate->offset > size || populate->length > size - populate->offset)
		return -EINVAL;
	ret = cordbmem_read_flags(populate->flags, &gup_flags);
	if (ret)
		return ret;
	ret = window_populate(w, populate->offset >> PAGE_SHIFT,
			      populate->length >> PAGE_SHIFT, gup_flags,
			      &populate->pages, &populate->done);
	if (ret)
		return ret;
	populate->done <<= PAGE_SHIFT;
	if (copy_to_user(uarg, populate,
			 min_t(u32, populate->size, sizeof(*populate))))
		return -EFAULT;
	return 0;
}

static int sync_ioctl(struct file *filp, void *arg, void __user *uarg)
{
	struct cordbmem_sync *sync = arg;

	if (sync->flags)
		return -EINVAL;
	return window_sync(filp->private_data);
}

static int stats_ioctl(struct file *filp, void *arg, void __user *uarg)
{
	struct cordbmem_stats *stats = arg;
	struct window *w = filp->private_data;
	u32 size = stats->size;

	if (stats->flags)
		return -EINVAL;
	spin_lock(&w->lock);
	*stats = w->stats;
	stats->pages = w->pages;
	spin_unlock(&w->lock);
	stats->size = size;
	return copy_to_user(uarg, stats, min_t(u32, size, sizeof(*stats))) ?
		       -EFAULT : 0;
}

static const struct cordbmem_ioctl window_ioctls[] = {
	CORDBMEM_IOCTL(CORDBMEM_IOC_POPULATE, struct cordbmem_populate, done,
		       populate_ioctl),
	CORDBMEM_IOCTL(CORDBMEM_IOC_SYNC, struct cordbmem_sync, flags,
		       sync_ioctl),
	CORDBMEM_IOCTL(CORDBMEM_IOC_STATS, struct cordbmem_stats, fallbacks,
		       stats_ioctl),
};

static long window_file_ioctl(struct file *filp, unsigned int cmd,
			      unsigned long uarg)
{
	return cordbmem_ioctl_run(window_ioctls, ARRAY_SIZE(window_ioctls),
				  filp, cmd, (void __user *)uarg);
}

static const struct file_operations window_fops = {
	.owner		= THIS_MODULE,
	.mmap		= window_mmap,
	.unlocked_ioctl	= window_file_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
	.show_fdinfo	= window_show_fdinfo,
	.release	= window_release_file,
};

/* The file of a window, which owns it from then on. */
static struct file *window_file(struct window *w)
{
	struct inode *inode;
	struct file *file;
	int ret;

	ret = simple_pin_fs(&window_fs, &window_mnt, &window_mnt_count);
	if (ret)
		return ERR_PTR(ret);
	inode = alloc_anon_inode(window_mnt->mnt_sb);
	if (IS_ERR(inode)) {
		file = ERR_CAST(inode);
		goto release_fs;
	}
	file = alloc_file_pseudo(inode, window_mnt, "[cordbmem-window]",
				 O_RDONLY | O_LARGEFILE, &window_fops);
	if (IS_ERR(file)) {
		iput(inode);
		goto release_fs;
	}
	/* which the end of the file gives back */
	__module_get(THIS_MODULE);
	w->mapping = inode->i_mapping;
	file->private_data = w;
	return file;

release_fs:
	simple_release_fs(&window_mnt, &window_mnt_count);
	return file;
}

/**
 * cordbmem_window_ioctl - CORDBMEM_IOC_WINDOW
 * @target: whose memory
 * @quota: what it counts against
 * @arg: kernel copy of struct cordbmem_window
 * @uarg: the caller's
 *
 * Return: 0 or a negative errno.
 */
int cordbmem_window_ioctl(struct cordbmem_target *target,
			  struct cordbmem_quota *quota, void *arg,
			  void __user *uarg)
{
	struct cordbmem_window __user *uwindow = uarg;
	struct cordbmem_window *window = arg;
	unsigned int gup_flags;
	struct window *w;
	struct file *file;
	int fd, ret;

	if (window->flags & ~(CORDBMEM_READ_NOFAULT | CORDBMEM_WINDOW_NOWAIT) ||
	    window->reserved ||
	    !PAGE_ALIGNED(window->address) || !PAGE_ALIGNED(window->length) ||
	    !window->length || window->length > WINDOW_LENGTH ||
	    window->address >= TASK_SIZE_MAX ||
	    window->length > TASK_SIZE_MAX - window->address)
		return -EINVAL;
	if (target->mm == current->mm)
		return -EINVAL;
	ret = cordbmem_read_flags(window->flags & CORDBMEM_READ_NOFAULT,
				  &gup_flags);
	if (ret)
		return ret;

	w = window_new(target, quota, window->address, window->length,
		       gup_flags, window->flags & CORDBMEM_WINDOW_NOWAIT);
	if (IS_ERR(w))
		return PTR_ERR(w);
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0) {
		window_free(w);
		return fd;
	}
	file = window_file(w);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		window_free(w);
		return PTR_ERR(file);
	}
	if (put_user(fd, &uwindow->window_fd)) {
		fput(file);
		put_unused_fd(fd);
		return -EFAULT;
	}
	fd_install(fd, file);
	return 0;
}

/**
 * cordbmem_window_info - what INFO says of windows
 * @info: the answer
 */
void cordbmem_window_info(struct cordbmem_info *info)
{
	info->features |= CORDBMEM_FEATURE_WINDOW;
	info->window_length = WINDOW_LENGTH;
	info->window_pages = quota_window_pages();
}

/**
 * cordbmem_window_init - what all windows share
 *
 * Return: 0 or a negative errno.
 */
int cordbmem_window_init(void)
{
	return window_work_init();
}

/**
 * cordbmem_window_exit - no window is left
 */
void cordbmem_window_exit(void)
{
	window_work_exit();
}
