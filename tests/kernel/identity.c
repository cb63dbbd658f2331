// SPDX-License-Identifier: GPL-2.0
/* The functions of identity.h. */
#include <errno.h>
#include <grp.h>
#include <linux/landlock.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "child.h"
#include "identity.h"
#include "support.h"

int set_capabilities(uint64_t capabilities)
{
	cap_t caps = cap_init();
	int error = 0;

	if (!caps)
		die("cap_init");
	for (cap_value_t cap = 0; cap < 64; cap++) {
		if (!(capabilities >> cap & 1))
			continue;
		if (cap_set_flag(caps, CAP_PERMITTED, 1, &cap, CAP_SET) ||
		    cap_set_flag(caps, CAP_EFFECTIVE, 1, &cap, CAP_SET))
			die("capability %d", cap);
	}
	if (cap_set_proc(caps))
		error = errno;
	cap_free(caps);
	return error;
}

void become(uid_t id, uint64_t capabilities)
{
	int error;

	if (prctl(PR_SET_KEEPCAPS, 1) || setgroups(0, NULL) || setresgid(id, id, id) ||
	    setresuid(id, id, id))
		die("cannot become %u", id);
	error = set_capabilities(capabilities);
	if (error) {
		errno = error;
		die("cannot have capabilities %#lx", (unsigned long)capabilities);
	}
	if (prctl(PR_SET_DUMPABLE, 1))
		die("cannot be dumpable");
	die_with_parent();
}

static int landlock(uint64_t handled)
{
	struct landlock_ruleset_attr attr = { .handled_access_fs = handled };
	int fd, error = 0;

	fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (fd < 0)
		return errno;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_landlock_restrict_self, fd, 0))
		error = errno;
	close(fd);
	return error;
}

int landlock_files(void)
{
	return landlock(LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
			LANDLOCK_ACCESS_FS_READ_DIR);
}

int landlock_sockets(void)
{
	return landlock(LANDLOCK_ACCESS_FS_MAKE_SOCK);
}

int new_user_namespace(void)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	char line[64];
	int error;

	if (unshare(CLONE_NEWUSER))
		return errno;
	file_write("/proc/self/setgroups", "deny");
	snprintf(line, sizeof(line), "0 %u 1", uid);
	error = file_write("/proc/self/uid_map", line);
	if (error)
		return error;
	snprintf(line, sizeof(line), "0 %u 1", gid);
	error = file_write("/proc/self/gid_map", line);
	if (error)
		return error;
	prctl(PR_SET_DUMPABLE, 1);
	die_with_parent();
	return 0;
}
