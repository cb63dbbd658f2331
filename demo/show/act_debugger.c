// SPDX-License-Identifier: MIT
/*
 * An act of the demo, for a .NET program: a debugger sets a breakpoint in its method and the program runs into
 * it at every call. Neither of them is asked anything: the breakpoint is found in the runtime's memory.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cordbmem/coreclr.h>

#include "scene.h"
#include "view.h"

#define READS 10000
#define CALLS 20
#define READS_PER_LOOK 50
#define PATIENCE 100 /* seconds */

static void find_runtime(const struct scene *scene, struct cordbmem_coreclr *runtime)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	size_t count;
	int attached;

	if (cordbmem_process_find_coreclr(scene->process, 0, runtime, &error) != S_OK)
		give_up(error.text);
	claim(cordbmem_process_debugger_attached(scene->process, &attached) == S_OK && !attached,
	      "no debugger is attached");
	claim(cordbmem_process_list_breakpoints(scene->process, NULL, 0, &count) == S_OK && !count,
	      "no breakpoint is set");
}

static void debugger_start(struct child *debugger, const char *program, pid_t pid,
			   const char *libcoreclr)
{
	const char *slash = strrchr(libcoreclr, '/');
	size_t folder = slash ? (size_t)(slash - libcoreclr) + 1 : 0;
	char number[16];
	const char *const argv[] = { program, number, libcoreclr, NULL };
	const char *line;

	snprintf(number, sizeof(number), "%d", pid);
	child_start(debugger, "the debugger", (char *const *)argv, NULL);
	line = child_line(debugger);
	if (!line || strncmp(line, "attached ", 9) != 0)
		give_up("the debugger cannot attach");
	claim(!strncmp(line + 9, libcoreclr, folder) &&
		      !strcmp(line + 9 + folder, "libmscordbi.so"),
	      "the debugger's library is that of the program's runtime");
}

/* The method's code is where the JIT compiler said, and so is the breakpoint. */
static void debugger_break(struct child *debugger, const struct target *target)
{
	uint64_t address = 0;
	char command[64];
	size_t size = 0;
	const char *answer;

	snprintf(command, sizeof(command), "break %" PRIx32, target->token);
	answer = child_tell(debugger, command, "set ");
	sscanf(answer, "%" SCNx64 " %zu", &address, &size);
	claim(address == target->method && size == target->size,
	      "the debugger's breakpoint is at the begin of the method");
}

static int64_t debugger_hits(struct child *debugger)
{
	return strtoll(child_tell(debugger, "hits", "hits "), NULL, 10);
}

/* The genuine ReadMemory. */
static void debugger_read(struct child *debugger, const struct target *target, unsigned char *bytes)
{
	char command[64];
	const char *answer;

	snprintf(command, sizeof(command), "read %" PRIx64 " %zu", target->method, target->size);
	answer = child_tell(debugger, command, "bytes ");
	claim(strlen(answer) == 2 * target->size, "the debugger reads the whole method");
	for (size_t i = 0; i < target->size; i++)
		if (sscanf(answer + 2 * i, "%2hhx", &bytes[i]) != 1)
			give_up("the debugger's bytes cannot be understood");
}

/* What was seen while the program ran into the breakpoint again and again. */
struct watch {
	int64_t reads, looks, calls, hits;
	struct counters before, after;
	double seconds;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static void watch_code(const struct scene *scene, struct child *debugger, struct watch *watch)
{
	const struct target *target = &scene->target;
	unsigned char raw[METHOD_MAX], masked[METHOD_MAX];
	int64_t trapped = 0, clean = 0, running = 0;
	double begin = now();

	*watch = (struct watch){ .hits = -debugger_hits(debugger) };
	watch->before = read_counters(scene);
	do {
		look_raw(scene, target->method, raw, target->size);
		look_masked(scene, target->method, masked, target->size);
		watch->reads++;
		trapped += raw[0] == TRAP;
		clean += !memcmp(masked, scene->original, target->size);
		if (watch->reads % READS_PER_LOOK)
			continue;
		watch->looks++;
		running += target_runs_free(target);
		watch->after = read_counters(scene);
		watch->calls = watch->after.calls - watch->before.calls;
		watch->seconds = now() - begin;
	} while (watch->seconds < PATIENCE && (watch->reads < READS || watch->calls < CALLS));
	watch->hits += debugger_hits(debugger);

	claim(watch->calls >= CALLS, "the program goes on calling the method");
	claim(trapped == watch->reads, "READ always shows the trap");
	claim(clean == watch->reads,
	      "ReadMemory always shows the code as it was before the debugger came");
	claim(running == watch->looks, "no thread of the program is stopped or traced");
	/* Of the first call, the hit may have been before. */
	claim(watch->hits >= watch->calls - 1, "the program runs into the breakpoint at each call");
}

static void tell_of_watch(const struct scene *scene, const struct child *debugger,
			  const struct watch *watch)
{
	show_point("1",
		   "A debugger, process %d, attaches with .NET's own debugger library "
		   "(libmscordbi.so of the program's runtime) and sets a breakpoint in %s: the "
		   "runtime writes a trap (cc, int3) over %02x. The program runs into it at "
		   "every call, and the debugger has it go on. cordbmem asks neither of them: it "
		   "finds in the program's memory what the runtime keeps of breakpoints. In "
		   "%.1f s this demo, a third process, read the method %" PRId64
		   " times both ways. READ, the module's ioctl, shows memory as it is, and always "
		   "had the trap; ReadMemory, the library's, always had the code as it was before "
		   "the debugger came. Meanwhile",
		   debugger->pid, scene->target.name, scene->original[0], watch->seconds,
		   watch->reads);
	printf("     calls of the method, a counter in the program's memory:  %" PRId64
	       " -> %" PRId64 "\n",
	       watch->before.calls, watch->after.calls);
	printf("     hits of the breakpoint, says the debugger's library:     %" PRId64 "\n",
	       watch->hits);
	printf("     threads found stopped or traced, in %" PRId64 " looks at all:    none\n\n",
	       watch->looks);
}

/* Real, and no debugger handles it, so the program keeps out of the method. */
static void add_native_trap(struct scene *scene, struct child *debugger)
{
	const struct target *target = &scene->target;
	uint64_t last = target->method + target->size - 1;
	unsigned char genuine[METHOD_MAX];
	int64_t before, after;
	struct traps traps;

	target_pause(&scene->target);
	before = read_counters(scene).rounds;
	target_write(target, last, TRAP);
	read_traps(scene, &traps);
	debugger_read(debugger, target, genuine);
	claim(!memcmp(traps.masked, genuine, target->size),
	      "the debugger library's own ReadMemory shows the same");
	after = wait_for_rounds(scene, before);

	show_point("2",
		   "Over the last byte the demo writes a trap as gdb does: native, and not the "
		   "runtime's, so it stays. The debugger library's own ReadMemory gives the same "
		   "%zu bytes as ours. (Nobody would handle that trap, so the program keeps out of "
		   "the method now, and goes on with its other work: %" PRId64 " rounds.)",
		   target->size, after - before);
	show_traps(scene, &traps);
	target_write(target, last, scene->original[target->size - 1]);
}

/* The program cordbmem, as anybody would run it. */
static void list_breakpoints(const struct scene *scene, const char *tool)
{
	const struct target *target = &scene->target;
	char number[16], row[64];
	const char *const argv[] = { tool, "breakpoints", number, NULL };
	bool first = true, listed = false, one = false;
	struct child child;
	char *line;

	show_point("3", "`cordbmem breakpoints %d` lists it:", target->pid);
	snprintf(number, sizeof(number), "%d", target->pid);
	snprintf(row, sizeof(row), "%016" PRIx64 "  %02x ", target->method, scene->original[0]);
	child_start(&child, "cordbmem breakpoints", (char *const *)argv, NULL);
	while ((line = child_line(&child))) {
		if (first)
			show_text("     ", "       ", "%s", line);
		else if (*line)
			printf("     %s\n", line);
		one = one || (first && strstr(line, "1 managed breakpoint is set"));
		listed = listed || !strncmp(line, row, strlen(row));
		first = false;
	}
	child_end(&child);
	claim(one && listed, "cordbmem breakpoints lists the breakpoint, and no other");
	putchar('\n');
}

/* The debugger's library removes the breakpoint a moment after it said so. */
static void debugger_leave(const struct scene *scene, struct child *debugger)
{
	const struct target *target = &scene->target;
	double end = now() + PATIENCE;
	unsigned char byte;
	int attached = 1;
	size_t count = 1;

	child_tell(debugger, "clear", "cleared");
	child_end(debugger);
	do {
		sched_yield();
		look_raw(scene, target->method, &byte, 1);
		if (cordbmem_process_list_breakpoints(scene->process, NULL, 0, &count) != S_OK ||
		    cordbmem_process_debugger_attached(scene->process, &attached) != S_OK)
			give_up("the runtime's breakpoints cannot be read");
	} while ((byte == TRAP || count || attached) && now() < end);
	claim(byte != TRAP && !count, "the breakpoint is gone");
	claim(!attached, "the debugger is gone");
}

void act_debugger(struct scene *scene, const char *program, const char *tool)
{
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;
	struct child debugger; /* a process of its own, with the genuine library in it */
	struct watch watch;

	find_runtime(scene, &runtime);
	debugger_start(&debugger, program, scene->target.pid, runtime.path);
	debugger_break(&debugger, &scene->target);
	watch_code(scene, &debugger, &watch);
	tell_of_watch(scene, &debugger, &watch);
	add_native_trap(scene, &debugger);
	list_breakpoints(scene, tool);
	debugger_leave(scene, &debugger);
}
