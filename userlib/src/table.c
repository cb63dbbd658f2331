// SPDX-License-Identifier: MIT
/*
 * Reading CoreCLR's patch table. Layout: src/coreclr/debug/ee/controller.h and
 * src/coreclr/inc/utilcode.h of dotnet/runtime; its numbers come from the runtime.
 */
#include "table.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* CHashTable, of which DebuggerPatchTable is made, where it is "chained". */
#define CHASH_ENTRY_SIZE 0x10
#define CHASH_BUCKET_COUNT 0x14
#define CHASH_BUCKETS 0x18
#define CHASH_FREE 0x20
#define CHASH_END 0x28
#define PATCH_ID CHASH_END /* DebuggerPatchTable::m_patchId */
#define PATCH_ID_END (PATCH_ID + 8)
#define HASHENTRY_PREVIOUS 0
#define HASHENTRY_NEXT 4

struct raw_read table_header_read(const struct coreclr *runtime, struct table_header *header)
{
	uint32_t size = runtime->chained ? PATCH_ID_END : 0;

	if (size < runtime->entries_at + 8)
		size = runtime->entries_at + 8;
	if (size < runtime->count_at + 4)
		size = runtime->count_at + 4;
	return (struct raw_read){ .address = runtime->info.patch_table,
				  .buffer = header->bytes,
				  .size = size };
}

bool table_header_parse(const struct coreclr *runtime, const struct table_header *header,
			struct table *table)
{
	const BYTE *bytes = header->bytes;

	*table = (struct table){
		.entries = load64(bytes + runtime->entries_at),
		.count = load32(bytes + runtime->count_at),
	};
	if (table->count > TABLE_ENTRIES_MAX || (table->count && !table->entries) ||
	    table->entries > UINT64_MAX - (uint64_t)TABLE_ENTRIES_MAX * runtime->entry_size)
		return false;
	if (!runtime->chained)
		return true;
	table->free = load32(bytes + CHASH_FREE);
	table->patch_id = load64(bytes + PATCH_ID);
	return load32(bytes + CHASH_ENTRY_SIZE) == runtime->entry_size &&
	       load32(bytes + CHASH_BUCKET_COUNT) == runtime->bucket_count &&
	       load64(bytes + CHASH_BUCKETS) == runtime->buckets;
}

bool table_is_chained(const struct coreclr *runtime, const struct table_header *header,
		      uint64_t *buckets, uint32_t *bucket_count)
{
	*buckets = load64(header->bytes + CHASH_BUCKETS);
	*bucket_count = load32(header->bytes + CHASH_BUCKET_COUNT);
	return *buckets && *buckets < UINT64_MAX / 2 && *bucket_count &&
	       *bucket_count <= TABLE_BUCKETS_MAX &&
	       load32(header->bytes + CHASH_ENTRY_SIZE) == runtime->entry_size;
}

/* 17 bits of count, and the rest of the address: all of user space where entries are aligned. */
#define PACK_BITS 18
#define PACK_SHIFT 3

uint64_t table_pack(const struct table *table)
{
	if (table->entries & ((1U << PACK_SHIFT) - 1) ||
	    table->entries >> (64 - PACK_BITS + PACK_SHIFT))
		return 0;
	return table->entries >> PACK_SHIFT << PACK_BITS | table->count;
}

struct table table_unpack(uint64_t packed)
{
	return (struct table){ .entries = packed >> PACK_BITS << PACK_SHIFT,
			       .count = packed & ((1U << PACK_BITS) - 1) };
}

int table_open(struct cordbmem_process *process, const struct coreclr *runtime, struct table *table)
{
	struct table_header header;
	struct raw_read read = table_header_read(runtime, &header);
	int err = raw_readv_whole(process, &read, 1);

	if (!err && !table_header_parse(runtime, &header, table))
		err = EPROTO;
	return err;
}

/*
 * The opcode is read before the address. A slot that is given to another patch gets its
 * address first and its opcode last, so an opcode that goes with the address found
 * after it belongs to that address.
 */
void table_entry_reads(const struct coreclr *runtime, const struct table *table, uint32_t index,
		       struct table_entry *entry, struct raw_read reads[TABLE_ENTRY_READS])
{
	uint64_t at = table_entry_at(runtime, table, index);

	reads[0] = (struct raw_read){ .address = at + runtime->opcode_at,
				      .buffer = &entry->opcode,
				      .size = sizeof(entry->opcode) };
	reads[1] = (struct raw_read){ .address = at,
				      .buffer = entry->head,
				      .size = runtime->address_at + 8 };
}

uint64_t table_entry_address(const struct coreclr *runtime, const struct table_entry *entry)
{
	return load64(entry->head + runtime->address_at);
}

uint32_t table_entry_previous(const struct table_entry *entry)
{
	return load32(entry->head + HASHENTRY_PREVIOUS);
}

uint32_t table_entry_next(const struct table_entry *entry)
{
	return load32(entry->head + HASHENTRY_NEXT);
}

int table_read(struct cordbmem_process *process, const struct coreclr *runtime,
	       const struct table *table, BYTE **entries)
{
	const size_t size = (size_t)table->count * runtime->entry_size;
	BYTE *block = malloc(size ? size : 1);
	int err;

	*entries = NULL;
	if (!block)
		return ENOMEM;
	err = raw_read(process, table->entries, block, (uint32_t)size);
	if (err)
		free(block);
	else
		*entries = block;
	return err;
}

int table_read_buckets(struct cordbmem_process *process, const struct coreclr *runtime,
		       uint32_t *buckets)
{
	return raw_read(process, runtime->buckets, buckets,
			runtime->bucket_count * (uint32_t)sizeof(*buckets));
}

bool table_leads_to(const struct coreclr *runtime, const BYTE *entries, uint32_t count,
		    const uint32_t *buckets, uint32_t index)
{
	const BYTE *entry = entries + (size_t)index * runtime->entry_size;
	uint32_t at = buckets[table_bucket_of(runtime, load64(entry + runtime->address_at))];

	for (int steps = 0; at < count && steps < TABLE_CHAIN_MAX; steps++) {
		if (at == index)
			return true;
		at = load32(entries + (size_t)at * runtime->entry_size + HASHENTRY_NEXT);
	}
	return false;
}

/* 1 proven, 0 nothing to prove it by, -1 it did not come true. */
static int prove_chains(const struct coreclr *runtime, const struct table *table,
			const BYTE *entries, const uint32_t *buckets)
{
	int proven = 0;

	for (uint32_t i = 0; i < table->count; i++) {
		const BYTE *entry = entries + (size_t)i * runtime->entry_size;

		if (!load64(entry + runtime->opcode_at) || !load64(entry + runtime->address_at))
			continue;
		if (!table_leads_to(runtime, entries, table->count, buckets, i))
			return -1;
		proven = 1;
	}
	return proven;
}

bool table_chains_proven(struct cordbmem_process *process, struct coreclr *runtime,
			 const struct table *table)
{
	uint32_t buckets[TABLE_BUCKETS_MAX];
	int chains = atomic_load_explicit(&runtime->chains, memory_order_relaxed);
	struct table after;
	BYTE *entries;
	int proof = 0;

	if (chains == CHAINS_PROVEN)
		return true;
	if (chains >= CHAINS_BAD || !runtime->chained)
		return false;
	if (table_read(process, runtime, table, &entries))
		return false;
	/* It changes as it is read: a failure may be chance, success is not. */
	if (!table_read_buckets(process, runtime, buckets) &&
	    !table_open(process, runtime, &after) && table_same(table, &after))
		proof = prove_chains(runtime, table, entries, buckets);
	free(entries);
	if (proof > 0)
		atomic_store_explicit(&runtime->chains, CHAINS_PROVEN, memory_order_relaxed);
	else if (proof < 0)
		atomic_compare_exchange_strong(&runtime->chains, &chains, chains + 1);
	return proof > 0;
}
