// SPDX-License-Identifier: MIT
/*
 * The genuine library, as the judge of the other tests: it attaches, its breakpoints are in memory
 * and are hit, and its ReadMemory keeps the contract that ours is held to.
 */
#include <kselftest_harness.h>

#include "scene.h"
#include "support.h"
#include "vectors.h"

#define BREAKPOINTS 250
/* Where it does not matter how many; each takes its time. */
#define FEW 20

FIXTURE(oracle)
{
	struct scene scene;
};

FIXTURE_SETUP(oracle)
{
	(void)self;
}

FIXTURE_TEARDOWN(oracle)
{
	EXPECT_EQ(0, scene_end(&self->scene));
}

TEST_F_TIMEOUT(oracle, breakpoints_are_hidden_and_hit, 120)
{
	struct scene *scene = &self->scene;
	size_t hidden = 0;

	SCENE(scene, BREAKPOINTS);
	for (size_t i = 0; i < BREAKPOINTS; i++) {
		CORDB_ADDRESS address = scene->breakpoints[i].address;
		SIZE_T read = 0;
		uint8_t byte;

		EXPECT_EQ(S_OK, oracle_read(scene->oracle, address, 1, &byte, &read));
		hidden += read == 1 && byte == scene_original(scene, address);
	}
	EXPECT_EQ(BREAKPOINTS, hidden);
	EXPECT_EQ(0, oracle_hits(scene->oracle));
	debuggee_do(&scene->debuggee, "run");
	EXPECT_EQ(BREAKPOINTS, oracle_hits(scene->oracle));

	ASSERT_EQ(S_OK, oracle_stop(scene->oracle));
	for (size_t i = 0; i < BREAKPOINTS; i++)
		ASSERT_EQ(S_OK, oracle_deactivate(&scene->breakpoints[i]));
	ASSERT_EQ(S_OK, oracle_continue(scene->oracle));
	/* Removing is asynchronous, but done when the debuggee gets to running again. */
	debuggee_do(&scene->debuggee, "run");
	EXPECT_EQ(0, scene_traps(scene));
	EXPECT_EQ(BREAKPOINTS, oracle_hits(scene->oracle));

	EXPECT_EQ(S_OK, oracle_detach(scene->oracle));
	debuggee_do(&scene->debuggee, "run");
}

TEST_F_TIMEOUT(oracle, genuine_library_keeps_the_contract, 120)
{
	SCENE(&self->scene, FEW);
	EXPECT_EQ(0, contract_breaches(&self->scene, read_genuine, self->scene.oracle));
}

TEST_F_TIMEOUT(oracle, genuine_library_is_neutered_after_the_exit, 120)
{
	SCENE(&self->scene, FEW);
	EXPECT_EQ(0, debuggee_end(&self->scene.debuggee));
	while (!oracle_exited(self->scene.oracle))
		sleep_ms(10);
	/* Told of first, noticed by the library itself a moment later. */
	sleep_ms(500);
	EXPECT_EQ(0, contract_breaches_after_exit(read_genuine, self->scene.oracle));
}

TEST_HARNESS_MAIN
