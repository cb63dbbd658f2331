/* SPDX-License-Identifier: MIT */
/*
 * UTF-16, as the runtime has it, to UTF-8.
 */
#ifndef CORDBMEM_SRC_UTF8_H
#define CORDBMEM_SRC_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Write units as UTF-8, terminated. A half of a surrogate pair becomes U+FFFD. Returns false
 * when capacity (> 0) bytes were not enough: then it was cut between characters.
 */
bool utf8_from_utf16(const uint16_t *units, size_t count, char *buffer, size_t capacity);

#endif /* CORDBMEM_SRC_UTF8_H */
