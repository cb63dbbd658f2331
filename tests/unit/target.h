/* SPDX-License-Identifier: MIT */
/*
 * A child process to read, whose memory the test can write with plain stores.
 *
 * The region is shared between test and child, at the same address. What the child maps or
 * unmaps is its own affair.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <cordbmem/cordbmem.h>

#define PAGE 4096UL

struct target {
	pid_t pid;
	int socket;
	BYTE *memory; /* filled with a pattern */
	size_t size;
	uint64_t base; /* memory, as a number */
};

typedef long target_function(long argument);

/* Any failure ends the program with words: without a target there is no test. */
struct target target_start(size_t pages);

/* Call a function in the child. */
long target_call(const struct target *target, target_function *function, long argument);
/* The same, for a function that does not return. */
void target_send(const struct target *target, target_function *function, long argument);

/* Make a page a hole. */
void target_unmap(const struct target *target, size_t page);

/* Kill it; it stays a zombie until target_end. */
void target_kill(const struct target *target);
/* Wait until it has exited by itself; it stays a zombie. */
void target_wait(const struct target *target);
void target_end(struct target *target);

/*
 * What the handles of the tests are opened with: the portable back end, which needs no module, or the
 * module when the environment has CORDBMEM_TEST_BACKEND=module.
 */
struct cordbmem_options test_options(void);
bool through_module(void);

struct cordbmem_process *open_target(pid_t pid);
/* For a test that stands in for the system calls of a read. */
struct cordbmem_process *open_without_windows(pid_t pid);
HRESULT try_open(pid_t pid, struct cordbmem_process **process, struct cordbmem_error *error);

/* The seed of this run: $SEED or a new one, printed either way. */
unsigned int test_seed(void);
/* Next number of a sequence. */
uint32_t next_random(uint64_t *state);

#endif /* TARGET_H */
