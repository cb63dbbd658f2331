/* SPDX-License-Identifier: MIT */
/*
 * The contract of ReadMemory as a table, for any back end.
 *
 * It knows no test framework: the unit tests call it for the portable back end, the
 * kernel tests for the module.
 */
#ifndef CONFORMANCE_H
#define CONFORMANCE_H

#include <stdbool.h>

#include <cordbmem/cordbmem.h>

/*
 * Told of every row, passed or not. detail is "" for one that passed.
 */
typedef void conformance_report(void *context, const char *row, bool passed, const char *detail);

/* How the table reads; the unit tests have another way than the library's own functions, too. */
struct conformance_way {
	HRESULT (*read)(struct cordbmem_process *, CORDB_ADDRESS, DWORD, BYTE *, SIZE_T *);
	void (*free)(struct cordbmem_process *);
};

/*
 * Forks a target of its own and runs every row against it: stopped, running, after close, and
 * after its exit. Returns the number of rows that were run.
 */
int conformance_run(const struct cordbmem_options *options, conformance_report *report,
		    void *context);
int conformance_run_way(const struct cordbmem_options *options, const struct conformance_way *way,
			conformance_report *report, void *context);

#endif /* CONFORMANCE_H */
