// SPDX-License-Identifier: MIT
/*
 * Tiered compilation: a method that is called often is compiled again, elsewhere, and its breakpoint
 * goes along. Reads follow to the new code, and the old code is clean as well.
 */
#include <kselftest_harness.h>

#include "debuggee.h"
#include "oracle.h"
#include "ours.h"
#include "support.h"

/* More than any code of Hot is long, on either side of an address in it. */
#define AROUND 64

struct code {
	BYTE raw[2 * AROUND], genuine[2 * AROUND], ours[2 * AROUND];
};

FIXTURE(tiers)
{
	struct runtime runtime;
	struct debuggee debuggee;
	struct oracle *oracle;
	struct cordbmem_process *ours;
};

FIXTURE_SETUP(tiers)
{
	(void)self;
}

FIXTURE_TEARDOWN(tiers)
{
	cordbmem_process_free(self->ours);
	EXPECT_EQ(0, debuggee_end(&self->debuggee));
}

static void read_all(FIXTURE_DATA(tiers) * self, uint64_t address, struct code *code)
{
	uint64_t begin = address - AROUND;
	SIZE_T read;

	peek(self->debuggee.pid, begin, code->raw, sizeof(code->raw));
	if (oracle_read(self->oracle, begin, sizeof(code->genuine), code->genuine, &read) != S_OK)
		die("the genuine library cannot read code at 0x%lx", address);
	if (cordbmem_ReadMemory(self->ours, begin, sizeof(code->ours), code->ours, &read) != S_OK)
		die("ours cannot read code at 0x%lx", address);
}

/* Trap bytes in memory that ours does not show. */
static int hidden(const struct code *code)
{
	int count = 0;

	for (size_t i = 0; i < sizeof(code->raw); i++)
		count += code->raw[i] == 0xcc && code->ours[i] != 0xcc;
	return count;
}

TEST_F_TIMEOUT(tiers, reads_follow_code_that_is_compiled_again, 120)
{
	struct debuggee *debuggee = &self->debuggee;
	uint64_t first, now, before;
	struct code clean, old, new;
	struct breakpoint breakpoint;
	double end = seconds() + 60;
	uint32_t token;

	if (!runtime_load(&self->runtime))
		SKIP(return, "%s", self->runtime.reason);
	debuggee_start(debuggee, &self->runtime, NULL);
	first = debuggee_hot(debuggee, 1, &token);
	self->oracle = oracle_attach(debuggee->pid, &self->runtime);
	self->ours = ours_open_managed(debuggee->pid);
	read_all(self, first, &clean);
	EXPECT_EQ(0, hidden(&clean));

	ASSERT_EQ(S_OK, oracle_stop(self->oracle));
	ASSERT_EQ(S_OK, oracle_break_msil(self->oracle, token, &breakpoint));
	ASSERT_EQ(S_OK, oracle_continue(self->oracle));
	EXPECT_EQ(first, debuggee_hot(debuggee, 1, &token));
	EXPECT_EQ(1, oracle_hits(self->oracle));
	read_all(self, first, &old);
	EXPECT_EQ(1, hidden(&old));
	EXPECT_EQ(0, memcmp(old.ours, clean.ours, sizeof(clean.ours)));
	EXPECT_EQ(0, memcmp(old.ours, old.genuine, sizeof(old.ours)));

	/* The runtime takes its time to compile again. */
	do {
		now = debuggee_hot(debuggee, 40, &token);
		sleep_ms(50);
	} while (now == first && seconds() < end);
	ASSERT_NE(first, now);
	read_all(self, now, &new);
	EXPECT_LE(1, hidden(&new));
	EXPECT_EQ(0, memcmp(new.ours, new.genuine, sizeof(new.ours)));
	read_all(self, first, &old);
	EXPECT_EQ(0, memcmp(old.ours, old.genuine, sizeof(old.ours)));

	before = oracle_hits(self->oracle);
	debuggee_hot(debuggee, 5, &token);
	EXPECT_EQ(before + 5, oracle_hits(self->oracle));
}

TEST_HARNESS_MAIN
