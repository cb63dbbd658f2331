// SPDX-License-Identifier: GPL-2.0
/*
 * What the device remembers of the gate: an outcome holds while nothing that it rested on has
 * changed, on the caller's side and on the target's, and for nobody else.
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
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "gate.h"
#include "identity.h"
#include "image.h"
#include "memory.h"
#include "support.h"

static int device;
static uint8_t *page;

static long be_1000(long capabilities)
{
	become(1000, (uint64_t)capabilities);
	return 0;
}

static long be_1001(long capabilities)
{
	become(1001, (uint64_t)capabilities);
	return 0;
}

static long be_root_with(long capabilities)
{
	become(0, (uint64_t)capabilities);
	return 0;
}

static long set_dumpable(long dumpable)
{
	return prctl(PR_SET_DUMPABLE, dumpable);
}

/* All ids, dumpable as before: a change of credentials and nothing else. */
static long set_all_uids(long uid)
{
	if (setresuid((uid_t)uid, (uid_t)uid, (uid_t)uid))
		return errno;
	return prctl(PR_SET_DUMPABLE, 1);
}

static long set_all_gids(long gid)
{
	if (setresgid((gid_t)gid, (gid_t)gid, (gid_t)gid))
		return errno;
	return prctl(PR_SET_DUMPABLE, 1);
}

/* One answer for all ways by pid: 0 or an errno; -1 when they are not of one mind. */
static long ask(long pid)
{
	struct verdict verdict;

	verdict_ask(&verdict, device, (pid_t)pid, page);
	return verdict_agreed(&verdict) ? verdict.read : -1;
}

/* READ alone, which leaves alone what ATTACH would remember. */
static long ask_read(long pid)
{
	uint8_t bytes[8];

	return read_all(device, (pid_t)pid, number(page), bytes, 8);
}

FIXTURE(memory)
{
	struct child caller;
	struct child target;
};

FIXTURE_SETUP(memory)
{
	device = device_open();
	page = island_pages(1);
	pattern_fill(page, PAGE, GATE_SEED, number(page));
	self->caller = child_start();
	self->target = child_start();
}

FIXTURE_TEARDOWN(memory)
{
	child_end(&self->caller);
	child_end(&self->target);
}

#define ASSERT_READS_TWICE(caller_, pid_)                               \
	do {                                                            \
		ASSERT_EQ(0, child_call(&(caller_), ask_read, (pid_))); \
		ASSERT_EQ(0, child_call(&(caller_), ask_read, (pid_))); \
		ASSERT_EQ(0, child_call(&(caller_), ask, (pid_)));      \
	} while (0)

/* ---- the target changes ---- */

TEST_F(memory, ends_when_the_target_stops_being_dumpable)
{
	child_call(&self->caller, be_1000, 0);
	child_call(&self->target, be_1000, 0);
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	child_call(&self->target, set_dumpable, 0);
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask, self->target.pid));
	child_call(&self->target, set_dumpable, 1);
	EXPECT_EQ(0, child_call(&self->caller, ask_read, self->target.pid));
	child_call(&self->target, set_dumpable, 0);
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
}

TEST_F(memory, ends_when_the_target_changes_its_uid)
{
	/* Both may change ids, neither may trace, so the uids decide. */
	child_call(&self->caller, be_root_with, CAPABILITY(SETUID));
	child_call(&self->target, be_root_with, CAPABILITY(SETUID));
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	ASSERT_EQ(0, child_call(&self->target, set_all_uids, 1001));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask, self->target.pid));
}

TEST_F(memory, ends_when_the_target_changes_its_gid)
{
	child_call(&self->caller, be_root_with, CAPABILITY(SETGID));
	child_call(&self->target, be_root_with, CAPABILITY(SETGID));
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	ASSERT_EQ(0, child_call(&self->target, set_all_gids, 1001));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask, self->target.pid));
}

static long enter_user_namespace(long unused)
{
	(void)unused;
	return new_user_namespace();
}

static char start_path[128];

static long start_image(long unused)
{
	char *const argv[] = { start_path, NULL };

	(void)unused;
	execve(start_path, argv, argv + 1);
	return errno;
}

TEST_F(memory, ends_when_the_target_starts_a_setuid_program)
{
	const char *folder = own_tmpfs("mode=755");
	uint8_t bytes[8] = { 0 };
	uint64_t start, end;

	if (!folder)
		SKIP(return, "no tmpfs: %s", strerror(errno));
	snprintf(start_path, sizeof(start_path), "%s/image", folder);
	if (!image_write(start_path, 04755, 'S', 1, 0, NULL))
		SKIP(return, "no images for this machine");
	child_end(&self->target);
	self->target = child_start();
	child_call(&self->caller, be_1000, 0);
	child_call(&self->target, be_1000, 0);
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	child_send(&self->target, start_image, 0);
	while (!mapping_of(self->target.pid, IMAGE_DATA, &start, &end))
		sched_yield();
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask, self->target.pid));
	/* It is there, for who may read it. */
	EXPECT_EQ(0, read_all(device, self->target.pid, IMAGE_DATA, bytes, 8));
	EXPECT_EQ('S', bytes[0]);
	own_tmpfs_gone();
}

/* ---- the caller changes ---- */

TEST_F(memory, ends_when_the_caller_drops_its_uid)
{
	child_call(&self->target, be_1001, 0);
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	child_call(&self->caller, be_1000, 0);
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask, self->target.pid));
}

static long drop_capabilities(long unused)
{
	(void)unused;
	return set_capabilities(0);
}

TEST_F(memory, ends_when_the_caller_drops_its_capabilities)
{
	child_call(&self->target, be_1001, 0);
	child_call(&self->caller, be_1000, CAPABILITY(SYS_PTRACE));
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	ASSERT_EQ(0, child_call(&self->caller, drop_capabilities, 0));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask, self->target.pid));
}

static long change_fsuid(long uid)
{
	setfsuid((uid_t)uid);
	return 0;
}

TEST_F(memory, follows_the_callers_filesystem_uid)
{
	child_call(&self->target, be_1000, 0);
	child_call(&self->caller, be_1000, CAPABILITY(SETUID));
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	child_call(&self->caller, change_fsuid, 1001);
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	child_call(&self->caller, change_fsuid, 1000);
	EXPECT_EQ(0, child_call(&self->caller, ask_read, self->target.pid));
	child_call(&self->caller, change_fsuid, 1001);
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
}

static long enter_landlock(long unused)
{
	(void)unused;
	return landlock_sockets();
}

TEST_F(memory, ends_when_the_caller_enters_a_landlock_domain)
{
	long error;

	child_call(&self->target, be_1000, 0);
	child_call(&self->caller, be_1000, 0);
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	error = child_call(&self->caller, enter_landlock, 0);
	if (error)
		SKIP(return, "no Landlock: %s", strerror((int)error));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask, self->target.pid));
}

TEST_F(memory, ends_when_the_caller_enters_a_user_namespace)
{
	long error;

	child_call(&self->target, be_1000, 0);
	child_call(&self->caller, be_1000, 0);
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	error = child_call(&self->caller, enter_user_namespace, 0);
	if (error)
		SKIP(return, "no user namespaces: %s", strerror((int)error));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask, self->target.pid));
}

/* ---- the rules change ---- */

/* The module cannot see these changes, so it asks anew every second: the answer may take that. */
static bool is_refused_soon(const struct child *caller, pid_t target)
{
	double begin = seconds();
	long error;

	do
		error = child_call(caller, ask_read, target);
	while (!error && seconds() < begin + 10);
	return error == EACCES;
}

TEST_F(memory, ends_when_Yama_is_tightened)
{
	long scope = file_number(YAMA, -1);

	if (scope < 0 || scope > 2)
		SKIP(return, "no Yama, or locked");
	child_call(&self->target, be_1000, 0);
	child_call(&self->caller, be_1000, 0);
	ASSERT_EQ(0, file_write_number(YAMA, 0));
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	ASSERT_EQ(0, file_write_number(YAMA, 1));
	EXPECT_TRUE(is_refused_soon(&self->caller, self->target.pid));
	file_write_number(YAMA, scope);
}

static long attach_to(long pid)
{
	int fd = attach(device, (int)pid, 0);

	if (fd >= 0)
		close(fd);
	return fd < 0 ? -fd : 0;
}

/* What ATTACH allows is allowed for good, so it asks the kernel and not its memory. */
TEST_F(memory, is_of_no_use_to_ATTACH)
{
	long scope = file_number(YAMA, -1);

	if (scope < 0 || scope > 2)
		SKIP(return, "no Yama, or locked");
	child_call(&self->target, be_1000, 0);
	child_call(&self->caller, be_1000, 0);
	ASSERT_EQ(0, file_write_number(YAMA, 0));
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	ASSERT_EQ(0, child_call(&self->caller, attach_to, self->target.pid));
	ASSERT_EQ(0, file_write_number(YAMA, 1));
	EXPECT_EQ(EACCES, child_call(&self->caller, attach_to, self->target.pid));
	file_write_number(YAMA, scope);
}

static long allow_tracer(long pid)
{
	return prctl(PR_SET_PTRACER, pid) ? errno : 0;
}

TEST_F(memory, ends_when_the_target_takes_back_what_it_allowed_Yama)
{
	long scope = file_number(YAMA, -1);

	if (scope < 0 || scope > 2)
		SKIP(return, "no Yama, or locked");
	child_call(&self->target, be_1000, 0);
	child_call(&self->caller, be_1000, 0);
	ASSERT_EQ(0, file_write_number(YAMA, 1));
	ASSERT_EQ(0, child_call(&self->target, allow_tracer, self->caller.pid));
	ASSERT_READS_TWICE(self->caller, self->target.pid);
	ASSERT_EQ(0, child_call(&self->target, allow_tracer, 0));
	EXPECT_TRUE(is_refused_soon(&self->caller, self->target.pid));
	file_write_number(YAMA, scope);
}

/* ---- somebody else with the same open file ---- */

TEST_F(memory, is_of_no_use_to_another_process)
{
	child_call(&self->target, be_1001, 0);
	/* The test is root and reads with the very file that the caller has inherited. */
	ASSERT_EQ(0, ask_read(self->target.pid));
	ASSERT_EQ(0, ask_read(self->target.pid));
	child_call(&self->caller, be_1000, 0);
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, self->target.pid));
	/* and a refusal is of no harm to the first */
	EXPECT_EQ(0, ask_read(self->target.pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask, self->target.pid));
	EXPECT_EQ(0, ask(self->target.pid));
}

/*
 * The credentials of a process that ended may be freed and their memory become another
 * process': what is remembered by their address must not help that one.
 */
TEST_F(memory, is_of_no_use_to_whoever_gets_the_memory_of_dead_credentials)
{
	child_call(&self->target, be_1001, 0);
	for (int round = 0; round < 60; round++) {
		struct child a = child_start(), b;

		child_call(&a, be_root_with, CAPABILITY(SYS_PTRACE));
		ASSERT_EQ(0, child_call(&a, ask_read, self->target.pid));
		child_end(&a);
		for (int k = 0; k < 3; k++) {
			b = child_start();
			child_call(&b, be_1000, 0);
			ASSERT_EQ(EACCES, child_call(&b, ask_read, self->target.pid));
			child_end(&b);
		}
	}
}

/* One thread of a process drops its ids, by itself; another keeps them. */
static struct {
	pid_t target;
	int turn; /* 0: the test, 1: the thread */
	int result;
	int stop;
} turns;

static void *unprivileged_thread(void *unused)
{
	uint8_t bytes[8];

	if (syscall(SYS_setresgid, 1000, 1000, 1000) || syscall(SYS_setresuid, 1000, 1000, 1000))
		die("ids");
	while (!__atomic_load_n(&turns.stop, __ATOMIC_SEQ_CST)) {
		if (!__atomic_load_n(&turns.turn, __ATOMIC_SEQ_CST)) {
			sched_yield();
			continue;
		}
		turns.result = read_all(device, turns.target, number(page), bytes, 8);
		__atomic_store_n(&turns.turn, 0, __ATOMIC_SEQ_CST);
	}
	return unused;
}

TEST_F(memory, is_of_no_use_to_a_thread_with_other_credentials)
{
	pthread_t thread;

	child_call(&self->target, be_1001, 0);
	turns.target = self->target.pid;
	ASSERT_EQ(0, pthread_create(&thread, NULL, unprivileged_thread, NULL));
	for (int round = 0; round < 200; round++) {
		ASSERT_EQ(0, ask_read(self->target.pid));
		turns.result = -1;
		__atomic_store_n(&turns.turn, 1, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&turns.turn, __ATOMIC_SEQ_CST))
			sched_yield();
		ASSERT_EQ(EACCES, turns.result);
	}
	__atomic_store_n(&turns.stop, 1, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
}

static int wrong_answers;

static void *refused_thread(void *unused)
{
	uint8_t bytes[8];

	if (syscall(SYS_setresgid, 1000, 1000, 1000) || syscall(SYS_setresuid, 1000, 1000, 1000))
		die("ids");
	while (!__atomic_load_n(&turns.stop, __ATOMIC_SEQ_CST)) {
		if (read_all(device, turns.target, number(page), bytes, 8) != EACCES)
			__atomic_fetch_add(&wrong_answers, 1, __ATOMIC_SEQ_CST);
	}
	return unused;
}

static void *allowed_thread(void *unused)
{
	uint8_t bytes[8];

	while (!__atomic_load_n(&turns.stop, __ATOMIC_SEQ_CST)) {
		if (read_all(device, turns.target, number(page), bytes, 8) != 0)
			__atomic_fetch_add(&wrong_answers, 1, __ATOMIC_SEQ_CST);
	}
	return unused;
}

TEST_F(memory, holds_when_threads_of_two_identities_race)
{
	pthread_t threads[4];
	double end = seconds() + 4;

	child_call(&self->target, be_1001, 0);
	turns.target = self->target.pid;
	for (int i = 0; i < 4; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL,
					    i % 2 ? refused_thread : allowed_thread, NULL));
	while (seconds() < end)
		usleep(100000);
	__atomic_store_n(&turns.stop, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(0, wrong_answers);
}

/* ---- the number becomes somebody else's ---- */

TEST_F(memory, ends_with_the_process_and_not_with_its_number)
{
	pid_t pid = self->target.pid;
	uint8_t bytes[8];
	int fd;

	child_call(&self->caller, be_1000, 0);
	child_call(&self->target, be_1000, 0);
	ASSERT_READS_TWICE(self->caller, pid);
	fd = attach(device, pid, 0);
	ASSERT_LE(0, fd);
	child_end(&self->target);
	EXPECT_EQ(ESRCH, child_call(&self->caller, ask_read, pid));

	self->target = child_start_as(pid);
	if (self->target.pid < 0)
		SKIP(return, "no process by a wanted number: %s", strerror(errno));
	child_call(&self->target, be_1001, 0);
	EXPECT_EQ(EACCES, child_call(&self->caller, ask_read, pid));
	EXPECT_EQ(EACCES, child_call(&self->caller, ask, pid));
	/* The test may read the new one, but not through the fd on the old one. */
	EXPECT_EQ(0, ask_read(pid));
	EXPECT_EQ(-ESRCH, pread_at(fd, bytes, 8, number(page)));
}

TEST_F(memory, of_a_readable_process_is_made_anew_for_its_numbers_next_owner)
{
	pid_t pid = self->target.pid;
	uint64_t value = 0;

	ASSERT_EQ(0, ask_read(pid));
	child_end(&self->target);
	for (uint64_t round = 1; round <= 30; round++) {
		memcpy(page, &round, 8);
		self->target = child_start_as(pid);
		if (self->target.pid < 0)
			SKIP(return, "no process by a wanted number: %s", strerror(errno));
		ASSERT_EQ(0, read_all(device, pid, number(page), &value, 8));
		ASSERT_EQ(round, value);
		ASSERT_EQ(0, read_all(device, pid, number(page), &value, 8));
		ASSERT_EQ(round, value);
		child_end(&self->target);
		ASSERT_EQ(ESRCH, ask_read(pid));
	}
}

/* More targets than anybody remembers, in turn. */
TEST_F(memory, of_many_targets_mixes_none_up)
{
	enum { TARGETS = 150 };
	struct child targets[TARGETS];
	uint64_t value;

	for (uint64_t i = 0; i < TARGETS; i++) {
		memcpy(page, &i, 8);
		targets[i] = child_start();
	}
	for (int round = 0; round < 20; round++) {
		for (uint64_t i = 0; i < TARGETS; i++) {
			ASSERT_EQ(0, read_all(device, targets[i * 7 % TARGETS].pid, number(page),
					      &value, 8));
			ASSERT_EQ(i * 7 % TARGETS, value);
		}
	}
	for (int i = 0; i < TARGETS; i++)
		child_end(&targets[i]);
}

/* ---- races with execve ---- */

/*
 * The target starts two programs in turn: one that uid 1000 may read, its page full of 'P', and a
 * setuid one with 'S' at the same address. Readers of uid 1000 try every way at once; none
 * may ever see an 'S'.
 */
static struct exec_race {
	pid_t target;
	int stop;
	long reads, secrets, refused, gone;
} * race;

static void count(const uint8_t *bytes, size_t length)
{
	race->reads++;
	for (size_t i = 0; i < length; i++) {
		if (bytes[i] != 'P') {
			race->secrets++;
			return;
		}
	}
}

static void count_error(int error)
{
	if (error == EACCES)
		race->refused++;
	else
		race->gone++;
}

static long hammer(long way)
{
	static const size_t lengths[] = { 1, 8, 200, 600, PAGE };
	uint8_t bytes[PAGE];
	int stale = -1;

	become(1000, 0);
	for (long i = 0; !__atomic_load_n(&race->stop, __ATOMIC_SEQ_CST); i++) {
		size_t length = lengths[i % 5];
		struct cordbmem_element elements[2] = {
			element_of(race->target, 0, IMAGE_DATA, bytes, length),
			element_of(race->target, 0, IMAGE_DATA, bytes + length / 2, length / 2),
		};
		struct cordbmem_readv readv = readv_argument(elements, 2);
		ssize_t got;
		int error;

		memset(bytes, 'P', length);
		switch (way) {
		case 0:
			error = read_all(device, race->target, IMAGE_DATA, bytes, length);
			if (error)
				count_error(error);
			count(bytes, length);
			break;
		case 1:
			if (call_readv(device, &readv) || readv.done != 2)
				return 1;
			if (elements[0].error)
				count_error(elements[0].error);
			count(bytes, length);
			break;
		case 2:
			if (stale < 0 || i % 64 == 0) {
				if (stale >= 0)
					close(stale);
				stale = attach(device, race->target, 0);
				if (stale < 0) {
					count_error(-stale);
					break;
				}
			}
			got = pread_at(stale, bytes, length, IMAGE_DATA);
			if (got < 0)
				count_error((int)-got);
			count(bytes, length);
			break;
		}
	}
	return 0;
}

TEST_F_TIMEOUT(memory, execve_of_a_setuid_program_never_leaks_a_byte, 90)
{
	const char *folder = own_tmpfs("mode=755");
	char secret[128];
	struct child readers[3];
	double end;

	race = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, race);
	if (!folder)
		SKIP(return, "no tmpfs: %s", strerror(errno));
	snprintf(start_path, sizeof(start_path), "%s/public", folder);
	snprintf(secret, sizeof(secret), "%s/secret", folder);
	if (!image_write(start_path, 0755, 'P', 3000, 1000, secret) ||
	    !image_write(secret, 04755, 'S', 3000, 1000, start_path))
		SKIP(return, "no images for this machine");
	child_end(&self->target);
	self->target = child_start();
	race->target = self->target.pid;
	child_call(&self->target, be_1000, 0);
	child_send(&self->target, start_image, 0);
	for (long way = 0; way < 3; way++) {
		readers[way] = child_start();
		child_send(&readers[way], hammer, way);
	}
	for (end = seconds() + 12; seconds() < end;)
		usleep(100000);
	__atomic_store_n(&race->stop, 1, __ATOMIC_SEQ_CST);
	for (int i = 0; i < 3; i++) {
		long result = -1;

		EXPECT_TRUE(child_result(&readers[i], &result));
		EXPECT_EQ(0, result);
		child_end(&readers[i]);
	}
	TH_LOG("%ld reads, %ld refused, %ld in between", race->reads, race->refused, race->gone);
	EXPECT_EQ(0, race->secrets);
	EXPECT_LT(race->refused + race->gone, race->reads);
	EXPECT_LT(0, race->refused);
	own_tmpfs_gone();
}

TEST_HARNESS_MAIN
