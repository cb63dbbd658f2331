/* SPDX-License-Identifier: MIT */
/*
 * What the kernel knows of a thread of another process: its name and its CPU time.
 */
#ifndef CORDBMEM_TOOLS_TASK_H
#define CORDBMEM_TOOLS_TASK_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TASK_NAME_ROOM 16

/* Both return false when there is no such thread, or the kernel does not tell; then nothing is written. */
bool task_name(pid_t pid, uint64_t tid, char name[TASK_NAME_ROOM]);
bool task_cpu(pid_t pid, uint64_t tid, uint64_t *ns);

#endif /* CORDBMEM_TOOLS_TASK_H */
