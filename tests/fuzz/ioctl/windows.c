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

/* How all their arguments begin. */
struct beginning {
	uint32_t size, flags;
};

/* A call that is yet to be made: its name, whom it is for, and how much lies behind the argument. */
struct attempt {
	const char *name;
	int fd;
	size_t tail;
};

/* Picks whom to call, and an argument of which all but the beginning is poison. */
static struct attempt begin(struct worker *w, const char *name, uint32_t known_flags,
			    void *argument, size_t size)
{
	struct attempt attempt = { .name = name, .fd = some_fd(&w->r) };
	struct beginning *beginning = argument;

	memset(argument, POISON, size);
	beginning->size = some_size(&w->r, size, &attempt.tail);
	beginning->flags = some_window_flags(&w->r, known_flags);
	return attempt;
}

/* Makes the call. Returns its answer, or NULL if it was refused, which changes nothing, or the answer cannot be seen. */
static const void *finish(struct worker *w, const struct attempt *attempt, unsigned long nr,
			  const void *argument, size_t size, const int *errnos, size_t count)
{
	bool whole;
	void *at = place(w, argument, size, attempt->tail, &whole);
	int error = call(attempt->fd, nr, at);

	if (!among(error, errnos, count) && !is_of_another(error))
		wrong("%s: errno %d", attempt->name, error);
	if (!whole)
		return NULL;
	if (memcmp(at, argument, error ? size : sizeof(struct beginning)))
		wrong("%s: errno %d, and what it must leave alone changed", attempt->name, error);
	return error ? NULL : at;
}

#define BEGIN(w, name, known_flags, argument) \
	begin((w), (name), (known_flags), &(argument), sizeof(argument))
/* The rest: 0 and the errnos that it may answer with. */
#define FINISH(w, attempt, nr, argument, ...)                                                      \
	finish((w), &(attempt), (nr), &(argument), sizeof(argument), (const int[]){ __VA_ARGS__ }, \
	       sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

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
			check_content(address + here * PAGE, copy, PAGE);
			continue;
		}
		for (int tries = 0; tries < 3; tries++) {
			uint32_t word = __atomic_load_n(&state[here], __ATOMIC_ACQUIRE);

			memcpy(copy, data + page * PAGE, PAGE);
			atomic_thread_fence(memory_order_acquire);
			check_content(address + here * PAGE, copy, PAGE);
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
	struct cordbmem_window argument;
	struct attempt attempt =
		BEGIN(w, "WINDOW", CORDBMEM_READ_NOFAULT | CORDBMEM_WINDOW_NOWAIT, argument);
	const struct cordbmem_window *answer;

	argument.address = some_page_address(&w->r);
	argument.length = some_page_length(&w->r);
	argument.reserved = one_in(&w->r, 30) ? (uint32_t)any(&w->r) : 0;
	answer = FINISH(w, attempt, CORDBMEM_IOC_WINDOW, argument, 0, EINVAL, E2BIG, EFAULT,
			EOPNOTSUPP, ESRCH, ENOSPC, EAGAIN, EINTR, ENOMEM, EMFILE, ENFILE);
	if (!answer)
		return;
	if (answer->window_fd < 0) {
		wrong("WINDOW: fd %d", answer->window_fd);
		return;
	}
	for (uint64_t i = below(&w->r, 3); i; i--)
		look(&w->r, answer->window_fd, argument.address, argument.length);
	if (one_in(&w->r, KEPT_IN))
		keep_fd(&w->r, answer->window_fd);
	else
		close(answer->window_fd);
}

void fuzz_populate(struct worker *w)
{
	struct cordbmem_populate argument;
	struct attempt attempt = BEGIN(w, "POPULATE", CORDBMEM_READ_NOFAULT, argument);
	const struct cordbmem_populate *answer;

	argument.offset = below(&w->r, REGION_PAGES) * PAGE;
	if (one_in(&w->r, 12))
		argument.offset = some_address(&w->r);
	argument.length = some_page_length(&w->r);
	answer = FINISH(w, attempt, CORDBMEM_IOC_POPULATE, argument, 0, EINVAL, E2BIG, EFAULT,
			ESRCH, EINTR, ENOMEM, ENOSPC);
	if (!answer)
		return;
	if (answer->done > argument.length || answer->done % PAGE ||
	    answer->pages > answer->done / PAGE)
		wrong("POPULATE: %lu pages of %lu bytes, of %lu", (unsigned long)answer->pages,
		      (unsigned long)answer->done, (unsigned long)argument.length);
	if (answer->offset != argument.offset || answer->length != argument.length)
		wrong("POPULATE: an in member changed");
}

void fuzz_sync(struct worker *w)
{
	struct cordbmem_sync argument;
	struct attempt attempt = BEGIN(w, "SYNC", 0, argument);
	const struct cordbmem_sync *answer;

	answer = FINISH(w, attempt, CORDBMEM_IOC_SYNC, argument, 0, EINVAL, E2BIG, EFAULT, EINTR);
	if (answer && memcmp(answer, &argument, sizeof(argument)))
		wrong("SYNC: the argument changed");
}

void fuzz_stats(struct worker *w)
{
	struct cordbmem_stats argument;
	struct attempt attempt = BEGIN(w, "STATS", 0, argument);
	const struct cordbmem_stats *answer;

	answer = FINISH(w, attempt, CORDBMEM_IOC_STATS, argument, 0, EINVAL, E2BIG, EFAULT);
	/* Each page that was ever shown became valid once before. */
	if (answer && answer->invalidated + answer->evicted > answer->filled)
		wrong("STATS: %lu filled, %lu invalidated, %lu evicted",
		      (unsigned long)answer->filled, (unsigned long)answer->invalidated,
		      (unsigned long)answer->evicted);
}
