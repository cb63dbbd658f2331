// SPDX-License-Identifier: MIT
/*
 * The functions of handler.h. The library calls from threads of its own, one event at a time.
 */
#include <string.h>

#include <cordbmem/errors.h>

#include "handler.h"

static HRESULT query(struct face *face, const struct guid *iid, struct face **result)
{
	const struct guid known[] = { IID_MANAGED_CALLBACK, IID_MANAGED_CALLBACK2, IID_IUNKNOWN };

	for (size_t i = 0; i < 3; i++)
		if (!memcmp(iid, &known[i], sizeof(*iid))) {
			*result = &face->handler->faces[i % 2];
			return S_OK;
		}
	*result = NULL;
	return E_NOINTERFACE;
}

/* The object outlives the library's use of it, so nothing is counted. */
static uint32_t count(struct face *face)
{
	(void)face;
	return 1;
}

static HRESULT go_on(struct face *face, struct com *controller)
{
	struct handler *handler = face->handler;

	atomic_fetch_add(&handler->events, 1);
	return controller_continue(controller ? controller : handler->process);
}

/*
 * Every event has the app domain or the process as its first argument, and with this calling
 * convention a function may take fewer arguments than it is called with.
 */
static HRESULT on_any(struct face *face, struct com *controller)
{
	return go_on(face, controller);
}

static HRESULT on_breakpoint(struct face *face, struct com *domain)
{
	atomic_fetch_add(&face->handler->breakpoints, 1);
	return go_on(face, domain);
}

static HRESULT on_process(struct face *face, struct com *process)
{
	face->handler->process = process;
	return go_on(face, process);
}

static HRESULT on_exit_process(struct face *face, struct com *process)
{
	face->handler->exited = true;
	return go_on(face, process);
}

static HRESULT on_domain(struct face *face, struct com *process, struct com *domain)
{
	app_domain_attach(domain);
	return go_on(face, process);
}

/*
 * A module is named by its path, or, within a single-file program, by its name without ".dll".
 * It is ASCII where it matters.
 */
static bool is_named(const uint16_t *name, const char *wanted)
{
	static const char suffix[] = ".dll";
	const uint16_t *base = name;
	size_t size = strlen(wanted);

	for (; *name; name++)
		if (*name == '/')
			base = name + 1;
	for (size_t i = 0; i < size; i++)
		if (base[i] != (unsigned char)wanted[i])
			return false;
	for (size_t i = 0; base[size + i]; i++)
		if (i >= sizeof(suffix) || base[size + i] != (unsigned char)suffix[i])
			return false;
	return true;
}

static HRESULT on_module(struct face *face, struct com *domain, struct com *module)
{
	struct handler *handler = face->handler;
	uint16_t name[1024] = { 0 };
	uint32_t length = 0;

	if (!handler->module && module_name(module, 1023, &length, name) == S_OK &&
	    is_named(name, handler->wanted)) {
		com_add_ref(module);
		handler->module = module;
	}
	return go_on(face, domain);
}

static void *const slots1[29] = {
	query,	count,	    count,	     on_breakpoint, on_any,    on_any,	  on_any, on_any,
	on_any, on_process, on_exit_process, on_any,	    on_any,    on_module, on_any, on_any,
	on_any, on_any,	    on_any,	     on_any,	    on_domain, on_any,	  on_any, on_any,
	on_any, on_any,	    on_any,	     on_any,	    on_any,
};

static void *const slots2[11] = {
	query, count, count, on_any, on_any, on_any, on_any, on_any, on_any, on_any, on_any,
};

void handler_init(struct handler *handler, const char *wanted_module)
{
	memset(handler, 0, sizeof(*handler));
	handler->wanted = wanted_module;
	handler->faces[0] = (struct face){ slots1, handler };
	handler->faces[1] = (struct face){ slots2, handler };
}
