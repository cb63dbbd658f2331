// SPDX-License-Identifier: MIT
/*
 * The library's unit tests once more, over the module.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

FIXTURE(unit){};

FIXTURE_VARIANT(unit)
{
	const char *program;
};

FIXTURE_SETUP(unit)
{
}

FIXTURE_TEARDOWN(unit)
{
}

/* clang-format off */
FIXTURE_VARIANT_ADD(unit, process) { .program = "test_process" };
FIXTURE_VARIANT_ADD(unit, calls) { .program = "test_calls" };
FIXTURE_VARIANT_ADD(unit, retries) { .program = "test_retries" };
FIXTURE_VARIANT_ADD(unit, reasons) { .program = "test_reasons" };
FIXTURE_VARIANT_ADD(unit, masking) { .program = "test_masking" };
FIXTURE_VARIANT_ADD(unit, strings) { .program = "test_strings" };
FIXTURE_VARIANT_ADD(unit, chains) { .program = "test_chains" };
FIXTURE_VARIANT_ADD(unit, scatter) { .program = "test_scatter" };
FIXTURE_VARIANT_ADD(unit, threads) { .program = "test_threads" };
FIXTURE_VARIANT_ADD(unit, com) { .program = "test_com" };
FIXTURE_VARIANT_ADD(unit, com_process) { .program = "test_com_process" };
FIXTURE_VARIANT_ADD(unit, com_targets) { .program = "test_com_targets" };
FIXTURE_VARIANT_ADD(unit, coreclr_masking) { .program = "test_coreclr_masking" };
FIXTURE_VARIANT_ADD(unit, coreclr_listing) { .program = "test_coreclr_listing" };
/* clang-format on */

/* Shows what a program said, as a comment, so that its results are not taken for ours. */
static void show(int fd)
{
	FILE *file = fdopen(fd, "r");
	char line[512];

	rewind(file);
	while (fgets(line, sizeof(line), file))
		fprintf(stderr, "#   %s", line);
	fclose(file);
}

TEST_F_TIMEOUT(unit, passes_through_the_module, 600)
{
	char path[512];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 64);
	int status, output = memfd_create("output", MFD_CLOEXEC);
	pid_t pid;

	ASSERT_LT(0, length);
	path[length] = 0;
	*strrchr(path, '/') = 0;
	snprintf(strrchr(path, '/'), 64, "/unit/%s", variant->program);
	if (access(path, X_OK))
		SKIP(return, "the unit tests are not built");
	setenv("CORDBMEM_TEST_BACKEND", "module", 1);
	pid = fork();
	if (!pid) {
		dup2(output, 1);
		dup2(output, 2);
		execl(path, path, NULL);
		_exit(127);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	if (status)
		show(output);
}

TEST_HARNESS_MAIN
