/* SPDX-License-Identifier: MIT */
/*
 * A native breakpoint, as a native debugger sets it: a byte of code is replaced through ptrace, behind
 * the runtime's back.
 */
#ifndef PLANT_H
#define PLANT_H

#include <stdint.h>
#include <sys/types.h>

/* Writes a byte into a process and returns the one that was there. Stops it for a moment. */
uint8_t plant(pid_t pid, uint64_t address, uint8_t byte);

#endif
