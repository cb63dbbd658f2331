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

#define TABLE_NONE UINT32_MAX	     /* end of a chain, empty bucket */
#define TABLE_ENTRIES_MAX (1U << 17) /* beyond that it is not a table */
#define TABLE_BUCKETS_MAX (1U << 12) /* 1103 in all versions so far */
#define TABLE_CHAIN_MAX 64	     /* longer ones are not followed */
#define TABLE_HEADER_MAX 64U

struct table {
	uint64_t entries;
	uint64_t buckets;
	uint32_t count;
	uint32_t bucket_count; /* 0 if it has no chains that are known */
};

/* A read of the header, for one's own raw_readv, and what it tells. */
struct table_header {
	uint32_t valid;
	BYTE bytes[TABLE_HEADER_MAX];
};
#define TABLE_HEADER_READS 2
void table_header_reads(const struct coreclr *runtime, struct table_header *header,
			struct raw_read reads[TABLE_HEADER_READS]);
/* False: that is no table. A table that is not valid (yet) is an empty one. */
bool table_header_parse(const struct coreclr *runtime, const struct table_header *header,
			struct table *table);
static inline bool table_same(const struct table *a, const struct table *b)
{
	return a->entries == b->entries && a->count == b->count && a->buckets == b->buckets &&
	       a->bucket_count == b->bucket_count;
}

/* Both at once; 0, EIO unreadable, EPROTO no table, or another errno. */
int table_open(struct cordbmem_process *process, const struct coreclr *runtime,
	       struct table *table);

static inline uint32_t table_bucket_of(const struct table *table, uint64_t address)
{
	/* HashAddress keeps the lower half. */
	return (uint32_t)address % table->bucket_count;
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

/*
 * All entries, in a block of the caller's to free: one moment per entry, not
 * one for all. Returns as table_open.
 */
int table_read(struct cordbmem_process *process, const struct coreclr *runtime,
	       const struct table *table, BYTE **entries);

/* All buckets; TABLE_BUCKETS_MAX words of room. Returns as table_open. */
int table_read_buckets(struct cordbmem_process *process, const struct table *table,
		       uint32_t *buckets);

/*
 * Whether the chains lead to every entry that is in use, so that what they do not lead to is not
 * in the table. Proven once, as soon as there are entries; false until then.
 */
bool table_chains_proven(struct cordbmem_process *process, struct coreclr *runtime,
			 const struct table *table);

#endif /* CORDBMEM_SRC_TABLE_H */
