// SPDX-License-Identifier: MIT
/*
 * Whether the patch table is asked at all: a debugger may be attached or not, and the table
 * or the flags that tell may be unreadable or nonsense.
 */
#include "managed.h"
#include "unit.h"

static void without_debugger_nothing_is_looked_up(void **state)
{
	struct managed *m = *state;
	struct forge *forge = m->forge;

	/* What would be shown if the table were asked. */
	forge_set(forge, 30);
	forge_set(forge, 5000);
	forge->original[30] = forge->original[5000] = FORGE_TRAP;
	forge_control(forge, 0);
	check_code(m, 0, 64);
	check_code(m, 0, 8192);
	/* Nor can it be. */
	forge_unmap(forge, (const void *)forge->table.header, 1);
	forge_unmap(forge, (const void *)forge->table.header->entries, 1);
	check_code(m, 0, 64);
	check_code(m, 30, 1);
	check_code(m, 0, 8192);
}

static void debugger_can_come_and_go(void **state)
{
	struct managed *m = *state;

	for (int i = 0; i < 20; i++) {
		uint32_t index, pending;

		forge_control(m->forge, FORGE_ATTACHED);
		index = forge_set(m->forge, 70);
		check_code(m, 64, 16);
		forge_control(m->forge, FORGE_PENDING);
		pending = forge_set(m->forge, 72);
		check_code(m, 64, 16);
		check_code(m, 64, 5000);
		forge_clear(m->forge, index);
		forge_clear(m->forge, pending);
		forge_control(m->forge, 0x10);
		check_code(m, 64, 16);
		check_code(m, 64, 5000);
	}
}

static void unreadable_table_ends_the_read_at_the_trap(void **state)
{
	struct managed *m = *state;

	forge_set(m->forge, 130);
	forge_set(m->forge, 140);
	check_code(m, 120, 32);
	forge_unmap(m->forge, (const void *)m->forge->table.header, 1);
	check_code(m, 100, 30);
	check_code_fails(m, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
	check_code_fails(m, CORDBG_E_READVIRTUAL_FAILURE, 130, 32, 0);
	check_code(m, 131, 9);
}

static void unreadable_entries_end_the_read_at_the_trap(void **state)
{
	struct managed *m = *state;

	forge_set(m->forge, 130);
	forge_unmap(m->forge, (const void *)m->forge->table.header->entries, 1);
	check_code_fails(m, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
	check_code_fails(m, CORDBG_E_READVIRTUAL_FAILURE, 130, 1, 0);
}

static void unreadable_flags_end_the_read_at_the_trap(void **state)
{
	struct managed *m = *state;
	struct forge *forge = m->forge;

	forge_native(forge, 130);
	forge_control(forge, 0);
	check_code(m, 120, 32);
	forge_unmap(forge, forge_global(forge, FORGE_CONTROL_FLAGS), 1);
	check_code(m, 100, 30);
	check_code_fails(m, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
}

static void table_that_is_none_ends_the_read_at_the_trap(void **state)
{
	struct managed *m = *state;
	volatile struct forge_header *header = m->forge->table.header;
	const struct forge_header good = *header;

	forge_set(m->forge, 130);
	header->count = 1 << 20;
	check_code_fails(m, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
	header->count = good.count;
	header->entries = 0;
	check_code_fails(m, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
	header->entries = UINT64_MAX - 100;
	check_code_fails(m, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
	header->entries = good.entries;
	check_code(m, 120, 32);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, managed_setup, managed_teardown)
	const struct CMUnitTest tests[] = {
		TEST(without_debugger_nothing_is_looked_up),
		TEST(debugger_can_come_and_go),
		TEST(unreadable_table_ends_the_read_at_the_trap),
		TEST(unreadable_entries_end_the_read_at_the_trap),
		TEST(unreadable_flags_end_the_read_at_the_trap),
		TEST(table_that_is_none_ends_the_read_at_the_trap),
	};

	return cmocka_run_group_tests_name("coreclr debugger", tests, NULL, NULL);
}
