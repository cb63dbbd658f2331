// SPDX-License-Identifier: MIT
/*
 * What a read costs through each door, in instructions of the guest.
 *
 * Meant for a VM in which CLOCK_MONOTONIC counts instructions (tests/vm/run
 * --icount). Writes a JSON array to the file named by the first argument, a
 * table to standard output, and exits with 1 when a goal is missed.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cordbmem/cordbmem.h>
#include <linux/cordbmem.h>

#include "bench.h"

#define REGION (32UL << 20)
#define ELEMENT 64
#define MAX_ELEMENTS 512

/* Everything a method may need. One target, one of each kind of handle. */
struct bench {
	pid_t pid;
	char *region;
	char *buffer;
	int device;
	int target;
	int mem;
	struct cordbmem_process *process;
	size_t bytes;
	size_t elements;
	struct iovec local[MAX_ELEMENTS];
	struct iovec remote[MAX_ELEMENTS];
	struct cordbmem_element element[MAX_ELEMENTS];
	struct cordbmem_scatter scatter[MAX_ELEMENTS];
};

typedef int (*method_fn)(struct bench *b);

static int by_process_vm_readv(struct bench *b)
{
	ssize_t n = process_vm_readv(b->pid, b->local, b->elements, b->remote, b->elements, 0);

	return n == (ssize_t)(b->bytes * b->elements);
}

static int by_proc_mem(struct bench *b)
{
	return pread(b->mem, b->buffer, b->bytes, (off_t)b->remote[0].iov_base) ==
	       (ssize_t)b->bytes;
}

static int by_read(struct bench *b)
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

static int by_target_pread(struct bench *b)
{
	return pread(b->target, b->buffer, b->bytes, (off_t)b->remote[0].iov_base) ==
	       (ssize_t)b->bytes;
}

static int by_readv(struct bench *b)
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

static int by_ReadMemory(struct bench *b)
{
	SIZE_T got;

	if (b->elements > 1)
		return cordbmem_read_scatter(b->scatter, b->elements) == S_OK;
	return cordbmem_ReadMemory(b->process, (uintptr_t)b->remote[0].iov_base, (DWORD)b->bytes,
				   (BYTE *)b->buffer, &got) == S_OK &&
	       got == b->bytes;
}

/* What the same bytes cost in one's own memory: the floor. */
static int by_memcpy(struct bench *b)
{
	for (size_t i = 0; i < b->elements; i++) {
		memcpy(b->local[i].iov_base, b->remote[i].iov_base, b->bytes);
		__asm__ volatile("" ::: "memory");
	}
	return 1;
}

struct method {
	const char *name;
	method_fn run;
	int scatters;
};

static const struct method methods[] = {
	{ "process_vm_readv", by_process_vm_readv, 1 },
	{ "proc_mem", by_proc_mem, 0 },
	{ "read", by_read, 0 },
	{ "target_pread", by_target_pread, 0 },
	{ "readv", by_readv, 1 },
	{ "ReadMemory", by_ReadMemory, 1 },
	{ "memcpy", by_memcpy, 1 },
};

#define METHODS (sizeof(methods) / sizeof(methods[0]))

/* One element of any size, or many scattered ones, each on a page of its own. */
static void describe(struct bench *b, size_t bytes, size_t elements)
{
	b->bytes = bytes;
	b->elements = elements;
	for (size_t i = 0; i < elements; i++) {
		size_t page = elements > 1 ? i * 37 % MAX_ELEMENTS : 0;
		char *from = b->region + page * 4096 + (elements > 1 ? 128 : 0);
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
	}
}

static void open_handles(struct bench *b)
{
	struct cordbmem_attach attach = { .size = sizeof(attach), .source = b->pid };
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	char path[64];

	b->device = open(CORDBMEM_DEVICE, O_RDWR | O_CLOEXEC);
	if (b->device < 0)
		give_up("cannot open " CORDBMEM_DEVICE);
	if (ioctl(b->device, CORDBMEM_IOC_ATTACH, &attach))
		give_up("cannot attach");
	b->target = attach.target_fd;
	snprintf(path, sizeof(path), "/proc/%d/mem", b->pid);
	b->mem = open(path, O_RDONLY | O_CLOEXEC);
	if (b->mem < 0)
		give_up("cannot open the target's mem file");
	if (cordbmem_process_open(b->pid, NULL, &b->process, &error) != S_OK)
		give_up(error.text);
}

static void close_handles(struct bench *b)
{
	close(b->device);
	close(b->target);
	close(b->mem);
	cordbmem_process_free(b->process);
}

static pid_t start_target(char *region)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Pages of its own, not those shared with the parent since the fork. */
	for (size_t at = 0; at < REGION; at += 4096)
		region[at] = 1;
	raise(SIGSTOP);
	for (;;)
		pause();
}

/*
 * Per call, the clock's own cost taken off. The least of several rounds is the one
 * that no timer interrupt fell into.
 */
static double measure(struct bench *b, method_fn run, unsigned int rounds, unsigned int calls)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int r = 0; r < rounds; r++) {
		uint64_t before = now(), spent;

		for (unsigned int i = 0; i < calls; i++)
			if (!run(b))
				give_up("a read failed");
		spent = now() - before - clock_cost();
		if (spent < least)
			least = spent;
	}
	return (double)least / calls;
}

/*
 * Warm: the same read again and again. Cold: the first read through handles that
 * were just opened, so that whatever is remembered or mapped is not yet. Opening is
 * not counted, the gate's check by READ and READV is.
 */
static void run_case(struct bench *b, const char *work, size_t bytes, size_t elements,
		     size_t patches)
{
	unsigned int calls = bytes * elements > 1 << 14 ? 1 : 10;
	unsigned int rounds = bytes * elements > 1 << 20 ? 4 : 20;

	for (size_t m = 0; m < METHODS; m++) {
		struct row row = { work, bytes, elements, patches, methods[m].name, 0 };

		if ((elements > 1 && !methods[m].scatters) ||
		    (patches && strcmp(methods[m].name, "ReadMemory")))
			continue;
		describe(b, bytes, elements);
		if (!strcmp(work, "warm")) {
			measure(b, methods[m].run, 1, 3);
			row.instructions = measure(b, methods[m].run, rounds, calls);
		} else {
			/* the code of the method is warm, the handles are not */
			measure(b, methods[m].run, 1, 1);
			for (int i = 0; i < 5; i++) {
				double once;

				close_handles(b);
				open_handles(b);
				describe(b, bytes, elements);
				once = measure(b, methods[m].run, 1, 1);
				if (!i || once < row.instructions)
					row.instructions = once;
			}
		}
		add_row(&row);
	}
}

/* Patches all over the region, one of them in the first 64 bytes. */
static void add_patches(struct bench *b, size_t count)
{
	struct cordbmem_patch *patches = calloc(count, sizeof(*patches));

	if (!patches)
		give_up("no memory for patches");
	for (size_t i = 0; i < count; i++) {
		patches[i].address = (uintptr_t)b->region + 32 + i * (REGION / 2 / count);
		patches[i].size = 1;
		patches[i].original[0] = 0x55;
	}
	if (cordbmem_process_add_patches(b->process, patches, count) != S_OK)
		give_up("cannot add patches");
	free(patches);
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 8, 64, 256, 4096, 65536, 1 << 20, 16 << 20 };
	static const size_t patches[] = { 1, 100, 10000 };
	static struct bench bench;
	struct bench *b = &bench;
	int missed;

	if (argc != 2)
		give_up("usage: bench FILE.json");
	b->region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	b->buffer = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->region == MAP_FAILED || b->buffer == MAP_FAILED)
		give_up("no memory");
	memset(b->region, 0x5a, REGION);
	memset(b->buffer, 1, REGION);
	b->pid = start_target(b->region);
	/* it stops when its pages are there */
	if (b->pid < 0 || waitpid(b->pid, NULL, WUNTRACED) != b->pid)
		give_up("cannot start the target");
	open_handles(b);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		run_case(b, "cold", sizes[i], 1, 0);
		run_case(b, "warm", sizes[i], 1, 0);
	}
	for (size_t n = 2; n <= MAX_ELEMENTS; n *= 2) {
		run_case(b, "cold", ELEMENT, n, 0);
		run_case(b, "warm", ELEMENT, n, 0);
	}
	for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
		close_handles(b);
		open_handles(b);
		add_patches(b, patches[i]);
		run_case(b, "warm", ELEMENT, 1, patches[i]);
	}

	kill(b->pid, SIGKILL);
	waitpid(b->pid, NULL, 0);
	close_handles(b);
	print_table();
	write_json(argv[1]);
	missed = print_goals();
	return missed ? 1 : 0;
}
