/* SPDX-License-Identifier: MIT */
/*
 * The exported data of an ELF module in a live process: what dlsym would find
 * there, from memory alone.
 */
#ifndef CORDBMEM_SRC_ELF_MODULE_H
#define CORDBMEM_SRC_ELF_MODULE_H

#include <stdint.h>

struct cordbmem_process;

#define ELF_LOADS 16

struct elf_module {
	uint64_t bias; /* to be added to the file's addresses */
	uint64_t symbols;
	uint64_t strings;
	uint64_t gnu_hash; /* 0 if there is none */
	uint64_t hash;	   /* DT_HASH, likewise */
	struct elf_load {
		uint64_t address;
		uint64_t size;
	} loads[ELF_LOADS];
	unsigned int load_count;
};

/*
 * The module loaded at base. Returns 0; ENOEXEC: no ELF module of x86-64, or
 * nothing readable; or the errno of a failure that is not the address's.
 */
int elf_open(struct cordbmem_process *process, uint64_t base, struct elf_module *module);

/* A data symbol. 0, ENOENT, or the errno of a failure that is not the address's. */
int elf_find(struct cordbmem_process *process, const struct elf_module *module, const char *name,
	     uint64_t *address, uint64_t *size);

#endif /* CORDBMEM_SRC_ELF_MODULE_H */
