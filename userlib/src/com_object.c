// SPDX-License-Identifier: MIT
/*
 * The COM object around a handle: making it, its identity, its end.
 */
#include "com_object.h"

#include <stdlib.h>
#include <string.h>

/* The face for an IID; NULL if the object has none. */
static struct com_face *find_face(struct com_object *object, const void *iid)
{
	const struct {
		struct cordbmem_guid iid;
		struct com_face *face;
	} faces[] = {
		{ CORDBMEM_IID_IUNKNOWN, &object->process },
		{ CORDBMEM_IID_ICORDEBUGCONTROLLER, &object->process },
		{ CORDBMEM_IID_ICORDEBUGPROCESS, &object->process },
		{ CORDBMEM_IID_ICORDEBUGPROCESS2, &object->process2 },
		{ CORDBMEM_IID_ICORDEBUGDATATARGET, &object->data_target },
		{ CORDBMEM_IID_ICLRDATATARGET, &object->clr_target },
		{ CORDBMEM_IID_ICLRRUNTIMELOCATOR, &object->locator },
	};

	for (size_t i = 0; i < sizeof(faces) / sizeof(faces[0]); i++) {
		if (!memcmp(&faces[i].iid, iid, sizeof(faces[i].iid)))
			return faces[i].face;
	}
	return NULL;
}

HRESULT com_query_interface(void *self, const void *iid, void **out)
{
	struct com_face *face;

	if (!out)
		return E_POINTER;
	*out = NULL;
	if (!iid)
		return E_INVALIDARG;
	face = find_face(((struct com_face *)self)->object, iid);
	if (!face)
		return E_NOINTERFACE;
	com_add_ref(face);
	*out = face;
	return S_OK;
}

DWORD com_add_ref(void *self)
{
	struct com_object *object = ((struct com_face *)self)->object;

	return atomic_fetch_add_explicit(&object->references, 1, memory_order_relaxed) + 1;
}

DWORD com_release(void *self)
{
	struct com_object *object = ((struct com_face *)self)->object;
	DWORD left;

	/* The last one must see all that the others did to the object. */
	left = atomic_fetch_sub_explicit(&object->references, 1, memory_order_acq_rel) - 1;
	if (!left) {
		cordbmem_process_free(object->handle);
		free(object);
	}
	return left;
}

HRESULT com_cannot(void *self, void **out)
{
	if (!process_usable(com_handle(self)))
		return CORDBG_E_OBJECT_NEUTERED;
	if (out)
		*out = NULL;
	return E_NOTIMPL;
}

HRESULT cordbmem_com_create(struct cordbmem_process *process, const void *iid, void **object)
{
	struct com_object *made;
	HRESULT hr;

	if (!object)
		return E_POINTER;
	*object = NULL;
	if (!process || !iid)
		return E_INVALIDARG;
	made = malloc(sizeof(*made));
	if (!made)
		return E_OUTOFMEMORY;
	*made = (struct com_object){
		.process = { &com_process_table, made },
		.process2 = { &com_process2_table, made },
		.data_target = { &com_data_target_table, made },
		.clr_target = { &com_clr_target_table, made },
		.locator = { &com_locator_table, made },
		.references = 1,
	};
	hr = com_query_interface(&made->process, iid, object);
	/* From here on a Release frees the handle, but not the one below. */
	if (SUCCEEDED(hr))
		made->handle = process;
	com_release(&made->process);
	return hr;
}
