// SPDX-License-Identifier: MIT
/*
 * A child process to read; see target.h.
 */
#include "target.h"

#include <err.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct order {
	target_function *function;
	long argument;
};

static _Noreturn void obey(int socket, pid_t parent)
{
	struct order order;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	while (read(socket, &order, sizeof(order)) == sizeof(order)) {
		long result = order.function(order.argument);

		if (write(socket, &result, sizeof(result)) != sizeof(result))
			break;
	}
	_exit(0);
}

struct target target_start(size_t pages)
{
	struct target target = { .size = pages * PAGE };
	pid_t self = getpid();
	int pair[2];

	target.memory =
		mmap(NULL, target.size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (target.memory == MAP_FAILED)
		err(1, "mmap");
	target.base = (uintptr_t)target.memory;
	for (size_t i = 0; i < target.size; i++)
		target.memory[i] = (BYTE)(i * 31 + i / 256 + 1);

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		err(1, "socketpair");
	fflush(NULL);
	target.pid = fork();
	if (target.pid < 0)
		err(1, "fork");
	if (!target.pid) {
		close(pair[0]);
		obey(pair[1], self);
	}
	close(pair[1]);
	target.socket = pair[0];
	return target;
}

void target_send(const struct target *target, target_function *function, long argument)
{
	struct order order = { function, argument };

	if (write(target->socket, &order, sizeof(order)) != sizeof(order))
		err(1, "sending to the target");
}

long target_call(const struct target *target, target_function *function, long argument)
{
	long result;

	target_send(target, function, argument);
	if (read(target->socket, &result, sizeof(result)) != sizeof(result))
		err(1, "the target does not answer");
	return result;
}

static long unmap_page(long address)
{
	return munmap((void *)address, PAGE);
}

void target_unmap(const struct target *target, size_t page)
{
	if (target_call(target, unmap_page, (long)(target->base + page * PAGE)))
		errx(1, "the target cannot unmap");
}

void target_wait(const struct target *target)
{
	siginfo_t info;

	if (waitid(P_PID, (id_t)target->pid, &info, WEXITED | WNOWAIT))
		err(1, "waitid");
}

void target_kill(const struct target *target)
{
	kill(target->pid, SIGKILL);
	target_wait(target);
}

void target_end(struct target *target)
{
	if (target->pid <= 0)
		return;
	kill(target->pid, SIGKILL);
	waitpid(target->pid, NULL, 0);
	close(target->socket);
	munmap(target->memory, target->size);
	target->pid = 0;
}

bool through_module(void)
{
	const char *backend = getenv("CORDBMEM_TEST_BACKEND");

	return backend && !strcmp(backend, "module");
}

struct cordbmem_options test_options(void)
{
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;

	options.backend = through_module() ? CORDBMEM_BACKEND_MODULE : CORDBMEM_BACKEND_PORTABLE;
	return options;
}

HRESULT try_open(pid_t pid, struct cordbmem_process **process, struct cordbmem_error *error)
{
	const struct cordbmem_options options = test_options();

	return cordbmem_process_open(pid, &options, process, error);
}

struct cordbmem_process *open_target(pid_t pid)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process;

	if (FAILED(try_open(pid, &process, &error)))
		errx(1, "open: %s", error.text);
	return process;
}

struct cordbmem_process *open_without_windows(pid_t pid)
{
	struct cordbmem_process *process = open_target(pid);

	if (FAILED(cordbmem_process_set_windows(process, CORDBMEM_WINDOWS_OFF)))
		errx(1, "turning windows off");
	return process;
}

unsigned int test_seed(void)
{
	const char *given = getenv("SEED");
	unsigned int seed = given ? (unsigned int)strtoul(given, NULL, 0)
				  : (unsigned int)time(NULL) ^ (unsigned int)getpid() << 16;

	printf("# SEED=%u\n", seed);
	return seed;
}

uint32_t next_random(uint64_t *state)
{
	/* splitmix64 */
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return (uint32_t)(z >> 32);
}
