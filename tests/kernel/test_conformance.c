// SPDX-License-Identifier: MIT
/*
 * The contract of ReadMemory, through the module. The table is that of the unit tests, and the back
 * end is the only difference.
 */
#include <kselftest_harness.h>

#include "../unit/conformance.c" // NOLINT(bugprone-suspicious-include): it is a unit test's file

static void report(void *context, const char *row, bool passed, const char *detail)
{
	int *failures = context;

	if (!passed) {
		fprintf(stderr, "# %s: %s\n", row, detail);
		(*failures)++;
	}
}

TEST(module_back_end_conforms)
{
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	int failures = 0, rows;

	options.backend = CORDBMEM_BACKEND_MODULE;
	rows = conformance_run(&options, report, &failures);
	EXPECT_LT(100, rows);
	EXPECT_EQ(0, failures);
}

TEST_HARNESS_MAIN
