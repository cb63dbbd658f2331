/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Who a process is: ids, capabilities, namespaces, security modules. A test child becomes somebody
 * by a chain of steps.
 */
#ifndef IDENTITY_H
#define IDENTITY_H

#include <stdint.h>
#include <sys/types.h>

#define CAPABILITY(name) (1ULL << CAP_##name)

/*
 * All uids and gids, then exactly these capabilities (permitted and effective). To be called by
 * root; dumpable again afterwards. Dies when it does not work.
 */
void become(uid_t id, uint64_t capabilities);

/* Permitted and effective capabilities of this thread. 0 or an errno. */
int set_capabilities(uint64_t capabilities);

/* 0, or an errno: ENOSYS, EOPNOTSUPP where the kernel has it not. */
int landlock_files(void);     /* no file may be opened any more, and no new domain is entered */
int landlock_sockets(void);   /* nothing that concerns files that are read */
int new_user_namespace(void); /* as its root, mapped to the id before */

#define YAMA "/proc/sys/kernel/yama/ptrace_scope"

#endif
