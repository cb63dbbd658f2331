// SPDX-License-Identifier: MIT
/*
 * The functions of target.h.
 */
#include "target.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "view.h"

/* The lines up to "ready" in which it tells of itself. */
static void introduce(struct target *target)
{
	char *line, *value;

	while ((line = child_line(&target->child))) {
		if (!strcmp(line, "ready"))
			return;
		value = strchr(line, ' ');
		if (!value)
			continue;
		*value++ = 0;
		if (!strcmp(line, "method"))
			target->method = strtoull(value, NULL, 16);
		else if (!strcmp(line, "token"))
			target->token = (uint32_t)strtoul(value, NULL, 16);
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
	/* .NET's compiler, too, then writes /tmp/perf-PID.map: address, size and name of what it made. */
	static char perf_map[] = "DOTNET_PerfMapEnabled=3";

	*target = (struct target){ 0 };
	child_start(&target->child, "the program that is read", argv, perf_map);
	target->pid = target->child.pid;
	introduce(target);
	find_in_perf_map(target);
}

void target_pause(struct target *target)
{
	child_tell(&target->child, "pause", "paused");
}

long target_resume(struct target *target)
{
	return strtol(child_tell(&target->child, "resume", "resumed "), NULL, 10);
}

struct mapping {
	uint64_t start, end, offset;
	char rights[5];
	char name[8]; /* its begin */
};

static FILE *open_maps(const struct target *target)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/maps", target->pid);
	file = fopen(path, "re");
	if (!file)
		give_up("the program's mappings cannot be read");
	return file;
}

static bool next_mapping(FILE *maps, struct mapping *mapping)
{
	char line[5000];

	if (!fgets(line, sizeof(line), maps))
		return false;
	mapping->name[0] = 0;
	return sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %" SCNx64 " %*s %*s %7s", &mapping->start,
		      &mapping->end, mapping->rights, &mapping->offset, mapping->name) >= 4;
}

/*
 * As a debugger does: this library and this module never write. What is shared cannot be written
 * through /proc/PID/mem, and so is .NET's code, which it maps twice, once to write and once to
 * run; so there the byte is written into what is mapped.
 */
void target_write(const struct target *target, uint64_t address, unsigned char byte)
{
	FILE *maps = open_maps(target);
	struct mapping mapping;
	off_t at = (off_t)address;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", target->pid);
	while (next_mapping(maps, &mapping)) {
		if (address < mapping.start || address >= mapping.end || mapping.rights[3] != 's')
			continue;
		snprintf(path, sizeof(path), "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, target->pid,
			 mapping.start, mapping.end);
		at = (off_t)(address - mapping.start + mapping.offset);
	}
	fclose(maps);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || pwrite(fd, &byte, 1, at) != 1) {
		perror(path);
		give_up("a trap cannot be written");
	}
	close(fd);
}

void target_find_hole(const struct target *target, uint64_t after, uint64_t *start, uint64_t *end)
{
	FILE *maps = open_maps(target);
	struct mapping mapping;

	*end = 0;
	while (next_mapping(maps, &mapping)) {
		if (*end && mapping.start != *end)
			break;
		*end = 0;
		if (mapping.end <= after || mapping.rights[0] != 'r' ||
		    !strncmp(mapping.name, "[v", 2))
			continue;
		*start = mapping.start;
		*end = mapping.end;
	}
	fclose(maps);
	if (!*end)
		give_up("no mapping of the program ends before a hole");
}

static bool thread_runs_free(const struct target *target, const char *thread)
{
	char path[64], line[256], state = 0;
	int tracer = -1;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%.16s/status", target->pid, thread);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		sscanf(line, "State: %c", &state);
		sscanf(line, "TracerPid: %d", &tracer);
	}
	if (file)
		fclose(file);
	/* One that has just ended has no file, or no lines. */
	return !state || (state != 'T' && state != 't' && !tracer);
}

bool target_runs_free(const struct target *target)
{
	bool all = true;
	struct dirent *thread;
	char path[64];
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", target->pid);
	threads = opendir(path);
	if (!threads)
		give_up("the program's threads cannot be listed");
	while ((thread = readdir(threads)))
		if (thread->d_name[0] != '.')
			all = all && thread_runs_free(target, thread->d_name);
	closedir(threads);
	return all;
}
