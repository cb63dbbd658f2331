// SPDX-License-Identifier: MIT
/*
 * Looks for CoreCLR in processes whose runtime is forged, and spoiled at random: before it is
 * found, after it, between any two reads of the library's, or by another thread all the time; and
 * the process may end meanwhile. Every call has to end soon, with a result that is documented,
 * and with bytes that can be.
 *
 * usage: fuzz_coreclr [--seconds N] [--seed S] [--iteration I]
 *
 * An iteration depends on nothing but its number, which is printed when it fails; --iteration runs
 * that one alone. Only what another thread spoils (in one of eight) may not come out the same again.
 *
 * Status: 0 clean, 1 an answer was wrong, 2 bad usage, 3 a call did not end.
 */
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cordbmem/coreclr.h>

#include "forge.h"

/* What a call may take; generous, for sanitizers and a busy machine. */
#define SOON 5.0
#define HANG 60U

/* Status of the worker; sanitizers have 1. */
#define WRONG 42
#define HUNG 43

/* Zeros that the child may have: room for a table of any size. */
#define ROOM UINT64_C(0x500000000000)
#define ROOM_SIZE UINT64_C(0x4000000)

#define CODE_PAGES 24
#define READ_MAX (256 * 1024)
#define LIST_MAX 512
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the iteration --------------------------------------------------------- */

static uint64_t iteration, *current; /* the same, shared with the watcher */
static unsigned long failures;
static unsigned long found, calls, masked, ended;
static struct {
	double took;
	const char *what;
	uint64_t iteration;
} longest;

/* Part of the forged process that can be spoiled. */
struct part {
	const char *name;
	void *at;
	size_t size;
};

static struct scene {
	struct forge *forge;
	struct cordbmem_process *process;
	struct part parts[24];
	size_t part_count;
	bool spoiled; /* anything was changed that a runtime does not change */
	bool moving;  /* it is changed while reads run */
	bool gone;    /* the child was ended */
	uint32_t set[64];
	size_t set_count;
	/* What the pread of the library's does besides: one in "chance"; 0: nothing */
	uint32_t chance;
	bool spoils;		   /* that may be spoiling, too */
	unsigned int reads_to_end; /* ends the child after so many reads; 0: never */
} scene;

/* Each thread has choices of its own. */
static _Thread_local uint64_t choices;

static uint64_t any(void)
{
	uint64_t high = next_random(&choices);

	return high << 32 | next_random(&choices);
}

static uint32_t below(uint32_t limit)
{
	return next_random(&choices) % limit;
}

static bool one_in(uint32_t n)
{
	return below(n) == 0;
}

static void __attribute__((format(printf, 1, 2))) wrong(const char *format, ...)
{
	va_list arguments;

	failures++;
	printf("fuzz_coreclr: WRONG in --iteration %llu: ", (unsigned long long)iteration);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\nfuzz_coreclr: it spoils");
	for (size_t i = 0; i < scene.part_count; i++)
		printf("%s %s", i ? "," : "", scene.parts[i].name);
	printf("\n");
	fflush(stdout);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- spoiling ---------------------------------------------------------------- */

static void *place(void)
{
	const struct part *part = &scene.parts[below((uint32_t)scene.part_count)];

	return (BYTE *)part->at + below((uint32_t)part->size);
}

/* Numbers that are likely to lead somewhere, or just past it. */
static uint64_t number(void)
{
	static const uint64_t known[] = {
		0,	    1,		2,	    3,		7,
		8,	    16,		17,	    64,		100,
		176,	    200,	400,	    401,	1103,
		4096,	    8184,	0xffff,	    1 << 17,	(1 << 17) + 1,
		0x7fffffff, 0x80000000, 0xfffffffe, UINT32_MAX, UINT64_C(1) << 32,
		UINT64_MAX,
	};

	switch (below(4)) {
	case 0:
		return below(256);
	case 1:
		return any() >> below(64);
	default:
		return known[below(COUNT(known))];
	}
}

static uint64_t pointer(void)
{
	switch (below(12)) {
	case 0:
		return any();
	case 1:
		return UINT64_MAX - below(4096);
	case 2:
		return UINT64_C(0xffff800000000000) + below(1 << 20);
	case 3:
		return UINT64_C(0x7fffffffe000) + below(8192);
	case 4:
		return below(1 << 20);
	case 5:
		return ROOM + below((uint32_t)ROOM_SIZE);
	case 6:
		return forge_code(scene.forge, below((uint32_t)scene.forge->code_size));
	default:
		return (uintptr_t)place() & ~(uintptr_t)7;
	}
}

static void spoil_json(void)
{
	static const char *const words[] = {
		"\"types\"",
		"\"globals\"",
		"\"Debugger\"",
		"\"DebuggerRCThread\"",
		"\"RCThread\"",
		"\"DCB\"",
		"\"Module\"",
		"\"Path\"",
		"{",
		"}",
		"[",
		"]",
		":",
		",",
		"null",
		"-1",
		"1e999",
		"18446744073709551616",
		"\"0x\"",
		"\"0xffffffffffffffff\"",
		"\"\\u0000\"",
		"true",
		"9223372036854775807",
		"[[0],\"pointer\"]",
		"[[4294967295]]",
		"\"!\"",
		"4294967295",
		"1048576",
	};
	const char *word = words[below(COUNT(words))];
	uint32_t size = scene.forge->descriptor->json_size % FORGE_JSON_ROOM;
	uint32_t at = below(size + 1);
	size_t length = strlen(word);
	char *text = scene.forge->json;

	switch (below(4)) {
	case 0: /* overwrite */
		if (at + length < FORGE_JSON_ROOM)
			memcpy(text + at, word, length);
		break;
	case 1: /* insert */
		if (size + length < FORGE_JSON_ROOM) {
			memmove(text + at + length, text + at, size - at);
			memcpy(text + at, word, length);
			scene.forge->descriptor->json_size = size + (uint32_t)length;
		}
		break;
	case 2: /* cut out */
		length = below(size - at + 1);
		memmove(text + at, text + at + length, size - at - length);
		scene.forge->descriptor->json_size = size - (uint32_t)length;
		break;
	case 3: /* repeat */
		length = below(4096);
		if (at + length < FORGE_JSON_ROOM)
			memset(text + at, word[0], length);
		scene.forge->descriptor->json_size = at + (uint32_t)length;
		break;
	}
}

static void spoil(void)
{
	BYTE *at = place();
	uint64_t value;

	if (!scene.spoiled)
		scene.spoiled = true;
	switch (below(9)) {
	case 0:
		*at ^= (BYTE)(1U << below(8));
		break;
	case 1:
		*at = (BYTE)any();
		break;
	case 2:
		value = number();
		memcpy((BYTE *)((uintptr_t)at & ~(uintptr_t)3), &value, 4);
		break;
	case 3:
		value = number();
		memcpy((BYTE *)((uintptr_t)at & ~(uintptr_t)7), &value, 8);
		break;
	case 4:
	case 5:
		value = pointer();
		memcpy((BYTE *)((uintptr_t)at & ~(uintptr_t)7), &value, 8);
		break;
	case 6: /* the same word all over a stretch: cycles, and many ways to one place */
		value = one_in(2) ? pointer() : number();
		at = (BYTE *)((uintptr_t)at & ~(uintptr_t)7);
		for (uint32_t i = below(64); i-- && ((uintptr_t)at & (PAGE - 1)); at += 8)
			memcpy(at, &value, 8);
		break;
	case 7: /* one part's bytes in another's place */
		value = (PAGE - (uintptr_t)at % PAGE) % 256;
		memmove(at, scene.parts[below((uint32_t)scene.part_count)].at, value);
		break;
	case 8:
		spoil_json();
		break;
	}
}

/* As the runtime does it, as long as its table is whole. */
static void play_runtime(void)
{
	struct forge *f = scene.forge;

	if (scene.spoiled)
		return;
	switch (below(8)) {
	case 0:
		forge_table_move(&f->table);
		break;
	case 1:
		forge_control(f, one_in(2) ? FORGE_ATTACHED : 0);
		break;
	default:
		if (scene.set_count == COUNT(scene.set) || (scene.set_count && one_in(2))) {
			size_t i = below((uint32_t)scene.set_count);

			forge_clear(f, scene.set[i]);
			scene.set[i] = scene.set[--scene.set_count];
		} else {
			scene.set[scene.set_count++] = forge_set(f, below((uint32_t)f->code_size));
		}
	}
}

static void end_child(void)
{
	scene.gone = true;
	ended++;
	if (one_in(2))
		target_kill(&scene.forge->target);
	else
		forge_exec(scene.forge);
}

/* The library's reads of the child pass through here. */
ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	if (scene.reads_to_end && !--scene.reads_to_end && !scene.gone)
		end_child();
	if (scene.chance && !scene.gone && one_in(scene.chance)) {
		if (scene.spoils && one_in(2))
			spoil();
		else
			play_runtime();
	}
	return syscall(SYS_pread64, fd, buffer, size, offset);
}

/* ---- calls ------------------------------------------------------------------- */

static double call_began;

static void begin(void)
{
	calls++;
	call_began = now();
}

static bool in_list(HRESULT hr, const HRESULT *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == hr)
			return true;
	}
	return scene.gone && (hr == CORDBG_E_PROCESS_TERMINATED || hr == CORDBG_E_OBJECT_NEUTERED);
}

static void check_listed(const char *what, HRESULT hr, const HRESULT *list, size_t count)
{
	const double took = now() - call_began;

	if (!in_list(hr, list, count))
		wrong("%s returned %08x %s", what, (uint32_t)hr, cordbmem_hresult_name(hr));
	if (took > SOON)
		wrong("%s took %.1f s", what, took);
	if (took > longest.took) {
		longest.took = took;
		longest.what = what;
		longest.iteration = iteration;
	}
}

#define check_result(what, hr, ...)                                  \
	check_listed((what), (hr), (const HRESULT[]){ __VA_ARGS__ }, \
		     sizeof((const HRESULT[]){ __VA_ARGS__ }) / sizeof(HRESULT))

static void call_find(void)
{
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	uint64_t base = one_in(4) ? pointer() : one_in(4) ? forge_base(scene.forge) : 0;
	HRESULT hr;

	begin();
	hr = cordbmem_process_find_coreclr(scene.process, base, &runtime, &error);
	check_result("find", hr, S_OK, CORDBG_E_NOT_CLR, CORDBG_E_NOTREADY,
		     CORDBG_E_UNSUPPORTED_FORWARD_COMPAT, CORDBG_E_TARGET_INCONSISTENT);
	if (hr != error.hr || !memchr(error.text, 0, sizeof(error.text)))
		wrong("find fills its error with %08x", (uint32_t)error.hr);
	if (hr == S_OK) {
		found++;
		if (!memchr(runtime.path, 0, sizeof(runtime.path)) ||
		    !memchr(runtime.version, 0, sizeof(runtime.version)) ||
		    runtime.size != sizeof(runtime))
			wrong("find fills the runtime badly");
	}
}

/* A range of bytes as they are; how many can be read. */
static size_t truth(uint64_t address, BYTE *bytes, size_t size)
{
	char path[32];
	size_t got = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/mem", scene.forge->target.pid);
	file = fopen(path, "re");
	while (file && got < size && address < INT64_MAX - size) {
		ssize_t n = (ssize_t)syscall(SYS_pread64, fileno(file), bytes + got, size - got,
					     address + got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	if (file)
		fclose(file);
	return got;
}

static uint64_t range(uint32_t *size)
{
	struct forge *f = scene.forge;
	uint64_t address;

	*size = one_in(8) ? 1 + below(READ_MAX) : 1 + below(one_in(2) ? 16 : 5000);
	if (one_in(8)) {
		address = pointer();
		return address ? address : 1;
	}
	return forge_code(f, below((uint32_t)f->code_size));
}

/* What was read against what is there: nothing but trap bytes is ever replaced. */
static void check_bytes(uint64_t address, const BYTE *bytes, size_t size, size_t got)
{
	static BYTE there[READ_MAX];
	size_t readable;

	if (scene.moving || scene.gone)
		return;
	readable = truth(address, there, size);
	if (got > readable || (got < readable && there[got] != FORGE_TRAP)) {
		wrong("%zu of %zu bytes can be read at %llx, got %zu", readable, size,
		      (unsigned long long)address, got);
		return;
	}
	for (size_t i = 0; i < got; i++) {
		if (bytes[i] == there[i])
			continue;
		masked++;
		if (there[i] != FORGE_TRAP)
			wrong("%llx holds %02x, got %02x", (unsigned long long)address + i,
			      there[i], bytes[i]);
	}
}

/* As long as nothing but the runtime has written, all is as it was before it. */
static void check_code(uint64_t address, const BYTE *bytes, size_t got, bool hidden)
{
	const struct forge *f = scene.forge;
	uint64_t code = forge_code(f, 0);

	if (scene.spoiled || !hidden || scene.moving || scene.gone)
		return;
	for (size_t i = 0; i < got; i++) {
		uint64_t offset = address + i - code;

		if (offset < f->code_size && bytes[i] != f->original[offset])
			wrong("code at %llx is %02x, got %02x", (unsigned long long)offset,
			      f->original[offset], bytes[i]);
	}
}

static bool is_hidden(void)
{
	int attached = 0;

	return cordbmem_process_debugger_attached(scene.process, &attached) == E_NOTIMPL ||
	       attached;
}

static void check_read(const char *what, HRESULT hr, uint64_t address, const BYTE *bytes,
		       size_t size, size_t got)
{
	check_result(what, hr, S_OK, CORDBMEM_E_PARTIAL_COPY, CORDBG_E_READVIRTUAL_FAILURE);
	if (got > size || (hr == S_OK && got != size) ||
	    (hr == CORDBMEM_E_PARTIAL_COPY && (!got || got >= size)) ||
	    (hr != S_OK && hr != CORDBMEM_E_PARTIAL_COPY && got))
		wrong("%s returned %08x with %zu of %zu bytes", what, (uint32_t)hr, got, size);
	else
		check_bytes(address, bytes, size, got);
}

static void call_read(void)
{
	uint32_t size;
	uint64_t address = range(&size);
	BYTE *bytes = malloc(size);
	bool hidden = is_hidden();
	SIZE_T got = 0;
	HRESULT hr;

	begin();
	hr = cordbmem_ReadMemory(scene.process, address, size, bytes, &got);
	check_read("read", hr, address, bytes, size, got);
	check_code(address, bytes, got, hidden);
	free(bytes);
}

static void call_scatter(void)
{
	struct cordbmem_scatter elements[8];
	uint32_t count = 1 + below(COUNT(elements));
	bool hidden = is_hidden();

	for (uint32_t i = 0; i < count; i++) {
		uint32_t size;
		uint64_t address = range(&size);

		elements[i] = (struct cordbmem_scatter){
			.process = scene.process,
			.address = address,
			.size = size % 8192 + 1,
		};
		elements[i].buffer = malloc(elements[i].size);
	}
	begin();
	cordbmem_read_scatter(elements, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct cordbmem_scatter *e = &elements[i];

		check_read("scatter", e->result, e->address, e->buffer, e->size, e->read);
		check_code(e->address, e->buffer, e->read, hidden);
		free(e->buffer);
	}
}

static void call_list(void)
{
	static struct cordbmem_breakpoint list[LIST_MAX];
	size_t capacity = below(LIST_MAX), count = 0;
	HRESULT hr;

	begin();
	hr = cordbmem_process_list_breakpoints(scene.process, list, capacity, &count);
	check_result("list", hr, S_OK, CORDBG_E_NOT_CLR, CORDBG_E_TARGET_INCONSISTENT,
		     CORDBMEM_E_RETRY, CORDBG_E_READVIRTUAL_FAILURE);
	if (hr != S_OK)
		return;
	if (count > 1 << 17)
		wrong("%zu breakpoints", count);
	for (size_t i = 1; i < count && i < capacity; i++) {
		if (list[i].address <= list[i - 1].address)
			wrong("the list is not sorted");
	}
	if (!scene.spoiled && !scene.moving && !scene.gone && count > scene.set_count)
		wrong("%zu breakpoints are listed, %zu are set", count, scene.set_count);
}

static void call_path(void)
{
	static char path[4096];
	size_t capacity = 1 + below(one_in(2) ? 16 : sizeof(path) - 1);
	uint64_t module = one_in(2) ? (uintptr_t)scene.forge->modules : pointer();
	HRESULT hr;

	memset(path, 0x5a, sizeof(path));
	begin();
	hr = cordbmem_process_module_path(scene.process, module ? module : 8, path, capacity);
	check_result("path", hr, S_OK, CORDBG_E_NOT_CLR, E_NOTIMPL, CORDBMEM_E_MORE_DATA,
		     CORDBMEM_E_PARTIAL_COPY, CORDBG_E_READVIRTUAL_FAILURE);
	if ((hr == S_OK || hr == CORDBMEM_E_MORE_DATA) && !memchr(path, 0, capacity))
		wrong("a path is not terminated");
	if (capacity < sizeof(path) && path[capacity] != 0x5a)
		wrong("a path is longer than its buffer");
}

static void call_attached(void)
{
	int attached = 77;
	HRESULT hr;

	begin();
	hr = cordbmem_process_debugger_attached(scene.process, &attached);
	check_result("attached", hr, S_OK, CORDBG_E_NOT_CLR, E_NOTIMPL,
		     CORDBG_E_READVIRTUAL_FAILURE, CORDBMEM_E_PARTIAL_COPY);
	if (attached != 0 && attached != 1 && hr == S_OK)
		wrong("attached is %d", attached);
}

static void call_any(void)
{
	switch (below(12)) {
	case 0:
		call_find();
		break;
	case 1:
		call_list();
		break;
	case 2:
		call_path();
		break;
	case 3:
		call_attached();
		break;
	case 4:
	case 5:
		call_scatter();
		break;
	default:
		call_read();
	}
}

/* ---- iterations --------------------------------------------------------------- */

static void add_part(const char *name, const volatile void *at, size_t size)
{
	scene.parts[scene.part_count++] = (struct part){ name, (void *)(uintptr_t)at, size };
}

/* Some of them are spoiled in this iteration, so that not all of it is nonsense at once. */
static void choose_parts(void)
{
	struct forge *f = scene.forge;
	const struct part all[] = {
		{ "headers", f->module, 0x200 },
		{ "hash", f->module + FORGE_HASH_AT, 0x100 },
		{ "symbols", f->module + FORGE_SYMBOLS_AT, 0x200 },
		{ "dynamic", f->module + FORGE_DYNAMIC_AT, 0x80 },
		{ "descriptor", f->descriptor, sizeof(*f->descriptor) },
		{ "globals' addresses", f->dac_table, f->global_count * 8 },
		{ "globals", f->globals, f->global_count * 8 + 24 },
		{ "g_pDebugger", forge_global(f, FORGE_DEBUGGER), 8 },
		{ "g_patches", forge_global(f, FORGE_PATCHES), 16 },
		{ "flags", forge_global(f, FORGE_CONTROL_FLAGS), 4 },
		{ "debugger", f->debugger, 64 },
		{ "thread", f->rc_thread, FORGE_RC_THREAD_WORDS * 8 },
		{ "control block", f->dcb, 256 },
		{ "offsets", f->offsets + FORGE_O_PATCHES, 80 },
		{ "pointers", f->pointers, 24 },
		{ "modules", f->modules, 256 },
		{ "paths", f->paths, 2048 },
		{ "table", (void *)(uintptr_t)f->table.header, sizeof(*f->table.header) },
		{ "buckets", (void *)(uintptr_t)f->table.header->buckets, FORGE_BUCKETS * 4 },
		{ "entries", (void *)(uintptr_t)f->table.header->entries,
		  (size_t)f->table.header->count * f->table.entry_size },
		{ "code", f->code, f->code_size },
	};

	scene.part_count = 0;
	if (one_in(4)) {
		for (size_t i = 0; i < COUNT(all); i++)
			add_part(all[i].name, all[i].at, all[i].size);
		return;
	}
	for (uint32_t n = 1 + below(3); n; n--) {
		size_t i = below(COUNT(all));

		add_part(all[i].name, all[i].at, all[i].size);
	}
}

static long map_room(long unused)
{
	(void)unused;
	return mmap((void *)ROOM, ROOM_SIZE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == (void *)ROOM;
}

static void start_scene(void)
{
	const struct forge_plan plan = {
		.version = 9 + (int)below(3),
		.name = one_in(4) ? "host" : "libcoreclr.so",
		.link_base = one_in(4) ? 0x400000 : 0,
		.sysv_hash = one_in(3),
		.unrelocated = one_in(3),
		.no_dac_table = one_in(8),
		.no_descriptor = one_in(8),
		.debugger_types = one_in(4),
		.code_pages = CODE_PAGES,
		.patches = 400,
		.globals = one_in(8) ? 200 + below(824) : 0,
	};
	uint32_t count;

	memset(&scene, 0, sizeof(scene));
	choices = iteration;
	scene.forge = forge_start(&plan);
	scene.process = open_target(scene.forge->target.pid);
	if (one_in(8) && !target_call(&scene.forge->target, map_room, 0))
		errx(1, "the child cannot map its room");
	for (count = below(COUNT(scene.set)); count; count--)
		scene.set[scene.set_count++] =
			forge_set(scene.forge, below(one_in(2) ? 500 : CODE_PAGES * PAGE));
	for (count = one_in(2) ? below(300) : 0; count; count--) {
		uint32_t at = below(CODE_PAGES * PAGE);

		if (scene.forge->code[at] != FORGE_TRAP)
			forge_native(scene.forge, at);
	}
	forge_control(scene.forge, one_in(4) ? 0 : one_in(2) ? FORGE_ATTACHED : FORGE_PENDING);
	choose_parts();
}

static void end_scene(void)
{
	scene.chance = 0;
	scene.reads_to_end = 0;
	cordbmem_process_free(scene.process);
	forge_end(scene.forge);
}

static void spoil_some(void)
{
	for (uint32_t n = 1 + below(8); n; n--)
		spoil();
	if (one_in(16)) {
		scene.spoiled = true;
		forge_unmap(scene.forge, place(), 1);
	}
}

static _Atomic(bool) thread_stop;

static void *spoil_on(void *context)
{
	(void)context;
	choices = ~iteration;
	while (!thread_stop)
		spoil();
	return NULL;
}

static void run_iteration(void)
{
	bool threaded = false;
	pthread_t thread;
	uint32_t ops;

	alarm(HANG);
	start_scene();
	if (one_in(2))
		call_find();
	switch (below(8)) {
	case 0: /* well-formed, at rest */
		break;
	case 1: /* well-formed, and running */
		scene.moving = true;
		scene.chance = 1 + below(40);
		break;
	case 2:
	case 3: /* spoiled between reads */
		scene.moving = scene.spoils = true;
		scene.chance = 1 + below(40);
		break;
	case 4: /* by another thread */
		scene.moving = scene.spoiled = threaded = true;
		break;
	default:
		spoil_some();
	}
	if (one_in(8))
		scene.reads_to_end = 1 + below(200);
	if (threaded) {
		thread_stop = false;
		if (pthread_create(&thread, NULL, spoil_on, NULL))
			errx(1, "there are no more threads");
	}
	for (ops = 1 + below(40); ops; ops--) {
		call_any();
		if (!threaded && !scene.gone)
			play_runtime();
	}
	if (threaded) {
		thread_stop = true;
		pthread_join(thread, NULL);
	}
	end_scene();
	alarm(0);
}

static void on_alarm(int signal)
{
	(void)signal;
	_exit(HUNG);
}

static uint64_t parse(const char *text, const char *option)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (*end || !*text)
		errx(2, "%s wants a number", option);
	return value;
}

/* One iteration, or as many as there is time for. Returns the status. */
static int work(uint64_t seed, double end, bool alone)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	uint64_t iterations = 0;

	sigaction(SIGALRM, &action, NULL);
	do {
		*current = iteration = seed + iterations * UINT64_C(0x9e3779b97f4a7c15);
		run_iteration();
		iterations++;
	} while (!alone && now() < end && failures < 20);
	printf("fuzz_coreclr: %llu iterations, %lu calls: found %lu times, %lu bytes replaced, "
	       "%lu processes ended meanwhile\n",
	       (unsigned long long)iterations, calls, found, masked, ended);
	if (longest.what)
		printf("fuzz_coreclr: the longest call took %.1f s: %s, --iteration %llu\n",
		       longest.took, longest.what, (unsigned long long)longest.iteration);
	return failures ? WRONG : 0;
}

/* In a process of its own, which a sanitizer may end without a word on where it was. */
static int watch(uint64_t seed, double end, bool alone)
{
	pid_t worker, self = getpid();
	int status;

	current = mmap(NULL, sizeof(*current), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (current == MAP_FAILED)
		err(2, "mmap");
	fflush(NULL);
	worker = fork();
	if (worker < 0)
		err(2, "fork");
	if (!worker) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(getppid() == self ? work(seed, end, alone) : 2);
	}
	if (waitpid(worker, &status, 0) != worker)
		err(2, "waitpid");
	if (WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == WRONG))
		return WEXITSTATUS(status) ? 1 : 0;
	printf("fuzz_coreclr: %s in --iteration %llu, seed %llu\n",
	       WIFEXITED(status) && WEXITSTATUS(status) == HUNG ? "a call did not end" : "it died",
	       (unsigned long long)*current, (unsigned long long)seed);
	return WIFEXITED(status) && WEXITSTATUS(status) == HUNG ? 3 : 1;
}

int main(int argc, char **argv)
{
	uint64_t seed = 0, seconds = 60;
	bool have_seed = false, alone = false;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 < argc && !strcmp(argv[i], "--seconds")) {
			seconds = parse(argv[i + 1], argv[i]);
		} else if (i + 1 < argc &&
			   (!strcmp(argv[i], "--seed") || !strcmp(argv[i], "--iteration"))) {
			seed = parse(argv[i + 1], argv[i]);
			have_seed = true;
			alone |= !strcmp(argv[i], "--iteration");
		} else {
			fprintf(stderr, "usage: fuzz_coreclr [--seconds N] [--seed S] "
					"[--iteration I]\n");
			return 2;
		}
	}
	if (!have_seed && getrandom(&seed, 4, 0) != 4)
		err(2, "getrandom");
	printf("fuzz_coreclr: %s %llu\n", alone ? "iteration" : "with seed",
	       (unsigned long long)seed);
	return watch(seed, now() + (double)seconds, alone);
}
