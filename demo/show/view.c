// SPDX-License-Identifier: MIT
/*
 * The functions of view.h.
 */
#include "view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROW 8
#define WIDTH 100

static unsigned int count;

_Noreturn void give_up(const char *what)
{
	fflush(stdout);
	fprintf(stderr, "demo: %s\n", what);
	exit(1);
}

void claim(bool so, const char *what)
{
	if (!so) {
		fflush(stdout);
		fprintf(stderr, "demo: NOT TRUE: %s\n", what);
		exit(1);
	}
	count++;
}

unsigned int claims(void)
{
	return count;
}

static const struct mark *mark_at(const struct mark *marks, size_t marked, size_t offset)
{
	for (size_t i = 0; i < marked; i++) {
		if (marks[i].offset == offset)
			return &marks[i];
	}
	return NULL;
}

/* Marked bytes stand in brackets, which take the place of the blanks. */
static void show_row(const unsigned char *bytes, size_t start, size_t size,
		     const struct mark *marks, size_t marked, bool pad)
{
	bool was = false;

	for (size_t i = start; i < start + ROW && (i < size || was || pad); i++) {
		bool is = i < size && mark_at(marks, marked, i);

		putchar(is ? '[' : was ? ']' : ' ');
		if (i < size)
			printf("%02x", bytes[i]);
		else
			fputs("  ", stdout);
		was = is;
	}
	if (was || pad)
		putchar(was ? ']' : ' ');
}

void show_side_by_side(uint64_t address, const unsigned char *left, const unsigned char *right,
		       size_t size, const struct mark *marks, size_t marked)
{
	printf("   %-12s   %-25s  %s\n", "address", "in memory: READ (ioctl)",
	       "as compiled: ReadMemory");
	for (size_t row = 0; row < size; row += ROW) {
		bool noted = false;

		for (size_t i = row; i < row + ROW; i++)
			noted = noted || mark_at(marks, marked, i);
		printf("   %012" PRIx64 "  ", address + row);
		show_row(left, row, size, marks, marked, true);
		fputs("  ", stdout);
		show_row(right, row, size, marks, marked, noted);
		for (size_t i = row; i < row + ROW; i++) {
			const struct mark *mark = mark_at(marks, marked, i);

			if (mark)
				printf("  %s", mark->note);
		}
		putchar('\n');
	}
}

void show_text(const char *begin, const char *indent, const char *format, ...)
{
	const char *blank = begin;
	char text[2048], *word = text;
	size_t column = 0;
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	while (*word) {
		size_t length = strcspn(word, " ");

		if (column && column + 1 + length > WIDTH) {
			putchar('\n');
			column = 0;
			blank = indent;
		}
		column += (size_t)printf("%s%.*s", column ? " " : blank, (int)length, word);
		word += length + strspn(word + length, " ");
	}
	putchar('\n');
}
