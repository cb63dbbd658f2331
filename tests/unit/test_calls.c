// SPDX-License-Identifier: MIT
/*
 * What the library makes of the system call below it: short reads, signals, closing in between.
 *
 * The program has a pread of its own, so that it can answer for the kernel.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"
#include "target.h"
#include "unit.h"

static struct target target;
static struct cordbmem_process *process;

/* Answers the reads of the process; NULL lets the kernel do it. */
static ssize_t (*answer)(int fd, void *buffer, size_t size, off_t offset);
static int calls;
static uint64_t furthest; /* end of the range that was asked for */

static ssize_t kernel_pread(int fd, void *buffer, size_t size, off_t offset)
{
	return syscall(SYS_pread64, fd, buffer, size, offset);
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	if (!process || fd != process->memory_fd)
		return kernel_pread(fd, buffer, size, offset);
	calls++;
	if ((uint64_t)offset + size > furthest)
		furthest = (uint64_t)offset + size;
	return (answer ? answer : kernel_pread)(fd, buffer, size, offset);
}

static int setup(void **state)
{
	(void)state;
	target = target_start(4);
	process = open_without_windows(target.pid);
	answer = NULL;
	calls = 0;
	furthest = 0;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	cordbmem_process_free(process);
	process = NULL;
	target_end(&target);
	return 0;
}

static ssize_t dribble(int fd, void *buffer, size_t size, off_t offset)
{
	if (calls % 2) {
		errno = EINTR;
		return -1;
	}
	return kernel_pread(fd, buffer, size > 7 ? 7 : size, offset);
}

static void short_and_interrupted_reads_go_on(void **state)
{
	BYTE buffer[100];
	SIZE_T got = 0;

	(void)state;
	answer = dribble;
	assert_hr(S_OK,
		  cordbmem_ReadMemory(process, target.base + 3, sizeof(buffer), buffer, &got));
	assert_int_equal(sizeof(buffer), got);
	assert_memory_equal(target.memory + 3, buffer, sizeof(buffer));
	target_unmap(&target, 2);
	assert_hr(CORDBMEM_E_PARTIAL_COPY, cordbmem_ReadMemory(process, target.base + 2 * PAGE - 50,
							       sizeof(buffer), buffer, &got));
	assert_int_equal(50, got);
}

static void whole_read_is_one_call(void **state)
{
	static BYTE buffer[3 * PAGE];

	(void)state;
	assert_hr(S_OK, cordbmem_ReadMemory(process, target.base, sizeof(buffer), buffer, NULL));
	assert_int_equal(1, calls);
}

static ssize_t some_then(int error, int fd, void *buffer, off_t offset)
{
	if (calls == 1)
		return kernel_pread(fd, buffer, 10, offset);
	errno = error;
	return error ? -1 : 0;
}

static ssize_t some_then_gone(int fd, void *buffer, size_t size, off_t offset)
{
	(void)size;
	return some_then(0, fd, buffer, offset);
}

static ssize_t some_then_no_process(int fd, void *buffer, size_t size, off_t offset)
{
	(void)size;
	return some_then(ESRCH, fd, buffer, offset);
}

static ssize_t some_then_no_memory(int fd, void *buffer, size_t size, off_t offset)
{
	(void)size;
	return some_then(ENOMEM, fd, buffer, offset);
}

static void check_failure(HRESULT hr)
{
	BYTE buffer[100];
	SIZE_T got = 77;

	calls = 0;
	assert_hr(hr, cordbmem_ReadMemory(process, target.base, sizeof(buffer), buffer, &got));
	assert_int_equal(0, got);
}

static void exit_in_the_middle_counts_nothing(void **state)
{
	(void)state;
	answer = some_then_no_memory;
	check_failure(E_OUTOFMEMORY);
	answer = some_then_gone;
	check_failure(CORDBG_E_PROCESS_TERMINATED);
	cordbmem_process_free(process);
	process = NULL;
	process = open_without_windows(target.pid);
	answer = some_then_no_process;
	check_failure(CORDBG_E_PROCESS_TERMINATED);
}

/* Another thread closes when this one has looked at the state and is about to read. */
static ssize_t close_before(int fd, void *buffer, size_t size, off_t offset)
{
	int strangers[4];
	ssize_t n;

	cordbmem_process_close(process);
	for (size_t i = 0; i < COUNT(strangers); i++) {
		strangers[i] = memfd_create("stranger", MFD_CLOEXEC);
		/* Long enough to answer at any address. */
		assert_int_equal(0, ftruncate(strangers[i], INT64_MAX & ~0xffffL));
	}
	n = kernel_pread(fd, buffer, size, offset);
	for (size_t i = 0; i < COUNT(strangers); i++)
		close(strangers[i]);
	return n;
}

static void no_stranger_is_read_after_close(void **state)
{
	BYTE buffer[16];
	SIZE_T got = 77;

	(void)state;
	answer = close_before;
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  cordbmem_ReadMemory(process, target.base, sizeof(buffer), buffer, &got));
	assert_int_equal(77, got);
}

static void strings_do_not_reach_beyond_their_page(void **state)
{
	char buffer[3 * PAGE];

	(void)state;
	memset(target.memory, 'x', PAGE);
	target.memory[PAGE - 1] = 0;
	assert_hr(S_OK, cordbmem_read_string(process, target.base + PAGE - 5, buffer,
					     sizeof(buffer), NULL));
	assert_hr(S_OK, cordbmem_read_string(process, target.base, buffer, sizeof(buffer), NULL));
	assert_int_equal(target.base + PAGE, furthest);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(short_and_interrupted_reads_go_on),      TEST(whole_read_is_one_call),
		TEST(exit_in_the_middle_counts_nothing),      TEST(no_stranger_is_read_after_close),
		TEST(strings_do_not_reach_beyond_their_page),
	};

	return cmocka_run_group_tests_name("calls", tests, NULL, NULL);
}
