// SPDX-License-Identifier: GPL-2.0
/* The functions of shared.h. */
#include <stdarg.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "shared.h"

struct shared *shared;
uint64_t seed;
int device;

double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

bool stopping(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED) || now() > shared->deadline;
}

void wrong(const char *format, ...)
{
	char text[512];
	va_list args;
	int length;

	if (__atomic_fetch_add(&shared->failures, 1, __ATOMIC_SEQ_CST) < 5) {
		length = snprintf(text, sizeof(text), "fuzz_ioctl: WRONG: ");
		va_start(args, format);
		length += vsnprintf(text + length, sizeof(text) - (size_t)length - 1, format, args);
		va_end(args);
		if ((size_t)length > sizeof(text) - 2)
			length = sizeof(text) - 2;
		text[length++] = '\n';
		if (write(1, text, (size_t)length) < 0)
			_exit(1);
	}
	__atomic_store_n(&shared->stop, 1, __ATOMIC_SEQ_CST);
}

uint64_t number(const volatile void *p)
{
	return (uint64_t)(uintptr_t)p;
}

void *pointer(uint64_t n)
{
	return (void *)(uintptr_t)n;
}
