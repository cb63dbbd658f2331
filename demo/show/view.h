/* SPDX-License-Identifier: MIT */
/*
 * What the demo puts on the screen, and the check of what it says.
 */
#ifndef CORDBMEM_DEMO_VIEW_H
#define CORDBMEM_DEMO_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * What the demo says must be so: print it only after claim() has let it pass. A false one
 * ends the demo.
 */
void claim(bool so, const char *what);
unsigned int claims(void);
_Noreturn void give_up(const char *what);

/* A paragraph of text; where it is broken, the lines begin with the indent. */
void show_text(const char *begin, const char *indent, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A point of several: "1. Text", set in. */
#define show_point(number, ...) show_text(number ". ", "   ", __VA_ARGS__)

/* Two views of the same bytes, side by side. note[] is shown at the rows of marked bytes. */
struct mark {
	size_t offset;
	const char *note;
};
void show_side_by_side(uint64_t address, const unsigned char *left, const unsigned char *right,
		       size_t size, const struct mark *marks, size_t count);

#endif /* CORDBMEM_DEMO_VIEW_H */
