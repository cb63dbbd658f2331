// SPDX-License-Identifier: MIT
/*
 * The doors through which the same bytes of a target can be read.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "bench.h"
#include "methods.h"

static bool by_process_vm_readv(struct bench *b)
{
	ssize_t n = process_vm_readv(b->pid, b->local, b->elements, b->remote, b->elements, 0);

	return n == (ssize_t)(b->bytes * b->elements);
}

static bool by_proc_mem(struct bench *b)
{
	return pread(b->mem, b->buffer, b->bytes, (off_t)b->remote[0].iov_base) ==
	       (ssize_t)b->bytes;
}

static bool by_read(struct bench *b)
{
	struct cordbmem_read arg = {
		.size = sizeof(arg),
		.pid = b->pid,
		.address = (uintptr_t)b->remote[0].iov_base,
		.length = b->bytes,
		.buffer = (uintptr_t)b->buffer,
	};

	return !ioctl(b->device, CORDBMEM_IOC_READ, &arg) && arg.bytes_read == b->bytes;
}

static bool by_target_pread(struct bench *b)
{
	return pread(b->target, b->buffer, b->bytes, (off_t)b->remote[0].iov_base) ==
	       (ssize_t)b->bytes;
}

static bool by_readv(struct bench *b)
{
	struct cordbmem_readv arg = {
		.size = sizeof(arg),
		.elements = (uintptr_t)b->element,
		.count = (uint32_t)b->elements,
		.element_size = sizeof(b->element[0]),
	};

	return !ioctl(b->device, CORDBMEM_IOC_READV, &arg) && arg.done == b->elements &&
	       b->element[b->elements - 1].bytes_read == b->bytes;
}

static bool by_window(struct bench *b)
{
	for (size_t i = 0; i < b->elements; i++) {
		size_t offset = (size_t)((char *)b->remote[i].iov_base - b->region);

		if (!window_get(&b->window, offset, b->local[i].iov_base, b->bytes))
			return false;
	}
	return true;
}

/* As a tool that reads one place again and again. */
static bool read_memory(struct bench *b, struct cordbmem_process *process,
			struct cordbmem_scatter *scatter, unsigned int calls)
{
	const CORDB_ADDRESS address = (uintptr_t)b->remote[0].iov_base;
	const DWORD size = (DWORD)b->bytes;
	BYTE *buffer = (BYTE *)b->buffer;

	if (b->elements > 1) {
		while (calls--)
			if (cordbmem_read_scatter(scatter, b->elements) != S_OK)
				return false;
		return true;
	}
	while (calls--) {
		SIZE_T got;

		if (cordbmem_ReadMemory(process, address, size, buffer, &got) != S_OK ||
		    got != size)
			return false;
	}
	return true;
}

static bool ReadMemory_times(struct bench *b, unsigned int calls)
{
	return read_memory(b, b->process, b->scatter, calls);
}

static bool ReadMemory_window_times(struct bench *b, unsigned int calls)
{
	return read_memory(b, b->windowed, b->windowed_scatter, calls);
}

/* What the same bytes cost in one's own memory: the floor. */
static bool by_memcpy(struct bench *b)
{
	for (size_t i = 0; i < b->elements; i++) {
		memcpy(b->local[i].iov_base, b->remote[i].iov_base, b->bytes);
		__asm__ volatile("" ::: "memory");
	}
	return true;
}

/* The others, in one loop each, so that what is counted of the benchmark itself is little. */
#define METHOD(door)                                                  \
	static bool door##_times(struct bench *b, unsigned int calls) \
	{                                                             \
		while (calls--)                                       \
			if (!by_##door(b))                            \
				return false;                         \
		return true;                                          \
	}

METHOD(process_vm_readv)
METHOD(proc_mem)
METHOD(read)
METHOD(target_pread)
METHOD(readv)
METHOD(window)
METHOD(memcpy)

const struct method methods[] = {
	{ "process_vm_readv", process_vm_readv_times, true, false },
	{ "proc_mem", proc_mem_times, false, false },
	{ "read", read_times, false, false },
	{ "target_pread", target_pread_times, false, false },
	{ "readv", readv_times, true, false },
	{ "ReadMemory", ReadMemory_times, true, true },
	{ "ReadMemory_window", ReadMemory_window_times, true, true },
	{ "window", window_times, true, false },
	{ "memcpy", memcpy_times, true, false },
};

const size_t method_count = sizeof(methods) / sizeof(methods[0]);

void describe(struct bench *b, size_t bytes, size_t elements)
{
	b->bytes = bytes;
	b->elements = elements;
	for (size_t i = 0; i < elements; i++) {
		size_t page = elements > 1 ? i * 37 % MAX_ELEMENTS : 0;
		char *from = b->region + page * PAGE + (elements > 1 ? 128 : b->offset);
		char *to = b->buffer + i * bytes;

		b->local[i] = (struct iovec){ to, bytes };
		b->remote[i] = (struct iovec){ from, bytes };
		b->element[i] = (struct cordbmem_element){
			.source = b->pid,
			.address = (uintptr_t)from,
			.length = bytes,
			.buffer = (uintptr_t)to,
		};
		b->scatter[i] = (struct cordbmem_scatter){
			.process = b->process,
			.address = (uintptr_t)from,
			.buffer = (BYTE *)to,
			.size = (DWORD)bytes,
		};
		b->windowed_scatter[i] = b->scatter[i];
		b->windowed_scatter[i].process = b->windowed;
	}
}

struct cordbmem_process *open_process(pid_t pid, enum cordbmem_windows mode)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process;

	if (cordbmem_process_open(pid, NULL, &process, &error) != S_OK)
		give_up(error.text);
	if (cordbmem_process_set_windows(process, mode) != S_OK)
		give_up("cannot turn windows on or off");
	return process;
}

void open_handles(struct bench *b)
{
	char path[64];

	b->device = device_open();
	b->target = device_attach(b->device, b->pid);
	b->window = window_open(b->target, b->region, REGION);
	snprintf(path, sizeof(path), "/proc/%d/mem", b->pid);
	b->mem = open(path, O_RDONLY | O_CLOEXEC);
	if (b->mem < 0)
		give_up("cannot open the target's mem file");
	b->process = open_process(b->pid, CORDBMEM_WINDOWS_OFF);
	b->windowed = open_process(b->pid, CORDBMEM_WINDOWS_AUTO);
}

void close_handles(struct bench *b)
{
	window_close(&b->window);
	close(b->device);
	close(b->target);
	close(b->mem);
	cordbmem_process_free(b->process);
	cordbmem_process_free(b->windowed);
}

void add_patches(struct bench *b, size_t count)
{
	struct cordbmem_patch *patches = calloc(count, sizeof(*patches));

	if (!patches)
		give_up("no memory for patches");
	for (size_t i = 0; i < count; i++) {
		patches[i].address = (uintptr_t)b->region + 32 + i * (REGION / 2 / count);
		patches[i].size = 1;
		patches[i].original[0] = 0x55;
	}
	if (cordbmem_process_add_patches(b->process, patches, count) != S_OK ||
	    cordbmem_process_add_patches(b->windowed, patches, count) != S_OK)
		give_up("cannot add patches");
	free(patches);
}
