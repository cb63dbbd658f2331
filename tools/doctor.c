// SPDX-License-Identifier: MIT
/*
 * cordbmem doctor: would a read work, and if not, why not?
 */
#include <getopt.h>

#include "out.h"
#include "runtime.h"
#include "tool.h"

static const char help[] =
	"usage: cordbmem doctor [--portable] PID\n"
	"\n"
	"Say whether the caller can read this process, and if not, why not and what to do.\n"
	"Nothing of the process is read but what tells whether it has a .NET runtime.\n"
	"\n"
	"Each line is one thing that a read depends on:\n"
	"  ok    as it should be\n"
	"  warn  does not stop a read, or not for sure\n"
	"  FAIL  stops a read\n"
	"  ?     cannot be seen from here\n"
	"  -     is not there, and need not be\n"
	"The check \"open\" is the attempt itself; it decides, whatever the others suppose.\n"
	"\n"
	"If it can be read, the line \"runtime\" says which .NET runtime (CoreCLR) it has, and\n"
	"whether a debugger is attached; warn: that its breakpoints cannot be listed or hidden.\n"
	"It has no say in the verdict, the last line, nor in the exit status.\n"
	"\n"
	"      --portable   ask for reads through /proc/PID/mem, without the module\n"
	"  -h, --help       show this help\n"
	"\n"
	"The exit status is what that of 'cordbmem read' would be: 0 when the process can\n"
	"be read, 4 refused, 5 no such process, 6 no module. 'cordbmem --help' lists all.\n";

static const struct option long_options[] = {
	{ "portable", no_argument, NULL, 'P' },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};

static void report(void *context, const struct cordbmem_check *check)
{
	static const char *const words[] = { "ok", "warn", "FAIL", "?" };
	uint32_t *reason = context;
	uint32_t status = check->status;

	out_format("%-4s  %-14s  %s\n", words[status <= CORDBMEM_STATUS_UNKNOWN ? status : 3],
		   check->name, check->text);
	/* The last one, "open", decides. */
	*reason = check->reason;
}

/* Not a check of the library's, since a read does not depend on it. */
static void report_runtime(pid_t pid, const struct cordbmem_options *options)
{
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process;
	const char *word = "warn";

	/* It may have gone just now. */
	if (FAILED(cordbmem_process_open(pid, options, &process, &error)))
		return;
	if (SUCCEEDED(cordbmem_process_find_coreclr(process, 0, &runtime, &error)))
		word = "ok";
	else if (error.reason == CORDBMEM_REASON_NO_RUNTIME)
		word = "-";
	out_format("%-4s  %-14s  ", word, "runtime");
	if (error.hr == S_OK)
		runtime_put(&runtime, runtime_debugger(process));
	else
		out_text(error.text);
	out_text("\n");
	cordbmem_process_free(process);
}

static int diagnose(pid_t pid, const struct cordbmem_options *options)
{
	uint32_t reason = CORDBMEM_REASON_NONE;
	HRESULT hr = cordbmem_diagnose(pid, options, report, &reason);
	int code;

	if (SUCCEEDED(hr)) {
		report_runtime(pid, options);
		out_format("\nverdict: process %d can be read\n", pid);
		return EXIT_OK;
	}
	out_format("\nverdict: process %d cannot be read (%s)\n", pid,
		   cordbmem_reason_name(reason));
	code = exit_code_of(reason);
	return code == EXIT_OK ? EXIT_FAILED : code;
}

static int run(int argc, char **argv)
{
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	pid_t pid;
	int option;

	while ((option = getopt_long(argc, argv, ":h", long_options, NULL)) != -1) {
		switch (option) {
		case 'P':
			options.backend = CORDBMEM_BACKEND_PORTABLE;
			break;
		case 'h':
			return show_help(&doctor_verb);
		default:
			return fail_option(&doctor_verb, option, argv);
		}
	}
	if (argc - optind != 1)
		return fail_usage(&doctor_verb,
				  optind == argc ? "PID is needed" : "only one PID is taken");
	if (!parse_pid(argv[optind], &pid))
		return fail_usage(&doctor_verb, "%s is not a pid (a decimal number)", argv[optind]);
	return diagnose(pid, &options);
}

const struct verb doctor_verb = {
	.name = "doctor",
	.summary = "say whether and why a process can be read or not",
	.help = help,
	.run = run,
};
