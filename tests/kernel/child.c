// SPDX-License-Identifier: GPL-2.0
/* The functions of child.h. */
#include <errno.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "child.h"
#include "support.h"

struct order {
	child_function *function;
	long argument;
};

int child_socket = -1;
static pid_t parent;

void die_with_parent(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (parent && getppid() != parent && getppid() != 0)
		_exit(1);
}

static _Noreturn void obey(void)
{
	struct order order;

	while (recv(child_socket, &order, sizeof(order), MSG_WAITALL) == sizeof(order)) {
		long result = order.function(order.argument);

		if (send(child_socket, &result, sizeof(result), MSG_NOSIGNAL) != sizeof(result))
			break;
	}
	_exit(0);
}

/* With @wanted 0 any pid will do. */
static pid_t fork_as(pid_t wanted)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD,
		.set_tid = (uint64_t)(uintptr_t)&wanted,
		.set_tid_size = 1,
	};

	if (!wanted)
		return fork();
	return (pid_t)syscall(SYS_clone3, &args, sizeof(args));
}

struct child child_start_as(pid_t wanted)
{
	struct child child;
	pid_t self = getpid();
	int pair[2];

	fflush(NULL);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
		die("socketpair");
	child.pid = fork_as(wanted);
	if (child.pid == 0) {
		close(pair[0]);
		child_socket = pair[1];
		parent = self;
		die_with_parent();
		obey();
	}
	close(pair[1]);
	child.socket = pair[0];
	return child;
}

struct child child_start(void)
{
	struct child child = child_start_as(0);

	if (child.pid < 0)
		die("fork");
	return child;
}

void child_send(const struct child *child, child_function *function, long argument)
{
	struct order order = { .function = function, .argument = argument };

	if (send(child->socket, &order, sizeof(order), MSG_NOSIGNAL) != sizeof(order))
		die("a child does not listen");
}

bool child_result(const struct child *child, long *result)
{
	ssize_t n;

	do {
		n = recv(child->socket, result, sizeof(*result), MSG_WAITALL);
	} while (n < 0 && errno == EINTR);
	return n == sizeof(*result);
}

long child_call(const struct child *child, child_function *function, long argument)
{
	long result;

	child_send(child, function, argument);
	if (!child_result(child, &result)) {
		errno = 0;
		die("child %d died in a call", child->pid);
	}
	return result;
}

pid_t run_in_my_memory(int (*function)(void *argument))
{
	static uint64_t stack[8192];

	return clone(function, stack + sizeof(stack) / sizeof(stack[0]),
		     CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
}

void child_kill(const struct child *child)
{
	kill(child->pid, SIGKILL);
}

void child_reap(struct child *child)
{
	while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR)
		;
	close(child->socket);
	child->socket = -1;
	child->pid = -1;
}

void child_end(struct child *child)
{
	if (child->pid <= 0)
		return;
	child_kill(child);
	child_reap(child);
}

void send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char byte = 0;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	if (sendmsg(socket, &message, MSG_NOSIGNAL) != 1)
		die("cannot send an fd");
}

int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))];
	char byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr message = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *header;
	int fd = -1;

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
		return -1;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(header), sizeof(int));
	return fd;
}

void child_give_fd(const struct child *child, int fd)
{
	send_fd(child->socket, fd);
}

int child_take_fd(const struct child *child)
{
	return receive_fd(child->socket);
}
