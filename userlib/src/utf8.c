// SPDX-License-Identifier: MIT
/*
 * UTF-16 to UTF-8, without iconv: that needs modules at run time which a
 * statically linked tool may not find.
 */
#include "utf8.h"

#include <string.h>

#define REPLACEMENT 0xFFFDU

static bool is_high(uint16_t unit)
{
	return (unit & 0xFC00) == 0xD800;
}

static bool is_low(uint16_t unit)
{
	return (unit & 0xFC00) == 0xDC00;
}

static size_t encode(uint32_t c, char bytes[4])
{
	static const unsigned char lead[] = { 0, 0, 0xC0, 0xE0, 0xF0 };
	size_t length = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	if (length == 1) {
		bytes[0] = (char)c;
		return 1;
	}
	for (size_t i = length - 1; i; i--, c >>= 6)
		bytes[i] = (char)(0x80 | (c & 0x3F));
	bytes[0] = (char)(lead[length] | c);
	return length;
}

bool utf8_from_utf16(const uint16_t *units, size_t count, char *buffer, size_t capacity)
{
	size_t used = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t c = units[i];
		size_t length;
		char bytes[4];

		if (is_high(units[i]) && i + 1 < count && is_low(units[i + 1]))
			c = 0x10000 + ((c & 0x3FF) << 10) + (units[++i] & 0x3FFU);
		else if (is_high(units[i]) || is_low(units[i]))
			c = REPLACEMENT;
		length = encode(c, bytes);
		if (used + length >= capacity) {
			buffer[used] = 0;
			return false;
		}
		memcpy(buffer + used, bytes, length);
		used += length;
	}
	buffer[used] = 0;
	return true;
}
