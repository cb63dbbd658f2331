// SPDX-License-Identifier: MIT
/* The functions of ours.h. */
#include <unistd.h>

#include "ours.h"
#include "support.h"

struct cordbmem_process *ours_open(pid_t pid)
{
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process;

	if (access("/dev/cordbmem", F_OK) != 0)
		options.backend = CORDBMEM_BACKEND_PORTABLE;
	if (cordbmem_process_open(pid, &options, &process, &error) != S_OK)
		die("%s", error.text);
	return process;
}

struct cordbmem_process *ours_open_managed(pid_t pid)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process = ours_open(pid);

	if (cordbmem_process_find_coreclr(process, 0, NULL, &error) != S_OK)
		die("%s", error.text);
	return process;
}
