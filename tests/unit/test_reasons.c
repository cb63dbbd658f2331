// SPDX-License-Identifier: MIT
/*
 * Reasons: that each failure is told apart from the others, in words.
 */
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "facts.h"
#include "target.h"
#include "unit.h"

#define NOBODY 65534

static void check_error(const struct cordbmem_error *error, HRESULT hr, uint32_t reason,
			const char *word)
{
	assert_hr(hr, error->hr);
	assert_string_equal(cordbmem_reason_name(reason), cordbmem_reason_name(error->reason));
	if (!strstr(error->text, word))
		fail_msg("\"%s\" does not mention \"%s\"", error->text, word);
	assert_null(strchr(error->text, '\n'));
}

/* ---- opening ------------------------------------------------------------ */

static void check_open(pid_t pid, HRESULT hr, uint32_t reason, const char *word)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process = (void *)1;

	assert_hr(hr, try_open(pid, &process, &error));
	assert_null(process);
	check_error(&error, hr, reason, word);
}

static void module_that_is_not_loaded(void **state)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process;

	(void)state;
	if (!access("/dev/cordbmem", F_OK)) {
		print_message("# /dev/cordbmem is there\n");
		skip();
	}
	assert_hr(CORDBMEM_E_FILE_NOT_FOUND,
		  cordbmem_process_open(getpid(), NULL, &process, &error));
	check_error(&error, CORDBMEM_E_FILE_NOT_FOUND, CORDBMEM_REASON_NO_MODULE, "insmod");
}

static void process_that_is_not_there(void **state)
{
	struct target t = target_start(1);
	pid_t pid = t.pid;

	(void)state;
	target_kill(&t);
	check_open(pid, CORDBG_E_PROCESS_TERMINATED, CORDBMEM_REASON_NO_MEMORY_IMAGE, "zombie");
	target_end(&t);
	check_open(pid, CORDBG_E_PROCESS_TERMINATED, CORDBMEM_REASON_NO_PROCESS, "no process");
	check_open(INT_MAX, CORDBG_E_PROCESS_TERMINATED, CORDBMEM_REASON_NO_PROCESS, "no process");
}

static void kernel_thread(void **state)
{
	struct facts facts;

	(void)state;
	facts_gather(&facts, 2);
	if (!facts.visible || !facts.kernel_thread) {
		print_message("# process 2 is no kernel thread here\n");
		skip();
	}
	check_open(2, CORDBG_E_PROCESS_TERMINATED, CORDBMEM_REASON_NO_MEMORY_IMAGE,
		   "kernel thread");
}

static void success_is_told_too(void **state)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process;

	(void)state;
	error.hr = E_FAIL;
	error.reason = CORDBMEM_REASON_HOLE;
	assert_hr(S_OK, try_open(getpid(), &process, &error));
	assert_hr(S_OK, error.hr);
	assert_int_equal(CORDBMEM_REASON_NONE, error.reason);
	cordbmem_process_free(process);
}

/* ---- refusals, as somebody else ------------------------------------------ */

struct answer {
	HRESULT hr;
	struct cordbmem_error error;
};

/* What opening the process comes to for the user nobody. */
static struct answer open_as_nobody(pid_t pid)
{
	struct answer answer = { .error = CORDBMEM_ERROR_INIT };
	struct cordbmem_options options = test_options();
	struct cordbmem_process *process;
	int pair[2];
	pid_t child;

	assert_int_equal(0, pipe2(pair, O_CLOEXEC));
	/* The device node is not in question here. */
	if (through_module())
		options.device_fd = open("/dev/cordbmem", O_RDWR | O_CLOEXEC);
	child = fork();
	if (!child) {
		if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
			_exit(1);
		answer.hr = cordbmem_process_open(pid, &options, &process, &answer.error);
		_exit(write(pair[1], &answer, sizeof(answer)) != sizeof(answer));
	}
	close(pair[1]);
	assert_int_equal(sizeof(answer), read(pair[0], &answer, sizeof(answer)));
	close(pair[0]);
	close(options.device_fd);
	waitpid(child, NULL, 0);
	assert_hr(answer.hr, answer.error.hr);
	return answer;
}

static long become_nobody(long keep_capabilities)
{
	if (prctl(PR_SET_KEEPCAPS, keep_capabilities))
		return -1;
	return setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY);
}

static long set_dumpable(long dumpable)
{
	return prctl(PR_SET_DUMPABLE, dumpable);
}

static void needs_root(void)
{
	if (geteuid()) {
		print_message("# changing uids needs root\n");
		skip();
	}
}

static void process_of_another_user(void **state)
{
	struct target t;
	struct answer answer;

	(void)state;
	needs_root();
	t = target_start(1);
	answer = open_as_nobody(t.pid);
	check_error(&answer.error, E_ACCESSDENIED, CORDBMEM_REASON_DIFFERENT_UID, "CAP_SYS_PTRACE");
	target_end(&t);
}

static void process_that_is_not_dumpable(void **state)
{
	struct target t;
	struct answer answer;

	(void)state;
	needs_root();
	t = target_start(1);
	assert_int_equal(0, target_call(&t, become_nobody, 0)); /* which ends dumpability */
	answer = open_as_nobody(t.pid);
	check_error(&answer.error, E_ACCESSDENIED, CORDBMEM_REASON_NOT_DUMPABLE, "not dumpable");
	assert_int_equal(0, target_call(&t, set_dumpable, 1));
	answer = open_as_nobody(t.pid);
	if (FAILED(answer.hr)) /* Yama may be at work */
		check_error(&answer.error, E_ACCESSDENIED, CORDBMEM_REASON_YAMA, "ptrace_scope");
	target_end(&t);
}

static void process_with_more_capabilities(void **state)
{
	struct target t;
	struct answer answer;

	(void)state;
	needs_root();
	t = target_start(1);
	assert_int_equal(0, target_call(&t, become_nobody, 1));
	assert_int_equal(0, target_call(&t, set_dumpable, 1));
	answer = open_as_nobody(t.pid);
	check_error(&answer.error, E_ACCESSDENIED, CORDBMEM_REASON_CAPABILITIES, "capabilities");
	target_end(&t);
}

/* ---- ranges --------------------------------------------------------------- */

static void check_explain(struct cordbmem_process *process, uint64_t address, size_t size,
			  HRESULT hr, uint32_t reason, uint64_t at, const char *word)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;

	assert_hr(S_OK, cordbmem_process_explain(process, address, size, &error));
	check_error(&error, hr, reason, word);
	assert_int_equal(at, error.address);
}

/* Two pages of a file that has one. */
static long map_past_the_end(long address)
{
	int fd = memfd_create("short-file", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, PAGE))
		return -1;
	return mmap((void *)address, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) !=
	       (void *)address;
}

static void holes_are_located(void **state)
{
	struct target t = target_start(8);
	struct cordbmem_process *p = open_target(t.pid);
	const uint64_t hole = t.base + 2 * PAGE;
	const HRESULT nothing = CORDBG_E_READVIRTUAL_FAILURE, partial = CORDBMEM_E_PARTIAL_COPY;

	(void)state;
	target_unmap(&t, 2);
	assert_int_equal(0, target_call(&t, map_past_the_end, (long)(t.base + 4 * PAGE)));
	check_explain(p, t.base, 2 * PAGE, S_OK, CORDBMEM_REASON_NONE, 0, "8192 bytes");
	check_explain(p, t.base + 100, PAGE, S_OK, CORDBMEM_REASON_NONE, 0, "4096 bytes");
	check_explain(p, t.base + 100, 2 * PAGE, partial, CORDBMEM_REASON_HOLE, hole, "between");
	check_explain(p, hole, 0, nothing, CORDBMEM_REASON_HOLE, hole, "nothing is mapped");
	check_explain(p, hole + 5, 1, nothing, CORDBMEM_REASON_HOLE, hole + 5, "nothing is mapped");
	check_explain(p, t.base + 4 * PAGE, 2 * PAGE, partial, CORDBMEM_REASON_UNREADABLE,
		      t.base + 5 * PAGE, "short-file");
	check_explain(p, 1UL << 63, 1, nothing, CORDBMEM_REASON_HOLE, 1UL << 63, "user space");
	check_explain(p, UINT64_MAX - 15, 32, nothing, CORDBMEM_REASON_HOLE, UINT64_MAX - 15,
		      "user space");
	check_explain(p, 1UL << 47, SIZE_MAX, nothing, CORDBMEM_REASON_HOLE, 1UL << 47, "mapped");
	assert_hr(E_INVALIDARG, cordbmem_process_explain(p, 1, 1, NULL));
	cordbmem_process_free(p);
	target_end(&t);
}

static void end_of_a_handle_is_explained(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid), *q = open_target(t.pid);
	struct cordbmem_error error = { .size = 8 };

	(void)state;
	assert_hr(E_INVALIDARG, cordbmem_process_explain(p, 1, 1, &error));
	cordbmem_process_close(p);
	check_explain(p, t.base, 1, CORDBG_E_OBJECT_NEUTERED, CORDBMEM_REASON_CLOSED, 0, "closed");
	target_kill(&t);
	check_explain(q, t.base, 1, CORDBG_E_OBJECT_NEUTERED, CORDBMEM_REASON_EXITED, 0, "exited");
	check_explain(q, t.base, 1, CORDBG_E_OBJECT_NEUTERED, CORDBMEM_REASON_EXITED, 0, "exited");
	target_end(&t);
	check_explain(q, 1, 1, CORDBG_E_OBJECT_NEUTERED, CORDBMEM_REASON_EXITED, 0, "exited");
	cordbmem_process_free(p);
	cordbmem_process_free(q);
}

static long exec_something(long argument)
{
	(void)argument;
	return execl("/bin/sleep", "sleep", "1000", NULL);
}

static long touch_much(long bytes)
{
	char *memory = mmap(NULL, (size_t)bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED)
		return -1;
	memset(memory, 1, (size_t)bytes);
	return 0;
}

/* A large process takes a while to exit, in which it is neither a zombie nor has memory. */
static void exit_is_told_from_execve(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		struct target t = target_start(1);
		struct cordbmem_process *p = open_target(t.pid);
		BYTE byte;

		assert_int_equal(0, target_call(&t, touch_much, 64 << 20));
		kill(t.pid, SIGKILL);
		while (cordbmem_ReadMemory(p, t.base, 1, &byte, NULL) == S_OK)
			;
		check_explain(p, t.base, 1, CORDBG_E_OBJECT_NEUTERED, CORDBMEM_REASON_EXITED, 0,
			      "exited");
		cordbmem_process_free(p);
		target_end(&t);
	}
}

/* What a target calls its files must not reach a terminal as it is. */
static long map_odd_name(long address)
{
	char path[] = "/tmp/cordbmem.\033[31m\302\233.XXXXXX";
	int fd = mkstemp(path);
	void *want = (void *)address; /* NOLINT(performance-no-int-to-ptr) */
	long failed = fd < 0 || ftruncate(fd, (off_t)PAGE) ||
		      mmap(want, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, fd, 0) == MAP_FAILED;

	close(fd);
	unlink(path);
	return failed;
}

static void words_are_safe_to_print(void **state)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct target t = target_start(2);
	struct cordbmem_process *p = open_target(t.pid);

	(void)state;
	assert_int_equal(0, target_call(&t, map_odd_name, (long)t.base));
	target_unmap(&t, 1);
	assert_hr(S_OK, cordbmem_process_explain(p, t.base + PAGE, 1, &error));
	assert_non_null(strstr(error.text, "cordbmem."));
	for (const char *c = error.text; *c; c++)
		assert_in_range(*c, ' ', '~');
	cordbmem_process_free(p);
	target_end(&t);
}

static void execve_is_told_from_exit(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *p = open_target(t.pid);
	char byte;

	(void)state;
	target_send(&t, exec_something, 0);
	assert_int_equal(0, read(t.socket, &byte, 1));
	check_explain(p, t.base, 1, CORDBG_E_OBJECT_NEUTERED, CORDBMEM_REASON_EXECED, 0, "execve");
	cordbmem_process_free(p);
	target_end(&t);
}

/* ---- diagnosis -------------------------------------------------------------- */

struct list {
	struct cordbmem_check checks[16];
	size_t count;
};

static void remember(void *context, const struct cordbmem_check *check)
{
	struct list *list = context;

	assert_true(list->count < COUNT(list->checks));
	assert_int_equal(sizeof(*check), check->size);
	assert_true(check->text[0] && !strchr(check->text, '\n'));
	list->checks[list->count++] = *check;
}

static void diagnosis_lists_every_check(void **state)
{
	static const char *const names[] = {
		"module",     "node",		"process",  "image", "pid-namespace", "uid",
		"capability", "user-namespace", "dumpable", "yama",  "lsm",	      "open"
	};
	const struct cordbmem_options options = test_options();
	const size_t skip = through_module() ? 0 : 2;
	struct target t = target_start(1);
	struct list list = { .count = 0 };

	(void)state;
	assert_hr(S_OK, cordbmem_diagnose(t.pid, &options, remember, &list));
	assert_int_equal(COUNT(names), skip + list.count);
	for (size_t i = 0; i < list.count; i++) {
		assert_string_equal(names[skip + i], list.checks[i].name);
		assert_int_not_equal(CORDBMEM_STATUS_FAIL, list.checks[i].status);
	}
	target_kill(&t);
	list.count = 0;
	assert_hr(CORDBG_E_PROCESS_TERMINATED, cordbmem_diagnose(t.pid, &options, remember, &list));
	assert_int_equal(6, skip + list.count);
	assert_string_equal("image", list.checks[3 - skip].name);
	assert_int_equal(CORDBMEM_STATUS_FAIL, list.checks[3 - skip].status);
	assert_int_equal(CORDBMEM_STATUS_FAIL, list.checks[5 - skip].status);
	assert_string_equal(list.checks[3 - skip].text, list.checks[5 - skip].text);
	target_end(&t);
	list.count = 0;
	assert_hr(CORDBG_E_PROCESS_TERMINATED,
		  cordbmem_diagnose(INT_MAX, &options, remember, &list));
	assert_int_equal(4, skip + list.count);

	list.count = 0;
	assert_hr(E_INVALIDARG, cordbmem_diagnose(0, &options, remember, &list));
	assert_hr(E_INVALIDARG, cordbmem_diagnose(1, &options, NULL, NULL));
	assert_int_equal(0, list.count);
}

static void diagnosis_of_the_module(void **state)
{
	struct list list = { .count = 0 };

	(void)state;
	if (!access("/dev/cordbmem", F_OK)) {
		print_message("# /dev/cordbmem is there\n");
		skip();
	}
	assert_hr(CORDBMEM_E_FILE_NOT_FOUND, cordbmem_diagnose(getpid(), NULL, remember, &list));
	assert_string_equal("module", list.checks[0].name);
	assert_int_equal(CORDBMEM_STATUS_FAIL, list.checks[0].status);
	assert_string_equal("process", list.checks[1].name);
	assert_string_equal("open", list.checks[list.count - 1].name);
	assert_int_equal(CORDBMEM_REASON_NO_MODULE, list.checks[list.count - 1].reason);
}

static void names_are_known(void **state)
{
	(void)state;
	assert_string_equal("S_OK", cordbmem_hresult_name(S_OK));
	assert_string_equal("CORDBG_E_READVIRTUAL_FAILURE",
			    cordbmem_hresult_name((HRESULT)0x80131c49));
	assert_string_equal("HRESULT_FROM_WIN32(ERROR_PARTIAL_COPY)",
			    cordbmem_hresult_name((HRESULT)0x8007012b));
	assert_string_equal("unknown HRESULT", cordbmem_hresult_name(42));
	for (uint32_t i = 0; i <= CORDBMEM_REASON_RUNTIME_INCONSISTENT; i++)
		assert_string_not_equal("unknown reason", cordbmem_reason_name(i));
	assert_string_equal("unknown reason",
			    cordbmem_reason_name(CORDBMEM_REASON_RUNTIME_INCONSISTENT + 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(module_that_is_not_loaded),
		cmocka_unit_test(process_that_is_not_there),
		cmocka_unit_test(kernel_thread),
		cmocka_unit_test(success_is_told_too),
		cmocka_unit_test(process_of_another_user),
		cmocka_unit_test(process_that_is_not_dumpable),
		cmocka_unit_test(process_with_more_capabilities),
		cmocka_unit_test(holes_are_located),
		cmocka_unit_test(end_of_a_handle_is_explained),
		cmocka_unit_test(execve_is_told_from_exit),
		cmocka_unit_test(exit_is_told_from_execve),
		cmocka_unit_test(words_are_safe_to_print),
		cmocka_unit_test(diagnosis_lists_every_check),
		cmocka_unit_test(diagnosis_of_the_module),
		cmocka_unit_test(names_are_known),
	};

	return cmocka_run_group_tests_name("reasons", tests, NULL, NULL);
}
