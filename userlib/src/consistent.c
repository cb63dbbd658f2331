// SPDX-License-Identifier: MIT
/*
 * Reading what a sequence word protects.
 */
#include "internal.h"

#include <sched.h>
#include <string.h>

#define DEFAULT_ATTEMPTS 100

static uint64_t word_of(const uint64_t *raw, DWORD size)
{
	uint32_t half;

	if (size == sizeof(*raw))
		return *raw;
	memcpy(&half, raw, sizeof(half));
	return half;
}

HRESULT cordbmem_read_consistent(struct cordbmem_process *process, CORDB_ADDRESS sequence,
				 DWORD sequence_size, CORDB_ADDRESS address, DWORD size,
				 BYTE *buffer, unsigned int attempts, uint64_t *value)
{
	HRESULT hr;

	if (process && !process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!process || !buffer || !size || !address || !sequence ||
	    (sequence_size != 4 && sequence_size != 8) || sequence % sequence_size)
		return E_INVALIDARG;
	if (!attempts)
		attempts = DEFAULT_ATTEMPTS;

	for (; attempts; attempts--) {
		uint64_t before, after, raw[2] = { 0, 0 };
		struct cordbmem_scatter read[3] = {
			{ .process = process,
			  .address = sequence,
			  .buffer = (BYTE *)&raw[0],
			  .size = sequence_size },
			{ .process = process, .address = address, .buffer = buffer, .size = size },
			{ .process = process,
			  .address = sequence,
			  .buffer = (BYTE *)&raw[1],
			  .size = sequence_size },
		};

		cordbmem_read_scatter(read, 3);
		for (int i = 0; i < 3; i++) {
			/* What fails under a moving word may work next time. */
			if (FAILED(read[i].result) && (i != 1 || !process_usable(process)))
				return read[i].result;
		}
		before = word_of(&raw[0], sequence_size);
		after = word_of(&raw[1], sequence_size);
		if (before == after && !(before & 1)) {
			hr = read[1].result;
			if (SUCCEEDED(hr) && value)
				*value = before;
			return hr;
		}
		/* On a busy CPU the writer may be waiting for us. */
		sched_yield();
	}
	return CORDBMEM_E_RETRY;
}
