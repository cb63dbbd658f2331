// SPDX-License-Identifier: GPL-2.0
/* What can happen to a target's memory. */
#include <errno.h>
#include <fcntl.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory.h"
#include "support.h"
#include "window_kinds.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#ifndef MADV_SOFT_OFFLINE
#define MADV_SOFT_OFFLINE 101
#endif

#define COMPACT "/proc/sys/vm/compact_memory"

/* How often to try what the window's references prevent until they are gone. */
#define TRIES 40
#define TRY_AGAIN 5000 /* microseconds later */

static uint8_t *victims(void)
{
	return subject->memory + subject->kind->victim * PAGE;
}

static size_t length(void)
{
	return subject->kind->victims * PAGE;
}

static size_t size(void)
{
	return subject->kind->pages * PAGE;
}

/* Address space beside the subject that is as large as it. */
static uint8_t *beside(size_t times)
{
	return subject->memory + times * size();
}

static long errno_of(long result)
{
	return result < 0 ? errno : 0;
}

#define IN_TARGET(name_) static long name_##_inside(long unused __attribute__((unused)))
#define FROM_OUTSIDE(name_) \
	static int name_##_outside(const struct child *target __attribute__((unused)))

/* ---- writes ---- */

IN_TARGET(write_in_place)
{
	return rewrite(0) == (long)subject->kind->shown ? 0 : EFAULT;
}

static uint8_t bytes[HUGE_PAGE];

/* As a debugger plants a breakpoint. */
FROM_OUTSIDE(poke)
{
	int mem = mem_open(target->pid, O_RDWR);
	ssize_t n;

	if (mem < 0)
		return -mem;
	memset(bytes, 0xcd, length());
	n = pwrite(mem, bytes, length(), (off_t)number(victims()));
	close(mem);
	return n == (ssize_t)length() ? 0 : EIO;
}

FROM_OUTSIDE(write_from_outside)
{
	struct iovec local = { .iov_base = bytes, .iov_len = length() };
	struct iovec remote = { .iov_base = victims(), .iov_len = length() };

	memset(bytes, 0xce, length());
	return process_vm_writev(target->pid, &local, 1, &remote, 1, 0) < 0 ? errno : 0;
}

IN_TARGET(write_to_file)
{
	memset(bytes, 0xcf, length());
	return pwrite(subject_file, bytes, length(), victims() - subject->memory) ==
			       (ssize_t)length()
		       ? 0
		       : errno;
}

FROM_OUTSIDE(forget_writes)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/clear_refs", target->pid);
	return file_write(path, "4");
}

/* ---- mappings ---- */

IN_TARGET(unmap)
{
	return errno_of(munmap(victims(), length()));
}

static long map_at(void *address, size_t bytes_, int flags, int fd)
{
	void *memory = mmap(address, bytes_, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd, 0);

	return memory == MAP_FAILED ? errno : 0;
}

IN_TARGET(unmap_and_map)
{
	if (munmap(victims(), length()))
		return errno;
	return map_at(victims(), length(), MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

IN_TARGET(map_over)
{
	return map_at(victims(), length(), MAP_SHARED, memory_file(length(), 77));
}

static long move(void *from, void *to)
{
	void *moved = mremap(from, length(), length(), MREMAP_MAYMOVE | MREMAP_FIXED, to);

	return moved == MAP_FAILED ? errno : 0;
}

IN_TARGET(move_away)
{
	return move(victims(), beside(2));
}

IN_TARGET(move_in)
{
	long error = map_at(beside(2), length(), MAP_PRIVATE | MAP_ANONYMOUS, -1);

	if (error)
		return error;
	memset(beside(2), 0xd1, length());
	return move(beside(2), victims());
}

IN_TARGET(forbid)
{
	return errno_of(mprotect(victims(), length(), PROT_NONE));
}

IN_TARGET(forbid_and_allow)
{
	if (mprotect(victims(), length(), PROT_NONE))
		return errno;
	return errno_of(mprotect(victims(), length(), PROT_READ | PROT_WRITE));
}

IN_TARGET(write_protect)
{
	if (mprotect(victims(), length(), PROT_READ))
		return errno;
	return errno_of(mprotect(victims(), length(), PROT_READ | PROT_WRITE));
}

/* ---- pages ---- */

#define ADVISE(name_, advice_)                                            \
	IN_TARGET(name_)                                                  \
	{                                                                 \
		return errno_of(madvise(victims(), length(), (advice_))); \
	}

ADVISE(drop, MADV_DONTNEED)
ADVISE(mark_free, MADV_FREE)
ADVISE(remove_pages, MADV_REMOVE)
ADVISE(unmerge, MADV_UNMERGEABLE)

static bool any_present(void)
{
	for (size_t at = 0; at < length(); at += PAGE)
		if (page_present(getpid(), number(victims()) + at))
			return true;
	return false;
}

/* The kernel takes what was not read for a while; no page is while others do. */
IN_TARGET(page_out)
{
	for (int tries = 0; tries < TRIES; tries++) {
		if (madvise(victims(), length(), MADV_PAGEOUT))
			return errno;
		if (!any_present())
			return 0;
		/* Pages that wait in a list of another processor's can't be had; this takes them out. */
		if (tries % 10 == 9)
			file_write(COMPACT, "1");
		usleep(TRY_AGAIN);
	}
	return EBUSY;
}

/* The frames are good, and the kernel gets others for the pages. */
IN_TARGET(take_offline)
{
	for (size_t at = 0; at < length(); at += PAGE) {
		int tries = TRIES;

		while (madvise(victims() + at, PAGE, MADV_SOFT_OFFLINE)) {
			if (errno != EBUSY && errno != EAGAIN)
				return errno == EINVAL ? NOT_HERE : errno;
			if (!--tries)
				return EBUSY;
			usleep(TRY_AGAIN);
		}
		/* One is enough of a huge page. */
		if (subject->kind->hugetlb)
			break;
	}
	return 0;
}

static void survive(int unused)
{
	(void)unused;
}

/* Later kernels tell it at once, as if it had touched the page. */
IN_TARGET(poison)
{
	signal(SIGBUS, survive);
	/* It says whether it could do without the page, which the window may hold. */
	if (!madvise(victims(), PAGE, MADV_HWPOISON) || errno == EBUSY || errno == EHWPOISON)
		return 0;
	return errno == EINVAL ? NOT_HERE : errno;
}

static int node_of_victim(pid_t pid)
{
	void *page = victims();
	int node = -1;

	syscall(SYS_move_pages, pid, 1L, &page, NULL, &node, 0);
	return node;
}

FROM_OUTSIDE(to_other_node)
{
	int from = node_of_victim(target->pid), to = !from, status = -1;

	if (access("/sys/devices/system/node/node1", F_OK))
		return NOT_HERE;
	for (size_t at = 0; at < length(); at += PAGE) {
		void *page = victims() + at;

		for (int tries = 0; tries < TRIES; tries++) {
			if (syscall(SYS_move_pages, target->pid, 1L, &page, &to, &status, 2) < 0)
				return errno;
			if (status == to)
				break;
			usleep(TRY_AGAIN);
		}
		if (status != to)
			return status < 0 ? -status : EBUSY;
	}
	return 0;
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_THREAD, &usage);
	return usage.ru_minflt;
}

/*
 * Who has run for long enough has its pages taken away, to see by the faults where they are used. Of one thread only
 * those pages of which another node is the home; and of shared memory, on Linux 6.1, only where a policy says so.
 */
IN_TARGET(numa_hint)
{
	const int policy = MPOL_BIND | MPOL_F_NUMA_BALANCING;
	const volatile uint8_t *page = victims();
	const double end = seconds() + 60;
	const unsigned long nodes = 3;
	pthread_t other;
	long before;

	if (access("/sys/devices/system/node/node1", F_OK) ||
	    file_number("/proc/sys/kernel/numa_balancing", 0) != 1)
		return NOT_HERE;
	if (syscall(SYS_mbind, subject->memory, size(), policy, &nodes, 8, 0))
		return errno;
	if (pthread_create(&other, NULL, wait_for_ever, NULL))
		return EAGAIN;
	do {
		if (seconds() > end)
			return ETIMEDOUT;
		before = faults();
		for (int i = 0; i < 1000000; i++)
			(void)*page;
		/* Whichever page the first fault was for: all were taken away at once. */
	} while (faults() == before);
	return 0;
}

FROM_OUTSIDE(compact)
{
	int error = file_write(COMPACT, "1");

	return error == ENOENT ? NOT_HERE : error;
}

static long make_huge_page(void)
{
	if (madvise(subject->memory, size(), MADV_HUGEPAGE))
		return errno == EINVAL ? NOT_HERE : errno;
	return errno_of(madvise(subject->memory, HUGE_PAGE, MADV_COLLAPSE));
}

IN_TARGET(collapse)
{
	return make_huge_page();
}

/* Of pages that the window has not seen. */
IN_TARGET(collapse_anew)
{
	if (madvise(subject->memory, HUGE_PAGE, MADV_DONTNEED))
		return errno;
	rewrite(0);
	return make_huge_page();
}

FROM_OUTSIDE(split)
{
	char order[128];
	int error;

	snprintf(order, sizeof(order), "%d,%#lx,%#lx", target->pid, number(subject->memory),
		 number(subject->memory) + HUGE_PAGE);
	error = file_write("/sys/kernel/debug/split_huge_pages", order);
	return error == ENOENT ? NOT_HERE : error;
}

IN_TARGET(merge)
{
	for (size_t at = 0; at < size(); at += PAGE)
		memset(subject->memory + at, 0x6d, PAGE);
	return merge_pages();
}

/* Pages go, and others are put in their place by a monitor. */
IN_TARGET(userfault_copy)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range.start = number(victims()),
		.range.len = length(),
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	struct uffdio_copy copy = {
		.dst = number(victims()),
		.src = number(bytes),
		.len = length(),
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	memset(bytes, 0xd2, length());
	if (fd < 0)
		return errno == ENOSYS ? NOT_HERE : errno;
	/* Pages of a file have to be removed from it, too. */
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &range) ||
	    madvise(victims(), length(), subject_file < 0 ? MADV_DONTNEED : MADV_REMOVE) ||
	    ioctl(fd, UFFDIO_COPY, &copy))
		return errno;
	close(fd);
	return 0;
}

/* ---- the file behind ---- */

IN_TARGET(truncate_file)
{
	return errno_of(ftruncate(subject_file, victims() - subject->memory));
}

IN_TARGET(truncate_and_extend)
{
	if (ftruncate(subject_file, victims() - subject->memory))
		return errno;
	return errno_of(ftruncate(subject_file, (off_t)size()));
}

IN_TARGET(punch_hole)
{
	return errno_of(fallocate(subject_file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  victims() - subject->memory, (off_t)length()));
}

/* ---- processes ---- */

enum after { STAY, WRITE_AND_STAY, EXIT };

static long fork_and(enum after after)
{
	int ready[2];
	pid_t pid;
	char byte;

	if (pipe(ready))
		return errno;
	pid = fork();
	if (pid < 0)
		return errno;
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (after == WRITE_AND_STAY)
			memset(victims(), 0xd3, length());
		if (after == EXIT)
			_exit(0);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	close(ready[1]);
	/* Nothing comes of one that exits. */
	if (read(ready[0], &byte, 1) < 0)
		return errno;
	close(ready[0]);
	if (after == EXIT)
		waitpid(pid, NULL, 0);
	return 0;
}

IN_TARGET(fork_and_write)
{
	long error = fork_and(STAY);

	return error ? error : write_in_place_inside(0);
}

IN_TARGET(fork_and_child_writes)
{
	return fork_and(WRITE_AND_STAY);
}

IN_TARGET(fork_exit_and_write)
{
	long error = fork_and(EXIT);

	return error ? error : write_in_place_inside(0);
}

FROM_OUTSIDE(leave)
{
	child_kill(target);
	wait_for_state(target->pid, 'Z');
	return 0;
}

static long exec_sleep(long unused)
{
	char *const argv[] = { "sleep", "1000", NULL };

	(void)unused;
	execv("/bin/sleep", argv);
	return errno;
}

FROM_OUTSIDE(exec)
{
	uint64_t start, end;

	child_send(target, exec_sleep, 0);
	while (!mapping_named(target->pid, "/sleep", &start, &end))
		usleep(100);
	return 0;
}

#define INSIDE(name_) .inside = name_##_inside
#define OUTSIDE(name_) .outside = name_##_outside

const struct event write_in_place = { INSIDE(write_in_place) };
const struct event poke = { OUTSIDE(poke) };
const struct event write_from_outside = { OUTSIDE(write_from_outside) };
const struct event write_to_file = { INSIDE(write_to_file) };
const struct event forget_writes = { OUTSIDE(forget_writes) };
const struct event unmap = { INSIDE(unmap), .replaces = true };
const struct event unmap_and_map = { INSIDE(unmap_and_map), .replaces = true };
const struct event map_over = { INSIDE(map_over), .replaces = true };
const struct event move_away = { INSIDE(move_away), .replaces = true };
const struct event move_in = { INSIDE(move_in), .replaces = true };
const struct event forbid = { INSIDE(forbid), .replaces = true };
const struct event forbid_and_allow = { INSIDE(forbid_and_allow), .replaces = true };
const struct event write_protect = { INSIDE(write_protect), .replaces = true };
const struct event drop = { INSIDE(drop), .replaces = true };
const struct event mark_free = { INSIDE(mark_free) };
const struct event remove_pages = { INSIDE(remove_pages), .replaces = true };
const struct event page_out = { INSIDE(page_out), .replaces = true, .swap = true };
const struct event take_offline = { INSIDE(take_offline) };
/* A huge page stays as long as the window has some of it. */
const struct event take_huge_offline = { INSIDE(take_offline), .tolerated = EBUSY };
const struct event page_huge_out = { INSIDE(page_out), .tolerated = EBUSY, .swap = true };
const struct event poison = { INSIDE(poison) };
const struct event to_other_node = { OUTSIDE(to_other_node), .replaces = true };
const struct event numa_hint = { INSIDE(numa_hint), .replaces = true };
const struct event compact = { OUTSIDE(compact) };
/* References stand in the way of these two; the window's pages are not let go for them. */
const struct event collapse = { INSIDE(collapse), .tolerated = EAGAIN };
const struct event split = { OUTSIDE(split) };
const struct event collapse_anew = { INSIDE(collapse_anew), .replaces = true };
const struct event merge = { INSIDE(merge), .replaces = true };
const struct event unmerge = { INSIDE(unmerge), .replaces = true };
const struct event userfault_copy = { INSIDE(userfault_copy), .replaces = true };
const struct event truncate_file = { INSIDE(truncate_file), .replaces = true };
const struct event truncate_and_extend = { INSIDE(truncate_and_extend), .replaces = true };
const struct event punch_hole = { INSIDE(punch_hole), .replaces = true };
const struct event fork_and_write = { INSIDE(fork_and_write) };
const struct event fork_and_child_writes = { INSIDE(fork_and_child_writes) };
const struct event fork_exit_and_write = { INSIDE(fork_exit_and_write) };
const struct event leave = { OUTSIDE(leave), .replaces = true, .ends = true };
const struct event exec = { OUTSIDE(exec), .replaces = true, .ends = true };
