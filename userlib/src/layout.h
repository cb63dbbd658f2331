/* SPDX-License-Identifier: MIT */
/*
 * Where a CoreCLR has its patch table, by what it publishes about itself.
 */
#ifndef CORDBMEM_SRC_LAYOUT_H
#define CORDBMEM_SRC_LAYOUT_H

#include "coreclr.h"
#include "descriptor.h"

/* What the module exports; 0 and NULL for what it does not. */
struct exports {
	uint64_t dac_table; /* g_dacTable: addresses of the runtime's globals */
	uint64_t dac_table_size;
	const struct descriptor *descriptor;
};

/*
 * Fill in the runtime. Returns 0; EAGAIN: it has no debugger side (yet); ENOTSUP: it
 * is not known; EPROTO: it contradicts itself; or another errno. *why says the
 * last three in words: the end of a sentence that begins with "CoreCLR ".
 */
int layout_find(struct cordbmem_process *process, const struct exports *exports,
		struct coreclr *runtime, const char **why);

#endif /* CORDBMEM_SRC_LAYOUT_H */
