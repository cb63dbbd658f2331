// SPDX-License-Identifier: MIT
/* The functions of lot.h. */
#include "lot.h"
#include "target.h"

_Thread_local uint64_t choices;

uint64_t any(void)
{
	uint64_t high = next_random(&choices);

	return high << 32 | next_random(&choices);
}

uint32_t below(uint32_t limit)
{
	return next_random(&choices) % limit;
}

bool one_in(uint32_t n)
{
	return below(n) == 0;
}

uint64_t number(void)
{
	static const uint64_t known[] = {
		0,	    1,		2,	    3,		7,
		8,	    16,		17,	    64,		100,
		176,	    200,	400,	    401,	1103,
		4096,	    8184,	0xffff,	    1 << 17,	(1 << 17) + 1,
		0x7fffffff, 0x80000000, 0xfffffffe, UINT32_MAX, UINT64_C(1) << 32,
		UINT64_MAX,
	};

	switch (below(4)) {
	case 0:
		return below(256);
	case 1:
		return any() >> below(64);
	default:
		return known[below(COUNT(known))];
	}
}
