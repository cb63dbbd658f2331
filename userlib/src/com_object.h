/* SPDX-License-Identifier: MIT */
/*
 * The COM object around a handle: its faces and its reference count.
 *
 * A face is what an interface pointer points to. It leads back to its object, so that one
 * function serves a slot that several interfaces share.
 */
#ifndef CORDBMEM_SRC_COM_OBJECT_H
#define CORDBMEM_SRC_COM_OBJECT_H

#include <cordbmem/com.h>

#include "internal.h"

struct com_object;

struct com_face {
	const void *table;
	struct com_object *object;
};

struct com_object {
	struct com_face process; /* ICorDebugController and IUnknown, too */
	struct com_face process2;
	struct com_face data_target;
	struct com_face clr_target;
	struct com_face locator;
	_Atomic(DWORD) references;
	struct cordbmem_process *handle;
};

/* One table in each file. */
extern const struct cordbmem_icordebugprocess_vtable com_process_table;
extern const struct cordbmem_icordebugprocess2_vtable com_process2_table;
extern const struct cordbmem_icordebugdatatarget_vtable com_data_target_table;
extern const struct cordbmem_iclrdatatarget_vtable com_clr_target_table;
extern const struct cordbmem_iclrruntimelocator_vtable com_locator_table;

static inline struct cordbmem_process *com_handle(const void *self)
{
	return ((const struct com_face *)self)->object->handle;
}

/* com_object.c: the first three slots of every table */
HRESULT com_query_interface(void *self, const void *iid, void **out);
DWORD com_add_ref(void *self);
DWORD com_release(void *self);

/* What every method does that a reader cannot do; out is NULL or made so. */
HRESULT com_cannot(void *self, void **out);

/* com_data_target.c: ReadVirtual of both kinds of data target */
HRESULT com_read_virtual(void *self, CORDB_ADDRESS address, BYTE *buffer, DWORD size, DWORD *read);

#endif /* CORDBMEM_SRC_COM_OBJECT_H */
