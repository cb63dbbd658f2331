// SPDX-License-Identifier: MIT
/*
 * Scattered reads: elements over any mix of processes, in order.
 */
#include <errno.h>
#include <sys/ioctl.h>

#include <linux/cordbmem.h>

#include "coreclr.h"
#include "internal.h"
#include "window.h"

/* Elements of one READV; they live on the stack. */
#define BATCH 128

struct batch {
	struct cordbmem_element raw[BATCH];
	uint64_t view[BATCH];	  /* of the patches, from before the read */
	uint64_t quiet_at[BATCH]; /* of coreclr_begin, likewise */
	size_t which[BATCH];	  /* element that it stands for */
	uint32_t count;		  /* used of these */
	int device_fd;
	uint32_t max_elements;
};

static void read_alone(struct cordbmem_scatter *e)
{
	size_t got = 0;

	if (!read_decided(e->process, e->address, e->buffer, e->size, &e->result))
		e->result = read_masked(e->process, e->address, e->buffer, e->size, &got);
	e->read = got;
}

static bool through_module(const struct cordbmem_scatter *e)
{
	return e->process && e->process->backend->kind == CORDBMEM_BACKEND_MODULE;
}

/*
 * Describe to the kernel as many elements from the start as one READV takes. Returns
 * how many elements that are; those that need no reading take no room.
 */
static size_t batch_fill(struct batch *batch, const struct cordbmem_scatter *elements, size_t count)
{
	size_t i;

	batch->count = 0;
	batch->device_fd = -1;
	batch->max_elements = BATCH;
	for (i = 0; i < count && batch->count < batch->max_elements; i++) {
		const struct cordbmem_scatter *e = &elements[i];
		struct cordbmem_process *process = e->process;
		uint32_t flags = CORDBMEM_READ_TARGET_FD;
		HRESULT hr;

		if (!through_module(e))
			break;
		if (read_decided(process, e->address, e->buffer, e->size, &hr))
			continue;
		if (batch->device_fd < 0 && process->device_fd >= 0) {
			if (process->max_elements < batch->max_elements)
				batch->max_elements = process->max_elements;
			if (batch->count >= batch->max_elements)
				break;
			batch->device_fd = process->device_fd;
		}
		if (!(process->flags & CORDBMEM_OPEN_NO_FORCE))
			flags |= CORDBMEM_READ_FORCE;
		if (process->flags & CORDBMEM_OPEN_NOFAULT)
			flags |= CORDBMEM_READ_NOFAULT;
		batch->which[batch->count] = i;
		batch->view[batch->count] = patches_begin(&process->patches);
		batch->quiet_at[batch->count] = 0;
		if (coreclr_of(process))
			batch->quiet_at[batch->count] =
				coreclr_begin(process, coreclr_of(process), 0);
		batch->raw[batch->count++] = (struct cordbmem_element){
			.source = process->memory_fd,
			.flags = flags,
			.address = e->address,
			.length = e->size,
			.buffer = (uintptr_t)e->buffer,
		};
	}
	return i;
}

/* How many of the batch the kernel has processed; 0 if it cannot. */
static uint32_t batch_read(struct batch *batch)
{
	struct cordbmem_readv readv = {
		.size = sizeof(readv),
		.elements = (uintptr_t)batch->raw,
		.count = batch->count,
		.element_size = sizeof(batch->raw[0]),
	};
	int rc;

	do
		rc = ioctl(batch->device_fd, CORDBMEM_IOC_READV, &readv);
	while (rc && errno == EINTR);
	return rc ? 0 : readv.done;
}

/*
 * Take over what the kernel has read. Returns how many elements have their result.
 * Order is a promise: once an element has to be read again, so have
 * all that follow it.
 */
static size_t batch_take(const struct batch *batch, uint32_t done,
			 struct cordbmem_scatter *elements, size_t count)
{
	uint32_t used = 0;
	size_t i;

	for (i = 0; i < count; i++) {
		struct cordbmem_scatter *e = &elements[i];
		const struct cordbmem_element *raw = &batch->raw[used];
		size_t got;

		if (used == batch->count || batch->which[used] != i) {
			/* It needed no reading, and needs none now. */
			read_alone(e);
			continue;
		}
		if (used == done)
			break;
		got = raw->bytes_read;
		if (read_decided(e->process, e->address, e->buffer, e->size, &e->result)) {
			e->read = 0;
		} else if (raw->error == EINTR ||
			   !patches_mask(&e->process->patches, batch->view[used], e->address,
					 e->buffer, got)) {
			read_alone(e);
			return i + 1;
		} else {
			struct coreclr *runtime = coreclr_of(e->process);
			bool reread = false;
			int err = raw->error, strip = 0;

			if (runtime)
				strip = coreclr_strip(e->process, runtime, batch->quiet_at[used],
						      e->address, e->buffer, &got, &reread);
			if (got)
				window_missed(e->process, e->address, got);
			e->result = read_result(e->process, strip ? strip : err, &got);
			e->read = got;
			if (reread)
				return i + 1;
		}
		used++;
	}
	return i;
}

/* It is in a window, and takes more than the fast path: a patch, two pages. No reason for a call for it and all others. */
static bool is_shown(const struct cordbmem_scatter *e)
{
	struct windows *windows = e->process ? atomic_load(&e->process->windows) : NULL;

	return windows && window_shows(windows, e->address);
}

HRESULT cordbmem_read_scatter(struct cordbmem_scatter *elements, size_t count)
{
	size_t at;

	if (count && !elements)
		return E_INVALIDARG;
	at = read_fast(elements, count);
	if (at == count)
		return S_OK;
	for (; at < count; at += read_fast(elements + at, count - at)) {
		struct batch batch;
		uint32_t done = 0;
		size_t described;

		if (is_shown(&elements[at])) {
			read_alone(&elements[at++]);
			continue;
		}
		described = batch_fill(&batch, elements + at, count - at);
		if (batch.count > 1 && batch.device_fd >= 0)
			done = batch_read(&batch);
		if (done) {
			at += batch_take(&batch, done, elements + at, described);
		} else {
			/* Nothing to win, or no way: one after the other. */
			if (!described)
				described = 1;
			for (; described; described--)
				read_alone(&elements[at++]);
		}
	}
	for (size_t i = 0; i < count; i++) {
		if (elements[i].result != S_OK)
			return elements[i].result;
	}
	return S_OK;
}
