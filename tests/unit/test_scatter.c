// SPDX-License-Identifier: MIT
/*
 * Scattered and consistent reads.
 */
#include <stdatomic.h>
#include <string.h>

#include "target.h"
#include "unit.h"

static void elements_are_reads_of_their_own(void **state)
{
	struct target a = target_start(3), b = target_start(2);
	struct cordbmem_process *p = open_target(a.pid), *q = open_target(b.pid);
	struct cordbmem_process *closed = open_target(a.pid);
	BYTE buffer[8][64];
	struct cordbmem_scatter e[] = {
		{ .process = p, .address = a.base, .buffer = buffer[0], .size = 64 },
		{ .process = p, .address = a.base + 2 * PAGE, .buffer = buffer[1], .size = 64 },
		{ .process = q, .address = b.base + 10, .buffer = buffer[2], .size = 8 },
		{ .process = p, .address = a.base + 2 * PAGE - 5, .buffer = buffer[3], .size = 9 },
		{ .process = NULL, .address = 1, .buffer = buffer[4], .size = 1 },
		{ .process = closed, .address = a.base, .buffer = buffer[4], .size = 1 },
		{ .process = q, .address = 0, .buffer = NULL, .size = 0 },
		{ .process = q, .address = 0, .buffer = buffer[4], .size = 1 },
		{ .process = q, .address = b.base, .buffer = NULL, .size = 1 },
		{ .process = p, .address = a.base + 1, .buffer = buffer[5], .size = 4 },
	};
	static const HRESULT wanted[] = {
		S_OK,	      CORDBG_E_READVIRTUAL_FAILURE,
		S_OK,	      CORDBMEM_E_PARTIAL_COPY,
		E_INVALIDARG, CORDBG_E_OBJECT_NEUTERED,
		S_OK,	      E_INVALIDARG,
		E_INVALIDARG, S_OK,
	};
	static const SIZE_T counts[] = { 64, 0, 8, 5, 0, 0, 0, 0, 0, 4 };

	(void)state;
	target_unmap(&a, 2);
	cordbmem_process_close(closed);
	assert_hr(S_OK, cordbmem_process_add_patch(p, a.base + 2, (const BYTE *)"\x77", 1, NULL));
	for (size_t i = 0; i < COUNT(e); i++) {
		e[i].result = 0x5a5a5a5a;
		e[i].read = 99;
	}
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE, cordbmem_read_scatter(e, COUNT(e)));
	for (size_t i = 0; i < COUNT(e); i++) {
		assert_hr(wanted[i], e[i].result);
		assert_int_equal(counts[i], e[i].read);
	}
	assert_int_equal(0x77, buffer[0][2]);
	assert_int_equal(a.memory[3], buffer[0][3]);
	assert_memory_equal(b.memory + 10, buffer[2], 8);
	assert_memory_equal(a.memory + 2 * PAGE - 5, buffer[3], 5);
	assert_int_equal(0x77, buffer[5][1]);
	assert_hr(S_OK, cordbmem_read_scatter(NULL, 0));
	assert_hr(E_INVALIDARG, cordbmem_read_scatter(NULL, 1));
	assert_hr(S_OK, cordbmem_read_scatter(e, 1));

	/* One of many elements notices, those after it are neutered. */
	target_kill(&a);
	assert_hr(CORDBG_E_PROCESS_TERMINATED, cordbmem_read_scatter(e, COUNT(e)));
	assert_hr(CORDBG_E_PROCESS_TERMINATED, e[0].result);
	assert_hr(CORDBG_E_OBJECT_NEUTERED, e[1].result);
	assert_hr(S_OK, e[2].result);
	assert_hr(CORDBG_E_OBJECT_NEUTERED, e[9].result);
	assert_int_equal(0, e[9].read);
	cordbmem_process_free(p);
	cordbmem_process_free(q);
	cordbmem_process_free(closed);
	target_end(&a);
	target_end(&b);
}

static void many_elements(void **state)
{
	enum { ELEMENTS = 1000 };
	struct target t = target_start(4);
	struct cordbmem_process *p = open_target(t.pid);
	static struct cordbmem_scatter e[ELEMENTS];
	static uint64_t words[ELEMENTS];

	(void)state;
	for (size_t i = 0; i < ELEMENTS; i++)
		e[i] = (struct cordbmem_scatter){ .process = p,
						  .address = t.base + 8 * i,
						  .buffer = (BYTE *)&words[i],
						  .size = 8 };
	assert_hr(S_OK, cordbmem_read_scatter(e, ELEMENTS));
	assert_memory_equal(t.memory, words, sizeof(words));
	cordbmem_process_free(p);
	target_end(&t);
}

/* ---- consistent reads --------------------------------------------------- */

struct record {
	_Atomic(uint64_t) sequence;
	_Atomic(uint64_t) data[64];
};

/* Runs in the target: every word of the data is the number of its round. */
static long write_rounds(long address)
{
	struct record *r = (struct record *)address;

	for (uint64_t round = 1;; round++) {
		atomic_store(&r->sequence, 2 * round - 1);
		for (size_t i = 0; i < COUNT(r->data); i++)
			atomic_store(&r->data[i], round);
		atomic_store(&r->sequence, 2 * round);
		/* A pause, or no reader would ever meet a quiet moment. */
		for (int i = 0; i < 20000; i++)
			atomic_signal_fence(memory_order_seq_cst);
	}
	return 0;
}

static void data_belongs_to_the_sequence_word(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid);
	const size_t sequence_size = sizeof(((struct record *)0)->sequence);
	uint64_t data[COUNT(((struct record *)0)->data)], value, last = 0;
	size_t changes = 0;

	(void)state;
	memset(t.memory, 0, t.size);
	target_send(&t, write_rounds, (long)t.base);
	for (int i = 0; i < 3000 || changes < 10; i++) {
		HRESULT hr = cordbmem_read_consistent(p, t.base, 8, t.base + sequence_size,
						      sizeof(data), (BYTE *)data, 1000, &value);

		if (hr == CORDBMEM_E_RETRY)
			continue;
		assert_hr(S_OK, hr);
		assert_int_equal(0, value & 1);
		for (size_t j = 0; j < COUNT(data); j++)
			assert_int_equal(value / 2, data[j]);
		assert_true(value >= last);
		changes += value != last;
		last = value;
	}
	cordbmem_process_free(p);
	target_end(&t);
}

static void writer_that_never_rests_is_a_retry(void **state)
{
	struct target t = target_start(3);
	struct cordbmem_process *p = open_target(t.pid);
	const uint64_t sequence = t.base + 8, data = t.base + 64, hole = t.base + 2 * PAGE;
	BYTE buffer[8] = { 0 };
	uint64_t value = 77;
	uint32_t half = 4;

	(void)state;
	target_unmap(&t, 2);
	memset(t.memory + 8, 0xff, 8);
	assert_hr(CORDBMEM_E_RETRY,
		  cordbmem_read_consistent(p, sequence, 8, data, 8, buffer, 0, &value));
	assert_hr(CORDBMEM_E_RETRY,
		  cordbmem_read_consistent(p, sequence, 4, hole, 8, buffer, 3, &value));
	assert_int_equal(77, value);

	/* Only 4 bytes of the word count when it has 4. */
	memcpy(t.memory + 8, &half, sizeof(half));
	assert_hr(S_OK, cordbmem_read_consistent(p, sequence, 4, data, 8, buffer, 1, &value));
	assert_int_equal(4, value);
	assert_memory_equal(t.memory + 64, buffer, 8);
	assert_hr(S_OK, cordbmem_read_consistent(p, sequence, 4, data, 8, buffer, 1, NULL));

	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_read_consistent(p, sequence, 4, hole, 8, buffer, 0, &value));
	assert_hr(CORDBMEM_E_PARTIAL_COPY,
		  cordbmem_read_consistent(p, sequence, 4, hole - 4, 8, buffer, 0, &value));
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_read_consistent(p, hole, 4, data, 8, buffer, 0, &value));

	assert_hr(E_INVALIDARG,
		  cordbmem_read_consistent(p, sequence + 4, 8, data, 8, buffer, 0, &value));
	assert_hr(E_INVALIDARG,
		  cordbmem_read_consistent(p, sequence + 2, 4, data, 8, buffer, 0, &value));
	assert_hr(E_INVALIDARG,
		  cordbmem_read_consistent(p, sequence, 2, data, 8, buffer, 0, &value));
	assert_hr(E_INVALIDARG, cordbmem_read_consistent(p, 0, 4, data, 8, buffer, 0, &value));
	assert_hr(E_INVALIDARG, cordbmem_read_consistent(p, sequence, 4, 0, 8, buffer, 0, &value));
	assert_hr(E_INVALIDARG,
		  cordbmem_read_consistent(p, sequence, 4, data, 0, buffer, 0, &value));
	assert_hr(E_INVALIDARG, cordbmem_read_consistent(p, sequence, 4, data, 8, NULL, 0, &value));
	assert_hr(E_INVALIDARG,
		  cordbmem_read_consistent(NULL, sequence, 4, data, 8, buffer, 0, &value));
	assert_int_equal(4, value);

	target_kill(&t);
	assert_hr(CORDBG_E_PROCESS_TERMINATED,
		  cordbmem_read_consistent(p, sequence, 4, data, 8, buffer, 0, &value));
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  cordbmem_read_consistent(p, sequence, 4, data, 0, NULL, 0, &value));
	cordbmem_process_free(p);
	target_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elements_are_reads_of_their_own),
		cmocka_unit_test(many_elements),
		cmocka_unit_test(data_belongs_to_the_sequence_word),
		cmocka_unit_test(writer_that_never_rests_is_a_retry),
	};

	return cmocka_run_group_tests_name("scatter", tests, NULL, NULL);
}
