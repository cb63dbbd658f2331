// SPDX-License-Identifier: GPL-2.0
/*
 * Windows on a target whose pages do not come: from a userfaultfd that nobody serves, or a file of a
 * FUSE filesystem that does not answer. A touch ends, or its process can be killed; nobody else waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"

#define SEED 17
#define HALF ((size_t)20) /* pages that are there, and as many that never come */
#define PROMPT 3.0	  /* seconds that nobody may need on the slowest machine */

static int device;
static uint8_t *present;
static uint8_t *stalled;

/* ---- the two ways to stall, in the target ---- */

static long stall_by_userfaultfd(long unused)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range.start = number(stalled),
		.range.len = HALF * PAGE,
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	(void)unused;
	if (fd < 0 || madvise(stalled, HALF * PAGE, MADV_DONTNEED) || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &range))
		return errno;
	return 0;
}

/*
 * A filesystem whose root is one regular file, which opens, and of which no byte is ever read. It
 * is served by a thread of the test. Readers wait for the page, not for the answer, so that they can
 * be killed.
 */
static struct fuse {
	int fd;
	char path[64];
} fuse = { .fd = -1 };

static void fuse_reply(uint64_t unique, int error, const void *data, size_t size)
{
	uint8_t message[256];
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + size),
		.error = -error,
		.unique = unique,
	};

	memcpy(message, &out, sizeof(out));
	if (size)
		memcpy(message + sizeof(out), data, size);
	/* It fails when whoever asked is gone. */
	if (write(fuse.fd, message, sizeof(out) + size) < 0)
		return;
}

static void *fuse_serve(void *unused)
{
	static uint8_t request[1 << 18];
	const struct fuse_in_header *in = (void *)request;
	const struct fuse_init_out init = {
		.major = FUSE_KERNEL_VERSION,
		.minor = 31,
		.max_readahead = 4096,
		.max_write = 4096,
		.flags = FUSE_ASYNC_READ,
	};
	const struct fuse_attr_out attr = {
		.attr_valid = 1000,
		.attr = {
			.ino = 1,
			.size = HALF * PAGE,
			.mode = S_IFREG | 0644,
			.nlink = 1,
			.blksize = 4096,
		},
	};
	const struct fuse_open_out open = { .fh = 1 };

	while (read(fuse.fd, request, sizeof(request)) > 0) {
		switch (in->opcode) {
		case FUSE_INIT:
			fuse_reply(in->unique, 0, &init, sizeof(init));
			break;
		case FUSE_GETATTR:
			fuse_reply(in->unique, 0, &attr, sizeof(attr));
			break;
		case FUSE_OPEN:
			fuse_reply(in->unique, 0, &open, sizeof(open));
			break;
		case FUSE_READ: /* the stall */
		case FUSE_FORGET:
		case FUSE_INTERRUPT:
			break;
		default:
			fuse_reply(in->unique, ENOSYS, NULL, 0);
		}
	}
	return unused;
}

static int fuse_start(void)
{
	pthread_t thread;
	char options[128];
	int file;

	if (access("/dev/fuse", F_OK) && system("modprobe fuse >/dev/null 2>&1"))
		return ENODEV;
	fuse.fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	strcpy(fuse.path, "/tmp/cordbmem.fuse.XXXXXX");
	file = fuse.fd < 0 ? -1 : mkstemp(fuse.path);
	if (file < 0)
		return errno;
	close(file);
	snprintf(options, sizeof(options), "fd=%d,rootmode=100644,user_id=0,group_id=0", fuse.fd);
	if (mount("cordbmem", fuse.path, "fuse", MS_NODEV | MS_NOSUID, options))
		return errno;
	return pthread_create(&thread, NULL, fuse_serve, NULL);
}

/* Whatever still waits for an answer gets an error. */
static void fuse_abort(void)
{
	umount2(fuse.path, MNT_FORCE | MNT_DETACH);
}

static long stall_by_fuse(long unused)
{
	int fd = open(fuse.path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	(void)unused;
	/* which is how the kernel learns the size of a root that is a file */
	if (fd < 0 || fstat(fd, &st))
		return errno;
	if (mmap(stalled, HALF * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != stalled)
		return errno;
	return 0;
}

/* ---- the tracer, a child too ---- */

static pid_t target_pid;
static struct window w;

static long open_window(long unused)
{
	int fd = attach(device, target_pid, 0);

	(void)unused;
	w = window_open(fd, number(present), 2 * HALF * PAGE, 0);
	return fd < 0;
}

static long touch(long page)
{
	return w.data[(size_t)page * PAGE + 8];
}

/* What was replaced may be seen for a while. */
static long touch_after_sync(long page)
{
	long error = call_sync(w.fd);

	return error ? -error : touch(page);
}

static long populate(long unused)
{
	(void)unused;
	return (long)window_fill(&w);
}

static void *touch_stalled(void *unused)
{
	touch(HALF + 3);
	return unused;
}

/* Of two threads, one waits. */
static long touch_in_thread(long unused)
{
	pthread_t thread;

	(void)unused;
	return pthread_create(&thread, NULL, touch_stalled, NULL);
}

static long map_something(long unused)
{
	void *memory = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	return memory == MAP_FAILED ? errno : munmap(memory, PAGE);
}

static bool answers_within(const struct child *child, double time, long *result)
{
	struct pollfd p = { .fd = child->socket, .events = POLLIN };

	return poll(&p, 1, (int)(time * 1000)) == 1 && child_result(child, result);
}

static bool answers(const struct child *child, long *result)
{
	return answers_within(child, PROMPT, result);
}

/* One that is to wait has come to it, or ends. */
static bool ends(const struct child *child, bool waits, long *result)
{
	return answers_within(child, waits ? 0.5 : PROMPT, result);
}

static bool call_answers(const struct child *child, child_function *function, long argument,
			 long expected)
{
	long result;

	child_send(child, function, argument);
	return answers(child, &result) && result == expected;
}

static bool dies(struct child *child)
{
	double end = seconds() + PROMPT;

	child_kill(child);
	while (waitpid(child->pid, NULL, WNOHANG) == 0) {
		if (seconds() > end)
			return false;
		usleep(1000);
	}
	child->pid = -1;
	return true;
}

FIXTURE(stall)
{
	struct child target, tracer, second;
};

FIXTURE_VARIANT(stall)
{
	bool by_fuse;
};

// clang-format off
FIXTURE_VARIANT_ADD(stall, by_userfaultfd) { .by_fuse = false };
FIXTURE_VARIANT_ADD(stall, by_fuse) { .by_fuse = true };
// clang-format on

FIXTURE_SETUP(stall)
{
	long error = 0;

	device = device_open();
	present = island_pages(2 * HALF);
	stalled = present + HALF * PAGE;
	pattern_fill(present, HALF * PAGE, SEED, number(present));
	if (variant->by_fuse)
		error = fuse_start();
	if (error)
		SKIP(return, "no FUSE: %s", strerror((int)error));
	self->target = child_start();
	error = child_call(&self->target, variant->by_fuse ? stall_by_fuse : stall_by_userfaultfd,
			   0);
	if (error)
		SKIP(return, "cannot stall: %s", strerror((int)error));
	target_pid = self->target.pid;
	self->tracer = child_start();
	self->second = child_start();
	ASSERT_EQ(0, child_call(&self->tracer, open_window, 0));
	ASSERT_EQ(0, child_call(&self->second, open_window, 0));
}

FIXTURE_TEARDOWN(stall)
{
	if (fuse.fd >= 0) {
		fuse_abort();
		close(fuse.fd);
		unlink(fuse.path);
	}
	child_end(&self->target);
	child_end(&self->tracer);
	child_end(&self->second);
}

#define BYTE pattern_byte(SEED, number(present) + 8)

/* The target, other tracers, and other threads go on. */
#define EXPECT_OTHERS_GO_ON()                                                  \
	do {                                                                   \
		EXPECT_TRUE(call_answers(&self->target, map_something, 0, 0)); \
		EXPECT_TRUE(call_answers(&self->second, touch, 0, BYTE));      \
		EXPECT_TRUE(call_answers(&self->second, map_something, 0, 0)); \
		EXPECT_TRUE(call_answers(&self->target, map_something, 0, 0)); \
	} while (0)

/* Before what it waits for, it has what is there. */
TEST_F(stall, of_a_touch_ends_or_can_be_killed)
{
	long result = -1;

	if (_metadata->skip)
		return;
	child_send(&self->tracer, touch, HALF + 3);
	if (ends(&self->tracer, variant->by_fuse, &result)) {
		EXPECT_FALSE(variant->by_fuse);
		EXPECT_EQ(0, result);
	} else {
		EXPECT_TRUE(variant->by_fuse)
		TH_LOG("it waits, in state %c", task_state(self->tracer.pid));
	}
	EXPECT_OTHERS_GO_ON();
	EXPECT_TRUE(dies(&self->tracer))
	TH_LOG("in state %c", task_state(self->tracer.pid));
	EXPECT_OTHERS_GO_ON();
}

TEST_F(stall, of_POPULATE_ends_or_can_be_killed)
{
	long result = -1;

	if (_metadata->skip)
		return;
	child_send(&self->tracer, populate, 0);
	if (ends(&self->tracer, variant->by_fuse, &result)) {
		EXPECT_FALSE(variant->by_fuse);
		EXPECT_EQ(HALF, result);
	} else {
		EXPECT_TRUE(variant->by_fuse);
	}
	EXPECT_OTHERS_GO_ON();
	EXPECT_TRUE(dies(&self->tracer));
}

TEST_F(stall, of_one_thread_does_not_stop_another)
{
	if (_metadata->skip)
		return;
	child_call(&self->tracer, touch_in_thread, 0);
	usleep(50000);
	EXPECT_TRUE(call_answers(&self->tracer, touch, 0, BYTE));
	EXPECT_TRUE(call_answers(&self->tracer, map_something, 0, 0));
	EXPECT_TRUE(call_answers(&self->tracer, touch_after_sync, 1,
				 pattern_byte(SEED, number(present) + PAGE + 8)));
	EXPECT_TRUE(call_answers(&self->tracer, touch, HALF - 1,
				 pattern_byte(SEED, number(stalled) - PAGE + 8)));
	EXPECT_TRUE(dies(&self->tracer));
}

TEST_F(stall, does_not_keep_the_target_from_dying)
{
	long result;

	if (_metadata->skip)
		return;
	child_send(&self->tracer, touch, HALF + 3);
	if (ends(&self->tracer, variant->by_fuse, &result))
		child_send(&self->tracer, touch, HALF + 4);
	EXPECT_TRUE(dies(&self->target));
	/* Its memory is what the tracer waits with. */
	if (variant->by_fuse)
		fuse_abort();
	/* In the end it is a page like any that cannot be had. */
	EXPECT_TRUE(answers(&self->tracer, &result));
	EXPECT_EQ(0, result);
	EXPECT_TRUE(call_answers(&self->second, touch_after_sync, 1, 0));
}

static long hold_lock(long pid)
{
	uint8_t byte;

	/* This keeps the target's mmap_lock while it waits for the page. */
	return mem_read((pid_t)pid, number(stalled), &byte, 1);
}

static long make_window(long flags)
{
	int fd = attach(device, target_pid, 0);

	return window_fd(fd, number(present), PAGE, (uint32_t)flags);
}

TEST_F(stall, of_the_lock_does_not_hold_up_who_asks_not_to_wait)
{
	struct child waiter;
	long result;

	if (_metadata->skip)
		return;
	if (!variant->by_fuse)
		SKIP(return, "nobody waits for a userfaultfd with the lock");
	child_send(&self->second, hold_lock, self->target.pid);
	EXPECT_FALSE(ends(&self->second, true, &result));
	EXPECT_TRUE(call_answers(&self->tracer, make_window, CORDBMEM_WINDOW_NOWAIT, -EAGAIN));
	EXPECT_TRUE(call_answers(&self->tracer, touch, 0, BYTE));
	/* Whoever does not ask can be killed. */
	waiter = child_start();
	child_send(&waiter, make_window, 0);
	EXPECT_FALSE(ends(&waiter, true, &result));
	EXPECT_TRUE(dies(&waiter));
	fuse_abort();
	EXPECT_TRUE(answers(&self->second, &result));
	child_send(&self->tracer, make_window, CORDBMEM_WINDOW_NOWAIT);
	EXPECT_TRUE(answers(&self->tracer, &result));
	EXPECT_LE(0, result);
}

TEST_HARNESS_MAIN
