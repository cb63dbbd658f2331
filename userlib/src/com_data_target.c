// SPDX-License-Identifier: MIT
/*
 * ICorDebugDataTarget: what libmscordbi reads a process through.
 */
#include "com_object.h"

#ifdef __x86_64__
#define PLATFORM CORDBMEM_PLATFORM_POSIX_AMD64
#else
#define PLATFORM CORDBMEM_PLATFORM_POSIX_ARM64
#endif

static HRESULT get_platform(void *self, int *platform)
{
	(void)self;
	if (!platform)
		return E_INVALIDARG;
	*platform = PLATFORM;
	return S_OK;
}

HRESULT com_read_virtual(void *self, CORDB_ADDRESS address, BYTE *buffer, DWORD size, DWORD *read)
{
	struct cordbmem_process *process = com_handle(self);
	size_t got = 0;
	HRESULT hr;

	if (!process_usable(process))
		hr = CORDBG_E_OBJECT_NEUTERED;
	else if (!size)
		hr = S_OK;
	else if (!buffer)
		hr = E_INVALIDARG;
	else
		hr = read_masked(process, address, buffer, size, &got);
	if (read)
		*read = (DWORD)got;
	return hr == CORDBMEM_E_PARTIAL_COPY ? S_OK : hr;
}

static HRESULT get_thread_context(void *self, DWORD thread_id, DWORD flags, DWORD size,
				  BYTE *context)
{
	(void)thread_id;
	(void)flags;
	(void)size;
	(void)context;
	return com_cannot(self, NULL);
}

const struct cordbmem_icordebugdatatarget_vtable com_data_target_table = {
	.QueryInterface = com_query_interface,
	.AddRef = com_add_ref,
	.Release = com_release,
	.GetPlatform = get_platform,
	.ReadVirtual = com_read_virtual,
	.GetThreadContext = get_thread_context,
};
