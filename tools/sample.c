// SPDX-License-Identifier: MIT
/*
 * cordbmem sample: what the managed threads of a live .NET process do, a thousand times a second.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include "sample_report.h"
#include "tool.h"

static const char help[] =
	"usage: cordbmem sample [OPTION]... PID\n"
	"\n"
	"Look at the threads of a .NET process many times a second, and say what each was seen\n"
	"doing and what a look cost. Read is CoreCLR's own list of threads, by the offsets that\n"
	"the runtime publishes for diagnostics (its data contract descriptor). The process is not\n"
	"stopped and not changed. .NET 9 and later, x86-64.\n"
	"\n"
	"The first lines tell the process and its runtime; how many samples were taken, how many\n"
	"missed because the one before took too long, and how many dropped because a thread came\n"
	"or went meanwhile; and the share of samples in which a thread held up all others, for a\n"
	"garbage collection or a debugger. Then a line for each thread:\n"
	"  id, os id    managed and Linux thread id\n"
	"  kind         main, finalizer, pool (a thread pool's), background, foreground; or\n"
	"               unstarted, dead, for one that did not run in any sample\n"
	"  managed %    in managed code, or in the runtime on the managed heap: a garbage\n"
	"               collection has to wait for it (cooperative mode)\n"
	"  waiting %    in a wait of .NET: Sleep, Wait, Join, a contended lock\n"
	"  suspended %  held up by a garbage collection or a debugger. .NET 9 does not tell: it\n"
	"               shows such a thread as native\n"
	"  native %     anywhere else: P/Invoke, a system call, the runtime's own code\n"
	"  alloc %      samples since whose forerunner it allocated objects\n"
	"  throw %      samples with an exception on its way through its frames\n"
	"  cpu %        CPU time, as the kernel tells it, of the time since it was first seen\n"
	"  samples      in which it ran; all shares are shares of these, but for alloc and cpu\n"
	"\n"
	"Last, what a sample cost the tool's own thread, by CPU time. A sample is so many ranges\n"
	"of memory: the head of the list, and of each thread its Thread and where it allocates.\n"
	"\n"
	"  -r, --rate HZ        samples per second: 1 to 10000, 1000 if it is left out\n"
	"  -s, --seconds N      how long: 1 to 86400, 5 if it is left out. SIGINT and SIGTERM end\n"
	"                       it sooner; the report comes all the same\n"
	"  -t, --through DOOR   what reads:\n"
	"                         window            ReadMemory with live windows: no system call.\n"
	"                                           This is what is used if it is left out\n"
	"                         readmemory        cordbmem_read_scatter without windows\n"
	"                         process_vm_readv  one call for all ranges\n"
	"                         proc-mem          a pread of /proc/PID/mem for each range\n"
	"                         all               each of these, one after the other in every\n"
	"                                           sample. The first one's samples count; 'same'\n"
	"                                           is in how many of 100 cases a thread was seen\n"
	"                                           doing the same through another\n"
	"      --icount         the clock counts instructions, one a nanosecond, as in QEMU with\n"
	"                       -icount shift=0: call them so\n"
	"  -j, --json           print a JSON document\n"
	"      --portable       read through /proc/PID/mem instead of the kernel module; windows\n"
	"                       need it, so readmemory is used if --through is left out\n"
	"  -h, --help           show this help\n"
	"\n"
	"The JSON document has pid, runtime {path, version, base}, rate, elapsed_ns, samples,\n"
	"missed, dropped, ranges, bytes, suspended, suspensions, threads, an array of {id, os_id,\n"
	"name, kind, samples, managed, waiting, suspended, native, allocating, allocating_of,\n"
	"exception, cpu_ns}, left_out (whether there were too many threads), unit (ns or\n"
	"instructions), doors, an array of {door, reads, median, mean, least, compared, same}, "
	"and\n"
	"missing, an array of {door, why}. What is a share in the text is a count of samples "
	"here;\n"
	"what is not known is null.\n"
	"\n"
	"The exit status is 7 when the process has no .NET runtime, or none that is ready; 8 when\n"
	"its runtime is of an unknown version, does not publish its threads, or has no list of\n"
	"them that ends; 5 when the process went away, after the report if there is one.\n"
	"'cordbmem --help' lists all.\n"
	"\n"
	"Examples:\n"
	"  cordbmem sample 4711\n"
	"  cordbmem sample 4711 --seconds 60 --rate 100 --json | jq '.threads[].managed'\n"
	"  cordbmem sample 4711 --through all --seconds 2\n";

#define RATE_DEFAULT 1000
#define RATE_MAX 10000
#define SECONDS_DEFAULT 5
#define SECONDS_MAX 86400

enum { OPT_PORTABLE = 256, OPT_ICOUNT };

/* clang-format off */
static const struct option long_options[] = {
	{ "rate", required_argument, NULL, 'r' },
	{ "seconds", required_argument, NULL, 's' },
	{ "through", required_argument, NULL, 't' },
	{ "icount", no_argument, NULL, OPT_ICOUNT },
	{ "json", no_argument, NULL, 'j' },
	{ "portable", no_argument, NULL, OPT_PORTABLE },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};
/* clang-format on */

struct args {
	pid_t pid;
	int rate;
	int seconds;
	const char *through; /* NULL: not given */
	struct cordbmem_options open;
};

static int set_number(const char *option, const char *text, int max, int *value)
{
	if (parse_number(text, max, value))
		return EXIT_OK;
	return fail_usage(&sample_verb, "--%s %s: it takes 1 to %d", option, text, max);
}

static int parse_args(struct args *args, struct sample_report *report, int argc, char **argv,
		      bool *helped)
{
	int code = EXIT_OK;
	int option;

	while (code == EXIT_OK &&
	       (option = getopt_long(argc, argv, ":r:s:t:jh", long_options, NULL)) != -1) {
		switch (option) {
		case 'r':
			code = set_number("rate", optarg, RATE_MAX, &args->rate);
			break;
		case 's':
			code = set_number("seconds", optarg, SECONDS_MAX, &args->seconds);
			break;
		case 't':
			args->through = optarg;
			break;
		case OPT_ICOUNT:
			report->instructions = true;
			break;
		case 'j':
			report->json = true;
			break;
		case OPT_PORTABLE:
			args->open.backend = CORDBMEM_BACKEND_PORTABLE;
			break;
		case 'h':
			*helped = true;
			return show_help(&sample_verb);
		default:
			code = fail_option(&sample_verb, option, argv);
		}
	}
	if (code != EXIT_OK)
		return code;
	if (argc - optind != 1)
		return fail_usage(&sample_verb,
				  optind == argc ? "PID is needed" : "only one PID is taken");
	if (!parse_pid(argv[optind], &args->pid))
		return fail_usage(&sample_verb, "%s is not a pid (a decimal number)", argv[optind]);
	if (args->through && strcmp(args->through, "all") != 0 &&
	    door_of_name(args->through) == DOOR_KINDS)
		return fail_usage(&sample_verb, "--through %s: there is no such door",
				  args->through);
	return EXIT_OK;
}

static int find_threads(struct sampler *sampler, const struct cordbmem_coreclr *runtime)
{
	int err = threads_find(sampler->process, runtime->base, &sampler->layout);

	if (!cordbmem_process_is_alive(sampler->process))
		return fail_gone(sampler->pid);
	switch (err) {
	case 0:
		return EXIT_OK;
	case EAGAIN:
		return fail(EXIT_NO_RUNTIME, "CoreCLR of process %d has no threads yet",
			    sampler->pid);
	case ENOTSUP:
		return fail(EXIT_RUNTIME_UNKNOWN,
			    "CoreCLR of process %d does not publish where its threads are",
			    sampler->pid);
	case EPROTO:
		return fail(EXIT_RUNTIME_UNKNOWN,
			    "what CoreCLR of process %d publishes of its threads makes no sense",
			    sampler->pid);
	}
	return fail(EXIT_FAILED, "cannot read the threads of process %d: %s", sampler->pid,
		    strerror(err));
}

static int open_doors(struct sampler *sampler, const struct args *args,
		      struct sample_report *report)
{
	const bool portable = args->open.backend == CORDBMEM_BACKEND_PORTABLE;
	const char *through = args->through ? args->through
			      : portable    ? door_name(DOOR_READMEMORY)
					    : door_name(DOOR_WINDOW);
	const bool all = !strcmp(through, "all");

	for (enum door_kind kind = 0; kind < DOOR_KINDS; kind++) {
		char *why = report->missing[kind];
		int code;

		if (!all && strcmp(through, door_name(kind)) != 0)
			continue;
		code = door_open(&sampler->doors[sampler->door_count].door, kind, sampler->pid,
				 &args->open, sampler->layout.store, why,
				 sizeof(report->missing[kind]));
		if (code == EXIT_OK)
			sampler->door_count++;
		else if (!all || code == EXIT_GONE)
			return fail(code, "%s", why);
	}
	if (!sampler->door_count)
		return fail(EXIT_FAILED, "there is no way to read process %d", sampler->pid);
	return EXIT_OK;
}

static int take_samples(struct sampler *sampler, const struct sample_report *report)
{
	int err = sampler_run(sampler);

	if (err == EPROTO)
		return fail(EXIT_RUNTIME_UNKNOWN,
			    "CoreCLR's list of threads in process %d does not end, or is none",
			    sampler->pid);
	if (err)
		return fail(EXIT_FAILED, "cannot read the threads of process %d: %s", sampler->pid,
			    strerror(err));
	if (sampler->samples)
		sample_report(report, sampler);
	return sampler->gone ? fail_gone(sampler->pid) : EXIT_OK;
}

/*
 * The runtime is looked for through a handle of its own, for from then on that one hides breakpoints:
 * reads that happen to hold a trap byte, as data can, would cost more.
 */
static int find_runtime(const struct args *args, struct sample_report *report)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process;
	int code;

	if (FAILED(cordbmem_process_open(args->pid, &args->open, &process, &error)))
		return fail(exit_code_of(error.reason), "%s", error.text);
	code = runtime_find(process, &report->runtime);
	if (code == EXIT_OK)
		report->debugger = runtime_debugger(process);
	cordbmem_process_free(process);
	return code;
}

static int sample(const struct args *args, struct sampler *sampler, struct sample_report *report)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	int code;

	code = find_runtime(args, report);
	if (code == EXIT_OK &&
	    FAILED(cordbmem_process_open(args->pid, &args->open, &sampler->process, &error)))
		code = fail(exit_code_of(error.reason), "%s", error.text);
	if (code == EXIT_OK)
		code = find_threads(sampler, &report->runtime);
	if (code == EXIT_OK)
		code = open_doors(sampler, args, report);
	if (code == EXIT_OK)
		code = take_samples(sampler, report);
	for (size_t i = 0; i < sampler->door_count; i++)
		door_close(&sampler->doors[i].door);
	cordbmem_process_free(sampler->process);
	return code;
}

static int run(int argc, char **argv)
{
	struct args args = {
		.rate = RATE_DEFAULT,
		.seconds = SECONDS_DEFAULT,
		.open = CORDBMEM_OPTIONS_INIT,
	};
	struct sample_report report = { .runtime = CORDBMEM_CORECLR_INIT };
	struct sampler *sampler;
	bool helped = false;
	int code;

	code = parse_args(&args, &report, argc, argv, &helped);
	if (code != EXIT_OK || helped)
		return code;
	sampler = calloc(1, sizeof(*sampler));
	if (sampler)
		sampler->tally = calloc(1, sizeof(*sampler->tally));
	if (sampler && sampler->tally) {
		sampler->pid = args.pid;
		sampler->rate = args.rate;
		sampler->seconds = args.seconds;
		code = sample(&args, sampler, &report);
		tally_free(sampler->tally);
	} else {
		code = fail(EXIT_FAILED, "out of memory");
	}
	free(sampler);
	return code;
}

const struct verb sample_verb = {
	.name = "sample",
	.summary = "say what the managed threads of a .NET process do, by samples",
	.help = help,
	.run = run,
};
