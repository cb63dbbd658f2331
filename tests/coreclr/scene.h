/* SPDX-License-Identifier: MIT */
/*
 * What most tests begin with: a debuggee whose code stays where it is, its code as it was before any
 * debugger came, the genuine library attached, and breakpoints in many methods.
 */
#ifndef SCENE_H
#define SCENE_H

#include "debuggee.h"
#include "oracle.h"

struct scene {
	struct runtime runtime;
	struct debuggee debuggee;
	struct oracle *oracle;
	/* Where the code of all methods lies, with what lies around it, and its original bytes. */
	struct region code;
	uint8_t *original;
	/* By address. */
	struct breakpoint *breakpoints;
	size_t count;
};

/* False: there is no runtime to test against, for the reason in runtime.reason. The debuggee runs. */
bool scene_begin(struct scene *scene, size_t breakpoints);
/* With all methods of the debuggee compiled, not just some more than have breakpoints. */
bool scene_begin_all(struct scene *scene, size_t breakpoints);

/* To begin a test of kselftest_harness.h with, which it leaves out when there is no runtime. */
#define SCENE(scene, breakpoints)                                    \
	do {                                                         \
		if (!scene_begin(scene, breakpoints))                \
			SKIP(return, "%s", (scene)->runtime.reason); \
	} while (0)

/* The original byte at an address in the code. */
uint8_t scene_original(const struct scene *scene, uint64_t address);

/* Is all of the range in the code? */
bool scene_has(const struct scene *scene, uint64_t address, uint64_t size);

/* Breakpoints with a trap byte in memory. */
size_t scene_traps(const struct scene *scene);

/* The wait status of the debuggee; 0 for a scene that never began. */
int scene_end(struct scene *scene);

#endif
