// SPDX-License-Identifier: MIT
/*
 * What a read costs through each door, in instructions of the guest.
 *
 * Meant for a VM in which CLOCK_MONOTONIC counts instructions (tests/vm/run
 * --icount). Writes a JSON array to the file named by the last argument, a
 * table to standard output, and exits with 1 when a goal is missed. With
 * "readers" it measures time instead, in a VM with two CPUs: see readers.c.
 */
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "first_touch.h"
#include "methods.h"
#include "readers.h"
#include "target_side.h"

#define ELEMENT 64
#define REGION_ADDRESS 0x7e0000000000

static pid_t start_target(char *region)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* Pages of its own, not those shared with the parent since the fork. */
	for (size_t at = 0; at < REGION; at += PAGE)
		region[at] = MARK;
	raise(SIGSTOP);
	for (;;)
		pause();
}

/*
 * Per call, the clock's own cost taken off. The least of several rounds is the one
 * that no timer interrupt fell into.
 */
static double measure(struct bench *b, const struct method *method, unsigned int rounds,
		      unsigned int calls)
{
	uint64_t least = UINT64_MAX;

	for (unsigned int r = 0; r < rounds; r++) {
		uint64_t before = now(), spent;

		if (!method->run(b, calls))
			give_up("a read failed");
		spent = now() - before - clock_cost();
		if (spent < least)
			least = spent;
	}
	return (double)least / calls;
}

/* What is read, and in which state the handles are. */
struct work {
	const char *name;
	bool cold;
	size_t offset;
};

/* The same read again and again. */
static const struct work warm = { "warm", false, 0 };
/*
 * The first read through handles that were just opened, so that whatever is remembered or mapped is
 * not yet. Opening is not counted, the gate's check by READ and READV is.
 */
static const struct work cold = { "cold", true, 0 };
/* Warm, where there are patches, but none where it is read. */
static const struct work beside = { "beside", false, 1024 };

/* Of the first call through fresh handles. The method's code is warm. */
static double measure_first(struct bench *b, const struct method *method)
{
	const size_t bytes = b->bytes, elements = b->elements;
	double least = 0;

	measure(b, method, 1, 1);
	for (int i = 0; i < 5; i++) {
		double once;

		close_handles(b);
		open_handles(b);
		describe(b, bytes, elements);
		once = measure(b, method, 1, 1);
		if (!i || once < least)
			least = once;
	}
	return least;
}

static void run_case(struct bench *b, const struct work *work, size_t bytes, size_t elements,
		     size_t patches)
{
	unsigned int calls = bytes * elements > 1 << 14 ? 1 : bytes * elements > 1 << 8 ? 10 : 100;
	unsigned int rounds = bytes * elements > 1 << 20 ? 4 : 20;

	b->offset = work->offset;
	for (size_t m = 0; m < method_count; m++) {
		const struct method *method = &methods[m];
		struct row row = { work->name, bytes, elements, patches, method->name, 0 };

		if ((elements > 1 && !method->scatters) || (patches && !method->masks))
			continue;
		describe(b, bytes, elements);
		if (work->cold) {
			row.cost = measure_first(b, method);
		} else {
			/* also for the library to see what is read more than once */
			measure(b, method, 1, 3);
			row.cost = measure(b, method, rounds, calls);
		}
		add_row(&row);
	}
}

/* The memory of a target that does nothing, read in every way. */
static void reads(void)
{
	static const size_t sizes[] = { 8, 64, 256, 4096, 65536, 1 << 20, 16 << 20 };
	static const size_t patches[] = { 1, 100, 10000 };
	static struct bench bench;
	struct bench *b = &bench;

	/*
	 * Always there, since what the library hashes by address should cost the same in each run; and where it
	 * would be otherwise in the order of mappings, between heap and libraries.
	 */
	b->region = mmap((void *)REGION_ADDRESS, REGION, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	b->buffer = mmap(NULL, REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (b->region == MAP_FAILED || b->buffer == MAP_FAILED)
		give_up("no memory");
	memset(b->region, 0x5a, REGION);
	memset(b->buffer, 1, REGION);
	b->pid = start_target(b->region);
	/* it stops when its pages are there */
	if (b->pid < 0 || waitpid(b->pid, NULL, WUNTRACED) != b->pid)
		give_up("cannot start the target");
	open_handles(b);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		run_case(b, &cold, sizes[i], 1, 0);
		run_case(b, &warm, sizes[i], 1, 0);
	}
	for (size_t n = 2; n <= MAX_ELEMENTS; n *= 2) {
		run_case(b, &cold, ELEMENT, n, 0);
		run_case(b, &warm, ELEMENT, n, 0);
	}
	for (size_t i = 0; i < sizeof(patches) / sizeof(patches[0]); i++) {
		close_handles(b);
		open_handles(b);
		add_patches(b, patches[i]);
		run_case(b, &warm, ELEMENT, 1, patches[i]);
		run_case(b, &beside, ELEMENT, 1, patches[i]);
		run_case(b, &beside, 8, 1, patches[i]);
		run_case(b, &beside, ELEMENT, 64, patches[i]);
	}
	first_touch(b);

	kill(b->pid, SIGKILL);
	waitpid(b->pid, NULL, 0);
	close_handles(b);
	munmap(b->region, REGION);
	munmap(b->buffer, REGION);
}

int main(int argc, char **argv)
{
	int missed;

	if (argc == 3 && !strcmp(argv[1], "readers")) {
		missed = readers();
		write_json(argv[2], "nanoseconds");
		return missed ? 1 : 0;
	}
	if (argc != 2)
		give_up("usage: bench [readers] FILE.json");
	/* first, as long as what the target is a fork of is small */
	target_side();
	reads();
	print_table();
	write_json(argv[1], "instructions");
	missed = print_goals();
	return missed ? 1 : 0;
}
