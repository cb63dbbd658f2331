/* SPDX-License-Identifier: MIT */
/*
 * The oracle: the genuine ICorDebugProcess of a runtime's own libmscordbi.so, attached to the debuggee.
 *
 * A process can have one oracle in its life, the test one at a time. Breakpoints can be made, set and
 * removed only between oracle_stop and oracle_continue; reading works at any time and in any thread.
 */
#ifndef ORACLE_H
#define ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cordbmem/errors.h>
#include <cordbmem/types.h>

#include "runtime.h"

struct oracle;

struct breakpoint {
	struct com *object;
	CORDB_ADDRESS address;
};

/* Attaches and waits until all is told that is there. Ends the test with words when that fails. */
struct oracle *oracle_attach(pid_t pid, const struct runtime *runtime);

HRESULT oracle_stop(struct oracle *oracle);
HRESULT oracle_continue(struct oracle *oracle);

/*
 * Makes a breakpoint in a method of the debuggee's module, and sets it: at an offset in its native
 * code, where it stays; or at the begin of its MSIL, from where the runtime puts it into each new code
 * of the method at an address of its choice (so its address is 0 here).
 */
HRESULT oracle_break(struct oracle *oracle, uint32_t token, uint32_t offset,
		     struct breakpoint *breakpoint);
HRESULT oracle_break_msil(struct oracle *oracle, uint32_t token, struct breakpoint *breakpoint);

/* Removes it and sets it again. The debuggee writes to its code at once, or soon after. */
HRESULT oracle_deactivate(struct breakpoint *breakpoint);
HRESULT oracle_activate(struct breakpoint *breakpoint);

/* Where the native code of a method lies, as the genuine library says. */
HRESULT oracle_code(struct oracle *oracle, uint32_t token, CORDB_ADDRESS *address, uint32_t *size);

/* Where the image of the debuggee's module lies. */
HRESULT oracle_module(struct oracle *oracle, CORDB_ADDRESS *address, uint32_t *size);

/* The genuine ReadMemory. */
HRESULT oracle_read(struct oracle *oracle, CORDB_ADDRESS address, DWORD size, BYTE *buffer,
		    SIZE_T *read);

/* Breakpoints that the debuggee ran into so far; it went on from each by itself. */
unsigned long oracle_hits(struct oracle *oracle);

/* Has the library told that the debuggee exited? */
bool oracle_exited(struct oracle *oracle);

/* Leaves the debuggee to itself. It must run. The oracle is gone, its breakpoints too. */
HRESULT oracle_detach(struct oracle *oracle);

#endif
