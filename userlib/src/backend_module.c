// SPDX-License-Identifier: MIT
/*
 * The back end over the kernel module: a target fd, and the device for READV.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/cordbmem.h>

static HRESULT device_open_failed(struct cordbmem_error *error, int err)
{
	switch (err) {
	case ENOENT:
	case ENODEV:
	case ENXIO:
		return error_set(error, CORDBMEM_E_FILE_NOT_FOUND, err, CORDBMEM_REASON_NO_MODULE,
				 "the kernel module is not loaded (there is no " CORDBMEM_DEVICE
				 "); load it with: insmod "
				 "cordbmem.ko");
	case EACCES:
	case EPERM:
		return error_set(error, E_ACCESSDENIED, err, CORDBMEM_REASON_NODE_PERMISSION,
				 CORDBMEM_DEVICE " may not be opened by uid %u; it "
						 "is root's unless the administrator gave it to a "
						 "group",
				 geteuid());
	}
	return error_system(error, err, "opening " CORDBMEM_DEVICE);
}

HRESULT module_device(int borrowed_fd, int *fd, struct cordbmem_info *info,
		      struct cordbmem_error *error)
{
	HRESULT hr;
	int err;

	*fd = borrowed_fd;
	if (borrowed_fd < 0)
		*fd = open(CORDBMEM_DEVICE, O_RDWR | O_CLOEXEC);
	if (*fd < 0)
		return device_open_failed(error, errno);

	*info = (struct cordbmem_info){ .size = sizeof(*info) };
	if (!ioctl(*fd, CORDBMEM_IOC_INFO, info) && info->abi >= 1)
		return S_OK;
	err = errno;

	if (borrowed_fd >= 0)
		hr = error_set(error, E_INVALIDARG, err, CORDBMEM_REASON_ARGUMENT,
			       "device_fd is not open on " CORDBMEM_DEVICE);
	else
		hr = error_set(error, E_NOTIMPL, err, CORDBMEM_REASON_UNSUPPORTED,
			       CORDBMEM_DEVICE " does not answer as this library expects; module "
					       "and library are of different versions");
	if (borrowed_fd < 0)
		close(*fd);
	*fd = -1;
	return hr;
}

static HRESULT attach_failed(const struct cordbmem_process *process,
			     const struct cordbmem_attach *attach, int err,
			     struct cordbmem_error *error)
{
	bool by_fd = attach->flags & CORDBMEM_ATTACH_MEM_FD;

	switch (err) {
	case ESRCH:
		return explain_absence(error, process->pid);
	case EACCES:
	case EPERM:
		return explain_refusal(error, process->pid, err, CORDBMEM_BACKEND_MODULE);
	case EOPNOTSUPP:
		return error_set(error, E_NOTIMPL, err, CORDBMEM_REASON_UNSUPPORTED,
				 "this kernel has no reads that fault nothing in");
	case EBADF:
	case EINVAL:
		if (by_fd)
			return error_set(error, E_INVALIDARG, err, CORDBMEM_REASON_ARGUMENT,
					 "mem_fd is not an fd on /proc/PID/mem, "
					 "open for reading");
		break;
	}
	return error_system(error, err, "attaching to the process");
}

static HRESULT attach(struct cordbmem_process *process, const struct cordbmem_options *options,
		      const struct cordbmem_info *info, struct cordbmem_error *error)
{
	struct cordbmem_attach attach = { .size = sizeof(attach), .source = process->pid };
	int rc;

	process->flags = options->flags;
	if (!(info->features & CORDBMEM_FEATURE_FORCE))
		process->flags |= CORDBMEM_OPEN_NO_FORCE;
	if (!(process->flags & CORDBMEM_OPEN_NO_FORCE))
		attach.flags |= CORDBMEM_READ_FORCE;
	if (process->flags & CORDBMEM_OPEN_NOFAULT)
		attach.flags |= CORDBMEM_READ_NOFAULT;
	if (options->mem_fd >= 0) {
		attach.flags |= CORDBMEM_ATTACH_MEM_FD;
		attach.source = options->mem_fd;
	}

	do {
		rc = ioctl(process->device_fd, CORDBMEM_IOC_ATTACH, &attach);
		if (rc && errno == EPERM && attach.flags & CORDBMEM_READ_FORCE) {
			/* Switched off since INFO. */
			attach.flags &= ~CORDBMEM_READ_FORCE;
			process->flags |= CORDBMEM_OPEN_NO_FORCE;
			errno = EINTR;
		}
	} while (rc && errno == EINTR);
	if (rc)
		return attach_failed(process, &attach, errno, error);
	process->memory_fd = attach.target_fd;
	return S_OK;
}

/*
 * The mode of a target fd, from fdinfo. READV needs it, for its elements carry a mode
 * of their own. 1 found, 0 it is no target fd, -1 cannot be told.
 */
static int target_fd_mode(int fd, uint32_t *mode)
{
	char path[48], line[128];
	int found = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	if (!file)
		return fcntl(fd, F_GETFD) < 0 ? 0 : -1;
	while (!found && fgets(line, sizeof(line), file))
		found = sscanf(line, "Mode: %x", mode) == 1;
	fclose(file);
	return found;
}

static HRESULT adopt_target_fd(struct cordbmem_process *process, int target_fd,
			       struct cordbmem_error *error)
{
	uint32_t mode = 0;
	int known = target_fd_mode(target_fd, &mode);

	if (!known)
		return error_set(error, E_INVALIDARG, EBADF, CORDBMEM_REASON_ARGUMENT,
				 "target_fd is not a target fd of cordbmem");
	process->memory_fd = fcntl(target_fd, F_DUPFD_CLOEXEC, 0);
	if (process->memory_fd < 0)
		return error_system(error, errno, "duplicating target_fd");
	if (known < 0) {
		/* Without the mode there can be no READV. */
		if (!process->device_borrowed && process->device_fd >= 0)
			close(process->device_fd);
		process->device_fd = -1;
		return S_OK;
	}
	if (!(mode & CORDBMEM_READ_FORCE))
		process->flags |= CORDBMEM_OPEN_NO_FORCE;
	if (mode & CORDBMEM_READ_NOFAULT)
		process->flags |= CORDBMEM_OPEN_NOFAULT;
	return S_OK;
}

static HRESULT module_open(struct cordbmem_process *process, const struct cordbmem_options *options,
			   struct cordbmem_error *error)
{
	struct cordbmem_error ignored = CORDBMEM_ERROR_INIT;
	bool adopt = options->target_fd >= 0;
	struct cordbmem_info info = { 0 };
	HRESULT hr;

	process->device_borrowed = options->device_fd >= 0;
	/* Who was given a target fd often may not open the device. */
	hr = module_device(options->device_fd, &process->device_fd, &info,
			   adopt ? &ignored : error);
	if (FAILED(hr) && !(adopt && options->device_fd < 0))
		return hr;
	if (SUCCEEDED(hr))
		process->max_elements = info.max_elements;
	if (adopt)
		return adopt_target_fd(process, options->target_fd, error);
	return attach(process, options, &info, error);
}

static int module_alive(struct cordbmem_process *process)
{
	struct pollfd pollfd = { .fd = process->memory_fd };
	BYTE byte;

	if (poll(&pollfd, 1, 0) < 0)
		return -1;
	if (pollfd.revents & POLLHUP)
		return 0;
	if (pollfd.revents & POLLERR && pread(process->memory_fd, &byte, 1, 0) < 0 &&
	    errno == ESRCH)
		return 0;
	return 1;
}

static HRESULT module_exit_fd(struct cordbmem_process *process, int *fd, short *events)
{
	*fd = process->memory_fd;
	*events = 0;
	return S_OK;
}

const struct backend module_backend = {
	.kind = CORDBMEM_BACKEND_MODULE,
	.open = module_open,
	.alive = module_alive,
	.exit_fd = module_exit_fd,
};
