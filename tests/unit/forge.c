// SPDX-License-Identifier: MIT
/*
 * A child process that holds a forged CoreCLR; see forge.h.
 */
#include "forge.h"

#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MODULE_SIZE (FORGE_MODULE_PAGES * PAGE)
#define MARK_AT 0x8103
#define DESCRIPTOR_AT FORGE_DATA_AT
#define DAC_TABLE_AT 0x4000
#define GLOBALS_AT 0x6000

#define MODULE_PATH_AT 0x28 /* Module::m_path */
#define DCB_SIZE 8184

static struct forge *newest;

static void *allocate(struct forge *f, size_t size)
{
	BYTE *at = f->target.memory + f->used;

	f->used += (size + PAGE - 1) / PAGE * PAGE;
	if (f->used > f->target.size)
		errx(1, "a forge needs more memory");
	return at;
}

/* ---- the module ---- */

/* A file that is mapped and already deleted, so that nothing is left behind. */
static void map_module(struct forge *f)
{
	const char *where = getenv("TMPDIR");
	char folder[100];

	snprintf(folder, sizeof(folder), "%s/forge-XXXXXX", where ? where : "/tmp");
	if (!mkdtemp(folder))
		err(1, "%s", folder);
	snprintf(f->path, sizeof(f->path), "%s/%s", folder, f->plan.name);
	f->file = open(f->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (f->file < 0 || ftruncate(f->file, MODULE_SIZE))
		err(1, "%s", f->path);
	f->module = mmap(NULL, MODULE_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, f->file, 0);
	if (f->module == MAP_FAILED)
		err(1, "mapping %s", f->path);
	if (mprotect(f->module + FORGE_CODE_AT, PAGE, PROT_READ | PROT_EXEC))
		err(1, "the code of %s", f->path);
	if (unlink(f->path) || rmdir(folder))
		err(1, "removing %s", f->path);
	f->dac_table = (uint64_t *)(void *)(f->module + DAC_TABLE_AT);
	f->globals = (uint64_t *)(void *)(f->module + GLOBALS_AT);
	f->mark = (char *)f->module + MARK_AT;
	f->descriptor = (struct forge_descriptor *)(void *)(f->module + DESCRIPTOR_AT);
}

static void write_module(struct forge *f)
{
	const struct forge_symbol symbols[] = {
		{ "coreclr_initialize", FORGE_CODE_AT, 64, STT_FUNC },
		{ "g_CLREngineMetrics", 0x8000, 16, STT_OBJECT },
		{ f->plan.no_dac_table ? "g_dacTables" : "g_dacTable", DAC_TABLE_AT,
		  f->global_count * 8, STT_OBJECT },
		{ "DotNetRuntimeInfo", 0x8010, 100, STT_OBJECT },
		{ f->plan.no_descriptor ? "DotNetRuntimeContract"
					: "DotNetRuntimeContractDescriptor",
		  DESCRIPTOR_AT, sizeof(*f->descriptor), STT_OBJECT },
		{ "MetaDataGetDispenser", FORGE_CODE_AT + 64, 64, STT_FUNC },
	};
	const struct forge_module_plan plan = {
		.load_at = forge_base(f),
		.link_base = f->plan.link_base,
		.sysv_hash = f->plan.sysv_hash,
		.unrelocated = f->plan.unrelocated,
		.symbols = symbols,
		.count = sizeof(symbols) / sizeof(symbols[0]),
	};

	forge_module_write(f->module, &plan);
	snprintf(f->version, sizeof(f->version), "%d.0.1226.42308", f->plan.version);
	snprintf(f->mark, 256, "@(#)Version %s @Commit: 0123", f->version);
}

/* ---- what the runtime has on its heap ---- */

static void write_offsets(struct forge *f)
{
	uint64_t *o = f->offsets;

	/* Addresses of the runtime's helpers, which the run has to be told from. */
	for (size_t i = 0; i < FORGE_O_PATCHES; i++)
		o[i] = forge_base(f) + FORGE_CODE_AT + i * 16;
	o[FORGE_O_PATCHES] = (uintptr_t)f->table.header;
	o[FORGE_O_VALID] = (uintptr_t)f->table.valid;
	o[FORGE_O_ENTRIES] = offsetof(struct forge_header, entries);
	o[FORGE_O_COUNT] = offsetof(struct forge_header, count);
	o[FORGE_O_ENTRY_SIZE] = f->table.entry_size;
	o[FORGE_O_ADDRESS] = offsetof(struct forge_entry, address);
	o[FORGE_O_OPCODE] = offsetof(struct forge_entry, opcode);
	o[FORGE_O_OPCODE_SIZE] = 8;
	o[FORGE_O_TRACE_TYPE] = offsetof(struct forge_entry, trace_type);
	o[FORGE_O_UNMANAGED] = 2;
}

static void write_debugger(struct forge *f)
{
	BYTE *dcb = (BYTE *)f->dcb;

	memset(f->debugger, 0, PAGE);
	memset(f->rc_thread, 0, PAGE);
	memset(f->dcb, 0, 2 * PAGE);
	f->debugger[2] = (uintptr_t)f->rc_thread;
	/* Pointers to other things stand around the one to the DCB. */
	for (size_t i = 0; i < FORGE_RC_THREAD_WORDS; i += 3)
		f->rc_thread[i] = (uintptr_t)f->debugger + i * 8;
	f->rc_thread[f->dcb_at] = (uintptr_t)f->dcb;
	f->dcb[0] = DCB_SIZE;
	memcpy(dcb + 20, &(uint32_t){ 2 }, 4);
	memcpy(dcb + 24, &(uint32_t){ 2 }, 4);
	f->dcb[5] = (uintptr_t)f->debugger;
	f->dcb[112 / 8] = (uintptr_t)f->offsets;
	write_offsets(f);
}

static void write_globals(struct forge *f)
{
	static const enum forge_global together[] = { FORGE_DEBUG_INTERFACE, FORGE_CONTROL_FLAGS,
						      FORGE_EE_DBG_INTERFACE };

	for (uint32_t i = 0; i < f->global_count; i++) {
		f->dac_table[i] = (uintptr_t)&f->globals[i];
		/* Pointers and numbers of all kinds. */
		f->globals[i] = i % 3 ? (uintptr_t)f->code + i * 8 : i;
	}
	for (size_t i = 0; i < 3; i++)
		f->dac_table[forge_global_index(f, together[i])] =
			(uintptr_t)forge_global(f, together[i]);
	*forge_global(f, FORGE_DEBUGGER) = (uintptr_t)f->debugger;
	*forge_global(f, FORGE_DEBUG_INTERFACE) = (uintptr_t)f->debugger;
	*forge_global(f, FORGE_EE_DBG_INTERFACE) = (uintptr_t)f->code;
	*forge_global(f, FORGE_EE_INTERFACE) = (uintptr_t)f->code + 64;
	*forge_global(f, FORGE_JIT_ATTACH) = 0;
	*forge_global(f, FORGE_CHANGE_NGEN) = 1;
	*forge_global(f, FORGE_PATCHES) = (uintptr_t)f->table.header;
	/* Four bytes are the flag; what stands behind it is another variable. */
	*forge_global(f, FORGE_PATCHES_VALID) = UINT64_C(0x7712345600000001);
	forge_control(f, FORGE_ATTACHED);
}

static const char debugger_types[] =
	"\"Debugger\":{\"LeftSideInitialized\":8,\"RCThread\":[16,\"pointer\"]},"
	"\"DebuggerRCThread\":{\"DCB\":%u},"
	"\"DebuggerPatchTable\":{\"Entries\":8,\"Count\":[36,\"uint32\"]},"
	"\"DebuggerControllerPatch\":{\"!\":%u,\"Address\":48,\"Opcode\":\"0x40\"},";

static void write_descriptor(struct forge *f)
{
	char types[512] = "", text[2048];

	if (f->plan.debugger_types)
		snprintf(types, sizeof(types), debugger_types, f->dcb_at * 8, f->table.entry_size);
	snprintf(text, sizeof(text),
		 "{\"version\":0,\"baseline\":\"empty\",\"contracts\":{\"Loader\":1},"
		 "\"types\":{\"Thread\":{\"Id\":[8,\"uint32\"]},%s\"Module\":{\"!\":512,"
		 "\"Path\":[%d,\"pointer\"]}},"
		 "\"globals\":{\"RuntimeID\":[\"0x1\",\"uint8\"],\"ThreadStore\":[[1],\"pointer\"]%"
		 "s}}",
		 types, MODULE_PATH_AT,
		 f->plan.debugger_types ? ",\"Debugger\":[[2],\"pointer\"]" : "");
	*f->descriptor = (struct forge_descriptor){
		.magic = 0x0043414443434e44,
		.flags = 1,
		.json = (uintptr_t)f->json,
		.pointer_count = 3,
		.pointers = (uintptr_t)f->pointers,
	};
	f->pointers[0] = 0;
	f->pointers[1] = (uintptr_t)f->code;
	f->pointers[2] = (uintptr_t)forge_global(f, FORGE_DEBUGGER);
	forge_json(f, text);
}

static void write_paths(struct forge *f)
{
	static const char *const names[] = { "/app/Program.dll", "/app/Library.dll" };

	memset(f->modules, 0, PAGE);
	for (size_t i = 0; i < 2; i++) {
		f->modules[i * 16 + MODULE_PATH_AT / 8] = (uintptr_t)(f->paths + i * 512);
		for (size_t j = 0; j <= strlen(names[i]); j++)
			f->paths[i * 512 + j] = (unsigned char)names[i][j];
	}
	f->table.module = (uintptr_t)f->modules;
}

/* No byte is a trap, and none is 0, which a patch table cannot hold. */
static void write_code(struct forge *f)
{
	for (size_t i = 0; i < f->code_size; i++)
		f->code[i] = (BYTE)(1 + (i * 37 + i / 251) % 199);
	f->original = f->code_size ? malloc(f->code_size) : NULL;
	if (!f->original)
		err(1, "malloc");
	memcpy(f->original, f->code, f->code_size);
}

/* ---- all of it ---- */

struct forge *forge_start(const struct forge_plan *plan)
{
	struct forge *f = calloc(1, sizeof(*f));
	size_t half, pages;
	uint32_t *buckets;
	struct forge_header *header;
	uint32_t entry_size;

	if (!f)
		err(1, "calloc");
	if (plan)
		f->plan = *plan;
	if (!f->plan.version)
		f->plan.version = 10;
	if (!f->plan.name)
		f->plan.name = "libcoreclr.so";
	if (!f->plan.code_pages)
		f->plan.code_pages = 16;
	if (!f->plan.patches)
		f->plan.patches = 250;
	if (f->plan.version >= 11)
		f->plan.debugger_types = true;
	f->global_count = f->plan.version == 9 ? 158 : 129;
	if (f->plan.globals)
		f->global_count = f->plan.globals;
	f->patches_at = f->plan.version == 9 ? 77 : 76;
	f->dcb_at = (f->plan.version == 9 ? 0xc0U : 0x78U) / 8;
	entry_size = f->plan.version >= 11 ? 200 : 176;

	map_module(f);
	/* It grows from 17 entries by half. */
	half = ((size_t)f->plan.patches * 3 / 2 + 32) * entry_size / PAGE + 1;
	pages = 32 + FORGE_JSON_ROOM / PAGE + f->plan.code_pages + 2 * half;
	f->target = target_start(pages);

	f->debugger = allocate(f, PAGE);
	f->rc_thread = allocate(f, PAGE);
	f->dcb = allocate(f, 2 * PAGE);
	f->offsets = allocate(f, PAGE);
	f->json = allocate(f, FORGE_JSON_ROOM);
	f->pointers = allocate(f, PAGE);
	f->modules = allocate(f, PAGE);
	f->paths = allocate(f, PAGE);
	header = allocate(f, PAGE);
	buckets = allocate(f, FORGE_BUCKETS * sizeof(*buckets));
	forge_table_init(&f->table, header, buckets, allocate(f, 2 * half * PAGE), 2 * half * PAGE,
			 entry_size);
	f->table.valid = (uint32_t *)(void *)forge_global(f, FORGE_PATCHES_VALID);
	f->code_size = f->plan.code_pages * PAGE;
	f->code = allocate(f, f->code_size);

	write_code(f);
	write_paths(f);
	write_debugger(f);
	write_globals(f);
	write_descriptor(f);
	write_module(f);
	f->older = newest;
	newest = f;
	return f;
}

void forge_end(struct forge *f)
{
	struct forge **at = &newest;

	while (*at != f)
		at = &(*at)->older;
	*at = f->older;
	target_end(&f->target);
	munmap(f->module, MODULE_SIZE);
	close(f->file);
	free(f->original);
	free(f);
}

int forge_end_all(void **state)
{
	(void)state;
	while (newest)
		forge_end(newest);
	return 0;
}

uint32_t forge_global_index(const struct forge *f, enum forge_global which)
{
	int at = (int)f->patches_at + (int)which;

	if (which == FORGE_CONTROL_FLAGS && f->plan.version == 9)
		at++;
	return (uint32_t)at;
}

/* vars.cpp defines three of them one after the other; the rest is anywhere. */
uint64_t *forge_global(const struct forge *f, enum forge_global which)
{
	switch (which) {
	case FORGE_DEBUG_INTERFACE:
		return f->globals + f->global_count;
	case FORGE_CONTROL_FLAGS:
		return f->globals + f->global_count + 1;
	case FORGE_EE_DBG_INTERFACE:
		return f->globals + f->global_count + 2;
	default:
		return f->globals + forge_global_index(f, which);
	}
}

void forge_control(struct forge *f, uint32_t flags)
{
	/* The other half is another variable. */
	*(volatile uint64_t *)forge_global(f, FORGE_CONTROL_FLAGS) =
		UINT64_C(0x9a9a9a9a00000000) | flags;
}

uint32_t forge_set(struct forge *f, size_t offset)
{
	return forge_table_set(&f->table, f->code + offset);
}

void forge_clear(struct forge *f, uint32_t index)
{
	forge_table_clear(&f->table, index);
}

void forge_native(struct forge *f, size_t offset)
{
	f->code[offset] = f->original[offset] = FORGE_TRAP;
}

void forge_json(struct forge *f, const char *text)
{
	if (strlen(text) > FORGE_JSON_ROOM)
		errx(1, "that is too much JSON");
	memcpy(f->json, text, strlen(text));
	f->descriptor->json_size = (uint32_t)strlen(text);
}

/* ---- in the child ---- */

static long unmap_page(long address)
{
	return munmap((void *)address, PAGE);
}

void forge_unmap(struct forge *f, const volatile void *at, size_t size)
{
	uintptr_t from = (uintptr_t)at / PAGE * PAGE;

	for (uintptr_t page = from; page < (uintptr_t)at + size; page += PAGE) {
		if (target_call(&f->target, unmap_page, (long)page))
			errx(1, "the forge cannot unmap");
	}
}

static long become_sleep(long unused)
{
	(void)unused;
	execl("/bin/sleep", "sleep", "1000", (char *)NULL);
	return -1;
}

void forge_exec(struct forge *f)
{
	char end;

	target_send(&f->target, become_sleep, 0);
	/* The socket closes on exec, after the memory is gone. */
	if (read(f->target.socket, &end, 1) != 0)
		errx(1, "the forge cannot exec");
}

static long map_file(long forge)
{
	const struct forge *f = (const struct forge *)forge;
	void *low = (void *)0x10000000;

	return (long)mmap(low, MODULE_SIZE, PROT_READ, MAP_PRIVATE | MAP_FIXED_NOREPLACE, f->file,
			  0);
}

uint64_t forge_map_again(struct forge *f)
{
	long at = target_call(&f->target, map_file, (long)f);

	if (at == -1)
		errx(1, "the forge cannot map its module again");
	return (uint64_t)at;
}
