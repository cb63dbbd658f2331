// SPDX-License-Identifier: MIT
/*
 * ICorDebugProcess2 of a process that is only read.
 */
#include "com_object.h"

/* GetThreadForTaskID and GetReferenceValueFromGCHandle */
static HRESULT from_number(void *self, uint64_t number, void **out)
{
	(void)number;
	return com_cannot(self, out);
}

static HRESULT get_version(void *self, struct cordbmem_cor_version *version)
{
	(void)version;
	return com_cannot(self, NULL);
}

static HRESULT set_unmanaged_breakpoint(void *self, CORDB_ADDRESS address, DWORD size, BYTE *buffer,
					DWORD *length)
{
	(void)address;
	(void)size;
	(void)buffer;
	(void)length;
	return com_cannot(self, NULL);
}

static HRESULT clear_unmanaged_breakpoint(void *self, CORDB_ADDRESS address)
{
	(void)address;
	return com_cannot(self, NULL);
}

static HRESULT set_desired_flags(void *self, DWORD flags)
{
	(void)flags;
	return com_cannot(self, NULL);
}

static HRESULT get_desired_flags(void *self, DWORD *flags)
{
	(void)flags;
	return com_cannot(self, NULL);
}

const struct cordbmem_icordebugprocess2_vtable com_process2_table = {
	.QueryInterface = com_query_interface,
	.AddRef = com_add_ref,
	.Release = com_release,
	.GetThreadForTaskID = from_number,
	.GetVersion = get_version,
	.SetUnmanagedBreakpoint = set_unmanaged_breakpoint,
	.ClearUnmanagedBreakpoint = clear_unmanaged_breakpoint,
	.SetDesiredNGENCompilerFlags = set_desired_flags,
	.GetDesiredNGENCompilerFlags = get_desired_flags,
	.GetReferenceValueFromGCHandle = from_number,
};
