// SPDX-License-Identifier: GPL-2.0
/* The functions of module.h. */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "module.h"
#include "support.h"

int module_unload(void)
{
	return syscall(SYS_delete_module, "cordbmem", O_NONBLOCK) ? errno : 0;
}

int module_unload_soon(double patience)
{
	int error = EBUSY;

	for (double end = seconds() + patience; seconds() < end; usleep(1000)) {
		error = module_unload();
		if (error != EWOULDBLOCK && error != EBUSY)
			break;
	}
	return error;
}
