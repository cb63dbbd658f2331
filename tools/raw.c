// SPDX-License-Identifier: MIT
/*
 * The functions of the library's raw.h by its public interface: what its parsers of ELF modules and of
 * contract descriptors read with when they are linked into the tool.
 */
#include "raw.h"

#include <errno.h>

/* What cannot be read shows in "got". Returns 0, or the errno of a failure that is not the address's. */
static int read_one(struct cordbmem_process *process, struct raw_read *read)
{
	SIZE_T got = 0;

	read->got = 0;
	switch (cordbmem_ReadMemory(process, read->address, read->size, read->buffer, &got)) {
	case S_OK:
	case CORDBMEM_E_PARTIAL_COPY:
	case CORDBG_E_READVIRTUAL_FAILURE:
	case E_INVALIDARG: /* address 0 */
		read->got = (uint32_t)got;
		return 0;
	case CORDBG_E_PROCESS_TERMINATED:
	case CORDBG_E_OBJECT_NEUTERED:
		return ESRCH;
	case E_OUTOFMEMORY:
		return ENOMEM;
	}
	return EPERM;
}

int raw_readv(struct cordbmem_process *process, struct raw_read *reads, size_t count)
{
	int err = 0;

	for (size_t i = 0; i < count && !err; i++)
		err = read_one(process, &reads[i]);
	return err;
}

int raw_read(struct cordbmem_process *process, uint64_t address, void *buffer, uint32_t size)
{
	struct raw_read read = { .address = address, .buffer = buffer, .size = size };
	int err = read_one(process, &read);

	return err ? err : read.got == size ? 0 : EIO;
}
