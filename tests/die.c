// SPDX-License-Identifier: MIT
/* The function of die.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"

void die(const char *format, ...)
{
	int saved = errno;
	va_list args;

	fprintf(stderr, "# ");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, saved ? ": %s\n" : "\n", strerror(saved));
	fflush(stderr);
	abort();
}
