// SPDX-License-Identifier: MIT
/*
 * Strings of a process, as text for a terminal.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "read.h"
#include "tool.h"

/* A bound for the one allocation; nobody reads a longer string off a screen. */
#define STRING_MAX ((uint64_t)64 * 1024 * 1024)

/* The length of the valid UTF-8 sequence at text, with its code point, or 0. */
static size_t decode(const unsigned char *text, size_t size, uint32_t *point)
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

static size_t encode(uint32_t point, unsigned char to[4])
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

/* A code point, so that nothing in it moves a terminal's cursor. C1 controls do too. */
static void put_point(uint32_t point, const unsigned char *bytes, size_t length)
{
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
	else if (point >= 0x80 && point < 0xa0)
		out_format("\\u%04x", point);
	else
		out_bytes(bytes, length);
}

static void put_string(const unsigned char *text, size_t size)
{
	while (size) {
		uint32_t point = 0;
		size_t length = decode(text, size, &point);

		if (length) {
			put_point(point, text, length);
		} else {
			out_format("\\x%02x", text[0]);
			length = 1;
		}
		text += length;
		size -= length;
	}
}

static void put_string16(const uint16_t *text, size_t size, bool raw)
{
	for (size_t i = 0; i < size; i++) {
		uint32_t point = text[i];
		unsigned char bytes[4];
		size_t length;

		if ((point & 0xfc00) == 0xd800 && i + 1 < size && (text[i + 1] & 0xfc00) == 0xdc00)
			point = 0x10000 + ((point & 0x3ff) << 10) + (text[++i] & 0x3ffU);
		if (point >= 0xd800 && point <= 0xdfff) {
			/* Half a pair has no UTF-8. */
			if (raw)
				out_text("\xef\xbf\xbd");
			else
				out_format("\\u%04x", point);
			continue;
		}
		length = encode(point, bytes);
		if (raw)
			out_bytes(bytes, length);
		else
			put_point(point, bytes, length);
	}
}

int read_string(struct cordbmem_process *process, const struct request *request)
{
	bool wide = request->kind == REQUEST_STRING16;
	size_t unit = wide ? sizeof(uint16_t) : 1;
	size_t length = 0, capacity;
	HRESULT hr;
	void *text;

	if (request->size < unit || request->size > STRING_MAX)
		return fail_usage(&read_verb, "the size of a string is %zu to %" PRIu64 " bytes",
				  unit, STRING_MAX);
	/* SIZE is what may be read; the library wants room for a terminator of its own. */
	capacity = (size_t)request->size / unit + 1;
	text = calloc(capacity, unit);
	if (!text)
		return fail(EXIT_FAILED, "out of memory");

	if (wide)
		hr = cordbmem_read_string16(process, request->address, text, capacity, &length);
	else
		hr = cordbmem_read_string(process, request->address, text, capacity, &length);
	if (hr == S_OK || hr == CORDBMEM_E_PARTIAL_COPY || hr == CORDBMEM_E_MORE_DATA) {
		if (wide)
			put_string16(text, length, request->raw);
		else if (request->raw)
			out_bytes(text, length);
		else
			put_string(text, length);
		if (!request->raw)
			out_text("\n");
	}
	free(text);
	if (hr == S_OK)
		return EXIT_OK;
	if (hr == CORDBMEM_E_MORE_DATA)
		return fail(EXIT_PARTIAL, "the string does not end within %" PRIu64 " bytes",
			    request->size);
	return fail_stopped(process, request->address + length * unit, length * unit,
			    request->size);
}
