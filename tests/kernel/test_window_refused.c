// SPDX-License-Identifier: GPL-2.0
/*
 * What the mapping of a window cannot be made to do, and who cannot have it.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"

#define SEED 12
#define PAGES 6
#define SIZE (PAGES * PAGE)
#define STATE ((off_t)CORDBMEM_WINDOW_STATE)

static const uint8_t zeros[SIZE];

/* Shared with a tracer that is a child. */
static struct shared {
	int device;
	pid_t target;
	void *data, *state;
} * shared;

FIXTURE(mapping)
{
	int device;
	int fd;
	uint8_t *source;
	struct child target;
	struct window w;
	uint8_t *data;
	uint8_t *state;
};

FIXTURE_SETUP(mapping)
{
	self->device = device_open();
	self->source = island_pages(PAGES);
	pattern_fill(self->source, SIZE, SEED, number(self->source));
	self->target = child_start();
	munmap(self->source, SIZE);
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
	self->w = window_open(self->fd, number(self->source), SIZE, 0);
	ASSERT_EQ(PAGES, window_fill(&self->w));
	self->data = pointer(number(self->w.data));
	self->state = pointer(number(self->w.state));
}

FIXTURE_TEARDOWN(mapping)
{
	child_end(&self->target);
}

#define EXPECT_INTACT()                                                                       \
	do {                                                                                  \
		EXPECT_EQ(SIZE, pattern_check(self->data, SIZE, SEED, number(self->source))); \
		for (size_t i_page = 0; i_page < PAGES; i_page++)                             \
			EXPECT_TRUE(window_valid(&self->w, i_page));                          \
	} while (0)

/* 0 or an errno. */
static int map(int fd, size_t size, int protection, int flags, off_t offset)
{
	void *memory = mmap(NULL, size, protection, flags, fd, offset);

	if (memory == MAP_FAILED)
		return errno;
	munmap(memory, size);
	return 0;
}

TEST_F(mapping, is_shared_and_read_only)
{
	static const struct {
		int protection, flags;
		int error;
	} table[] = {
		{ PROT_READ, MAP_SHARED, 0 },
		{ PROT_READ, MAP_SHARED | MAP_POPULATE, 0 },
		{ PROT_READ, MAP_SHARED_VALIDATE, 0 },
		{ PROT_NONE, MAP_SHARED, 0 },
		{ PROT_READ, MAP_PRIVATE, EINVAL },
		{ PROT_READ | PROT_WRITE, MAP_PRIVATE, EINVAL },
		{ PROT_READ | PROT_EXEC, MAP_SHARED, EPERM },
		{ PROT_EXEC, MAP_SHARED, EPERM },
		/* the file is not open for writing */
		{ PROT_WRITE, MAP_SHARED, EACCES },
		{ PROT_READ | PROT_WRITE, MAP_SHARED, EACCES },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		for (int state = 0; state < 2; state++) {
			EXPECT_EQ(table[i].error, map(self->w.fd, PAGE, table[i].protection,
						      table[i].flags, state ? STATE : 0))
			TH_LOG("%s %zu", state ? "state" : "data", i);
		}
	}
	EXPECT_INTACT();
}

TEST_F(mapping, lies_within_the_window)
{
	static const struct {
		off_t offset;
		size_t size;
		int error;
	} table[] = {
		{ 0, SIZE, 0 },
		{ SIZE - PAGE, PAGE, 0 },
		{ STATE, PAGE, 0 },
		{ 0, SIZE + PAGE, EINVAL },
		{ PAGE, SIZE, EINVAL },
		{ SIZE, PAGE, EINVAL },
		{ STATE - PAGE, PAGE, EINVAL },
		{ STATE - PAGE, 2 * PAGE, EINVAL },
		{ STATE, 2 * PAGE, EINVAL },
		{ STATE + PAGE, PAGE, EINVAL },
		{ STATE + STATE / 2, PAGE, EINVAL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		EXPECT_EQ(table[i].error,
			  map(self->w.fd, table[i].size, PROT_READ, MAP_SHARED, table[i].offset))
		TH_LOG("%zu", i);
	}
	EXPECT_INTACT();
}

TEST_F(mapping, cannot_be_made_more_than_readable)
{
	EXPECT_EQ(-1, mprotect(self->data, SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(self->data, SIZE, PROT_READ | PROT_EXEC));
	EXPECT_EQ(EACCES, errno);
	EXPECT_EQ(-1, mprotect(self->state, PAGE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(EACCES, errno);
	/* Less, and back. */
	EXPECT_EQ(0, mprotect(self->data, SIZE, PROT_NONE));
	EXPECT_EQ(0, mprotect(self->data, SIZE, PROT_READ));
	EXPECT_INTACT();
}

TEST_F(mapping, cannot_be_split)
{
	static const struct {
		size_t at, size;
	} parts[] = { { 0, PAGE }, { PAGE, PAGE }, { SIZE - PAGE, PAGE }, { PAGE, SIZE - PAGE } };
	void *other = island_hole(SIZE);

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		uint8_t *part = self->data + parts[i].at;

		EXPECT_EQ(-1, munmap(part, parts[i].size));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(-1, mprotect(part, parts[i].size, PROT_NONE));
		EXPECT_EQ(EINVAL, errno);
		EXPECT_EQ(MAP_FAILED, mmap(part, parts[i].size, PROT_READ,
					   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
		EXPECT_EQ(MAP_FAILED, mremap(part, parts[i].size, parts[i].size,
					     MREMAP_MAYMOVE | MREMAP_FIXED, other));
		EXPECT_INTACT();
	}
	EXPECT_EQ(MAP_FAILED, mremap(self->data, SIZE, PAGE, 0));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_INTACT();
}

TEST_F(mapping, cannot_grow_or_be_doubled)
{
	EXPECT_EQ(MAP_FAILED, mremap(self->data, SIZE, SIZE + PAGE, MREMAP_MAYMOVE));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_EQ(MAP_FAILED, mremap(self->data, 0, SIZE, MREMAP_MAYMOVE));
	EXPECT_EQ(MAP_FAILED,
		  mremap(self->data, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL));
	EXPECT_EQ(MAP_FAILED, mremap(self->state, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
	EXPECT_INTACT();
}

static long drop(long address)
{
	return madvise(pointer((uint64_t)address), SIZE, MADV_DONTNEED);
}

TEST_F(mapping, may_move_and_stays_true)
{
	uint8_t *to = island_hole(SIZE);

	ASSERT_EQ(to, mremap(self->data, SIZE, SIZE, MREMAP_MAYMOVE | MREMAP_FIXED, to));
	self->data = to;
	self->w.data = to;
	EXPECT_INTACT();
	ASSERT_EQ(0, child_call(&self->target, drop, (long)number(self->source)));
	EXPECT_EQ(0, call_sync(self->w.fd));
	EXPECT_EQ(0, memcmp(to, zeros, SIZE));
}

static const char *flags_of(const void *address)
{
	static char flags[256];
	char found[250] = "";
	uint64_t start = 0, end = 0;
	FILE *smaps = fopen("/proc/self/smaps", "re");
	char line[512];

	while (smaps && fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			continue;
		if (number(address) >= start && number(address) < end &&
		    sscanf(line, "VmFlags:%249[^\n]", found) == 1)
			break;
	}
	fclose(smaps);
	snprintf(flags, sizeof(flags), "%s ", found);
	return flags;
}

/* Not dumped, not inherited, not grown, and never writable or executable. */
TEST_F(mapping, has_the_flags_of_a_device)
{
	static const char *const wanted[] = { " dd ", " dc ", " de " };
	static const char *const unwanted[] = { " wr ", " mw ", " ex ", " me ", " sh " };

	for (int state = 0; state < 2; state++) {
		const char *flags = flags_of(state ? self->state : self->data);

		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++) {
			EXPECT_TRUE(strstr(flags, wanted[i]) != NULL)
			TH_LOG("%s in%s", wanted[i], flags);
		}
		for (size_t i = 0; i < ARRAY_SIZE(unwanted); i++) {
			EXPECT_TRUE(strstr(flags, unwanted[i]) == NULL)
			TH_LOG("%s in%s", unwanted[i], flags);
		}
	}
	EXPECT_TRUE(strstr(flags_of(self->data), " pf ") != NULL);
	EXPECT_TRUE(strstr(flags_of(self->state), " io ") != NULL);
}

/* Whatever the advice, afterwards the mapping is as it was. */
TEST_F(mapping, takes_no_advice)
{
	static const int refused[] = { MADV_DONTNEED,  MADV_REMOVE,	   MADV_FREE,
				       MADV_DOFORK,    MADV_DODUMP,	   MADV_PAGEOUT,
				       MADV_COLD,      MADV_POPULATE_READ, MADV_POPULATE_WRITE,
				       MADV_WIPEONFORK };
	static const int ignored[] = { MADV_WILLNEED, MADV_SEQUENTIAL, MADV_MERGEABLE,
				       MADV_HUGEPAGE };
	char before[256];

	snprintf(before, sizeof(before), "%s", flags_of(self->data));
	for (size_t i = 0; i < ARRAY_SIZE(refused); i++) {
		EXPECT_EQ(-1, madvise(self->data, SIZE, refused[i]))
		TH_LOG("advice %d", refused[i]);
		EXPECT_STREQ(before, flags_of(self->data))
		TH_LOG("advice %d", refused[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		madvise(self->data, SIZE, ignored[i]);
	mlock(self->data, SIZE);
	EXPECT_INTACT();
}

TEST_F(mapping, cannot_be_watched_by_userfaultfd)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range.start = number(self->data),
		.range.len = SIZE,
		.mode = UFFDIO_REGISTER_MODE_WP,
	};
	int fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		SKIP(return, "no userfaultfd");
	/* With this, where it exists, the kernel takes any kind of mapping. */
	api.features = 1 << 15; /* UFFD_FEATURE_WP_ASYNC */
	if (ioctl(fd, UFFDIO_API, &api)) {
		close(fd);
		fd = (int)syscall(SYS_userfaultfd, O_CLOEXEC);
		api = (struct uffdio_api){ .api = UFFD_API };
		ASSERT_EQ(0, ioctl(fd, UFFDIO_API, &api));
	}
	EXPECT_EQ(-1, ioctl(fd, UFFDIO_REGISTER, &range));
	EXPECT_INTACT();
}

/* ---- the mapping, seen by others ---- */

static long traced(long unused)
{
	(void)unused;
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
		return errno;
	raise(SIGSTOP);
	return 0;
}

static long open_window(long address)
{
	int fd = attach(shared->device, shared->target, 0);
	struct window w = window_open(fd, (uint64_t)address, SIZE, 0);

	window_fill(&w);
	shared->data = pointer(number(w.data));
	shared->state = pointer(number(w.state));
	return w.data[5];
}

/* A tracer of its own, which is looked at by every door that there is. */
TEST_F(mapping, is_seen_by_its_owner_alone)
{
	struct child tracer;
	uint8_t bytes[16];

	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	shared->device = self->device;
	shared->target = self->target.pid;
	tracer = child_start();
	ASSERT_EQ(self->data[5], child_call(&tracer, open_window, (long)number(self->source)));
	for (int state = 0; state < 2; state++) {
		uint64_t address = number(state ? shared->state : shared->data);

		EXPECT_EQ(-EFAULT, vm_readv(tracer.pid, address, bytes, 8));
		EXPECT_EQ(-EIO, mem_read(tracer.pid, address, bytes, 8));
		EXPECT_EQ(EIO, read_all(self->device, tracer.pid, address, bytes, 8));
	}
	child_send(&tracer, traced, 0);
	ASSERT_EQ(tracer.pid, waitpid(tracer.pid, NULL, WUNTRACED));
	for (int state = 0; state < 2; state++) {
		errno = 0;
		EXPECT_EQ(-1, ptrace(PTRACE_PEEKDATA, tracer.pid,
				     state ? shared->state : shared->data, NULL));
		EXPECT_EQ(EIO, errno);
	}
	child_end(&tracer);
}

/* ---- the target itself ---- */

static void *wait_in_thread(void *tid)
{
	__atomic_store_n((pid_t *)tid, (pid_t)syscall(SYS_gettid), __ATOMIC_SEQ_CST);
	for (;;)
		pause();
	return NULL;
}

TEST_F(mapping, is_not_for_the_process_that_it_shows)
{
	pid_t tid = 0;
	pthread_t thread;
	int fds, me;

	ASSERT_EQ(0, pthread_create(&thread, NULL, wait_in_thread, &tid));
	while (!__atomic_load_n(&tid, __ATOMIC_SEQ_CST))
		usleep(100);
	for (int by_thread = 0; by_thread < 2; by_thread++) {
		me = attach(self->device, by_thread ? tid : getpid(), 0);
		ASSERT_LE(0, me);
		fds = open_fds();
		EXPECT_EQ(-EINVAL, window_fd(me, number(&tid) & ~(PAGE - 1), PAGE, 0));
		EXPECT_EQ(fds, open_fds());
		close(me);
	}
}

static long map_given(long offset)
{
	int fd = receive_fd(child_socket);
	int error = map(fd, PAGE, PROT_READ, MAP_SHARED, offset);

	close(fd);
	return error;
}

TEST_F(mapping, is_refused_to_a_target_that_was_given_the_fd)
{
	static const off_t offsets[] = { 0, STATE };
	struct child third = child_start();

	for (size_t i = 0; i < ARRAY_SIZE(offsets); i++) {
		long error;

		child_send(&self->target, map_given, offsets[i]);
		child_give_fd(&self->target, self->w.fd);
		ASSERT_TRUE(child_result(&self->target, &error));
		EXPECT_EQ(EINVAL, error);
		/* and to nobody else */
		child_send(&third, map_given, offsets[i]);
		child_give_fd(&third, self->w.fd);
		ASSERT_TRUE(child_result(&third, &error));
		EXPECT_EQ(0, error);
	}
	child_end(&third);
	EXPECT_INTACT();
}

TEST_HARNESS_MAIN
