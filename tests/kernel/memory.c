// SPDX-License-Identifier: GPL-2.0
/* The functions of memory.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "call.h"
#include "memory.h"
#include "support.h"

#define GAP ((uint64_t)16 << 20)
#define GUARD_BYTE 0x5a

/* Far below what the kernel hands out and far above the program. */
static uint64_t next_island = 0x100000000000;

void *island_hole(size_t size)
{
	uint64_t address = next_island + GAP;

	/* Aligned for huge pages. */
	next_island = (address + size + GAP - 1) / GAP * GAP;
	return pointer(address);
}

void *island(size_t size, int protection, int flags, int fd)
{
	void *wanted = island_hole(size);
	void *memory = mmap(wanted, size, protection, flags | MAP_FIXED_NOREPLACE, fd, 0);

	if (memory != wanted)
		die("cannot map %zu bytes", size);
	return memory;
}

void *island_pages(size_t pages)
{
	return island(pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

bool pages_at(void *address, size_t size)
{
	return mmap(address, size, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != MAP_FAILED;
}

void *island_repeated(size_t size, size_t block, int fd, int protection)
{
	uint8_t *memory = island_hole(size);

	for (size_t at = 0; at < size; at += block) {
		if (mmap(memory + at, block, protection, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0) !=
		    memory + at)
			die("cannot map a file %zu times", size / block);
	}
	return memory;
}

int memory_file(size_t size, uint64_t seed)
{
	int fd = memfd_create("test", MFD_CLOEXEC);
	void *memory;

	if (fd < 0 || ftruncate(fd, (off_t)size) != 0)
		die("memfd");
	if (!seed)
		return fd;
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		die("memfd");
	pattern_fill(memory, size, seed, 0);
	munmap(memory, size);
	return fd;
}

/* splitmix64's finaliser */
static uint64_t mix(uint64_t x)
{
	x += 0x9e3779b97f4a7c15;
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static uint64_t pattern_word(uint64_t seed, uint64_t address)
{
	return mix(mix(seed) ^ (address >> 3));
}

uint8_t pattern_byte(uint64_t seed, uint64_t address)
{
	return (uint8_t)(pattern_word(seed, address) >> (address % 8 * 8));
}

void pattern_fill(void *memory, size_t size, uint64_t seed, uint64_t address)
{
	uint8_t *bytes = memory;
	size_t i = 0;

	for (; i < size && (address + i) % 8; i++)
		bytes[i] = pattern_byte(seed, address + i);
	for (; i + 8 <= size; i += 8) {
		uint64_t word = pattern_word(seed, address + i);

		memcpy(bytes + i, &word, 8);
	}
	for (; i < size; i++)
		bytes[i] = pattern_byte(seed, address + i);
}

size_t pattern_check(const void *memory, size_t size, uint64_t seed, uint64_t address)
{
	const uint8_t *bytes = memory;
	size_t i = 0;

	for (; i < size && (address + i) % 8; i++)
		if (bytes[i] != pattern_byte(seed, address + i))
			return i;
	for (; i + 8 <= size; i += 8) {
		uint64_t word = pattern_word(seed, address + i);

		if (memcmp(bytes + i, &word, 8) != 0)
			break;
	}
	for (; i < size; i++)
		if (bytes[i] != pattern_byte(seed, address + i))
			return i;
	return size;
}

struct guarded guarded_new(size_t size)
{
	struct guarded g = { .size = size };

	g.memory = malloc(size + 2 * GUARD);
	if (!g.memory)
		die("malloc");
	g.bytes = g.memory + GUARD;
	guarded_wipe(&g);
	return g;
}

void guarded_wipe(struct guarded *g)
{
	memset(g->memory, GUARD_BYTE, g->size + 2 * GUARD);
}

static bool untouched(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] != GUARD_BYTE)
			return false;
	return true;
}

bool guarded_intact(const struct guarded *g)
{
	return guarded_intact_from(g, g->size);
}

bool guarded_intact_from(const struct guarded *g, size_t offset)
{
	return untouched(g->memory, GUARD) &&
	       untouched(g->bytes + offset, g->size - offset + GUARD);
}

void guarded_free(struct guarded *g)
{
	free(g->memory);
}

static bool find_mapping(pid_t pid, uint64_t address, const char *name, uint64_t *start,
			 uint64_t *end)
{
	char path[64], line[512];
	bool found = false;
	FILE *maps;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return false;
	while (!found && fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx", start, end) != 2)
			continue;
		found = name ? strstr(line, name) != NULL : address >= *start && address < *end;
	}
	fclose(maps);
	return found;
}

bool mapping_of(pid_t pid, uint64_t address, uint64_t *start, uint64_t *end)
{
	return find_mapping(pid, address, NULL, start, end);
}

bool mapping_named(pid_t pid, const char *name, uint64_t *start, uint64_t *end)
{
	return find_mapping(pid, 0, name, start, end);
}

bool page_present(pid_t pid, uint64_t address)
{
	uint64_t entry = 0;
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || pread(fd, &entry, 8, (off_t)(address / PAGE * 8)) != 8)
		die("%s", path);
	close(fd);
	return entry >> 63;
}

long resident_pages(pid_t pid)
{
	char path[64], text[128];
	long size, resident;

	snprintf(path, sizeof(path), "/proc/%d/statm", pid);
	if (!file_text(path, text, sizeof(text)) || sscanf(text, "%ld %ld", &size, &resident) != 2)
		die("%s", path);
	return resident;
}
