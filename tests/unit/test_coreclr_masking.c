// SPDX-License-Identifier: MIT
/*
 * Masking by CoreCLR's own patch table: no read shows a breakpoint that is in it, and none
 * shows anything else changed.
 */
#include <string.h>

#include "managed.h"
#include "unit.h"

/* ---- the cases that every masking has to hold ------------------------------ */

static void ranges_are_clipped_at_both_edges(void **state)
{
	struct managed *m = *state;

	for (size_t i = 0; i < 16; i++)
		forge_set(m->forge, 100 + i);
	for (size_t start = 80; start < 120; start += 3) {
		for (DWORD size = 1; size < 48; size += 2)
			check_code(m, start, size);
	}
}

static void single_bytes_at_before_and_after(void **state)
{
	struct managed *m = *state;

	forge_set(m->forge, 200);
	forge_set(m->forge, 202);
	forge_set(m->forge, PAGE - 1);
	forge_set(m->forge, PAGE);
	for (size_t offset = 190; offset < 220; offset++)
		check_code(m, offset, 1);
	for (size_t offset = PAGE - 3; offset < PAGE + 3; offset++) {
		check_code(m, offset, 1);
		check_code(m, offset, 2);
	}
}

static void native_breakpoints_stay(void **state)
{
	struct managed *m = *state;

	forge_set(m->forge, 300);
	forge_native(m->forge, 299);
	forge_native(m->forge, 301);
	check_code(m, 290, 20);
	check_code(m, 299, 1);
	check_code(m, 300, 1);
	check_code(m, 301, 1);
}

static void two_patches_at_one_address(void **state)
{
	struct managed *m = *state;
	uint32_t first = forge_set(m->forge, 500), second = forge_set(m->forge, 500), third;

	check_code(m, 496, 8);
	forge_clear(m->forge, first);
	check_code(m, 496, 8);
	third = forge_set(m->forge, 500);
	forge_clear(m->forge, second);
	check_code(m, 496, 8);
	forge_clear(m->forge, third);
	check_code(m, 496, 8);
	forge_native(m->forge, 500);
	check_code(m, 496, 8);
}

static void patch_removed_between_two_reads(void **state)
{
	struct managed *m = *state;
	uint32_t index = forge_set(m->forge, 600);

	check_code(m, 596, 8);
	forge_clear(m->forge, index);
	check_code(m, 596, 8);
	/* Other code, at the same place. */
	m->forge->code[600] = m->forge->original[600] = 0x77;
	check_code(m, 596, 8);
	forge_set(m->forge, 600);
	check_code(m, 596, 8);
}

static void freed_entries_do_not_mask(void **state)
{
	struct managed *m = *state;
	uint32_t index = forge_set(m->forge, 600);

	check_code(m, 596, 8);
	forge_clear(m->forge, index);
	/* The entry still has its address. Now there is somebody else's trap. */
	assert_int_equal(forge_code(m->forge, 600),
			 forge_table_entry(&m->forge->table, index)->address);
	forge_native(m->forge, 600);
	check_code(m, 596, 8);
}

/* The table has 0 for them, which is also what free entries have. */
static void breakpoints_on_zeroes(void **state)
{
	struct managed *m = *state;
	uint32_t index, other;

	memset(m->forge->code + 640, 0, 32);
	memset(m->forge->original + 640, 0, 32);
	index = forge_set(m->forge, 650);
	other = forge_set(m->forge, 660);
	forge_native(m->forge, 651);
	forge_native(m->forge, 661);
	check_code(m, 630, 50);
	check_code(m, 650, 1);
	check_code(m, 651, 1);
	forge_clear(m->forge, index);
	check_code(m, 630, 50);
	forge_clear(m->forge, other);
	forge_native(m->forge, 650);
	forge_native(m->forge, 660);
	check_code(m, 630, 50);
	check_code(m, 650, 1);
}

static void breakpoints_on_zeroes_in_a_long_table(void **state)
{
	struct managed *m = *state;

	for (size_t i = 0; i < 120; i++)
		forge_set(m->forge, 20000 + i * 7);
	breakpoints_on_zeroes(state);
}

static void only_trap_bytes_are_replaced(void **state)
{
	struct managed *m = *state;
	uint32_t index = forge_set(m->forge, 640);

	/* As between the opcode and the trap; and another opcode than the byte, to see it. */
	m->forge->code[640] = m->forge->original[640];
	forge_table_entry(&m->forge->table, index)->opcode = 0x33;
	check_code(m, 636, 8);
	check_code(m, 640, 1);
}

static void partial_read_that_stops_behind_a_patch(void **state)
{
	struct managed *m = *state;

	forge_set(m->forge, PAGE - 1);
	forge_set(m->forge, PAGE);
	forge_set(m->forge, 2 * PAGE);
	check_code(m, PAGE - 8, 16);
	forge_unmap(m->forge, m->forge->code + PAGE, 1);
	check_code_fails(m, CORDBMEM_E_PARTIAL_COPY, PAGE - 10, 40, 10);
	check_code_fails(m, CORDBG_E_READVIRTUAL_FAILURE, PAGE, 40, 0);
	check_code(m, 2 * PAGE, 4);
}

static void empty_table_changes_nothing(void **state)
{
	struct managed *m = *state;

	forge_native(m->forge, 50);
	check_code(m, 0, 4096);
	m->forge->table.header->count = 0;
	m->forge->table.header->entries = 0;
	check_code(m, 0, 4096);
}

static void ten_thousand_patches(void **state)
{
	struct managed *m = *state;
	uint32_t *indexes = calloc(10000, sizeof(*indexes));
	uint64_t random = test_seed();

	for (uint32_t i = 0; i < 10000; i++)
		indexes[i] = forge_set(m->forge, (size_t)i * 7919 % 10000 * 200 + i % 200);
	for (int i = 0; i < 300; i++) {
		size_t offset = next_random(&random) % 2000000;

		check_code(m, offset, 1 + next_random(&random) % 1000);
	}
	check_code(m, 0, 65536);
	for (uint32_t i = 0; i < 10000; i += 2)
		forge_clear(m->forge, indexes[i]);
	for (int i = 0; i < 300; i++) {
		size_t offset = next_random(&random) % 2000000;

		check_code(m, offset, 1 + next_random(&random) % 1000);
	}
	check_code(m, 0, 65536);
	free(indexes);
}

/* ---- registered patches, too ----------------------------------------------- */

static void registered_and_discovered_live_together(void **state)
{
	struct managed *m = *state;
	const BYTE registered = 0x66;
	cordbmem_patch_id id;
	BYTE wanted[8];

	/* Each hides its own. */
	forge_set(m->forge, 900);
	memcpy(wanted, m->forge->original + 898, 8);
	m->forge->code[901] = FORGE_TRAP;
	wanted[3] = registered;
	assert_hr(S_OK, cordbmem_process_add_patch(m->process, forge_code(m->forge, 901),
						   &registered, 1, &id));
	check_code_bytes(m, 898, 8, wanted);

	/* Where both have a byte, the registered one is shown. */
	assert_hr(S_OK, cordbmem_process_add_patch(m->process, forge_code(m->forge, 900),
						   &registered, 1, NULL));
	wanted[2] = registered;
	check_code_bytes(m, 898, 8, wanted);
	check_code_bytes(m, 900, 1, wanted + 2);

	/* The others are native now. */
	assert_hr(S_OK, cordbmem_process_remove_patch(m->process, id));
	wanted[3] = FORGE_TRAP;
	check_code_bytes(m, 898, 8, wanted);
}

static void registered_trap_byte_gives_way(void **state)
{
	struct managed *m = *state;
	const BYTE trap = FORGE_TRAP;
	uint32_t index = forge_set(m->forge, 950);

	/* Saved while CoreCLR's breakpoint was there already. */
	assert_hr(S_OK, cordbmem_process_add_patch(m->process, forge_code(m->forge, 950), &trap, 1,
						   NULL));
	check_code(m, 948, 8);
	check_code(m, 950, 1);
	/* In memory is none any more; what was registered is shown. */
	forge_clear(m->forge, index);
	m->forge->original[950] = FORGE_TRAP;
	check_code(m, 948, 8);
	check_code(m, 950, 1);
}

static void registered_trap_byte_stays_where_memory_has_none(void **state)
{
	struct managed *m = *state;
	const BYTE trap = FORGE_TRAP;
	uint32_t index = forge_set(m->forge, 960);

	/* CoreCLR has saved the opcode and is about to write the trap. */
	m->forge->code[960] = m->forge->original[960];
	assert_int_equal(m->forge->original[960],
			 forge_table_entry(&m->forge->table, index)->opcode);
	assert_hr(S_OK, cordbmem_process_add_patch(m->process, forge_code(m->forge, 960), &trap, 1,
						   NULL));
	m->forge->original[960] = FORGE_TRAP;
	check_code(m, 958, 8);
}

/* ---- other readers --------------------------------------------------------- */

static void check_scattered(const struct cordbmem_scatter *elements, size_t count,
			    const struct forge *forge, size_t bad)
{
	for (size_t i = 0; i < count; i++) {
		if (i == bad) {
			assert_hr(CORDBG_E_READVIRTUAL_FAILURE, elements[i].result);
			assert_int_equal(0, elements[i].read);
			continue;
		}
		assert_hr(S_OK, elements[i].result);
		assert_int_equal(64, elements[i].read);
		assert_memory_equal(forge->original + 100 * i, elements[i].buffer, 64);
	}
}

/* More than once: what is read again and again comes from windows where there are any. */
static void scattered_reads_are_masked(void **state)
{
	struct managed *m = *state;
	struct forge *other = forge_start(&(struct forge_plan){ .version = 9 });
	struct cordbmem_process *process = managed_open(other);
	struct cordbmem_scatter elements[60];
	static BYTE bytes[60][64];

	for (size_t i = 0; i < 60; i++) {
		struct forge *forge = i < 30 ? m->forge : other;
		size_t at = 100 * (i % 30);

		if (i % 3)
			forge_set(forge, at + 10);
		elements[i] = (struct cordbmem_scatter){
			.process = i < 30 ? m->process : process,
			.address = forge_code(forge, at),
			.buffer = bytes[i],
			.size = 64,
		};
	}
	elements[7].address = 4096;
	for (int round = 0; round < 4; round++) {
		memset(bytes, FORGE_TRAP, sizeof(bytes));
		assert_hr(CORDBG_E_READVIRTUAL_FAILURE, cordbmem_read_scatter(elements, 60));
		check_scattered(elements, 30, m->forge, 7);
		check_scattered(elements + 30, 30, other, 30);
	}
	cordbmem_process_free(process);
}

static void strings_are_masked(void **state)
{
	struct managed *m = *state;
	char text[64];
	uint16_t wide[32];
	size_t length;

	memcpy(m->forge->code, "some words", 11);
	memcpy(m->forge->code + 64, u"some words", 22);
	for (size_t i = 0; i < 10; i += 3) {
		forge_set(m->forge, i);
		forge_set(m->forge, 64 + i * 2);
	}
	assert_hr(S_OK, cordbmem_read_string(m->process, forge_code(m->forge, 0), text,
					     sizeof(text), &length));
	assert_string_equal("some words", text);
	assert_int_equal(10, length);
	assert_hr(S_OK, cordbmem_read_string16(m->process, forge_code(m->forge, 64), wide,
					       COUNT(wide), &length));
	assert_memory_equal(u"some words", wide, 22);
	assert_int_equal(10, length);
}

static void consistent_reads_are_masked(void **state)
{
	struct managed *m = *state;
	BYTE bytes[32];

	memset(m->forge->code + 1024, 0, 8);
	forge_set(m->forge, 1040);
	assert_hr(S_OK, cordbmem_read_consistent(m->process, forge_code(m->forge, 1024), 8,
						 forge_code(m->forge, 1032), sizeof(bytes), bytes,
						 0, NULL));
	assert_memory_equal(m->forge->original + 1032, bytes, sizeof(bytes));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, managed_setup, managed_teardown)
#define TEST_IN(name, setup) cmocka_unit_test_setup_teardown(name, setup, managed_teardown)
	const struct CMUnitTest tests[] = {
		TEST(ranges_are_clipped_at_both_edges),
		TEST(single_bytes_at_before_and_after),
		TEST_IN(single_bytes_at_before_and_after, managed_setup_11),
		TEST(native_breakpoints_stay),
		TEST_IN(native_breakpoints_stay, managed_setup_11),
		TEST(two_patches_at_one_address),
		TEST(patch_removed_between_two_reads),
		TEST(freed_entries_do_not_mask),
		TEST(only_trap_bytes_are_replaced),
		TEST(breakpoints_on_zeroes),
		TEST_IN(breakpoints_on_zeroes, managed_setup_11),
		TEST(breakpoints_on_zeroes_in_a_long_table),
		TEST(partial_read_that_stops_behind_a_patch),
		TEST(empty_table_changes_nothing),
		TEST_IN(ten_thousand_patches, managed_setup_big),
		TEST(registered_and_discovered_live_together),
		TEST(registered_trap_byte_gives_way),
		TEST(registered_trap_byte_stays_where_memory_has_none),
		TEST(scattered_reads_are_masked),
		TEST(strings_are_masked),
		TEST(consistent_reads_are_masked),
	};

	return cmocka_run_group_tests_name("coreclr masking", tests, NULL, NULL);
}
