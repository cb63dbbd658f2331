/* SPDX-License-Identifier: MIT */
/*
 * The program that is read, demo/dotnet or demo/native: at work, and not knowing of it.
 */
#ifndef CORDBMEM_DEMO_TARGET_H
#define CORDBMEM_DEMO_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "child.h"

#define TRAP 0xcc

/* As it describes itself. */
struct target {
	struct child child;
	pid_t pid;
	char name[64]; /* of the method */
	char program[64];
	uint32_t token; /* of the method in its metadata; 0: it is not a .NET program */
	uint64_t method;
	size_t size;	   /* of the method, from the JIT compiler's perf map */
	uint64_t counters; /* struct counters in its memory */
};

struct counters {
	int64_t rounds;
	int64_t calls;
	int64_t resting;
};

void target_start(struct target *target, char **argv);

/* Keep out of the method, all else goes on; call it again, once with 12: returns the result. */
void target_pause(struct target *target);
long target_resume(struct target *target);

void target_write(const struct target *target, uint64_t address, unsigned char byte);

/* The first hole after an address: where the mapping in front of it begins and ends. */
void target_find_hole(const struct target *target, uint64_t after, uint64_t *start, uint64_t *end);

/* Is no thread of it stopped or traced by anybody at this moment? */
bool target_runs_free(const struct target *target);

#endif /* CORDBMEM_DEMO_TARGET_H */
