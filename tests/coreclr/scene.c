// SPDX-License-Identifier: MIT
/* The functions of scene.h. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "scene.h"
#include "support.h"

#define AROUND 4096UL
#define SPARE 50 /* methods without a breakpoint; all of them take long to compile in a VM */

/* Without tiers a method is compiled once, so its code never moves. */
static const char *const no_tiers[] = { "DOTNET_TieredCompilation=0", NULL };

static int by_address(const void *a, const void *b)
{
	const struct breakpoint *x = a, *y = b;

	return (x->address > y->address) - (x->address < y->address);
}

static void keep_code(struct scene *scene)
{
	const struct debuggee *debuggee = &scene->debuggee;
	uint64_t low = UINT64_MAX, high = 0, begin, end;

	for (size_t i = 0; i < debuggee->method_count; i++) {
		uint64_t address = debuggee->methods[i].address;

		low = address < low ? address : low;
		high = address > high ? address : high;
	}
	if (!mapping_at(debuggee->pid, low, &begin, &end) || high >= end)
		die("the methods do not lie in one mapping");
	low = low - begin < AROUND ? begin : low - AROUND;
	high = end - high < AROUND ? end : high + AROUND;
	scene->code = (struct region){ low, high - low };
	scene->original = malloc(high - low);
	if (!scene->original)
		die("malloc");
	peek(debuggee->pid, low, scene->original, high - low);
}

static void set_breakpoints(struct scene *scene)
{
	const struct debuggee *debuggee = &scene->debuggee;

	scene->breakpoints = calloc(scene->count, sizeof(*scene->breakpoints));
	if (!scene->breakpoints || oracle_stop(scene->oracle) != S_OK)
		die("cannot stop the debuggee");
	for (size_t i = 0; i < scene->count; i++) {
		const struct method *method =
			&debuggee->methods[i * debuggee->method_count / scene->count];
		HRESULT hr = oracle_break(scene->oracle, method->token, 0, &scene->breakpoints[i]);

		if (hr != S_OK || scene->breakpoints[i].address != method->address)
			die("breakpoint %zu: 0x%08x, at 0x%lx instead of 0x%lx", i,
			    (unsigned int)hr, scene->breakpoints[i].address, method->address);
	}
	qsort(scene->breakpoints, scene->count, sizeof(*scene->breakpoints), by_address);
	if (oracle_continue(scene->oracle) != S_OK)
		die("the debuggee does not go on");
	if (scene_traps(scene) != scene->count)
		die("of %zu breakpoints %zu are in memory", scene->count, scene_traps(scene));
}

static bool begin(struct scene *scene, size_t breakpoints, size_t methods)
{
	memset(scene, 0, sizeof(*scene));
	/* The harness starts a process for each test, and leaves it behind when it is killed itself. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (!runtime_load(&scene->runtime))
		return false;
	scene->count = breakpoints;
	debuggee_start(&scene->debuggee, &scene->runtime, no_tiers);
	debuggee_list_methods(&scene->debuggee, methods);
	if (breakpoints > scene->debuggee.method_count)
		die("there are too few methods for %zu breakpoints", breakpoints);
	keep_code(scene);
	scene->oracle = oracle_attach(scene->debuggee.pid, &scene->runtime);
	set_breakpoints(scene);
	return true;
}

bool scene_begin(struct scene *scene, size_t breakpoints)
{
	return begin(scene, breakpoints, breakpoints + SPARE);
}

bool scene_begin_all(struct scene *scene, size_t breakpoints)
{
	return begin(scene, breakpoints, 0);
}

uint8_t scene_original(const struct scene *scene, uint64_t address)
{
	return scene->original[address - scene->code.address];
}

bool scene_has(const struct scene *scene, uint64_t address, uint64_t size)
{
	return address >= scene->code.address && size <= scene->code.size &&
	       address - scene->code.address <= scene->code.size - size;
}

size_t scene_traps(const struct scene *scene)
{
	size_t count = 0;
	uint8_t byte;

	for (size_t i = 0; i < scene->count; i++) {
		peek(scene->debuggee.pid, scene->breakpoints[i].address, &byte, 1);
		count += byte == 0xcc;
	}
	return count;
}

int scene_end(struct scene *scene)
{
	int status = debuggee_end(&scene->debuggee);

	free(scene->original);
	free(scene->breakpoints);
	return status;
}
