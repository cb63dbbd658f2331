// SPDX-License-Identifier: MIT
/*
 * Masking by CoreCLR's own patch table: no read shows a breakpoint that is in it, and none
 * shows anything else changed.
 */
#include <string.h>

#include <cordbmem/coreclr.h>

#include "forge.h"
#include "unit.h"

struct fixture {
	struct forge *forge;
	struct cordbmem_process *process;
};

static struct cordbmem_process *open_forge(struct forge *f)
{
	struct cordbmem_process *process = open_target(f->target.pid);

	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, NULL, NULL));
	return process;
}

static int setup_plan(void **state, const struct forge_plan *plan)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->forge = forge_start(plan);
	f->process = open_forge(f->forge);
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_plan(state, NULL);
}

static int setup_descriptor(void **state)
{
	return setup_plan(state, &(struct forge_plan){ .version = 11 });
}

static int setup_big(void **state)
{
	return setup_plan(state, &(struct forge_plan){ .patches = 10000, .code_pages = 600 });
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cordbmem_process_free(f->process);
	forge_end_all(state);
	free(f);
	return 0;
}

/* Read a range of the code and hold it, and the bytes around the buffer, against what is right. */
static void check_bytes(struct fixture *f, size_t offset, DWORD size, const BYTE *wanted)
{
	BYTE *buffer = malloc(size + 64);
	SIZE_T got = 77;

	memset(buffer, 0xa5, size + 64);
	assert_hr(S_OK, cordbmem_ReadMemory(f->process, forge_code(f->forge, offset), size,
					    buffer + 32, &got));
	assert_int_equal(size, got);
	assert_memory_equal(wanted, buffer + 32, size);
	for (size_t i = 0; i < 32; i++) {
		assert_int_equal(0xa5, buffer[i]);
		assert_int_equal(0xa5, buffer[32 + size + i]);
	}
	free(buffer);
}

static void check(struct fixture *f, size_t offset, DWORD size)
{
	check_bytes(f, offset, size, f->forge->original + offset);
}

static void check_fails(struct fixture *f, HRESULT hr, size_t offset, DWORD size, SIZE_T wanted)
{
	BYTE *buffer = calloc(1, size);
	SIZE_T got = 77;

	assert_hr(hr, cordbmem_ReadMemory(f->process, forge_code(f->forge, offset), size, buffer,
					  &got));
	assert_int_equal(wanted, got);
	assert_memory_equal(f->forge->original + offset, buffer, wanted);
	free(buffer);
}

/* ---- the cases that every masking has to hold --------------------------- */

static void ranges_are_clipped_at_both_edges(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 16; i++)
		forge_set(f->forge, 100 + i);
	for (size_t start = 80; start < 120; start += 3) {
		for (DWORD size = 1; size < 48; size += 2)
			check(f, start, size);
	}
}

static void single_bytes_at_before_and_after(void **state)
{
	struct fixture *f = *state;

	forge_set(f->forge, 200);
	forge_set(f->forge, 202);
	forge_set(f->forge, PAGE - 1);
	forge_set(f->forge, PAGE);
	for (size_t offset = 190; offset < 220; offset++)
		check(f, offset, 1);
	for (size_t offset = PAGE - 3; offset < PAGE + 3; offset++) {
		check(f, offset, 1);
		check(f, offset, 2);
	}
}

static void native_breakpoints_stay(void **state)
{
	struct fixture *f = *state;

	forge_set(f->forge, 300);
	forge_native(f->forge, 299);
	forge_native(f->forge, 301);
	check(f, 290, 20);
	check(f, 299, 1);
	check(f, 300, 1);
	check(f, 301, 1);
}

static void two_patches_at_one_address(void **state)
{
	struct fixture *f = *state;
	uint32_t first = forge_set(f->forge, 500), second = forge_set(f->forge, 500), third;

	check(f, 496, 8);
	forge_clear(f->forge, first);
	check(f, 496, 8);
	third = forge_set(f->forge, 500);
	forge_clear(f->forge, second);
	check(f, 496, 8);
	forge_clear(f->forge, third);
	check(f, 496, 8);
	forge_native(f->forge, 500);
	check(f, 496, 8);
}

static void patch_removed_between_two_reads(void **state)
{
	struct fixture *f = *state;
	uint32_t index = forge_set(f->forge, 600);

	check(f, 596, 8);
	forge_clear(f->forge, index);
	check(f, 596, 8);
	/* Other code, at the same place. */
	f->forge->code[600] = f->forge->original[600] = 0x77;
	check(f, 596, 8);
	forge_set(f->forge, 600);
	check(f, 596, 8);
}

static void freed_entries_do_not_mask(void **state)
{
	struct fixture *f = *state;
	uint32_t index = forge_set(f->forge, 600);

	check(f, 596, 8);
	forge_clear(f->forge, index);
	/* The entry still has its address. Now there is somebody else's trap. */
	assert_int_equal(forge_code(f->forge, 600),
			 forge_table_entry(&f->forge->table, index)->address);
	forge_native(f->forge, 600);
	check(f, 596, 8);
}

/* The table has 0 for them, which is also what free entries have. */
static void breakpoints_on_zeroes(void **state)
{
	struct fixture *f = *state;
	uint32_t index, other;

	memset(f->forge->code + 640, 0, 32);
	memset(f->forge->original + 640, 0, 32);
	index = forge_set(f->forge, 650);
	other = forge_set(f->forge, 660);
	forge_native(f->forge, 651);
	forge_native(f->forge, 661);
	check(f, 630, 50);
	check(f, 650, 1);
	check(f, 651, 1);
	forge_clear(f->forge, index);
	check(f, 630, 50);
	forge_clear(f->forge, other);
	forge_native(f->forge, 650);
	forge_native(f->forge, 660);
	check(f, 630, 50);
	check(f, 650, 1);
}

static void breakpoints_on_zeroes_in_a_long_table(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 120; i++)
		forge_set(f->forge, 20000 + i * 7);
	breakpoints_on_zeroes(state);
}

static void only_trap_bytes_are_replaced(void **state)
{
	struct fixture *f = *state;
	uint32_t index = forge_set(f->forge, 640);

	/* As between the opcode and the trap; and another opcode than the byte, to see it. */
	f->forge->code[640] = f->forge->original[640];
	forge_table_entry(&f->forge->table, index)->opcode = 0x33;
	check(f, 636, 8);
	check(f, 640, 1);
}

static void partial_read_that_stops_behind_a_patch(void **state)
{
	struct fixture *f = *state;

	forge_set(f->forge, PAGE - 1);
	forge_set(f->forge, PAGE);
	forge_set(f->forge, 2 * PAGE);
	check(f, PAGE - 8, 16);
	forge_unmap(f->forge, f->forge->code + PAGE, 1);
	check_fails(f, CORDBMEM_E_PARTIAL_COPY, PAGE - 10, 40, 10);
	check_fails(f, CORDBG_E_READVIRTUAL_FAILURE, PAGE, 40, 0);
	check(f, 2 * PAGE, 4);
}

static void empty_table_changes_nothing(void **state)
{
	struct fixture *f = *state;

	forge_native(f->forge, 50);
	check(f, 0, 4096);
	f->forge->table.header->count = 0;
	f->forge->table.header->entries = 0;
	check(f, 0, 4096);
}

static void ten_thousand_patches(void **state)
{
	struct fixture *f = *state;
	uint32_t *indexes = calloc(10000, sizeof(*indexes));
	uint64_t random = test_seed();

	for (uint32_t i = 0; i < 10000; i++)
		indexes[i] = forge_set(f->forge, (size_t)i * 7919 % 10000 * 200 + i % 200);
	for (int i = 0; i < 300; i++) {
		size_t offset = next_random(&random) % 2000000;

		check(f, offset, 1 + next_random(&random) % 1000);
	}
	check(f, 0, 65536);
	for (uint32_t i = 0; i < 10000; i += 2)
		forge_clear(f->forge, indexes[i]);
	for (int i = 0; i < 300; i++) {
		size_t offset = next_random(&random) % 2000000;

		check(f, offset, 1 + next_random(&random) % 1000);
	}
	check(f, 0, 65536);
	free(indexes);
}

/* ---- chains -------------------------------------------------------------- */

static void addresses_that_share_a_bucket(void **state)
{
	struct fixture *f = *state;
	uint32_t indexes[40];
	size_t count = 0;

	for (size_t i = 0; i < 40; i++, count++)
		indexes[i] = forge_set(f->forge, i * FORGE_BUCKETS);
	for (size_t i = 0; i < count; i++) {
		check(f, i * FORGE_BUCKETS, 1);
		check(f, i * FORGE_BUCKETS + 1, 1);
	}
	check(f, 0, 40 * FORGE_BUCKETS);
	/* From the middle, the head and the end of the chain. */
	for (size_t i = 0; i < count; i += 3)
		forge_clear(f->forge, indexes[i]);
	forge_clear(f->forge, indexes[38]);
	forge_native(f->forge, 3 * FORGE_BUCKETS);
	check(f, 0, 40 * FORGE_BUCKETS);
}

static void chain_of_a_hundred(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 100; i++)
		forge_set(f->forge, i * FORGE_BUCKETS);
	check(f, 0, 100 * FORGE_BUCKETS);
	for (size_t i = 0; i < 100; i++)
		check(f, i * FORGE_BUCKETS, 1);
}

static void far_apart_addresses_with_equal_lower_halves(void **state)
{
	struct fixture *f = *state;
	uint32_t index = forge_set(f->forge, 800), other;

	/* A patch of somewhere else in the same bucket, with the same lower half. */
	other = forge_table_add(&f->forge->table, forge_code(f->forge, 800));
	forge_table_entry(&f->forge->table, other)->address =
		forge_code(f->forge, 800) + (UINT64_C(1) << 32);
	forge_table_entry(&f->forge->table, other)->opcode = 0x99;
	check(f, 796, 8);
	forge_clear(f->forge, index);
	forge_native(f->forge, 800);
	check(f, 796, 8);
}

/* More than are read as a whole; then the chains matter. */
static void fill(struct fixture *f)
{
	for (size_t i = 0; i < 120; i++)
		forge_set(f->forge, 20000 + i * 7);
}

static void broken_chains_are_not_relied_on(void **state)
{
	struct fixture *f = *state;
	struct forge_table *table = &f->forge->table;

	fill(f);
	for (uint64_t i = 0; i < FORGE_BUCKETS; i++)
		*forge_table_bucket(table, i) = FORGE_NONE;
	check(f, 20000, 840);
	for (uint64_t i = 0; i < FORGE_BUCKETS; i++)
		*forge_table_bucket(table, i) = 0xa5a5a5a5;
	check(f, 20000, 840);
	/* Round and round. */
	for (uint32_t i = 0; i < table->header->count; i++)
		forge_table_entry(table, i)->next = i;
	for (uint64_t i = 0; i < FORGE_BUCKETS; i++)
		*forge_table_bucket(table, i) = (uint32_t)i % table->header->count;
	check(f, 20000, 840);
}

static void links_elsewhere_are_not_relied_on(void **state)
{
	struct fixture *f = *state;
	struct forge_table *table = &f->forge->table;

	/* As if "next" were another member: it leads nowhere, while buckets lead to heads. */
	fill(f);
	for (uint32_t i = 0; i < table->header->count; i++)
		forge_table_entry(table, i)->next = FORGE_NONE;
	check(f, 20000, 840);
	check(f, 20000, 1);
}

static void entries_by_key_have_no_address(void **state)
{
	struct fixture *f = *state;
	struct forge_table *table = &f->forge->table;

	/* IL primaries hang on the bucket of their method and are never in code. */
	for (uint32_t i = 0; i < 60; i++) {
		uint32_t index = forge_table_add(table, i * 3);

		forge_table_entry(table, index)->address = 0;
		forge_table_entry(table, index)->method = 0x06000001 + i;
		forge_set(f->forge, i * 30);
	}
	check(f, 0, 1800);
}

static void table_grows_and_moves_between_reads(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 240; i++) {
		forge_set(f->forge, i * 11);
		check(f, i * 11, 1);
		if (i % 16 == 0) {
			forge_table_move(&f->forge->table);
			check(f, 0, (DWORD)i * 11 + 5);
		}
	}
}

/* ---- much ---------------------------------------------------------------- */

static void more_traps_than_are_looked_up_at_once(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 200; i++)
		forge_set(f->forge, i * 3);
	for (size_t i = 0; i < 200; i++)
		forge_native(f->forge, i * 3 + 1);
	check(f, 0, 700);
	check(f, 1, 61);
	for (DWORD size = 1; size < 130; size++)
		check(f, 0, size);
}

static void dense_traps(void **state)
{
	struct fixture *f = *state;

	memset(f->forge->code, FORGE_TRAP, 3 * PAGE);
	memset(f->forge->original, FORGE_TRAP, 3 * PAGE);
	for (size_t i = 0; i < 50; i++) {
		size_t offset = i * 97 + 1;

		f->forge->code[offset] = f->forge->original[offset] = (BYTE)(1 + i);
		forge_set(f->forge, offset);
	}
	check(f, 0, 3 * PAGE + 100);
	check(f, 5, 4000);
	forge_control(f->forge, 0);
}

static void big_reads_with_and_without_debugger(void **state)
{
	struct fixture *f = *state;
	const DWORD size = 2400000;
	uint32_t indexes[3000];

	for (size_t i = 0; i < 3000; i++)
		indexes[i] = forge_set(f->forge, i * 799);
	for (size_t i = 0; i < 1000; i++) {
		if ((i * 2399 + 5) % 799)
			forge_native(f->forge, i * 2399 + 5);
	}
	check(f, 0, size);
	check(f, 1234567, 1048577);
	for (size_t i = 0; i < 3000; i++)
		forge_clear(f->forge, indexes[i]);
	forge_control(f->forge, 0);
	check(f, 0, size);
	check(f, 1234567, 1048577);
}

static void big_read_ends_at_a_hole(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < 3000; i++)
		forge_set(f->forge, i * 799);
	forge_unmap(f->forge, f->forge->code + 500 * PAGE, 1);
	check_fails(f, CORDBMEM_E_PARTIAL_COPY, 3, 550 * PAGE, 500 * PAGE - 3);
}

/* ---- registered patches, too --------------------------------------------- */

static void registered_and_discovered_live_together(void **state)
{
	struct fixture *f = *state;
	const BYTE registered = 0x66;
	cordbmem_patch_id id;
	BYTE wanted[8];

	/* Each hides its own. */
	forge_set(f->forge, 900);
	memcpy(wanted, f->forge->original + 898, 8);
	f->forge->code[901] = FORGE_TRAP;
	wanted[3] = registered;
	assert_hr(S_OK, cordbmem_process_add_patch(f->process, forge_code(f->forge, 901),
						   &registered, 1, &id));
	check_bytes(f, 898, 8, wanted);

	/* Where both have a byte, the registered one is shown. */
	assert_hr(S_OK, cordbmem_process_add_patch(f->process, forge_code(f->forge, 900),
						   &registered, 1, NULL));
	wanted[2] = registered;
	check_bytes(f, 898, 8, wanted);
	check_bytes(f, 900, 1, wanted + 2);

	/* The others are native now. */
	assert_hr(S_OK, cordbmem_process_remove_patch(f->process, id));
	wanted[3] = FORGE_TRAP;
	check_bytes(f, 898, 8, wanted);
}

static void registered_trap_byte_gives_way(void **state)
{
	struct fixture *f = *state;
	const BYTE trap = FORGE_TRAP;
	uint32_t index = forge_set(f->forge, 950);

	/* Saved while CoreCLR's breakpoint was there already. */
	assert_hr(S_OK, cordbmem_process_add_patch(f->process, forge_code(f->forge, 950), &trap, 1,
						   NULL));
	check(f, 948, 8);
	check(f, 950, 1);
	/* In memory is none any more; what was registered is shown. */
	forge_clear(f->forge, index);
	f->forge->original[950] = FORGE_TRAP;
	check(f, 948, 8);
	check(f, 950, 1);
}

static void registered_trap_byte_stays_where_memory_has_none(void **state)
{
	struct fixture *f = *state;
	const BYTE trap = FORGE_TRAP;
	uint32_t index = forge_set(f->forge, 960);

	/* CoreCLR has saved the opcode and is about to write the trap. */
	f->forge->code[960] = f->forge->original[960];
	assert_int_equal(f->forge->original[960],
			 forge_table_entry(&f->forge->table, index)->opcode);
	assert_hr(S_OK, cordbmem_process_add_patch(f->process, forge_code(f->forge, 960), &trap, 1,
						   NULL));
	f->forge->original[960] = FORGE_TRAP;
	check(f, 958, 8);
}

/* ---- other readers ------------------------------------------------------- */

static void scattered_reads_are_masked(void **state)
{
	struct fixture *f = *state;
	struct forge *other = forge_start(&(struct forge_plan){ .version = 9 });
	struct cordbmem_process *process = open_forge(other);
	struct cordbmem_scatter elements[60];
	static BYTE bytes[60][64];

	for (size_t i = 0; i < 60; i++) {
		struct forge *forge = i % 2 ? other : f->forge;

		forge_set(forge, 100 * i + 10);
		elements[i] = (struct cordbmem_scatter){
			.process = i % 2 ? process : f->process,
			.address = forge_code(forge, 100 * i),
			.buffer = bytes[i],
			.size = 64,
		};
	}
	elements[7].address = 4096;
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE, cordbmem_read_scatter(elements, 60));
	for (size_t i = 0; i < 60; i++) {
		struct forge *forge = i % 2 ? other : f->forge;

		if (i == 7) {
			assert_hr(CORDBG_E_READVIRTUAL_FAILURE, elements[i].result);
			assert_int_equal(0, elements[i].read);
			continue;
		}
		assert_hr(S_OK, elements[i].result);
		assert_int_equal(64, elements[i].read);
		assert_memory_equal(forge->original + 100 * i, bytes[i], 64);
	}
	cordbmem_process_free(process);
}

static void strings_are_masked(void **state)
{
	struct fixture *f = *state;
	char text[64];
	uint16_t wide[32];
	size_t length;

	memcpy(f->forge->code, "some words", 11);
	memcpy(f->forge->code + 64, u"some words", 22);
	for (size_t i = 0; i < 10; i += 3) {
		forge_set(f->forge, i);
		forge_set(f->forge, 64 + i * 2);
	}
	assert_hr(S_OK, cordbmem_read_string(f->process, forge_code(f->forge, 0), text,
					     sizeof(text), &length));
	assert_string_equal("some words", text);
	assert_int_equal(10, length);
	assert_hr(S_OK, cordbmem_read_string16(f->process, forge_code(f->forge, 64), wide,
					       COUNT(wide), &length));
	assert_memory_equal(u"some words", wide, 22);
	assert_int_equal(10, length);
}

static void consistent_reads_are_masked(void **state)
{
	struct fixture *f = *state;
	BYTE bytes[32];

	memset(f->forge->code + 1024, 0, 8);
	forge_set(f->forge, 1040);
	assert_hr(S_OK, cordbmem_read_consistent(f->process, forge_code(f->forge, 1024), 8,
						 forge_code(f->forge, 1032), sizeof(bytes), bytes,
						 0, NULL));
	assert_memory_equal(f->forge->original + 1032, bytes, sizeof(bytes));
}

/* ---- debugger or not ------------------------------------------------------ */

static void without_debugger_nothing_is_looked_up(void **state)
{
	struct fixture *f = *state;
	struct forge *forge = f->forge;

	/* What would be shown if the table were asked. */
	forge_set(forge, 30);
	forge_set(forge, 5000);
	forge->original[30] = forge->original[5000] = FORGE_TRAP;
	forge_control(forge, 0);
	check(f, 0, 64);
	check(f, 0, 8192);
	/* Nor can it be. */
	forge_unmap(forge, (const void *)forge->table.header, 1);
	forge_unmap(forge, (const void *)forge->table.header->entries, 1);
	check(f, 0, 64);
	check(f, 30, 1);
	check(f, 0, 8192);
}

static void debugger_can_come_and_go(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 20; i++) {
		uint32_t index, pending;

		forge_control(f->forge, FORGE_ATTACHED);
		index = forge_set(f->forge, 70);
		check(f, 64, 16);
		forge_control(f->forge, FORGE_PENDING);
		pending = forge_set(f->forge, 72);
		check(f, 64, 16);
		check(f, 64, 5000);
		forge_clear(f->forge, index);
		forge_clear(f->forge, pending);
		forge_control(f->forge, 0x10);
		check(f, 64, 16);
		check(f, 64, 5000);
	}
}

static void unreadable_table_ends_the_read_at_the_trap(void **state)
{
	struct fixture *f = *state;

	forge_set(f->forge, 130);
	forge_set(f->forge, 140);
	check(f, 120, 32);
	forge_unmap(f->forge, (const void *)f->forge->table.header, 1);
	check(f, 100, 30);
	check_fails(f, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
	check_fails(f, CORDBG_E_READVIRTUAL_FAILURE, 130, 32, 0);
	check(f, 131, 9);
}

static void unreadable_entries_end_the_read_at_the_trap(void **state)
{
	struct fixture *f = *state;

	forge_set(f->forge, 130);
	forge_unmap(f->forge, (const void *)f->forge->table.header->entries, 1);
	check_fails(f, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
	check_fails(f, CORDBG_E_READVIRTUAL_FAILURE, 130, 1, 0);
}

static void unreadable_flags_end_the_read_at_the_trap(void **state)
{
	struct fixture *f = *state;
	struct forge *forge = f->forge;

	forge_native(forge, 130);
	forge_control(forge, 0);
	check(f, 120, 32);
	forge_unmap(forge, forge_global(forge, FORGE_CONTROL_FLAGS), 1);
	check(f, 100, 30);
	check_fails(f, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
}

static void table_that_is_none_ends_the_read_at_the_trap(void **state)
{
	struct fixture *f = *state;
	volatile struct forge_header *header = f->forge->table.header;
	const struct forge_header good = *header;

	forge_set(f->forge, 130);
	header->count = 1 << 20;
	check_fails(f, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
	header->count = good.count;
	header->entries = 0;
	check_fails(f, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
	header->entries = UINT64_MAX - 100;
	check_fails(f, CORDBMEM_E_PARTIAL_COPY, 120, 32, 10);
	header->entries = good.entries;
	check(f, 120, 32);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_IN(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(ranges_are_clipped_at_both_edges),
		TEST(single_bytes_at_before_and_after),
		TEST_IN(single_bytes_at_before_and_after, setup_descriptor),
		TEST(native_breakpoints_stay),
		TEST_IN(native_breakpoints_stay, setup_descriptor),
		TEST(two_patches_at_one_address),
		TEST(patch_removed_between_two_reads),
		TEST(freed_entries_do_not_mask),
		TEST(only_trap_bytes_are_replaced),
		TEST(breakpoints_on_zeroes),
		TEST_IN(breakpoints_on_zeroes, setup_descriptor),
		TEST(breakpoints_on_zeroes_in_a_long_table),
		TEST(partial_read_that_stops_behind_a_patch),
		TEST(empty_table_changes_nothing),
		TEST_IN(ten_thousand_patches, setup_big),
		TEST(addresses_that_share_a_bucket),
		TEST_IN(addresses_that_share_a_bucket, setup_descriptor),
		TEST_IN(chain_of_a_hundred, setup_big),
		TEST(far_apart_addresses_with_equal_lower_halves),
		TEST(broken_chains_are_not_relied_on),
		TEST_IN(broken_chains_are_not_relied_on, setup_descriptor),
		TEST(links_elsewhere_are_not_relied_on),
		TEST(entries_by_key_have_no_address),
		TEST(table_grows_and_moves_between_reads),
		TEST_IN(table_grows_and_moves_between_reads, setup_descriptor),
		TEST(more_traps_than_are_looked_up_at_once),
		TEST(dense_traps),
		TEST_IN(big_reads_with_and_without_debugger, setup_big),
		TEST_IN(big_read_ends_at_a_hole, setup_big),
		TEST(registered_and_discovered_live_together),
		TEST(registered_trap_byte_gives_way),
		TEST(registered_trap_byte_stays_where_memory_has_none),
		TEST(scattered_reads_are_masked),
		TEST(strings_are_masked),
		TEST(consistent_reads_are_masked),
		TEST(without_debugger_nothing_is_looked_up),
		TEST(debugger_can_come_and_go),
		TEST(unreadable_table_ends_the_read_at_the_trap),
		TEST(unreadable_entries_end_the_read_at_the_trap),
		TEST(unreadable_flags_end_the_read_at_the_trap),
		TEST(table_that_is_none_ends_the_read_at_the_trap),
	};

	return cmocka_run_group_tests_name("coreclr masking", tests, NULL, NULL);
}
