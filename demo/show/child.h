/* SPDX-License-Identifier: MIT */
/*
 * A program that the demo starts and talks to: it takes a command a line, and answers with a line.
 */
#ifndef CORDBMEM_DEMO_CHILD_H
#define CORDBMEM_DEMO_CHILD_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

struct child {
	const char *what; /* it is, in words */
	pid_t pid;
	FILE *to;   /* its standard input */
	FILE *from; /* its standard output */
	char line[1024];
};

/* @variable, NAME=VALUE, is added to its environment; NULL for none. */
void child_start(struct child *child, const char *what, char *const *argv, char *variable);

/* The next line that it says, without the newline, until the next call; NULL at the end. */
char *child_line(struct child *child);

/* Send a command, wait for the line that answers it, and return what follows @answer in that. */
char *child_tell(struct child *child, const char *command, const char *answer);

/* Let it end, and make sure that it ends well. */
void child_end(struct child *child);

#endif /* CORDBMEM_DEMO_CHILD_H */
