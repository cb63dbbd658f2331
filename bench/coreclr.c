// SPDX-License-Identifier: MIT
/*
 * What it costs to read code of a .NET process that is being debugged, with the genuine
 * debugger library's own ReadMemory beside it.
 *
 * usage: coreclr FILE.json, with the environment of the tests in tests/coreclr
 */
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include <cordbmem/coreclr.h>

#include "allocation.h"
#include "bench.h"
#include "scene.h"

#define BYTES 64
#define BREAKPOINTS 1381 /* of the figure in shared knowledge about the genuine one */
#define TRAP 0xCC

struct reader {
	struct scene *scene;
	struct cordbmem_process *raw;	  /* has not looked for CoreCLR */
	struct cordbmem_process *process; /* has; reads by system calls alone, as raw does */
	struct cordbmem_process *windowed;
	CORDB_ADDRESS address;
	BYTE bytes[BYTES];
};

typedef HRESULT (*read_fn)(struct reader *r);

static HRESULT by_raw(struct reader *r)
{
	SIZE_T got;

	return cordbmem_ReadMemory(r->raw, r->address, BYTES, r->bytes, &got);
}

static HRESULT by_ReadMemory(struct reader *r)
{
	SIZE_T got;

	return cordbmem_ReadMemory(r->process, r->address, BYTES, r->bytes, &got);
}

static HRESULT by_ReadMemory_window(struct reader *r)
{
	SIZE_T got;

	return cordbmem_ReadMemory(r->windowed, r->address, BYTES, r->bytes, &got);
}

static HRESULT by_genuine(struct reader *r)
{
	SIZE_T got;

	return oracle_read(r->scene->oracle, r->address, BYTES, r->bytes, &got);
}

static HRESULT by_process_vm_readv(struct reader *r)
{
	struct iovec local = { r->bytes, BYTES }, remote = { (void *)r->address, BYTES };

	return process_vm_readv(r->scene->debuggee.pid, &local, 1, &remote, 1, 0) == BYTES ? S_OK
											   : E_FAIL;
}

/* The least of many single calls: the target runs on the same CPU, and timers tick. */
static double measure(struct reader *r, read_fn read)
{
	uint64_t least = UINT64_MAX;

	for (int i = 0; i < 400; i++) {
		uint64_t before = now(), spent;
		HRESULT hr = read(r);

		spent = now() - before - clock_cost();
		if (hr != S_OK)
			give_up("a read failed");
		if (spent < least)
			least = spent;
	}
	return (double)least;
}

static void row(struct reader *r, const char *work, size_t patches, const char *method,
		read_fn read)
{
	struct row row = { work, BYTES, 1, patches, method, measure(r, read) };

	add_row(&row);
}

static void rows(struct reader *r, const char *work, size_t patches)
{
	row(r, work, patches, "process_vm_readv", by_process_vm_readv);
	row(r, work, patches, "ReadMemory_raw", by_raw);
	row(r, work, patches, "ReadMemory", by_ReadMemory);
	row(r, work, patches, "ReadMemory_window", by_ReadMemory_window);
	if (r->scene->oracle)
		row(r, work, patches, "genuine_ReadMemory", by_genuine);
}

static size_t traps(const uint8_t *bytes, size_t size)
{
	size_t count = 0;

	for (size_t i = 0; i < size; i++)
		count += bytes[i] == TRAP;
	return count;
}

/*
 * The first stretch of the code that has so many trap bytes of nobody's (int3 between methods), and
 * no method begins in: no breakpoint of ours will be there.
 */
static CORDB_ADDRESS stretch(const struct scene *scene, size_t wanted)
{
	for (uint64_t at = 0; at + BYTES <= scene->code.size; at++) {
		CORDB_ADDRESS address = scene->code.address + at;
		bool free = traps(scene->original + at, BYTES) == wanted;

		for (size_t i = 0; i < scene->debuggee.method_count && free; i++)
			free = scene->debuggee.methods[i].address - address >= BYTES;
		if (free)
			return address;
	}
	return 0;
}

static void with_breakpoints(struct reader *r, size_t count)
{
	CORDB_ADDRESS native = stretch(r->scene, 1);

	r->address = r->scene->breakpoints[r->scene->count / 2].address - BYTES / 2;
	rows(r, "over_breakpoint", count);
	if (traps(r->bytes, BYTES))
		give_up("a trap byte was shown");
	r->address = stretch(r->scene, 0);
	rows(r, "beside_breakpoint", count);
	if (native) {
		r->address = native;
		rows(r, "native_trap", count);
	}
}

/* Breakpoints in other methods than the one that has one. */
static void break_more(struct scene *scene, struct breakpoint *breakpoints, size_t count)
{
	const struct debuggee *debuggee = &scene->debuggee;
	size_t made = 0;

	if (oracle_stop(scene->oracle) != S_OK)
		give_up("cannot stop the debuggee");
	for (size_t i = 0; i < debuggee->method_count && made < count; i++) {
		if (debuggee->methods[i].address == scene->breakpoints[0].address)
			continue;
		if (oracle_break(scene->oracle, debuggee->methods[i].token, 0,
				 &breakpoints[made++]) != S_OK)
			give_up("a breakpoint cannot be set");
	}
	if (made != count || oracle_continue(scene->oracle) != S_OK)
		give_up("there are too few methods");
}

/* The genuine library does not let go of a process with breakpoints. */
static void detach(struct scene *scene, struct breakpoint *breakpoints, size_t count)
{
	if (oracle_stop(scene->oracle) != S_OK || oracle_deactivate(&scene->breakpoints[0]) != S_OK)
		give_up("cannot stop the debuggee");
	for (size_t i = 0; i < count; i++) {
		if (oracle_deactivate(&breakpoints[i]) != S_OK)
			give_up("a breakpoint cannot be removed");
	}
	if (oracle_continue(scene->oracle) != S_OK || oracle_detach(scene->oracle) != S_OK)
		give_up("cannot detach");
	scene->oracle = NULL;
}

static struct cordbmem_process *open_process(pid_t pid, bool find, enum cordbmem_windows windows)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process;
	HRESULT hr = cordbmem_process_open(pid, NULL, &process, &error);

	if (hr == S_OK)
		hr = cordbmem_process_set_windows(process, windows);
	if (hr == S_OK && find)
		hr = cordbmem_process_find_coreclr(process, 0, NULL, &error);
	if (hr != S_OK)
		give_up(error.text);
	return process;
}

int main(int argc, char **argv)
{
	static struct breakpoint breakpoints[BREAKPOINTS - 1];
	static struct scene scene;
	static struct reader reader = { .scene = &scene };

	if (argc != 2)
		give_up("usage: coreclr FILE.json");
	if (!scene_begin_all(&scene, 1)) {
		printf("bench: no figures of .NET: %s\n", scene.runtime.reason);
		return 0;
	}
	reader.raw = open_process(scene.debuggee.pid, false, CORDBMEM_WINDOWS_OFF);
	reader.process = open_process(scene.debuggee.pid, true, CORDBMEM_WINDOWS_OFF);
	reader.windowed = open_process(scene.debuggee.pid, true, CORDBMEM_WINDOWS_AUTO);

	with_breakpoints(&reader, 1);
	break_more(&scene, breakpoints, BREAKPOINTS - 1);
	with_breakpoints(&reader, BREAKPOINTS);

	detach(&scene, breakpoints, BREAKPOINTS - 1);
	for (int attached = 1; attached;) {
		if (cordbmem_process_debugger_attached(reader.process, &attached) != S_OK)
			give_up("the runtime does not tell whether a debugger is attached");
	}
	reader.address = stretch(&scene, 0);
	rows(&reader, "no_debugger", 0);
	reader.address = stretch(&scene, 1);
	if (reader.address)
		rows(&reader, "no_debugger_trap", 0);

	cordbmem_process_free(reader.raw);
	cordbmem_process_free(reader.process);
	cordbmem_process_free(reader.windowed);
	measure_allocation(&scene.debuggee);
	scene_end(&scene);
	print_rows();
	write_json(argv[1], "instructions");
	return print_coreclr_goals() ? 1 : 0;
}
