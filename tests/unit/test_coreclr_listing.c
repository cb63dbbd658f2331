// SPDX-License-Identifier: MIT
/*
 * Listing the breakpoints that CoreCLR has set, and naming the files of its modules.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <cordbmem/coreclr.h>

#include "forge.h"
#include "unit.h"

struct fixture {
	struct forge *forge;
	struct cordbmem_process *process;
};

static int setup_plan(void **state, const struct forge_plan *plan)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->forge = forge_start(plan);
	f->process = open_target(f->forge->target.pid);
	assert_hr(S_OK, cordbmem_process_find_coreclr(f->process, 0, NULL, NULL));
	*state = f;
	return 0;
}

static int setup(void **state)
{
	return setup_plan(state, NULL);
}

static int setup_roomy(void **state)
{
	return setup_plan(state, &(struct forge_plan){ .patches = 5000 });
}

static int setup_11(void **state)
{
	return setup_plan(state, &(struct forge_plan){ .version = 11 });
}

static int setup_without_descriptor(void **state)
{
	return setup_plan(state, &(struct forge_plan){ .no_descriptor = true });
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	cordbmem_process_free(f->process);
	forge_end_all(state);
	free(f);
	return 0;
}

static size_t count_of(struct fixture *f)
{
	size_t count = 77;

	assert_hr(S_OK, cordbmem_process_list_breakpoints(f->process, NULL, 0, &count));
	return count;
}

/* ---- the list --------------------------------------------------------------- */

static void nothing_is_set(void **state)
{
	struct fixture *f = *state;
	struct cordbmem_breakpoint list[1];
	size_t count = 77;

	assert_hr(S_OK, cordbmem_process_list_breakpoints(f->process, list, 1, &count));
	assert_int_equal(0, count);
	forge_clear(f->forge, forge_set(f->forge, 10));
	assert_int_equal(0, count_of(f));
}

static void every_member_is_filled(void **state)
{
	struct fixture *f = *state;
	struct forge *forge = f->forge;
	struct cordbmem_breakpoint list[4];
	uint32_t index = forge_set(forge, 10);
	const bool kinds = forge->plan.version < 11;
	size_t count = 0;

	memset(list, 0x5a, sizeof(list));
	assert_hr(S_OK, cordbmem_process_list_breakpoints(f->process, list, 4, &count));
	assert_int_equal(1, count);
	assert_int_equal(forge_code(forge, 10), list[0].address);
	assert_int_equal((uintptr_t)forge->modules, list[0].module);
	assert_int_equal(0x06000000 | (index + 1), list[0].method);
	assert_int_equal(kinds ? CORDBMEM_BREAKPOINT_IL_REPLICA : CORDBMEM_BREAKPOINT_UNKNOWN,
			 list[0].kind);
	assert_int_equal(forge->original[10], list[0].original);
	assert_int_equal(FORGE_TRAP, list[0].in_memory);
	for (size_t i = 0; i < sizeof(list[0].reserved); i++)
		assert_int_equal(0, list[0].reserved[i]);
	/* And nothing else. */
	for (size_t i = sizeof(list[0]); i < sizeof(list); i++)
		assert_int_equal(0x5a, ((BYTE *)list)[i]);
}

static void kinds_are_told_apart(void **state)
{
	struct fixture *f = *state;
	static const struct {
		uint32_t in_table;
		enum cordbmem_breakpoint_kind kind;
	} rows[] = {
		{ 0, CORDBMEM_BREAKPOINT_IL_PRIMARY },
		{ 1, CORDBMEM_BREAKPOINT_IL_REPLICA },
		{ 2, CORDBMEM_BREAKPOINT_NATIVE_MANAGED },
		{ 3, CORDBMEM_BREAKPOINT_NATIVE_UNMANAGED },
		{ 4, CORDBMEM_BREAKPOINT_UNKNOWN },
		{ 0x7fffffff, CORDBMEM_BREAKPOINT_UNKNOWN },
		{ 0xffffffff, CORDBMEM_BREAKPOINT_UNKNOWN },
	};
	volatile struct forge_entry *entry =
		forge_table_entry(&f->forge->table, forge_set(f->forge, 10));

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct cordbmem_breakpoint one;
		size_t count;

		entry->kind = rows[i].in_table;
		assert_hr(S_OK, cordbmem_process_list_breakpoints(f->process, &one, 1, &count));
		assert_int_equal(rows[i].kind, one.kind);
	}
}

static void patches_without_a_method(void **state)
{
	struct fixture *f = *state;
	struct cordbmem_breakpoint one;
	size_t count;

	/* Patches in the runtime's own code have no key; what is there is something else. */
	forge_table_entry(&f->forge->table, forge_set(f->forge, 10))->method = 0x12345678;
	assert_hr(S_OK, cordbmem_process_list_breakpoints(f->process, &one, 1, &count));
	assert_int_equal(1, count);
	assert_int_equal(0, one.module);
	assert_int_equal(0, one.method);
	assert_int_equal(forge_code(f->forge, 10), one.address);
}

static void patches_without_an_address_are_left_out(void **state)
{
	struct fixture *f = *state;
	uint32_t index = forge_table_add(&f->forge->table, 12345);

	forge_table_entry(&f->forge->table, index)->address = 0;
	forge_table_entry(&f->forge->table, index)->opcode = 0x55;
	assert_int_equal(0, count_of(f));
	forge_set(f->forge, 10);
	assert_int_equal(1, count_of(f));
}

static void list_is_sorted_and_unique(void **state)
{
	struct fixture *f = *state;
	struct cordbmem_breakpoint list[200];
	size_t count;

	for (size_t i = 0; i < 100; i++)
		forge_set(f->forge, i * 7919 % 100 * 5);
	for (size_t i = 0; i < 100; i += 3)
		forge_set(f->forge, i * 5);
	assert_hr(S_OK, cordbmem_process_list_breakpoints(f->process, list, 200, &count));
	assert_int_equal(100, count);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(forge_code(f->forge, i * 5), list[i].address);
		assert_int_equal(f->forge->original[i * 5], list[i].original);
		assert_int_equal(FORGE_TRAP, list[i].in_memory);
	}
}

static void small_list_is_filled_from_the_front(void **state)
{
	struct fixture *f = *state;
	struct cordbmem_breakpoint list[9];
	size_t count;

	for (size_t i = 0; i < 30; i++)
		forge_set(f->forge, 300 - i * 10);
	for (size_t capacity = 0; capacity < 8; capacity++) {
		memset(list, 0x5a, sizeof(list));
		assert_hr(S_OK,
			  cordbmem_process_list_breakpoints(f->process, list, capacity, &count));
		assert_int_equal(30, count);
		for (size_t i = 0; i < capacity; i++)
			assert_int_equal(forge_code(f->forge, 10 + i * 10), list[i].address);
		for (size_t i = capacity * sizeof(list[0]); i < sizeof(list); i++)
			assert_int_equal(0x5a, ((BYTE *)list)[i]);
	}
}

static void byte_in_memory_is_told(void **state)
{
	struct fixture *f = *state;
	struct cordbmem_breakpoint list[2];
	size_t count;

	forge_set(f->forge, 10);
	forge_set(f->forge, PAGE + 10);
	f->forge->code[10] = 0x42;
	forge_unmap(f->forge, f->forge->code + PAGE, 1);
	assert_hr(S_OK, cordbmem_process_list_breakpoints(f->process, list, 2, &count));
	assert_int_equal(2, count);
	assert_int_equal(0x42, list[0].in_memory);
	assert_int_equal(f->forge->original[10], list[0].original);
	assert_int_equal(forge_code(f->forge, PAGE + 10), list[1].address);
}

static void detached_debugger_does_not_matter(void **state)
{
	struct fixture *f = *state;

	forge_set(f->forge, 10);
	forge_control(f->forge, 0);
	assert_int_equal(1, count_of(f));
}

static void table_that_cannot_be_one(void **state)
{
	struct fixture *f = *state;
	volatile struct forge_header *header = f->forge->table.header;
	const uint64_t entries = header->entries;
	size_t count = 77;

	header->count = 1 << 30;
	assert_hr(CORDBG_E_TARGET_INCONSISTENT,
		  cordbmem_process_list_breakpoints(f->process, NULL, 0, &count));
	header->count = 17;
	header->entries = 0;
	assert_hr(CORDBG_E_TARGET_INCONSISTENT,
		  cordbmem_process_list_breakpoints(f->process, NULL, 0, &count));
	header->entries = 0x1000;
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_process_list_breakpoints(f->process, NULL, 0, &count));
	header->entries = entries;
	forge_unmap(f->forge, (const void *)entries, 1);
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_process_list_breakpoints(f->process, NULL, 0, &count));
	forge_unmap(f->forge, (const void *)header, 1);
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_process_list_breakpoints(f->process, NULL, 0, &count));
	assert_int_equal(77, count);
}

struct mover {
	struct forge *forge;
	_Atomic(bool) stop;
};

static void *move_on(void *context)
{
	struct mover *mover = context;

	while (!mover->stop) {
		forge_table_move(&mover->forge->table);
		usleep(200);
	}
	return NULL;
}

static void list_is_whole_while_the_table_moves(void **state)
{
	struct fixture *f = *state;
	struct mover mover = { .forge = f->forge };
	struct cordbmem_breakpoint list[80];
	unsigned int listed = 0;
	pthread_t thread;

	for (size_t i = 0; i < 60; i++)
		forge_set(f->forge, i * 3);
	assert_int_equal(0, pthread_create(&thread, NULL, move_on, &mover));
	for (int round = 0; round < 500; round++) {
		size_t count = 0;
		HRESULT hr = cordbmem_process_list_breakpoints(f->process, list, 80, &count);

		if (hr == CORDBMEM_E_RETRY)
			continue;
		assert_hr(S_OK, hr);
		assert_int_equal(60, count);
		for (size_t i = 0; i < 60; i++) {
			assert_int_equal(forge_code(f->forge, i * 3), list[i].address);
			assert_int_equal(f->forge->original[i * 3], list[i].original);
		}
		listed++;
	}
	mover.stop = true;
	pthread_join(thread, NULL);
	assert_true(listed > 100);
}

/* ---- modules ------------------------------------------------------------------ */

static void check_path(struct fixture *f, size_t capacity, HRESULT hr, const char *wanted)
{
	char path[256];

	memset(path, 0x5a, sizeof(path));
	assert_hr(hr, cordbmem_process_module_path(f->process, (uintptr_t)f->forge->modules, path,
						   capacity));
	assert_string_equal(wanted, path);
	assert_int_equal(0x5a, path[capacity]);
}

#define SET_PATH(f, units) memcpy((f)->forge->paths, units, sizeof(units))

static void path_of_a_module(void **state)
{
	struct fixture *f = *state;
	struct cordbmem_breakpoint one;
	char path[64];
	size_t count;

	f->forge->table.module = (uintptr_t)(f->forge->modules + 16);
	forge_set(f->forge, 10);
	assert_hr(S_OK, cordbmem_process_list_breakpoints(f->process, &one, 1, &count));
	assert_hr(S_OK, cordbmem_process_module_path(f->process, one.module, path, sizeof(path)));
	assert_string_equal("/app/Library.dll", path);
	check_path(f, 200, S_OK, "/app/Program.dll");
}

static void path_in_any_script(void **state)
{
	struct fixture *f = *state;
	static const uint16_t halves[] = { 'a', 0xde00, 0xd83d, 'b', 0xd83d, 0 };

	SET_PATH(f, u"/süß/\u4e2d\U0001f600.dll");
	check_path(f, 200, S_OK, "/s\xc3\xbc\xc3\x9f/\xe4\xb8\xad\xf0\x9f\x98\x80.dll");
	/* Halves of pairs, the wrong way round, and at the end. */
	SET_PATH(f, halves);
	check_path(f, 200, S_OK,
		   "a\xef\xbf\xbd\xef\xbf\xbd"
		   "b\xef\xbf\xbd");
}

static void path_is_cut_between_characters(void **state)
{
	struct fixture *f = *state;

	SET_PATH(f, u"a\u00fc\u4e2d\U0001f600z");
	check_path(f, 12, S_OK, "a\xc3\xbc\xe4\xb8\xad\xf0\x9f\x98\x80z");
	check_path(f, 11, CORDBMEM_E_MORE_DATA, "a\xc3\xbc\xe4\xb8\xad\xf0\x9f\x98\x80");
	check_path(f, 10, CORDBMEM_E_MORE_DATA, "a\xc3\xbc\xe4\xb8\xad");
	check_path(f, 7, CORDBMEM_E_MORE_DATA, "a\xc3\xbc\xe4\xb8\xad");
	check_path(f, 6, CORDBMEM_E_MORE_DATA, "a\xc3\xbc");
	check_path(f, 4, CORDBMEM_E_MORE_DATA, "a\xc3\xbc");
	check_path(f, 3, CORDBMEM_E_MORE_DATA, "a");
	check_path(f, 1, CORDBMEM_E_MORE_DATA, "");
}

static void module_without_a_file(void **state)
{
	struct fixture *f = *state;

	SET_PATH(f, u"");
	check_path(f, 10, S_OK, "");
	f->forge->modules[5] = 0;
	check_path(f, 10, S_OK, "");
}

/* "as cordbmem_read_string16", and "always terminated". */
static void path_that_cannot_be_read(void **state)
{
	struct fixture *f = *state;
	uint16_t *end = f->forge->paths + PAGE / 2 - 3;
	char path[8];

	f->forge->modules[5] = 0x1000;
	check_path(f, 10, CORDBG_E_READVIRTUAL_FAILURE, "");
	memset(path, 0x5a, sizeof(path));
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_process_module_path(f->process, 0x1000, path, sizeof(path)));
	assert_int_equal(0, path[0]);
	assert_hr(CORDBG_E_READVIRTUAL_FAILURE,
		  cordbmem_process_module_path(f->process, UINT64_MAX - 8, path, sizeof(path)));

	/* No end before a hole: what stands before that is the path. */
	forge_unmap(f->forge, f->forge->table.header, 1);
	assert_int_equal((uintptr_t)f->forge->paths + PAGE, (uintptr_t)f->forge->table.header);
	memcpy(end, u"/ab", 6);
	f->forge->modules[5] = (uintptr_t)end;
	check_path(f, 10, CORDBMEM_E_PARTIAL_COPY, "/ab");
}

static void path_without_an_end(void **state)
{
	struct fixture *f = *state;
	const size_t size = 16384;
	char *path = malloc(size);

	/* Of code there is more than a path can be long. */
	f->forge->modules[5] = forge_code(f->forge, 0);
	assert_hr(CORDBMEM_E_MORE_DATA,
		  cordbmem_process_module_path(f->process, (uintptr_t)f->forge->modules, path,
					       size));
	assert_true(strlen(path) > 4000 && strlen(path) < size);
	free(path);
}

static void path_is_not_known_everywhere(void **state)
{
	struct fixture *f = *state;
	char path[8] = "";

	assert_hr(E_NOTIMPL,
		  cordbmem_process_module_path(f->process, (uintptr_t)f->forge->modules, path, 8));
}

int main(void)
{
#define TEST_IN(name, setup) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST(name) TEST_IN(name, setup)
	const struct CMUnitTest tests[] = {
		TEST(nothing_is_set),
		TEST(every_member_is_filled),
		TEST_IN(every_member_is_filled, setup_11),
		TEST(kinds_are_told_apart),
		TEST(patches_without_a_method),
		TEST(patches_without_an_address_are_left_out),
		TEST(list_is_sorted_and_unique),
		TEST_IN(list_is_sorted_and_unique, setup_11),
		TEST(small_list_is_filled_from_the_front),
		TEST(byte_in_memory_is_told),
		TEST(detached_debugger_does_not_matter),
		TEST(table_that_cannot_be_one),
		TEST_IN(list_is_whole_while_the_table_moves, setup_roomy),
		TEST(path_of_a_module),
		TEST_IN(path_of_a_module, setup_11),
		TEST(path_in_any_script),
		TEST(path_is_cut_between_characters),
		TEST(module_without_a_file),
		TEST(path_that_cannot_be_read),
		TEST(path_without_an_end),
		TEST_IN(path_is_not_known_everywhere, setup_without_descriptor),
	};

	return cmocka_run_group_tests_name("coreclr listing", tests, NULL, NULL);
}
