// SPDX-License-Identifier: GPL-2.0
/*
 * Calls every ioctl of /dev/cordbmem and every read of a target fd with arguments that are nearly
 * right, while targets exit, start programs and remap, fds are closed, and signals come; and holds
 * every answer against what the contract allows whatever was asked.
 *
 * usage: fuzz_ioctl [--seconds N] [--seed S]
 *
 * Two crews of one process each, root and a user, share one open device. In a crew, workers call,
 * and one thread, the stage hand, does the rest: it alone forks, kills and reaps, and only its own
 * children. Every process dies with the one that made it. The same seed makes the same choices, but
 * the races between them are the machine's.
 *
 * Status: 0 clean, 1 an answer was wrong, 2 bad usage or no device, 3 somebody hung.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/cordbmem.h>

#define PAGE ((size_t)4096)
#define POISON 0xcc
#define ALLOW_FORCE "/sys/module/cordbmem/parameters/allow_force"

/* In every process of ours, at the same place: words that tell their address, or zeros. */
#define REGION 0x300000000000ULL
#define REGION_PAGES ((size_t)16)
#define REGION_SIZE (REGION_PAGES * PAGE)

#define CREWS 2
#define WORKERS 5
#define TARGETS 4
#define FDS 24
#define ELEMENTS 24
#define ARENA (6 * PAGE)

/* What all processes share. */
static struct shared {
	int stop;
	int failures;
	double deadline;
	uint64_t calls, bytes, ended[CREWS];
	uint64_t errnos[256];
} * shared;

static uint64_t seed;
static int device;

/* ---- small things ---- */

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct random {
	uint64_t state;
};

static uint64_t any(struct random *r)
{
	uint64_t x = r->state += 0x9e3779b97f4a7c15;

	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9;
	x = (x ^ (x >> 27)) * 0x94d049bb133111eb;
	return x ^ (x >> 31);
}

static uint64_t below(struct random *r, uint64_t limit)
{
	return any(r) % limit;
}

static bool one_in(struct random *r, uint64_t n)
{
	return below(r, n) == 0;
}

#define PICK(r, array) ((array)[below((r), sizeof(array) / sizeof((array)[0]))])

static uint64_t number(const volatile void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static void *pointer(uint64_t n)
{
	return (void *)(uintptr_t)n;
}

static bool stopping(void)
{
	return __atomic_load_n(&shared->stop, __ATOMIC_RELAXED) || now() > shared->deadline;
}

static void wrong(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Says what was wrong, once or a few times, and ends everything. */
static void wrong(const char *format, ...)
{
	char text[512];
	va_list args;
	int length;

	if (__atomic_fetch_add(&shared->failures, 1, __ATOMIC_SEQ_CST) < 5) {
		length = snprintf(text, sizeof(text), "fuzz_ioctl: WRONG: ");
		va_start(args, format);
		length += vsnprintf(text + length, sizeof(text) - (size_t)length - 1, format, args);
		va_end(args);
		if ((size_t)length > sizeof(text) - 2)
			length = sizeof(text) - 2;
		text[length++] = '\n';
		if (write(1, text, (size_t)length) < 0)
			_exit(1);
	}
	__atomic_store_n(&shared->stop, 1, __ATOMIC_SEQ_CST);
}

static uint64_t word_at(uint64_t address)
{
	return (address >> 3) * 0x9e3779b97f4a7c15 | 1;
}

static uint8_t byte_at(uint64_t address)
{
	return (uint8_t)(word_at(address) >> (address % 8 * 8));
}

static void fill(uint64_t address, size_t length)
{
	for (size_t i = 0; i < length; i += 8)
		*(volatile uint64_t *)pointer(address + i) = word_at(address + i);
}

/* ---- targets ---- */

static _Noreturn void target_main(uint64_t random_seed)
{
	struct random r = { random_seed };
	void *region = mmap(pointer(REGION), REGION_SIZE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (region == MAP_FAILED)
		_exit(1);
	fill(REGION, REGION_SIZE);
	while (!stopping()) {
		uint64_t at = REGION + below(&r, REGION_PAGES) * PAGE;
		size_t length = (1 + below(&r, 4)) * PAGE;

		if (at + length > REGION + REGION_SIZE)
			length = REGION + REGION_SIZE - at;
		switch (below(&r, 12)) {
		case 0:
			munmap(pointer(at), length);
			break;
		case 1:
			mprotect(pointer(at), length, PROT_NONE);
			break;
		case 2:
			mprotect(pointer(at), length, PROT_READ);
			break;
		case 3:
			madvise(pointer(at), length, MADV_DONTNEED);
			break;
		case 4:
			madvise(pointer(at), length, MADV_PAGEOUT);
			break;
		case 5:
			prctl(PR_SET_DUMPABLE, one_in(&r, 2));
			break;
		case 6:
			if (one_in(&r, 40))
				_exit(0);
			break;
		case 7:
			if (one_in(&r, 60)) {
				char *argv[] = { "fuzz_ioctl", "--target", NULL };

				execv("/proc/self/exe", argv);
			}
			break;
		case 8: {
			/* copy on write, and a second process with the same bytes for a moment */
			pid_t pid = one_in(&r, 8) ? fork() : -1;

			if (pid == 0)
				_exit(0);
			if (pid > 0) {
				mprotect(pointer(at), length, PROT_READ | PROT_WRITE);
				waitpid(pid, NULL, 0);
			}
			break;
		}
		case 9:
			for (uint64_t i = below(&r, 20000); i; i--)
				__asm__ volatile("");
			break;
		default:
			if (mmap(pointer(at), length, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED)
				fill(at, length);
		}
		/* the callers are the ones to be busy */
		usleep(200 + (unsigned int)below(&r, 1000));
	}
	_exit(0);
}

/* ---- a crew ---- */

static struct crew {
	int number;
	pid_t targets[TARGETS];
	int fds[FDS];
} crew;

/* Callers' memory that comes and goes while it is written. */
static uint8_t *shifting;
#define SHIFTING_SIZE (8 * PAGE)

/* One worker's memory. Only @arena is written by the calls of that worker, and only where said. */
struct worker {
	struct random r;
	uint8_t *arena;	       /* ARENA bytes, then a page that is not there */
	uint8_t *structs;      /* a page for arguments, then a page that is not there */
	uint8_t *array;	       /* a page for the elements of READV, likewise */
	uint8_t before[ARENA]; /* copy of the arena */
};

static void keep_fd(struct random *r, int fd)
{
	int old;

	if (fd < 0)
		return;
	old = __atomic_exchange_n(&PICK(r, crew.fds), fd, __ATOMIC_SEQ_CST);
	if (old >= 0)
		close(old);
}

static int some_fd(struct random *r)
{
	static const int odd[] = { -1, INT32_MIN, INT32_MAX, 1 << 20, 1000, -100 };

	if (one_in(r, 12))
		return PICK(r, odd);
	return __atomic_load_n(&PICK(r, crew.fds), __ATOMIC_SEQ_CST);
}

static int32_t some_pid(struct random *r)
{
	static const int32_t odd[] = { 0, -1, 1, 2, INT32_MIN, INT32_MAX, 4194304, 3 };

	switch (below(r, 10)) {
	case 0:
		return PICK(r, odd);
	case 1:
		return getpid();
	case 2:
		return (int32_t)syscall(SYS_gettid);
	case 3:
		return getppid();
	default:
		return __atomic_load_n(&PICK(r, crew.targets), __ATOMIC_SEQ_CST);
	}
}

static uint64_t some_address(struct random *r)
{
	static const uint64_t odd[] = {
		0,
		1,
		4096,
		0x00007ffffffff000,
		0x00007fffffffffff,
		0x0000800000000000,
		0x7fffffffffffffff,
		0x8000000000000000,
		0xffff888000000000,
		0xffffffff81000000,
		0xffffffffff600000,
		0xfffffffffffffff0,
		0xffffffffffffffff,
	};

	if (one_in(r, 12))
		return PICK(r, odd) + below(r, 3) - 1;
	if (one_in(r, 20))
		return any(r);
	/* often near a boundary */
	if (one_in(r, 2))
		return REGION + below(r, REGION_PAGES + 1) * PAGE + below(r, 40) - 20;
	return REGION + below(r, REGION_SIZE);
}

static uint64_t some_length(struct random *r, uint64_t room)
{
	static const uint64_t odd[] = {
		0,	   1ULL << 31, 1ULL << 32,	  1ULL << 47,
		INT64_MAX, 1ULL << 63, UINT64_MAX - 4095, UINT64_MAX,
	};

	if (one_in(r, 15))
		return PICK(r, odd);
	if (one_in(r, 2))
		return below(r, 40);
	return below(r, room);
}

static uint32_t some_flags(struct random *r, uint32_t known)
{
	uint32_t flags = 0;

	if (one_in(r, 3))
		flags |= CORDBMEM_READ_NOFAULT;
	if (one_in(r, 3))
		flags |= CORDBMEM_READ_FORCE;
	if (one_in(r, 4))
		flags |= known;
	if (one_in(r, 25))
		flags |= 1U << below(r, 32);
	return flags;
}

/*
 * Where the answer goes: into the worker's arena, where every byte is watched, or to a place that
 * cannot be written, or that may vanish. Nothing else of this program may ever be named.
 */
static bool some_buffer(struct worker *w, uint64_t length, __u64 *buffer)
{
	static const uint64_t odd[] = {
		0,
		1,
		0xffff888000001000,
		0xffffffff81000000,
		0x0000800000000000,
		UINT64_MAX,
		0xffffffffff600000,
		UINT64_MAX - 4095,
	};

	if (one_in(&w->r, 14)) {
		*buffer = PICK(&w->r, odd);
		return false;
	}
	if (one_in(&w->r, 10)) {
		*buffer = number(shifting) + below(&w->r, SHIFTING_SIZE);
		/* behind it is nothing, however long */
		return false;
	}
	if (length <= ARENA && !one_in(&w->r, 8))
		*buffer = number(w->arena) + below(&w->r, ARENA - length + 1);
	else
		*buffer = number(w->arena) + below(&w->r, ARENA);
	return true;
}

static void count_call(int error)
{
	__atomic_fetch_add(&shared->calls, 1, __ATOMIC_RELAXED);
	__atomic_fetch_add(&shared->errnos[error & 255], 1, __ATOMIC_RELAXED);
}

static bool among(int error, const int *set, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (set[i] == error)
			return true;
	return false;
}

#define AMONG(error, ...)                            \
	among((error), (const int[]){ __VA_ARGS__ }, \
	      sizeof((const int[]){ __VA_ARGS__ }) / sizeof(int))

/* The errnos after which nothing was read and nothing was written. */
static bool is_refusal(int error)
{
	return AMONG(error, EINVAL, E2BIG, EOPNOTSUPP, EPERM, ENOTTY, EBADF);
}

/* ---- what must hold for the bytes ---- */

/* Bytes that were read from the region are the region's, or zeros of a page that is new. */
static void check_content(const struct worker *w, uint64_t address, uint64_t buffer, uint64_t count)
{
	const uint8_t *bytes = pointer(buffer);

	(void)w;
	if (address < REGION || address + count > REGION + REGION_SIZE || address + count < address)
		return;
	for (uint64_t i = 0; i < count; i++) {
		if (bytes[i] && bytes[i] != byte_at(address + i)) {
			wrong("byte %#x at %#lx, which was never there", bytes[i],
			      (unsigned long)(address + i));
			return;
		}
	}
}

struct range {
	uint64_t start, end;
};

/* Nothing of the arena changed but in the ranges. */
static void check_arena(const struct worker *w, const struct range *ranges, size_t count)
{
	for (size_t i = 0; i < ARENA; i += 512) {
		uint64_t a = number(w->arena) + i;

		if (memcmp(w->arena + i, w->before + i, 512) == 0)
			continue;
		for (uint64_t k = a; k < a + 512; k++) {
			bool inside = false;

			if (w->arena[k - number(w->arena)] == w->before[k - number(w->arena)])
				continue;
			for (size_t n = 0; n < count && !inside; n++)
				inside = k >= ranges[n].start && k < ranges[n].end;
			if (!inside) {
				wrong("byte %#lx of the arena was written, outside every buffer",
				      (unsigned long)(k - number(w->arena)));
				return;
			}
		}
	}
}

static struct range range_of(uint64_t buffer, uint64_t length)
{
	struct range range = { buffer, buffer + length };

	if (range.end < range.start)
		range.end = UINT64_MAX;
	return range;
}

static void wipe_arena(struct worker *w)
{
	memset(w->arena, (int)below(&w->r, 256), ARENA);
	memcpy(w->before, w->arena, ARENA);
}

static void check_counts(const char *what, uint64_t length, uint64_t count, int error)
{
	if (count > length)
		wrong("%s: %lu of %lu bytes", what, (unsigned long)count, (unsigned long)length);
	/* of no bytes, everything but a hole can be wrong */
	if (!length ? error == EIO : (count == length) != (error == 0))
		wrong("%s: %lu of %lu bytes with error %d", what, (unsigned long)count,
		      (unsigned long)length, error);
	__atomic_fetch_add(&shared->bytes, count, __ATOMIC_RELAXED);
}

/* ---- arguments ---- */

/*
 * Puts an argument where the kernel finds it, @tail bytes longer than it is, and returns the
 * place. @whole: it can be read and written there.
 */
static void *place(struct worker *w, const void *argument, size_t size, size_t tail, bool *whole)
{
	static const uint64_t odd[] = {
		0, 8, 0xffff888000001000, 0xffffffff81000000, UINT64_MAX - 8, 0x0000800000000000,
	};
	uint8_t *at;

	*whole = false;
	if (one_in(&w->r, 60))
		return pointer(PICK(&w->r, odd));
	if (one_in(&w->r, 60)) {
		/* not all of it fits before the hole */
		size_t in = 1 + below(&w->r, size);

		at = w->structs + PAGE - in;
		memcpy(at, argument, in);
		*whole = in == size && !tail;
		return at;
	}
	at = w->structs + (one_in(&w->r, 2) ? 0 : PAGE - size - tail);
	memcpy(at, argument, size);
	memset(at + size, 0, tail);
	if (tail && one_in(&w->r, 3))
		at[size + below(&w->r, tail)] = 1;
	*whole = true;
	return at;
}

static uint32_t some_size(struct random *r, size_t size, size_t *tail)
{
	static const uint32_t odd[] = { 0, 1, 4, 8, 4096, 4097, 1 << 20, INT32_MAX, UINT32_MAX };

	*tail = 0;
	if (one_in(r, 12)) {
		*tail = below(r, 64);
		return (uint32_t)(size + *tail);
	}
	if (one_in(r, 20))
		return (uint32_t)below(r, size);
	if (one_in(r, 40))
		return PICK(r, odd);
	return (uint32_t)size;
}

static int some_device(struct random *r)
{
	return one_in(r, 30) ? some_fd(r) : device;
}

static int call(int fd, unsigned long nr, void *argument)
{
	int error = ioctl(fd, nr, argument) ? errno : 0;

	count_call(error);
	return error;
}

static void fuzz_info(struct worker *w)
{
	struct cordbmem_info argument, *at;
	size_t tail;
	bool whole;
	int fd = some_device(&w->r), error;

	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = one_in(&w->r, 10) ? (uint32_t)any(&w->r) : 0;
	at = place(w, &argument, sizeof(argument), tail, &whole);
	error = call(fd, CORDBMEM_IOC_INFO, at);
	if (!AMONG(error, 0, EINVAL, E2BIG, EFAULT) &&
	    (fd == device || !AMONG(error, ENOTTY, EBADF)))
		wrong("INFO: errno %d", error);
	if (whole && error && memcmp(at, &argument, sizeof(argument)))
		wrong("INFO: errno %d, and the argument changed", error);
	if (whole && !error && (at->abi != CORDBMEM_ABI || at->page_size != PAGE || at->reserved))
		wrong("INFO: abi %u, page size %u", at->abi, at->page_size);
}

static void fuzz_read(struct worker *w)
{
	struct cordbmem_read argument, *at;
	struct range range;
	size_t tail;
	bool whole, watched;
	int fd = some_device(&w->r), error;

	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = some_flags(&w->r, one_in(&w->r, 20) ? CORDBMEM_READ_TARGET_FD : 0);
	argument.pid = some_pid(&w->r);
	argument.reserved = one_in(&w->r, 30) ? (uint32_t)any(&w->r) : 0;
	argument.address = some_address(&w->r);
	argument.length = some_length(&w->r, ARENA);
	watched = some_buffer(w, argument.length, &argument.buffer);
	wipe_arena(w);
	at = place(w, &argument, sizeof(argument), tail, &whole);
	error = call(fd, CORDBMEM_IOC_READ, at);

	range = range_of(argument.buffer, argument.length);
	check_arena(w, &range, watched && !is_refusal(error) ? 1 : 0);
	if (!AMONG(error, 0, EINVAL, E2BIG, EOPNOTSUPP, EPERM, EFAULT, ESRCH, EACCES, EIO, EINTR,
		   ENOMEM) &&
	    (fd == device || !AMONG(error, ENOTTY, EBADF)))
		wrong("READ: errno %d", error);
	if (!whole)
		return;
	if (is_refusal(error)) {
		if (memcmp(at, &argument, sizeof(argument)))
			wrong("READ: errno %d, and the argument changed", error);
		return;
	}
	if (at->size != argument.size || at->flags != argument.flags || at->pid != argument.pid ||
	    at->reserved != argument.reserved || at->address != argument.address ||
	    at->length != argument.length || at->buffer != argument.buffer)
		wrong("READ: an in member changed");
	if (error) {
		bool untouched =
			at->bytes_read == argument.bytes_read && at->error == argument.error;

		if (!untouched && (at->bytes_read || at->error != error || at->reserved2))
			wrong("READ: errno %d, but error %d and %lu bytes", error, at->error,
			      (unsigned long)at->bytes_read);
		return;
	}
	check_counts("READ", argument.length, at->bytes_read, at->error);
	if (at->error && !AMONG(at->error, EIO, EINTR, ESRCH, ENOMEM, EFAULT))
		wrong("READ: error %d", at->error);
	if (argument.length && !at->bytes_read)
		wrong("READ: success without a byte");
	if (watched)
		check_content(w, argument.address, argument.buffer, at->bytes_read);
}

static void fuzz_readv(struct worker *w)
{
	static const uint32_t odd_counts[] = { 1024, 1025, 100000, INT32_MAX, UINT32_MAX };
	struct cordbmem_element elements[ELEMENTS], after[ELEMENTS];
	struct range ranges[ELEMENTS];
	uint8_t *array = w->array + (one_in(&w->r, 2) ? 0 : PAGE - sizeof(elements));
	struct cordbmem_readv argument, *at;
	uint32_t count = (uint32_t)below(&w->r, ELEMENTS + 1);
	const size_t slice = ARENA / ELEMENTS;
	int fd = some_device(&w->r), error;
	bool whole, usual = true;
	size_t watched = 0, tail;

	memset(elements, POISON, sizeof(elements));
	for (uint32_t i = 0; i < count; i++) {
		struct cordbmem_element *e = &elements[i];

		e->flags = some_flags(&w->r, CORDBMEM_READ_TARGET_FD);
		e->source = e->flags & CORDBMEM_READ_TARGET_FD ? some_fd(&w->r) : some_pid(&w->r);
		/* runs of one source are a case of their own */
		if (i && !one_in(&w->r, 3)) {
			e->flags = elements[i - 1].flags;
			e->source = elements[i - 1].source;
		}
		e->address = some_address(&w->r);
		e->length = some_length(&w->r, one_in(&w->r, 3) ? slice : 64);
		e->reserved = one_in(&w->r, 60) ? (uint32_t)any(&w->r) : 0;
		if (some_buffer(w, e->length, &e->buffer)) {
			/* a slice for each, and some beyond theirs */
			e->buffer = number(w->arena) + i * slice;
			if (e->length < slice)
				e->buffer += below(&w->r, slice - e->length);
			ranges[watched++] = range_of(e->buffer, e->length);
		}
	}
	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = one_in(&w->r, 30) ? 1U << below(&w->r, 32) : 0;
	argument.elements = number(array);
	argument.count = count;
	argument.element_size = sizeof(elements[0]);
	argument.reserved = one_in(&w->r, 30) ? 1U << below(&w->r, 32) : 0;
	if (one_in(&w->r, 20)) {
		argument.count = PICK(&w->r, odd_counts);
		usual = false;
	}
	if (one_in(&w->r, 30)) {
		/* one element, and zeros behind it: no part of another may be taken for a buffer */
		argument.element_size = (uint32_t)below(&w->r, 200);
		argument.count = count ? 1 : 0;
		memset(elements + 1, 0, sizeof(elements) - sizeof(elements[0]));
		usual = false;
	}
	if (one_in(&w->r, 30)) {
		argument.elements = one_in(&w->r, 2) ? 0xffff888000001000 : number(shifting);
		usual = false;
	}
	wipe_arena(w);
	at = place(w, &argument, sizeof(argument), tail, &whole);
	memcpy(array, elements, sizeof(elements));
	error = call(fd, CORDBMEM_IOC_READV, at);
	memcpy(after, array, sizeof(after));

	/* Elements of another size are other elements: what they name may be anything here. */
	if (usual || is_refusal(error))
		check_arena(w, ranges, is_refusal(error) ? 0 : watched);
	if (!AMONG(error, 0, EINVAL, E2BIG, EFAULT, EINTR, ENOMEM) &&
	    (fd == device || !AMONG(error, ENOTTY, EBADF)))
		wrong("READV: errno %d", error);
	if (!usual || !whole)
		return;
	if (is_refusal(error)) {
		if (memcmp(at, &argument, sizeof(argument)) ||
		    memcmp(after, elements, sizeof(after)))
			wrong("READV: errno %d, and something changed", error);
		return;
	}
	if (error)
		return;
	if (at->done > count || (count && !at->done)) {
		wrong("READV: %u of %u elements done", at->done, count);
		return;
	}
	for (uint32_t i = 0; i < ELEMENTS; i++) {
		struct cordbmem_element *e = &after[i];

		if (i >= at->done) {
			if (memcmp(e, &elements[i], sizeof(*e)))
				wrong("READV: element %u of %u changed, %u done", i, count,
				      at->done);
			continue;
		}
		check_counts("element", e->length, e->bytes_read, e->error);
		if (e->error && !AMONG(e->error, EINVAL, EOPNOTSUPP, EPERM, EFAULT, ESRCH, EACCES,
				       EIO, EINTR, ENOMEM, EBADF))
			wrong("element: error %d", e->error);
		if (e->bytes_read && !AMONG(e->error, 0, EIO, EINTR, ESRCH, ENOMEM, EFAULT))
			wrong("element: error %d after %lu bytes", e->error,
			      (unsigned long)e->bytes_read);
		e->bytes_read = elements[i].bytes_read;
		e->error = elements[i].error;
		if (memcmp(e, &elements[i], sizeof(*e)))
			wrong("READV: an in member of element %u changed", i);
	}
}

static void fuzz_attach(struct worker *w)
{
	struct cordbmem_attach argument, *at;
	size_t tail;
	bool whole;
	int fd = some_device(&w->r), error;

	memset(&argument, POISON, sizeof(argument));
	argument.size = some_size(&w->r, sizeof(argument), &tail);
	argument.flags = some_flags(&w->r, CORDBMEM_ATTACH_MEM_FD);
	argument.source =
		argument.flags & CORDBMEM_ATTACH_MEM_FD ? some_fd(&w->r) : some_pid(&w->r);
	at = place(w, &argument, sizeof(argument), tail, &whole);
	error = call(fd, CORDBMEM_IOC_ATTACH, at);
	if (!AMONG(error, 0, EINVAL, E2BIG, EOPNOTSUPP, EPERM, EBADF, EFAULT, ESRCH, EACCES, ENOMEM,
		   EMFILE, ENFILE, EINTR) &&
	    (fd == device || error != ENOTTY))
		wrong("ATTACH: errno %d", error);
	if (!whole) {
		/* where it went, if it did, nobody knows; the limit of open files tells a leak */
		return;
	}
	if (error) {
		if (memcmp(at, &argument, sizeof(argument)))
			wrong("ATTACH: errno %d, and the argument changed", error);
	} else if (at->target_fd < 0) {
		wrong("ATTACH: fd %d", at->target_fd);
	} else {
		keep_fd(&w->r, at->target_fd);
	}
}

static void fuzz_number(struct worker *w)
{
	uint8_t argument[256];
	unsigned long nr = _IO(CORDBMEM_IOC_MAGIC, 4 + below(&w->r, 252));
	uint8_t *at;
	bool whole;
	int error;

	if (one_in(&w->r, 4))
		nr = _IOWR(CORDBMEM_IOC_MAGIC, below(&w->r, 8), uint64_t[4]);
	for (size_t i = 0; i < sizeof(argument); i++)
		argument[i] = (uint8_t)any(&w->r);
	at = place(w, argument, sizeof(argument), 0, &whole);
	error = call(one_in(&w->r, 2) ? device : some_fd(&w->r), nr, at);
	if (error == 0)
		wrong("ioctl %#lx succeeded", nr);
	if (whole && memcmp(at, argument, sizeof(argument)))
		wrong("ioctl %#lx changed its argument", nr);
}

static void fuzz_file(struct worker *w)
{
	int fd = some_fd(&w->r);
	uint64_t address = some_address(&w->r), length = some_length(&w->r, ARENA);
	__u64 buffer;
	bool watched = some_buffer(w, length, &buffer);
	struct range ranges[2] = { range_of(buffer, length) };
	struct iovec iov[2] = { { pointer(buffer), length }, { w->arena, below(&w->r, 100) } };
	struct pollfd p = { .fd = fd, .events = (short)any(&w->r) };
	ssize_t got = 0;

	wipe_arena(w);
	switch (below(&w->r, 8)) {
	case 0:
		if (poll(&p, 1, one_in(&w->r, 20)) < 0 && errno != EINTR)
			wrong("poll: errno %d", errno);
		return;
	case 1:
		lseek(fd, (off_t)address, (int)below(&w->r, 6));
		return;
	case 2:
		ranges[1] = range_of(number(w->arena), iov[1].iov_len);
		got = preadv(fd, iov, 2, (off_t)address);
		if (!watched)
			ranges[0] = ranges[1];
		check_arena(w, ranges, 2);
		if (got > 0 && (uint64_t)got > length + iov[1].iov_len)
			wrong("preadv: %zd bytes", got);
		break;
	case 3:
		got = read(fd, pointer(buffer), length);
		check_arena(w, ranges, watched ? 1 : 0);
		break;
	default:
		got = pread(fd, pointer(buffer), length, (off_t)address);
		check_arena(w, ranges, watched ? 1 : 0);
		if (got > 0 && (uint64_t)got > length)
			wrong("pread: %zd of %lu bytes", got, (unsigned long)length);
	}
	count_call(got < 0 ? errno : 0);
}

static void *worker_main(void *argument)
{
	struct worker w = { .r = { seed + (uint64_t)(intptr_t)argument * 0x1234567 } };
	uint8_t *memory =
		mmap(NULL, ARENA + 5 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	w.arena = memory;
	w.structs = memory + ARENA + PAGE;
	w.array = memory + ARENA + 3 * PAGE;
	if (memory == MAP_FAILED || mprotect(w.arena, ARENA, PROT_READ | PROT_WRITE) ||
	    mprotect(w.structs, PAGE, PROT_READ | PROT_WRITE) ||
	    mprotect(w.array, PAGE, PROT_READ | PROT_WRITE)) {
		wrong("no memory");
		return NULL;
	}
	while (!stopping()) {
		switch (below(&w.r, 12)) {
		case 0:
			fuzz_info(&w);
			break;
		case 1:
		case 2:
		case 3:
			fuzz_read(&w);
			break;
		case 4:
		case 5:
		case 6:
			fuzz_readv(&w);
			break;
		case 7:
			fuzz_attach(&w);
			break;
		case 8:
			fuzz_number(&w);
			break;
		default:
			fuzz_file(&w);
		}
	}
	return NULL;
}

/* ---- the stage hand ---- */

static void new_fd(struct random *r)
{
	char path[64];
	int pipe_fds[2];
	pid_t pid = PICK(r, crew.targets);

	switch (below(r, 9)) {
	case 0:
		if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) == 0) {
			keep_fd(r, pipe_fds[0]);
			keep_fd(r, pipe_fds[1]);
		}
		break;
	case 1:
		keep_fd(r, eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
		break;
	case 2:
		keep_fd(r, memfd_create("fuzz", MFD_CLOEXEC));
		break;
	case 3:
		keep_fd(r, dup(device));
		break;
	case 4:
		snprintf(path, sizeof(path), "/proc/%d/%s", pid, one_in(r, 2) ? "maps" : "auxv");
		keep_fd(r, open(path, O_RDONLY | O_CLOEXEC));
		break;
	default:
		snprintf(path, sizeof(path), "/proc/%d/mem", one_in(r, 6) ? getpid() : pid);
		keep_fd(r, open(path, (one_in(r, 6)   ? O_PATH
				       : one_in(r, 6) ? O_WRONLY
						      : O_RDONLY) |
					      O_CLOEXEC));
	}
}

static void new_target(struct random *r, size_t i)
{
	uint64_t target_seed = any(r);
	pid_t old = crew.targets[i], pid;

	/* It may have ended by itself; it was not reaped, so the number is still its own. */
	if (old > 0) {
		kill(old, SIGKILL);
		if (!one_in(r, 4))
			sched_yield();
		while (waitpid(old, NULL, 0) < 0 && errno == EINTR)
			;
	}
	pid = fork();
	if (pid == 0)
		target_main(target_seed);
	__atomic_store_n(&crew.targets[i], pid, __ATOMIC_SEQ_CST);
}

static void shift(struct random *r)
{
	uint8_t *at = shifting + below(r, SHIFTING_SIZE / PAGE) * PAGE;

	if (one_in(r, 2))
		mprotect(at, PAGE, (int)below(r, 2) * PROT_READ);
	else
		mprotect(at, PAGE, PROT_READ | PROT_WRITE);
	if (one_in(r, 4))
		madvise(at, PAGE, MADV_DONTNEED);
}

static void set_force(bool on)
{
	int fd = open(ALLOW_FORCE, O_WRONLY | O_CLOEXEC);

	if (fd >= 0 && write(fd, on ? "Y" : "N", 1) < 0)
		wrong("cannot write %s", ALLOW_FORCE);
	if (fd >= 0)
		close(fd);
}

static void on_alarm(int unused)
{
	(void)unused;
}

static _Noreturn void crew_main(int which)
{
	struct random r = { seed * 31 + (uint64_t)which };
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = { { 0, 5000 }, { 0, 5000 } };
	pthread_t threads[WORKERS];
	void *region;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (which == 1) {
		if (setgroups(0, NULL) || setresgid(1000, 1000, 1000) ||
		    setresuid(1000, 1000, 1000) || prctl(PR_SET_DUMPABLE, 1) ||
		    prctl(PR_SET_PDEATHSIG, SIGKILL)) {
			wrong("cannot become a user");
			_exit(1);
		}
	}
	crew.number = which;
	for (size_t i = 0; i < FDS; i++)
		crew.fds[i] = -1;
	/* The region is in the callers too, so they may read themselves. */
	region = mmap(pointer(REGION), REGION_SIZE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	shifting = mmap(NULL, SHIFTING_SIZE + (1 << 20), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			0);
	if (region == MAP_FAILED || shifting == MAP_FAILED) {
		wrong("no memory");
		_exit(1);
	}
	mprotect(shifting, SHIFTING_SIZE, PROT_READ | PROT_WRITE);
	fill(REGION, REGION_SIZE);
	for (size_t i = 0; i < TARGETS; i++)
		new_target(&r, i);
	sigaction(SIGALRM, &action, NULL);
	for (long i = 0; i < WORKERS; i++) {
		if (pthread_create(&threads[i], NULL, worker_main,
				   (void *)(intptr_t)(which * WORKERS + i))) {
			wrong("no thread");
			_exit(1);
		}
	}
	setitimer(ITIMER_REAL, &timer, NULL);
	while (!stopping()) {
		switch (below(&r, 16)) {
		case 0:
			new_target(&r, below(&r, TARGETS));
			break;
		case 1:
			/* a zombie for a while */
			kill(PICK(&r, crew.targets), SIGKILL);
			break;
		case 2: {
			int fd = __atomic_exchange_n(&PICK(&r, crew.fds), -1, __ATOMIC_SEQ_CST);

			if (fd >= 0)
				close(fd);
			break;
		}
		case 3:
			if (which == 0)
				set_force(!one_in(&r, 4));
			break;
		case 4:
		case 5:
		case 6:
			new_fd(&r);
			break;
		default:
			shift(&r);
		}
		usleep(500);
	}
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, NULL);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < TARGETS; i++) {
		if (crew.targets[i] <= 0)
			continue;
		kill(crew.targets[i], SIGKILL);
		waitpid(crew.targets[i], NULL, 0);
	}
	__atomic_store_n(&shared->ended[which], 1, __ATOMIC_SEQ_CST);
	_exit(0);
}

/* ---- the whole ---- */

static void show_hung(pid_t pid)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "for t in /proc/%d/task/*; do echo $t; cat $t/wchan; echo; cat $t/stack; done",
		 pid);
	if (system(command))
		printf("fuzz_ioctl: cannot show where process %d is\n", pid);
}

static uint64_t parse(const char *text, const char *name)
{
	char *end;
	uint64_t value;

	errno = 0;
	value = text ? strtoull(text, &end, 0) : 0;
	if (!text || errno || !*text || *end) {
		fprintf(stderr, "fuzz_ioctl: %s needs a number\n", name);
		exit(2);
	}
	return value;
}

int main(int argc, char **argv)
{
	uint64_t time = 20;
	pid_t crews[CREWS];
	int status = 0, left = CREWS;
	bool have_seed = false;

	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (shared == MAP_FAILED)
		return 2;
	if (argc == 2 && !strcmp(argv[1], "--target")) {
		/* A target that started itself anew; it is killed before this is over. */
		shared->deadline = now() + 60;
		target_main((uint64_t)getpid());
	}
	for (int i = 1; i < argc; i += 2) {
		if (!strcmp(argv[i], "--seconds")) {
			time = parse(argv[i + 1], argv[i]);
		} else if (!strcmp(argv[i], "--seed")) {
			seed = parse(argv[i + 1], argv[i]);
			have_seed = true;
		} else {
			fprintf(stderr, "usage: fuzz_ioctl [--seconds N] [--seed S]\n");
			return 2;
		}
	}
	if (!have_seed && getrandom(&seed, 4, 0) != 4)
		return 2;
	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("fuzz_ioctl: %lu s with seed %lu\n", (unsigned long)time, (unsigned long)seed);
	device = open(CORDBMEM_DEVICE, O_RDONLY | O_CLOEXEC);
	if (device < 0) {
		perror(CORDBMEM_DEVICE);
		return 2;
	}

	/* Whatever goes wrong with this process, it ends. */
	alarm((unsigned int)time + 90);
	shared->deadline = now() + (double)time;
	for (int i = 0; i < CREWS; i++) {
		crews[i] = fork();
		if (crews[i] == 0)
			crew_main(i);
		if (crews[i] < 0)
			return 2;
	}
	while (left && now() < shared->deadline + 30) {
		int how;
		pid_t pid = waitpid(-1, &how, WNOHANG);

		if (pid <= 0) {
			usleep(20000);
			continue;
		}
		left--;
		for (int i = 0; i < CREWS; i++)
			if (crews[i] == pid)
				crews[i] = -1;
		if (!WIFEXITED(how) || WEXITSTATUS(how))
			wrong("a crew ended with status %#x", (unsigned int)how);
	}
	for (int i = 0; left && i < CREWS; i++) {
		if (crews[i] < 0)
			continue;
		printf("fuzz_ioctl: process %d hangs\n", crews[i]);
		show_hung(crews[i]);
		kill(crews[i], SIGKILL);
		status = 3;
	}
	set_force(true);
	printf("fuzz_ioctl: %lu calls, %lu bytes read\nfuzz_ioctl: answers:",
	       (unsigned long)shared->calls, (unsigned long)shared->bytes);
	for (int i = 0; i < 256; i++)
		if (shared->errnos[i])
			printf(" %s %lu", i ? strerrorname_np(i) : "0",
			       (unsigned long)shared->errnos[i]);
	printf("\n");
	if (shared->failures)
		status = 1;
	if (status)
		printf("fuzz_ioctl: FAILED: %d wrong, again with --seed %lu\n", shared->failures,
		       (unsigned long)seed);
	return status;
}
