/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What is wrong with the result of a call that succeeded: NULL when nothing is. With @whole nothing in it failed,
 * so all of what was asked for must be there.
 */
#ifndef JUDGES_H
#define JUDGES_H

#include <stdbool.h>

const char *judge_open(long ret, bool whole);
const char *judge_info(long ret, bool whole);
const char *judge_read(long ret, bool whole);
const char *judge_readv(long ret, bool whole);
const char *judge_attach(long ret, bool whole);
const char *judge_word(long ret, bool whole);
const char *judge_pages(long ret, bool whole);
const char *judge_poll(long ret, bool whole);
const char *judge_epoll(long ret, bool whole);
const char *judge_fdinfo(long ret, bool whole);
const char *judge_window(long ret, bool whole);
const char *judge_mmap(long ret, bool whole);
const char *judge_populate(long ret, bool whole);
const char *judge_stats(long ret, bool whole);
const char *judge_sync(long ret, bool whole);
const char *judge_touch(long ret, bool whole);
const char *judge_kernel_touch(long ret, bool whole);
const char *judge_touch_of_state(long ret, bool whole);

#endif
