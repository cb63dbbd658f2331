// SPDX-License-Identifier: MIT
/*
 * Windows: reading by them, and deciding what is mapped. window.h explains how readers and the one who
 * makes windows meet.
 */
#include "window.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "internal.h"

#define DATA_SIZE (UINT64_C(1) << WINDOW_SHIFT)
#define STATE_SIZE (DATA_SIZE / WINDOW_PAGE * sizeof(uint32_t))
/* Where user space ends on x86-64, a page of it is nobody's. */
#define LAST_BLOCK (UINT64_C(0x7fffffffffff) >> WINDOW_SHIFT)

/* Pages that are copied between two looks at their state words. */
#define RUN 256

/* A heat entry: the block's tag, how seldom it is populated (as a power of 2), reads since then. */
#define HEAT_TAG_SHIFT 24
#define HEAT_LEVEL_SHIFT 16
#define HEAT_LEVEL_MAX 12
#define HEAT_COUNT UINT64_C(0xffff)
/* The second read of a place shows that it is read more than once. */
#define HEAT_FIRST 2
/* What is missed again within this time after it was populated is restless. */
#define RESTLESS UINT64_C(10000000) /* ns */

#define CHECK_TRIES 8
#define PIN_TRIES 20

static struct windows *windows_of(const struct cordbmem_process *process)
{
	return atomic_load(&process->windows);
}

static int mode_of(const struct cordbmem_process *process)
{
	return atomic_load(&process->window_mode);
}

static bool has_patches(struct cordbmem_process *process)
{
	return atomic_load(&process->patches.sequence) != 0;
}

static void tell(_Atomic(struct windows *) *pointer, struct windows *windows)
{
	struct windows *old = atomic_load(pointer);

	/* Readers share the line, so it is left alone when there is nothing new. */
	while (old != WINDOWS_NEVER && old != windows &&
	       !atomic_compare_exchange_weak(pointer, &old, windows))
		;
}

void windows_publish(struct cordbmem_process *process)
{
	struct windows *windows;
	bool automatic, patched;
	int mode;

	/* Whoever is overtaken by a change sees it here. */
	do {
		windows = windows_of(process);
		mode = mode_of(process);
		patched = has_patches(process);
		automatic = mode == CORDBMEM_WINDOWS_AUTO;
		tell(&process->windows_fast, automatic ? windows : NULL);
		tell(&process->windows_word, automatic && !patched ? windows : NULL);
	} while (windows != windows_of(process) || mode != mode_of(process) ||
		 patched != has_patches(process));
}

void windows_never(struct cordbmem_process *process)
{
	atomic_store(&process->windows_fast, WINDOWS_NEVER);
	atomic_store(&process->windows_word, WINDOWS_NEVER);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* ---- reading ---- */

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

static uint64_t page_floor(uint64_t address)
{
	return address & ~(uint64_t)(WINDOW_PAGE - 1);
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
	if (!windows || mode_of(process) == CORDBMEM_WINDOWS_OFF ||
	    !window_find(windows, address, &place))
		return 0;
	if (size > DATA_SIZE - place.offset)
		size = DATA_SIZE - place.offset;
	if (address >> WINDOW_SHIFT == LAST_BLOCK && size > DATA_SIZE - WINDOW_PAGE - place.offset)
		return 0;
	got = read_run(&place, to, size, missing);
	if (got && mode_of(process) == CORDBMEM_WINDOWS_CHECKED) {
		atomic_fetch_add(&windows->checked, 1);
		if (!agrees(process, &place, address, to, got))
			atomic_fetch_add(&windows->mismatches, 1);
	}
	return got;
}

size_t window_read(struct cordbmem_process *process, uint64_t address, BYTE *to, size_t *size)
{
	size_t want = *size, missing, got;

	if (mode_of(process) == CORDBMEM_WINDOWS_OFF)
		return 0;
	got = read_there(process, address, to, want, &missing);
	if (!got && window_missed(process, address, missing))
		got = read_there(process, address, to, want, &missing);
	*size = got ? 0 : missing;
	return got;
}

/* ---- making windows; under the lock ---- */

/* Its memory begins as zeros, in a child of fork once more. */
static struct windows *windows_make(struct cordbmem_process *process)
{
	struct windows *windows, *expected = NULL;

	windows = mmap(NULL, sizeof(*windows), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);
	if (windows == MAP_FAILED)
		return NULL;
	if (madvise(windows, sizeof(*windows), MADV_WIPEONFORK) != 0 ||
	    !atomic_compare_exchange_strong(&process->windows, &expected, windows)) {
		munmap(windows, sizeof(*windows));
		return expected;
	}
	windows_publish(process);
	return windows;
}

static bool slot_reserve(struct window_slot *slot)
{
	BYTE *area;

	if (slot->data)
		return true;
	/* Whatever is not mapped of a window stays ours, so that MAP_FIXED hits nobody. */
	area = mmap(NULL, DATA_SIZE + STATE_SIZE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (area == MAP_FAILED)
		return false;
	slot->state = (const uint32_t *)(const void *)(area + DATA_SIZE);
	slot->data = area;
	return true;
}

static bool slot_map(const struct window_slot *slot, int fd, uint64_t length)
{
	BYTE *data = (BYTE *)(uintptr_t)slot->data, *state = (BYTE *)(uintptr_t)slot->state;
	size_t state_length = length / WINDOW_PAGE * sizeof(uint32_t);

	state_length = (state_length + WINDOW_PAGE - 1) & ~((size_t)WINDOW_PAGE - 1);
	return mmap(data, length, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) != MAP_FAILED &&
	       mmap(state, state_length, PROT_READ, MAP_SHARED | MAP_FIXED, fd,
		    (off_t)CORDBMEM_WINDOW_STATE) != MAP_FAILED;
}

/*
 * Zeros instead of a mapping. They are made elsewhere, where they can be unlocked first: after
 * mlockall(MCL_FUTURE) mmap() would put a page at each address that can be read. Where there is
 * no room for that, or mremap() stopped half way, mmap() will do.
 */
static bool map_zeros(const void *at, size_t size)
{
	void *place = (void *)(uintptr_t)at;
	void *zeros =
		mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (zeros != MAP_FAILED) {
		if (munlock(zeros, size) == 0 && mprotect(zeros, size, PROT_READ) == 0 &&
		    mremap(zeros, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, place) == place)
			return true;
		munmap(zeros, size);
	}
	return mmap(place, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED,
		    -1, 0) != MAP_FAILED;
}

/* Nothing but zeros, which say that nothing is valid, instead of a window. */
static bool slot_unmap(struct window_slot *slot)
{
	atomic_store(&slot->key, 0);
	if (!map_zeros(slot->state, STATE_SIZE) || !map_zeros(slot->data, DATA_SIZE))
		return false;
	/* Not close(), at which a thread can be cancelled, lock and all. */
	syscall(SYS_close, slot->fd_plus_1 - 1);
	slot->fd_plus_1 = 0;
	return true;
}

/* Not what is pinned, nor what was used since somebody last came by. */
static bool slot_give_up(struct windows *windows, struct window_slot *slot)
{
	if (slot->pinned || !(atomic_fetch_or(&slot->key, WINDOW_IDLE) & WINDOW_IDLE) ||
	    !slot_unmap(slot))
		return false;
	windows->live--;
	return true;
}

static bool evict(struct windows *windows)
{
	for (unsigned int i = 0; i < 2 * WINDOW_SLOTS; i++) {
		struct window_slot *slot = &windows->slots[windows->hand++ % WINDOW_SLOTS];

		if (slot->fd_plus_1 && slot_give_up(windows, slot))
			return true;
	}
	return false;
}

/* A slot for a block: it is there already, or one is free, or one has not been used lately. */
static struct window_slot *slot_for(struct windows *windows, uint64_t block, bool *there)
{
	struct window_slot *slots[2];

	*there = true;
	for (unsigned int i = 0; i < 2; i++) {
		slots[i] = &windows->slots[window_slot_of(block, i)];
		if (slots[i]->fd_plus_1 &&
		    ((uint32_t)atomic_load(&slots[i]->key) & ~WINDOW_IDLE) == block + 1)
			return slots[i];
	}
	*there = false;
	for (unsigned int i = 0; i < 2; i++)
		if (!slots[i]->fd_plus_1)
			return slots[i];
	for (unsigned int i = 0; i < 2; i++)
		if (slot_give_up(windows, slots[i]))
			return slots[i];
	return NULL;
}

/*
 * Asks for a window, over and over if it is important: a target that is busy with its mmap_lock, and signals
 * of one's own, are no reason to go without. Only in the end it queues for that lock.
 */
static int ask_for(const struct cordbmem_process *process, struct cordbmem_window *window,
		   bool important)
{
	int tries = important ? PIN_TRIES : 1, rc;

	do {
		if (important && tries == 1)
			window->flags &= ~CORDBMEM_WINDOW_NOWAIT;
		rc = ioctl(process->memory_fd, CORDBMEM_IOC_WINDOW, window);
	} while (rc && (errno == EAGAIN || errno == EINTR) && --tries);
	return rc;
}

/* A window over a block. Returns NULL if there can be none now. */
static struct window_slot *slot_open(struct cordbmem_process *process, struct windows *windows,
				     uint64_t block, bool important)
{
	struct cordbmem_window window = {
		.size = sizeof(window),
		.flags = CORDBMEM_WINDOW_NOWAIT,
		.address = block << WINDOW_SHIFT,
		.length = block == LAST_BLOCK ? DATA_SIZE - WINDOW_PAGE : DATA_SIZE,
	};
	struct window_slot *slot;
	bool there;

	/* Nobody's memory; and no reason to think that windows do not work. */
	if (block > LAST_BLOCK)
		return NULL;
	slot = slot_for(windows, block, &there);
	if (there || !slot)
		return slot;
	if (windows->live >= WINDOW_LIVE && !evict(windows))
		return NULL;
	if (!slot_reserve(slot))
		return NULL;
	if (process->flags & CORDBMEM_OPEN_NOFAULT)
		window.flags |= CORDBMEM_READ_NOFAULT;
	if (ask_for(process, &window, important) != 0) {
		/* No such ioctl, or no window for this target ever. */
		if (errno == ENOTTY || errno == EOPNOTSUPP || errno == EINVAL)
			atomic_store(&windows->off, true);
		return NULL;
	}
	slot->fd_plus_1 = window.window_fd + 1;
	windows->live++;
	if (!slot_map(slot, window.window_fd, window.length)) {
		if (slot_unmap(slot))
			windows->live--;
		return NULL;
	}
	atomic_store(&slot->key, (uint64_t)++slot->number << 32 | (block + 1));
	return slot;
}

/* A range as far as the target has it. Returns the pages that are valid, -1 for no window. */
static int64_t populate(struct cordbmem_process *process, struct windows *windows, uint64_t start,
			uint64_t end, uint32_t flags, bool important)
{
	int64_t pages = 0;

	/* ReadMemory refuses address 0, and the fast path does not look. */
	if (start < WINDOW_PAGE)
		start = WINDOW_PAGE;

	while (start < end) {
		uint64_t block = start >> WINDOW_SHIFT;
		uint64_t limit = (block + 1) << WINDOW_SHIFT;
		struct window_slot *slot = slot_open(process, windows, block, important);
		struct cordbmem_populate argument = {
			.size = sizeof(argument),
			.flags = flags,
			.offset = start - (block << WINDOW_SHIFT),
		};

		if (limit > end)
			limit = end;
		if (block == LAST_BLOCK && limit > ((block + 1) << WINDOW_SHIFT) - WINDOW_PAGE)
			limit = ((block + 1) << WINDOW_SHIFT) - WINDOW_PAGE;
		if (!slot || limit <= start)
			return slot ? pages : -1;
		argument.length = limit - start;
		if (ioctl(slot->fd_plus_1 - 1, CORDBMEM_IOC_POPULATE, &argument) != 0)
			return -1;
		pages += (int64_t)argument.pages;
		start = limit;
	}
	atomic_fetch_add_explicit(&windows->populates, 1, memory_order_relaxed);
	return pages;
}

/* ---- what is hot ---- */

static bool is_pinned(const struct windows *windows, uint64_t start, uint64_t end)
{
	unsigned int count = atomic_load_explicit(&windows->pin_count, memory_order_acquire);

	for (unsigned int i = 0; i < count; i++)
		if (windows->pins[i].start < end && start < windows->pins[i].end)
			return true;
	return false;
}

/*
 * Counts a read that found no window. True: there were enough of them since this place was last populated, the
 * more the sooner it was missed again then.
 */
static bool heat_add(struct window_heat *heat, uint64_t tag)
{
	uint64_t entry = atomic_load_explicit(&heat->count, memory_order_relaxed);
	uint64_t level = 0, count = 1;

	if (entry >> HEAT_TAG_SHIFT == tag) {
		level = entry >> HEAT_LEVEL_SHIFT & 0xff;
		count = (entry & HEAT_COUNT) + 1;
		if (count == 1) {
			uint64_t last =
				atomic_load_explicit(&heat->filled_at, memory_order_relaxed);

			if (now_ns() - last <= RESTLESS)
				level += level < HEAT_LEVEL_MAX;
			else
				level -= level > 0;
		}
	}
	if (count >= (uint64_t)HEAT_FIRST << level)
		return true;
	atomic_store_explicit(&heat->count,
			      tag << HEAT_TAG_SHIFT | level << HEAT_LEVEL_SHIFT | count,
			      memory_order_relaxed);
	return false;
}

static void heat_populated(struct window_heat *heat, uint64_t tag)
{
	uint64_t entry = atomic_load_explicit(&heat->count, memory_order_relaxed), level = 0;

	if (entry >> HEAT_TAG_SHIFT == tag)
		level = entry >> HEAT_LEVEL_SHIFT & 0xff;
	atomic_store_explicit(&heat->filled_at, now_ns(), memory_order_relaxed);
	atomic_store_explicit(&heat->count, tag << HEAT_TAG_SHIFT | level << HEAT_LEVEL_SHIFT,
			      memory_order_relaxed);
}

bool window_missed(struct cordbmem_process *process, uint64_t address, size_t size)
{
	const uint64_t step = UINT64_C(1) << HEAT_SHIFT;
	struct windows *windows = windows_of(process);
	uint64_t start = address & ~(step - 1), end = (address + size + step - 1) & ~(step - 1);
	uint64_t place = address >> HEAT_SHIFT & (UINT64_MAX >> HEAT_TAG_SHIFT);
	uint32_t flags = CORDBMEM_READ_NOFAULT;
	struct window_heat *heat;
	int64_t pages = 0;
	int saved = errno;
	bool pinned;

	if (mode_of(process) == CORDBMEM_WINDOWS_OFF)
		return false;
	if (!windows)
		windows = windows_make(process);
	if (!windows || atomic_load_explicit(&windows->off, memory_order_relaxed))
		return false;
	heat = &windows->heat[(place * UINT64_C(0x9e3779b97f4a7c15)) >> 54];
	pinned = is_pinned(windows, address, address + size);
	if (!heat_add(heat, place) && !pinned)
		return false;
	/* A pinned page is faulted in, as it was at first. */
	if (pinned && !(process->flags & CORDBMEM_OPEN_NOFAULT))
		flags = 0;
	/* Somebody else is at it: the next read that misses sees. */
	if (pthread_mutex_trylock(&windows->lock) != 0)
		return false;
	if (mode_of(process) != CORDBMEM_WINDOWS_OFF && process_usable(process)) {
		/* Where a little is read, more will be read around it. */
		if (size >= step / 4 || pinned) {
			start = page_floor(address);
			end = page_floor(address + size + WINDOW_PAGE - 1);
		}
		pages = populate(process, windows, start, end, flags, false);
		heat_populated(heat, place);
	}
	pthread_mutex_unlock(&windows->lock);
	errno = saved;
	return pages > 0;
}

/* ---- the interface ---- */

static void close_all(struct windows *windows)
{
	for (unsigned int i = 0; i < WINDOW_SLOTS; i++) {
		struct window_slot *slot = &windows->slots[i];

		slot->pinned = false;
		if (slot->fd_plus_1 && slot_unmap(slot))
			windows->live--;
	}
	atomic_store(&windows->pin_count, 0);
}

void windows_close(struct cordbmem_process *process)
{
	struct windows *windows = windows_of(process);

	/* Somebody who is populating may take as long as the target likes. */
	if (!windows || pthread_mutex_trylock(&windows->lock) != 0)
		return;
	close_all(windows);
	pthread_mutex_unlock(&windows->lock);
}

void windows_destroy(struct cordbmem_process *process)
{
	struct windows *windows = windows_of(process);

	if (!windows)
		return;
	for (unsigned int i = 0; i < WINDOW_SLOTS; i++) {
		struct window_slot *slot = &windows->slots[i];

		if (slot->data)
			munmap((void *)(uintptr_t)slot->data, DATA_SIZE + STATE_SIZE);
		if (slot->fd_plus_1)
			close(slot->fd_plus_1 - 1);
	}
	pthread_mutex_destroy(&windows->lock);
	munmap(windows, sizeof(*windows));
}

static HRESULT check_windows(struct cordbmem_process *process)
{
	if (!process)
		return E_INVALIDARG;
	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	return process->backend->kind == CORDBMEM_BACKEND_MODULE ? S_OK : E_NOTIMPL;
}

HRESULT cordbmem_process_set_windows(struct cordbmem_process *process, enum cordbmem_windows mode)
{
	HRESULT hr = check_windows(process);
	struct windows *windows;

	if (hr == E_NOTIMPL && mode == CORDBMEM_WINDOWS_OFF)
		return S_OK;
	if (FAILED(hr))
		return hr;
	if ((unsigned int)mode > CORDBMEM_WINDOWS_CHECKED)
		return E_INVALIDARG;
	windows = windows_of(process);
	if (!windows)
		windows = windows_make(process);
	if (!windows)
		return E_OUTOFMEMORY;
	pthread_mutex_lock(&windows->lock);
	atomic_store(&process->window_mode, mode);
	windows_publish(process);
	if (mode == CORDBMEM_WINDOWS_OFF)
		close_all(windows);
	pthread_mutex_unlock(&windows->lock);
	return S_OK;
}

/* The slots of a range are not for eviction. */
static void keep_pinned(struct windows *windows, uint64_t start, uint64_t end)
{
	for (uint64_t block = start >> WINDOW_SHIFT; block <= (end - 1) >> WINDOW_SHIFT; block++) {
		bool there;
		struct window_slot *slot = slot_for(windows, block, &there);

		if (slot && there)
			slot->pinned = true;
	}
}

HRESULT cordbmem_process_pin_window(struct cordbmem_process *process, CORDB_ADDRESS address,
				    SIZE_T size, SIZE_T *pages)
{
	HRESULT hr = check_windows(process);
	struct windows *windows;
	uint32_t flags = 0;
	unsigned int count;
	int64_t valid;

	if (pages)
		*pages = 0;
	if (FAILED(hr))
		return hr;
	if (!size || address + size < address || address + size > ADDRESS_END)
		return E_INVALIDARG;
	windows = windows_of(process);
	if (!windows)
		windows = windows_make(process);
	if (!windows)
		return E_OUTOFMEMORY;
	if (process->flags & CORDBMEM_OPEN_NOFAULT)
		flags = CORDBMEM_READ_NOFAULT;

	pthread_mutex_lock(&windows->lock);
	count = atomic_load(&windows->pin_count);
	if (mode_of(process) == CORDBMEM_WINDOWS_OFF) {
		hr = E_NOTIMPL;
	} else if (count == WINDOW_PINS ||
		   ((address + size - 1) >> WINDOW_SHIFT) - (address >> WINDOW_SHIFT) >=
			   WINDOW_LIVE) {
		hr = E_OUTOFMEMORY;
	} else {
		/* There may be no place for a window, and no call that says why not. */
		errno = 0;
		valid = populate(process, windows, page_floor(address),
				 page_floor(address + size + WINDOW_PAGE - 1), flags, true);
		if (valid < 0) {
			hr = atomic_load(&windows->off) ? E_NOTIMPL
			     : errno == ESRCH		? process_notice_gone(process)
							: E_OUTOFMEMORY;
		} else {
			windows->pins[count] = (struct window_pin){ address, address + size };
			atomic_store(&windows->pin_count, count + 1);
			keep_pinned(windows, address, address + size);
			if (pages)
				*pages = (SIZE_T)valid;
		}
	}
	pthread_mutex_unlock(&windows->lock);
	return hr;
}

static void add_stats(struct cordbmem_window_stats *sum, const struct cordbmem_stats *one)
{
	sum->windows++;
	sum->pages += one->pages;
	sum->filled += one->filled;
	sum->invalidated += one->invalidated;
	sum->evicted += one->evicted;
	sum->faults += one->faults;
	sum->fallbacks += one->fallbacks;
}

HRESULT cordbmem_process_window_stats(struct cordbmem_process *process,
				      struct cordbmem_window_stats *stats)
{
	struct cordbmem_window_stats sum = { .size = sizeof(sum) };
	HRESULT hr = check_windows(process);
	struct windows *windows;

	if (!stats || stats->size != sizeof(*stats))
		return E_INVALIDARG;
	if (FAILED(hr) && hr != E_NOTIMPL)
		return hr;
	windows = windows_of(process);
	if (windows) {
		pthread_mutex_lock(&windows->lock);
		for (unsigned int i = 0; i < WINDOW_SLOTS; i++) {
			struct cordbmem_stats one = { .size = sizeof(one) };
			int fd = windows->slots[i].fd_plus_1 - 1;

			if (fd >= 0 && ioctl(fd, CORDBMEM_IOC_STATS, &one) == 0)
				add_stats(&sum, &one);
		}
		sum.populates = atomic_load(&windows->populates);
		sum.checked = atomic_load(&windows->checked);
		sum.mismatches = atomic_load(&windows->mismatches);
		pthread_mutex_unlock(&windows->lock);
	}
	*stats = sum;
	return S_OK;
}
