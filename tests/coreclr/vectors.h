/* SPDX-License-Identifier: MIT */
/*
 * The contract of ReadMemory as a table of calls and what they give, on a debuggee with a breakpoint.
 * What measured the genuine library once is what both libraries are held to.
 */
#ifndef VECTORS_H
#define VECTORS_H

#include <stdbool.h>
#include <stddef.h>

#include <cordbmem/types.h>

#include "debuggee.h"

/* The count before the call; one that must stay. */
#define UNTOUCHED ((SIZE_T)0x5e5e5e5e5e5e5e5e)

struct vector {
	const char *name;
	CORDB_ADDRESS address;
	DWORD size;
	bool no_buffer, no_count;
	HRESULT hr;
	SIZE_T count;
	/* What the bytes must be, NULL if it does not matter. */
	const uint8_t *bytes;
};

/*
 * Fills @list, of @capacity, and returns how many there are. @code are the bytes from 32 in front of
 * the breakpoint to 64 behind it, as they were before it was set.
 */
size_t vectors_make(struct vector *list, size_t capacity, const struct debuggee *debuggee,
		    CORDB_ADDRESS breakpoint, const uint8_t *code);

typedef HRESULT vector_read(void *reader, CORDB_ADDRESS address, DWORD size, BYTE *buffer,
			    SIZE_T *read);

/* Makes the call; false when anything is not as the vector has it, and says so on stderr. */
bool vector_holds(const struct vector *vector, vector_read *function, void *reader);

#endif
