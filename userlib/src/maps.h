/* SPDX-License-Identifier: MIT */
/*
 * /proc/PID/maps: what is mapped where, and under which name.
 */
#ifndef CORDBMEM_SRC_MAPS_H
#define CORDBMEM_SRC_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct mapping {
	uint64_t start;
	uint64_t end;
	uint64_t offset;
	uint64_t inode;
	bool executable;
	char device[16];
	char *name; /* "" for anonymous memory; without " (deleted)" */
};

struct maps {
	struct mapping *list;
	size_t count;
};

/* Returns 0 or an errno; ESRCH too when there is no mapping at all. */
int maps_read(pid_t pid, struct maps *maps);
void maps_free(struct maps *maps);

/* "libc.so.6" and "gnu/libc.so.6" both name "/usr/lib/gnu/libc.so.6". */
bool maps_is_named(const struct mapping *mapping, const char *name);

/*
 * Whether code of the file is mapped between this mapping of its first byte and
 * the next one. A debugger or a runtime may map a file once more just to read
 * it; the loaded copy is the one with code.
 */
bool maps_has_code(const struct maps *maps, const struct mapping *start);

enum maps_found {
	MAPS_FOUND,
	MAPS_NOT_FOUND,
	MAPS_AMBIGUOUS,
	MAPS_NO_START /* the file is mapped, but not its first byte */
};

/*
 * Find what a name stands for. A file is named by its name or the end of its
 * path and stands for the mapping of its first byte, its load base; anything
 * else is named as maps prints it, with its brackets.
 *
 * With MAPS_AMBIGUOUS *found and *other are two of the candidates.
 */
enum maps_found maps_find(const struct maps *maps, const char *name, const struct mapping **found,
			  const struct mapping **other);

#endif /* CORDBMEM_SRC_MAPS_H */
