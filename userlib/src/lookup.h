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

#define GROUP 256U /* traps looked up together */
#define SPAN 4096U /* bytes that they lie in */
#define FEW 16U	   /* traps that are worth a read each */

enum trap_state {
	TRAP_OPEN,
	TRAP_FOUND,  /* in the table, as "original" */
	TRAP_NATIVE, /* none of CoreCLR's */
	TRAP_CHANGED /* no trap byte any more */
};

struct trap {
	uint64_t address;
	BYTE *at;		  /* in the reader's buffer */
	uint64_t opcode;	  /* of its entry in a copy of the table */
	uint32_t index;		  /* entry to look at next, or TABLE_NONE */
	uint32_t previous, first; /* of the chain: the entry before that, and the head */
	enum trap_state state;
	BYTE original;
	bool sure;	     /* of original: it was found by a settled lookup */
	bool zero;	     /* the last lookup met an entry of it, in use, whose opcode is 0 */
	unsigned int zeroes; /* how many did */
};

struct group {
	struct trap traps[GROUP];
	unsigned int count;
	BYTE now[SPAN]; /* from the first trap on, as it was after the last lookup */
};

/* What one read of the library's caller may cost, and the table as it was seen last. */
struct lookup {
	struct cordbmem_process *process;
	struct coreclr *runtime;
	struct table table;
	bool known;    /* table says where the entries are */
	bool dated;    /* and which are in use */
	bool scan;     /* the next lookup is to be by a copy of all entries */
	bool chains;   /* the last lookup went by the chains */
	bool settled;  /* no patch was added or removed during the last lookup */
	long budget;   /* entries of chains that may still be looked at */
	long scans;    /* entries that scans may still read */
	long patience; /* lookups that may still be repeated because they did not settle */
};

unsigned int group_open(struct group *group, struct trap **open);

/* The read of the trap bytes themselves, for one's own raw_readv. */
struct raw_read group_read(struct group *group);
/* Traps whose byte is no trap byte any more become CHANGED, or NATIVE if it never was one. */
void group_look_again(struct lookup *lookup, struct group *group);

/*
 * Find the open traps in the table: FOUND, CHANGED, or still OPEN if they are not there. Returns 0;
 * EPROTO, EIO: the table cannot be made sense of; or another errno. What was found by a lookup that did
 * not settle counts only if it is the last one.
 *
 * A trap byte that is still there after a settled lookup by a copy that did not find it is none of
 * CoreCLR's: its patch would have been in the table all the time.
 *
 * An opcode of 0 stands for a free entry, but also for an instruction that begins with a byte of 0. The
 * chains tell them apart: they lead to entries in use only. A patch that is just being set or
 * removed looks the same for a moment; then the trap byte comes after the lookup, or goes.
 */
int lookup_guesses(struct lookup *lookup, struct group *group);
int lookup_table(struct lookup *lookup, struct group *group, bool last);

#endif /* CORDBMEM_SRC_LOOKUP_H */
