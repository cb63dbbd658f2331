// SPDX-License-Identifier: GPL-2.0
/*
 * Every call, failing at every place where it can: it succeeds with the right bytes or says one of the errnos
 * that the uAPI has for it, leaves no fd behind, and the same call works right after.
 *
 * One row of the table, a variant of the fixture, is one system call. What a failure leaves in
 * the kernel is for the VM's runner to see: the log, kmemleak, lockdep and the module's unloading.
 */
#include <fcntl.h>
#include <sys/syscall.h>

#include <kselftest_harness.h>

#include "../kernel/call.h"
#include "../kernel/child.h"
#include "../kernel/memory.h"
#include "../kernel/support.h"
#include "../kernel/window.h"
#include "faults.h"
#include "judges.h"
#include "scene.h"

/* No errno: a call that has failure points and never fails. */
#define NEVER 0x7fff

/* ---- the calls ---- */

static struct request open_device(void)
{
	return (struct request){
		SYS_openat, { AT_FDCWD, (long)number(CORDBMEM_DEVICE), O_RDONLY | O_CLOEXEC }
	};
}

static struct request info(void)
{
	scene.info.known = info_argument();
	return device_ioctl(CORDBMEM_IOC_INFO, &scene.info);
}

static struct request longer_info(void)
{
	scene.info.known = info_argument();
	scene.info.known.size = sizeof(scene.info);
	scene.info.tail = 0;
	return device_ioctl(CORDBMEM_IOC_INFO, &scene.info);
}

static struct request read_of(uint64_t length, uint32_t flags)
{
	scene.read = read_argument(scene.target.pid, scene.address, scene.buffer, length);
	scene.read.flags = flags;
	return device_ioctl(CORDBMEM_IOC_READ, &scene.read);
}

static struct request read_short(void)
{
	device_anew();
	target_anew(PROT_READ);
	return read_of(SHORT, 0);
}

static struct request read_short_remembered(void)
{
	target_anew(PROT_READ);
	read_all(scene.device, scene.target.pid, scene.address, scene.buffer, SHORT);
	target_anew(PROT_READ);
	return read_of(SHORT, 0);
}

static struct request read_long(void)
{
	device_anew();
	target_anew(PROT_READ);
	buffer_anew();
	return read_of(SIZE, 0);
}

static struct request read_forced(void)
{
	device_anew();
	target_anew(PROT_NONE);
	return read_of(SIZE, CORDBMEM_READ_FORCE);
}

static struct request read_nofault(void)
{
	device_anew();
	target_anew(PROT_READ);
	read_all(scene.device, scene.target.pid, scene.address, scene.buffer, SIZE);
	device_anew();
	return read_of(SIZE, CORDBMEM_READ_NOFAULT);
}

static struct cordbmem_element element_at(uint32_t i, uint64_t length)
{
	bool by_fd = i % 3 == 2;

	return element_of(by_fd ? scene.fd : scene.target.pid, by_fd ? CORDBMEM_READ_TARGET_FD : 0,
			  scene.address + i * length, scene.buffer + i * length, length);
}

static struct request readv_of(uint32_t count, uint64_t length)
{
	device_anew();
	target_anew(PROT_READ);
	buffer_anew();
	for (uint32_t i = 0; i < count; i++)
		scene.elements[i] = element_at(i, length);
	scene.readv = readv_argument(scene.elements, count);
	return device_ioctl(CORDBMEM_IOC_READV, &scene.readv);
}

/* Few enough for the stack. */
static struct request readv_few(void)
{
	return readv_of(4, SHORT);
}

/* For the memory that an open file keeps; each longer than what is looked up under one lock. */
static struct request readv_long(void)
{
	return readv_of(6, 3000);
}

static struct request readv_many(void)
{
	return readv_of(100, SHORT);
}

static struct request readv_most(void)
{
	return readv_of(MOST, 16);
}

static struct request readv_of_longer_elements(void)
{
	const uint32_t count = sizeof(scene.wide) / sizeof(scene.wide[0]);

	device_anew();
	target_anew(PROT_READ);
	for (uint32_t i = 0; i < count; i++) {
		scene.wide[i].known = element_at(i, SHORT);
		scene.wide[i].tail = 0;
	}
	scene.readv = readv_argument(&scene.wide[0].known, count);
	scene.readv.element_size = sizeof(scene.wide[0]);
	return device_ioctl(CORDBMEM_IOC_READV, &scene.readv);
}

static struct request attach_pid(void)
{
	scene.attach = attach_argument(scene.target.pid, 0);
	return device_ioctl(CORDBMEM_IOC_ATTACH, &scene.attach);
}

static struct request attach_mem_fd(void)
{
	scene.attach = attach_argument(scene.mem, CORDBMEM_ATTACH_MEM_FD);
	return device_ioctl(CORDBMEM_IOC_ATTACH, &scene.attach);
}

static struct request pread_word(void)
{
	target_anew(PROT_READ);
	return (struct request){
		SYS_pread64, { scene.fd, (long)number(scene.buffer), WORD, (long)scene.address }
	};
}

static struct request pread_pages(void)
{
	target_anew(PROT_READ);
	buffer_anew();
	return (struct request){
		SYS_pread64, { scene.fd, (long)number(scene.buffer), SIZE, (long)scene.address }
	};
}

static struct request preadv_pages(void)
{
	const size_t count = sizeof(scene.pieces) / sizeof(scene.pieces[0]);

	target_anew(PROT_READ);
	buffer_anew();
	for (size_t i = 0; i < count; i++)
		scene.pieces[i] = (struct iovec){ scene.buffer + i * (SIZE / count), SIZE / count };
	return (struct request){ SYS_preadv,
				 { scene.fd, (long)number(scene.pieces), (long)count,
				   (long)scene.address } };
}

/* The first poll of a target fd is another call than the later ones. */
static struct request poll_first(void)
{
	attach_anew();
	scene.poll = (struct pollfd){ .fd = scene.fd, .events = POLLIN | POLLRDNORM };
	return (struct request){ SYS_poll, { (long)number(&scene.poll), 1, 0 } };
}

static struct request epoll_first(void)
{
	attach_anew();
	other_is(epoll_create1(EPOLL_CLOEXEC));
	scene.event = (struct epoll_event){ .events = EPOLLIN };
	return (struct request){
		SYS_epoll_ctl, { scene.other, EPOLL_CTL_ADD, scene.fd, (long)number(&scene.event) }
	};
}

static struct request read_fdinfo(void)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", scene.fd);
	other_is(open(path, O_RDONLY | O_CLOEXEC));
	return (struct request){ SYS_read, { scene.other, (long)number(scene.buffer), PAGE } };
}

static struct request window_ioctl(unsigned long number_, void *argument)
{
	return (struct request){ SYS_ioctl,
				 { scene.view.fd, (long)number_, (long)number(argument) } };
}

static struct request window(void)
{
	target_new();
	scene.window = window_argument(scene.address, SIZE, 0);
	return (struct request){ SYS_ioctl,
				 { scene.fd, CORDBMEM_IOC_WINDOW, (long)number(&scene.window) } };
}

static struct request window_mmap(void)
{
	view_anew();
	return (struct request){ SYS_mmap, { 0, SIZE, PROT_READ, MAP_SHARED, scene.view.fd, 0 } };
}

static struct request window_populate(void)
{
	target_anew(PROT_READ);
	view_anew();
	scene.populate =
		(struct cordbmem_populate){ .size = sizeof(scene.populate), .length = SIZE };
	return window_ioctl(CORDBMEM_IOC_POPULATE, &scene.populate);
}

static struct request window_sync(void)
{
	view_anew();
	scene.sync = (struct cordbmem_sync){ .size = sizeof(scene.sync) };
	return window_ioctl(CORDBMEM_IOC_SYNC, &scene.sync);
}

static struct request window_stats_of_new(void)
{
	view_anew();
	scene.stats = (struct cordbmem_stats){ .size = sizeof(scene.stats) };
	return window_ioctl(CORDBMEM_IOC_STATS, &scene.stats);
}

static void pipe_empty(void)
{
	while (read(scene.pipe[0], scene.buffer, SIZE) > 0)
		;
}

/* No signal comes of it, or this test ends here. */
static struct request window_touch(void)
{
	target_anew(PROT_READ);
	view_anew();
	return (struct request){
		MEMCPY, { (long)number(scene.buffer), (long)number(scene.view.data), SIZE }
	};
}

/* The kernel touches the mapping, as it must for a call that copies from there. */
static struct request window_kernel_touch(void)
{
	pipe_empty();
	target_anew(PROT_READ);
	view_anew();
	return (struct request){ SYS_write,
				 { scene.pipe[1], (long)number(scene.view.data), SIZE } };
}

static struct request window_touch_of_state(void)
{
	pipe_empty();
	view_anew();
	return (struct request){ SYS_write,
				 { scene.pipe[1], (long)number(scene.view.state),
				   PAGES * sizeof(uint32_t) } };
}

/* ---- the table ---- */

/* The rest is the scene, which the functions of the table see. */
FIXTURE(call)
{
	bool possible;
};

FIXTURE_VARIANT(call)
{
	struct request (*prepare)(void); /* each time, since a call uses up what it found new */
	const char *(*judge)(long ret, bool whole); /* a success; @whole: nothing failed */
	int errnos
		[8]; /* what the uAPI says that it may fail with, for want of something; or none */
};

#define CALL(name_, judge_, ...)                                                 \
	FIXTURE_VARIANT_ADD(call, name_)                                         \
	{                                                                        \
		.prepare = (name_), .judge = (judge_), .errnos = { __VA_ARGS__ } \
	}

// clang-format off
CALL(open_device,              judge_open,   ENOMEM, EFAULT, ENFILE);
CALL(info,                     judge_info,   EFAULT);
CALL(longer_info,              judge_info,   EFAULT);
CALL(read_short,               judge_read,   ENOMEM, EFAULT, ENFILE, EIO);
CALL(read_short_remembered,    judge_read,   ENOMEM, EFAULT, EIO);
CALL(read_long,                judge_read,   ENOMEM, EFAULT, ENFILE);
CALL(read_forced,              judge_read,   ENOMEM, EFAULT, ENFILE);
CALL(read_nofault,             judge_read,   ENOMEM, EFAULT, ENFILE);
CALL(readv_few,                judge_readv,  ENOMEM, EFAULT);
CALL(readv_long,               judge_readv,  ENOMEM, EFAULT);
CALL(readv_many,               judge_readv,  ENOMEM, EFAULT);
CALL(readv_most,               judge_readv,  ENOMEM, EFAULT);
CALL(readv_of_longer_elements, judge_readv,  ENOMEM, EFAULT);
CALL(attach_pid,               judge_attach, ENOMEM, EFAULT, ENFILE);
CALL(attach_mem_fd,            judge_attach, ENOMEM, EFAULT, ENFILE);
CALL(pread_word,               judge_word,   ENOMEM, EFAULT);
CALL(pread_pages,              judge_pages,  ENOMEM, EFAULT);
CALL(preadv_pages,             judge_pages,  ENOMEM, EFAULT);
CALL(poll_first,               judge_poll,   ENOMEM, EFAULT);
CALL(epoll_first,              judge_epoll,  ENOMEM, EFAULT);
CALL(read_fdinfo,              judge_fdinfo, ENOMEM, EFAULT);
CALL(window,                   judge_window, ENOMEM, EFAULT, ENFILE);
CALL(window_mmap,              judge_mmap,   ENOMEM);
CALL(window_populate,          judge_populate, ENOMEM, EFAULT);
CALL(window_sync,              judge_sync,   0);
CALL(window_stats_of_new,      judge_stats,  EFAULT);
CALL(window_touch,             judge_touch,  NEVER);
CALL(window_kernel_touch,      judge_kernel_touch, ENOMEM, EFAULT);
CALL(window_touch_of_state,    judge_touch_of_state, ENOMEM, EFAULT);
// clang-format on

/* ---- the sweep ---- */

FIXTURE_SETUP(call)
{
	uint8_t *memory;

	self->possible = faults_possible();
	scene.device = device_open();
	scene.file = memory_file(SIZE, SEED);
	scene.buffer = island_pages(PAGES);
	memory = island_hole(SIZE);
	scene.address = number(memory);
	scene.target = child_start();
	target_anew(PROT_READ);
	scene.mem = mem_open(scene.target.pid, O_RDONLY);
	scene.fd = -1;
	scene.other = -1;
	ASSERT_EQ(0, pipe2(scene.pipe, O_CLOEXEC | O_NONBLOCK));
	attach_anew();
}

FIXTURE_TEARDOWN(call)
{
	child_end(&scene.target);
	close(scene.device);
}

static bool documented(const int *errnos, long ret)
{
	for (; *errnos; errnos++)
		if (ret == -*errnos)
			return true;
	return false;
}

TEST_F_TIMEOUT(call, fails_cleanly_wherever_it_can, 600)
{
	unsigned int nth = 0, failed = 0;
	bool hit;

	if (!self->possible)
		SKIP(return, "this kernel has no fault injection");
	do {
		struct request request = variant->prepare();
		int fds = open_fds();
		const char *wrong;
		long ret;

		nth++;
		ret = request_failing(&request, nth, &hit);
		failed += ret < 0;
		if (ret < 0)
			wrong = hit && documented(variant->errnos, ret) ? NULL : "a wrong errno";
		else
			wrong = variant->judge(ret, !hit);
		EXPECT_EQ(NULL, wrong)
		TH_LOG("failing at %u of it: %s (%ld)", nth, wrong, ret);
		EXPECT_EQ(fds, open_fds())
		TH_LOG("failing at %u of it changed the fds (%ld)", nth, ret);

		request = variant->prepare();
		ret = request_made(&request);
		wrong = ret < 0 ? "it failed" : variant->judge(ret, true);
		ASSERT_EQ(NULL, wrong)
		TH_LOG("the call after one that failed at %u: %s (%ld)", nth, wrong, ret);
	} while (hit);
	/* Where errnos are said, nothing would have been tried. */
	EXPECT_EQ(variant->errnos[0] != 0, nth > 1);
	TH_LOG("%u places, %u failures", nth - 1, failed);
}

TEST_HARNESS_MAIN
