/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * The whole contract between the cordbmem module and user space.
 */
#ifndef _UAPI_LINUX_CORDBMEM_H
#define _UAPI_LINUX_CORDBMEM_H

#include <linux/ioctl.h>
#include <linux/types.h>

/**
 * DOC: /dev/cordbmem
 *
 * /dev/cordbmem reads the memory of live processes. Nothing is ever written
 * to a target, and no target is stopped.
 *
 * Objects are files. The device takes INFO, READ, READV and ATTACH; ATTACH
 * yields a target fd, a file whose offset is the target's address. A target fd
 * takes WINDOW, which yields a window fd: a live mapping of a range of the
 * target. Closing the fd ends the object.
 *
 * Who may read whom is the policy of /proc/PID/mem, decided by the kernel's own
 * check with every security module (ptrace access mode ATTACH, filesystem
 * credentials). Two rules differ in form only: the mode bits of the proc file
 * do not count, so CAP_SYS_PTRACE alone is enough, and the check is made
 * against the pid namespace in which the module was loaded. READ and READV,
 * which name a pid in each call, ask the kernel again when anything on either
 * side changed, and otherwise once a second; ATTACH asks each time.
 *
 * Structs grow at their end. The first member of the argument of every ioctl
 * is its size in bytes as the caller knows it. A struct longer than the kernel's
 * is accepted while the bytes that the kernel does not know are zero, a
 * shorter one is taken as padded with zeros; one shorter than the first
 * revision is EINVAL. Members marked "in" must hold what is said there,
 * members marked "out" are ignored on entry. Reserved members must be zero.
 *
 * Every ioctl returns 0, or -1 and an errno. When the errno is one of
 * EINVAL, E2BIG, EOPNOTSUPP, EPERM, ENOTTY or EBADF, nothing was read and
 * nothing was written:
 *
 * - ENOTTY: the ioctl number is unknown on this file.
 * - EINVAL: a member has a value that no kernel accepts: a struct too short,
 *   an unknown flag, a reserved member that is not zero.
 * - E2BIG: the struct is longer than the kernel's and the tail is not zero, or
 *   longer than a page, or an array has more elements than INFO allows.
 * - EOPNOTSUPP: a known flag that this kernel cannot honour.
 * - EPERM: %CORDBMEM_READ_FORCE is switched off on this system.
 * - EBADF: an fd that is not open, or not open for reading.
 * - EFAULT: memory of the caller cannot be read or written.
 * - ESRCH: there is no such process in the caller's pid namespace, it has no
 *   memory (a kernel thread, a zombie), it is outside the pid namespace in
 *   which the module was loaded, or it exited or called execve while it
 *   was read.
 * - EACCES: the kernel refuses this caller this target. (process_vm_readv says
 *   EPERM where /proc/PID/mem and cordbmem say EACCES.)
 * - EIO: the first byte asked for cannot be read in the target: no mapping,
 *   no right to read it, a page that cannot be had, an address outside
 *   user space.
 * - EINTR: a fatal signal came before the first byte was read.
 * - ENOMEM: the kernel is out of memory.
 * - ENFILE: the check opens a file for a moment, and the system has too many.
 *   (As every errno of the check but EPERM, which becomes EACCES, it comes
 *   through as it is.)
 *
 * A read stops at the first byte it cannot have. If it had at least one byte
 * by then, it succeeded: the count of bytes is exact, and the member "error"
 * says why it is short. Bytes of the buffer past the count are undefined
 * only up to the requested length, and untouched beyond it. So are the bytes of
 * a read of the caller's own memory whose buffer overlaps what is read.
 *
 * Every read of a target (READ, each element of READV, each read of a target fd)
 * fires the tracepoint cordbmem:cordbmem_read. What is refused before the
 * target is looked at does not.
 */

/** define CORDBMEM_DEVICE - path of the device node */
#define CORDBMEM_DEVICE "/dev/cordbmem"

/** define CORDBMEM_ABI - revision of this contract; grows with every addition */
#define CORDBMEM_ABI 2

#define CORDBMEM_IOC_MAGIC 0xD6

/*
 * The numbers carry no size, so they survive the growth of their structs.
 */
#define CORDBMEM_IOC_INFO	_IO(CORDBMEM_IOC_MAGIC, 0x00)
#define CORDBMEM_IOC_READ	_IO(CORDBMEM_IOC_MAGIC, 0x01)
#define CORDBMEM_IOC_READV	_IO(CORDBMEM_IOC_MAGIC, 0x02)
#define CORDBMEM_IOC_ATTACH	_IO(CORDBMEM_IOC_MAGIC, 0x03)
/* On a target fd. */
#define CORDBMEM_IOC_WINDOW	_IO(CORDBMEM_IOC_MAGIC, 0x10)
/* On a window fd. */
#define CORDBMEM_IOC_POPULATE	_IO(CORDBMEM_IOC_MAGIC, 0x20)
#define CORDBMEM_IOC_SYNC	_IO(CORDBMEM_IOC_MAGIC, 0x21)
#define CORDBMEM_IOC_STATS	_IO(CORDBMEM_IOC_MAGIC, 0x22)

/*
 * Features, as reported in struct cordbmem_info.
 */
/** define CORDBMEM_FEATURE_NOFAULT - %CORDBMEM_READ_NOFAULT is available */
#define CORDBMEM_FEATURE_NOFAULT	0x1ULL
/** define CORDBMEM_FEATURE_FORCE - %CORDBMEM_READ_FORCE is allowed */
#define CORDBMEM_FEATURE_FORCE		0x2ULL
/**
 * define CORDBMEM_FEATURE_WINDOW - live windows exist on this kernel
 *
 * Where it was built with CONFIG_MMU_NOTIFIER.
 */
#define CORDBMEM_FEATURE_WINDOW		0x4ULL

/*
 * Flags of a read: READ, an element of READV, or the mode of a target fd.
 */
/**
 * define CORDBMEM_READ_FORCE - read what the target itself may not read
 *
 * Pages mapped PROT_NONE or execute-only are read as /proc/PID/mem reads them.
 * EPERM when INFO does not report %CORDBMEM_FEATURE_FORCE (module parameter
 * allow_force).
 */
#define CORDBMEM_READ_FORCE	0x1U
/**
 * define CORDBMEM_READ_NOFAULT - read only what is mapped in already
 *
 * No page of the target is faulted in, allocated or read from disk, and its
 * stack is not grown. The first page without a present entry in the
 * target's page table ends the read as a hole does. Kernels before 6.6 cannot
 * look at hugetlb pages without allocating them: there they are holes too, and
 * so are, without %CORDBMEM_READ_FORCE, pages that automatic NUMA balancing has
 * marked. EOPNOTSUPP when INFO does
 * not report %CORDBMEM_FEATURE_NOFAULT.
 */
#define CORDBMEM_READ_NOFAULT	0x2U
/**
 * define CORDBMEM_READ_TARGET_FD - the source is a target fd, not a pid
 *
 * For elements of READV only. The mode that was given to ATTACH does not
 * apply: the element's own flags do.
 */
#define CORDBMEM_READ_TARGET_FD	0x4U

/**
 * struct cordbmem_info - argument of CORDBMEM_IOC_INFO
 * @size:	in: sizeof(struct cordbmem_info)
 * @flags:	in: must be 0
 * @abi:	out: revision of the contract that the module implements
 * @page_size:	out: bytes in a page
 * @features:	out: CORDBMEM_FEATURE_*
 * @max_elements: out: the most elements that one READV takes
 * @reserved:	out: 0
 * @window_length: out: the longest range of a window in bytes; 0 without windows
 *		(from ABI 2 on)
 * @window_pages: out: the most pages that one window maps at a time (ABI 2)
 *
 * Errors: EINVAL, E2BIG, EFAULT.
 */
struct cordbmem_info {
	__u32 size;
	__u32 flags;
	__u32 abi;
	__u32 page_size;
	__aligned_u64 features;
	__u32 max_elements;
	__u32 reserved;
	__aligned_u64 window_length;
	__aligned_u64 window_pages;
};

/**
 * struct cordbmem_read - argument of CORDBMEM_IOC_READ
 * @size:	in: sizeof(struct cordbmem_read)
 * @flags:	in: %CORDBMEM_READ_FORCE, %CORDBMEM_READ_NOFAULT
 * @pid:	in: process or thread to read, as numbered in the caller's pid
 *		namespace
 * @reserved:	in: must be 0
 * @address:	in: first byte to read, in the target
 * @length:	in: bytes to read. 0 reads nothing, but the target must exist
 *		and be readable for the caller
 * @buffer:	in: pointer to @length bytes of the caller
 * @bytes_read:	out: bytes read, exact to the byte
 * @error:	out: why @bytes_read is less than @length (EIO, EINTR, ESRCH,
 *		ENOMEM, EFAULT), else 0
 * @reserved2:	out: 0
 *
 * Succeeds when at least one byte was read, or @length is 0. Otherwise it
 * fails with @error as errno, and @bytes_read is 0. The out members are written
 * whenever the target was found and the caller may read it: on success, with
 * EIO, EINTR and ENOMEM, with EFAULT from @buffer, and with ESRCH when the
 * target went away during the read. The check itself can fail with EINTR,
 * ENOMEM and ENFILE too; then they are not written.
 *
 * A signal ends a long read between two chunks; what was read by then counts.
 * A read is not atomic against the target, which keeps running.
 *
 * Errors: EINVAL, E2BIG, EOPNOTSUPP, EPERM, EFAULT, ESRCH, EACCES, EIO, EINTR,
 * ENOMEM, ENFILE.
 */
struct cordbmem_read {
	__u32 size;
	__u32 flags;
	__s32 pid;
	__u32 reserved;
	__aligned_u64 address;
	__aligned_u64 length;
	__aligned_u64 buffer;
	__aligned_u64 bytes_read;
	__s32 error;
	__u32 reserved2;
};

/**
 * struct cordbmem_element - one read of a CORDBMEM_IOC_READV
 * @source:	in: pid as in struct cordbmem_read, or a target fd when @flags
 *		has %CORDBMEM_READ_TARGET_FD
 * @flags:	in: CORDBMEM_READ_*
 * @address:	in: first byte to read, in the target
 * @length:	in: bytes to read
 * @buffer:	in: pointer to @length bytes of the caller
 * @bytes_read:	out: bytes read, exact to the byte
 * @error:	out: 0 when all was read, else an errno of struct cordbmem_read, or
 *		EBADF (no such fd) or EINVAL (not a target fd)
 * @reserved:	in: must be 0
 */
struct cordbmem_element {
	__s32 source;
	__u32 flags;
	__aligned_u64 address;
	__aligned_u64 length;
	__aligned_u64 buffer;
	__aligned_u64 bytes_read;
	__s32 error;
	__u32 reserved;
};

/**
 * struct cordbmem_readv - argument of CORDBMEM_IOC_READV
 * @size:	in: sizeof(struct cordbmem_readv)
 * @flags:	in: must be 0
 * @elements:	in: pointer to @count elements
 * @count:	in: number of elements, at most max_elements of INFO; 0 is allowed
 * @element_size: in: sizeof(struct cordbmem_element); longer elements, up to
 *		a page, are accepted while their tails are zero
 * @done:	out: elements that were processed and have their out members set
 * @reserved:	in: must be 0
 *
 * Elements are read one after the other, in order, each with its own count and
 * errno: no byte of an element is looked at before the element in front of it
 * is done, so {sequence word, data, sequence word} is a valid seqlock read: an
 * aligned element of 4 or 8 bytes in ordinary memory of another process is read
 * in one access. One bad element does not stop the rest. The order is one of
 * reading: in memory that the caller shares with the target, an element may show
 * what stood there before the call filled an earlier element's @buffer.
 *
 * A signal ends the call early, after at least one element; a fatal one also
 * before, with EINTR. @done elements were processed; call again with the rest.
 * EFAULT means that the array itself could not be read (nothing was done) or its
 * out members could not be written.
 *
 * Errors: EINVAL, E2BIG, EFAULT, EINTR, ENOMEM.
 */
struct cordbmem_readv {
	__u32 size;
	__u32 flags;
	__aligned_u64 elements;
	__u32 count;
	__u32 element_size;
	__u32 done;
	__u32 reserved;
};

/**
 * define CORDBMEM_ATTACH_MEM_FD - the source is the caller's fd on /proc/PID/mem
 *
 * The fd must be open for reading; whoever opened it was checked by the kernel
 * then, and is not checked again.
 */
#define CORDBMEM_ATTACH_MEM_FD	0x8U

/**
 * struct cordbmem_attach - argument of CORDBMEM_IOC_ATTACH
 * @size:	in: sizeof(struct cordbmem_attach)
 * @flags:	in: the mode of reads through the target fd (%CORDBMEM_READ_FORCE,
 *		%CORDBMEM_READ_NOFAULT), and %CORDBMEM_ATTACH_MEM_FD
 * @source:	in: pid as in struct cordbmem_read, or an fd on /proc/PID/mem
 *		when @flags has %CORDBMEM_ATTACH_MEM_FD
 * @target_fd:	out: the new file descriptor, close-on-exec
 *
 * The caller is checked once, now. The target fd stands for the memory image
 * that the process has at this moment. When the process exits or calls execve
 * the image is gone for good: reads fail with ESRCH and poll reports POLLHUP. A
 * target fd does not keep the memory of a dead process alive. It can be
 * passed to other processes, which may then read what its opener may read.
 *
 * On the target fd:
 *
 * - its fdinfo has the lines "Pid:", the target in the reader's pid namespace or
 *   -1 when it is gone, and "Mode:", the flags in hex.
 * - read, pread, readv, preadv and io_uring reads take the file offset as the
 *   address in the target. They return the count of bytes before the first
 *   unreadable one, or EIO when that is 0; EPERM, ESRCH, EFAULT, EINTR and
 *   ENOMEM as in READ. An offset is a signed 64-bit number: addresses from
 *   2^63 on are EINVAL, a range across it is EOVERFLOW. One call reads at most
 *   0x7ffff000 bytes. An aligned read of 4 or 8 bytes of ordinary memory is one
 *   access.
 * - lseek takes SEEK_SET and SEEK_CUR; SEEK_END is EINVAL.
 * - poll reports POLLIN | POLLRDNORM while the image lives and POLLHUP when it
 *   is gone. (Wait with events = 0.) An exit always wakes the poller. An execve
 *   wakes it when the old image is torn down, which is at once unless somebody
 *   else uses the image: the parent of a vfork or CLONE_VM child does. POLLERR
 *   means that the image cannot be watched for want of memory.
 *
 * Errors: EINVAL (also: the fd is not one of /proc/PID/mem), E2BIG,
 * EOPNOTSUPP, EPERM, EBADF, EFAULT, ESRCH, EACCES, ENOMEM, EMFILE, ENFILE,
 * EINTR.
 */
struct cordbmem_attach {
	__u32 size;
	__u32 flags;
	__s32 source;
	__s32 target_fd;
};

/**
 * DOC: windows
 *
 * mmap of a window fd (PROT_READ, MAP_SHARED) at offset N shows the target's
 * memory at the window's address + N: the target's own pages, so what the target
 * writes is seen at once and no read costs a system call. Only pages that
 * process_vm_readv could read, which are ordinary memory, are ever shown; a page
 * that cannot be had, and any page of a target that is gone, reads as zeros. A
 * touch never raises a signal.
 *
 * When the target replaces a page (copy on write, munmap, swap, migration), the
 * old one stays in the mapping for a short while. Whoever needs the truth reads
 * the state words, which are mapped at offset %CORDBMEM_WINDOW_STATE: an array of
 * __u32, one per page of the window, each generation << 1 | valid. Before the
 * target goes on, the word of a page that it replaces is made invalid.
 *
 *	1. load the word with acquire semantics; it must be valid (bit 0)
 *	2. copy the bytes out of the mapping
 *	3. after a read barrier load the word again; it must be the same
 *
 * Then the bytes were in the target at a moment between 1 and 3, and otherwise they
 * must be thrown away and read through the target fd. Words change only by
 * the module. The generation has 31 bits and wraps.
 *
 * What is mapped is counted against the limits of the module; at the limit, pages
 * are given up in turns. A page that a window maps can be swapped, migrated and
 * freed as any other; it takes the kernel a second attempt. Where the kernel looks
 * at a page's references before it tells anybody (splitting, swapping and offlining
 * of transparent huge pages, their collapse, compaction of anonymous memory), it has
 * to wait until the window lets go of the page: after the module parameter
 * window_lease (10 seconds) at the latest, however often the page is read.
 *
 * A mapping of a window is not inherited by fork, cannot be split, grown or
 * made writable, and cannot itself be read by ptrace, process_vm_readv or another
 * window. The process whose memory it shows cannot have it (EINVAL).
 */

/** define CORDBMEM_WINDOW_STATE - offset in a window fd of its state words */
#define CORDBMEM_WINDOW_STATE	0x4000000000000000ULL
/** define CORDBMEM_WINDOW_VALID - bit of a state word: the mapping shows the truth */
#define CORDBMEM_WINDOW_VALID	0x1U

/**
 * define CORDBMEM_WINDOW_NOWAIT - do not queue for the target's mmap_lock
 *
 * Making a window takes it for writing, for a moment. While somebody waits for that
 * nobody else gets it, the target's page faults included, so a target
 * that holds it for long is held up as well. With this flag it is tried for some
 * milliseconds, and then EAGAIN.
 */
#define CORDBMEM_WINDOW_NOWAIT	0x10U

/**
 * struct cordbmem_window - argument of CORDBMEM_IOC_WINDOW, on a target fd
 * @size:	in: sizeof(struct cordbmem_window)
 * @flags:	in: %CORDBMEM_READ_NOFAULT: a touch of the mapping shows only what is
 *		mapped in the target already; %CORDBMEM_WINDOW_NOWAIT
 * @address:	in: first byte, in the target; a multiple of the page size
 * @length:	in: bytes; a multiple of the page size, not 0, and at most
 *		window_length of INFO. It need not be mapped in the target
 * @window_fd:	out: the new file descriptor, close-on-exec
 * @reserved:	in: must be 0
 *
 * The mode of the target fd does not apply: windows never force, so what the
 * target may not read itself is not shown.
 *
 * A window fd does not keep the memory of a dead process alive, can be passed to
 * other processes, and has fdinfo lines "Pid:" (as a target fd), "Range:" and
 * "Pages:".
 *
 * Errors: EINVAL (also: the target is the caller itself, or the range leaves
 * user space), E2BIG, EFAULT, EOPNOTSUPP (no windows on this kernel), ESRCH (the
 * target is gone), ENOSPC (too many windows of one open device), EAGAIN (with
 * %CORDBMEM_WINDOW_NOWAIT), EINTR, ENOMEM, EMFILE, ENFILE.
 */
struct cordbmem_window {
	__u32 size;
	__u32 flags;
	__aligned_u64 address;
	__aligned_u64 length;
	__s32 window_fd;
	__u32 reserved;
};

/**
 * struct cordbmem_populate - argument of CORDBMEM_IOC_POPULATE, on a window fd
 * @size:	in: sizeof(struct cordbmem_populate)
 * @flags:	in: %CORDBMEM_READ_NOFAULT: only what is mapped in the target already
 * @offset:	in: first byte, from the start of the window; a multiple of the page
 *		size
 * @length:	in: bytes; a multiple of the page size
 * @pages:	out: pages of the range that were valid when they were looked at
 * @done:	out: bytes of the range that were looked at; less than @length only
 *		after a signal, at the limit of all windows, and without memory
 *
 * Makes pages of a window valid, as far as the target has them, so that touches
 * of the mapping find them. What cannot be had is left out, silently. Pages
 * beyond the window's limit push out others.
 *
 * Succeeds when the range was looked at from its start, even if not to its end.
 *
 * Errors: EINVAL, E2BIG, EFAULT, ESRCH (the target is gone), EINTR, ENOMEM, ENOSPC
 * (other windows of the open device hold all that they may together).
 */
struct cordbmem_populate {
	__u32 size;
	__u32 flags;
	__aligned_u64 offset;
	__aligned_u64 length;
	__aligned_u64 pages;
	__aligned_u64 done;
};

/**
 * struct cordbmem_sync - argument of CORDBMEM_IOC_SYNC, on a window fd
 * @size:	in: sizeof(struct cordbmem_sync)
 * @flags:	in: must be 0
 *
 * Waits until no mapping of the window shows a page any more that the target had
 * replaced before the call.
 *
 * Errors: EINVAL, E2BIG, EFAULT, EINTR.
 */
struct cordbmem_sync {
	__u32 size;
	__u32 flags;
};

/**
 * struct cordbmem_stats - argument of CORDBMEM_IOC_STATS, on a window fd
 * @size:	in: sizeof(struct cordbmem_stats)
 * @flags:	in: must be 0
 * @pages:	out: pages of the target that the window holds at the moment
 * @filled:	out: pages that became valid, ever
 * @invalidated: out: valid pages that the target replaced, ever
 * @evicted:	out: valid pages that were given up, for others or after their lease
 * @faults:	out: touches that found nothing in the tracer's page table, ever
 * @fallbacks:	out: touches that got zeros, ever
 *
 * Errors: EINVAL, E2BIG, EFAULT.
 */
struct cordbmem_stats {
	__u32 size;
	__u32 flags;
	__aligned_u64 pages;
	__aligned_u64 filled;
	__aligned_u64 invalidated;
	__aligned_u64 evicted;
	__aligned_u64 faults;
	__aligned_u64 fallbacks;
};

#endif /* _UAPI_LINUX_CORDBMEM_H */
