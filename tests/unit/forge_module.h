/* SPDX-License-Identifier: MIT */
/*
 * An ELF module as a loader leaves it in memory, with a few exported symbols and nothing else.
 *
 * Pages: 0 headers and symbols, 1 code, 2 the dynamic section, from 3 on data.
 */
#ifndef FORGE_MODULE_H
#define FORGE_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordbmem/cordbmem.h>

#define FORGE_MODULE_PAGES 9
#define FORGE_CODE_AT 0x1000
#define FORGE_DYNAMIC_AT 0x2000
#define FORGE_DATA_AT 0x3000

/* Where parts of page 0 are, for those who spoil them. */
#define FORGE_HEADERS_AT 0x40
#define FORGE_HASH_AT 0x200
#define FORGE_SYMBOLS_AT 0x400
#define FORGE_STRINGS_AT 0x800

struct forge_symbol {
	const char *name;
	uint64_t offset; /* in the module */
	uint64_t size;
	unsigned char type; /* STT_* */
};

struct forge_module_plan {
	uint64_t load_at;   /* address of image */
	uint64_t link_base; /* first p_vaddr */
	bool sysv_hash;	    /* DT_HASH instead of DT_GNU_HASH */
	bool unrelocated;   /* the dynamic section, as musl leaves it */
	const struct forge_symbol *symbols;
	size_t count; /* up to 16 */
};

/* Write pages 0 and 2; the others are not touched. */
void forge_module_write(BYTE *image, const struct forge_module_plan *plan);

#endif /* FORGE_MODULE_H */
