/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arguments that are nearly right, and where they lie.
 */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>

#include "worker.h"

/* What the out members of an argument are before the call. */
#define POISON 0xcc

uint64_t some_address(struct random *r);
uint64_t some_length(struct random *r, uint64_t room);
uint32_t some_flags(struct random *r, uint32_t known);

/*
 * Where the answer goes: into the worker's arena, where every byte is watched, or to a place that
 * cannot be written, or that may vanish. Nothing else of this program may ever be named.
 */
bool some_buffer(struct worker *w, uint64_t length, __u64 *buffer);

/* What a struct of @size says of its own; @tail: bytes to put behind it. */
uint32_t some_size(struct random *r, size_t size, size_t *tail);

/* Nearly always the device. */
int some_device(struct random *r);

/*
 * Puts an argument where the kernel finds it, @tail bytes longer than it is, and returns the
 * place. @whole: it can be read and written there.
 */
void *place(struct worker *w, const void *argument, size_t size, size_t tail, bool *whole);

#endif
