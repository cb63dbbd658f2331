// SPDX-License-Identifier: GPL-2.0
/*
 * READ: which bytes, how many, and why no more. The target is a child with a pattern between
 * two holes.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#define SEED 1
#define PAGES 4
#define SIZE (PAGES * PAGE)

FIXTURE(read)
{
	int device;
	uint8_t *source; /* in the target; in the test there is a hole */
	uint64_t address;
	uint64_t end;
	struct child target;
	struct guarded buffer;
};

FIXTURE_SETUP(read)
{
	self->device = device_open();
	self->source = island_pages(PAGES);
	self->address = number(self->source);
	self->end = self->address + SIZE;
	pattern_fill(self->source, SIZE, SEED, self->address);
	self->target = child_start();
	munmap(self->source, SIZE);
	self->buffer = guarded_new(SIZE + PAGE);
}

FIXTURE_TEARDOWN(read)
{
	child_end(&self->target);
	guarded_free(&self->buffer);
	close(self->device);
}

/* A read of @length at @address must yield @count bytes, and say @error if that is not all. */
#define EXPECT_BYTES(count, wanted_error, at, length_, flags_)                               \
	do {                                                                                 \
		const uint64_t e_count = (count), e_at = (at), e_length = (length_);         \
		const int e_error = (wanted_error);                                          \
		struct cordbmem_read e_read =                                                \
			read_argument(self->target.pid, e_at, self->buffer.bytes, e_length); \
		int e_errno;                                                                 \
                                                                                             \
		guarded_wipe(&self->buffer);                                                 \
		e_read.flags = (flags_);                                                     \
		e_errno = call_read(self->device, &e_read);                                  \
		ASSERT_EQ(e_count || !e_length ? 0 : e_error, e_errno)                       \
		TH_LOG("%#lx + %#lx", e_at, e_length);                                       \
		ASSERT_EQ(e_count, e_read.bytes_read)                                        \
		TH_LOG("%#lx + %#lx", e_at, e_length);                                       \
		ASSERT_EQ(e_count == e_length ? 0 : e_error, e_read.error)                   \
		TH_LOG("%#lx + %#lx", e_at, e_length);                                       \
		ASSERT_EQ(0, e_read.reserved2);                                              \
		ASSERT_EQ(e_count, pattern_check(self->buffer.bytes, e_count, SEED, e_at))   \
		TH_LOG("%#lx + %#lx", e_at, e_length);                                       \
		ASSERT_TRUE(guarded_intact_from(&self->buffer, e_length < self->buffer.size  \
								       ? e_length            \
								       : self->buffer.size)) \
		TH_LOG("%#lx + %#lx", e_at, e_length);                                       \
	} while (0)

TEST_F(read, every_small_size_at_every_alignment)
{
	for (uint64_t offset = 0; offset < 16; offset++)
		for (uint64_t length = 1; length <= 40; length++) {
			EXPECT_BYTES(length, 0, self->address + offset, length, 0);
		}
}

TEST_F(read, sizes_around_every_boundary)
{
	static const uint64_t lengths[] = {
		1,    2,    7,	  8,	9,    63,   64,	  65,	 127,	128,  129,
		255,  256,  257,  511,	512,  513,  1023, 1024,	 1025,	2047, 2048,
		2049, 4095, 4096, 4097, 8191, 8192, 8193, 12287, 12288,
	};

	for (uint64_t offset = PAGE - 18; offset <= PAGE + 18; offset++)
		for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
			if (offset + lengths[i] <= SIZE)
				EXPECT_BYTES(lengths[i], 0, self->address + offset, lengths[i], 0);
}

TEST_F(read, one_to_four_pages)
{
	for (uint64_t first = 0; first < PAGES; first++)
		for (uint64_t count = 1; first + count <= PAGES; count++) {
			EXPECT_BYTES(count * PAGE, 0, self->address + first * PAGE, count * PAGE,
				     0);
		}
}

TEST_F(read, buffer_at_every_alignment)
{
	for (size_t shift = 0; shift < 16; shift++) {
		struct cordbmem_read read = read_argument(self->target.pid, self->address + 4090,
							  self->buffer.bytes + shift, 300);

		guarded_wipe(&self->buffer);
		ASSERT_EQ(0, call_read(self->device, &read));
		ASSERT_EQ(300, read.bytes_read);
		ASSERT_EQ(300, pattern_check(self->buffer.bytes + shift, 300, SEED,
					     self->address + 4090));
		ASSERT_TRUE(guarded_intact_from(&self->buffer, shift + 300));
	}
}

TEST_F(read, buffer_across_a_page_boundary_of_the_caller)
{
	uint8_t *pages = island_pages(4);

	for (size_t before = 0; before <= 70; before += 5) {
		struct cordbmem_read read = read_argument(self->target.pid, self->address + 11,
							  pages + PAGE - before, 5000);

		memset(pages, 0, 4 * PAGE);
		ASSERT_EQ(0, call_read(self->device, &read));
		ASSERT_EQ(5000, read.bytes_read);
		ASSERT_EQ(5000,
			  pattern_check(pages + PAGE - before, 5000, SEED, self->address + 11));
	}
}

TEST_F(read, partial_count_is_exact_to_the_byte)
{
	static const uint64_t beyond[] = { 1, 2, 8, 63, 255, 4095, 4096, 4097, 1 << 20 };

	for (uint64_t before = 1; before <= 300; before += before < 70 ? 1 : 23)
		for (size_t i = 0; i < ARRAY_SIZE(beyond); i++) {
			EXPECT_BYTES(before, EIO, self->end - before, before + beyond[i], 0);
		}
	EXPECT_BYTES(SIZE, EIO, self->address, SIZE + 1, 0);
	EXPECT_BYTES(SIZE - 1, EIO, self->address + 1, SIZE + PAGE, 0);
	EXPECT_BYTES(PAGE, EIO, self->end - PAGE, 2 * PAGE, 0);
}

TEST_F(read, first_byte_in_a_hole_is_EIO)
{
	static const uint64_t lengths[] = { 1, 8, 255, 257, 4096, 1 << 20 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		EXPECT_BYTES(0, EIO, self->end, lengths[i], 0);
		EXPECT_BYTES(0, EIO, self->end + 17, lengths[i], 0);
		/* What comes after the hole does not count. */
		EXPECT_BYTES(0, EIO, self->address - 1, lengths[i], 0);
	}
}

static long unmap_page(long address)
{
	return munmap(pointer((uint64_t)address), PAGE);
}

static long protect_page(long address)
{
	return mprotect(pointer((uint64_t)address), PAGE, PROT_NONE);
}

TEST_F(read, stops_at_a_hole_in_the_middle)
{
	ASSERT_EQ(0, child_call(&self->target, unmap_page, (long)(self->address + 2 * PAGE)));
	EXPECT_BYTES(2 * PAGE, EIO, self->address, SIZE, 0);
	EXPECT_BYTES(100, EIO, self->address + 2 * PAGE - 100, 2 * PAGE, 0);
	EXPECT_BYTES(0, EIO, self->address + 3 * PAGE - 1, 2, 0);
	EXPECT_BYTES(PAGE, 0, self->address + 3 * PAGE, PAGE, 0);
}

TEST_F(read, stops_at_a_protected_page)
{
	ASSERT_EQ(0, child_call(&self->target, protect_page, (long)(self->address + 2 * PAGE)));
	EXPECT_BYTES(2 * PAGE, EIO, self->address, SIZE, 0);
	EXPECT_BYTES(1, EIO, self->address + 2 * PAGE - 1, 2, 0);
	EXPECT_BYTES(0, EIO, self->address + 2 * PAGE, 1, 0);
	EXPECT_BYTES(PAGE, 0, self->address + 3 * PAGE, PAGE, 0);
}

TEST_F(read, no_bytes_of_an_existing_target_succeed)
{
	struct cordbmem_read read;

	EXPECT_BYTES(0, 0, self->address, 0, 0);
	EXPECT_BYTES(0, 0, self->end, 0, 0);
	EXPECT_BYTES(0, 0, 0, 0, 0);
	EXPECT_BYTES(0, 0, UINT64_MAX, 0, 0);
	/* and no buffer is needed for them */
	read = read_argument(self->target.pid, self->address, NULL, 0);
	EXPECT_EQ(0, call_read(self->device, &read));
	EXPECT_EQ(0, read.bytes_read);
	EXPECT_EQ(0, read.error);
}

TEST_F(read, no_bytes_of_a_missing_target_are_ESRCH)
{
	struct cordbmem_read read = read_argument(NO_PID, self->address, NULL, 0);

	EXPECT_EQ(ESRCH, call_read(self->device, &read));
}

/* The length alone is never an error: the bytes before the hole come. */
TEST_F(read, length_up_to_the_whole_address_space)
{
	static const uint64_t lengths[] = {
		0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x100000001, 1ULL << 44,
	};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		EXPECT_BYTES(16, EIO, self->end - 16, lengths[i], 0);
		EXPECT_BYTES(SIZE, EIO, self->address, lengths[i], 0);
		EXPECT_BYTES(0, EIO, self->end, lengths[i], 0);
	}
}

/* No buffer can be that long: exact bytes, or EFAULT and none; never beyond the target's hole. */
TEST_F(read, length_beyond_the_address_space)
{
	static const uint64_t lengths[] = {
		1ULL << 47, 1ULL << 62, 1ULL << 63, INT64_MAX, UINT64_MAX - 4095, UINT64_MAX,
	};

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		struct cordbmem_read read = read_argument(self->target.pid, self->end - 16,
							  self->buffer.bytes, lengths[i]);
		int error;

		guarded_wipe(&self->buffer);
		error = call_read(self->device, &read);
		if (error) {
			EXPECT_EQ(EFAULT, error);
			EXPECT_EQ(0, read.bytes_read);
			EXPECT_EQ(EFAULT, read.error);
			EXPECT_TRUE(guarded_intact_from(&self->buffer, 0));
		} else {
			EXPECT_EQ(16, read.bytes_read);
			EXPECT_EQ(EIO, read.error);
			EXPECT_EQ(16, pattern_check(self->buffer.bytes, 16, SEED, self->end - 16));
			EXPECT_TRUE(guarded_intact_from(&self->buffer, 16));
		}
	}
}

TEST_F(read, addresses_outside_user_space_are_EIO)
{
	static const uint64_t addresses[] = {
		0x00007ffffffff000, 0x00007fffffffffff, 0x0000800000000000, 0x0000800000000001,
		0x00ff000000000000, 0x7fffffffffffffff, 0x8000000000000000, 0xff00000000000000,
		0xffff7fffffffffff, 0xffff800000000000, 0xffff888000000000, 0xffff888000100000,
		0xffffea0000000000, 0xffffffff80000000, 0xffffffff81000000, 0xffffffffff5ff000,
		0xffffffffff600000, 0xffffffffff600400, 0xfffffffffffff000, 0xfffffffffffffff0,
		0xffffffffffffffff,
	};
	static const uint32_t flags[] = {
		0,
		CORDBMEM_READ_FORCE,
		CORDBMEM_READ_NOFAULT,
		CORDBMEM_READ_FORCE | CORDBMEM_READ_NOFAULT,
	};
	static const uint64_t lengths[] = { 1, 16, 32, 300, 8192 };

	for (size_t a = 0; a < ARRAY_SIZE(addresses); a++)
		for (size_t f = 0; f < ARRAY_SIZE(flags); f++)
			for (size_t l = 0; l < ARRAY_SIZE(lengths); l++) {
				EXPECT_BYTES(0, EIO, addresses[a], lengths[l], flags[f]);
			}
}

TEST_F(read, address_zero_is_EIO)
{
	EXPECT_BYTES(0, EIO, 0, 1, 0);
	EXPECT_BYTES(0, EIO, 0, PAGE, CORDBMEM_READ_FORCE);
}

/* A tag in the top byte is part of the address: there is nothing. */
TEST_F(read, tagged_addresses_are_EIO)
{
	EXPECT_BYTES(0, EIO, self->address | (0x7fULL << 56), 8, 0);
	EXPECT_BYTES(0, EIO, self->address | (1ULL << 57), 8, 0);
	EXPECT_BYTES(0, EIO, self->address | (1ULL << 63), 8, 0);
}

TEST_F(read, unknown_flags_are_EINVAL)
{
	for (int bit = 2; bit < 32; bit++) {
		struct cordbmem_read read =
			read_argument(self->target.pid, self->address, self->buffer.bytes, 16);
		struct cordbmem_read before;

		read.flags = 1U << bit;
		before = read;
		EXPECT_EQ(EINVAL, call_read(self->device, &read))
		TH_LOG("flag %#x", 1U << bit);
		EXPECT_EQ(0, memcmp(&before, &read, sizeof(read)));
		EXPECT_TRUE(guarded_intact_from(&self->buffer, 0));
	}
}

TEST_F(read, reserved_must_be_zero)
{
	for (int bit = 0; bit < 32; bit++) {
		struct cordbmem_read read =
			read_argument(self->target.pid, self->address, self->buffer.bytes, 16);
		struct cordbmem_read before;

		read.reserved = 1U << bit;
		before = read;
		EXPECT_EQ(EINVAL, call_read(self->device, &read));
		EXPECT_EQ(0, memcmp(&before, &read, sizeof(read)));
		EXPECT_TRUE(guarded_intact_from(&self->buffer, 0));
	}
}

/* The arguments come before the target, so that a wrong call never depends on who lives. */
TEST_F(read, bad_arguments_beat_a_missing_target)
{
	struct cordbmem_read read = read_argument(NO_PID, self->address, self->buffer.bytes, 16);

	read.flags = 1U << 31;
	EXPECT_EQ(EINVAL, call_read(self->device, &read));
	read.flags = 0;
	read.reserved = 1;
	EXPECT_EQ(EINVAL, call_read(self->device, &read));
}

TEST_F(read, unwritable_buffer_is_EFAULT)
{
	uint8_t *page = island_pages(1);
	const uint64_t places[] = {
		0,
		number(page) + PAGE,
		number(page),
		0x0000800000000000,
		0xffff888000001000,
		0xffffffff81000000,
		0xffffffffff600000,
		UINT64_MAX,
		UINT64_MAX - 15,
	};
	static const uint64_t lengths[] = { 1, 16, 256, 257, PAGE, 3 * PAGE };

	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		for (size_t l = 0; l < ARRAY_SIZE(lengths); l++) {
			struct cordbmem_read read = read_argument(self->target.pid, self->address,
								  pointer(places[i]), lengths[l]);

			EXPECT_EQ(EFAULT, call_read(self->device, &read))
			TH_LOG("buffer at %#lx, %lu bytes", places[i], lengths[l]);
			EXPECT_EQ(0, read.bytes_read);
			EXPECT_EQ(EFAULT, read.error);
			EXPECT_EQ(0, read.reserved2);
		}
	}
}

/* EFAULT only for a byte that is there to be stored. */
TEST_F(read, count_is_exact_where_the_buffer_ends)
{
	static const uint64_t lengths[] = { 100, 300, 5000, 3 * PAGE, SIZE };
	uint8_t *pages = island_pages(3);

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		for (size_t room = 1; room < lengths[i] && room < 3 * PAGE;
		     room = room < 70 ? room + 1 : room * 2 + 3) {
			struct cordbmem_read read =
				read_argument(self->target.pid, self->address,
					      pages + 3 * PAGE - room, lengths[i]);

			memset(pages, 0, 3 * PAGE);
			ASSERT_EQ(0, call_read(self->device, &read));
			ASSERT_EQ(room, read.bytes_read)
			TH_LOG("%zu of %lu bytes writable", room, lengths[i]);
			ASSERT_EQ(EFAULT, read.error);
			ASSERT_EQ(room, pattern_check(pages + 3 * PAGE - room, room, SEED,
						      self->address));
		}
	}
}

TEST_F(read, hole_before_the_end_of_the_buffer_is_EIO_not_EFAULT)
{
	uint8_t *page = island_pages(1);
	struct cordbmem_read read =
		read_argument(self->target.pid, self->end - 16, page + PAGE - 32, 64);

	ASSERT_EQ(0, call_read(self->device, &read));
	EXPECT_EQ(16, read.bytes_read);
	EXPECT_EQ(EIO, read.error);
}

TEST_F(read, missing_processes_are_ESRCH)
{
	static const int32_t pids[] = { 0, -1, INT32_MIN, INT32_MAX, NO_PID, 4194304, -4096 };

	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		struct cordbmem_read read =
			read_argument(pids[i], self->address, self->buffer.bytes, 16);

		EXPECT_EQ(ESRCH, call_read(self->device, &read))
		TH_LOG("pid %d", pids[i]);
		EXPECT_TRUE(guarded_intact_from(&self->buffer, 0));
	}
	{
		struct cordbmem_read read =
			read_argument(-self->target.pid, self->address, self->buffer.bytes, 16);

		EXPECT_EQ(ESRCH, call_read(self->device, &read));
	}
}

/* Big reads, at odd addresses and lengths, to a buffer that was never touched. */
TEST(a_mebibyte_and_sixteen)
{
	static const size_t sizes[] = { 1 << 20, 16 << 20 };
	int device = device_open();

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t size = sizes[i];
		uint8_t *source = island_pages(size / PAGE);
		struct cordbmem_read read;
		struct child target;
		uint8_t *buffer;

		pattern_fill(source, size, SEED, number(source));
		target = child_start();
		munmap(source, size);
		buffer = island_pages(size / PAGE);
		read = read_argument(target.pid, number(source), buffer, size);
		EXPECT_EQ(0, call_read(device, &read));
		EXPECT_EQ(size, read.bytes_read);
		EXPECT_EQ(0, read.error);
		EXPECT_EQ(size, pattern_check(buffer, size, SEED, number(source)));

		read = read_argument(target.pid, number(source) + 4093, buffer + 1, size);
		EXPECT_EQ(0, call_read(device, &read));
		EXPECT_EQ(size - 4093, read.bytes_read);
		EXPECT_EQ(EIO, read.error);
		EXPECT_EQ(size - 4093,
			  pattern_check(buffer + 1, size - 4093, SEED, number(source) + 4093));
		child_end(&target);
		munmap(buffer, size);
	}
}

TEST_HARNESS_MAIN
