/* SPDX-License-Identifier: MIT */
/*
 * The doors through which the same bytes of a target can be read.
 */
#ifndef METHODS_H
#define METHODS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cordbmem/cordbmem.h>
#include <linux/cordbmem.h>

#include "window.h"

/* What can be read of the target, at the same address there as here. */
#define REGION (32UL << 20)
/* What the target has in the first byte of each of its pages. */
#define MARK 1
#define MAX_ELEMENTS 512

/* Everything a method may need. One target, one of each kind of handle. */
struct bench {
	pid_t pid;
	char *region;
	char *buffer;
	int device;
	int target;
	int mem;
	struct window window;		   /* of the whole region */
	struct cordbmem_process *process;  /* reads by system calls alone */
	struct cordbmem_process *windowed; /* does as it likes */
	size_t offset;			   /* in the region, of a single read */
	size_t bytes;
	size_t elements;
	struct iovec local[MAX_ELEMENTS];
	struct iovec remote[MAX_ELEMENTS];
	struct cordbmem_element element[MAX_ELEMENTS];
	struct cordbmem_scatter scatter[MAX_ELEMENTS]; /* of process */
	struct cordbmem_scatter windowed_scatter[MAX_ELEMENTS];
};

/** struct method - one door */
struct method {
	const char *name;
	bool (*run)(struct bench *b, unsigned int calls); /* false: not all was read */
	bool scatters;					  /* can read many elements */
	bool masks;					  /* knows patches */
};

extern const struct method methods[];
extern const size_t method_count;

void open_handles(struct bench *b);
/** open_process() - a handle of the library's with windows on or off */
struct cordbmem_process *open_process(pid_t pid, enum cordbmem_windows mode);
void close_handles(struct bench *b);

/**
 * describe() - what the methods read from now on
 *
 * One element of any size, or many scattered ones, each on a page of its own.
 */
void describe(struct bench *b, size_t bytes, size_t elements);

/** add_patches() - all over the region: one in its first 64 bytes, none near 1024 */
void add_patches(struct bench *b, size_t count);

#endif /* METHODS_H */
