// SPDX-License-Identifier: MIT
/*
 * CoreCLR's patch table, kept as CHashTableAndData and DebuggerController keep theirs; see
 * forge_table.h.
 */
#include "forge_table.h"

#include <err.h>
#include <string.h>

/* What freed memory is overwritten with; as an index or an address it leads nowhere. */
#define FREED 0xa5

void forge_table_init(struct forge_table *table, struct forge_header *header, uint32_t *buckets,
		      BYTE *arena, size_t arena_size, uint32_t entry_size)
{
	const uint32_t count = 17;

	*table = (struct forge_table){
		.header = header,
		.arena = arena,
		.arena_size = arena_size,
		.entry_size = entry_size,
	};
	memset(buckets, 0xff, FORGE_BUCKETS * sizeof(*buckets));
	memset(arena, FREED, arena_size);
	memset(arena, 0, count * entry_size);
	*header = (struct forge_header){
		.vtable = (uintptr_t)buckets,
		.entries = (uintptr_t)arena,
		.entry_size = entry_size,
		.bucket_count = FORGE_BUCKETS,
		.buckets = (uintptr_t)buckets,
		.count = count,
		.patch_id = 1,
	};
	for (uint32_t i = 0; i < count; i++)
		forge_table_entry(table, i)->next_free = i + 1 < count ? i + 1 : FORGE_NONE;
}

volatile struct forge_entry *forge_table_entry(const struct forge_table *table, uint32_t index)
{
	uint64_t at = table->header->entries + (uint64_t)index * table->entry_size;

	return (volatile struct forge_entry *)at;
}

volatile uint32_t *forge_table_bucket(const struct forge_table *table, uint64_t hash)
{
	return (volatile uint32_t *)table->header->buckets + (uint32_t)hash % FORGE_BUCKETS;
}

static void move(struct forge_table *table, uint32_t count)
{
	volatile struct forge_header *header = table->header;
	BYTE *old = (BYTE *)header->entries;
	const size_t size = (size_t)header->count * table->entry_size;
	const size_t new_size = (size_t)count * table->entry_size;
	BYTE *new = old + (size + 4095) / 4096 * 4096;

	if (new_size > (size_t)(table->arena + table->arena_size - new))
		new = table->arena;
	if (new + new_size > old &&new < old + size)
		errx(1, "there is no room to move the forged table");
	memcpy(new, old, size);
	memset(new + size, 0, new_size - size);
	/* Freed, and used by others, before the pointer is changed. */
	memset(old, FREED, 16);
	header->entries = (uintptr_t) new;
	memset(old, FREED, size);
	for (uint32_t i = header->count; i < count; i++)
		forge_table_entry(table, i)->next_free = i + 1 < count ? i + 1 : FORGE_NONE;
	if (count > header->count)
		header->free = header->count;
	header->count = count;
}

void forge_table_grow(struct forge_table *table)
{
	if (table->header->free != FORGE_NONE)
		errx(1, "a table that is not full does not grow");
	move(table, table->header->count * 3 / 2);
}

void forge_table_move(struct forge_table *table)
{
	move(table, table->header->count);
}

uint32_t forge_table_add(struct forge_table *table, uint64_t hash)
{
	volatile uint32_t *bucket = forge_table_bucket(table, hash);
	volatile struct forge_entry *entry;
	uint32_t index;

	if (table->header->free == FORGE_NONE)
		forge_table_grow(table);
	index = table->header->free;
	entry = forge_table_entry(table, index);
	table->header->free = entry->next_free;
	entry->previous = FORGE_NONE;
	entry->next = *bucket;
	if (*bucket != FORGE_NONE)
		forge_table_entry(table, *bucket)->previous = index;
	*bucket = index;
	table->header->patch_id++;
	return index;
}

void forge_table_delete(struct forge_table *table, uint64_t hash, uint32_t index)
{
	volatile struct forge_entry *entry = forge_table_entry(table, index);

	if (entry->previous == FORGE_NONE)
		*forge_table_bucket(table, hash) = entry->next;
	else
		forge_table_entry(table, entry->previous)->next = entry->next;
	if (entry->next != FORGE_NONE)
		forge_table_entry(table, entry->next)->previous = entry->previous;
	entry->next_free = table->header->free;
	table->header->free = index;
}

/* Another entry that is set for the address. */
static uint32_t find_other(const struct forge_table *table, uint64_t address, uint32_t not )
{
	uint32_t index = *forge_table_bucket(table, address);

	while (index != FORGE_NONE) {
		volatile struct forge_entry *entry = forge_table_entry(table, index);

		if (index != not &&entry->opcode && entry->address == address)
			return index;
		index = entry->next;
	}
	return FORGE_NONE;
}

uint32_t forge_table_set(struct forge_table *table, volatile BYTE *code)
{
	const uint64_t address = (uintptr_t)code;
	uint32_t index = forge_table_add(table, address), other;
	volatile struct forge_entry *entry = forge_table_entry(table, index);

	entry->address = address;
	entry->module = table->module;
	entry->method = 0x06000000 | (index + 1);
	entry->kind = 1;
	entry->trace_type = 3;
	other = find_other(table, address, index);
	if (other != FORGE_NONE) {
		entry->opcode = forge_table_entry(table, other)->opcode;
	} else {
		entry->opcode = *code;
		*code = FORGE_TRAP;
	}
	return index;
}

void forge_table_clear(struct forge_table *table, uint32_t index)
{
	volatile struct forge_entry *entry = forge_table_entry(table, index);
	const uint64_t address = entry->address;

	if (find_other(table, address, index) == FORGE_NONE)
		*(volatile BYTE *)address = (BYTE)entry->opcode;
	entry->opcode = 0;
	forge_table_delete(table, address, index);
}
