// SPDX-License-Identifier: MIT
/*
 * Breakpoints that come and go, and a table that grows and moves, while several threads read: no
 * read shows a trap byte, and none a byte that was never there.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cordbmem/coreclr.h>

#include "forge.h"
#include "unit.h"

#define READERS 2
#define SPAN 2048   /* bytes of code that are played with */
#define ENOUGH 1000 /* changes, and reads */
#define LATEST 30   /* seconds, on a machine that has other things to do */

struct scene {
	struct forge *forge;
	struct cordbmem_process *process;
	void (*play)(struct scene *scene, uint64_t *random);
	_Atomic(bool) stop;
	_Atomic(unsigned long) plays, reads, traps, strange, failures;
	_Atomic(uint32_t) failure; /* the last */
	_Atomic(uint32_t) wrong;   /* the last byte that was: as it is, as it was read */
	uint32_t set[SPAN];	   /* entry + 1 where a breakpoint is */
};

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void hold_against(struct scene *s, const BYTE *original, const BYTE *bytes, SIZE_T size)
{
	for (SIZE_T i = 0; i < size; i++) {
		if (bytes[i] == original[i])
			continue;
		s->wrong = (uint32_t)original[i] << 8 | bytes[i];
		if (bytes[i] == FORGE_TRAP)
			s->traps++;
		else
			s->strange++;
	}
}

static void *read_on(void *context)
{
	struct scene *s = context;
	uint64_t random = (uintptr_t)&random;
	BYTE bytes[SPAN], second[64];

	while (!s->stop) {
		size_t offset = next_random(&random) % (SPAN - 1);
		DWORD size = 1 + next_random(&random) % (DWORD)(SPAN - offset);
		struct cordbmem_scatter elements[2] = {
			{ .process = s->process, .buffer = bytes },
			{ .process = s->process, .buffer = second, .size = sizeof(second) },
		};

		if (next_random(&random) % 2 && size > 64)
			size = 1 + size % 64;
		elements[0].address = forge_code(s->forge, offset);
		elements[0].size = size;
		elements[1].address = forge_code(s->forge, offset + 64);
		if (cordbmem_read_scatter(elements, 2) != S_OK) {
			s->failures++;
			s->failure = (uint32_t)elements[0].result;
		}
		hold_against(s, s->forge->original + offset, bytes, elements[0].read);
		hold_against(s, s->forge->original + offset + 64, second, elements[1].read);
		s->reads++;
	}
	return NULL;
}

static void *play_on(void *context)
{
	struct scene *s = context;
	uint64_t random = (uintptr_t)&random;

	while (!s->stop) {
		s->play(s, &random);
		s->plays++;
	}
	return NULL;
}

static void run(const struct forge_plan *plan, void (*play)(struct scene *, uint64_t *),
		double seconds)
{
	struct scene s = { .play = play };
	pthread_t readers[READERS], player;
	double begin;

	s.forge = forge_start(plan);
	s.process = open_target(s.forge->target.pid);
	assert_hr(S_OK, cordbmem_process_find_coreclr(s.process, 0, NULL, NULL));
	assert_int_equal(0, pthread_create(&player, NULL, play_on, &s));
	for (size_t i = 0; i < READERS; i++)
		assert_int_equal(0, pthread_create(&readers[i], NULL, read_on, &s));
	for (begin = now(); now() < begin + seconds ||
			    ((s.plays <= ENOUGH || s.reads <= ENOUGH) && now() < begin + LATEST);)
		usleep(10000);
	s.stop = true;
	pthread_join(player, NULL);
	for (size_t i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	printf("# %lu changes, %lu reads: %lu traps, %lu strange bytes, %lu failures\n", s.plays,
	       s.reads, s.traps, s.strange, s.failures);
	if (s.wrong)
		printf("# the last: %02x instead of %02x\n", s.wrong & 0xff, s.wrong >> 8);
	assert_true(s.plays > ENOUGH);
	assert_true(s.reads > ENOUGH);
	assert_int_equal(0, s.traps);
	assert_int_equal(0, s.strange);
	assert_hr(S_OK, s.failure);
	cordbmem_process_free(s.process);
}

/* A debugger sets and clears within microseconds at best: it has to stop the process for that. */
static void pause_shortly(uint64_t *random)
{
	const double end = now() + 1e-6 * (next_random(random) % 20);

	while (now() < end)
		;
}

static void toggle(struct scene *s, size_t at)
{
	if (s->set[at])
		forge_clear(s->forge, s->set[at] - 1);
	s->set[at] = s->set[at] ? 0 : forge_set(s->forge, at) + 1;
}

static void toggle_one(struct scene *s, uint64_t *random)
{
	(void)random;
	toggle(s, 1000);
}

static void toggle_one_with_pauses(struct scene *s, uint64_t *random)
{
	toggle(s, 1000);
	pause_shortly(random);
}

static void toggle_any(struct scene *s, uint64_t *random)
{
	toggle(s, next_random(random) % 40 * 23);
}

static void toggle_any_with_pauses(struct scene *s, uint64_t *random)
{
	toggle_any(s, random);
	pause_shortly(random);
}

/* All in one bucket, and more than fit, so that the table grows; and it moves at all times. */
static void toggle_colliding(struct scene *s, uint64_t *random)
{
	size_t at = next_random(random) % 200 * 10;

	toggle(s, at);
	if (next_random(random) % 64 == 0)
		forge_table_move(&s->forge->table);
	pause_shortly(random);
}

static void step(struct scene *s, uint64_t *random)
{
	/* One trap that goes from byte to byte; another patch at each address now and then. */
	size_t at = next_random(random) % 16;
	uint32_t first = forge_set(s->forge, 1500 + at), second;

	pause_shortly(random);
	second = forge_set(s->forge, 1500 + at);
	pause_shortly(random);
	forge_clear(s->forge, first);
	pause_shortly(random);
	forge_clear(s->forge, second);
}

/* An entry goes from one chain to another and back, as binding a patch to its address has it do. */
static void relink(struct forge_table *table, uint64_t from, uint64_t to, uint32_t index)
{
	volatile struct forge_entry *entry = forge_table_entry(table, index);
	volatile uint32_t *bucket = forge_table_bucket(table, to);

	if (entry->previous == FORGE_NONE)
		*forge_table_bucket(table, from) = entry->next;
	else
		forge_table_entry(table, entry->previous)->next = entry->next;
	if (entry->next != FORGE_NONE)
		forge_table_entry(table, entry->next)->previous = entry->previous;
	entry->previous = FORGE_NONE;
	entry->next = *bucket;
	if (*bucket != FORGE_NONE)
		forge_table_entry(table, *bucket)->previous = index;
	*bucket = index;
}

#define BOUND 500 /* in whose chain the entry stands half of the time */

static void bind(struct scene *s, uint64_t *random)
{
	struct forge_table *table = &s->forge->table;
	const uint64_t here = forge_code(s->forge, BOUND), there = here + 1;

	if (!s->set[BOUND]) {
		/* Enough of them that they are not all read at once. */
		for (size_t i = 0; i < 200; i++)
			s->set[i * 10] = forge_set(s->forge, i * 10) + 1;
		s->set[1] = forge_table_add(table, here) + 1;
		forge_table_entry(table, s->set[1] - 1)->address = 0;
		forge_table_entry(table, s->set[1] - 1)->opcode = 0;
	}
	relink(table, here, there, s->set[1] - 1);
	pause_shortly(random);
	relink(table, there, here, s->set[1] - 1);
	pause_shortly(random);
}

/* By handles that have just been opened, which have to find the breakpoint the long way. */
static void entries_move_between_chains(void **state)
{
	struct scene s = { .forge = forge_start(&(struct forge_plan){ .patches = 2000 }),
			   .play = bind };
	uint64_t random = 1;
	pthread_t player;
	double begin;

	(void)state;
	bind(&s, &random);
	assert_int_equal(0, pthread_create(&player, NULL, play_on, &s));
	for (begin = now(); now() < begin + 2 || (s.plays <= ENOUGH && now() < begin + LATEST);
	     s.reads++) {
		struct cordbmem_process *process = open_target(s.forge->target.pid);
		BYTE byte = 0;

		assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, NULL, NULL));
		assert_hr(S_OK,
			  cordbmem_ReadMemory(process, forge_code(s.forge, BOUND), 1, &byte, NULL));
		hold_against(&s, s.forge->original + BOUND, &byte, 1);
		cordbmem_process_free(process);
	}
	s.stop = true;
	pthread_join(player, NULL);
	printf("# %lu changes, %lu reads: %lu traps\n", s.plays, s.reads, s.traps);
	assert_true(s.plays > ENOUGH);
	assert_int_equal(0, s.traps + s.strange);
}

static void one_breakpoint_toggles(void **state)
{
	(void)state;
	run(NULL, toggle_one_with_pauses, 1);
}

static void one_breakpoint_toggles_at_full_speed(void **state)
{
	(void)state;
	run(NULL, toggle_one, 1);
}

static void many_breakpoints_toggle(void **state)
{
	(void)state;
	run(NULL, toggle_any_with_pauses, 1);
}

static void many_breakpoints_toggle_at_full_speed(void **state)
{
	(void)state;
	run(NULL, toggle_any, 1);
}

static void many_breakpoints_toggle_in_net_11(void **state)
{
	(void)state;
	run(&(struct forge_plan){ .version = 11, .no_dac_table = true }, toggle_any_with_pauses, 1);
}

static void table_grows_and_moves(void **state)
{
	(void)state;
	run(&(struct forge_plan){ .patches = 5000 }, toggle_colliding, 2);
}

static void trap_walks(void **state)
{
	(void)state;
	run(NULL, step, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, forge_end_all)
	const struct CMUnitTest tests[] = {
		TEST(one_breakpoint_toggles),
		TEST(one_breakpoint_toggles_at_full_speed),
		TEST(many_breakpoints_toggle),
		TEST(many_breakpoints_toggle_at_full_speed),
		TEST(many_breakpoints_toggle_in_net_11),
		TEST(table_grows_and_moves),
		TEST(trap_walks),
		TEST(entries_move_between_chains),
	};

	return cmocka_run_group_tests_name("coreclr live", tests, NULL, NULL);
}
