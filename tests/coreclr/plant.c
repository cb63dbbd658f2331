// SPDX-License-Identifier: MIT
/* The function of plant.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "plant.h"
#include "support.h"

/* Until the stop that was asked for; signals on the way there are passed on. */
static void interrupt(pid_t pid)
{
	int status;

	/* Unlike ATTACH this sends no signal that could be left over. */
	if (ptrace(PTRACE_SEIZE, pid, NULL, NULL) != 0 ||
	    ptrace(PTRACE_INTERRUPT, pid, NULL, NULL) != 0)
		die("PTRACE_SEIZE of %d", pid);
	while (waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
		if (status >> 16 == PTRACE_EVENT_STOP)
			return;
		if (ptrace(PTRACE_CONT, pid, NULL, (void *)(long)WSTOPSIG(status)) != 0)
			die("PTRACE_CONT of %d", pid);
	}
	die("%d does not stop", pid);
}

static uint8_t replace(pid_t pid, uint64_t address, uint8_t byte)
{
	uint8_t bytes[8], old;
	long word;

	interrupt(pid);
	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, pid, (void *)address, NULL);
	if (errno)
		die("PTRACE_PEEKTEXT at 0x%lx", address);
	memcpy(bytes, &word, sizeof(bytes));
	old = bytes[0];
	bytes[0] = byte;
	memcpy(&word, bytes, sizeof(word));
	if (ptrace(PTRACE_POKETEXT, pid, (void *)address, (void *)word) != 0 ||
	    ptrace(PTRACE_DETACH, pid, NULL, NULL) != 0)
		die("PTRACE_POKETEXT at 0x%lx", address);
	return old;
}

/*
 * By a process of its own: in this one the genuine library waits for the debuggee too, to learn of
 * its exit, and would take the news of the stop away.
 */
uint8_t plant(pid_t pid, uint64_t address, uint8_t byte)
{
	pid_t helper = fork();
	int status;

	if (helper < 0)
		die("fork");
	if (!helper)
		_exit(replace(pid, address, byte));
	if (waitpid(helper, &status, 0) != helper || !WIFEXITED(status))
		die("no breakpoint at 0x%lx of %d", address, pid);
	return (uint8_t)WEXITSTATUS(status);
}
