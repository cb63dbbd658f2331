// SPDX-License-Identifier: MIT
/*
 * Handles: opening, closing, and noticing that the process is gone.
 */
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target.h"
#include "unit.h"

#define SENTINEL 12345

/* Open fds of this process; those that would survive an exec are counted once more. */
static int count_fds(int *inherited)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *entry;
	int count = 0;

	*inherited = 0;
	while ((entry = readdir(dir))) {
		int fd = atoi(entry->d_name);

		if (entry->d_name[0] == '.' || fd == dirfd(dir))
			continue;
		count++;
		*inherited += !(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	}
	closedir(dir);
	return count;
}

static void check_neutered(struct cordbmem_process *process, uint64_t address)
{
	struct cordbmem_patch patch = { .address = 1, .size = 1 };
	SIZE_T got = SENTINEL;
	size_t size = SENTINEL;
	uint64_t word = SENTINEL;
	short events = 77;
	BYTE buffer[16];
	int fd = 77;

	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  cordbmem_ReadMemory(process, address, 16, buffer, &got));
	assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_ReadMemory(process, 0, 0, NULL, &got));
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  cordbmem_read_chain(process, address, NULL, 0, &word, &size));
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  cordbmem_read_consistent(process, 8, 8, 8, 8, buffer, 0, &word));
	assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_process_add_patches(process, &patch, 1));
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  cordbmem_process_add_patch(process, 1, buffer, 1, &word));
	assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_process_remove_patch(process, 1));
	assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_process_list_patches(process, NULL, 0, &size));
	assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_process_exit_fd(process, &fd, &events));
	assert_int_equal(0, cordbmem_process_is_alive(process));
	assert_int_equal(SENTINEL, got);
	assert_int_equal(SENTINEL, size);
	assert_int_equal(SENTINEL, word);
	assert_int_equal(77, fd);
	assert_int_equal(77, events);
}

static void handle_says_what_it_is(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid);

	(void)state;
	assert_int_equal(t.pid, cordbmem_process_pid(p));
	assert_int_equal(test_options().backend, cordbmem_process_backend(p));
	assert_int_equal(0, cordbmem_process_flags(p));
	assert_int_equal(1, cordbmem_process_is_alive(p));
	cordbmem_process_free(p);
	target_end(&t);
	assert_string_equal(CORDBMEM_VERSION, cordbmem_version());
}

static void fds_are_close_on_exec_and_released(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p;
	int before, old, inherited;

	(void)state;
	before = count_fds(&old);
	p = open_target(t.pid);
	assert_true(count_fds(&inherited) > before);
	assert_int_equal(old, inherited);
	assert_hr(S_OK, cordbmem_process_close(p));
	count_fds(&inherited);
	assert_int_equal(old, inherited);
	cordbmem_process_free(p);
	assert_int_equal(before, count_fds(&inherited));
	target_end(&t);
}

static void closed_handle_is_neutered(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid);

	(void)state;
	assert_hr(S_OK, cordbmem_process_close(p));
	check_neutered(p, t.base);
	assert_hr(CORDBG_E_OBJECT_NEUTERED, cordbmem_process_close(p));
	assert_int_equal(t.pid, cordbmem_process_pid(p));
	cordbmem_process_free(p);
	assert_hr(S_OK, cordbmem_process_close(NULL));
	cordbmem_process_free(NULL);
	assert_int_equal(0, cordbmem_process_is_alive(NULL));
	target_end(&t);
}

static void close_works_without_a_spare_fd(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid);
	struct rlimit old, none;

	(void)state;
	assert_int_equal(0, getrlimit(RLIMIT_NOFILE, &old));
	none = old;
	none.rlim_cur = 0;
	assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &none));
	assert_hr(S_OK, cordbmem_process_close(p));
	assert_int_equal(0, setrlimit(RLIMIT_NOFILE, &old));
	check_neutered(p, t.base);
	cordbmem_process_free(p);
	target_end(&t);
}

static void exit_is_noticed_by_a_read(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid);
	SIZE_T got = SENTINEL;
	BYTE buffer[16];

	(void)state;
	target_kill(&t);
	assert_hr(CORDBG_E_PROCESS_TERMINATED, cordbmem_ReadMemory(p, t.base, 16, buffer, &got));
	assert_int_equal(0, got);
	check_neutered(p, t.base);
	assert_hr(S_OK, cordbmem_process_close(p));
	cordbmem_process_free(p);
	target_end(&t);
}

static void exit_is_noticed_at_any_address(void **state)
{
	static const uint64_t addresses[] = { 0x1000, 0x0000800000000000, 0xffff800000000000,
					      0xfffffffffffffff0 };

	(void)state;
	for (size_t i = 0; i < COUNT(addresses); i++) {
		struct target t = target_start(1);
		struct cordbmem_process *p = open_target(t.pid);
		BYTE buffer[16];

		target_kill(&t);
		assert_hr(CORDBG_E_PROCESS_TERMINATED,
			  cordbmem_ReadMemory(p, addresses[i], 16, buffer, NULL));
		cordbmem_process_free(p);
		target_end(&t);
	}
}

static void exit_is_noticed_by_looking(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid);

	(void)state;
	target_kill(&t);
	assert_int_equal(0, cordbmem_process_is_alive(p));
	check_neutered(p, t.base);
	cordbmem_process_free(p);
	target_end(&t);
}

static void exit_fd_wakes(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid);
	struct pollfd pollfd = { .fd = -1 };

	(void)state;
	assert_hr(E_INVALIDARG, cordbmem_process_exit_fd(p, NULL, &pollfd.events));
	assert_hr(S_OK, cordbmem_process_exit_fd(p, &pollfd.fd, &pollfd.events));
	assert_int_equal(0, poll(&pollfd, 1, 0));
	kill(t.pid, SIGKILL);
	assert_int_equal(1, poll(&pollfd, 1, -1));
	assert_true(pollfd.revents);
	assert_int_equal(0, cordbmem_process_is_alive(p));
	cordbmem_process_free(p);
	target_end(&t);
}

static long exec_something(long argument)
{
	(void)argument;
	return execl("/bin/sleep", "sleep", "1000", NULL);
}

static void execve_is_noticed(void **state)
{
	(void)state;
	for (int by_look = 0; by_look < 2; by_look++) {
		struct target t = target_start(1);
		struct cordbmem_process *p = open_target(t.pid), *fresh;
		SIZE_T got = SENTINEL;
		BYTE buffer[16];
		char byte;

		assert_int_equal(1, cordbmem_process_is_alive(p));
		target_send(&t, exec_something, 0);
		/* The socket closes on exec, after the memory is gone. */
		assert_int_equal(0, read(t.socket, &byte, 1));
		if (by_look) {
			assert_int_equal(0, cordbmem_process_is_alive(p));
		} else {
			assert_hr(CORDBG_E_PROCESS_TERMINATED,
				  cordbmem_ReadMemory(p, t.base, 16, buffer, &got));
			assert_int_equal(0, got);
		}
		check_neutered(p, t.base);
		cordbmem_process_free(p);
		fresh = open_target(t.pid);
		assert_int_equal(1, cordbmem_process_is_alive(fresh));
		cordbmem_process_free(fresh);
		target_end(&t);
	}
}

static void ignore(int signal)
{
	(void)signal;
}

static void signals_do_not_shorten_a_read(void **state)
{
	const struct itimerval often = { { 0, 200 }, { 0, 200 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = ignore }, old;
	struct target t = target_start(4096);
	struct cordbmem_process *p = open_target(t.pid);
	BYTE *buffer = malloc(t.size);

	(void)state;
	assert_int_equal(0, sigaction(SIGALRM, &action, &old));
	assert_int_equal(0, setitimer(ITIMER_REAL, &often, NULL));
	for (int i = 0; i < 10; i++) {
		SIZE_T got = 0;

		memset(buffer, 0, t.size);
		assert_hr(S_OK, cordbmem_ReadMemory(p, t.base, (DWORD)t.size, buffer, &got));
		assert_int_equal(t.size, got);
		assert_memory_equal(t.memory, buffer, t.size);
	}
	assert_int_equal(0, setitimer(ITIMER_REAL, &never, NULL));
	assert_int_equal(0, sigaction(SIGALRM, &old, NULL));
	free(buffer);
	cordbmem_process_free(p);
	target_end(&t);
}

static void bad_buffer_is_no_crash(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid);
	BYTE *volatile nowhere = (BYTE *)8; /* volatile: gcc sees through it otherwise */
	SIZE_T got = SENTINEL;

	(void)state;
	assert_hr(CORDBMEM_E_NOACCESS, cordbmem_ReadMemory(p, t.base, 16, nowhere, &got));
	assert_int_equal(0, got);
	assert_int_equal(1, cordbmem_process_is_alive(p));
	cordbmem_process_free(p);
	target_end(&t);
}

static void mem_fd_of_the_caller_is_used(void **state)
{
	struct cordbmem_options options = test_options();
	struct target t = target_start(1);
	struct cordbmem_process *p;
	BYTE buffer[16];
	char path[32];
	short events;
	int fd, null;

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/mem", t.pid);
	options.mem_fd = fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_hr(S_OK, cordbmem_process_open(t.pid, &options, &p, NULL));
	close(fd);
	assert_hr(S_OK, cordbmem_ReadMemory(p, t.base, 16, buffer, NULL));
	assert_memory_equal(t.memory, buffer, 16);
	assert_hr(through_module() ? S_OK : E_NOTIMPL, cordbmem_process_exit_fd(p, &fd, &events));
	target_kill(&t);
	assert_int_equal(0, cordbmem_process_is_alive(p));
	cordbmem_process_free(p);

	options.mem_fd = null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_hr(E_INVALIDARG, cordbmem_process_open(t.pid, &options, &p, NULL));
	options.mem_fd = open(path, O_WRONLY | O_CLOEXEC);
	if (options.mem_fd >= 0) {
		assert_hr(E_INVALIDARG, cordbmem_process_open(t.pid, &options, &p, NULL));
		close(options.mem_fd);
	}
	close(null);
	options.mem_fd = null;
	assert_hr(E_INVALIDARG, cordbmem_process_open(t.pid, &options, &p, NULL));
	options.mem_fd = open(path, O_PATH | O_CLOEXEC);
	assert_true(options.mem_fd >= 0);
	assert_hr(E_INVALIDARG, cordbmem_process_open(t.pid, &options, &p, NULL));
	close(options.mem_fd);
	target_end(&t);
}

static void mem_fd_without_memory_is_refused(void **state)
{
	struct cordbmem_options options = test_options();
	struct target t = target_start(1);
	struct cordbmem_process *p;
	char path[32];

	(void)state;
	snprintf(path, sizeof(path), "/proc/%d/mem", t.pid);
	options.mem_fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(options.mem_fd >= 0);
	target_kill(&t);
	assert_hr(CORDBG_E_PROCESS_TERMINATED, cordbmem_process_open(t.pid, &options, &p, NULL));
	close(options.mem_fd);
	target_end(&t);
}

/* A size that was never set must not be believed. */
static void wild_size_of_options_is_refused(void **state)
{
	BYTE *end =
		mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct cordbmem_options good = test_options(), *options;
	struct cordbmem_process *p;

	(void)state;
	assert_int_equal(0, munmap(end + PAGE, PAGE));
	options = (struct cordbmem_options *)(void *)(end + PAGE - sizeof(good));
	*options = good;
	options->size = 0x10000;
	assert_hr(E_INVALIDARG, cordbmem_process_open(getpid(), options, &p, NULL));
	munmap(end, PAGE);
}

static void wrong_options_are_refused(void **state)
{
	const struct cordbmem_options good = CORDBMEM_OPTIONS_INIT;
	struct cordbmem_options bad[9];
	struct cordbmem_process *p;

	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++)
		bad[i] = good;
	bad[0].size = 0;
	bad[1].size = sizeof(good) - 8;
	bad[2].backend = 2;
	bad[3].flags = 4;
	bad[4].reserved = 1;
	bad[5].target_fd = bad[5].mem_fd = 0;
	bad[6].target_fd = 0;
	bad[6].flags = CORDBMEM_OPEN_NOFAULT;
	bad[7].backend = CORDBMEM_BACKEND_PORTABLE;
	bad[7].device_fd = 0;
	bad[8].backend = CORDBMEM_BACKEND_PORTABLE;
	bad[8].target_fd = 0;
	for (size_t i = 0; i < COUNT(bad); i++) {
		p = (void *)1;
		assert_hr(E_INVALIDARG, cordbmem_process_open(getpid(), &bad[i], &p, NULL));
		assert_null(p);
	}
	assert_hr(E_INVALIDARG, cordbmem_process_open(0, NULL, &p, NULL));
	assert_hr(E_INVALIDARG, cordbmem_process_open(-1, NULL, &p, NULL));
	assert_hr(E_INVALIDARG, cordbmem_process_open(getpid(), NULL, NULL, NULL));

	bad[0] = good;
	bad[0].backend = CORDBMEM_BACKEND_PORTABLE;
	bad[0].flags = CORDBMEM_OPEN_NOFAULT;
	assert_hr(E_NOTIMPL, cordbmem_process_open(getpid(), &bad[0], &p, NULL));
	bad[0].flags = CORDBMEM_OPEN_NO_FORCE;
	assert_hr(E_NOTIMPL, cordbmem_process_open(getpid(), &bad[0], &p, NULL));
	/* Somebody else's files are not taken for ours. */
	bad[0] = good;
	bad[0].device_fd = 0;
	assert_hr(E_INVALIDARG, cordbmem_process_open(getpid(), &bad[0], &p, NULL));
	bad[0] = good;
	bad[0].target_fd = 0;
	assert_hr(E_INVALIDARG, cordbmem_process_open(getpid(), &bad[0], &p, NULL));
}

static void options_may_be_longer_if_the_rest_is_zero(void **state)
{
	struct {
		struct cordbmem_options known;
		uint64_t later;
	} options = { .known = test_options(), .later = 0 };
	struct cordbmem_process *p;

	(void)state;
	options.known.size = sizeof(options);
	assert_hr(S_OK, cordbmem_process_open(getpid(), &options.known, &p, NULL));
	cordbmem_process_free(p);
	options.later = 1;
	assert_hr(E_INVALIDARG, cordbmem_process_open(getpid(), &options.known, &p, NULL));
}

static void own_process_can_be_read(void **state)
{
	struct cordbmem_process *p = open_target(getpid());
	const char *text = "my own";
	char buffer[16];
	size_t length;

	(void)state;
	assert_hr(S_OK, cordbmem_read_string(p, (uintptr_t)text, buffer, sizeof(buffer), &length));
	assert_string_equal(text, buffer);
	cordbmem_process_free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(handle_says_what_it_is),
		cmocka_unit_test(fds_are_close_on_exec_and_released),
		cmocka_unit_test(closed_handle_is_neutered),
		cmocka_unit_test(close_works_without_a_spare_fd),
		cmocka_unit_test(exit_is_noticed_by_a_read),
		cmocka_unit_test(exit_is_noticed_at_any_address),
		cmocka_unit_test(exit_is_noticed_by_looking),
		cmocka_unit_test(exit_fd_wakes),
		cmocka_unit_test(execve_is_noticed),
		cmocka_unit_test(signals_do_not_shorten_a_read),
		cmocka_unit_test(bad_buffer_is_no_crash),
		cmocka_unit_test(mem_fd_of_the_caller_is_used),
		cmocka_unit_test(mem_fd_without_memory_is_refused),
		cmocka_unit_test(wild_size_of_options_is_refused),
		cmocka_unit_test(wrong_options_are_refused),
		cmocka_unit_test(options_may_be_longer_if_the_rest_is_zero),
		cmocka_unit_test(own_process_can_be_read),
	};

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
