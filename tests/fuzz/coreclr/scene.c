// SPDX-License-Identifier: MIT
/* The functions of scene.h. */
#include <err.h>
#include <string.h>
#include <sys/mman.h>

#include "lot.h"
#include "scene.h"

#define CODE_PAGES 24

struct scene scene;

void *place(void)
{
	const struct part *part = &scene.parts[below((uint32_t)scene.part_count)];

	return (BYTE *)part->at + below((uint32_t)part->size);
}

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

void start_scene(uint64_t iteration)
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

void end_scene(void)
{
	scene.chance = 0;
	scene.reads_to_end = 0;
	cordbmem_process_free(scene.process);
	forge_end(scene.forge);
}
