/* SPDX-License-Identifier: MIT */
/*
 * A symbol that an ELF file exports.
 */
#ifndef SYMBOL_H
#define SYMBOL_H

#include <stdint.h>

/* Its address where the file is loaded at @base. Ends the test when the file has no such symbol. */
uint64_t symbol_address(const char *path, const char *name, uint64_t base);

#endif
