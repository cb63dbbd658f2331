// SPDX-License-Identifier: MIT
/*
 * ICLRRuntimeLocator: where CoreCLR is.
 */
#include <cordbmem/coreclr.h>

#include "com_object.h"

static HRESULT get_runtime_base(void *self, CORDB_ADDRESS *base)
{
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;
	struct cordbmem_process *process = com_handle(self);
	HRESULT hr;

	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!base)
		return E_INVALIDARG;
	hr = cordbmem_process_find_coreclr(process, 0, &runtime, NULL);
	if (SUCCEEDED(hr))
		*base = runtime.base;
	return hr;
}

const struct cordbmem_iclrruntimelocator_vtable com_locator_table = {
	.QueryInterface = com_query_interface,
	.AddRef = com_add_ref,
	.Release = com_release,
	.GetRuntimeBase = get_runtime_base,
};
