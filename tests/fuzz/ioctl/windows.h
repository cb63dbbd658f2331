/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Windows: making them on target fds, calling and mapping them, and what may be seen in them.
 */
#ifndef WINDOWS_H
#define WINDOWS_H

#include "worker.h"

/* Each is one call, with an argument that is nearly right. WINDOW also maps what it made, now and then. */
void fuzz_window(struct worker *w);
void fuzz_populate(struct worker *w);
void fuzz_sync(struct worker *w);
void fuzz_stats(struct worker *w);

#endif
