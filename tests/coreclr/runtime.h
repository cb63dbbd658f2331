/* SPDX-License-Identifier: MIT */
/*
 * A .NET runtime to test against, as tests/coreclr/runtimes prepared it.
 */
#ifndef RUNTIME_H
#define RUNTIME_H

#include <stdbool.h>

struct runtime {
	char *version;
	/* The file that has CoreCLR in it, and the genuine libraries of that very build. */
	char *clr, *dbi, *dac;
	/* How the debuggee is started; both end with NULL. */
	char *arguments[8], *variables[8];
	/* Why there is no such runtime; only when runtime_load said so. */
	char reason[512];
};

/* Loads the one in the folder $CORDBMEM_RUNTIME (default build/coreclr/sdk); false: see reason. */
bool runtime_load(struct runtime *runtime);

#endif
