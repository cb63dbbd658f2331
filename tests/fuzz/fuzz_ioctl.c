// SPDX-License-Identifier: GPL-2.0
/*
 * Calls every ioctl of /dev/cordbmem and its fds, every read of a target fd and every mmap of a
 * window with arguments that are nearly right, while targets exit, start programs and remap, fds are
 * closed, and signals come; and holds every answer against what the contract allows whatever was
 * asked.
 *
 * usage: fuzz_ioctl [--seconds N] [--seed S]
 *
 * Two crews of one process each, root and a user, share one open device. In a crew, workers call,
 * and one thread, the stage hand, does the rest: it alone forks, kills and reaps, and only its own
 * children. Every process dies with the one that made it. The same seed makes the same choices, but
 * the races between them are the machine's.
 *
 * Status: 0 clean, 1 an answer was wrong, 2 bad usage or no device, 3 somebody hung.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/cordbmem.h>

#include "ioctl/crew.h"
#include "ioctl/shared.h"
#include "ioctl/target.h"

static void show_hung(pid_t pid)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "for t in /proc/%d/task/*; do echo $t; cat $t/wchan; echo; cat $t/stack; done",
		 pid);
	if (system(command))
		printf("fuzz_ioctl: cannot show where process %d is\n", pid);
}

static uint64_t parse(const char *text, const char *name)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = text ? strtoull(text, &end, 0) : 0;
	if (!text || errno || !*text || *end) {
		fprintf(stderr, "fuzz_ioctl: %s needs a number\n", name);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	uint64_t time = 20;
	pid_t crews[CREWS];
	int status = 0, left = CREWS;
	bool have_seed = false;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 2;
	if (argc == 2 && !strcmp(argv[1], "--target")) {
		/* A target that started itself anew; it is killed before this is over. */
		shared->deadline = now() + 60;
		target_main((uint64_t)getpid());
	}
	for (int i = 1; i < argc; i += 2) {
		if (!strcmp(argv[i], "--seconds")) {
			time = parse(argv[i + 1], argv[i]);
		} else if (!strcmp(argv[i], "--seed")) {
			seed = parse(argv[i + 1], argv[i]);
			have_seed = true;
		} else {
			fprintf(stderr, "usage: fuzz_ioctl [--seconds N] [--seed S]\n");
			return 2;
		}
	}
	if (!have_seed && getrandom(&seed, 4, 0) != 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("fuzz_ioctl: %lu s with seed %lu\n", (unsigned long)time, (unsigned long)seed);
	device = open(CORDBMEM_DEVICE, O_RDONLY | O_CLOEXEC);
	if (device < 0) {
		perror(CORDBMEM_DEVICE);
		return 2;
	}

	/* Whatever goes wrong with this process, it ends. */
	alarm((unsigned int)time + 90);
	shared->deadline = now() + (double)time;
	for (int i = 0; i < CREWS; i++) {
		crews[i] = fork();
		if (crews[i] == 0)
			crew_main(i);
		if (crews[i] < 0)
			return 2;
	}
	while (left && now() < shared->deadline + 30) {
		int how;
		pid_t pid = waitpid(-1, &how, WNOHANG);

		if (pid <= 0) {
			usleep(20000);
			continue;
		}
		left--;
		for (int i = 0; i < CREWS; i++)
			if (crews[i] == pid)
				crews[i] = -1;
		if (!WIFEXITED(how) || WEXITSTATUS(how))
			wrong("a crew ended with status %#x", (unsigned int)how);
	}
	for (int i = 0; left && i < CREWS; i++) {
		if (crews[i] < 0)
			continue;
		printf("fuzz_ioctl: process %d hangs\n", crews[i]);
		show_hung(crews[i]);
		kill(crews[i], SIGKILL);
		status = 3;
	}
	set_force(true);
	printf("fuzz_ioctl: %lu calls, %lu bytes read, %lu seen in windows\nfuzz_ioctl: answers:",
	       (unsigned long)shared->calls, (unsigned long)shared->bytes,
	       (unsigned long)shared->shown);
	for (int i = 0; i < 256; i++)
		if (shared->errnos[i])
			printf(" %s %lu", i ? strerrorname_np(i) : "0",
			       (unsigned long)shared->errnos[i]);
	printf("\n");
	if (shared->failures)
		status = 1;
	if (status)
		printf("fuzz_ioctl: FAILED: %d wrong, again with --seed %lu\n", shared->failures,
		       (unsigned long)seed);
	return status;
}
