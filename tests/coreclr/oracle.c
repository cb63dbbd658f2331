// SPDX-License-Identifier: MIT
/* The functions of oracle.h. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "handler.h"
#include "oracle.h"
#include "support.h"

#define MODULE "debuggee"

struct oracle {
	struct handler handler;
	struct com *debug, *process;
};

static void must(HRESULT hr, const char *what)
{
	if (hr != S_OK) {
		fprintf(stderr, "# %s: 0x%08x\n", what, (unsigned int)hr);
		abort();
	}
}

static void *symbol(void *library, const char *name)
{
	void *address = dlsym(library, name);

	if (!address)
		die("libmscordbi.so has no %s", name);
	return address;
}

/* The library's path is plain ASCII or UTF-8; for the former it is enough to widen it. */
static uint16_t *wide(const char *text, uint16_t *buffer, size_t capacity)
{
	size_t i = 0;

	for (; text[i] && i + 1 < capacity; i++)
		buffer[i] = (unsigned char)text[i];
	buffer[i] = 0;
	return buffer;
}

static struct com *create_debug(pid_t pid, const struct runtime *runtime)
{
	int (*dll_main)(void *, DWORD, void *);
	HRESULT (*create)(int, DWORD, uint16_t *, uint16_t *, void *, struct com **);
	struct com *unknown = NULL, *debug = NULL;
	uint64_t base = mapping_of(pid, runtime->clr);
	uint16_t dac[1024];
	void *library = dlopen(runtime->dbi, RTLD_NOW);

	if (!library)
		die("%s", dlerror());
	if (!base)
		die("%s is not mapped in %d", runtime->clr, pid);
	/* The library counts on its own loader to do this. */
	dll_main = (int (*)(void *, DWORD, void *))symbol(library, "DllMain");
	if (!dll_main(library, 1, NULL))
		die("DllMain");
	create = (HRESULT(*)(int, DWORD, uint16_t *, uint16_t *, void *,
			     struct com **))symbol(library, "CoreCLRCreateCordbObject3");
	must(create(4, (DWORD)pid, NULL, wide(runtime->dac, dac, 1024), (void *)base, &unknown),
	     "CoreCLRCreateCordbObject3");
	must(com_query(unknown, &IID_ICORDEBUG, &debug), "QueryInterface ICorDebug");
	com_release(unknown);
	return debug;
}

/* What is there already is told as if it just came. It is over when twice nothing is queued. */
static void settle(struct oracle *oracle)
{
	double end = seconds() + 60;
	int quiet = 0, queued;

	while (quiet < 2) {
		if (seconds() > end)
			die("the genuine library did not tell of " MODULE " after %lu events",
			    oracle->handler.events);
		sleep_ms(50);
		must(oracle_stop(oracle), "Stop");
		must(controller_has_queued_callbacks(oracle->process, &queued),
		     "HasQueuedCallbacks");
		must(oracle_continue(oracle), "Continue");
		quiet = oracle->handler.module && !queued ? quiet + 1 : 0;
	}
}

struct oracle *oracle_attach(pid_t pid, const struct runtime *runtime)
{
	struct oracle *oracle = calloc(1, sizeof(*oracle));

	if (!oracle)
		die("calloc");
	handler_init(&oracle->handler, MODULE);
	oracle->debug = create_debug(pid, runtime);
	must(debug_initialize(oracle->debug), "Initialize");
	must(debug_set_managed_handler(oracle->debug, &oracle->handler.faces[0]),
	     "SetManagedHandler");
	must(debug_active_process(oracle->debug, (DWORD)pid, &oracle->process),
	     "DebugActiveProcess");
	settle(oracle);
	return oracle;
}

HRESULT oracle_stop(struct oracle *oracle)
{
	return controller_stop(oracle->process);
}

HRESULT oracle_continue(struct oracle *oracle)
{
	return controller_continue(oracle->process);
}

/* The code of a method: MSIL, or native as the library thinks it is now. */
static HRESULT find_code(struct oracle *oracle, uint32_t token, bool msil, struct com **code)
{
	struct com *function = NULL;
	HRESULT hr = module_function(oracle->handler.module, token, &function);

	if (hr != S_OK)
		return hr;
	hr = msil ? function_il_code(function, code) : function_native_code(function, code);
	com_release(function);
	return hr;
}

HRESULT oracle_code(struct oracle *oracle, uint32_t token, CORDB_ADDRESS *address, uint32_t *size)
{
	struct com *code = NULL;
	HRESULT hr = find_code(oracle, token, false, &code);

	if (hr != S_OK)
		return hr;
	hr = code_address(code, address);
	if (hr == S_OK)
		hr = code_size(code, size);
	com_release(code);
	return hr;
}

HRESULT oracle_break(struct oracle *oracle, uint32_t token, uint32_t offset,
		     struct breakpoint *breakpoint)
{
	struct com *code = NULL;
	HRESULT hr = find_code(oracle, token, false, &code);

	*breakpoint = (struct breakpoint){ 0 };
	if (hr != S_OK)
		return hr;
	hr = code_address(code, &breakpoint->address);
	breakpoint->address += offset;
	if (hr == S_OK)
		hr = code_breakpoint(code, offset, &breakpoint->object);
	com_release(code);
	return hr;
}

HRESULT oracle_break_msil(struct oracle *oracle, uint32_t token, struct breakpoint *breakpoint)
{
	struct com *code = NULL;
	HRESULT hr = find_code(oracle, token, true, &code);

	*breakpoint = (struct breakpoint){ 0 };
	if (hr != S_OK)
		return hr;
	hr = code_breakpoint(code, 0, &breakpoint->object);
	com_release(code);
	return hr;
}

HRESULT oracle_activate(struct breakpoint *breakpoint)
{
	return breakpoint_activate(breakpoint->object, 1);
}

HRESULT oracle_deactivate(struct breakpoint *breakpoint)
{
	return breakpoint_activate(breakpoint->object, 0);
}

HRESULT oracle_module(struct oracle *oracle, CORDB_ADDRESS *address, uint32_t *size)
{
	HRESULT hr = module_base(oracle->handler.module, address);

	return hr == S_OK ? module_size(oracle->handler.module, size) : hr;
}

HRESULT oracle_read(struct oracle *oracle, CORDB_ADDRESS address, DWORD size, BYTE *buffer,
		    SIZE_T *read)
{
	return process_read_memory(oracle->process, address, size, buffer, read);
}

unsigned long oracle_hits(struct oracle *oracle)
{
	return oracle->handler.breakpoints;
}

bool oracle_exited(struct oracle *oracle)
{
	return oracle->handler.exited;
}

HRESULT oracle_detach(struct oracle *oracle)
{
	HRESULT hr = oracle_stop(oracle);

	if (hr == S_OK)
		hr = controller_detach(oracle->process);
	if (hr != S_OK)
		return hr;
	/* The handler is the library's until it has ended. */
	com_release(oracle->handler.module);
	com_release(oracle->process);
	hr = debug_terminate(oracle->debug);
	com_release(oracle->debug);
	free(oracle);
	return hr;
}
