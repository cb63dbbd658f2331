/* SPDX-License-Identifier: MIT */
/*
 * What came of sampling, as a table or as JSON.
 */
#ifndef CORDBMEM_TOOLS_SAMPLE_REPORT_H
#define CORDBMEM_TOOLS_SAMPLE_REPORT_H

#include <stdbool.h>

#include "runtime.h"
#include "sampler.h"

struct sample_report {
	bool json;
	bool instructions; /* a ns of the clock is an instruction */
	struct cordbmem_coreclr runtime;
	enum debugger debugger;	       /* as it was at the start */
	char missing[DOOR_KINDS][160]; /* why a door that was asked for is not there, or "" */
};

/* Sorts the tally. */
void sample_report(const struct sample_report *report, struct sampler *sampler);

#endif /* CORDBMEM_TOOLS_SAMPLE_REPORT_H */
