// SPDX-License-Identifier: GPL-2.0
/*
 * Storm: a target changes a range in every way and all the time, and readers check each byte that
 * they accept from a window over it.
 *
 * Each aligned word of the range tells its address and the generation of its page. A page has one
 * owner, a thread of the target, which tells in shared memory what generation it is about to
 * write, and what it has written to the last word. A word that a reader accepts is of its address,
 * and of a generation between what was done before the reader loaded the state word, and what was
 * begun when it had loaded it again. It is zero only where the kernel gives empty pages, and only
 * between the two. Foreign, old and torn bytes cannot pass.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"
#include "window.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif

#define WORDS (PAGE / 8)
#define OWNERS 2
#define GROUP 4 /* pages with one owner, to which something can happen at once */
#define SECONDS 20
#define ENOUGH 60000000L  /* bytes accepted */
#define ENOUGH_EVENTS 15L /* of each kind */
#define ENOUGH_REJECTED 1000L
#define ENOUGH_CHANGED 10L

/* Parts of the range. Solid pages are never empty; one is replaced by one that is written already. */
enum { HUGE = 0, SOLID = 512, LOOSE = 704, SHARED = 896, PAGES = 1024 };

enum event {
	WRITE,
	FORBID, /* and allow */
	FORK,
	PAGE_OUT,
	MOVE_OTHER_IN,
	MAP_FILE_OVER,
	DROP,
	UNMAP, /* and map */
	COLLAPSE,
	PUNCH,
	TRUNCATE, /* and extend */
	EVENTS
};

static const char *const event_names[EVENTS] = {
	"writes", "forbids",	"forks",     "outs",	"moves",       "overmaps",
	"drops",  "unmappings", "collapses", "punches", "truncations",
};

static struct storm {
	uint8_t *memory;
	uint64_t seed;
	int file;     /* behind SHARED */
	int prepared; /* pages to map over others */
	int poison;   /* what no page of the target ever holds */
	int window_fd;
	_Atomic int stop;
	_Atomic uint32_t begun[PAGES], done[PAGES];
	_Atomic long events[EVENTS];
	_Atomic long accepted; /* bytes */
	_Atomic long rejected; /* reads that found no valid word */
	_Atomic long changed;  /* and those that found another at their end */
	_Atomic long wrong;    /* words */
	struct {
		uint64_t address, word;
		uint32_t done, begun;
	} first; /* of the wrong ones */
} * storm;

static uint64_t next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

/* 40 bits that tell the address, 24 for the generation. */
static uint64_t word_of(size_t page, size_t word, uint32_t generation)
{
	uint64_t place = (uint64_t)page * WORDS + word + 1;

	return (place * 0x9e3779b97f4a7c15) << 24 | generation;
}

static void fill(uint64_t *to, size_t page, uint32_t generation)
{
	for (size_t i = 0; i < WORDS; i++)
		((volatile uint64_t *)to)[i] = word_of(page, i, generation);
}

/* ---- the target ---- */

static uint8_t *at(size_t page)
{
	return storm->memory + page * PAGE;
}

static bool map_fresh(size_t page, size_t pages, int flags, int fd, off_t offset)
{
	return mmap(at(page), pages * PAGE, PROT_READ | PROT_WRITE, flags | MAP_FIXED, fd,
		    offset) != MAP_FAILED;
}

/* A child that shares the pages, writes to its own and goes. */
static bool fork_child(uint64_t *random)
{
	pid_t pid = fork();

	/* What is not mapped at the moment is left alone. */
	for (int i = 0; !pid && i < 16; i++)
		if (pread(storm->poison, at(next(random) % SHARED), PAGE, 0) < 0)
			continue;
	if (!pid)
		_exit(0);
	return pid > 0 && waitpid(pid, NULL, 0) == pid;
}

/* Pages beside the range that are written as the ones in it are to be. */
static void *written(size_t page, size_t count)
{
	uint8_t *memory = mmap(NULL, count * PAGE, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < count; i++)
		fill((uint64_t *)(void *)(memory + i * PAGE), page + i, storm->begun[page + i]);
	return memory;
}

/* What happens to pages, before they are written. Their generations are begun. */
static bool happen(enum event event, size_t page, size_t count, uint64_t *random)
{
	uint8_t *here = at(page);
	size_t size = count * PAGE;
	off_t offset = (off_t)(page * PAGE);

	switch (event) {
	case FORBID:
		return !mprotect(here, size, PROT_NONE) &&
		       !mprotect(here, size, PROT_READ | PROT_WRITE);
	case FORK:
		return fork_child(random);
	case PAGE_OUT:
		return !madvise(here, size, MADV_PAGEOUT);
	case MOVE_OTHER_IN:
		return mremap(written(page, count), size, size, MREMAP_MAYMOVE | MREMAP_FIXED,
			      here) == here;
	case MAP_FILE_OVER: {
		void *words = written(page, count);
		bool copied = pwrite(storm->prepared, words, size, offset) == (ssize_t)size;

		munmap(words, size);
		return copied && map_fresh(page, count, MAP_PRIVATE, storm->prepared, offset);
	}
	case DROP:
		return !madvise(here, size, MADV_DONTNEED);
	case UNMAP:
		return !munmap(here, size) &&
		       map_fresh(page, count, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	case COLLAPSE:
		/* References are mostly in its way, or a page is forbidden. */
		madvise(at(HUGE), 512 * PAGE, MADV_COLLAPSE);
		return true;
	case PUNCH:
		return !fallocate(storm->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				  offset - (off_t)(SHARED * PAGE), (off_t)size);
	case TRUNCATE:
		return !ftruncate(storm->file, offset - (off_t)(SHARED * PAGE)) &&
		       !ftruncate(storm->file, (PAGES - SHARED) * PAGE);
	default:
		return true;
	}
}

static enum event choose(size_t page, uint64_t *random)
{
	static const enum event of_huge[] = { WRITE, WRITE, WRITE, DROP, DROP, FORBID, UNMAP };
	static const enum event of_solid[] = { WRITE,	      WRITE,	     FORBID,
					       MOVE_OTHER_IN, MAP_FILE_OVER, PAGE_OUT };
	static const enum event of_loose[] = { WRITE, WRITE, DROP, UNMAP, FORBID, MOVE_OTHER_IN };
	static const enum event of_shared[] = { WRITE, WRITE, PUNCH, FORBID };
	uint64_t r = next(random) >> 20;

	/* These take so long that nothing else would happen if they were as likely. */
	if (r % 128 == 0)
		return FORK;
	if (r % 32 == 1)
		return COLLAPSE;
	r >>= 7;
	if (page < SOLID)
		return of_huge[r % ARRAY_SIZE(of_huge)];
	if (page < LOOSE)
		return of_solid[r % ARRAY_SIZE(of_solid)];
	if (page < SHARED)
		return of_loose[r % ARRAY_SIZE(of_loose)];
	if (page >= PAGES - GROUP && r % 2)
		return TRUNCATE;
	return of_shared[r / 2 % ARRAY_SIZE(of_shared)];
}

static void *owner(void *number)
{
	size_t me = (size_t)(uintptr_t)number;
	uint64_t random = storm->seed + me * 7919 + 1;

	while (!storm->stop) {
		size_t group = next(&random) % (PAGES / GROUP) / OWNERS * OWNERS + me;
		size_t page, end;
		enum event event;

		/* The last one is the only one that can be cut off. */
		if (next(&random) % 32 == 0 && (PAGES / GROUP - 1) % OWNERS == me)
			group = PAGES / GROUP - 1;
		/* Bursts, and rests in which readers accept more. */
		if (next(&random) % 128 == 0)
			usleep((unsigned int)(next(&random) % 4000));
		page = group * GROUP + next(&random) % GROUP;
		end = page + 1 + next(&random) % (GROUP - page % GROUP);
		event = choose(page, &random);
		if (event == TRUNCATE)
			end = PAGES;
		for (size_t i = page; i < end; i++)
			storm->begun[i] = storm->done[i] + 1;
		if (!happen(event, page, end - page, &random))
			die("event %s of page %zu", event_names[event], page);
		for (size_t i = page; i < end; i++) {
			fill((uint64_t *)(void *)at(i), i, storm->begun[i]);
			storm->done[i] = storm->begun[i];
		}
		storm->events[event]++;
	}
	return NULL;
}

static long rage(long unused)
{
	pthread_t threads[OWNERS];

	(void)unused;
	for (size_t i = 0; i < OWNERS; i++)
		if (pthread_create(&threads[i], NULL, owner, (void *)i))
			die("a thread");
	return 0;
}

static long prepare(long unused)
{
	(void)unused;
	if (!map_fresh(HUGE, SHARED, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ||
	    !map_fresh(SHARED, PAGES - SHARED, MAP_SHARED, storm->file, 0))
		return errno;
	for (size_t page = 0; page < PAGES; page++) {
		fill((uint64_t *)(void *)at(page), page, 1);
		storm->begun[page] = storm->done[page] = 1;
	}
	/* The rest of it is small pages. */
	madvise(at(SOLID), (SHARED - SOLID) * PAGE, MADV_NOHUGEPAGE);
	return 0;
}

/* ---- the readers ---- */

static void check(size_t page, size_t first, const uint64_t *words, size_t count, uint32_t done,
		  uint32_t begun)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t word = words[i];
		uint32_t generation = word & 0xffffff;
		bool empty = !word && (page < SOLID || page >= LOOSE) && begun != done;

		if (empty || (word == word_of(page, first + i, generation) && generation >= done &&
			      generation <= begun))
			continue;
		if (!storm->wrong++) {
			storm->first.address = page * PAGE + (first + i) * 8;
			storm->first.word = word;
			storm->first.done = done;
			storm->first.begun = begun;
		}
	}
}

/* A mapping of the window, in pieces, each of which may have a page table of its own. */
struct view {
	int fd;
	uint8_t *data;
	const volatile uint32_t *state;
	size_t stride; /* from piece to piece: more than that gives each a page table */
};

#define PIECE ((size_t)64) /* pages */

static uint8_t *place(const struct view *v, size_t page)
{
	return v->data + page / PIECE * v->stride + page % PIECE * PAGE;
}

static bool map_piece(const struct view *v, size_t piece)
{
	return mmap(v->data + piece * v->stride, PIECE * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED,
		    v->fd, (off_t)(piece * PIECE * PAGE)) != MAP_FAILED;
}

/* Words are loaded whole, which memcpy() does not promise. */
static void read_once(const struct view *v, size_t page, size_t first, size_t count)
{
	const volatile uint64_t *from = (const volatile void *)place(v, page);
	uint32_t done = storm->done[page], state;
	uint64_t words[WORDS];

	state = __atomic_load_n(&v->state[page], __ATOMIC_ACQUIRE);
	if (!(state & CORDBMEM_WINDOW_VALID)) {
		storm->rejected++;
		return;
	}
	for (size_t i = 0; i < count; i++)
		words[i] = from[first + i];
	atomic_thread_fence(memory_order_acquire);
	if (__atomic_load_n(&v->state[page], __ATOMIC_RELAXED) != state) {
		storm->changed++;
		return;
	}
	check(page, first, words, count, done, storm->begun[page]);
	storm->accepted += (long)(count * 8);
}

static void read_on(const struct view *v, uint64_t random)
{
	static const size_t counts[] = { 1, 2, 8, 64, 256, WORDS };

	while (!storm->stop) {
		uint64_t r = next(&random);
		size_t page = r % PAGES, count = counts[r / PAGES % ARRAY_SIZE(counts)];
		struct cordbmem_populate populate = {
			.flags = r >> 40 & 1 ? CORDBMEM_READ_NOFAULT : 0,
			.offset = page / 16 * 16 * PAGE,
			.length = 16 * PAGE,
		};

		/* Without its page table, an insertion takes long. */
		if (v->stride > PIECE * PAGE && r >> 43 & 1 && !map_piece(v, page / PIECE))
			die("mapping a window again");
		for (int i = 0; i < 4; i++)
			read_once(v, page, (r >> 44) % (WORDS - count + 1), count);
		if (v->state[page] & CORDBMEM_WINDOW_VALID)
			continue;
		/* By a touch, or by asking. */
		if (r >> 41 & 1)
			(void)*(volatile uint8_t *)place(v, page);
		else
			call_populate(v->fd, &populate);
		if ((r >> 42) % 64 == 0)
			call_sync(v->fd);
	}
}

static struct view view_new(size_t stride)
{
	struct view v = {
		.fd = storm->window_fd,
		.data = island_hole(PAGES / PIECE * stride),
		.stride = stride,
	};

	v.state = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, v.fd, (off_t)CORDBMEM_WINDOW_STATE);
	for (size_t piece = 0; piece < PAGES / PIECE; piece++)
		if (v.state == MAP_FAILED || !map_piece(&v, piece))
			die("mapping a window");
	return v;
}

static void *read_in_thread(void *unused)
{
	struct view v = view_new(PIECE * PAGE);

	read_on(&v, storm->seed * 31 + 1);
	return unused;
}

static long read_in_process(long unused)
{
	struct view v = view_new((size_t)2 << 20);

	read_on(&v, storm->seed * 37 + 1);
	return unused;
}

static bool enough(void)
{
	for (enum event event = 0; event < EVENTS; event++)
		if (storm->events[event] <= ENOUGH_EVENTS)
			return false;
	return storm->accepted >= ENOUGH && storm->rejected > ENOUGH_REJECTED &&
	       storm->changed > ENOUGH_CHANGED;
}

FIXTURE(storm)
{
	int device;
	int fd;
	struct child target;
	struct window w;
};

FIXTURE_SETUP(storm)
{
	uint8_t page[PAGE];

	self->device = device_open();
	storm = mmap(NULL, sizeof(*storm), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	ASSERT_NE(MAP_FAILED, storm);
	storm->seed = seed_of_run();
	TH_LOG("CORDBMEM_SEED=%#lx", storm->seed);
	storm->memory = island_hole(PAGES * PAGE);
	storm->file = memory_file((PAGES - SHARED) * PAGE, 0);
	storm->prepared = memory_file(PAGES * PAGE, 0);
	storm->poison = memory_file(PAGE, 0);
	memset(page, 0x66, PAGE);
	ASSERT_EQ(PAGE, pwrite(storm->poison, page, PAGE, 0));
	self->target = child_start();
	ASSERT_EQ(0, child_call(&self->target, prepare, 0));
	self->fd = attach(self->device, self->target.pid, 0);
	ASSERT_LE(0, self->fd);
	self->w = window_open(self->fd, number(storm->memory), PAGES * PAGE, 0);
	storm->window_fd = self->w.fd;
}

FIXTURE_TEARDOWN(storm)
{
	child_end(&self->target);
}

TEST_F_TIMEOUT(storm, takes_no_wrong_byte_past_the_protocol, 200)
{
	struct cordbmem_stats stats;
	struct child process;
	double begin = seconds();
	pthread_t thread;
	long result;

	EXPECT_EQ(PAGES, window_fill(&self->w));
	ASSERT_EQ(0, child_call(&self->target, rage, 0));
	process = child_start();
	child_send(&process, read_in_process, 0);
	ASSERT_EQ(0, pthread_create(&thread, NULL, read_in_thread, NULL));
	/* A slow machine gets more time. */
	while (!storm->wrong &&
	       (seconds() < begin + SECONDS || (!enough() && seconds() < begin + 7 * SECONDS)))
		usleep(50000);
	storm->stop = 1;
	pthread_join(thread, NULL);
	EXPECT_TRUE(child_result(&process, &result));
	child_end(&process);
	stats = window_stats(&self->w);

	TH_LOG("%ld bytes accepted, %ld + %ld reads rejected, %ld words wrong, %.0f s",
	       storm->accepted, storm->rejected, storm->changed, storm->wrong, seconds() - begin);
	TH_LOG("%ld filled, %ld invalidated, %ld faults, %ld fallbacks", (long)stats.filled,
	       (long)stats.invalidated, (long)stats.faults, (long)stats.fallbacks);
	for (enum event event = 0; event < EVENTS; event++) {
		TH_LOG("%ld %s", storm->events[event], event_names[event]);
		EXPECT_LT(ENOUGH_EVENTS, (long)storm->events[event]);
	}
	EXPECT_EQ(0, (long)storm->wrong)
	TH_LOG("offset %#lx: word %#lx, page's number %#lx, between %u and %u",
	       storm->first.address, storm->first.word, storm->first.address / PAGE,
	       storm->first.done, storm->first.begun);
	EXPECT_LE(ENOUGH, (long)storm->accepted);
	EXPECT_LT(10000, stats.invalidated);
	EXPECT_LT(ENOUGH_REJECTED, (long)storm->rejected);
	EXPECT_LT(ENOUGH_CHANGED, (long)storm->changed);
}

TEST_HARNESS_MAIN
