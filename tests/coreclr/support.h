/* SPDX-License-Identifier: MIT */
/*
 * What every file here needs: clocks, a process' mappings and its raw memory.
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../die.h"

/* Numbers that look random: xorshift, begun with any number but 0. */
uint64_t next_random(uint64_t *state);

/* A positive number from the environment, else @missing. */
double number_from(const char *variable, double missing);

/* The seed of a test: $CORDBMEM_SEED, else another each time. Printed. */
uint64_t seed_of(const char *test);

double seconds(void);
void sleep_ms(long ms);

/* The processor time of all threads of a process. */
double cpu_seconds(pid_t pid);

/* Where the file begins in a process: its mapping of offset 0 that has ELF's magic. 0: nowhere. */
uint64_t mapping_of(pid_t pid, const char *path);

/* The bounds of the mapping of the file that can be executed. */
bool text_of(pid_t pid, const char *path, uint64_t *begin, uint64_t *end);

/* All mappings, [begin, end), in order; returns how many there are. */
size_t mappings(pid_t pid, uint64_t (*list)[2], size_t capacity);

/* The bounds of the mapping that has the address in it; false: none has. */
bool mapping_at(pid_t pid, uint64_t address, uint64_t *begin, uint64_t *end);

/* Memory as it is, breakpoints and all, and not through cordbmem. Must be there. */
void peek(pid_t pid, uint64_t address, void *buffer, size_t size);

#endif
