// SPDX-License-Identifier: MIT
/*
 * The single things that opening a process depends on.
 */
#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define OK CORDBMEM_STATUS_OK
#define WARN CORDBMEM_STATUS_WARN
#define FAIL CORDBMEM_STATUS_FAIL
#define UNKNOWN CORDBMEM_STATUS_UNKNOWN

void check_set(struct cordbmem_check *check, const char *name, uint32_t status, uint32_t reason,
	       const char *format, ...)
{
	va_list args;

	check->size = sizeof(*check);
	check->status = status;
	check->reason = reason;
	check->name = name;
	va_start(args, format);
	vsnprintf(check->text, sizeof(check->text), format, args);
	va_end(args);
}

static void check_process(const struct facts *facts, pid_t pid, struct cordbmem_check *check)
{
	static const char name[] = "process";
	const uint32_t reason = CORDBMEM_REASON_NO_PROCESS;

	if (!facts->exists)
		check_set(check, name, FAIL, reason,
			  "there is no process %d in this pid namespace; it may "
			  "have exited",
			  pid);
	else if (!facts->visible)
		check_set(check, name, UNKNOWN, reason,
			  "process %d exists, but there is no /proc/%d to look at "
			  "(is /proc mounted, or hidden by hidepid?)",
			  pid, pid);
	else
		check_set(check, name, OK, reason, "process %d exists", pid);
}

static void check_image(const struct facts *facts, pid_t pid, struct cordbmem_check *check)
{
	static const char name[] = "image";
	const uint32_t reason = CORDBMEM_REASON_NO_MEMORY_IMAGE;

	if (facts->kernel_thread)
		check_set(check, name, FAIL, reason,
			  "process %d is a kernel thread, which has no memory of "
			  "its own",
			  pid);
	else if (facts->image == FACT_NO)
		check_set(check, name, FAIL, reason,
			  "process %d has exited and waits for its parent to "
			  "collect it (a zombie); its memory is gone",
			  pid);
	else
		check_set(check, name, OK, reason, "it has memory");
}

static void check_pid_namespace(const struct facts *facts, pid_t pid, struct cordbmem_check *check)
{
	check_set(check, "pid-namespace", OK, CORDBMEM_REASON_PID_NAMESPACE,
		  facts->nested_pid_namespace
			  ? "it is in a pid namespace below this one (a container), "
			    "and is %d here"
			  : "it is in this pid namespace, as %d",
		  pid);
}

static void check_uid(const struct facts *facts, pid_t pid, struct cordbmem_check *check)
{
	static const char name[] = "uid";
	const uint32_t reason = CORDBMEM_REASON_DIFFERENT_UID;

	(void)pid;
	if (facts_same_ids(facts))
		check_set(check, name, OK, reason, "caller and process both run as uid %u, gid %u",
			  facts->own_uid, facts->own_gid);
	else if (facts_has_ptrace_capability(facts))
		check_set(check, name, OK, reason,
			  "the process runs as uid %u, gid %u, the caller as %u, %u; "
			  "CAP_SYS_PTRACE makes up for it",
			  facts->uid[0], facts->gid[0], facts->own_uid, facts->own_gid);
	else
		check_set(check, name, FAIL, reason,
			  "the process runs as uid %u/%u/%u, gid %u/%u/%u (real, "
			  "effective, saved), the caller as uid %u, gid %u without "
			  "CAP_SYS_PTRACE; run as root or as that user",
			  facts->uid[0], facts->uid[1], facts->uid[2], facts->gid[0], facts->gid[1],
			  facts->gid[2], facts->own_uid, facts->own_gid);
}

static void check_capability(const struct facts *facts, pid_t pid, struct cordbmem_check *check)
{
	static const char name[] = "capability";
	const uint32_t reason = CORDBMEM_REASON_CAPABILITIES;
	uint64_t more = facts->permitted & ~facts->own_effective;

	(void)pid;
	if (facts_has_ptrace_capability(facts))
		check_set(check, name, OK, reason, "the caller has CAP_SYS_PTRACE");
	else if (more)
		check_set(check, name, FAIL, reason,
			  "the process has capabilities that the caller lacks "
			  "(mask 0x%lx), so CAP_SYS_PTRACE is needed",
			  more);
	else
		check_set(check, name, OK, reason,
			  "the caller lacks CAP_SYS_PTRACE, which a process of "
			  "its own user does not ask for");
}

static void check_user_namespace(const struct facts *facts, pid_t pid, struct cordbmem_check *check)
{
	static const char name[] = "user-namespace";
	const uint32_t reason = CORDBMEM_REASON_USER_NAMESPACE;

	(void)pid;
	if (facts->same_user_namespace == FACT_YES)
		check_set(check, name, OK, reason, "caller and process are in one user namespace");
	else if (facts->same_user_namespace == FACT_UNKNOWN)
		check_set(check, name, UNKNOWN, reason,
			  "the user namespace of the process cannot be seen");
	else
		check_set(check, name, facts_has_ptrace_capability(facts) ? UNKNOWN : WARN, reason,
			  "the process is in another user namespace; only "
			  "CAP_SYS_PTRACE in that one or one above it counts");
}

static void check_dumpable(const struct facts *facts, pid_t pid, struct cordbmem_check *check)
{
	static const char name[] = "dumpable";
	const uint32_t reason = CORDBMEM_REASON_NOT_DUMPABLE;

	(void)pid;
	if (facts->dumpable == FACT_YES)
		check_set(check, name, OK, reason, "the process is dumpable");
	else if (facts_has_ptrace_capability(facts))
		check_set(check, name, OK, reason,
			  "whether the process is dumpable does not matter with "
			  "CAP_SYS_PTRACE");
	else if (facts->dumpable == FACT_NO)
		check_set(check, name, FAIL, reason,
			  "the process is not dumpable (it changed its ids, was "
			  "started from a file it may not read, or asked for it "
			  "with prctl), so CAP_SYS_PTRACE is needed");
	else
		check_set(check, name, UNKNOWN, reason,
			  "whether the process is dumpable cannot be seen");
}

static void check_yama(const struct facts *facts, pid_t pid, struct cordbmem_check *check)
{
	static const char name[] = "yama";
	const uint32_t reason = CORDBMEM_REASON_YAMA;
	bool capable = facts_has_ptrace_capability(facts);

	if (facts->yama < 0)
		check_set(check, name, OK, reason, "Yama is not active");
	else if (!facts->yama || pid == getpid())
		check_set(check, name, OK, reason,
			  "Yama does not restrict this (kernel.yama.ptrace_scope "
			  "is %d)",
			  facts->yama);
	else if (facts->yama >= 3)
		check_set(check, name, FAIL, reason,
			  "Yama refuses everybody (kernel.yama.ptrace_scope is %d, "
			  "which cannot be changed until the next boot)",
			  facts->yama);
	else if (capable)
		check_set(check, name, OK, reason,
			  "Yama lets CAP_SYS_PTRACE pass (kernel.yama.ptrace_scope "
			  "is %d)",
			  facts->yama);
	else if (facts->yama == 2)
		check_set(check, name, FAIL, reason,
			  "Yama asks for CAP_SYS_PTRACE (kernel.yama.ptrace_scope "
			  "is 2); run as root, or: sysctl "
			  "kernel.yama.ptrace_scope=0");
	else if (facts->descendant == FACT_YES)
		check_set(check, name, OK, reason,
			  "Yama lets a parent read its children "
			  "(kernel.yama.ptrace_scope is 1)");
	else
		check_set(check, name, WARN, reason,
			  "Yama lets only parents read a process, and whom it named "
			  "with PR_SET_PTRACER (kernel.yama.ptrace_scope is 1); run "
			  "as root, or: sysctl kernel.yama.ptrace_scope=0");
}

static void check_lsm(const struct facts *facts, pid_t pid, struct cordbmem_check *check)
{
	static const char *const strict[] = { "selinux", "apparmor", "smack",
					      "tomoyo",	 "landlock", "bpf" };
	static const char name[] = "lsm";
	const uint32_t reason = CORDBMEM_REASON_REFUSED;

	(void)pid;
	if (!facts->lsm[0]) {
		check_set(check, name, UNKNOWN, reason,
			  "which security modules are active cannot be seen");
		return;
	}
	for (size_t i = 0; i < sizeof(strict) / sizeof(strict[0]); i++) {
		if (strstr(facts->lsm, strict[i])) {
			check_set(check, name, UNKNOWN, reason,
				  "security modules are active that may refuse by "
				  "policy, which only trying shows: %s",
				  facts->lsm);
			return;
		}
	}
	check_set(check, name, OK, reason, "no active security module has a policy on this: %s",
		  facts->lsm);
}

const check_fn presence_checks[] = { check_process, check_image, check_pid_namespace, NULL };
const check_fn access_checks[] = {
	check_uid, check_capability, check_user_namespace, check_dumpable, check_yama, check_lsm,
	NULL
};
