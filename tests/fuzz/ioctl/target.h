/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The processes that are read: their memory comes and goes, and so do they. What can be read in
 * them, and in every other process here, tells its address.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "shared.h"

/* In every process of ours, at the same place: words that tell their address, or zeros. */
#define REGION 0x300000000000ULL
#define REGION_PAGES ((size_t)16)
#define REGION_SIZE (REGION_PAGES * PAGE)

uint8_t byte_at(uint64_t address);
void fill(uint64_t address, size_t length);

/* What a target does until the fuzzer is over. */
_Noreturn void target_main(uint64_t random_seed);

#endif
