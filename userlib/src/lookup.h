/* SPDX-License-Identifier: MIT */
/*
 * Looking up trap bytes in CoreCLR's patch table, several at once.
 */
#ifndef CORDBMEM_SRC_LOOKUP_H
#define CORDBMEM_SRC_LOOKUP_H

#include <stdbool.h>
#include <stdint.h>

#include "coreclr.h"
#include "table.h"

#define TRAP 0xCC /* int3 */
#define GROUP 20U /* traps looked up together */

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
	BYTE now;	     /* as it was after the lookup */
	bool zero;	     /* the last lookup met an entry of it, in use, whose opcode is 0 */
	unsigned int zeroes; /* how many did */
};

struct group {
	struct trap traps[GROUP];
	unsigned int count;
};

/* What one read of the library's caller may cost, and the table as it was seen last. */
struct lookup {
	struct cordbmem_process *process;
	struct coreclr *runtime;
	struct table table;
	bool known;  /* table is set */
	long budget; /* entries of chains that may still be looked at */
	long scans;  /* entries that scans may still read */
};

unsigned int group_open(struct group *group, struct trap **open);

/* Add the reads of the trap bytes themselves to a raw_readv; returns count. */
unsigned int trap_byte_reads(struct trap **open, unsigned int count, struct raw_read *reads);
/* Traps whose byte is no trap byte any more become CHANGED, or NATIVE if it never was one. */
void traps_look_again(struct lookup *lookup, struct trap **open, unsigned int count);

/*
 * An opcode of 0 stands for a free entry, but also for an instruction that begins with a byte of 0. The
 * chains tell them apart: they lead to entries in use only. A patch that is just being set or
 * removed looks the same for a moment, but not together with a trap byte that stays.
 *
 * Find the open traps in the table: FOUND, CHANGED, or still OPEN if they are not there. Returns 0;
 * EPROTO, EIO: the table cannot be made sense of; or another errno.
 */
int lookup_guesses(struct lookup *lookup, struct group *group);
int lookup_table(struct lookup *lookup, struct group *group);

#endif /* CORDBMEM_SRC_LOOKUP_H */
