/* SPDX-License-Identifier: MIT */
/*
 * Text that a process chose, for a terminal that must not obey it, and for JSON.
 */
#ifndef CORDBMEM_TOOLS_TEXT_H
#define CORDBMEM_TOOLS_TEXT_H

#include <stddef.h>
#include <stdint.h>

/* The length of the valid UTF-8 sequence at text, with its code point, or 0. */
size_t text_decode(const unsigned char *text, size_t size, uint32_t *point);
size_t text_encode(uint32_t point, unsigned char to[4]);

/* Print a code point so that nothing in it moves a cursor or turns the text around it. */
void text_put_point(uint32_t point);
/* Likewise UTF-8; bytes that are none appear as \xff. */
void text_put(const char *text, size_t size);

/* Print a JSON string, in ASCII. What is no UTF-8 appears as U+FFFD; NULL is null. */
void text_put_json(const char *text);

#endif /* CORDBMEM_TOOLS_TEXT_H */
