// SPDX-License-Identifier: MIT
/*
 * Looks for CoreCLR in processes whose runtime is forged, and spoiled at random: before it is
 * found, after it, between any two reads of the library's, or by another thread all the time; and
 * the process may end meanwhile. Every call has to end soon, with a result that is documented,
 * and with bytes that can be.
 *
 * usage: fuzz_coreclr [--seconds N] [--seed S] [--iteration I]
 *
 * An iteration depends on nothing but its number, which is printed when it fails; --iteration runs
 * that one alone. Only what another thread spoils (in one of eight) may not come out the same again.
 *
 * Status: 0 clean, 1 an answer was wrong, 2 bad usage, 3 a call did not end.
 */
#include <err.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "coreclr/calls.h"
#include "coreclr/lot.h"
#include "coreclr/report.h"
#include "coreclr/scene.h"
#include "coreclr/spoil.h"

/* Seconds after which a call does not end. */
#define HANG 60U

/* Status of the worker; sanitizers have 1. */
#define WRONG 42
#define HUNG 43

static uint64_t *current; /* the iteration, shared with the watcher */

static _Atomic(bool) thread_stop;

static void *spoil_on(void *context)
{
	(void)context;
	choices = ~iteration;
	while (!thread_stop)
		spoil();
	return NULL;
}

static void run_iteration(void)
{
	bool threaded = false;
	pthread_t thread;
	uint32_t ops;

	alarm(HANG);
	start_scene(iteration);
	if (one_in(2))
		call_find();
	switch (below(8)) {
	case 0: /* well-formed, at rest */
		break;
	case 1: /* well-formed, and running */
		scene.moving = true;
		scene.chance = 1 + below(40);
		break;
	case 2:
	case 3: /* spoiled between reads */
		scene.moving = scene.spoils = true;
		scene.chance = 1 + below(40);
		break;
	case 4: /* by another thread */
		scene.moving = scene.spoiled = threaded = true;
		break;
	default:
		spoil_some();
	}
	if (one_in(8))
		scene.reads_to_end = 1 + below(200);
	if (threaded) {
		thread_stop = false;
		if (pthread_create(&thread, NULL, spoil_on, NULL))
			errx(1, "there are no more threads");
	}
	for (ops = 1 + below(40); ops; ops--) {
		call_any();
		if (!threaded && !scene.gone)
			play_runtime();
	}
	if (threaded) {
		thread_stop = true;
		pthread_join(thread, NULL);
	}
	end_scene();
	alarm(0);
}

static void on_alarm(int signal)
{
	(void)signal;
	_exit(HUNG);
}

static uint64_t parse(const char *text, const char *option)
{
	char *end;
	uint64_t value = strtoull(text, &end, 0);

	if (*end || !*text)
		errx(2, "%s wants a number", option);
	return value;
}

/* One iteration, or as many as there is time for. Returns the status. */
static int work(uint64_t seed, double end, bool alone)
{
	const struct sigaction action = { .sa_handler = on_alarm };
	uint64_t iterations = 0;

	sigaction(SIGALRM, &action, NULL);
	do {
		*current = iteration = seed + iterations * UINT64_C(0x9e3779b97f4a7c15);
		run_iteration();
		iterations++;
	} while (!alone && now() < end && failures < 20);
	report(iterations);
	return failures ? WRONG : 0;
}

/* In a process of its own, which a sanitizer may end without a word on where it was. */
static int watch(uint64_t seed, double end, bool alone)
{
	pid_t worker, self = getpid();
	int status;

	current = mmap(NULL, sizeof(*current), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		       -1, 0);
	if (current == MAP_FAILED)
		err(2, "mmap");
	fflush(NULL);
	worker = fork();
	if (worker < 0)
		err(2, "fork");
	if (!worker) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		exit(getppid() == self ? work(seed, end, alone) : 2);
	}
	if (waitpid(worker, &status, 0) != worker)
		err(2, "waitpid");
	if (WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == WRONG))
		return WEXITSTATUS(status) ? 1 : 0;
	printf("fuzz_coreclr: %s in --iteration %llu, seed %llu\n",
	       WIFEXITED(status) && WEXITSTATUS(status) == HUNG ? "a call did not end" : "it died",
	       (unsigned long long)*current, (unsigned long long)seed);
	return WIFEXITED(status) && WEXITSTATUS(status) == HUNG ? 3 : 1;
}

int main(int argc, char **argv)
{
	uint64_t seed = 0, seconds = 60;
	bool have_seed = false, alone = false;

	for (int i = 1; i < argc; i += 2) {
		if (i + 1 < argc && !strcmp(argv[i], "--seconds")) {
			seconds = parse(argv[i + 1], argv[i]);
		} else if (i + 1 < argc &&
			   (!strcmp(argv[i], "--seed") || !strcmp(argv[i], "--iteration"))) {
			seed = parse(argv[i + 1], argv[i]);
			have_seed = true;
			alone |= !strcmp(argv[i], "--iteration");
		} else {
			fprintf(stderr, "usage: fuzz_coreclr [--seconds N] [--seed S] "
					"[--iteration I]\n");
			return 2;
		}
	}
	if (!have_seed && getrandom(&seed, 4, 0) != 4)
		err(2, "getrandom");
	printf("fuzz_coreclr: %s %llu\n", alone ? "iteration" : "with seed",
	       (unsigned long long)seed);
	return watch(seed, now() + (double)seconds, alone);
}
