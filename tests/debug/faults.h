/* SPDX-License-Identifier: GPL-2.0 */
/*
 * System calls in which the kernel's n-th allocation, or copy from or to the caller, fails.
 */
#ifndef FAULTS_H
#define FAULTS_H

#include <stdbool.h>

/* No system call, but a memcpy: touches of memory, whose faults can fail, too. Its result is the length. */
#define MEMCPY (-1)

/* Number and arguments of a system call. */
struct request {
	long number;
	long args[6];
};

/* Can this kernel make calls fail? If so, it is told to, in every way that it has, without a word in its log. */
bool faults_possible(void);

/* Makes the call. Returns its result, or a negative errno. */
long request_made(const struct request *request);

/*
 * Makes the call with its @nth failure point failing, counted from 1. @hit says whether there were that many.
 * The calling thread's own points count, not those of others that work for it.
 */
long request_failing(const struct request *request, unsigned int nth, bool *hit);

/* How many failure points the call has, when none of them fails. The result goes to @ret. */
unsigned int request_points(const struct request *request, long *ret);

#endif
