// SPDX-License-Identifier: MIT
/*
 * What a window costs the process whose memory it shows.
 *
 * The target runs loops that make its kernel call the module. Counted is the processor time
 * of its own thread, which under --icount is its instructions: what the reader and the
 * module's worker do is theirs.
 */
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/cordbmem.h>

#include "bench.h"
#include "target_side.h"
#include "window.h"

#define MAX_BYTES (64 * PAGE)
#define WARM_UP 4
#define ITERATIONS 24
#define EXTREMES 6 /* on either side, left out */
#define TARGETS 3

/* What the target does with a range, in two halves; in between all of its pages are there. */
struct loop {
	const char *work;
	void (*make)(char *range, size_t size);
	void (*spoil)(char *range, size_t size);
	bool free_spoil; /* the second half is not counted */
};

enum manner {
	/* there is none */
	NO_WINDOW,
	/* it was populated once, and nobody has looked at it since */
	IDLE_WINDOW,
	/*
	 * In each iteration, between its halves, all of it is populated and read: what a reader on another
	 * CPU could do to the target at worst. (One that shares its CPU would come by once in a time slice.)
	 */
	BUSY_WINDOW,
	MANNERS
};

static const char *const manners[MANNERS] = { "no_window", "idle_window", "busy_window" };

/* What the target says: that it is the reader's turn, or that it has finished. */
struct word {
	bool done;
	double cost;
};

static void touch(char *range, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE)
		*(volatile char *)&range[at] = 1;
}

/* The pages stay as the last half left them. */
static void look(char *range, size_t size)
{
	for (size_t at = 0; at < size; at += PAGE)
		(void)*(volatile char *)&range[at];
}

static void map(char *range, size_t size)
{
	if (mmap(range, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		give_up("the target cannot map memory");
	touch(range, size);
}

static void unmap(char *range, size_t size)
{
	if (munmap(range, size))
		give_up("the target cannot unmap memory");
}

static void drop(char *range, size_t size)
{
	if (madvise(range, size, MADV_DONTNEED))
		give_up("the target cannot drop memory");
}

/* Memory that no window shows: what is told to the module of every event in the target? */
static _Alignas(PAGE) char elsewhere[PAGE];

static void touch_elsewhere(char *range, size_t size)
{
	look(range, size);
	touch(elsewhere, sizeof(elsewhere));
}

static void drop_elsewhere(char *range, size_t size)
{
	(void)range;
	(void)size;
	drop(elsewhere, sizeof(elsewhere));
}

static void protect(char *range, size_t size)
{
	if (mprotect(range, size, PROT_READ) || mprotect(range, size, PROT_READ | PROT_WRITE))
		give_up("the target cannot protect memory");
}

static void fork_and_wait(char *range, size_t size)
{
	pid_t pid = fork();

	(void)range;
	(void)size;
	if (!pid)
		_exit(0);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		give_up("the target cannot fork");
}

static void fork_and_write(char *range, size_t size)
{
	fork_and_wait(range, size);
	touch(range, size);
}

static const struct loop loops[] = {
	{ "target_mmap", map, unmap, false },
	{ "target_page_fault", touch, drop, true },
	{ "target_dontneed", touch, drop, false },
	{ "target_elsewhere", touch_elsewhere, drop_elsewhere, false },
	{ "target_mprotect", look, protect, false },
	{ "target_fork", look, fork_and_wait, false },
	{ "target_fork_write", look, fork_and_write, false },
};

static double cpu_time(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static double cpu_time_cost(void)
{
	double least = 0;

	for (int i = 0; i < 20; i++) {
		double a = cpu_time(), b = cpu_time();

		if (!i || b - a < least)
			least = b - a;
	}
	return least;
}

static void send_word(int fd, struct word word)
{
	if (write(fd, &word, sizeof(word)) != sizeof(word))
		give_up("the reader is gone");
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Counts one iteration; the reader has its turn in the middle. */
static double iterate(const struct loop *loop, char *range, size_t size, int ask, int answer)
{
	double start = cpu_time(), made, again, end;
	char byte;

	loop->make(range, size);
	made = cpu_time();
	send_word(ask, (struct word){ .done = false });
	if (read(answer, &byte, 1) != 1)
		give_up("the reader is gone");
	again = cpu_time();
	loop->spoil(range, size);
	end = cpu_time();
	return made - start + (loop->free_spoil ? 0 : end - again);
}

/* The life of the target: asks for its turns on @ask, gets them on @answer. */
_Noreturn static void be_target(const struct loop *loop, char *range, size_t size, int ask,
				int answer)
{
	double costs[ITERATIONS], clock = cpu_time_cost(), sum = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	touch(range, size);
	for (int i = -WARM_UP; i < ITERATIONS; i++) {
		double cost = iterate(loop, range, size, ask, answer);

		if (i >= 0)
			costs[i] = cost - (loop->free_spoil ? 1 : 2) * clock;
	}
	/* Of the middle half: some have a timer interrupt in them. */
	qsort(costs, ITERATIONS, sizeof(costs[0]), compare);
	for (int i = EXTREMES; i < ITERATIONS - EXTREMES; i++)
		sum += costs[i];
	send_word(ask, (struct word){ .done = true, .cost = sum / (ITERATIONS - 2 * EXTREMES) });
	for (;;)
		pause();
}

/* The life of the reader. Returns what the target counted. */
static double be_reader(const struct window *w, enum manner manner, int ask, int answer)
{
	static char buffer[MAX_BYTES];
	struct word word;

	for (bool first = true;; first = false) {
		if (read(ask, &word, sizeof(word)) != sizeof(word))
			give_up("the target is gone");
		if (word.done)
			return word.cost;
		if (manner == BUSY_WINDOW || (manner == IDLE_WINDOW && first)) {
			window_populate(w, 0, w->size, CORDBMEM_READ_NOFAULT);
			if (!window_read(w, 0, buffer, w->size) || buffer[0] != 1)
				give_up("a window does not show what is there");
		}
		if (write(answer, "", 1) != 1)
			give_up("the target is gone");
	}
}

static double cost(const struct loop *loop, size_t size, enum manner manner)
{
	int ask[2], answer[2], device, target;
	struct window w = { 0 };
	double result;
	char *room, *range;
	pid_t pid;

	/* Between two other mappings, so that it is never one with its neighbours. */
	room = mmap(NULL, size + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	range = room + PAGE;
	if (room == MAP_FAILED || mprotect(range, size, PROT_READ | PROT_WRITE) || pipe(ask) ||
	    pipe(answer))
		give_up("cannot set up a target");
	pid = fork();
	if (pid < 0)
		give_up("cannot start a target");
	if (!pid)
		be_target(loop, range, size, ask[1], answer[0]);
	/* its address is the target's from here on */
	munmap(room, size + 2 * PAGE);
	close(ask[1]);
	close(answer[0]);
	if (manner != NO_WINDOW) {
		device = device_open();
		target = device_attach(device, pid);
		w = window_open(target, range, size);
		close(target);
		close(device);
	}
	result = be_reader(&w, manner, ask[0], answer[1]);
	if (manner != NO_WINDOW)
		window_close(&w);
	close(ask[0]);
	close(answer[1]);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return result;
}

/* With several targets, one after the other: some get their memory of the allocator's slow path. */
static double least_cost(const struct loop *loop, size_t size, enum manner manner)
{
	double least = 0;

	for (int i = 0; i < TARGETS; i++) {
		double one = cost(loop, size, manner);

		if (!i || one < least)
			least = one;
	}
	return least;
}

void target_side(void)
{
	static const size_t sizes[] = { PAGE, MAX_BYTES };

	for (size_t l = 0; l < sizeof(loops) / sizeof(loops[0]); l++) {
		for (size_t s = 0; s < sizeof(sizes) / sizeof(sizes[0]); s++) {
			for (enum manner m = NO_WINDOW; m < MANNERS; m++) {
				struct row row = { loops[l].work, sizes[s], 1, 0, manners[m], 0 };

				row.cost = least_cost(&loops[l], sizes[s], m);
				add_row(&row);
			}
		}
	}
}
