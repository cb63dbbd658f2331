// SPDX-License-Identifier: MIT
/*
 * The contract of ReadMemory, through the back end that target.h decides.
 */
#include "conformance.h"
#include "target.h"
#include "unit.h"

static void report(void *context, const char *row, bool passed, const char *detail)
{
	int *failures = context;

	if (!passed) {
		print_error("%s: %s\n", row, detail);
		(*failures)++;
	}
}

static void back_end_conforms(void **state)
{
	const struct cordbmem_options options = test_options();
	int failures = 0, rows;

	(void)state;
	rows = conformance_run(&options, report, &failures);
	assert_true(rows > 100);
	assert_int_equal(0, failures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(back_end_conforms),
	};

	return cmocka_run_group_tests_name("conformance", tests, NULL, NULL);
}
