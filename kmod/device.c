// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/cordbmem: the misc device, its ioctl table and INFO.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cordbmem.h"
#include "ioctl.h"
#include "watch.h"
#include "window.h"

/*
 * Where the kernel was built so that /proc/PID/mem does not force its way into
 * pages that the target itself cannot read, neither do we unless told to.
 */
static bool allow_force = !IS_ENABLED(CONFIG_PROC_MEM_NO_FORCE) &&
			  !IS_ENABLED(CONFIG_PROC_MEM_FORCE_PTRACE);
module_param(allow_force, bool, 0644);
MODULE_PARM_DESC(allow_force,
		 "Allow reads of pages that the target may not read itself");

/* What the system's administrator said; may change at any time. */
static bool force_allowed(void)
{
	return READ_ONCE(allow_force);
}

/**
 * cordbmem_read_flags - what the flags of a read mean to the kernel
 * @flags: CORDBMEM_READ_*; unknown ones were refused by the caller
 * @gup_flags: set to FOLL_*
 *
 * Return: 0, or -EPERM for a mode that is switched off.
 */
int cordbmem_read_flags(u32 flags, unsigned int *gup_flags)
{
	*gup_flags = 0;
	if (flags & CORDBMEM_READ_FORCE) {
		if (!force_allowed())
			return -EPERM;
		*gup_flags |= FOLL_FORCE;
	}
	if (flags & CORDBMEM_READ_NOFAULT)
		*gup_flags |= FOLL_NOFAULT;
	return 0;
}

static int info_ioctl(struct file *filp, void *arg, void __user *uarg)
{
	struct cordbmem_info *info = arg;
	u32 size = min_t(u32, info->size, sizeof(*info));

	if (info->flags)
		return -EINVAL;
	info->abi = CORDBMEM_ABI;
	info->page_size = PAGE_SIZE;
	info->features = CORDBMEM_FEATURE_NOFAULT;
	if (force_allowed())
		info->features |= CORDBMEM_FEATURE_FORCE;
	info->max_elements = CORDBMEM_MAX_ELEMENTS;
	info->reserved = 0;
	cordbmem_window_info(info);
	return copy_to_user(uarg, info, size) ? -EFAULT : 0;
}

static const struct cordbmem_ioctl device_ioctls[] = {
	CORDBMEM_IOCTL(CORDBMEM_IOC_INFO, struct cordbmem_info, reserved,
		       info_ioctl),
	CORDBMEM_IOCTL(CORDBMEM_IOC_READ, struct cordbmem_read, reserved2,
		       cordbmem_read_ioctl),
	CORDBMEM_IOCTL(CORDBMEM_IOC_READV, struct cordbmem_readv, reserved,
		       cordbmem_readv_ioctl),
	CORDBMEM_IOCTL(CORDBMEM_IOC_ATTACH, struct cordbmem_attach, target_fd,
		       cordbmem_attach_ioctl),
};

static long device_ioctl(struct file *filp, unsigned int cmd,
			 unsigned long uarg)
{
	return cordbmem_ioctl_run(device_ioctls, ARRAY_SIZE(device_ioctls),
				  filp, cmd, (void __user *)uarg);
}

static int device_open(struct inode *inode, struct file *filp)
{
	struct cordbmem_file *file;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	file->quota = cordbmem_quota_new();
	if (!file->quota) {
		kfree(file);
		return -ENOMEM;
	}
	spin_lock_init(&file->lock);
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

static int device_release(struct inode *inode, struct file *filp)
{
	struct cordbmem_file *file = filp->private_data;

	cordbmem_target_forget_all(file);
	cordbmem_quota_put(file->quota);
	kvfree(file->scratch);
	kfree(file);
	return 0;
}

static const struct file_operations device_fops = {
	.owner		= THIS_MODULE,
	.open		= device_open,
	.release	= device_release,
	.unlocked_ioctl	= device_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "cordbmem",
	.fops	= &device_fops,
	.mode	= 0600,
};

static int __init cordbmem_init(void)
{
	int ret;

	ret = cordbmem_gate_init();
	if (ret)
		return ret;
	ret = cordbmem_watch_init();
	if (ret)
		goto exit_gate;
	ret = cordbmem_window_init();
	if (ret)
		goto exit_watch;
	ret = misc_register(&device);
	if (ret)
		goto exit_window;
	return 0;

exit_window:
	cordbmem_window_exit();
exit_watch:
	cordbmem_watch_exit();
exit_gate:
	cordbmem_gate_exit();
	return ret;
}

static void __exit cordbmem_exit(void)
{
	misc_deregister(&device);
	cordbmem_window_exit();
	cordbmem_watch_exit();
	cordbmem_gate_exit();
	/* targets are freed by RCU, with kfree: no code of ours is left to run */
}

module_init(cordbmem_init);
module_exit(cordbmem_exit);

MODULE_DESCRIPTION("Reads the memory of live processes for tracing tools");
MODULE_AUTHOR("The cordbmem maintainers");
MODULE_LICENSE("GPL");
