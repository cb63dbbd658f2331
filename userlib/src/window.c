// SPDX-License-Identifier: MIT
/*
 * The table of windows: how it comes and goes, what the fast paths may use of it, and the calls for its
 * mode, its pins and its statistics. window.h explains how readers and the one who makes windows meet.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "internal.h"
#include "window_slots.h"

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
		mode = windows_mode(process);
		patched = has_patches(process);
		automatic = mode == CORDBMEM_WINDOWS_AUTO;
		tell(&process->windows_fast, automatic ? windows : NULL);
		tell(&process->windows_word, automatic && !patched ? windows : NULL);
	} while (windows != windows_of(process) || mode != windows_mode(process) ||
		 patched != has_patches(process));
}

void windows_never(struct cordbmem_process *process)
{
	atomic_store(&process->windows_fast, WINDOWS_NEVER);
	atomic_store(&process->windows_word, WINDOWS_NEVER);
}

struct windows *windows_make(struct cordbmem_process *process)
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

static void close_all(struct windows *windows)
{
	for (unsigned int i = 0; i < WINDOW_SLOTS; i++) {
		struct window_slot *slot = &windows->slots[i];

		slot->pinned = false;
		if (slot->fd_plus_1 && window_slot_unmap(slot))
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
			munmap((void *)(uintptr_t)slot->data, WINDOW_SIZE + WINDOW_STATE_SIZE);
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
		struct window_slot *slot = window_slot_for(windows, block, &there);

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
	if (windows_mode(process) == CORDBMEM_WINDOWS_OFF) {
		hr = E_NOTIMPL;
	} else if (count == WINDOW_PINS ||
		   ((address + size - 1) >> WINDOW_SHIFT) - (address >> WINDOW_SHIFT) >=
			   WINDOW_LIVE) {
		hr = E_OUTOFMEMORY;
	} else {
		/* There may be no place for a window, and no call that says why not. */
		errno = 0;
		valid = windows_populate(process, windows, window_page_floor(address),
					 window_page_floor(address + size + WINDOW_PAGE - 1), flags,
					 true);
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
