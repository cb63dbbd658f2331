/* SPDX-License-Identifier: MIT */
/*
 * What an iteration plays with: a forged process, a handle on it, and what is done to it meanwhile.
 */
#ifndef SCENE_H
#define SCENE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "forge.h"

/* Zeros that the child may have: room for a table of any size. */
#define ROOM UINT64_C(0x500000000000)
#define ROOM_SIZE UINT64_C(0x4000000)

/* Part of the forged process that can be spoiled. */
struct part {
	const char *name;
	void *at;
	size_t size;
};

extern struct scene {
	struct forge *forge;
	struct cordbmem_process *process;
	struct part parts[24];
	size_t part_count;
	bool spoiled; /* anything was changed that a runtime does not change */
	bool moving;  /* it is changed while reads run */
	bool gone;    /* the child was ended */
	uint32_t set[64];
	size_t set_count;
	/* What the pread of the library's does besides: one in "chance"; 0: nothing */
	uint32_t chance;
	bool spoils;		   /* that may be spoiling, too */
	unsigned int reads_to_end; /* ends the child after so many reads; 0: never */
} scene;

/* The scene of the iteration; it begins its choices. */
void start_scene(uint64_t iteration);
void end_scene(void);

/* Anywhere in the parts that are spoiled, in the test's memory, which is the child's too. */
void *place(void);

#endif
