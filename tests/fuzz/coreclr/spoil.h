/* SPDX-License-Identifier: MIT */
/*
 * What is done to the forged process: the runtime goes on, or it is spoiled, or it ends. All of that
 * happens in between two reads of the library's as well, which pass through a pread of the program's.
 */
#ifndef SPOIL_H
#define SPOIL_H

#include <stdint.h>

/* An address that is likely to lead somewhere, or just past it. */
uint64_t pointer(void);

/* One change at random; and some of them, among which may be pages that go away. */
void spoil(void);
void spoil_some(void);

/* As the runtime does it, as long as its table is whole. */
void play_runtime(void);

#endif
