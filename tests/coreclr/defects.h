/* SPDX-License-Identifier: MIT */
/*
 * What the genuine library is known to do wrong with single bytes, brought about in a debuggee that the
 * library has stopped.
 */
#ifndef DEFECTS_H
#define DEFECTS_H

#include "scene.h"

/* A byte that it gets wrong, and both answers. */
struct defect {
	CORDB_ADDRESS address;
	BYTE genuine, ours;
};

/*
 * A breakpoint is removed, and somebody else's takes its place: the library hides that one, for its
 * copy of the table still has the first. plant() of the original byte ends this.
 */
struct defect defect_of_copy(struct scene *scene, struct breakpoint *breakpoint);

/* A breakpoint on an instruction that begins with 0: to the library such an entry is a free one. */
struct defect defect_of_zero(struct scene *scene);

#endif
