/* SPDX-License-Identifier: MIT */
/*
 * What all acts of the demo work on, and the two ways to read it.
 */
#ifndef CORDBMEM_DEMO_SCENE_H
#define CORDBMEM_DEMO_SCENE_H

#include <cordbmem/cordbmem.h>

#include "target.h"

/* More would not fit the screen, and the methods here are shorter. */
#define METHOD_MAX 112

struct scene {
	struct target target;
	struct cordbmem_process *process;
	int device;
	/* The method's code, before anybody put a trap into it. */
	unsigned char original[METHOD_MAX];
};

/* As it is in memory: the ioctl, without the library. */
void look_raw(const struct scene *scene, uint64_t address, void *bytes, size_t size);

/* As it was compiled: the library, which leaves managed breakpoints out. */
void look_masked(const struct scene *scene, uint64_t address, void *bytes, size_t size);

struct counters read_counters(const struct scene *scene);

/* Watch a counter until it has moved on: that is how one sees that a program runs. */
int64_t wait_for_rounds(const struct scene *scene, int64_t beyond);
int64_t wait_for_calls(const struct scene *scene, int64_t beyond);

/*
 * The method with a managed breakpoint at its first byte and a native one at its last, read both ways; what
 * either must show is checked. The program must keep out of the method. Then side by side.
 */
struct traps {
	unsigned char raw[METHOD_MAX], masked[METHOD_MAX];
};
void read_traps(const struct scene *scene, struct traps *traps);
void show_traps(const struct scene *scene, const struct traps *traps);

/* The acts; each begins a paragraph. */
void act_debugger(struct scene *scene, const char *debugger, const char *tool);
void act_patch(struct scene *scene);
void act_hole(struct scene *scene, int point);

#endif /* CORDBMEM_DEMO_SCENE_H */
