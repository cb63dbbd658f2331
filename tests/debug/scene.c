// SPDX-License-Identifier: GPL-2.0
/* The functions of scene.h. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "../kernel/memory.h"
#include "../kernel/support.h"
#include "scene.h"

struct scene scene;

/* In the target: the pages are the file's, the page tables are gone. */
static long map_anew(long protection)
{
	void *memory = pointer(scene.address);

	munmap(memory, SIZE);
	return mmap(memory, SIZE, (int)protection, MAP_SHARED | MAP_FIXED, scene.file, 0) != memory;
}

void target_anew(int protection)
{
	if (child_call(&scene.target, map_anew, protection))
		die("the target cannot map");
}

void buffer_anew(void)
{
	munmap(scene.buffer, SIZE);
	if (mmap(scene.buffer, SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != scene.buffer)
		die("cannot map");
}

void device_anew(void)
{
	close(scene.device);
	scene.device = device_open();
}

void attach_anew(void)
{
	if (scene.fd >= 0)
		close(scene.fd);
	scene.fd = attach(scene.device, scene.target.pid, 0);
	if (scene.fd < 0)
		die("cannot attach");
}

void view_anew(void)
{
	if (scene.view.size)
		window_close(&scene.view);
	scene.view = window_open(scene.fd, scene.address, SIZE, 0);
}

void target_new(void)
{
	child_end(&scene.target);
	scene.target = child_start();
	target_anew(PROT_READ);
	attach_anew();
}

void other_is(int fd)
{
	if (scene.other >= 0)
		close(scene.other);
	scene.other = fd;
}

struct request device_ioctl(unsigned long number_, void *argument)
{
	return (struct request){ SYS_ioctl,
				 { scene.device, (long)number_, (long)number(argument) } };
}
