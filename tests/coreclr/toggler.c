// SPDX-License-Identifier: MIT
/* The functions of toggler.h. */
#include <stdlib.h>

#include "support.h"
#include "toggler.h"

static void must(HRESULT hr, const char *what)
{
	if (hr != S_OK)
		die("%s: 0x%08x", what, (unsigned int)hr);
}

static void change(struct toggler *toggler, bool *set, size_t i)
{
	struct breakpoint *breakpoint = &toggler->scene->breakpoints[i];

	if (set[i])
		must(oracle_deactivate(breakpoint), "Activate(FALSE)");
	else
		must(oracle_activate(breakpoint), "Activate(TRUE)");
	set[i] = !set[i];
	atomic_fetch_add(&toggler->changes, 1);
}

static void *run(void *argument)
{
	struct toggler *toggler = argument;
	struct scene *scene = toggler->scene;
	bool *set = calloc(scene->count, sizeof(*set));
	double next = seconds(), ahead;

	if (!set)
		die("calloc");
	for (size_t i = 0; i < scene->count; i++)
		set[i] = true;
	while (!toggler->end) {
		must(oracle_stop(scene->oracle), "Stop");
		for (int i = 0; i < toggler->batch; i++)
			change(toggler, set, next_random(&toggler->random) % scene->count);
		must(oracle_continue(scene->oracle), "Continue");
		atomic_fetch_add(&toggler->stops, 1);
		next += (double)toggler->beat_ms / 1000;
		ahead = next - seconds();
		if (ahead > 0)
			sleep_ms((long)(ahead * 1000));
		else
			next -= ahead;
	}
	must(oracle_stop(scene->oracle), "Stop");
	for (size_t i = 0; i < scene->count; i++)
		if (!set[i])
			change(toggler, set, i);
	must(oracle_continue(scene->oracle), "Continue");
	free(set);
	return NULL;
}

void toggler_start(struct toggler *toggler)
{
	if (pthread_create(&toggler->thread, NULL, run, toggler) != 0)
		die("pthread_create");
}

void toggler_end(struct toggler *toggler)
{
	toggler->end = true;
	pthread_join(toggler->thread, NULL);
}
