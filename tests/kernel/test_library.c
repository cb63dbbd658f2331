// SPDX-License-Identifier: MIT
/*
 * The library over the module: what only this back end has.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <cordbmem/cordbmem.h>
#include <linux/cordbmem.h>

#include "../unit/target.c" // NOLINT(bugprone-suspicious-include): it is the unit tests' file

#define NOBODY 65534

static struct cordbmem_process *open_with(const struct cordbmem_options *options, pid_t pid)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process = NULL;

	if (FAILED(cordbmem_process_open(pid, options, &process, &error)))
		fprintf(stderr, "# open: %s\n", error.text);
	return process;
}

/* As if the caller had it from somebody else. */
static int attach(pid_t pid, unsigned int flags)
{
	struct cordbmem_attach attach = { .size = sizeof(attach), .flags = flags, .source = pid };
	int device = open(CORDBMEM_DEVICE, O_RDWR | O_CLOEXEC);
	int rc = ioctl(device, CORDBMEM_IOC_ATTACH, &attach);

	close(device);
	return rc ? -1 : attach.target_fd;
}

static long protect_page(long address)
{
	return mmap((void *)address, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0) != (void *)address;
}

static HRESULT read16(struct cordbmem_process *process, CORDB_ADDRESS address, BYTE *buffer)
{
	SIZE_T got = 77;
	HRESULT hr = cordbmem_ReadMemory(process, address, 16, buffer, &got);

	return hr == S_OK && got != 16 ? E_FAIL : hr;
}

TEST(handles_share_a_device_fd)
{
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	struct target a = target_start(1), b = target_start(1);
	struct cordbmem_process *p, *q;
	BYTE buffer[16];

	options.device_fd = open(CORDBMEM_DEVICE, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, options.device_fd);
	p = open_with(&options, a.pid);
	q = open_with(&options, b.pid);
	ASSERT_TRUE(p && q);
	cordbmem_process_free(p);
	/* It was borrowed, so the other one can still use it. */
	EXPECT_LE(0, fcntl(options.device_fd, F_GETFD));
	EXPECT_EQ(S_OK, read16(q, b.base, buffer));
	EXPECT_EQ(0, memcmp(buffer, b.memory, 16));
	cordbmem_process_free(q);
	EXPECT_LE(0, fcntl(options.device_fd, F_GETFD));
	target_end(&a);
	target_end(&b);
}

TEST(force_is_the_default_and_can_be_left_out)
{
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	struct target t = target_start(2);
	struct cordbmem_process *with = open_with(NULL, t.pid), *without;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_scatter pair[2];
	BYTE buffer[32];

	ASSERT_EQ(0, target_call(&t, protect_page, (long)(t.base + PAGE)));
	options.flags = CORDBMEM_OPEN_NO_FORCE;
	without = open_with(&options, t.pid);
	ASSERT_TRUE(with && without);
	EXPECT_EQ(0, cordbmem_process_flags(with));
	EXPECT_EQ(CORDBMEM_OPEN_NO_FORCE, cordbmem_process_flags(without));
	EXPECT_EQ(S_OK, read16(with, t.base + PAGE, buffer));
	EXPECT_EQ(CORDBG_E_READVIRTUAL_FAILURE, read16(without, t.base + PAGE, buffer));
	EXPECT_EQ(S_OK, cordbmem_process_explain(without, t.base + PAGE, 1, &error));
	EXPECT_EQ(CORDBMEM_REASON_UNREADABLE, error.reason);
	EXPECT_NE(NULL, strstr(error.text, "forced"));

	/* The elements of a scattered read keep to the mode of their handles. */
	for (unsigned int i = 0; i < 2; i++)
		pair[i] = (struct cordbmem_scatter){ .process = i ? without : with,
						     .address = t.base + PAGE,
						     .buffer = buffer + 16 * i,
						     .size = 16 };
	cordbmem_read_scatter(pair, 2);
	EXPECT_EQ(S_OK, pair[0].result);
	EXPECT_EQ(CORDBG_E_READVIRTUAL_FAILURE, pair[1].result);
	cordbmem_process_free(with);
	cordbmem_process_free(without);
	target_end(&t);
}

static long fresh_page(long address)
{
	return mmap((void *)address, PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != (void *)address;
}

TEST(nofault_reads_what_is_resident)
{
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *p = NULL, *q;
	struct target t = target_start(2);
	BYTE buffer[16];
	HRESULT hr;

	ASSERT_EQ(0, target_call(&t, fresh_page, (long)(t.base + PAGE)));
	options.flags = CORDBMEM_OPEN_NOFAULT;
	hr = cordbmem_process_open(t.pid, &options, &p, &error);
	if (hr == E_NOTIMPL)
		SKIP(target_end(&t); return, "this kernel has no no-fault reads");
	ASSERT_EQ(S_OK, hr);
	EXPECT_EQ(CORDBMEM_OPEN_NOFAULT, cordbmem_process_flags(p));
	EXPECT_EQ(CORDBG_E_READVIRTUAL_FAILURE, read16(p, t.base + PAGE, buffer));
	EXPECT_EQ(S_OK, cordbmem_process_explain(p, t.base + PAGE, 1, &error));
	EXPECT_EQ(CORDBMEM_REASON_UNREADABLE, error.reason);
	q = open_with(NULL, t.pid);
	EXPECT_EQ(S_OK, read16(q, t.base + PAGE, buffer));
	cordbmem_process_free(p);
	cordbmem_process_free(q);
	target_end(&t);
}

TEST(target_fd_of_the_caller_is_adopted_with_its_mode)
{
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	struct target t = target_start(2);
	struct cordbmem_process *p;
	struct cordbmem_scatter pair[2];
	struct pollfd pollfd = { .fd = -1 };
	BYTE buffer[32];

	ASSERT_EQ(0, target_call(&t, protect_page, (long)(t.base + PAGE)));
	options.target_fd = attach(t.pid, 0);
	ASSERT_LE(0, options.target_fd);
	p = open_with(&options, t.pid);
	ASSERT_NE(NULL, p);
	close(options.target_fd);
	EXPECT_EQ(CORDBMEM_OPEN_NO_FORCE, cordbmem_process_flags(p));
	EXPECT_EQ(S_OK, read16(p, t.base, buffer));
	for (unsigned int i = 0; i < 2; i++)
		pair[i] = (struct cordbmem_scatter){ .process = p,
						     .address = t.base + i * PAGE,
						     .buffer = buffer + 16 * i,
						     .size = 16 };
	cordbmem_read_scatter(pair, 2);
	EXPECT_EQ(S_OK, pair[0].result);
	EXPECT_EQ(CORDBG_E_READVIRTUAL_FAILURE, pair[1].result);
	EXPECT_EQ(S_OK, cordbmem_process_exit_fd(p, &pollfd.fd, &pollfd.events));
	EXPECT_EQ(0, poll(&pollfd, 1, 0));
	target_kill(&t);
	EXPECT_EQ(1, poll(&pollfd, 1, -1));
	EXPECT_EQ(0, cordbmem_process_is_alive(p));
	cordbmem_process_free(p);
	target_end(&t);
}

/* Runs as nobody, who can open neither the device nor the process. */
static int read_with_a_target_fd(int fd, const struct target *t)
{
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *p;
	struct cordbmem_scatter e[2];
	BYTE buffer[32];

	if (setresgid(NOBODY, NOBODY, NOBODY) || setresuid(NOBODY, NOBODY, NOBODY))
		return 1;
	if (cordbmem_process_open(t->pid, NULL, &p, &error) != E_ACCESSDENIED ||
	    error.reason != CORDBMEM_REASON_NODE_PERMISSION)
		return 2;
	options.target_fd = fd;
	if (cordbmem_process_open(t->pid, &options, &p, &error))
		return 3;
	if (read16(p, t->base, buffer) || memcmp(buffer, t->memory, 16))
		return 4;
	for (unsigned int i = 0; i < 2; i++)
		e[i] = (struct cordbmem_scatter){
			.process = p, .address = t->base, .buffer = buffer + 16 * i, .size = 16
		};
	if (cordbmem_read_scatter(e, 2) || memcmp(buffer + 16, t->memory, 16))
		return 5;
	cordbmem_process_free(p);
	return 0;
}

TEST(who_was_given_a_target_fd_needs_no_device)
{
	struct target t = target_start(1);
	int fd = attach(t.pid, CORDBMEM_READ_FORCE), status;
	pid_t pid;

	ASSERT_LE(0, fd);
	pid = fork();
	if (!pid)
		_exit(read_with_a_target_fd(fd, &t));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	target_end(&t);
}

TEST(back_ends_mix_in_one_scatter_and_keep_its_order)
{
	enum { ELEMENTS = 600 };
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	static struct cordbmem_scatter e[ELEMENTS];
	static BYTE buffer[ELEMENTS][16];
	struct target t = target_start(4);
	struct cordbmem_process *handles[3];
	const BYTE shown = 0x77;

	handles[0] = open_with(NULL, t.pid);
	handles[1] = open_with(NULL, t.pid);
	options.backend = CORDBMEM_BACKEND_PORTABLE;
	handles[2] = open_with(&options, t.pid);
	ASSERT_TRUE(handles[0] && handles[1] && handles[2]);
	target_unmap(&t, 2);
	ASSERT_EQ(S_OK, cordbmem_process_add_patch(handles[1], t.base + 5, &shown, 1, NULL));
	for (size_t i = 0; i < ELEMENTS; i++) {
		e[i].process = handles[i % 50 == 49 ? 2 : i % 2];
		e[i].address = t.base + (i % 7 == 6 ? 2 * PAGE - 8 : 0);
		e[i].buffer = buffer[i];
		e[i].size = i % 11 == 10 ? 0 : 16;
	}
	EXPECT_EQ(CORDBMEM_E_PARTIAL_COPY, cordbmem_read_scatter(e, ELEMENTS));
	for (size_t i = 0; i < ELEMENTS; i++) {
		bool masked = e[i].process == handles[1];
		BYTE wanted[16];

		if (!e[i].size) {
			ASSERT_EQ(S_OK, e[i].result);
			ASSERT_EQ(0, e[i].read);
			continue;
		}
		ASSERT_EQ(i % 7 == 6 ? CORDBMEM_E_PARTIAL_COPY : S_OK, e[i].result);
		ASSERT_EQ(i % 7 == 6 ? 8 : 16, e[i].read);
		memcpy(wanted, t.memory + (e[i].address - t.base), 16);
		if (masked && i % 7 != 6)
			wanted[5] = shown;
		ASSERT_EQ(0, memcmp(wanted, buffer[i], e[i].read));
	}
	/* Once it is gone one element says so, and the others are neutered. */
	target_kill(&t);
	EXPECT_EQ(CORDBG_E_PROCESS_TERMINATED, cordbmem_read_scatter(e, ELEMENTS));
	for (size_t i = 0; i < ELEMENTS; i++)
		ASSERT_EQ(i == 0 || i == 1 || i == 49 ? CORDBG_E_PROCESS_TERMINATED
						      : CORDBG_E_OBJECT_NEUTERED,
			  e[i].result);
	for (int i = 0; i < 3; i++)
		cordbmem_process_free(handles[i]);
	target_end(&t);
}

/* The administrator may switch forced reads off while handles are open for them. */
TEST(a_handle_says_that_forced_reads_were_switched_off)
{
	const char *allow_force = "/sys/module/cordbmem/parameters/allow_force";
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct target t = target_start(1);
	struct cordbmem_process *p = open_with(&options, t.pid);
	BYTE byte;
	SIZE_T got = 7;
	int fd = open(allow_force, O_WRONLY | O_CLOEXEC);

	ASSERT_NE(NULL, p);
	ASSERT_EQ(1, write(fd, "0", 1));
	EXPECT_EQ(E_ACCESSDENIED, cordbmem_ReadMemory(p, t.base, 1, &byte, &got));
	EXPECT_EQ(0, got);
	EXPECT_EQ(S_OK, cordbmem_process_explain(p, t.base, 1, &error));
	EXPECT_NE(NULL, strstr(error.text, "allow_force"));
	EXPECT_EQ(1, write(fd, "1", 1));
	EXPECT_EQ(S_OK, cordbmem_ReadMemory(p, t.base, 1, &byte, &got));
	close(fd);
	cordbmem_process_free(p);
	target_end(&t);
}

TEST_HARNESS_MAIN
