// SPDX-License-Identifier: GPL-2.0
/* The functions of gate.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "gate.h"
#include "memory.h"

#define LENGTH 300

static uint8_t bytes[LENGTH];

static int judge(long got, const void *address)
{
	if (got < 0)
		return (int)-got;
	if (got != LENGTH || pattern_check(bytes, LENGTH, GATE_SEED, number(address)) != LENGTH)
		return EBADMSG;
	return 0;
}

static long read_once(int device, pid_t pid, const void *address)
{
	memset(bytes, 0, LENGTH);
	return read_all(device, pid, number(address), bytes, LENGTH) ?: -LENGTH;
}

void verdict_ask(struct verdict *verdict, int device, pid_t pid, const void *address)
{
	struct cordbmem_element element = element_of(pid, 0, number(address), bytes, LENGTH);
	struct cordbmem_readv readv = readv_argument(&element, 1);
	int fd;

	verdict->read = judge(-read_once(device, pid, address), address);
	verdict->read_again = judge(-read_once(device, pid, address), address);
	memset(bytes, 0, LENGTH);
	verdict->readv = call_readv(device, &readv);
	if (!verdict->readv)
		verdict->readv =
			judge(element.error ? -element.error : (long)element.bytes_read, address);
	memset(bytes, 0, LENGTH);
	fd = attach(device, pid, 0);
	if (fd < 0) {
		verdict->attach = -fd;
	} else {
		verdict->attach = judge(pread_at(fd, bytes, LENGTH, number(address)), address);
		close(fd);
	}
	memset(bytes, 0, LENGTH);
	verdict->vm_readv = judge(vm_readv(pid, number(address), bytes, LENGTH), address);
	memset(bytes, 0, LENGTH);
	verdict->mem = judge(mem_read(pid, number(address), bytes, LENGTH), address);
}

bool verdict_agreed(const struct verdict *verdict)
{
	return verdict->read == verdict->read_again && verdict->read == verdict->readv &&
	       verdict->read == verdict->attach;
}
