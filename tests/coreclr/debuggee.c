// SPDX-License-Identifier: MIT
/* The functions of debuggee.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "debuggee.h"
#include "support.h"

static void run(const struct runtime *runtime, const char *const *variables, int in, int out)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (dup2(in, 0) < 0 || dup2(out, 1) < 0)
		die("dup2");
	for (size_t i = 0; runtime->variables[i]; i++)
		putenv(runtime->variables[i]);
	for (; variables && *variables; variables++)
		putenv((char *)*variables);
	execv(runtime->arguments[0], runtime->arguments);
	die("%s", runtime->arguments[0]);
}

/* A line that the debuggee introduces itself with. */
static void learn(struct debuggee *debuggee, const char *line)
{
	char name[32];
	unsigned long n[4] = { 0 };

	if (sscanf(line, "%31s %lx %lx %lx %lx", name, &n[0], &n[1], &n[2], &n[3]) < 1)
		die("the debuggee says '%s'", line);
	if (!strcmp(name, "pid") && (pid_t)n[0] != debuggee->pid)
		die("the debuggee is process %lu, not %d", n[0], debuggee->pid);
	if (!strcmp(name, "hole")) {
		debuggee->hole = (struct region){ n[0], n[1] };
		debuggee->hole_pages = (struct region){ n[2], n[3] };
	} else if (!strcmp(name, "closed")) {
		debuggee->closed = (struct region){ n[0], n[1] };
		debuggee->closed_pages = (struct region){ n[2], n[3] };
	} else if (!strcmp(name, "pinned")) {
		debuggee->pinned = (struct region){ n[0], n[1] };
	} else if (!strcmp(name, "array")) {
		debuggee->array = (struct region){ n[0], n[1] };
	} else if (!strcmp(name, "counter")) {
		debuggee->counter = n[0];
	} else if (!strcmp(name, "add")) {
		debuggee->add_token = (uint32_t)n[0];
		debuggee->add_address = n[1];
	} else if (!strcmp(name, "late")) {
		debuggee->late_token = (uint32_t)n[0];
	}
}

void debuggee_start(struct debuggee *debuggee, const struct runtime *runtime,
		    const char *const *variables)
{
	int in[2], out[2];
	char line[256];

	memset(debuggee, 0, sizeof(*debuggee));
	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0)
		die("pipe2");
	debuggee->pid = fork();
	if (debuggee->pid < 0)
		die("fork");
	if (!debuggee->pid)
		run(runtime, variables, in[0], out[1]);
	close(in[0]);
	close(out[1]);
	debuggee->to = fdopen(in[1], "w");
	debuggee->from = fdopen(out[0], "r");
	while (debuggee_line(debuggee, line, sizeof(line)))
		learn(debuggee, line);
	if (!debuggee->add_address || !debuggee->late_token)
		die("the debuggee did not say all of itself");
}

void debuggee_send(struct debuggee *debuggee, const char *command)
{
	if (fprintf(debuggee->to, "%s\n", command) < 0 || fflush(debuggee->to) != 0)
		die("the debuggee does not take '%s'", command);
}

bool debuggee_line(struct debuggee *debuggee, char *line, size_t size)
{
	if (!fgets(line, (int)size, debuggee->from)) {
		int status = 0;

		waitpid(debuggee->pid, &status, WNOHANG);
		die("the debuggee has ended, wait status 0x%x", (unsigned int)status);
	}
	line[strcspn(line, "\n")] = 0;
	return strcmp(line, "done") != 0 && strcmp(line, "ready") != 0;
}

void debuggee_do(struct debuggee *debuggee, const char *command)
{
	char line[2048];

	debuggee_send(debuggee, command);
	while (debuggee_line(debuggee, line, sizeof(line)))
		;
}

static bool parse_method(const char *line, struct method *method)
{
	unsigned long address;
	int end = 0;

	if (sscanf(line, "code %x %lx %n", &method->token, &address, &end) != 2 || !end)
		return false;
	method->address = address;
	for (method->il_size = 0; method->il_size < sizeof(method->il); method->il_size++)
		if (sscanf(line + end + 2 * (size_t)method->il_size, "%2hhx",
			   &method->il[method->il_size]) != 1)
			break;
	return method->il_size > 0 && strlen(line + end) == 2 * (size_t)method->il_size;
}

void debuggee_list_methods(struct debuggee *debuggee, size_t count)
{
	size_t capacity = 2048;
	char line[2048];

	free(debuggee->methods);
	debuggee->methods = calloc(capacity, sizeof(*debuggee->methods));
	if (!debuggee->methods)
		die("calloc");
	debuggee->method_count = 0;
	snprintf(line, sizeof(line), "code %zu", count);
	debuggee_send(debuggee, line);
	while (debuggee_line(debuggee, line, sizeof(line))) {
		if (debuggee->method_count == capacity ||
		    !parse_method(line, &debuggee->methods[debuggee->method_count]))
			die("the debuggee says '%s'", line);
		debuggee->method_count++;
	}
}

uint64_t debuggee_hot(struct debuggee *debuggee, int calls, uint32_t *token)
{
	unsigned long address = 0;
	char line[256];

	snprintf(line, sizeof(line), "hot %d", calls);
	debuggee_send(debuggee, line);
	while (debuggee_line(debuggee, line, sizeof(line)))
		if (sscanf(line, "hot %x %lx", token, &address) != 2)
			die("the debuggee says '%s'", line);
	return address;
}

uint64_t debuggee_compile_late(struct debuggee *debuggee)
{
	unsigned long address = 0;
	char line[256];

	debuggee_send(debuggee, "late");
	while (debuggee_line(debuggee, line, sizeof(line)))
		if (sscanf(line, "late %*x %lx", &address) != 1)
			die("the debuggee says '%s'", line);
	return address;
}

void debuggee_collect(struct debuggee *debuggee)
{
	char line[256];

	debuggee_send(debuggee, "gc");
	while (debuggee_line(debuggee, line, sizeof(line)))
		learn(debuggee, line);
}

uint8_t debuggee_byte(uint64_t offset, int region)
{
	return (uint8_t)(offset * 7 + (offset >> 8) * 13 + (uint64_t)region);
}

int debuggee_end(struct debuggee *debuggee)
{
	char line[16] = "";
	int status = 0;

	if (!debuggee->to)
		return 0;
	fclose(debuggee->to);
	if (!fgets(line, sizeof(line), debuggee->from) || strcmp(line, "bye\n") != 0)
		status = -1;
	fclose(debuggee->from);
	free(debuggee->methods);
	/* The genuine library waits for it as well; who comes first gets the status. */
	if (waitpid(debuggee->pid, status ? NULL : &status, 0) < 0 && errno != ECHILD)
		die("waitpid");
	memset(debuggee, 0, sizeof(*debuggee));
	return status;
}
