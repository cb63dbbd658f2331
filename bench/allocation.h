/* SPDX-License-Identifier: MIT */
/*
 * What it costs a .NET program that allocates to be sampled.
 */
#ifndef ALLOCATION_H
#define ALLOCATION_H

#include "debuggee.h"

/** measure_allocation() - rows "target_allocation"; no debugger is attached to the debuggee */
void measure_allocation(struct debuggee *debuggee);

#endif /* ALLOCATION_H */
