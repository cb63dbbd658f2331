// SPDX-License-Identifier: MIT
/*
 * A hex dump in the format of hexdump -C, with addresses of 64 bits:
 *
 * 00007f0c51e2a000  7f 45 4c 46 02 01 01 00  00 00 00 00 00 00 00 00  |.ELF............|
 */
#include "hexdump.h"

#include <string.h>

#include "out.h"

#define ADDRESS_DIGITS 16
/* Address, two blanks, two halves of 8 bytes with a blank each and one between, a blank. */
#define ASCII_COLUMN (ADDRESS_DIGITS + 2 + 3 * HEXDUMP_ROW + 1 + 1)

static const char digits[] = "0123456789abcdef";

static char *put_address(char *to, uint64_t address)
{
	for (int i = ADDRESS_DIGITS - 1; i >= 0; i--) {
		to[i] = digits[address & 15];
		address >>= 4;
	}
	return to + ADDRESS_DIGITS;
}

static bool put_row(const struct hexdump *dump)
{
	char line[ASCII_COLUMN + HEXDUMP_ROW + 3];
	char *ascii = line + ASCII_COLUMN;
	char *hex = line;

	memset(line, ' ', ASCII_COLUMN);
	hex = put_address(hex, dump->address - dump->used) + 2;
	*ascii++ = '|';
	for (size_t i = 0; i < dump->used; i++) {
		unsigned char byte = dump->row[i];

		if (i == HEXDUMP_ROW / 2)
			hex++;
		hex[0] = digits[byte >> 4];
		hex[1] = digits[byte & 15];
		hex += 3;
		/* Not isprint(): the dump must not depend on the locale. */
		*ascii++ = byte >= ' ' && byte <= '~' ? (char)byte : '.';
	}
	*ascii++ = '|';
	*ascii++ = '\n';
	return out_bytes(line, (size_t)(ascii - line));
}

static bool finish_row(struct hexdump *dump)
{
	bool same = dump->squeeze && dump->has_last && !memcmp(dump->row, dump->last, HEXDUMP_ROW);
	bool ok = true;

	if (!same)
		ok = put_row(dump);
	else if (!dump->squeezing)
		ok = out_text("*\n");
	dump->squeezing = same;
	dump->has_last = true;
	memcpy(dump->last, dump->row, HEXDUMP_ROW);
	dump->used = 0;
	return ok;
}

void hexdump_start(struct hexdump *dump, uint64_t address, bool squeeze)
{
	*dump = (struct hexdump){ .address = address, .squeeze = squeeze };
}

bool hexdump_bytes(struct hexdump *dump, const unsigned char *bytes, size_t size)
{
	bool ok = true;

	while (size && ok) {
		size_t room = HEXDUMP_ROW - dump->used;
		size_t n = size < room ? size : room;

		memcpy(dump->row + dump->used, bytes, n);
		dump->used += n;
		dump->address += n;
		bytes += n;
		size -= n;
		if (dump->used == HEXDUMP_ROW)
			ok = finish_row(dump);
	}
	return ok;
}

bool hexdump_end(struct hexdump *dump)
{
	char line[ADDRESS_DIGITS + 1];

	if (!dump->used && !dump->has_last)
		return true;
	if (dump->used && !put_row(dump))
		return false;
	dump->used = 0;
	*put_address(line, dump->address) = '\n';
	return out_bytes(line, sizeof(line));
}
