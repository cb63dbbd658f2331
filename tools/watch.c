// SPDX-License-Identifier: MIT
/*
 * Following the managed breakpoints of a live process.
 */
#include "watch.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "out.h"
#include "tool.h"

enum { WATCH_SIGNAL, WATCH_EXIT, WATCH_OUTPUT, WATCH_FDS };

int fail_snapshot(struct cordbmem_process *process, HRESULT hr)
{
	pid_t pid = cordbmem_process_pid(process);

	if (!cordbmem_process_is_alive(process))
		return fail_gone(pid);
	switch (hr) {
	case CORDBG_E_TARGET_INCONSISTENT:
		return fail(EXIT_RUNTIME_UNKNOWN,
			    "what process %d has where its runtime keeps breakpoints is no table "
			    "of them",
			    pid);
	case CORDBMEM_E_RETRY:
		return fail(EXIT_FAILED,
			    "the breakpoints of process %d change too fast to be listed; try again",
			    pid);
	case E_OUTOFMEMORY:
		return fail(EXIT_FAILED, "out of memory");
	}
	return fail(EXIT_FAILED, "cannot read the breakpoints of process %d: %s", pid,
		    cordbmem_hresult_name(hr));
}

/* From here on SIGINT and SIGTERM are a readable fd. */
static int open_signals(void)
{
	sigset_t signals;

	sigemptyset(&signals);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGTERM);
	sigprocmask(SIG_BLOCK, &signals, NULL);
	return signalfd(-1, &signals, SFD_CLOEXEC);
}

static void change(void *context, const struct mark *mark, bool set)
{
	report_change(context, mark, set);
}

static void compare(const struct report *report, const struct snapshot *before,
		    const struct snapshot *after)
{
	bool told = before->debugger != after->debugger && before->debugger != DEBUGGER_UNKNOWN &&
		    after->debugger != DEBUGGER_UNKNOWN;

	/* It comes before it sets breakpoints, and clears them before it goes. */
	if (told && after->debugger == DEBUGGER_ATTACHED)
		report_debugger(report, after->debugger);
	snapshot_compare(before, after, change, (void *)report);
	if (told && after->debugger == DEBUGGER_NONE)
		report_debugger(report, after->debugger);
}

/* Returns -1 to go on, else the exit code. */
static int look(struct cordbmem_process *process, const struct report *report,
		struct snapshot *snapshot)
{
	struct snapshot now;
	HRESULT hr = snapshot_take(process, snapshot, &now);

	if (!cordbmem_process_is_alive(process)) {
		if (hr == S_OK)
			snapshot_free(&now);
		report_gone(report);
		return fail_gone(report->pid);
	}
	/* The next look may find it at rest. */
	if (hr == CORDBMEM_E_RETRY)
		return -1;
	if (hr != S_OK)
		return fail_snapshot(process, hr);
	compare(report, snapshot, &now);
	snapshot_free(snapshot);
	*snapshot = now;
	return -1;
}

/* As with a program that writes all the time: SIGPIPE, or a failure where that is ignored. */
static int fail_unread(void)
{
	raise(SIGPIPE);
	return fail(EXIT_FAILED, "cannot write standard output: %s", strerror(EPIPE));
}

static int follow(struct cordbmem_process *process, const struct report *report,
		  struct snapshot *snapshot, struct pollfd fds[WATCH_FDS], int interval)
{
	for (;;) {
		int code;

		/* main() tells of an output that cannot be written. */
		if (out_flush())
			return EXIT_OK;
		if (poll(fds, WATCH_FDS, interval) < 0 && errno != EINTR)
			return fail(EXIT_FAILED, "cannot wait: %s", strerror(errno));
		if (fds[WATCH_SIGNAL].revents)
			return EXIT_OK;
		if (fds[WATCH_OUTPUT].revents & (POLLERR | POLLHUP))
			return fail_unread();
		code = look(process, report, snapshot);
		if (code >= 0)
			return code;
		/* Also when it is said to be gone, but is not; not to be asked again at once. */
		if (fds[WATCH_EXIT].revents)
			fds[WATCH_EXIT].fd = -1;
	}
}

int watch(struct cordbmem_process *process, const struct report *report, int interval)
{
	struct pollfd fds[WATCH_FDS] = {
		[WATCH_SIGNAL] = { .fd = open_signals(), .events = POLLIN },
		[WATCH_EXIT] = { .fd = -1 },
		[WATCH_OUTPUT] = { .fd = STDOUT_FILENO },
	};
	struct snapshot snapshot;
	HRESULT hr;
	int code;

	if (fds[WATCH_SIGNAL].fd < 0)
		return fail(EXIT_FAILED, "cannot wait for signals: %s", strerror(errno));
	out_give_up_for(fds[WATCH_SIGNAL].fd);
	/* Without this fd the end of the process is noticed at the next look. */
	if (cordbmem_process_exit_fd(process, &fds[WATCH_EXIT].fd, &fds[WATCH_EXIT].events) != S_OK)
		fds[WATCH_EXIT].fd = -1;

	hr = snapshot_take(process, NULL, &snapshot);
	if (hr != S_OK) {
		code = fail_snapshot(process, hr);
	} else {
		report_list(report, &snapshot);
		code = follow(process, report, &snapshot, fds, interval);
		snapshot_free(&snapshot);
	}
	/* The signals' fd is left to the end of the program, as main() may have to write still. */
	return code;
}
