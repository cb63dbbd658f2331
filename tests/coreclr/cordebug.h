/* SPDX-License-Identifier: MIT */
/*
 * The COM interfaces of the genuine debugging library, as far as the tests call them: an object is a
 * pointer to a table of functions, and a method is a slot of that table.
 */
#ifndef CORDEBUG_H
#define CORDEBUG_H

#include <stdint.h>

#include <cordbmem/types.h>

struct com {
	void **slots;
};

struct guid {
	uint32_t a;
	uint16_t b, c;
	uint8_t d[8];
};

/* All interfaces of the debugger end alike but for the Callback2. */
#define IID_DEBUG(n) \
	((struct guid){ n, 0x7538, 0x11d3, { 0x8d, 0x5b, 0x00, 0x10, 0x4b, 0x35, 0xe7, 0xef } })
#define IID_ICORDEBUG IID_DEBUG(0x3d6f5f61)
#define IID_MANAGED_CALLBACK IID_DEBUG(0x3d6f5f60)
#define IID_MANAGED_CALLBACK2 \
	((struct guid){       \
		0x250e5eea, 0xdb5c, 0x4c76, { 0xb6, 0xf3, 0x8c, 0x46, 0xf1, 0x2e, 0x32, 0x03 } })
#define IID_IUNKNOWN ((struct guid){ 0, 0, 0, { 0xc0, 0, 0, 0, 0, 0, 0, 0x46 } })

#define METHOD(object, slot, ...) ((HRESULT(*)(__VA_ARGS__))(object)->slots[slot])

/* IUnknown */
static inline HRESULT com_query(struct com *object, const struct guid *iid, struct com **result)
{
	return METHOD(object, 0, struct com *, const struct guid *, struct com **)(object, iid,
										   result);
}

static inline void com_add_ref(struct com *object)
{
	METHOD(object, 1, struct com *)(object);
}

static inline void com_release(struct com *object)
{
	if (object)
		METHOD(object, 2, struct com *)(object);
}

/* ICorDebug */
static inline HRESULT debug_initialize(struct com *debug)
{
	return METHOD(debug, 3, struct com *)(debug);
}

static inline HRESULT debug_terminate(struct com *debug)
{
	return METHOD(debug, 4, struct com *)(debug);
}

static inline HRESULT debug_set_managed_handler(struct com *debug, void *callback)
{
	return METHOD(debug, 5, struct com *, void *)(debug, callback);
}

static inline HRESULT debug_active_process(struct com *debug, DWORD pid, struct com **process)
{
	return METHOD(debug, 8, struct com *, DWORD, int, struct com **)(debug, pid, 0, process);
}

/* ICorDebugController: processes and app domains. The timeout of Stop is ignored by the library. */
static inline HRESULT controller_stop(struct com *controller)
{
	return METHOD(controller, 3, struct com *, DWORD)(controller, 0);
}

static inline HRESULT controller_continue(struct com *controller)
{
	return METHOD(controller, 4, struct com *, int)(controller, 0);
}

static inline HRESULT controller_has_queued_callbacks(struct com *controller, int *queued)
{
	return METHOD(controller, 6, struct com *, struct com *, int *)(controller, NULL, queued);
}

static inline HRESULT controller_detach(struct com *controller)
{
	return METHOD(controller, 9, struct com *)(controller);
}

/* ICorDebugProcess, ICorDebugAppDomain */
static inline HRESULT process_read_memory(struct com *process, CORDB_ADDRESS address, DWORD size,
					  BYTE *buffer, SIZE_T *read)
{
	return METHOD(process, 21, struct com *, CORDB_ADDRESS, DWORD, BYTE *,
		      SIZE_T *)(process, address, size, buffer, read);
}

static inline HRESULT app_domain_attach(struct com *domain)
{
	return METHOD(domain, 21, struct com *)(domain);
}

/* ICorDebugModule */
static inline HRESULT module_base(struct com *module, CORDB_ADDRESS *base)
{
	return METHOD(module, 4, struct com *, CORDB_ADDRESS *)(module, base);
}

static inline HRESULT module_name(struct com *module, uint32_t capacity, uint32_t *length,
				  uint16_t *name)
{
	return METHOD(module, 6, struct com *, uint32_t, uint32_t *, uint16_t *)(module, capacity,
										 length, name);
}

static inline HRESULT module_function(struct com *module, uint32_t token, struct com **function)
{
	return METHOD(module, 9, struct com *, uint32_t, struct com **)(module, token, function);
}

static inline HRESULT module_size(struct com *module, uint32_t *size)
{
	return METHOD(module, 18, struct com *, uint32_t *)(module, size);
}

/* ICorDebugFunction */
static inline HRESULT function_il_code(struct com *function, struct com **code)
{
	return METHOD(function, 6, struct com *, struct com **)(function, code);
}

static inline HRESULT function_native_code(struct com *function, struct com **code)
{
	return METHOD(function, 7, struct com *, struct com **)(function, code);
}

/* ICorDebugCode */
static inline HRESULT code_address(struct com *code, CORDB_ADDRESS *address)
{
	return METHOD(code, 5, struct com *, CORDB_ADDRESS *)(code, address);
}

static inline HRESULT code_size(struct com *code, uint32_t *size)
{
	return METHOD(code, 6, struct com *, uint32_t *)(code, size);
}

static inline HRESULT code_breakpoint(struct com *code, uint32_t offset, struct com **breakpoint)
{
	return METHOD(code, 7, struct com *, uint32_t, struct com **)(code, offset, breakpoint);
}

/* ICorDebugBreakpoint */
static inline HRESULT breakpoint_activate(struct com *breakpoint, int active)
{
	return METHOD(breakpoint, 3, struct com *, int)(breakpoint, active);
}

#endif
