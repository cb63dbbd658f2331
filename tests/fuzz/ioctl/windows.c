// SPDX-License-Identifier: GPL-2.0
/* The functions of windows.h. */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/cordbmem.h>

#include "answers.h"
#include "arguments.h"
#include "crew.h"
#include "target.h"
#include "windows.h"

/* Windows live for a while among the fds of the crew, where others call them; few shall be all. */
#define KEPT_IN 4

/* The errnos that another kind of file, or none, may answer with. */
static bool is_of_another(int error)
{
	return AMONG(error, ENOTTY, EBADF);
}

static uint64_t some_page_address(struct random *r)
{
	uint64_t address = some_address(r);

	return one_in(r, 20) ? address : address & ~(uint64_t)(PAGE - 1);
}

static uint64_t some_page_length(struct random *r)
{
	static const uint64_t odd[] = {
		0,	    1,		1ULL << 30, 1ULL << 36,	       (1ULL << 36) + PAGE,
		1ULL << 47, 1ULL << 63, UINT64_MAX, UINT64_MAX - 4095,
	};

	if (one_in(r, 12))
		return PICK(r, odd);
	return (1 + below(r, REGION_PAGES)) * PAGE + (one_in(r, 30) ? below(r, PAGE) : 0);
}

static uint32_t some_window_flags(struct random *r, uint32_t known)
{
	uint32_t flags = (uint32_t)any(r) & known;

	return one_in(r, 25) ? flags | 1U << below(r, 32) : flags;
}

/* A struct of which @size is the first member, as it is for all of them. */
#define PLACE(w, argument, tail, whole) place((w), &(argument), sizeof(argument), (tail), (whole))

/* What a refused call leaves alone. */
#define CHECK_UNCHANGED(name, whole, error, at, argument)                              \
	do {                                                                           \
		if ((whole) && (error) && memcmp((at), &(argument), sizeof(argument))) \
			wrong(name ": errno %d, and the argument changed", error);     \
	} while (0)

/* Whatever is seen is of its address, or zeros; but for what is out of the region. */
static void check_shown(const uint8_t *shown, uint64_t address, size_t length)
{
	for (size_t i = 0; i < length; i++, address++) {
		if (address < REGION || address >= REGION + REGION_SIZE)
			continue;
		if (shown[i] && shown[i] != byte_at(address)) {
			wrong("a window shows %#x at %#lx, which was never there", shown[i],
			      (unsigned long)address);
			return;
		}
	}
}

/* Maps a part of a window, or what is none, and looks at it in any order. */
static void look(struct random *r, int fd, uint64_t address, uint64_t length)
{
	static const int odd_protections[] = { PROT_NONE, PROT_READ | PROT_WRITE,
					       PROT_READ | PROT_EXEC };
	uint64_t pages = length / PAGE, first = below(r, pages), count, offset;
	int protection = one_in(r, 12) ? PICK(r, odd_protections) : PROT_READ;
	int flags = one_in(r, 15) ? MAP_PRIVATE : MAP_SHARED;
	bool beyond = one_in(r, 15);
	uint8_t *data, copy[PAGE];
	uint32_t *state;

	if (pages > REGION_PAGES)
		first = 0;
	count = 1 + below(r, pages - first < REGION_PAGES ? pages - first : REGION_PAGES);
	if (beyond)
		count = pages - first + 1;
	offset = first * PAGE;
	data = mmap(NULL, count * PAGE, protection, flags, fd, (off_t)offset);
	if (data == MAP_FAILED)
		return;
	if (protection & (PROT_WRITE | PROT_EXEC) || flags == MAP_PRIVATE || beyond) {
		wrong("a mapping of a window with protection %d, flags %d, %lu of %lu pages",
		      protection, flags, (unsigned long)(first + count), (unsigned long)pages);
		return;
	}
	state = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, (off_t)CORDBMEM_WINDOW_STATE);
	for (int i = 0; protection && i < 8 && !stopping(); i++) {
		uint64_t page = below(r, count), here = first + page;

		if (state == MAP_FAILED || here >= PAGE / sizeof(*state)) {
			memcpy(copy, data + page * PAGE, PAGE);
			check_shown(copy, address + here * PAGE, PAGE);
			continue;
		}
		for (int tries = 0; tries < 3; tries++) {
			uint32_t word = __atomic_load_n(&state[here], __ATOMIC_ACQUIRE);

			memcpy(copy, data + page * PAGE, PAGE);
			atomic_thread_fence(memory_order_acquire);
			check_shown(copy, address + here * PAGE, PAGE);
			if (word & CORDBMEM_WINDOW_VALID &&
			    __atomic_load_n(&state[here], __ATOMIC_RELAXED) == word) {
				__atomic_fetch_add(&shared->shown, PAGE, __ATOMIC_RELAXED);
				break;
			}
		}
		if (one_in(r, 4))
			madvise(data, PAGE, (int)below(r, 26));
		if (one_in(r, 10))
			mprotect(data, PAGE, PROT_READ);
	}
	if (state != MAP_FAILED)
		munmap(state, PAGE);
	munmap(data, count * PAGE);
}

void fuzz_window(struct worker *w)
{
	struct cordbmem_window argument, *at;
	int fd = some_fd(&w->r), error;
	size_t tail;
	bool whole;

	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = some_window_flags(&w->r, CORDBMEM_READ_NOFAULT | CORDBMEM_WINDOW_NOWAIT);
	argument.address = some_page_address(&w->r);
	argument.length = some_page_length(&w->r);
	argument.reserved = one_in(&w->r, 30) ? (uint32_t)any(&w->r) : 0;
	at = PLACE(w, argument, tail, &whole);
	error = call(fd, CORDBMEM_IOC_WINDOW, at);
	if (!AMONG(error, 0, EINVAL, E2BIG, EFAULT, EOPNOTSUPP, ESRCH, ENOSPC, EAGAIN, EINTR,
		   ENOMEM, EMFILE, ENFILE) &&
	    !is_of_another(error))
		wrong("WINDOW: errno %d", error);
	CHECK_UNCHANGED("WINDOW", whole, error, at, argument);
	if (!whole || error)
		return;
	if (at->window_fd < 0) {
		wrong("WINDOW: fd %d", at->window_fd);
		return;
	}
	for (uint64_t i = below(&w->r, 3); i; i--)
		look(&w->r, at->window_fd, argument.address, argument.length);
	if (one_in(&w->r, KEPT_IN))
		keep_fd(&w->r, at->window_fd);
	else
		close(at->window_fd);
}

void fuzz_populate(struct worker *w)
{
	struct cordbmem_populate argument, *at;
	int fd = some_fd(&w->r), error;
	size_t tail;
	bool whole;

	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = some_window_flags(&w->r, CORDBMEM_READ_NOFAULT);
	argument.offset = below(&w->r, REGION_PAGES) * PAGE;
	if (one_in(&w->r, 12))
		argument.offset = some_address(&w->r);
	argument.length = some_page_length(&w->r);
	at = PLACE(w, argument, tail, &whole);
	error = call(fd, CORDBMEM_IOC_POPULATE, at);
	if (!AMONG(error, 0, EINVAL, E2BIG, EFAULT, ESRCH, EINTR, ENOMEM, ENOSPC) &&
	    !is_of_another(error))
		wrong("POPULATE: errno %d", error);
	CHECK_UNCHANGED("POPULATE", whole, error, at, argument);
	if (!whole || error)
		return;
	if (at->done > argument.length || at->done % PAGE || at->pages > at->done / PAGE)
		wrong("POPULATE: %lu pages of %lu bytes, of %lu", (unsigned long)at->pages,
		      (unsigned long)at->done, (unsigned long)argument.length);
	if (at->size != argument.size || at->flags != argument.flags ||
	    at->offset != argument.offset || at->length != argument.length)
		wrong("POPULATE: an in member changed");
}

void fuzz_sync(struct worker *w)
{
	struct cordbmem_sync argument, *at;
	int fd = some_fd(&w->r), error;
	size_t tail;
	bool whole;

	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = some_window_flags(&w->r, 0);
	at = PLACE(w, argument, tail, &whole);
	error = call(fd, CORDBMEM_IOC_SYNC, at);
	if (!AMONG(error, 0, EINVAL, E2BIG, EFAULT, EINTR) && !is_of_another(error))
		wrong("SYNC: errno %d", error);
	if (whole && memcmp(at, &argument, sizeof(argument)))
		wrong("SYNC: the argument changed");
}

void fuzz_stats(struct worker *w)
{
	struct cordbmem_stats argument, *at;
	int fd = some_fd(&w->r), error;
	size_t tail;
	bool whole;

	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = some_window_flags(&w->r, 0);
	at = PLACE(w, argument, tail, &whole);
	error = call(fd, CORDBMEM_IOC_STATS, at);
	if (!AMONG(error, 0, EINVAL, E2BIG, EFAULT) && !is_of_another(error))
		wrong("STATS: errno %d", error);
	CHECK_UNCHANGED("STATS", whole, error, at, argument);
	if (!whole || error)
		return;
	if (at->size != argument.size || at->flags != argument.flags)
		wrong("STATS: an in member changed");
	/* Each page that was ever shown became valid once before. */
	if (at->invalidated + at->evicted > at->filled)
		wrong("STATS: %lu filled, %lu invalidated, %lu evicted", (unsigned long)at->filled,
		      (unsigned long)at->invalidated, (unsigned long)at->evicted);
}
