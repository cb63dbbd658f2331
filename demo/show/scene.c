// SPDX-License-Identifier: MIT
/*
 * The functions of scene.h, but for the acts.
 */
#include "scene.h"

#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include <linux/cordbmem.h>

#include "view.h"

#define PATIENCE 60 /* seconds, for a program on an emulated CPU */

void look_raw(const struct scene *scene, uint64_t address, void *bytes, size_t size)
{
	struct cordbmem_read read = {
		.size = sizeof(read),
		.pid = scene->target.pid,
		.address = address,
		.length = size,
		.buffer = (uintptr_t)bytes,
	};

	if (ioctl(scene->device, CORDBMEM_IOC_READ, &read) != 0 || read.bytes_read != size)
		give_up("READ failed");
}

void look_masked(const struct scene *scene, uint64_t address, void *bytes, size_t size)
{
	SIZE_T got = 0;
	HRESULT hr = cordbmem_ReadMemory(scene->process, address, (DWORD)size, bytes, &got);

	if (hr != S_OK || got != size) {
		fprintf(stderr, "demo: %s\n", cordbmem_hresult_name(hr));
		give_up("ReadMemory failed");
	}
}

struct counters read_counters(const struct scene *scene)
{
	struct counters counters;

	look_masked(scene, scene->target.counters, &counters, sizeof(counters));
	return counters;
}

static int64_t wait_for_counter(const struct scene *scene, size_t offset, int64_t beyond)
{
	time_t end = time(NULL) + PATIENCE;
	int64_t value;

	do {
		look_masked(scene, scene->target.counters + offset, &value, sizeof(value));
		if (value > beyond)
			return value;
		sched_yield();
	} while (time(NULL) < end);
	claim(false, "the program goes on running");
	return 0;
}

int64_t wait_for_rounds(const struct scene *scene, int64_t beyond)
{
	return wait_for_counter(scene, offsetof(struct counters, rounds), beyond);
}

int64_t wait_for_calls(const struct scene *scene, int64_t beyond)
{
	return wait_for_counter(scene, offsetof(struct counters, calls), beyond);
}

void read_traps(const struct scene *scene, struct traps *traps)
{
	const unsigned char *original = scene->original;
	size_t size = scene->target.size, last = size - 1;

	look_raw(scene, scene->target.method, traps->raw, size);
	look_masked(scene, scene->target.method, traps->masked, size);
	claim(traps->raw[0] == TRAP && traps->raw[last] == TRAP, "READ shows both traps");
	claim(!memcmp(traps->raw + 1, original + 1, size - 2), "READ shows the rest as it was");
	claim(traps->masked[0] == original[0],
	      "ReadMemory shows the original byte of the managed trap");
	claim(traps->masked[last] == TRAP, "ReadMemory shows the native trap");
	claim(!memcmp(traps->masked + 1, original + 1, size - 2),
	      "ReadMemory shows the rest as it was");
}

void show_traps(const struct scene *scene, const struct traps *traps)
{
	const struct mark marks[] = {
		{ 0, "managed: original shown" },
		{ scene->target.size - 1, "native: stays" },
	};

	show_side_by_side(scene->target.method, traps->raw, traps->masked, scene->target.size,
			  marks, 2);
	putchar('\n');
}
