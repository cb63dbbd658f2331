// SPDX-License-Identifier: GPL-2.0
/* The functions of answers.h. */
#include <string.h>
#include <sys/ioctl.h>

#include "answers.h"
#include "target.h"

void count_call(int error)
{
	__atomic_fetch_add(&shared->calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->errnos[error & 255], 1, __ATOMIC_RELAXED);
}

int call(int fd, unsigned long nr, void *argument)
{
	int error = ioctl(fd, nr, argument) ? errno : 0;

	count_call(error);
	return error;
}

bool among(int error, const int *set, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (set[i] == error)
			return true;
	return false;
}

bool is_refusal(int error)
{
	return AMONG(error, EINVAL, E2BIG, EOPNOTSUPP, EPERM, ENOTTY, EBADF);
}

void check_content(uint64_t address, const uint8_t *bytes, uint64_t count)
{
	for (uint64_t i = 0; i < count; i++, address++) {
		if (address < REGION || address >= REGION + REGION_SIZE)
			continue;
		if (bytes[i] && bytes[i] != byte_at(address)) {
			wrong("byte %#x at %#lx, which was never there", bytes[i],
			      (unsigned long)address);
			return;
		}
	}
}

struct range range_of(uint64_t buffer, uint64_t length)
{
	struct range range = { buffer, buffer + length };

	if (range.end < range.start)
		range.end = UINT64_MAX;
	return range;
}

void wipe_arena(struct worker *w)
{
	memset(w->arena, (int)below(&w->r, 256), ARENA);
	memcpy(w->before, w->arena, ARENA);
}

void check_arena(const struct worker *w, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < ARENA; i += 512) {
		uint64_t a = number(w->arena) + i;

		if (memcmp(w->arena + i, w->before + i, 512) == 0)
			continue;
		for (uint64_t k = a; k < a + 512; k++) {
			bool inside = false;

			if (w->arena[k - number(w->arena)] == w->before[k - number(w->arena)])
				continue;
			for (size_t n = 0; n < count && !inside; n++)
				inside = k >= ranges[n].start && k < ranges[n].end;
			if (!inside) {
				wrong("byte %#lx of the arena was written, outside every buffer",
				      (unsigned long)(k - number(w->arena)));
				return;
			}
		}
	}
}

void check_counts(const char *what, uint64_t length, uint64_t count, int error)
{
	if (count > length)
		wrong("%s: %lu of %lu bytes", what, (unsigned long)count, (unsigned long)length);
	/* of no bytes, everything but a hole can be wrong */
	if (!length ? error == EIO : (count == length) != (error == 0))
		wrong("%s: %lu of %lu bytes with error %d", what, (unsigned long)count,
		      (unsigned long)length, error);
	__atomic_fetch_add(&shared->bytes, count, __ATOMIC_RELAXED);
}
