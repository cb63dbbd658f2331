// SPDX-License-Identifier: GPL-2.0
/* The functions of target.h. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lot.h"
#include "target.h"

static uint64_t word_at(uint64_t address)
{
	return (address >> 3) * 0x9e3779b97f4a7c15 | 1;
}

uint8_t byte_at(uint64_t address)
{
	return (uint8_t)(word_at(address) >> (address % 8 * 8));
}

void fill(uint64_t address, size_t length)
{
	for (size_t i = 0; i < length; i += 8)
		*(volatile uint64_t *)pointer(address + i) = word_at(address + i);
}

_Noreturn void target_main(uint64_t random_seed)
{
	struct random r = { random_seed };
	void *region = mmap(pointer(REGION), REGION_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (region == MAP_FAILED)
		_exit(1);
	fill(REGION, REGION_SIZE);
	while (!stopping()) {
		uint64_t at = REGION + below(&r, REGION_PAGES) * PAGE;
		size_t length = (1 + below(&r, 4)) * PAGE;

		if (at + length > REGION + REGION_SIZE)
			length = REGION + REGION_SIZE - at;
		switch (below(&r, 12)) {
		case 0:
			munmap(pointer(at), length);
			break;
		case 1:
			mprotect(pointer(at), length, PROT_NONE);
			break;
		case 2:
			mprotect(pointer(at), length, PROT_READ);
			break;
		case 3:
			madvise(pointer(at), length, MADV_DONTNEED);
			break;
		case 4:
			madvise(pointer(at), length, MADV_PAGEOUT);
			break;
		case 5:
			prctl(PR_SET_DUMPABLE, one_in(&r, 2));
			break;
		case 6:
			if (one_in(&r, 40))
				_exit(0);
			break;
		case 7:
			if (one_in(&r, 60)) {
				char *argv[] = { "fuzz_ioctl", "--target", NULL };

				execv("/proc/self/exe", argv);
			}
			break;
		case 8: {
			/* copy on write, and a second process with the same bytes for a moment */
			pid_t pid = one_in(&r, 8) ? fork() : -1;

			if (pid == 0)
				_exit(0);
			if (pid > 0) {
				mprotect(pointer(at), length, PROT_READ | PROT_WRITE);
				waitpid(pid, NULL, 0);
			}
			break;
		}
		case 9:
			for (uint64_t i = below(&r, 20000); i; i--)
				__asm__ volatile("");
			break;
		default:
			if (mmap(pointer(at), length, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
				fill(at, length);
		}
		/* the callers are the ones to be busy */
		usleep(200 + (unsigned int)below(&r, 1000));
	}
	_exit(0);
}
