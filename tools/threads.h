/* SPDX-License-Identifier: MIT */
/*
 * CoreCLR's list of the threads that it knows, read from a live process by the offsets that the runtime
 * publishes about itself: the data contract "Thread" of its contract descriptor.
 */
#ifndef CORDBMEM_TOOLS_THREADS_H
#define CORDBMEM_TOOLS_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cordbmem/cordbmem.h>

/* A process can forge a list without end. */
#define THREADS_MAX 4096U
/* What is read of a Thread, and of the ThreadStore; members beyond it make a runtime unknown. */
#define THREAD_READ_MAX 4096U

/* Bits of a Thread's state word. */
#define THREAD_TRAPPED 0x00000002U /* waits for the end of a suspension; since .NET 10 */
#define THREAD_BACKGROUND 0x00000200U
#define THREAD_UNSTARTED 0x00000400U
#define THREAD_DEAD 0x00000800U
#define THREAD_DEBUG_SUSPENDED 0x00080000U /* stopped for a debugger */
#define THREAD_POOL_WORKER 0x01000000U
#define THREAD_WAITING 0x02000000U /* in a Wait, Sleep or Join of .NET */

/* Where things are. All of it is constant while the process lives. */
struct thread_layout {
	uint64_t store;	    /* the ThreadStore */
	uint64_t suspender; /* the variable that names who suspends the runtime, or 0 */
	uint64_t finalizer; /* the Thread that runs finalizers, or 0 */
	uint32_t first_at;  /* in the ThreadStore: the link to the first Thread */
	/* In a Thread; the last two are -1 where the runtime does not publish them. */
	uint32_t state_at;
	uint32_t mode_at;
	uint32_t id_at;
	uint32_t os_id_at;
	uint32_t next_at; /* links point here */
	int32_t exception_at;
	int32_t locals_at;
	uint32_t thread_size;	/* up to the end of the last of these */
	uint32_t allocation_at; /* in what locals_at points to: where the next object goes */
};

/*
 * Find it in the runtime that is loaded at base. Returns 0; EAGAIN: the runtime is still starting;
 * ENOTSUP: it does not publish its threads; EPROTO: what it publishes makes no sense; or the errno
 * of a failure that is not the runtime's, such as ESRCH.
 */
int threads_find(struct cordbmem_process *process, uint64_t base, struct thread_layout *layout);

/* One Thread as it was at one moment; bytes are thread_size of it. */
struct thread {
	uint64_t next;	 /* the Thread behind it, or 0 */
	uint64_t os_id;	 /* 0: none (yet, or any more) */
	uint64_t locals; /* 0: unknown */
	uint32_t id;
	uint32_t state;
	bool cooperative; /* a GC has to wait for it: it runs managed code */
	bool exception;	  /* one is on its way through its frames */
};
void thread_decode(const struct thread_layout *layout, const BYTE *bytes, struct thread *thread);

/* The Thread that a link points to, or 0. */
uint64_t thread_of_link(const struct thread_layout *layout, uint64_t link);

/* What the list consists of. */
struct thread_list {
	size_t count;
	struct {
		uint64_t address, os_id, locals;
		uint32_t id;
	} at[THREADS_MAX];
};

/*
 * Walk the list. Returns 0; EPROTO: it does not end, or leads astray, as it can while a thread comes or
 * goes; or another errno.
 */
int threads_walk(struct cordbmem_process *process, const struct thread_layout *layout,
		 struct thread_list *list);

#endif /* CORDBMEM_TOOLS_THREADS_H */
