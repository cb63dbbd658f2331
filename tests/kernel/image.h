/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs made at run time, small enough to be started thousands of times: a page full of one
 * byte at a known address, and a few instructions.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Where every image has its page of one byte. */
#define IMAGE_DATA 0x20000000ULL

/*
 * Writes an executable that waits for about @spins turns of a loop, takes @uid for all its ids
 * (which only a setuid image can), and starts @next in its place; without @next it stays.
 * False where there are no such programs for this machine.
 */
bool image_write(const char *path, mode_t mode, uint8_t byte, uint32_t spins, uid_t uid,
		 const char *next);

#endif
