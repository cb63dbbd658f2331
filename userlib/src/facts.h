/* SPDX-License-Identifier: MIT */
/*
 * What /proc says about a caller and a target: the facts that the kernel's
 * access check goes by, as far as they can be seen.
 */
#ifndef CORDBMEM_SRC_FACTS_H
#define CORDBMEM_SRC_FACTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A yes or no that may be hidden. */
enum fact { FACT_UNKNOWN, FACT_NO, FACT_YES };

struct facts {
	/* target */
	bool exists;
	bool visible;	 /* has a /proc/PID; the rest is meaningless without */
	enum fact image; /* has memory: no kernel thread, no zombie */
	bool kernel_thread;
	bool nested_pid_namespace; /* numbered in a namespace below ours too */
	uid_t uid[3];		   /* real, effective, saved */
	gid_t gid[3];
	uint64_t permitted; /* capabilities */
	enum fact dumpable;
	enum fact descendant; /* of the caller: what Yama 1 asks */
	/* caller */
	uid_t own_uid; /* filesystem ids, which /proc/PID/mem goes by */
	gid_t own_gid;
	uint64_t own_effective;
	enum fact same_user_namespace;
	/* system */
	int yama;      /* ptrace_scope, -1 when there is no Yama */
	char lsm[128]; /* active modules, "" when they cannot be seen */
};

void facts_gather(struct facts *facts, pid_t pid);

/* When the process started, in clock ticks since boot; 0 if unknown. */
uint64_t facts_start_time(pid_t pid);

/* Does the process have memory, as far as this caller can see? */
enum fact facts_has_memory(pid_t pid);

static inline bool facts_has_ptrace_capability(const struct facts *facts)
{
	return facts->own_effective >> 19 & 1; /* CAP_SYS_PTRACE */
}

/* Does the caller have the uids and gids of the target? */
bool facts_same_ids(const struct facts *facts);

#endif /* CORDBMEM_SRC_FACTS_H */
