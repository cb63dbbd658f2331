/* SPDX-License-Identifier: MIT */
/*
 * The demo: a program at work, and what is seen of it from outside.
 */
#ifndef CORDBMEM_DEMO_SHOW_H
#define CORDBMEM_DEMO_SHOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include <cordbmem/cordbmem.h>

#define TRAP 0xcc

/* The program that is read, as it describes itself. */
struct target {
	pid_t pid;
	FILE *to;      /* its standard input */
	FILE *from;    /* its standard output */
	char name[64]; /* of the method */
	char program[64];
	uint64_t method;
	size_t size;	   /* of the method, from the JIT compiler's perf map */
	uint64_t counters; /* struct counters in its memory */
};

struct counters {
	int64_t rounds;
	int64_t calls;
	int64_t resting;
};

/* target.c */
void target_start(struct target *target, char **argv);
/* Send a word, wait for its answer, and return the number in that. */
long target_tell(struct target *target, const char *word, const char *answer);
void target_write(const struct target *target, uint64_t address, unsigned char byte);
/* The first hole after an address: where the mapping in front of it begins and ends. */
void target_find_hole(const struct target *target, uint64_t after, uint64_t *start, uint64_t *end);
/* Let it end, and make sure that it ends well. */
void target_stop(struct target *target);

/* view.c */

/*
 * What the demo says must be so: print it only after claim() has let it pass. A false one
 * ends the demo.
 */
void claim(bool so, const char *what);
unsigned int claims(void);
_Noreturn void give_up(const char *what);
/* Two views of the same bytes, side by side. note[] is shown at the rows of marked bytes. */
struct mark {
	size_t offset;
	const char *note;
};
void show_side_by_side(uint64_t address, const unsigned char *left, const unsigned char *right,
		       size_t size, const struct mark *marks, size_t count);
/* Each line begins with the indent. */
void show_wrapped(const char *indent, const char *text);

#endif /* CORDBMEM_DEMO_SHOW_H */
