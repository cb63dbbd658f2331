// SPDX-License-Identifier: MIT
/*
 * NUL-terminated strings of the target.
 */
#include "internal.h"

#include <string.h>

/* Steps end at multiples of this, and so never beyond the page they began in. */
#define STEP_PAGE 4096U

/* Most strings are short; the first step is no longer than this. */
#define FIRST_STEP 256U

/* Bytes to read next: to the end of the page at most. */
static size_t step_size(uint64_t address, size_t done, size_t left)
{
	size_t step = STEP_PAGE - address % STEP_PAGE;

	if (!done && step > FIRST_STEP)
		step = FIRST_STEP;
	return step < left ? step : left;
}

/*
 * Read until find says that bytes [0, done) hold a terminator, a byte cannot be
 * read, or the buffer is full. Returns ReadMemory's result for the last step, or
 * MORE_DATA; *length is in bytes.
 */
static HRESULT read_until(struct cordbmem_process *process, uint64_t address, BYTE *buffer,
			  size_t capacity,
			  bool (*find)(const BYTE *buffer, size_t from, size_t to, size_t *at),
			  size_t *length)
{
	size_t done = 0;

	while (done < capacity) {
		size_t from = done, got;
		HRESULT hr;

		hr = read_masked(process, address + done, buffer + done,
				 step_size(address + done, done, capacity - done), &got);
		done += got;
		if (find(buffer, from, done, length))
			return S_OK;
		*length = done;
		if (hr == CORDBG_E_READVIRTUAL_FAILURE && done)
			return CORDBMEM_E_PARTIAL_COPY;
		if (FAILED(hr))
			return hr;
	}
	return CORDBMEM_E_MORE_DATA;
}

static bool find_byte(const BYTE *buffer, size_t from, size_t to, size_t *at)
{
	const BYTE *end = memchr(buffer + from, 0, to - from);

	if (end)
		*at = (size_t)(end - buffer);
	return end;
}

static bool find_unit(const BYTE *buffer, size_t from, size_t to, size_t *at)
{
	for (from &= ~(size_t)1; from + 2 <= to; from += 2) {
		if (!buffer[from] && !buffer[from + 1]) {
			*at = from;
			return true;
		}
	}
	return false;
}

/* The length without a UTF-8 sequence that the end cuts. */
static size_t whole_sequences(const char *text, size_t length)
{
	size_t lead = length, need;
	BYTE byte;

	do {
		if (!lead || length - lead == 4)
			return length; /* not UTF-8; leave it alone */
		byte = (BYTE)text[--lead];
	} while ((byte & 0xc0) == 0x80);

	if (byte < 0xc0)
		return length;
	need = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
	return length - lead < need ? lead : length;
}

HRESULT cordbmem_read_string(struct cordbmem_process *process, CORDB_ADDRESS address, char *buffer,
			     size_t capacity, size_t *length)
{
	size_t bytes = 0;
	HRESULT hr;

	if (process && !process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!process || !address || !buffer || !capacity)
		return E_INVALIDARG;

	hr = read_until(process, address, (BYTE *)buffer, capacity, find_byte, &bytes);
	if (hr == CORDBG_E_OBJECT_NEUTERED)
		return hr;
	if (hr == CORDBMEM_E_MORE_DATA)
		bytes = whole_sequences(buffer, capacity - 1);
	else if (FAILED(hr) && hr != CORDBMEM_E_PARTIAL_COPY)
		bytes = 0;
	buffer[bytes] = 0;
	if (length)
		*length = bytes;
	return hr;
}

HRESULT cordbmem_read_string16(struct cordbmem_process *process, CORDB_ADDRESS address,
			       uint16_t *buffer, size_t capacity, size_t *length)
{
	size_t bytes = 0, units;
	HRESULT hr;

	if (process && !process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!process || !address || !buffer || !capacity || capacity > SIZE_MAX / sizeof(*buffer))
		return E_INVALIDARG;

	hr = read_until(process, address, (BYTE *)buffer, capacity * sizeof(*buffer), find_unit,
			&bytes);
	if (hr == CORDBG_E_OBJECT_NEUTERED)
		return hr;
	units = bytes / sizeof(*buffer);
	if (hr == CORDBMEM_E_MORE_DATA) {
		units = capacity - 1;
		if (units && buffer[units - 1] >> 10 == 0xd800 >> 10)
			units--;
	} else if (FAILED(hr) && hr != CORDBMEM_E_PARTIAL_COPY) {
		units = 0;
	} else if (hr == CORDBMEM_E_PARTIAL_COPY && !units) {
		/* Half a unit is nothing. */
		hr = CORDBG_E_READVIRTUAL_FAILURE;
	}
	buffer[units] = 0;
	if (length)
		*length = units;
	return hr;
}
