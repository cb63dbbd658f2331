// SPDX-License-Identifier: MIT
/*
 * UTF-16 to UTF-8: every code point, halves of pairs, and where it is cut.
 */
#include <string.h>

#include "unit.h"
#include "utf8.h"

/* By the definition: what wcsrtombs and others do is set by the locale. */
static size_t reference(uint32_t c, char *bytes)
{
	if (c < 0x80) {
		bytes[0] = (char)c;
		return 1;
	}
	if (c < 0x800) {
		bytes[0] = (char)(0xc0 + c / 64);
		bytes[1] = (char)(0x80 + c % 64);
		return 2;
	}
	if (c < 0x10000) {
		bytes[0] = (char)(0xe0 + c / 4096);
		bytes[1] = (char)(0x80 + c / 64 % 64);
		bytes[2] = (char)(0x80 + c % 64);
		return 3;
	}
	bytes[0] = (char)(0xf0 + c / 262144);
	bytes[1] = (char)(0x80 + c / 4096 % 64);
	bytes[2] = (char)(0x80 + c / 64 % 64);
	bytes[3] = (char)(0x80 + c % 64);
	return 4;
}

static void every_code_point(void **state)
{
	(void)state;
	for (uint32_t c = 1; c < 0x110000; c++) {
		uint16_t units[4] = { 'a', (uint16_t)c, 'z' };
		size_t count = 3, length;
		char wanted[8] = "a", text[8];

		if (c >= 0x10000) {
			units[1] = (uint16_t)(0xd800 + (c - 0x10000) / 1024);
			units[2] = (uint16_t)(0xdc00 + (c - 0x10000) % 1024);
			units[3] = 'z';
			count = 4;
		}
		length = 1 + reference(c >= 0xd800 && c < 0xe000 ? 0xfffd : c, wanted + 1);
		wanted[length++] = 'z';
		wanted[length] = 0;
		memset(text, 0x5a, sizeof(text));
		if (!utf8_from_utf16(units, count, text, sizeof(text)) ||
		    memcmp(wanted, text, length + 1))
			fail_msg("U+%04X", c);
	}
}

/* Every capacity up to what is needed: whole characters, terminated, nothing written behind. */
static void every_cut(void **state)
{
	static const uint16_t units[] = { 'x', 0xfc, 0x20ac, 0xd83d, 0xde00, 0xd83d, 'y' };
	static const char whole[] = "x\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\xef\xbf\xbdy";
	static const size_t ends[] = { 0, 1, 3, 6, 10, 13, 14 };

	(void)state;
	assert_int_equal(14, strlen(whole));
	for (size_t capacity = 1; capacity < 20; capacity++) {
		size_t fits = 0;
		char text[24];

		for (size_t i = 0; i < COUNT(ends); i++) {
			if (ends[i] < capacity)
				fits = ends[i];
		}
		memset(text, 0x5a, sizeof(text));
		assert_int_equal(fits == 14, utf8_from_utf16(units, COUNT(units), text, capacity));
		assert_memory_equal(whole, text, fits);
		assert_int_equal(0, text[fits]);
		for (size_t i = capacity; i < sizeof(text); i++)
			assert_int_equal(0x5a, text[i]);
	}
}

static void nothing_at_all(void **state)
{
	char text[2] = { 'a', 'b' };

	(void)state;
	assert_true(utf8_from_utf16(NULL, 0, text, 1));
	assert_int_equal(0, text[0]);
	assert_int_equal('b', text[1]);
}

/* A pair that count cuts apart is two halves. */
static void half_a_pair_at_the_end(void **state)
{
	const uint16_t units[] = { 0xd83d, 0xde00 };
	char text[8];

	(void)state;
	assert_true(utf8_from_utf16(units, 1, text, sizeof(text)));
	assert_string_equal("\xef\xbf\xbd", text);
	assert_true(utf8_from_utf16(units + 1, 1, text, sizeof(text)));
	assert_string_equal("\xef\xbf\xbd", text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_code_point),
		cmocka_unit_test(every_cut),
		cmocka_unit_test(nothing_at_all),
		cmocka_unit_test(half_a_pair_at_the_end),
	};

	return cmocka_run_group_tests_name("utf8", tests, NULL, NULL);
}
