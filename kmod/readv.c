// SPDX-License-Identifier: GPL-2.0
/*
 * READV: many reads in one call, over any mix of targets.
 *
 * Consecutive short elements of one target form a run: their pages are looked
 * up and copied to a bounce buffer under one lock of the target's mm, one
 * element after the other, and go out to the caller afterwards. Looking all
 * pages up first would be cheaper still, but then a page that the target
 * replaces meanwhile could show an element older than the one in front of it.
 */
#include <linux/err.h>
#include <linux/file.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "cordbmem.h"
#include "trace.h"

/* Elements that need no memory but the stack for their descriptions. */
#define READV_STACK 4

/* A run's bounce buffer on the stack; a longer call has one of its own. */
#define RUN_STACK 256

/* The longest element of a run, and the most elements under one lock. */
#define RUN_ELEMENT 512
#define RUN_COUNT 64

/*
 * What a longer call works in: a page for the bounce buffer, then the elements.
 * Each open file keeps one of the usual size.
 */
#define SCRATCH_BOUNCE PAGE_SIZE
#define SCRATCH_ELEMENTS 128

/**
 * struct readv_call - a READV at work
 * @file: the open device
 * @elements: kernel copy of the elements
 * @count: how many
 * @target: whom the last element named, or an error; valid if @task is set
 * @task: a thread of it
 * @bounce: bounce buffer of a run
 * @room: its size
 */
struct readv_call {
	struct cordbmem_file *file;
	struct cordbmem_element *elements;
	u32 count;
	struct cordbmem_target *target;
	struct task_struct *task;
	void *bounce;
	size_t room;
};

static void call_drop_target(struct readv_call *call)
{
	if (!call->task)
		return;
	put_task_struct(call->task);
	cordbmem_target_put(call->target);
	call->task = NULL;
}

/* Finds the target of an element, through the gate where it names a pid. */
static int call_take_target(struct readv_call *call,
			    const struct cordbmem_element *e)
{
	struct cordbmem_target *target;
	struct task_struct *task;

	call_drop_target(call);
	if (e->flags & CORDBMEM_READ_TARGET_FD) {
		target = cordbmem_target_from_fd(e->source);
		if (IS_ERR(target))
			return PTR_ERR(target);
		task = cordbmem_target_task(target);
		if (!task) {
			cordbmem_target_put(target);
			return -ESRCH;
		}
	} else {
		target = cordbmem_target_get(call->file, e->source, &task);
		if (IS_ERR(target))
			return PTR_ERR(target);
	}
	call->target = target;
	call->task = task;
	return 0;
}

static bool same_source(const struct cordbmem_element *a,
			const struct cordbmem_element *b)
{
	return a->source == b->source && a->flags == b->flags;
}

static bool fits_run(const struct cordbmem_element *e, size_t room)
{
	return e->length <= min_t(size_t, RUN_ELEMENT, room) &&
	       !e->reserved &&
	       cordbmem_readable_length(e->address, e->length) == e->length &&
	       (!e->length ||
		access_ok(u64_to_user_ptr(e->buffer), e->length));
}

static void element_done(struct readv_call *call, struct cordbmem_element *e,
			 u64 bytes_read, int ret)
{
	e->bytes_read = bytes_read;
	e->error = -ret;
	trace_cordbmem_read(call->task->tgid, e->address, e->length, e->flags,
			    bytes_read, e->error);
}

/*
 * Reads elements from @first on until one does not fit the run. Returns how
 * many are done; 0 where the first wants to be read by itself.
 */
static u32 call_run(struct readv_call *call, u32 first, unsigned int gup_flags)
{
	struct cordbmem_element *e = &call->elements[first];
	struct mm_struct *mm = call->target->mm;
	struct vm_area_struct *vma = NULL;
	u32 i, end = first;
	size_t at = 0;

	/*
	 * A caller that reads itself may want what an element just wrote. An
	 * old image that somebody else keeps alive is not the process's.
	 */
	if (mm == current->mm || READ_ONCE(call->task->mm) != mm)
		return 0;
	if (!mmget_not_zero(mm))
		return 0;
	if (mmap_read_lock_killable(mm))
		goto put_mm;
	while (end < call->count && end - first < RUN_COUNT &&
	       same_source(&call->elements[end], e) &&
	       fits_run(&call->elements[end], call->room - at) &&
	       cordbmem_read_locked(mm, &vma, call->elements[end].address,
				    call->elements[end].length, gup_flags,
				    call->bounce + at)) {
		at += call->elements[end].length;
		end++;
	}
	mmap_read_unlock(mm);
put_mm:
	mmput(mm);

	at = 0;
	for (i = first; i < end; i++) {
		size_t out;

		e = &call->elements[i];
		out = cordbmem_copy_out(u64_to_user_ptr(e->buffer),
					call->bounce + at, e->length);
		element_done(call, e, out, out < e->length ? -EFAULT : 0);
		at += e->length;
	}
	return end - first;
}

/* Reads one element, or a run of them. Returns how many are done. */
static u32 call_step(struct readv_call *call, u32 at, bool new_source)
{
	struct cordbmem_element *e = &call->elements[at];
	struct cordbmem_span span = {
		.address = e->address,
		.length = e->length,
		.buffer = u64_to_user_ptr(e->buffer),
		.flags = e->flags,
	};
	u64 bytes_read = 0;
	u32 done;
	int ret;

	if (e->reserved || e->flags & ~(CORDBMEM_READ_FORCE |
					CORDBMEM_READ_NOFAULT |
					CORDBMEM_READ_TARGET_FD)) {
		ret = -EINVAL;
		goto failed;
	}
	ret = cordbmem_read_flags(e->flags, &span.gup_flags);
	if (ret)
		goto failed;
	if (new_source || !call->task) {
		ret = call_take_target(call, e);
		if (ret)
			goto failed;
	}
	done = call_run(call, at, span.gup_flags);
	if (done)
		return done;

	ret = cordbmem_read_span(call->target, call->task, &span, &bytes_read);
	/* the next element asks anew whether the process is still there */
	if (ret == -ESRCH)
		call_drop_target(call);
failed:
	e->bytes_read = bytes_read;
	e->error = -ret;
	return 1;
}

/* Copies the elements in; @stride is their size as the caller knows it. */
static int call_load(struct readv_call *call, const void __user *from,
		     u32 stride)
{
	u32 i;
	int ret;

	if (stride == sizeof(*call->elements)) {
		if (copy_from_user(call->elements, from,
				   array_size(call->count, stride)))
			return -EFAULT;
		return 0;
	}
	for (i = 0; i < call->count; i++) {
		ret = copy_struct_from_user(&call->elements[i],
					    sizeof(*call->elements),
					    from + (size_t)i * stride, stride);
		if (ret)
			return ret;
	}
	return 0;
}

/* Copies the out members of the elements that were processed. */
static int call_store(const struct readv_call *call, u32 done,
		      void __user *to, u32 stride)
{
	u32 i;

	if (!user_write_access_begin(to, (size_t)done * stride))
		return -EFAULT;
	for (i = 0; i < done; i++) {
		struct cordbmem_element __user *e = to + (size_t)i * stride;

		unsafe_put_user(call->elements[i].bytes_read, &e->bytes_read,
				fault);
		unsafe_put_user(call->elements[i].error, &e->error, fault);
	}
	user_write_access_end();
	return 0;
fault:
	user_write_access_end();
	return -EFAULT;
}

static void *scratch_take(struct cordbmem_file *file, u32 count)
{
	void *scratch = NULL;

	if (count <= SCRATCH_ELEMENTS)
		scratch = xchg(&file->scratch, NULL);
	if (scratch)
		return scratch;
	count = max_t(u32, count, SCRATCH_ELEMENTS);
	return kvmalloc(SCRATCH_BOUNCE +
			array_size(count, sizeof(struct cordbmem_element)),
			GFP_KERNEL_ACCOUNT);
}

static void scratch_give(struct cordbmem_file *file, void *scratch, u32 count)
{
	if (count <= SCRATCH_ELEMENTS)
		scratch = xchg(&file->scratch, scratch);
	kvfree(scratch);
}

/**
 * cordbmem_readv_ioctl - CORDBMEM_IOC_READV
 * @filp: the open device
 * @arg: kernel copy of struct cordbmem_readv
 * @uarg: the caller's
 *
 * Return: 0 or a negative errno.
 */
int cordbmem_readv_ioctl(struct file *filp, void *arg, void __user *uarg)
{
	struct cordbmem_file *file = filp->private_data;
	struct cordbmem_element stack[READV_STACK] __uninitialized;
	struct cordbmem_readv __user *ureadv = uarg;
	struct cordbmem_readv *readv = arg;
	void __user *user = u64_to_user_ptr(readv->elements);
	u8 bounce[RUN_STACK] __uninitialized;
	struct readv_call call = {
		.file = file,
		.elements = stack,
		.count = readv->count,
		.bounce = bounce,
		.room = sizeof(bounce),
	};
	void *scratch = NULL;
	u32 done = 0;
	int ret;

	if (readv->flags || readv->reserved ||
	    readv->element_size < sizeof(struct cordbmem_element) ||
	    readv->element_size > PAGE_SIZE)
		return -EINVAL;
	if (readv->count > CORDBMEM_MAX_ELEMENTS)
		return -E2BIG;
	if (readv->count > READV_STACK) {
		scratch = scratch_take(file, readv->count);
		if (!scratch)
			return -ENOMEM;
		call.bounce = scratch;
		call.room = SCRATCH_BOUNCE;
		call.elements = scratch + SCRATCH_BOUNCE;
	}
	ret = call_load(&call, user, readv->element_size);
	if (ret)
		goto free;

	while (done < call.count) {
		bool new_source;

		if (signal_pending(current) && (done || fatal_signal_pending(current)))
			break;
		cond_resched();
		new_source = !done || !same_source(&call.elements[done - 1],
						   &call.elements[done]);
		done += call_step(&call, done, new_source);
	}
	call_drop_target(&call);

	if (done)
		ret = call_store(&call, done, user, readv->element_size);
	if (!ret && put_user(done, &ureadv->done))
		ret = -EFAULT;
	if (!ret && !done && call.count)
		ret = -EINTR;
free:
	if (scratch)
		scratch_give(file, scratch, readv->count);
	return ret;
}
