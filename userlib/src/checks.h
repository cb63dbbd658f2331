/* SPDX-License-Identifier: MIT */
/*
 * The single things that opening a process depends on. The list serves both the
 * diagnosis and the reason of a refused open, so the two cannot disagree.
 */
#ifndef CORDBMEM_SRC_CHECKS_H
#define CORDBMEM_SRC_CHECKS_H

#include <cordbmem/cordbmem.h>

#include "facts.h"

typedef void (*check_fn)(const struct facts *facts, pid_t pid, struct cordbmem_check *check);

/* Is there a process, and does it have memory? */
extern const check_fn presence_checks[];
/* May this caller read it? In the order in which a failure is the reason. */
extern const check_fn access_checks[];
/* Both end with NULL. */

void check_set(struct cordbmem_check *check, const char *name, uint32_t status, uint32_t reason,
	       const char *format, ...) __attribute__((format(printf, 5, 6)));

#endif /* CORDBMEM_SRC_CHECKS_H */
