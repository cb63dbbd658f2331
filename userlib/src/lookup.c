// SPDX-License-Identifier: MIT
/*
 * Looking up trap bytes in CoreCLR's patch table while that changes. Each pass reads what it needs,
 * then the trap bytes, then the table's header. If the entries moved, what was read belongs to no
 * table; if a patch was added or removed, an absence from it says nothing; and neither does it if
 * the trap byte is gone.
 */
#include "lookup.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"

#define RESTARTS 64 /* while the table changes under a pass */
#define SMALL 8192U /* bytes of a table that is read as a whole, for each trap */

unsigned int group_open(struct group *group, struct trap **open)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < group->count; i++) {
		if (group->traps[i].state == TRAP_OPEN)
			open[n++] = &group->traps[i];
	}
	return n;
}

struct raw_read group_read(struct group *group)
{
	const uint64_t first = group->traps[0].address;
	const uint64_t last = group->traps[group->count - 1].address;

	/* What became unreadable is no trap byte either. */
	memset(group->now, 0, last - first + 1);
	return (struct raw_read){ .address = first,
				  .buffer = group->now,
				  .size = (uint32_t)(last - first) + 1 };
}

void group_look_again(struct lookup *lookup, struct group *group)
{
	const struct patches *patches = &lookup->process->patches;

	for (unsigned int i = 0; i < group->count; i++) {
		struct trap *trap = &group->traps[i];
		BYTE now = group->now[trap->address - group->traps[0].address], shown = now;

		if (trap->state != TRAP_OPEN || now == TRAP)
			continue;
		/* A trap byte that a registered patch shows was never in memory. */
		if (!patches_mask(patches, patches_begin(patches), trap->address, &shown, 1))
			shown = now;
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
	BYTE pieces[FEW][ENTRY_HEAD_MAX];
	struct raw_read reads[FEW + 1];
	struct trap *guessed[FEW];
	struct table_header header;
	uint64_t packed = atomic_load_explicit(&runtime->table_guess, memory_order_relaxed);
	unsigned int n = 0;
	struct table table;
	int err;

	if (!packed || group->count > FEW || high + 8 - low > ENTRY_HEAD_MAX)
		return 0;
	lookup->table = table_unpack(packed);
	lookup->known = true;
	lookup->dated = false;
	for (unsigned int i = 0; i < group->count; i++) {
		struct trap *trap = &group->traps[i];
		uint32_t guess = atomic_load_explicit(guess_for(lookup->runtime, trap->address),
						      memory_order_relaxed);

		if (trap->state != TRAP_OPEN || !guess || guess >> 8 >= lookup->table.count)
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
	lookup->table = table;
	lookup->dated = true;
	for (unsigned int i = 0; i < n; i++) {
		uint64_t address, opcode;

		if (reads[i].got != reads[i].size)
			continue;
		memcpy(&address, pieces[i] + runtime->address_at - low, sizeof(address));
		memcpy(&opcode, pieces[i] + runtime->opcode_at - low, sizeof(opcode));
		if (address == guessed[i]->address && opcode &&
		    (BYTE)opcode == guessed[i]->original) {
			guessed[i]->state = TRAP_FOUND;
			guessed[i]->sure = true;
		}
	}
	return 0;
}

/* ---- the table ---------------------------------------------------------- */

/*
 * Read what is wanted, then the trap bytes, then the header. EAGAIN if the entries moved:
 * what was read belongs to no table.
 */
static int read_table(struct lookup *lookup, struct raw_read *reads, unsigned int wanted,
		      struct group *group)
{
	struct table_header header;
	struct table table;
	bool same;
	int err;

	reads[wanted] = group_read(group);
	reads[wanted + 1] = table_header_read(lookup->runtime, &header);
	err = raw_readv(lookup->process, reads, wanted + 2);
	if (err)
		return err;
	if (reads[wanted + 1].got != reads[wanted + 1].size)
		return EIO;
	if (!table_header_parse(lookup->runtime, &header, &table))
		return EPROTO;
	same = table_same(&table, &lookup->table);
	lookup->settled &= lookup->dated && table_unchanged(&table, &lookup->table);
	lookup->table = table;
	lookup->dated = true;
	if (!same)
		return EAGAIN;
	for (unsigned int i = 0; i < wanted; i++) {
		if (reads[i].got != reads[i].size)
			return EIO;
	}
	return 0;
}

static void found(struct trap *trap, uint64_t opcode)
{
	trap->state = TRAP_FOUND;
	trap->original = (BYTE)opcode;
}

/* What an entry says of a trap. False: it is not the trap's, or it has no opcode. */
static bool take_entry(const struct coreclr *runtime, const struct table_entry *entry,
		       struct trap *trap)
{
	if (table_entry_address(runtime, entry) != trap->address)
		return false;
	if (!entry->opcode) {
		trap->zero = true;
		return false;
	}
	found(trap, entry->opcode);
	return true;
}

/* Reads of the heads of chains; returns count. */
static unsigned int head_reads(const struct lookup *lookup, struct trap **open, unsigned int count,
			       uint32_t *heads, struct raw_read *reads)
{
	for (unsigned int i = 0; i < count; i++) {
		uint64_t bucket = table_bucket_of(lookup->runtime, open[i]->address);

		reads[i] = (struct raw_read){ .address = lookup->runtime->buckets + 4 * bucket,
					      .buffer = &heads[i],
					      .size = sizeof(heads[i]) };
	}
	return count;
}

/*
 * Look at the next entry in the chain of each open trap; there are FEW.
 *
 * The runtime also moves entries from chain to chain without adding or removing any, as it binds a
 * patch to an address. Who stands on such an entry would go on in the wrong chain; so each has to
 * name the one before it, and the head of the chain has to stay what it was. Else ESTALE.
 */
static int walk(struct lookup *lookup, struct group *group, struct trap **open, unsigned int count)
{
	struct raw_read reads[FEW * (TABLE_ENTRY_READS + 1) + 2];
	struct table_entry entries[FEW];
	struct trap *walking[FEW];
	unsigned int n = 0, walkers = 0;
	uint32_t heads[FEW];
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
	n += head_reads(lookup, walking, walkers, heads, reads + n);
	err = read_table(lookup, reads, n, group);
	for (unsigned int i = 0; i < walkers && !err; i++) {
		struct trap *trap = walking[i];

		if (take_entry(lookup->runtime, &entries[i], trap))
			continue;
		if (table_entry_previous(&entries[i]) != trap->previous || heads[i] != trap->first)
			return ESTALE;
		trap->previous = trap->index;
		trap->index = table_entry_next(&entries[i]);
	}
	return err;
}

/* Look at one entry of each trap, wherever that is in its chain. */
static int look_at(struct lookup *lookup, struct group *group, struct trap **there,
		   unsigned int count)
{
	struct raw_read reads[FEW * TABLE_ENTRY_READS + 2];
	struct table_entry entries[FEW];
	int err;

	for (unsigned int i = 0; i < count; i++)
		table_entry_reads(lookup->runtime, &lookup->table, there[i]->index, &entries[i],
				  reads + i * TABLE_ENTRY_READS);
	err = read_table(lookup, reads, count * TABLE_ENTRY_READS, group);
	for (unsigned int i = 0; i < count && !err; i++)
		take_entry(lookup->runtime, &entries[i], there[i]);
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

/* By the hash chains, for FEW open traps at a time. */
static int walk_chains(struct lookup *lookup, struct group *group, struct trap **open,
		       unsigned int count)
{
	struct raw_read reads[FEW + 2];
	uint32_t heads[FEW];
	int err;

	head_reads(lookup, open, count, heads, reads);
	err = read_table(lookup, reads, count, group);
	for (unsigned int i = 0; i < count && !err; i++) {
		open[i]->zero = false;
		open[i]->previous = TABLE_NONE;
		open[i]->first = open[i]->index = heads[i];
	}
	for (int level = 0; level < TABLE_CHAIN_MAX && !err; level++) {
		unsigned int left = 0;

		for (unsigned int i = 0; i < count; i++) {
			if (open[i]->state == TRAP_OPEN)
				open[left++] = open[i];
		}
		count = left;
		if (!any_walking(open, count))
			return 0;
		err = walk(lookup, group, open, count);
	}
	return err ? err : EPROTO;
}

/* Entries that moved within the chains make a lookup worth nothing, but no failure. */
static int unless_stale(struct lookup *lookup, int err)
{
	if (err != ESTALE)
		return err;
	lookup->settled = false;
	return 0;
}

static int pass_chains(struct lookup *lookup, struct group *group)
{
	struct trap *open[GROUP];
	unsigned int count = group_open(group, open);
	int err = 0;

	for (unsigned int i = 0; i < count && !err; i += FEW)
		err = walk_chains(lookup, group, open + i, count - i < FEW ? count - i : FEW);
	err = unless_stale(lookup, err);
	if (!err)
		group_look_again(lookup, group);
	return err;
}

/* Traps of which a copy of the table has an entry without an opcode: freed, or of a byte of 0. */
static int pass_zeroes(struct lookup *lookup, struct group *group)
{
	struct trap *zero[GROUP];
	unsigned int count = 0;
	int err = 0;

	for (unsigned int i = 0; i < group->count; i++) {
		struct trap *trap = &group->traps[i];

		if (trap->state != TRAP_OPEN || !trap->zero)
			continue;
		trap->zero = false;
		if (lookup->runtime->chained)
			zero[count++] = trap;
	}
	for (unsigned int i = 0; i < count && !err; i += FEW)
		err = walk_chains(lookup, group, zero + i, count - i < FEW ? count - i : FEW);
	return unless_stale(lookup, err);
}

#define NO_TRAP UINT16_MAX

/* Which entries of a copy are for the open traps. */
static void search(struct lookup *lookup, struct group *group, const BYTE *entries)
{
	const struct coreclr *runtime = lookup->runtime;
	const uint64_t first = group->traps[0].address;
	const uint64_t span = group->traps[group->count - 1].address - first;
	uint16_t trap_at[SPAN];

	memset(trap_at, 0xff, sizeof(trap_at[0]) * (span + 1));
	for (unsigned int i = 0; i < group->count; i++) {
		struct trap *trap = &group->traps[i];

		trap->zero = false;
		trap->index = TABLE_NONE;
		if (trap->state == TRAP_OPEN)
			trap_at[trap->address - first] = (uint16_t)i;
	}
	for (uint32_t i = 0; i < lookup->table.count; i++) {
		const BYTE *entry = entries + (size_t)i * runtime->entry_size;
		const uint64_t address = load64(entry + runtime->address_at);
		struct trap *trap;

		if (address - first > span || trap_at[address - first] == NO_TRAP)
			continue;
		trap = &group->traps[trap_at[address - first]];
		if (trap->index != TABLE_NONE)
			continue;
		trap->opcode = load64(entry + runtime->opcode_at);
		if (trap->opcode)
			trap->index = i;
		else
			trap->zero = true;
	}
}

/*
 * Take what was found in a copy. If no patch was added or removed while that was made, it is of one
 * moment; else address and opcode may be of two patches, and are read once more, in order.
 */
static int take_copy(struct lookup *lookup, struct group *group)
{
	struct trap *there[GROUP];
	unsigned int count = 0;
	int err = 0;

	for (unsigned int i = 0; i < group->count; i++) {
		struct trap *trap = &group->traps[i];

		if (trap->state != TRAP_OPEN || trap->index == TABLE_NONE)
			continue;
		if (lookup->settled && lookup->runtime->chained)
			found(trap, trap->opcode);
		else
			there[count++] = trap;
	}
	for (unsigned int i = 0; i < count && !err; i += FEW)
		err = look_at(lookup, group, there + i, count - i < FEW ? count - i : FEW);
	return err;
}

/* By a copy of all entries: for many traps, and where chains cannot be trusted. */
static int pass_scan(struct lookup *lookup, struct group *group)
{
	const size_t size = (size_t)lookup->table.count * lookup->runtime->entry_size;
	BYTE small[SMALL], *block = size > SMALL ? malloc(size) : small;
	struct raw_read reads[3];
	int err;

	if (!block)
		return ENOMEM;
	reads[0] = (struct raw_read){ .address = lookup->table.entries,
				      .buffer = block,
				      .size = (uint32_t)size };
	lookup->scans -= lookup->table.count + 64L;
	err = lookup->scans < 0 ? EPROTO : read_table(lookup, reads, 1, group);
	if (!err)
		search(lookup, group, block);
	if (block != small)
		free(block);
	if (!err)
		err = take_copy(lookup, group);
	if (!err)
		err = pass_zeroes(lookup, group);
	if (!err)
		group_look_again(lookup, group);
	return err;
}

static bool by_chains(struct lookup *lookup, struct group *group)
{
	struct coreclr *runtime = lookup->runtime;

	/* A read costs what some thousand bytes more of another one do. */
	if (lookup->scan || group->count > FEW ||
	    (size_t)lookup->table.count * runtime->entry_size <= SMALL * group->count)
		return false;
	/* To prove them takes a scan, too. */
	if (atomic_load_explicit(&runtime->chains, memory_order_relaxed) != CHAINS_PROVEN)
		lookup->scans -= lookup->table.count;
	return lookup->scans >= 0 && table_chains_proven(lookup->process, runtime, &lookup->table);
}

static void forget_unsure(struct group *group)
{
	for (unsigned int i = 0; i < group->count; i++) {
		if (group->traps[i].state == TRAP_FOUND && !group->traps[i].sure)
			group->traps[i].state = TRAP_OPEN;
	}
}

int lookup_table(struct lookup *lookup, struct group *group, bool last)
{
	int err = lookup->known ? EAGAIN : EPROTO;

	for (int i = 0; i < RESTARTS && (err == EAGAIN || err == EPROTO || err == EIO); i++) {
		/* A table that is being replaced may look like none for a moment. */
		if (err != EAGAIN) {
			err = table_open(lookup->process, lookup->runtime, &lookup->table);
			lookup->known = lookup->dated = !err;
		}
		if (err && err != EAGAIN)
			continue;
		lookup->settled = true;
		/* What a pass found before it was given up is as doubtful as the rest of it. */
		forget_unsure(group);
		lookup->chains = i < RESTARTS / 2 && by_chains(lookup, group);
		if (lookup->chains)
			err = pass_chains(lookup, group);
		else
			err = pass_scan(lookup, group);
		if (lookup->scans < 0)
			return EPROTO;
	}
	for (unsigned int i = 0; i < group->count && !err; i++) {
		struct trap *trap = &group->traps[i];

		trap->zeroes += trap->zero && lookup->settled;
		if (trap->state != TRAP_FOUND || trap->sure)
			continue;
		/* The address of one patch with the opcode of another, perhaps. */
		trap->sure = lookup->settled;
		if (trap->sure)
			remember(lookup, trap);
		else if (!last)
			trap->state = TRAP_OPEN;
	}
	return err;
}
