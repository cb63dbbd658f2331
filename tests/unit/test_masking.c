// SPDX-License-Identifier: MIT
/*
 * Masking: no read shows a registered patch, and none shows anything else changed.
 */
#include <string.h>

#include "target.h"
#include "unit.h"

#define TRAP 0xcc

struct fixture {
	struct target target;
	struct cordbmem_process *process;
	BYTE original[4 * PAGE];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->target = target_start(4);
	f->process = open_target(f->target.pid);
	memcpy(f->original, f->target.memory, sizeof(f->original));
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

/* Register a patch as a debugger does: first the table, then the traps. */
static cordbmem_patch_id plant(struct fixture *f, size_t offset, DWORD size)
{
	cordbmem_patch_id id = 0;

	assert_hr(S_OK, cordbmem_process_add_patch(f->process, f->target.base + offset,
						   f->original + offset, size, &id));
	assert_true(id != 0);
	memset(f->target.memory + offset, TRAP, size);
	return id;
}

/* Read a range, compare it with wanted bytes, and the bytes around it with what was there. */
static void check(struct fixture *f, size_t offset, DWORD size, const BYTE *wanted)
{
	BYTE buffer[3 * PAGE];
	SIZE_T got = 77;

	memset(buffer, 0xa5, sizeof(buffer));
	assert_hr(S_OK, cordbmem_ReadMemory(f->process, f->target.base + offset, size, buffer + 32,
					    &got));
	assert_int_equal(size, got);
	assert_memory_equal(wanted, buffer + 32, size);
	for (size_t i = 0; i < 32; i++) {
		assert_int_equal(0xa5, buffer[i]);
		assert_int_equal(0xa5, buffer[32 + size + i]);
	}
}

static void check_original(struct fixture *f, size_t offset, DWORD size)
{
	check(f, offset, size, f->original + offset);
}

static void ranges_are_clipped_at_both_edges(void **state)
{
	struct fixture *f = *state;

	plant(f, 100, 16);
	for (size_t start = 80; start < 120; start++) {
		for (DWORD size = 1; size < 48; size++)
			check_original(f, start, size);
	}
}

static void single_bytes_at_before_and_after(void **state)
{
	struct fixture *f = *state;

	plant(f, 200, 1);
	plant(f, 202, 4);
	for (size_t offset = 190; offset < 220; offset++)
		check_original(f, offset, 1);
}

static void native_breakpoints_stay(void **state)
{
	struct fixture *f = *state;
	BYTE wanted[8];

	plant(f, 300, 1);
	f->target.memory[301] = TRAP;
	memcpy(wanted, f->original + 300, sizeof(wanted));
	wanted[1] = TRAP;
	check(f, 300, sizeof(wanted), wanted);
	check(f, 301, 1, wanted + 1);
}

static void oldest_of_overlapping_patches_wins(void **state)
{
	struct fixture *f = *state;
	const BYTE later[4] = { 1, TRAP, TRAP, 4 };
	cordbmem_patch_id first, second, third;
	BYTE wanted[8];

	/* The second saved its bytes after the first one's trap was written. */
	first = plant(f, 401, 2);
	assert_hr(S_OK,
		  cordbmem_process_add_patch(f->process, f->target.base + 400, later, 4, &second));
	assert_hr(S_OK, cordbmem_process_add_patch(f->process, f->target.base + 401,
						   (const BYTE *)"\x77", 1, &third));
	assert_true(first != second && second != third);
	memcpy(wanted, f->original + 396, sizeof(wanted));
	wanted[4] = 1;
	wanted[7] = 4;
	check(f, 396, 8, wanted);

	/* With the oldest gone, the next one shows; with none, memory. */
	assert_hr(S_OK, cordbmem_process_remove_patch(f->process, first));
	wanted[5] = wanted[6] = TRAP;
	check(f, 396, 8, wanted);
	assert_hr(S_OK, cordbmem_process_remove_patch(f->process, second));
	wanted[4] = f->original[400];
	wanted[5] = 0x77;
	wanted[7] = f->original[403];
	check(f, 396, 8, wanted);
	assert_hr(S_OK, cordbmem_process_remove_patch(f->process, third));
	wanted[5] = TRAP;
	check(f, 396, 8, wanted);
}

static void two_patches_at_one_address(void **state)
{
	struct fixture *f = *state;
	cordbmem_patch_id first = plant(f, 500, 1), second = plant(f, 500, 1);

	check_original(f, 499, 3);
	assert_hr(S_OK, cordbmem_process_remove_patch(f->process, second));
	check_original(f, 499, 3);
	plant(f, 500, 1);
	assert_hr(S_OK, cordbmem_process_remove_patch(f->process, first));
	check_original(f, 499, 3);
}

static void patch_removed_between_two_reads(void **state)
{
	struct fixture *f = *state;
	cordbmem_patch_id id = plant(f, 600, 3);
	BYTE fresh[3] = { 7, 8, 9 };

	check_original(f, 599, 5);
	memcpy(f->target.memory + 600, fresh, 3);
	assert_hr(S_OK, cordbmem_process_remove_patch(f->process, id));
	check(f, 600, 3, fresh);
	assert_hr(CORDBMEM_E_NOT_FOUND, cordbmem_process_remove_patch(f->process, id));
}

static void partial_read_that_stops_inside_a_patch(void **state)
{
	struct fixture *f = *state;
	BYTE buffer[64];
	SIZE_T got;

	plant(f, PAGE - 3, 8); /* reaches into the next page */
	target_unmap(&f->target, 1);
	memset(buffer, 0xa5, sizeof(buffer));
	assert_hr(CORDBMEM_E_PARTIAL_COPY,
		  cordbmem_ReadMemory(f->process, f->target.base + PAGE - 10, 40, buffer, &got));
	assert_int_equal(10, got);
	assert_memory_equal(f->original + PAGE - 10, buffer, 10);
	/* A patch makes nothing readable. */
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_ReadMemory(f->process, f->target.base + PAGE, 2, buffer, &got));
	assert_int_equal(0, got);
}

static void patch_with_a_zero_byte(void **state)
{
	struct fixture *f = *state;

	f->original[700] = f->target.memory[700] = 0;
	plant(f, 700, 1);
	check_original(f, 696, 8);
}

/* ---- against a naive model --------------------------------------------- */

#define AREA 600
#define MODEL_PATCHES 64

struct model {
	struct cordbmem_patch patches[MODEL_PATCHES]; /* oldest first */
	size_t count;
};

static void model_view(const struct model *model, const struct fixture *f, BYTE *view)
{
	memcpy(view, f->target.memory, AREA);
	for (size_t i = model->count; i-- > 0;) {
		const struct cordbmem_patch *patch = &model->patches[i];

		memcpy(view + (patch->address - f->target.base), patch->original, patch->size);
	}
}

static void model_step(struct model *model, struct fixture *f, uint64_t *random)
{
	size_t offset = next_random(random) % (AREA - CORDBMEM_PATCH_MAX);

	if (model->count == MODEL_PATCHES || (model->count && next_random(random) % 2)) {
		size_t i = next_random(random) % model->count;

		assert_hr(S_OK, cordbmem_process_remove_patch(f->process, model->patches[i].id));
		memmove(&model->patches[i], &model->patches[i + 1],
			(--model->count - i) * sizeof(model->patches[0]));
	} else {
		size_t batch = 1 + next_random(random) % 4;
		struct cordbmem_patch *list = &model->patches[model->count];

		if (batch > MODEL_PATCHES - model->count)
			batch = 1;
		for (size_t i = 0; i < batch; i++) {
			list[i].address = f->target.base + offset;
			list[i].size = 1 + next_random(random) % CORDBMEM_PATCH_MAX;
			for (size_t j = 0; j < list[i].size; j++)
				list[i].original[j] = (BYTE)next_random(random);
			offset = next_random(random) % (AREA - CORDBMEM_PATCH_MAX);
		}
		assert_hr(S_OK, cordbmem_process_add_patches(f->process, list, batch));
		model->count += batch;
	}
	f->target.memory[offset] = (BYTE)next_random(random);
}

static void equals_a_naive_model(void **state)
{
	struct fixture *f = *state;
	uint64_t random = test_seed();
	struct model model = { .count = 0 };

	for (int step = 0; step < 4000; step++) {
		BYTE view[AREA];

		model_step(&model, f, &random);
		model_view(&model, f, view);
		check(f, 0, AREA, view);
		for (int i = 0; i < 8; i++) {
			size_t offset = next_random(&random) % AREA;
			DWORD size = 1 + next_random(&random) % (DWORD)(AREA - offset);

			if (i < 4 && size > 20)
				size = 1 + size % 20;
			check(f, offset, size, view + offset);
		}
	}
}

static void ten_thousand_patches(void **state)
{
	struct fixture *f = *state;
	cordbmem_patch_id *ids = calloc(10000, sizeof(*ids));
	uint64_t random = test_seed();
	size_t count;

	/* In an order that is neither up nor down; 7919 has no factor in common. */
	for (size_t i = 0; i < 10000; i++)
		ids[i] = plant(f, i * 7919 % 10000, 1);
	assert_hr(S_OK, cordbmem_process_list_patches(f->process, NULL, 0, &count));
	assert_int_equal(10000, count);
	check_original(f, 0, 8192);
	for (int i = 0; i < 1000; i++)
		check_original(f, next_random(&random) % 12000, 1 + next_random(&random) % 300);

	for (size_t i = 0; i < 10000; i += 2) {
		size_t offset = i * 7919 % 10000;

		f->target.memory[offset] = f->original[offset];
		assert_hr(S_OK, cordbmem_process_remove_patch(f->process, ids[i]));
	}
	check_original(f, 0, 8192);
	assert_hr(S_OK, cordbmem_process_list_patches(f->process, NULL, 0, &count));
	assert_int_equal(5000, count);
	free(ids);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(ranges_are_clipped_at_both_edges),
		TEST(single_bytes_at_before_and_after),
		TEST(native_breakpoints_stay),
		TEST(oldest_of_overlapping_patches_wins),
		TEST(two_patches_at_one_address),
		TEST(patch_removed_between_two_reads),
		TEST(partial_read_that_stops_inside_a_patch),
		TEST(patch_with_a_zero_byte),
		TEST(equals_a_naive_model),
		TEST(ten_thousand_patches),
	};

	return cmocka_run_group_tests_name("masking", tests, NULL, NULL);
}
