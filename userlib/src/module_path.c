// SPDX-License-Identifier: MIT
/*
 * The file of a module of the runtime.
 */
#include <errno.h>

#include "coreclr.h"
#include "internal.h"
#include "raw.h"
#include "utf8.h"

#define PATH_UNITS 4096 /* PATH_MAX of the systems CoreCLR runs on */

HRESULT cordbmem_process_module_path(struct cordbmem_process *process, CORDB_ADDRESS module,
				     char *buffer, size_t capacity)
{
	const struct coreclr *runtime;
	uint16_t units[PATH_UNITS];
	size_t length, got = 0;
	uint64_t path;
	HRESULT hr;
	int err;

	if (!process)
		return E_INVALIDARG;
	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!buffer || !capacity || !module)
		return E_INVALIDARG;
	buffer[0] = 0;
	runtime = coreclr_of(process);
	if (!runtime)
		return CORDBG_E_NOT_CLR;
	if (runtime->module_path_at < 0)
		return E_NOTIMPL;
	err = raw_read(process, module + (uint32_t)runtime->module_path_at, &path, sizeof(path));
	if (err)
		return read_result(process, err, &got);
	if (!path)
		return S_OK;
	hr = cordbmem_read_string16(process, path, units, PATH_UNITS, &length);
	if (FAILED(hr) && hr != CORDBMEM_E_MORE_DATA && hr != CORDBMEM_E_PARTIAL_COPY)
		return hr;
	return utf8_from_utf16(units, length, buffer, capacity) ? hr : CORDBMEM_E_MORE_DATA;
}
