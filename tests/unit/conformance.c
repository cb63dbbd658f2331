// SPDX-License-Identifier: MIT
/*
 * The contract of ReadMemory as a table; see conformance.h.
 */
#include "conformance.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE 4096UL
#define PAGES 8

/* Pages of the target's region; those not named are holes. */
enum { CODE = 1, DATA = 3, NONE = 5 };

/* Where the managed breakpoint is in the code page. A native one stands behind it. */
#define BP 0x100UL
#define TRAP 0xcc

#define SENTINEL 0x5a5a5a5a5a5a5a5aUL
#define POISON 0xa5
#define GUARD 32UL
#define WHOLE 0xffffffffUL

struct setting {
	pid_t pid;
	BYTE *region;
	BYTE model[PAGES * PAGE]; /* the region as it was before the breakpoint */
	BYTE *buffer;		  /* WHOLE bytes between two guards */
	struct cordbmem_process *process;
	const struct conformance_way *way;
	conformance_report *report;
	void *context;
	int rows;
};

struct row {
	const char *name;
	uint64_t address;
	DWORD size;
	HRESULT hr;
	uint64_t count; /* SENTINEL: not written */
	bool no_buffer;
	bool no_read;
};

/* What every row comes to in the phase. */
enum phase { STOPPED, RUNNING, NEUTERED };

static void tell(struct setting *s, const char *phase, const char *row, const char *detail)
{
	char name[160];

	snprintf(name, sizeof(name), "%s: %s", phase, row);
	s->report(s->context, name, !*detail, detail);
	s->rows++;
}

static bool guards_hold(const struct setting *s, size_t size)
{
	for (size_t i = 0; i < GUARD; i++) {
		if (s->buffer[i - GUARD] != POISON || s->buffer[size + i] != POISON)
			return false;
	}
	return true;
}

static void run_row(struct setting *s, const struct row *row, enum phase phase)
{
	static const char *const names[] = { "stopped", "running", "neutered" };
	HRESULT want = phase == NEUTERED ? CORDBG_E_OBJECT_NEUTERED : row->hr;
	uint64_t count = phase == NEUTERED ? SENTINEL : row->count;
	SIZE_T got = SENTINEL;
	char detail[160] = "";
	HRESULT hr;

	memset(s->buffer - GUARD, POISON, GUARD);
	if (row->size <= 2 * PAGE)
		memset(s->buffer, POISON, row->size);
	memset(s->buffer + row->size, POISON, GUARD);

	hr = s->way->read(s->process, row->address, row->size, row->no_buffer ? NULL : s->buffer,
			  row->no_read ? NULL : &got);
	if (hr != want)
		snprintf(detail, sizeof(detail), "HRESULT 0x%08x, not 0x%08x", (unsigned int)hr,
			 (unsigned int)want);
	else if (!row->no_read && got != count)
		snprintf(detail, sizeof(detail), "*read is 0x%lx, not 0x%lx", got, count);
	else if (!guards_hold(s, row->size))
		snprintf(detail, sizeof(detail), "bytes outside the buffer were written");
	else if (!row->no_buffer && count != SENTINEL && count &&
		 memcmp(s->buffer, s->model + (row->address - (uintptr_t)s->region), count))
		snprintf(detail, sizeof(detail), "the bytes are not those before the breakpoint");
	tell(s, names[phase], row->name, detail);
}

static void run_rows(struct setting *s, enum phase phase)
{
	const uint64_t region = (uintptr_t)s->region;
	const uint64_t code = region + CODE * PAGE, bp = code + BP;
	const uint64_t data = region + DATA * PAGE, none = region + NONE * PAGE;
	const HRESULT nothing = CORDBG_E_READVIRTUAL_FAILURE, partial = CORDBMEM_E_PARTIAL_COPY;
	const uint64_t x = SENTINEL;
	const struct row rows[] = {
		{ "size 0, no buffer, at a breakpoint", bp, 0, S_OK, x, true, false },
		{ "size 0, address 0", 0, 0, S_OK, x, false, false },
		{ "size 0, nothing given at all", 0, 0, S_OK, x, true, true },
		{ "no buffer", code, 16, E_INVALIDARG, x, true, false },
		{ "no buffer, address 0", 0, 16, E_INVALIDARG, x, true, false },
		{ "address 0", 0, 16, E_INVALIDARG, x, false, false },
		{ "no count wanted, mapped", code, 16, S_OK, 16, false, true },
		{ "no count wanted, unmapped", 0x1000, 16, nothing, 0, false, true },
		{ "0x1000", 0x1000, 16, nothing, 0, false, false },
		{ "kernel half", 0xffff800000000000, 16, nothing, 0, false, false },
		{ "not canonical", 0x0000800000000000, 16, nothing, 0, false, false },
		{ "vsyscall page", 0xffffffffff600000, 16, nothing, 0, false, false },
		{ "ends where addresses end", 0xfffffffffffffff0, 16, nothing, 0, false, false },
		{ "wraps", 0xfffffffffffffff0, 32, nothing, 0, false, false },
		{ "sign bit only", 0x8000000000000000, 16, nothing, 0, false, false },
		{ "just below the sign bit", 0x7fffffffffffffff, 16, nothing, 0, false, false },
		{ "last byte of user space", 0x7fffffffefff, 16, nothing, 0, false, false },
		{ "16 bytes, then a hole", data + PAGE - 16, 64, partial, 16, false, false },
		{ "last mapped byte, size 2", data + PAGE - 1, 2, partial, 1, false, false },
		{ "last mapped byte, size 1", data + PAGE - 1, 1, S_OK, 1, false, false },
		{ "first byte of a hole", data + PAGE, 16, nothing, 0, false, false },
		{ "last byte of a hole", data - 1, 16, nothing, 0, false, false },
		{ "PROT_NONE", none, 16, S_OK, 16, false, false },
		{ "all of a page", data, PAGE, S_OK, PAGE, false, false },
		{ "size 0xffffffff", code + 16, WHOLE, partial, PAGE - 16, false, false },
		{ "1 byte at the breakpoint", bp, 1, S_OK, 1, false, false },
		{ "8 bytes before the breakpoint", bp - 8, 8, S_OK, 8, false, false },
		{ "8 bytes after the breakpoint, a native one", bp + 1, 8, S_OK, 8, false, false },
		{ "32 bytes over the breakpoint", bp - 16, 32, S_OK, 32, false, false },
		{ "partial over the breakpoint", bp - 16, 2 * PAGE, partial, PAGE - BP + 16, false,
		  false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		run_row(s, &rows[i], phase);
}

/* ---- the target -------------------------------------------------------- */

static _Noreturn void be_target(struct setting *s, int ready, pid_t parent)
{
	static const int pages[] = { CODE, DATA, NONE };
	static const int modes[] = { PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE, PROT_NONE };
	volatile unsigned long counter = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	munmap(s->region, PAGES * PAGE);
	for (size_t i = 0; i < 3; i++) {
		BYTE *page = s->region + (size_t)pages[i] * PAGE;

		if (mmap(page, PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != page)
			_exit(1);
		memcpy(page, s->model + (size_t)pages[i] * PAGE, PAGE);
		if (mprotect(page, PAGE, modes[i]))
			_exit(1);
	}
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		counter++;
}

static bool start_target(struct setting *s)
{
	pid_t self = getpid();
	int ready[2];
	char byte;
	bool ok;

	/* What a fork copies is not what is read: the target fills its own pages. */
	for (size_t i = 0; i < sizeof(s->model); i++)
		s->model[i] = (BYTE)(i * 7 + i / 256 + 1);
	s->model[CODE * PAGE + BP] = 0x55;
	s->model[CODE * PAGE + BP + 1] = TRAP;
	s->region = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (s->region == MAP_FAILED || pipe2(ready, O_CLOEXEC))
		return false;
	fflush(NULL);
	s->pid = fork();
	if (s->pid == 0)
		be_target(s, ready[1], self);
	close(ready[1]);
	ok = s->pid > 0 && read(ready[0], &byte, 1) == 1;
	close(ready[0]);
	return ok;
}

/* Write the trap as a debugger does, and see it in memory. */
static bool plant(const struct setting *s)
{
	off_t bp = (off_t)((uintptr_t)s->region + CODE * PAGE + BP);
	const BYTE trap = TRAP;
	char path[32];
	BYTE seen = 0;
	bool ok;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", s->pid);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = pwrite(fd, &trap, 1, bp) == 1 && pread(fd, &seen, 1, bp) == 1 && seen == TRAP;
	close(fd);
	return ok;
}

static bool stop_target(const struct setting *s)
{
	int status;

	return !kill(s->pid, SIGSTOP) && waitpid(s->pid, &status, WUNTRACED) == s->pid &&
	       WIFSTOPPED(status);
}

static void kill_target(const struct setting *s)
{
	siginfo_t info;

	kill(s->pid, SIGKILL);
	/* Not collected: a zombie must count as gone. */
	waitid(P_PID, (id_t)s->pid, &info, WEXITED | WNOWAIT);
}

static HRESULT open_with_patch(struct setting *s, const struct cordbmem_options *options)
{
	const uint64_t bp = (uintptr_t)s->region + CODE * PAGE + BP;
	HRESULT hr;

	hr = cordbmem_process_open(s->pid, options, &s->process, NULL);
	if (SUCCEEDED(hr))
		hr = cordbmem_process_add_patch(s->process, bp, s->model + CODE * PAGE + BP, 1,
						NULL);
	return hr;
}

static void run_phases(struct setting *s, const struct cordbmem_options *options)
{
	const uint64_t code = (uintptr_t)s->region + CODE * PAGE;
	struct cordbmem_process *other;
	SIZE_T got = SENTINEL;
	HRESULT hr;

	if (!start_target(s)) {
		tell(s, "setup", "a target", "it cannot be started");
		return;
	}
	hr = open_with_patch(s, options);
	tell(s, "setup", "open", FAILED(hr) ? cordbmem_hresult_name(hr) : "");
	if (FAILED(hr))
		return;
	tell(s, "setup", "a trap in memory", plant(s) ? "" : "it cannot be written");

	run_rows(s, RUNNING);
	tell(s, "setup", "stop", stop_target(s) ? "" : "it does not stop");
	run_rows(s, STOPPED);

	hr = cordbmem_process_close(s->process);
	tell(s, "neutered", "close", FAILED(hr) ? cordbmem_hresult_name(hr) : "");
	run_rows(s, NEUTERED);
	other = s->process;
	s->process = NULL;
	hr = open_with_patch(s, options);
	s->way->free(other);
	tell(s, "setup", "open again", FAILED(hr) ? cordbmem_hresult_name(hr) : "");
	if (FAILED(hr))
		return;

	kill_target(s);
	hr = s->way->read(s->process, code, 0, NULL, &got);
	tell(s, "exit", "size 0 does not notice", hr == S_OK && got == SENTINEL ? "" : "it did");
	hr = s->way->read(s->process, code, 16, s->buffer, &got);
	tell(s, "exit", "the read that notices",
	     hr == CORDBG_E_PROCESS_TERMINATED && !got ? "" : cordbmem_hresult_name(hr));
	run_rows(s, NEUTERED);
}

int conformance_run(const struct cordbmem_options *options, conformance_report *report,
		    void *context)
{
	static const struct conformance_way library = {
		.read = cordbmem_ReadMemory,
		.free = cordbmem_process_free,
	};

	return conformance_run_way(options, &library, report, context);
}

int conformance_run_way(const struct cordbmem_options *options, const struct conformance_way *way,
			conformance_report *report, void *context)
{
	const size_t room = WHOLE + 2 * PAGE;
	struct setting *s = calloc(1, sizeof(*s));
	BYTE *buffer = mmap(NULL, room, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	int rows = 0;

	if (s && buffer != MAP_FAILED) {
		s->buffer = buffer + PAGE;
		s->way = way;
		s->report = report;
		s->context = context;
		run_phases(s, options);
		rows = s->rows;
		way->free(s->process);
		if (s->pid > 0) {
			kill(s->pid, SIGKILL);
			waitpid(s->pid, NULL, 0);
		}
		if (s->region && s->region != MAP_FAILED)
			munmap(s->region, PAGES * PAGE);
	}
	if (buffer != MAP_FAILED)
		munmap(buffer, room);
	free(s);
	return rows;
}
