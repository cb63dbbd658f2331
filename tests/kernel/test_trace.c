// SPDX-License-Identifier: GPL-2.0
/*
 * The tracepoint cordbmem:cordbmem_read: one event per read, with what was read by whom. Events
 * are taken by perf_event_open, whose records are the fields as the format file lays them out.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "call.h"
#include "child.h"
#include "memory.h"
#include "support.h"

#define SEED 10
#define RING_PAGES 16

struct event {
	int64_t caller, target;
	uint64_t address, length, bytes_read;
	int64_t error;
	uint64_t flags;
};

static const char *const names[] = {
	"caller", "target", "address", "length", "bytes_read", "error", "flags",
};

FIXTURE(trace)
{
	int device;
	uint8_t *pages;
	struct child target;
	char format[4096];
	int perf;
	struct perf_event_mmap_page *ring;
	uint8_t bytes[3 * 4096];
};

FIXTURE_SETUP(trace)
{
	static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.sample_type = PERF_SAMPLE_RAW,
		.sample_period = 1,
		.disabled = 1,
	};
	char path[128];
	long id = -1;

	self->device = device_open();
	self->pages = island_pages(2);
	pattern_fill(self->pages, 2 * PAGE, SEED, number(self->pages));
	self->target = child_start();
	self->perf = -1;
	for (size_t i = 0; i < ARRAY_SIZE(roots) && id < 0; i++) {
		snprintf(path, sizeof(path), "%s/events/cordbmem/cordbmem_read/id", roots[i]);
		id = file_number(path, -1);
		snprintf(path, sizeof(path), "%s/events/cordbmem/cordbmem_read/format", roots[i]);
		file_text(path, self->format, sizeof(self->format));
	}
	if (id < 0)
		SKIP(return, "no tracefs with the tracepoint in it");
	attr.config = (uint64_t)id;
	self->perf = (int)syscall(SYS_perf_event_open, &attr, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
	if (self->perf < 0)
		SKIP(return, "no perf events: %s", strerror(errno));
	self->ring = mmap(NULL, (RING_PAGES + 1) * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			  self->perf, 0);
	ASSERT_NE(MAP_FAILED, self->ring);
	ASSERT_EQ(0, ioctl(self->perf, PERF_EVENT_IOC_ENABLE, 0));
}

FIXTURE_TEARDOWN(trace)
{
	if (self->perf >= 0)
		close(self->perf);
	child_end(&self->target);
}

/* The value of a field of a record, or false when the format has no such field. */
static bool field(const char *format, const char *name, const uint8_t *record, uint64_t *value)
{
	char pattern[64];
	const char *line, *offset, *size, *is_signed;
	long at, bytes;

	snprintf(pattern, sizeof(pattern), " %s;", name);
	line = strstr(format, pattern);
	if (!line)
		return false;
	offset = strstr(line, "offset:");
	size = strstr(line, "size:");
	is_signed = strstr(line, "signed:");
	if (!offset || !size || !is_signed)
		return false;
	at = strtol(offset + 7, NULL, 10);
	bytes = strtol(size + 5, NULL, 10);
	*value = 0;
	memcpy(value, record + at, (size_t)bytes);
	if (bytes == 4 && strtol(is_signed + 7, NULL, 10))
		*value = (uint64_t)(int32_t)*value;
	return true;
}

/* Takes the events that have come since the last time. */
static size_t take_events(const char *format, struct perf_event_mmap_page *ring,
			  struct event *events, size_t room)
{
	static uint8_t record[1024];
	const uint8_t *data = (const uint8_t *)ring + PAGE;
	const uint64_t size = RING_PAGES * PAGE;
	uint64_t head = __atomic_load_n(&ring->data_head, __ATOMIC_ACQUIRE);
	uint64_t tail = ring->data_tail;
	size_t count = 0;

	while (tail < head) {
		struct perf_event_header header;
		uint64_t values[ARRAY_SIZE(names)] = { 0 };

		for (size_t i = 0; i < sizeof(header); i++)
			((uint8_t *)&header)[i] = data[(tail + i) % size];
		for (size_t i = 0; i < header.size && i < sizeof(record); i++)
			record[i] = data[(tail + i) % size];
		tail += header.size;
		if (header.type != PERF_RECORD_SAMPLE)
			continue;
		/* a 32-bit size, then the record of the format file */
		for (size_t i = 0; i < ARRAY_SIZE(names); i++)
			field(format, names[i], record + sizeof(header) + 4, &values[i]);
		if (count < room) {
			events[count] = (struct event){
				.caller = (int64_t)values[0],
				.target = (int64_t)values[1],
				.address = values[2],
				.length = values[3],
				.bytes_read = values[4],
				.error = (int64_t)values[5],
				.flags = values[6],
			};
		}
		count++;
	}
	__atomic_store_n(&ring->data_tail, tail, __ATOMIC_RELEASE);
	return count;
}

#define EXPECT_EVENT(event_, address_, length_, bytes_read_, error_, flags_) \
	do {                                                                 \
		const struct event *v = (event_);                            \
                                                                             \
		EXPECT_EQ(getpid(), v->caller);                              \
		EXPECT_EQ(self->target.pid, v->target);                      \
		EXPECT_EQ((uint64_t)(address_), v->address);                 \
		EXPECT_EQ((uint64_t)(length_), v->length);                   \
		EXPECT_EQ((uint64_t)(bytes_read_), v->bytes_read);           \
		EXPECT_EQ((error_), v->error);                               \
		EXPECT_EQ((flags_), v->flags);                               \
	} while (0)

TEST_F(trace, has_the_documented_fields)
{
	uint8_t record[256] = { 0 };
	uint64_t value;

	if (_metadata->skip)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		EXPECT_TRUE(field(self->format, names[i], record, &value))
		TH_LOG("no field %s", names[i]);
	}
}

TEST_F(trace, one_event_per_READ)
{
	const uint64_t address = number(self->pages);
	struct event events[8];
	struct cordbmem_read read;

	if (_metadata->skip)
		return;
	ASSERT_EQ(0, read_all(self->device, self->target.pid, address + 3, self->bytes, 5));
	ASSERT_EQ(0, read_all(self->device, self->target.pid, address, self->bytes, 2 * PAGE));
	read = read_argument(self->target.pid, address + 2 * PAGE - 9, self->bytes, PAGE);
	read.flags = CORDBMEM_READ_NOFAULT;
	ASSERT_EQ(0, call_read(self->device, &read));
	ASSERT_EQ(EIO,
		  read_all(self->device, self->target.pid, address + 2 * PAGE, self->bytes, 8));
	ASSERT_EQ(4, take_events(self->format, self->ring, events, 8));
	EXPECT_EVENT(&events[0], address + 3, 5, 5, 0, 0);
	EXPECT_EVENT(&events[1], address, 2 * PAGE, 2 * PAGE, 0, 0);
	EXPECT_EVENT(&events[2], address + 2 * PAGE - 9, PAGE, 9, EIO, CORDBMEM_READ_NOFAULT);
	EXPECT_EVENT(&events[3], address + 2 * PAGE, 8, 0, EIO, 0);
}

TEST_F(trace, one_event_per_element_of_READV)
{
	const uint64_t address = number(self->pages);
	struct event events[8];
	int fd = attach(self->device, self->target.pid, 0);
	struct cordbmem_element elements[] = {
		element_of(self->target.pid, 0, address, self->bytes, 8),
		element_of(self->target.pid, 0, address + 8, self->bytes, 16),
		element_of(fd, CORDBMEM_READ_TARGET_FD, address + 16, self->bytes, 3000),
		element_of(self->target.pid, 0, address + 2 * PAGE, self->bytes, 8),
		element_of(self->target.pid, 0, address + 2 * PAGE - 1, self->bytes, 2),
	};
	struct cordbmem_readv readv = readv_argument(elements, ARRAY_SIZE(elements));

	if (_metadata->skip)
		return;
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, call_readv(self->device, &readv));
	ASSERT_EQ(5, take_events(self->format, self->ring, events, 8));
	EXPECT_EVENT(&events[0], address, 8, 8, 0, 0);
	EXPECT_EVENT(&events[1], address + 8, 16, 16, 0, 0);
	EXPECT_EVENT(&events[2], address + 16, 3000, 3000, 0, CORDBMEM_READ_TARGET_FD);
	EXPECT_EVENT(&events[3], address + 2 * PAGE, 8, 0, EIO, 0);
	EXPECT_EVENT(&events[4], address + 2 * PAGE - 1, 2, 1, EIO, 0);
}

TEST_F(trace, one_event_per_read_of_a_target_fd)
{
	const uint64_t address = number(self->pages);
	int fd = attach(self->device, self->target.pid, CORDBMEM_READ_NOFAULT);
	struct event events[8];

	if (_metadata->skip)
		return;
	ASSERT_LE(0, fd);
	ASSERT_EQ(0, take_events(self->format, self->ring, events, 8));
	ASSERT_EQ(100, pread_at(fd, self->bytes, 100, address + 1));
	ASSERT_EQ(-EIO, pread_at(fd, self->bytes, 100, address - 1));
	ASSERT_EQ(2, take_events(self->format, self->ring, events, 8));
	EXPECT_EVENT(&events[0], address + 1, 100, 100, 0, CORDBMEM_READ_NOFAULT);
	EXPECT_EVENT(&events[1], address - 1, 100, 0, EIO, CORDBMEM_READ_NOFAULT);
}

/* What was never asked of a target is no read. */
TEST_F(trace, no_event_for_what_is_refused_beforehand)
{
	struct cordbmem_read read =
		read_argument(self->target.pid, number(self->pages), self->bytes, 8);
	struct cordbmem_info info = info_argument();
	struct event events[8];

	if (_metadata->skip)
		return;
	read.flags = 1U << 31;
	EXPECT_EQ(EINVAL, call_read(self->device, &read));
	EXPECT_EQ(ESRCH, read_all(self->device, NO_PID, number(self->pages), self->bytes, 8));
	EXPECT_EQ(0, call_info(self->device, &info));
	EXPECT_EQ(0, take_events(self->format, self->ring, events, 8));
}

TEST_HARNESS_MAIN
