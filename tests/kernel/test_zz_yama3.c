// SPDX-License-Identifier: GPL-2.0
/*
 * Yama at 3: nobody reads anybody. It cannot be taken back before the next boot, so this is the
 * last of the tests, by its name.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "gate.h"
#include "identity.h"
#include "memory.h"
#include "support.h"

TEST(nobody_reads_anybody)
{
	uint8_t *page = island_pages(1), bytes[8];
	struct verdict verdict;
	struct child target;
	int device = device_open(), before, mem;

	pattern_fill(page, PAGE, GATE_SEED, number(page));
	target = child_start();
	if (file_number(YAMA, -1) < 0)
		SKIP(return, "no Yama");
	if (file_number(YAMA, -1) < 3) {
		before = attach(device, target.pid, 0);
		mem = mem_open(target.pid, O_RDONLY);
		EXPECT_LE(0, before);
		EXPECT_LE(0, mem);
		ASSERT_EQ(0, file_write_number(YAMA, 3));
		/* What was allowed before stays open, as files of /proc do. */
		EXPECT_EQ(8, pread_at(mem, bytes, 8, number(page)));
		EXPECT_EQ(8, pread_at(before, bytes, 8, number(page)));
		EXPECT_LE(0, attach(device, mem, CORDBMEM_ATTACH_MEM_FD));
	}
	/* by a device that remembers nothing: what one does that remembers is test_gate_memory's */
	device = device_open();
	verdict_ask(&verdict, device, target.pid, page);
	EXPECT_EQ(EACCES, verdict.read);
	EXPECT_TRUE(verdict_agreed(&verdict));
	EXPECT_EQ(EPERM, verdict.vm_readv);
	EXPECT_EQ(EACCES, verdict.mem);
	/* Oneself is still readable. */
	verdict_ask(&verdict, device, getpid(), page);
	EXPECT_EQ(0, verdict.read);
	EXPECT_TRUE(verdict_agreed(&verdict));
	EXPECT_EQ(0, verdict.vm_readv);
	child_end(&target);
}

TEST_HARNESS_MAIN
