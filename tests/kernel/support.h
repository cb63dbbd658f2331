/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What every test needs beside the ioctls: files of /proc and /sys, clocks.
 */
#ifndef SUPPORT_H
#define SUPPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "../die.h"

#ifdef TEST_TIMEOUT_DEFAULT
/* The harness's own 30 s are too few on a debug kernel with an emulated CPU. */
#undef TEST_TIMEOUT_DEFAULT
#define TEST_TIMEOUT_DEFAULT 120
#endif

/* The text of a file, cut at @size. False when it cannot be read. */
bool file_text(const char *path, char *text, size_t size);

/* The number in a file; @missing when it cannot be read. */
long file_number(const char *path, long missing);

/* 0 or a positive errno. */
int file_write(const char *path, const char *text);
int file_write_number(const char *path, long number);

/* The number after a name in /proc/PID/FILE, such as "VmRSS:"; -1 if there is none. */
long proc_number(pid_t pid, const char *file, const char *name);

/* The letter of a task's state, 0 when there is no such task. */
char task_state(pid_t pid);

/* Waits, without end, until a task is in a state. The harness' timeout bounds it. */
void wait_for_state(pid_t pid, char state);

double seconds(void);

/* CORDBMEM_SEED of the environment, else another one each time. */
uint64_t seed_of_run(void);

/* What a thread runs that shall only be there. */
void *wait_for_ever(void *unused);

/* Kernel at least major.minor? */
bool kernel_at_least(int major, int minor);

/* Open fds of this process. */
int open_fds(void);

/* A new folder with a tmpfs of our own that honours setuid bits; NULL when it cannot be had. */
const char *own_tmpfs(const char *options);
void own_tmpfs_gone(void);

#endif
