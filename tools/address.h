/* SPDX-License-Identifier: MIT */
/*
 * Addresses, sizes and bytes as the command line takes them.
 */
#ifndef CORDBMEM_TOOLS_ADDRESS_H
#define CORDBMEM_TOOLS_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "maps.h"
#include "tool.h"

/*
 * An ADDRESS argument. Names need the maps of the process, so parsing, which
 * finds wrong usage, and resolving, which looks at the process, are apart.
 */
struct address {
	const char *text;
	char *name;	 /* NULL for a number */
	uint64_t start;	 /* without a name */
	uint64_t offset; /* added to the start */
	uint64_t size;	 /* with has_size: of a range, or up to the end of a [name] */
	bool has_size;
};

/* Returns EXIT_OK, or what fail_usage() returned. */
int address_parse(const struct verb *verb, const char *text, struct address *address);
void address_free(struct address *address);

/* Put the start in place of the name. Returns EXIT_OK, or what fail() returned. */
int address_resolve(struct address *address, pid_t pid, const struct maps *maps);

/* Decimal or 0x hex, then nothing, K, M or G. */
bool parse_size(const char *text, uint64_t *size);

/*
 * Pairs of hex digits, up to CORDBMEM_PATCH_MAX of them. Returns the count of bytes, 0 when
 * that is not what the text is.
 */
unsigned int parse_bytes(const char *text, BYTE bytes[CORDBMEM_PATCH_MAX]);

#endif /* CORDBMEM_TOOLS_ADDRESS_H */
