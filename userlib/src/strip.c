// SPDX-License-Identifier: MIT
/*
 * Removing CoreCLR's breakpoints from bytes that were read.
 *
 * Only a trap byte can be a breakpoint, so a read without one needs nothing, and for the others
 * the table is asked after the bytes were read. CoreCLR saves the opcode in the table before it
 * writes the trap, and clears it after it has restored the code. Hence, for a trap byte:
 *
 * - in the table: its breakpoint; the saved byte is shown.
 * - not in the table, and still a trap byte after the lookup, and no patch was added or removed
 *   meanwhile: it is none of CoreCLR's, and stays.
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

#define LOOKUPS 64    /* until no patch is added or removed during one */
#define PATIENCE 4096 /* further lookups of one read */
#define ZEROES 4      /* settled lookups that make an opcode of 0 one */
#define UNDATED 3     /* lookups, where additions cannot be told */
#define WORD_TRIES 64 /* for a word that is a trap, no trap, a trap, ... */
#define WORD 8U
/* Entries that a read, and each group, may scan: a forged table cannot keep a read for long. */
#define SCANS (1L << 22)
#define SCANS_MAX (1L << 16)

#define QUIET_TIME UINT64_C(20000000) /* ns */
/* From here on it pays to ask before the read. */
#define QUIET_SIZE 4096

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
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
static int ask_attached(struct cordbmem_process *process, const struct coreclr *runtime,
			bool *attached)
{
	uint32_t flags;
	int err;

	*attached = true;
	if (!runtime->info.control_flags)
		return 0;
	err = raw_read(process, runtime->info.control_flags, &flags, sizeof(flags));
	if (!err)
		*attached = flags_attached(flags);
	return err;
}

uint64_t coreclr_begin(struct cordbmem_process *process, struct coreclr *runtime, size_t size)
{
	uint64_t quiet_at = atomic_load_explicit(&runtime->quiet_at, memory_order_acquire);
	uint64_t now;
	bool attached;

	if (size < QUIET_SIZE)
		return quiet_at;
	now = now_ns();
	if (now - quiet_at < QUIET_TIME / 2 || ask_attached(process, runtime, &attached) ||
	    attached)
		return quiet_at;
	note_quiet(runtime, now);
	return now;
}

/*
 * Without a debugger: the open traps are native if they are still trap bytes, and there still is
 * none after that.
 */
static int look_again(struct lookup *lookup, struct group *group)
{
	uint32_t flags = 0;
	struct raw_read reads[2] = { group_read(group),
				     { .address = lookup->runtime->info.control_flags,
				       .buffer = &flags,
				       .size = sizeof(flags) } };
	struct trap *open[GROUP];
	unsigned int count;
	int err = raw_readv(lookup->process, reads, 2);

	if (err)
		return err;
	group_look_again(lookup, group);
	if (reads[1].got != sizeof(flags) || flags_attached(flags)) {
		note_attached(lookup->runtime, true);
		return 0;
	}
	count = group_open(group, open);
	for (unsigned int i = 0; i < count; i++)
		open[i]->state = TRAP_NATIVE;
	return 0;
}

/* What a settled lookup did not find is not there, unless it is of a byte of 0. */
static void settle(struct group *group)
{
	for (unsigned int i = 0; i < group->count; i++) {
		struct trap *trap = &group->traps[i];

		if (trap->state != TRAP_OPEN)
			continue;
		if (!trap->zero) {
			trap->state = TRAP_NATIVE;
		} else if (trap->zeroes >= ZEROES) {
			trap->state = TRAP_FOUND;
			trap->original = 0;
		}
	}
}

/*
 * Trap bytes that a registered patch shows. They can be CoreCLR's as well, but only where memory has
 * one, too.
 */
static int set_registered_aside(struct lookup *lookup, struct group *group)
{
	const struct patches *patches = &lookup->process->patches;

	for (unsigned int i = 0; i < group->count && patches_begin(patches); i++) {
		struct trap *trap = &group->traps[i];
		BYTE shown = 0, now = 0;
		int err;

		if (!patches_mask(patches, patches_begin(patches), trap->address, &shown, 1) ||
		    shown != TRAP)
			continue;
		err = raw_read(lookup->process, trap->address, &now, 1);
		if (err && err != EIO)
			return err;
		if (now != TRAP)
			trap->state = TRAP_NATIVE;
	}
	return 0;
}

/* Find out what each trap byte of the group is. */
static int resolve(struct lookup *lookup, struct group *group)
{
	struct trap *open[GROUP];
	bool attached = true;
	int settled = 0;
	int err = set_registered_aside(lookup, group);

	if (!err && atomic_load_explicit(&lookup->runtime->attached_guess, memory_order_relaxed))
		err = lookup_guesses(lookup, group);
	if (!err && group_open(group, open)) {
		uint64_t now = now_ns();

		err = ask_attached(lookup->process, lookup->runtime, &attached);
		if (!err && !attached) {
			note_quiet(lookup->runtime, now);
			err = look_again(lookup, group);
		} else if (!err) {
			note_attached(lookup->runtime, true);
		}
	}
	lookup->scan = false;
	for (int i = 0; i < LOOKUPS && !err && group_open(group, open); i++) {
		bool last = i + 1 == LOOKUPS || (i && lookup->patience <= 0);

		err = lookup_table(lookup, group, last);
		lookup->patience -= i > 0;
		/*
		 * The chains can only tell what is there: the runtime moves entries within and
		 * between them. Their places in the table stay.
		 */
		if (!err && !lookup->chains && lookup->settled &&
		    (lookup->runtime->chained || ++settled == UNDATED))
			settle(group);
		lookup->scan = true;
		if (last)
			break;
	}
	for (unsigned int i = 0; i < group->count && !err; i++) {
		struct trap *trap = &group->traps[i];

		if (trap->state == TRAP_OPEN)
			trap->state = TRAP_NATIVE;
		else if (trap->state == TRAP_FOUND)
			*trap->at = trap->original;
	}
	return err;
}

/* Take the trap bytes from *at on, of a SPAN; *at moves behind them. */
static void collect(struct group *group, uint64_t address, BYTE *buffer, size_t size, size_t *at)
{
	size_t end = size;

	group->count = 0;
	while (group->count < GROUP) {
		BYTE *trap = memchr(buffer + *at, TRAP, end - *at);

		if (!trap) {
			*at = end;
			if (group->count || end == size)
				return;
			end = size;
			continue;
		}
		*at = (size_t)(trap - buffer) + 1;
		group->traps[group->count++] = (struct trap){
			.address = address + (*at - 1),
			.at = trap,
			.index = TABLE_NONE,
		};
		if (group->count == 1 && size - *at >= SPAN)
			end = *at + SPAN - 1;
	}
}

/* Let the lookups of a group cost what they can with a table of this size, and some. */
static void allow(struct lookup *lookup, const struct group *group)
{
	long chain = 16, scans = 4096;

	if (lookup->known && lookup->runtime->bucket_count)
		chain += 8 * (long)(lookup->table.count / lookup->runtime->bucket_count);
	if (lookup->known && 8 * (long)lookup->table.count > scans)
		scans = 8 * (long)lookup->table.count;
	lookup->budget += (long)group->count * chain;
	lookup->scans += scans < SCANS_MAX ? scans : SCANS_MAX;
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
	uint64_t before = now_ns();
	bool attached;

	if (!quiet_at || before - quiet_at > QUIET_TIME ||
	    ask_attached(lookup->process, lookup->runtime, &attached) || attached)
		return false;
	note_quiet(lookup->runtime, before);
	/* Whoever was preempted meanwhile knows nothing of the time since. */
	return now_ns() - quiet_at <= QUIET_TIME;
}

int coreclr_strip(struct cordbmem_process *process, struct coreclr *runtime, uint64_t quiet_at,
		  uint64_t address, BYTE *buffer, size_t *got, bool *reread)
{
	struct lookup lookup = { .process = process,
				 .runtime = runtime,
				 .budget = 4096,
				 .scans = SCANS,
				 .patience = PATIENCE };
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
