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

/* coreclr.chains: a number of failed proofs, or one of these. */
#define CHAINS_PROVEN (-1)
#define CHAINS_BAD 16

struct coreclr {
	struct cordbmem_coreclr info;
	uint64_t table_valid; /* address of g_patchTableValid */
	/* DebuggerPatchTable: where its members are */
	uint32_t entries_at;
	uint32_t count_at;
	/* DebuggerControllerPatch: its size, and where its members are */
	uint32_t entry_size;
	uint32_t address_at;
	uint32_t opcode_at;
	/* Members that no runtime publishes; known for some layouts. */
	bool chained; /* the table is CoreCLR's CHashTable, with links and buckets */
	bool keyed;   /* entries name Module and token, and their kind */
	/* Module: where the pointer to its path is; -1 if not known */
	int32_t module_path_at;

	_Atomic(int) chains;	     /* whether they may be relied on, see table_chains_proven */
	_Atomic(bool) attached_hint; /* a debugger was there at last; saves a read */
};

struct cordbmem_process;

/*
 * strip.c: replace what CoreCLR's breakpoints cover in the *got bytes of buffer, which were
 * read from address and have the registered patches masked already.
 *
 * "quiet" is a coreclr_quiet() from before the bytes were read; false is always right. *reread
 * becomes true if bytes of the range had to be read once more.
 *
 * Returns 0; or EIO with *got cut down to the bytes that can be vouched for; or
 * the errno of a failure that is not the address's.
 */
int coreclr_strip(struct cordbmem_process *process, struct coreclr *runtime, bool quiet,
		  uint64_t address, BYTE *buffer, size_t *got, bool *reread);

/*
 * Whether there surely is no debugger now. Worth asking before a long read only: if
 * that is so after it, too, its trap bytes need no look at all.
 */
bool coreclr_quiet(struct cordbmem_process *process, const struct coreclr *runtime, size_t size);

#endif /* CORDBMEM_SRC_CORECLR_H */
