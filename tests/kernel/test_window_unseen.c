// SPDX-License-Identifier: GPL-2.0
/*
 * Memory that a window never shows: what process_vm_readv cannot read either.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define SEED 12
#define PAGES 6
#define SIZE (PAGES * PAGE)

static const uint8_t zeros[PAGE];

/* Shared with the target, which says where the memory is. */
static struct forbidden {
	int device;
	pid_t other; /* another process with a pattern at @source */
	uint8_t *source;
	uint8_t *memory;
	uint64_t size;
} * forbidden;

static long give(void *memory, size_t size)
{
	if (memory == MAP_FAILED)
		return errno;
	forbidden->memory = memory;
	forbidden->size = size;
	return 0;
}

static long secret_memory(long unused)
{
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);

	(void)unused;
	if (fd < 0 || ftruncate(fd, SIZE))
		return ENODEV;
	give(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), SIZE);
	memset(forbidden->memory, 's', SIZE);
	return 0;
}

static long vvar(long unused)
{
	uint64_t start, end;

	(void)unused;
	if (!mapping_named(getpid(), "[vvar]", &start, &end))
		return ENODEV;
	return give(pointer(start), end - start);
}

static long firmware(long unused)
{
	int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);

	(void)unused;
	if (fd < 0)
		return ENODEV;
	return give(mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0xf0000), SIZE);
}

static long no_access(long unused)
{
	(void)unused;
	give(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), SIZE);
	memset(forbidden->memory, 'n', SIZE);
	return mprotect(forbidden->memory, SIZE, PROT_NONE);
}

static long nothing(long unused)
{
	long error = no_access(unused);

	return error ? error : munmap(forbidden->memory, SIZE);
}

static struct window others_window(void)
{
	int fd = attach(forbidden->device, forbidden->other, 0);
	struct window w;

	if (fd < 0)
		die("attach");
	w = window_open(fd, number(forbidden->source), SIZE, 0);
	window_fill(&w);
	return w;
}

static long window_of_another(long unused)
{
	struct window w = others_window();

	(void)unused;
	/* There is something to see. */
	if (pattern_check((const void *)(uintptr_t)w.data, SIZE, SEED, w.address) != SIZE)
		return EBADMSG;
	return give((void *)(uintptr_t)w.data, SIZE);
}

static long state_words(long unused)
{
	struct window w = others_window();

	(void)unused;
	if (!w.state[0])
		return EBADMSG;
	return give((void *)(uintptr_t)w.state, PAGE);
}

FIXTURE(unseen)
{
	struct child target, other;
	int fd;
};

FIXTURE_VARIANT(unseen)
{
	child_function *make;
	uint32_t mode; /* of the target fd */
};

// clang-format off
#define UNSEEN(name_) \
	FIXTURE_VARIANT_ADD(unseen, name_) { .make = (name_) }; \
	FIXTURE_VARIANT_ADD(unseen, name_##_by_force) { \
		.make = (name_), .mode = CORDBMEM_READ_FORCE }

UNSEEN(secret_memory);
UNSEEN(vvar);
UNSEEN(firmware);
UNSEEN(no_access);
UNSEEN(nothing);
UNSEEN(window_of_another);
UNSEEN(state_words);
// clang-format on

FIXTURE_SETUP(unseen)
{
	long error;

	forbidden = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, forbidden);
	forbidden->device = device_open();
	forbidden->source = island_pages(PAGES);
	pattern_fill(forbidden->source, SIZE, SEED, number(forbidden->source));
	self->other = child_start();
	forbidden->other = self->other.pid;
	munmap(forbidden->source, SIZE);
	self->target = child_start();
	error = child_call(&self->target, variant->make, 0);
	if (error == ENODEV)
		SKIP(return, "there is no such memory here");
	ASSERT_EQ(0, error);
	self->fd = attach(forbidden->device, self->target.pid, variant->mode);
	ASSERT_LE(0, self->fd);
}

FIXTURE_TEARDOWN(unseen)
{
	child_end(&self->target);
	child_end(&self->other);
}

TEST_F(unseen, is_zeros_and_never_valid)
{
	uint8_t bytes[SIZE];
	struct window w;

	if (_metadata->skip)
		return;
	/* The rule is process_vm_readv's. */
	EXPECT_EQ(-EFAULT, vm_readv(self->target.pid, number(forbidden->memory), bytes, 8));
	w = window_open(self->fd, number(forbidden->memory), forbidden->size, 0);
	/* by a touch, by POPULATE, and by a touch after that */
	EXPECT_EQ(0, memcmp((const void *)(uintptr_t)w.data, zeros, PAGE));
	EXPECT_EQ(0, window_fill(&w));
	for (size_t at = 0; at < w.size; at += PAGE) {
		EXPECT_FALSE(window_valid(&w, at / PAGE));
		EXPECT_FALSE(window_read(&w, at, bytes, PAGE));
		EXPECT_EQ(0, memcmp((const void *)(uintptr_t)(w.data + at), zeros, PAGE));
	}
	EXPECT_EQ(0, window_stats(&w).pages);
	EXPECT_EQ(0, window_stats(&w).filled);
	window_close(&w);
}

TEST_HARNESS_MAIN
