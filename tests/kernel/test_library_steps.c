// SPDX-License-Identifier: MIT
/*
 * Something happens between two instructions of a read, whichever two: the reader steps through so many of them, stands
 * still while the event takes place, and goes on. No luck is needed to meet the one place that matters.
 *
 * CORDBMEM_STEPS in the environment: seconds for each event. In 200 it comes after each instruction of each kind of read.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <cordbmem/cordbmem.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#define OLD 41
#define NEW 42
#define SIZE (2 * PAGE) /* the second page is the one that something happens to */
#define MOST 3		/* elements */
#define BYTES 256
#define BUDGET 3 /* seconds for each event */
#define LEAST 20 /* events, however slow the machine */
#define NEVER SIZE_MAX

enum event { UNMAP, REPLACE, EVICT, PATCH, CLOSE };

struct reading {
	const char *name;
	size_t count; /* of elements; 0: ReadMemory */
	size_t offset;
	DWORD size;
	bool patched; /* elsewhere */
};

static const struct reading readings[] = {
	{ "a word", 0, PAGE + 64, 8, false },
	{ "half a word", 0, PAGE + 64, 4, false },
	{ "few bytes", 0, PAGE + 64, 64, false },
	{ "some bytes", 0, PAGE + 64, 201, false },
	{ "bytes of two pages", 0, PAGE - 20, 100, false },
	{ "a word, patches elsewhere", 0, PAGE + 64, 8, true },
	{ "scattered words", MOST, PAGE + 64, 8, false },
	{ "scattered lines", MOST, PAGE + 64, 64, false },
	{ "scattered lines, patches elsewhere", MOST, PAGE + 64, 64, true },
	{ "scattered bytes", MOST, PAGE + 64, 21, false },
};

/* What the two processes share. */
static struct stage {
	enum event event;
	size_t reading;
	size_t after; /* instructions; NEVER: no event */
	size_t steps; /* that were made */
	char wrong[256];
} * stage;

static struct child target;
static struct cordbmem_process *process;
static uint8_t *source, *spare;

/* ---- the target ---- */

static long reset(long unused)
{
	(void)unused;
	if (mmap(source, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != source ||
	    mmap(spare, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) != spare)
		return errno;
	pattern_fill(source, SIZE, OLD, number(source));
	pattern_fill(spare, PAGE, NEW, number(source + PAGE));
	return 0;
}

static long unmap_page(long unused)
{
	(void)unused;
	return munmap(source + PAGE, PAGE);
}

static long replace_page(long unused)
{
	(void)unused;
	return mremap(spare, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, source + PAGE) !=
	       source + PAGE;
}

static long trap_page(long unused)
{
	(void)unused;
	memset(source + PAGE, 0xcc, PAGE);
	return 0;
}

/* A page of a block that wants the slot, the page's place in it being the same. */
static uint8_t *rival(void)
{
	uint64_t block = number(source) >> 36;

	return pointer(number(source) + ((block < 1000 ? 64ULL : -64ULL) << 36));
}

static long map_rival(long unused)
{
	(void)unused;
	if (!pages_at(rival(), SIZE))
		return errno;
	memset(rival(), 0x77, SIZE);
	return 0;
}

/* ---- the reader ---- */

/* All that is read of the second page has a patch then. */
static bool patch_all(void)
{
	const struct reading *r = &readings[stage->reading];
	size_t end = r->offset + (r->count ? r->count * BYTES : r->size);

	for (size_t at = PAGE; at < end; at += CORDBMEM_PATCH_MAX) {
		BYTE original[CORDBMEM_PATCH_MAX];

		for (size_t i = 0; i < sizeof(original); i++)
			original[i] = pattern_byte(OLD, number(source) + at + i);
		if (cordbmem_process_add_patch(process, number(source) + at, original,
					       sizeof(original), NULL))
			return false;
	}
	return true;
}

static bool take_the_slot(void)
{
	uint64_t word;

	return !cordbmem_process_set_windows(process, CORDBMEM_WINDOWS_OFF) &&
	       !cordbmem_process_set_windows(process, CORDBMEM_WINDOWS_AUTO) &&
	       !cordbmem_process_pin_window(process, number(rival()), SIZE, NULL) &&
	       !cordbmem_ReadMemory(process, number(rival()), 8, (BYTE *)&word, NULL);
}

static bool make_it_happen(void)
{
	switch (stage->event) {
	case UNMAP:
		return !child_call(&target, unmap_page, 0);
	case REPLACE:
		return !child_call(&target, replace_page, 0);
	case EVICT:
		return take_the_slot();
	case PATCH:
		return patch_all() && !child_call(&target, trap_page, 0);
	case CLOSE:
		return !cordbmem_process_close(process);
	}
	return false;
}

static sem_t happen, happened;
static bool awaited;

static void *wait_for_events(void *unused)
{
	for (;;) {
		sem_wait(&happen);
		if (!make_it_happen())
			die("event %d", stage->event);
		/* Until the old page is out of the reader's page table: a tick, and the worker. */
		usleep(12000);
		sem_post(&happened);
	}
	return unused;
}

static bool wait_for_event(int milliseconds)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += milliseconds % 1000 * 1000000L;
	until.tv_sec += milliseconds / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	return sem_timedwait(&happened, &until) == 0;
}

#define TRAP_FLAG 0x100

/* After each instruction of a read. */
static void on_step(int number, siginfo_t *info, void *context)
{
	greg_t *flags = &((ucontext_t *)context)->uc_mcontext.gregs[REG_EFL];

	(void)number, (void)info;
	if (stage->steps++ != stage->after)
		return;
	*flags &= ~TRAP_FLAG;
	sem_post(&happen);
	/* It may need a lock that is held here; then it is waited for after the read. */
	awaited = !wait_for_event(300);
}

static bool allowed(HRESULT hr)
{
	switch (stage->event) {
	case UNMAP:
		return hr == S_OK || hr == CORDBG_E_READVIRTUAL_FAILURE ||
		       hr == CORDBMEM_E_PARTIAL_COPY;
	case CLOSE:
		return hr == S_OK || hr == CORDBG_E_OBJECT_NEUTERED;
	default:
		return hr == S_OK;
	}
}

/* Which of the two patterns the bytes are; of those in the second page. 0: neither. */
static uint64_t pattern_of(const BYTE *bytes, size_t size, uint64_t address)
{
	uint64_t second = number(source) + PAGE;
	size_t before = address < second ? second - address : 0;

	if (before > size)
		before = size;
	if (pattern_check(bytes, before, OLD, address) != before)
		return 0;
	bytes += before, size -= before, address += before;
	if (pattern_check(bytes, size, OLD, address) == size)
		return OLD;
	return pattern_check(bytes, size, NEW, address) == size ? NEW : 0;
}

/* Whole, of one moment, and no moment before that of the element in front. */
static void judge(const struct cordbmem_scatter *elements, size_t count)
{
	uint64_t latest = OLD;

	for (size_t i = 0; i < count; i++) {
		const struct cordbmem_scatter *e = &elements[i];
		uint64_t is = pattern_of(e->buffer, e->read, e->address);

		if (!allowed(e->result))
			snprintf(stage->wrong, sizeof(stage->wrong), "element %zu: result %08x", i,
				 (unsigned int)e->result);
		else if (!is || (is == NEW && stage->event != REPLACE))
			snprintf(stage->wrong, sizeof(stage->wrong),
				 "element %zu: wrong bytes, the first %02x, result %08x", i,
				 e->buffer[0], (unsigned int)e->result);
		else if (e->read && is < latest)
			snprintf(stage->wrong, sizeof(stage->wrong),
				 "element %zu: older than the one in front", i);
		if (e->read)
			latest = is;
	}
}

static void read_it(const struct reading *r, struct cordbmem_scatter *elements)
{
	const unsigned long long flags = __builtin_ia32_readeflags_u64();

	__builtin_ia32_writeeflags_u64(flags | TRAP_FLAG);
	if (r->count)
		cordbmem_read_scatter(elements, r->count);
	else
		elements->result =
			cordbmem_ReadMemory(elements->process, elements->address, elements->size,
					    elements->buffer, &elements->read);
	__builtin_ia32_writeeflags_u64(flags);
}

static long prepare(long unused)
{
	struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };
	pthread_t thread;

	(void)unused;
	if (sem_init(&happen, 0, 0) || sem_init(&happened, 0, 0) ||
	    sigaction(SIGTRAP, &action, NULL))
		return errno;
	return pthread_create(&thread, NULL, wait_for_events, NULL);
}

static long perform(long unused)
{
	const struct reading *r = &readings[stage->reading];
	struct cordbmem_scatter elements[MOST];
	static BYTE buffers[MOST][BYTES];

	(void)unused;
	memset(buffers, POISON, sizeof(buffers));
	stage->wrong[0] = 0;
	stage->steps = 0;
	if (child_call(&target, reset, 0) ||
	    cordbmem_process_open(target.pid, NULL, &process, NULL) ||
	    cordbmem_process_pin_window(process, number(source), SIZE, NULL))
		return 1;
	if (r->patched &&
	    cordbmem_process_add_patch(process, number(source) + 1024, (BYTE *)"p", 1, NULL))
		return 2;
	for (size_t i = 0; i < MOST; i++)
		elements[i] = (struct cordbmem_scatter){
			.process = process,
			.address = number(source) + r->offset + i * BYTES,
			.buffer = buffers[i],
			.size = r->size,
		};
	read_it(r, elements);
	if (awaited && !wait_for_event(60000))
		return 3;
	awaited = false;
	judge(elements, r->count ? r->count : 1);
	cordbmem_process_free(process);
	return 0;
}

/* ---- the test ---- */

FIXTURE(steps)
{
	struct child reader;
	struct child target;
	size_t lengths[ARRAY_SIZE(readings)]; /* in instructions */
};

FIXTURE_VARIANT(steps)
{
	enum event event;
};

/* clang-format off */
FIXTURE_VARIANT_ADD(steps, while_the_page_is_unmapped) { .event = UNMAP };
FIXTURE_VARIANT_ADD(steps, while_the_page_is_replaced) { .event = REPLACE };
FIXTURE_VARIANT_ADD(steps, while_another_window_takes_the_place) { .event = EVICT };
FIXTURE_VARIANT_ADD(steps, while_a_breakpoint_is_set) { .event = PATCH };
FIXTURE_VARIANT_ADD(steps, while_the_handle_is_closed) { .event = CLOSE };
/* clang-format on */

/* One read, with the event after so many instructions. Returns how many there were. */
static size_t play(const struct child *reader, size_t reading, size_t after)
{
	long result;

	stage->reading = reading;
	stage->after = after;
	result = child_call(reader, perform, 0);
	if (result)
		die("a read that cannot be set up: %ld", result);
	return stage->steps;
}

FIXTURE_SETUP(steps)
{
	source = island_pages(2);
	spare = island_pages(1);
	stage = mmap(NULL, sizeof(*stage), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		     0);
	ASSERT_NE(MAP_FAILED, stage);
	stage->event = variant->event;
	self->target = target = child_start();
	ASSERT_EQ(0, child_call(&target, map_rival, 0));
	self->reader = child_start();
	ASSERT_EQ(0, child_call(&self->reader, prepare, 0));
	for (size_t i = 0; i < ARRAY_SIZE(readings); i++) {
		/* the first time symbols are looked up, too */
		play(&self->reader, i, NEVER);
		self->lengths[i] = play(&self->reader, i, NEVER);
		ASSERT_STREQ("", stage->wrong);
		ASSERT_LT(20, self->lengths[i]);
	}
}

FIXTURE_TEARDOWN(steps)
{
	child_end(&self->reader);
	child_end(&self->target);
}

TEST_F_TIMEOUT(steps, each_read_is_of_one_moment, 600)
{
	const char *wanted = getenv("CORDBMEM_STEPS");
	const double end = seconds() + (wanted ? strtod(wanted, NULL) : BUDGET);
	size_t sum = 0, done = 0;

	for (size_t i = 0; i < ARRAY_SIZE(readings); i++)
		sum += self->lengths[i];
	/* By a prime number, which comes to each once; and the first few are of all kinds. */
	sum -= sum % 7919 == 0;
	for (size_t at = seed_of_run() % sum; done < sum; done++) {
		size_t reading = 0, after = at;

		if (seconds() > end && done > LEAST)
			break;
		while (after >= self->lengths[reading])
			after -= self->lengths[reading++];
		play(&self->reader, reading, after);
		ASSERT_STREQ("", stage->wrong)
		TH_LOG("%s, after %zu of %zu instructions", readings[reading].name, after,
		       self->lengths[reading]);
		at = (at + 7919) % sum;
	}
	TH_LOG("%zu of %zu", done, sum);
	EXPECT_LT(LEAST, done);
}

TEST_HARNESS_MAIN
