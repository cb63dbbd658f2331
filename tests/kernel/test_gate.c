// SPDX-License-Identifier: GPL-2.0
/*
 * Who may read whom: a table of callers and targets. Each row asks cordbmem in every way, and
 * process_vm_readv and /proc/PID/mem about the same page. The device is opened by root and
 * inherited, so that nothing but the gate decides.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "gate.h"
#include "identity.h"
#include "memory.h"
#include "support.h"

/* Steps that a process goes through. Each returns 0 or an errno that makes the row a skip. */
typedef int step_function(void);

static int root(void)
{
	die_with_parent();
	return 0;
}

static int root_without_capabilities(void)
{
	become(0, 0);
	return 0;
}

static int uid_1000(void)
{
	become(1000, 0);
	return 0;
}

static int uid_1001(void)
{
	become(1001, 0);
	return 0;
}

static int uid_1001_ptrace(void)
{
	become(1001, CAPABILITY(SYS_PTRACE));
	return 0;
}

static int uid_1001_read_search(void)
{
	become(1001, CAPABILITY(DAC_READ_SEARCH) | CAPABILITY(DAC_OVERRIDE));
	return 0;
}

static int uid_1000_ptrace(void)
{
	become(1000, CAPABILITY(SYS_PTRACE));
	return 0;
}

static int uid_1000_net_raw(void)
{
	become(1000, CAPABILITY(NET_RAW));
	return 0;
}

/* The capability is there but not effective. */
static int uid_1001_ptrace_permitted(void)
{
	const cap_value_t cap = CAP_SYS_PTRACE;
	cap_t caps;

	become(1001, CAPABILITY(SYS_PTRACE));
	caps = cap_get_proc();
	if (!caps || cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_CLEAR) || cap_set_proc(caps))
		die("capabilities");
	cap_free(caps);
	return 0;
}

static int not_dumpable(void)
{
	if (prctl(PR_SET_DUMPABLE, 0))
		die("dumpable");
	return 0;
}

static int uid_1000_not_dumpable(void)
{
	uid_1000();
	return not_dumpable();
}

/* Only the effective, or only the real and saved ids are 1000. */
static int euid_1000(void)
{
	become(0, ~0ULL >> 23);
	if (setresgid(0, 1000, 0) || setresuid(0, 1000, 0) || set_capabilities(0) ||
	    prctl(PR_SET_DUMPABLE, 1))
		die("ids");
	die_with_parent();
	return 0;
}

static int gid_1001(void)
{
	become(0, ~0ULL >> 23);
	if (setresgid(1001, 1001, 1001) || setresuid(1000, 1000, 1000) || set_capabilities(0) ||
	    prctl(PR_SET_DUMPABLE, 1))
		die("ids");
	die_with_parent();
	return 0;
}

static void fsids(uid_t id)
{
	setfsgid(id);
	setfsuid(id);
	if ((uid_t)setfsuid((uid_t)-1) != id || set_capabilities(0) || prctl(PR_SET_DUMPABLE, 1))
		die("fsuid");
	die_with_parent();
}

static int uid_1000_fsuid_1001(void)
{
	become(1000, CAPABILITY(SETUID) | CAPABILITY(SETGID));
	fsids(1001);
	return 0;
}

static int uid_1001_fsuid_1000(void)
{
	become(1001, CAPABILITY(SETUID) | CAPABILITY(SETGID));
	fsids(1000);
	return 0;
}

static int uid_1000_user_namespace(void)
{
	become(1000, 0);
	return new_user_namespace();
}

static int root_user_namespace(void)
{
	return new_user_namespace();
}

static int uid_1000_landlock_files(void)
{
	become(1000, 0);
	return landlock_files();
}

static int uid_1000_landlock_sockets(void)
{
	become(1000, 0);
	return landlock_sockets();
}

static int root_landlock_sockets(void)
{
	return landlock_sockets();
}

static int uid_1000_ptracer_any(void)
{
	become(1000, 0);
	return prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY) ? errno : 0;
}

/* Ends as a zombie. */
static int zombie(void)
{
	_exit(0);
}

/* The main thread ends, another one lives. */
static int zombie_leader(void);

enum relation {
	SIBLING,   /* both are children of the test */
	OWN_CHILD, /* the target is a child of the caller, made after the caller's steps */
	ONESELF,
	KERNEL_THREAD,
};

/* The ways cordbmem may differ from process_vm_readv. */
enum difference {
	SAME = 0,
	STRICTER, /* refuses what process_vm_readv allows, as /proc/PID/mem does */
	FILESYSTEM_IDS, /* /proc/PID/mem's rule: filesystem ids, where process_vm_readv takes the real ones */
	LIVES, /* the leader is a zombie, its threads live: process_vm_readv says ESRCH */
};

FIXTURE(gate)
{
	int device;
	uint8_t *page;
	long scope;
	struct child caller;
	struct child target;
};

FIXTURE_VARIANT(gate)
{
	step_function *caller;
	step_function *target;
	enum relation relation;
	int scope;
	int expected;
	enum difference difference;
};

#define ROW(name_, ...)                  \
	FIXTURE_VARIANT_ADD(gate, name_) \
	{                                \
		__VA_ARGS__              \
	}

// clang-format off

/* ids and capabilities */
ROW(root__root, .caller = root, .target = root);
ROW(root__uid_1000, .caller = root, .target = uid_1000);
ROW(root__uid_1000_not_dumpable, .caller = root, .target = uid_1000_not_dumpable);
ROW(root__not_dumpable, .caller = root, .target = not_dumpable);
ROW(root_without_capabilities__uid_1000, .caller = root_without_capabilities, .target = uid_1000,
    .expected = EACCES);
ROW(root_without_capabilities__root, .caller = root_without_capabilities, .target = root,
    .expected = EACCES);
ROW(root_without_capabilities__the_same, .caller = root_without_capabilities,
    .target = root_without_capabilities);
ROW(uid_1000__uid_1000, .caller = uid_1000, .target = uid_1000);
ROW(uid_1000__uid_1000_not_dumpable, .caller = uid_1000, .target = uid_1000_not_dumpable,
    .expected = EACCES);
ROW(uid_1000_not_dumpable__uid_1000, .caller = uid_1000_not_dumpable, .target = uid_1000);
ROW(uid_1000__uid_1001, .caller = uid_1000, .target = uid_1001, .expected = EACCES);
ROW(uid_1001__uid_1000, .caller = uid_1001, .target = uid_1000, .expected = EACCES);
ROW(uid_1000__root, .caller = uid_1000, .target = root, .expected = EACCES);
ROW(uid_1000__with_a_capability, .caller = uid_1000, .target = uid_1000_net_raw,
    .expected = EACCES);
ROW(with_a_capability__uid_1000, .caller = uid_1000_net_raw, .target = uid_1000);
ROW(uid_1000__euid_1000, .caller = uid_1000, .target = euid_1000, .expected = EACCES);
ROW(euid_1000__uid_1000, .caller = euid_1000, .target = uid_1000,
    .difference = FILESYSTEM_IDS);
ROW(uid_1000__gid_1001, .caller = uid_1000, .target = gid_1001, .expected = EACCES);
ROW(gid_1001__uid_1000, .caller = gid_1001, .target = uid_1000, .expected = EACCES);
ROW(uid_1000_fsuid_1001__uid_1000, .caller = uid_1000_fsuid_1001, .target = uid_1000,
    .expected = EACCES, .difference = FILESYSTEM_IDS);
ROW(uid_1001_fsuid_1000__uid_1000, .caller = uid_1001_fsuid_1000, .target = uid_1000,
    .difference = FILESYSTEM_IDS);
ROW(ptrace_only__uid_1000, .caller = uid_1001_ptrace, .target = uid_1000);
ROW(ptrace_only__uid_1000_not_dumpable, .caller = uid_1001_ptrace,
    .target = uid_1000_not_dumpable);
ROW(ptrace_only__root, .caller = uid_1001_ptrace, .target = root);
ROW(ptrace_not_effective__uid_1000, .caller = uid_1001_ptrace_permitted, .target = uid_1000,
    .expected = EACCES);
ROW(read_search_only__uid_1000, .caller = uid_1001_read_search, .target = uid_1000,
    .expected = EACCES);
ROW(uid_1000__own_child, .caller = uid_1000, .target = root, .relation = OWN_CHILD);
ROW(uid_1000__own_child_not_dumpable, .caller = uid_1000, .target = not_dumpable,
    .relation = OWN_CHILD, .expected = EACCES);

/* user namespaces */
ROW(root_of_user_namespace__own_child, .caller = uid_1000_user_namespace, .target = root,
    .relation = OWN_CHILD);
ROW(root_of_user_namespace__outside, .caller = uid_1000_user_namespace, .target = uid_1000,
    .expected = EACCES);
ROW(root_of_user_namespace__root_outside, .caller = uid_1000_user_namespace, .target = root,
    .expected = EACCES);
ROW(roots_user_namespace__root_outside, .caller = root_user_namespace, .target = root,
    .expected = EACCES);
ROW(owner__root_of_user_namespace, .caller = uid_1000, .target = uid_1000_user_namespace);
ROW(somebody_else__root_of_user_namespace, .caller = uid_1001, .target = uid_1000_user_namespace,
    .expected = EACCES);
ROW(sibling_user_namespace, .caller = uid_1000_user_namespace, .target = uid_1000_user_namespace,
    .expected = EACCES);

/* Yama */
ROW(yama_1__sibling, .scope = 1, .caller = uid_1000, .target = uid_1000, .expected = EACCES);
ROW(yama_1__own_child, .scope = 1, .caller = uid_1000, .target = root, .relation = OWN_CHILD);
ROW(yama_1__sibling_that_allows_it, .scope = 1, .caller = uid_1000,
    .target = uid_1000_ptracer_any);
ROW(yama_1__ptrace_only, .scope = 1, .caller = uid_1001_ptrace, .target = uid_1000);
ROW(yama_1__uid_1000_ptrace, .scope = 1, .caller = uid_1000_ptrace, .target = uid_1000);
ROW(yama_1__root, .scope = 1, .caller = root, .target = uid_1000);
ROW(yama_1__oneself, .scope = 1, .caller = uid_1000, .relation = ONESELF);
ROW(yama_1__root_of_user_namespace__own_child, .scope = 1, .caller = uid_1000_user_namespace,
    .target = root, .relation = OWN_CHILD);
ROW(yama_2__sibling, .scope = 2, .caller = uid_1000, .target = uid_1000, .expected = EACCES);
ROW(yama_2__own_child, .scope = 2, .caller = uid_1000, .target = root, .relation = OWN_CHILD,
    .expected = EACCES);
ROW(yama_2__sibling_that_allows_it, .scope = 2, .caller = uid_1000,
    .target = uid_1000_ptracer_any, .expected = EACCES);
ROW(yama_2__ptrace_only, .scope = 2, .caller = uid_1001_ptrace, .target = uid_1000);
ROW(yama_2__root, .scope = 2, .caller = root, .target = uid_1000);
ROW(yama_2__oneself, .scope = 2, .caller = uid_1000, .relation = ONESELF);

/* Landlock */
ROW(landlock_files__outside, .caller = uid_1000_landlock_files, .target = uid_1000,
    .expected = EACCES);
ROW(landlock_files__own_child, .caller = uid_1000_landlock_files, .target = root,
    .relation = OWN_CHILD, .expected = EACCES, .difference = STRICTER);
ROW(landlock_sockets__outside, .caller = uid_1000_landlock_sockets, .target = uid_1000,
    .expected = EACCES);
ROW(landlock_sockets__own_child, .caller = uid_1000_landlock_sockets, .target = root,
    .relation = OWN_CHILD);
ROW(landlock_sockets__own_child_in_a_deeper_domain, .caller = uid_1000_landlock_sockets,
    .target = root_landlock_sockets, .relation = OWN_CHILD);
ROW(landlocked_root__outside, .caller = root_landlock_sockets, .target = uid_1000,
    .expected = EACCES);
ROW(outside__landlocked, .caller = uid_1000, .target = uid_1000_landlock_files);
ROW(landlock_files__oneself, .caller = uid_1000_landlock_files, .relation = ONESELF,
    .expected = EACCES, .difference = STRICTER);

/* targets without memory, and oneself */
ROW(root__kernel_thread, .caller = root, .relation = KERNEL_THREAD, .expected = ESRCH);
ROW(root__zombie, .caller = root, .target = zombie, .expected = ESRCH);
ROW(root__zombie_leader, .caller = root, .target = zombie_leader, .difference = LIVES);
ROW(uid_1000__oneself, .caller = uid_1000, .relation = ONESELF);
ROW(not_dumpable__oneself, .caller = uid_1000_not_dumpable, .relation = ONESELF);

static int zombie_leader_of_uid_1000(void)
{
	uid_1000();
	return zombie_leader();
}

ROW(uid_1000__zombie_leader, .caller = uid_1000, .target = zombie_leader_of_uid_1000,
    .difference = LIVES);
ROW(uid_1001__zombie_leader, .caller = uid_1001, .target = zombie_leader_of_uid_1000,
    .expected = EACCES, .difference = LIVES);

// clang-format on

/* ---- the work ---- */

/* Shared between the test and all its children. */
static struct shared {
	struct verdict verdict;
	pid_t target;
	int step_error; /* why a row cannot be asked on this kernel */
} * shared;

static int zombie_leader(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, wait_for_ever, NULL))
		die("thread");
	syscall(SYS_exit, 0);
	return 0;
}

static long take_step(long step)
{
	int error = ((step_function *)pointer((uint64_t)step))();

	if (error)
		shared->step_error = error;
	return error;
}

static int gate_device;
static uint8_t *gate_page;

static long ask(long pid)
{
	verdict_ask(&shared->verdict, gate_device, (pid_t)pid, gate_page);
	return 0;
}

/* Makes the child and asks about it, in the caller. */
static long ask_about_child(long step)
{
	struct child child = child_start();

	if (!child_call(&child, take_step, step))
		ask(child.pid);
	child_end(&child);
	return 0;
}

FIXTURE_SETUP(gate)
{
	self->device = device_open();
	self->page = island_pages(1);
	pattern_fill(self->page, PAGE, GATE_SEED, number(self->page));
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	memset(&shared->verdict, POISON, sizeof(shared->verdict));
	gate_device = self->device;
	gate_page = self->page;
	self->scope = file_number(YAMA, -1);
	self->target.pid = -1;
	self->caller.pid = -1;
}

FIXTURE_TEARDOWN(gate)
{
	if (self->scope >= 0)
		file_write_number(YAMA, self->scope);
	child_end(&self->caller);
	child_end(&self->target);
}

TEST_F(gate, decides_as_the_kernel)
{
	const struct verdict *v = &shared->verdict;
	pid_t pid = 0;

	if (self->scope < 0 && variant->scope)
		SKIP(return, "no Yama");
	if (self->scope > 2)
		SKIP(return, "Yama is locked at %ld", self->scope);
	if (self->scope >= 0)
		ASSERT_EQ(0, file_write_number(YAMA, variant->scope));

	if (variant->relation == SIBLING) {
		self->target = child_start();
		pid = self->target.pid;
		child_send(&self->target, take_step, (long)number(variant->target));
		if (variant->target == zombie || variant->target == zombie_leader ||
		    variant->target == zombie_leader_of_uid_1000) {
			wait_for_state(pid, 'Z');
		} else {
			long error;

			ASSERT_TRUE(child_result(&self->target, &error));
		}
	} else if (variant->relation == KERNEL_THREAD) {
		pid = 2;
	}

	self->caller = child_start();
	if (child_call(&self->caller, take_step, (long)number(variant->caller)) ||
	    shared->step_error)
		SKIP(return, "not on this kernel: %s", strerror(shared->step_error));
	if (variant->relation == ONESELF)
		pid = self->caller.pid;
	if (variant->relation == OWN_CHILD)
		child_call(&self->caller, ask_about_child, (long)number(variant->target));
	else
		child_call(&self->caller, ask, pid);
	if (shared->step_error)
		SKIP(return, "not on this kernel: %s", strerror(shared->step_error));

	EXPECT_EQ(variant->expected, v->read);
	EXPECT_TRUE(verdict_agreed(v));

	/* Never more than process_vm_readv allows, and exactly that but for the named differences. */
	switch (variant->difference) {
	case SAME:
		EXPECT_EQ(v->vm_readv == EPERM ? EACCES : v->vm_readv, v->read);
		break;
	case STRICTER:
		EXPECT_EQ(0, v->vm_readv);
		EXPECT_EQ(EACCES, v->read);
		EXPECT_EQ(EACCES, v->mem);
		break;
	case FILESYSTEM_IDS:
		/* The mode bits go by filesystem ids too, so /proc/PID/mem is the measure. */
		EXPECT_EQ(v->mem, v->read);
		break;
	case LIVES:
		EXPECT_EQ(ESRCH, v->vm_readv);
		break;
	}
	/* What /proc/PID/mem gives is given; it refuses more, by its mode bits. */
	if (!v->mem)
		EXPECT_EQ(0, v->read);
	if (!_metadata->passed)
		TH_LOG("read %d, again %d, readv %d, attach %d, process_vm_readv %d, /proc/PID/mem "
		       "%d",
		       v->read, v->read_again, v->readv, v->attach, v->vm_readv, v->mem);
}

/* ---- pid namespaces: what a number means ---- */

static long enter_pid_namespace(long unused)
{
	(void)unused;
	return unshare(CLONE_NEWPID) ? errno : 0;
}

static long ask_in_namespace(long outside)
{
	struct child two = child_start();
	long step = 0;

	/* 2 is a kernel thread outside. */
	if (two.pid != 2)
		step = 1;
	ask(two.pid);
	if (!step && (shared->verdict.read || !verdict_agreed(&shared->verdict)))
		step = 2;
	/* The number of a process outside means nobody here. */
	ask(outside);
	if (!step && (shared->verdict.read != ESRCH || !verdict_agreed(&shared->verdict)))
		step = 3;
	/* Nor is 0 anybody, nor the number of a process that never was. */
	ask(0);
	if (!step && (shared->verdict.read != ESRCH || !verdict_agreed(&shared->verdict)))
		step = 4;
	ask(3000000);
	if (!step && (shared->verdict.read != ESRCH || !verdict_agreed(&shared->verdict)))
		step = 5;
	child_end(&two);
	return step;
}

static long make_namespace_and_ask(long outside)
{
	struct child init = child_start();
	long step = child_call(&init, ask_in_namespace, outside);

	child_end(&init);
	return step;
}

FIXTURE(namespace)
{
	int device;
	struct child caller;
	struct child outside;
};

FIXTURE_SETUP(namespace)
{
	self->device = device_open();
	gate_device = self->device;
	gate_page = island_pages(1);
	pattern_fill(gate_page, PAGE, GATE_SEED, number(gate_page));
	shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, shared);
	self->outside = child_start();
	self->caller = child_start();
}

FIXTURE_TEARDOWN(namespace)
{
	child_end(&self->caller);
	child_end(&self->outside);
}

TEST_F(namespace, numbers_are_those_of_the_callers_pid_namespace)
{
	long error = child_call(&self->caller, enter_pid_namespace, 0);

	if (error)
		SKIP(return, "no pid namespaces: %s", strerror((int)error));
	EXPECT_EQ(0, child_call(&self->caller, make_namespace_and_ask, self->outside.pid));
}

static struct child inside;

/* The first of a namespace; returns its number out here. */
static long start_inside(long unused)
{
	(void)unused;
	inside = child_start();
	return inside.pid;
}

static long end_inside(long unused)
{
	(void)unused;
	child_end(&inside);
	return 0;
}

TEST_F(namespace, a_process_in_a_deeper_namespace_is_read_by_its_number_out_here)
{
	long error = child_call(&self->caller, enter_pid_namespace, 0);

	if (error)
		SKIP(return, "no pid namespaces: %s", strerror((int)error));
	ask(child_call(&self->caller, start_inside, 0));
	EXPECT_EQ(0, shared->verdict.read);
	EXPECT_TRUE(verdict_agreed(&shared->verdict));
	child_call(&self->caller, end_inside, 0);
}

TEST_HARNESS_MAIN
