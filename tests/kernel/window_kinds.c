// SPDX-License-Identifier: GPL-2.0
/* Kinds of memory. */
#include "window_kinds.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/swap.h>
#include <unistd.h>

#include "memory.h"
#include "support.h"

#define SEED 31
#define SOURCE_PAGES 31 /* a prime, so that no two pages close to each other are alike */
#define ZRAM "/sys/block/zram0/"
#define KSM "/sys/kernel/mm/ksm/"

struct subject *subject;
int subject_file = -1;

void subject_new(const struct kind *kind)
{
	subject = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (subject == MAP_FAILED)
		die("the subject");
	subject->kind = kind;
	/* Room for an event to put something beside it. */
	subject->memory = island_hole(4 * kind->pages * PAGE);
	/* Each generation begins at another page of it. */
	subject->source = memory_file(SOURCE_PAGES * PAGE, SEED);
}

static off_t source_of(size_t page)
{
	return (off_t)((page + subject->generation * 12) % SOURCE_PAGES * PAGE);
}

long rewrite(long unused)
{
	long written = 0;

	(void)unused;
	subject->generation++;
	for (size_t page = 0; page < subject->kind->shown; page++)
		written += pread(subject->source, subject->memory + page * PAGE, PAGE,
				 source_of(page)) == PAGE;
	return written;
}

/* ---- making them, in the target ---- */

static size_t size(void)
{
	return subject->kind->pages * PAGE;
}

static int map(int protection, int flags, int fd)
{
	void *memory =
		mmap(subject->memory, size(), protection, flags | MAP_FIXED_NOREPLACE, fd, 0);

	if (memory == MAP_FAILED)
		return errno;
	return memory == subject->memory ? 0 : EEXIST;
}

/* Has the pages mapped in, without a write. */
static void touch(void)
{
	for (size_t at = 0; at < size(); at += PAGE)
		(void)*(volatile uint8_t *)(subject->memory + at);
}

static int all_written(void)
{
	return rewrite(0) == (long)subject->kind->shown ? 0 : EFAULT;
}

static int map_small(int flags)
{
	int error = map(PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1);

	if (!error && madvise(subject->memory, size(), MADV_NOHUGEPAGE))
		error = errno;
	return error;
}

static long make_anonymous(long unused)
{
	int error = map_small(MAP_PRIVATE);

	(void)unused;
	return error ? error : all_written();
}

static long make_zero_page(long unused)
{
	int error = map_small(MAP_PRIVATE);

	(void)unused;
	if (!error)
		touch();
	return error;
}

static long make_shared_anonymous(long unused)
{
	int error = map_small(MAP_SHARED);

	(void)unused;
	return error ? error : all_written();
}

/* All pages alike, until the kernel has found out. */
static long make_merged(long unused)
{
	int error = map_small(MAP_PRIVATE);

	(void)unused;
	for (size_t page = 0; !error && page < subject->kind->pages; page++)
		memset(subject->memory + page * PAGE, 0x6b, PAGE);
	return error ? error : merge_pages();
}

int merge_pages(void)
{
	long wanted = (long)subject->kind->pages - 1;
	double end = seconds() + 10;

	if (madvise(subject->memory, size(), MADV_MERGEABLE))
		return errno == EINVAL ? NOT_HERE : errno;
	/* Forget what was merged before, or the count is of that. */
	file_write(KSM "run", "2");
	file_write(KSM "sleep_millisecs", "1");
	file_write(KSM "pages_to_scan", "1000");
	file_write(KSM "run", "1");
	while (file_number(KSM "pages_sharing", 0) < wanted && seconds() < end)
		usleep(1000);
	wanted -= file_number(KSM "pages_sharing", 0);
	file_write(KSM "run", "0");
	file_write(KSM "sleep_millisecs", "20");
	file_write(KSM "pages_to_scan", "100");
	return wanted > 0 ? ETIME : 0;
}

static __attribute__((noinline)) void grow_stack(void)
{
	volatile uint8_t deep[64 * PAGE];

	for (size_t at = 0; at < sizeof(deep); at += PAGE)
		deep[at] = 1;
	subject->memory = pointer(number(deep) / PAGE * PAGE + 8 * PAGE);
}

static long make_stack(long unused)
{
	(void)unused;
	grow_stack();
	return all_written();
}

static long make_vdso(long unused)
{
	(void)unused;
	subject->memory = pointer(getauxval(AT_SYSINFO_EHDR));
	if (!subject->memory)
		return NOT_HERE;
	touch();
	return 0;
}

static int file_in(const char *folder)
{
	subject_file = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
	if (subject_file < 0)
		return errno == EOPNOTSUPP ? NOT_HERE : errno;
	return ftruncate(subject_file, (off_t)size()) ? errno : 0;
}

static long make_tmpfs_file(long unused)
{
	int error = file_in("/tmp");

	(void)unused;
	if (!error)
		error = map(PROT_READ | PROT_WRITE, MAP_SHARED, subject_file);
	return error ? error : all_written();
}

static long make_memfd(long unused)
{
	int error;

	(void)unused;
	subject_file = memory_file(size(), 0);
	error = map(PROT_READ | PROT_WRITE, MAP_SHARED, subject_file);
	return error ? error : all_written();
}

static int make_private(void)
{
	int error = file_in("/tmp");

	for (size_t page = 0; !error && page < subject->kind->pages; page++) {
		off_t at = source_of(page);

		if (sendfile(subject_file, subject->source, &at, PAGE) != PAGE)
			error = errno;
	}
	if (!error)
		error = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, subject_file);
	return error;
}

static long make_private_file(long unused)
{
	int error = make_private();

	(void)unused;
	if (!error)
		touch();
	return error;
}

static long make_private_file_written(long unused)
{
	int error = make_private();

	(void)unused;
	return error ? error : all_written();
}

/* A file that is not made of memory alone, and that nobody else has mapped. */
static long make_disk_file(long unused)
{
	int error;

	(void)unused;
	subject_file = open("/bin/bash", O_RDONLY | O_CLOEXEC);
	error = map(PROT_READ | PROT_WRITE, MAP_PRIVATE, subject_file);
	if (!error)
		touch();
	return error;
}

static long make_hugetlb(long unused)
{
	int error;

	(void)unused;
	subject_file = memfd_create("huge", MFD_HUGETLB | MFD_CLOEXEC);
	if (subject_file < 0 || ftruncate(subject_file, (off_t)size()))
		return errno;
	error = map(PROT_READ | PROT_WRITE, MAP_SHARED, subject_file);
	return error ? error : all_written();
}

static long make_hugetlb_private(long unused)
{
	int error = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1);

	(void)unused;
	return error ? error : all_written();
}

static long make_huge(long unused)
{
	int error = map(PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);

	(void)unused;
	if (!error && madvise(subject->memory, size(), MADV_HUGEPAGE))
		error = errno == EINVAL ? NOT_HERE : errno;
	if (!error)
		error = all_written();
	if (!error && proc_number(getpid(), "smaps_rollup", "AnonHugePages:") < (long)size() >> 10)
		error = NOT_HERE;
	return error;
}

static long make_huge_file(long unused)
{
	int error = file_in(subject->folder);

	(void)unused;
	if (!error)
		error = map(PROT_READ | PROT_WRITE, MAP_SHARED, subject_file);
	if (!error)
		error = all_written();
	if (!error && proc_number(getpid(), "smaps_rollup", "ShmemPmdMapped:") < (long)size() >> 10)
		error = NOT_HERE;
	return error;
}

#define SMALL .pages = 16, .victim = 5, .victims = 4, .shown = 16
#define HUGE .pages = HUGE_PAGES, .victim = 5, .victims = 4, .shown = SHOWN
/* Of these nothing smaller than a huge page can be unmapped. */
#define HUGETLB .pages = HUGE_PAGES, .victims = HUGE_PAGES, .shown = SHOWN, .hugetlb = true

const struct kind anonymous = { make_anonymous, SMALL };
const struct kind zero_page = { make_zero_page, SMALL };
const struct kind shared_anonymous = { make_shared_anonymous, SMALL };
const struct kind merged = { make_merged, SMALL };
const struct kind stack = { make_stack, SMALL };
struct kind vdso = { .make = make_vdso };
const struct kind tmpfs_file = { make_tmpfs_file, SMALL };
const struct kind memfd = { make_memfd, SMALL };
const struct kind private_file = { make_private_file, SMALL };
const struct kind private_file_written = { make_private_file_written, SMALL };
const struct kind disk_file = { make_disk_file, SMALL };
const struct kind hugetlb = { make_hugetlb, HUGETLB };
const struct kind hugetlb_private = { make_hugetlb_private, HUGETLB };
const struct kind huge = { make_huge, HUGE };
const struct kind huge_file = { make_huge_file, HUGE, .huge_tmpfs = true };
/* As huge ones could be. */
const struct kind small_pages = { make_anonymous, HUGE };

static __attribute__((constructor)) void measure_vdso(void)
{
	uint64_t start, end;

	if (mapping_named(getpid(), "[vdso]", &start, &end))
		vdso.pages = vdso.victims = vdso.shown = (end - start) / PAGE;
}

/* ---- swap ---- */

int swap_on(void)
{
	static union {
		uint8_t page[PAGE];
		uint32_t words[PAGE / 4];
	} header;
	const uint32_t pages = (64 << 20) / PAGE;
	int fd, error;

	if (access(ZRAM, F_OK) && system("modprobe zram >/dev/null 2>&1"))
		return NOT_HERE;
	error = file_write_number(ZRAM "disksize", (long)(pages * PAGE));
	if (error)
		return error;
	/* version and last page, after 1024 bytes for a boot loader */
	header.words[256] = 1;
	header.words[257] = pages - 1;
	memcpy(header.page + PAGE - 10, "SWAPSPACE2", 10);
	fd = open("/dev/zram0", O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, header.page, PAGE) != PAGE || fsync(fd))
		return errno;
	close(fd);
	return swapon("/dev/zram0", 0) ? errno : 0;
}

void swap_off(void)
{
	swapoff("/dev/zram0");
	file_write(ZRAM "reset", "1");
}
