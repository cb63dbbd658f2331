/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all processes of the fuzzer share: when it is over, what was counted, and that something
 * was wrong.
 */
#ifndef SHARED_H
#define SHARED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)
#define CREWS 2

struct shared {
	int stop;
	int failures;
	double deadline;
	uint64_t calls, bytes, ended[CREWS];
	uint64_t shown; /* bytes that a window said are the target's */
	uint64_t errnos[256];
};

extern struct shared *shared;
extern uint64_t seed;
/* The open device, also the same for all. */
extern int device;

double now(void);
bool stopping(void);

/* Says what was wrong, once or a few times, and ends everything. */
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Addresses as numbers, and back. */
uint64_t number(const volatile void *p);
void *pointer(uint64_t n);

#endif
