// SPDX-License-Identifier: MIT
/*
 * The quickest way for many small reads: neighbours in a scattered read that are alike, in one process, one window and
 * of one size. What each of them would ask for itself is asked once for all.
 */
#include <string.h>

#include "internal.h"
#include "window.h"

/*
 * After so many it is asked again, so that not much is read in vain. A trap byte that CoreCLR may have set is found
 * at the end, and the rest is read again.
 */
#define ALIKE_MOST 128
#define ALIKE_MOST_MANAGED 16

/* Of any size that is a power of 2; unaligned. */
typedef uint32_t word4 __attribute__((aligned(1), may_alias));
typedef uint64_t word8 __attribute__((aligned(1), may_alias));
typedef uint64_t word16 __attribute__((vector_size(16), aligned(1), may_alias));
typedef uint64_t word32 __attribute__((vector_size(32), aligned(1), may_alias));

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Each aligned word comes out whole, as in window_copy(). */
static ALWAYS_INLINE void copy(BYTE *to, uintptr_t from, DWORD size, bool wide)
{
	switch (size) {
	case 4:
		*(word4 *)to = *(const volatile word4 *)from;
		break;
	case 8:
		*(word8 *)to = *(const volatile word8 *)from;
		break;
	default:
		/* (Without AVX, gcc takes a detour for the wide ones.) */
		for (DWORD at = 0; wide && size > 16 && at < size; at += 32)
			*(word32 *)(to + at) = *(const volatile word32 *)(from + at);
		for (DWORD at = 0; !(wide && size > 16) && at < size; at += 16)
			*(word16 *)(to + at) = *(const volatile word16 *)(from + at);
	}
}

/* How many there are before the first with a byte that may be a trap of CoreCLR. */
static size_t without_trap(const struct cordbmem_scatter *elements, size_t count, DWORD size)
{
	for (size_t i = 0; i < count; i++) {
		/* NOLINTNEXTLINE(clang-analyzer-core.NonNullParamChecker): they end where a buffer is NULL */
		if (memchr(elements[i].buffer, 0xCC, size))
			return i;
	}
	return count;
}

/*
 * The protocol is window_read_quick()'s. The key and the view of the patches stand for all: the same at the end means that
 * they were the same at each. size, patched and wide are constant; patched: there was a patch once, so
 * that there is a filter.
 */
static ALWAYS_INLINE size_t read_alike_of(struct cordbmem_scatter *elements, size_t count,
					  DWORD size, bool patched, bool wide)
{
	struct cordbmem_process *process = elements->process;
	struct windows *windows = atomic_load_explicit(
		patched ? &process->windows_fast : &process->windows_word, memory_order_acquire);
	const uint64_t view = patched ? patches_begin(&process->patches) : 0;
	struct cordbmem_scatter *e = elements, *end;
	const struct patch_filter *filter = NULL;
	uint64_t block, key, first;
	struct window_slot *slot;
	const uint32_t *state;
	uintptr_t data;
	size_t most;

	if (!windows_are_there(windows))
		return 0;
	if (patched)
		filter = PATCH_LOAD(&process->patches.filter);
	block = elements->address >> WINDOW_SHIFT;
	slot = &windows->slots[block % WINDOW_SLOTS];
	key = atomic_load_explicit(&slot->key, memory_order_acquire);
	if ((uint32_t)key != (uint32_t)block + 1)
		return 0;
	first = (block << WINDOW_SHIFT) / WINDOW_PAGE;
	data = (uintptr_t)slot->data - (block << WINDOW_SHIFT);
	state = slot->state;
	most = coreclr_of(process) ? ALIKE_MOST_MANAGED : ALIKE_MOST;
	end = elements + (count < most ? count : most);
	do {
		uint64_t address = e->address, page = address / WINDOW_PAGE - first;
		BYTE *buffer = e->buffer;
		uint32_t word;

		/* In an order in which gcc does not make one comparison of two, which is slower. */
		if (address % WINDOW_PAGE > WINDOW_PAGE - size)
			break;
		if (e->process != process)
			break;
		if (!buffer)
			break;
		if (e->size != size)
			break;
		/* (The page at address 0 is never valid.) */
		if (page >= (UINT64_C(1) << WINDOW_SHIFT) / WINDOW_PAGE)
			break;
		if (patched && !patch_filter_clear(filter, address, size))
			break;
		word = __atomic_load_n(&state[page], __ATOMIC_ACQUIRE);
		if (!(word & CORDBMEM_WINDOW_VALID))
			break;
		copy(buffer, data + address, size, wide);
		atomic_thread_fence(memory_order_acquire);
		/* Loaded anew, and where it is compared; __atomic_load_n() would take two instructions more. */
		__asm__ volatile("" : "+r"(page)::"memory");
		if (state[page] != word)
			break;
		e->result = S_OK;
		e->read = size;
	} while (++e != end);
	count = (size_t)(e - elements);
	atomic_thread_fence(memory_order_acquire);
	if (atomic_load_explicit(&slot->key, memory_order_relaxed) != key ||
	    !patches_unchanged(&process->patches, view))
		return 0;
	return coreclr_of(process) ? without_trap(elements, count, size) : count;
}

static ALWAYS_INLINE size_t read_alike_in(struct cordbmem_scatter *elements, size_t count,
					  bool patched, bool wide)
{
	switch (elements->size) {
	case 4:
		return read_alike_of(elements, count, 4, patched, wide);
	case 8:
		return read_alike_of(elements, count, 8, patched, wide);
	case 16:
		return read_alike_of(elements, count, 16, patched, wide);
	case 32:
		return read_alike_of(elements, count, 32, patched, wide);
	case 64:
		return read_alike_of(elements, count, 64, patched, wide);
	}
	return 0;
}

#ifdef __x86_64__
__attribute__((target("avx"))) static size_t read_alike_avx(struct cordbmem_scatter *elements,
							    size_t count)
{
	return read_alike_in(elements, count, false, true);
}

__attribute__((target("avx"))) static size_t read_alike_patched_avx(
	struct cordbmem_scatter *elements, size_t count)
{
	return read_alike_in(elements, count, true, true);
}
#endif

static __attribute__((noinline)) size_t read_alike_patched(struct cordbmem_scatter *elements,
							   size_t count)
{
	return read_alike_in(elements, count, true, false);
}

size_t read_alike(struct cordbmem_scatter *elements, size_t count)
{
	const bool patched = patches_begin(&elements->process->patches) != 0;

#ifdef __x86_64__
	if (__builtin_cpu_supports("avx"))
		return patched ? read_alike_patched_avx(elements, count)
			       : read_alike_avx(elements, count);
#endif
	return patched ? read_alike_patched(elements, count)
		       : read_alike_in(elements, count, false, false);
}
