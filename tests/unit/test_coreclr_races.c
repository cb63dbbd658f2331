// SPDX-License-Identifier: MIT
/*
 * What happens between two reads of the process while one call runs: breakpoints that come and go,
 * entries that are used anew, a table that moves, a debugger that leaves, a process that ends.
 *
 * The program has a pread of its own, which does these things before the n-th read.
 */
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cordbmem/coreclr.h>

#include "forge.h"
#include "unit.h"

#define STEPS 6

/* To be done before read number "at", counted from 0. */
struct step {
	unsigned int at;
	void (*act)(struct forge *f);
};

static struct {
	struct forge *forge;
	struct step steps[STEPS];
	size_t step_count;
	unsigned int reads;
	unsigned long bytes;
} stage;

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	for (size_t i = 0; i < stage.step_count; i++) {
		if (stage.steps[i].at == stage.reads)
			stage.steps[i].act(stage.forge);
	}
	stage.reads++;
	stage.bytes += size;
	return syscall(SYS_pread64, fd, buffer, size, offset);
}

static void begin(struct forge *f, const struct step *steps, size_t count)
{
	stage.forge = f;
	for (size_t i = 0; i < count; i++)
		stage.steps[i] = steps[i];
	stage.step_count = count;
	stage.reads = 0;
	stage.bytes = 0;
}

static struct cordbmem_process *open_found(struct forge *f)
{
	struct cordbmem_process *process = open_target(f->target.pid);

	begin(f, NULL, 0);
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, NULL, NULL));
	return process;
}

/* ---- breakpoints ------------------------------------------------------------- */

/* Three places in the range that is read, and one outside; entry + 1 where one is set. */
#define NATIVE 1007
static const size_t places[] = { 1003, 1004, 1012, 5000 };
static uint32_t set_at[COUNT(places)];

static void flip(struct forge *f, size_t place)
{
	if (set_at[place])
		forge_clear(f, set_at[place] - 1);
	set_at[place] = set_at[place] ? 0 : forge_set(f, places[place]) + 1;
}

static void flip_0(struct forge *f)
{
	flip(f, 0);
}

static void flip_1(struct forge *f)
{
	flip(f, 1);
}

static void flip_2(struct forge *f)
{
	flip(f, 2);
}

static void flip_0_twice(struct forge *f)
{
	flip(f, 0);
	flip(f, 0);
}

/* The entry of one is used for the other right away. */
static void from_0_to_1(struct forge *f)
{
	flip(f, 0);
	flip(f, 1);
}

static void from_0_to_elsewhere(struct forge *f)
{
	flip(f, 0);
	flip(f, 3);
}

static void from_elsewhere_to_0(struct forge *f)
{
	flip(f, 3);
	flip(f, 0);
}

static void move_table(struct forge *f)
{
	forge_table_move(&f->table);
}

static void leave(struct forge *f)
{
	for (size_t i = 0; i < COUNT(places); i++) {
		if (set_at[i])
			flip(f, i);
	}
	forge_control(f, 0);
}

static void come(struct forge *f)
{
	forge_control(f, FORGE_ATTACHED);
	if (!set_at[2])
		flip(f, 2);
}

static void (*const acts[])(struct forge *) = {
	flip_0,
	flip_1,
	flip_2,
	flip_0_twice,
	from_0_to_1,
	from_0_to_elsewhere,
	from_elsewhere_to_0,
	move_table,
};

static void check_read(struct forge *f, struct cordbmem_process *process, size_t offset, DWORD size)
{
	BYTE bytes[64];
	SIZE_T got = 77;

	memset(bytes, 0xa5, sizeof(bytes));
	assert_hr(S_OK, cordbmem_ReadMemory(process, forge_code(f, offset), size, bytes, &got));
	assert_int_equal(size, got);
	assert_memory_equal(f->original + offset, bytes, size);
}

struct races {
	struct forge *forge;
	struct cordbmem_process *process;
	uint64_t random;
};

/* "more" breakpoints elsewhere: a long table is looked up otherwise than a short one. */
static struct races start_races(size_t more)
{
	struct races races = { .forge = forge_start(&(struct forge_plan){ .patches = 2000 }) };

	races.process = open_found(races.forge);
	races.random = test_seed();
	memset(set_at, 0, sizeof(set_at));
	for (size_t i = 0; i < more; i++)
		forge_set(races.forge, 20000 + i * 5);
	forge_native(races.forge, NATIVE);
	return races;
}

static void end_races(struct races *races)
{
	begin(NULL, NULL, 0);
	cordbmem_process_free(races->process);
	forge_end(races->forge);
}

/* Whatever happens during a read, it shows no wrong byte. */
static void race(struct races *races, const struct step *steps, size_t count)
{
	size_t offset = 996 + next_random(&races->random) % 8;
	DWORD size = 17 + next_random(&races->random) % 20;

	begin(races->forge, steps, count);
	check_read(races->forge, races->process, offset, size);
	begin(races->forge, NULL, 0);
}

/* What is set, and in which entries: not where they were found before. */
static void start_anew(struct races *races, size_t wanted)
{
	for (size_t i = 0; i < COUNT(places); i++) {
		if (set_at[i])
			flip(races->forge, i);
	}
	if (next_random(&races->random) % 2)
		flip(races->forge, 3);
	for (size_t i = 0; i < 3; i++) {
		if (wanted >> i & 1)
			flip(races->forge, i);
	}
	if (set_at[3] && !(wanted >> 3))
		flip(races->forge, 3);
}

static void check_pairs(size_t more)
{
	const unsigned int reads = 20;
	struct races races = start_races(more);

	for (size_t pair = 0; pair < COUNT(acts) * COUNT(acts); pair++) {
		for (unsigned int at = 0; at < reads * reads; at++) {
			const struct step steps[] = {
				{ at / reads, acts[pair / COUNT(acts)] },
				{ at % reads, acts[pair % COUNT(acts)] },
			};

			if (steps[0].at > steps[1].at)
				continue;
			start_anew(&races, 1);
			race(&races, steps, COUNT(steps));
		}
	}
	end_races(&races);
}

static void check_many(size_t more)
{
	struct races races = start_races(more);

	for (int round = 0; round < 8000; round++) {
		unsigned int first = next_random(&races.random) % 16;
		struct step steps[STEPS];

		for (size_t i = 0; i < STEPS; i++)
			steps[i] = (struct step){
				first + next_random(&races.random) % 10,
				acts[next_random(&races.random) % COUNT(acts)],
			};
		start_anew(&races, next_random(&races.random) % 16);
		race(&races, steps, STEPS);
	}
	end_races(&races);
}

static void two_things_happen(void **state)
{
	(void)state;
	check_pairs(0);
}

static void two_things_happen_with_a_long_table(void **state)
{
	(void)state;
	check_pairs(150);
}

/*
 * Twice between two reads, neighbours in time, the entry is another breakpoint's: what is read of
 * it is the opcode of the one and the address of the other, and the same both times.
 */
static void check_lent(size_t more)
{
	struct races races = start_races(more);

	for (unsigned int first = 0; first < 24; first++) {
		for (unsigned int second = first + 2; second < 26; second++) {
			const struct step steps[] = {
				{ first, from_0_to_elsewhere },
				{ first + 1, from_elsewhere_to_0 },
				{ second, from_0_to_elsewhere },
				{ second + 1, from_elsewhere_to_0 },
			};

			start_anew(&races, 1);
			race(&races, steps, COUNT(steps));
		}
	}
	end_races(&races);
}

static void entry_is_lent(void **state)
{
	(void)state;
	check_lent(0);
}

static void entry_of_a_long_table_is_lent(void **state)
{
	(void)state;
	check_lent(150);
}

static void much_happens(void **state)
{
	(void)state;
	check_many(0);
}

static void much_happens_with_a_long_table(void **state)
{
	(void)state;
	check_many(150);
}

/* A debugger removes its breakpoints and goes. It was there for a while: attaching takes long. */
static void debugger_leaves(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_found(f);

	(void)state;
	memset(set_at, 0, sizeof(set_at));
	forge_native(f, NATIVE);
	for (unsigned int at = 0; at < 12; at++) {
		const struct step step = { at, leave };

		/* Without one it is known that there is none. */
		begin(f, NULL, 0);
		check_read(f, process, 1000, 32);
		come(f);
		flip_0(f);
		usleep(30000);
		begin(f, &step, 1);
		check_read(f, process, 1000, 32);
		leave(f);
	}
	cordbmem_process_free(process);
	forge_end(f);
}

/* ---- what a read costs ---------------------------------------------------------- */

static unsigned int reads_of(struct forge *f, struct cordbmem_process *process, size_t offset,
			     DWORD size)
{
	unsigned int least = UINT32_MAX;

	/* What was asked a moment ago need not be asked again; moments can be long here. */
	for (int i = 0; i < 20; i++) {
		begin(f, NULL, 0);
		check_read(f, process, offset, size);
		if (stage.reads < least)
			least = stage.reads;
	}
	return least;
}

static void reads_without_traps_cost_nothing(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_found(f);

	(void)state;
	forge_set(f, 30);
	assert_int_equal(1, reads_of(f, process, 100, 64));
	assert_int_equal(1, reads_of(f, process, 31, 1));
	assert_true(reads_of(f, process, 30, 1) > 1);
	forge_control(f, 0);
	assert_int_equal(1, reads_of(f, process, 100, 64));
	cordbmem_process_free(process);
	forge_end(f);
}

static void traps_without_debugger_cost_four_bytes(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_found(f);

	(void)state;
	for (size_t i = 0; i < 40; i += 3)
		forge_native(f, i);
	forge_control(f, 0);
	assert_int_equal(2, reads_of(f, process, 0, 64));
	for (int i = 0; i < 20 && stage.bytes != 64 + 4; i++) {
		begin(f, NULL, 0);
		check_read(f, process, 0, 64);
	}
	assert_int_equal(64 + 4, stage.bytes);
	cordbmem_process_free(process);
	forge_end(f);
}

/* ---- processes that end ------------------------------------------------------------ */

static bool ended;

static void end_by_kill(struct forge *f)
{
	ended = true;
	target_kill(&f->target);
}

static void end_by_exec(struct forge *f)
{
	ended = true;
	forge_exec(f);
}

typedef HRESULT call(struct cordbmem_process *process, const struct forge *f);

static HRESULT call_find(struct cordbmem_process *process, const struct forge *f)
{
	(void)f;
	return cordbmem_process_find_coreclr(process, 0, NULL, NULL);
}

static HRESULT call_read(struct cordbmem_process *process, const struct forge *f)
{
	BYTE bytes[64];
	SIZE_T got = 77;
	HRESULT hr = cordbmem_ReadMemory(process, forge_code(f, 0), sizeof(bytes), bytes, &got);

	assert_int_equal(hr == S_OK ? sizeof(bytes) : hr == CORDBG_E_OBJECT_NEUTERED ? 77 : 0, got);
	return hr;
}

static HRESULT call_list(struct cordbmem_process *process, const struct forge *f)
{
	size_t count;

	(void)f;
	return cordbmem_process_list_breakpoints(process, NULL, 0, &count);
}

static HRESULT call_path(struct cordbmem_process *process, const struct forge *f)
{
	char path[64];

	return cordbmem_process_module_path(process, (uintptr_t)f->modules, path, sizeof(path));
}

/* Before the first read, the second, and so on, until the end comes too late. */
static void check_end(call *function, void (*end)(struct forge *f))
{
	for (unsigned int at = 0;; at += 1 + at / 4) {
		struct forge *f = forge_start(NULL);
		struct cordbmem_process *process = open_target(f->target.pid);
		const struct step step = { at, end };
		HRESULT hr;

		forge_set(f, 20);
		forge_native(f, 30);
		if (function != call_find)
			assert_hr(S_OK, call_find(process, f));
		ended = false;
		begin(f, &step, 1);
		hr = function(process, f);
		stage.step_count = 0;
		/* The last read may have been the last thing that was wanted of it. */
		if (hr != S_OK)
			assert_hr(CORDBG_E_PROCESS_TERMINATED, hr);
		else
			assert_true(!ended || stage.reads - at < 3);
		if (ended)
			assert_hr(hr == S_OK ? CORDBG_E_PROCESS_TERMINATED
					     : CORDBG_E_OBJECT_NEUTERED,
				  call_read(process, f));
		cordbmem_process_free(process);
		forge_end(f);
		if (!ended)
			break;
	}
}

static void exit_half_way(void **state)
{
	(void)state;
	check_end(call_find, end_by_kill);
	check_end(call_read, end_by_kill);
	check_end(call_list, end_by_kill);
	check_end(call_path, end_by_kill);
}

static void execve_half_way(void **state)
{
	(void)state;
	check_end(call_find, end_by_exec);
	check_end(call_read, end_by_exec);
	check_end(call_list, end_by_exec);
	check_end(call_path, end_by_exec);
}

static int teardown(void **state)
{
	begin(NULL, NULL, 0);
	return forge_end_all(state);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
	const struct CMUnitTest tests[] = {
		TEST(two_things_happen),
		TEST(two_things_happen_with_a_long_table),
		TEST(entry_is_lent),
		TEST(entry_of_a_long_table_is_lent),
		TEST(much_happens),
		TEST(much_happens_with_a_long_table),
		TEST(debugger_leaves),
		TEST(reads_without_traps_cost_nothing),
		TEST(traps_without_debugger_cost_four_bytes),
		TEST(exit_half_way),
		TEST(execve_half_way),
	};

	return cmocka_run_group_tests_name("coreclr races", tests, NULL, NULL);
}
