// SPDX-License-Identifier: MIT
/*
 * How the patch of a trap byte is found in CoreCLR's table: by hash chains where they are good,
 * and however many trap bytes and patches there are.
 */
#include <string.h>

#include "managed.h"
#include "unit.h"

/* ---- chains ---------------------------------------------------------------- */

static void addresses_that_share_a_bucket(void **state)
{
	struct managed *m = *state;
	uint32_t indexes[40];
	size_t count = 0;

	for (size_t i = 0; i < 40; i++, count++)
		indexes[i] = forge_set(m->forge, i * FORGE_BUCKETS);
	for (size_t i = 0; i < count; i++) {
		check_code(m, i * FORGE_BUCKETS, 1);
		check_code(m, i * FORGE_BUCKETS + 1, 1);
	}
	check_code(m, 0, 40 * FORGE_BUCKETS);
	/* From the middle, the head and the end of the chain. */
	for (size_t i = 0; i < count; i += 3)
		forge_clear(m->forge, indexes[i]);
	forge_clear(m->forge, indexes[38]);
	forge_native(m->forge, 3 * FORGE_BUCKETS);
	check_code(m, 0, 40 * FORGE_BUCKETS);
}

static void chain_of_a_hundred(void **state)
{
	struct managed *m = *state;

	for (size_t i = 0; i < 100; i++)
		forge_set(m->forge, i * FORGE_BUCKETS);
	check_code(m, 0, 100 * FORGE_BUCKETS);
	for (size_t i = 0; i < 100; i++)
		check_code(m, i * FORGE_BUCKETS, 1);
}

static void far_apart_addresses_with_equal_lower_halves(void **state)
{
	struct managed *m = *state;
	uint32_t index = forge_set(m->forge, 800), other;

	/* A patch of somewhere else in the same bucket, with the same lower half. */
	other = forge_table_add(&m->forge->table, forge_code(m->forge, 800));
	forge_table_entry(&m->forge->table, other)->address =
		forge_code(m->forge, 800) + (UINT64_C(1) << 32);
	forge_table_entry(&m->forge->table, other)->opcode = 0x99;
	check_code(m, 796, 8);
	forge_clear(m->forge, index);
	forge_native(m->forge, 800);
	check_code(m, 796, 8);
}

/* More than are read as a whole; then the chains matter. */
static void fill(struct managed *m)
{
	for (size_t i = 0; i < 120; i++)
		forge_set(m->forge, 20000 + i * 7);
}

static void broken_chains_are_not_relied_on(void **state)
{
	struct managed *m = *state;
	struct forge_table *table = &m->forge->table;

	fill(m);
	for (uint64_t i = 0; i < FORGE_BUCKETS; i++)
		*forge_table_bucket(table, i) = FORGE_NONE;
	check_code(m, 20000, 840);
	for (uint64_t i = 0; i < FORGE_BUCKETS; i++)
		*forge_table_bucket(table, i) = 0xa5a5a5a5;
	check_code(m, 20000, 840);
	/* Round and round. */
	for (uint32_t i = 0; i < table->header->count; i++)
		forge_table_entry(table, i)->next = i;
	for (uint64_t i = 0; i < FORGE_BUCKETS; i++)
		*forge_table_bucket(table, i) = (uint32_t)i % table->header->count;
	check_code(m, 20000, 840);
}

static void links_elsewhere_are_not_relied_on(void **state)
{
	struct managed *m = *state;
	struct forge_table *table = &m->forge->table;

	/* As if "next" were another member: it leads nowhere, while buckets lead to heads. */
	fill(m);
	for (uint32_t i = 0; i < table->header->count; i++)
		forge_table_entry(table, i)->next = FORGE_NONE;
	check_code(m, 20000, 840);
	check_code(m, 20000, 1);
}

static void entries_by_key_have_no_address(void **state)
{
	struct managed *m = *state;
	struct forge_table *table = &m->forge->table;

	/* IL primaries hang on the bucket of their method and are never in code. */
	for (uint32_t i = 0; i < 60; i++) {
		uint32_t index = forge_table_add(table, i * 3);

		forge_table_entry(table, index)->address = 0;
		forge_table_entry(table, index)->method = 0x06000001 + i;
		forge_set(m->forge, i * 30);
	}
	check_code(m, 0, 1800);
}

static void table_grows_and_moves_between_reads(void **state)
{
	struct managed *m = *state;

	for (size_t i = 0; i < 240; i++) {
		forge_set(m->forge, i * 11);
		check_code(m, i * 11, 1);
		if (i % 16 == 0) {
			forge_table_move(&m->forge->table);
			check_code(m, 0, (DWORD)i * 11 + 5);
		}
	}
}

/* ---- much ------------------------------------------------------------------ */

static void more_traps_than_are_looked_up_at_once(void **state)
{
	struct managed *m = *state;

	for (size_t i = 0; i < 200; i++)
		forge_set(m->forge, i * 3);
	for (size_t i = 0; i < 200; i++)
		forge_native(m->forge, i * 3 + 1);
	check_code(m, 0, 700);
	check_code(m, 1, 61);
	for (DWORD size = 1; size < 130; size++)
		check_code(m, 0, size);
}

static void dense_traps(void **state)
{
	struct managed *m = *state;

	memset(m->forge->code, FORGE_TRAP, 3 * PAGE);
	memset(m->forge->original, FORGE_TRAP, 3 * PAGE);
	for (size_t i = 0; i < 50; i++) {
		size_t offset = i * 97 + 1;

		m->forge->code[offset] = m->forge->original[offset] = (BYTE)(1 + i);
		forge_set(m->forge, offset);
	}
	check_code(m, 0, 3 * PAGE + 100);
	check_code(m, 5, 4000);
	forge_control(m->forge, 0);
}

static void big_reads_with_and_without_debugger(void **state)
{
	struct managed *m = *state;
	const DWORD size = 2400000;
	uint32_t indexes[3000];

	for (size_t i = 0; i < 3000; i++)
		indexes[i] = forge_set(m->forge, i * 799);
	for (size_t i = 0; i < 1000; i++) {
		if ((i * 2399 + 5) % 799)
			forge_native(m->forge, i * 2399 + 5);
	}
	check_code(m, 0, size);
	check_code(m, 1234567, 1048577);
	for (size_t i = 0; i < 3000; i++)
		forge_clear(m->forge, indexes[i]);
	forge_control(m->forge, 0);
	check_code(m, 0, size);
	check_code(m, 1234567, 1048577);
}

static void big_read_ends_at_a_hole(void **state)
{
	struct managed *m = *state;

	for (size_t i = 0; i < 3000; i++)
		forge_set(m->forge, i * 799);
	forge_unmap(m->forge, m->forge->code + 500 * PAGE, 1);
	check_code_fails(m, CORDBMEM_E_PARTIAL_COPY, 3, 550 * PAGE, 500 * PAGE - 3);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, managed_setup, managed_teardown)
#define TEST_IN(name, setup) cmocka_unit_test_setup_teardown(name, setup, managed_teardown)
	const struct CMUnitTest tests[] = {
		TEST(addresses_that_share_a_bucket),
		TEST_IN(addresses_that_share_a_bucket, managed_setup_11),
		TEST_IN(chain_of_a_hundred, managed_setup_big),
		TEST(far_apart_addresses_with_equal_lower_halves),
		TEST(broken_chains_are_not_relied_on),
		TEST_IN(broken_chains_are_not_relied_on, managed_setup_11),
		TEST(links_elsewhere_are_not_relied_on),
		TEST(entries_by_key_have_no_address),
		TEST(table_grows_and_moves_between_reads),
		TEST_IN(table_grows_and_moves_between_reads, managed_setup_11),
		TEST(more_traps_than_are_looked_up_at_once),
		TEST(dense_traps),
		TEST_IN(big_reads_with_and_without_debugger, managed_setup_big),
		TEST_IN(big_read_ends_at_a_hole, managed_setup_big),
	};

	return cmocka_run_group_tests_name("coreclr lookup", tests, NULL, NULL);
}
