// SPDX-License-Identifier: MIT
/*
 * Scattered reads by windows: what elements have in common is asked once for many of them, so these are
 * about neighbours that are alike, nearly alike, or changed while they are read.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <cordbmem/cordbmem.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#define SEED 29
#define PAGES 100
#define SIZE (PAGES * PAGE)
#define HOLE 50 /* a page that is not there */
#define ELEMENTS 300
#define MOST 80 /* bytes of an element */

FIXTURE(scatter)
{
	uint64_t address;
	struct child targets[2];
	struct cordbmem_process *processes[2];
	struct cordbmem_scatter elements[ELEMENTS];
	BYTE buffers[ELEMENTS][MOST + 1];
};

static uint64_t island_address;

/* Of its own, for each target another one. */
static long fill(long seed)
{
	pattern_fill(pointer(island_address), SIZE, (uint64_t)seed, island_address);
	return munmap(pointer(island_address + HOLE * PAGE), PAGE);
}

FIXTURE_SETUP(scatter)
{
	self->address = island_address = number(island_pages(PAGES));
	for (int i = 0; i < 2; i++) {
		self->targets[i] = child_start();
		ASSERT_EQ(0, child_call(&self->targets[i], fill, SEED + i));
		ASSERT_EQ(S_OK, cordbmem_process_open(self->targets[i].pid, NULL,
						      &self->processes[i], NULL));
	}
}

FIXTURE_TEARDOWN(scatter)
{
	for (int i = 0; i < 2; i++) {
		cordbmem_process_free(self->processes[i]);
		child_end(&self->targets[i]);
	}
}

/* Words of 8 bytes, an element each, from a range of one process. */
static void aim(struct cordbmem_scatter *elements, uint64_t *words, size_t count,
		struct cordbmem_process *process, uint64_t address, size_t stride)
{
	for (size_t i = 0; i < count; i++)
		elements[i] = (struct cordbmem_scatter){
			.process = process,
			.address = address + i * stride,
			.buffer = (BYTE *)&words[i],
			.size = 8,
		};
}

TEST_F(scatter, uses_windows)
{
	struct cordbmem_window_stats stats = { .size = sizeof(stats) };
	uint64_t words[40];

	for (int round = 0; round < 4; round++) {
		aim(self->elements, words, ARRAY_SIZE(words), self->processes[0], self->address,
		    PAGE);
		ASSERT_EQ(S_OK, cordbmem_read_scatter(self->elements, ARRAY_SIZE(words)));
		for (size_t i = 0; i < ARRAY_SIZE(words); i++)
			ASSERT_EQ(8, pattern_check(&words[i], 8, SEED, self->elements[i].address));
	}
	EXPECT_EQ(S_OK, cordbmem_process_window_stats(self->processes[0], &stats));
	EXPECT_LE(40, stats.pages);
}

static size_t below(unsigned short random[3], size_t limit)
{
	return (size_t)nrand48(random) % limit;
}

static const DWORD sizes[] = { 4, 8, 16, 32, 64, 4, 8, 16, 32, 64, 0, 1, 3, 12, 24, 65, MOST };

/* Mostly as the one before; now and then something else about it. */
static void vary(struct cordbmem_scatter *e, uint64_t address, unsigned short random[3],
		 struct cordbmem_process *const processes[4], BYTE *buffer)
{
	e->address = address + below(random, SIZE / 8) * 8;
	e->buffer = buffer;
	switch (below(random, 30)) {
	case 0:
	case 1:
		e->size = sizes[below(random, ARRAY_SIZE(sizes))];
		break;
	case 2:
		e->process = processes[below(random, 2)];
		break;
	case 3:
		/* none, or one that was closed: for this one only, see below */
		e->process = processes[2 + below(random, 2)];
		break;
	case 4:
		e->buffer = NULL;
		break;
	case 5:
		e->address = 8 * below(random, 3);
		break;
	case 6:
		/* where the same page of another block would be */
		e->address += (1 + below(random, 100)) << 36;
		break;
	case 7:
		e->address = UINT64_MAX - below(random, 100);
		break;
	case 8:
		e->address += below(random, 8);
		break;
	case 9:
	case 10:
		/* across two pages, or just not */
		e->address = (e->address | (PAGE - 1)) + 1 - below(random, 2 * MOST);
		break;
	case 11:
		e->address = address + HOLE * PAGE - below(random, 2 * MOST);
		break;
	default:
		break;
	}
}

TEST_F_TIMEOUT(scatter, gives_each_element_what_it_would_have_alone, 120)
{
	static BYTE alone[MOST + 1];
	const uint64_t seed = seed_of_run();
	unsigned short random[3] = { (unsigned short)(seed >> 32), (unsigned short)(seed >> 16),
				     (unsigned short)seed };
	struct cordbmem_process *processes[4] = { self->processes[0], self->processes[1] };
	size_t whole = 0, failed = 0;

	TH_LOG("seed %llu", (unsigned long long)seed);
	ASSERT_EQ(S_OK, cordbmem_process_open(self->targets[0].pid, NULL, &processes[3], NULL));
	cordbmem_process_close(processes[3]);
	for (int i = 0; i < 2; i++)
		ASSERT_EQ(S_OK, cordbmem_process_pin_window(self->processes[i], self->address, SIZE,
							    NULL));
	for (int round = 0; round < 150; round++) {
		struct cordbmem_process *process = processes[0];
		DWORD size = 8;

		/* After a while there are patches here and there. */
		for (int i = 0; round > 75 && i < 3; i++)
			ASSERT_EQ(S_OK,
				  cordbmem_process_add_patch(processes[below(random, 2)],
							     self->address + below(random, SIZE),
							     (BYTE *)"patch",
							     1 + (DWORD)below(random, 5), NULL));
		memset(self->buffers, POISON, sizeof(self->buffers));
		for (size_t i = 0; i < ELEMENTS; i++) {
			struct cordbmem_scatter *e = &self->elements[i];

			*e = (struct cordbmem_scatter){ .process = process, .size = size };
			vary(e, self->address, random, processes, self->buffers[i]);
			size = e->size;
			if (e->process == processes[0] || e->process == processes[1])
				process = e->process;
		}
		cordbmem_read_scatter(self->elements, ELEMENTS);
		for (size_t i = 0; i < ELEMENTS; i++) {
			const struct cordbmem_scatter *e = &self->elements[i];
			SIZE_T got = 0;
			HRESULT hr = cordbmem_ReadMemory(e->process, e->address, e->size,
							 e->buffer ? alone : NULL, &got);

			ASSERT_EQ(hr, e->result)
			TH_LOG("element %zu: %u bytes from 0x%llx", i, e->size,
			       (unsigned long long)e->address);
			ASSERT_EQ(got, e->read);
			ASSERT_EQ(0, memcmp(alone, self->buffers[i], got))
			TH_LOG("element %zu: %u bytes from 0x%llx", i, e->size,
			       (unsigned long long)e->address);
			/* The rest of what was asked for is anything, and nothing behind it. */
			for (size_t at = e->buffer ? e->size : 0; at <= MOST; at++)
				ASSERT_EQ(POISON, self->buffers[i][at]);
			whole += hr == S_OK;
			failed += hr != S_OK;
		}
	}
	EXPECT_LT(failed, whole);
	EXPECT_LT(1000, failed);
	cordbmem_process_free(processes[3]);
}

#define WORDS 128
#define TRAPPED (WORDS - 1) /* the one with a patch: it is read last */
#define ORIGINAL 0x55

struct race {
	struct cordbmem_process *process;
	uint64_t address;
	_Atomic(unsigned long) reads, traps;
	atomic_bool stop;
};

static void *read_on(void *context)
{
	struct race *race = context;
	struct cordbmem_scatter elements[WORDS];
	uint64_t words[WORDS];

	while (!race->stop) {
		aim(elements, words, WORDS, race->process, race->address, 64);
		if (cordbmem_read_scatter(elements, WORDS) != S_OK)
			die("a scattered read");
		race->traps += (words[TRAPPED] & 0xff) == 0xcc;
		race->reads++;
	}
	return NULL;
}

static void wait_for_reads(struct race *race)
{
	for (unsigned long enough = race->reads + 5; race->reads < enough;)
		;
}

/* A patch is registered, then the trap written: who begins before, and sees the trap, has to hide it. */
TEST_F_TIMEOUT(scatter, hides_a_patch_that_comes_while_it_reads, 120)
{
	const size_t size = WORDS * 64;
	const BYTE original[] = { ORIGINAL };
	uint8_t *shared = island(size, PROT_READ | PROT_WRITE, MAP_SHARED, memory_file(size, 0));
	struct child target;
	double end;
	int rounds;

	memset(shared, ORIGINAL, size);
	target = child_start();
	end = seconds() + 10;
	for (rounds = 0; rounds <= 20 || (rounds < 400 && seconds() < end); rounds++) {
		struct race race = { .address = number(shared) };
		const uint64_t trapped = number(shared) + TRAPPED * 64;
		cordbmem_patch_id id;
		pthread_t reader;

		ASSERT_EQ(S_OK, cordbmem_process_open(target.pid, NULL, &race.process, NULL));
		ASSERT_EQ(S_OK,
			  cordbmem_process_pin_window(race.process, race.address, size, NULL));
		ASSERT_EQ(0, pthread_create(&reader, NULL, read_on, &race));
		wait_for_reads(&race);
		ASSERT_EQ(S_OK,
			  cordbmem_process_add_patch(race.process, trapped, original, 1, &id));
		shared[TRAPPED * 64] = 0xcc;
		wait_for_reads(&race);
		race.stop = true;
		pthread_join(reader, NULL);
		shared[TRAPPED * 64] = ORIGINAL;
		EXPECT_EQ(0, (unsigned long)race.traps)
		TH_LOG("in round %d", rounds);
		cordbmem_process_free(race.process);
	}
	child_end(&target);
}

#define BLOCKS 28
#define READERS 2
#define ENOUGH 300

/* Two of them want the same slot each; together they are more than there can be windows. */
static uint64_t block_address(uint64_t block)
{
	return (300 + block / 2 + block % 2 * 64) * ((uint64_t)64 << 30) + 5 * PAGE;
}

static long map_blocks(long unused)
{
	(void)unused;
	for (uint64_t block = 0; block < BLOCKS; block++) {
		uint64_t *words = pointer(block_address(block));

		if (!pages_at(words, PAGE))
			return errno;
		for (size_t i = 0; i < PAGE / 8; i++)
			words[i] = block;
	}
	return 0;
}

struct crowd {
	struct cordbmem_process *process;
	_Atomic(unsigned long) reads, wrong;
	atomic_bool stop;
};

static void *read_blocks(void *context)
{
	struct crowd *crowd = context;
	unsigned short random[3] = { (unsigned short)number(&random), 3, 4 };
	struct cordbmem_scatter elements[WORDS];
	uint64_t words[WORDS];

	while (!crowd->stop) {
		uint64_t block = below(random, BLOCKS);

		for (size_t times = below(random, 6) + 1; times; times--) {
			aim(elements, words, WORDS, crowd->process, block_address(block), 8);
			if (cordbmem_read_scatter(elements, WORDS) != S_OK)
				die("a scattered read");
			for (size_t i = 0; i < WORDS; i++)
				crowd->wrong += words[i] != block;
			crowd->reads++;
		}
	}
	return NULL;
}

TEST_F_TIMEOUT(scatter, reads_none_of_another_window_that_takes_the_place, 120)
{
	struct crowd crowd = { .process = self->processes[0] };
	struct cordbmem_window_stats stats = { .size = sizeof(stats) };
	pthread_t readers[READERS];
	double end = seconds() + 5;

	ASSERT_EQ(0, child_call(&self->targets[0], map_blocks, 0));
	for (int i = 0; i < READERS; i++)
		ASSERT_EQ(0, pthread_create(&readers[i], NULL, read_blocks, &crowd));
	while (seconds() < end || (crowd.reads <= ENOUGH && seconds() < end + 60))
		usleep(1000);
	crowd.stop = true;
	for (int i = 0; i < READERS; i++)
		pthread_join(readers[i], NULL);
	EXPECT_EQ(0, (unsigned long)crowd.wrong);
	EXPECT_LT(ENOUGH, (unsigned long)crowd.reads);
	EXPECT_EQ(S_OK, cordbmem_process_window_stats(self->processes[0], &stats));
	TH_LOG("%lu reads, %llu populates, %u windows", (unsigned long)crowd.reads,
	       (unsigned long long)stats.populates, (unsigned int)stats.windows);
	EXPECT_LT(BLOCKS, stats.populates);
}

TEST_HARNESS_MAIN
