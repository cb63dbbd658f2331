// SPDX-License-Identifier: MIT
/* The functions of report.h. */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "report.h"
#include "scene.h"

uint64_t iteration;
unsigned long failures;
unsigned long found, calls, masked, ended;
static struct {
	double took;
	const char *what;
	uint64_t iteration;
} longest;

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void wrong(const char *format, ...)
{
	va_list arguments;

	failures++;
	printf("fuzz_coreclr: WRONG in --iteration %llu: ", (unsigned long long)iteration);
	va_start(arguments, format);
	vprintf(format, arguments);
	va_end(arguments);
	printf("\nfuzz_coreclr: it spoils");
	for (size_t i = 0; i < scene.part_count; i++)
		printf("%s %s", i ? "," : "", scene.parts[i].name);
	printf("\n");
	fflush(stdout);
}

void report_time(const char *what, double took)
{
	if (took > longest.took) {
		longest.took = took;
		longest.what = what;
		longest.iteration = iteration;
	}
}

void report(uint64_t iterations)
{
	printf("fuzz_coreclr: %llu iterations, %lu calls: found %lu times, %lu bytes replaced, "
	       "%lu processes ended meanwhile\n",
	       (unsigned long long)iterations, calls, found, masked, ended);
	if (longest.what)
		printf("fuzz_coreclr: the longest call took %.1f s: %s, --iteration %llu\n",
		       longest.took, longest.what, (unsigned long long)longest.iteration);
}
