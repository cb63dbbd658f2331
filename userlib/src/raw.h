/* SPDX-License-Identifier: MIT */
/*
 * Several small reads of one process in one system call, without masking: what
 * the readers of the runtime's structures are made of.
 */
#ifndef CORDBMEM_SRC_RAW_H
#define CORDBMEM_SRC_RAW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cordbmem/cordbmem.h>

struct raw_read {
	uint64_t address;
	void *buffer;
	uint32_t size;
	uint32_t got; /* out */
};

/*
 * Read them in order: no byte of one is looked at before the one in front of it
 * is done. What cannot be read shows in "got". Returns 0, or the errno of a failure
 * that is not the address's: ESRCH gone, ENOMEM, or any when the handle was closed.
 */
int raw_readv(struct cordbmem_process *process, struct raw_read *reads, size_t count);

/* The same, and EIO unless all of them were read whole. */
int raw_readv_whole(struct cordbmem_process *process, struct raw_read *reads, size_t count);

/* One read: 0 when all of it was read, EIO for an unreadable address. */
int raw_read(struct cordbmem_process *process, uint64_t address, void *buffer, uint32_t size);

/* Words of what was read, wherever they lie in it. */
static inline uint32_t load32(const BYTE *at)
{
	uint32_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

static inline uint64_t load64(const BYTE *at)
{
	uint64_t value;

	memcpy(&value, at, sizeof(value));
	return value;
}

#endif /* CORDBMEM_SRC_RAW_H */
