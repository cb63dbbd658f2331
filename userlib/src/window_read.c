// SPDX-License-Identifier: MIT
/*
 * Reading by windows: runs of pages, each between two looks at its state word; and the checking of what they
 * give. Reads within one page are in window.h.
 */
#include <stdlib.h>
#include <unistd.h>

#include "internal.h"
#include "window_slots.h"

/* Pages that are copied between two looks at their state words. */
#define RUN 256

#define CHECK_TRIES 8

/* Two state words. The words are 4 bytes each to the kernel, but nothing here stores to them. */
typedef uint64_t __attribute__((may_alias)) state_pair;
#define PAIR_VALID ((uint64_t)CORDBMEM_WINDOW_VALID << 32 | CORDBMEM_WINDOW_VALID)

static inline uint64_t load_pair(const uint32_t *state, int order)
{
	return __atomic_load_n((const state_pair *)(const void *)state, order);
}

/* The pages from the first on that are valid, at most RUN; their words go to words. */
static size_t valid_pages(const uint32_t *state, size_t pages, uint32_t *words)
{
	size_t n = 0;

	if (!((uintptr_t)state & 4)) {
#pragma GCC unroll 4
		while (n + 2 <= pages) {
			uint64_t pair = load_pair(&state[n], __ATOMIC_ACQUIRE);

			if ((pair & PAIR_VALID) != PAIR_VALID)
				break;
			memcpy(&words[n], &pair, sizeof(pair));
			n += 2;
		}
	}
	while (n < pages) {
		words[n] = __atomic_load_n(&state[n], __ATOMIC_ACQUIRE);
		if (!(words[n] & CORDBMEM_WINDOW_VALID))
			break;
		n++;
	}
	return n;
}

static size_t unchanged_pages(const uint32_t *state, size_t pages, const uint32_t *words)
{
	size_t n = 0;

	if (!((uintptr_t)state & 4)) {
#pragma GCC unroll 4
		while (n + 2 <= pages) {
			uint64_t pair = load_pair(&state[n], __ATOMIC_RELAXED);

			if (memcmp(&words[n], &pair, sizeof(pair)) != 0)
				break;
			n += 2;
		}
	}
	while (n < pages && __atomic_load_n(&state[n], __ATOMIC_RELAXED) == words[n])
		n++;
	return n;
}

static size_t pages_of(uint64_t offset, size_t size)
{
	return (size_t)((offset % WINDOW_PAGE + size + WINDOW_PAGE - 1) / WINDOW_PAGE);
}

/* What of [offset, offset + size) is in the first n pages of it. */
static size_t bytes_in(uint64_t offset, size_t size, size_t n)
{
	size_t bytes = n * WINDOW_PAGE - (size_t)(offset % WINDOW_PAGE);

	return !n ? 0 : bytes < size ? bytes : size;
}

/* One run of pages of one block. */
static size_t read_run(const struct window_place *place, BYTE *to, size_t size, size_t *missing)
{
	const uint32_t *state = &place->slot->state[place->offset / WINDOW_PAGE];
	size_t pages = pages_of(place->offset, size), valid, bytes;
	uint32_t words[RUN];

	*missing = 0;
	if (pages > RUN)
		pages = RUN;
	valid = valid_pages(state, pages, words);
	if (valid) {
		bytes = bytes_in(place->offset, size, valid);
		window_copy(to, place->slot->data + place->offset, bytes);
		atomic_thread_fence(memory_order_acquire);
		valid = unchanged_pages(state, valid, words);
		if (!window_unmoved(place))
			valid = 0;
	}
	if (valid)
		return bytes_in(place->offset, size, valid);
	for (valid = 1; valid < pages; valid++)
		if (__atomic_load_n(&state[valid], __ATOMIC_RELAXED) & CORDBMEM_WINDOW_VALID)
			break;
	*missing = bytes_in(place->offset, size, valid);
	return 0;
}

/*
 * For tests: is what a window gave what a system call gives? The target may write between the two, so
 * only a difference counts while the window shows the same before and after; and time after time.
 */
static bool agrees(struct cordbmem_process *process, const struct window_place *place,
		   uint64_t address, const BYTE *bytes, size_t size)
{
	BYTE *before = malloc(3 * size), *other = before + size, *after = other + size;
	bool same = !before;
	size_t missing;

	if (before)
		memcpy(before, bytes, size);
	for (int i = 0; i < CHECK_TRIES && !same; i++) {
		ssize_t got = pread(process->memory_fd, other, size, (off_t)address);

		if (read_run(place, after, size, &missing) != size || memcmp(before, after, size))
			same = i + 1 == CHECK_TRIES;
		else
			same = got == (ssize_t)size && !memcmp(before, other, size);
		if (!same && read_run(place, before, size, &missing) != size)
			same = true; /* not valid any more: there is nothing to compare */
	}
	free(before);
	return same;
}

/*
 * The first bytes of a range, as many as there are valid pages. *missing: how many bytes from there on no
 * window shows.
 */
static size_t read_there(struct cordbmem_process *process, uint64_t address, BYTE *to, size_t size,
			 size_t *missing)
{
	struct windows *windows = windows_of(process);
	struct window_place place;
	size_t got;

	*missing = size;
	if (!windows || windows_mode(process) == CORDBMEM_WINDOWS_OFF ||
	    !window_find(windows, address, &place))
		return 0;
	if (size > WINDOW_SIZE - place.offset)
		size = WINDOW_SIZE - place.offset;
	if (address >> WINDOW_SHIFT == WINDOW_LAST_BLOCK &&
	    size > WINDOW_SIZE - WINDOW_PAGE - place.offset)
		return 0;
	got = read_run(&place, to, size, missing);
	if (got && windows_mode(process) == CORDBMEM_WINDOWS_CHECKED) {
		atomic_fetch_add(&windows->checked, 1);
		if (!agrees(process, &place, address, to, got))
			atomic_fetch_add(&windows->mismatches, 1);
	}
	return got;
}

size_t window_read(struct cordbmem_process *process, uint64_t address, BYTE *to, size_t *size)
{
	size_t want = *size, missing, got;

	if (windows_mode(process) == CORDBMEM_WINDOWS_OFF)
		return 0;
	got = read_there(process, address, to, want, &missing);
	if (!got && window_missed(process, address, missing))
		got = read_there(process, address, to, want, &missing);
	*size = got ? 0 : missing;
	return got;
}
