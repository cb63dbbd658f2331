// SPDX-License-Identifier: MIT
/*
 * Writing an ELF module into memory; see forge_module.h.
 */
#include "forge_module.h"

#include <elf.h>
#include <err.h>
#include <string.h>

#define PAGE 4096U

/* Two buckets, so that both walks have chains with several symbols in them. */
#define BUCKETS 2U
#define SYMBOLS_MAX 16U

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	while (*name)
		hash = hash * 33 + (unsigned char)*name++;
	return hash;
}

/* As the System V ABI prints it. */
static uint32_t sysv_hash(const char *name)
{
	uint32_t hash = 0, high;

	while (*name) {
		hash = (hash << 4) + (unsigned char)*name++;
		high = hash & 0xf0000000;
		if (high)
			hash ^= high >> 24;
		hash &= ~high;
	}
	return hash;
}

static void write_headers(BYTE *image, const struct forge_module_plan *plan)
{
	const struct {
		uint32_t type, flags;
		uint64_t offset, size;
	} segments[] = {
		{ PT_LOAD, PF_R, 0, PAGE },
		{ PT_LOAD, PF_R | PF_X, FORGE_CODE_AT, PAGE },
		{ PT_LOAD, PF_R | PF_W, FORGE_DYNAMIC_AT, (FORGE_MODULE_PAGES - 2) * PAGE },
		{ PT_DYNAMIC, PF_R | PF_W, FORGE_DYNAMIC_AT, 16 * sizeof(Elf64_Dyn) },
	};
	const size_t count = sizeof(segments) / sizeof(segments[0]);
	Elf64_Ehdr header = {
		.e_type = ET_DYN,
		.e_machine = EM_X86_64,
		.e_version = EV_CURRENT,
		.e_phoff = FORGE_HEADERS_AT,
		.e_ehsize = sizeof(header),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = (uint16_t)count,
	};

	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	header.e_ident[EI_DATA] = ELFDATA2LSB;
	header.e_ident[EI_VERSION] = EV_CURRENT;
	memcpy(image, &header, sizeof(header));
	for (size_t i = 0; i < count; i++) {
		const Elf64_Phdr segment = {
			.p_type = segments[i].type,
			.p_flags = segments[i].flags,
			.p_offset = segments[i].offset,
			.p_vaddr = plan->link_base + segments[i].offset,
			.p_paddr = plan->link_base + segments[i].offset,
			.p_filesz = segments[i].size,
			.p_memsz = segments[i].size,
			.p_align = PAGE,
		};

		memcpy(image + FORGE_HEADERS_AT + i * sizeof(segment), &segment, sizeof(segment));
	}
}

static void write_dynamic(BYTE *image, const struct forge_module_plan *plan)
{
	const uint64_t base = plan->unrelocated ? plan->link_base : plan->load_at;
	const Elf64_Dyn entries[] = {
		{ DT_SONAME, { 1 } },
		{ plan->sysv_hash ? DT_HASH : DT_GNU_HASH, { base + FORGE_HASH_AT } },
		{ DT_STRTAB, { base + FORGE_STRINGS_AT } },
		{ DT_SYMTAB, { base + FORGE_SYMBOLS_AT } },
		{ DT_STRSZ, { 0x800 } },
		{ DT_SYMENT, { sizeof(Elf64_Sym) } },
		{ DT_NULL, { 0 } },
	};

	memcpy(image + FORGE_DYNAMIC_AT, entries, sizeof(entries));
}

/* Symbols must stand in the order of their buckets; order[i] is the one with number i + 1. */
static void write_gnu_hash(uint32_t *words, const struct forge_module_plan *plan, size_t *order)
{
	uint32_t *chain, *buckets, number = 1;

	words[0] = BUCKETS;
	words[1] = 1; /* number of the first symbol */
	words[2] = 1; /* bloom words: let everything pass */
	words[3] = 6;
	words[4] = words[5] = UINT32_MAX;
	buckets = words + 6;
	chain = buckets + BUCKETS;
	for (uint32_t bucket = 0; bucket < BUCKETS; bucket++) {
		buckets[bucket] = 0;
		for (size_t i = 0; i < plan->count; i++) {
			uint32_t hash = gnu_hash(plan->symbols[i].name);

			if (hash % BUCKETS != bucket)
				continue;
			if (!buckets[bucket])
				buckets[bucket] = number;
			order[number - 1] = i;
			chain[number - 1] = hash & ~1U;
			number++;
		}
		if (buckets[bucket])
			chain[number - 2] |= 1;
	}
}

static void write_sysv_hash(uint32_t *words, const struct forge_module_plan *plan, size_t *order)
{
	uint32_t *buckets = words + 2, *chain = buckets + BUCKETS;

	words[0] = BUCKETS;
	words[1] = (uint32_t)plan->count + 1;
	memset(buckets, 0, (BUCKETS + plan->count + 1) * sizeof(*buckets));
	for (uint32_t i = 0; i < plan->count; i++) {
		uint32_t bucket = sysv_hash(plan->symbols[i].name) % BUCKETS;

		order[i] = i;
		chain[i + 1] = buckets[bucket];
		buckets[bucket] = i + 1;
	}
}

void forge_module_write(BYTE *image, const struct forge_module_plan *plan)
{
	Elf64_Sym *symbols = (Elf64_Sym *)(void *)(image + FORGE_SYMBOLS_AT);
	char *strings = (char *)image + FORGE_STRINGS_AT;
	uint32_t *hash = (uint32_t *)(void *)(image + FORGE_HASH_AT);
	size_t order[SYMBOLS_MAX] = { 0 }, at = 1;

	if (plan->count > SYMBOLS_MAX)
		errx(1, "too many symbols to forge");
	memset(image, 0, PAGE);
	write_headers(image, plan);
	write_dynamic(image, plan);
	if (plan->sysv_hash)
		write_sysv_hash(hash, plan, order);
	else
		write_gnu_hash(hash, plan, order);
	for (size_t i = 0; i < plan->count; i++) {
		const struct forge_symbol *symbol = &plan->symbols[order[i]];

		symbols[i + 1] = (Elf64_Sym){
			.st_name = (uint32_t)at,
			.st_info = ELF64_ST_INFO(STB_GLOBAL, symbol->type),
			.st_shndx = 1,
			.st_value = plan->link_base + symbol->offset,
			.st_size = symbol->size,
		};
		at += (size_t)(stpcpy(strings + at, symbol->name) - (strings + at)) + 1;
	}
}
