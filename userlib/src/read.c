// SPDX-License-Identifier: MIT
/*
 * ReadMemory: read, mask, and say how far it went.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "coreclr.h"
#include "internal.h"
#include "window.h"

/* No system call reads more at once. */
#define MAX_CALL ((size_t)0x7ffff000)

/*
 * When writers of the patch table keep telling a read to start over (which takes more
 * than a dozen removals while it runs), it is cut into pieces, each of
 * which is a read of its own; a piece that still fails keeps the writers out.
 */
#define PIECE ((size_t)64 * 1024)
#define ATTEMPTS 4
#define PIECE_ATTEMPTS 32

/* Bytes that are read between two looks at whether a debugger is attached. */
#define STRETCH ((size_t)1024 * 1024)

int read_raw(struct cordbmem_process *process, uint64_t address, void *buffer, size_t size,
	     size_t *got)
{
	size_t done = 0;
	int err = 0;

	if (address >= ADDRESS_END) {
		*got = 0;
		return process->backend->alive(process) ? EIO : ESRCH;
	}
	while (done < size) {
		size_t want = size - done;
		uint64_t room = ADDRESS_END - (address + done);
		ssize_t n;

		if (want > MAX_CALL)
			want = MAX_CALL;
		if (want > room)
			want = room;
		done += window_read(process, address + done, (BYTE *)buffer + done, &want);
		if (!want)
			continue;
		n = pread(process->memory_fd, (BYTE *)buffer + done, want, (off_t)(address + done));
		if (n > 0) {
			/* A short read may have been a signal: ask at the stop. */
			done += (size_t)n;
		} else if (n == 0) {
			/* So says /proc/PID/mem when the image is gone. */
			err = ESRCH;
			break;
		} else if (errno != EINTR) {
			err = errno;
			break;
		}
	}
	*got = done;
	return err;
}

HRESULT read_result(struct cordbmem_process *process, int err, size_t *got)
{
	switch (err) {
	case 0:
		return S_OK;
	case EIO:
		return *got ? CORDBMEM_E_PARTIAL_COPY : CORDBG_E_READVIRTUAL_FAILURE;
	case ESRCH:
		*got = 0;
		return process_notice_gone(process);
	}
	*got = 0;
	if (process_state(process) == STATE_CLOSED)
		return CORDBG_E_OBJECT_NEUTERED;
	return err == EPERM    ? E_ACCESSDENIED
	       : err == ENOMEM ? E_OUTOFMEMORY
	       : err == EFAULT ? CORDBMEM_E_NOACCESS
			       : E_FAIL;
}

/* Mask and piece together; returns false if it was told to start over too often. */
static bool read_once(struct cordbmem_process *process, uint64_t address, BYTE *buffer, size_t size,
		      size_t *got, int *err, int attempts)
{
	while (attempts--) {
		uint64_t view = patches_begin(&process->patches);

		*err = read_raw(process, address, buffer, size, got);
		if (patches_mask(&process->patches, view, address, buffer, *got))
			return true;
	}
	return false;
}

static int read_pieces(struct cordbmem_process *process, uint64_t address, BYTE *buffer,
		       size_t size, size_t *got)
{
	size_t done = 0;
	int err = 0;

	while (done < size && !err) {
		size_t want = size - done < PIECE ? size - done : PIECE;
		size_t n;

		if (!read_once(process, address + done, buffer + done, want, &n, &err,
			       PIECE_ATTEMPTS)) {
			patches_lock(&process->patches);
			read_once(process, address + done, buffer + done, want, &n, &err, 1);
			patches_unlock(&process->patches);
		}
		done += n;
	}
	*got = done;
	return err;
}

int read_registered(struct cordbmem_process *process, uint64_t address, BYTE *buffer, size_t size,
		    size_t *got)
{
	int err;

	if (!read_once(process, address, buffer, size, got, &err, size > PIECE ? 1 : ATTEMPTS))
		err = read_pieces(process, address, buffer, size, got);
	return err;
}

/* In stretches short enough that no debugger comes and goes within one. */
static int read_stripped(struct cordbmem_process *process, struct coreclr *runtime,
			 uint64_t address, BYTE *buffer, size_t size, size_t *got)
{
	size_t done = 0;
	int err = 0;

	while (done < size && !err) {
		size_t want = size - done < STRETCH ? size - done : STRETCH, n;
		uint64_t quiet_at = coreclr_begin(process, runtime, want);
		bool reread = false;
		int strip;

		err = read_registered(process, address + done, buffer + done, want, &n);
		strip = coreclr_strip(process, runtime, quiet_at, address + done, buffer + done, &n,
				      &reread);
		if (strip)
			err = strip;
		done += n;
	}
	*got = done;
	return err;
}

HRESULT read_masked(struct cordbmem_process *process, uint64_t address, BYTE *buffer, size_t size,
		    size_t *got)
{
	struct coreclr *runtime = coreclr_of(process);
	int err = runtime ? read_stripped(process, runtime, address, buffer, size, got)
			  : read_registered(process, address, buffer, size, got);

	return read_result(process, err, got);
}

bool read_decided(const struct cordbmem_process *process, uint64_t address, const void *buffer,
		  size_t size, HRESULT *hr)
{
	if (process && !process_usable(process))
		*hr = CORDBG_E_OBJECT_NEUTERED;
	else if (process && !size)
		*hr = S_OK;
	else if (!process || !buffer || !address)
		*hr = E_INVALIDARG;
	else
		return false;
	return true;
}

/*
 * All there is to most reads: a few bytes of a page that a window shows, and nothing to be masked. False:
 * it takes more to know.
 */
static inline bool read_shown(struct cordbmem_process *process, uint64_t address, BYTE *buffer,
			      DWORD size)
{
	struct windows *windows =
		atomic_load_explicit(&process->windows_fast, memory_order_acquire);
	uint64_t view;

	/* (Nothing to read is more than any page has.) */
	if (!windows_are_there(windows) || !address ||
	    size - 1 >= WINDOW_PAGE - address % WINDOW_PAGE || !buffer)
		return false;
	view = patches_begin(&process->patches);
	return window_read_page(windows, address, buffer, size) &&
	       patches_clear(&process->patches, view, address, size) &&
	       (!coreclr_of(process) || !memchr(buffer, 0xCC, size));
}

static inline __attribute__((always_inline)) bool has_trap(const BYTE *bytes, size_t size)
{
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t word = 0, x;

	memcpy(&word, bytes, size);
	x = word ^ 0xCC * ones;
	/* A byte of x is 0; or one above it is 1, for which asking further is only slower. */
	return ((x - ones) & ~x & 0x80 * ones) != 0;
}

/*
 * The same for what tools read most: one aligned word, or few bytes. With a constant size a word is some
 * fifty instructions; at this speed each counts.
 */
static inline __attribute__((always_inline)) bool read_quick(struct cordbmem_process *process,
							     _Atomic(struct windows *) *which,
							     uint64_t address, BYTE *buffer,
							     DWORD size, bool is_word)
{
	struct windows *windows = atomic_load_explicit(which, memory_order_acquire);
	uint64_t view;

	/* One by one, as gcc makes more of an expression. */
	if (!windows_are_there(windows))
		return false;
	if (!address)
		return false;
	if (is_word ? address % size != 0
		    : (address | size) % 8 != 0 || size > WINDOW_PAGE - address % WINDOW_PAGE)
		return false;
	if (!buffer)
		return false;
	/* Where there were no patches, there still must be none when it was read. */
	view = which == &process->windows_word ? 0 : patches_begin(&process->patches);
	if (!window_read_quick(windows, address, buffer, size, is_word))
		return false;
	/* A word is in one granule, as its first byte is. */
	if (!patches_clear(&process->patches, view, address, is_word ? 1 : size))
		return false;
	return !coreclr_of(process) ||
	       !(is_word ? has_trap(buffer, size) : memchr(buffer, 0xCC, size) != NULL);
}

static inline __attribute__((always_inline)) bool read_few(struct cordbmem_process *process,
							   uint64_t address, BYTE *buffer,
							   DWORD size)
{
	return read_quick(process, &process->windows_fast, address, buffer, size, false);
}

/* One that is constant, 4 or 8. */
static inline __attribute__((always_inline)) bool read_word(struct cordbmem_process *process,
							    uint64_t address, BYTE *buffer,
							    DWORD size)
{
	return read_quick(process, &process->windows_fast, address, buffer, size, true);
}

static inline __attribute__((always_inline)) bool read_word_unpatched(
	struct cordbmem_process *process, uint64_t address, BYTE *buffer, DWORD size)
{
	return read_quick(process, &process->windows_word, address, buffer, size, true);
}

static inline bool is_few(DWORD size)
{
	return size - WINDOW_FEW_LEAST <= WINDOW_FEW_MOST - WINDOW_FEW_LEAST;
}

static __attribute__((noinline)) HRESULT read_memory(struct cordbmem_process *process,
						     CORDB_ADDRESS address, DWORD size,
						     BYTE buffer[], SIZE_T *read)
{
	size_t got;
	HRESULT hr;

	if (process && read_shown(process, address, buffer, size)) {
		if (read)
			*read = size;
		return S_OK;
	}
	if (read_decided(process, address, buffer, size, &hr))
		return hr;
	hr = read_masked(process, address, buffer, size, &got);
	if (read && hr != CORDBG_E_OBJECT_NEUTERED)
		*read = got;
	return hr;
}

/* The first two, of a size that read_alike() knows. For one alone it takes longer than it would without. */
static inline bool are_alike(const struct cordbmem_scatter *e, size_t count)
{
	return count > 1 && e[0].size == e[1].size && e[0].process == e[1].process &&
	       (e[0].size & (e[0].size - 1)) == 0 && e[0].size - 4 <= 64 - 4 &&
	       (e[0].address ^ e[1].address) >> WINDOW_SHIFT == 0;
}

size_t read_fast(struct cordbmem_scatter *elements, size_t count)
{
	size_t done = 0;

	while (done < count) {
		struct cordbmem_scatter *e = &elements[done];

		if (!e->process)
			break;
		if (are_alike(e, count - done)) {
			size_t alike = read_alike(e, count - done);

			done += alike;
			if (alike)
				continue;
		}
		if (!(is_few(e->size) ? read_few(e->process, e->address, e->buffer, e->size)
		      : e->size == 8  ? read_word(e->process, e->address, e->buffer, 8)
				      : false) &&
		    !read_shown(e->process, e->address, e->buffer, e->size))
			break;
		e->result = S_OK;
		e->read = e->size;
		done++;
	}
	return done;
}

/* Apart, for the sake of the registers of the quickest. */
static __attribute__((noinline)) HRESULT read_other(struct cordbmem_process *process,
						    CORDB_ADDRESS address, DWORD size,
						    BYTE buffer[], SIZE_T *read)
{
	if (!process || !(is_few(size) ? read_few(process, address, buffer, size)
			  : size == 4  ? read_word(process, address, buffer, 4)
				       : false))
		return read_memory(process, address, size, buffer, read);
	if (read)
		*read = size;
	return S_OK;
}

/* A word, where there are patches, or where it is in no window. */
static __attribute__((noinline)) HRESULT read_other_word(struct cordbmem_process *process,
							 CORDB_ADDRESS address, BYTE buffer[],
							 SIZE_T *read)
{
	if (!process || !read_word(process, address, buffer, 8))
		return read_memory(process, address, 8, buffer, read);
	if (read)
		*read = 8;
	return S_OK;
}

HRESULT cordbmem_ReadMemory(struct cordbmem_process *process, CORDB_ADDRESS address, DWORD size,
			    BYTE buffer[], SIZE_T *read)
{
	if (size != 8)
		return read_other(process, address, size, buffer, read);
	if (!process || !read_word_unpatched(process, address, buffer, 8))
		return read_other_word(process, address, buffer, read);
	if (read)
		*read = 8;
	return S_OK;
}
