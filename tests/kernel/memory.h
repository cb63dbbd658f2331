/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory at known places with known bytes: mappings with a hole on each side, patterns that
 * tell every byte's address, buffers with guards, and what /proc says about pages.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * A new mapping far from everything else: nothing is mapped within 16 MiB before and after it,
 * now and later, unless the test does it with MAP_FIXED.
 */
void *island(size_t size, int protection, int flags, int fd);

/* Private, anonymous, readable and writable. */
void *island_pages(size_t pages);

/* The same in address space that a test has chosen. False where something is mapped already, and errno set. */
bool pages_at(void *address, size_t size);

/* Address space with nothing in it. */
void *island_hole(size_t size);

/*
 * @size bytes of address space in which the file behind @fd, @block bytes long, is mapped
 * over and over: length without memory. @size is a multiple of @block.
 */
void *island_repeated(size_t size, size_t block, int fd, int protection);

/* A memfd of a size; with its pages filled by pattern_fill at @address when @seed is not 0. */
int memory_file(size_t size, uint64_t seed);

/* The byte that belongs at an address. */
uint8_t pattern_byte(uint64_t seed, uint64_t address);
void pattern_fill(void *memory, size_t size, uint64_t seed, uint64_t address);

/* The offset of the first wrong byte; @size when there is none. */
size_t pattern_check(const void *memory, size_t size, uint64_t seed, uint64_t address);

#define GUARD 128

struct guarded {
	uint8_t *memory; /* the whole mapping */
	uint8_t *bytes;	 /* @size bytes for the test, guards on both sides */
	size_t size;
};

struct guarded guarded_new(size_t size);
void guarded_wipe(struct guarded *g);
bool guarded_intact(const struct guarded *g);
/* No byte from @offset on was written, guard included. */
bool guarded_intact_from(const struct guarded *g, size_t offset);
void guarded_free(struct guarded *g);

/* Start and end of the mapping of a process that holds an address; false when there is none. */
bool mapping_of(pid_t pid, uint64_t address, uint64_t *start, uint64_t *end);
bool mapping_named(pid_t pid, const char *name, uint64_t *start, uint64_t *end);

/* Has the page an entry in the page table of the process? */
bool page_present(pid_t pid, uint64_t address);

/* Resident pages of a process. */
long resident_pages(pid_t pid);

#endif
