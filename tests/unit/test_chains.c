// SPDX-License-Identifier: MIT
/*
 * Chains of pointers.
 */
#include <string.h>

#include "target.h"
#include "unit.h"

struct fixture {
	struct target target[2];
	struct cordbmem_process *process[2];
};

/* Two targets of three pages, the last one a hole. */
static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	for (int i = 0; i < 2; i++) {
		f->target[i] = target_start(3);
		target_unmap(&f->target[i], 2);
		f->process[i] = open_target(f->target[i].pid);
	}
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 2; i++) {
		cordbmem_process_free(f->process[i]);
		target_end(&f->target[i]);
	}
	free(f);
	return 0;
}

/* The word at an offset of a target points to another offset. */
static void point(struct fixture *f, int which, size_t from, size_t to)
{
	uint64_t address = f->target[which].base + to;

	memcpy(f->target[which].memory + from, &address, sizeof(address));
}

static void single_chain(void **state)
{
	struct fixture *f = *state;
	const int64_t offsets[] = { 8, -16, 4 };
	const uint64_t base = f->target[0].base;
	CORDB_ADDRESS address;
	size_t level;

	point(f, 0, 0, 100);
	point(f, 0, 108, 1016);
	point(f, 0, 1000, 2 * PAGE);
	assert_hr(S_OK, cordbmem_read_chain(f->process[0], base, offsets, 3, &address, &level));
	assert_int_equal(base + 2 * PAGE + 4, address); /* not read, so it may be a hole */
	assert_int_equal(3, level);
	assert_hr(S_OK, cordbmem_read_chain(f->process[0], base, NULL, 0, &address, NULL));
	assert_int_equal(base, address);
}

static void failing_level_is_told(void **state)
{
	struct fixture *f = *state;
	const int64_t offsets[] = { 0, 0, 0 };
	const uint64_t base = f->target[0].base;
	CORDB_ADDRESS address;
	size_t level;

	point(f, 0, 0, 8);
	point(f, 0, 8, 2 * PAGE);
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_read_chain(f->process[0], base, offsets, 3, &address, &level));
	assert_int_equal(2, level);
	assert_int_equal(base + 2 * PAGE, address);

	point(f, 0, 8, 2 * PAGE - 4);
	assert_hr(CORDBMEM_E_PARTIAL_COPY,
		  cordbmem_read_chain(f->process[0], base, offsets, 3, &address, &level));
	assert_int_equal(2, level);

	memset(f->target[0].memory + 8, 0, 8);
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_read_chain(f->process[0], base, offsets, 3, &address, &level));
	assert_int_equal(2, level);
	assert_int_equal(0, address);
	assert_hr(S_OK, cordbmem_read_chain(f->process[0], base, offsets, 2, &address, &level));
	assert_int_equal(0, address);
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_read_chain(f->process[0], 0, offsets, 1, &address, &level));
	assert_int_equal(0, level);
}

static void half_size_pointers(void **state)
{
	struct fixture *f = *state;
	const int64_t offsets[] = { 5 };
	const uint32_t value = 0xfffffff0;
	struct cordbmem_chain chain = {
		.process = f->process[0],
		.base = f->target[0].base + 2 * PAGE - 4,
		.offsets = offsets,
		.count = 1,
		.pointer_size = 4,
	};

	memcpy(f->target[0].memory + 2 * PAGE - 4, &value, sizeof(value));
	assert_hr(S_OK, cordbmem_read_chains(&chain, 1));
	assert_int_equal(0xfffffff5, chain.address);
	chain.pointer_size = 8;
	assert_hr(CORDBMEM_E_PARTIAL_COPY, cordbmem_read_chains(&chain, 1));
	chain.pointer_size = 2;
	assert_hr(E_INVALIDARG, cordbmem_read_chains(&chain, 1));
}

static void batch_over_two_processes(void **state)
{
	enum { CHAINS = 300, LEVELS = 5 };
	struct fixture *f = *state;
	const int64_t zero[LEVELS] = { 0 };
	struct cordbmem_chain chains[CHAINS];

	/* Words 0 to 4 of each target point on to the next word, word 5 to a hole. */
	for (int which = 0; which < 2; which++) {
		for (size_t i = 0; i < 5; i++)
			point(f, which, 8 * i, 8 * i + 8);
		point(f, which, 40, 2 * PAGE);
	}
	memset(chains, 0xa5, sizeof(chains));
	for (size_t i = 0; i < CHAINS; i++) {
		chains[i].process = f->process[i % 2];
		chains[i].base = f->target[i % 2].base + 8 * (i % 3);
		chains[i].offsets = zero;
		chains[i].count = i % (LEVELS + 1);
		chains[i].pointer_size = 0;
	}
	assert_hr(S_OK, cordbmem_read_chains(chains, 5));
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE, cordbmem_read_chains(chains, CHAINS));
	for (size_t i = 0; i < CHAINS; i++) {
		uint64_t base = f->target[i % 2].base;
		size_t reached = i % 3 + chains[i].count;

		if (reached <= 5) {
			assert_hr(S_OK, chains[i].result);
			assert_int_equal(base + 8 * reached, chains[i].address);
			assert_int_equal(chains[i].count, chains[i].level);
		} else if (reached == 6) {
			assert_hr(S_OK, chains[i].result);
			assert_int_equal(base + 2 * PAGE, chains[i].address);
		} else {
			assert_hr(CORDBG_E_READVIRTUAL_FAILURE, chains[i].result);
			assert_int_equal(6 - i % 3, chains[i].level);
			assert_int_equal(base + 2 * PAGE, chains[i].address);
		}
	}
}

static void dead_and_wrong_ones_do_not_stop_the_rest(void **state)
{
	struct fixture *f = *state;
	const int64_t zero[1] = { 0 };
	struct cordbmem_chain chains[4];

	memset(chains, 0, sizeof(chains));
	for (size_t i = 0; i < 4; i++) {
		chains[i].process = f->process[i == 3];
		chains[i].base = f->target[i == 3].base;
		chains[i].offsets = zero;
		chains[i].count = 1;
	}
	chains[2].offsets = NULL;
	point(f, 1, 0, 48);
	target_kill(&f->target[0]);
	assert_hr(CORDBG_E_PROCESS_TERMINATED, cordbmem_read_chains(chains, 4));
	assert_hr(CORDBG_E_PROCESS_TERMINATED, chains[0].result);
	assert_hr(CORDBG_E_OBJECT_NEUTERED, chains[1].result);
	assert_hr(E_INVALIDARG, chains[2].result);
	assert_hr(S_OK, chains[3].result);
	assert_int_equal(f->target[1].base + 48, chains[3].address);
	assert_hr(E_INVALIDARG, cordbmem_read_chains(NULL, 1));
	assert_hr(S_OK, cordbmem_read_chains(NULL, 0));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(single_chain),
		TEST(failing_level_is_told),
		TEST(half_size_pointers),
		TEST(batch_over_two_processes),
		TEST(dead_and_wrong_ones_do_not_stop_the_rest),
	};

	return cmocka_run_group_tests_name("chains", tests, NULL, NULL);
}
