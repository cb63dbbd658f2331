// SPDX-License-Identifier: MIT
/*
 * Removing CoreCLR's breakpoints from bytes that were read.
 *
 * Only a trap byte can be a breakpoint, so a read without one needs nothing, and for the others
 * the table is asked after the bytes were read. CoreCLR saves the opcode in the table before it
 * writes the trap, and clears it after it has restored the code. Hence, for a trap byte:
 *
 * - in the table: its breakpoint; the saved byte is shown.
 * - not in the table, and still a trap byte after the lookup: either nobody's of CoreCLR's, or a
 *   breakpoint that went and came again between the two. So that has to happen
 *   LOOKUPS times, each taking a microsecond or two, before the byte is taken for a native one.
 * - no trap byte any more: the word is read again, and everything starts over for it.
 *
 * Without a debugger (control flags) the first lookup is left out: code is restored
 * before a debugger is gone, so a trap byte that is still there after that is none of CoreCLR's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "table.h"

#define TRAP 0xCC     /* int3 */
#define GROUP 20U     /* traps looked up together: three elements each fit one READV */
#define LOOKUPS 2     /* see above */
#define RESTARTS 64   /* of a lookup, while the table changes under it */
#define WORD_TRIES 64 /* for a word that is a trap, no trap, a trap, ... */
#define WORD 8U
#define SCANS (1L << 22) /* entries; so that a forged table cannot keep a read for long */

/* From here on asking before the read is cheaper than looking at each trap byte. */
#define QUIET_SIZE 4096

enum trap_state {
	TRAP_OPEN,
	TRAP_FOUND,  /* in the table, as "original" */
	TRAP_NATIVE, /* none of CoreCLR's */
	TRAP_CHANGED /* no trap byte any more */
};

struct trap {
	uint64_t address;
	BYTE *at;	/* in the reader's buffer */
	uint32_t index; /* entry to look at next, or TABLE_NONE */
	enum trap_state state;
	BYTE original;
	BYTE now; /* as it was after the lookup */
};

struct strip {
	struct cordbmem_process *process;
	struct coreclr *runtime;
	struct table table;
	bool attached; /* and table is known */
	long budget;   /* entries of chains that may still be looked at */
	long scans;    /* entries that scans may still read */
};

struct group {
	struct trap traps[GROUP];
	unsigned int count;
};

static unsigned int open_traps(struct group *group, struct trap **open)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < group->count; i++) {
		if (group->traps[i].state == TRAP_OPEN)
			open[n++] = &group->traps[i];
	}
	return n;
}

static bool flags_attached(uint32_t flags)
{
	return flags & CONTROL_FLAGS_ATTACHED;
}

/* What a byte that was no trap byte when it was looked at again stands for. */
static void trap_gone(struct strip *strip, struct trap *trap)
{
	const struct patches *patches = &strip->process->patches;
	BYTE shown = trap->now;

	/* A trap byte that an explicit patch shows was never in memory. */
	if (!patches_mask(patches, patches_begin(patches), trap->address, &shown, 1))
		shown = trap->now;
	trap->state = shown == TRAP ? TRAP_NATIVE : TRAP_CHANGED;
}

static void look_again(struct strip *strip, struct trap **open, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++) {
		if (open[i]->state == TRAP_OPEN && open[i]->now != TRAP)
			trap_gone(strip, open[i]);
	}
}

static unsigned int byte_reads(struct trap **open, unsigned int count, struct raw_read *reads)
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

/* Is there a debugger? If so, what does its table look like? */
static int look_for_debugger(struct strip *strip, struct group *group)
{
	struct raw_read reads[1 + TABLE_HEADER_READS + GROUP];
	struct trap *open[GROUP];
	struct table_header header;
	unsigned int count = open_traps(group, open), n = 0;
	uint32_t flags = CONTROL_FLAGS_ATTACHED;
	bool hint = atomic_load_explicit(&strip->runtime->attached_hint, memory_order_relaxed);
	int err;

	if (strip->runtime->info.control_flags)
		reads[n++] = (struct raw_read){ .address = strip->runtime->info.control_flags,
						.buffer = &flags,
						.size = sizeof(flags) };
	if (!hint && n) {
		n += byte_reads(open, count, reads + n);
		err = raw_readv(strip->process, reads, n);
		if (err)
			return err;
		if (reads[0].got != sizeof(flags))
			return EIO;
		if (!flags_attached(flags)) {
			look_again(strip, open, count);
			for (unsigned int i = 0; i < count; i++) {
				if (open[i]->state == TRAP_OPEN)
					open[i]->state = TRAP_NATIVE;
			}
			return 0;
		}
		n = 0;
	}
	table_header_reads(strip->runtime, &header, reads + n);
	n += TABLE_HEADER_READS;
	err = raw_readv_whole(strip->process, reads, n);
	if (err)
		return err;
	if (hint != flags_attached(flags))
		atomic_store_explicit(&strip->runtime->attached_hint, flags_attached(flags),
				      memory_order_relaxed);
	/* The hint was wrong: the other way, with the trap bytes after the flags. */
	if (!flags_attached(flags))
		return EAGAIN;
	if (!table_header_parse(strip->runtime, &header, &strip->table))
		return EPROTO;
	strip->attached = true;
	return 0;
}

/*
 * Read what is wanted, then the header, then the trap bytes. EAGAIN if the table changed:
 * what was read belongs to none.
 */
static int read_table(struct strip *strip, struct raw_read *reads, unsigned int wanted,
		      struct trap **open, unsigned int count)
{
	struct table_header header;
	struct table table;
	unsigned int n = wanted;
	int err;

	table_header_reads(strip->runtime, &header, reads + n);
	n += TABLE_HEADER_READS;
	byte_reads(open, count, reads + n);
	err = raw_readv(strip->process, reads, n + count);
	if (err)
		return err;
	for (unsigned int i = wanted; i < n; i++) {
		if (reads[i].got != reads[i].size)
			return EIO;
	}
	if (!table_header_parse(strip->runtime, &header, &table))
		return EPROTO;
	if (!table_same(&table, &strip->table)) {
		strip->table = table;
		return EAGAIN;
	}
	for (unsigned int i = 0; i < wanted; i++) {
		if (reads[i].got != reads[i].size)
			return EIO;
	}
	return 0;
}

/* What an entry says of a trap. False: it is not the trap's. */
static bool take_entry(const struct strip *strip, const struct table_entry *entry,
		       struct trap *trap)
{
	if (!entry->opcode || table_entry_address(strip->runtime, entry) != trap->address)
		return false;
	trap->state = TRAP_FOUND;
	trap->original = (BYTE)entry->opcode;
	return true;
}

/* Look at the entry of each trap, and go on to the next of its chain. */
static int read_entries(struct strip *strip, struct trap **open, unsigned int count, bool chained)
{
	struct raw_read reads[GROUP * (TABLE_ENTRY_READS + 1) + TABLE_HEADER_READS];
	struct table_entry entries[GROUP];
	struct trap *walking[GROUP];
	unsigned int n = 0, walkers = 0;
	int err;

	for (unsigned int i = 0; i < count; i++) {
		if (open[i]->index == TABLE_NONE)
			continue;
		if (open[i]->index >= strip->table.count)
			return EPROTO;
		table_entry_reads(strip->runtime, &strip->table, open[i]->index, &entries[walkers],
				  reads + n);
		n += TABLE_ENTRY_READS;
		walking[walkers++] = open[i];
	}
	strip->budget -= walkers;
	if (strip->budget < 0)
		return EPROTO;
	err = read_table(strip, reads, n, open, count);
	for (unsigned int i = 0; i < walkers && !err; i++) {
		if (!take_entry(strip, &entries[i], walking[i]))
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

/* Look the open traps up by the hash chains. */
static int lookup_chains(struct strip *strip, struct group *group)
{
	struct raw_read reads[2 * GROUP + TABLE_HEADER_READS];
	struct trap *open[GROUP];
	unsigned int count = open_traps(group, open);
	const struct table *table = &strip->table;
	int err;

	for (unsigned int i = 0; i < count; i++) {
		uint64_t bucket = table_bucket_of(table, open[i]->address);

		reads[i] = (struct raw_read){ .address = table->buckets + 4 * bucket,
					      .buffer = &open[i]->index,
					      .size = sizeof(open[i]->index) };
	}
	err = read_table(strip, reads, count, open, count);
	for (int level = 0; level < TABLE_CHAIN_MAX && !err; level++) {
		count = open_traps(group, open);
		if (!any_walking(open, count)) {
			look_again(strip, open, count);
			return 0;
		}
		err = read_entries(strip, open, count, true);
	}
	return err ? err : EPROTO;
}

/* The entry that was given an address, used or freed. */
static uint32_t scan_for(const struct coreclr *runtime, const struct table *table,
			 const BYTE *entries, uint64_t address)
{
	uint32_t freed = TABLE_NONE;

	for (uint32_t i = 0; i < table->count; i++) {
		const BYTE *entry = entries + (size_t)i * runtime->entry_size;
		uint64_t at, opcode;

		memcpy(&at, entry + runtime->address_at, sizeof(at));
		if (at != address)
			continue;
		memcpy(&opcode, entry + runtime->opcode_at, sizeof(opcode));
		if (opcode)
			return i;
		freed = i;
	}
	return freed;
}

/* Look the open traps up by reading the whole table: slow, and without trust in chains. */
static int lookup_scan(struct strip *strip, struct group *group)
{
	struct trap *open[GROUP];
	unsigned int count = open_traps(group, open);
	BYTE *entries;
	int err = table_read(strip->process, strip->runtime, &strip->table, &entries);

	if (err) {
		struct table table;

		/* Was it read where it is no more? */
		if (err == EIO && !table_open(strip->process, strip->runtime, &table) &&
		    !table_same(&table, &strip->table)) {
			strip->table = table;
			err = EAGAIN;
		}
		return err;
	}
	for (unsigned int i = 0; i < count; i++)
		open[i]->index = scan_for(strip->runtime, &strip->table, entries, open[i]->address);
	free(entries);
	err = read_entries(strip, open, count, false);
	if (!err)
		look_again(strip, open, count);
	return err;
}

static bool chains_proven(struct strip *strip)
{
	/* To prove them takes a scan, too. */
	if (atomic_load_explicit(&strip->runtime->chains, memory_order_relaxed) != CHAINS_PROVEN)
		strip->scans -= strip->table.count;
	return strip->scans >= 0 &&
	       table_chains_proven(strip->process, strip->runtime, &strip->table);
}

static int lookup(struct strip *strip, struct group *group)
{
	int err = EAGAIN;

	for (int i = 0; i < RESTARTS && (err == EAGAIN || err == EPROTO || err == EIO); i++) {
		/* A table that is being replaced may look like none for a moment. */
		if (err != EAGAIN)
			table_open(strip->process, strip->runtime, &strip->table);
		if (i < RESTARTS / 2 && chains_proven(strip)) {
			err = lookup_chains(strip, group);
			continue;
		}
		strip->scans -= strip->table.count;
		if (strip->scans < 0)
			return EPROTO;
		err = lookup_scan(strip, group);
	}
	return err;
}

/* Find out what each trap byte of the group is. */
static int resolve(struct strip *strip, struct group *group)
{
	struct trap *open[GROUP];
	int err = 0;

	for (int i = 0; i < RESTARTS && !strip->attached; i++) {
		err = look_for_debugger(strip, group);
		if (err != EAGAIN && err != EPROTO)
			break;
	}
	if (err)
		return err;
	for (int i = 0; i < LOOKUPS && !err && open_traps(group, open); i++)
		err = lookup(strip, group);
	for (unsigned int i = 0; i < group->count && !err; i++) {
		struct trap *trap = &group->traps[i];

		if (trap->state == TRAP_OPEN)
			trap->state = TRAP_NATIVE;
		else if (trap->state == TRAP_FOUND)
			*trap->at = trap->original;
	}
	return err;
}

/* Take the trap bytes from *at on; *at moves behind them. */
static void collect(struct group *group, uint64_t address, BYTE *buffer, size_t size, size_t *at)
{
	group->count = 0;
	while (group->count < GROUP) {
		BYTE *trap = memchr(buffer + *at, TRAP, size - *at);

		if (!trap) {
			*at = size;
			return;
		}
		*at = (size_t)(trap - buffer) + 1;
		group->traps[group->count++] =
			(struct trap){ .address = address + (*at - 1), .at = trap };
	}
}

/* Read a word anew in which a trap byte came or went, until it is understood. */
static int refresh_word(struct strip *strip, uint64_t address, BYTE *buffer, size_t size)
{
	struct group group;

	for (int i = 0; i < WORD_TRIES; i++) {
		bool changed = false;
		size_t got, at = 0;
		int err = read_registered(strip->process, address, buffer, size, &got);

		if (err)
			return err;
		collect(&group, address, buffer, size, &at);
		if (!group.count)
			return 0;
		strip->budget += (long)group.count * 8;
		err = resolve(strip, &group);
		if (err)
			return err;
		for (unsigned int j = 0; j < group.count; j++)
			changed |= group.traps[j].state == TRAP_CHANGED;
		if (!changed)
			return 0;
	}
	return EIO;
}

/* The words of the group that changed. On failure *got says up to where all is well. */
static int refresh_changed(struct strip *strip, const struct group *group, uint64_t address,
			   BYTE *buffer, size_t *got, bool *reread)
{
	uint64_t end = address + *got, done = 0;

	for (unsigned int i = 0; i < group->count; i++) {
		const struct trap *trap = &group->traps[i];
		uint64_t from = trap->address & ~(uint64_t)(WORD - 1), to = from + WORD;
		int err;

		if (trap->state != TRAP_CHANGED || trap->address < done)
			continue;
		if (from < address)
			from = address;
		if (to > end)
			to = end;
		*reread = true;
		err = refresh_word(strip, from, buffer + (from - address), (size_t)(to - from));
		if (err) {
			*got = (size_t)(from - address);
			return err == EPROTO || err == EAGAIN ? EIO : err;
		}
		done = to;
	}
	return 0;
}

bool coreclr_quiet(struct cordbmem_process *process, const struct coreclr *runtime, size_t size)
{
	uint32_t flags;

	return size >= QUIET_SIZE && runtime->info.control_flags &&
	       !raw_read(process, runtime->info.control_flags, &flags, sizeof(flags)) &&
	       !flags_attached(flags);
}

int coreclr_strip(struct cordbmem_process *process, struct coreclr *runtime, bool quiet,
		  uint64_t address, BYTE *buffer, size_t *got, bool *reread)
{
	struct strip strip = {
		.process = process, .runtime = runtime, .budget = 4096, .scans = SCANS
	};
	struct group group;
	BYTE *first = memchr(buffer, TRAP, *got);
	size_t at;

	if (!first)
		return 0;
	if (quiet && coreclr_quiet(process, runtime, SIZE_MAX))
		return 0;

	for (at = (size_t)(first - buffer); at < *got;) {
		int err;

		collect(&group, address, buffer, *got, &at);
		if (!group.count)
			break;
		/* As many as chains of this table are long, and some. */
		strip.budget += (long)group.count * 16;
		if (strip.attached && strip.table.bucket_count)
			strip.budget += (long)group.count * 8 *
					(long)(strip.table.count / strip.table.bucket_count);
		err = resolve(&strip, &group);
		if (err) {
			*got = (size_t)(group.traps[0].at - buffer);
			return err == EPROTO || err == EAGAIN ? EIO : err;
		}
		err = refresh_changed(&strip, &group, address, buffer, got, reread);
		if (err)
			return err;
	}
	return 0;
}
