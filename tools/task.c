// SPDX-License-Identifier: MIT
/*
 * The functions of task.h.
 */
#include "task.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* tid is the process's word: as a number it leads to its own threads or nowhere. */
static bool read_file(pid_t pid, uint64_t tid, const char *file, char *text, size_t room)
{
	char path[80];
	ssize_t got;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/task/%" PRIu64 "/%s", pid, tid, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	got = read(fd, text, room - 1);
	close(fd);
	text[got > 0 ? got : 0] = 0;
	return got > 0;
}

bool task_name(pid_t pid, uint64_t tid, char name[TASK_NAME_ROOM])
{
	char text[64];

	if (!read_file(pid, tid, "comm", text, sizeof(text)))
		return false;
	text[strcspn(text, "\n")] = 0;
	snprintf(name, TASK_NAME_ROOM, "%.*s", TASK_NAME_ROOM - 1, text);
	return true;
}

bool task_cpu(pid_t pid, uint64_t tid, uint64_t *ns)
{
	char text[128];

	if (!read_file(pid, tid, "schedstat", text, sizeof(text)))
		return false;
	*ns = strtoull(text, NULL, 10);
	return true;
}
