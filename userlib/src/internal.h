/* SPDX-License-Identifier: MIT */
/*
 * What the files of the library share: the process, its back end, and errors.
 *
 * Life of a handle
 * ----------------
 * "state" only ever goes from ALIVE to GONE or CLOSED, and from GONE to CLOSED. Whoever
 * moves it to GONE returns CORDBG_E_PROCESS_TERMINATED; who sees it elsewhere
 * than ALIVE returns CORDBG_E_OBJECT_NEUTERED.
 *
 * A read must not write to shared memory, so nobody counts the threads that are in
 * one, and nobody can know when the fds are unused. Therefore an fd number of a
 * handle stays taken until the handle is freed: close replaces the file behind it
 * (dup3 is atomic) by an empty eventfd. A thread that was on its way into
 * pread then gets ESPIPE, into the ioctl ENOTTY or EINVAL, looks at the state
 * and returns neutered.
 */
#ifndef CORDBMEM_SRC_INTERNAL_H
#define CORDBMEM_SRC_INTERNAL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include <cordbmem/cordbmem.h>

#include "patches.h"

enum state { STATE_ALIVE, STATE_GONE, STATE_CLOSED };

struct backend;
struct coreclr;
struct windows;

struct cordbmem_process {
	/* Constant after open, but for the state: readers share these lines. */
	_Atomic(int) state;
	int memory_fd; /* file offset = address: target fd, or /proc/PID/mem */
	int device_fd; /* /dev/cordbmem, or -1 */
	int pidfd;     /* portable only, or -1 */
	bool device_borrowed;
	uint32_t flags;	       /* as cordbmem_process_flags returns them */
	uint32_t max_elements; /* of one READV on device_fd */
	pid_t pid;
	uint64_t start_time; /* from /proc/PID/stat, 0 if unknown */
	const struct backend *backend;
	_Atomic(struct coreclr *) coreclr; /* NULL until it was found; lives on */
	/* window.h. NULL until a read could have used one; lives on */
	_Atomic(struct windows *) windows;
	_Atomic(int) window_mode; /* enum cordbmem_windows */
	/* The same if the handle is usable and the mode is AUTO. See windows_publish() and windows_never(). */
	_Atomic(struct windows *) windows_fast;
	_Atomic(struct windows *) windows_word; /* likewise, if there never were patches */

	struct patches patches; /* starts a cache line */
};

/* How a process is opened and watched; reading is the same for all. */
struct backend {
	enum cordbmem_backend kind;
	HRESULT(*open)
	(struct cordbmem_process *process, const struct cordbmem_options *options,
	 struct cordbmem_error *error);
	/* 1 alive, 0 gone, -1 cannot be told */
	int (*alive)(struct cordbmem_process *process);
	HRESULT (*exit_fd)(struct cordbmem_process *process, int *fd, short *events);
};

extern const struct backend module_backend;
extern const struct backend portable_backend;

/* Offsets of files are signed; no user space reaches that far anyway. */
#define ADDRESS_END ((uint64_t)INT64_MAX)

static inline int process_state(const struct cordbmem_process *process)
{
	return atomic_load_explicit(&process->state, memory_order_acquire);
}

static inline bool process_usable(const struct cordbmem_process *process)
{
	return process_state(process) == STATE_ALIVE;
}

/* NULL until CoreCLR was found. */
static inline struct coreclr *coreclr_of(const struct cordbmem_process *process)
{
	return atomic_load_explicit(&process->coreclr, memory_order_acquire);
}

/* process.c: TERMINATED for the one that notices first, NEUTERED for others. */
HRESULT process_notice_gone(struct cordbmem_process *process);

/* read.c */

/*
 * Read without masking. Returns 0 when all was read, else why it stopped after
 * *got bytes: EIO unreadable, ESRCH gone, ENOMEM, EFAULT bad buffer, or any
 * other errno when the handle was closed meanwhile. Never EINTR.
 */
int read_raw(struct cordbmem_process *process, uint64_t address, void *buffer, size_t size,
	     size_t *got);
/* Turn that errno into ReadMemory's result; corrects *got. */
HRESULT read_result(struct cordbmem_process *process, int err, size_t *got);
/*
 * The checks that come before any reading. True: there is nothing left to do,
 * *hr is the result.
 */
bool read_decided(const struct cordbmem_process *process, uint64_t address, const void *buffer,
		  size_t size, HRESULT *hr);
/*
 * Read with the registered patches masked, CoreCLR's left; for a few bytes. 0 when
 * all was read, else as read_raw.
 */
int read_registered(struct cordbmem_process *process, uint64_t address, BYTE *buffer, size_t size,
		    size_t *got);
/*
 * All there is to most reads: bytes of a page that a window shows, and nothing to be masked. Returns how many elements
 * from the first are read, with S_OK. Of the next it takes more to know, and its buffer is garbage.
 */
size_t read_fast(struct cordbmem_scatter *elements, size_t count);
/* read_alike.c: the same, for as many of the first as are alike; their processes are not NULL. count > 0 */
size_t read_alike(struct cordbmem_scatter *elements, size_t count);
/* Read with masking, after the checks. */
HRESULT read_masked(struct cordbmem_process *process, uint64_t address, BYTE *buffer, size_t size,
		    size_t *got);

/* errors.c: all of these return hr */
HRESULT error_set(struct cordbmem_error *error, HRESULT hr, int sys_errno, uint32_t reason,
		  const char *format, ...) __attribute__((format(printf, 5, 6)));
/* For a system call that has no special meaning: E_OUTOFMEMORY and so on. */
HRESULT error_system(struct cordbmem_error *error, int sys_errno, const char *what);
/* Copy to the caller's struct, which may be NULL, or of another version. */
HRESULT error_report(struct cordbmem_error *to, const struct cordbmem_error *from);

/* explain.c: the kernel refused to open the target with EACCES or EPERM */
HRESULT explain_refusal(struct cordbmem_error *error, pid_t pid, int sys_errno,
			enum cordbmem_backend backend);
/* explain.c: the kernel said that there is no such target */
HRESULT explain_absence(struct cordbmem_error *error, pid_t pid);

/* backend_module.c: opens the device and asks INFO, for diagnose.c too. */
struct cordbmem_info;
HRESULT module_device(int borrowed_fd, int *fd, struct cordbmem_info *info,
		      struct cordbmem_error *error);

#endif /* CORDBMEM_SRC_INTERNAL_H */
