/* SPDX-License-Identifier: MIT */
/*
 * Managed breakpoints as a table or as JSON, and the lines that tell of changes.
 */
#ifndef CORDBMEM_TOOLS_REPORT_H
#define CORDBMEM_TOOLS_REPORT_H

#include <stdbool.h>

#include "runtime.h"
#include "snapshot.h"

struct report {
	bool json;
	bool live; /* of --watch: what is told has a time */
	pid_t pid;
	struct cordbmem_coreclr runtime;
};

void report_list(const struct report *report, const struct snapshot *snapshot);
void report_change(const struct report *report, const struct mark *mark, bool set);
void report_debugger(const struct report *report, enum debugger debugger);
/* The last line of JSON; the table has none for it. */
void report_gone(const struct report *report);

#endif /* CORDBMEM_TOOLS_REPORT_H */
