/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the module's files know of each other.
 */
#ifndef _CORDBMEM_H
#define _CORDBMEM_H

#include <linux/cred.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/minmax.h>
#include <linux/mm_types.h>
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/processor.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/cordbmem.h>

/* The most elements of one READV, as large as an iovec array may be. */
#define CORDBMEM_MAX_ELEMENTS 1024

struct cordbmem_quota;

/**
 * struct cordbmem_target - one memory image that somebody may read
 * @ref:	lifetime; readers of a cache take it under RCU
 * @rcu:	frees the struct when no reader of a cache can see it
 * @pid:	the process or thread as the caller named it
 * @nr:		its number in the caller's pid namespace; 0 if it was not named by one
 * @tgid:	its process
 * @mm:		the memory image, by mmgrab(): identity, not life
 * @caller:	who was checked; NULL if the outcome must not be remembered
 * @subject:	the credentials of the target that the check saw
 * @dumpable:	the dumpable state of @mm that the check saw
 * @checked:	jiffies at the time of the check
 *
 * Immutable once others can see it, so it is read without a lock. The references that it
 * holds make comparing the pointers safe: none can be reused meanwhile.
 */
struct cordbmem_target {
	struct kref ref;
	struct rcu_head rcu;
	struct pid *pid;
	pid_t nr;
	struct pid *tgid;
	struct mm_struct *mm;
	const struct cred *caller;
	const struct cred *subject;
	int dumpable;
	unsigned long checked;
};

#define CORDBMEM_CACHE_BITS 6

/**
 * struct cordbmem_file - one open of the device
 * @lock:	serialises changes of @cache
 * @cache:	remembered outcomes of the gate, by number of the process
 * @quota:	what its windows may use together
 * @scratch:	memory that a READV takes, and gives back, by xchg(); NULL while it
 *		is in use or has not been needed
 */
struct cordbmem_file {
	spinlock_t lock; /* changes of cache */
	struct cordbmem_target __rcu *cache[1 << CORDBMEM_CACHE_BITS];
	struct cordbmem_quota *quota;
	void *scratch;
};

/* device.c */
int cordbmem_read_flags(u32 flags, unsigned int *gup_flags);

/* gate.c */
int cordbmem_gate_init(void);
void cordbmem_gate_exit(void);
struct cordbmem_target *cordbmem_gate_pid(struct pid *pid);
struct cordbmem_target *cordbmem_gate_mem_fd(int fd);

/* target.c */
struct cordbmem_target *cordbmem_target_new(struct pid *pid, struct pid *tgid,
					    struct mm_struct *mm);
void cordbmem_target_put(struct cordbmem_target *target);
struct task_struct *cordbmem_target_task(struct cordbmem_target *target);
struct cordbmem_target *cordbmem_target_get(struct cordbmem_file *file,
					    pid_t nr,
					    struct task_struct **task);
void cordbmem_target_forget_all(struct cordbmem_file *file);

/* target_file.c */
int cordbmem_attach_ioctl(struct file *filp, void *arg, void __user *uarg);
struct cordbmem_target *cordbmem_target_from_fd(int fd);

/* read.c */

/**
 * struct cordbmem_span - a range of a target and where its bytes go
 * @address:	first byte in the target
 * @length:	bytes
 * @buffer:	memory of the caller
 * @flags:	CORDBMEM_READ_*, for the trace
 * @gup_flags:	the same as FOLL_*
 * @by_lookup:	read a short range by page lookups, an aligned word of 4 or 8
 *		bytes in one access, instead of access_process_vm()
 */
struct cordbmem_span {
	u64 address;
	u64 length;
	void __user *buffer;
	u32 flags;
	unsigned int gup_flags;
	bool by_lookup;
};

/**
 * cordbmem_readable_length - the part of a range that lies in user space
 * @address: first byte
 * @length: bytes, up to 2^64 - 1
 *
 * Return: bytes from @address on; what wraps or leaves user space is cut off.
 */
static inline u64 cordbmem_readable_length(u64 address, u64 length)
{
	if (address >= TASK_SIZE_MAX)
		return 0;
	return min_t(u64, length, TASK_SIZE_MAX - address);
}

long cordbmem_lookup(struct mm_struct *mm, u64 address, unsigned int nr,
		     unsigned int gup_flags, struct page **pages);
bool cordbmem_read_locked(struct mm_struct *mm, struct vm_area_struct **vma,
			  u64 address, size_t length, unsigned int gup_flags,
			  void *to);
int cordbmem_read_span(struct cordbmem_target *target,
		       struct task_struct *task,
		       const struct cordbmem_span *span, u64 *bytes_read);
int cordbmem_read_ioctl(struct file *filp, void *arg, void __user *uarg);
size_t cordbmem_copy_out(void __user *to, const void *from, size_t length);

/* readv.c */
int cordbmem_readv_ioctl(struct file *filp, void *arg, void __user *uarg);

#endif /* _CORDBMEM_H */
