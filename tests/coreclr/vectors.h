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

#include "scene.h"

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

typedef HRESULT vector_read(void *reader, CORDB_ADDRESS address, DWORD size, BYTE *buffer,
			    SIZE_T *read);

/* Both libraries': the reader is a struct oracle, or a struct cordbmem_process. */
vector_read read_genuine, read_ours;

/* Makes the call; false when anything is not as the vector has it, and says so on stderr. */
bool vector_holds(const struct vector *vector, vector_read *function, void *reader);

/*
 * The whole contract, while the debuggee runs and while it is stopped. Returns how many vectors
 * do not hold.
 */
size_t contract_breaches(struct scene *scene, vector_read *function, void *reader);

/* Likewise what is left of it once the exit was noticed: nothing is looked at any more. */
size_t contract_breaches_after_exit(vector_read *function, void *reader);

#endif
