/* SPDX-License-Identifier: MIT */
/*
 * DebuggerIPCRuntimeOffsets: what a CoreCLR tells the right side of its debugger
 * about its patch table.
 */
#ifndef CORDBMEM_SRC_PUBLISHED_H
#define CORDBMEM_SRC_PUBLISHED_H

#include <stdint.h>

struct cordbmem_process;

struct published {
	uint64_t table;	      /* m_pPatches */
	uint64_t table_valid; /* m_pPatchTableValid */
	uint32_t entries_at;  /* m_offRgData */
	uint32_t count_at;    /* m_offCData */
	uint32_t entry_size;  /* m_cbPatch */
	uint32_t address_at;  /* m_offAddr */
	uint32_t opcode_at;   /* m_offOpcode */
};

/*
 * All return 0; ENOENT: that leads nowhere; EAGAIN: there is a place for it, and nothing there yet;
 * ENOTSUP: what is there is not known; or the errno of a failure that is not the address's.
 */

/* From a DebuggerIPCControlBlock, the DCB. */
int published_from_dcb(struct cordbmem_process *process, uint64_t dcb, struct published *published);
/* From a Debugger, by looking for what can be its DCB. */
int published_from_debugger(struct cordbmem_process *process, uint64_t debugger,
			    struct published *published);

#endif /* CORDBMEM_SRC_PUBLISHED_H */
