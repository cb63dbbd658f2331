/* SPDX-License-Identifier: MIT */
/*
 * Managed breakpoints of a live .NET process, as its runtime has them.
 *
 *	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;
 *
 *	if (SUCCEEDED(cordbmem_process_find_coreclr(process, 0, &runtime, NULL)))
 *		cordbmem_ReadMemory(process, address, size, bytes, &got);
 *
 * A debugger that is attached to a .NET process has CoreCLR write trap bytes into
 * code. CoreCLR keeps what it overwrote in a table of its own, which anybody who
 * may read the process can read too: neither a debugger nor the DAC is
 * needed, and nothing is stopped. docs/coreclr.md explains how the table is found.
 *
 * The conventions of cordbmem/cordbmem.h hold here.
 */
#ifndef CORDBMEM_CORECLR_H
#define CORDBMEM_CORECLR_H

#include <cordbmem/cordbmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * enum cordbmem_coreclr_source - where the layout of the table comes from
 * @CORDBMEM_CORECLR_OFFSETS:	the offsets that the runtime publishes for its debugger
 *				(DebuggerIPCRuntimeOffsets), found through its
 *				global pointers; .NET 9 and 10
 * @CORDBMEM_CORECLR_DESCRIPTOR: the same, found through the data contract
 *				descriptor; .NET 11 and later
 */
enum cordbmem_coreclr_source { CORDBMEM_CORECLR_OFFSETS = 1, CORDBMEM_CORECLR_DESCRIPTOR = 2 };

/**
 * struct cordbmem_coreclr - a CoreCLR that was found in a process
 * @size:	in: sizeof(struct cordbmem_coreclr)
 * @source:	enum cordbmem_coreclr_source
 * @base:	load address of the module: libcoreclr.so or a single-file host
 * @patch_table: address of the DebuggerPatchTable
 * @control_flags: address of g_CORDebuggerControlFlags, 0 if it is not known
 * @path:	the module's path as the process has it mapped, cut if longer.
 *		The process chose it: do not print it unescaped
 * @version:	what the runtime says of its version, "10.0.1226.42308" for
 *		instance; "" when it says nothing. The process's word, too
 */
struct cordbmem_coreclr {
	uint32_t size;
	uint32_t source;
	CORDB_ADDRESS base;
	CORDB_ADDRESS patch_table;
	CORDB_ADDRESS control_flags;
	char path[256];
	char version[64];
};

#define CORDBMEM_CORECLR_INIT                                                 \
	{                                                                     \
		(uint32_t)sizeof(struct cordbmem_coreclr), 0, 0, 0, 0, { 0 }, \
		{                                                             \
			0                                                     \
		}                                                             \
	}

/**
 * cordbmem_process_find_coreclr() - find CoreCLR and hide its breakpoints from now on
 * @process:	handle
 * @base:	where the module is loaded, or 0 to look through /proc/PID/maps.
 *		Needed only where that cannot be read
 * @runtime:	NULL, or filled when S_OK is returned
 * @error:	NULL, or filled with the reason
 *
 * After S_OK every read through the handle shows the original byte wherever CoreCLR has
 * put a breakpoint, whoever set it and when, until the handle is freed. The table is
 * looked up in the live process for each read that holds a trap byte (0xCC),
 * and only for those: the bytes are read first, the table after them, and again
 * both when they changed meanwhile. While no debugger is attached such a read costs
 * one more read of 4 bytes, and a second look at the trap bytes if the last such
 * read was more than 20 ms ago. Nothing of the table is relied on between reads.
 *
 * A byte is replaced only if it is a trap byte in memory and the table has the byte
 * that it replaced. Patches registered explicitly are hidden as well; where both
 * have a byte, the registered one is shown unless that is a trap byte itself.
 * If the table cannot be read or is none, the read ends in front of the trap
 * byte in question: CORDBMEM_E_PARTIAL_COPY or CORDBG_E_READVIRTUAL_FAILURE.
 *
 * All is read through the handle and checked before it is believed: what a process
 * forges costs a bounded number of reads and gives an error. Reads through the handle
 * take up to 96 KB of stack from now on. Calling again
 * after S_OK just fills @runtime. x86-64 only.
 *
 * Return:
 * * S_OK
 * * CORDBG_E_OBJECT_NEUTERED, CORDBG_E_PROCESS_TERMINATED, E_INVALIDARG
 * * CORDBG_E_NOT_CLR: there is no CoreCLR in the process, reason NO_RUNTIME; it may
 *   be loaded later
 * * CORDBG_E_NOTREADY: CoreCLR is there, but has not got as far as having a
 *   debugger side, reason RUNTIME_NOT_READY: call again later. It stays like
 *   that in a process started with DOTNET_EnableDiagnostics=0
 * * CORDBG_E_UNSUPPORTED_FORWARD_COMPAT: a CoreCLR that is not known, reason RUNTIME_UNKNOWN
 * * CORDBG_E_TARGET_INCONSISTENT: what the runtime publishes and what was found
 *   do not agree, reason RUNTIME_INCONSISTENT
 * * E_ACCESSDENIED: /proc/PID/maps may not be read; E_OUTOFMEMORY, E_FAIL
 */
CORDBMEM_API HRESULT cordbmem_process_find_coreclr(struct cordbmem_process *process,
						   CORDB_ADDRESS base,
						   struct cordbmem_coreclr *runtime,
						   struct cordbmem_error *error);

/**
 * cordbmem_process_debugger_attached() - is a managed debugger attached?
 * @process:	handle on which CoreCLR was found
 * @attached:	out: 1 if one is attached or about to be, else 0
 *
 * Return: S_OK; CORDBG_E_NOT_CLR before CoreCLR was found; E_NOTIMPL when the runtime does
 * not tell; else as cordbmem_ReadMemory.
 */
CORDBMEM_API HRESULT cordbmem_process_debugger_attached(struct cordbmem_process *process,
							int *attached);

/** enum cordbmem_breakpoint_kind - DebuggerPatchKind, as far as it can be told */
enum cordbmem_breakpoint_kind {
	CORDBMEM_BREAKPOINT_UNKNOWN = 0,
	CORDBMEM_BREAKPOINT_IL_PRIMARY,	      /* of a method as such; never in code */
	CORDBMEM_BREAKPOINT_IL_REPLICA,	      /* in one body of a method: a user's breakpoint */
	CORDBMEM_BREAKPOINT_NATIVE_MANAGED,   /* at a place in machine code: set so, or a step's */
	CORDBMEM_BREAKPOINT_NATIVE_UNMANAGED, /* in the runtime's own or other native code */
};

/**
 * struct cordbmem_breakpoint - a managed breakpoint that is set
 * @address:	of the trap byte
 * @module:	the runtime's Module of the method, for
 *		cordbmem_process_module_path; 0 if it cannot be told
 * @method:	mdMethodDef token of the method, 0 if it cannot be told
 * @kind:	enum cordbmem_breakpoint_kind
 * @original:	the byte that the trap replaced
 * @in_memory:	the byte that was at @address when the table was read: 0xCC, but for
 *		a moment while the breakpoint comes or goes
 * @reserved:	0
 */
struct cordbmem_breakpoint {
	CORDB_ADDRESS address;
	CORDB_ADDRESS module;
	uint32_t method;
	uint32_t kind;
	BYTE original;
	BYTE in_memory;
	BYTE reserved[6];
};

/**
 * cordbmem_process_list_breakpoints() - the managed breakpoints that are set, by address
 * @process:	handle on which CoreCLR was found
 * @list:	out: the first @capacity breakpoints; NULL is allowed when that is 0
 * @capacity:	length of @list
 * @count:	out: breakpoints that are set; may be more than @capacity
 *
 * The table as it stood at one moment, as far as a running process lets that be
 * seen: it is read again when it grew or moved meanwhile.
 *
 * Return: S_OK; CORDBG_E_NOT_CLR before CoreCLR was found; E_INVALIDARG;
 * CORDBG_E_TARGET_INCONSISTENT for a table that cannot be one; CORDBMEM_E_RETRY if it never
 * stood still; E_OUTOFMEMORY; CORDBG_E_OBJECT_NEUTERED, CORDBG_E_PROCESS_TERMINATED,
 * CORDBG_E_READVIRTUAL_FAILURE.
 */
CORDBMEM_API HRESULT cordbmem_process_list_breakpoints(struct cordbmem_process *process,
						       struct cordbmem_breakpoint *list,
						       size_t capacity, size_t *count);

/**
 * cordbmem_process_module_path() - the file of a module of the runtime
 * @process:	handle on which CoreCLR was found
 * @module:	from struct cordbmem_breakpoint
 * @buffer:	out: the path in UTF-8, always terminated; "" for a module without a
 *		file. The process's word: do not print it unescaped
 * @capacity:	bytes in @buffer, with the terminator; > 0
 *
 * Return: S_OK; CORDBMEM_E_MORE_DATA when it was cut; E_INVALIDARG; CORDBG_E_NOT_CLR;
 * E_NOTIMPL when the runtime does not say where a module keeps its path; else as
 * cordbmem_read_string16.
 */
CORDBMEM_API HRESULT cordbmem_process_module_path(struct cordbmem_process *process,
						  CORDB_ADDRESS module, char *buffer,
						  size_t capacity);

#ifdef __cplusplus
}
#endif

#endif /* CORDBMEM_CORECLR_H */
