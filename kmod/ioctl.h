/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the ioctls of all our files have in common: structs that grow.
 */
#ifndef _CORDBMEM_IOCTL_H
#define _CORDBMEM_IOCTL_H

#include <linux/fs.h>
#include <linux/kernel.h>
#include <linux/nospec.h>
#include <linux/uaccess.h>
#include <linux/cordbmem.h>

union cordbmem_arg {
	u64 words[8];
	struct cordbmem_info info;
	struct cordbmem_read read;
	struct cordbmem_readv readv;
	struct cordbmem_attach attach;
	struct cordbmem_window window;
	struct cordbmem_populate populate;
	struct cordbmem_sync sync;
	struct cordbmem_stats stats;
};

/* The copy's bounds are checked against words, so it must span the union. */
static_assert(sizeof(((union cordbmem_arg *)0)->words) ==
	      sizeof(union cordbmem_arg));

/**
 * struct cordbmem_ioctl - one ioctl of a file
 * @cmd: its number
 * @size: size of its argument as this module knows it
 * @min_size: size of its first revision
 * @run: carries it out, with a kernel copy of the argument
 */
struct cordbmem_ioctl {
	unsigned int cmd;
	u32 size;
	u32 min_size;
	int (*run)(struct file *filp, void *arg, void __user *uarg);
};

#define CORDBMEM_IOCTL(_cmd, _struct, _last, _run)			\
	{								\
		.cmd = _cmd,						\
		.size = sizeof(_struct) +				\
			BUILD_BUG_ON_ZERO(sizeof(_struct) % sizeof(u64)) + \
			BUILD_BUG_ON_ZERO(sizeof(union cordbmem_arg) <	\
					  sizeof(_struct)),		\
		.min_size = offsetofend(_struct, _last),		\
		.run = _run,						\
	}

/*
 * Copies an argument in, by copy_struct_from_user() unless the caller knows the
 * struct as this module does: then the checks around a copy would cost
 * more than the few words themselves.
 */
static inline int cordbmem_load_arg(const struct cordbmem_ioctl *op, u64 *arg,
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

/**
 * cordbmem_ioctl_run - carry out an ioctl
 * @ioctls: those that the file takes, with consecutive numbers
 * @count: how many
 * @filp: the file
 * @cmd: which, as the caller says
 * @user: the caller's argument
 *
 * Return: 0 or a negative errno.
 */
static inline long cordbmem_ioctl_run(const struct cordbmem_ioctl *ioctls,
				      unsigned int count, struct file *filp,
				      unsigned int cmd, void __user *user)
{
	unsigned int nr = cmd - ioctls[0].cmd;
	union cordbmem_arg arg __uninitialized;
	int ret;

	if (nr >= count)
		return -ENOTTY;
	ioctls += array_index_nospec(nr, count);
	ret = cordbmem_load_arg(ioctls, arg.words, user);
	if (ret)
		return ret;
	return ioctls->run(filp, &arg, user);
}

#endif /* _CORDBMEM_IOCTL_H */
