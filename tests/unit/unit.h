/* SPDX-License-Identifier: MIT */
/*
 * cmocka and what it needs in front of it, and the asserts that it lacks.
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <cordbmem/cordbmem.h>

/* Shows the HRESULT in hex, which cmocka's own does. */
#define assert_hr(expected, call) assert_int_equal((uint32_t)(call), (uint32_t)(expected))

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif /* UNIT_H */
