// SPDX-License-Identifier: MIT
/*
 * cordbmem breakpoints: the managed breakpoints that are set in a .NET process.
 */
#include <getopt.h>

#include "report.h"
#include "tool.h"
#include "watch.h"

static const char help[] =
	"usage: cordbmem breakpoints [OPTION]... PID\n"
	"\n"
	"List the managed breakpoints that are set in a .NET process, as its runtime (CoreCLR)\n"
	"has them, whoever set them. The process is not stopped and not changed; no debugger is\n"
	"needed, and one that is attached does not notice. .NET 9 and later, x86-64.\n"
	"\n"
	"The first line names the process, its runtime with version and file, whether a\n"
	"debugger is attached, and how many there are. Then a line for each breakpoint:\n"
	"  address    of the byte of code that was replaced\n"
	"  original   that byte\n"
	"  memory     the byte that is there now: cc, a trap, but for a moment while the\n"
	"             breakpoint comes or goes\n"
	"  method     metadata token of the method, - if it cannot be told\n"
	"  kind       il-replica        at a place in a method's MSIL, as IDEs set them\n"
	"             native-managed    at a place in its machine code: set so, or by a step\n"
	"             native-unmanaged  in the runtime's own code\n"
	"             il-primary        of a method as such\n"
	"             unknown           this runtime does not tell\n"
	"  module     file of the method's module, if it can be told. In file names, control\n"
	"             characters, backslashes and what is no text appear as \\x1b and so on\n"
	"\n"
	"  -w, --watch          then go on and print a line for each change:\n"
	"                         TIME + ...   a breakpoint was set\n"
	"                         TIME - ...   a breakpoint was cleared; as it was last seen\n"
	"                         TIME * ...   a debugger attached or detached\n"
	"                       What comes and goes between two looks is not seen\n"
	"  -i, --interval MS    milliseconds between two looks of --watch: 1 to 3600000, 100 if\n"
	"                       it is left out\n"
	"  -j, --json           print JSON: one document or, with --watch, one object per line\n"
	"      --portable       read through /proc/PID/mem instead of the kernel module\n"
	"  -h, --help           show this help\n"
	"\n"
	"The JSON document has pid, runtime {path, version, base, patch_table},\n"
	"debugger_attached, count, and breakpoints, an array of {address, original, in_memory,\n"
	"method, kind, module, path}; module is the address of the runtime's Module. Addresses,\n"
	"bytes and tokens are strings such as \"0x7f0c51e2a000\". What cannot be told is null,\n"
	"and path is \"\" for a module without a file. With --watch every object has event and\n"
	"time (UTC) as well; the events are list (the document), set and cleared (the members\n"
	"of a breakpoint), attached, detached, and gone.\n"
	"\n"
	"The exit status is 0 also when nothing is set; 7 when the process has no .NET runtime,\n"
	"or none that has got as far as having a debugger side (it may have one later); 8 when\n"
	"its runtime is of an unknown version or contradicts itself. --watch ends with 5 when\n"
	"the process is gone, and with 0 on SIGINT and SIGTERM. 'cordbmem --help' lists all.\n"
	"\n"
	"Examples:\n"
	"  cordbmem breakpoints 4711\n"
	"  cordbmem breakpoints 4711 --json | jq -r '.breakpoints[].address'\n"
	"  cordbmem breakpoints 4711 --watch --interval 20\n";

#define INTERVAL_DEFAULT 100
#define INTERVAL_MAX (3600 * 1000)

enum { OPT_PORTABLE = 256 };

/* clang-format off */
static const struct option long_options[] = {
	{ "watch", no_argument, NULL, 'w' },
	{ "interval", required_argument, NULL, 'i' },
	{ "json", no_argument, NULL, 'j' },
	{ "portable", no_argument, NULL, OPT_PORTABLE },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};
/* clang-format on */

struct args {
	struct report report;
	int interval; /* 0: not given */
	struct cordbmem_options open;
};

static int set_interval(struct args *args, const char *text)
{
	if (parse_number(text, INTERVAL_MAX, &args->interval))
		return EXIT_OK;
	return fail_usage(&breakpoints_verb, "--interval %s: it takes 1 to %d milliseconds", text,
			  INTERVAL_MAX);
}

static int parse_args(struct args *args, int argc, char **argv, bool *helped)
{
	int code = EXIT_OK;
	int option;

	while (code == EXIT_OK &&
	       (option = getopt_long(argc, argv, ":wi:jh", long_options, NULL)) != -1) {
		switch (option) {
		case 'w':
			args->report.live = true;
			break;
		case 'i':
			code = set_interval(args, optarg);
			break;
		case 'j':
			args->report.json = true;
			break;
		case OPT_PORTABLE:
			args->open.backend = CORDBMEM_BACKEND_PORTABLE;
			break;
		case 'h':
			*helped = true;
			return show_help(&breakpoints_verb);
		default:
			code = fail_option(&breakpoints_verb, option, argv);
		}
	}
	if (code != EXIT_OK)
		return code;
	if (argc - optind != 1)
		return fail_usage(&breakpoints_verb,
				  optind == argc ? "PID is needed" : "only one PID is taken");
	if (!parse_pid(argv[optind], &args->report.pid))
		return fail_usage(&breakpoints_verb, "%s is not a pid (a decimal number)",
				  argv[optind]);
	if (args->interval && !args->report.live)
		return fail_usage(&breakpoints_verb, "--interval is for --watch");
	return EXIT_OK;
}

static int list_once(struct cordbmem_process *process, const struct report *report)
{
	struct snapshot snapshot;
	HRESULT hr = snapshot_take(process, NULL, &snapshot);

	if (hr != S_OK)
		return fail_snapshot(process, hr);
	report_list(report, &snapshot);
	snapshot_free(&snapshot);
	return EXIT_OK;
}

static int run(int argc, char **argv)
{
	struct args args = {
		.report.runtime = CORDBMEM_CORECLR_INIT,
		.open = CORDBMEM_OPTIONS_INIT,
	};
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process = NULL;
	bool helped = false;
	int code;

	code = parse_args(&args, argc, argv, &helped);
	if (code != EXIT_OK || helped)
		return code;
	if (FAILED(cordbmem_process_open(args.report.pid, &args.open, &process, &error)))
		return fail(exit_code_of(error.reason), "%s", error.text);
	code = runtime_find(process, &args.report.runtime);
	if (code == EXIT_OK && args.report.live)
		code = watch(process, &args.report,
			     args.interval ? args.interval : INTERVAL_DEFAULT);
	else if (code == EXIT_OK)
		code = list_once(process, &args.report);
	cordbmem_process_free(process);
	return code;
}

const struct verb breakpoints_verb = {
	.name = "breakpoints",
	.summary = "list the managed breakpoints that are set in a .NET process",
	.help = help,
	.run = run,
};
