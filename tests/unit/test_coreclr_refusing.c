// SPDX-License-Identifier: MIT
/*
 * Processes without a CoreCLR that is known: every return code and reason that
 * cordbmem/coreclr.h promises for them.
 */
#include <stdio.h>
#include <string.h>

#include <cordbmem/coreclr.h>

#include "forge.h"
#include "unit.h"

/* What finding answers, with a reason and words that fit; nothing else is written. */
static void check_refused(struct cordbmem_process *process, uint64_t base, HRESULT hr,
			  enum cordbmem_reason reason)
{
	struct cordbmem_coreclr runtime, before;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_breakpoint list[2];
	size_t count = 77;
	int attached = 77;
	char path[8] = "abc";

	memset(&runtime, 0x5a, sizeof(runtime));
	runtime.size = sizeof(runtime);
	before = runtime;
	assert_hr(hr, cordbmem_process_find_coreclr(process, base, &runtime, &error));
	assert_memory_equal(&before, &runtime, sizeof(runtime));
	assert_hr(hr, error.hr);
	assert_int_equal(reason, error.reason);
	assert_true(strlen(error.text) > 10);
	assert_null(strchr(error.text, '\n'));
	assert_string_not_equal("unknown HRESULT", cordbmem_hresult_name(hr));
	if (hr == CORDBG_E_OBJECT_NEUTERED || hr == CORDBG_E_PROCESS_TERMINATED)
		return;

	/* Nothing was found, so nothing else is there. */
	assert_hr(CORDBG_E_NOT_CLR, cordbmem_process_debugger_attached(process, &attached));
	assert_hr(CORDBG_E_NOT_CLR, cordbmem_process_list_breakpoints(process, list, 2, &count));
	assert_hr(CORDBG_E_NOT_CLR, cordbmem_process_module_path(process, 4096, path, 8));
	assert_int_equal(77, attached);
	assert_int_equal(77, count);
}

static void check_forge(struct forge *f, HRESULT hr, enum cordbmem_reason reason)
{
	struct cordbmem_process *process = open_target(f->target.pid);

	check_refused(process, 0, hr, reason);
	check_refused(process, forge_base(f), hr, reason);
	cordbmem_process_free(process);
}

static void check_found(struct forge *f)
{
	struct cordbmem_process *process = open_target(f->target.pid);

	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, NULL, NULL));
	cordbmem_process_free(process);
}

#define UNKNOWN CORDBG_E_UNSUPPORTED_FORWARD_COMPAT, CORDBMEM_REASON_RUNTIME_UNKNOWN
#define INCONSISTENT CORDBG_E_TARGET_INCONSISTENT, CORDBMEM_REASON_RUNTIME_INCONSISTENT
#define NOT_READY CORDBG_E_NOTREADY, CORDBMEM_REASON_RUNTIME_NOT_READY
#define NO_RUNTIME CORDBG_E_NOT_CLR, CORDBMEM_REASON_NO_RUNTIME

/* ---- no runtime ---------------------------------------------------------- */

static void process_without_runtime(void **state)
{
	struct target target = target_start(4);
	struct cordbmem_process *process = open_target(target.pid);

	(void)state;
	check_refused(process, 0, NO_RUNTIME);
	/* A page that is no module, one that cannot be read, and no address at all. */
	check_refused(process, target.base, NO_RUNTIME);
	check_refused(process, 0x1000, NO_RUNTIME);
	check_refused(process, UINT64_C(0xffff800000000000), NO_RUNTIME);
	check_refused(process, UINT64_MAX - 10, NO_RUNTIME);
	cordbmem_process_free(process);
	target_end(&target);
}

static void other_module_is_no_runtime(void **state)
{
	struct forge_plan plan = { .name = "libother.so", .no_dac_table = true };
	struct forge *f = forge_start(&plan);

	(void)state;
	/* It has a descriptor, as NativeAOT has; but none of CoreCLR's debugger. */
	check_forge(f, NO_RUNTIME);
	forge_end(f);
	plan.no_descriptor = true;
	f = forge_start(&plan);
	check_forge(f, NO_RUNTIME);
	forge_end(f);
}

static void broken_module_is_no_runtime(void **state)
{
	struct forge *f = forge_start(&(struct forge_plan){ .name = "host" });
	static const size_t spoiled[] = {
		0,    /* magic */
		4,    /* class */
		5,    /* byte order */
		18,   /* machine */
		33,   /* where the headers are */
		54,   /* size of a header */
		56,   /* how many */
		57,   /* very many */
		0x40, /* the first PT_LOAD... */
	};

	(void)state;
	for (size_t i = 0; i < COUNT(spoiled); i++) {
		BYTE *byte = f->module + spoiled[i];
		BYTE was = *byte;

		*byte ^= 0x5a;
		if (spoiled[i] == 56)
			*byte = 0;
		if (spoiled[i] == 0x40)
			/* ...is another segment: the addresses are off now. */
			*byte = 7;
		check_forge(f, NO_RUNTIME);
		*byte = was;
	}
	check_found(f);
	/* Without its dynamic section, or with nothing in that. */
	forge_unmap(f, f->module + FORGE_DYNAMIC_AT, 1);
	check_forge(f, NO_RUNTIME);
	forge_end(f);
}

static void module_without_dynamic_entries(void **state)
{
	struct forge *f = forge_start(&(struct forge_plan){ .name = "host" });

	(void)state;
	memset(f->module + FORGE_DYNAMIC_AT, 0, PAGE);
	check_forge(f, NO_RUNTIME);
	forge_end(f);
}

static void runtime_may_be_loaded_later(void **state)
{
	struct forge *f = forge_start(&(struct forge_plan){ .name = "host" });
	struct cordbmem_process *process = open_target(f->target.pid);
	BYTE headers[64];

	(void)state;
	memcpy(headers, f->module, sizeof(headers));
	memset(f->module, 0, sizeof(headers));
	check_refused(process, 0, NO_RUNTIME);
	memcpy(f->module, headers, sizeof(headers));
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, NULL, NULL));
	cordbmem_process_free(process);
	forge_end(f);
}

/* ---- not ready ------------------------------------------------------------ */

static void check_ready_later(struct forge *f, uint64_t *word)
{
	struct cordbmem_process *process = open_target(f->target.pid);
	const uint64_t was = *word;

	*word = 0;
	check_refused(process, 0, NOT_READY);
	check_refused(process, 0, NOT_READY);
	*word = was;
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, NULL, NULL));
	cordbmem_process_free(process);
}

static void globals_that_are_not_there_yet(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_target(f->target.pid);
	uint64_t table[158];
	const size_t size = f->global_count * 8;

	(void)state;
	memcpy(table, f->dac_table, size);
	memset(f->dac_table, 0, size);
	check_refused(process, 0, NOT_READY);
	memcpy(f->dac_table, table, size);
	memcpy(table, f->globals, size);
	memset(f->globals, 0, size + 24);
	check_refused(process, 0, NOT_READY);
	cordbmem_process_free(process);
	forge_end(f);
}

static void debugger_side_in_the_making(void **state)
{
	(void)state;
	for (int version = 9; version <= 11; version++) {
		struct forge *f = forge_start(&(struct forge_plan){ .version = version });

		/* Debugger::Startup, from its last steps to its first. */
		check_ready_later(f, &f->dcb[112 / 8]);
		check_ready_later(f, &f->rc_thread[f->dcb_at]);
		check_ready_later(f, &f->debugger[2]);
		forge_end(f);
	}
}

static void patch_table_in_the_making(void **state)
{
	(void)state;
	for (int version = 9; version <= 11; version++) {
		struct forge *f = forge_start(&(struct forge_plan){ .version = version });

		check_ready_later(f, forge_global(f, FORGE_PATCHES_VALID));
		forge_end(f);
	}
}

static void debugger_in_the_making(void **state)
{
	struct forge *f = forge_start(&(struct forge_plan){ .version = 11 });

	(void)state;
	*forge_global(f, FORGE_DEBUG_INTERFACE) = 0;
	check_ready_later(f, forge_global(f, FORGE_DEBUGGER));
	forge_end(f);
}

/* ---- not known ------------------------------------------------------------ */

static void library_without_its_exports(void **state)
{
	struct forge *f =
		forge_start(&(struct forge_plan){ .no_dac_table = true, .no_descriptor = true });
	struct cordbmem_process *process = open_target(f->target.pid);

	(void)state;
	check_refused(process, 0, UNKNOWN);
	/* Where the name is not looked at, it is just a module. */
	check_refused(process, forge_base(f), NO_RUNTIME);
	cordbmem_process_free(process);
	forge_end(f);
}

static void descriptor_with_half_of_the_types(void **state)
{
	struct forge *f = forge_start(&(struct forge_plan){ .version = 11, .no_dac_table = true });

	(void)state;
	forge_json(f, "{\"types\":{\"Debugger\":{\"RCThread\":16}},"
		      "\"globals\":{\"Debugger\":[[2],\"pointer\"]}}");
	check_forge(f, UNKNOWN);
	forge_json(f, "{\"types\":{\"Debugger\":{\"RCThread\":16},"
		      "\"DebuggerRCThread\":{\"DCB\":120}},\"globals\":{}}");
	check_forge(f, UNKNOWN);
	forge_end(f);
}

static void descriptor_that_leads_nowhere(void **state)
{
	struct forge *f = forge_start(&(struct forge_plan){ .version = 11 });
	struct forge *lone =
		forge_start(&(struct forge_plan){ .version = 11, .no_dac_table = true });

	(void)state;
	lone->debugger[2] = 0x1000;
	check_forge(lone, UNKNOWN);
	forge_end(lone);
	f->dcb[112 / 8] = (uintptr_t)f->code;
	check_forge(f, UNKNOWN);
	forge_end(f);
}

static void control_block_of_another_version(void **state)
{
	struct forge *f = forge_start(NULL);

	(void)state;
	/* All is there and set up, but is not what we know. */
	f->dcb[0] = 9000;
	check_forge(f, UNKNOWN);
	forge_end(f);
}

static void offsets_of_another_version(void **state)
{
	static const struct {
		enum forge_offset which;
		uint64_t value;
	} rows[] = {
		{ FORGE_O_OPCODE_SIZE, 4 },   { FORGE_O_ENTRY_SIZE, 64 },
		{ FORGE_O_ENTRY_SIZE, 1000 }, { FORGE_O_UNMANAGED, 3 },
		{ FORGE_O_ENTRIES, 4096 },    { FORGE_O_ADDRESS, 4096 },
		{ FORGE_O_OPCODE, 176 },
	};

	(void)state;
	for (int version = 10; version <= 11; version++) {
		struct forge *f = forge_start(&(struct forge_plan){ .version = version });

		for (size_t i = 0; i < COUNT(rows); i++) {
			uint64_t was = f->offsets[rows[i].which];

			f->offsets[rows[i].which] = rows[i].value;
			if (rows[i].which == FORGE_O_OPCODE && version == 11)
				f->offsets[rows[i].which] = 200;
			check_forge(f, UNKNOWN);
			f->offsets[rows[i].which] = was;
		}
		check_found(f);
		forge_end(f);
	}
}

/* ---- contradictions ------------------------------------------------------- */

static void published_table_is_not_the_one_of_the_globals(void **state)
{
	struct forge *f = forge_start(NULL);
	BYTE *other = (BYTE *)f->table.header + 2048;

	(void)state;
	memcpy(other, (const void *)f->table.header, sizeof(*f->table.header));
	f->offsets[FORGE_O_PATCHES] = (uintptr_t)other;
	check_forge(f, INCONSISTENT);
	f->offsets[FORGE_O_PATCHES] = (uintptr_t)f->table.header;
	check_found(f);
	*forge_global(f, FORGE_PATCHES) = (uintptr_t)other;
	check_forge(f, INCONSISTENT);
	forge_end(f);
}

static void published_flag_is_not_the_one_of_the_globals(void **state)
{
	struct forge *f = forge_start(NULL);

	(void)state;
	f->offsets[FORGE_O_VALID] += 8;
	check_forge(f, INCONSISTENT);
	forge_end(f);
}

static void published_entry_size_is_not_the_one_of_the_table(void **state)
{
	struct forge *f = forge_start(NULL);

	(void)state;
	f->offsets[FORGE_O_ENTRY_SIZE] = 184;
	check_forge(f, INCONSISTENT);
	f->offsets[FORGE_O_ENTRY_SIZE] = 176;
	f->table.header->entry_size = 184;
	check_forge(f, INCONSISTENT);
	forge_end(f);
}

static void table_is_not_among_the_globals(void **state)
{
	struct forge *f = forge_start(NULL);

	(void)state;
	/* All is published, but no global leads to it any more. */
	*forge_global(f, FORGE_PATCHES) = (uintptr_t)f->code;
	check_forge(f, INCONSISTENT);
	forge_end(f);
}

static void descriptor_says_otherwise(void **state)
{
	static const char *const texts[] = {
		"\"DebuggerPatchTable\":{\"Entries\":16,\"Count\":36}",
		"\"DebuggerPatchTable\":{\"Entries\":8,\"Count\":[32,\"uint32\"]}",
		"\"DebuggerControllerPatch\":{\"Address\":40,\"Opcode\":64}",
		"\"DebuggerControllerPatch\":{\"Address\":48,\"Opcode\":\"0x48\"}",
		"\"DebuggerControllerPatch\":{\"!\":176,\"Address\":48,\"Opcode\":64}",
	};
	struct forge *f = forge_start(&(struct forge_plan){ .version = 11 });

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		char json[512];

		snprintf(json, sizeof(json),
			 "{\"types\":{\"Debugger\":{\"RCThread\":16},"
			 "\"DebuggerRCThread\":{\"DCB\":120},%s},"
			 "\"globals\":{\"Debugger\":[[2],\"pointer\"]}}",
			 texts[i]);
		forge_json(f, json);
		check_forge(f, INCONSISTENT);
	}
	forge_end(f);
}

static void published_table_is_none(void **state)
{
	struct forge *f = forge_start(&(struct forge_plan){ .version = 11, .no_dac_table = true });

	(void)state;
	f->offsets[FORGE_O_PATCHES] = 0x1000;
	check_forge(f, INCONSISTENT);
	f->offsets[FORGE_O_PATCHES] = (uintptr_t)f->table.header;
	f->table.header->count = UINT32_MAX;
	check_forge(f, INCONSISTENT);
	f->table.header->count = 17;
	f->offsets[FORGE_O_VALID] = 0x1000;
	check_forge(f, INCONSISTENT);
	forge_end(f);
}

/* ---- arguments, and processes that end ------------------------------------ */

static void arguments_are_checked(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_target(f->target.pid);
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_breakpoint list[1];
	size_t count;
	int attached;
	char path[8];

	(void)state;
	assert_hr(E_INVALIDARG, cordbmem_process_find_coreclr(NULL, 0, NULL, &error));
	assert_int_equal(CORDBMEM_REASON_ARGUMENT, error.reason);
	runtime.size--;
	assert_hr(E_INVALIDARG, cordbmem_process_find_coreclr(process, 0, &runtime, &error));
	assert_int_equal(CORDBMEM_REASON_ARGUMENT, error.reason);
	runtime.size = 0;
	assert_hr(E_INVALIDARG, cordbmem_process_find_coreclr(process, 0, &runtime, NULL));
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, NULL, NULL));
	assert_hr(E_INVALIDARG, cordbmem_process_debugger_attached(NULL, &attached));
	assert_hr(E_INVALIDARG, cordbmem_process_debugger_attached(process, NULL));
	assert_hr(E_INVALIDARG, cordbmem_process_list_breakpoints(NULL, list, 1, &count));
	assert_hr(E_INVALIDARG, cordbmem_process_list_breakpoints(process, NULL, 1, &count));
	assert_hr(E_INVALIDARG, cordbmem_process_list_breakpoints(process, list, 1, NULL));
	assert_hr(E_INVALIDARG, cordbmem_process_module_path(NULL, 4096, path, 8));
	assert_hr(E_INVALIDARG, cordbmem_process_module_path(process, 4096, NULL, 8));
	assert_hr(E_INVALIDARG, cordbmem_process_module_path(process, 4096, path, 0));

	cordbmem_process_close(process);
	check_refused(process, 0, CORDBG_E_OBJECT_NEUTERED, CORDBMEM_REASON_CLOSED);
	assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_process_debugger_attached(process, NULL));
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  cordbmem_process_list_breakpoints(process, NULL, 1, NULL));
	assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_process_module_path(process, 1, NULL, 0));
	cordbmem_process_free(process);
	forge_end(f);
}

static void end_is_noticed_by_finding(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_target(f->target.pid), *second;

	(void)state;
	second = open_target(f->target.pid);
	target_kill(&f->target);
	check_refused(process, 0, CORDBG_E_PROCESS_TERMINATED, CORDBMEM_REASON_GONE);
	check_refused(process, 0, CORDBG_E_OBJECT_NEUTERED, CORDBMEM_REASON_GONE);
	check_refused(second, forge_base(f), CORDBG_E_PROCESS_TERMINATED, CORDBMEM_REASON_GONE);
	cordbmem_process_free(process);
	cordbmem_process_free(second);
	forge_end(f);
}

enum use { FIND, READ, LIST, PATH, ATTACHED, USES };

static HRESULT use(struct cordbmem_process *process, const struct forge *f, enum use what)
{
	BYTE bytes[8];
	char path[8];
	size_t count;
	int attached;

	switch (what) {
	case FIND:
		return cordbmem_process_find_coreclr(process, 0, NULL, NULL);
	case READ:
		return cordbmem_ReadMemory(process, forge_code(f, 0), 8, bytes, NULL);
	case LIST:
		return cordbmem_process_list_breakpoints(process, NULL, 0, &count);
	case PATH:
		return cordbmem_process_module_path(process, (uintptr_t)f->modules, path, 8);
	default:
		return cordbmem_process_debugger_attached(process, &attached);
	}
}

static void check_end(void (*end)(struct forge *f))
{
	/* Whatever is called notices, once. All but finding look at the process then. */
	for (enum use what = READ; what < USES; what++) {
		struct forge *f = forge_start(NULL);
		struct cordbmem_process *process = open_target(f->target.pid);

		assert_hr(S_OK, use(process, f, FIND));
		forge_set(f, 4);
		end(f);
		assert_hr(CORDBG_E_PROCESS_TERMINATED, use(process, f, what));
		for (enum use later = FIND; later < USES; later++)
			assert_hr(CORDBG_E_OBJECT_NEUTERED, use(process, f, later));
		cordbmem_process_free(process);
		forge_end(f);
	}
}

static void end_by_kill(struct forge *f)
{
	target_kill(&f->target);
}

static void exit_after_finding_is_noticed(void **state)
{
	(void)state;
	check_end(end_by_kill);
}

static void execve_after_finding_is_noticed(void **state)
{
	(void)state;
	check_end(forge_exec);
}

static void execve_before_finding_is_noticed(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_target(f->target.pid);

	(void)state;
	forge_exec(f);
	check_refused(process, 0, CORDBG_E_PROCESS_TERMINATED, CORDBMEM_REASON_GONE);
	cordbmem_process_free(process);
	forge_end(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, forge_end_all)
	const struct CMUnitTest tests[] = {
		TEST(process_without_runtime),
		TEST(other_module_is_no_runtime),
		TEST(broken_module_is_no_runtime),
		TEST(module_without_dynamic_entries),
		TEST(runtime_may_be_loaded_later),
		TEST(globals_that_are_not_there_yet),
		TEST(debugger_side_in_the_making),
		TEST(patch_table_in_the_making),
		TEST(debugger_in_the_making),
		TEST(library_without_its_exports),
		TEST(descriptor_with_half_of_the_types),
		TEST(descriptor_that_leads_nowhere),
		TEST(control_block_of_another_version),
		TEST(offsets_of_another_version),
		TEST(published_table_is_not_the_one_of_the_globals),
		TEST(published_flag_is_not_the_one_of_the_globals),
		TEST(published_entry_size_is_not_the_one_of_the_table),
		TEST(table_is_not_among_the_globals),
		TEST(descriptor_says_otherwise),
		TEST(published_table_is_none),
		TEST(arguments_are_checked),
		TEST(end_is_noticed_by_finding),
		TEST(exit_after_finding_is_noticed),
		TEST(execve_after_finding_is_noticed),
		TEST(execve_before_finding_is_noticed),
	};

	return cmocka_run_group_tests_name("coreclr refusing", tests, NULL, NULL);
}
