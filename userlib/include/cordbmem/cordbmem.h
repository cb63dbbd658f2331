/* SPDX-License-Identifier: MIT */
/*
 * libcordbmem: ICorDebugProcess::ReadMemory for any live process.
 *
 *	struct cordbmem_process *process;
 *	BYTE bytes[64];
 *	SIZE_T got;
 *
 *	if (SUCCEEDED(cordbmem_process_open(pid, NULL, &process, NULL))) {
 *		cordbmem_ReadMemory(process, address, 64, bytes, &got);
 *		cordbmem_process_free(process);
 *	}
 *
 * Conventions that hold for every function:
 *
 * - Addresses are addresses in the target. Sizes are bytes unless said.
 * - A function fails by its HRESULT (cordbmem/errors.h); errno is not part of
 *   the interface. CORDBG_E_OBJECT_NEUTERED comes back from every function on a
 *   handle that was closed, or whose process was noticed to be gone, and then no
 *   output was written (a call that another thread's close overtook may have
 *   written to its data buffer). CORDBG_E_PROCESS_TERMINATED comes back once, from the
 *   call that notices. A process is gone when it has exited or has called
 *   execve: a handle stands for one memory image.
 * - Every function may be called from any thread at any time, on one handle
 *   too. The one exception is cordbmem_process_free, which must be the last
 *   call on its handle. No function is async-signal-safe.
 * - Nothing is global, no thread is started, nothing is printed. All file
 *   descriptors are close-on-exec.
 * - A signal never shortens a read.
 * - Structs that can grow start with their size; use the _INIT macros. A longer
 *   struct than the library knows is accepted if the rest of it is zero.
 */
#ifndef CORDBMEM_CORDBMEM_H
#define CORDBMEM_CORDBMEM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <cordbmem/errors.h>
#include <cordbmem/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CORDBMEM_API __attribute__((visibility("default")))

#define CORDBMEM_VERSION "0.1.0"

/**
 * cordbmem_version() - the version of the library that is loaded
 *
 * Return: a string such as "0.1.0" that lives as long as the library does.
 */
CORDBMEM_API const char *cordbmem_version(void);

/* ---- errors and reasons ------------------------------------------------ */

/**
 * enum cordbmem_reason - why something failed, for a program to switch on
 *
 * New reasons may be added; treat one that is not known as
 * CORDBMEM_REASON_SYSTEM.
 */
enum cordbmem_reason {
	CORDBMEM_REASON_NONE = 0,	 /* nothing failed */
	CORDBMEM_REASON_ARGUMENT,	 /* an argument is wrong */
	CORDBMEM_REASON_SYSTEM,		 /* see sys_errno: out of memory, of fds... */
	CORDBMEM_REASON_UNSUPPORTED,	 /* the module or kernel cannot do it */
	CORDBMEM_REASON_NO_MODULE,	 /* there is no /dev/cordbmem */
	CORDBMEM_REASON_NODE_PERMISSION, /* /dev/cordbmem may not be opened */
	CORDBMEM_REASON_NO_PROCESS,	 /* no process has this pid */
	CORDBMEM_REASON_NO_MEMORY_IMAGE, /* a kernel thread or a zombie */
	CORDBMEM_REASON_PID_NAMESPACE,	 /* outside the module's pid namespace */
	CORDBMEM_REASON_USER_NAMESPACE,	 /* capability counts in another one */
	CORDBMEM_REASON_DIFFERENT_UID,	 /* another user's, no CAP_SYS_PTRACE */
	CORDBMEM_REASON_CAPABILITIES,	 /* the target has more than the caller */
	CORDBMEM_REASON_NOT_DUMPABLE,	 /* prctl(PR_SET_DUMPABLE) or setuid */
	CORDBMEM_REASON_YAMA,		 /* kernel.yama.ptrace_scope */
	CORDBMEM_REASON_REFUSED,	 /* refused, by an LSM as far as can be seen */
	CORDBMEM_REASON_CLOSED,		 /* the handle was closed */
	CORDBMEM_REASON_EXITED,		 /* the process exited */
	CORDBMEM_REASON_EXECED,		 /* the process called execve */
	CORDBMEM_REASON_GONE,		 /* one of both, it cannot be told which */
	CORDBMEM_REASON_HOLE,		 /* nothing is mapped at the address */
	CORDBMEM_REASON_UNREADABLE,	 /* mapped, but cannot be read */
	/* cordbmem/coreclr.h */
	CORDBMEM_REASON_NO_RUNTIME,	     /* no CoreCLR in the process */
	CORDBMEM_REASON_RUNTIME_NOT_READY,   /* has no debugger side (yet) */
	CORDBMEM_REASON_RUNTIME_UNKNOWN,     /* of a version that is not known */
	CORDBMEM_REASON_RUNTIME_INCONSISTENT /* contradicts itself */
};

/**
 * struct cordbmem_error - a failure in words a person can act on
 * @size:	in: sizeof(struct cordbmem_error)
 * @hr:		the HRESULT
 * @sys_errno:	the errno of the system call that failed, or 0
 * @reason:	enum cordbmem_reason
 * @address:	first address that cannot be read, for HOLE and UNREADABLE
 * @text:	one sentence in English, no newline, always terminated
 *
 * Filled by the function it is passed to, on success too (hr S_OK, reason
 * NONE). Passing one is optional, except to cordbmem_process_explain.
 */
struct cordbmem_error {
	uint32_t size;
	HRESULT hr;
	int32_t sys_errno;
	uint32_t reason;
	CORDB_ADDRESS address;
	char text[360];
};

#define CORDBMEM_ERROR_INIT                                          \
	{                                                            \
		(uint32_t)sizeof(struct cordbmem_error), 0, 0, 0, 0, \
		{                                                    \
			0                                            \
		}                                                    \
	}

/**
 * cordbmem_hresult_name() - the name of an HRESULT
 * @hr: any value
 *
 * Return: a static string such as "CORDBG_E_READVIRTUAL_FAILURE" or
 * "HRESULT_FROM_WIN32(ERROR_PARTIAL_COPY)"; "unknown HRESULT" for a value this
 * library does not return. Never NULL.
 */
CORDBMEM_API const char *cordbmem_hresult_name(HRESULT hr);

/**
 * cordbmem_reason_name() - a short name of a reason
 * @reason: enum cordbmem_reason
 *
 * Return: a static string such as "no-module". Never NULL.
 */
CORDBMEM_API const char *cordbmem_reason_name(uint32_t reason);

/* ---- processes --------------------------------------------------------- */

/** struct cordbmem_process - a process open for reading. Opaque. */
struct cordbmem_process;

/**
 * enum cordbmem_backend - what reads
 * @CORDBMEM_BACKEND_MODULE:	the kernel module, through /dev/cordbmem
 * @CORDBMEM_BACKEND_PORTABLE:	/proc/PID/mem; needs no module, is slower, has no
 *				no-fault mode, and is never chosen by itself
 */
enum cordbmem_backend { CORDBMEM_BACKEND_MODULE = 0, CORDBMEM_BACKEND_PORTABLE = 1 };

/*
 * Flags of struct cordbmem_options.
 *
 * NOFAULT: read only what is resident in the target. A page that is not is
 * treated as a hole; no page is faulted in, allocated or read from disk.
 * E_NOTIMPL when the kernel or the back end cannot do that.
 *
 * NO_FORCE: do not read what the target itself may not read (PROT_NONE).
 * Without it the module is asked to, as ReadMemory's contract has it, unless the
 * administrator switched that off (allow_force; cordbmem_process_flags() tells).
 * The portable back end cannot do without and returns E_NOTIMPL.
 */
#define CORDBMEM_OPEN_NOFAULT (1U << 0)
#define CORDBMEM_OPEN_NO_FORCE (1U << 1)

/**
 * struct cordbmem_options - how to open a process
 * @size:	sizeof(struct cordbmem_options)
 * @backend:	enum cordbmem_backend
 * @flags:	CORDBMEM_OPEN_*
 * @device_fd:	MODULE: an fd on /dev/cordbmem to use, or -1 to open one. It is
 *		borrowed: it must stay open until the handle is freed, and any
 *		number of handles may share it
 * @target_fd:	MODULE: a target fd that exists already (from CORDBMEM_IOC_ATTACH
 *		or received from another process), or -1. It is duplicated.
 *		/dev/cordbmem is then not needed, but is used when it
 *		can be opened. The mode it was attached with applies,
 *		so @flags must be 0. @pid of the open is not verified
 * @mem_fd:	an fd on /proc/PID/mem, open for reading, or -1: reads what
 *		whoever opened it may read. Not kept by MODULE, duplicated
 *		by PORTABLE. @pid of the open is not verified
 * @reserved:	0
 *
 * At most one of @target_fd and @mem_fd can be given. Initialise with
 * CORDBMEM_OPTIONS_INIT, which is the same as passing NULL.
 */
struct cordbmem_options {
	uint32_t size;
	uint32_t backend;
	uint32_t flags;
	int32_t device_fd;
	int32_t target_fd;
	int32_t mem_fd;
	uint64_t reserved;
};

#define CORDBMEM_OPTIONS_INIT                                                                      \
	{                                                                                          \
		(uint32_t)sizeof(struct cordbmem_options), CORDBMEM_BACKEND_MODULE, 0, -1, -1, -1, \
			0                                                                          \
	}

/**
 * cordbmem_process_open() - open a process for reading
 * @pid:	process, as numbered in the caller's pid namespace; > 0
 * @options:	NULL for the defaults
 * @process:	out: the handle, to be freed with cordbmem_process_free; NULL
 *		on failure
 * @error:	NULL, or filled with the reason
 *
 * The caller needs what /proc/PID/mem needs: the target's uid or
 * CAP_SYS_PTRACE, and nobody objecting (Yama, SELinux, ...). That is decided
 * here, once. The target is not stopped and does not notice.
 *
 * Return:
 * * S_OK
 * * E_INVALIDARG: a wrong argument; an fd that is not what it must be
 * * 0x80070002 CORDBMEM_E_FILE_NOT_FOUND: the module is not loaded
 * * E_ACCESSDENIED: /dev/cordbmem or the process may not be opened
 * * CORDBG_E_PROCESS_TERMINATED: no such process, or one without memory: a
 *   kernel thread, a zombie. (The code is the same as for a process that exits
 *   later, because a caller cannot know on which side of open it will exit.)
 * * E_NOTIMPL: @options asks for what the kernel cannot do
 * * E_OUTOFMEMORY, 0x80070004 CORDBMEM_E_TOO_MANY_OPEN_FILES, E_FAIL
 */
CORDBMEM_API HRESULT cordbmem_process_open(pid_t pid, const struct cordbmem_options *options,
					   struct cordbmem_process **process,
					   struct cordbmem_error *error);

/**
 * cordbmem_process_close() - end a handle, keep its memory
 * @process: handle; NULL is allowed
 *
 * Every later call on the handle returns CORDBG_E_OBJECT_NEUTERED and writes no
 * output. A call that another thread is in may still complete or return that,
 * and may have written some output.
 * The files behind the handle are released; the fd numbers stay taken until
 * cordbmem_process_free, so that no such thread can meet a stranger's file.
 *
 * Return: S_OK, CORDBG_E_OBJECT_NEUTERED when it was closed already.
 */
CORDBMEM_API HRESULT cordbmem_process_close(struct cordbmem_process *process);

/**
 * cordbmem_process_free() - close a handle and free it
 * @process: handle; NULL is allowed
 *
 * No other thread may be in a call on the handle, or make one later.
 */
CORDBMEM_API void cordbmem_process_free(struct cordbmem_process *process);

/**
 * cordbmem_process_pid() - the pid given to cordbmem_process_open
 * @process: handle, closed ones too
 */
CORDBMEM_API pid_t cordbmem_process_pid(const struct cordbmem_process *process);

/**
 * cordbmem_process_backend() - what reads
 * @process: handle, closed ones too
 *
 * Return: the back end that was asked for; there is never another one.
 */
CORDBMEM_API enum cordbmem_backend cordbmem_process_backend(const struct cordbmem_process *process);

/**
 * cordbmem_process_flags() - the mode in effect
 * @process: handle, closed ones too
 *
 * Return: CORDBMEM_OPEN_NOFAULT and CORDBMEM_OPEN_NO_FORCE, the latter also when the
 * administrator switched forced reads off. With a target_fd of the caller's, the
 * mode it was attached with (0 where there is no /proc to ask).
 */
CORDBMEM_API uint32_t cordbmem_process_flags(const struct cordbmem_process *process);

/**
 * cordbmem_process_is_alive() - does the memory image still exist?
 * @process: handle
 *
 * This looks, and what it sees counts as noticed: after it has returned 0 every
 * call on the handle returns CORDBG_E_OBJECT_NEUTERED.
 *
 * Return: 1, or 0 when the process is gone or the handle closed.
 */
CORDBMEM_API int cordbmem_process_is_alive(struct cordbmem_process *process);

/**
 * cordbmem_process_exit_fd() - an fd to wait on until the process is gone
 * @process:	handle
 * @fd:		out: the fd, owned by the handle; valid until it is closed
 * @events:	out: what to put in struct pollfd's events (0 for MODULE, where
 *		POLLHUP says it; POLLIN for PORTABLE). Any revents mean
 *		"gone"; ask cordbmem_process_is_alive to be sure
 *
 * Works with poll, select (PORTABLE only), epoll and io_uring. MODULE reports
 * exit and execve. PORTABLE reports exit only; execve is noticed by the next
 * read or cordbmem_process_is_alive.
 *
 * Return: S_OK, E_INVALIDARG, CORDBG_E_OBJECT_NEUTERED, E_NOTIMPL (PORTABLE
 * with a mem_fd of the caller's, or a kernel older than 5.3).
 */
CORDBMEM_API HRESULT cordbmem_process_exit_fd(struct cordbmem_process *process, int *fd,
					      short *events);

/**
 * cordbmem_process_explain() - find out why a range cannot be read
 * @process:	handle, closed ones too
 * @address:	first byte
 * @size:	bytes, 0 counts as 1
 * @error:	filled. hr is what reading the range gives now, and S_OK
 *		when all of it can be read
 *
 * Probes anew, page by page, so it is not for hot paths, and it describes the
 * state of now, not of the read that failed.
 *
 * Return: S_OK when @error was filled, E_INVALIDARG. This is the one function that
 * works on a neutered handle.
 */
CORDBMEM_API HRESULT cordbmem_process_explain(struct cordbmem_process *process,
					      CORDB_ADDRESS address, SIZE_T size,
					      struct cordbmem_error *error);

/* ---- reading ----------------------------------------------------------- */

/**
 * cordbmem_ReadMemory() - ICorDebugProcess::ReadMemory
 * @process:	handle
 * @address:	first byte to read in the target
 * @size:	bytes to read
 * @buffer:	out: at least @size bytes. Its bytes past the count that was
 *		read are undefined
 * @read:	out: bytes read, exact; NULL is allowed
 *
 * Managed breakpoints (the registered patches) are replaced by the original
 * bytes; native breakpoints stay as they are. Nothing is cached. The target
 * keeps running: a read of one aligned word of up to 8 bytes is not torn, longer
 * ranges are not atomic.
 *
 * The checks come in this order:
 * * CORDBG_E_OBJECT_NEUTERED: closed, or gone and noticed; @read is not written,
 *   and @buffer only if that came during the call
 * * S_OK for @size 0: nothing else is looked at, @read is not written
 * * E_INVALIDARG: @buffer is NULL or @address is 0; @read is not written
 * * CORDBG_E_PROCESS_TERMINATED: the process is gone, *@read = 0
 * * CORDBG_E_READVIRTUAL_FAILURE: not even the first byte, *@read = 0
 * * 0x8007012B CORDBMEM_E_PARTIAL_COPY: *@read bytes, then one that cannot be
 *   read. The bytes are in @buffer, masked
 * * S_OK: all
 *
 * Beyond what the genuine one returns: E_INVALIDARG for a NULL @process;
 * E_OUTOFMEMORY when the kernel has no memory, 0x800703E6 CORDBMEM_E_NOACCESS when
 * @buffer cannot be written (but see enum cordbmem_windows), and E_ACCESSDENIED when forced reads (allow_force)
 * were switched off since the process was opened for them, all with *@read = 0.
 */
CORDBMEM_API HRESULT cordbmem_ReadMemory(struct cordbmem_process *process, CORDB_ADDRESS address,
					 DWORD size, BYTE buffer[], SIZE_T *read);

/**
 * struct cordbmem_scatter - one element of a scattered read
 * @process:	in: handle
 * @address:	in: first byte to read in the target
 * @buffer:	in: at least @size bytes
 * @size:	in: bytes to read
 * @result:	out: as cordbmem_ReadMemory returns it
 * @read:	out: bytes read; unlike ReadMemory's, always written
 */
struct cordbmem_scatter {
	struct cordbmem_process *process;
	CORDB_ADDRESS address;
	BYTE *buffer;
	DWORD size;
	HRESULT result;
	SIZE_T read;
};

/**
 * cordbmem_read_scatter() - many reads, over any mix of processes
 * @elements:	array; NULL is allowed when @count is 0
 * @count:	its length
 *
 * Equal to calling cordbmem_ReadMemory for each element in turn, with few
 * system calls: no byte of an element is read before the element in front of
 * it is done, one bad element does not stop the rest, and every element is
 * masked. Handles of different back ends can be mixed. Their buffers must not
 * overlap.
 *
 * Return: S_OK when every element is S_OK, else the result of the first that
 * is not; E_INVALIDARG when @elements is NULL.
 */
CORDBMEM_API HRESULT cordbmem_read_scatter(struct cordbmem_scatter *elements, size_t count);

/**
 * cordbmem_read_string() - read a NUL-terminated string of bytes (UTF-8)
 * @process:	handle
 * @address:	first byte
 * @buffer:	out: the string, always terminated. Bytes past the terminator
 *		are undefined
 * @capacity:	bytes in @buffer, with the terminator; > 0
 * @length:	out: bytes without the terminator; NULL is allowed
 *
 * Reads up to the end of the terminator's page at most, so a string that ends
 * just before a hole is read whole. The bytes are not validated.
 *
 * Return, in order of check:
 * * CORDBG_E_OBJECT_NEUTERED, E_INVALIDARG: no output was written
 * * CORDBG_E_PROCESS_TERMINATED, CORDBG_E_READVIRTUAL_FAILURE, E_OUTOFMEMORY: as
 *   ReadMemory; the string is empty
 * * 0x8007012B CORDBMEM_E_PARTIAL_COPY: unreadable memory before a terminator;
 *   what stands before it is the string
 * * 0x800700EA CORDBMEM_E_MORE_DATA: no terminator in @capacity bytes; the
 *   string was cut, not within a UTF-8 sequence
 * * S_OK
 */
CORDBMEM_API HRESULT cordbmem_read_string(struct cordbmem_process *process, CORDB_ADDRESS address,
					  char *buffer, size_t capacity, size_t *length);

/**
 * cordbmem_read_string16() - read a NUL-terminated string of UTF-16 units
 * @process:	handle
 * @address:	first byte; need not be even
 * @buffer:	out: the string, in the target's byte order
 * @capacity:	units of 2 bytes in @buffer, with the terminator; > 0
 * @length:	out: units without the terminator; NULL is allowed
 *
 * As cordbmem_read_string. Only whole units count; a cut string does not end in a
 * high surrogate whose low one was cut.
 */
CORDBMEM_API HRESULT cordbmem_read_string16(struct cordbmem_process *process, CORDB_ADDRESS address,
					    uint16_t *buffer, size_t capacity, size_t *length);

/**
 * struct cordbmem_chain - a chain of pointers to follow
 * @process:	in: handle
 * @base:	in: where the first pointer is
 * @offsets:	in: @count offsets in bytes
 * @count:	in: pointers to read
 * @pointer_size: in: 8 or 4; 0 means 8
 * @result:	out: S_OK, or what reading the pointer of level @level returned;
 *		E_INVALIDARG for wrong members
 * @address:	out: the end of the chain; on failure the address that could
 *		not be read
 * @level:	out: pointers read. On failure also the level that failed, from 0
 *
 * address = base; for each offset: address = *(pointer *)address + offset.
 * The last address is not read. Addresses wrap at 64 bits, whatever the pointer
 * size. A pointer that cannot be read whole is a failure with the HRESULT of
 * cordbmem_ReadMemory; a NULL in the way is CORDBG_E_READVIRTUAL_FAILURE.
 */
struct cordbmem_chain {
	struct cordbmem_process *process;
	CORDB_ADDRESS base;
	const int64_t *offsets;
	size_t count;
	uint32_t pointer_size;
	HRESULT result;
	CORDB_ADDRESS address;
	size_t level;
};

/**
 * cordbmem_read_chains() - follow chains of pointers, level by level
 * @chains:	array; NULL is allowed when @count is 0
 * @count:	its length
 *
 * One scattered read per level serves up to 128 chains, over any mix of
 * processes and lengths.
 *
 * Return: S_OK when every chain is S_OK, else the result of the first that is not;
 * E_INVALIDARG when @chains is NULL.
 */
CORDBMEM_API HRESULT cordbmem_read_chains(struct cordbmem_chain *chains, size_t count);

/**
 * cordbmem_read_chain() - follow one chain of 8-byte pointers
 * @process:	handle
 * @base:	where the first pointer is
 * @offsets:	@count offsets; see struct cordbmem_chain
 * @count:	pointers to read
 * @address:	out: as in struct cordbmem_chain, also on failure (but not with
 *		E_INVALIDARG and CORDBG_E_OBJECT_NEUTERED)
 * @level:	out: likewise; NULL is allowed
 */
CORDBMEM_API HRESULT cordbmem_read_chain(struct cordbmem_process *process, CORDB_ADDRESS base,
					 const int64_t *offsets, size_t count,
					 CORDB_ADDRESS *address, size_t *level);

/**
 * cordbmem_read_consistent() - read what a sequence word protects
 * @process:	handle
 * @sequence:	address of the sequence word, a multiple of its size
 * @sequence_size: 4 or 8
 * @address:	first byte of the data
 * @size:	bytes of data, > 0
 * @buffer:	out: at least @size bytes; undefined unless S_OK is returned
 * @attempts:	how often to try, 0 for 100
 * @value:	out: the sequence word, on S_OK; NULL is allowed
 *
 * Reads the sequence word, the data, the sequence word, in this order. The data is
 * returned if the word was even (no writer) and the same both times; otherwise
 * that is tried again at once. The target must write the word as a seqlock
 * does: odd before the first change, even after the last.
 *
 * Return:
 * * CORDBG_E_OBJECT_NEUTERED, E_INVALIDARG
 * * 0x800704D5 CORDBMEM_E_RETRY: no attempt met a quiet moment
 * * what cordbmem_ReadMemory returns for the word or the data, a partial
 *   copy too, which is no success here
 * * S_OK
 */
CORDBMEM_API HRESULT cordbmem_read_consistent(struct cordbmem_process *process,
					      CORDB_ADDRESS sequence, DWORD sequence_size,
					      CORDB_ADDRESS address, DWORD size, BYTE *buffer,
					      unsigned int attempts, uint64_t *value);

/* ---- patches: managed breakpoints to be hidden ------------------------- */

/** define CORDBMEM_PATCH_MAX - the most bytes of one patch */
#define CORDBMEM_PATCH_MAX 16

/** typedef cordbmem_patch_id - names a patch of one handle; never 0 */
typedef uint64_t cordbmem_patch_id;

/**
 * struct cordbmem_patch - bytes of the target that reads must not show
 * @id:		out: names the patch
 * @address:	first byte
 * @size:	bytes, 1 to CORDBMEM_PATCH_MAX
 * @original:	what reads are to show; @size bytes count
 */
struct cordbmem_patch {
	cordbmem_patch_id id;
	CORDB_ADDRESS address;
	DWORD size;
	BYTE original[CORDBMEM_PATCH_MAX];
};

/**
 * cordbmem_process_add_patch() - hide bytes of the target
 * @process:	handle
 * @address:	first byte; not 0, and @address + @size must not wrap
 * @original:	@size bytes to show instead
 * @size:	1 to CORDBMEM_PATCH_MAX
 * @id:		out: for cordbmem_process_remove_patch; NULL is allowed
 *
 * Every read through this handle shows @original in place of what is in memory.
 * Register a patch before the trap is written into the target, and remove it after
 * the code was restored: then no read ever shows a trap, not even one that runs
 * meanwhile in another thread.
 *
 * Several patches may cover a byte, also at one address. The one that was registered
 * first wins, because its bytes were saved before a later trap was
 * written. When it is removed, the next one shows.
 *
 * Return: S_OK, E_INVALIDARG, E_OUTOFMEMORY, CORDBG_E_OBJECT_NEUTERED. On failure
 * nothing changed.
 */
CORDBMEM_API HRESULT cordbmem_process_add_patch(struct cordbmem_process *process,
						CORDB_ADDRESS address, const BYTE *original,
						DWORD size, cordbmem_patch_id *id);

/**
 * cordbmem_process_add_patches() - register many patches at once
 * @process:	handle
 * @patches:	array; the ids are filled in. Among them the first is the oldest
 * @count:	its length
 *
 * All or none are registered, in O(n log n) altogether. Readers see them appear
 * at one moment.
 *
 * Return: as cordbmem_process_add_patch.
 */
CORDBMEM_API HRESULT cordbmem_process_add_patches(struct cordbmem_process *process,
						  struct cordbmem_patch *patches, size_t count);

/**
 * cordbmem_process_remove_patch() - show bytes as they are again
 * @process:	handle
 * @id:		from the registration
 *
 * Call it after the code was restored. A read that began before the call may still
 * show the original bytes.
 *
 * Return: S_OK, 0x80070490 CORDBMEM_E_NOT_FOUND, CORDBG_E_OBJECT_NEUTERED.
 */
CORDBMEM_API HRESULT cordbmem_process_remove_patch(struct cordbmem_process *process,
						   cordbmem_patch_id id);

/**
 * cordbmem_process_list_patches() - the registered patches, by address
 * @process:	handle
 * @patches:	out: the first @capacity patches; NULL is allowed when that is 0
 * @capacity:	length of @patches
 * @count:	out: patches that are registered; may be more than @capacity
 *
 * Patches at one address come oldest first.
 *
 * Return: S_OK, E_INVALIDARG, CORDBG_E_OBJECT_NEUTERED.
 */
CORDBMEM_API HRESULT cordbmem_process_list_patches(struct cordbmem_process *process,
						   struct cordbmem_patch *patches, size_t capacity,
						   size_t *count);

/* ---- windows ----------------------------------------------------------- */

/**
 * enum cordbmem_windows - how reads use windows
 * @CORDBMEM_WINDOWS_AUTO: where they pay; what a new handle does
 * @CORDBMEM_WINDOWS_OFF: not at all. What was mapped is unmapped, pins are forgotten
 * @CORDBMEM_WINDOWS_CHECKED: as AUTO, but each read through a window is compared
 *	with a read by system call. Slow; for tests
 *
 * A window is a part of the target's memory that is mapped into this process,
 * its own pages, so that a read of them is a copy and no system call. It is never a
 * copy of old: a read takes bytes from a window only when they were in the target at
 * some moment during the call, and is made by a system call otherwise. The results are the
 * same, but for one thing: a @buffer that cannot be written is CORDBMEM_E_NOACCESS only
 * where the kernel does the copying, and else what it is for memcpy.
 *
 * What was read twice is mapped, with what is resident around it, until the target
 * replaces it; pages that it replaces over and over are mapped ever more seldom. A handle has at
 * most 16 windows of 64 GiB of address space; each takes an fd, and that much
 * address space here until the handle is freed; memory only in proportion to what
 * is mapped. docs/window.md says
 * what it costs the target.
 *
 * In a child of fork a handle begins with no windows; the fork must not be made in a
 * signal handler that interrupted a read of that handle.
 */
enum cordbmem_windows {
	CORDBMEM_WINDOWS_AUTO = 0,
	CORDBMEM_WINDOWS_OFF = 1,
	CORDBMEM_WINDOWS_CHECKED = 2
};

/**
 * cordbmem_process_set_windows() - turn windows on and off
 * @process:	handle
 * @mode:	how reads use windows from now on
 *
 * Return: S_OK; E_INVALIDARG; E_NOTIMPL: the portable back end has none (but
 * takes OFF); E_OUTOFMEMORY; CORDBG_E_OBJECT_NEUTERED. Thread-safe.
 */
CORDBMEM_API HRESULT cordbmem_process_set_windows(struct cordbmem_process *process,
						  enum cordbmem_windows mode);

/**
 * cordbmem_process_pin_window() - have a window over a range at once, and keep it
 * @process:	handle
 * @address:	first byte
 * @size:	bytes, more than 0
 * @pages:	out: pages of the range that are mapped now; NULL is allowed
 *
 * The pages are faulted in in the target (unless the handle is NOFAULT). When the
 * target replaces one, the next read of it maps the new one. A handle keeps at most 32 pins.
 *
 * Return: S_OK, also when no page of the range can be mapped; E_INVALIDARG; E_NOTIMPL:
 * there are no windows (the kernel, the back end, or turned off); E_OUTOFMEMORY: too
 * many pins or windows; CORDBG_E_PROCESS_TERMINATED; CORDBG_E_OBJECT_NEUTERED.
 */
CORDBMEM_API HRESULT cordbmem_process_pin_window(struct cordbmem_process *process,
						 CORDB_ADDRESS address, SIZE_T size, SIZE_T *pages);

/**
 * struct cordbmem_window_stats - what the windows of a handle do
 * @size:	in: sizeof(struct cordbmem_window_stats)
 * @windows:	windows at the moment
 * @pages:	pages of the target that they hold
 * @filled:	pages that became valid, ever
 * @invalidated: valid pages that the target replaced, ever
 * @evicted:	valid pages that were given up, for others or because they were held for long
 * @faults:	touches that found nothing in this process's page table, ever
 * @fallbacks:	touches that got zeros, which no read returns, ever
 * @populates:	how often reads or pins had a range mapped
 * @checked:	reads through windows that were compared (CORDBMEM_WINDOWS_CHECKED)
 * @mismatches:	comparisons that found a difference; must be 0
 *
 * Windows that are gone do not count, except in the last three. Reads through windows are not
 * counted: that would cost more than the read.
 */
struct cordbmem_window_stats {
	size_t size;
	uint64_t windows;
	uint64_t pages;
	uint64_t filled;
	uint64_t invalidated;
	uint64_t evicted;
	uint64_t faults;
	uint64_t fallbacks;
	uint64_t populates;
	uint64_t checked;
	uint64_t mismatches;
};

/**
 * cordbmem_process_window_stats() - read the statistics
 * @process:	handle
 * @stats:	out
 *
 * Return: S_OK; E_INVALIDARG; CORDBG_E_OBJECT_NEUTERED. Thread-safe.
 */
CORDBMEM_API HRESULT cordbmem_process_window_stats(struct cordbmem_process *process,
						   struct cordbmem_window_stats *stats);

/* ---- diagnosis --------------------------------------------------------- */

/** enum cordbmem_status - outcome of one check */
enum cordbmem_status {
	CORDBMEM_STATUS_OK = 0,
	CORDBMEM_STATUS_WARN,	/* does not stop the read, or not surely */
	CORDBMEM_STATUS_FAIL,	/* stops the read */
	CORDBMEM_STATUS_UNKNOWN /* cannot be seen from here */
};

/**
 * struct cordbmem_check - one thing that a read depends on
 * @size:	sizeof(struct cordbmem_check) as the library knows it
 * @status:	enum cordbmem_status
 * @reason:	enum cordbmem_reason that a failure of this check would have
 * @name:	short static name: "module", "node", "process", "image",
 *		"pid-namespace", "uid", "capability", "user-namespace",
 *		"dumpable", "yama", "lsm", "open"
 * @text:	one sentence, no newline
 */
struct cordbmem_check {
	uint32_t size;
	uint32_t status;
	uint32_t reason;
	const char *name;
	char text[360];
};

/** typedef cordbmem_check_fn - told of each check; the check is valid meanwhile */
typedef void (*cordbmem_check_fn)(void *context, const struct cordbmem_check *check);

/**
 * cordbmem_diagnose() - would reading a process work, and if not, why not?
 * @pid:	process
 * @options:	as for cordbmem_process_open
 * @report:	called for each check, in the order of the list at struct
 *		cordbmem_check. A check that makes no sense is left out (without a
 *		process there is no uid to compare)
 * @context:	passed to @report
 *
 * The last check, "open", is cordbmem_process_open itself, so its outcome is the
 * truth whatever the others guess. Thread-safe.
 *
 * Return: what that cordbmem_process_open returned; E_INVALIDARG.
 */
CORDBMEM_API HRESULT cordbmem_diagnose(pid_t pid, const struct cordbmem_options *options,
				       cordbmem_check_fn report, void *context);

#ifdef __cplusplus
}
#endif

#endif /* CORDBMEM_CORDBMEM_H */
