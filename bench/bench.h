/* SPDX-License-Identifier: MIT */
/*
 * The figures of a benchmark: clock, rows, table, goals.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stddef.h>
#include <stdint.h>

#define PAGE ((size_t)4096)

/** struct row - one figure. @cost: per call, in the unit of the run */
struct row {
	const char *work;
	size_t bytes;
	size_t elements;
	size_t patches;
	const char *method;
	double cost;
};

/** give_up() - print @what and errno, exit with 2 */
_Noreturn void give_up(const char *what);
/** now() - CLOCK_MONOTONIC in ns, which are instructions under --icount */
uint64_t now(void);
/** clock_cost() - what two calls of now() in a row differ by */
uint64_t clock_cost(void);

void add_row(const struct row *row);
void print_table(void);
/** write_json() - all rows; @unit: what the cost of each is called */
void write_json(const char *path, const char *unit);
/** print_goals() - compare with the project's goals; returns how many are missed */
int print_goals(void);
/** print_rows() - one line per figure */
void print_rows(void);
/** print_coreclr_goals() - likewise, for the figures of coreclr.c */
int print_coreclr_goals(void);

#endif /* BENCH_H */
