// SPDX-License-Identifier: MIT
/*
 * The functions of child.h.
 */
#include "child.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "view.h"

static _Noreturn void run(char *const *argv, char *variable, int in, int out)
{
	/* Whatever becomes of the demo, it does not stay behind. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (variable)
		putenv(variable);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp(argv[0], argv);
	perror(argv[0]);
	_exit(127);
}

void child_start(struct child *child, const char *what, char *const *argv, char *variable)
{
	int to[2], from[2];

	*child = (struct child){ .what = what };
	/* What is still to be written must not be written by both. */
	fflush(stdout);
	if (pipe2(to, O_CLOEXEC) || pipe2(from, O_CLOEXEC))
		give_up("no pipes");
	child->pid = fork();
	if (child->pid < 0)
		give_up("no process");
	if (!child->pid)
		run(argv, variable, to[0], from[1]);
	close(to[0]);
	close(from[1]);
	child->to = fdopen(to[1], "w");
	child->from = fdopen(from[0], "r");
	if (!child->to || !child->from)
		give_up("no memory");
}

char *child_line(struct child *child)
{
	if (!fgets(child->line, sizeof(child->line), child->from))
		return NULL;
	child->line[strcspn(child->line, "\n")] = 0;
	return child->line;
}

char *child_tell(struct child *child, const char *command, const char *answer)
{
	size_t length = strlen(answer);
	char *line;

	fprintf(child->to, "%s\n", command);
	fflush(child->to);
	line = child_line(child);
	if (!line || strncmp(line, answer, length) != 0) {
		fprintf(stderr, "demo: %s says '%s'\n", child->what, line ? line : "");
		give_up("that is not the answer");
	}
	return line + length;
}

void child_end(struct child *child)
{
	int status;

	fclose(child->to);
	if (waitpid(child->pid, &status, 0) != child->pid)
		give_up("a process is lost");
	fclose(child->from);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fprintf(stderr, "demo: %s: wait status %x\n", child->what, (unsigned int)status);
	claim(WIFEXITED(status) && WEXITSTATUS(status) == 0, "it ended well");
}
