/* SPDX-License-Identifier: MIT */
/*
 * Choices by lot. Each thread has its own, which begin anew with each iteration.
 */
#ifndef LOT_H
#define LOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

extern _Thread_local uint64_t choices;

uint64_t any(void);
uint32_t below(uint32_t limit);
bool one_in(uint32_t n);

/* Numbers that are likely to lead somewhere, or just past it. */
uint64_t number(void);

#endif
