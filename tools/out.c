// SPDX-License-Identifier: MIT
/*
 * Standard output. stdio would do, but for the errno of a failed write, which it
 * does not keep until the end of the program.
 */
#include "out.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char pending[64 * 1024];
static size_t used;
static int error;
static int give_up_fd = -1;

void out_give_up_for(int fd)
{
	give_up_fd = fd;
}

/* Returns false to give up. What poll() allows does not wait if it is PIPE_BUF or less. */
static bool wait_for_reader(size_t *size)
{
	struct pollfd fds[] = {
		{ .fd = STDOUT_FILENO, .events = POLLOUT },
		{ .fd = give_up_fd, .events = POLLIN },
	};

	if (*size > PIPE_BUF)
		*size = PIPE_BUF;
	while (poll(fds, 2, -1) < 0 && errno == EINTR)
		;
	return fds[0].revents || !fds[1].revents;
}

static bool write_all(const char *bytes, size_t size)
{
	while (size && !error) {
		size_t piece = size;
		ssize_t n;

		if (give_up_fd >= 0 && !wait_for_reader(&piece))
			return true;
		n = write(STDOUT_FILENO, bytes, piece);

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
