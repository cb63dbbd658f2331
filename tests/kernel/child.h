/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A child process that does what it is told: targets, and callers of another identity.
 *
 * A child is a fork of the test, so the functions and the mappings of the test are at the same
 * addresses in it, and a function of the test can be called in the child. Children die with
 * the process that made them.
 */
#ifndef CHILD_H
#define CHILD_H

#include <stdbool.h>
#include <sys/types.h>

typedef long child_function(long argument);

struct child {
	pid_t pid;
	int socket;
};

struct child child_start(void);

/* A child with a wanted pid; its pid is -1, and errno set, when that cannot be. */
struct child child_start_as(pid_t wanted);

/* Calls a function in the child and returns its result. */
long child_call(const struct child *child, child_function *function, long argument);

/* The two halves of it; a child that died in between yields false. */
void child_send(const struct child *child, child_function *function, long argument);
bool child_result(const struct child *child, long *result);

/* Kills it, reaps it, closes the socket. */
void child_end(struct child *child);

/* Kills it and leaves the zombie. */
void child_kill(const struct child *child);
void child_reap(struct child *child);

/* To be called in a child after a change of credentials, which disarms the death with the parent. */
void die_with_parent(void);

/*
 * A process that has the memory of this one, as a child of vfork has: it calls the function, and
 * until it ends or calls execve, this process waits. Returns its pid then.
 */
pid_t run_in_my_memory(int (*function)(void *argument));

/* Fds over the socket of a child; -1 when none came. */
void child_give_fd(const struct child *child, int fd);
int child_take_fd(const struct child *child);

/* The child's own end, to hand fds to the test. Valid inside a called function. */
extern int child_socket;
int receive_fd(int socket);
void send_fd(int socket, int fd);

#endif
