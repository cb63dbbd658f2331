// SPDX-License-Identifier: GPL-2.0
/*
 * Kinds of pages: what can be read with and without force, what a no-fault read leaves alone, and
 * that every other kind reads as it does through /proc/PID/mem.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

#define SEED 2
#define FORCE CORDBMEM_READ_FORCE
#define NOFAULT CORDBMEM_READ_NOFAULT
#define ALLOW_FORCE "/sys/module/cordbmem/parameters/allow_force"
#define HUGE_PAGES "/proc/sys/vm/nr_hugepages"
#define HUGE_PAGE ((size_t)2 << 20)

static uint8_t buffer[HUGE_PAGE + 16 * PAGE];

/* Bytes of a READ, or a negative errno. */
static long read_flags(int device, pid_t pid, const volatile void *address, size_t length,
		       uint32_t flags)
{
	struct cordbmem_read read = read_argument(pid, number(address), buffer, length);
	int error;

	read.flags = flags;
	error = call_read(device, &read);
	return error ? -error : (long)read.bytes_read;
}

/* A child that inherits the mappings of the test as they are. */
FIXTURE(pages)
{
	int device;
	uint8_t *memory;
	struct child target;
};

#define PAGES 8

FIXTURE_SETUP(pages)
{
	self->device = device_open();
	self->memory = island_pages(PAGES);
	ASSERT_EQ(0, madvise(self->memory, PAGES * PAGE, MADV_NOHUGEPAGE));
	self->target = child_start();
}

FIXTURE_TEARDOWN(pages)
{
	child_end(&self->target);
	if (file_number(ALLOW_FORCE, 0) == 0)
		file_write(ALLOW_FORCE, "Y");
}

static uint8_t *target_memory;

static long fill(long pages)
{
	pattern_fill(target_memory, (size_t)pages * PAGE, SEED, number(target_memory));
	return 0;
}

static long protect(long protection)
{
	return mprotect(target_memory, PAGES * PAGE, (int)protection) ? errno : 0;
}

static long protect_second(long protection)
{
	return mprotect(target_memory + PAGE, PAGE, (int)protection) ? errno : 0;
}

/* ---- force ---- */

TEST_F(pages, protected_pages_are_EIO_without_force)
{
	target_memory = self->memory;
	child_end(&self->target);
	self->target = child_start();
	child_call(&self->target, fill, PAGES);
	ASSERT_EQ(0, child_call(&self->target, protect, PROT_NONE));
	EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, self->memory, 16, 0));
	EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, self->memory, 3 * PAGE, 0));
}

TEST_F(pages, protected_pages_are_read_with_force)
{
	target_memory = self->memory;
	child_end(&self->target);
	self->target = child_start();
	child_call(&self->target, fill, PAGES);
	ASSERT_EQ(0, child_call(&self->target, protect, PROT_NONE));
	if (!has_feature(self->device, CORDBMEM_FEATURE_FORCE))
		SKIP(return, "force is switched off");
	EXPECT_EQ(16, read_flags(self->device, self->target.pid, self->memory, 16, FORCE));
	EXPECT_EQ(16, pattern_check(buffer, 16, SEED, number(self->memory)));
	EXPECT_EQ(PAGES * PAGE,
		  read_flags(self->device, self->target.pid, self->memory, PAGES * PAGE, FORCE));
	EXPECT_EQ(PAGES * PAGE, pattern_check(buffer, PAGES * PAGE, SEED, number(self->memory)));
	/* and still end at the hole */
	EXPECT_EQ(PAGE, read_flags(self->device, self->target.pid,
				   self->memory + (PAGES - 1) * PAGE, 3 * PAGE, FORCE));
}

TEST_F(pages, a_protected_page_in_the_middle_ends_a_read_unless_forced)
{
	target_memory = self->memory;
	child_end(&self->target);
	self->target = child_start();
	child_call(&self->target, fill, PAGES);
	ASSERT_EQ(0, child_call(&self->target, protect_second, PROT_NONE));
	EXPECT_EQ(PAGE - 5,
		  read_flags(self->device, self->target.pid, self->memory + 5, 3 * PAGE, 0));
	if (has_feature(self->device, CORDBMEM_FEATURE_FORCE)) {
		EXPECT_EQ(3 * PAGE, read_flags(self->device, self->target.pid, self->memory + 5,
					       3 * PAGE, FORCE));
		EXPECT_EQ(3 * PAGE,
			  pattern_check(buffer, 3 * PAGE, SEED, number(self->memory) + 5));
	}
}

TEST_F(pages, execute_only_pages_read_as_proc_mem_reads_them)
{
	long got;

	target_memory = self->memory;
	child_end(&self->target);
	self->target = child_start();
	child_call(&self->target, fill, PAGES);
	ASSERT_EQ(0, child_call(&self->target, protect, PROT_EXEC));
	got = mem_read(self->target.pid, number(self->memory), buffer, 16);
	if (has_feature(self->device, CORDBMEM_FEATURE_FORCE)) {
		EXPECT_EQ(got, read_flags(self->device, self->target.pid, self->memory, 16, FORCE));
	}
	got = vm_readv(self->target.pid, number(self->memory), buffer, 16);
	if (got == -EFAULT)
		got = -EIO;
	EXPECT_EQ(got, read_flags(self->device, self->target.pid, self->memory, 16, 0));
}

TEST_F(pages, force_switched_off_is_EPERM_everywhere_and_INFO_says_so)
{
	struct cordbmem_read read =
		read_argument(self->target.pid, number(self->memory), buffer, 8);
	struct cordbmem_read before;
	struct cordbmem_element element =
		element_of(self->target.pid, FORCE, number(self->memory), buffer, 8);
	struct cordbmem_readv readv = readv_argument(&element, 1);

	ASSERT_EQ(0, file_write(ALLOW_FORCE, "N"));
	EXPECT_FALSE(has_feature(self->device, CORDBMEM_FEATURE_FORCE));
	memset(buffer, POISON, 8);
	read.flags = FORCE;
	before = read;
	EXPECT_EQ(EPERM, call_read(self->device, &read));
	EXPECT_EQ(0, memcmp(&before, &read, sizeof(read)));
	EXPECT_EQ(POISON, buffer[0]);

	EXPECT_EQ(0, call_readv(self->device, &readv));
	EXPECT_EQ(1, readv.done);
	EXPECT_EQ(EPERM, element.error);
	EXPECT_EQ(0, element.bytes_read);
	EXPECT_EQ(POISON, buffer[0]);

	EXPECT_EQ(-EPERM, attach(self->device, self->target.pid, FORCE));
	/* Reads without force are not concerned. */
	EXPECT_EQ(8, read_flags(self->device, self->target.pid, self->memory, 8, 0));

	ASSERT_EQ(0, file_write(ALLOW_FORCE, "Y"));
	EXPECT_TRUE(has_feature(self->device, CORDBMEM_FEATURE_FORCE));
	EXPECT_EQ(8, read_flags(self->device, self->target.pid, self->memory, 8, FORCE));
}

TEST_F(pages, force_switched_off_binds_target_fds_that_are_open)
{
	int fd;

	target_memory = self->memory;
	child_end(&self->target);
	self->target = child_start();
	child_call(&self->target, fill, PAGES);
	ASSERT_EQ(0, child_call(&self->target, protect, PROT_NONE));
	fd = attach(self->device, self->target.pid, FORCE);
	ASSERT_LE(0, fd);
	ASSERT_EQ(8, pread_at(fd, buffer, 8, number(self->memory)));
	ASSERT_EQ(0, file_write(ALLOW_FORCE, "N"));
	EXPECT_GT(0, pread_at(fd, buffer, 8, number(self->memory)));
	ASSERT_EQ(0, file_write(ALLOW_FORCE, "Y"));
	EXPECT_EQ(8, pread_at(fd, buffer, 8, number(self->memory)));
}

static long switch_as_somebody_else(long unused)
{
	(void)unused;
	return setresuid(1000, 1000, 1000) ? -1 : file_write(ALLOW_FORCE, "N");
}

TEST_F(pages, only_root_switches_force)
{
	EXPECT_EQ(EACCES, child_call(&self->target, switch_as_somebody_else, 0));
}

/* ---- no-fault ---- */

TEST_F(pages, nofault_of_untouched_memory_is_EIO_and_leaves_it_untouched)
{
	size_t size = 1024 * PAGE;
	uint8_t *memory = island_pages(1024);
	long resident;

	ASSERT_EQ(0, madvise(memory, size, MADV_NOHUGEPAGE));
	child_end(&self->target);
	self->target = child_start();
	/* what the child itself has to touch to be asked for anything */
	wait_for_state(self->target.pid, 'S');
	resident = resident_pages(self->target.pid);
	for (size_t at = 0; at < size; at += 8 * PAGE) {
		EXPECT_EQ(-EIO,
			  read_flags(self->device, self->target.pid, memory + at, 8, NOFAULT));
		EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, memory + at, 3 * PAGE,
					   NOFAULT));
		EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, memory + at + 1, 300,
					   NOFAULT | FORCE));
		EXPECT_FALSE(page_present(self->target.pid, number(memory + at)));
	}
	EXPECT_EQ(resident, resident_pages(self->target.pid));

	/* An ordinary read does fault in, so the test above can tell. */
	EXPECT_EQ(8, read_flags(self->device, self->target.pid, memory, 8, 0));
	EXPECT_TRUE(page_present(self->target.pid, number(memory)));
}

TEST_F(pages, nofault_reads_what_is_resident)
{
	target_memory = self->memory;
	child_end(&self->target);
	self->target = child_start();
	child_call(&self->target, fill, 3);
	EXPECT_EQ(8, read_flags(self->device, self->target.pid, self->memory + 8, 8, NOFAULT));
	EXPECT_EQ(8, pattern_check(buffer, 8, SEED, number(self->memory) + 8));
	EXPECT_EQ(3 * PAGE,
		  read_flags(self->device, self->target.pid, self->memory, 3 * PAGE, NOFAULT));
	EXPECT_EQ(3 * PAGE, pattern_check(buffer, 3 * PAGE, SEED, number(self->memory)));
}

TEST_F(pages, nofault_count_is_exact_before_an_absent_page)
{
	struct cordbmem_read read;

	target_memory = self->memory;
	child_end(&self->target);
	self->target = child_start();
	child_call(&self->target, fill, 3);
	for (size_t before = 1; before <= 3 * PAGE;
	     before = before < 20 ? before + 1 : before * 2) {
		uint8_t *at = self->memory + 3 * PAGE - before;

		read = read_argument(self->target.pid, number(at), buffer, before + 100);
		read.flags = NOFAULT;
		ASSERT_EQ(0, call_read(self->device, &read));
		ASSERT_EQ(before, read.bytes_read);
		ASSERT_EQ(EIO, read.error);
		ASSERT_EQ(before, pattern_check(buffer, before, SEED, number(at)));
	}
	EXPECT_FALSE(page_present(self->target.pid, number(self->memory) + 3 * PAGE));
}

TEST_F(pages, nofault_of_protected_resident_pages_needs_force)
{
	target_memory = self->memory;
	child_end(&self->target);
	self->target = child_start();
	child_call(&self->target, fill, PAGES);
	ASSERT_EQ(0, child_call(&self->target, protect, PROT_NONE));
	EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, self->memory, 8, NOFAULT));
	/*
	 * A PROT_NONE entry is not a present one for every kernel, so with both flags the bytes
	 * may come or not, but nothing else.
	 */
	if (read_flags(self->device, self->target.pid, self->memory, 8, NOFAULT | FORCE) > 0) {
		EXPECT_EQ(8, pattern_check(buffer, 8, SEED, number(self->memory)));
	}
}

TEST_F(pages, nofault_does_not_read_a_file_from_disk)
{
	char path[] = "/tmp/cordbmem.file.XXXXXX";
	int fd = mkstemp(path);
	uint8_t *mapping;

	ASSERT_LE(0, fd);
	unlink(path);
	ASSERT_EQ(0, ftruncate(fd, 64 * PAGE));
	mapping = island(64 * PAGE, PROT_READ, MAP_SHARED, fd);
	child_end(&self->target);
	self->target = child_start();
	EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, mapping, 8, NOFAULT));
	EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, mapping, 8 * PAGE, NOFAULT));
	EXPECT_FALSE(page_present(self->target.pid, number(mapping)));
	EXPECT_EQ(8, read_flags(self->device, self->target.pid, mapping, 8, 0));
}

static long grow_limit(long unused)
{
	struct rlimit limit = { .rlim_cur = 64 << 20, .rlim_max = RLIM_INFINITY };

	(void)unused;
	return setrlimit(RLIMIT_STACK, &limit);
}

TEST_F(pages, nofault_does_not_grow_the_stack)
{
	static const size_t below[] = { 1, 8, PAGE, 3 * PAGE, 64 * PAGE, 1 << 20 };
	uint64_t start, end, new_start, new_end;

	child_call(&self->target, grow_limit, 0);
	ASSERT_TRUE(mapping_named(self->target.pid, "[stack]", &start, &end));
	for (size_t i = 0; i < ARRAY_SIZE(below); i++) {
		EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid,
					   pointer(start - below[i]), 1, NOFAULT))
		TH_LOG("%zu below", below[i]);
		EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid,
					   pointer(start - below[i]), 1000, NOFAULT | FORCE))
		TH_LOG("%zu below", below[i]);
		ASSERT_TRUE(mapping_named(self->target.pid, "[stack]", &new_start, &new_end));
		ASSERT_EQ(start, new_start)
		TH_LOG("%zu below", below[i]);
	}
}

TEST_F(pages, nofault_does_not_grow_a_growing_mapping)
{
	uint8_t *grows = island(4 * PAGE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1);
	uint64_t start, end;

	memset(grows, 1, 4 * PAGE);
	child_end(&self->target);
	self->target = child_start();
	EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, grows - 8, 16, NOFAULT));
	EXPECT_EQ(-EIO,
		  read_flags(self->device, self->target.pid, grows - 2 * PAGE, 4 * PAGE, NOFAULT));
	ASSERT_TRUE(mapping_of(self->target.pid, number(grows), &start, &end));
	EXPECT_EQ(number(grows), start);
}

/* A swept range of untouched, resident and protected memory must never change what is resident. */
TEST_F(pages, nofault_sweep_of_the_whole_process_leaves_its_size_alone)
{
	char path[64], line[512];
	long resident;
	FILE *maps;

	wait_for_state(self->target.pid, 'S');
	resident = resident_pages(self->target.pid);
	snprintf(path, sizeof(path), "/proc/%d/maps", self->target.pid);
	maps = fopen(path, "re");
	ASSERT_TRUE(maps != NULL);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t start, end;

		ASSERT_EQ(2, sscanf(line, "%lx-%lx", &start, &end));
		for (uint64_t at = start; at < end; at += PAGE) {
			long got = read_flags(self->device, self->target.pid, pointer(at), PAGE,
					      NOFAULT);

			ASSERT_TRUE(got == (long)PAGE || got == -EIO)
			TH_LOG("%#lx: %ld", at, got);
		}
	}
	fclose(maps);
	EXPECT_EQ(resident, resident_pages(self->target.pid));
}

/* ---- huge pages ---- */

TEST_F(pages, huge_pages)
{
	long before = file_number(HUGE_PAGES, -1);
	uint8_t *wanted = island_hole(2 * HUGE_PAGE), *huge;
	long got;

	if (before < 0 || file_write_number(HUGE_PAGES, before + 4) ||
	    file_number(HUGE_PAGES, 0) < before + 4) {
		file_write_number(HUGE_PAGES, before);
		SKIP(return, "no huge pages to be had");
	}
	huge = mmap(wanted, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(wanted, huge);
	pattern_fill(huge, 2 * HUGE_PAGE, SEED, number(huge));
	child_end(&self->target);
	self->target = child_start();

	EXPECT_EQ(HUGE_PAGE, read_flags(self->device, self->target.pid, huge + 4321, HUGE_PAGE, 0));
	EXPECT_EQ(HUGE_PAGE, pattern_check(buffer, HUGE_PAGE, SEED, number(huge) + 4321));
	EXPECT_EQ(100,
		  read_flags(self->device, self->target.pid, huge + 2 * HUGE_PAGE - 100, 5000, 0));
	EXPECT_EQ(100, pattern_check(buffer, 100, SEED, number(huge) + 2 * HUGE_PAGE - 100));
	/* Before 6.6 the kernel cannot look at a huge page without making it: none is read then. */
	got = read_flags(self->device, self->target.pid, huge + HUGE_PAGE - 8, 16, NOFAULT);
	if (got != -EIO || kernel_at_least(6, 6)) {
		EXPECT_EQ(16, got);
		EXPECT_EQ(16, pattern_check(buffer, 16, SEED, number(huge) + HUGE_PAGE - 8));
	}

	child_end(&self->target);
	munmap(huge, 2 * HUGE_PAGE);
	file_write_number(HUGE_PAGES, before);
}

static long huge_pages_free(void)
{
	static const char name[] = "HugePages_Free:";
	char text[8192], *found;

	if (!file_text("/proc/meminfo", text, sizeof(text)))
		die("/proc/meminfo");
	found = strstr(text, name);
	return found ? strtol(found + strlen(name), NULL, 10) : -1;
}

TEST_F(pages, nofault_does_not_allocate_a_huge_page)
{
	long before = file_number(HUGE_PAGES, -1), free_before;
	uint8_t *wanted = island_hole(2 * HUGE_PAGE), *huge;

	if (before < 0 || file_write_number(HUGE_PAGES, before + 4) ||
	    file_number(HUGE_PAGES, 0) < before + 4) {
		file_write_number(HUGE_PAGES, before);
		SKIP(return, "no huge pages to be had");
	}
	huge = mmap(wanted, 2 * HUGE_PAGE, PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | MAP_FIXED_NOREPLACE, -1, 0);
	ASSERT_EQ(wanted, huge);
	child_end(&self->target);
	self->target = child_start();
	free_before = huge_pages_free();
	EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, huge, 8, NOFAULT));
	EXPECT_EQ(-EIO,
		  read_flags(self->device, self->target.pid, huge, 3 * PAGE, NOFAULT | FORCE));
	EXPECT_EQ(free_before, huge_pages_free());
	EXPECT_EQ(8, read_flags(self->device, self->target.pid, huge, 8, 0));
	EXPECT_GT(free_before, huge_pages_free());
	child_end(&self->target);
	munmap(huge, 2 * HUGE_PAGE);
	file_write_number(HUGE_PAGES, before);
}

TEST_F(pages, transparent_huge_pages)
{
	uint8_t *memory = island_pages(4 * HUGE_PAGE / PAGE);

	if (madvise(memory, 4 * HUGE_PAGE, MADV_HUGEPAGE))
		SKIP(return, "no transparent huge pages");
	pattern_fill(memory, 2 * HUGE_PAGE, SEED, number(memory));
	child_end(&self->target);
	self->target = child_start();
	EXPECT_EQ(HUGE_PAGE,
		  read_flags(self->device, self->target.pid, memory + 12345, HUGE_PAGE, 0));
	EXPECT_EQ(HUGE_PAGE, pattern_check(buffer, HUGE_PAGE, SEED, number(memory) + 12345));
	EXPECT_EQ(HUGE_PAGE,
		  read_flags(self->device, self->target.pid, memory + 12345, HUGE_PAGE, NOFAULT));
	EXPECT_EQ(HUGE_PAGE, pattern_check(buffer, HUGE_PAGE, SEED, number(memory) + 12345));
	EXPECT_EQ(-EIO,
		  read_flags(self->device, self->target.pid, memory + 3 * HUGE_PAGE, 8, NOFAULT));
}

/* ---- files ---- */

TEST_F(pages, shared_file_up_to_the_page_that_holds_its_end)
{
	int fd = memory_file(2 * PAGE, SEED);
	uint8_t *mapping = island(4 * PAGE, PROT_READ, MAP_SHARED, fd);

	child_end(&self->target);
	self->target = child_start();
	EXPECT_EQ(2 * PAGE, read_flags(self->device, self->target.pid, mapping, 2 * PAGE, 0));
	EXPECT_EQ(2 * PAGE, pattern_check(buffer, 2 * PAGE, SEED, 0));
	EXPECT_EQ(PAGE + 1,
		  read_flags(self->device, self->target.pid, mapping + PAGE - 1, 3 * PAGE, 0));
	EXPECT_EQ(PAGE + 1, pattern_check(buffer, PAGE + 1, SEED, PAGE - 1));
	EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, mapping + 2 * PAGE, 8, 0));

	/* A write through another mapping is seen, and so is a cut. */
	ASSERT_EQ(1, pwrite(fd, "x", 1, 100));
	EXPECT_EQ(1, read_flags(self->device, self->target.pid, mapping + 100, 1, 0));
	EXPECT_EQ('x', buffer[0]);
	ASSERT_EQ(0, ftruncate(fd, PAGE));
	EXPECT_EQ(-EIO, read_flags(self->device, self->target.pid, mapping + PAGE, 8, 0));
}

/* ---- pages that nobody may see ---- */

TEST_F(pages, secret_memory_is_refused)
{
	static const uint32_t flags[] = { 0, FORCE, NOFAULT, FORCE | NOFAULT };
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);
	uint8_t *secret;

	if (fd < 0)
		SKIP(return, "no memfd_secret: %s", strerror(errno));
	ASSERT_EQ(0, ftruncate(fd, 2 * PAGE));
	secret = island(2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	memset(secret, 's', 2 * PAGE);
	child_end(&self->target);
	self->target = child_start();
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		for (int self_too = 0; self_too < 2; self_too++) {
			pid_t pid = self_too ? getpid() : self->target.pid;

			memset(buffer, 0, 2 * PAGE);
			EXPECT_EQ(-EIO, read_flags(self->device, pid, secret, 8, flags[i]));
			EXPECT_EQ(-EIO,
				  read_flags(self->device, pid, secret + PAGE, 300, flags[i]));
			EXPECT_EQ(-EIO, read_flags(self->device, pid, secret, 2 * PAGE, flags[i]));
			EXPECT_EQ(NULL, memchr(buffer, 's', 2 * PAGE));
		}
	}
}

TEST_F(pages, vdso_reads_as_the_target_sees_it)
{
	uint64_t vdso = getauxval(AT_SYSINFO_EHDR);

	if (!vdso)
		SKIP(return, "no vdso");
	EXPECT_EQ(PAGE, read_flags(self->device, self->target.pid, pointer(vdso), PAGE, 0));
	EXPECT_EQ(0, memcmp(buffer, pointer(vdso), PAGE));
}

/* Memory of a device or of firmware: the BIOS below 1 MiB, which even STRICT_DEVMEM shows. */
TEST_F(pages, device_memory_reads_as_proc_mem_reads_it)
{
	uint8_t expected[2 * PAGE];
	int fd = open("/dev/mem", O_RDONLY | O_CLOEXEC);
	uint8_t *bios = island_hole(2 * PAGE);
	long got;

	if (fd < 0 ||
	    mmap(bios, 2 * PAGE, PROT_READ, MAP_SHARED | MAP_FIXED_NOREPLACE, fd, 0xf0000) != bios)
		SKIP(return, "no /dev/mem: %s", strerror(errno));
	child_end(&self->target);
	self->target = child_start();
	for (size_t length = 1; length < sizeof(expected); length = length * 3 + 1) {
		got = mem_read(self->target.pid, number(bios) + 5, expected, length);
		EXPECT_EQ(got, read_flags(self->device, self->target.pid, bios + 5, length, 0));
		if (got > 0) {
			EXPECT_EQ(0, memcmp(buffer, expected, (size_t)got));
		}
	}
	/* It has no page behind it, so nothing is "mapped in already". */
	got = read_flags(self->device, self->target.pid, bios, 8, NOFAULT);
	EXPECT_TRUE(got == -EIO || got == 8);
}

/*
 * Every mapping of a process that stands still, with force, against /proc/PID/mem: the same count
 * and the same bytes, whatever the mapping is made of (vvar, vdso, stack, files, ...).
 */
TEST_F(pages, every_mapping_reads_as_proc_mem_reads_it)
{
	static uint8_t expected[sizeof(buffer)];
	char path[64], line[512];
	int compared = 0;
	FILE *maps;
	int mem;

	ASSERT_EQ(0, kill(self->target.pid, SIGSTOP));
	wait_for_state(self->target.pid, 'T');
	mem = mem_open(self->target.pid, O_RDONLY);
	ASSERT_LE(0, mem);
	snprintf(path, sizeof(path), "/proc/%d/maps", self->target.pid);
	maps = fopen(path, "re");
	ASSERT_TRUE(maps != NULL);
	while (fgets(line, sizeof(line), maps)) {
		uint64_t start, end;
		size_t length;
		long got;

		ASSERT_EQ(2, sscanf(line, "%lx-%lx", &start, &end));
		if (start >= 1ULL << 63)
			continue; /* vsyscall: an offset there is not one that pread takes */
		length = end - start < sizeof(buffer) ? end - start : sizeof(buffer);
		got = pread_at(mem, expected, length, start);
		EXPECT_EQ(got,
			  read_flags(self->device, self->target.pid, pointer(start), length, FORCE))
		TH_LOG("%s", line);
		if (got > 0 && !strstr(line, "[vvar")) {
			EXPECT_EQ(0, memcmp(buffer, expected, (size_t)got))
			TH_LOG("%s", line);
		}
		compared++;
	}
	fclose(maps);
	EXPECT_LT(10, compared);
}

TEST_HARNESS_MAIN
