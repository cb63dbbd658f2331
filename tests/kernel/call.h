/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The ioctls of /dev/cordbmem, each with an argument whose out members are poisoned, and the two
 * doors of the kernel that answers are compared with.
 *
 * Every call returns 0 or a positive errno.
 */
#ifndef CALL_H
#define CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <linux/cordbmem.h>

#define POISON 0xcc
#define POISON32 0xccccccccU
#define POISON64 0xccccccccccccccccULL

#define PAGE ((size_t)4096)

/* A pid that no process can have. */
#define NO_PID 0x7ffffff0

static inline uint64_t number(const volatile void *pointer)
{
	return (uint64_t)(uintptr_t)pointer;
}

static inline void *pointer(uint64_t number)
{
	return (void *)(uintptr_t)number;
}

/* The device, open for the rest of the program. Dies when it cannot be opened. */
int device_open(void);

int call(int fd, unsigned long number, void *argument);

struct cordbmem_info info_argument(void);
struct cordbmem_read read_argument(pid_t pid, uint64_t address, void *buffer, uint64_t length);
struct cordbmem_element element_of(int source, uint32_t flags, uint64_t address, void *buffer,
				   uint64_t length);
struct cordbmem_readv readv_argument(struct cordbmem_element *elements, uint32_t count);
struct cordbmem_attach attach_argument(int source, uint32_t flags);

int call_info(int device, struct cordbmem_info *argument);
int call_read(int device, struct cordbmem_read *argument);
int call_readv(int device, struct cordbmem_readv *argument);
int call_attach(int device, struct cordbmem_attach *argument);

bool has_feature(int device, uint64_t feature);

/* All of a range or the errno; EIO too when it is short. */
int read_all(int device, pid_t pid, uint64_t address, void *buffer, size_t length);

/* A target fd, or a negative errno. */
int attach(int device, int source, uint32_t flags);

/* Bytes of pread, or a negative errno. */
ssize_t pread_at(int fd, void *buffer, size_t length, uint64_t address);

/* The kernel's own doors: bytes, or a negative errno. */
ssize_t vm_readv(pid_t pid, uint64_t address, void *buffer, size_t length);
ssize_t mem_read(pid_t pid, uint64_t address, void *buffer, size_t length);
int mem_open(pid_t pid, int flags);

#endif
