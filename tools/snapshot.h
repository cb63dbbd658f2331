/* SPDX-License-Identifier: MIT */
/*
 * The managed breakpoints of a process at one moment, and what changed between two.
 */
#ifndef CORDBMEM_TOOLS_SNAPSHOT_H
#define CORDBMEM_TOOLS_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>

#include "runtime.h"

struct path;

struct mark {
	struct cordbmem_breakpoint at;
	struct path *path;
};

/* The path of its method's module: "" without a file, NULL if not known. */
const char *mark_path(const struct mark *mark);

struct snapshot {
	enum debugger debugger;
	struct mark *list; /* by address */
	size_t count;
};

/*
 * Take a new one. Paths that are known from before, which may be NULL, are not read again. After a
 * failure there is nothing to free. Returns as cordbmem_process_list_breakpoints.
 */
HRESULT snapshot_take(struct cordbmem_process *process, const struct snapshot *before,
		      struct snapshot *snapshot);
void snapshot_free(struct snapshot *snapshot);

/* Told of each mark that is in one of both only. */
typedef void (*snapshot_change_fn)(void *context, const struct mark *mark, bool set);
void snapshot_compare(const struct snapshot *before, const struct snapshot *after,
		      snapshot_change_fn change, void *context);

#endif /* CORDBMEM_TOOLS_SNAPSHOT_H */
