// SPDX-License-Identifier: MIT
/*
 * Standard output. stdio would do, but for the errno of a failed write, which it
 * does not keep until the end of the program.
 */
#include "out.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char pending[64 * 1024];
static size_t used;
static int error;

static bool write_all(const char *bytes, size_t size)
{
	while (size && !error) {
		ssize_t n = write(STDOUT_FILENO, bytes, size);

		if (n >= 0) {
			bytes += n;
			size -= (size_t)n;
		} else if (errno != EINTR) {
			error = errno;
		}
	}
	return !error;
}

int out_flush(void)
{
	size_t size = used;

	used = 0;
	write_all(pending, size);
	return error;
}

bool out_bytes(const void *bytes, size_t size)
{
	if (size > sizeof(pending) - used)
		out_flush();
	if (size > sizeof(pending))
		return write_all(bytes, size);
	memcpy(pending + used, bytes, size);
	used += size;
	return !error;
}

bool out_text(const char *text)
{
	return out_bytes(text, strlen(text));
}

bool out_format(const char *format, ...)
{
	char line[1024];
	va_list args;
	int size;

	va_start(args, format);
	size = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	if (size < 0)
		return false;
	if ((size_t)size >= sizeof(line))
		size = sizeof(line) - 1;
	return out_bytes(line, (size_t)size);
}
