// SPDX-License-Identifier: MIT
/*
 * Looking up trap bytes in CoreCLR's patch table while that changes. Each pass reads what it needs,
 * then the table's header, then the trap bytes: if the header changed, what was read belongs to no
 * table, and if a trap byte is gone, its absence from the table says nothing.
 */
#include "lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define RESTARTS 64 /* while the table changes under a pass */
#define SMALL 8192U /* bytes of a table that is read as a whole at once */

unsigned int group_open(struct group *group, struct trap **open)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < group->count; i++) {
		if (group->traps[i].state == TRAP_OPEN)
			open[n++] = &group->traps[i];
	}
	return n;
}

unsigned int trap_byte_reads(struct trap **open, unsigned int count, struct raw_read *reads)
{
	for (unsigned int i = 0; i < count; i++) {
		/* What became unreadable is no trap byte either. */
		open[i]->now = 0;
		reads[i] = (struct raw_read){ .address = open[i]->address,
					      .buffer = &open[i]->now,
					      .size = 1 };
	}
	return count;
}

void traps_look_again(struct lookup *lookup, struct trap **open, unsigned int count)
{
	const struct patches *patches = &lookup->process->patches;

	for (unsigned int i = 0; i < count; i++) {
		struct trap *trap = open[i];
		BYTE shown = trap->now;

		if (trap->state != TRAP_OPEN || trap->now == TRAP)
			continue;
		/* A trap byte that a registered patch shows was never in memory. */
		if (!patches_mask(patches, patches_begin(patches), trap->address, &shown, 1))
			shown = trap->now;
		trap->state = shown == TRAP ? TRAP_NATIVE : TRAP_CHANGED;
	}
}

/* ---- guesses ------------------------------------------------------------ */

/* An entry's index and its opcode. */
#define GUESS(index, original) ((uint32_t)(index) << 8 | (original))

static _Atomic(uint32_t) *guess_for(struct coreclr *runtime, uint64_t address)
{
	uint64_t mixed = address * UINT64_C(0x9E3779B97F4A7C15);

	return &runtime->entry_guesses[mixed >> 32 & (ENTRY_GUESSES - 1)];
}

static void remember(struct lookup *lookup, const struct trap *trap)
{
	uint32_t guess = GUESS(trap->index, trap->original);
	_Atomic(uint32_t) *at = guess_for(lookup->runtime, trap->address);
	uint64_t table = table_pack(&lookup->table);

	/* Readers share these words, so they are written only when they change. */
	if (atomic_load_explicit(at, memory_order_relaxed) != guess)
		atomic_store_explicit(at, guess, memory_order_relaxed);
	if (atomic_load_explicit(&lookup->runtime->table_guess, memory_order_relaxed) != table)
		atomic_store_explicit(&lookup->runtime->table_guess, table, memory_order_relaxed);
}

/*
 * One pass for the traps that were found before, at the price of one read each. An entry is read in one
 * piece here, so address and opcode may be of different moments; they are taken only if they are
 * what they were when they had been read in order.
 */
int lookup_guesses(struct lookup *lookup, struct group *group)
{
	const struct coreclr *runtime = lookup->runtime;
	const uint32_t low =
		runtime->address_at < runtime->opcode_at ? runtime->address_at : runtime->opcode_at;
	const uint32_t high = runtime->address_at + runtime->opcode_at - low;
	BYTE pieces[GROUP][ENTRY_HEAD_MAX];
	struct raw_read reads[GROUP + 1];
	struct trap *guessed[GROUP];
	struct table_header header;
	uint64_t packed = atomic_load_explicit(&runtime->table_guess, memory_order_relaxed);
	unsigned int n = 0;
	struct table table;
	int err;

	if (!packed || high + 8 - low > ENTRY_HEAD_MAX)
		return 0;
	lookup->table = table_unpack(packed);
	lookup->known = true;
	for (unsigned int i = 0; i < group->count; i++) {
		struct trap *trap = &group->traps[i];
		uint32_t guess = atomic_load_explicit(guess_for(lookup->runtime, trap->address),
						      memory_order_relaxed);

		if (!guess || guess >> 8 >= lookup->table.count)
			continue;
		trap->index = guess >> 8;
		trap->original = (BYTE)guess;
		reads[n] = (struct raw_read){
			.address = table_entry_at(runtime, &lookup->table, trap->index) + low,
			.buffer = pieces[n],
			.size = high + 8 - low,
		};
		guessed[n++] = trap;
	}
	if (!n)
		return 0;
	reads[n] = table_header_read(runtime, &header);
	err = raw_readv(lookup->process, reads, n + 1);
	if (err)
		return err;
	if (reads[n].got != reads[n].size || !table_header_parse(runtime, &header, &table) ||
	    !table_same(&table, &lookup->table)) {
		lookup->known = false;
		return 0;
	}
	for (unsigned int i = 0; i < n; i++) {
		uint64_t address, opcode;

		if (reads[i].got != reads[i].size)
			continue;
		memcpy(&address, pieces[i] + runtime->address_at - low, sizeof(address));
		memcpy(&opcode, pieces[i] + runtime->opcode_at - low, sizeof(opcode));
		if (address == guessed[i]->address && opcode &&
		    (BYTE)opcode == guessed[i]->original)
			guessed[i]->state = TRAP_FOUND;
	}
	return 0;
}

/* ---- the table ---------------------------------------------------------- */

/*
 * Read what is wanted, then the header, then the trap bytes. EAGAIN if the table changed:
 * what was read belongs to none.
 */
static int read_table(struct lookup *lookup, struct raw_read *reads, unsigned int wanted,
		      struct trap **open, unsigned int count)
{
	struct table_header header;
	struct table table;
	int err;

	reads[wanted] = table_header_read(lookup->runtime, &header);
	trap_byte_reads(open, count, reads + wanted + 1);
	err = raw_readv(lookup->process, reads, wanted + 1 + count);
	if (err)
		return err;
	if (reads[wanted].got != reads[wanted].size)
		return EIO;
	if (!table_header_parse(lookup->runtime, &header, &table))
		return EPROTO;
	if (!table_same(&table, &lookup->table)) {
		lookup->table = table;
		return EAGAIN;
	}
	for (unsigned int i = 0; i < wanted; i++) {
		if (reads[i].got != reads[i].size)
			return EIO;
	}
	return 0;
}

/* What an entry says of a trap. False: it is not the trap's. */
static bool take_entry(struct lookup *lookup, const struct table_entry *entry, struct trap *trap)
{
	if (table_entry_address(lookup->runtime, entry) != trap->address)
		return false;
	if (!entry->opcode) {
		trap->zero = true;
		return false;
	}
	trap->state = TRAP_FOUND;
	trap->original = (BYTE)entry->opcode;
	remember(lookup, trap);
	return true;
}

/* Look at the entry of each trap, and go on to the next of its chain. */
static int read_entries(struct lookup *lookup, struct trap **open, unsigned int count, bool chained)
{
	struct raw_read reads[GROUP * (TABLE_ENTRY_READS + 1) + 1];
	struct table_entry entries[GROUP];
	struct trap *walking[GROUP];
	unsigned int n = 0, walkers = 0;
	int err;

	for (unsigned int i = 0; i < count; i++) {
		if (open[i]->index == TABLE_NONE)
			continue;
		if (open[i]->index >= lookup->table.count)
			return EPROTO;
		table_entry_reads(lookup->runtime, &lookup->table, open[i]->index,
				  &entries[walkers], reads + n);
		n += TABLE_ENTRY_READS;
		walking[walkers++] = open[i];
	}
	lookup->budget -= walkers;
	if (lookup->budget < 0)
		return EPROTO;
	err = read_table(lookup, reads, n, open, count);
	for (unsigned int i = 0; i < walkers && !err; i++) {
		if (!take_entry(lookup, &entries[i], walking[i]))
			walking[i]->index = chained ? table_entry_next(&entries[i]) : TABLE_NONE;
	}
	return err;
}

static bool any_walking(struct trap **open, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (open[i]->index != TABLE_NONE)
			return true;
	}
	return false;
}

/* By the hash chains. */
static int pass_chains(struct lookup *lookup, struct group *group)
{
	struct raw_read reads[2 * GROUP + 1];
	struct trap *open[GROUP];
	unsigned int count = group_open(group, open);
	int err;

	for (unsigned int i = 0; i < count; i++) {
		uint64_t bucket = table_bucket_of(lookup->runtime, open[i]->address);

		open[i]->zero = false;
		reads[i] = (struct raw_read){ .address = lookup->runtime->buckets + 4 * bucket,
					      .buffer = &open[i]->index,
					      .size = sizeof(open[i]->index) };
	}
	err = read_table(lookup, reads, count, open, count);
	for (int level = 0; level < TABLE_CHAIN_MAX && !err; level++) {
		count = group_open(group, open);
		if (!any_walking(open, count)) {
			traps_look_again(lookup, open, count);
			return 0;
		}
		err = read_entries(lookup, open, count, true);
	}
	return err ? err : EPROTO;
}

static bool any_zero(const struct group *group)
{
	for (unsigned int i = 0; i < group->count; i++) {
		if (group->traps[i].state == TRAP_OPEN && group->traps[i].zero)
			return true;
	}
	return false;
}

/* By reading all entries: for small tables, and where chains cannot be trusted. */
static int pass_scan(struct lookup *lookup, struct group *group)
{
	const struct coreclr *runtime = lookup->runtime;
	const size_t size = (size_t)lookup->table.count * runtime->entry_size;
	struct raw_read reads[GROUP + 2];
	struct trap *open[GROUP];
	unsigned int count = group_open(group, open);
	BYTE small[SMALL], *block = size > SMALL ? malloc(size) : small;
	int err;

	if (!block)
		return ENOMEM;
	reads[0] = (struct raw_read){ .address = lookup->table.entries,
				      .buffer = block,
				      .size = (uint32_t)size };
	err = read_table(lookup, reads, 1, open, count);
	for (unsigned int i = 0; i < count; i++)
		open[i]->zero = false;
	for (unsigned int i = 0; i < count && !err; i++)
		open[i]->index =
			table_search(runtime, block, lookup->table.count, open[i]->address);
	if (block != small)
		free(block);
	/* What was there is read once more, in order; what has no opcode, by its chain. */
	if (!err && any_walking(open, count))
		err = read_entries(lookup, open, count, false);
	if (!err)
		traps_look_again(lookup, open, count);
	if (!err && any_zero(group)) {
		if (runtime->chained)
			return pass_chains(lookup, group);
		for (unsigned int i = 0; i < count; i++)
			open[i]->zero = false;
	}
	return err;
}

static bool by_chains(struct lookup *lookup)
{
	struct coreclr *runtime = lookup->runtime;

	if ((size_t)lookup->table.count * runtime->entry_size <= SMALL)
		return false;
	/* To prove them takes a scan, too. */
	if (atomic_load_explicit(&runtime->chains, memory_order_relaxed) != CHAINS_PROVEN)
		lookup->scans -= lookup->table.count;
	return lookup->scans >= 0 && table_chains_proven(lookup->process, runtime, &lookup->table);
}

int lookup_table(struct lookup *lookup, struct group *group)
{
	int err = lookup->known ? EAGAIN : EPROTO;

	for (int i = 0; i < RESTARTS && (err == EAGAIN || err == EPROTO || err == EIO); i++) {
		/* A table that is being replaced may look like none for a moment. */
		if (err != EAGAIN)
			err = table_open(lookup->process, lookup->runtime, &lookup->table);
		if (err && err != EAGAIN)
			continue;
		lookup->known = true;
		if (i < RESTARTS / 2 && by_chains(lookup)) {
			err = pass_chains(lookup, group);
			continue;
		}
		lookup->scans -= lookup->table.count;
		if (lookup->scans < 0)
			return EPROTO;
		err = pass_scan(lookup, group);
	}
	for (unsigned int i = 0; i < group->count && !err; i++)
		group->traps[i].zeroes += group->traps[i].zero;
	return err;
}
