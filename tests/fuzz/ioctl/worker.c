// SPDX-License-Identifier: GPL-2.0
/* The function of worker.h: one function for each kind of call. */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include <linux/cordbmem.h>

#include "answers.h"
#include "arguments.h"
#include "crew.h"
#include "windows.h"
#include "worker.h"

#define ELEMENTS 24

static void fuzz_info(struct worker *w)
{
	struct cordbmem_info argument, *at;
	size_t tail;
	bool whole;
	int fd = some_device(&w->r), error;

	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = one_in(&w->r, 10) ? (uint32_t)any(&w->r) : 0;
	at = place(w, &argument, sizeof(argument), tail, &whole);
	error = call(fd, CORDBMEM_IOC_INFO, at);
	if (!AMONG(error, 0, EINVAL, E2BIG, EFAULT) &&
	    (fd == device || !AMONG(error, ENOTTY, EBADF)))
		wrong("INFO: errno %d", error);
	if (whole && error && memcmp(at, &argument, sizeof(argument)))
		wrong("INFO: errno %d, and the argument changed", error);
	if (whole && !error && (at->abi != CORDBMEM_ABI || at->page_size != PAGE || at->reserved))
		wrong("INFO: abi %u, page size %u", at->abi, at->page_size);
}

static void fuzz_read(struct worker *w)
{
	struct cordbmem_read argument, *at;
	struct range range;
	size_t tail;
	bool whole, watched;
	int fd = some_device(&w->r), error;

	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = some_flags(&w->r, one_in(&w->r, 20) ? CORDBMEM_READ_TARGET_FD : 0);
	argument.pid = some_pid(&w->r);
	argument.reserved = one_in(&w->r, 30) ? (uint32_t)any(&w->r) : 0;
	argument.address = some_address(&w->r);
	argument.length = some_length(&w->r, ARENA);
	watched = some_buffer(w, argument.length, &argument.buffer);
	wipe_arena(w);
	at = place(w, &argument, sizeof(argument), tail, &whole);
	error = call(fd, CORDBMEM_IOC_READ, at);

	range = range_of(argument.buffer, argument.length);
	check_arena(w, &range, watched && !is_refusal(error) ? 1 : 0);
	if (!AMONG(error, 0, EINVAL, E2BIG, EOPNOTSUPP, EPERM, EFAULT, ESRCH, EACCES, EIO, EINTR,
		   ENOMEM) &&
	    (fd == device || !AMONG(error, ENOTTY, EBADF)))
		wrong("READ: errno %d", error);
	if (!whole)
		return;
	if (is_refusal(error)) {
		if (memcmp(at, &argument, sizeof(argument)))
			wrong("READ: errno %d, and the argument changed", error);
		return;
	}
	if (at->size != argument.size || at->flags != argument.flags || at->pid != argument.pid ||
	    at->reserved != argument.reserved || at->address != argument.address ||
	    at->length != argument.length || at->buffer != argument.buffer)
		wrong("READ: an in member changed");
	if (error) {
		bool untouched =
			at->bytes_read == argument.bytes_read && at->error == argument.error;

		if (!untouched && (at->bytes_read || at->error != error || at->reserved2))
			wrong("READ: errno %d, but error %d and %lu bytes", error, at->error,
			      (unsigned long)at->bytes_read);
		return;
	}
	check_counts("READ", argument.length, at->bytes_read, at->error);
	if (at->error && !AMONG(at->error, EIO, EINTR, ESRCH, ENOMEM, EFAULT))
		wrong("READ: error %d", at->error);
	if (argument.length && !at->bytes_read)
		wrong("READ: success without a byte");
	if (watched)
		check_content(argument.address, pointer(argument.buffer), at->bytes_read);
}

static void fuzz_readv(struct worker *w)
{
	static const uint32_t odd_counts[] = { 1024, 1025, 100000, INT32_MAX, UINT32_MAX };
	struct cordbmem_element elements[ELEMENTS], after[ELEMENTS];
	struct range ranges[ELEMENTS];
	uint8_t *array = w->array + (one_in(&w->r, 2) ? 0 : PAGE - sizeof(elements));
	struct cordbmem_readv argument, *at;
	uint32_t count = (uint32_t)below(&w->r, ELEMENTS + 1);
	const size_t slice = ARENA / ELEMENTS;
	int fd = some_device(&w->r), error;
	bool whole, usual = true;
	size_t watched = 0, tail;

	memset(elements, POISON, sizeof(elements));
	for (uint32_t i = 0; i < count; i++) {
		struct cordbmem_element *e = &elements[i];

		e->flags = some_flags(&w->r, CORDBMEM_READ_TARGET_FD);
		e->source = e->flags & CORDBMEM_READ_TARGET_FD ? some_fd(&w->r) : some_pid(&w->r);
		/* runs of one source are a case of their own */
		if (i && !one_in(&w->r, 3)) {
			e->flags = elements[i - 1].flags;
			e->source = elements[i - 1].source;
		}
		e->address = some_address(&w->r);
		e->length = some_length(&w->r, one_in(&w->r, 3) ? slice : 64);
		e->reserved = one_in(&w->r, 60) ? (uint32_t)any(&w->r) : 0;
		if (some_buffer(w, e->length, &e->buffer)) {
			/* a slice for each, and some beyond theirs */
			e->buffer = number(w->arena) + i * slice;
			if (e->length < slice)
				e->buffer += below(&w->r, slice - e->length);
			ranges[watched++] = range_of(e->buffer, e->length);
		}
	}
	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = one_in(&w->r, 30) ? 1U << below(&w->r, 32) : 0;
	argument.elements = number(array);
	argument.count = count;
	argument.element_size = sizeof(elements[0]);
	argument.reserved = one_in(&w->r, 30) ? 1U << below(&w->r, 32) : 0;
	if (one_in(&w->r, 20)) {
		argument.count = PICK(&w->r, odd_counts);
		usual = false;
	}
	if (one_in(&w->r, 30)) {
		/* one element, and zeros behind it: no part of another may be taken for a buffer */
		argument.element_size = (uint32_t)below(&w->r, 200);
		argument.count = count ? 1 : 0;
		memset(elements + 1, 0, sizeof(elements) - sizeof(elements[0]));
		usual = false;
	}
	if (one_in(&w->r, 30)) {
		argument.elements = one_in(&w->r, 2) ? 0xffff888000001000 : number(shifting);
		usual = false;
	}
	wipe_arena(w);
	at = place(w, &argument, sizeof(argument), tail, &whole);
	memcpy(array, elements, sizeof(elements));
	error = call(fd, CORDBMEM_IOC_READV, at);
	memcpy(after, array, sizeof(after));

	/* Elements of another size are other elements: what they name may be anything here. */
	if (usual || is_refusal(error))
		check_arena(w, ranges, is_refusal(error) ? 0 : watched);
	if (!AMONG(error, 0, EINVAL, E2BIG, EFAULT, EINTR, ENOMEM) &&
	    (fd == device || !AMONG(error, ENOTTY, EBADF)))
		wrong("READV: errno %d", error);
	if (!usual || !whole)
		return;
	if (is_refusal(error)) {
		if (memcmp(at, &argument, sizeof(argument)) ||
		    memcmp(after, elements, sizeof(after)))
			wrong("READV: errno %d, and something changed", error);
		return;
	}
	if (error)
		return;
	if (at->done > count || (count && !at->done)) {
		wrong("READV: %u of %u elements done", at->done, count);
		return;
	}
	for (uint32_t i = 0; i < ELEMENTS; i++) {
		struct cordbmem_element *e = &after[i];

		if (i >= at->done) {
			if (memcmp(e, &elements[i], sizeof(*e)))
				wrong("READV: element %u of %u changed, %u done", i, count,
				      at->done);
			continue;
		}
		check_counts("element", e->length, e->bytes_read, e->error);
		if (e->error && !AMONG(e->error, EINVAL, EOPNOTSUPP, EPERM, EFAULT, ESRCH, EACCES,
				       EIO, EINTR, ENOMEM, EBADF))
			wrong("element: error %d", e->error);
		if (e->bytes_read && !AMONG(e->error, 0, EIO, EINTR, ESRCH, ENOMEM, EFAULT))
			wrong("element: error %d after %lu bytes", e->error,
			      (unsigned long)e->bytes_read);
		e->bytes_read = elements[i].bytes_read;
		e->error = elements[i].error;
		if (memcmp(e, &elements[i], sizeof(*e)))
			wrong("READV: an in member of element %u changed", i);
	}
}

static void fuzz_attach(struct worker *w)
{
	struct cordbmem_attach argument, *at;
	size_t tail;
	bool whole;
	int fd = some_device(&w->r), error;

	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = some_flags(&w->r, CORDBMEM_ATTACH_MEM_FD);
	argument.source =
		argument.flags & CORDBMEM_ATTACH_MEM_FD ? some_fd(&w->r) : some_pid(&w->r);
	at = place(w, &argument, sizeof(argument), tail, &whole);
	error = call(fd, CORDBMEM_IOC_ATTACH, at);
	if (!AMONG(error, 0, EINVAL, E2BIG, EOPNOTSUPP, EPERM, EBADF, EFAULT, ESRCH, EACCES, ENOMEM,
		   EMFILE, ENFILE, EINTR) &&
	    (fd == device || error != ENOTTY))
		wrong("ATTACH: errno %d", error);
	if (!whole) {
		/* where it went, if it did, nobody knows; the limit of open files tells a leak */
		return;
	}
	if (error) {
		if (memcmp(at, &argument, sizeof(argument)))
			wrong("ATTACH: errno %d, and the argument changed", error);
	} else if (at->target_fd < 0) {
		wrong("ATTACH: fd %d", at->target_fd);
	} else {
		keep_fd(&w->r, at->target_fd);
	}
}

static void fuzz_number(struct worker *w)
{
	uint8_t argument[256];
	unsigned long nr = _IO(CORDBMEM_IOC_MAGIC, 4 + below(&w->r, 252));
	uint8_t *at;
	bool whole;
	int error;

	if (one_in(&w->r, 4))
		nr = _IOWR(CORDBMEM_IOC_MAGIC, below(&w->r, 8), uint64_t[4]);
	for (size_t i = 0; i < sizeof(argument); i++)
		argument[i] = (uint8_t)any(&w->r);
	at = place(w, argument, sizeof(argument), 0, &whole);
	error = call(one_in(&w->r, 2) ? device : some_fd(&w->r), nr, at);
	if (error == 0)
		wrong("ioctl %#lx succeeded", nr);
	if (whole && memcmp(at, argument, sizeof(argument)))
		wrong("ioctl %#lx changed its argument", nr);
}

static void fuzz_file(struct worker *w)
{
	int fd = some_fd(&w->r);
	uint64_t address = some_address(&w->r), length = some_length(&w->r, ARENA);
	__u64 buffer;
	bool watched = some_buffer(w, length, &buffer);
	struct range ranges[2] = { range_of(buffer, length) };
	struct iovec iov[2] = { { pointer(buffer), length }, { w->arena, below(&w->r, 100) } };
	struct pollfd p = { .fd = fd, .events = (short)any(&w->r) };
	ssize_t got = 0;

	wipe_arena(w);
	switch (below(&w->r, 8)) {
	case 0:
		if (poll(&p, 1, one_in(&w->r, 20)) < 0 && errno != EINTR)
			wrong("poll: errno %d", errno);
		return;
	case 1:
		lseek(fd, (off_t)address, (int)below(&w->r, 6));
		return;
	case 2:
		ranges[1] = range_of(number(w->arena), iov[1].iov_len);
		got = preadv(fd, iov, 2, (off_t)address);
		if (!watched)
			ranges[0] = ranges[1];
		check_arena(w, ranges, 2);
		if (got > 0 && (uint64_t)got > length + iov[1].iov_len)
			wrong("preadv: %zd bytes", got);
		break;
	case 3:
		got = read(fd, pointer(buffer), length);
		check_arena(w, ranges, watched ? 1 : 0);
		break;
	default:
		got = pread(fd, pointer(buffer), length, (off_t)address);
		check_arena(w, ranges, watched ? 1 : 0);
		if (got > 0 && (uint64_t)got > length)
			wrong("pread: %zd of %lu bytes", got, (unsigned long)length);
	}
	count_call(got < 0 ? errno : 0);
}

void *worker_main(void *argument)
{
	struct worker w = { .r = { seed + (uint64_t)(intptr_t)argument * 0x1234567 } };
	uint8_t *memory =
		mmap(NULL, ARENA + 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	w.arena = memory;
	w.structs = memory + ARENA + PAGE;
	w.array = memory + ARENA + 3 * PAGE;
	if (memory == MAP_FAILED || mprotect(w.arena, ARENA, PROT_READ | PROT_WRITE) ||
	    mprotect(w.structs, PAGE, PROT_READ | PROT_WRITE) ||
	    mprotect(w.array, PAGE, PROT_READ | PROT_WRITE)) {
		wrong("no memory");
		return NULL;
	}
	while (!stopping()) {
		switch (below(&w.r, 16)) {
		case 0:
			fuzz_info(&w);
			break;
		case 1:
		case 2:
		case 3:
			fuzz_read(&w);
			break;
		case 4:
		case 5:
		case 6:
			fuzz_readv(&w);
			break;
		case 7:
			fuzz_attach(&w);
			break;
		case 8:
			fuzz_number(&w);
			break;
		case 9:
			fuzz_window(&w);
			break;
		case 10:
			fuzz_populate(&w);
			break;
		case 11:
			fuzz_sync(&w);
			break;
		case 12:
			fuzz_stats(&w);
			break;
		default:
			fuzz_file(&w);
		}
	}
	return NULL;
}
