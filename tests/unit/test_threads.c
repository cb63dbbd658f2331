// SPDX-License-Identifier: MIT
/*
 * Threads that read while patches come and go: never a trap, never a stale byte.
 *
 * Clean under -fsanitize=thread as well; nothing here needs time to pass.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "patches.h"
#include "target.h"
#include "unit.h"

#define TRAP 0xcc
#define READERS 2
#define WRITERS 2

/* ---- the table, over memory that is read as fast as a live window ------- */

#define CODE 2048
#define READS 60000

struct machine {
	struct patches *table;
	_Atomic(BYTE) code[CODE];
	BYTE original[CODE];
	_Atomic(int) readers;
	_Atomic(unsigned long) traps_seen, wrong, restarts, rounds;
};

struct job {
	struct machine *machine;
	uint64_t random;
	size_t index;
};

static void *write_traps(void *argument)
{
	struct job *job = argument;
	struct machine *m = job->machine;

	while (atomic_load(&m->readers)) {
		/* Each writer has blocks of 8 bytes to itself; the last byte is a lasting trap. */
		size_t block = next_random(&job->random) % (CODE / 8 / WRITERS);
		size_t offset = (block * WRITERS + job->index) * 8;
		struct cordbmem_patch patch = { .size = 1 + next_random(&job->random) % 7 };

		patch.address = 0x10000 + offset;
		memcpy(patch.original, m->original + offset, patch.size);
		if (FAILED(patches_add(m->table, &patch, 1)))
			break;
		for (size_t i = 0; i < patch.size; i++)
			atomic_store_explicit(&m->code[offset + i], TRAP, memory_order_relaxed);
		for (unsigned int i = next_random(&job->random) % 512; i; i--)
			atomic_load_explicit(&m->code[0], memory_order_relaxed);
		for (size_t i = 0; i < patch.size; i++)
			atomic_store_explicit(&m->code[offset + i], m->original[offset + i],
					      memory_order_relaxed);
		patches_remove(m->table, patch.id);
		atomic_fetch_add(&m->rounds, 1);
	}
	return NULL;
}

static void read_code(struct machine *m, size_t offset, size_t size, BYTE *buffer)
{
	for (size_t i = 0; i < size; i++) {
		buffer[i] = atomic_load_explicit(&m->code[offset + i], memory_order_relaxed);
		if (buffer[i] == TRAP && (offset + i) % 8 != 7)
			atomic_fetch_add_explicit(&m->traps_seen, 1, memory_order_relaxed);
	}
}

static void *read_and_mask(void *argument)
{
	struct job *job = argument;
	struct machine *m = job->machine;

	/* A run in which no trap was ever in memory would prove nothing. */
	for (int i = 0; i < READS || !atomic_load(&m->traps_seen) || atomic_load(&m->rounds) < 100;
	     i++) {
		size_t offset = next_random(&job->random) % CODE;
		size_t size = 1 + next_random(&job->random) % (CODE - offset);
		BYTE buffer[CODE];
		uint64_t view;

		if (i % 2 && size > 24)
			size = 24;
		for (;;) {
			view = patches_begin(m->table);
			read_code(m, offset, size, buffer);
			if (patches_mask(m->table, view, 0x10000 + offset, buffer, size))
				break;
			atomic_fetch_add(&m->restarts, 1);
		}
		if (memcmp(buffer, m->original + offset, size))
			atomic_fetch_add(&m->wrong, 1);
	}
	atomic_fetch_sub(&m->readers, 1);
	return NULL;
}

static void run_threads(void *(*reader)(void *), void *(*writer)(void *), struct machine *m)
{
	pthread_t threads[READERS + WRITERS];
	struct job jobs[READERS + WRITERS];
	uint64_t seed = test_seed();

	atomic_store(&m->readers, READERS);
	for (size_t i = 0; i < READERS + WRITERS; i++) {
		jobs[i] = (struct job){ m, seed + i, i % WRITERS };
		assert_int_equal(0, pthread_create(&threads[i], NULL, i < READERS ? reader : writer,
						   &jobs[i]));
	}
	for (size_t i = 0; i < READERS + WRITERS; i++)
		pthread_join(threads[i], NULL);
}

static void no_trap_escapes_while_patches_come_and_go(void **state)
{
	struct machine *m = calloc(1, sizeof(*m));

	(void)state;
	m->table = aligned_alloc(64, sizeof(*m->table));
	assert_true(patches_init(m->table));
	for (size_t i = 0; i < CODE; i++) {
		m->original[i] = (BYTE)(i * 13 % 0xcb);
		atomic_init(&m->code[i], m->original[i]);
	}
	/* A table of some size, or a reader would never see it half moved. */
	for (size_t i = 7; i < CODE; i += 8) {
		struct cordbmem_patch lasting = { .address = 0x10000 + i,
						  .size = 1,
						  .original = { m->original[i] } };

		assert_hr(S_OK, patches_add(m->table, &lasting, 1));
		atomic_store(&m->code[i], TRAP);
	}
	run_threads(read_and_mask, write_traps, m);
	print_message("# %lu rounds, %lu trap bytes met, %lu restarts\n", m->rounds, m->traps_seen,
		      m->restarts);
	assert_int_equal(0, m->wrong);
	assert_int_equal(CODE / 8, patches_list(m->table, NULL, 0));
	patches_destroy(m->table);
	free(m->table);
	free(m);
}

/* ---- whole reads of a process ------------------------------------------ */

#define LONG_READ (1024UL * 1024)

struct scene {
	struct machine machine;
	struct target target;
	struct cordbmem_process *process;
	BYTE *original;
};

static void *churn(void *argument)
{
	struct job *job = argument;
	struct scene *s = (struct scene *)job->machine;

	while (atomic_load(&s->machine.readers)) {
		size_t block = next_random(&job->random) % (LONG_READ / 16 / WRITERS);
		size_t offset = (block * WRITERS + job->index) * 16;
		cordbmem_patch_id id;

		if (FAILED(cordbmem_process_add_patch(s->process, s->target.base + offset,
						      s->original + offset, 4, &id)))
			break;
		memset(s->target.memory + offset, TRAP, 4);
		/* The compiler must not see that this is written over. */
		__asm__ volatile("" ::: "memory");
		memcpy(s->target.memory + offset, s->original + offset, 4);
		cordbmem_process_remove_patch(s->process, id);
		atomic_fetch_add(&s->machine.rounds, 1);
	}
	return NULL;
}

static void *read_process(void *argument)
{
	struct job *job = argument;
	struct scene *s = (struct scene *)job->machine;
	BYTE *buffer = malloc(LONG_READ);

	/* On a busy machine the writers may come late. */
	for (int i = 0; i < 400 || atomic_load(&s->machine.rounds) < 100; i++) {
		size_t offset = i % 100 ? next_random(&job->random) % (LONG_READ - 256) : 0;
		DWORD size = i % 100 ? 256 : LONG_READ;
		SIZE_T got = 0;
		HRESULT hr = cordbmem_ReadMemory(s->process, s->target.base + offset, size, buffer,
						 &got);

		if (hr != S_OK || got != size || memcmp(buffer, s->original + offset, size)) {
			if (!atomic_fetch_add(&s->machine.wrong, 1))
				print_error("# read %u at %zu: 0x%08x, %lu bytes\n", size, offset,
					    (unsigned int)hr, got);
		}
	}
	free(buffer);
	atomic_fetch_sub(&s->machine.readers, 1);
	return NULL;
}

static void long_and_short_reads_of_a_process_are_right(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	(void)state;
	s->target = target_start(LONG_READ / PAGE);
	s->process = open_target(s->target.pid);
	s->original = malloc(LONG_READ);
	/* No byte of the pattern is a trap, so that one that escapes is seen. */
	for (size_t i = 0; i < LONG_READ; i++)
		s->target.memory[i] = s->original[i] = (BYTE)(i * 13 % 0xcb);
	run_threads(read_process, churn, &s->machine);
	print_message("# %lu rounds\n", s->machine.rounds);
	assert_int_equal(0, s->machine.wrong);
	cordbmem_process_free(s->process);
	target_end(&s->target);
	free(s->original);
	free(s);
}

/* ---- closing under readers ---------------------------------------------- */

#define ROUNDS 200

struct closing {
	struct target target;
	_Atomic(struct cordbmem_process *) process;
	_Atomic(int) reading;
	_Atomic(unsigned long) wrong;
};

static void *read_until_neutered(void *argument)
{
	struct closing *c = argument;
	struct cordbmem_process *process = atomic_load(&c->process);
	const SIZE_T sentinel = 12345;

	for (;;) {
		BYTE buffer[64];
		SIZE_T got = sentinel;
		HRESULT hr = cordbmem_ReadMemory(process, c->target.base, 64, buffer, &got);

		atomic_store(&c->reading, 1);
		if (hr == CORDBG_E_OBJECT_NEUTERED && got == sentinel)
			return NULL;
		if (hr != S_OK || got != 64 || memcmp(buffer, c->target.memory, 64)) {
			atomic_fetch_add(&c->wrong, 1);
			return NULL;
		}
	}
}

static void close_under_a_reader_neuters_it(void **state)
{
	struct closing c = { .target = target_start(1) };

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct cordbmem_process *process = open_target(c.target.pid);
		int strangers[8];
		pthread_t thread;

		atomic_store(&c.process, process);
		atomic_store(&c.reading, 0);
		assert_int_equal(0, pthread_create(&thread, NULL, read_until_neutered, &c));
		while (!atomic_load(&c.reading))
			;
		assert_hr(S_OK, cordbmem_process_close(process));
		/* These must not get a number that the reader still uses. */
		for (size_t j = 0; j < COUNT(strangers); j++)
			strangers[j] = memfd_create("stranger", MFD_CLOEXEC);
		pthread_join(thread, NULL);
		for (size_t j = 0; j < COUNT(strangers); j++)
			close(strangers[j]);
		assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_process_close(process));
		cordbmem_process_free(process);
	}
	assert_int_equal(0, c.wrong);
	target_end(&c.target);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_trap_escapes_while_patches_come_and_go),
		cmocka_unit_test(long_and_short_reads_of_a_process_are_right),
		cmocka_unit_test(close_under_a_reader_neuters_it),
	};

	return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
