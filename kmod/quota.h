/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What all windows of one open device may use together.
 */
#ifndef _CORDBMEM_QUOTA_H
#define _CORDBMEM_QUOTA_H

#include <linux/types.h>

struct cordbmem_quota;

struct cordbmem_quota *cordbmem_quota_new(void);
struct cordbmem_quota *cordbmem_quota_get(struct cordbmem_quota *quota);
void cordbmem_quota_put(struct cordbmem_quota *quota);

unsigned long quota_window_pages(void);
unsigned long quota_lease(void);
bool quota_take_window(struct cordbmem_quota *quota);
void quota_give_window(struct cordbmem_quota *quota);
unsigned long quota_take_pages(struct cordbmem_quota *quota,
			       unsigned long count);
void quota_give_pages(struct cordbmem_quota *quota, unsigned long count);

#endif /* _CORDBMEM_QUOTA_H */
