// SPDX-License-Identifier: GPL-2.0
/* The functions of lot.h. */
#include "lot.h"

uint64_t any(struct random *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

uint64_t below(struct random *r, uint64_t limit)
{
	return any(r) % limit;
}

bool one_in(struct random *r, uint64_t n)
{
	return below(r, n) == 0;
}
