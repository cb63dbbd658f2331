// SPDX-License-Identifier: MIT
/*
 * The back end that needs no module: /proc/PID/mem.
 *
 * process_vm_readv would be faster for long reads, but it names its target by pid, on each
 * call: after execve, or when the pid was given to another process, it reads a
 * stranger's memory. No check made around the call closes that gap. An fd on
 * /proc/PID/mem is bound to the memory image for which the caller was checked; when
 * the image is gone it reads 0 bytes. It also reads PROT_NONE pages.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#define PROC_SUPER_MAGIC 0x9fa0

static HRESULT open_failed(const struct cordbmem_process *process, int err,
			   struct cordbmem_error *error)
{
	switch (err) {
	case ENOENT:
	case ESRCH:
		return explain_absence(error, process->pid);
	case EACCES:
	case EPERM:
		return explain_refusal(error, process->pid, err, CORDBMEM_BACKEND_PORTABLE);
	}
	return error_system(error, err, "opening /proc/PID/mem");
}

/* 1 alive, 0 gone, -1 cannot be told */
static int portable_alive(struct cordbmem_process *process)
{
	struct pollfd pollfd = { .fd = process->pidfd, .events = POLLIN };
	BYTE byte;
	ssize_t n;

	/*
	 * First the process, then the image: another process may share the image
	 * (vfork, CLONE_VM) and keep it readable after ours is gone.
	 */
	if (pollfd.fd >= 0 && poll(&pollfd, 1, 0) == 1 && !(pollfd.revents & POLLNVAL))
		return process_usable(process) ? 0 : -1;
	do
		n = pread(process->memory_fd, &byte, 1, 0);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		return 0;
	return n > 0 || errno == EIO ? 1 : -1;
}

static HRESULT adopt_mem_fd(struct cordbmem_process *process, int mem_fd,
			    struct cordbmem_error *error)
{
	char link[32], path[64];
	struct statfs fs;
	ssize_t n;

	/* Any other file would be read as if it were memory. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", mem_fd);
	n = readlink(link, path, sizeof(path));
	if (fstatfs(mem_fd, &fs) || fs.f_type != PROC_SUPER_MAGIC || n < 4 ||
	    memcmp(path + n - 4, "/mem", 4) || (fcntl(mem_fd, F_GETFL) & O_ACCMODE) == O_WRONLY ||
	    fcntl(mem_fd, F_GETFL) & O_PATH)
		return error_set(error, E_INVALIDARG, EBADF, CORDBMEM_REASON_ARGUMENT,
				 "mem_fd is not an fd on /proc/PID/mem, open for "
				 "reading");
	process->memory_fd = fcntl(mem_fd, F_DUPFD_CLOEXEC, 0);
	if (process->memory_fd < 0)
		return error_system(error, errno, "duplicating mem_fd");
	if (!portable_alive(process))
		return error_set(error, CORDBG_E_PROCESS_TERMINATED, ESRCH,
				 CORDBMEM_REASON_NO_MEMORY_IMAGE,
				 "the process that mem_fd was opened on has no memory: it "
				 "is gone, or a kernel thread or zombie");
	return S_OK;
}

static HRESULT portable_open(struct cordbmem_process *process,
			     const struct cordbmem_options *options, struct cordbmem_error *error)
{
	char path[32];

	if (options->flags)
		return error_set(error, E_NOTIMPL, 0, CORDBMEM_REASON_UNSUPPORTED,
				 "the portable back end always faults pages in and "
				 "always reads PROT_NONE");
	if (options->mem_fd >= 0)
		return adopt_mem_fd(process, options->mem_fd, error);

	/* Before the file, so that it cannot name a later process of this pid. */
	process->pidfd = (int)syscall(SYS_pidfd_open, process->pid, 0);
	if (process->pidfd < 0 && errno == ESRCH)
		return open_failed(process, ESRCH, error);
	if (process->pidfd >= 0)
		fcntl(process->pidfd, F_SETFD, FD_CLOEXEC);

	snprintf(path, sizeof(path), "/proc/%d/mem", process->pid);
	process->memory_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (process->memory_fd < 0)
		return open_failed(process, errno, error);
	/* A kernel thread or a zombie has the file, but no memory. */
	if (!portable_alive(process))
		return explain_absence(error, process->pid);
	return S_OK;
}

static HRESULT portable_exit_fd(struct cordbmem_process *process, int *fd, short *events)
{
	if (process->pidfd < 0)
		return E_NOTIMPL;
	*fd = process->pidfd;
	*events = POLLIN;
	return S_OK;
}

const struct backend portable_backend = {
	.kind = CORDBMEM_BACKEND_PORTABLE,
	.open = portable_open,
	.alive = portable_alive,
	.exit_fd = portable_exit_fd,
};
