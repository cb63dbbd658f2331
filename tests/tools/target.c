// SPDX-License-Identifier: MIT
/*
 * A process whose memory is known, for the tests of the tool to read. It prints "NAME ADDRESS SIZE"
 * lines, then "ready", and ends with its standard input.
 *
 * usage: target ONCE TWICE CODE TAIL
 * These are files of two pages or more, mapped so that "module+offset" has something to find.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define PAGE 4096UL
/* More than fits a 32-bit count. Only its page tables take memory, for it is never written. */
#define SPARSE (5UL << 30)

static void *map(size_t size, int prot, int flags, int fd, off_t offset)
{
	void *at = mmap(NULL, size, prot, flags | MAP_PRIVATE, fd, offset);

	if (at == MAP_FAILED) {
		perror("target: mmap");
		exit(1);
	}
	return at;
}

static void tell(const char *name, const void *at, size_t size)
{
	printf("%s %lx %lu\n", name, (unsigned long)at, size);
}

/* Writable memory with nothing mapped before and after it, once the guards are gone. */
static unsigned char *guards[16];
static size_t guard_count;

static unsigned char *map_alone(size_t size)
{
	unsigned char *at = map(size + 2 * PAGE, PROT_READ | PROT_WRITE, MAP_ANONYMOUS, -1, 0);

	guards[guard_count++] = at;
	guards[guard_count++] = at + PAGE + size;
	return at + PAGE;
}

/* Last, or else the next mapping would be put into the hole. */
static void remove_guards(void)
{
	while (guard_count)
		munmap(guards[--guard_count], PAGE);
}

static void *map_file(const char *path, int prot, off_t offset)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *at;

	if (fd < 0) {
		perror(path);
		exit(1);
	}
	at = map(PAGE, prot, 0, fd, offset);
	close(fd);
	return at;
}

static void map_modules(char **paths)
{
	tell("once", map_file(paths[0], PROT_READ, 0), PAGE);
	tell("twice", map_file(paths[1], PROT_READ, 0), PAGE);
	map_file(paths[1], PROT_READ, 0);
	/* As a runtime does that looks into a file before it loads it, or after. */
	map_file(paths[2], PROT_READ, 0);
	tell("code", map_file(paths[2], PROT_READ | PROT_EXEC, 0), PAGE);
	map_file(paths[2], PROT_READ, 0);
	tell("tail", map_file(paths[3], PROT_READ, PAGE), PAGE);
}

int main(int argc, char **argv)
{
	/* Text, a control character, a C1 control, half a pair, a whole one, and a backslash. */
	static const unsigned short utf16[] = { 'H',	0xe9,	'\n',	0x9b, 0xd800,
						0x4e2d, 0xd83d, 0xde00, '\\', 0 };
	static const char utf8[] = "H\xc3\xa9\n\x1b[1m\xff\xe4\xb8\xad\\";
	unsigned char *pattern, *page;

	if (argc != 5)
		return 2;

	pattern = map_alone(2 * PAGE);
	for (size_t i = 0; i < 2 * PAGE; i++)
		pattern[i] = (unsigned char)(i * 7 + (i >> 8));
	tell("pattern", pattern, 2 * PAGE);

	/* Zeros but for one byte in the middle. */
	page = map_alone(PAGE);
	page[100 * 16 + 3] = 'x';
	tell("zeros", page, PAGE);

	page = map_alone(PAGE);
	memset(page, 'N', PAGE);
	mprotect(page, PAGE, PROT_NONE);
	tell("none", page, PAGE);

	page = map_alone(PAGE);
	memcpy(page, utf8, sizeof(utf8));
	memcpy(page + 256, utf16, sizeof(utf16));
	memset(page + PAGE - 8, 'z', 8);
	tell("utf8", page, sizeof(utf8) - 1);
	tell("utf16", page + 256, sizeof(utf16) - 2);
	tell("endless", page + PAGE - 8, 8);

	tell("sparse", map(SPARSE, PROT_READ, MAP_ANONYMOUS | MAP_NORESERVE, -1, 0), SPARSE);
	map_modules(argv + 1);
	remove_guards();
	puts("ready");
	fflush(stdout);
	while (getchar() != EOF)
		;
	return 0;
}
