// SPDX-License-Identifier: GPL-2.0
/*
 * Reading one range of a target into the caller's memory, and READ.
 *
 * A short range of READ goes through access_process_vm() and a buffer on the
 * stack; one of a target fd through a page lookup of our own and a buffer,
 * since aligned words must not be torn there. A longer range is looked up page
 * by page in batches and copied straight from the target's pages to the
 * caller, with no lock held; whatever a page lookup cannot give (a device
 * mapping with an access method, the guard gap of a growing stack) is asked of
 * access_process_vm(), so all ways read the same.
 *
 * The target can make a page as slow to come as it likes (a FUSE file), and who
 * waits with its mmap_lock stops everybody who needs that lock. So a lookup
 * that keeps the lock asks with FOLL_NOWAIT, and a page that is not there at
 * once is left to the batches, whose lookup drops the lock to wait. Only
 * access_process_vm() waits with the lock, as it does for /proc/PID/mem.
 */
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/kernel.h>
#include <linux/minmax.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/uaccess.h>
#include <linux/userfaultfd_k.h>

#include "compat.h"
#include "cordbmem.h"
#include "trace.h"

/* Bytes that are read with no allocation and one lookup. */
#define READ_SHORT 256

/* Bytes that are copied to the caller word by word. */
#define COPY_INLINE 128

/* Pages that are looked up, and referenced, at a time. */
#define READ_BATCH 16

/**
 * cordbmem_copy_out - copy to the caller, as far as it goes
 * @to: memory of the caller, of which access_ok() is known
 * @from: kernel memory
 * @length: bytes
 *
 * Return: bytes copied; less than @length when @to cannot be written.
 */
size_t cordbmem_copy_out(void __user *to, const void *from, size_t length)
{
	/*
	 * For a few words the checks around copy_to_user() cost more than the
	 * copy. It still has the last word: it counts up to the bad byte.
	 */
	if (length <= COPY_INLINE && user_write_access_begin(to, length)) {
		unsafe_copy_to_user(to, from, length, fault);
		user_write_access_end();
		return length;
fault:
		user_write_access_end();
	}
	return length - copy_to_user(to, from, length);
}

/* Errors of a lookup as the uAPI has them. */
static int read_error(long got)
{
	if (fatal_signal_pending(current))
		return -EINTR;
	return got == -ENOMEM ? -ENOMEM : -EIO;
}

/*
 * Up to READ_SHORT bytes by access_process_vm(). An execve between the check
 * and the read gives the task another mm, and it never gets a former one back:
 * if it has the checked mm afterwards, the bytes are from that.
 */
static int read_short(struct cordbmem_target *target, struct task_struct *task,
		      const struct cordbmem_span *span, u64 address,
		      void __user *to, unsigned int length,
		      unsigned int *copied)
{
	u8 bounce[READ_SHORT] __uninitialized;
	struct task_struct *other = NULL;
	int got;

	for (;;) {
		got = access_process_vm(task, address, bounce, length,
					span->gup_flags);
		if (READ_ONCE(task->mm) == target->mm)
			break;
		/* A thread that exited may have left others. */
		if (other)
			put_task_struct(other);
		other = cordbmem_target_task(target);
		if (!other)
			return -ESRCH;
		task = other;
	}
	if (other)
		put_task_struct(other);
	*copied = cordbmem_copy_out(to, bounce, got);
	if (*copied < got)
		return -EFAULT;
	return got < length ? read_error(0) : 0;
}

/*
 * Aligned words come out whole, whatever memcpy() is made of: a sequence
 * counter in front of data, or a pointer, is worth nothing if it can be torn.
 */
static void copy_words(void *to, const void *from, size_t length)
{
	if (length == 8 && IS_ALIGNED((unsigned long)from, 8)) {
		u64 word = READ_ONCE(*(const u64 *)from);

		memcpy(to, &word, 8);
	} else if (length == 4 && IS_ALIGNED((unsigned long)from, 4)) {
		u32 word = READ_ONCE(*(const u32 *)from);

		memcpy(to, &word, 4);
	} else {
		memcpy(to, from, length);
	}
}

/**
 * cordbmem_read_locked - read a short range while its mm is locked
 * @mm: the target's, held, with mmap_lock held for reading
 * @vma: a mapping of @mm to try first, or NULL; updated
 * @address: first byte, in user space to the end of the range
 * @length: bytes
 * @gup_flags: FOLL_*
 * @to: kernel memory
 *
 * Return: true when all of it was read; false if some of it cannot be read
 * this way.
 */
bool cordbmem_read_locked(struct mm_struct *mm, struct vm_area_struct **vma,
			  u64 address, size_t length, unsigned int gup_flags,
			  void *to)
{
	lockdep_assert_held(&mm->mmap_lock);
	/* not before what was read before; seqlocks rely on it */
	smp_rmb();
	while (length) {
		unsigned int offset = offset_in_page(address);
		size_t n = min_t(size_t, length, PAGE_SIZE - offset);
		struct page *page;
		void *from;

		/*
		 * No lookup starts outside a mapping: below a stack some
		 * kernels warn about it.
		 */
		if (!*vma || address < (*vma)->vm_start ||
		    address >= (*vma)->vm_end)
			*vma = vma_lookup(mm, address);
		if (!*vma || cordbmem_gup_unsafe(*vma, gup_flags) ||
		    cordbmem_gup(mm, address & PAGE_MASK, 1,
				 gup_flags | FOLL_NOWAIT, &page, NULL) != 1)
			return false;
		from = kmap_local_page(page);
		copy_words(to, from + offset, n);
		kunmap_local(from);
		put_page(page);
		to += n;
		address += n;
		length -= n;
	}
	return true;
}

/*
 * Up to READ_SHORT bytes by a lookup. False: it takes a wait, or another way, to
 * read them, and nothing was copied.
 */
static bool read_lookup_short(struct cordbmem_target *target,
			      const struct cordbmem_span *span, size_t length,
			      u64 *copied)
{
	u64 bounce[READ_SHORT / sizeof(u64)] __uninitialized;
	struct vm_area_struct *vma = NULL;
	struct mm_struct *mm = target->mm;
	bool done = false;

	if (!mmget_not_zero(mm))
		return false;
	if (!mmap_read_lock_killable(mm)) {
		done = cordbmem_read_locked(mm, &vma, span->address, length,
					    span->gup_flags, bounce);
		mmap_read_unlock(mm);
	}
	mmput(mm);
	if (done)
		*copied = cordbmem_copy_out(span->buffer, bounce, length);
	return done;
}

/**
 * cordbmem_lookup - look pages of one mapping up
 * @mm: the target's, held
 * @address: in the first page
 * @nr: how many
 * @gup_flags: FOLL_*
 * @pages: set to the pages, with a reference each
 *
 * Pages of a userfaultfd are not waited for, since nothing says that they ever
 * come.
 *
 * Return: how many there are from the first on, at least one, or a negative errno.
 */
long cordbmem_lookup(struct mm_struct *mm, u64 address, unsigned int nr,
		     unsigned int gup_flags, struct page **pages)
{
	struct vm_area_struct *vma;
	long got = -EFAULT;
	int locked = 1;

	if (mmap_read_lock_killable(mm))
		return -EINTR;
	vma = vma_lookup(mm, address);
	if (vma && !cordbmem_gup_unsafe(vma, gup_flags)) {
		nr = min_t(u64, nr,
			   (vma->vm_end - (address & PAGE_MASK)) >> PAGE_SHIFT);
		got = cordbmem_gup(mm, address & PAGE_MASK, nr, gup_flags,
				   pages, userfaultfd_armed(vma) ? NULL :
								   &locked);
	}
	if (locked)
		mmap_read_unlock(mm);
	return got;
}

static int read_pages(struct page **pages, long nr, u64 address, u64 length,
		      void __user *to, u64 *copied)
{
	unsigned int offset = offset_in_page(address);
	long i;

	*copied = 0;
	for (i = 0; i < nr; i++) {
		size_t n = min_t(u64, PAGE_SIZE - offset, length - *copied);
		void *from = kmap_local_page(pages[i]);
		size_t out = cordbmem_copy_out(to + *copied, from + offset, n);

		kunmap_local(from);
		*copied += out;
		if (out < n)
			return -EFAULT;
		offset = 0;
	}
	return 0;
}

/*
 * A range of any length, in batches. The target's mm is held for the lookup
 * only: a caller that stalls in its own page faults must not keep a dying
 * target's memory.
 */
static int read_long(struct cordbmem_target *target, struct task_struct *task,
		     const struct cordbmem_span *span, u64 length, u64 *done)
{
	struct page *pages[READ_BATCH];
	int ret = 0;

	while (!ret && *done < length) {
		u64 address = span->address + *done;
		void __user *to = span->buffer + *done;
		u64 left = length - *done;
		u64 copied = 0;
		unsigned int nr;
		long got, i;

		if (*done && signal_pending(current))
			return -EINTR;
		cond_resched();

		nr = min_t(u64, READ_BATCH,
			   DIV_ROUND_UP(offset_in_page(address) + left,
					PAGE_SIZE));
		if (!mmget_not_zero(target->mm))
			return -ESRCH;
		got = cordbmem_lookup(target->mm, address, nr, span->gup_flags,
				      pages);
		mmput(target->mm);

		if (got > 0) {
			ret = read_pages(pages, got, address, left, to,
					 &copied);
			for (i = 0; i < got; i++)
				put_page(pages[i]);
		} else if (span->flags & CORDBMEM_READ_NOFAULT) {
			ret = read_error(got);
		} else {
			unsigned int part = 0;

			ret = read_short(target, task, span, address, to,
					 min3((u64)READ_SHORT, left,
					      (u64)PAGE_SIZE -
						      offset_in_page(address)),
					 &part);
			if (ret == -EIO)
				ret = read_error(got);
			copied = part;
		}
		*done += copied;
	}
	return ret;
}

/**
 * cordbmem_read_span - read a range of a target
 * @target: whom; the caller passed the gate for it
 * @task: a thread of it
 * @span: what, and where to
 * @bytes_read: set to the bytes that arrived, whatever the result
 *
 * Return: 0 when all of it was read, else why not: -EIO, -ESRCH, -EINTR,
 * -ENOMEM, or -EFAULT for the caller's buffer.
 */
int cordbmem_read_span(struct cordbmem_target *target,
		       struct task_struct *task,
		       const struct cordbmem_span *span, u64 *bytes_read)
{
	u64 length = cordbmem_readable_length(span->address, span->length);
	unsigned int copied = 0;
	int ret;

	*bytes_read = 0;
	if (span->length && !access_ok(span->buffer, span->length)) {
		ret = -EFAULT;
	} else if (!length) {
		ret = 0;
	} else if (length <= READ_SHORT && span->by_lookup &&
		   read_lookup_short(target, span, length, bytes_read)) {
		ret = *bytes_read < length ? -EFAULT : 0;
	} else if (length <= READ_SHORT && !span->by_lookup &&
		   !(span->flags & CORDBMEM_READ_NOFAULT)) {
		ret = read_short(target, task, span, span->address,
				 span->buffer, length, &copied);
		*bytes_read = copied;
	} else {
		ret = read_long(target, task, span, length, bytes_read);
	}
	if (!ret && length < span->length)
		ret = -EIO;
	trace_cordbmem_read(task->tgid, span->address, span->length,
			    span->flags, *bytes_read, -ret);
	return ret;
}

/**
 * cordbmem_read_ioctl - CORDBMEM_IOC_READ
 * @filp: the open device
 * @arg: kernel copy of struct cordbmem_read
 * @uarg: the caller's
 *
 * Return: 0 or a negative errno.
 */
int cordbmem_read_ioctl(struct file *filp, void *arg, void __user *uarg)
{
	struct cordbmem_read __user *uread = uarg;
	struct cordbmem_read *read = arg;
	struct cordbmem_span span = {
		.address = read->address,
		.length = read->length,
		.buffer = u64_to_user_ptr(read->buffer),
		.flags = read->flags,
	};
	struct cordbmem_target *target;
	struct task_struct *task;
	u64 bytes_read;
	int ret;

	if (read->reserved ||
	    read->flags & ~(CORDBMEM_READ_FORCE | CORDBMEM_READ_NOFAULT))
		return -EINVAL;
	ret = cordbmem_read_flags(read->flags, &span.gup_flags);
	if (ret)
		return ret;

	target = cordbmem_target_get(filp->private_data, read->pid, &task);
	if (IS_ERR(target))
		return PTR_ERR(target);
	ret = cordbmem_read_span(target, task, &span, &bytes_read);
	put_task_struct(task);
	cordbmem_target_put(target);

	if (!user_write_access_begin(uread, sizeof(*uread)))
		return -EFAULT;
	unsafe_put_user(bytes_read, &uread->bytes_read, fault);
	unsafe_put_user(-ret, &uread->error, fault);
	unsafe_put_user(0, &uread->reserved2, fault);
	user_write_access_end();
	return bytes_read ? 0 : ret;
fault:
	user_write_access_end();
	return -EFAULT;
}
