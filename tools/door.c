// SPDX-License-Identifier: MIT
/*
 * The functions of door.h.
 */
#include "door.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tool.h"

static const char *const names[DOOR_KINDS] = {
	[DOOR_WINDOW] = "window",
	[DOOR_READMEMORY] = "readmemory",
	[DOOR_PROCESS_VM_READV] = "process_vm_readv",
	[DOOR_PROC_MEM] = "proc-mem",
};

const char *door_name(enum door_kind kind)
{
	return names[kind];
}

enum door_kind door_of_name(const char *name)
{
	enum door_kind kind = 0;

	while (kind < DOOR_KINDS && strcmp(names[kind], name) != 0)
		kind++;
	return kind;
}

/* ---- opening ---- */

static int open_process(struct door *door, const struct cordbmem_options *options, char *why,
			size_t room)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;

	if (SUCCEEDED(cordbmem_process_open(door->pid, options, &door->process, &error)))
		return EXIT_OK;
	snprintf(why, room, "%s", error.text);
	return exit_code_of(error.reason);
}

/* A pin is asked for because it says at once whether there are windows. */
static int open_window(struct door *door, const struct cordbmem_options *options, uint64_t address,
		       char *why, size_t room)
{
	int code = open_process(door, options, why, room);
	HRESULT hr;

	if (code != EXIT_OK)
		return code;
	hr = cordbmem_process_set_windows(door->process, CORDBMEM_WINDOWS_AUTO);
	if (hr == S_OK)
		hr = cordbmem_process_pin_window(door->process, address, 1, NULL);
	if (hr == S_OK)
		return EXIT_OK;
	if (!cordbmem_process_is_alive(door->process)) {
		snprintf(why, room, "process %d went away: it exited or called execve", door->pid);
		code = EXIT_GONE;
	} else {
		snprintf(why, room, "there are no live windows %s",
			 hr != E_NOTIMPL ? cordbmem_hresult_name(hr)
			 : options->backend == CORDBMEM_BACKEND_PORTABLE
				 ? "without the kernel module"
				 : "on this kernel, or of this process");
		code = EXIT_FAILED;
	}
	return code;
}

static int open_readmemory(struct door *door, const struct cordbmem_options *options, char *why,
			   size_t room)
{
	int code = open_process(door, options, why, room);

	if (code == EXIT_OK)
		cordbmem_process_set_windows(door->process, CORDBMEM_WINDOWS_OFF);
	return code;
}

static int say_errno(pid_t pid, const char *what, int err, char *why, size_t room)
{
	snprintf(why, room, "%s does not read process %d: %s", what, pid, strerror(err));
	return err == EPERM || err == EACCES   ? EXIT_REFUSED
	       : err == ESRCH || err == ENOENT ? EXIT_GONE
					       : EXIT_FAILED;
}

static int open_readv(struct door *door, uint64_t address, char *why, size_t room)
{
	BYTE byte;
	struct iovec local = { &byte, 1 }, remote = { (void *)(uintptr_t)address, 1 };

	if (process_vm_readv(door->pid, &local, 1, &remote, 1, 0) == 1 || errno == EFAULT)
		return EXIT_OK;
	return say_errno(door->pid, "process_vm_readv", errno, why, room);
}

static int open_mem(struct door *door, char *why, size_t room)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", door->pid);
	door->mem = open(path, O_RDONLY | O_CLOEXEC);
	return door->mem >= 0 ? EXIT_OK : say_errno(door->pid, path, errno, why, room);
}

int door_open(struct door *door, enum door_kind kind, pid_t pid,
	      const struct cordbmem_options *options, uint64_t address, char *why, size_t room)
{
	int code = EXIT_FAILED;

	*door = (struct door){ .kind = kind, .pid = pid, .mem = -1 };
	switch (kind) {
	case DOOR_WINDOW:
		code = open_window(door, options, address, why, room);
		break;
	case DOOR_READMEMORY:
		code = open_readmemory(door, options, why, room);
		break;
	case DOOR_PROCESS_VM_READV:
		code = open_readv(door, address, why, room);
		break;
	case DOOR_PROC_MEM:
		code = open_mem(door, why, room);
		break;
	case DOOR_KINDS:
		break;
	}
	if (code != EXIT_OK)
		door_close(door);
	return code;
}

static void forget(struct door *door)
{
	free(door->pieces);
	free(door->bytes);
	free(door->elements);
	free(door->local);
	free(door->remote);
	door->pieces = NULL;
	door->bytes = NULL;
	door->elements = NULL;
	door->local = door->remote = NULL;
	door->count = 0;
}

void door_close(struct door *door)
{
	forget(door);
	cordbmem_process_free(door->process);
	if (door->mem >= 0)
		close(door->mem);
	*door = (struct door){ .mem = -1 };
}

bool door_describe(struct door *door, const struct range *ranges, size_t count)
{
	size_t size = 0;

	forget(door);
	if (!count)
		return true;
	for (size_t i = 0; i < count; i++)
		size += ranges[i].size;
	door->pieces = calloc(count, sizeof(*door->pieces));
	door->bytes = calloc(size, 1);
	door->elements = calloc(count, sizeof(*door->elements));
	door->local = calloc(count, sizeof(*door->local));
	door->remote = calloc(count, sizeof(*door->remote));
	if (!door->pieces || !door->bytes || !door->elements || !door->local || !door->remote)
		return false;
	door->count = count;
	size = 0;
	for (size_t i = 0; i < count; i++) {
		const struct range *range = &ranges[i];
		BYTE *bytes = door->bytes + size;

		door->pieces[i].bytes = bytes;
		door->elements[i] = (struct cordbmem_scatter){
			.process = door->process,
			.address = range->address,
			.buffer = bytes,
			.size = range->size,
		};
		door->local[i] = (struct iovec){ bytes, range->size };
		door->remote[i] = (struct iovec){ (void *)(uintptr_t)range->address, range->size };
		size += range->size;
	}
	return true;
}

/* ---- reading ---- */

static int errno_of(HRESULT hr)
{
	switch (hr) {
	case CORDBG_E_PROCESS_TERMINATED:
	case CORDBG_E_OBJECT_NEUTERED:
		return ESRCH;
	case E_OUTOFMEMORY:
		return ENOMEM;
	case E_ACCESSDENIED:
		return EPERM;
	}
	return 0;
}

static int read_window(struct door *door)
{
	for (size_t i = 0; i < door->count; i++) {
		struct cordbmem_scatter *e = &door->elements[i];
		HRESULT hr = cordbmem_ReadMemory(e->process, e->address, e->size, e->buffer, NULL);

		door->pieces[i].whole = hr == S_OK;
		if (hr != S_OK && errno_of(hr))
			return errno_of(hr);
	}
	return 0;
}

static int read_scatter(struct door *door)
{
	HRESULT hr = cordbmem_read_scatter(door->elements, door->count);

	for (size_t i = 0; i < door->count; i++)
		door->pieces[i].whole = hr == S_OK || door->elements[i].result == S_OK;
	return hr == S_OK ? 0 : errno_of(hr);
}

/* It stops in front of the first range that cannot be read, and says only how many bytes it read. */
static int read_readv(struct door *door)
{
	size_t at = 0;

	while (at < door->count) {
		size_t left = door->count - at;
		ssize_t got;

		if (left > IOV_MAX)
			left = IOV_MAX;
		got = process_vm_readv(door->pid, door->local + at, left, door->remote + at, left,
				       0);
		if (got < 0 && errno != EFAULT)
			return errno;
		for (; left; left--, at++) {
			size_t size = door->local[at].iov_len;

			door->pieces[at].whole = got >= (ssize_t)size;
			if (got < (ssize_t)size) {
				at++;
				break;
			}
			got -= (ssize_t)size;
		}
	}
	return 0;
}

static int read_mem(struct door *door)
{
	for (size_t i = 0; i < door->count; i++) {
		const struct iovec *local = &door->local[i];
		ssize_t got = pread(door->mem, local->iov_base, local->iov_len,
				    (off_t)(uintptr_t)door->remote[i].iov_base);

		/* So it says that the memory is gone. */
		if (!got)
			return ESRCH;
		door->pieces[i].whole = got == (ssize_t)local->iov_len;
	}
	return 0;
}

int door_read(struct door *door)
{
	switch (door->kind) {
	case DOOR_WINDOW:
		return read_window(door);
	case DOOR_READMEMORY:
		return read_scatter(door);
	case DOOR_PROCESS_VM_READV:
		return read_readv(door);
	case DOOR_PROC_MEM:
		return read_mem(door);
	case DOOR_KINDS:
		break;
	}
	return EINVAL;
}
