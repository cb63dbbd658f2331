// SPDX-License-Identifier: GPL-2.0
/* The functions of crew.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "crew.h"
#include "target.h"
#include "worker.h"

#define ALLOW_FORCE "/sys/module/cordbmem/parameters/allow_force"
#define WORKERS 5
#define TARGETS 4
#define FDS 24

static struct crew {
	int number;
	pid_t targets[TARGETS];
	int fds[FDS];
} crew;

uint8_t *shifting;

void keep_fd(struct random *r, int fd)
{
	int old;

	if (fd < 0)
		return;
	old = __atomic_exchange_n(&PICK(r, crew.fds), fd, __ATOMIC_SEQ_CST);
	if (old >= 0)
		close(old);
}

int some_fd(struct random *r)
{
	static const int odd[] = { -1, INT32_MIN, INT32_MAX, 1 << 20, 1000, -100 };

	if (one_in(r, 12))
		return PICK(r, odd);
	return __atomic_load_n(&PICK(r, crew.fds), __ATOMIC_SEQ_CST);
}

int32_t some_pid(struct random *r)
{
	static const int32_t odd[] = { 0, -1, 1, 2, INT32_MIN, INT32_MAX, 4194304, 3 };

	switch (below(r, 10)) {
	case 0:
		return PICK(r, odd);
	case 1:
		return getpid();
	case 2:
		return (int32_t)syscall(SYS_gettid);
	case 3:
		return getppid();
	default:
		return __atomic_load_n(&PICK(r, crew.targets), __ATOMIC_SEQ_CST);
	}
}

static void new_fd(struct random *r)
{
	char path[64];
	int pipe_fds[2];
	pid_t pid = PICK(r, crew.targets);

	switch (below(r, 9)) {
	case 0:
		if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == 0) {
			keep_fd(r, pipe_fds[0]);
			keep_fd(r, pipe_fds[1]);
		}
		break;
	case 1:
		keep_fd(r, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		break;
	case 2:
		keep_fd(r, memfd_create("fuzz", MFD_CLOEXEC));
		break;
	case 3:
		keep_fd(r, dup(device));
		break;
	case 4:
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, one_in(r, 2) ? "maps" : "auxv");
		keep_fd(r, open(path, O_RDONLY | O_CLOEXEC));
		break;
	default:
		snprintf(path, sizeof(path), "/proc/%d/mem", one_in(r, 6) ? getpid() : pid);
		keep_fd(r, open(path, (one_in(r, 6)   ? O_PATH
				       : one_in(r, 6) ? O_WRONLY
						      : O_RDONLY) |
					      O_CLOEXEC));
	}
}

static void new_target(struct random *r, size_t i)
{
	uint64_t target_seed = any(r);
	pid_t old = crew.targets[i], pid;

	/* It may have ended by itself; it was not reaped, so the number is still its own. */
	if (old > 0) {
		kill(old, SIGKILL);
		if (!one_in(r, 4))
			sched_yield();
		while (waitpid(old, NULL, 0) < 0 && errno == EINTR)
			;
	}
	pid = fork();
	if (pid == 0)
		target_main(target_seed);
	__atomic_store_n(&crew.targets[i], pid, __ATOMIC_SEQ_CST);
}

static void shift(struct random *r)
{
	uint8_t *at = shifting + below(r, SHIFTING_SIZE / PAGE) * PAGE;

	if (one_in(r, 2))
		mprotect(at, PAGE, (int)below(r, 2) * PROT_READ);
	else
		mprotect(at, PAGE, PROT_READ | PROT_WRITE);
	if (one_in(r, 4))
		madvise(at, PAGE, MADV_DONTNEED);
}

void set_force(bool on)
{
	int fd = open(ALLOW_FORCE, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, on ? "Y" : "N", 1) < 0)
		wrong("cannot write %s", ALLOW_FORCE);
	if (fd >= 0)
		close(fd);
}

static void on_alarm(int unused)
{
	(void)unused;
}

_Noreturn void crew_main(int which)
{
	struct random r = { seed * 31 + (uint64_t)which };
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = { { 0, 5000 }, { 0, 5000 } };
	pthread_t threads[WORKERS];
	void *region;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (which == 1) {
		if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) ||
		    setresuid(1000, 1000, 1000) || prctl(PR_SET_DUMPABLE, 1) ||
		    prctl(PR_SET_PDEATHSIG, SIGKILL)) {
			wrong("cannot become a user");
			_exit(1);
		}
	}
	crew.number = which;
	for (size_t i = 0; i < FDS; i++)
		crew.fds[i] = -1;
	/* The region is in the callers too, so they may read themselves. */
	region = mmap(pointer(REGION), REGION_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	shifting = mmap(NULL, SHIFTING_SIZE + (1 << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	if (region == MAP_FAILED || shifting == MAP_FAILED) {
		wrong("no memory");
		_exit(1);
	}
	mprotect(shifting, SHIFTING_SIZE, PROT_READ | PROT_WRITE);
	fill(REGION, REGION_SIZE);
	for (size_t i = 0; i < TARGETS; i++)
		new_target(&r, i);
	sigaction(SIGALRM, &action, NULL);
	for (long i = 0; i < WORKERS; i++) {
		if (pthread_create(&threads[i], NULL, worker_main,
				   (void *)(intptr_t)(which * WORKERS + i))) {
			wrong("no thread");
			_exit(1);
		}
	}
	setitimer(ITIMER_REAL, &timer, NULL);
	while (!stopping()) {
		switch (below(&r, 16)) {
		case 0:
			new_target(&r, below(&r, TARGETS));
			break;
		case 1:
			/* a zombie for a while */
			kill(PICK(&r, crew.targets), SIGKILL);
			break;
		case 2: {
			int fd = __atomic_exchange_n(&PICK(&r, crew.fds), -1, __ATOMIC_SEQ_CST);

			if (fd >= 0)
				close(fd);
			break;
		}
		case 3:
			if (which == 0)
				set_force(!one_in(&r, 4));
			break;
		case 4:
		case 5:
		case 6:
			new_fd(&r);
			break;
		default:
			shift(&r);
		}
		usleep(500);
	}
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < TARGETS; i++) {
		if (crew.targets[i] <= 0)
			continue;
		kill(crew.targets[i], SIGKILL);
		waitpid(crew.targets[i], NULL, 0);
	}
	__atomic_store_n(&shared->ended[which], 1, __ATOMIC_SEQ_CST);
	_exit(0);
}
