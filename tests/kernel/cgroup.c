// SPDX-License-Identifier: GPL-2.0
/* The functions of cgroup.h. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cgroup.h"
#include "support.h"

#define ROOT "/sys/fs/cgroup"

static char folder[64];

static const char *path_of(const char *name)
{
	static char path[128];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	return path;
}

int cgroup_new(void)
{
	int error = file_write(ROOT "/cgroup.subtree_control", "+memory");

	if (error)
		return error;
	snprintf(folder, sizeof(folder), ROOT "/cordbmem.%d", getpid());
	return mkdir(folder, 0755) ? errno : 0;
}

void cgroup_enter(pid_t pid)
{
	errno = file_write_number(path_of("cgroup.procs"), pid);
	if (errno)
		die("process %d into %s", pid, folder);
}

long cgroup_number(const char *name)
{
	return file_number(path_of(name), -1);
}

void cgroup_set(const char *name, const char *value)
{
	errno = file_write(path_of(name), value);
	if (errno)
		die("%s to %s", value, path_of(name));
}

long cgroup_count(const char *file, const char *name)
{
	char text[4096], *line;

	if (!file_text(path_of(file), text, sizeof(text)))
		return -1;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n"))
		if (!strncmp(line, name, strlen(name)) && line[strlen(name)] == ' ')
			return strtol(line + strlen(name), NULL, 10);
	return -1;
}

void cgroup_gone(void)
{
	double end = seconds() + 5;

	/* A process that was killed leaves it a moment after it was reaped. */
	while (rmdir(folder) && errno == EBUSY && seconds() < end)
		usleep(1000);
}
