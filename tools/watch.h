/* SPDX-License-Identifier: MIT */
/*
 * Following the managed breakpoints of a live process.
 */
#ifndef CORDBMEM_TOOLS_WATCH_H
#define CORDBMEM_TOOLS_WATCH_H

#include "report.h"

/*
 * Report what is set, then each change, looking every interval milliseconds, until the process is
 * gone, a signal asks for the end, or nobody reads the report. Returns the exit code.
 */
int watch(struct cordbmem_process *process, const struct report *report, int interval);

/* What a snapshot that failed so means; it has been told when this returns. */
int fail_snapshot(struct cordbmem_process *process, HRESULT hr);

#endif /* CORDBMEM_TOOLS_WATCH_H */
