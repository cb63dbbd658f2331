// SPDX-License-Identifier: MIT
/*
 * Removing CoreCLR's breakpoints from bytes that were read.
 *
 * Only a trap byte can be a breakpoint, so a read without one needs nothing, and for the others
 * the table is asked after the bytes were read. CoreCLR saves the opcode in the table before it
 * writes the trap, and clears it after it has restored the code. Hence, for a trap byte:
 *
 * - in the table: its breakpoint; the saved byte is shown.
 * - not in the table, and still a trap byte after the lookup: either none of CoreCLR's, or a
 *   breakpoint that went and came again between the two. So that has to happen
 *   LOOKUPS times, each taking a microsecond or two, before the byte is taken for a native one.
 * - no trap byte any more: the word is read again, and everything starts over for it.
 *
 * Without a debugger there is nothing to look up. The control flags tell after the read that none is
 * attached, but one may have been while the bytes were read. So either there was none a moment before
 * the read either (no debugger comes, sets a breakpoint and goes within QUIET_TIME), or the trap bytes
 * are looked at once more: code is restored before a debugger is gone.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "internal.h"
#include "lookup.h"

#define LOOKUPS 2     /* see above */
#define WORD_TRIES 64 /* for a word that is a trap, no trap, a trap, ... */
#define WORD 8U
#define SCANS (1L << 22) /* entries; so that a forged table cannot keep a read for long */

#define QUIET_TIME UINT64_C(20000000) /* ns */
/* From here on it pays to ask before the read. */
#define QUIET_SIZE 4096

/* In ns, some ms late, for next to nothing. */
static uint64_t coarse_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static bool flags_attached(uint32_t flags)
{
	return flags & CONTROL_FLAGS_ATTACHED;
}

static void note_attached(struct coreclr *runtime, bool attached)
{
	if (atomic_load_explicit(&runtime->attached_guess, memory_order_relaxed) != attached)
		atomic_store_explicit(&runtime->attached_guess, attached, memory_order_relaxed);
}

/* There was no debugger at that time. */
static void note_quiet(struct coreclr *runtime, uint64_t when)
{
	uint64_t last = atomic_load_explicit(&runtime->quiet_at, memory_order_relaxed);

	note_attached(runtime, false);
	if (when - last > QUIET_TIME / 4)
		atomic_store_explicit(&runtime->quiet_at, when, memory_order_relaxed);
}

/* Is there a debugger? False, with no error, if there surely is none. */
static int ask_attached(struct lookup *lookup, bool *attached)
{
	uint32_t flags;
	int err;

	*attached = true;
	if (!lookup->runtime->info.control_flags)
		return 0;
	err = raw_read(lookup->process, lookup->runtime->info.control_flags, &flags, sizeof(flags));
	if (!err)
		*attached = flags_attached(flags);
	return err;
}

uint64_t coreclr_begin(struct cordbmem_process *process, struct coreclr *runtime, size_t size)
{
	uint64_t quiet_at = atomic_load_explicit(&runtime->quiet_at, memory_order_acquire);
	struct lookup lookup = { .process = process, .runtime = runtime };
	uint64_t now;
	bool attached;

	if (size < QUIET_SIZE)
		return quiet_at;
	now = coarse_now();
	if (now - quiet_at < QUIET_TIME / 2 || ask_attached(&lookup, &attached) || attached)
		return quiet_at;
	note_quiet(runtime, now);
	return now;
}

/* Without a debugger: the open traps are native if they are still trap bytes. */
static int look_again(struct lookup *lookup, struct group *group)
{
	struct raw_read reads[GROUP];
	struct trap *open[GROUP];
	unsigned int count = group_open(group, open);
	int err = raw_readv(lookup->process, reads, trap_byte_reads(open, count, reads));

	if (err)
		return err;
	traps_look_again(lookup, open, count);
	count = group_open(group, open);
	for (unsigned int i = 0; i < count; i++)
		open[i]->state = TRAP_NATIVE;
	return 0;
}

/* Find out what each trap byte of the group is. */
static int resolve(struct lookup *lookup, struct group *group)
{
	struct trap *open[GROUP];
	bool attached = true;
	int err = 0;

	if (atomic_load_explicit(&lookup->runtime->attached_guess, memory_order_relaxed))
		err = lookup_guesses(lookup, group);
	if (!err && group_open(group, open)) {
		uint64_t now = coarse_now();

		err = ask_attached(lookup, &attached);
		if (!err && !attached) {
			note_quiet(lookup->runtime, now);
			err = look_again(lookup, group);
		} else if (!err) {
			note_attached(lookup->runtime, true);
		}
	}
	for (int i = 0; i < LOOKUPS && !err && group_open(group, open); i++)
		err = lookup_table(lookup, group);
	for (unsigned int i = 0; i < group->count && !err; i++) {
		struct trap *trap = &group->traps[i];

		if (trap->state == TRAP_OPEN && trap->zeroes == LOOKUPS)
			*trap = (struct trap){ .at = trap->at, .state = TRAP_FOUND };
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
		group->traps[group->count++] = (struct trap){
			.address = address + (*at - 1),
			.at = trap,
			.index = TABLE_NONE,
		};
	}
}

/* Let the lookups of a group cost what chains of this table are long, and some. */
static void allow(struct lookup *lookup, const struct group *group)
{
	long chain = 16;

	if (lookup->known && lookup->runtime->bucket_count)
		chain += 8 * (long)(lookup->table.count / lookup->runtime->bucket_count);
	lookup->budget += (long)group->count * chain;
}

/* Read a word anew in which a trap byte came or went, until it is understood. */
static int refresh_word(struct lookup *lookup, uint64_t address, BYTE *buffer, size_t size)
{
	struct group group;

	for (int i = 0; i < WORD_TRIES; i++) {
		bool changed = false;
		size_t got, at = 0;
		int err = read_registered(lookup->process, address, buffer, size, &got);

		if (err)
			return err;
		collect(&group, address, buffer, size, &at);
		if (!group.count)
			return 0;
		allow(lookup, &group);
		err = resolve(lookup, &group);
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
static int refresh_changed(struct lookup *lookup, const struct group *group, uint64_t address,
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
		err = refresh_word(lookup, from, buffer + (from - address), (size_t)(to - from));
		if (err) {
			*got = (size_t)(from - address);
			return err == EPROTO || err == EAGAIN ? EIO : err;
		}
		done = to;
	}
	return 0;
}

/* Was there no debugger all the time, from a moment before the bytes were read until now? */
static bool was_quiet(struct lookup *lookup, uint64_t quiet_at)
{
	uint64_t now = coarse_now();
	bool attached;

	if (!quiet_at || now - quiet_at > QUIET_TIME || ask_attached(lookup, &attached) || attached)
		return false;
	note_quiet(lookup->runtime, now);
	return true;
}

int coreclr_strip(struct cordbmem_process *process, struct coreclr *runtime, uint64_t quiet_at,
		  uint64_t address, BYTE *buffer, size_t *got, bool *reread)
{
	struct lookup lookup = {
		.process = process, .runtime = runtime, .budget = 4096, .scans = SCANS
	};
	BYTE *first = memchr(buffer, TRAP, *got);
	struct group group;

	if (!first || was_quiet(&lookup, quiet_at))
		return 0;

	for (size_t at = (size_t)(first - buffer); at < *got;) {
		int err;

		collect(&group, address, buffer, *got, &at);
		if (!group.count)
			break;
		allow(&lookup, &group);
		err = resolve(&lookup, &group);
		if (err) {
			*got = (size_t)(group.traps[0].at - buffer);
			return err == EPROTO || err == EAGAIN ? EIO : err;
		}
		err = refresh_changed(&lookup, &group, address, buffer, got, reread);
		if (err)
			return err;
	}
	return 0;
}
