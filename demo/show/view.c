// SPDX-License-Identifier: MIT
/*
 * What the demo puts on the screen, and the check of what it says.
 */
#include "show.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ROW 8
#define WIDTH 96

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

void show_wrapped(const char *indent, const char *text)
{
	size_t column = 0;

	while (*text) {
		size_t word = strcspn(text, " ");

		if (column && column + 1 + word > WIDTH) {
			putchar('\n');
			column = 0;
		}
		if (column)
			column += (size_t)printf(" %.*s", (int)word, text);
		else
			column = (size_t)printf("%s%.*s", indent, (int)word, text);
		text += word + strspn(text + word, " ");
	}
	putchar('\n');
}
