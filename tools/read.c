// SPDX-License-Identifier: MIT
/*
 * cordbmem read: bytes or a string of a process.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "address.h"
#include "maps.h"
#include "patch.h"
#include "read.h"
#include "runtime.h"
#include "tool.h"

static const char help[] =
	"usage: cordbmem read [OPTION]... PID ADDRESS SIZE\n"
	"       cordbmem read [OPTION]... PID START-END\n"
	"\n"
	"Read the memory of a live process and print it as a hex dump. The process is not\n"
	"stopped and not changed.\n"
	"\n"
	"ADDRESS is one of\n"
	"  7f0c51e2a000, 0x7f0c51e2a000   a hexadecimal number, with or without 0x\n"
	"  libcoreclr.so+0x1d40           an offset into a file, from where the file's first\n"
	"                                 byte is mapped; without +OFFSET, that place. The\n"
	"                                 file is given by name or by the end of its path\n"
	"                                 (bin/dotnet), which a name that could be a\n"
	"                                 number needs\n"
	"  [stack]+10                     an offset into what /proc/PID/maps names so\n"
	"All offsets are hexadecimal, with or without 0x. SIZE may be left out after a\n"
	"bracketed name: all up to its end is read.\n"
	"\n"
	"START-END is a range as /proc/PID/maps prints it: both hexadecimal, without the\n"
	"byte at END.\n"
	"\n"
	"SIZE is in bytes, decimal or 0x hexadecimal; K, M and G stand for powers of 1024.\n"
	"\n"
	"  -r, --raw                 write the bytes as they are, and nothing else\n"
	"  -p, --patch ADDRESS=HEX   show these bytes (1 to 16, as hex digits in the order of\n"
	"                            memory) in place of what is there, as ReadMemory does\n"
	"                            with a breakpoint. May be given many times; where\n"
	"                            patches overlap, the first one given wins\n"
	"  -m, --managed             show the original bytes in place of the breakpoints that\n"
	"                            CoreCLR has put into the code of a .NET process, as\n"
	"                            'cordbmem breakpoints' lists them. The exit status is 7 or\n"
	"                            8, and nothing is printed, when that cannot be done\n"
	"  -s, --string              print the NUL-terminated string (UTF-8) at ADDRESS.\n"
	"                            SIZE is the most to read, 4K if it is left out\n"
	"  -w, --string16            likewise for UTF-16, little-endian, as .NET has it\n"
	"  -v, --no-squeeze          print every row; without it a row equal to the one\n"
	"                            above is one *, which stands for all that follow\n"
	"  -n, --nofault             read only what is in memory now; a page that is not ends\n"
	"                            the read, instead of being brought in\n"
	"      --portable            read through /proc/PID/mem instead of the kernel module\n"
	"  -h, --help                show this help\n"
	"\n"
	"Strings are printed on one line: control characters, backslashes and what is no\n"
	"valid text appear as \\n, \\\\, \\x1b and so on. With --raw they are not changed\n"
	"(UTF-16 becomes UTF-8) and no newline follows.\n"
	"\n"
	"When a byte cannot be read, what comes before it is printed, the reason goes to\n"
	"standard error, and the exit status is 3, or 1 if it was the first byte.\n"
	"'cordbmem --help' lists all exit statuses.\n"
	"\n"
	"Examples:\n"
	"  cordbmem read 4711 7f0c51e2a000 64\n"
	"  cordbmem read 4711 libc.so.6+0x26000 4K --raw | cmp - expected\n"
	"  cordbmem read 4711 [stack]\n"
	"  cordbmem read 4711 7f0c7a3b1c40 32 --patch 7f0c7a3b1c40=55\n";

/* Long enough for what people call a string, short enough to be read at once. */
#define STRING_DEFAULT 4096

enum { OPT_PORTABLE = 256 };

/* clang-format off */
static const struct option long_options[] = {
	{ "raw", no_argument, NULL, 'r' },
	{ "patch", required_argument, NULL, 'p' },
	{ "managed", no_argument, NULL, 'm' },
	{ "string", no_argument, NULL, 's' },
	{ "string16", no_argument, NULL, 'w' },
	{ "no-squeeze", no_argument, NULL, 'v' },
	{ "nofault", no_argument, NULL, 'n' },
	{ "portable", no_argument, NULL, OPT_PORTABLE },
	{ "help", no_argument, NULL, 'h' },
	{ 0 },
};
/* clang-format on */

struct read_args {
	pid_t pid;
	struct address where;
	struct request request;
	struct cordbmem_options open;
	struct patch_args patches;
	bool managed;
};

/* ---- arguments ---- */

static int parse_range_and_size(struct read_args *args, int count, char **words)
{
	struct request *request = &args->request;
	bool needs_size;
	int code;

	if (count < 2)
		return fail_usage(&read_verb, "PID and ADDRESS are needed");
	if (count > 3)
		return fail_usage(&read_verb, "%s is one argument too many", words[3]);
	if (!parse_pid(words[0], &args->pid))
		return fail_usage(&read_verb, "%s is not a pid (a decimal number)", words[0]);
	code = address_parse(&read_verb, words[1], &args->where);
	if (code != EXIT_OK)
		return code;

	if (count == 3) {
		if (args->where.has_size)
			return fail_usage(&read_verb, "the range %s has a size already", words[1]);
		if (!parse_size(words[2], &request->size))
			return fail_usage(&read_verb,
					  "%s is not a size (a decimal or 0x number of bytes, "
					  "with K, M or G after it)",
					  words[2]);
		request->has_size = true;
	} else if (request->kind != REQUEST_BYTES) {
		request->size = STRING_DEFAULT;
		request->has_size = true;
	}
	needs_size = !args->where.has_size && !(args->where.name && args->where.name[0] == '[');
	if (!request->has_size && needs_size)
		return fail_usage(&read_verb, "SIZE is missing: how many bytes of %s?", words[1]);
	return EXIT_OK;
}

static int set_kind(struct request *request, enum request_kind kind)
{
	if (request->kind != REQUEST_BYTES && request->kind != kind)
		return fail_usage(&read_verb, "--string and --string16 exclude each other");
	request->kind = kind;
	return EXIT_OK;
}

static int parse_args(struct read_args *args, int argc, char **argv, bool *helped)
{
	int code = EXIT_OK;
	int option;

	while (code == EXIT_OK &&
	       (option = getopt_long(argc, argv, ":rp:mswvnh", long_options, NULL)) != -1) {
		switch (option) {
		case 'r':
			args->request.raw = true;
			break;
		case 'p':
			code = patch_args_add(&args->patches, &read_verb, optarg);
			break;
		case 'm':
			args->managed = true;
			break;
		case 's':
			code = set_kind(&args->request, REQUEST_STRING);
			break;
		case 'w':
			code = set_kind(&args->request, REQUEST_STRING16);
			break;
		case 'v':
			args->request.no_squeeze = true;
			break;
		case 'n':
			args->open.flags |= CORDBMEM_OPEN_NOFAULT;
			break;
		case OPT_PORTABLE:
			args->open.backend = CORDBMEM_BACKEND_PORTABLE;
			break;
		case 'h':
			*helped = true;
			return show_help(&read_verb);
		default:
			code = fail_option(&read_verb, option, argv);
		}
	}
	if (code == EXIT_OK)
		code = parse_range_and_size(args, argc - optind, argv + optind);
	return code;
}

static void free_args(struct read_args *args)
{
	address_free(&args->where);
	patch_args_free(&args->patches);
}

/* ---- what the arguments mean in this process ---- */

static int resolve(struct read_args *args, struct cordbmem_process *process)
{
	struct request *request = &args->request;
	struct maps maps = { 0 };
	int code = EXIT_OK;
	int err;

	if (args->where.name || patch_args_need_maps(&args->patches)) {
		err = maps_read(args->pid, &maps);
		if (err == ESRCH)
			return fail_gone(args->pid);
		if (err)
			return fail(err == EACCES || err == EPERM ? EXIT_REFUSED : EXIT_FAILED,
				    "cannot read /proc/%d/maps: %s", args->pid, strerror(err));
	}
	code = address_resolve(&args->where, args->pid, &maps);
	if (code == EXIT_OK)
		code = patch_args_resolve(&args->patches, args->pid, &maps);
	/* An execve since the open would have given us the maps of something else. */
	if (code == EXIT_OK && maps.count && !cordbmem_process_is_alive(process))
		code = fail_gone(args->pid);
	maps_free(&maps);

	request->address = args->where.start;
	if (!request->has_size) {
		request->size = args->where.size;
		if (code == EXIT_OK && !args->where.has_size)
			code = fail_usage(&read_verb, "%s is past the end of %s, so SIZE is needed",
					  args->where.text, args->where.name);
	}
	return code;
}

static int run(int argc, char **argv)
{
	struct read_args args = { .open = CORDBMEM_OPTIONS_INIT };
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process = NULL;
	bool helped = false;
	int code;

	code = parse_args(&args, argc, argv, &helped);
	if (code == EXIT_OK && !helped) {
		if (FAILED(cordbmem_process_open(args.pid, &args.open, &process, &error)))
			code = fail(exit_code_of(error.reason), "%s", error.text);
		if (code == EXIT_OK)
			code = resolve(&args, process);
		if (code == EXIT_OK)
			code = patch_args_register(&args.patches, &read_verb, process);
		if (code == EXIT_OK && args.managed)
			code = runtime_find(process, NULL);
		if (code == EXIT_OK)
			code = read_request(process, &args.request);
	}
	cordbmem_process_free(process);
	free_args(&args);
	return code;
}

const struct verb read_verb = {
	.name = "read",
	.summary = "print the memory of a process",
	.help = help,
	.run = run,
};
