// SPDX-License-Identifier: MIT
/*
 * The end of the demo: what a read of 8 bytes of another process costs through each door, on one
 * screen. Run as root in a VM in which time is instructions (tests/vm/run --icount), so the figures are
 * the same each time. The doors are the benchmark's.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../../bench/bench.h"
#include "../../bench/methods.h"

#define BYTES 8
#define ROUNDS 20
#define CALLS 10
#define BAR 44 /* characters for the fastest */

/* What the target has in its memory, and what we have at the same address. */
#define THEIRS UINT64_C(0x736472616f626e61)
#define OURS UINT64_C(0x6f7572206d656d00)

static const struct door {
	const char *method; /* of the benchmark */
	const char *words;
} doors[] = {
	{ "process_vm_readv", "process_vm_readv" },  { "proc_mem", "pread of /proc/PID/mem" },
	{ "read", "READ, ioctl of the module" },     { "target_pread", "pread of a target fd" },
	{ "ReadMemory", "ReadMemory, windows off" }, { "ReadMemory_window", "ReadMemory" },
	{ "window", "window, without the library" }, { "memcpy", "memcpy of one's own memory" },
};

#define DOORS (sizeof(doors) / sizeof(doors[0]))

static const struct method *method_of(const struct door *door)
{
	for (size_t i = 0; i < method_count; i++)
		if (!strcmp(methods[i].name, door->method))
			return &methods[i];
	give_up(door->method);
}

static pid_t start_target(char *region)
{
	const uint64_t theirs = THEIRS;
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	memcpy(region, &theirs, sizeof(theirs));
	raise(SIGSTOP);
	for (;;)
		pause();
}

/* Per call. The least of the rounds is the one that no timer interrupt fell into. */
static double measure(struct bench *b, const struct method *method, unsigned int rounds)
{
	uint64_t least = UINT64_MAX;

	while (rounds--) {
		uint64_t before = now(), spent;

		if (!method->run(b, CALLS))
			give_up("a read failed");
		spent = now() - before - clock_cost();
		if (spent < least)
			least = spent;
	}
	return (double)least / CALLS;
}

static double measure_door(struct bench *b, const struct door *door)
{
	const struct method *method = method_of(door);
	const uint64_t expected = strcmp(door->method, "memcpy") != 0 ? THEIRS : OURS;
	uint64_t word;
	double cost;

	/* What it remembers of the first times is what it goes on with. */
	measure(b, method, 1);
	memset(b->buffer, 0, BYTES);
	cost = measure(b, method, ROUNDS);
	memcpy(&word, b->buffer, sizeof(word));
	if (word != expected)
		give_up("a read showed something else");
	return cost;
}

static void show(const double *costs)
{
	struct utsname kernel = { 0 };
	double least = costs[0];

	for (size_t i = 0; i < DOORS; i++)
		if (costs[i] < least)
			least = costs[i];
	uname(&kernel);
	printf("Again and again 8 bytes of another process are read, through one door after the "
	       "other.\n"
	       "Counted are the instructions of one read, those of Linux %s\n"
	       "included. At 1e9 instructions a second that makes so many reads a second:\n\n",
	       kernel.release);
	printf("%-26s %12s %14s\n", "", "instructions", "million reads");
	for (size_t i = 0; i < DOORS; i++) {
		int length = (int)(BAR * least / costs[i] + 0.5);

		printf("%-26s %12.0f %14.2f  ", doors[i].words, costs[i], 1e3 / costs[i]);
		do
			putchar('#');
		while (--length > 0);
		putchar('\n');
	}
}

int main(void)
{
	static struct bench bench;
	struct bench *b = &bench;
	const uint64_t ours = OURS;
	double costs[DOORS];

	b->region = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	b->buffer = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->region == MAP_FAILED || b->buffer == MAP_FAILED)
		give_up("no memory");
	memcpy(b->region, &ours, sizeof(ours));
	b->pid = start_target(b->region);
	/* It stops when it has written. */
	if (b->pid < 0 || waitpid(b->pid, NULL, WUNTRACED) != b->pid)
		give_up("cannot start the target");
	open_handles(b);
	describe(b, BYTES, 1);
	for (size_t i = 0; i < DOORS; i++)
		costs[i] = measure_door(b, &doors[i]);
	kill(b->pid, SIGKILL);
	waitpid(b->pid, NULL, 0);
	close_handles(b);
	show(costs);
	return fflush(stdout) == 0 ? 0 : 1;
}
