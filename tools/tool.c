// SPDX-License-Identifier: MIT
/*
 * What the verbs share: messages, exit codes, and checks of arguments.
 */
#include "tool.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "out.h"

static void complain(const char *format, va_list args)
{
	char text[1024];

	vsnprintf(text, sizeof(text), format, args);
	/* Names of files are the target's to choose; a terminal may obey them. */
	for (char *c = text; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	/* So that a terminal shows both in the order in which they happened. */
	out_flush();
	fprintf(stderr, "cordbmem: %s", text);
}

int fail(int code, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	fputc('\n', stderr);
	return code;
}

int fail_usage(const struct verb *verb, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain(format, args);
	va_end(args);
	fprintf(stderr, " (see 'cordbmem %s%s--help')\n", verb ? verb->name : "", verb ? " " : "");
	return EXIT_USAGE;
}

int fail_option(const struct verb *verb, int found, char **argv)
{
	const char *given = argv[optind - 1];

	if (found == ':')
		return fail_usage(verb, "%s wants a value", given);
	/* A long option is known by its name, a short one by its letter. */
	if (optopt && given[0] == '-' && given[1] != '-')
		return fail_usage(verb, "there is no option -%c", optopt);
	return fail_usage(verb, "the option %s is unknown or takes no value", given);
}

int fail_gone(pid_t pid)
{
	return fail(EXIT_GONE, "process %d went away: it exited or called execve", pid);
}

int show_help(const struct verb *verb)
{
	out_text(verb->help);
	return EXIT_OK;
}

int exit_code_of(uint32_t reason)
{
	switch (reason) {
	case CORDBMEM_REASON_NONE:
		return EXIT_OK;
	case CORDBMEM_REASON_NO_MODULE:
		return EXIT_NO_MODULE;
	case CORDBMEM_REASON_NO_PROCESS:
	case CORDBMEM_REASON_NO_MEMORY_IMAGE:
	case CORDBMEM_REASON_EXITED:
	case CORDBMEM_REASON_EXECED:
	case CORDBMEM_REASON_GONE:
		return EXIT_GONE;
	case CORDBMEM_REASON_NODE_PERMISSION:
	case CORDBMEM_REASON_PID_NAMESPACE:
	case CORDBMEM_REASON_USER_NAMESPACE:
	case CORDBMEM_REASON_DIFFERENT_UID:
	case CORDBMEM_REASON_CAPABILITIES:
	case CORDBMEM_REASON_NOT_DUMPABLE:
	case CORDBMEM_REASON_YAMA:
	case CORDBMEM_REASON_REFUSED:
		return EXIT_REFUSED;
	case CORDBMEM_REASON_NO_RUNTIME:
	case CORDBMEM_REASON_RUNTIME_NOT_READY:
		return EXIT_NO_RUNTIME;
	case CORDBMEM_REASON_RUNTIME_UNKNOWN:
	case CORDBMEM_REASON_RUNTIME_INCONSISTENT:
		return EXIT_RUNTIME_UNKNOWN;
	}
	return EXIT_FAILED;
}

bool parse_number(const char *text, int max, int *value)
{
	char *end;
	long number;

	/* strtol would take blanks and signs. */
	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	number = strtol(text, &end, 10);
	if (*end || errno || number < 1 || number > max)
		return false;
	*value = (int)number;
	return true;
}

bool parse_pid(const char *text, pid_t *pid)
{
	return parse_number(text, INT_MAX, pid);
}
