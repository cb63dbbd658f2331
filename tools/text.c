// SPDX-License-Identifier: MIT
/*
 * Text that a process chose, for a terminal that must not obey it, and for JSON.
 */
#include "text.h"

#include <stdbool.h>
#include <string.h>

#include "out.h"

size_t text_decode(const unsigned char *text, size_t size, uint32_t *point)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char lead = text[0];
	size_t length;

	if (lead < 0x80) {
		*point = lead;
		return 1;
	}
	length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (lead < 0xc2 || lead > 0xf4 || length > size)
		return 0;
	*point = lead & (0x7fU >> length);
	for (size_t i = 1; i < length; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*point = *point << 6 | (text[i] & 0x3fU);
	}
	/* Too long a form, a surrogate, or beyond Unicode: none of them is text. */
	if (*point < least[length] || *point > 0x10ffff || (*point >= 0xd800 && *point <= 0xdfff))
		return 0;
	return length;
}

size_t text_encode(uint32_t point, unsigned char to[4])
{
	if (point < 0x80) {
		to[0] = (unsigned char)point;
		return 1;
	}
	if (point < 0x800) {
		to[0] = (unsigned char)(0xc0 | point >> 6);
		to[1] = (unsigned char)(0x80 | (point & 0x3f));
		return 2;
	}
	if (point < 0x10000) {
		to[0] = (unsigned char)(0xe0 | point >> 12);
		to[1] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
		to[2] = (unsigned char)(0x80 | (point & 0x3f));
		return 3;
	}
	to[0] = (unsigned char)(0xf0 | point >> 18);
	to[1] = (unsigned char)(0x80 | (point >> 12 & 0x3f));
	to[2] = (unsigned char)(0x80 | (point >> 6 & 0x3f));
	to[3] = (unsigned char)(0x80 | (point & 0x3f));
	return 4;
}

/* Invisible, or about the direction of text: with these a path can look like another one. */
static bool deceives(uint32_t point)
{
	return (point >= 0x200b && point <= 0x200f) || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2060 && point <= 0x206f) || point == 0xfeff || point == 0x61c;
}

void text_put_point(uint32_t point)
{
	unsigned char bytes[4];

	if (point == '\n')
		out_text("\\n");
	else if (point == '\t')
		out_text("\\t");
	else if (point == '\r')
		out_text("\\r");
	else if (point == '\\')
		out_text("\\\\");
	else if (point < 0x20 || point == 0x7f)
		out_format("\\x%02x", point);
	/* The C1 controls move cursors, too. */
	else if ((point >= 0x80 && point < 0xa0) || deceives(point))
		out_format("\\u%04x", point);
	else
		out_bytes(bytes, text_encode(point, bytes));
}

void text_put(const char *text, size_t size)
{
	while (size) {
		const unsigned char *bytes = (const unsigned char *)text;
		uint32_t point = 0;
		size_t length = text_decode(bytes, size, &point);

		if (length) {
			text_put_point(point);
		} else {
			out_format("\\x%02x", bytes[0]);
			length = 1;
		}
		text += length;
		size -= length;
	}
}

static void put_json_point(uint32_t point)
{
	if (point == '"' || point == '\\')
		out_format("\\%c", (int)point);
	else if (point >= ' ' && point <= '~')
		out_format("%c", (int)point);
	else if (point < 0x10000)
		out_format("\\u%04x", point);
	else
		out_format("\\u%04x\\u%04x", 0xd800 + ((point - 0x10000) >> 10),
			   0xdc00 + (point & 0x3ff));
}

void text_put_json(const char *text)
{
	const unsigned char *bytes = (const unsigned char *)text;
	size_t size;

	if (!text) {
		out_text("null");
		return;
	}
	out_text("\"");
	for (size = strlen(text); size;) {
		uint32_t point = 0;
		size_t length = text_decode(bytes, size, &point);

		put_json_point(length ? point : 0xfffd);
		length = length ? length : 1;
		bytes += length;
		size -= length;
	}
	out_text("\"");
}
