/* SPDX-License-Identifier: MIT */
/*
 * What the library knows of a CoreCLR that it found in a process.
 *
 * Everything in here was read from the target and checked once; it does not change
 * while the process lives, so readers share it without a lock.
 */
#ifndef CORDBMEM_SRC_CORECLR_H
#define CORDBMEM_SRC_CORECLR_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <cordbmem/coreclr.h>

/* DebuggerControlFlag: attached, and about to be. */
#define CONTROL_FLAGS_ATTACHED 0x300U

/* How long the part of an entry can be that has links and address. */
#define ENTRY_HEAD_MAX 128U

#define ENTRY_GUESSES 256U

/* coreclr.chains: a number of failed proofs, or one of these. */
#define CHAINS_PROVEN (-1)
#define CHAINS_BAD 16

struct coreclr {
	struct cordbmem_coreclr info;
	/* DebuggerPatchTable: where its members are */
	uint32_t entries_at;
	uint32_t count_at;
	/* DebuggerControllerPatch: its size, and where its members are */
	uint32_t entry_size;
	uint32_t address_at;
	uint32_t opcode_at;
	/* Members that no runtime publishes; known for some layouts. */
	bool chained; /* the table is CoreCLR's CHashTable, with links and buckets: */
	uint64_t buckets;
	uint32_t bucket_count; /* as buckets, for good; 0 if not chained */
	bool keyed;	       /* entries name Module and token, and their kind */
	/* Module: where the pointer to its path is; -1 if not known */
	int32_t module_path_at;

	_Atomic(int) chains; /* whether they may be relied on, see table_chains_proven */

	/*
	 * Guesses that save reads. Whatever they say is looked up in the process before it is
	 * used; a wrong one costs time.
	 */
	_Atomic(bool) attached_guess;			/* a debugger was there at last */
	_Atomic(uint64_t) table_guess;			/* see table_guess_of */
	_Atomic(uint32_t) entry_guesses[ENTRY_GUESSES]; /* by address, see lookup.c */

	/* When there surely was no debugger, in ns of coarse_now; 0: never. */
	_Atomic(uint64_t) quiet_at;
};

struct cordbmem_process;

/*
 * strip.c: to be called before the bytes are read. What it returns is for coreclr_strip: when
 * there was no debugger, as far as is known or, before a long read, can be found out.
 */
uint64_t coreclr_begin(struct cordbmem_process *process, struct coreclr *runtime, size_t size);

/*
 * Replace what CoreCLR's breakpoints cover in the *got bytes of buffer, which were
 * read from address since coreclr_begin and have the registered patches masked already. *reread
 * becomes true if bytes of the range had to be read once more.
 *
 * Returns 0; or EIO with *got cut down to the bytes that can be vouched for; or
 * the errno of a failure that is not the address's.
 */
int coreclr_strip(struct cordbmem_process *process, struct coreclr *runtime, uint64_t quiet_at,
		  uint64_t address, BYTE *buffer, size_t *got, bool *reread);

#endif /* CORDBMEM_SRC_CORECLR_H */
