// SPDX-License-Identifier: MIT
/*
 * ELF modules in a live process. The process may have forged every number, so each
 * loop has a bound of its own and all arithmetic may wrap.
 */
#include "elf_module.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "internal.h"
#include "raw.h"

#define HEADERS_MAX 64U	 /* program headers */
#define DYNAMIC_MAX 128U /* dynamic entries */
#define CHAIN_MAX 128	 /* symbols of one hash bucket */
#define NAME_MAX_READ 64U

/* A read that fails for its address's sake makes the module none. */
static int read_module(struct cordbmem_process *process, uint64_t address, void *buffer,
		       uint32_t size)
{
	int err = raw_read(process, address, buffer, size);

	return err == EIO ? ENOEXEC : err;
}

static uint64_t page_floor(uint64_t address)
{
	return address & ~UINT64_C(4095);
}

/* glibc relocates most of the dynamic section in place, musl does not. */
static uint64_t dynamic_address(const struct elf_module *module, uint64_t value)
{
	return value < module->bias ? module->bias + value : value;
}

static int read_dynamic(struct cordbmem_process *process, struct elf_module *module,
			uint64_t address, uint64_t size)
{
	Elf64_Dyn entries[DYNAMIC_MAX];
	uint32_t count = DYNAMIC_MAX;
	int err;

	if (size / sizeof(entries[0]) < count)
		count = (uint32_t)(size / sizeof(entries[0]));
	err = read_module(process, address, entries, count * (uint32_t)sizeof(entries[0]));
	if (err)
		return err;
	for (uint32_t i = 0; i < count && entries[i].d_tag != DT_NULL; i++) {
		uint64_t value = dynamic_address(module, entries[i].d_un.d_ptr);

		switch (entries[i].d_tag) {
		case DT_SYMTAB:
			module->symbols = value;
			break;
		case DT_STRTAB:
			module->strings = value;
			break;
		case DT_GNU_HASH:
			module->gnu_hash = value;
			break;
		case DT_HASH:
			module->hash = value;
			break;
		}
	}
	if (!module->symbols || !module->strings || (!module->gnu_hash && !module->hash))
		return ENOEXEC;
	return 0;
}

int elf_open(struct cordbmem_process *process, uint64_t base, struct elf_module *module)
{
	const Elf64_Phdr *dynamic = NULL;
	Elf64_Phdr headers[HEADERS_MAX];
	bool based = false;
	Elf64_Ehdr ehdr;
	int err;

	*module = (struct elf_module){ 0 };
	err = read_module(process, base, &ehdr, sizeof(ehdr));
	if (err)
		return err;
	if (memcmp(ehdr.e_ident, ELFMAG, SELFMAG) || ehdr.e_ident[EI_CLASS] != ELFCLASS64 ||
	    ehdr.e_ident[EI_DATA] != ELFDATA2LSB || ehdr.e_machine != EM_X86_64 ||
	    ehdr.e_phentsize != sizeof(headers[0]) || !ehdr.e_phnum || ehdr.e_phnum > HEADERS_MAX)
		return ENOEXEC;
	err = read_module(process, base + ehdr.e_phoff, headers,
			  ehdr.e_phnum * (uint32_t)sizeof(headers[0]));
	if (err)
		return err;

	for (unsigned int i = 0; i < ehdr.e_phnum; i++) {
		const Elf64_Phdr *header = &headers[i];

		if (header->p_type == PT_DYNAMIC)
			dynamic = header;
		if (header->p_type != PT_LOAD)
			continue;
		if (!based)
			module->bias = base - page_floor(header->p_vaddr);
		based = true;
		if (module->load_count < ELF_LOADS)
			module->loads[module->load_count++] = (struct elf_load){
				.address = module->bias + header->p_vaddr,
				.size = header->p_filesz,
			};
	}
	if (!based || !dynamic)
		return ENOEXEC;
	return read_dynamic(process, module, module->bias + dynamic->p_vaddr, dynamic->p_memsz);
}

/* ENOENT if the symbol with this number is another one. */
static int take_symbol(struct cordbmem_process *process, const struct elf_module *module,
		       uint32_t number, const char *name, uint64_t *address, uint64_t *size)
{
	const size_t length = strlen(name) + 1;
	char found[NAME_MAX_READ];
	Elf64_Sym symbol;
	int err = read_module(process, module->symbols + number * sizeof(symbol), &symbol,
			      sizeof(symbol));

	if (err || ELF64_ST_TYPE(symbol.st_info) != STT_OBJECT || symbol.st_shndx == SHN_UNDEF)
		return err && err != ENOEXEC ? err : ENOENT;
	err = read_module(process, module->strings + symbol.st_name, found, (uint32_t)length);
	if (err || memcmp(found, name, length))
		return err && err != ENOEXEC ? err : ENOENT;
	*address = module->bias + symbol.st_value;
	*size = symbol.st_size;
	return 0;
}

static uint32_t gnu_hash_of(const char *name)
{
	uint32_t hash = 5381;

	for (; *name; name++)
		hash = hash * 33 + (unsigned char)*name;
	return hash;
}

static int find_gnu(struct cordbmem_process *process, const struct elf_module *module,
		    const char *name, uint64_t *address, uint64_t *size)
{
	const uint32_t hash = gnu_hash_of(name);
	struct {
		uint32_t buckets, first, bloom_words, bloom_shift;
	} header;
	uint64_t buckets, chain;
	uint32_t number, values[CHAIN_MAX];
	struct raw_read first;
	int err = read_module(process, module->gnu_hash, &header, sizeof(header));

	if (err || !header.buckets)
		return err ? err : ENOEXEC;
	buckets = module->gnu_hash + sizeof(header) + UINT64_C(8) * header.bloom_words;
	chain = buckets + UINT64_C(4) * header.buckets;
	err = read_module(process, buckets + UINT64_C(4) * (hash % header.buckets), &number,
			  sizeof(number));
	if (err || number < header.first)
		return err ? err : ENOENT;

	first = (struct raw_read){ .address = chain + UINT64_C(4) * (number - header.first),
				   .buffer = values,
				   .size = sizeof(values) };
	err = raw_readv(process, &first, 1);
	for (uint32_t i = 0; i < first.got / sizeof(values[0]) && !err; i++) {
		if ((values[i] | 1) == (hash | 1)) {
			err = take_symbol(process, module, number + i, name, address, size);
			if (err != ENOENT)
				return err;
			err = 0;
		}
		if (values[i] & 1)
			break;
	}
	return err ? err : ENOENT;
}

static uint32_t sysv_hash_of(const char *name)
{
	uint32_t hash = 0;

	for (; *name; name++) {
		hash = (hash << 4) + (unsigned char)*name;
		hash ^= (hash >> 24) & 0xF0;
		hash &= 0x0FFFFFFF;
	}
	return hash;
}

static int find_sysv(struct cordbmem_process *process, const struct elf_module *module,
		     const char *name, uint64_t *address, uint64_t *size)
{
	uint32_t header[2], number; /* buckets, chain */
	uint64_t at = module->hash + sizeof(header);
	int err = read_module(process, module->hash, header, sizeof(header));

	if (err || !header[0])
		return err ? err : ENOEXEC;
	err = read_module(process, at + UINT64_C(4) * (sysv_hash_of(name) % header[0]), &number,
			  sizeof(number));
	for (int steps = 0; !err && number && number < header[1] && steps < CHAIN_MAX; steps++) {
		err = take_symbol(process, module, number, name, address, size);
		if (err != ENOENT)
			return err;
		err = read_module(process, at + UINT64_C(4) * (header[0] + (uint64_t)number),
				  &number, sizeof(number));
	}
	return err ? err : ENOENT;
}

int elf_find(struct cordbmem_process *process, const struct elf_module *module, const char *name,
	     uint64_t *address, uint64_t *size)
{
	int err = module->gnu_hash ? find_gnu(process, module, name, address, size)
				   : find_sysv(process, module, name, address, size);

	return err == ENOEXEC ? ENOENT : err;
}
