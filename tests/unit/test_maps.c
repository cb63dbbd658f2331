// SPDX-License-Identifier: MIT
/*
 * Memory that runs out while /proc/PID/maps is read: whoever asks is told so, and not that there is
 * less mapped, or no process.
 *
 * The program has functions of its own for what maps.c allocates with, each of which can fail.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cordbmem/coreclr.h>

#include "forge.h"
#include "maps.h"
#include "unit.h"

/* Which allocation from now on fails; 0: none does. */
static int failing;

static bool fails(void)
{
	if (!failing || --failing)
		return false;
	errno = ENOMEM;
	return true;
}

char *strdup(const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = fails() ? NULL : malloc(size);

	return copy ? memcpy(copy, text, size) : NULL;
}

void *reallocarray(void *array, size_t count, size_t size)
{
	return fails() ? NULL : realloc(array, count * size);
}

/* What getline is: an inline function around this one. */
ssize_t __getdelim(char **line, size_t *room, int delimiter, FILE *file)
{
	static ssize_t (*real)(char **, size_t *, int, FILE *);

	if (!real)
		real = (ssize_t(*)(char **, size_t *, int, FILE *))dlsym(RTLD_NEXT, "getdelim");
	return fails() ? -1 : real(line, room, delimiter, file);
}

static void no_mapping_is_lost(void **state)
{
	struct target t = target_start(1);
	struct maps all, maps;
	int which = 0, err;

	(void)state;
	assert_int_equal(0, maps_read(t.pid, &all));
	for (;;) {
		failing = ++which;
		err = maps_read(t.pid, &maps);
		if (failing)
			break;
		assert_int_equal(ENOMEM, err);
		assert_int_equal(0, maps.count);
	}
	failing = 0;
	assert_int_equal(0, err);
	assert_int_equal(all.count, maps.count);
	/* A line and a name each. */
	assert_true(which > 2 * (int)all.count);
	maps_free(&maps);
	maps_free(&all);
	target_end(&t);
}

static void runtime_is_not_said_to_be_missing(void **state)
{
	struct forge *f = forge_start(NULL);
	struct cordbmem_process *process = open_target(f->target.pid);
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	HRESULT hr;
	int which = 0;

	(void)state;
	for (;;) {
		failing = ++which;
		hr = cordbmem_process_find_coreclr(process, 0, NULL, &error);
		if (failing)
			break;
		assert_hr(E_OUTOFMEMORY, hr);
		assert_int_equal(CORDBMEM_REASON_SYSTEM, error.reason);
		assert_int_equal(ENOMEM, error.sys_errno);
	}
	failing = 0;
	assert_hr(S_OK, hr);
	assert_true(which > 40);
	cordbmem_process_free(process);
	forge_end(f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_mapping_is_lost),
		cmocka_unit_test_teardown(runtime_is_not_said_to_be_missing, forge_end_all),
	};

	return cmocka_run_group_tests_name("maps", tests, NULL, NULL);
}
