// SPDX-License-Identifier: MIT
/*
 * Strings of a process, as text for a terminal.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "out.h"
#include "read.h"
#include "text.h"
#include "tool.h"

/* A bound for the one allocation; nobody reads a longer string off a screen. */
#define STRING_MAX ((uint64_t)64 * 1024 * 1024)

static void put_string16(const uint16_t *text, size_t size, bool raw)
{
	for (size_t i = 0; i < size; i++) {
		uint32_t point = text[i];
		unsigned char bytes[4];

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
		if (raw)
			out_bytes(bytes, text_encode(point, bytes));
		else
			text_put_point(point);
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
			text_put(text, length);
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
