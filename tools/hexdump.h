/* SPDX-License-Identifier: MIT */
/*
 * A hex dump of bytes that come in pieces of any size.
 */
#ifndef CORDBMEM_TOOLS_HEXDUMP_H
#define CORDBMEM_TOOLS_HEXDUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HEXDUMP_ROW 16

struct hexdump {
	uint64_t address; /* of the next byte */
	bool squeeze;	  /* rows equal to the one before them are one "*" */
	bool squeezing;
	bool has_last;
	size_t used;
	unsigned char row[HEXDUMP_ROW];
	unsigned char last[HEXDUMP_ROW];
};

void hexdump_start(struct hexdump *dump, uint64_t address, bool squeeze);
/* Returns false when standard output cannot be written. */
bool hexdump_bytes(struct hexdump *dump, const unsigned char *bytes, size_t size);
/* The rest, and the address after the last byte unless there was none. */
bool hexdump_end(struct hexdump *dump);

#endif /* CORDBMEM_TOOLS_HEXDUMP_H */
