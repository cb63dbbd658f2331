// SPDX-License-Identifier: GPL-2.0
/* The functions of arguments.h. */
#include <string.h>

#include <linux/cordbmem.h>

#include "arguments.h"
#include "crew.h"
#include "target.h"

uint64_t some_address(struct random *r)
{
	static const uint64_t odd[] = {
		0,
		1,
		4096,
		0x00007ffffffff000,
		0x00007fffffffffff,
		0x0000800000000000,
		0x7fffffffffffffff,
		0x8000000000000000,
		0xffff888000000000,
		0xffffffff81000000,
		0xffffffffff600000,
		0xfffffffffffffff0,
		0xffffffffffffffff,
	};

	if (one_in(r, 12))
		return PICK(r, odd) + below(r, 3) - 1;
	if (one_in(r, 20))
		return any(r);
	/* often near a boundary */
	if (one_in(r, 2))
		return REGION + below(r, REGION_PAGES + 1) * PAGE + below(r, 40) - 20;
	return REGION + below(r, REGION_SIZE);
}

uint64_t some_length(struct random *r, uint64_t room)
{
	static const uint64_t odd[] = {
		0,	   1ULL << 31, 1ULL << 32,	  1ULL << 47,
		INT64_MAX, 1ULL << 63, UINT64_MAX - 4095, UINT64_MAX,
	};

	if (one_in(r, 15))
		return PICK(r, odd);
	if (one_in(r, 2))
		return below(r, 40);
	return below(r, room);
}

uint32_t some_flags(struct random *r, uint32_t known)
{
	uint32_t flags = 0;

	if (one_in(r, 3))
		flags |= CORDBMEM_READ_NOFAULT;
	if (one_in(r, 3))
		flags |= CORDBMEM_READ_FORCE;
	if (one_in(r, 4))
		flags |= known;
	if (one_in(r, 25))
		flags |= 1U << below(r, 32);
	return flags;
}

bool some_buffer(struct worker *w, uint64_t length, __u64 *buffer)
{
	static const uint64_t odd[] = {
		0,
		1,
		0xffff888000001000,
		0xffffffff81000000,
		0x0000800000000000,
		UINT64_MAX,
		0xffffffffff600000,
		UINT64_MAX - 4095,
	};

	if (one_in(&w->r, 14)) {
		*buffer = PICK(&w->r, odd);
		return false;
	}
	if (one_in(&w->r, 10)) {
		*buffer = number(shifting) + below(&w->r, SHIFTING_SIZE);
		/* behind it is nothing, however long */
		return false;
	}
	if (length <= ARENA && !one_in(&w->r, 8))
		*buffer = number(w->arena) + below(&w->r, ARENA - length + 1);
	else
		*buffer = number(w->arena) + below(&w->r, ARENA);
	return true;
}

uint32_t some_size(struct random *r, size_t size, size_t *tail)
{
	static const uint32_t odd[] = { 0, 1, 4, 8, 4096, 4097, 1 << 20, INT32_MAX, UINT32_MAX };

	*tail = 0;
	if (one_in(r, 12)) {
		*tail = below(r, 64);
		return (uint32_t)(size + *tail);
	}
	if (one_in(r, 20))
		return (uint32_t)below(r, size);
	if (one_in(r, 40))
		return PICK(r, odd);
	return (uint32_t)size;
}

int some_device(struct random *r)
{
	return one_in(r, 30) ? some_fd(r) : device;
}

void *place(struct worker *w, const void *argument, size_t size, size_t tail, bool *whole)
{
	static const uint64_t odd[] = {
		0, 8, 0xffff888000001000, 0xffffffff81000000, UINT64_MAX - 8, 0x0000800000000000,
	};
	uint8_t *at;

	*whole = false;
	if (one_in(&w->r, 60))
		return pointer(PICK(&w->r, odd));
	if (one_in(&w->r, 60)) {
		/* not all of it fits before the hole */
		size_t in = 1 + below(&w->r, size);

		at = w->structs + PAGE - in;
		memcpy(at, argument, in);
		*whole = in == size && !tail;
		return at;
	}
	at = w->structs + (one_in(&w->r, 2) ? 0 : PAGE - size - tail);
	memcpy(at, argument, size);
	memset(at + size, 0, tail);
	if (tail && one_in(&w->r, 3))
		at[size + below(&w->r, tail)] = 1;
	*whole = true;
	return at;
}
