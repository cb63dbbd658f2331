// SPDX-License-Identifier: GPL-2.0
/*
 * The device node, INFO, and what holds for the arguments of every ioctl.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "memory.h"
#include "support.h"

#define KERNEL_ADDRESS 0xffff888000001000ULL

TEST(node_is_for_root_only)
{
	struct stat st;

	ASSERT_EQ(0, stat(CORDBMEM_DEVICE, &st));
	EXPECT_TRUE(S_ISCHR(st.st_mode));
	EXPECT_EQ(0600, st.st_mode & 07777);
	EXPECT_EQ(0, st.st_uid);
	EXPECT_EQ(0, st.st_gid);
}

TEST(opens_for_reading_and_for_both)
{
	struct cordbmem_info info = info_argument();
	int fd = open(CORDBMEM_DEVICE, O_RDONLY | O_CLOEXEC);

	ASSERT_LE(0, fd);
	EXPECT_EQ(0, call_info(fd, &info));
	close(fd);
	fd = open(CORDBMEM_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, fd);
	EXPECT_EQ(0, call_info(fd, &info));
}

TEST(unknown_numbers_are_ENOTTY)
{
	static const unsigned long numbers[] = {
		_IO(CORDBMEM_IOC_MAGIC, 0x80),
		_IO(CORDBMEM_IOC_MAGIC, 0xff),
		_IO(CORDBMEM_IOC_MAGIC + 1, 0),
		_IOWR(CORDBMEM_IOC_MAGIC, 0, struct cordbmem_info),
		_IOR(CORDBMEM_IOC_MAGIC, 1, struct cordbmem_read),
		_IOW(CORDBMEM_IOC_MAGIC, 2, struct cordbmem_readv),
		0x5401, /* TCGETS */
		0,
	};
	struct cordbmem_read argument, before;
	int device = device_open();

	memset(&argument, POISON, sizeof(argument));
	before = argument;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		EXPECT_EQ(ENOTTY, call(device, numbers[i], &argument))
		TH_LOG("number %#lx", numbers[i]);
		EXPECT_EQ(0, memcmp(&before, &argument, sizeof(argument)));
	}
}

TEST(device_is_no_file_of_bytes)
{
	int device = device_open();
	char byte;

	EXPECT_EQ(-1, read(device, &byte, 1));
	EXPECT_EQ(EINVAL, errno);
	EXPECT_GT(0, write(device, &byte, 1));
	EXPECT_EQ(MAP_FAILED, mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, 0));
}

TEST(info_fills_every_member)
{
	struct cordbmem_info info = info_argument();

	ASSERT_EQ(0, call_info(device_open(), &info));
	EXPECT_EQ(sizeof(info), info.size);
	EXPECT_EQ(0, info.flags);
	EXPECT_EQ(CORDBMEM_ABI, info.abi);
	EXPECT_EQ(sysconf(_SC_PAGESIZE), info.page_size);
	EXPECT_LE(512, info.max_elements);
	EXPECT_NE(POISON32, info.max_elements);
	EXPECT_EQ(0, info.reserved);
	EXPECT_EQ(0, info.features >> 32);
	/* Every kernel that the module supports has FOLL_NOFAULT. */
	EXPECT_TRUE(info.features & CORDBMEM_FEATURE_NOFAULT);
	EXPECT_EQ(!(info.features & CORDBMEM_FEATURE_WINDOW), !info.window_length);
	EXPECT_EQ(!(info.features & CORDBMEM_FEATURE_WINDOW), !info.window_pages);
}

/* A caller that knows the first revision only gets that, and not a byte more. */
TEST(info_of_a_shorter_struct_ends_where_it_ends)
{
	size_t size = offsetof(struct cordbmem_info, window_length);
	struct cordbmem_info info = info_argument();
	struct guarded g = guarded_new(size);

	info.size = (uint32_t)size;
	memcpy(g.bytes, &info, size);
	ASSERT_EQ(0, call(device_open(), CORDBMEM_IOC_INFO, g.bytes));
	EXPECT_TRUE(guarded_intact(&g));
	memcpy(&info, g.bytes, size);
	EXPECT_EQ(size, info.size);
	EXPECT_EQ(CORDBMEM_ABI, info.abi);
	guarded_free(&g);
}

TEST(info_of_force_follows_the_module_parameter)
{
	char letter[8] = "";

	ASSERT_TRUE(
		file_text("/sys/module/cordbmem/parameters/allow_force", letter, sizeof(letter)));
	EXPECT_EQ(letter[0] == 'Y', has_feature(device_open(), CORDBMEM_FEATURE_FORCE));
}

TEST(info_refuses_flags)
{
	int device = device_open();

	for (int bit = 0; bit < 32; bit++) {
		struct cordbmem_info info = info_argument(), before;

		info.flags = 1U << bit;
		before = info;
		EXPECT_EQ(EINVAL, call_info(device, &info));
		EXPECT_EQ(0, memcmp(&before, &info, sizeof(info)));
	}
}

/*
 * What follows holds for each of the four ioctls. The arguments are otherwise valid.
 */
FIXTURE(argument)
{
	int device;
	union {
		struct cordbmem_info info;
		struct cordbmem_read read;
		struct cordbmem_readv readv;
		struct cordbmem_attach attach;
	} valid;
	uint8_t byte;
	struct cordbmem_element element;
};

FIXTURE_VARIANT(argument)
{
	unsigned long ioctl;
	size_t size;
	/* Of its first revision; the same where it is 0. */
	size_t first_size;
};

FIXTURE_VARIANT_ADD(argument, info){
	.ioctl = CORDBMEM_IOC_INFO,
	.size = sizeof(struct cordbmem_info),
	.first_size = offsetof(struct cordbmem_info, window_length),
};

FIXTURE_VARIANT_ADD(argument, read){
	.ioctl = CORDBMEM_IOC_READ,
	.size = sizeof(struct cordbmem_read),
};

FIXTURE_VARIANT_ADD(argument, readv){
	.ioctl = CORDBMEM_IOC_READV,
	.size = sizeof(struct cordbmem_readv),
};

FIXTURE_VARIANT_ADD(argument, attach){
	.ioctl = CORDBMEM_IOC_ATTACH,
	.size = sizeof(struct cordbmem_attach),
};

FIXTURE_SETUP(argument)
{
	static uint8_t source = 7;

	self->device = device_open();
	self->byte = POISON;
	switch (variant->ioctl) {
	case CORDBMEM_IOC_INFO:
		self->valid.info = info_argument();
		break;
	case CORDBMEM_IOC_READ:
		self->valid.read = read_argument(getpid(), number(&source), &self->byte, 1);
		break;
	case CORDBMEM_IOC_READV:
		self->element = element_of(getpid(), 0, number(&source), &self->byte, 1);
		self->valid.readv = readv_argument(&self->element, 1);
		break;
	case CORDBMEM_IOC_ATTACH:
		self->valid.attach = attach_argument(getpid(), 0);
		break;
	}
}

FIXTURE_TEARDOWN(argument)
{
	close(self->device);
}

static void set_size(void *argument, uint32_t size)
{
	memcpy(argument, &size, sizeof(size));
}

TEST_F(argument, valid_is_accepted)
{
	EXPECT_EQ(0, call(self->device, variant->ioctl, &self->valid));
}

TEST_F(argument, shorter_than_the_first_revision_is_EINVAL)
{
	size_t first = variant->first_size ? variant->first_size : variant->size;

	for (uint32_t size = 0; size < first; size++) {
		uint8_t copy[128];

		memcpy(copy, &self->valid, variant->size);
		set_size(copy, size);
		EXPECT_EQ(EINVAL, call(self->device, variant->ioctl, copy))
		TH_LOG("size %u", size);
		set_size(copy, (uint32_t)variant->size);
		EXPECT_EQ(0, memcmp(copy, &self->valid, variant->size));
	}
	EXPECT_EQ(POISON, self->byte);
}

TEST_F(argument, longer_with_a_tail_of_zeros_is_accepted)
{
	static const size_t tails[] = { 1, 4, 8, 64, 1000, 4096 - 64 };

	for (size_t i = 0; i < ARRAY_SIZE(tails); i++) {
		struct guarded g = guarded_new(variant->size + tails[i]);

		memcpy(g.bytes, &self->valid, variant->size);
		memset(g.bytes + variant->size, 0, tails[i]);
		set_size(g.bytes, (uint32_t)g.size);
		EXPECT_EQ(0, call(self->device, variant->ioctl, g.bytes))
		TH_LOG("tail of %zu", tails[i]);
		for (size_t k = 0; k < tails[i]; k++) {
			ASSERT_EQ(0, g.bytes[variant->size + k]);
		}
		EXPECT_TRUE(guarded_intact(&g));
		guarded_free(&g);
	}
}

TEST_F(argument, longer_with_a_tail_of_anything_else_is_E2BIG)
{
	static const size_t places[] = { 0, 1, 7, 8, 9, 63, 64, 127 };

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		uint8_t copy[256] = { 0 }, before[256];

		memcpy(copy, &self->valid, variant->size);
		set_size(copy, (uint32_t)variant->size + 128);
		copy[variant->size + places[i]] = 1;
		memcpy(before, copy, sizeof(copy));
		EXPECT_EQ(E2BIG, call(self->device, variant->ioctl, copy))
		TH_LOG("tail byte %zu", places[i]);
		EXPECT_EQ(0, memcmp(copy, before, sizeof(copy)));
	}
	EXPECT_EQ(POISON, self->byte);
}

/* Whatever lies behind the struct ends in E2BIG or EFAULT, and soon. */
TEST_F(argument, absurdly_long_is_refused)
{
	static const uint32_t sizes[] = { 1 << 20, 0x7fffffff, 0x80000000, 0xffffffff };
	uint8_t *page = island_pages(1);

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		int error;

		memcpy(page, &self->valid, variant->size);
		set_size(page, sizes[i]);
		error = call(self->device, variant->ioctl, page);
		EXPECT_TRUE(error == E2BIG || error == EFAULT)
		TH_LOG("size %u: %d", sizes[i], error);
	}
	EXPECT_EQ(POISON, self->byte);
}

TEST_F(argument, unreadable_is_EFAULT)
{
	uint8_t *page = island_pages(1);
	const uint64_t places[] = {
		0,
		1,
		8,
		number(page) - PAGE,
		number(page) + PAGE,
		0x00007ffffffff000,
		0x0000800000000000,
		KERNEL_ADDRESS,
		0xffffffffff600000,
		0xffffffffffffffff,
		0xfffffffffffffffc,
	};

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		EXPECT_EQ(EFAULT, call(self->device, variant->ioctl, pointer(places[i])))
		TH_LOG("argument at %#lx", places[i]);
	}
	EXPECT_EQ(POISON, self->byte);
}

TEST_F(argument, half_unreadable_is_EFAULT)
{
	uint8_t *page = island_pages(1);

	for (size_t in = 1; in < variant->size; in++) {
		memcpy(page + PAGE - in, &self->valid, in);
		EXPECT_EQ(EFAULT, call(self->device, variant->ioctl, page + PAGE - in))
		TH_LOG("%zu bytes readable", in);
	}
	EXPECT_EQ(POISON, self->byte);
}

TEST_F(argument, unwritable_is_EFAULT_and_leaves_no_fd)
{
	uint8_t *page = island_pages(1);
	int before = open_fds();

	memcpy(page, &self->valid, variant->size);
	ASSERT_EQ(0, mprotect(page, PAGE, PROT_READ));
	EXPECT_EQ(EFAULT, call(self->device, variant->ioctl, page));
	EXPECT_EQ(before, open_fds());
}

/* The in members are the caller's: only out members change. */
TEST_F(argument, in_members_stay)
{
	union {
		uint8_t bytes[128];
		struct cordbmem_info info;
		struct cordbmem_read read;
		struct cordbmem_readv readv;
		struct cordbmem_attach attach;
	} copy, expected;

	memset(&copy, 0, sizeof(copy));
	memcpy(&copy, &self->valid, variant->size);
	ASSERT_EQ(0, call(self->device, variant->ioctl, &copy));
	expected = copy;
	switch (variant->ioctl) {
	case CORDBMEM_IOC_INFO:
		expected.info = info_argument();
		copy.info.abi = POISON32;
		copy.info.page_size = POISON32;
		copy.info.features = POISON64;
		copy.info.max_elements = POISON32;
		copy.info.reserved = POISON32;
		copy.info.window_length = POISON64;
		copy.info.window_pages = POISON64;
		break;
	case CORDBMEM_IOC_READ:
		expected.read = self->valid.read;
		copy.read.bytes_read = POISON64;
		copy.read.error = (int32_t)POISON32;
		copy.read.reserved2 = POISON32;
		break;
	case CORDBMEM_IOC_READV:
		expected.readv = self->valid.readv;
		copy.readv.done = POISON32;
		break;
	case CORDBMEM_IOC_ATTACH:
		expected.attach = self->valid.attach;
		copy.attach.target_fd = (int32_t)POISON32;
		break;
	}
	EXPECT_EQ(0, memcmp(copy.bytes, expected.bytes, sizeof(copy.bytes)));
}

TEST_HARNESS_MAIN
