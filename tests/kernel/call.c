// SPDX-License-Identifier: GPL-2.0
/* The calls of call.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

#include "call.h"
#include "support.h"

int device_open(void)
{
	int fd = open(CORDBMEM_DEVICE, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		die("cannot open %s", CORDBMEM_DEVICE);
	return fd;
}

int call(int fd, unsigned long number, void *argument)
{
	int ret;

	errno = 0;
	ret = ioctl(fd, number, argument);
	if (ret > 0 || ret < -1 || (ret == -1 && errno == 0))
		die("ioctl %#lx returned %d", number, ret);
	return ret == 0 ? 0 : errno;
}

struct cordbmem_info info_argument(void)
{
	struct cordbmem_info argument;

	memset(&argument, POISON, sizeof(argument));
	argument.size = sizeof(argument);
	argument.flags = 0;
	return argument;
}

struct cordbmem_read read_argument(pid_t pid, uint64_t address, void *buffer, uint64_t length)
{
	struct cordbmem_read argument;

	memset(&argument, POISON, sizeof(argument));
	argument.size = sizeof(argument);
	argument.flags = 0;
	argument.pid = pid;
	argument.reserved = 0;
	argument.address = address;
	argument.length = length;
	argument.buffer = number(buffer);
	return argument;
}

struct cordbmem_element element_of(int source, uint32_t flags, uint64_t address, void *buffer,
				   uint64_t length)
{
	struct cordbmem_element element;

	memset(&element, POISON, sizeof(element));
	element.source = source;
	element.flags = flags;
	element.address = address;
	element.length = length;
	element.buffer = number(buffer);
	element.reserved = 0;
	return element;
}

struct cordbmem_readv readv_argument(struct cordbmem_element *elements, uint32_t count)
{
	struct cordbmem_readv argument;

	memset(&argument, POISON, sizeof(argument));
	argument.size = sizeof(argument);
	argument.flags = 0;
	argument.elements = number(elements);
	argument.count = count;
	argument.element_size = sizeof(*elements);
	argument.reserved = 0;
	return argument;
}

struct cordbmem_attach attach_argument(int source, uint32_t flags)
{
	struct cordbmem_attach argument;

	memset(&argument, POISON, sizeof(argument));
	argument.size = sizeof(argument);
	argument.flags = flags;
	argument.source = source;
	return argument;
}

int call_info(int device, struct cordbmem_info *argument)
{
	return call(device, CORDBMEM_IOC_INFO, argument);
}

int call_read(int device, struct cordbmem_read *argument)
{
	return call(device, CORDBMEM_IOC_READ, argument);
}

int call_readv(int device, struct cordbmem_readv *argument)
{
	return call(device, CORDBMEM_IOC_READV, argument);
}

int call_attach(int device, struct cordbmem_attach *argument)
{
	return call(device, CORDBMEM_IOC_ATTACH, argument);
}

bool has_feature(int device, uint64_t feature)
{
	struct cordbmem_info info = info_argument();
	int error = call_info(device, &info);

	if (error)
		die("INFO: %s", strerror(error));
	return info.features & feature;
}

int read_all(int device, pid_t pid, uint64_t address, void *buffer, size_t length)
{
	struct cordbmem_read argument = read_argument(pid, address, buffer, length);
	int error = call_read(device, &argument);

	if (!error && argument.bytes_read != length)
		return argument.error ? argument.error : EIO;
	return error;
}

int attach(int device, int source, uint32_t flags)
{
	struct cordbmem_attach argument = attach_argument(source, flags);
	int error = call_attach(device, &argument);

	return error ? -error : argument.target_fd;
}

static ssize_t or_errno(ssize_t ret)
{
	return ret < 0 ? -errno : ret;
}

ssize_t pread_at(int fd, void *buffer, size_t length, uint64_t address)
{
	return or_errno(pread(fd, buffer, length, (off_t)address));
}

ssize_t vm_readv(pid_t pid, uint64_t address, void *buffer, size_t length)
{
	struct iovec local = { .iov_base = buffer, .iov_len = length };
	struct iovec remote = { .iov_base = pointer(address), .iov_len = length };

	return or_errno(process_vm_readv(pid, &local, 1, &remote, 1, 0));
}

int mem_open(pid_t pid, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/mem", pid);
	return (int)or_errno(open(path, flags | O_CLOEXEC));
}

ssize_t mem_read(pid_t pid, uint64_t address, void *buffer, size_t length)
{
	int fd = mem_open(pid, O_RDONLY);
	ssize_t ret;

	if (fd < 0)
		return fd;
	ret = pread_at(fd, buffer, length, address);
	close(fd);
	return ret;
}
