// SPDX-License-Identifier: GPL-2.0
/*
 * A target that stalls its own page faults: with userfaultfd, or with a file of a FUSE filesystem
 * whose server does not answer. A reader of such a page ends promptly or can be killed, and
 * nobody else waits for it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
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

#define SEED 11
#define PROMPT 3.0 /* seconds that nobody may need on the slowest machine */

static int device;
static uint8_t *present; /* two pages that are there */
static uint8_t *stalled; /* two pages that never come, in the target; present + 2 pages */

/* ---- the two ways to stall ---- */

static long stall_by_userfaultfd(long unused)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range.start = number(stalled),
		.range.len = 2 * PAGE,
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	(void)unused;
	if (fd < 0)
		return errno;
	if (madvise(stalled, 2 * PAGE, MADV_DONTNEED) || ioctl(fd, UFFDIO_API, &api) ||
	    ioctl(fd, UFFDIO_REGISTER, &range))
		return errno;
	return 0;
}

/*
 * The least of a FUSE server: a filesystem whose root is one regular file of two pages, which
 * opens, and of which no byte is ever read. It runs as a thread of the test.
 */
static struct fuse {
	int fd;
	char path[64];
} fuse;

static void fuse_reply(const struct fuse_in_header *in, int error, const void *data, size_t size)
{
	uint8_t message[1024];
	struct fuse_out_header out = {
		.len = (uint32_t)(sizeof(out) + size),
		.error = -error,
		.unique = in->unique,
	};

	memcpy(message, &out, sizeof(out));
	if (size)
		memcpy(message + sizeof(out), data, size);
	if (write(fuse.fd, message, sizeof(out) + size) < 0 && errno != ENOENT)
		return;
}

static void *fuse_serve(void *unused)
{
	static uint8_t request[1 << 20];
	const struct fuse_in_header *in = (void *)request;

	while (read(fuse.fd, request, sizeof(request)) > 0) {
		struct fuse_init_out init = {
			.major = FUSE_KERNEL_VERSION,
			.minor = 31,
			.max_readahead = 4096,
			.max_write = 4096,
		};
		struct fuse_attr_out attr = {
			.attr_valid = 1000,
			.attr = {
				.ino = 1,
				.size = 2 * PAGE,
				.blocks = 16,
				.mode = S_IFREG | 0644,
				.nlink = 1,
				.blksize = 4096,
			},
		};
		struct fuse_open_out open = { .fh = 1 };

		switch (in->opcode) {
		case FUSE_INIT:
			fuse_reply(in, 0, &init, sizeof(init));
			break;
		case FUSE_GETATTR:
			fuse_reply(in, 0, &attr, sizeof(attr));
			break;
		case FUSE_OPEN:
			fuse_reply(in, 0, &open, sizeof(open));
			break;
		case FUSE_READ:
			/* the stall */
			break;
		case FUSE_FORGET:
		case FUSE_INTERRUPT:
			break;
		case FUSE_FLUSH:
		case FUSE_RELEASE:
			fuse_reply(in, 0, NULL, 0);
			break;
		default:
			fuse_reply(in, ENOSYS, NULL, 0);
		}
	}
	return unused;
}

static int fuse_start(void)
{
	pthread_t thread;
	char options[128];
	int file;

	fuse.fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	if (fuse.fd < 0) {
		if (system("modprobe fuse >/dev/null 2>&1"))
			return ENODEV;
		fuse.fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);
	}
	if (fuse.fd < 0)
		return errno;
	/* The root of the filesystem is a file, so it is mounted on one. */
	strcpy(fuse.path, "/tmp/cordbmem.fuse.XXXXXX");
	file = mkstemp(fuse.path);
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

static void fuse_stop(void)
{
	fuse_abort();
	close(fuse.fd);
	unlink(fuse.path);
}

static long stall_by_fuse(long unused)
{
	int fd = open(fuse.path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	(void)unused;
	/* which is how the kernel learns the size of a root that is a file */
	if (fd < 0 || fstat(fd, &st))
		return errno;
	if (st.st_size != 2 * PAGE)
		return EPROTO;
	if (mmap(stalled, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, fd, 0) != stalled)
		return errno;
	return 0;
}

/* ---- the readers ---- */

static pid_t target_pid;
static int target_fd;

enum way { BY_READ, BY_READV, BY_PREAD, BY_SHORT_READ, BY_NOFAULT_READ, BY_VM_READV };

/* Reads from the last present page into the stalled ones: the bytes, or a negative errno. */
static long read_into_stall(long way)
{
	uint8_t *bytes = island_pages(4);
	uint64_t address = number(stalled) - 100;
	struct cordbmem_read read = read_argument(target_pid, address, bytes, PAGE);
	struct cordbmem_element element = element_of(target_pid, 0, address, bytes, PAGE);
	struct cordbmem_readv readv = readv_argument(&element, 1);
	long error = 0, count = 0;

	switch (way) {
	case BY_SHORT_READ:
		read.length = 200;
		error = call_read(device, &read);
		count = (long)read.bytes_read;
		break;
	case BY_NOFAULT_READ:
		read.flags = CORDBMEM_READ_NOFAULT;
		error = call_read(device, &read);
		count = (long)read.bytes_read;
		break;
	case BY_READ:
		error = call_read(device, &read);
		count = (long)read.bytes_read;
		break;
	case BY_READV:
		error = call_readv(device, &readv);
		count = (long)element.bytes_read;
		break;
	case BY_PREAD:
		count = pread_at(target_fd, bytes, PAGE, address);
		break;
	case BY_VM_READV:
		count = vm_readv(target_pid, address, bytes, PAGE);
		break;
	}
	if (error)
		return -error;
	if (count > 0 && pattern_check(bytes, (size_t)count, SEED, address) != (size_t)count)
		return -EBADMSG;
	return count;
}

static long read_present(long pid)
{
	uint8_t bytes[PAGE];
	int error = read_all(device, (pid_t)pid, number(present), bytes, 64);

	if (!error)
		error = read_all(device, (pid_t)pid, number(present), bytes, PAGE);
	return error;
}

/* A mapping of its own while somebody waits for a page of it. */
static long map_something(long unused)
{
	void *memory = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)unused;
	return memory == MAP_FAILED ? errno : munmap(memory, PAGE);
}

static bool answers_within(const struct child *child, double time, long *result)
{
	struct pollfd p = { .fd = child->socket, .events = POLLIN };

	return poll(&p, 1, (int)(time * 1000)) == 1 && child_result(child, result);
}

FIXTURE(stall)
{
	struct child target, other;
};

FIXTURE_VARIANT(stall)
{
	bool by_fuse;
	long way;
};

// clang-format off
#define STALL(name_, fuse_, way_) \
	FIXTURE_VARIANT_ADD(stall, name_) { .by_fuse = (fuse_), .way = (way_) }

STALL(userfaultfd__read, false, BY_READ);
STALL(userfaultfd__short_read, false, BY_SHORT_READ);
STALL(userfaultfd__nofault_read, false, BY_NOFAULT_READ);
STALL(userfaultfd__readv, false, BY_READV);
STALL(userfaultfd__target_fd, false, BY_PREAD);
STALL(userfaultfd__process_vm_readv, false, BY_VM_READV);
STALL(fuse__read, true, BY_READ);
STALL(fuse__short_read, true, BY_SHORT_READ);
STALL(fuse__nofault_read, true, BY_NOFAULT_READ);
STALL(fuse__readv, true, BY_READV);
STALL(fuse__target_fd, true, BY_PREAD);
STALL(fuse__process_vm_readv, true, BY_VM_READV);
// clang-format on

FIXTURE_SETUP(stall)
{
	long error = 0;

	device = device_open();
	fuse.fd = -1;
	present = island_pages(4);
	stalled = present + 2 * PAGE;
	pattern_fill(present, 2 * PAGE, SEED, number(present));
	if (variant->by_fuse)
		error = fuse_start();
	self->other = child_start();
	self->target = child_start();
	if (error)
		SKIP(return, "no FUSE: %s", strerror((int)error));
	error = child_call(&self->target, variant->by_fuse ? stall_by_fuse : stall_by_userfaultfd,
			   0);
	if (error)
		SKIP(return, "cannot stall: %s", strerror((int)error));
	target_pid = self->target.pid;
	target_fd = attach(device, target_pid, 0);
	ASSERT_LE(0, target_fd);
}

FIXTURE_TEARDOWN(stall)
{
	if (fuse.fd >= 0)
		fuse_stop();
	child_end(&self->target);
	child_end(&self->other);
}

TEST_F(stall, holds_up_nobody_for_good)
{
	/*
	 * access_process_vm() keeps the target's mmap_lock while it waits for a page, as it does
	 * for /proc/PID/mem: then the target and its other readers wait too.
	 */
	const bool waits_with_the_lock = variant->by_fuse && variant->way == BY_SHORT_READ;
	struct child reader, second;
	long count = 0, result = -1;
	double killed;
	bool ended;

	if (_metadata->skip)
		return;
	reader = child_start();
	second = child_start();
	child_send(&reader, read_into_stall, variant->way);
	ended = answers_within(&reader, PROMPT, &count);
	if (ended) {
		TH_LOG("it ended with %ld", count);
		/* exact up to the stall, which is a hole then */
		EXPECT_EQ(100, count);
	} else {
		TH_LOG("it waits, in state %c", task_state(reader.pid));
	}

	/* Others: another target, this target's pages that are there, and the target itself. */
	child_send(&second, read_present, self->other.pid);
	EXPECT_TRUE(answers_within(&second, PROMPT, &result));
	EXPECT_EQ(0, result);
	if (!waits_with_the_lock) {
		child_send(&second, read_present, self->target.pid);
		EXPECT_TRUE(answers_within(&second, PROMPT, &result));
		EXPECT_EQ(0, result);
		child_send(&self->target, map_something, 0);
		EXPECT_TRUE(answers_within(&self->target, PROMPT, &result))
		TH_LOG("the target waits in mmap, in state %c", task_state(self->target.pid));
		EXPECT_EQ(0, result);
		child_send(&second, read_present, self->target.pid);
		EXPECT_TRUE(answers_within(&second, PROMPT, &result));
		EXPECT_EQ(0, result);
	}

	/*
	 * A kill ends the reader although the page still does not come. FUSE itself waits for an
	 * answer to what it has asked, whoever the reader is: there, the end of the filesystem does.
	 */
	killed = seconds();
	child_kill(&reader);
	if (variant->by_fuse)
		fuse_abort();
	while (waitpid(reader.pid, NULL, WNOHANG) == 0 && seconds() < killed + PROMPT)
		usleep(10000);
	EXPECT_GT(PROMPT, seconds() - killed)
	TH_LOG("the reader cannot be killed, in state %c", task_state(reader.pid));
	child_kill(&second);
}

TEST_HARNESS_MAIN
