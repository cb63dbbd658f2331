/* SPDX-License-Identifier: MIT */
/*
 * A child process that holds a forged CoreCLR: its module, its globals, what it publishes for
 * its debugger, its patch table, and code with breakpoints in it. As real as the
 * library can tell, and open to be spoiled.
 *
 * Everything writable is shared between test and child, at the same addresses: the test plays
 * the runtime, with plain stores.
 */
#ifndef FORGE_H
#define FORGE_H

#include <stdbool.h>
#include <stdint.h>

#include "forge_module.h"
#include "forge_table.h"
#include "target.h"

/* DebuggerControlFlag */
#define FORGE_ATTACHED 0x200U
#define FORGE_PENDING 0x100U

/* Globals by their place beside g_patches in g_dacTable. */
enum forge_global {
	FORGE_CONTROL_FLAGS = -8, /* -7 in .NET 9 */
	FORGE_DEBUGGER = -6,
	FORGE_DEBUG_INTERFACE,
	FORGE_EE_DBG_INTERFACE,
	FORGE_EE_INTERFACE,
	FORGE_JIT_ATTACH,
	FORGE_CHANGE_NGEN,
	FORGE_PATCHES,
	FORGE_PATCHES_VALID,
};

/* Words of DebuggerIPCRuntimeOffsets, and where the run of them that matters begins. */
enum forge_offset {
	FORGE_O_PATCHES = 0x70 / 8,
	FORGE_O_VALID,
	FORGE_O_ENTRIES,
	FORGE_O_COUNT,
	FORGE_O_ENTRY_SIZE,
	FORGE_O_ADDRESS,
	FORGE_O_OPCODE,
	FORGE_O_OPCODE_SIZE,
	FORGE_O_TRACE_TYPE,
	FORGE_O_UNMANAGED,
};

/* struct DotNetRuntimeContractDescriptor */
struct forge_descriptor {
	uint64_t magic;
	uint32_t flags;
	uint32_t json_size;
	uint64_t json;
	uint32_t pointer_count;
	uint32_t reserved;
	uint64_t pointers;
};

/* All zero is .NET 10 in a libcoreclr.so, with a debugger attached. */
struct forge_plan {
	int version;	    /* 9, 10 or 11 */
	const char *name;   /* of the module's file */
	uint64_t link_base; /* see forge_module.h */
	bool sysv_hash;
	bool unrelocated;
	bool no_dac_table;   /* does not export that */
	bool no_descriptor;  /* nor that */
	bool debugger_types; /* the descriptor has them; 11 always has */
	size_t code_pages;   /* 0: 16 */
	uint32_t patches;    /* the table will hold at most so many; 0: 250 */
	uint32_t globals;    /* in g_dacTable, 0: as the version has; up to 1024 */
};

#define FORGE_JSON_ROOM (8 * PAGE)
#define FORGE_RC_THREAD_WORDS 64

struct forge {
	struct target target;
	struct forge_plan plan;
	char path[400]; /* of the module; deleted, but mapped */
	char version[64];
	int file; /* the module's */

	/* the module */
	BYTE *module;
	uint64_t *dac_table;
	uint64_t *globals; /* what g_dacTable points to, a word each */
	uint32_t global_count;
	uint32_t patches_at; /* which global g_patches is */
	struct forge_descriptor *descriptor;
	char *mark; /* text with the version, up to the end of the module */

	/* the runtime's heap; each on pages of its own */
	uint64_t *debugger, *rc_thread, *dcb, *offsets;
	uint32_t dcb_at; /* which word of rc_thread */
	char *json;
	uint64_t *pointers;
	uint64_t *modules; /* two, of 16 words each */
	uint16_t *paths;   /* of those, 512 units each */
	struct forge_table table;

	/* code, and how it looks without managed breakpoints */
	BYTE *code;
	size_t code_size;
	BYTE *original;

	size_t used; /* of the target's memory */
	struct forge *older;
};

/* Any failure ends the program with words. NULL: the plan that is all zero. */
struct forge *forge_start(const struct forge_plan *plan);
void forge_end(struct forge *f);
/* Those that a test which failed has left: they would be found in later ones. */
int forge_end_all(void **state);

uint64_t *forge_global(const struct forge *f, enum forge_global which);
/* Its number in g_dacTable. */
uint32_t forge_global_index(const struct forge *f, enum forge_global which);
static inline uint64_t forge_base(const struct forge *f)
{
	return (uintptr_t)f->module;
}
static inline uint64_t forge_code(const struct forge *f, size_t offset)
{
	return (uintptr_t)f->code + offset;
}

/* g_CORDebuggerControlFlags */
void forge_control(struct forge *f, uint32_t flags);

/* Set a breakpoint on code; remove it by the number of its entry. */
uint32_t forge_set(struct forge *f, size_t offset);
void forge_clear(struct forge *f, uint32_t index);

/* An int3 that is not CoreCLR's: part of the code as it should be read. */
void forge_native(struct forge *f, size_t offset);

/* The text of the descriptor; by default what fits the plan. */
void forge_json(struct forge *f, const char *text);

/* In the child: unmap the pages that hold this. */
void forge_unmap(struct forge *f, const volatile void *at, size_t size);

/* In the child: become another program. */
void forge_exec(struct forge *f);

/* In the child: map the module's file once more, to be read only, below what is mapped already. */
uint64_t forge_map_again(struct forge *f);

#endif /* FORGE_H */
