// SPDX-License-Identifier: MIT
/*
 * Processes that forge their runtime to keep a reader busy, or to lead it astray: whatever they
 * do, a call ends soon.
 */
#include <elf.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <cordbmem/coreclr.h>

#include "forge.h"
#include "unit.h"

/* Generous: a sanitized build on a busy machine. */
#define SOON 5.0

/* What the child maps for itself: zeros, at an address whose lower half is 0. */
#define ROOM UINT64_C(0x500000000000)
#define ROOM_SIZE UINT64_C(0x4000000)

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void check_time(double begin, const char *call)
{
	const double took = now() - begin;

	if (took > SOON / 10)
		printf("# %.1f s: %s\n", took, call);
	if (took > SOON)
		fail_msg("%s took %.1f s", call, took);
}

#define check_soon(call)                    \
	do {                                \
		const double begin = now(); \
                                            \
		call;                       \
		check_time(begin, #call);   \
	} while (0)

static HRESULT find(struct cordbmem_process *process)
{
	return cordbmem_process_find_coreclr(process, 0, NULL, NULL);
}

static struct cordbmem_process *open_found(struct forge *f)
{
	struct cordbmem_process *process = open_target(f->target.pid);

	assert_hr(S_OK, find(process));
	return process;
}

/* ---- finding ------------------------------------------------------------------ */

static long map_room(long unused)
{
	void *room = mmap((void *)ROOM, ROOM_SIZE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	(void)unused;
	return room == (void *)ROOM;
}

/*
 * Something that can be table and debugger at once: what is the size of an entry and the number of
 * buckets of the one is the address of the other's thread. That has control blocks everywhere.
 */
#define THREAD (UINT64_C(1103) << 32 | 176)

/* The thread lies where the address sanitizer has its own, so the compiler is to do just that. */
static long __attribute__((no_sanitize("address"))) map_debuggers(long forge)
{
	const struct forge *f = (const struct forge *)forge;
	volatile uint64_t *table = (uint64_t *)ROOM, *dcb = table + 512;
	volatile uint64_t *thread = (uint64_t *)THREAD;

	if (!map_room(0) || mmap((void *)(THREAD & -PAGE), PAGE, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		return 0;
	table[2] = THREAD;
	table[4] = UINT64_C(17) << 32;
	for (size_t i = 0; i < 64; i++)
		thread[i] = (uintptr_t)dcb;
	for (size_t i = 0; i < 32; i++)
		dcb[i] = (uintptr_t)f->code;
	dcb[0] = 8184;
	dcb[2] = UINT64_C(2) << 32;
	dcb[3] = 2;
	return 1;
}

static void debuggers_and_tables_everywhere(void **state)
{
	struct forge *f = forge_start(&(struct forge_plan){ .globals = 1024 });
	struct cordbmem_process *process = open_target(f->target.pid);

	(void)state;
	assert_true(target_call(&f->target, map_debuggers, (long)f));
	for (size_t i = 0; i < 1024; i++) {
		f->dac_table[i] = (uintptr_t)&f->globals[i];
		f->globals[i] = ROOM;
	}
	check_soon(assert_true(FAILED(find(process))));
	cordbmem_process_free(process);
	forge_end(f);
}

/* The module's first page, again and again, each with a hash table that does not end. */
static long map_modules(long forge)
{
	const struct forge *f = (const struct forge *)forge;
	long count = 0;

	for (BYTE *at = (BYTE *)ROOM; count < 2000; count++, at += PAGE) {
		if (mmap(at, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED_NOREPLACE,
			 f->file, 0) != at)
			break;
	}
	return count;
}

static void modules_without_end(void **state)
{
	struct forge *f = forge_start(&(struct forge_plan){ .name = "host" });
	struct cordbmem_process *process = open_target(f->target.pid);
	uint32_t *words = (uint32_t *)(void *)f->code;
	Elf64_Dyn *dynamic;
	Elf64_Phdr *headers;

	(void)state;
	/* One bucket, and symbols none of which is the last. */
	memset(f->code, 0, f->code_size);
	words[0] = 1;
	dynamic = (Elf64_Dyn *)(void *)(f->module + 0xc00);
	memcpy(dynamic, f->module + FORGE_DYNAMIC_AT, 16 * sizeof(*dynamic));
	dynamic[1].d_un.d_ptr = (uintptr_t)words;
	headers = (Elf64_Phdr *)(void *)(f->module + FORGE_HEADERS_AT);
	headers[3].p_vaddr = 0xc00;
	assert_true(target_call(&f->target, map_modules, (long)f) == 2000);
	check_soon(assert_true(FAILED(find(process))));
	cordbmem_process_free(process);
	forge_end(f);
}

static void deep_and_wide_json(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_target(f->target.pid);
	char text[FORGE_JSON_ROOM];

	(void)state;
	memset(text, '[', sizeof(text) - 1);
	text[sizeof(text) - 1] = 0;
	forge_json(f, text);
	check_soon(assert_hr(S_OK, find(process)));
	cordbmem_process_free(process);

	/* As long as it can be: the room is full of zeros, and then of brackets. */
	process = open_target(f->target.pid);
	assert_true(target_call(&f->target, map_room, 0));
	f->descriptor->json = ROOM;
	f->descriptor->json_size = 1 << 20;
	check_soon(assert_hr(S_OK, find(process)));
	cordbmem_process_free(process);
	process = open_target(f->target.pid);
	f->descriptor->json_size = UINT32_MAX;
	f->descriptor->pointer_count = UINT32_MAX;
	check_soon(assert_hr(S_OK, find(process)));
	cordbmem_process_free(process);
	forge_end(f);
}

/* ---- reading ------------------------------------------------------------------- */

static void huge_table_without_chains(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process;
	BYTE bytes[4096];
	SIZE_T got = 77;

	(void)state;
	assert_true(target_call(&f->target, map_room, 0));
	f->offsets[FORGE_O_ENTRY_SIZE] = 400;
	f->table.header->entry_size = 400;
	f->table.header->entries = ROOM;
	f->table.header->count = 1 << 17;
	process = open_found(f);
	memset(f->code, FORGE_TRAP, PAGE);
	check_soon(cordbmem_ReadMemory(process, forge_code(f, 0), 64, bytes, &got));
	check_soon(cordbmem_ReadMemory(process, forge_code(f, 0), PAGE, bytes, &got));
	assert_true(got <= PAGE);
	cordbmem_process_free(process);
	forge_end(f);
}

static void chains_that_go_round(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_found(f);
	struct forge_table *table = &f->table;
	BYTE bytes[4096];
	SIZE_T got;

	(void)state;
	for (size_t i = 0; i < 120; i++)
		forge_set(f, PAGE + i * 7);
	/* Read once, so that the chains are known to be good. */
	assert_hr(S_OK, cordbmem_ReadMemory(process, forge_code(f, PAGE), 900, bytes, &got));
	assert_memory_equal(f->original + PAGE, bytes, 900);
	for (uint32_t i = 0; i < table->header->count; i++)
		forge_table_entry(table, i)->next = (i + 1) % table->header->count;
	for (uint64_t i = 0; i < FORGE_BUCKETS; i++)
		*forge_table_bucket(table, i) = (uint32_t)i % table->header->count;
	for (size_t i = 0; i < PAGE; i += 2)
		f->code[i] = FORGE_TRAP;
	for (DWORD size = 1; size <= PAGE; size *= 2)
		check_soon(cordbmem_ReadMemory(process, forge_code(f, 0), size, bytes, &got));
	for (size_t i = 0; i < 120; i++) {
		HRESULT hr = S_OK;

		check_soon(hr = cordbmem_ReadMemory(process, forge_code(f, PAGE + i * 7), 1, bytes,
						    &got));
		if (hr == S_OK)
			assert_int_equal(f->original[PAGE + i * 7], bytes[0]);
	}
	cordbmem_process_free(process);
	forge_end(f);
}

/* What was found once does not bind the process. */
static void table_that_becomes_another(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_found(f);
	volatile struct forge_header *header = f->table.header;
	BYTE bytes[64];
	SIZE_T got;

	(void)state;
	for (size_t i = 0; i < 120; i++)
		forge_set(f, PAGE + i * 7);
	forge_set(f, 20);
	for (int round = 0; round < 64; round++) {
		const struct forge_header set = *header;
		HRESULT hr = S_OK;

		*(uint64_t *)forge_global(f, FORGE_PATCHES_VALID) = (uint64_t)(round % 2);
		header->bucket_count = round & 2 ? (round & 4 ? 0 : 1U << 31) : FORGE_BUCKETS;
		header->buckets = round & 8 ? 0x1000 : set.buckets;
		header->entry_size = round & 16 ? 0 : set.entry_size;
		header->count = round & 32 ? 3 : set.count;
		check_soon(hr = cordbmem_ReadMemory(process, forge_code(f, 0), 64, bytes, &got));
		if (hr == S_OK)
			assert_memory_equal(f->original, bytes, 20);
		else
			assert_true(got <= 20);
		*header = set;
	}
	cordbmem_process_free(process);
	forge_end(f);
}

static void nothing_but_traps(void **state)
{
	const DWORD size = 200 * PAGE;
	struct forge *f = forge_start(&(struct forge_plan){ .code_pages = 200, .patches = 1000 });
	struct cordbmem_process *process = open_found(f);
	BYTE *bytes = malloc(size);
	SIZE_T got;

	(void)state;
	for (size_t i = 0; i < 500; i++)
		forge_set(f, i * 1601 + 3);
	for (size_t i = 0; i < size; i++) {
		if (f->code[i] != FORGE_TRAP)
			forge_native(f, i);
	}
	check_soon(
		assert_hr(S_OK, cordbmem_ReadMemory(process, forge_code(f, 0), size, bytes, &got)));
	assert_memory_equal(f->original, bytes, size);
	free(bytes);
	cordbmem_process_free(process);
	forge_end(f);
}

static void list_of_a_huge_table(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_found(f);
	size_t count = 77;

	(void)state;
	assert_true(target_call(&f->target, map_room, 0));
	f->table.header->entries = ROOM;
	f->table.header->count = 1 << 17;
	check_soon(assert_hr(S_OK, cordbmem_process_list_breakpoints(process, NULL, 0, &count)));
	assert_int_equal(0, count);
	cordbmem_process_free(process);
	forge_end(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, forge_end_all)
	const struct CMUnitTest tests[] = {
		TEST(debuggers_and_tables_everywhere),
		TEST(modules_without_end),
		TEST(deep_and_wide_json),
		TEST(huge_table_without_chains),
		TEST(chains_that_go_round),
		TEST(table_that_becomes_another),
		TEST(nothing_but_traps),
		TEST(list_of_a_huge_table),
	};

	return cmocka_run_group_tests_name("coreclr hostile", tests, NULL, NULL);
}
