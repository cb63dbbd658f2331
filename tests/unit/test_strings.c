// SPDX-License-Identifier: MIT
/*
 * Strings: where they end, where they are cut, and what is not touched for them.
 */
#include <string.h>

#include "target.h"
#include "unit.h"

struct fixture {
	struct target target;
	struct cordbmem_process *process;
};

/* Four pages, the third one a hole. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->target = target_start(4);
	memset(f->target.memory, 'x', f->target.size);
	target_unmap(&f->target, 2);
	f->process = open_target(f->target.pid);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cordbmem_process_free(f->process);
	target_end(&f->target);
	free(f);
	return 0;
}

static void put(struct fixture *f, size_t offset, const void *bytes, size_t size)
{
	memcpy(f->target.memory + offset, bytes, size);
}

static void check(struct fixture *f, size_t offset, size_t capacity, HRESULT hr, const char *text)
{
	char buffer[3 * PAGE];
	size_t length = 77;

	memset(buffer, 'y', sizeof(buffer));
	assert_hr(hr, cordbmem_read_string(f->process, f->target.base + offset, buffer, capacity,
					   &length));
	assert_int_equal(strlen(text), length);
	assert_string_equal(text, buffer);
	assert_int_equal('y', buffer[capacity]);
}

static void whole_strings(void **state)
{
	struct fixture *f = *state;

	put(f, 100, "hello", 6);
	check(f, 100, 64, S_OK, "hello");
	check(f, 105, 64, S_OK, "");
	check(f, 100, 6, S_OK, "hello"); /* just fits */
	put(f, PAGE - 3, "across", 7);
	check(f, PAGE - 3, 64, S_OK, "across");
	assert_hr(S_OK,
		  cordbmem_read_string(f->process, f->target.base + 100, (char[8]){ 0 }, 8, NULL));
}

static void long_strings_cross_steps_and_pages(void **state)
{
	struct fixture *f = *state;
	char buffer[2 * PAGE], *wanted = (char *)f->target.memory;
	size_t length;

	for (size_t end = 250; end < 2 * PAGE; end += 251) {
		f->target.memory[end] = 0;
		for (size_t start = 0; start < 3; start++) {
			assert_hr(S_OK, cordbmem_read_string(f->process, f->target.base + start,
							     buffer, sizeof(buffer), &length));
			assert_int_equal(end - start, length);
			assert_string_equal(wanted + start, buffer);
		}
		f->target.memory[end] = 'x';
	}
}

static void string_that_ends_just_before_a_hole(void **state)
{
	struct fixture *f = *state;

	put(f, 2 * PAGE - 4, "end", 4);
	check(f, 2 * PAGE - 4, 64, S_OK, "end");
	check(f, 2 * PAGE - 1, 64, S_OK, "");
}

static void hole_before_the_terminator(void **state)
{
	struct fixture *f = *state;

	put(f, 2 * PAGE - 4, "open", 4);
	check(f, 2 * PAGE - 4, 64, CORDBMEM_E_PARTIAL_COPY, "open");
	check(f, 2 * PAGE - 1, 64, CORDBMEM_E_PARTIAL_COPY, "n");
	check(f, 2 * PAGE, 64, CORDBG_E_READVIRTUAL_FAILURE, "");
	check(f, 2 * PAGE - 4, 5, CORDBMEM_E_PARTIAL_COPY, "open");
	check(f, 2 * PAGE - 4, 4, CORDBMEM_E_MORE_DATA, "ope");
}

static void cut_strings_end_with_a_whole_character(void **state)
{
	struct fixture *f = *state;

	put(f, 0, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z", 12); /* 1, 2, 3, 4, 1 bytes */
	check(f, 0, 1, CORDBMEM_E_MORE_DATA, "");
	check(f, 0, 2, CORDBMEM_E_MORE_DATA, "a");
	check(f, 0, 3, CORDBMEM_E_MORE_DATA, "a");
	check(f, 0, 4, CORDBMEM_E_MORE_DATA, "a\xc3\xa4");
	check(f, 0, 6, CORDBMEM_E_MORE_DATA, "a\xc3\xa4");
	check(f, 0, 7, CORDBMEM_E_MORE_DATA, "a\xc3\xa4\xe2\x82\xac");
	check(f, 0, 10, CORDBMEM_E_MORE_DATA, "a\xc3\xa4\xe2\x82\xac");
	check(f, 0, 11, CORDBMEM_E_MORE_DATA, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	check(f, 0, 12, S_OK, "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80z");
	/* What is no UTF-8 is cut where it is. */
	put(f, 50, "\x80\x80\x80\x80\x80\x80\x80", 8);
	check(f, 50, 4, CORDBMEM_E_MORE_DATA, "\x80\x80\x80");
	check(f, 50, 7, CORDBMEM_E_MORE_DATA, "\x80\x80\x80\x80\x80\x80");
}

static void strings_are_masked(void **state)
{
	struct fixture *f = *state;

	put(f, 300, "trap", 5);
	assert_hr(S_OK, cordbmem_process_add_patch(f->process, f->target.base + 301,
						   (const BYTE *)"r", 1, NULL));
	f->target.memory[301] = 0;
	check(f, 300, 64, S_OK, "trap");
}

static void check16(struct fixture *f, size_t offset, size_t capacity, HRESULT hr,
		    const uint16_t *text, size_t count)
{
	uint16_t buffer[128];
	size_t length = 77;

	memset(buffer, 'y', sizeof(buffer));
	assert_hr(hr, cordbmem_read_string16(f->process, f->target.base + offset, buffer, capacity,
					     &length));
	assert_int_equal(count, length);
	if (count)
		assert_memory_equal(text, buffer, 2 * count);
	assert_int_equal(0, buffer[count]);
	assert_int_equal('y' << 8 | 'y', buffer[capacity]);
}

static void utf16_strings(void **state)
{
	struct fixture *f = *state;
	/* The zero bytes between 0x100 and 0x001 are no terminator. */
	static const uint16_t text[] = { 0x100, 0x001, 'b', 0xd83d, 0xde00, 'c', 0 };

	put(f, 100, text, sizeof(text));
	check16(f, 100, 64, S_OK, text, 6);
	check16(f, 112, 64, S_OK, text, 0);
	check16(f, 100, 7, S_OK, text, 6);
	check16(f, 100, 6, CORDBMEM_E_MORE_DATA, text, 5);
	check16(f, 100, 5, CORDBMEM_E_MORE_DATA, text, 3); /* not half a pair */
	check16(f, 100, 1, CORDBMEM_E_MORE_DATA, text, 0);
	put(f, 201, text, sizeof(text)); /* odd address */
	check16(f, 201, 64, S_OK, text, 6);
	put(f, PAGE - 5, text, sizeof(text)); /* a unit across the page's end */
	check16(f, PAGE - 5, 64, S_OK, text, 6);
}

static void utf16_before_a_hole(void **state)
{
	struct fixture *f = *state;
	static const uint16_t text[] = { 'e', 'n', 'd', 0 };

	put(f, 2 * PAGE - 8, text, 8);
	check16(f, 2 * PAGE - 8, 64, S_OK, text, 3);
	put(f, 2 * PAGE - 6, text, 6);
	check16(f, 2 * PAGE - 6, 64, CORDBMEM_E_PARTIAL_COPY, text, 3);
	put(f, 2 * PAGE - 5, text, 5);
	check16(f, 2 * PAGE - 5, 64, CORDBMEM_E_PARTIAL_COPY, text, 2);
	check16(f, 2 * PAGE - 1, 64, CORDBG_E_READVIRTUAL_FAILURE, text, 0);
	check16(f, 2 * PAGE, 64, CORDBG_E_READVIRTUAL_FAILURE, text, 0);
}

static void wrong_arguments_write_nothing(void **state)
{
	struct fixture *f = *state;
	char buffer[4] = "abc";
	uint16_t units[4] = { 1, 2, 3, 4 };
	size_t length = 77;

	assert_hr(E_INVALIDARG, cordbmem_read_string(NULL, 1, buffer, 4, &length));
	assert_hr(E_INVALIDARG, cordbmem_read_string(f->process, 0, buffer, 4, &length));
	assert_hr(E_INVALIDARG, cordbmem_read_string(f->process, 1, NULL, 4, &length));
	assert_hr(E_INVALIDARG, cordbmem_read_string(f->process, 1, buffer, 0, &length));
	assert_hr(E_INVALIDARG, cordbmem_read_string16(NULL, 1, units, 4, &length));
	assert_hr(E_INVALIDARG, cordbmem_read_string16(f->process, 0, units, 4, &length));
	assert_hr(E_INVALIDARG, cordbmem_read_string16(f->process, 1, NULL, 4, &length));
	assert_hr(E_INVALIDARG, cordbmem_read_string16(f->process, 1, units, 0, &length));
	assert_hr(E_INVALIDARG,
		  cordbmem_read_string16(f->process, 1, units, SIZE_MAX / 2 + 1, &length));

	target_kill(&f->target);
	assert_hr(CORDBG_E_PROCESS_TERMINATED,
		  cordbmem_read_string(f->process, f->target.base, buffer, 4, &length));
	assert_int_equal(0, length);
	assert_string_equal("", buffer);
	length = 77;
	buffer[0] = 'a';
	assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_read_string(f->process, 0, NULL, 0, &length));
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  cordbmem_read_string16(f->process, f->target.base, units, 4, &length));
	assert_int_equal(77, length);
	assert_int_equal('a', buffer[0]);
	assert_int_equal(1, units[0]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(whole_strings),
		TEST(long_strings_cross_steps_and_pages),
		TEST(string_that_ends_just_before_a_hole),
		TEST(hole_before_the_terminator),
		TEST(cut_strings_end_with_a_whole_character),
		TEST(strings_are_masked),
		TEST(utf16_strings),
		TEST(utf16_before_a_hole),
		TEST(wrong_arguments_write_nothing),
	};

	return cmocka_run_group_tests_name("strings", tests, NULL, NULL);
}
