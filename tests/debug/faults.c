// SPDX-License-Identifier: GPL-2.0
/* The functions of faults.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kernel/support.h"
#include "faults.h"

/* More points than any call has. */
#define NEVER 1000000000U

/*
 * Allocations that may sleep, which are nearly all, and single pages are spared by default. Each
 * failure would leave a call trace in the log, where it looks like an error of the kernel.
 */
static const char *const settings[][2] = {
	{ "/sys/kernel/debug/failslab/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/failslab/verbose", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-wait", "N" },
	{ "/sys/kernel/debug/fail_page_alloc/ignore-gfp-highmem", "N" },
	{ "/sys/kernel/debug/fail_page_alloc/min-order", "0" },
	{ "/sys/kernel/debug/fail_page_alloc/verbose", "0" },
	{ "/sys/kernel/debug/fail_usercopy/verbose", "0" },
};

static int nth_file = -1;

bool faults_possible(void)
{
	for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
		if (file_write(settings[i][0], settings[i][1]))
			return false;
	if (nth_file >= 0)
		close(nth_file);
	nth_file = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	return nth_file >= 0;
}

long request_made(const struct request *request)
{
	const long *a = request->args;
	long ret;

	if (request->number == MEMCPY) {
		memcpy((void *)a[0], (const void *)a[1], (size_t)a[2]);
		return a[2];
	}
	ret = syscall(request->number, a[0], a[1], a[2], a[3], a[4], a[5]);
	return ret < 0 ? -errno : ret;
}

/* The write itself copies from the caller: when the last failure waits for just that, it is gone with it. */
static void arm(unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	for (int tries = 0; tries < 2; tries++)
		if (pwrite(nth_file, text, (size_t)length, 0) == length)
			return;
	die("cannot write fail-nth");
}

/* The failure points that are left until the one that fails; 0 after it has. */
static unsigned int disarm(void)
{
	char text[16] = "";
	ssize_t got = pread(nth_file, text, sizeof(text) - 1, 0);

	/* The read is a point, too: the one that was to fail, if it fails. */
	if (got < 0 && errno == EFAULT)
		return 1;
	if (got <= 0)
		die("cannot read fail-nth");
	arm(0);
	return (unsigned int)strtoul(text, NULL, 10);
}

long request_failing(const struct request *request, unsigned int nth, bool *hit)
{
	long ret;

	arm(nth);
	ret = request_made(request);
	*hit = disarm() == 0;
	return ret;
}

unsigned int request_points(const struct request *request, long *ret)
{
	arm(NEVER);
	*ret = request_made(request);
	return NEVER - disarm();
}
