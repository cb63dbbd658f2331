// SPDX-License-Identifier: MIT
/*
 * The genuine ReadMemory and ours are given the same ranges of the same process, and must give the
 * same HRESULT, count and bytes, but for what the genuine one is known to do wrong.
 */
#include <kselftest_harness.h>

#include "compare.h"
#include "ours.h"
#include "plant.h"
#include "support.h"

#define BREAKPOINTS 240

FIXTURE(ranges)
{
	struct scene scene;
	struct ranges ranges;
	struct comparison comparison;
};

FIXTURE_SETUP(ranges)
{
	(void)self;
}

FIXTURE_TEARDOWN(ranges)
{
	cordbmem_process_free(self->comparison.ours);
	ranges_end(&self->ranges);
	EXPECT_EQ(0, scene_end(&self->scene));
}

static void begin(FIXTURE_DATA(ranges) * self, const char *test)
{
	if (oracle_stop(self->scene.oracle) != S_OK)
		die("cannot stop the debuggee");
	ranges_begin(&self->ranges, &self->scene, seed_of(test));
	if (oracle_continue(self->scene.oracle) != S_OK)
		die("the debuggee does not go on");
	self->comparison.ranges = &self->ranges;
	self->comparison.oracle = self->scene.oracle;
	self->comparison.ours = ours_open_managed(self->scene.debuggee.pid);
}

/* Bytes that may change while the debuggee runs are compared only when it stands. */
static void compare_kinds(struct comparison *comparison, size_t each, bool stopped)
{
	for (int kind = 0; kind < RANGE_KINDS; kind++)
		if (stopped || (kind != RANGE_ARRAY && kind != RANGE_ANYWHERE))
			compare(comparison, (enum range_kind)kind, each);
}

TEST_F_TIMEOUT(ranges, both_agree, 300)
{
	struct comparison *comparison = &self->comparison;
	size_t each = (size_t)number_from("CORDBMEM_RANGES", 300);
	struct tally *tally = &comparison->tally;
	struct defect defects[2];

	SCENE(&self->scene, BREAKPOINTS);
	begin(self, "both_agree");
	compare_kinds(comparison, each, false);
	ASSERT_EQ(S_OK, oracle_stop(self->scene.oracle));
	compare_kinds(comparison, each, true);

	defects[0] = defect_of_zero(&self->scene);
	/* Setting another breakpoint would renew the copy. */
	defects[1] = defect_of_copy(&self->scene, &self->scene.breakpoints[BREAKPOINTS / 3]);
	comparison->defects = defects;
	comparison->defect_count = 2;
	compare_defects(comparison, each);
	EXPECT_LT(0, tally->defects);
	plant(self->scene.debuggee.pid, defects[1].address, defects[1].genuine);
	ASSERT_EQ(S_OK, oracle_continue(self->scene.oracle));

	fprintf(stderr,
		"# .NET %s: %zu ranges compared, %zu agreed, %zu known defects of the genuine "
		"library, "
		"%zu disagreements\n",
		self->scene.runtime.version, tally->compared, tally->agreed, tally->defects,
		tally->disagreements);
	EXPECT_EQ(0, tally->disagreements);
	EXPECT_EQ(tally->compared, tally->agreed + tally->defects);
}

TEST_HARNESS_MAIN
