// SPDX-License-Identifier: GPL-2.0
/*
 * What would have found errors was there, and still is after all other tests: without it, a clean run means nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "../kernel/support.h"
#include "faults.h"

/* The number after a name of /proc/lockdep_stats; -1 without one. */
static long lockdep_number(const char *name)
{
	static char text[65536];
	char *found;

	if (!file_text("/proc/lockdep_stats", text, sizeof(text)))
		return -1;
	found = strstr(text, name);
	found = found ? strchr(found, ':') : NULL;
	return found ? strtol(found + 1, NULL, 10) : -1;
}

/* The first report of lockdep switches it off. */
TEST(lockdep)
{
	EXPECT_EQ(1, lockdep_number(" debug_locks:"));
}

/* It switches itself off when it has no memory for its own books. */
TEST(kmemleak)
{
	EXPECT_EQ(0, file_write("/sys/kernel/debug/kmemleak", "scan=off"));
}

TEST(fault_injection)
{
	EXPECT_TRUE(faults_possible());
}

/* Each is a symbol of what is compiled in. */
TEST(checks_of_memory)
{
	static const char *const symbols[] = {
		" kasan_report\n",
		" __ubsan_handle_out_of_bounds\n",
		" __page_table_check_zero\n",
		" __kernel_unpoison_pages\n",
		" __might_sleep\n",
		" debug_object_activate\n",
	};
	static char text[16 << 20];

	ASSERT_TRUE(file_text("/proc/kallsyms", text, sizeof(text)));
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++) {
		EXPECT_NE(NULL, strstr(text, symbols[i]))
		TH_LOG("the kernel has no%s", symbols[i]);
	}
}

TEST(pages_are_poisoned)
{
	char text[4096];

	ASSERT_TRUE(file_text("/proc/cmdline", text, sizeof(text)));
	EXPECT_NE(NULL, strstr(text, "page_poison=1"));
}

TEST_HARNESS_MAIN
