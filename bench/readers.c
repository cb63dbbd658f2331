// SPDX-License-Identifier: MIT
/*
 * Two readers on two CPUs against one.
 *
 * In time, not instructions: what they may lose to each other, a lock or a cache line, costs no
 * instructions. So it needs a VM with two CPUs, and two of the host's that are free. Whether they were
 * is told by loops that share nothing: where two of those are not twice as fast as one, nothing is
 * judged.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"
#include "methods.h"
#include "readers.h"

#define READERS 2
#define SIZE (64 * PAGE)
/* Short, and often: the best of them met a host with nothing else to do. */
#define SLICE 5000000 /* ns */
#define ROUNDS 80
#define UNCHECKED 1024 /* reads between two looks at the clock */
#define GOAL 1.90
/* What the host must be able to give. */
#define QUIET 1.95

struct shared {
	char *region;
	struct window window;
	struct cordbmem_process *process;
	size_t bytes;
	bool (*read)(const struct shared *s, size_t offset, char *to);
	atomic_int waiting;
};

/* What one thread has to itself. */
struct reader {
	struct shared *shared;
	pthread_t thread;
	size_t cpu;
	uint64_t reads; /* in [start, end) */
	uint64_t start;
	uint64_t end;
	_Alignas(64) char own[PAGE];
	char buffer[PAGE];
};

static bool by_window(const struct shared *s, size_t offset, char *to)
{
	return window_get(&s->window, offset, to, s->bytes);
}

static bool by_ReadMemory(const struct shared *s, size_t offset, char *to)
{
	SIZE_T got;

	return cordbmem_ReadMemory(s->process, (uintptr_t)s->region + offset, (DWORD)s->bytes,
				   (BYTE *)to, &got) == S_OK;
}

static void stay_on(size_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		give_up("cannot choose a CPU");
}

/* Reads of one place after the other; of its own memory where there is no method. */
static void read_some(struct reader *r)
{
	const struct shared *s = r->shared;

	for (size_t i = 0; i < UNCHECKED; i++) {
		size_t offset = i * 5 % 64 * s->bytes;

		if (!s->read) {
			memcpy(r->buffer, r->own + offset % (PAGE - s->bytes), s->bytes);
			__asm__ volatile("" ::: "memory");
		} else if (!s->read(s, offset, r->buffer)) {
			give_up("a read failed");
		}
	}
}

static void *be_reader(void *argument)
{
	struct reader *r = argument;

	stay_on(r->cpu);
	read_some(r);
	atomic_fetch_sub(&r->shared->waiting, 1);
	while (atomic_load(&r->shared->waiting))
		;
	r->reads = 0;
	r->start = now();
	do {
		read_some(r);
		r->reads += UNCHECKED;
		r->end = now();
	} while (r->end - r->start < SLICE);
	return NULL;
}

/* Reads per ns of so many readers together. */
static double rate(struct shared *s, int count)
{
	static struct reader all[READERS];
	uint64_t start = UINT64_MAX, end = 0, reads = 0;

	atomic_store(&s->waiting, count);
	for (int i = 0; i < count; i++) {
		all[i].shared = s;
		all[i].cpu = (size_t)i;
		if (pthread_create(&all[i].thread, NULL, be_reader, &all[i]))
			give_up("cannot start a reader");
	}
	for (int i = 0; i < count; i++) {
		pthread_join(all[i].thread, NULL);
		reads += all[i].reads;
		if (all[i].start < start)
			start = all[i].start;
		if (all[i].end > end)
			end = all[i].end;
	}
	/* from the first to the last, or they were not at it together */
	return (double)reads / (double)(end - start);
}

static pid_t start_target(const char *region)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (size_t at = 0; at < SIZE; at += PAGE)
		((volatile char *)(uintptr_t)region)[at] = MARK;
	raise(SIGSTOP);
	for (;;)
		pause();
}

static void open_all(struct shared *s, pid_t pid)
{
	int device = device_open(), target = device_attach(device, pid);

	s->window = window_open(target, s->region, SIZE);
	s->process = open_process(pid, CORDBMEM_WINDOWS_AUTO);
	if (cordbmem_process_pin_window(s->process, (uintptr_t)s->region, SIZE, NULL) != S_OK)
		give_up("cannot pin a window");
	close(target);
	close(device);
}

struct method_of_readers {
	const char *name;
	size_t bytes;
	bool (*read)(const struct shared *s, size_t offset, char *to);
	double best[READERS];
};

static void add_rows(const struct method_of_readers *m)
{
	static const char *const works[READERS] = { "one_reader", "two_readers" };

	for (int i = 0; i < READERS; i++) {
		struct row row = { works[i], m->bytes, 1, 0, m->name, 1 / m->best[i] };

		add_row(&row);
	}
}

/* Returns how many goals are missed. */
static int judge(const struct method_of_readers *methods, size_t count)
{
	double host = methods[0].best[1] / methods[0].best[0];
	int missed = 0;

	puts("\nGoals, as ratios within this run");
	printf("       %5.3f           two loops of no readers against one\n", host);
	for (size_t i = 1; i < count; i++) {
		const struct method_of_readers *m = &methods[i];
		double ratio = m->best[1] / m->best[0];
		const char *verdict = ratio < GOAL ? "MISSED" : "met";

		if (host < QUIET)
			verdict = "-";
		else
			missed += ratio < GOAL;
		printf("%-6s %5.3f >= %5.3f  two readers of %zu B by %s against one\n", verdict,
		       ratio, GOAL, m->bytes, m->name);
	}
	if (host < QUIET)
		puts("Not judged: the host has other things to do.");
	return missed;
}

int readers(void)
{
	static struct method_of_readers all[] = {
		{ "memcpy", 64, NULL, { 0 } },
		{ "window", 8, by_window, { 0 } },
		{ "window", 64, by_window, { 0 } },
		{ "ReadMemory_window", 8, by_ReadMemory, { 0 } },
		{ "ReadMemory_window", 64, by_ReadMemory, { 0 } },
	};
	const size_t count = sizeof(all) / sizeof(all[0]);
	static struct shared shared;
	pid_t pid;

	shared.region =
		mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (shared.region == MAP_FAILED)
		give_up("no memory");
	pid = start_target(shared.region);
	/* it stops when its pages are there */
	if (pid < 0 || waitpid(pid, NULL, WUNTRACED) != pid)
		give_up("cannot start the target");
	open_all(&shared, pid);

	/* In turns, so that whatever else the host does falls upon all of them. */
	for (int round = 0; round < ROUNDS; round++) {
		for (size_t i = 0; i < count; i++) {
			shared.bytes = all[i].bytes;
			shared.read = all[i].read;
			for (int n = 0; n < READERS; n++) {
				double one = rate(&shared, n + 1);

				if (one > all[i].best[n])
					all[i].best[n] = one;
			}
		}
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	window_close(&shared.window);
	cordbmem_process_free(shared.process);
	for (size_t i = 0; i < count; i++)
		add_rows(&all[i]);
	print_rows();
	return judge(all, count);
}
