// SPDX-License-Identifier: MIT
/*
 * The COM object: its layout, its identity, its references. Slots and IIDs are the published
 * numbers, so that a mistake in com.h is not repeated here.
 */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "com_client.h"
#include "com_raw.h"
#include "unit.h"

#define READ_MEMORY 21

/* ---- layout ------------------------------------------------------------ */

static void members_of_com_h_are_the_published_slots(void **state)
{
#define AT(interface, member) (offsetof(struct cordbmem_##interface##_vtable, member) / 8)
	const size_t slots[][2] = {
		{ 0, AT(iunknown, QueryInterface) },
		{ 1, AT(iunknown, AddRef) },
		{ 2, AT(iunknown, Release) },
		{ 3, AT(icordebugcontroller, Stop) },
		{ 5, AT(icordebugcontroller, IsRunning) },
		{ 9, AT(icordebugcontroller, Detach) },
		{ 10, AT(icordebugcontroller, Terminate) },
		{ 12, AT(icordebugcontroller, CommitChanges) },
		{ 4, AT(icordebugprocess, Continue) },
		{ 6, AT(icordebugprocess, HasQueuedCallbacks) },
		{ 7, AT(icordebugprocess, EnumerateThreads) },
		{ 8, AT(icordebugprocess, SetAllThreadsDebugState) },
		{ 11, AT(icordebugprocess, CanCommitChanges) },
		{ 13, AT(icordebugprocess, GetID) },
		{ 14, AT(icordebugprocess, GetHandle) },
		{ 15, AT(icordebugprocess, GetThread) },
		{ 16, AT(icordebugprocess, EnumerateObjects) },
		{ 17, AT(icordebugprocess, IsTransitionStub) },
		{ 18, AT(icordebugprocess, IsOSSuspended) },
		{ 19, AT(icordebugprocess, GetThreadContext) },
		{ 20, AT(icordebugprocess, SetThreadContext) },
		{ 21, AT(icordebugprocess, ReadMemory) },
		{ 22, AT(icordebugprocess, WriteMemory) },
		{ 23, AT(icordebugprocess, ClearCurrentException) },
		{ 24, AT(icordebugprocess, EnableLogMessages) },
		{ 25, AT(icordebugprocess, ModifyLogSwitch) },
		{ 26, AT(icordebugprocess, EnumerateAppDomains) },
		{ 27, AT(icordebugprocess, GetObject) },
		{ 28, AT(icordebugprocess, ThreadForFiberCookie) },
		{ 29, AT(icordebugprocess, GetHelperThreadID) },
		{ 3, AT(icordebugprocess2, GetThreadForTaskID) },
		{ 4, AT(icordebugprocess2, GetVersion) },
		{ 5, AT(icordebugprocess2, SetUnmanagedBreakpoint) },
		{ 6, AT(icordebugprocess2, ClearUnmanagedBreakpoint) },
		{ 7, AT(icordebugprocess2, SetDesiredNGENCompilerFlags) },
		{ 8, AT(icordebugprocess2, GetDesiredNGENCompilerFlags) },
		{ 9, AT(icordebugprocess2, GetReferenceValueFromGCHandle) },
		{ 3, AT(icordebugdatatarget, GetPlatform) },
		{ 4, AT(icordebugdatatarget, ReadVirtual) },
		{ 5, AT(icordebugdatatarget, GetThreadContext) },
		{ 3, AT(iclrdatatarget, GetMachineType) },
		{ 4, AT(iclrdatatarget, GetPointerSize) },
		{ 5, AT(iclrdatatarget, GetImageBase) },
		{ 6, AT(iclrdatatarget, ReadVirtual) },
		{ 7, AT(iclrdatatarget, WriteVirtual) },
		{ 8, AT(iclrdatatarget, GetTLSValue) },
		{ 9, AT(iclrdatatarget, SetTLSValue) },
		{ 10, AT(iclrdatatarget, GetCurrentThreadID) },
		{ 11, AT(iclrdatatarget, GetThreadContext) },
		{ 12, AT(iclrdatatarget, SetThreadContext) },
		{ 13, AT(iclrdatatarget, Request) },
		{ 3, AT(iclrruntimelocator, GetRuntimeBase) },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(slots); i++)
		assert_int_equal(slots[i][0], slots[i][1]);
}

/* ---- identity ---------------------------------------------------------- */

/* As their text is published: 3d6f5f64-7538-11d3-8d5b-00104b35e7ef. */
static void iids_are_the_published_ones(void **state)
{
	static const char *const texts[IIDS] = {
		[UNKNOWN] = "00000000-0000-0000-c000-000000000046",
		[CONTROLLER] = "3d6f5f62-7538-11d3-8d5b-00104b35e7ef",
		[PROCESS] = "3d6f5f64-7538-11d3-8d5b-00104b35e7ef",
		[PROCESS2] = "ad1b3588-0ef0-4744-a496-aa09a9f80371",
		[DATA_TARGET] = "fe06dc28-49fb-4636-a4a3-e80db4ae116c",
		[CLR_TARGET] = "3e11ccee-d08b-43e5-af01-32717a64da03",
		[LOCATOR] = "b760bf44-9377-4597-8be7-58083bdc5146",
	};

	(void)state;
	for (int i = 0; i < IIDS; i++) {
		const struct cordbmem_guid *g = &iids[i];
		char text[40];

		snprintf(text, sizeof(text), "%08x-%04x-%04x-%02x%02x-%02x%02x%02x%02x%02x%02x",
			 g->data1, g->data2, g->data3, g->data4[0], g->data4[1], g->data4[2],
			 g->data4[3], g->data4[4], g->data4[5], g->data4[6], g->data4[7]);
		assert_string_equal(texts[i], text);
	}
}

static void every_interface_leads_to_every_other(void **state)
{
	struct target t = target_start(1);
	void *faces[IIDS];

	(void)state;
	faces[0] = raw_open(&t, UNKNOWN, NULL);
	for (int i = 1; i < IIDS; i++)
		faces[i] = raw_query(faces[0], (enum iid)i);

	/* Reflexive, symmetric and transitive, and always the same pointers. */
	for (int from = 0; from < IIDS; from++) {
		for (int to = 0; to < IIDS; to++) {
			void *face = raw_query(faces[from], (enum iid)to);

			assert_ptr_equal(faces[to], face);
			raw_release(face);
		}
	}
	/* A base's table begins its derived one's. */
	assert_ptr_equal(faces[PROCESS], faces[CONTROLLER]);
	for (int i = IIDS - 1; i > 0; i--)
		assert_int_equal(i, raw_release(faces[i]));
	assert_int_equal(0, raw_release(faces[0]));
	target_end(&t);
}

static void two_objects_are_two(void **state)
{
	struct target t = target_start(1);
	void *a = raw_open(&t, UNKNOWN, NULL), *b = raw_open(&t, UNKNOWN, NULL);

	(void)state;
	assert_ptr_not_equal(a, b);
	assert_int_equal(0, raw_release(a));
	assert_int_equal(0, raw_release(b));
	target_end(&t);
}

static void other_interfaces_are_refused(void **state)
{
	/* ICorDebugMutableDataTarget, ICLRDataTarget2, ICorDebug, and nothing. */
	static const struct cordbmem_guid others[] = {
		{ 0xa1b8a756, 0x3cb6, 0x4ccb, { 0x97, 0x9f, 0x3d, 0xf9, 0x99, 0x67, 0x3a, 0x59 } },
		{ 0x6d05fae3, 0x189c, 0x4630, { 0xa6, 0xdc, 0x1c, 0x25, 0x1e, 0x1c, 0x01, 0xab } },
		{ 0x3d6f5f61, 0x7538, 0x11d3, { 0x8d, 0x5b, 0x00, 0x10, 0x4b, 0x35, 0xe7, 0xef } },
		{ 0, 0, 0, { 0 } },
	};
	struct target t = target_start(1);
	void *self = raw_open(&t, DATA_TARGET, NULL), *out;
	query_function *query = SLOT(self, 0, query_function);

	(void)state;
	for (size_t i = 0; i < COUNT(others); i++) {
		out = &t;
		assert_hr(E_NOINTERFACE, query(self, &others[i], &out));
		assert_null(out);
	}
	/* Every bit of an IID counts. */
	for (int i = 0; i < IIDS; i++) {
		for (size_t bit = 0; bit < 128; bit++) {
			BYTE iid[16];

			memcpy(iid, &iids[i], sizeof(iid));
			iid[bit / 8] ^= (BYTE)(1 << bit % 8);
			out = &t;
			assert_hr(E_NOINTERFACE, query(self, iid, &out));
			assert_null(out);
		}
	}
	out = &t;
	assert_hr(E_INVALIDARG, query(self, NULL, &out));
	assert_null(out);
	assert_hr(E_POINTER, query(self, &iids[UNKNOWN], NULL));
	assert_int_equal(0, raw_release(self));
	target_end(&t);
}

/* ---- life -------------------------------------------------------------- */

static void failed_creation_leaves_the_handle_alone(void **state)
{
	static const struct cordbmem_guid nothing = { 0 };
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid);
	void *out = &t;
	BYTE byte;

	(void)state;
	assert_hr(E_NOINTERFACE, cordbmem_com_create(p, &nothing, &out));
	assert_null(out);
	out = &t;
	assert_hr(E_INVALIDARG, cordbmem_com_create(NULL, &iids[UNKNOWN], &out));
	assert_null(out);
	out = &t;
	assert_hr(E_INVALIDARG, cordbmem_com_create(p, NULL, &out));
	assert_null(out);
	assert_hr(E_POINTER, cordbmem_com_create(p, &iids[UNKNOWN], NULL));
	assert_hr(S_OK, cordbmem_ReadMemory(p, t.base, 1, &byte, NULL));
	cordbmem_process_free(p);
	target_end(&t);
}

static void last_release_frees_the_handle(void **state)
{
	struct target t = target_start(1);
	int before = raw_open_fds();
	void *a = raw_open(&t, PROCESS, NULL), *b;

	(void)state;
	assert_int_equal(2, SLOT(a, 1, count_function)(a));
	b = raw_query(a, CLR_TARGET);
	assert_int_equal(4, SLOT(b, 1, count_function)(b));
	assert_int_equal(3, raw_release(a));
	assert_int_equal(2, raw_release(b));
	assert_int_equal(1, raw_release(a));
	assert_true(raw_open_fds() > before);
	assert_int_equal(0, raw_release(b));
	assert_int_equal(before, raw_open_fds());
	target_end(&t);
}

/* In other threads there are no asserts: these return NULL, or what failed. */
static void *take_and_give(void *interface)
{
	for (int i = 0; i < 5000; i++) {
		void *other = NULL;

		SLOT(interface, 0, query_function)(interface, &iids[i % IIDS], &other);
		if (!other)
			return "QueryInterface";
		if (SLOT(other, 1, count_function)(other) < 3)
			return "AddRef";
		raw_release(interface);
		if (!raw_release(other))
			return "Release";
	}
	return NULL;
}

static void *read_and_release(void *interface)
{
	BYTE byte;
	HRESULT hr;

	hr = SLOT(interface, READ_MEMORY, read_memory_function)(interface, 8, 1, &byte, NULL);
	raw_release(interface);
	return hr == CORDBG_E_READVIRTUAL_FAILURE ? NULL : "ReadMemory";
}

static void join(pthread_t thread)
{
	void *wrong;

	assert_int_equal(0, pthread_join(thread, &wrong));
	if (wrong)
		fail_msg("in a thread: %s", (char *)wrong);
}

static void references_are_counted_across_threads(void **state)
{
	struct target t = target_start(1);
	void *self = raw_open(&t, PROCESS, NULL);
	pthread_t threads[4];

	(void)state;
	for (size_t i = 0; i < COUNT(threads); i++)
		assert_int_equal(0, pthread_create(&threads[i], NULL, take_and_give, self));
	for (size_t i = 0; i < COUNT(threads); i++)
		join(threads[i]);
	assert_int_equal(0, raw_release(self));
	target_end(&t);
}

/* Each has a reference of its own; whichever is last frees the object, under ASan's eyes. */
static void any_thread_may_be_the_last(void **state)
{
	struct target t = target_start(1);
	int before = raw_open_fds();

	(void)state;
	for (int round = 0; round < 50; round++) {
		void *self = raw_open(&t, PROCESS, NULL);
		pthread_t threads[2];

		for (size_t i = 0; i < COUNT(threads); i++) {
			raw_query(self, PROCESS);
			assert_int_equal(0,
					 pthread_create(&threads[i], NULL, read_and_release, self));
		}
		raw_release(self);
		for (size_t i = 0; i < COUNT(threads); i++)
			join(threads[i]);
	}
	assert_int_equal(before, raw_open_fds());
	target_end(&t);
}

/* ---- C++ --------------------------------------------------------------- */

extern const char __ehdr_start[];

static void cpp_debugger_uses_it_as_it_is(void **state)
{
	struct target t = target_start(2);
	struct com_client_orders orders = { .pid = (unsigned int)t.pid, .size = 32 };
	char program[PATH_MAX] = "";
	char16_t name[NAME_MAX + 1] = { 0 };
	const char *base, *wrong;
	void *unknown;

	(void)state;
	target_unmap(&t, 1);
	orders.address = t.base + PAGE - orders.size;
	orders.expected = t.memory + PAGE - orders.size;
	/* The target is a copy of this program. */
	assert_true(readlink("/proc/self/exe", program, sizeof(program) - 1) > 0);
	base = strrchr(program, '/') + 1;
	for (size_t i = 0; base[i]; i++)
		name[i] = (char16_t)base[i];
	orders.program = name;
	orders.base = (uintptr_t)__ehdr_start;

	unknown = raw_open(&t, UNKNOWN, NULL);
	wrong = com_client_run(unknown, &orders);
	if (wrong)
		fail_msg("not so: %s", wrong);
	assert_int_equal(0, raw_release(unknown));
	target_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(members_of_com_h_are_the_published_slots),
		cmocka_unit_test(iids_are_the_published_ones),
		cmocka_unit_test(every_interface_leads_to_every_other),
		cmocka_unit_test(two_objects_are_two),
		cmocka_unit_test(other_interfaces_are_refused),
		cmocka_unit_test(failed_creation_leaves_the_handle_alone),
		cmocka_unit_test(last_release_frees_the_handle),
		cmocka_unit_test(references_are_counted_across_threads),
		cmocka_unit_test(any_thread_may_be_the_last),
		cmocka_unit_test(cpp_debugger_uses_it_as_it_is),
	};

	return cmocka_run_group_tests_name("com", tests, NULL, NULL);
}
