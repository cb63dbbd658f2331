// SPDX-License-Identifier: MIT
/*
 * Small raw reads: by READV where there is a device, else one by one.
 */
#include "raw.h"

#include <errno.h>
#include <sys/ioctl.h>

#include <linux/cordbmem.h>

#include "internal.h"

/* Elements of one READV; they live on the stack. */
#define BATCH 64U

static int read_alone(struct cordbmem_process *process, struct raw_read *r)
{
	size_t got;
	int err = read_raw(process, r->address, r->buffer, r->size, &got);

	r->got = (uint32_t)got;
	return err == EIO ? 0 : err;
}

/* How many of them the kernel has read; 0 if it cannot. *err is fatal. */
static size_t read_batch(struct cordbmem_process *process, struct raw_read *reads, size_t count,
			 int *err)
{
	struct cordbmem_element elements[BATCH];
	struct cordbmem_readv readv = {
		.size = sizeof(readv),
		.elements = (uintptr_t)elements,
		.element_size = sizeof(elements[0]),
	};
	uint32_t flags = CORDBMEM_READ_TARGET_FD;
	int rc;

	if (!(process->flags & CORDBMEM_OPEN_NO_FORCE))
		flags |= CORDBMEM_READ_FORCE;
	if (process->flags & CORDBMEM_OPEN_NOFAULT)
		flags |= CORDBMEM_READ_NOFAULT;
	readv.count = (uint32_t)(count < BATCH ? count : BATCH);
	if (readv.count > process->max_elements)
		readv.count = process->max_elements;
	for (uint32_t i = 0; i < readv.count; i++) {
		elements[i] = (struct cordbmem_element){
			.source = process->memory_fd,
			.flags = flags,
			.address = reads[i].address,
			.length = reads[i].size,
			.buffer = (uintptr_t)reads[i].buffer,
		};
	}
	do
		rc = ioctl(process->device_fd, CORDBMEM_IOC_READV, &readv);
	while (rc && errno == EINTR);
	if (rc)
		return 0;

	for (uint32_t i = 0; i < readv.done; i++) {
		/* A signal cut it off: what follows is read anew. */
		if (elements[i].error == EINTR)
			return i;
		if (elements[i].error && elements[i].error != EIO) {
			*err = elements[i].error;
			return i;
		}
		reads[i].got = (uint32_t)elements[i].bytes_read;
	}
	return readv.done;
}

int raw_readv(struct cordbmem_process *process, struct raw_read *reads, size_t count)
{
	size_t at = 0;
	int err = 0;

	while (at < count && !err) {
		size_t done = 0;

		if (process->device_fd >= 0 && count - at > 1)
			done = read_batch(process, reads + at, count - at, &err);
		if (!done && !err) {
			err = read_alone(process, &reads[at]);
			done = 1;
		}
		at += done;
	}
	return err;
}

int raw_readv_whole(struct cordbmem_process *process, struct raw_read *reads, size_t count)
{
	int err = raw_readv(process, reads, count);

	for (size_t i = 0; i < count && !err; i++) {
		if (reads[i].got != reads[i].size)
			err = EIO;
	}
	return err;
}

int raw_read(struct cordbmem_process *process, uint64_t address, void *buffer, uint32_t size)
{
	struct raw_read read = { .address = address, .buffer = buffer, .size = size };

	return raw_readv_whole(process, &read, 1);
}
