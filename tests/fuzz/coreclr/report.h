/* SPDX-License-Identifier: MIT */
/*
 * What the iterations came to: what was wrong, how often what was done, and what took longest.
 */
#ifndef REPORT_H
#define REPORT_H

#include <stdint.h>

/* The number of the one that runs. */
extern uint64_t iteration;

/* Of all so far. */
extern unsigned long failures;
extern unsigned long found, calls, masked, ended;

double now(void);

/* Says what was wrong, and in which iteration. */
void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A call that took so many seconds has ended. */
void report_time(const char *what, double took);

/* Prints all that was counted. */
void report(uint64_t iterations);

#endif
