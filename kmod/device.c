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
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "cordbmem.h"
#include "watch.h"

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

static int info_ioctl(struct cordbmem_file *file, void *arg, void __user *uarg)
{
	struct cordbmem_info *info = arg;

	if (info->flags)
		return -EINVAL;
	info->abi = CORDBMEM_ABI;
	info->page_size = PAGE_SIZE;
	info->features = CORDBMEM_FEATURE_NOFAULT;
	if (force_allowed())
		info->features |= CORDBMEM_FEATURE_FORCE;
	info->max_elements = CORDBMEM_MAX_ELEMENTS;
	info->reserved = 0;
	return copy_to_user(uarg, info, sizeof(*info)) ? -EFAULT : 0;
}

union device_arg {
	u64 words[7];
	struct cordbmem_info info;
	struct cordbmem_read read;
	struct cordbmem_readv readv;
	struct cordbmem_attach attach;
};

/**
 * struct device_ioctl - one ioctl of the device
 * @size: size of its argument as this module knows it
 * @min_size: size of its first revision
 * @run: carries it out, with a kernel copy of the argument
 */
struct device_ioctl {
	u32 size;
	u32 min_size;
	int (*run)(struct cordbmem_file *file, void *arg, void __user *uarg);
};

/* The copy's bounds are checked against words, so it must span the union. */
static_assert(sizeof(((union device_arg *)0)->words) ==
	      sizeof(union device_arg));

#define DEVICE_IOCTL(_cmd, _struct, _last, _run)			\
	[_IOC_NR(_cmd)] = {						\
		.size = sizeof(_struct) +				\
			BUILD_BUG_ON_ZERO(sizeof(_struct) % sizeof(u64)) + \
			BUILD_BUG_ON_ZERO(sizeof(union device_arg) <	\
					  sizeof(_struct)),		\
		.min_size = offsetofend(_struct, _last),		\
		.run = _run,						\
	}

static const struct device_ioctl device_ioctls[] = {
	DEVICE_IOCTL(CORDBMEM_IOC_INFO, struct cordbmem_info, reserved,
		     info_ioctl),
	DEVICE_IOCTL(CORDBMEM_IOC_READ, struct cordbmem_read, reserved2,
		     cordbmem_read_ioctl),
	DEVICE_IOCTL(CORDBMEM_IOC_READV, struct cordbmem_readv, reserved,
		     cordbmem_readv_ioctl),
	DEVICE_IOCTL(CORDBMEM_IOC_ATTACH, struct cordbmem_attach, target_fd,
		     cordbmem_attach_ioctl),
};

/*
 * Copies an argument in, by copy_struct_from_user() unless the caller knows the
 * struct as this module does: then the checks around a copy would cost
 * more than the few words themselves.
 */
static int device_load_arg(const struct device_ioctl *op, u64 *arg,
			   const void __user *user)
{
	const u64 __user *from = user;
	u32 i, size;

	if (!user_read_access_begin(from, op->size))
		return -EFAULT;
	unsafe_get_user(size, (const u32 __user *)user, fault);
	if (size == op->size) {
		for (i = 0; i < op->size / sizeof(*arg); i++)
			unsafe_get_user(arg[i], &from[i], fault);
	}
	user_read_access_end();

	if (size < op->min_size)
		return -EINVAL;
	/* No struct gets that long, and its tail is looked at to the end. */
	if (size > PAGE_SIZE)
		return -E2BIG;
	if (size != op->size)
		return copy_struct_from_user(arg, op->size, user, size);
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

static long device_ioctl(struct file *filp, unsigned int cmd,
			 unsigned long uarg)
{
	const struct device_ioctl *op;
	void __user *user = (void __user *)uarg;
	union device_arg arg __uninitialized;
	int ret;

	if (_IOC_NR(cmd) >= ARRAY_SIZE(device_ioctls) ||
	    cmd != _IO(CORDBMEM_IOC_MAGIC, _IOC_NR(cmd)))
		return -ENOTTY;
	op = &device_ioctls[array_index_nospec(_IOC_NR(cmd),
					       ARRAY_SIZE(device_ioctls))];

	ret = device_load_arg(op, arg.words, user);
	if (ret)
		return ret;
	return op->run(filp->private_data, &arg, user);
}

static int device_open(struct inode *inode, struct file *filp)
{
	struct cordbmem_file *file;

	file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	if (!file)
		return -ENOMEM;
	spin_lock_init(&file->lock);
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

static int device_release(struct inode *inode, struct file *filp)
{
	struct cordbmem_file *file = filp->private_data;

	cordbmem_target_forget_all(file);
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
	ret = misc_register(&device);
	if (ret)
		goto exit_watch;
	return 0;

exit_watch:
	cordbmem_watch_exit();
exit_gate:
	cordbmem_gate_exit();
	return ret;
}

static void __exit cordbmem_exit(void)
{
	misc_deregister(&device);
	cordbmem_watch_exit();
	cordbmem_gate_exit();
	/* targets are freed by RCU, with kfree: no code of ours is left to run */
}

module_init(cordbmem_init);
module_exit(cordbmem_exit);

MODULE_DESCRIPTION("Reads the memory of live processes for tracing tools");
MODULE_AUTHOR("The cordbmem maintainers");
MODULE_LICENSE("GPL");
