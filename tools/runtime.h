/* SPDX-License-Identifier: MIT */
/*
 * The .NET runtime of a process, as the verbs look for it and speak of it.
 */
#ifndef CORDBMEM_TOOLS_RUNTIME_H
#define CORDBMEM_TOOLS_RUNTIME_H

#include <cordbmem/coreclr.h>

enum debugger { DEBUGGER_NONE, DEBUGGER_ATTACHED, DEBUGGER_UNKNOWN };

/*
 * Find it and have its breakpoints hidden from reads. Returns EXIT_OK, or an exit code after it
 * has told what is wrong. runtime may be NULL.
 */
int runtime_find(struct cordbmem_process *process, struct cordbmem_coreclr *runtime);

/* Only once it was found. */
enum debugger runtime_debugger(struct cordbmem_process *process);

/* Print "CoreCLR 10.0.1226.42308 (/path), a debugger is attached". */
void runtime_put(const struct cordbmem_coreclr *runtime, enum debugger debugger);

#endif /* CORDBMEM_TOOLS_RUNTIME_H */
