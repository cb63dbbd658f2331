// SPDX-License-Identifier: MIT
/*
 * The functions of com_debugger.h. Slots and signatures are those of cordebug.idl and sospriv.idl in
 * dotnet/runtime, src/coreclr/inc, structs those of dacprivate.h there.
 */
#include <dlfcn.h>
#include <string.h>

#include <cordbmem/errors.h>

#include "com_debugger.h"
#include "support.h"

static void *symbol(const char *path, void **library, const char *name)
{
	void *address;

	if (!*library)
		*library = dlopen(path, RTLD_NOW);
	if (!*library)
		die("%s", dlerror());
	address = dlsym(*library, name);
	if (!address)
		die("%s has no %s", path, name);
	return address;
}

/* The loader of the PAL does this, which is not the one that loads it here; without it calls hang. */
static void attach_library(const char *path, void **library)
{
	int (*dll_main)(void *, DWORD, void *);

	*(void **)&dll_main = symbol(path, library, "DllMain");
	if (!dll_main(*library, 1, NULL))
		die("DllMain of %s", path);
}

static void widen(const char *text, uint16_t *wide, size_t capacity)
{
	size_t i = 0;

	for (; text[i] && i + 1 < capacity; i++)
		wide[i] = (unsigned char)text[i];
	wide[i] = 0;
}

static void narrow(const uint16_t *wide, char *text, uint32_t capacity)
{
	uint32_t i = 0;

	for (; wide[i] && i + 1 < capacity; i++)
		text[i] = (char)(wide[i] < 0x80 ? wide[i] : '?');
	text[i] = 0;
}

/* ---- libmscordbi ------------------------------------------------------- */

HRESULT dbi_open(const struct runtime *runtime, uint64_t base, void *data_target,
		 struct com **process)
{
	/* CLR_DEBUGGING_VERSION: of the struct, then what the debugger knows at most. */
	static const uint16_t version[5] = { 0, 4, 0, 0, 0 };
	static const struct guid iid = {
		0x3d6f5f64, 0x7538, 0x11d3, { 0x8d, 0x5b, 0x00, 0x10, 0x4b, 0x35, 0xe7, 0xef }
	};
	HRESULT(*open)
	(uint64_t, void *, const uint16_t *, const uint16_t *, const struct guid *, struct com **,
	 int *);
	void *library = NULL;
	uint16_t dac[1024];
	int flags;

	attach_library(runtime->dbi, &library);
	*(void **)&open = symbol(runtime->dbi, &library, "OpenVirtualProcessImpl2");
	widen(runtime->dac, dac, 1024);
	return open(base, data_target, dac, version, &iid, process, &flags);
}

/* ICorDebugEnum, whose last method each enumerator has by the name of Next */
HRESULT dbi_enumerate(struct com *enumerator, struct com **objects, uint32_t capacity,
		      uint32_t *count)
{
	return METHOD(enumerator, 7, struct com *, uint32_t, struct com **,
		      uint32_t *)(enumerator, capacity, objects, count);
}

/* A method that returns an enumerator, and that one's objects. */
static HRESULT enumerate(struct com *object, int slot, struct com **objects, uint32_t capacity,
			 uint32_t *count)
{
	struct com *enumerator = NULL;
	uint32_t said = 0;
	HRESULT hr;

	*count = 0;
	hr = METHOD(object, slot, struct com *, struct com **)(object, &enumerator);
	if (hr != S_OK)
		return hr;
	hr = METHOD(enumerator, 6, struct com *, uint32_t *)(enumerator, &said);
	if (hr == S_OK && said > capacity)
		die("%u objects", said);
	/* S_FALSE says that there were fewer than there was room for. */
	if (hr == S_OK && dbi_enumerate(enumerator, objects, capacity, count) < 0)
		hr = E_FAIL;
	com_release(enumerator);
	return hr == S_OK && *count != said ? E_FAIL : hr;
}

HRESULT dbi_domains(struct com *process, struct com **objects, uint32_t capacity, uint32_t *count)
{
	return enumerate(process, 26, objects, capacity, count);
}

HRESULT dbi_threads(struct com *process, struct com **objects, uint32_t capacity, uint32_t *count)
{
	return enumerate(process, 7, objects, capacity, count);
}

HRESULT dbi_assemblies(struct com *domain, struct com **objects, uint32_t capacity, uint32_t *count)
{
	return enumerate(domain, 14, objects, capacity, count);
}

static HRESULT get_name(struct com *object, int slot, char *name, uint32_t capacity)
{
	uint16_t wide[1024] = { 0 };
	uint32_t length;
	HRESULT hr;

	hr = METHOD(object, slot, struct com *, uint32_t, uint32_t *, uint16_t *)(object, 1024,
										  &length, wide);
	narrow(wide, name, capacity);
	return hr;
}

HRESULT dbi_domain_name(struct com *domain, char *name, uint32_t capacity)
{
	return get_name(domain, 19, name, capacity);
}

HRESULT dbi_assembly_name(struct com *assembly, char *name, uint32_t capacity)
{
	return get_name(assembly, 7, name, capacity);
}

HRESULT dbi_thread_id(struct com *thread, uint32_t *id)
{
	return METHOD(thread, 4, struct com *, uint32_t *)(thread, id);
}

/* ---- libmscordaccore --------------------------------------------------- */

HRESULT dac_open(const struct runtime *runtime, void *clr_target, struct com **dac)
{
	static const struct guid iid_process = {
		0x5c552ab6, 0xfc09, 0x4cb3, { 0x8e, 0x36, 0x22, 0xfa, 0x03, 0xc7, 0x98, 0xb7 }
	};
	static const struct guid iid_sos = {
		0x436f00f2, 0xb42a, 0x4b9f, { 0x87, 0x0c, 0xe7, 0x3d, 0xb6, 0x6a, 0xe9, 0x30 }
	};
	HRESULT (*create)(const struct guid *, void *, struct com **);
	struct com *process = NULL;
	void *library = NULL;
	HRESULT hr;

	attach_library(runtime->dac, &library);
	*(void **)&create = symbol(runtime->dac, &library, "CLRDataCreateInstance");
	hr = create(&iid_process, clr_target, &process);
	if (hr != S_OK)
		return hr;
	hr = com_query(process, &iid_sos, dac);
	com_release(process);
	return hr;
}

HRESULT dac_thread_store(struct com *dac, struct dac_threads *threads)
{
	memset(threads, 0, sizeof(*threads));
	return METHOD(dac, 3, struct com *, struct dac_threads *)(dac, threads);
}

HRESULT dac_thread(struct com *dac, uint64_t address, struct dac_thread *thread)
{
	memset(thread, 0, sizeof(*thread));
	return METHOD(dac, 17, struct com *, uint64_t, struct dac_thread *)(dac, address, thread);
}

HRESULT dac_domains(struct com *dac, uint64_t *domains, uint32_t capacity, uint32_t *count)
{
	return METHOD(dac, 5, struct com *, uint32_t, uint64_t *, uint32_t *)(dac, capacity,
									      domains, count);
}

HRESULT dac_domain_name(struct com *dac, uint64_t domain, char *name, uint32_t capacity)
{
	uint16_t wide[128] = { 0 };
	uint32_t length;
	HRESULT hr;

	hr = METHOD(dac, 7, struct com *, uint64_t, uint32_t, uint16_t *,
		    uint32_t *)(dac, domain, 128, wide, &length);
	narrow(wide, name, capacity);
	return hr;
}
