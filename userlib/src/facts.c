// SPDX-License-Identifier: MIT
/*
 * What /proc says about a caller and a target.
 */
#include "facts.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PF_KTHREAD 0x00200000U

/* A small file as a string; false when it cannot be read. */
static bool read_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t done = 0;
	ssize_t n;

	if (fd < 0)
		return false;
	do {
		n = read(fd, text + done, size - 1 - done);
		if (n > 0)
			done += (size_t)n;
	} while (n > 0 || (n < 0 && errno == EINTR));
	close(fd);
	text[done] = 0;
	return n >= 0 && done;
}

static bool read_proc(pid_t pid, const char *name, char *text, size_t size)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	return read_text(path, text, size);
}

/* The fields of /proc/PID/stat from the state (the third) on. */
static const char *stat_fields(pid_t pid, char *text, size_t size)
{
	const char *end;

	if (!read_proc(pid, "stat", text, size))
		return NULL;
	/* The name before may hold anything, brackets too. */
	end = strrchr(text, ')');
	return end && end[1] == ' ' ? end + 2 : NULL;
}

/* The letter of the process' state, 0 if there is none. */
static char facts_state(pid_t pid)
{
	char text[1024];
	const char *fields = stat_fields(pid, text, sizeof(text));

	return fields ? fields[0] : 0;
}

enum fact facts_has_memory(pid_t pid)
{
	char path[32], byte;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) /* refused, so there is something to refuse */
		return errno == EACCES || errno == EPERM   ? FACT_YES
		       : errno == ESRCH || errno == ENOENT ? FACT_NO
							   : FACT_UNKNOWN;
	n = read(fd, &byte, 1);
	close(fd);
	return n > 0 ? FACT_YES : n == 0 ? FACT_NO : FACT_UNKNOWN;
}

uint64_t facts_start_time(pid_t pid)
{
	char text[1024];
	const char *fields = stat_fields(pid, text, sizeof(text));

	for (int i = 3; fields && i < 22; i++) {
		fields = strchr(fields, ' ');
		if (fields)
			fields++;
	}
	return fields ? strtoull(fields, NULL, 10) : 0;
}

static bool is_kernel_thread(pid_t pid)
{
	char text[1024];
	const char *fields = stat_fields(pid, text, sizeof(text));
	unsigned int flags;

	return fields && sscanf(fields, "%*c %*d %*d %*d %*d %*d %u", &flags) == 1 &&
	       flags & PF_KTHREAD;
}

/* The text after "\nName:" in /proc/PID/status. */
static const char *status_line(const char *status, const char *name)
{
	size_t length = strlen(name);

	while (status) {
		if (!strncmp(status, name, length) && status[length] == ':')
			return status + length + 1;
		status = strchr(status, '\n');
		if (status)
			status++;
	}
	return NULL;
}

static uint64_t status_number(const char *status, const char *name, int base)
{
	const char *line = status_line(status, name);

	return line ? strtoull(line, NULL, base) : 0;
}

/* An id of the four: real, effective, saved, filesystem. */
static uint32_t status_id(const char *status, const char *name, int which)
{
	const char *line = status_line(status, name);
	uint32_t ids[4] = { 0 };

	if (line)
		sscanf(line, "%u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]);
	return ids[which];
}

static bool is_nested(const char *status)
{
	const char *line = status_line(status, "NSpid");

	/* One number for each namespace, from ours inwards. */
	if (!line)
		return false;
	line += strspn(line, "\t ");
	line += strspn(line, "0123456789");
	return *line == '\t';
}

/* The files in the /proc/PID of what is not dumpable belong to root. */
static enum fact is_dumpable(pid_t pid, uid_t effective)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	if (stat(path, &st))
		return FACT_UNKNOWN;
	if (st.st_uid != effective)
		return FACT_NO;
	return effective ? FACT_YES : FACT_UNKNOWN;
}

static enum fact is_descendant(pid_t pid)
{
	char status[4096];
	pid_t self = getpid();

	/* A tree that changes meanwhile may lead in circles. */
	for (int i = 0; i < 1000 && pid > 1; i++) {
		if (pid == self)
			return FACT_YES;
		if (!read_proc(pid, "status", status, sizeof(status)))
			return FACT_UNKNOWN;
		pid = (pid_t)status_number(status, "PPid", 10);
	}
	return FACT_NO;
}

static enum fact same_user_namespace(pid_t pid)
{
	char path[48];
	struct stat own, other;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
	if (stat("/proc/self/ns/user", &own) || stat(path, &other))
		return FACT_UNKNOWN;
	return own.st_ino == other.st_ino && own.st_dev == other.st_dev ? FACT_YES : FACT_NO;
}

static void gather_target(struct facts *facts, pid_t pid)
{
	char status[4096], state;

	facts->exists = !kill(pid, 0) || errno != ESRCH;
	facts->visible = facts->exists && read_proc(pid, "status", status, sizeof(status));
	if (!facts->visible)
		return;
	state = facts_state(pid);
	facts->kernel_thread = is_kernel_thread(pid);
	/* A dead leader's other threads may live on; they have the memory. */
	facts->image = facts->kernel_thread || state == 'X' ||
				       (state == 'Z' && status_number(status, "Threads", 10) <= 1)
			       ? FACT_NO
			       : FACT_YES;
	facts->nested_pid_namespace = is_nested(status);
	for (int i = 0; i < 3; i++) {
		facts->uid[i] = status_id(status, "Uid", i);
		facts->gid[i] = status_id(status, "Gid", i);
	}
	facts->permitted = status_number(status, "CapPrm", 16);
	facts->dumpable = is_dumpable(pid, facts->uid[1]);
	facts->descendant = is_descendant(pid);
	facts->same_user_namespace = same_user_namespace(pid);
}

void facts_gather(struct facts *facts, pid_t pid)
{
	char text[4096];

	memset(facts, 0, sizeof(*facts));
	facts->yama = -1;
	gather_target(facts, pid);

	facts->own_uid = geteuid();
	facts->own_gid = getegid();
	if (read_text("/proc/thread-self/status", text, sizeof(text))) {
		facts->own_uid = status_id(text, "Uid", 3);
		facts->own_gid = status_id(text, "Gid", 3);
		facts->own_effective = status_number(text, "CapEff", 16);
	}
	if (read_text("/proc/sys/kernel/yama/ptrace_scope", text, sizeof(text)))
		facts->yama = atoi(text);
	if (read_text("/sys/kernel/security/lsm", text, sizeof(text)))
		snprintf(facts->lsm, sizeof(facts->lsm), "%.*s", (int)strcspn(text, "\n"), text);
}

bool facts_same_ids(const struct facts *facts)
{
	for (int i = 0; i < 3; i++) {
		if (facts->uid[i] != facts->own_uid || facts->gid[i] != facts->own_gid)
			return false;
	}
	return true;
}
