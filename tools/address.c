// SPDX-License-Identifier: MIT
/*
 * Addresses, sizes and bytes as the command line takes them.
 */
#include "address.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The hexadecimal number that is text[0..length), with or without 0x. */
static bool parse_hex(const char *text, size_t length, uint64_t *value)
{
	uint64_t sum = 0;

	if (length > 2 && text[0] == '0' && (text[1] | 0x20) == 'x') {
		text += 2;
		length -= 2;
	}
	if (!length)
		return false;
	for (size_t i = 0; i < length; i++) {
		char c = text[i];

		if (!isxdigit((unsigned char)c) || sum >> 60)
			return false;
		sum = sum << 4 | (unsigned int)(c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
	}
	*value = sum;
	return true;
}

/* START-END, as /proc/PID/maps prints it. */
static bool parse_range(const char *text, uint64_t *start, uint64_t *end)
{
	const char *dash = strchr(text, '-');

	return dash && parse_hex(text, (size_t)(dash - text), start) &&
	       parse_hex(dash + 1, strlen(dash + 1), end);
}

/*
 * What comes after the last plus sign is the offset if it is a number, and part of a name
 * such as libstdc++.so.6 if it is not.
 */
static size_t split_offset(const char *text, uint64_t *offset)
{
	const char *plus = strrchr(text, '+');

	*offset = 0;
	if (plus && plus > text && parse_hex(plus + 1, strlen(plus + 1), offset))
		return (size_t)(plus - text);
	return strlen(text);
}

int address_parse(const struct verb *verb, const char *text, struct address *address)
{
	uint64_t end;
	size_t length;

	*address = (struct address){ .text = text };
	if (!*text)
		return fail_usage(verb, "an address is empty");

	if (parse_range(text, &address->start, &end)) {
		if (end <= address->start)
			return fail_usage(verb, "the range %s ends before it starts", text);
		address->size = end - address->start;
		address->has_size = true;
		return EXIT_OK;
	}
	length = split_offset(text, &address->offset);
	if (parse_hex(text, length, &address->start)) {
		if (__builtin_add_overflow(address->start, address->offset, &address->start))
			return fail_usage(verb, "%s is beyond the last address", text);
		address->offset = 0;
		return EXIT_OK;
	}
	/* Nobody calls a file 0x7ffg: say what is wrong rather than that it is not mapped. */
	if (text[0] == '0' && (text[1] | 0x20) == 'x')
		return fail_usage(verb, "%s is not a hexadecimal number of 64 bits", text);
	address->name = strndup(text, length);
	if (!address->name)
		return fail(EXIT_FAILED, "out of memory");
	return EXIT_OK;
}

void address_free(struct address *address)
{
	free(address->name);
	address->name = NULL;
}

/* The end of the memory that has one bracketed name, which may be in several pieces. */
static uint64_t end_of(const struct maps *maps, const struct mapping *m)
{
	const struct mapping *last = maps->list + maps->count - 1;

	while (m < last && m[1].start == m->end && !strcmp(m[1].name, m->name))
		m++;
	return m->end;
}

int address_resolve(struct address *address, pid_t pid, const struct maps *maps)
{
	const struct mapping *found, *other;
	uint64_t end;

	if (!address->name)
		return EXIT_OK;
	switch (maps_find(maps, address->name, &found, &other)) {
	case MAPS_FOUND:
		break;
	case MAPS_NOT_FOUND:
		return fail(EXIT_FAILED,
			    "process %d has nothing mapped by the name %s (see /proc/%d/maps)", pid,
			    address->name, pid);
	case MAPS_NO_START:
		return fail(EXIT_FAILED,
			    "process %d has not mapped the start of %s, so offsets into it mean "
			    "nothing; give an address",
			    pid, address->name);
	case MAPS_AMBIGUOUS:
		return fail(EXIT_FAILED,
			    "%s is mapped more than once: %s at 0x%" PRIx64 " and %s at 0x%" PRIx64
			    "; give more of the path, or an address",
			    address->name, found->name, found->start, other->name, other->start);
	}

	if (__builtin_add_overflow(found->start, address->offset, &address->start))
		return fail(EXIT_FAILED, "%s is beyond the last address", address->text);
	end = end_of(maps, found);
	if (address->name[0] == '[' && address->start < end) {
		address->size = end - address->start;
		address->has_size = true;
	}
	return EXIT_OK;
}

bool parse_size(const char *text, uint64_t *size)
{
	static const char suffixes[] = "KMG";
	bool hex = text[0] == '0' && (text[1] | 0x20) == 'x';
	const char *suffix;
	char *end;

	/* strtoull would take blanks and signs. */
	if (!isdigit((unsigned char)*text) || (hex && !isxdigit((unsigned char)text[2])))
		return false;
	errno = 0;
	*size = strtoull(text, &end, hex ? 16 : 10);
	if (errno)
		return false;
	if (!*end)
		return true;
	suffix = strchr(suffixes, toupper((unsigned char)*end));
	return suffix && !end[1] &&
	       !__builtin_mul_overflow(*size, UINT64_C(1) << 10 * (suffix - suffixes + 1), size);
}

unsigned int parse_bytes(const char *text, BYTE bytes[CORDBMEM_PATCH_MAX])
{
	size_t digits = strlen(text);

	if (!digits || digits % 2 || digits > 2 * CORDBMEM_PATCH_MAX)
		return 0;
	for (size_t i = 0; i < digits; i += 2) {
		uint64_t value;

		if (!parse_hex(text + i, 2, &value))
			return 0;
		bytes[i / 2] = (BYTE)value;
	}
	return (unsigned int)(digits / 2);
}
