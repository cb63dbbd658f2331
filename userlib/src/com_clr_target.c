// SPDX-License-Identifier: MIT
/*
 * ICLRDataTarget and ICLRRuntimeLocator: what libmscordaccore reads a process through.
 */
#include "com_object.h"

#include <errno.h>
#include <limits.h>

#include "maps.h"
#include "utf8.h"

#ifdef __x86_64__
#define MACHINE CORDBMEM_MACHINE_AMD64
#else
#define MACHINE CORDBMEM_MACHINE_ARM64
#endif

static HRESULT get_machine_type(void *self, DWORD *machine)
{
	(void)self;
	if (!machine)
		return E_INVALIDARG;
	*machine = MACHINE;
	return S_OK;
}

static HRESULT get_pointer_size(void *self, DWORD *size)
{
	(void)self;
	if (!size)
		return E_INVALIDARG;
	*size = sizeof(void *);
	return S_OK;
}

/* Why the maps of the process cannot be had. */
static HRESULT maps_failed(struct cordbmem_process *process, int err)
{
	if (!process->backend->alive(process))
		return process_notice_gone(process);
	return err == EACCES || err == EPERM ? E_ACCESSDENIED
	       : err == ENOMEM		     ? E_OUTOFMEMORY
					     : E_FAIL;
}

static HRESULT find_image(struct cordbmem_process *process, const char *name, CORDB_ADDRESS *base)
{
	const struct mapping *found, *other;
	struct maps maps;
	HRESULT hr = CORDBMEM_E_NOT_FOUND;
	int err;

	err = maps_read(process->pid, &maps);
	if (err)
		return maps_failed(process, err);
	/* If it is gone, the maps may be those of a stranger with its pid. */
	if (!process->backend->alive(process)) {
		hr = process_notice_gone(process);
	} else if (maps_find(&maps, name, &found, &other) == MAPS_FOUND && found->inode) {
		*base = found->start;
		hr = S_OK;
	}
	maps_free(&maps);
	return hr;
}

static HRESULT get_image_base(void *self, const uint16_t *name, CORDB_ADDRESS *base)
{
	struct cordbmem_process *process = com_handle(self);
	char text[PATH_MAX];
	size_t length = 0;

	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!name || !base)
		return E_INVALIDARG;
	while (name[length] && length < sizeof(text))
		length++;
	if (!length || !utf8_from_utf16(name, length, text, sizeof(text)))
		return CORDBMEM_E_NOT_FOUND;
	return find_image(process, text, base);
}

static HRESULT write_virtual(void *self, CORDB_ADDRESS address, BYTE *buffer, DWORD size,
			     DWORD *written)
{
	(void)address;
	(void)buffer;
	(void)size;
	(void)written;
	return com_cannot(self, NULL);
}

static HRESULT get_tls_value(void *self, DWORD thread_id, DWORD index, CORDB_ADDRESS *value)
{
	(void)thread_id;
	(void)index;
	(void)value;
	return com_cannot(self, NULL);
}

static HRESULT set_tls_value(void *self, DWORD thread_id, DWORD index, CORDB_ADDRESS value)
{
	(void)thread_id;
	(void)index;
	(void)value;
	return com_cannot(self, NULL);
}

static HRESULT get_current_thread_id(void *self, DWORD *thread_id)
{
	(void)thread_id;
	return com_cannot(self, NULL);
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

static HRESULT set_thread_context(void *self, DWORD thread_id, DWORD size, BYTE *context)
{
	(void)thread_id;
	(void)size;
	(void)context;
	return com_cannot(self, NULL);
}

static HRESULT request(void *self, DWORD code, DWORD in_size, BYTE *in, DWORD out_size, BYTE *out)
{
	(void)code;
	(void)in_size;
	(void)in;
	(void)out_size;
	(void)out;
	return com_cannot(self, NULL);
}

const struct cordbmem_iclrdatatarget_vtable com_clr_target_table = {
	.QueryInterface = com_query_interface,
	.AddRef = com_add_ref,
	.Release = com_release,
	.GetMachineType = get_machine_type,
	.GetPointerSize = get_pointer_size,
	.GetImageBase = get_image_base,
	.ReadVirtual = com_read_virtual,
	.WriteVirtual = write_virtual,
	.GetTLSValue = get_tls_value,
	.SetTLSValue = set_tls_value,
	.GetCurrentThreadID = get_current_thread_id,
	.GetThreadContext = get_thread_context,
	.SetThreadContext = set_thread_context,
	.Request = request,
};
