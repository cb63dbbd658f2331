// SPDX-License-Identifier: MIT
/* The functions of calls.h. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cordbmem/coreclr.h>

#include "calls.h"
#include "lot.h"
#include "report.h"
#include "scene.h"
#include "spoil.h"

/* What a call may take; generous, for sanitizers and a busy machine. */
#define SOON 5.0

#define READ_MAX (256 * 1024)
#define LIST_MAX 512

static double call_began;

static void begin(void)
{
	calls++;
	call_began = now();
}

static bool in_list(HRESULT hr, const HRESULT *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (list[i] == hr)
			return true;
	}
	return scene.gone && (hr == CORDBG_E_PROCESS_TERMINATED || hr == CORDBG_E_OBJECT_NEUTERED);
}

static void check_listed(const char *what, HRESULT hr, const HRESULT *list, size_t count)
{
	const double took = now() - call_began;

	if (!in_list(hr, list, count))
		wrong("%s returned %08x %s", what, (uint32_t)hr, cordbmem_hresult_name(hr));
	if (took > SOON)
		wrong("%s took %.1f s", what, took);
	report_time(what, took);
}

#define check_result(what, hr, ...)                                  \
	check_listed((what), (hr), (const HRESULT[]){ __VA_ARGS__ }, \
		     sizeof((const HRESULT[]){ __VA_ARGS__ }) / sizeof(HRESULT))

void call_find(void)
{
	struct cordbmem_coreclr runtime = CORDBMEM_CORECLR_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	uint64_t base = one_in(4) ? pointer() : one_in(4) ? forge_base(scene.forge) : 0;
	HRESULT hr;

	begin();
	hr = cordbmem_process_find_coreclr(scene.process, base, &runtime, &error);
	check_result("find", hr, S_OK, CORDBG_E_NOT_CLR, CORDBG_E_NOTREADY,
		     CORDBG_E_UNSUPPORTED_FORWARD_COMPAT, CORDBG_E_TARGET_INCONSISTENT);
	if (hr != error.hr || !memchr(error.text, 0, sizeof(error.text)))
		wrong("find fills its error with %08x", (uint32_t)error.hr);
	if (hr == S_OK) {
		found++;
		if (!memchr(runtime.path, 0, sizeof(runtime.path)) ||
		    !memchr(runtime.version, 0, sizeof(runtime.version)) ||
		    runtime.size != sizeof(runtime))
			wrong("find fills the runtime badly");
	}
}

/* A range of bytes as they are; how many can be read. */
static size_t truth(uint64_t address, BYTE *bytes, size_t size)
{
	char path[32];
	size_t got = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/mem", scene.forge->target.pid);
	file = fopen(path, "re");
	while (file && got < size && address < INT64_MAX - size) {
		ssize_t n = (ssize_t)syscall(SYS_pread64, fileno(file), bytes + got, size - got,
					     address + got);

		if (n <= 0)
			break;
		got += (size_t)n;
	}
	if (file)
		fclose(file);
	return got;
}

static uint64_t range(uint32_t *size)
{
	struct forge *f = scene.forge;
	uint64_t address;

	*size = one_in(8) ? 1 + below(READ_MAX) : 1 + below(one_in(2) ? 16 : 5000);
	if (one_in(8)) {
		address = pointer();
		return address ? address : 1;
	}
	return forge_code(f, below((uint32_t)f->code_size));
}

/* What was read against what is there: nothing but trap bytes is ever replaced. */
static void check_bytes(uint64_t address, const BYTE *bytes, size_t size, size_t got)
{
	static BYTE there[READ_MAX];
	size_t readable;

	if (scene.moving || scene.gone)
		return;
	readable = truth(address, there, size);
	if (got > readable || (got < readable && there[got] != FORGE_TRAP)) {
		wrong("%zu of %zu bytes can be read at %llx, got %zu", readable, size,
		      (unsigned long long)address, got);
		return;
	}
	for (size_t i = 0; i < got; i++) {
		if (bytes[i] == there[i])
			continue;
		masked++;
		if (there[i] != FORGE_TRAP)
			wrong("%llx holds %02x, got %02x", (unsigned long long)address + i,
			      there[i], bytes[i]);
	}
}

/* As long as nothing but the runtime has written, all is as it was before it. */
static void check_code(uint64_t address, const BYTE *bytes, size_t got, bool hidden)
{
	const struct forge *f = scene.forge;
	uint64_t code = forge_code(f, 0);

	if (scene.spoiled || !hidden || scene.moving || scene.gone)
		return;
	for (size_t i = 0; i < got; i++) {
		uint64_t offset = address + i - code;

		if (offset < f->code_size && bytes[i] != f->original[offset])
			wrong("code at %llx is %02x, got %02x", (unsigned long long)offset,
			      f->original[offset], bytes[i]);
	}
}

static bool is_hidden(void)
{
	int attached = 0;

	return cordbmem_process_debugger_attached(scene.process, &attached) == E_NOTIMPL ||
	       attached;
}

static void check_read(const char *what, HRESULT hr, uint64_t address, const BYTE *bytes,
		       size_t size, size_t got)
{
	check_result(what, hr, S_OK, CORDBMEM_E_PARTIAL_COPY, CORDBG_E_READVIRTUAL_FAILURE);
	if (got > size || (hr == S_OK && got != size) ||
	    (hr == CORDBMEM_E_PARTIAL_COPY && (!got || got >= size)) ||
	    (hr != S_OK && hr != CORDBMEM_E_PARTIAL_COPY && got))
		wrong("%s returned %08x with %zu of %zu bytes", what, (uint32_t)hr, got, size);
	else
		check_bytes(address, bytes, size, got);
}

static void call_read(void)
{
	uint32_t size;
	uint64_t address = range(&size);
	BYTE *bytes = malloc(size);
	bool hidden = is_hidden();
	SIZE_T got = 0;
	HRESULT hr;

	begin();
	hr = cordbmem_ReadMemory(scene.process, address, size, bytes, &got);
	check_read("read", hr, address, bytes, size, got);
	check_code(address, bytes, got, hidden);
	free(bytes);
}

static void call_scatter(void)
{
	struct cordbmem_scatter elements[8];
	uint32_t count = 1 + below(COUNT(elements));
	bool hidden = is_hidden();

	for (uint32_t i = 0; i < count; i++) {
		uint32_t size;
		uint64_t address = range(&size);

		elements[i] = (struct cordbmem_scatter){
			.process = scene.process,
			.address = address,
			.size = size % 8192 + 1,
		};
		elements[i].buffer = malloc(elements[i].size);
	}
	begin();
	cordbmem_read_scatter(elements, count);
	for (uint32_t i = 0; i < count; i++) {
		const struct cordbmem_scatter *e = &elements[i];

		check_read("scatter", e->result, e->address, e->buffer, e->size, e->read);
		check_code(e->address, e->buffer, e->read, hidden);
		free(e->buffer);
	}
}

static void call_list(void)
{
	static struct cordbmem_breakpoint list[LIST_MAX];
	size_t capacity = below(LIST_MAX), count = 0;
	HRESULT hr;

	begin();
	hr = cordbmem_process_list_breakpoints(scene.process, list, capacity, &count);
	check_result("list", hr, S_OK, CORDBG_E_NOT_CLR, CORDBG_E_TARGET_INCONSISTENT,
		     CORDBMEM_E_RETRY, CORDBG_E_READVIRTUAL_FAILURE);
	if (hr != S_OK)
		return;
	if (count > 1 << 17)
		wrong("%zu breakpoints", count);
	for (size_t i = 1; i < count && i < capacity; i++) {
		if (list[i].address <= list[i - 1].address)
			wrong("the list is not sorted");
	}
	if (!scene.spoiled && !scene.moving && !scene.gone && count > scene.set_count)
		wrong("%zu breakpoints are listed, %zu are set", count, scene.set_count);
}

static void call_path(void)
{
	static char path[4096];
	size_t capacity = 1 + below(one_in(2) ? 16 : sizeof(path) - 1);
	uint64_t module = one_in(2) ? (uintptr_t)scene.forge->modules : pointer();
	HRESULT hr;

	memset(path, 0x5a, sizeof(path));
	begin();
	hr = cordbmem_process_module_path(scene.process, module ? module : 8, path, capacity);
	check_result("path", hr, S_OK, CORDBG_E_NOT_CLR, E_NOTIMPL, CORDBMEM_E_MORE_DATA,
		     CORDBMEM_E_PARTIAL_COPY, CORDBG_E_READVIRTUAL_FAILURE);
	if ((hr == S_OK || hr == CORDBMEM_E_MORE_DATA) && !memchr(path, 0, capacity))
		wrong("a path is not terminated");
	if (capacity < sizeof(path) && path[capacity] != 0x5a)
		wrong("a path is longer than its buffer");
}

static void call_attached(void)
{
	int attached = 77;
	HRESULT hr;

	begin();
	hr = cordbmem_process_debugger_attached(scene.process, &attached);
	check_result("attached", hr, S_OK, CORDBG_E_NOT_CLR, E_NOTIMPL,
		     CORDBG_E_READVIRTUAL_FAILURE, CORDBMEM_E_PARTIAL_COPY);
	if (attached != 0 && attached != 1 && hr == S_OK)
		wrong("attached is %d", attached);
}

void call_any(void)
{
	switch (below(12)) {
	case 0:
		call_find();
		break;
	case 1:
		call_list();
		break;
	case 2:
		call_path();
		break;
	case 3:
		call_attached();
		break;
	case 4:
	case 5:
		call_scatter();
		break;
	default:
		call_read();
	}
}
