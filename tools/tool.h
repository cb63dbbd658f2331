/* SPDX-License-Identifier: MIT */
/*
 * What the verbs of the program cordbmem share: exit codes, messages, options.
 */
#ifndef CORDBMEM_TOOLS_TOOL_H
#define CORDBMEM_TOOLS_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cordbmem/cordbmem.h>

/* Part of the interface: see the general help. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_PARTIAL = 3,
	EXIT_REFUSED = 4,
	EXIT_GONE = 5,
	EXIT_NO_MODULE = 6,
	EXIT_NO_RUNTIME = 7,
	EXIT_RUNTIME_UNKNOWN = 8
};

/* One word after "cordbmem"; argv[0] of run() is that word. */
struct verb {
	const char *name;
	const char *summary;
	const char *help;
	int (*run)(int argc, char **argv);
};

extern const struct verb read_verb;
extern const struct verb breakpoints_verb;
extern const struct verb sample_verb;
extern const struct verb info_verb;
extern const struct verb doctor_verb;

/*
 * Say "cordbmem: ..." on standard error, after what is still on its way to
 * standard output. Both return code, so that "return fail(...)" reads well.
 */
int fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Wrong usage: also says where help is. verb may be NULL. */
int fail_usage(const struct verb *verb, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

int fail_gone(pid_t pid);

int show_help(const struct verb *verb);

/* The exit code that stands for a failure of the library. */
int exit_code_of(uint32_t reason);

/* A decimal number from 1 to max. */
bool parse_number(const char *text, int max, int *value);
bool parse_pid(const char *text, pid_t *pid);

/*
 * What getopt_long() found to be wrong with argv[optind - 1]; ":" must be the
 * first character of its option string.
 */
int fail_option(const struct verb *verb, int found, char **argv);

#endif /* CORDBMEM_TOOLS_TOOL_H */
