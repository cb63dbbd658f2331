/* SPDX-License-Identifier: MIT */
/*
 * cordbmem on the debuggee: through the module where it is loaded, else through /proc/PID/mem, so that
 * the tests can be tried without a VM.
 */
#ifndef OURS_H
#define OURS_H

#include <cordbmem/coreclr.h>

/* Opens the process; it ends the test with words when it cannot. */
struct cordbmem_process *ours_open(pid_t pid);

/* The same, and finds CoreCLR in it: managed breakpoints are hidden from now on. */
struct cordbmem_process *ours_open_managed(pid_t pid);

#endif
