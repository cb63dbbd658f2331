/* SPDX-License-Identifier: MIT */
/*
 * CoreCLR's DebuggerPatchTable in a live process.
 *
 * The table is an array of entries that grows (and then moves), with hash chains through it: a
 * bucket holds the index of the newest entry, an entry the index of the next. An entry
 * counts while its opcode is not 0. Freed entries keep their address.
 */
#ifndef CORDBMEM_SRC_TABLE_H
#define CORDBMEM_SRC_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "coreclr.h"
#include "raw.h"

#define TRAP 0xCC /* int3, what CoreCLR writes over code */

#define TABLE_NONE UINT32_MAX	     /* end of a chain, empty bucket */
#define TABLE_ENTRIES_MAX (1U << 17) /* beyond that it is not a table */
#define TABLE_BUCKETS_MAX (1U << 12) /* 1103 in all versions so far */
#define TABLE_CHAIN_MAX 64	     /* longer ones are not followed */
#define TABLE_HEADER_MAX 64U

struct table {
	uint64_t entries;
	uint32_t count;
	/* Where it is "chained": what no addition and no removal leaves as it was. */
	uint32_t free;	   /* m_iFree, the entry to be used next */
	uint64_t patch_id; /* m_patchId, of the patch that is added next */
};

/* A read of the header, for one's own raw_readv, and what it tells. */
struct table_header {
	BYTE bytes[TABLE_HEADER_MAX];
};
struct raw_read table_header_read(const struct coreclr *runtime, struct table_header *header);
/* False: that is no table, or not the one that was found. */
bool table_header_parse(const struct coreclr *runtime, const struct table_header *header,
			struct table *table);
/* Whether the entries are where they were; and whether the same are in use. */
static inline bool table_same(const struct table *a, const struct table *b)
{
	return a->entries == b->entries && a->count == b->count;
}
static inline bool table_unchanged(const struct table *a, const struct table *b)
{
	return table_same(a, b) && a->free == b->free && a->patch_id == b->patch_id;
}

/* What the header says of buckets; false: it is no CHashTable of this runtime's entries. */
bool table_is_chained(const struct coreclr *runtime, const struct table_header *header,
		      uint64_t *buckets, uint32_t *bucket_count);

/* In one word, for coreclr.table_guess; 0 if it does not fit. */
uint64_t table_pack(const struct table *table);
struct table table_unpack(uint64_t packed);

/* Both at once; 0, EIO unreadable, EPROTO no table, or another errno. */
int table_open(struct cordbmem_process *process, const struct coreclr *runtime,
	       struct table *table);

static inline uint32_t table_bucket_of(const struct coreclr *runtime, uint64_t address)
{
	/* HashAddress keeps the lower half. */
	return (uint32_t)address % runtime->bucket_count;
}

static inline uint64_t table_entry_at(const struct coreclr *runtime, const struct table *table,
				      uint32_t index)
{
	return table->entries + (uint64_t)index * runtime->entry_size;
}

/* What is read of an entry; opcode first, see table_entry_reads. */
struct table_entry {
	uint64_t opcode;
	BYTE head[ENTRY_HEAD_MAX];
};
#define TABLE_ENTRY_READS 2
void table_entry_reads(const struct coreclr *runtime, const struct table *table, uint32_t index,
		       struct table_entry *entry, struct raw_read reads[TABLE_ENTRY_READS]);
uint64_t table_entry_address(const struct coreclr *runtime, const struct table_entry *entry);
uint32_t table_entry_next(const struct table_entry *entry);
uint32_t table_entry_previous(const struct table_entry *entry);

/*
 * All entries, in a block of the caller's to free: one moment per entry, not
 * one for all. Returns as table_open.
 */
int table_read(struct cordbmem_process *process, const struct coreclr *runtime,
	       const struct table *table, BYTE **entries);

/* All buckets, of which there may be TABLE_BUCKETS_MAX. Returns as raw_read. */
int table_read_buckets(struct cordbmem_process *process, const struct coreclr *runtime,
		       uint32_t *buckets);
/* Whether the chains of a copy lead to that entry: then it is in use. */
bool table_leads_to(const struct coreclr *runtime, const BYTE *entries, uint32_t count,
		    const uint32_t *buckets, uint32_t index);

/*
 * Whether the chains lead to every entry that is in use, so that what they do not lead to is not
 * in the table. Proven once, as soon as there are entries; false until then.
 */
bool table_chains_proven(struct cordbmem_process *process, struct coreclr *runtime,
			 const struct table *table);

#endif /* CORDBMEM_SRC_TABLE_H */
