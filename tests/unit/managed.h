/* SPDX-License-Identifier: MIT */
/*
 * A handle on a process with a forged CoreCLR that was found in it, and reads of its code that are
 * held against what they must give.
 */
#ifndef MANAGED_H
#define MANAGED_H

#include "forge.h"

struct managed {
	struct forge *forge;
	struct cordbmem_process *process;
};

/* For cmocka; the state is a struct managed. As the plan that is all zero, .NET 11, and big. */
int managed_setup(void **state);
int managed_setup_11(void **state);
int managed_setup_big(void **state);
int managed_teardown(void **state);

/* A handle on a forge; CoreCLR must be found. */
struct cordbmem_process *managed_open(struct forge *f);

/* Read a range of the code and hold it, and the bytes around the buffer, against what is right. */
void check_code_bytes(struct managed *m, size_t offset, DWORD size, const BYTE *wanted);
/* What is right is how the code looks without managed breakpoints. */
void check_code(struct managed *m, size_t offset, DWORD size);
/* So for the first @wanted bytes of a read that fails. */
void check_code_fails(struct managed *m, HRESULT hr, size_t offset, DWORD size, SIZE_T wanted);

#endif /* MANAGED_H */
