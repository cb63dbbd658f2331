/* SPDX-License-Identifier: MIT */
/*
 * A handle as the COM object that debuggers know: ICorDebugProcess to read through, and
 * the data targets that libmscordbi and libmscordaccore read through.
 *
 *	struct cordbmem_process *process;
 *	ICorDebugProcess *debuggee;
 *
 *	if (FAILED(cordbmem_process_open(pid, NULL, &process, NULL)))
 *		return;
 *	cordbmem_process_find_coreclr(process, 0, NULL, NULL); // hide breakpoints
 *	if (FAILED(cordbmem_com_create(process, &IID_ICorDebugProcess, (void **)&debuggee))) {
 *		cordbmem_process_free(process);
 *		return;
 *	}
 *	debuggee->ReadMemory(address, 64, bytes, &got);
 *	debuggee->Release(); // the process, too
 *
 * Layout, IIDs and codes are those of cordebug.idl and clrdata.idl (dotnet/runtime,
 * src/coreclr/inc) under the System V calling convention: an interface pointer points to a
 * pointer to a table of functions, which take the interface pointer first. So
 * a C++ debugger includes CoreCLR's cordebug.h and clrdata.h, and uses
 * the objects as what those headers declare. This header defines none of their
 * names and may be included with them. Without them, use the structs below,
 * whose members are the slots in their order.
 *
 * Rules that hold for every interface:
 *
 * - One object has them all, and QueryInterface leads from each to each. Equal IUnknown
 *   pointers mean the same object.
 * - Any thread may call anything at any time, as long as it holds a reference. Only
 *   AddRef, Release, QueryInterface, GetID and what asks for a constant work on a neutered
 *   object (the handle closed, or its process noticed to be gone); all else returns
 *   CORDBG_E_OBJECT_NEUTERED.
 * - What a reader cannot do returns E_NOTIMPL. Then the interface pointers and
 *   handles among the outputs are NULL, and no other output is written.
 * - A missing output, where it is not optional, is E_INVALIDARG, as libmscordbi has it; for
 *   QueryInterface it is E_POINTER.
 */
#ifndef CORDBMEM_COM_H
#define CORDBMEM_COM_H

#include <stdint.h>

#include <cordbmem/cordbmem.h>

#ifdef __cplusplus
extern "C" {
#endif

/**
 * struct cordbmem_guid - a GUID, as the PAL's GUID lies in memory
 * @data1: first group
 * @data2: second group
 * @data3: third group
 * @data4: the last two groups, byte by byte
 */
struct cordbmem_guid {
	uint32_t data1;
	uint16_t data2;
	uint16_t data3;
	uint8_t data4[8];
};

/* Initialisers of a struct cordbmem_guid, or of a GUID: the interfaces that an object has. */
/* clang-format off */
#define CORDBMEM_IID_IUNKNOWN \
	{ 0x00000000, 0x0000, 0x0000, { 0xc0, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x46 } }
#define CORDBMEM_IID_ICORDEBUGCONTROLLER \
	{ 0x3d6f5f62, 0x7538, 0x11d3, { 0x8d, 0x5b, 0x00, 0x10, 0x4b, 0x35, 0xe7, 0xef } }
#define CORDBMEM_IID_ICORDEBUGPROCESS \
	{ 0x3d6f5f64, 0x7538, 0x11d3, { 0x8d, 0x5b, 0x00, 0x10, 0x4b, 0x35, 0xe7, 0xef } }
#define CORDBMEM_IID_ICORDEBUGPROCESS2 \
	{ 0xad1b3588, 0x0ef0, 0x4744, { 0xa4, 0x96, 0xaa, 0x09, 0xa9, 0xf8, 0x03, 0x71 } }
#define CORDBMEM_IID_ICORDEBUGDATATARGET \
	{ 0xfe06dc28, 0x49fb, 0x4636, { 0xa4, 0xa3, 0xe8, 0x0d, 0xb4, 0xae, 0x11, 0x6c } }
#define CORDBMEM_IID_ICLRDATATARGET \
	{ 0x3e11ccee, 0xd08b, 0x43e5, { 0xaf, 0x01, 0x32, 0x71, 0x7a, 0x64, 0xda, 0x03 } }
#define CORDBMEM_IID_ICLRRUNTIMELOCATOR \
	{ 0xb760bf44, 0x9377, 0x4597, { 0x8b, 0xe7, 0x58, 0x08, 0x3b, 0xdc, 0x51, 0x46 } }
/* clang-format on */

/**
 * cordbmem_com_create() - make a handle a COM object
 * @process:	handle; on success it belongs to the object, and the last Release
 *		frees it. Until then it can be used as before: what is hidden from its
 *		reads, patches or with cordbmem_process_find_coreclr all breakpoints of
 *		CoreCLR, is hidden from those of the object
 * @iid:	the interface to return: 16 bytes, a struct cordbmem_guid or a GUID
 * @object:	out: the interface, with one reference; NULL on failure
 *
 * A handle becomes an object once. cordbmem_process_close may be called
 * on it afterwards, cordbmem_process_free may not.
 *
 * Return: S_OK; E_POINTER: no @object; E_INVALIDARG: no @process or @iid;
 * E_NOINTERFACE; E_OUTOFMEMORY. On failure @process stays the caller's.
 */
CORDBMEM_API HRESULT cordbmem_com_create(struct cordbmem_process *process, const void *iid,
					 void **object);

/* ---- the tables -------------------------------------------------------- */

/*
 * DWORD stands for DWORD, ULONG, ULONG32 and UINT, int for BOOL, LONG and enums, uint16_t for
 * WCHAR; the interface pointers among the outputs are void *.
 */

/* clang-format off */

/* Slots 0 to 2 of every interface; the counts returned are those after the call. */
#define CORDBMEM_IUNKNOWN_SLOTS \
	HRESULT (*QueryInterface)(void *self, const void *iid, void **out); \
	DWORD (*AddRef)(void *self); \
	DWORD (*Release)(void *self)

/* Slots 0 to 12 of ICorDebugController and ICorDebugProcess. */
#define CORDBMEM_ICORDEBUGCONTROLLER_SLOTS \
	CORDBMEM_IUNKNOWN_SLOTS; \
	HRESULT (*Stop)(void *self, DWORD timeout); \
	HRESULT (*Continue)(void *self, int out_of_band); \
	HRESULT (*IsRunning)(void *self, int *running); \
	HRESULT (*HasQueuedCallbacks)(void *self, void *thread, int *queued); \
	HRESULT (*EnumerateThreads)(void *self, void **threads); \
	HRESULT (*SetAllThreadsDebugState)(void *self, int state, void *except); \
	HRESULT (*Detach)(void *self); \
	HRESULT (*Terminate)(void *self, DWORD exit_code); \
	HRESULT (*CanCommitChanges)(void *self, DWORD count, void **snapshots, void **error); \
	HRESULT (*CommitChanges)(void *self, DWORD count, void **snapshots, void **error)

/** struct cordbmem_iunknown - IUnknown */
struct cordbmem_iunknown {
	const struct cordbmem_iunknown_vtable {
		CORDBMEM_IUNKNOWN_SLOTS;
	} *vtable;
};

/**
 * struct cordbmem_icordebugcontroller - ICorDebugController
 *
 * The target is not controlled: nothing here stops, continues or ends it.
 *
 * * IsRunning: TRUE as long as the process exists, for it is never stopped by us;
 *   CORDBG_E_PROCESS_TERMINATED when this call notices its end
 * * HasQueuedCallbacks: FALSE, there are no callbacks
 * * Detach: cordbmem_process_close; the object is neutered, whoever else uses
 *   it, and the target does not notice. CORDBG_E_PROCESS_TERMINATED when this call notices
 *   that the process is gone
 * * the others: E_NOTIMPL
 */
struct cordbmem_icordebugcontroller {
	const struct cordbmem_icordebugcontroller_vtable {
		CORDBMEM_ICORDEBUGCONTROLLER_SLOTS;
	} *vtable;
};

/**
 * struct cordbmem_icordebugprocess - ICorDebugProcess
 *
 * * GetID: cordbmem_process_pid; works on a neutered object, as libmscordbi's does
 * * ReadMemory: cordbmem_ReadMemory
 * * the others: E_NOTIMPL
 */
struct cordbmem_icordebugprocess {
	const struct cordbmem_icordebugprocess_vtable {
		CORDBMEM_ICORDEBUGCONTROLLER_SLOTS;
		HRESULT (*GetID)(void *self, DWORD *pid);
		HRESULT (*GetHandle)(void *self, void **handle);
		HRESULT (*GetThread)(void *self, DWORD thread_id, void **thread);
		HRESULT (*EnumerateObjects)(void *self, void **objects);
		HRESULT (*IsTransitionStub)(void *self, CORDB_ADDRESS address, int *stub);
		HRESULT (*IsOSSuspended)(void *self, DWORD thread_id, int *suspended);
		HRESULT (*GetThreadContext)(void *self, DWORD thread_id, DWORD size, BYTE *context);
		HRESULT (*SetThreadContext)(void *self, DWORD thread_id, DWORD size, BYTE *context);
		HRESULT (*ReadMemory)(void *self, CORDB_ADDRESS address, DWORD size, BYTE *buffer,
				      SIZE_T *read);
		HRESULT (*WriteMemory)(void *self, CORDB_ADDRESS address, DWORD size, BYTE *buffer,
				       SIZE_T *written);
		HRESULT (*ClearCurrentException)(void *self, DWORD thread_id);
		HRESULT (*EnableLogMessages)(void *self, int on);
		HRESULT (*ModifyLogSwitch)(void *self, uint16_t *name, int level);
		HRESULT (*EnumerateAppDomains)(void *self, void **domains);
		HRESULT (*GetObject)(void *self, void **value);
		HRESULT (*ThreadForFiberCookie)(void *self, DWORD cookie, void **thread);
		HRESULT (*GetHelperThreadID)(void *self, DWORD *thread_id);
	} *vtable;
};

/** struct cordbmem_cor_version - COR_VERSION */
struct cordbmem_cor_version {
	DWORD major;
	DWORD minor;
	DWORD build;
	DWORD sub_build;
};

/**
 * struct cordbmem_icordebugprocess2 - ICorDebugProcess2
 *
 * All E_NOTIMPL, and so are Set- and ClearUnmanagedBreakpoint of libmscordbi on Linux.
 */
struct cordbmem_icordebugprocess2 {
	const struct cordbmem_icordebugprocess2_vtable {
		CORDBMEM_IUNKNOWN_SLOTS;
		HRESULT (*GetThreadForTaskID)(void *self, uint64_t task, void **thread);
		HRESULT (*GetVersion)(void *self, struct cordbmem_cor_version *version);
		HRESULT (*SetUnmanagedBreakpoint)(void *self, CORDB_ADDRESS address, DWORD size,
						  BYTE *buffer, DWORD *length);
		HRESULT (*ClearUnmanagedBreakpoint)(void *self, CORDB_ADDRESS address);
		HRESULT (*SetDesiredNGENCompilerFlags)(void *self, DWORD flags);
		HRESULT (*GetDesiredNGENCompilerFlags)(void *self, DWORD *flags);
		HRESULT (*GetReferenceValueFromGCHandle)(void *self, uint64_t handle, void **value);
	} *vtable;
};

/* CorDebugPlatform's values for Linux. */
#define CORDBMEM_PLATFORM_POSIX_AMD64 8
#define CORDBMEM_PLATFORM_POSIX_ARM64 11

/**
 * struct cordbmem_icordebugdatatarget - ICorDebugDataTarget, for OpenVirtualProcessImpl2
 *
 * * GetPlatform: a constant
 * * ReadVirtual: the bytes that cordbmem_ReadMemory reads, with breakpoints hidden, and
 *   its codes, but for these: at least one byte is success, *read says how
 *   many; address 0 is an address like any other; size 0 is S_OK; *read
 *   (NULL is allowed) is written in every case, 0 on failure
 * * GetThreadContext: E_NOTIMPL, for it takes a stopped thread; libmscordbi's own data target
 *   on Linux returns that too
 */
struct cordbmem_icordebugdatatarget {
	const struct cordbmem_icordebugdatatarget_vtable {
		CORDBMEM_IUNKNOWN_SLOTS;
		HRESULT (*GetPlatform)(void *self, int *platform);
		HRESULT (*ReadVirtual)(void *self, CORDB_ADDRESS address, BYTE *buffer, DWORD size,
				       DWORD *read);
		HRESULT (*GetThreadContext)(void *self, DWORD thread_id, DWORD flags, DWORD size,
					    BYTE *context);
	} *vtable;
};

/* IMAGE_FILE_MACHINE_*, as GetMachineType returns it. */
#define CORDBMEM_MACHINE_AMD64 0x8664
#define CORDBMEM_MACHINE_ARM64 0xaa64

/**
 * struct cordbmem_iclrdatatarget - ICLRDataTarget, for CLRDataCreateInstance
 *
 * * GetMachineType, GetPointerSize: constants
 * * GetImageBase: where the first byte of a loaded file is mapped. The name is its name or
 *   the end of its path, with the case that it has on Linux. CORDBMEM_E_NOT_FOUND
 *   when no file of that name is loaded, or more than one
 * * ReadVirtual: as ICorDebugDataTarget's
 * * the others: E_NOTIMPL
 */
struct cordbmem_iclrdatatarget {
	const struct cordbmem_iclrdatatarget_vtable {
		CORDBMEM_IUNKNOWN_SLOTS;
		HRESULT (*GetMachineType)(void *self, DWORD *machine);
		HRESULT (*GetPointerSize)(void *self, DWORD *size);
		HRESULT (*GetImageBase)(void *self, const uint16_t *name, CORDB_ADDRESS *base);
		HRESULT (*ReadVirtual)(void *self, CORDB_ADDRESS address, BYTE *buffer, DWORD size,
				       DWORD *read);
		HRESULT (*WriteVirtual)(void *self, CORDB_ADDRESS address, BYTE *buffer, DWORD size,
					DWORD *written);
		HRESULT (*GetTLSValue)(void *self, DWORD thread_id, DWORD index,
				       CORDB_ADDRESS *value);
		HRESULT (*SetTLSValue)(void *self, DWORD thread_id, DWORD index,
				       CORDB_ADDRESS value);
		HRESULT (*GetCurrentThreadID)(void *self, DWORD *thread_id);
		HRESULT (*GetThreadContext)(void *self, DWORD thread_id, DWORD flags, DWORD size,
					    BYTE *context);
		HRESULT (*SetThreadContext)(void *self, DWORD thread_id, DWORD size, BYTE *context);
		HRESULT (*Request)(void *self, DWORD code, DWORD in_size, BYTE *in, DWORD out_size,
				   BYTE *out);
	} *vtable;
};

/**
 * struct cordbmem_iclrruntimelocator - ICLRRuntimeLocator
 *
 * * GetRuntimeBase: where the module that contains CoreCLR is mapped: libcoreclr.so, or the
 *   program itself when that is a single-file host. It is cordbmem_process_find_coreclr
 *   (cordbmem/coreclr.h) that finds it, with that function's codes, so CoreCLR's breakpoints are
 *   hidden from then on. libmscordaccore calls this first, and when it fails asks
 *   ICLRDataTarget for the base of libcoreclr.so
 */
struct cordbmem_iclrruntimelocator {
	const struct cordbmem_iclrruntimelocator_vtable {
		CORDBMEM_IUNKNOWN_SLOTS;
		HRESULT (*GetRuntimeBase)(void *self, CORDB_ADDRESS *base);
	} *vtable;
};

/* clang-format on */

#ifdef __cplusplus
}
#endif

#endif /* CORDBMEM_COM_H */
