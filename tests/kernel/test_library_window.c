// SPDX-License-Identifier: MIT
/*
 * The library's windows: reads are the same with them as without, whatever the target does.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <cordbmem/cordbmem.h>
#include <linux/cordbmem.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#define SEED 17
#define PAGES 300
#define SIZE (PAGES * PAGE)

FIXTURE(windows)
{
	uint8_t *source;
	uint64_t address;
	struct child target;
	struct cordbmem_process *process;
	uint8_t buffer[SIZE];
};

static long touch_all(long address)
{
	volatile uint8_t *bytes = pointer((uint64_t)address);

	for (size_t i = 0; i < SIZE; i += PAGE)
		bytes[i] = bytes[i];
	return 0;
}

FIXTURE_SETUP(windows)
{
	ASSERT_TRUE(has_feature(device_open(), CORDBMEM_FEATURE_WINDOW));
	self->source = island_pages(PAGES);
	self->address = number(self->source);
	pattern_fill(self->source, SIZE, SEED, self->address);
	self->target = child_start();
	/* Its own from then on, not the test's too: written in place. */
	child_call(&self->target, touch_all, (long)self->address);
	munmap(self->source, SIZE);
	ASSERT_EQ(S_OK, cordbmem_process_open(self->target.pid, NULL, &self->process, NULL));
}

FIXTURE_TEARDOWN(windows)
{
	cordbmem_process_free(self->process);
	child_end(&self->target);
}

static struct cordbmem_window_stats stats_of(const struct cordbmem_process *process)
{
	struct cordbmem_window_stats stats = { .size = sizeof(stats) };

	if (cordbmem_process_window_stats((struct cordbmem_process *)(uintptr_t)process, &stats))
		die("the statistics");
	return stats;
}

static uint64_t word_at(struct cordbmem_process *process, uint64_t address)
{
	uint64_t word = 0;
	SIZE_T got = 0;

	if (cordbmem_ReadMemory(process, address, 8, (BYTE *)&word, &got) || got != 8)
		die("reading a word");
	return word;
}

static long write_word(long address)
{
	*(volatile uint64_t *)(uintptr_t)address += 1;
	return 0;
}

static long drop_page(long address)
{
	return madvise(pointer((uint64_t)address), PAGE, MADV_DONTNEED);
}

static long forbid_page(long address)
{
	return mprotect(pointer((uint64_t)address), PAGE, PROT_NONE);
}

static long unmap_page(long address)
{
	return munmap(pointer((uint64_t)address), PAGE);
}

static long put_traps(long address)
{
	memset(pointer((uint64_t)address), 0xcc, PAGE);
	return 0;
}

TEST_F(windows, hot_pages_get_one)
{
	for (int i = 0; i < 10; i++)
		word_at(self->process, self->address);
	EXPECT_EQ(1, stats_of(self->process).windows);
	EXPECT_EQ(1, stats_of(self->process).populates);
	EXPECT_LE(1, stats_of(self->process).pages);
	EXPECT_EQ(0, stats_of(self->process).fallbacks);
}

TEST_F(windows, every_size_and_alignment_reads_what_is_there)
{
	static const DWORD lengths[] = { 1,  2,	 3,  4,	 7,  8,	  9,	15,   16,   17,	  31,
					 32, 33, 63, 64, 65, 255, 4095, 4096, 4097, 70000 };
	SIZE_T got;

	for (int round = 0; round < 3; round++) {
		for (uint64_t offset = 0; offset < 2 * PAGE; offset += offset < 20 ? 1 : 501) {
			for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
				memset(self->buffer, POISON, lengths[i] + 1);
				ASSERT_EQ(S_OK,
					  cordbmem_ReadMemory(self->process, self->address + offset,
							      lengths[i], self->buffer, &got));
				ASSERT_EQ(lengths[i], got);
				ASSERT_EQ(lengths[i], pattern_check(self->buffer, lengths[i], SEED,
								    self->address + offset));
				ASSERT_EQ(POISON, self->buffer[lengths[i]]);
			}
		}
	}
	for (int round = 0; round < 4; round++) {
		memset(self->buffer, POISON, SIZE);
		ASSERT_EQ(S_OK, cordbmem_ReadMemory(self->process, self->address, SIZE,
						    self->buffer, &got));
		ASSERT_EQ(SIZE, pattern_check(self->buffer, SIZE, SEED, self->address));
	}
	EXPECT_EQ(PAGES, stats_of(self->process).pages);
}

TEST_F(windows, writes_are_seen_at_once)
{
	uint64_t at = self->address + 3 * PAGE, before;

	for (int i = 0; i < 5; i++)
		word_at(self->process, at);
	before = word_at(self->process, at);
	for (uint64_t i = 1; i < 100; i++) {
		child_call(&self->target, write_word, (long)at);
		ASSERT_EQ(before + i, word_at(self->process, at));
	}
	/* Not one for each write; more than one where leases end or pages move from node to node. */
	EXPECT_GT(5, stats_of(self->process).populates);
}

TEST_F(windows, what_goes_away_is_gone_at_once)
{
	uint64_t at = self->address + 16 * PAGE;
	uint64_t word;
	SIZE_T got;

	for (int i = 0; i < 5; i++)
		word_at(self->process, at);
	EXPECT_EQ(0, child_call(&self->target, drop_page, (long)at));
	EXPECT_EQ(0, word_at(self->process, at));
	for (int i = 0; i < 50; i++)
		ASSERT_EQ(0, word_at(self->process, at));
	child_call(&self->target, write_word, (long)at);
	EXPECT_EQ(1, word_at(self->process, at));

	/* Not readable for the target itself, but for ReadMemory. */
	EXPECT_EQ(0, child_call(&self->target, forbid_page, (long)at));
	for (int i = 0; i < 50; i++)
		ASSERT_EQ(1, word_at(self->process, at));
	EXPECT_EQ(0, child_call(&self->target, unmap_page, (long)at));
	for (int i = 0; i < 50; i++) {
		ASSERT_EQ(CORDBG_E_READVIRTUAL_FAILURE,
			  cordbmem_ReadMemory(self->process, at, 8, (BYTE *)&word, &got));
		ASSERT_EQ(CORDBMEM_E_PARTIAL_COPY,
			  cordbmem_ReadMemory(self->process, at - 4, 8, (BYTE *)&word, &got));
		ASSERT_EQ(4, got);
	}
	child_end(&self->target);
	EXPECT_EQ(CORDBG_E_PROCESS_TERMINATED,
		  cordbmem_ReadMemory(self->process, at - PAGE, 8, (BYTE *)&word, &got));
	EXPECT_EQ(CORDBG_E_OBJECT_NEUTERED,
		  cordbmem_ReadMemory(self->process, at - PAGE, 8, (BYTE *)&word, &got));
	self->target = child_start();
}

TEST_F(windows, patches_are_hidden)
{
	uint64_t at = self->address + 9 * PAGE, word;
	static const BYTE original[] = { 0x55 };
	cordbmem_patch_id id;

	child_call(&self->target, put_traps, (long)at);
	for (int i = 0; i < 5; i++)
		word_at(self->process, at);
	ASSERT_EQ(S_OK, cordbmem_process_add_patch(self->process, at + 3, original, 1, &id));
	EXPECT_EQ(0xcccccccc55cccccc, word_at(self->process, at));
	EXPECT_EQ(0xcccccccccccccccc, word_at(self->process, at + 512));
	ASSERT_EQ(S_OK, cordbmem_process_remove_patch(self->process, id));
	EXPECT_EQ(0xcccccccccccccccc, word_at(self->process, at));
	/* The filter is made anew more than once. */
	for (uint64_t i = 0; i < 3000; i++) {
		ASSERT_EQ(S_OK, cordbmem_process_add_patch(self->process, at + i % 4000, original,
							   1, &id));
		word = word_at(self->process, (at + i % 4000) & ~7ULL);
		ASSERT_EQ(0x55, word >> i % 8 * 8 & 0xff);
		ASSERT_EQ(S_OK, cordbmem_process_remove_patch(self->process, id));
	}
}

/* The quickest ways know words and few bytes, and tell by granules of addresses what has no patch. */
TEST_F_TIMEOUT(windows, patches_are_hidden_from_reads_of_every_size_around, 120)
{
	static const BYTE original[] = { 0x55, 0x56 };
	/* beside granules of 128 bytes, across two of them, across two pages */
	static const size_t patches[] = { 640, 1023, 2 * PAGE - 1 };
	uint64_t at = self->address + 9 * PAGE;
	uint8_t expected[3 * PAGE];
	struct cordbmem_scatter element;
	SIZE_T got;

	memset(expected, 0xcc, sizeof(expected));
	for (uint64_t page = 0; page < 3; page++)
		child_call(&self->target, put_traps, (long)(at + page * PAGE));
	for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
		ASSERT_EQ(S_OK, cordbmem_process_add_patch(self->process, at + patches[i], original,
							   2, NULL));
		memcpy(expected + patches[i], original, 2);
	}
	for (int round = 0; round < 4; round++)
		for (uint64_t page = 0; page < 3; page++)
			word_at(self->process, at + page * PAGE);
	for (size_t i = 0; i < ARRAY_SIZE(patches); i++) {
		for (DWORD size = 1; size <= 72; size++) {
			for (size_t from = patches[i] - 75; from < patches[i] + 4; from++) {
				memset(self->buffer, POISON ^ 0xff, size + 1);
				ASSERT_EQ(S_OK, cordbmem_ReadMemory(self->process, at + from, size,
								    self->buffer, &got));
				ASSERT_EQ(size, got);
				ASSERT_EQ(0, memcmp(self->buffer, expected + from, size))
				TH_LOG("%u bytes from %zu", size, from);
				ASSERT_EQ(POISON ^ 0xff, self->buffer[size]);
				element = (struct cordbmem_scatter){
					.process = self->process,
					.address = at + from,
					.buffer = self->buffer,
					.size = size,
				};
				memset(self->buffer, POISON ^ 0xff, size);
				ASSERT_EQ(S_OK, cordbmem_read_scatter(&element, 1));
				ASSERT_EQ(size, element.read);
				ASSERT_EQ(0, memcmp(self->buffer, expected + from, size));
			}
		}
	}
	EXPECT_EQ(0, stats_of(self->process).fallbacks);
}

TEST_F(windows, off_is_off)
{
	for (int i = 0; i < 5; i++)
		word_at(self->process, self->address);
	EXPECT_EQ(1, stats_of(self->process).windows);
	EXPECT_EQ(S_OK, cordbmem_process_set_windows(self->process, CORDBMEM_WINDOWS_OFF));
	EXPECT_EQ(0, stats_of(self->process).windows);
	for (int i = 0; i < 5; i++)
		word_at(self->process, self->address);
	EXPECT_EQ(0, stats_of(self->process).windows);
	EXPECT_EQ(E_NOTIMPL, cordbmem_process_pin_window(self->process, self->address, 8, NULL));
	EXPECT_EQ(S_OK, cordbmem_process_set_windows(self->process, CORDBMEM_WINDOWS_AUTO));
	for (int i = 0; i < 5; i++)
		word_at(self->process, self->address);
	EXPECT_EQ(1, stats_of(self->process).windows);
	EXPECT_EQ(E_INVALIDARG,
		  cordbmem_process_set_windows(self->process, (enum cordbmem_windows)9));
}

TEST_F(windows, a_pin_maps_at_once_and_again)
{
	uint64_t at = self->address + 20 * PAGE;
	SIZE_T pages;
	uint64_t populates;

	ASSERT_EQ(S_OK,
		  cordbmem_process_pin_window(self->process, self->address + 1, SIZE - 2, &pages));
	EXPECT_EQ(PAGES, pages);
	populates = stats_of(self->process).populates;
	word_at(self->process, at);
	EXPECT_EQ(populates, stats_of(self->process).populates);
	for (uint64_t i = 1; i < 10; i++) {
		child_call(&self->target, drop_page, (long)at);
		word_at(self->process, at);
		EXPECT_EQ(populates + i, stats_of(self->process).populates);
		word_at(self->process, at);
		EXPECT_EQ(populates + i, stats_of(self->process).populates);
	}
	EXPECT_EQ(E_INVALIDARG, cordbmem_process_pin_window(self->process, at, 0, NULL));
	EXPECT_EQ(E_INVALIDARG, cordbmem_process_pin_window(self->process, UINT64_MAX, 8, NULL));
	EXPECT_EQ(S_OK, cordbmem_process_pin_window(self->process, 4096, 8, &pages));
	EXPECT_EQ(0, pages);
}

static atomic_long drops;

static void *drop_on(void *page)
{
	for (;; drops++)
		madvise(page, PAGE, MADV_DONTNEED);
	return NULL;
}

static long start_to_drop(long address)
{
	pthread_t thread;

	return pthread_create(&thread, NULL, drop_on, pointer((uint64_t)address));
}

static long count_drops(long unused)
{
	(void)unused;
	return drops;
}

TEST_F_TIMEOUT(windows, a_restless_page_is_left_to_plain_reads, 120)
{
	uint64_t at = self->address + 20 * PAGE, slow = 0;

	ASSERT_EQ(0, child_call(&self->target, start_to_drop, (long)at));
	while (!child_call(&self->target, count_drops, 0))
		usleep(1000);
	do {
		for (int i = 0; i < 2000; i++) {
			double begin = seconds();

			ASSERT_EQ(0, word_at(self->process, at));
			/* A reader that was kept from running may find a page that had its 10 ms of rest. */
			slow += seconds() - begin > 0.005;
		}
	} while (child_call(&self->target, count_drops, 0) < 1000);
	/* Without a limit it would be every other read, and each of them in vain. */
	EXPECT_GT(100 + 4 * slow, stats_of(self->process).populates)
	TH_LOG("%lu slow rounds", (unsigned long)slow);
}

TEST_F(windows, a_child_of_fork_reads_without_them)
{
	uint64_t word;
	int status;
	pid_t pid;

	for (int i = 0; i < 5; i++)
		word = word_at(self->process, self->address);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 10; i++)
			if (word_at(self->process, self->address) != word)
				_exit(1);
		_exit(stats_of(self->process).windows == 1 ? 0 : 2);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(word, word_at(self->process, self->address));
}

TEST_F(windows, checked_reads_agree)
{
	SIZE_T got;

	ASSERT_EQ(S_OK, cordbmem_process_set_windows(self->process, CORDBMEM_WINDOWS_CHECKED));
	for (int i = 0; i < 20; i++) {
		word_at(self->process, self->address + 8);
		ASSERT_EQ(S_OK, cordbmem_ReadMemory(self->process, self->address + 5, 100000,
						    self->buffer, &got));
		ASSERT_EQ(100000, pattern_check(self->buffer, 100000, SEED, self->address + 5));
	}
	EXPECT_LT(10, stats_of(self->process).checked);
	EXPECT_EQ(0, stats_of(self->process).mismatches);
}

#define BLOCKS 40
#define BLOCK_SIZE ((uint64_t)64 << 30)

/* Where a window for it is a window for no other. */
static uint64_t block_address(uint64_t block)
{
	return (block + 300) * BLOCK_SIZE + 5 * PAGE;
}

static long map_blocks(long unused)
{
	(void)unused;
	for (uint64_t block = 0; block < BLOCKS; block++) {
		uint64_t *words = pointer(block_address(block));

		if (!pages_at(words, PAGE))
			return errno;
		words[0] = block + 1;
	}
	return 0;
}

TEST_F(windows, those_that_are_not_used_give_way)
{
	ASSERT_EQ(0, child_call(&self->target, map_blocks, 0));
	for (int round = 0; round < 3; round++) {
		uint64_t before = stats_of(self->process).populates;

		for (uint64_t block = 1; block < BLOCKS; block++) {
			for (int i = 0; i < 3; i++) {
				ASSERT_EQ(block + 1, word_at(self->process, block_address(block)));
				ASSERT_EQ(1, word_at(self->process, block_address(0)));
			}
		}
		EXPECT_EQ(16, stats_of(self->process).windows);
		/* One is always in use: it stays once the others have been passed by, and they come and go. */
		EXPECT_LE(stats_of(self->process).populates, before + BLOCKS + 3);
	}
}

static long map_at_zero(long pages)
{
	return mmap(NULL, (size_t)pages * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED;
}

TEST_F(windows, address_0_stays_invalid)
{
	uint64_t word;
	SIZE_T got;

	if (file_write_number("/proc/sys/vm/mmap_min_addr", 0) ||
	    child_call(&self->target, map_at_zero, 20))
		SKIP(return, "nothing can be mapped at address 0");
	for (int i = 0; i < 10; i++) {
		word_at(self->process, 8);
		word_at(self->process, PAGE);
		EXPECT_EQ(E_INVALIDARG,
			  cordbmem_ReadMemory(self->process, 0, 8, (BYTE *)&word, &got));
		EXPECT_EQ(E_INVALIDARG,
			  cordbmem_ReadMemory(self->process, 0, 3, (BYTE *)&word, &got));
	}
}

TEST_F(windows, a_pin_that_fails_keeps_nothing)
{
	SIZE_T pages;

	/* Far more blocks than there can be windows. */
	EXPECT_EQ(E_OUTOFMEMORY,
		  cordbmem_process_pin_window(self->process, 1ULL << 40, 40ULL << 36, &pages));
	/* Beyond user space, whatever went wrong before; and none of that turned windows off. */
	errno = ESRCH;
	EXPECT_EQ(E_OUTOFMEMORY,
		  cordbmem_process_pin_window(self->process, 1ULL << 52, PAGE, &pages));
	for (int i = 0; i < 10; i++)
		word_at(self->process, self->address);
	EXPECT_LE(1, stats_of(self->process).pages);
}

TEST_F(windows, cost_no_memory_in_a_process_that_locks_all_it_has)
{
	const pid_t self_pid = getpid();
	long before;

	ASSERT_EQ(0, mlockall(MCL_CURRENT | MCL_FUTURE));
	before = proc_number(self_pid, "status", "VmPTE:");
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 10; i++)
			word_at(self->process, self->address);
		EXPECT_EQ(1, stats_of(self->process).windows);
		EXPECT_EQ(S_OK, cordbmem_process_set_windows(self->process, CORDBMEM_WINDOWS_OFF));
		EXPECT_EQ(0, stats_of(self->process).windows);
		word_at(self->process, self->address);
		EXPECT_EQ(S_OK, cordbmem_process_set_windows(self->process, CORDBMEM_WINDOWS_AUTO));
	}
	EXPECT_GT(before + 1024, proc_number(self_pid, "status", "VmPTE:"));
	munlockall();
}

TEST_F(windows, are_not_had_without_address_space)
{
	struct rlimit limit = { 1 << 30, RLIM_INFINITY };

	ASSERT_EQ(0, setrlimit(RLIMIT_AS, &limit));
	for (int i = 0; i < 20; i++)
		ASSERT_EQ(8, pattern_check(&(uint64_t){ word_at(self->process, self->address) }, 8,
					   SEED, self->address));
	EXPECT_EQ(0, stats_of(self->process).windows);
}

static int stay(void *unused)
{
	(void)unused;
	for (;;)
		pause();
	return 0;
}

/* Somebody who has the same memory, and whom nobody tells when this process ends. */
static long leave_a_sharer(long unused)
{
	static uint64_t stack[1024];

	(void)unused;
	return clone(stay, stack + ARRAY_SIZE(stack), CLONE_VM, NULL);
}

#define LEASE "/sys/module/cordbmem/parameters/window_lease"

/* docs/window.md: the one case in which a target's end shows late. */
TEST_F(windows, of_memory_that_others_share_outlive_the_target_by_a_lease_at_most)
{
	long sharer = child_call(&self->target, leave_a_sharer, 0);
	HRESULT hr = S_OK;
	uint64_t word;
	double begin;
	SIZE_T got;

	ASSERT_LT(0, sharer);
	file_write_number(LEASE, 1);
	for (int i = 0; i < 5; i++)
		word_at(self->process, self->address);
	child_end(&self->target);
	begin = seconds();
	while (hr == S_OK && seconds() < begin + 20)
		hr = cordbmem_ReadMemory(self->process, self->address, 8, (BYTE *)&word, &got);
	EXPECT_EQ(CORDBG_E_PROCESS_TERMINATED, hr);
	EXPECT_GT(8, seconds() - begin);
	file_write_number(LEASE, 10);
	kill((pid_t)sharer, SIGKILL);
}

/* One call has noticed the end, while the windows show what the sharer still has. */
TEST_F(windows, are_not_read_once_the_end_was_noticed)
{
	static const DWORD sizes[] = { 1, 4, 8, 64, 256 };
	long sharer = child_call(&self->target, leave_a_sharer, 0);

	ASSERT_LT(0, sharer);
	for (int i = 0; i < 5; i++)
		word_at(self->process, self->address);
	child_end(&self->target);
	EXPECT_EQ(0, cordbmem_process_is_alive(self->process));
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct cordbmem_scatter element = {
			.process = self->process,
			.address = self->address,
			.buffer = self->buffer,
			.size = sizes[i],
		};

		EXPECT_EQ(CORDBG_E_OBJECT_NEUTERED,
			  cordbmem_ReadMemory(self->process, self->address, sizes[i], self->buffer,
					      NULL));
		cordbmem_read_scatter(&element, 1);
		EXPECT_EQ(CORDBG_E_OBJECT_NEUTERED, element.result);
	}
	kill((pid_t)sharer, SIGKILL);
}

static struct cordbmem_process *closed;
static atomic_bool may_close;

static void *close_it(void *unused)
{
	while (!may_close)
		;
	cordbmem_process_close(closed);
	return unused;
}

/* Whoever has heard of the close from one call reads nothing by the next. */
TEST_F(windows, are_not_read_once_the_close_was_noticed)
{
	double end = seconds() + 8;
	pthread_t closer;
	uint64_t word;

	for (int round = 0; round < 1000 && seconds() < end; round++) {
		ASSERT_EQ(S_OK, cordbmem_process_open(self->target.pid, NULL, &closed, NULL));
		for (int i = 0; i < 5; i++)
			word_at(closed, self->address);
		may_close = false;
		ASSERT_EQ(0, pthread_create(&closer, NULL, close_it, NULL));
		may_close = true;
		while (cordbmem_process_add_patches(closed, NULL, 0) == S_OK)
			;
		EXPECT_EQ(CORDBG_E_OBJECT_NEUTERED,
			  cordbmem_ReadMemory(closed, self->address, 8, (BYTE *)&word, NULL))
		TH_LOG("in round %d", round);
		pthread_join(closer, NULL);
		cordbmem_process_free(closed);
	}
}

TEST_F(windows, close_lets_go_of_the_target)
{
	int before = open_fds();

	for (int i = 0; i < 10; i++)
		word_at(self->process, self->address);
	EXPECT_LT(before, open_fds());
	EXPECT_EQ(S_OK, cordbmem_process_close(self->process));
	EXPECT_GE(before, open_fds());
	EXPECT_EQ(CORDBG_E_OBJECT_NEUTERED,
		  cordbmem_ReadMemory(self->process, self->address, 8, self->buffer, NULL));
}

TEST_HARNESS_MAIN
