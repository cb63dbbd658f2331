/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the contract allows for an answer, whatever was asked.
 */
#ifndef ANSWERS_H
#define ANSWERS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "worker.h"

void count_call(int error);
/* An ioctl, counted; 0 or the errno. */
int call(int fd, unsigned long nr, void *argument);

/* AMONG(error, EINVAL, EPERM...) */
bool among(int error, const int *set, size_t count);
#define AMONG(error, ...)                            \
	among((error), (const int[]){ __VA_ARGS__ }, \
	      sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

/* The errnos after which nothing was read and nothing was written. */
bool is_refusal(int error);

/* Of the bytes read from @address on, those of the region are the region's, or zeros of a page that is new. */
void check_content(uint64_t address, const uint8_t *bytes, uint64_t count);

struct range {
	uint64_t start, end;
};

struct range range_of(uint64_t buffer, uint64_t length);

/* To be called before a call whose answer goes to the arena. */
void wipe_arena(struct worker *w);
/* Nothing of the arena changed but in the ranges. */
void check_arena(const struct worker *w, const struct range *ranges, size_t count);

/* So many bytes of so many were read, and that error is told. */
void check_counts(const char *what, uint64_t length, uint64_t count, int error);

#endif
