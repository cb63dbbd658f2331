// SPDX-License-Identifier: MIT
/*
 * The demo's debugger: attaches to a .NET program with .NET's own debugger library, the one beside
 * the runtime that the program runs on. It knows nothing of cordbmem; the client of that
 * library is the tests'.
 *
 * usage: debugger PID LIBCORECLR     path of the program's libcoreclr.so
 *
 * It says "attached PATH", the path of the library, and obeys one command a line until its input
 * ends; then it detaches. The program must not run into the breakpoint while it is cleared.
 *
 *	break TOKEN	sets a breakpoint at the first instruction of a method: "set ADDRESS
 *			SIZE", where its code is and how long
 *	read ADDRESS N	the library's own ReadMemory: "bytes HEX", what it read
 *	hits		"hits N": how often the program ran into it, and was told to go on
 *	clear		"cleared"
 */
#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../tests/coreclr/oracle.h"
#include "../../tests/coreclr/support.h"

#define READ_MAX 256U

static void must(HRESULT hr, const char *what)
{
	/* It has nothing to do with this. */
	errno = 0;
	if (hr != S_OK)
		die("%s: %08x", what, (unsigned int)hr);
}

/* Both libraries must be of the very build that the program runs on. */
static char *beside(const char *path, const char *name)
{
	char *copy = strdup(path), *result;

	if (!copy || asprintf(&result, "%s/%s", dirname(copy), name) < 0)
		die("memory");
	free(copy);
	return result;
}

static void set(struct oracle *oracle, struct breakpoint *breakpoint, uint32_t token)
{
	CORDB_ADDRESS address = 0;
	uint32_t size = 0;

	must(oracle_stop(oracle), "Stop");
	must(oracle_code(oracle, token, &address, &size), "GetNativeCode");
	must(oracle_break(oracle, token, 0, breakpoint), "CreateBreakpoint");
	must(oracle_continue(oracle), "Continue");
	if (breakpoint->address != address)
		die("the breakpoint is not where the code begins");
	printf("set 0x%" PRIx64 " %" PRIu32 "\n", address, size);
}

static void clear(struct oracle *oracle, struct breakpoint *breakpoint)
{
	must(oracle_stop(oracle), "Stop");
	must(oracle_deactivate(breakpoint), "Activate(FALSE)");
	must(oracle_continue(oracle), "Continue");
	puts("cleared");
}

static void show(struct oracle *oracle, uint64_t address, unsigned int size)
{
	BYTE bytes[READ_MAX];
	SIZE_T got = 0;

	must(oracle_read(oracle, address, size, bytes, &got), "ReadMemory");
	fputs("bytes ", stdout);
	for (size_t i = 0; i < got; i++)
		printf("%02x", bytes[i]);
	putchar('\n');
}

static void obey(struct oracle *oracle, struct breakpoint *breakpoint, const char *command)
{
	unsigned int number;
	uint64_t address;

	if (sscanf(command, "break %x", &number) == 1)
		set(oracle, breakpoint, number);
	else if (sscanf(command, "read %" SCNx64 " %u", &address, &number) == 2 &&
		 number <= READ_MAX)
		show(oracle, address, number);
	else if (!strcmp(command, "hits\n"))
		printf("hits %lu\n", oracle_hits(oracle));
	else if (!strcmp(command, "clear\n"))
		clear(oracle, breakpoint);
	else
		die("no command %s", command);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	struct runtime runtime = { 0 };
	struct breakpoint breakpoint = { 0 };
	struct oracle *oracle;
	char line[128];

	if (argc != 3) {
		fprintf(stderr, "usage: debugger PID LIBCORECLR\n");
		return 2;
	}
	runtime.clr = argv[2];
	runtime.dbi = beside(argv[2], "libmscordbi.so");
	runtime.dac = beside(argv[2], "libmscordaccore.so");
	oracle = oracle_attach((pid_t)strtol(argv[1], NULL, 10), &runtime);
	printf("attached %s\n", runtime.dbi);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		obey(oracle, &breakpoint, line);
	must(oracle_detach(oracle), "Detach");
	return 0;
}
