/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A memory cgroup of the test's own.
 */
#ifndef CGROUP_H
#define CGROUP_H

#include <stdbool.h>
#include <sys/types.h>

/* 0 or an errno: there is no cgroup 2 with the memory controller, or it is not ours to use. */
int cgroup_new(void);
void cgroup_enter(pid_t pid);

/* A file of it with one number. */
long cgroup_number(const char *name);
void cgroup_set(const char *name, const char *value);

/* The number after a name in a file such as memory.events; -1 if there is none. */
long cgroup_count(const char *file, const char *name);

/* When no process is in it any more. */
void cgroup_gone(void);

#endif
