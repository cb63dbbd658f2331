// SPDX-License-Identifier: MIT
/* The functions of support.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "support.h"

uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

double number_from(const char *variable, double missing)
{
	const char *text = getenv(variable);
	char *end;
	double value;

	if (!text)
		return missing;
	value = strtod(text, &end);
	if (*end || value <= 0)
		die("%s is '%s', not a positive number", variable, text);
	return value;
}

uint64_t seed_of(const char *test)
{
	const char *text = getenv("CORDBMEM_SEED");
	uint64_t seed = 0;

	if (text)
		seed = strtoull(text, NULL, 0);
	else if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		die("getrandom");
	seed |= !seed;
	fprintf(stderr, "# %s: CORDBMEM_SEED=0x%lx\n", test, seed);
	return seed;
}

static double seconds_of(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) != 0)
		die("clock_gettime");
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

double seconds(void)
{
	return seconds_of(CLOCK_MONOTONIC);
}

double cpu_seconds(pid_t pid)
{
	clockid_t clock;

	if (clock_getcpuclockid(pid, &clock) != 0)
		die("the clock of process %d", pid);
	return seconds_of(clock);
}

void sleep_ms(long ms)
{
	struct timespec left = { ms / 1000, ms % 1000 * 1000000 };

	while (nanosleep(&left, &left) != 0)
		if (errno != EINTR)
			die("nanosleep of %ld ms", ms);
}

struct mapping {
	uint64_t begin, end, offset;
	char permissions[8];
	char *path;
};

/* One of /proc/PID/maps; its path lies in @line. */
static bool next_mapping(FILE *maps, char *line, size_t size, struct mapping *mapping)
{
	int path = 0;

	if (!fgets(line, (int)size, maps))
		return false;
	line[strcspn(line, "\n")] = 0;
	if (sscanf(line, "%lx-%lx %7s %lx %*s %*s %n", &mapping->begin, &mapping->end,
		   mapping->permissions, &mapping->offset, &path) != 4)
		die("/proc/PID/maps has the line '%s'", line);
	mapping->path = line + path;
	return true;
}

static FILE *open_maps(pid_t pid)
{
	char path[64];
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		die("%s", path);
	return maps;
}

uint64_t mapping_of(pid_t pid, const char *path)
{
	FILE *maps = open_maps(pid);
	struct mapping mapping;
	uint64_t base = 0;
	char line[4096], magic[4];

	while (!base && next_mapping(maps, line, sizeof(line), &mapping)) {
		if (mapping.offset || strcmp(mapping.path, path) != 0)
			continue;
		peek(pid, mapping.begin, magic, sizeof(magic));
		if (!memcmp(magic, "\177ELF", 4))
			base = mapping.begin;
	}
	fclose(maps);
	return base;
}

bool text_of(pid_t pid, const char *path, uint64_t *begin, uint64_t *end)
{
	FILE *maps = open_maps(pid);
	struct mapping mapping;
	bool found = false;
	char line[4096];

	while (!found && next_mapping(maps, line, sizeof(line), &mapping)) {
		found = !strcmp(mapping.path, path) && mapping.permissions[2] == 'x';
		*begin = mapping.begin;
		*end = mapping.end;
	}
	fclose(maps);
	return found;
}

size_t mappings(pid_t pid, uint64_t (*list)[2], size_t capacity)
{
	FILE *maps = open_maps(pid);
	struct mapping mapping;
	size_t count = 0;
	char line[4096];

	while (count < capacity && next_mapping(maps, line, sizeof(line), &mapping)) {
		list[count][0] = mapping.begin;
		list[count++][1] = mapping.end;
	}
	fclose(maps);
	return count;
}

bool mapping_at(pid_t pid, uint64_t address, uint64_t *begin, uint64_t *end)
{
	FILE *maps = open_maps(pid);
	struct mapping mapping;
	bool found = false;
	char line[4096];

	while (!found && next_mapping(maps, line, sizeof(line), &mapping)) {
		found = address >= mapping.begin && address < mapping.end;
		*begin = mapping.begin;
		*end = mapping.end;
	}
	fclose(maps);
	return found;
}

void peek(pid_t pid, uint64_t address, void *buffer, size_t size)
{
	struct iovec local = { buffer, size }, remote = { (void *)address, size };

	if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != (ssize_t)size)
		die("process_vm_readv of %zu bytes at 0x%lx of %d", size, address, pid);
}
