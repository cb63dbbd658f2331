/* SPDX-License-Identifier: MIT */
/*
 * What the first read through a window costs.
 */
#ifndef FIRST_TOUCH_H
#define FIRST_TOUCH_H

#include "methods.h"

/** first_touch() - adds the rows of work "first_touch"; the target's memory is resident */
void first_touch(struct bench *b);

#endif /* FIRST_TOUCH_H */
