/* SPDX-License-Identifier: MIT */
/*
 * The .NET program under test (debuggee/Program.cs), from the test's side: started, asked, ended.
 */
#ifndef DEBUGGEE_H
#define DEBUGGEE_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "runtime.h"

/* Memory in the debuggee. */
struct region {
	uint64_t address, size;
};

/* A method of the debuggee, where its code lay when it was asked, and its MSIL. */
struct method {
	uint32_t token;
	uint64_t address;
	uint8_t il[512];
	uint32_t il_size;
};

struct debuggee {
	pid_t pid;
	FILE *to, *from;
	/* Mapped by the debuggee: pages of which some are unmapped again, or without any permission. */
	struct region hole, hole_pages, closed, closed_pages;
	/* Arrays on the garbage-collected heap, the first never moves; see heap_byte. */
	struct region pinned, array;
	/* Counts what the worker does; 8 bytes. */
	uint64_t counter;
	/* AddByte, of which an instruction begins with a byte of 0. */
	uint32_t add_token;
	uint64_t add_address;
	/* Late, which is not compiled until debuggee_compile_late. */
	uint32_t late_token;
	struct method *methods;
	size_t method_count;
};

/*
 * Starts it and waits until it is ready. @variables, NAME=VALUE ending with NULL, are added to its
 * environment; NULL for none. Ends the test when it cannot be.
 */
void debuggee_start(struct debuggee *debuggee, const struct runtime *runtime,
		    const char *const *variables);

/* The two halves of a command, for one whose answer must wait; and both, dropping the answer. */
void debuggee_send(struct debuggee *debuggee, const char *command);
bool debuggee_line(struct debuggee *debuggee, char *line, size_t size);
void debuggee_do(struct debuggee *debuggee, const char *command);

/* Fills methods: so many, which it compiles if they are not yet, or all for 0. */
void debuggee_list_methods(struct debuggee *debuggee, size_t count);

/* Calls Hot so many times: its token, and an address inside the code that ran last. */
uint64_t debuggee_hot(struct debuggee *debuggee, int calls, uint32_t *token);

/* Compiles Late without running it; where its code begins. */
uint64_t debuggee_compile_late(struct debuggee *debuggee);

/* Compacts the heap; the array may have moved. */
void debuggee_collect(struct debuggee *debuggee);

/* What the debuggee fills its regions with: hole 1, closed 2, pinned 3, array 4. */
uint8_t debuggee_byte(uint64_t offset, int region);

/* Closes its standard input and waits for its end; 0 if it ended well, or was not running. */
int debuggee_end(struct debuggee *debuggee);

#endif
