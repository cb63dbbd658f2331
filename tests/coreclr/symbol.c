// SPDX-License-Identifier: MIT
/* The function of symbol.h. The files are those of .NET itself, so they are taken at their word. */
#include <elf.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "support.h"
#include "symbol.h"

static const char *map_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	void *file;

	if (fd < 0 || fstat(fd, &stat) != 0)
		die("%s", path);
	*size = (size_t)stat.st_size;
	file = mmap(NULL, *size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (file == MAP_FAILED)
		die("mmap of %s", path);
	close(fd);
	return file;
}

static const Elf64_Shdr *dynamic_symbols(const char *file)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)file;
	const Elf64_Shdr *sections = (const Elf64_Shdr *)(file + header->e_shoff);

	for (int i = 0; i < header->e_shnum; i++)
		if (sections[i].sh_type == SHT_DYNSYM)
			return &sections[i];
	return NULL;
}

uint64_t symbol_address(const char *path, const char *name, uint64_t base)
{
	size_t size;
	const char *file = map_file(path, &size), *names;
	const Elf64_Shdr *section = dynamic_symbols(file), *strings;
	const Elf64_Sym *symbols;
	uint64_t address = 0;

	if (!section)
		die("%s exports nothing", path);
	strings =
		(const Elf64_Shdr *)(file + ((const Elf64_Ehdr *)file)->e_shoff) + section->sh_link;
	names = file + strings->sh_offset;
	symbols = (const Elf64_Sym *)(file + section->sh_offset);
	for (size_t i = 0; !address && i < section->sh_size / sizeof(*symbols); i++)
		if (symbols[i].st_value && !strcmp(names + symbols[i].st_name, name))
			address = base + symbols[i].st_value;
	munmap((void *)file, size);
	if (!address)
		die("%s does not export %s", path, name);
	return address;
}
