/* SPDX-License-Identifier: MIT */
/*
 * Standard output: buffered, and with an error that cannot be overlooked.
 */
#ifndef CORDBMEM_TOOLS_OUT_H
#define CORDBMEM_TOOLS_OUT_H

#include <stdbool.h>
#include <stddef.h>

/* Once a write has failed, these do nothing and return false. */
bool out_bytes(const void *bytes, size_t size);
bool out_text(const char *text);
bool out_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

/*
 * Once fd is readable, drop what would have to wait for its reader: a pipe that nobody empties
 * must not keep a signal from ending the program. It is no error.
 */
void out_give_up_for(int fd);

/* Write out what is buffered. Returns 0, or the errno of the first failure. */
int out_flush(void);

#endif /* CORDBMEM_TOOLS_OUT_H */
