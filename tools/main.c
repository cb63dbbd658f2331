// SPDX-License-Identifier: MIT
/*
 * cordbmem: reads the memory of live processes from the command line.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "out.h"
#include "tool.h"

static const struct verb *const verbs[] = { &read_verb, &breakpoints_verb, &sample_verb, &info_verb,
					    &doctor_verb };

#define VERBS (sizeof(verbs) / sizeof(verbs[0]))

static const char help_start[] =
	"usage: cordbmem VERB [ARGUMENT]...\n"
	"\n"
	"Read the memory of live processes, as ICorDebugProcess::ReadMemory does: through the\n"
	"kernel module cordbmem, without stopping or changing them.\n"
	"\n";

static const char help_end[] =
	"\n"
	"  -h, --help       show this help; 'cordbmem VERB --help' explains a verb\n"
	"  -V, --version    show the version\n"
	"\n"
	"A process is given by its pid as the caller sees it, and never by name. The caller\n"
	"needs what /proc/PID/mem needs, and /dev/cordbmem, which is root's by default.\n"
	"\n"
	"Exit status:\n"
	"  0  success\n"
	"  1  failure: the first byte cannot be read, output cannot be written, or else\n"
	"  2  wrong usage\n"
	"  3  partial: bytes were printed, but not all that were asked for\n"
	"  4  refused: this caller may not read this process, or not open /dev/cordbmem\n"
	"  5  there is no such process, it has no memory, or it went away\n"
	"  6  the module is not loaded\n"
	"  7  the process has no .NET runtime (CoreCLR), or none that is ready: ask later\n"
	"  8  its .NET runtime is of an unknown version, or contradicts itself\n"
	"With 1 to 8 one line on standard error says why; doctor says it in its report.\n";

static int show_general_help(void)
{
	out_text(help_start);
	for (size_t i = 0; i < VERBS; i++)
		out_format("  %-11s  %s\n", verbs[i]->name, verbs[i]->summary);
	out_text(help_end);
	return EXIT_OK;
}

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < VERBS; i++) {
		if (!strcmp(verbs[i]->name, name))
			return verbs[i];
	}
	return NULL;
}

/* "cordbmem help", "cordbmem help VERB" */
static int run_help(const char *name)
{
	const struct verb *verb;

	if (!name)
		return show_general_help();
	verb = find_verb(name);
	return verb ? show_help(verb) : fail_usage(NULL, "there is no verb %s", name);
}

static int run(int argc, char **argv)
{
	const char *word = argv[1];
	const struct verb *verb;

	if (argc < 2)
		return fail_usage(NULL, "a verb is needed");
	if (!strcmp(word, "-h") || !strcmp(word, "--help"))
		return show_general_help();
	if (!strcmp(word, "help"))
		return run_help(argv[2]);
	if (!strcmp(word, "-V") || !strcmp(word, "--version")) {
		out_format("cordbmem %s\n", cordbmem_version());
		return EXIT_OK;
	}
	verb = find_verb(word);
	if (!verb)
		return fail_usage(NULL, "there is no %s %s", word[0] == '-' ? "option" : "verb",
				  word);
	return verb->run(argc - 1, argv + 1);
}

/*
 * Without this, the first file we open could become standard output when that is
 * closed. What stands in its place can be neither read nor written.
 */
static void fill_standard_fds(void)
{
	for (int fd = 0; fd <= 2; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
			open("/dev/null", O_PATH);
	}
}

int main(int argc, char **argv)
{
	int code, err;

	fill_standard_fds();
	code = run(argc, argv);
	err = out_flush();
	/* It outweighs a good result, and tells nothing new about a bad one. */
	if (err && code == EXIT_OK)
		code = fail(EXIT_FAILED, "cannot write standard output: %s", strerror(err));
	return code;
}
