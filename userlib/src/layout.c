// SPDX-License-Identifier: MIT
/*
 * Finding CoreCLR's patch table by two ways that must meet: the offsets that the
 * runtime publishes for its debugger, and a scan of its exported globals.
 * docs/coreclr.md tells the story.
 */
#include "layout.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "published.h"
#include "raw.h"
#include "table.h"

#define GLOBALS_MAX 512U   /* 158 in .NET 9, 129 in 10 */
#define HITS 4		   /* of the scan that are looked at */
#define NEIGHBOURS 16U	   /* g_pDebugger is 6 in front of g_patches */
#define BUCKETS 1103	   /* DPT_HASH_BUCKETS */
#define ENTRIES_MIN 17	   /* DebuggerPatchTable::Init */
#define FLAGS_REACH 3	   /* how far in front of g_pDebugger the control flags can be */
#define FLAGS_KNOWN 0x7ffU /* DebuggerControlFlag */
#define HEADER_SIZE 0x28
#define NOWHERE UINT32_MAX

/* The globals that g_dacTable lists: where they are, and their first words. */
struct globals {
	uint32_t count;
	uint64_t at[GLOBALS_MAX];
	uint64_t value[GLOBALS_MAX];
	BYTE target[GLOBALS_MAX][HEADER_SIZE]; /* what the value points to */
	bool pointed[GLOBALS_MAX];
};

static int read_globals(struct cordbmem_process *process, const struct exports *exports,
			struct globals *globals)
{
	struct raw_read *reads;
	uint64_t count = exports->dac_table_size / 8;
	int err;

	globals->count = 0;
	if (!exports->dac_table || !count)
		return 0;
	if (count > GLOBALS_MAX)
		count = GLOBALS_MAX;
	err = raw_read(process, exports->dac_table, globals->at, (uint32_t)count * 8);
	if (err)
		return err == EIO ? 0 : err;
	reads = calloc(count, sizeof(*reads));
	if (!reads)
		return ENOMEM;
	globals->count = (uint32_t)count;
	for (uint32_t i = 0; i < count; i++)
		reads[i] = (struct raw_read){ .address = globals->at[i],
					      .buffer = &globals->value[i],
					      .size = 8 };
	err = raw_readv(process, reads, count);
	for (uint32_t i = 0; i < count; i++) {
		if (reads[i].got != 8)
			globals->value[i] = 0;
		reads[i] = (struct raw_read){ .address = globals->value[i],
					      .buffer = globals->target[i],
					      .size = HEADER_SIZE };
	}
	if (!err)
		err = raw_readv(process, reads, count);
	for (uint32_t i = 0; i < count; i++)
		globals->pointed[i] = globals->value[i] && reads[i].got == HEADER_SIZE;
	free(reads);
	return err;
}

/* Can that global be g_patches, and the next one g_patchTableValid? */
static bool looks_like_table(const struct globals *globals, uint32_t i)
{
	const BYTE *header = globals->target[i];

	return i + 1 < globals->count && globals->pointed[i] && load32(header + 0x14) == BUCKETS &&
	       load32(header + 0x10) >= 100 && load32(header + 0x10) <= 400 &&
	       load32(header + 0x24) >= ENTRIES_MIN && (uint32_t)globals->value[i + 1] <= 1;
}

static uint32_t next_table(const struct globals *globals, uint32_t from)
{
	for (uint32_t i = from; i < globals->count; i++) {
		if (looks_like_table(globals, i))
			return i;
	}
	return NOWHERE;
}

/* Whether the descriptor says all that published_by_descriptor needs. */
static bool describes_debugger(const struct descriptor *descriptor)
{
	uint64_t at;

	return descriptor && descriptor_offset(descriptor, "Debugger", "RCThread") >= 0 &&
	       descriptor_offset(descriptor, "DebuggerRCThread", "DCB") >= 0 &&
	       descriptor_global(descriptor, "Debugger", &at);
}

/* From the contract descriptor, where it has debugger types (.NET 11 and later). */
static int published_by_descriptor(struct cordbmem_process *process,
				   const struct descriptor *descriptor, uint64_t *debugger_at,
				   struct published *published)
{
	int32_t thread_at = descriptor_offset(descriptor, "Debugger", "RCThread");
	int32_t dcb_at = descriptor_offset(descriptor, "DebuggerRCThread", "DCB");
	uint64_t at;
	int err;

	if (thread_at < 0 || dcb_at < 0 || !descriptor_global(descriptor, "Debugger", &at))
		return ENOTSUP;
	*debugger_at = at;
	err = raw_read(process, at, &at, sizeof(at));
	if (!err && at)
		err = raw_read(process, at + (uint32_t)thread_at, &at, sizeof(at));
	if (!err && at)
		err = raw_read(process, at + (uint32_t)dcb_at, &at, sizeof(at));
	if (!err && !at)
		return EAGAIN;
	if (!err)
		err = published_from_dcb(process, at, published);
	return err == EIO ? ENOTSUP : err;
}

/* What the descriptor says of the same members must be the same. */
static bool descriptor_agrees(const struct descriptor *descriptor,
			      const struct published *published)
{
	const struct {
		const char *type, *member;
		uint32_t value;
	} facts[] = {
		{ "DebuggerPatchTable", "Entries", published->entries_at },
		{ "DebuggerPatchTable", "Count", published->count_at },
		{ "DebuggerControllerPatch", "Address", published->address_at },
		{ "DebuggerControllerPatch", "Opcode", published->opcode_at },
		{ "DebuggerControllerPatch", "!", published->entry_size },
	};

	for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
		int32_t told = descriptor_offset(descriptor, facts[i].type, facts[i].member);

		if (told >= 0 && (uint32_t)told != facts[i].value)
			return false;
	}
	return true;
}

static bool leads_on(int err)
{
	return err == ENOENT || err == EAGAIN || err == ENOTSUP;
}

/*
 * From the globals: g_pDebugger stands in front of g_patches. *table is which global that is, as
 * far as the scan can tell; *debugger is g_pDebugger. Fails with what came nearest to it.
 */
static int published_by_globals(struct cordbmem_process *process, const struct globals *globals,
				uint32_t *table, uint32_t *debugger, struct published *published)
{
	int nearest = ENOENT;

	*table = next_table(globals, 0);
	for (int hit = 0; *table != NOWHERE && hit < HITS; hit++) {
		for (uint32_t i = 1; i <= NEIGHBOURS && i <= *table; i++) {
			int err;

			*debugger = *table - i;
			err = published_from_debugger(process, globals->value[*debugger],
						      published);
			/* g_pDebugInterface, behind it, is the same pointer. */
			while (!err && *debugger &&
			       globals->value[*debugger - 1] == globals->value[*debugger])
				--*debugger;
			if (!leads_on(err))
				return err;
			if (err != ENOENT)
				nearest = err;
		}
		*table = next_table(globals, *table + 1);
	}
	return nearest;
}

/* Does any global lead to a debugger side? Then the scan failed it. */
static int any_debugger(struct cordbmem_process *process, const struct globals *globals)
{
	struct published published;
	int nearest = ENOENT;

	for (uint32_t i = 0; i < globals->count; i++) {
		int err = published_from_debugger(process, globals->value[i], &published);

		if (!leads_on(err))
			return err;
		if (err != ENOENT)
			nearest = err;
	}
	return nearest;
}

static uint32_t global_at(const struct globals *globals, uint64_t at)
{
	for (uint32_t i = 0; i < globals->count; i++) {
		if (globals->at[i] == at)
			return i;
	}
	return NOWHERE;
}

/*
 * g_CORDebuggerControlFlags stands in front of g_pDebugger, with another global between
 * them in .NET 10. A wrong one would show breakpoints, so it also has to lie where vars.cpp puts
 * it: between g_pDebugInterface and g_pEEDbgInterfaceImpl, the two behind g_pDebugger.
 */
static uint64_t control_flags(const struct globals *globals, uint32_t debugger)
{
	if (debugger >= globals->count || globals->count - debugger < 3 ||
	    globals->value[debugger + 1] != globals->value[debugger])
		return 0;
	for (uint32_t i = 1; i <= FLAGS_REACH && i <= debugger; i++) {
		const uint64_t at = globals->at[debugger - i];

		if (at == globals->at[debugger + 1] + 8 && at + 8 == globals->at[debugger + 2] &&
		    !((uint32_t)globals->value[debugger - i] & ~FLAGS_KNOWN))
			return at;
	}
	return 0;
}

/* The scan's table and the published one. False: they are not the same. */
static bool scan_agrees(const struct globals *globals, uint32_t table,
			const struct published *published)
{
	return globals->value[table] == published->table &&
	       globals->at[table + 1] == published->table_valid &&
	       load32(globals->target[table] + 0x10) == published->entry_size;
}

static int settle(struct cordbmem_process *process, const struct published *published,
		  struct coreclr *runtime, const char **why)
{
	struct table_header header;
	struct table table;
	struct raw_read read;
	uint32_t valid;
	int err;

	runtime->info.patch_table = published->table;
	runtime->entries_at = published->entries_at;
	runtime->count_at = published->count_at;
	runtime->entry_size = published->entry_size;
	runtime->address_at = published->address_at;
	runtime->opcode_at = published->opcode_at;
	/* Links in front, then controller, Module and token: so since .NET Core 1.0. */
	runtime->keyed = published->address_at == 0x30;
	runtime->chained = published->entries_at == 8 && published->count_at == 0x24;

	read = table_header_read(runtime, &header);
	err = raw_readv_whole(process, &read, 1);
	if (!err)
		err = raw_read(process, published->table_valid, &valid, sizeof(valid));
	if (err && err != EIO)
		return err;
	/* It becomes valid as the debugger side starts, for good. */
	if (!err && !valid) {
		*why = "has set up no debugger side yet";
		return EAGAIN;
	}
	if (!err && runtime->chained)
		runtime->chained = table_is_chained(runtime, &header, &runtime->buckets,
						    &runtime->bucket_count);
	if (err || !table_header_parse(runtime, &header, &table)) {
		*why = "publishes the address of a patch table where there is none";
		return EPROTO;
	}
	return 0;
}

static int find(struct cordbmem_process *process, const struct exports *exports,
		struct globals *globals, struct coreclr *runtime, const char **why)
{
	uint32_t table = NOWHERE, debugger = NOWHERE;
	struct published published;
	uint64_t debugger_at = 0;
	int err = read_globals(process, exports, globals);

	if (err)
		return err;
	if (describes_debugger(exports->descriptor)) {
		err = published_by_descriptor(process, exports->descriptor, &debugger_at,
					      &published);
		runtime->info.source = CORDBMEM_CORECLR_DESCRIPTOR;
		debugger = debugger_at ? global_at(globals, debugger_at) : NOWHERE;
		table = next_table(globals, 0);
	} else {
		runtime->info.source = CORDBMEM_CORECLR_OFFSETS;
		if (!exports->dac_table) {
			*why = "exports neither its globals nor a data contract of its debugger";
			return ENOTSUP;
		}
		err = published_by_globals(process, globals, &table, &debugger, &published);
		if (err == ENOENT) {
			err = any_debugger(process, globals);
			if (!err) {
				*why = "publishes a patch table that is not among its globals";
				return EPROTO;
			}
		}
	}
	/* Nothing there at all is what a start looks like, too. */
	if (err == ENOENT) {
		*why = "has set up no debugger side yet, or is of an unknown version";
		return EAGAIN;
	}
	if (err == EAGAIN)
		*why = "has set up no debugger side yet";
	if (err == ENOTSUP)
		*why = "publishes no patch table that is known";
	if (err)
		return err;

	if (exports->descriptor && !descriptor_agrees(exports->descriptor, &published)) {
		*why = "says different things of its patch table in two places";
		return EPROTO;
	}
	while (table != NOWHERE && !scan_agrees(globals, table, &published))
		table = next_table(globals, table + 1);
	if (table == NOWHERE && runtime->info.source == CORDBMEM_CORECLR_OFFSETS) {
		*why = "publishes a patch table that is not the one among its globals";
		return EPROTO;
	}
	runtime->info.control_flags = control_flags(globals, debugger);
	return settle(process, &published, runtime, why);
}

int layout_find(struct cordbmem_process *process, const struct exports *exports,
		struct coreclr *runtime, const char **why)
{
	struct globals *globals = calloc(1, sizeof(*globals));
	int err;

	if (!globals)
		return ENOMEM;
	err = find(process, exports, globals, runtime, why);
	free(globals);
	return err;
}
