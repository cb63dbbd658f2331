// SPDX-License-Identifier: MIT
/*
 * ICorDebugProcess and ICorDebugProcess2 of the COM object, by slot numbers.
 */
#include "com_raw.h"
#include "conformance.h"
#include "unit.h"

/* Slots of ICorDebugController and ICorDebugProcess. */
enum {
	IS_RUNNING = 5,
	HAS_QUEUED_CALLBACKS = 6,
	DETACH = 9,
	TERMINATE = 10,
	GET_ID = 13,
	READ_MEMORY = 21,
};

typedef HRESULT queued_function(void *self, void *thread, DWORD *queued);

static const struct cannot process_cannot[] = {
	{ 3, 0 },	  /* Stop */
	{ 4, 0 },	  /* Continue */
	{ 7, 1 },	  /* EnumerateThreads */
	{ 8, 0 },	  /* SetAllThreadsDebugState */
	{ TERMINATE, 0 }, /* must not */
	{ 11, 3 },	  /* CanCommitChanges */
	{ 12, 3 },	  /* CommitChanges */
	{ 14, 1 },	  /* GetHandle */
	{ 15, 2 },	  /* GetThread */
	{ 16, 1 },	  /* EnumerateObjects */
	{ 17, 0 },	  /* IsTransitionStub */
	{ 18, 0 },	  /* IsOSSuspended */
	{ 19, 0 },	  /* GetThreadContext */
	{ 20, 0 },	  /* SetThreadContext */
	{ 22, 0 },	  /* WriteMemory */
	{ 23, 0 },	  /* ClearCurrentException */
	{ 24, 0 },	  /* EnableLogMessages */
	{ 25, 0 },	  /* ModifyLogSwitch */
	{ 26, 1 },	  /* EnumerateAppDomains */
	{ 27, 1 },	  /* GetObject */
	{ 28, 2 },	  /* ThreadForFiberCookie */
	{ 29, 0 },	  /* GetHelperThreadID */
};

static const struct cannot process2_cannot[] = {
	{ 3, 2 }, /* GetThreadForTaskID */
	{ 4, 0 }, /* GetVersion */
	{ 5, 0 }, /* SetUnmanagedBreakpoint */
	{ 6, 0 }, /* ClearUnmanagedBreakpoint */
	{ 7, 0 }, /* SetDesiredNGENCompilerFlags */
	{ 8, 0 }, /* GetDesiredNGENCompilerFlags */
	{ 9, 2 }, /* GetReferenceValueFromGCHandle */
};

static void what_a_reader_cannot_is_not_implemented(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *handle;
	void *p = raw_open(&t, PROCESS, &handle), *p2 = raw_query(p, PROCESS2);

	(void)state;
	raw_cannot(p, process_cannot, COUNT(process_cannot), E_NOTIMPL);
	raw_cannot(p2, process2_cannot, COUNT(process2_cannot), E_NOTIMPL);
	/* Terminate was among them. */
	assert_int_equal(1, cordbmem_process_is_alive(handle));
	raw_release(p2);
	assert_int_equal(0, raw_release(p));
	target_end(&t);
}

static void process_tells_what_it_knows(void **state)
{
	struct target t = target_start(1);
	void *p = raw_open(&t, PROCESS, NULL);
	DWORD value = 7;

	(void)state;
	assert_hr(S_OK, SLOT(p, GET_ID, number_function)(p, &value));
	assert_int_equal(t.pid, value);
	assert_hr(S_OK, SLOT(p, IS_RUNNING, number_function)(p, &value));
	assert_int_equal(1, value);
	assert_hr(S_OK, SLOT(p, HAS_QUEUED_CALLBACKS, queued_function)(p, NULL, &value));
	assert_int_equal(0, value);
	assert_hr(E_INVALIDARG, SLOT(p, GET_ID, number_function)(p, NULL));
	assert_hr(E_INVALIDARG, SLOT(p, IS_RUNNING, number_function)(p, NULL));
	assert_hr(E_INVALIDARG, SLOT(p, HAS_QUEUED_CALLBACKS, queued_function)(p, NULL, NULL));
	assert_int_equal(0, raw_release(p));
	target_end(&t);
}

/* Nothing works but what needs no process; nothing is written. */
static void check_neutered(void *p, pid_t pid)
{
	void *p2 = raw_query(p, PROCESS2);
	DWORD value = 7;
	SIZE_T got = 7;
	BYTE byte = 7;

	raw_cannot(p, process_cannot, COUNT(process_cannot), CORDBG_E_OBJECT_NEUTERED);
	raw_cannot(p2, process2_cannot, COUNT(process2_cannot), CORDBG_E_OBJECT_NEUTERED);
	assert_hr(CORDBG_E_OBJECT_NEUTERED, SLOT(p, IS_RUNNING, number_function)(p, &value));
	assert_hr(CORDBG_E_OBJECT_NEUTERED, SLOT(p, IS_RUNNING, number_function)(p, NULL));
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  SLOT(p, HAS_QUEUED_CALLBACKS, queued_function)(p, NULL, &value));
	assert_hr(CORDBG_E_OBJECT_NEUTERED, SLOT(p, DETACH, plain_function)(p));
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  SLOT(p, READ_MEMORY, read_memory_function)(p, 8, 1, &byte, &got));
	assert_int_equal(7, value);
	assert_int_equal(7, got);
	assert_int_equal(7, byte);
	assert_hr(S_OK, SLOT(p, GET_ID, number_function)(p, &value));
	assert_int_equal(pid, value);
	raw_release(p2);
}

static void detach_neuters_and_lets_go(void **state)
{
	struct target t = target_start(1);
	int before = raw_open_fds();
	struct cordbmem_process *handle;
	void *p = raw_open(&t, CONTROLLER, &handle);

	(void)state;
	assert_hr(S_OK, SLOT(p, DETACH, plain_function)(p));
	check_neutered(p, t.pid);
	assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_process_close(handle));
	assert_int_equal(0, raw_release(p));
	assert_int_equal(before, raw_open_fds());
	/* The target did not notice. */
	handle = open_target(t.pid);
	assert_int_equal(1, cordbmem_process_is_alive(handle));
	cordbmem_process_free(handle);
	target_end(&t);
}

static void closing_the_handle_neuters_the_object(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *handle;
	void *p = raw_open(&t, PROCESS, &handle);

	(void)state;
	assert_hr(S_OK, cordbmem_process_close(handle));
	check_neutered(p, t.pid);
	assert_int_equal(0, raw_release(p));
	target_end(&t);
}

static void exit_is_told_once(void **state)
{
	static const int noticing[] = { IS_RUNNING, DETACH, READ_MEMORY };

	(void)state;
	for (size_t i = 0; i < COUNT(noticing); i++) {
		struct target t = target_start(1);
		void *p = raw_open(&t, PROCESS, NULL);
		DWORD value = 7;
		SIZE_T got = 7;
		BYTE byte;
		HRESULT hr;

		target_kill(&t);
		if (noticing[i] == IS_RUNNING)
			hr = SLOT(p, IS_RUNNING, number_function)(p, &value);
		else if (noticing[i] == DETACH)
			hr = SLOT(p, DETACH, plain_function)(p);
		else
			hr = SLOT(p, READ_MEMORY, read_memory_function)(p, t.base, 1, &byte, &got);
		assert_hr(CORDBG_E_PROCESS_TERMINATED, hr);
		assert_int_equal(7, value);
		assert_int_equal(noticing[i] == READ_MEMORY ? 0 : 7, got);
		check_neutered(p, t.pid);
		assert_int_equal(0, raw_release(p));
		target_end(&t);
	}
}

/* ---- ReadMemory to the letter ------------------------------------------ */

/* The objects that conformance.c's handles became; it has two at a time. */
static struct {
	struct cordbmem_process *handle;
	void *object;
} known[2];

static void *object_of(struct cordbmem_process *handle)
{
	size_t i;

	for (i = 0; i < COUNT(known); i++) {
		if (known[i].handle == handle)
			return known[i].object;
	}
	for (i = 0; i < COUNT(known) - 1 && known[i].handle; i++)
		;
	assert_null(known[i].handle);
	known[i].handle = handle;
	assert_hr(S_OK, cordbmem_com_create(handle, &iids[PROCESS], &known[i].object));
	return known[i].object;
}

static HRESULT read_through_object(struct cordbmem_process *handle, CORDB_ADDRESS address,
				   DWORD size, BYTE *buffer, SIZE_T *read)
{
	void *p = object_of(handle);

	return SLOT(p, READ_MEMORY, read_memory_function)(p, address, size, buffer, read);
}

static void free_object(struct cordbmem_process *handle)
{
	assert_int_equal(0, raw_release(object_of(handle)));
	for (size_t i = 0; i < COUNT(known); i++) {
		if (known[i].handle == handle)
			known[i].handle = NULL;
	}
}

static void report(void *context, const char *row, bool passed, const char *detail)
{
	int *failures = context;

	if (!passed) {
		print_error("%s: %s\n", row, detail);
		(*failures)++;
	}
}

static void read_memory_conforms(void **state)
{
	static const struct conformance_way way = { read_through_object, free_object };
	const struct cordbmem_options options = test_options();
	int failures = 0, rows;

	(void)state;
	rows = conformance_run_way(&options, &way, report, &failures);
	assert_true(rows > 100);
	assert_int_equal(0, failures);
}

static void registered_patches_are_hidden(void **state)
{
	static const BYTE original[] = { 0x55 };
	struct target t = target_start(1);
	struct cordbmem_process *handle;
	void *p = raw_open(&t, PROCESS, &handle);
	BYTE byte = 0;

	(void)state;
	t.memory[100] = 0xcc;
	assert_hr(S_OK, cordbmem_process_add_patch(handle, t.base + 100, original, 1, NULL));
	assert_hr(S_OK,
		  SLOT(p, READ_MEMORY, read_memory_function)(p, t.base + 100, 1, &byte, NULL));
	assert_int_equal(0x55, byte);
	assert_int_equal(0, raw_release(p));
	target_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_reader_cannot_is_not_implemented),
		cmocka_unit_test(process_tells_what_it_knows),
		cmocka_unit_test(detach_neuters_and_lets_go),
		cmocka_unit_test(closing_the_handle_neuters_the_object),
		cmocka_unit_test(exit_is_told_once),
		cmocka_unit_test(read_memory_conforms),
		cmocka_unit_test(registered_patches_are_hidden),
	};

	return cmocka_run_group_tests_name("com process", tests, NULL, NULL);
}
