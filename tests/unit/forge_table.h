/* SPDX-License-Identifier: MIT */
/*
 * A DebuggerPatchTable as CoreCLR keeps it: an array of entries with a list of
 * free ones and hash chains through it. New entries go to the head of their bucket; freed
 * ones keep what they held but for the opcode; a table that grows moves.
 *
 * Every store is one that a reader in another process can see, in this order.
 */
#ifndef FORGE_TABLE_H
#define FORGE_TABLE_H

#include <stddef.h>
#include <stdint.h>

#include <cordbmem/cordbmem.h>

#define FORGE_BUCKETS 1103U
#define FORGE_NONE UINT32_MAX
#define FORGE_TRAP 0xcc

/* DebuggerPatchTable */
struct forge_header {
	uint64_t vtable;
	uint64_t entries;
	uint32_t entry_size;
	uint32_t bucket_count;
	uint64_t buckets;
	uint32_t free;
	uint32_t count;
	uint64_t patch_id; /* of the patch that is added next */
};

/* DebuggerControllerPatch, as far as it matters; there is more behind it. */
struct forge_entry {
	uint32_t previous;
	uint32_t next;
	uint32_t next_free;
	uint32_t pad0;
	uint64_t controller;
	uint64_t module;
	uint32_t method;
	uint32_t pad1;
	uint64_t pad2;
	uint64_t address;
	uint64_t pad3;
	uint64_t opcode;
	uint64_t pad4[3];
	uint32_t trace_type;
	uint32_t pad5;
	uint64_t pad6[4];
	uint32_t kind;
	uint32_t pad7;
	uint64_t pad8[4];
};
_Static_assert(sizeof(struct forge_entry) == 176, "as in .NET 9 and 10");

struct forge_table {
	volatile struct forge_header *header;
	uint32_t *valid; /* g_patchTableValid */
	BYTE *arena;	 /* room for entries, through which a table moves round and round */
	size_t arena_size;
	uint32_t entry_size;
	uint64_t module; /* that patches are for */
};

/* header, buckets and arena are the caller's; entry_size is at least 176. */
void forge_table_init(struct forge_table *table, struct forge_header *header, uint32_t *buckets,
		      BYTE *arena, size_t arena_size, uint32_t entry_size);

volatile struct forge_entry *forge_table_entry(const struct forge_table *table, uint32_t index);
volatile uint32_t *forge_table_bucket(const struct forge_table *table, uint64_t hash);

/* Take an entry for an address (or another key), not set yet; grows the table if it is full. */
uint32_t forge_table_add(struct forge_table *table, uint64_t hash);
/* Give it back. Its opcode must be 0 already. */
void forge_table_delete(struct forge_table *table, uint64_t hash, uint32_t index);
/* Make it half as large again, elsewhere; what was the table is overwritten. */
void forge_table_grow(struct forge_table *table);
/* The same without growing, as no runtime does: for more moves than growing gives. */
void forge_table_move(struct forge_table *table);

/* Set a breakpoint on a byte: opcode first, then the trap. Returns its entry. */
uint32_t forge_table_set(struct forge_table *table, volatile BYTE *code);
/* Remove it: the code first, then the opcode, then the entry. */
void forge_table_clear(struct forge_table *table, uint32_t index);

#endif /* FORGE_TABLE_H */
