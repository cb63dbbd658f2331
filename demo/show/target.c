// SPDX-License-Identifier: MIT
/*
 * Starting the program that is read, talking to it, and planting traps in it.
 */
#include "show.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct {
	const char *name, *value;
} environment[] = {
	/* No library for cultures is needed, and none is there. */
	{ "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT", "1" },
	/* A method is compiled once and stays where it is. */
	{ "DOTNET_TieredCompilation", "0" },
	/* The compiler writes /tmp/perf-PID.map: address, size and name of what it made. */
	{ "DOTNET_PerfMapEnabled", "3" },
	/*
	 * By default the runtime maps its code twice, once to write and once to run, and only it can
	 * write. The traps here are written from outside, so the memory must be ordinary.
	 */
	{ "DOTNET_EnableWriteXorExecute", "0" },
	/* The runtime's own debugger is not wanted here. */
	{ "DOTNET_EnableDiagnostics", "0" },
};

static _Noreturn void run(char **argv, int in, int out)
{
	/* Whatever becomes of the demo, it does not stay behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t i = 0; i < sizeof(environment) / sizeof(environment[0]); i++)
		setenv(environment[i].name, environment[i].value, 1);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

/* The lines up to "ready" in which it tells of itself. */
static void introduce(struct target *target)
{
	char line[256], *value;

	while (fgets(line, sizeof(line), target->from)) {
		line[strcspn(line, "\n")] = 0;
		if (!strcmp(line, "ready"))
			return;
		value = strchr(line, ' ');
		if (!value)
			continue;
		*value++ = 0;
		if (!strcmp(line, "method"))
			target->method = strtoull(value, NULL, 16);
		else if (!strcmp(line, "counters"))
			target->counters = strtoull(value, NULL, 16);
		else if (!strcmp(line, "name"))
			snprintf(target->name, sizeof(target->name), "%s", value);
		else if (!strcmp(line, "program"))
			snprintf(target->program, sizeof(target->program), "%s", value);
	}
	give_up("the program that was to be read did not start");
}

/* The compiler's own word on where the method is, and how long. */
static void find_in_perf_map(struct target *target)
{
	char path[64], line[512];
	FILE *file;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", target->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		uint64_t address;
		size_t size;

		/* .NET writes 0x before the address, others do not. */
		if (sscanf(line, "%" SCNx64 " %zx", &address, &size) == 2 &&
		    address == target->method && strstr(line, "Price"))
			target->size = size;
	}
	if (file)
		fclose(file);
	claim(target->size != 0,
	      "the perf map has the method at the address that the program told");
}

void target_start(struct target *target, char **argv)
{
	int to[2], from[2];

	*target = (struct target){ 0 };
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		give_up("no pipes");
	target->pid = fork();
	if (target->pid < 0)
		give_up("no process");
	if (!target->pid)
		run(argv, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	target->to = fdopen(to[1], "w");
	target->from = fdopen(from[0], "r");
	if (!target->to || !target->from)
		give_up("no memory");
	introduce(target);
	find_in_perf_map(target);
}

long target_tell(struct target *target, const char *word, const char *answer)
{
	size_t length = strlen(answer);
	char line[256];

	fprintf(target->to, "%s\n", word);
	fflush(target->to);
	if (!fgets(line, sizeof(line), target->from) || strncmp(line, answer, length) ||
	    line[length] != ' ')
		give_up("the program that is read gave no answer");
	return strtol(line + length, NULL, 10);
}

/* As a debugger does: this library and this module never write. */
void target_write(const struct target *target, uint64_t address, unsigned char byte)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", target->pid);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, &byte, 1, (off_t)address) != 1)
		give_up("a trap cannot be written");
	close(fd);
}

void target_find_hole(const struct target *target, uint64_t after, uint64_t *start, uint64_t *end)
{
	char path[64], line[512], rights[5];
	uint64_t from, to;
	FILE *file;

	*end = 0;
	snprintf(path, sizeof(path), "/proc/%d/maps", target->pid);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s", &from, &to, rights) != 3)
			continue;
		if (*end && from != *end)
			break;
		*end = 0;
		if (to <= after || rights[0] != 'r' || strstr(line, "[v"))
			continue;
		*start = from;
		*end = to;
	}
	if (file)
		fclose(file);
	if (!*end)
		give_up("no mapping of the program ends before a hole");
}

void target_stop(struct target *target)
{
	int status;

	fclose(target->to);
	if (waitpid(target->pid, &status, 0) != target->pid)
		give_up("the program that was read is lost");
	fclose(target->from);
	claim(WIFEXITED(status) && WEXITSTATUS(status) == 0, "the program ended well");
}
