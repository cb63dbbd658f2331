// SPDX-License-Identifier: MIT
/*
 * Finding CoreCLR in a process: in which module, by what it publishes, and what is told of it.
 */
#include <pthread.h>
#include <string.h>

#include <cordbmem/coreclr.h>

#include "forge.h"
#include "unit.h"

static void check_found(struct forge *f, uint32_t source)
{
	struct cordbmem_process *process = open_target(f->target.pid);
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	uint32_t index = forge_set(f, 100);
	int attached = 77;
	BYTE bytes[32];

	error.reason = 77;
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, &runtime, &error));
	assert_int_equal(CORDBMEM_REASON_NONE, error.reason);
	assert_int_equal(sizeof(runtime), runtime.size);
	assert_int_equal(source, runtime.source);
	assert_int_equal(forge_base(f), runtime.base);
	assert_int_equal((uintptr_t)f->table.header, runtime.patch_table);
	assert_string_equal(f->path, runtime.path);
	assert_string_equal(f->version, runtime.version);
	if (f->plan.no_dac_table) {
		assert_int_equal(0, runtime.control_flags);
		assert_hr(E_NOTIMPL, cordbmem_process_debugger_attached(process, &attached));
	} else {
		assert_int_equal((uintptr_t)forge_global(f, FORGE_CONTROL_FLAGS),
				 runtime.control_flags);
		assert_hr(S_OK, cordbmem_process_debugger_attached(process, &attached));
		assert_int_equal(1, attached);
	}

	/* Found is only what masks. */
	assert_hr(S_OK,
		  cordbmem_ReadMemory(process, forge_code(f, 96), sizeof(bytes), bytes, NULL));
	assert_memory_equal(f->original + 96, bytes, sizeof(bytes));
	forge_clear(f, index);
	cordbmem_process_free(process);
}

static void check_plan(struct forge_plan plan, uint32_t source)
{
	struct forge *f = forge_start(&plan);

	check_found(f, source);
	forge_end(f);
}

static void every_version_is_found(void **state)
{
	(void)state;
	check_plan((struct forge_plan){ .version = 9 }, CORDBMEM_CORECLR_OFFSETS);
	check_plan((struct forge_plan){ .version = 10 }, CORDBMEM_CORECLR_OFFSETS);
	check_plan((struct forge_plan){ .version = 11 }, CORDBMEM_CORECLR_DESCRIPTOR);
}

static void no_descriptor_is_needed_before_11(void **state)
{
	(void)state;
	check_plan((struct forge_plan){ .version = 9, .no_descriptor = true },
		   CORDBMEM_CORECLR_OFFSETS);
	check_plan((struct forge_plan){ .version = 10, .no_descriptor = true },
		   CORDBMEM_CORECLR_OFFSETS);
}

static void descriptor_suffices(void **state)
{
	(void)state;
	check_plan((struct forge_plan){ .version = 11, .no_dac_table = true },
		   CORDBMEM_CORECLR_DESCRIPTOR);
}

static void descriptor_comes_first_where_both_are(void **state)
{
	(void)state;
	check_plan((struct forge_plan){ .version = 10, .debugger_types = true },
		   CORDBMEM_CORECLR_DESCRIPTOR);
}

static void descriptor_that_is_not_understood_is_none(void **state)
{
	struct forge *f = forge_start(NULL);

	(void)state;
	forge_json(f, "{\"types\":");
	check_found(f, CORDBMEM_CORECLR_OFFSETS);
	forge_json(f, "[1, 2]");
	check_found(f, CORDBMEM_CORECLR_OFFSETS);
	f->descriptor->json = 16;
	check_found(f, CORDBMEM_CORECLR_OFFSETS);
	f->descriptor->magic++;
	check_found(f, CORDBMEM_CORECLR_OFFSETS);
	forge_end(f);
}

static void symbols_are_found_by_either_hash(void **state)
{
	(void)state;
	for (int unrelocated = 0; unrelocated < 2; unrelocated++) {
		for (int sysv = 0; sysv < 2; sysv++) {
			check_plan((struct forge_plan){ .sysv_hash = sysv,
							.unrelocated = unrelocated },
				   CORDBMEM_CORECLR_OFFSETS);
			check_plan((struct forge_plan){ .sysv_hash = sysv,
							.unrelocated = unrelocated,
							.version = 11,
							.link_base = 0x400000 },
				   CORDBMEM_CORECLR_DESCRIPTOR);
		}
	}
}

static void single_file_host_can_have_any_name(void **state)
{
	(void)state;
	check_plan((struct forge_plan){ .name = "my app" }, CORDBMEM_CORECLR_OFFSETS);
	check_plan((struct forge_plan){ .name = "x", .version = 11, .unrelocated = true },
		   CORDBMEM_CORECLR_DESCRIPTOR);
}

static void file_that_is_mapped_to_be_read_is_not_the_module(void **state)
{
	struct forge *f = forge_start(NULL);

	(void)state;
	assert_true(forge_map_again(f) < forge_base(f));
	check_found(f, CORDBMEM_CORECLR_OFFSETS);
	forge_end(f);
}

static void base_can_be_given(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_target(f->target.pid);
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;

	(void)state;
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, forge_base(f), &runtime, NULL));
	assert_int_equal(forge_base(f), runtime.base);
	assert_string_equal("", runtime.path);
	assert_string_equal(f->version, runtime.version);
	cordbmem_process_free(process);
	forge_end(f);
}

static void finding_again_tells_the_same(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_target(f->target.pid);
	struct cordbmem_coreclr first = CORDBMEM_CORECLR_INIT, second = CORDBMEM_CORECLR_INIT;
	struct {
		struct cordbmem_coreclr known;
		uint64_t more;
	} longer = { CORDBMEM_CORECLR_INIT, 77 };

	(void)state;
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, NULL, NULL));
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, &first, NULL));
	/* Nothing is looked for any more, so nothing that is wrong now matters. */
	memset(f->module, 0, PAGE);
	memset(&second.base, 0x77, sizeof(second) - offsetof(struct cordbmem_coreclr, base));
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0x1234, &second, NULL));
	assert_memory_equal(&first, &second, sizeof(first));
	longer.known.size = sizeof(longer);
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, &longer.known, NULL));
	assert_int_equal(sizeof(longer), longer.known.size);
	assert_int_equal(first.patch_table, longer.known.patch_table);
	assert_int_equal(77, longer.more);
	cordbmem_process_free(process);
	forge_end(f);
}

static void long_path_is_cut(void **state)
{
	char name[251];
	struct forge_plan plan = { .name = name };
	struct forge *f;
	struct cordbmem_process *process;
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = 0;
	f = forge_start(&plan);
	process = open_target(f->target.pid);
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, &runtime, NULL));
	assert_int_equal(sizeof(runtime.path) - 1, strlen(runtime.path));
	assert_memory_equal(f->path, runtime.path, sizeof(runtime.path) - 1);
	cordbmem_process_free(process);
	forge_end(f);
}

static void check_version(struct forge *f, const char *version)
{
	struct cordbmem_process *process = open_target(f->target.pid);
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;

	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, &runtime, NULL));
	assert_string_equal(version, runtime.version);
	cordbmem_process_free(process);
}

static void set_mark(struct forge *f, const char *text)
{
	memcpy(f->mark, text, strlen(text) + 1);
}

static void version_is_optional_and_bounded(void **state)
{
	struct forge *f = forge_start(NULL);
	char longest[64];

	(void)state;
	set_mark(f, "@(#)Versio");
	check_version(f, "");
	set_mark(f, "@(#)Version \x1b[31m");
	check_version(f, "");
	set_mark(f, "@(#)Version ");
	memset(f->mark + 12, '7', 200);
	memset(longest, '7', sizeof(longest));
	longest[63] = 0;
	check_version(f, longest);
	forge_end(f);
}

static void version_is_found_at_the_end_of_the_module(void **state)
{
	static const char text[] = "@(#)Version 1.2.3";
	struct forge *f = forge_start(NULL);

	(void)state;
	memset(f->mark, 0, 256);
	memcpy(f->module + (FORGE_MODULE_PAGES - 1) * PAGE - sizeof(text), text, sizeof(text));
	forge_unmap(f, f->module + (FORGE_MODULE_PAGES - 1) * PAGE, 1);
	check_version(f, "1.2.3");
	forge_end(f);
}

struct finder {
	struct cordbmem_process *process;
	pthread_barrier_t *barrier;
	struct cordbmem_coreclr runtime;
	HRESULT hr;
};

static void *find_in_thread(void *context)
{
	struct finder *finder = context;

	pthread_barrier_wait(finder->barrier);
	finder->hr = cordbmem_process_find_coreclr(finder->process, 0, &finder->runtime, NULL);
	return NULL;
}

static void threads_find_the_same(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_target(f->target.pid);
	struct finder finders[4];
	pthread_barrier_t barrier;
	pthread_t threads[4];

	(void)state;
	pthread_barrier_init(&barrier, NULL, 4);
	for (size_t i = 0; i < 4; i++) {
		finders[i] = (struct finder){ process, &barrier, CORDBMEM_CORECLR_INIT, E_FAIL };
		assert_int_equal(0, pthread_create(&threads[i], NULL, find_in_thread, &finders[i]));
	}
	for (size_t i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < 4; i++) {
		assert_hr(S_OK, finders[i].hr);
		assert_memory_equal(&finders[0].runtime, &finders[i].runtime,
				    sizeof(finders[i].runtime));
	}
	pthread_barrier_destroy(&barrier);
	cordbmem_process_free(process);
	forge_end(f);
}

static void attached_follows_the_flags(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_target(f->target.pid);
	const struct {
		uint32_t flags;
		int attached;
	} rows[] = {
		{ 0, 0 },     { FORGE_ATTACHED, 1 }, { FORGE_PENDING, 1 }, { 0x300, 1 },
		{ 0x401, 0 }, { 0x7ff, 1 },	     { 0xfcff, 0 },
	};

	(void)state;
	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, NULL, NULL));
	for (size_t i = 0; i < COUNT(rows); i++) {
		int attached = 77;

		forge_control(f, rows[i].flags);
		assert_hr(S_OK, cordbmem_process_debugger_attached(process, &attached));
		assert_int_equal(rows[i].attached, attached);
	}
	cordbmem_process_free(process);
	forge_end(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_teardown(name, forge_end_all)
	const struct CMUnitTest tests[] = {
		TEST(every_version_is_found),
		TEST(no_descriptor_is_needed_before_11),
		TEST(descriptor_suffices),
		TEST(descriptor_comes_first_where_both_are),
		TEST(descriptor_that_is_not_understood_is_none),
		TEST(symbols_are_found_by_either_hash),
		TEST(single_file_host_can_have_any_name),
		TEST(file_that_is_mapped_to_be_read_is_not_the_module),
		TEST(base_can_be_given),
		TEST(finding_again_tells_the_same),
		TEST(long_path_is_cut),
		TEST(version_is_optional_and_bounded),
		TEST(version_is_found_at_the_end_of_the_module),
		TEST(threads_find_the_same),
		TEST(attached_follows_the_flags),
	};

	return cmocka_run_group_tests_name("coreclr", tests, NULL, NULL);
}
