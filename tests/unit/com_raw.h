/* SPDX-License-Identifier: MIT */
/*
 * COM objects as a foreign caller sees them: a pointer to a pointer to slots with numbers.
 */
#ifndef COM_RAW_H
#define COM_RAW_H

#include <cordbmem/com.h>

#include "target.h"

enum iid {
	UNKNOWN,
	CONTROLLER,
	PROCESS,
	PROCESS2,
	DATA_TARGET,
	CLR_TARGET,
	LOCATOR,
	IIDS,
};

extern const struct cordbmem_guid iids[IIDS];

/* Slot @number of an interface, as a function of the type. */
#define SLOT(interface, number, type) ((type *)(*(void ***)(interface))[number])

typedef HRESULT query_function(void *self, const void *iid, void **object);
typedef DWORD count_function(void *self);
typedef HRESULT plain_function(void *self);
typedef HRESULT number_function(void *self, DWORD *number);
typedef HRESULT address_function(void *self, CORDB_ADDRESS *address);
typedef HRESULT read_memory_function(void *self, CORDB_ADDRESS address, DWORD size, BYTE *buffer,
				     SIZE_T *read);
typedef HRESULT read_virtual_function(void *self, CORDB_ADDRESS address, BYTE *buffer, DWORD size,
				      DWORD *read);
typedef HRESULT image_function(void *self, const uint16_t *name, CORDB_ADDRESS *base);

/* Another interface of the same object; must be there. */
void *raw_query(void *interface, enum iid iid);
DWORD raw_release(void *interface);

/* An interface of a new object over a new handle. */
void *raw_open(const struct target *target, enum iid iid, struct cordbmem_process **process);

/* Open fds of this process. */
int raw_open_fds(void);

/*
 * Every slot of a table that a reader cannot serve. Each argument points to a word of its own,
 * so that what the slot does to them tells one slot from another.
 */
struct cannot {
	int slot;
	int cleared; /* argument, from 1, whose word becomes NULL; 0: none */
};

void raw_cannot(void *interface, const struct cannot *list, size_t count, HRESULT hr);

#endif /* COM_RAW_H */
