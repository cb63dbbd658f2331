/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Choices by lot: the same seed makes the same ones.
 */
#ifndef LOT_H
#define LOT_H

#include <stdbool.h>
#include <stdint.h>

struct random {
	uint64_t state;
};

uint64_t any(struct random *r);
uint64_t below(struct random *r, uint64_t limit);
bool one_in(struct random *r, uint64_t n);

#define PICK(r, array) ((array)[below((r), sizeof(array) / sizeof((array)[0]))])

#endif
