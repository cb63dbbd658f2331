// SPDX-License-Identifier: GPL-2.0
/*
 * Loading the module, failing at every place where that can: it is loaded and works, or there is nothing of it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "../kernel/call.h"
#include "../kernel/module.h"
#include "../kernel/support.h"
#include "faults.h"

#define PATIENCE 10 /* s, until it can be unloaded */

static bool there_is_something(void)
{
	return access("/sys/module/cordbmem", F_OK) == 0 || access(CORDBMEM_DEVICE, F_OK) == 0 ||
	       access("/sys/class/misc/cordbmem", F_OK) == 0;
}

static bool works(void)
{
	struct cordbmem_info info = info_argument();
	int device = device_open();
	int error = call_info(device, &info);

	close(device);
	return !error;
}

FIXTURE(load)
{
	bool possible;
	int file;
};

/* tests/vm/run says which kernel it is, and tests/guest is run in the folder of the project. */
FIXTURE_SETUP(load)
{
	const char *kernel = getenv("CORDBMEM_VM");
	char path[256];

	self->possible = faults_possible();
	snprintf(path, sizeof(path), "build/kmod/%s/cordbmem.ko", kernel ? kernel : "");
	self->file = open(path, O_RDONLY | O_CLOEXEC);
}

FIXTURE_TEARDOWN(load)
{
	/* The other tests get it as the runner loaded it. */
	if (self->file >= 0 && !there_is_something())
		syscall(SYS_finit_module, self->file, "", 0);
}

static struct request load_with(int file, const char *parameters)
{
	return (struct request){ SYS_finit_module, { file, (long)number(parameters), 0 } };
}

TEST_F_TIMEOUT(load, fails_cleanly_wherever_it_can, 900)
{
	struct request request;
	unsigned int first, nth;
	bool hit;
	long ret;

	if (!self->possible)
		SKIP(return, "this kernel has no fault injection");
	if (self->file < 0)
		SKIP(return, "no module for this kernel");
	ASSERT_EQ(0, module_unload_soon(PATIENCE));

	/*
	 * Up to the parameters, which come just before the module is made known and its own code
	 * runs, all is the loader's; it fills the log with warnings when it gets no memory.
	 */
	request = load_with(self->file, "allow_force=perhaps");
	first = request_points(&request, &ret);
	ASSERT_EQ(-EINVAL, ret);

	request = load_with(self->file, "");
	for (nth = first, hit = true; hit; nth++) {
		ret = request_failing(&request, nth, &hit);
		if (ret == 0) {
			EXPECT_TRUE(works())
			TH_LOG("loaded in spite of a failure at %u and does not work", nth);
			ASSERT_EQ(0, module_unload_soon(PATIENCE))
			TH_LOG("loaded in spite of a failure at %u and stays", nth);
		} else {
			/* Without memory for an inode procfs says that there is no such file. */
			EXPECT_TRUE(ret == -ENOMEM || ret == -ENOENT)
			TH_LOG("failing at %u: %ld", nth, ret);
			EXPECT_TRUE(hit);
		}
		EXPECT_FALSE(there_is_something())
		TH_LOG("something is left of a load that failed at %u (%ld)", nth, ret);
	}
	EXPECT_LT(first + 1, nth);
	TH_LOG("%u places, from %u on", nth - 1 - first, first);
	ASSERT_EQ(0, request_made(&request));
	EXPECT_TRUE(works());
}

TEST_HARNESS_MAIN
