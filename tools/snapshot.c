// SPDX-License-Identifier: MIT
/*
 * The managed breakpoints of a process at one moment, and what changed between two.
 */
#include "snapshot.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 64
#define PATH_ROOM 4097 /* PATH_MAX and a terminator */
#define PATHS_MAX 4096 /* to read for a snapshot; a process can forge a module per breakpoint */

/* Shared by all marks of a module, in both snapshots. */
struct path {
	size_t users;
	char text[];
};

/*
 * The kind does not count: when a step ends at a breakpoint, the runtime has two patches there, and
 * which of them is told is chance.
 */
static bool same(const struct cordbmem_breakpoint *a, const struct cordbmem_breakpoint *b)
{
	return a->address == b->address && a->module == b->module && a->method == b->method &&
	       a->original == b->original;
}

static HRESULT list(struct cordbmem_process *process, struct cordbmem_breakpoint **found,
		    size_t *count)
{
	size_t capacity = FIRST_CAPACITY;

	for (;;) {
		HRESULT hr;

		*found = calloc(capacity, sizeof(**found));
		if (!*found)
			return E_OUTOFMEMORY;
		hr = cordbmem_process_list_breakpoints(process, *found, capacity, count);
		if (hr == S_OK && *count <= capacity)
			return S_OK;
		free(*found);
		if (hr != S_OK)
			return hr;
		capacity = *count + FIRST_CAPACITY;
	}
}

static const struct mark *find(const struct snapshot *snapshot,
			       const struct cordbmem_breakpoint *wanted)
{
	size_t low = 0, high = snapshot ? snapshot->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (snapshot->list[middle].at.address < wanted->address)
			low = middle + 1;
		else
			high = middle;
	}
	if (!snapshot || low == snapshot->count || !same(&snapshot->list[low].at, wanted))
		return NULL;
	return &snapshot->list[low];
}

static struct path *read_path(struct cordbmem_process *process, CORDB_ADDRESS module)
{
	char text[PATH_ROOM];
	struct path *path;
	HRESULT hr;

	hr = cordbmem_process_module_path(process, module, text, sizeof(text));
	if (hr != S_OK && hr != CORDBMEM_E_MORE_DATA)
		return NULL;
	path = malloc(sizeof(*path) + strlen(text) + 1);
	if (!path)
		return NULL;
	path->users = 1;
	memcpy(path->text, text, strlen(text) + 1);
	return path;
}

static struct path *share(struct path *path)
{
	if (path)
		path->users++;
	return path;
}

const char *mark_path(const struct mark *mark)
{
	return mark->path ? mark->path->text : NULL;
}

HRESULT snapshot_take(struct cordbmem_process *process, const struct snapshot *before,
		      struct snapshot *snapshot)
{
	struct cordbmem_breakpoint *found;
	size_t count, paths = 0;
	HRESULT hr;

	*snapshot = (struct snapshot){ 0 };
	hr = list(process, &found, &count);
	if (hr != S_OK)
		return hr;
	snapshot->list = calloc(count ? count : 1, sizeof(*snapshot->list));
	if (!snapshot->list) {
		free(found);
		return E_OUTOFMEMORY;
	}
	snapshot->debugger = runtime_debugger(process);
	snapshot->count = count;
	for (size_t i = 0; i < count; i++) {
		struct mark *mark = &snapshot->list[i];
		const struct mark *known = find(before, &found[i]);

		mark->at = found[i];
		/* What lies side by side often is of one module. */
		if (!known && i && mark[-1].at.module == found[i].module)
			known = &mark[-1];
		if (known)
			mark->path = share(known->path);
		else if (found[i].module && paths++ < PATHS_MAX)
			mark->path = read_path(process, found[i].module);
	}
	free(found);
	return S_OK;
}

void snapshot_free(struct snapshot *snapshot)
{
	for (size_t i = 0; i < snapshot->count; i++) {
		struct path *path = snapshot->list[i].path;

		if (path && !--path->users)
			free(path);
	}
	free(snapshot->list);
	*snapshot = (struct snapshot){ 0 };
}

void snapshot_compare(const struct snapshot *before, const struct snapshot *after,
		      snapshot_change_fn change, void *context)
{
	size_t i = 0, j = 0;

	while (i < before->count || j < after->count) {
		const struct mark *old = i < before->count ? &before->list[i] : NULL;
		const struct mark *new = j < after->count ? &after->list[j] : NULL;

		if (old && new &&same(&old->at, &new->at)) {
			i++;
			j++;
		} else if (old && (!new || old->at.address <= new->at.address)) {
			change(context, old, false);
			i++;
		} else {
			change(context, new, true);
			j++;
		}
	}
}
