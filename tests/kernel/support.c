// SPDX-License-Identifier: GPL-2.0
/* The functions of support.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

bool file_text(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t used = 0;

	if (fd < 0)
		return false;
	while (used < size - 1) {
		ssize_t n = read(fd, text + used, size - 1 - used);

		if (n <= 0)
			break;
		used += (size_t)n;
	}
	text[used] = 0;
	close(fd);
	return true;
}

long file_number(const char *path, long missing)
{
	char text[64];

	if (!file_text(path, text, sizeof(text)) || !text[0])
		return missing;
	return strtol(text, NULL, 0);
}

int file_write(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	int error = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		error = errno;
	close(fd);
	return error;
}

int file_write_number(const char *path, long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%ld\n", number);
	return file_write(path, text);
}

long proc_number(pid_t pid, const char *file, const char *name)
{
	char path[64], text[8192], *found;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	if (!file_text(path, text, sizeof(text)))
		return -1;
	found = strstr(text, name);
	return found ? strtol(found + strlen(name), NULL, 0) : -1;
}

char task_state(pid_t pid)
{
	char path[64], text[512], *end;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (!file_text(path, text, sizeof(text)))
		return 0;
	end = strrchr(text, ')');
	return end && end[1] ? end[2] : 0;
}

void wait_for_state(pid_t pid, char state)
{
	while (task_state(pid) != state)
		sched_yield();
}

double seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

void *wait_for_ever(void *unused)
{
	for (;;)
		pause();
	return unused;
}

bool kernel_at_least(int major, int minor)
{
	struct utsname name;
	int a = 0, b = 0;

	uname(&name);
	if (sscanf(name.release, "%d.%d", &a, &b) != 2)
		return false;
	return a > major || (a == major && b >= minor);
}

int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	if (!dir)
		die("/proc/self/fd");
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

static char tmpfs_path[64];

const char *own_tmpfs(const char *options)
{
	strcpy(tmpfs_path, "/tmp/cordbmem.XXXXXX");
	if (!mkdtemp(tmpfs_path))
		return NULL;
	if (mount("cordbmem", tmpfs_path, "tmpfs", 0, options) != 0) {
		rmdir(tmpfs_path);
		return NULL;
	}
	if (chmod(tmpfs_path, 0755) != 0)
		die("chmod");
	return tmpfs_path;
}

void own_tmpfs_gone(void)
{
	umount2(tmpfs_path, MNT_DETACH);
	rmdir(tmpfs_path);
}

uint64_t seed_of_run(void)
{
	const char *text = getenv("CORDBMEM_SEED");
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return text ? strtoull(text, NULL, 0) : (uint64_t)now.tv_nsec ^ (uint64_t)now.tv_sec << 20;
}
