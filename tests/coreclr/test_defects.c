// SPDX-License-Identifier: MIT
/*
 * What the genuine library is known to do wrong, one defect a test: it is really there, and ours is
 * right in the very same place. A runtime whose library does not show it leaves that test out.
 *
 * The one that is missing here takes another machine: for a trap of several bytes (arm64) the genuine
 * library writes outside the caller's buffer. tests/unit/test_masking.c has the edges of such patches.
 */
#include <kselftest_harness.h>

#include "defects.h"
#include "ours.h"
#include "plant.h"
#include "support.h"
#include "vectors.h"

#define FEW 20
/* Enough for a walk over them to be seen beside the system calls of a read. */
#define MANY 250
#define ROUNDS 4
#define READS 2000

#define BYTES 8
#define POISON 0x5e
#define TRAP 0xcc

FIXTURE(defects)
{
	struct scene scene;
	struct cordbmem_process *ours;
};

FIXTURE_SETUP(defects)
{
	(void)self;
}

FIXTURE_TEARDOWN(defects)
{
	cordbmem_process_free(self->ours);
	EXPECT_EQ(0, scene_end(&self->scene));
}

#define BEGIN(self, breakpoints)                                              \
	do {                                                                  \
		SCENE(&(self)->scene, breakpoints);                           \
		(self)->ours = ours_open_managed((self)->scene.debuggee.pid); \
	} while (0)

/* After what must hold of ours, for it makes the test one that has not failed. */
#define SKIP_UNLESS(defect_is_there, what)                                \
	do {                                                              \
		if (!(defect_is_there))                                   \
			SKIP(return, "the genuine library of .NET %s %s", \
				   self->scene.runtime.version, what);    \
	} while (0)

/* A stopped debuggee would not end: what is seen while it stands is judged when it runs again. */
static void stop(struct scene *scene)
{
	if (oracle_stop(scene->oracle) != S_OK)
		die("cannot stop the debuggee");
}

static void go_on(struct scene *scene)
{
	if (oracle_continue(scene->oracle) != S_OK)
		die("the debuggee does not go on");
}

struct answer {
	HRESULT hr;
	SIZE_T count;
	BYTE bytes[BYTES];
};

struct answers {
	struct answer genuine, ours;
};

static struct answer ask(vector_read *read, void *reader, CORDB_ADDRESS address, DWORD size)
{
	struct answer answer = { .count = UNTOUCHED };

	memset(answer.bytes, POISON, sizeof(answer.bytes));
	answer.hr = read(reader, address, size, answer.bytes, &answer.count);
	return answer;
}

static struct answers ask_both(FIXTURE_DATA(defects) * self, CORDB_ADDRESS address, DWORD size)
{
	return (struct answers){ ask(read_genuine, self->scene.oracle, address, size),
				 ask(read_ours, self->ours, address, size) };
}

static bool shows(const struct answer *answer, BYTE byte)
{
	return answer->hr == S_OK && answer->count == 1 && answer->bytes[0] == byte;
}

/* It works from a copy of the table until the debuggee goes on. What is in there no more is hidden... */
TEST_F_TIMEOUT(defects, native_breakpoint_in_place_of_a_removed_one_stays_visible, 120)
{
	struct scene *scene = &self->scene;
	struct answers stopped, running;
	struct defect defect;

	BEGIN(self, FEW);
	stop(scene);
	defect = defect_of_copy(scene, &scene->breakpoints[FEW / 2]);
	stopped = ask_both(self, defect.address, 1);
	go_on(scene);
	running = ask_both(self, defect.address, 1);
	plant(scene->debuggee.pid, defect.address, defect.genuine);
	ASSERT_TRUE(shows(&stopped.ours, TRAP));
	ASSERT_TRUE(shows(&running.ours, TRAP));
	ASSERT_TRUE(shows(&running.genuine, TRAP));
	SKIP_UNLESS(!shows(&stopped.genuine, TRAP), "notices that a breakpoint is gone");
	EXPECT_TRUE(shows(&stopped.genuine, defect.genuine));
}

/* ...and what is not yet in there is shown: the runtime tells nobody of a breakpoint in new code. */
TEST_F_TIMEOUT(defects, breakpoint_that_came_since_the_last_stop_is_hidden, 120)
{
	struct scene *scene = &self->scene;
	struct breakpoint breakpoint;
	struct answers before, after;
	CORDB_ADDRESS address;
	BYTE original;

	BEGIN(self, FEW);
	stop(scene);
	ASSERT_EQ(S_OK, oracle_break_msil(scene->oracle, scene->debuggee.late_token, &breakpoint));
	go_on(scene);
	/* It takes its copy at the first read. */
	ask(read_genuine, scene->oracle, scene->breakpoints[0].address, 1);
	address = debuggee_compile_late(&scene->debuggee);
	peek(scene->debuggee.pid, address, &original, 1);
	ASSERT_EQ(TRAP, original);
	before = ask_both(self, address, 1);
	/* It knows by itself what is right, once it has another. */
	stop(scene);
	go_on(scene);
	after = ask_both(self, address, 1);
	original = after.genuine.bytes[0];
	ASSERT_NE(TRAP, original);
	ASSERT_TRUE(shows(&after.genuine, original));
	ASSERT_TRUE(shows(&after.ours, original));
	ASSERT_TRUE(shows(&before.ours, original));
	SKIP_UNLESS(!shows(&before.genuine, original), "notices breakpoints in new code");
	EXPECT_TRUE(shows(&before.genuine, TRAP));
}

/* A saved byte of 0 is to it an entry that nobody uses. */
TEST_F_TIMEOUT(defects, breakpoint_on_a_byte_of_0_is_hidden, 120)
{
	struct scene *scene = &self->scene;
	struct answers stopped, running;
	struct defect defect;
	BYTE raw;

	BEGIN(self, FEW);
	stop(scene);
	defect = defect_of_zero(scene);
	peek(scene->debuggee.pid, defect.address, &raw, 1);
	stopped = ask_both(self, defect.address, 1);
	go_on(scene);
	running = ask_both(self, defect.address, 1);
	ASSERT_EQ(TRAP, raw);
	ASSERT_TRUE(shows(&stopped.ours, 0));
	ASSERT_TRUE(shows(&running.ours, 0));
	SKIP_UNLESS(!shows(&running.genuine, 0), "hides breakpoints on bytes of 0");
	EXPECT_TRUE(shows(&stopped.genuine, TRAP));
	EXPECT_TRUE(shows(&running.genuine, TRAP));
}

/* Where the pointer to the entries has its uppermost byte: in DebuggerPatchTable, see docs/coreclr.md. */
static CORDB_ADDRESS top_of_entries(FIXTURE_DATA(defects) * self)
{
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;

	if (cordbmem_process_find_coreclr(self->ours, 0, &runtime, NULL) != S_OK)
		die("ours does not know where the table is");
	return runtime.patch_table + 8 + 7;
}

/* A failure that comes with trap bytes, and a count of them, looks like a success of the bytes. */
TEST_F_TIMEOUT(defects, no_trap_byte_counts_as_read_when_the_table_cannot_be_read, 120)
{
	struct scene *scene = &self->scene;
	CORDB_ADDRESS address, top;
	struct answers around, at, beside, restored;
	BYTE old;

	BEGIN(self, FEW);
	address = scene->breakpoints[FEW / 2].address;
	top = top_of_entries(self);
	stop(scene);
	/* Nothing can be mapped there. The runtime uses its table only when it runs. */
	old = plant(scene->debuggee.pid, top, 0x80);
	around = ask_both(self, address - BYTES / 2, BYTES);
	at = ask_both(self, address, 1);
	beside = ask_both(self, scene->debuggee.pinned.address, BYTES);
	plant(scene->debuggee.pid, top, old);
	restored = ask_both(self, address, 1);
	go_on(scene);

	ASSERT_EQ(CORDBMEM_E_PARTIAL_COPY, around.ours.hr);
	ASSERT_EQ(BYTES / 2, around.ours.count);
	for (DWORD i = 0; i < BYTES / 2; i++)
		ASSERT_EQ(scene_original(scene, address - BYTES / 2 + i), around.ours.bytes[i]);
	ASSERT_EQ(CORDBG_E_READVIRTUAL_FAILURE, at.ours.hr);
	ASSERT_EQ(0, at.ours.count);
	/* What holds no trap byte needs no table. */
	ASSERT_EQ(S_OK, beside.ours.hr);
	for (DWORD i = 0; i < BYTES; i++)
		ASSERT_EQ(debuggee_byte(i, 3), beside.ours.bytes[i]);
	ASSERT_TRUE(shows(&restored.ours, scene_original(scene, address)));
	ASSERT_TRUE(shows(&restored.genuine, scene_original(scene, address)));

	SKIP_UNLESS(around.genuine.count && at.genuine.count, "counts no byte when it fails");
	EXPECT_EQ(CORDBG_E_READVIRTUAL_FAILURE, around.genuine.hr);
	EXPECT_EQ(BYTES, around.genuine.count);
	EXPECT_EQ(TRAP, around.genuine.bytes[BYTES / 2]);
	EXPECT_EQ(CORDBG_E_READVIRTUAL_FAILURE, at.genuine.hr);
	EXPECT_EQ(1, at.genuine.count);
	EXPECT_EQ(TRAP, at.genuine.bytes[0]);
	EXPECT_EQ(CORDBG_E_READVIRTUAL_FAILURE, beside.genuine.hr);
}

/* What reads over a breakpoint take, in raw reads of as many bytes: that cancels the clock's speed. */
struct cost {
	double genuine, ours;
};

static void keep_least(double *least, double begin)
{
	double taken = seconds() - begin;

	if (!*least || taken < *least)
		*least = taken;
}

static void add_cost(FIXTURE_DATA(defects) * self, CORDB_ADDRESS address, struct cost *cost)
{
	double raw = 0, genuine = 0, ours = 0, begin;
	BYTE bytes[BYTES];

	for (int i = 0; i < READS; i++) {
		begin = seconds();
		peek(self->scene.debuggee.pid, address, bytes, sizeof(bytes));
		keep_least(&raw, begin);
		begin = seconds();
		ask(read_genuine, self->scene.oracle, address, BYTES);
		keep_least(&genuine, begin);
		begin = seconds();
		ask(read_ours, self->ours, address, BYTES);
		keep_least(&ours, begin);
	}
	cost->genuine += genuine / raw;
	cost->ours += ours / raw;
}

static void change_others(struct scene *scene, const struct breakpoint *one,
			  HRESULT (*change)(struct breakpoint *), size_t traps)
{
	stop(scene);
	for (size_t i = 0; i < scene->count; i++)
		if (&scene->breakpoints[i] != one && change(&scene->breakpoints[i]) != S_OK)
			die("a breakpoint cannot be changed");
	go_on(scene);
	while (scene_traps(scene) != traps)
		sleep_ms(1);
}

/* It walks over all of them at each read. Of what that takes, ours may grow by half at most. */
TEST_F_TIMEOUT(defects, cost_of_a_read_does_not_grow_with_the_breakpoints, 300)
{
	struct scene *scene = &self->scene;
	struct cost one = { 0 }, many = { 0 };
	struct breakpoint *breakpoint;
	struct answers answers;

	BEGIN(self, MANY);
	breakpoint = &scene->breakpoints[MANY / 2];
	answers = ask_both(self, breakpoint->address, 1);
	ASSERT_TRUE(shows(&answers.ours, scene_original(scene, breakpoint->address)));
	ASSERT_TRUE(shows(&answers.genuine, scene_original(scene, breakpoint->address)));
	for (int i = 0; i < ROUNDS; i++) {
		add_cost(self, breakpoint->address, &many);
		change_others(scene, breakpoint, oracle_deactivate, 1);
		add_cost(self, breakpoint->address, &one);
		change_others(scene, breakpoint, oracle_activate, MANY);
	}
	fprintf(stderr,
		"# .NET %s: a read over the only breakpoint and over one of %d, in raw reads: "
		"genuine %.2f and %.2f, ours %.2f and %.2f\n",
		scene->runtime.version, MANY, one.genuine / ROUNDS, many.genuine / ROUNDS,
		one.ours / ROUNDS, many.ours / ROUNDS);
	SKIP_UNLESS(many.genuine > 1.1 * one.genuine, "takes no longer for more breakpoints");
	EXPECT_LT(2 * (many.ours - one.ours), many.genuine - one.genuine);
}

TEST_HARNESS_MAIN
