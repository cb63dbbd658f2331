// SPDX-License-Identifier: MIT
/*
 * What it costs a .NET program that does nothing but allocate to be sampled: its own processor time per
 * allocation, with "cordbmem sample" looking at its threads a thousand times a second, and without.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "allocation.h"
#include "bench.h"
#include "support.h"

#define PER_COUNT 64 /* allocations, by the debuggee's Allocate */
#define ROUNDS 4
#define SETTLE 300 /* ms: the sampler has found what it reads */
#define TAKE 500   /* ms */

static uint64_t count_of(const struct debuggee *debuggee)
{
	uint64_t count;

	peek(debuggee->pid, debuggee->counter, &count, sizeof(count));
	return count;
}

static double cost_of_one(const struct debuggee *debuggee)
{
	/* Its own time: who shares the processor with it does not count, but its collections do. */
	double time = cpu_seconds(debuggee->pid);
	uint64_t count = count_of(debuggee);

	sleep_ms(TAKE);
	time = cpu_seconds(debuggee->pid) - time;
	count = count_of(debuggee) - count;
	if (!count)
		give_up("the debuggee allocates nothing");
	return time * 1e9 / (double)count / PER_COUNT;
}

/* The program beside this one, for a second. */
static pid_t start_sampler(pid_t target, const char *door)
{
	char folder[PATH_MAX], path[PATH_MAX + 16], number[32];
	ssize_t length = readlink("/proc/self/exe", folder, sizeof(folder) - 1);
	pid_t pid;

	if (length < 0)
		give_up("/proc/self/exe");
	folder[length] = 0;
	*strrchr(folder, '/') = 0;
	snprintf(path, sizeof(path), "%s/../cordbmem", folder);
	snprintf(number, sizeof(number), "%d", target);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (dup2(open("/dev/null", O_WRONLY), 1) == 1)
			execl(path, path, "sample", "--through", door, "--rate", "1000",
			      "--seconds", "1", number, NULL);
		_exit(127);
	}
	if (pid < 0)
		give_up("fork");
	return pid;
}

static double cost_of_one_sampled(const struct debuggee *debuggee, const char *door)
{
	pid_t pid = start_sampler(debuggee->pid, door);
	double cost;
	int status;

	sleep_ms(SETTLE);
	cost = cost_of_one(debuggee);
	if (waitpid(pid, &status, 0) != pid || status)
		give_up("the sampler failed");
	return cost;
}

void measure_allocation(struct debuggee *debuggee)
{
	double none = 0, window = 0, call = 0;

	debuggee_do(debuggee, "work 2");
	sleep_ms(1000);
	/* In turns, so that what the program itself does in time is in all of them. */
	for (int round = 0; round < ROUNDS; round++) {
		none += cost_of_one(debuggee) / ROUNDS;
		window += cost_of_one_sampled(debuggee, "window") / ROUNDS;
		call += cost_of_one_sampled(debuggee, "process_vm_readv") / ROUNDS;
	}
	debuggee_do(debuggee, "work 0");
	add_row(&(struct row){ "target_allocation", 4096, 1, 0, "no_window", none });
	add_row(&(struct row){ "target_allocation", 4096, 1, 0, "busy_window", window });
	add_row(&(struct row){ "target_allocation", 4096, 1, 0, "process_vm_readv", call });
}
