/* SPDX-License-Identifier: GPL-2.0 */
/*
 * One question to the gate, put in every way there is, and to the kernel's own doors.
 */
#ifndef GATE_H
#define GATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* The answers, each 0 or an errno. A wrong byte is reported as EBADMSG. */
struct verdict {
	int read;
	int read_again; /* by what is remembered of the first */
	int readv;
	int attach; /* and a pread of what came */
	int vm_readv;
	int mem; /* open and pread of /proc/PID/mem */
};

#define GATE_SEED 6

/* Asks about the page at @address, which holds the pattern of GATE_SEED. */
void verdict_ask(struct verdict *verdict, int device, pid_t pid, const void *address);

/* Are the ways into cordbmem of one mind? */
bool verdict_agreed(const struct verdict *verdict);

#endif
