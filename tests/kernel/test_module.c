// SPDX-License-Identifier: GPL-2.0
/*
 * The module's own life: it cannot go while it is in use, and leaves nothing when it goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "gate.h"
#include "memory.h"
#include "module.h"
#include "support.h"

#define PATIENCE 5 /* s, until it can be unloaded */

static char module_path[4096];

/* Does the file belong to the running kernel? Its vermagic begins with the release. */
static bool is_for_this_kernel(const char *path)
{
	struct utsname name;
	char wanted[256];
	struct stat st;
	bool found;
	void *file;
	int fd;

	uname(&name);
	snprintf(wanted, sizeof(wanted), "vermagic=%s ", name.release);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) || !st.st_size)
		return false;
	file = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (file == MAP_FAILED)
		return false;
	found = memmem(file, (size_t)st.st_size, wanted, strlen(wanted)) != NULL;
	munmap(file, (size_t)st.st_size);
	return found;
}

/*
 * CORDBMEM_KO, or what lies beside this program in the build folder: build/tests/kernel/test_module
 * and build/kmod/KERNEL/cordbmem.ko.
 */
static bool find_module(void)
{
	const char *named = getenv("CORDBMEM_KO");
	char self[2048] = "", pattern[4096];
	glob_t found;
	bool ok = false;

	if (named) {
		snprintf(module_path, sizeof(module_path), "%s", named);
		return access(module_path, R_OK) == 0;
	}
	if (readlink("/proc/self/exe", self, sizeof(self) - 1) < 0 || !strstr(self, "/build/"))
		return false;
	*strstr(self, "/build/") = 0;
	snprintf(pattern, sizeof(pattern), "%s/build/kmod/*/cordbmem.ko", self);
	if (glob(pattern, 0, NULL, &found))
		return false;
	for (size_t i = 0; i < found.gl_pathc && !ok; i++) {
		ok = is_for_this_kernel(found.gl_pathv[i]);
		snprintf(module_path, sizeof(module_path), "%s", found.gl_pathv[i]);
	}
	globfree(&found);
	return ok;
}

static int load(const char *parameters)
{
	int fd = open(module_path, O_RDONLY | O_CLOEXEC), error;

	if (fd < 0)
		return errno;
	error = syscall(SYS_finit_module, fd, parameters, 0) ? errno : 0;
	close(fd);
	return error;
}

static bool loaded(void)
{
	return access("/sys/module/cordbmem", F_OK) == 0;
}

FIXTURE(module)
{
	uint8_t *page;
	struct child target;
};

FIXTURE_SETUP(module)
{
	self->page = island_pages(1);
	pattern_fill(self->page, PAGE, GATE_SEED, number(self->page));
	self->target = child_start();
	if (!find_module())
		SKIP(return, "no cordbmem.ko for this kernel: set CORDBMEM_KO");
	if (!loaded())
		ASSERT_EQ(0, load(""));
}

FIXTURE_TEARDOWN(module)
{
	child_end(&self->target);
	if (!module_path[0])
		return;
	/* The other tests get it as the runner loaded it. */
	close_range(3, ~0U, 0);
	if (loaded())
		module_unload_soon(PATIENCE);
	if (load(""))
		die("cannot load the module again");
}

#define EXPECT_BUSY()                                                   \
	do {                                                            \
		int b_error = module_unload();                          \
                                                                        \
		EXPECT_TRUE(b_error == EWOULDBLOCK || b_error == EBUSY) \
		TH_LOG("unloading: %d", b_error);                       \
		EXPECT_TRUE(loaded());                                  \
	} while (0)

TEST_F(module, cannot_go_while_the_device_is_open)
{
	int device = device_open();

	if (_metadata->skip)
		return;
	EXPECT_BUSY();
	ASSERT_EQ(0, read_all(device, self->target.pid, number(self->page), (uint8_t[8]){ 0 }, 8));
	EXPECT_BUSY();
	close(device);
	EXPECT_EQ(0, module_unload_soon(PATIENCE));
	EXPECT_FALSE(loaded());
}

TEST_F(module, cannot_go_while_a_target_fd_is_open)
{
	int device = device_open();
	int fd = attach(device, self->target.pid, 0), copy;
	struct pollfd p = { .fd = fd };

	if (_metadata->skip)
		return;
	ASSERT_LE(0, fd);
	close(device);
	EXPECT_BUSY();
	poll(&p, 1, 0);
	copy = dup(fd);
	close(fd);
	EXPECT_BUSY();
	child_end(&self->target);
	EXPECT_BUSY();
	close(copy);
	EXPECT_EQ(0, module_unload_soon(PATIENCE));
}

TEST_F(module, leaves_nothing)
{
	static const char *const traces[] = {
		CORDBMEM_DEVICE,
		"/sys/module/cordbmem",
		"/sys/class/misc/cordbmem",
		"/sys/kernel/tracing/events/cordbmem",
		"/sys/kernel/debug/cordbmem",
		"/sys/kernel/slab/cordbmem",
	};
	char text[65536];
	int device = device_open();

	if (_metadata->skip)
		return;
	for (int i = 0; i < 50; i++) {
		int fd = attach(device, self->target.pid, 0);
		struct pollfd p = { .fd = fd };

		ASSERT_LE(0, fd);
		poll(&p, 1, 0);
		close(fd);
	}
	close(device);
	ASSERT_EQ(0, module_unload_soon(PATIENCE));
	for (size_t i = 0; i < ARRAY_SIZE(traces); i++) {
		EXPECT_NE(0, access(traces[i], F_OK))
		TH_LOG("%s is still there", traces[i]);
	}
	ASSERT_TRUE(file_text("/proc/modules", text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "cordbmem"));
	ASSERT_TRUE(file_text("/proc/misc", text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "cordbmem"));
	ASSERT_TRUE(file_text("/proc/slabinfo", text, sizeof(text)));
	EXPECT_EQ(NULL, strstr(text, "cordbmem"));
	/* and the target never noticed */
	EXPECT_EQ('S', task_state(self->target.pid));
}

TEST_F(module, comes_back_as_often_as_wanted)
{
	for (int i = 0; i < 10; i++) {
		uint8_t bytes[8] = { 0 };
		int device;

		if (_metadata->skip)
			return;
		if (!loaded())
			ASSERT_EQ(0, load(""));
		device = device_open();
		ASSERT_EQ(0, read_all(device, self->target.pid, number(self->page), bytes, 8));
		ASSERT_EQ(8, pattern_check(bytes, 8, GATE_SEED, number(self->page)));
		close(device);
		ASSERT_EQ(0, module_unload_soon(PATIENCE));
	}
}

TEST_F(module, takes_allow_force_when_it_is_loaded)
{
	int device;

	if (_metadata->skip)
		return;
	ASSERT_EQ(0, module_unload_soon(PATIENCE));
	ASSERT_EQ(0, load("allow_force=0"));
	device = device_open();
	EXPECT_FALSE(has_feature(device, CORDBMEM_FEATURE_FORCE));
	EXPECT_EQ(-EPERM, attach(device, self->target.pid, CORDBMEM_READ_FORCE));
	close(device);
	ASSERT_EQ(0, module_unload_soon(PATIENCE));
	ASSERT_EQ(0, load("allow_force=1"));
	device = device_open();
	EXPECT_TRUE(has_feature(device, CORDBMEM_FEATURE_FORCE));
	close(device);
}

/* ---- loaded in a pid namespace of its own ---- */

static long enter_pid_namespace(long unused)
{
	(void)unused;
	return unshare(CLONE_NEWPID) ? errno : 0;
}

/* In the namespace: loads, makes a child, and reads it. */
static long load_and_read(long address)
{
	struct child two;
	uint8_t bytes[8];
	int device;
	long error = load("");

	if (error)
		return error;
	two = child_start();
	device = device_open();
	error = read_all(device, two.pid, (uint64_t)address, bytes, 8);
	close(device);
	child_end(&two);
	return error;
}

static long in_first_child(long address)
{
	struct child init = child_start();
	long error = child_call(&init, load_and_read, address);

	/* It ends here, and with it the namespace that the module remembers. */
	child_end(&init);
	return error;
}

TEST_F(module, reads_only_processes_of_the_pid_namespace_it_was_loaded_in)
{
	struct child loader = child_start();
	uint8_t bytes[8];
	long error;
	int device, mem;

	if (_metadata->skip)
		return;
	ASSERT_EQ(0, module_unload_soon(PATIENCE));
	error = child_call(&loader, enter_pid_namespace, 0);
	if (error)
		SKIP(return, "no pid namespaces: %s", strerror((int)error));
	EXPECT_EQ(0, child_call(&loader, in_first_child, (long)number(self->page)));
	/* This test is outside, and so is its target. */
	device = device_open();
	EXPECT_EQ(ESRCH, read_all(device, self->target.pid, number(self->page), bytes, 8));
	EXPECT_EQ(ESRCH, read_all(device, getpid(), number(self->page), bytes, 8));
	EXPECT_EQ(-ESRCH, attach(device, self->target.pid, 0));
	/* A mem fd carries its own proof. */
	mem = mem_open(self->target.pid, O_RDONLY);
	ASSERT_LE(0, mem);
	EXPECT_LE(0, attach(device, mem, CORDBMEM_ATTACH_MEM_FD));
	child_end(&loader);
}

TEST_HARNESS_MAIN
