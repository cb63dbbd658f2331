// SPDX-License-Identifier: MIT
/*
 * Reads during which the table of patches changes faster than any read: they are right, and they end.
 *
 * The program has a pread of its own, so that it can act in the middle of a read.
 */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "internal.h"
#include "target.h"
#include "unit.h"

#define TRAP 0xcc

static struct {
	struct cordbmem_process *process; /* whose reads are disturbed, or NULL */
	struct target target;
	const BYTE *original;
	size_t offset;	 /* where a trap is set for the time of each read */
	int removals;	 /* more of them after it */
	int reads, calm; /* reads altogether, and those with the writers kept out */
} disturbed;

static void add_and_remove(size_t offset)
{
	cordbmem_patch_id id;

	assert_hr(S_OK,
		  cordbmem_process_add_patch(disturbed.process, disturbed.target.base + offset,
					     disturbed.original + offset, 1, &id));
	assert_hr(S_OK, cordbmem_process_remove_patch(disturbed.process, id));
}

ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	cordbmem_patch_id id = 0;
	BYTE *trap = disturbed.target.memory + disturbed.offset;
	bool calm = true;
	ssize_t n;

	if (!disturbed.process || fd != disturbed.process->memory_fd)
		return syscall(SYS_pread64, fd, buffer, size, offset);

	disturbed.reads++;
	if (!pthread_mutex_trylock(&disturbed.process->patches.lock)) {
		pthread_mutex_unlock(&disturbed.process->patches.lock);
		calm = false;
		assert_hr(S_OK, cordbmem_process_add_patch(
					disturbed.process, disturbed.target.base + disturbed.offset,
					disturbed.original + disturbed.offset, 1, &id));
		*trap = TRAP;
	}
	n = syscall(SYS_pread64, fd, buffer, size, offset);
	if (calm) {
		disturbed.calm++;
		return n;
	}
	*trap = disturbed.original[disturbed.offset];
	assert_hr(S_OK, cordbmem_process_remove_patch(disturbed.process, id));
	for (int i = 0; i < disturbed.removals; i++)
		add_and_remove((size_t)i % 100);
	return n;
}

/* Read a range with a trap in it, and tell how many reads of the target that took. */
static int check_read(size_t offset, size_t size, size_t trap, int removals)
{
	BYTE *buffer = malloc(size);
	SIZE_T got = 0;

	disturbed.offset = trap;
	disturbed.removals = removals;
	disturbed.reads = disturbed.calm = 0;
	assert_hr(S_OK, cordbmem_ReadMemory(disturbed.process, disturbed.target.base + offset,
					    (DWORD)size, buffer, &got));
	assert_int_equal(size, got);
	assert_memory_equal(disturbed.original + offset, buffer, size);
	free(buffer);
	return disturbed.reads;
}

static int setup(void **state)
{
	BYTE *original;

	disturbed.target = target_start(64);
	disturbed.original = original = malloc(disturbed.target.size);
	memcpy(original, disturbed.target.memory, disturbed.target.size);
	disturbed.process = open_without_windows(disturbed.target.pid);
	*state = original;
	return 0;
}

static int teardown(void **state)
{
	cordbmem_process_free(disturbed.process);
	disturbed.process = NULL;
	target_end(&disturbed.target);
	free(*state);
	return 0;
}

static void trap_that_comes_and_goes_within_a_read_needs_no_retry(void **state)
{
	(void)state;
	for (int i = 0; i < 100; i++)
		assert_int_equal(1, check_read(200, 64, 210, 0));
	assert_int_equal(0, disturbed.calm);
}

static void writers_are_kept_out_in_the_end(void **state)
{
	(void)state;
	assert_true(check_read(200, 64, 210, 100) > 10);
	assert_int_equal(1, disturbed.calm);
}

static void long_read_goes_on_in_pieces(void **state)
{
	const size_t size = 40 * PAGE;

	(void)state;
	assert_true(check_read(100, size, 39 * PAGE, 100) > 10);
	assert_int_equal(3, disturbed.calm); /* pieces of 64 KiB */
}

static void partial_read_ends_in_its_piece(void **state)
{
	static BYTE buffer[40 * PAGE];
	SIZE_T got = 0;

	(void)state;
	disturbed.offset = 25 * PAGE;
	disturbed.removals = 100;
	target_unmap(&disturbed.target, 30);
	assert_hr(CORDBMEM_E_PARTIAL_COPY,
		  cordbmem_ReadMemory(disturbed.process, disturbed.target.base + 10, sizeof(buffer),
				      buffer, &got));
	assert_int_equal(30 * PAGE - 10, got);
	assert_memory_equal(disturbed.original + 10, buffer, got);
}

static void exit_during_retries_is_noticed(void **state)
{
	static BYTE buffer[40 * PAGE];
	SIZE_T got = 77;

	(void)state;
	disturbed.removals = 100;
	target_kill(&disturbed.target);
	assert_hr(CORDBG_E_PROCESS_TERMINATED,
		  cordbmem_ReadMemory(disturbed.process, disturbed.target.base, sizeof(buffer),
				      buffer, &got));
	assert_int_equal(0, got);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(trap_that_comes_and_goes_within_a_read_needs_no_retry),
		TEST(writers_are_kept_out_in_the_end),
		TEST(long_read_goes_on_in_pieces),
		TEST(partial_read_ends_in_its_piece),
		TEST(exit_during_retries_is_noticed),
	};

	return cmocka_run_group_tests_name("retries", tests, NULL, NULL);
}
