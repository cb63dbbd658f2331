// SPDX-License-Identifier: MIT
/*
 * The table of patches by itself: arguments, order, ids, memory, and what a lookup may rely on.
 */
#include <string.h>

#include "patches.h"
#include "target.h"
#include "unit.h"

static struct patches *new_table(void)
{
	struct patches *table = aligned_alloc(64, sizeof(*table));

	assert_non_null(table);
	assert_true(patches_init(table));
	return table;
}

static void free_table(struct patches *table)
{
	patches_destroy(table);
	free(table);
}

static cordbmem_patch_id add(struct patches *table, uint64_t address, BYTE byte)
{
	struct cordbmem_patch patch = { .address = address, .size = 1, .original = { byte } };

	assert_hr(S_OK, patches_add(table, &patch, 1));
	return patch.id;
}

static void wrong_arguments_change_nothing(void **state)
{
	static const BYTE bytes[32];
	const uint64_t max = UINT64_MAX;
	struct target target = target_start(1);
	struct cordbmem_process *process = open_target(target.pid);
	struct cordbmem_patch list[2] = { { 0, 1, 1, { 0 } }, { 0, 0, 1, { 0 } } };
	cordbmem_patch_id id = 99;
	size_t count;

	(void)state;
	assert_hr(E_INVALIDARG, cordbmem_process_add_patch(NULL, 1, bytes, 1, &id));
	assert_hr(E_INVALIDARG, cordbmem_process_add_patch(process, 0, bytes, 1, &id));
	assert_hr(E_INVALIDARG, cordbmem_process_add_patch(process, 1, NULL, 1, &id));
	assert_hr(E_INVALIDARG, cordbmem_process_add_patch(process, 1, bytes, 0, &id));
	assert_hr(E_INVALIDARG, cordbmem_process_add_patch(process, 1, bytes, 17, &id));
	assert_hr(E_INVALIDARG, cordbmem_process_add_patch(process, 1, bytes, max & ~0U, &id));
	assert_hr(E_INVALIDARG, cordbmem_process_add_patch(process, max - 15, bytes, 16, &id));
	assert_hr(E_INVALIDARG, cordbmem_process_add_patch(process, max, bytes, 1, &id));
	assert_hr(E_INVALIDARG, cordbmem_process_add_patches(process, list, 2));
	assert_hr(E_INVALIDARG, cordbmem_process_add_patches(process, NULL, 1));
	assert_hr(S_OK, cordbmem_process_add_patches(process, NULL, 0));
	assert_hr(E_INVALIDARG, cordbmem_process_list_patches(process, NULL, 1, &count));
	assert_hr(E_INVALIDARG, cordbmem_process_list_patches(process, list, 1, NULL));
	assert_hr(CORDBMEM_E_NOT_FOUND, cordbmem_process_remove_patch(process, 0));
	assert_hr(CORDBMEM_E_NOT_FOUND, cordbmem_process_remove_patch(process, max));
	assert_hr(E_INVALIDARG, cordbmem_process_remove_patch(NULL, 1));
	assert_int_equal(99, id);
	assert_hr(S_OK, cordbmem_process_list_patches(process, NULL, 0, &count));
	assert_int_equal(0, count);
	assert_hr(S_OK, cordbmem_process_add_patch(process, max - 16, bytes, 16, NULL));
	cordbmem_process_free(process);
	target_end(&target);
}

static void list_is_sorted_and_oldest_first(void **state)
{
	struct patches *table = new_table();
	struct cordbmem_patch bulk[3] = {
		{ .address = 50, .size = 2, .original = { 1, 2 } },
		{ .address = 20, .size = 1, .original = { 3 } },
		{ .address = 50, .size = 1, .original = { 4 } },
	};
	struct cordbmem_patch list[5];

	(void)state;
	add(table, 50, 9);
	add(table, 30, 8);
	assert_hr(S_OK, patches_add(table, bulk, 3));
	memset(list, 0, sizeof(list));
	assert_int_equal(5, patches_list(table, list, 4));
	assert_int_equal(0, list[4].id);
	assert_int_equal(5, patches_list(table, list, 5));
	assert_int_equal(20, list[0].address);
	assert_int_equal(30, list[1].address);
	assert_int_equal(9, list[2].original[0]);
	assert_int_equal(2, list[3].size);
	assert_int_equal(2, list[3].original[1]);
	assert_int_equal(bulk[0].id, list[3].id);
	assert_int_equal(4, list[4].original[0]);
	assert_true(list[2].id < list[3].id && list[3].id < list[4].id);
	free_table(table);
}

/* A read that began before a removal may have seen the trap, so it masks it. */
static void removed_patch_is_hidden_from_reads_that_began_before(void **state)
{
	struct patches *table = new_table();
	cordbmem_patch_id id = add(table, 100, 0x11);
	uint64_t before = patches_begin(table), after;
	BYTE byte = 0xcc;

	(void)state;
	assert_hr(S_OK, patches_remove(table, id));
	after = patches_begin(table);
	assert_true(patches_mask(table, before, 100, &byte, 1));
	assert_int_equal(0x11, byte);
	byte = 0xcc;
	assert_true(patches_mask(table, after, 100, &byte, 1));
	assert_int_equal(0xcc, byte);
	assert_int_equal(0, patches_list(table, NULL, 0));
	free_table(table);
}

static void patch_that_came_and_went_during_a_read_is_hidden(void **state)
{
	struct patches *table = new_table();
	uint64_t before = patches_begin(table);
	BYTE byte = 0xcc;

	(void)state;
	assert_hr(S_OK, patches_remove(table, add(table, 100, 0x22)));
	assert_true(patches_mask(table, before, 100, &byte, 1));
	assert_int_equal(0x22, byte);
	free_table(table);
}

static void read_that_outlives_many_removals_starts_over(void **state)
{
	struct patches *table = new_table();
	uint64_t before = patches_begin(table);
	BYTE byte = 0xcc;

	(void)state;
	for (int i = 0; i < 100; i++)
		assert_hr(S_OK, patches_remove(table, add(table, 100, 0x22)));
	assert_false(patches_mask(table, before, 100, &byte, 1));
	byte = 0xcc;
	assert_true(patches_mask(table, patches_begin(table), 100, &byte, 1));
	assert_int_equal(0xcc, byte);
	free_table(table);
}

static void slots_are_reused_under_new_ids(void **state)
{
	struct patches *table = new_table();
	cordbmem_patch_id old = add(table, 100, 1), last = old;

	(void)state;
	assert_hr(S_OK, patches_remove(table, old));
	for (uint64_t i = 0; i < 20000; i++) {
		cordbmem_patch_id id = add(table, 100 + i, 1);

		assert_true(id > last);
		assert_hr(S_OK, patches_remove(table, id));
		last = id;
	}
	assert_hr(CORDBMEM_E_NOT_FOUND, patches_remove(table, old));
	assert_true(table->slots <= 64 + 128);
	free_table(table);
}

static size_t index_memory(const struct patch_index *index)
{
	size_t entries = 0;

	for (const struct patch_block *block = index->block; block; block = block->older)
		entries += block->capacity;
	return entries;
}

static void memory_grows_with_the_largest_table_only(void **state)
{
	struct patches *table = new_table();

	(void)state;
	for (int round = 0; round < 2; round++) {
		static cordbmem_patch_id ids[10000];

		for (size_t i = 0; i < COUNT(ids); i++)
			ids[i] = add(table, 1 + i * 7919 % COUNT(ids), 1);
		for (size_t i = 0; i < COUNT(ids); i++)
			assert_hr(S_OK, patches_remove(table, ids[i]));
	}
	/* At most 12,532 entries at a time: live ones and a quarter of removed ones. */
	for (int i = 0; i < 2; i++)
		assert_true(index_memory(&table->index[i]) <= 4 * 12532);
	assert_true(table->slots <= 2 * 12532);
	assert_true(table->index[0].count < 64);
	free_table(table);
}

static void bulk_of_any_order_is_merged(void **state)
{
	struct patches *table = new_table();
	struct cordbmem_patch *bulk = calloc(50000, sizeof(*bulk));
	uint64_t random = test_seed(), last = 0;

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (size_t i = 0; i < 50000; i++) {
			bulk[i].address = 1 + next_random(&random) % 100000;
			bulk[i].size = 1;
		}
		assert_hr(S_OK, patches_add(table, bulk, 50000));
	}
	free(bulk);
	bulk = calloc(100000, sizeof(*bulk));
	assert_int_equal(100000, patches_list(table, bulk, 100000));
	for (size_t i = 0; i < 100000; i++) {
		assert_true(bulk[i].address > last ||
			    (bulk[i].address == last && bulk[i].id > bulk[i - 1].id));
		last = bulk[i].address;
	}
	free(bulk);
	free_table(table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(wrong_arguments_change_nothing),
		cmocka_unit_test(list_is_sorted_and_oldest_first),
		cmocka_unit_test(removed_patch_is_hidden_from_reads_that_began_before),
		cmocka_unit_test(patch_that_came_and_went_during_a_read_is_hidden),
		cmocka_unit_test(read_that_outlives_many_removals_starts_over),
		cmocka_unit_test(slots_are_reused_under_new_ids),
		cmocka_unit_test(memory_grows_with_the_largest_table_only),
		cmocka_unit_test(bulk_of_any_order_is_merged),
	};

	return cmocka_run_group_tests_name("patches", tests, NULL, NULL);
}
