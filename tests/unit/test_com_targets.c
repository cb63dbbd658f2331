// SPDX-License-Identifier: MIT
/*
 * The data targets of the COM object: what libmscordbi and libmscordaccore read through.
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <uchar.h>
#include <unistd.h>

#include "com_raw.h"
#include "unit.h"

/* Slots of ICorDebugDataTarget, ICLRDataTarget and ICLRRuntimeLocator. */
enum {
	DT_GET_PLATFORM = 3,
	DT_READ_VIRTUAL = 4,
	CT_GET_MACHINE_TYPE = 3,
	CT_GET_POINTER_SIZE = 4,
	CT_GET_IMAGE_BASE = 5,
	CT_READ_VIRTUAL = 6,
	RL_GET_RUNTIME_BASE = 3,
};

#define SENTINEL 0x5a5a5a5aU

static const struct cannot data_target_cannot[] = {
	{ 5, 0 }, /* GetThreadContext */
};

static const struct cannot clr_target_cannot[] = {
	{ 7, 0 },  /* WriteVirtual */
	{ 8, 0 },  /* GetTLSValue */
	{ 9, 0 },  /* SetTLSValue */
	{ 10, 0 }, /* GetCurrentThreadID */
	{ 11, 0 }, /* GetThreadContext */
	{ 12, 0 }, /* SetThreadContext */
	{ 13, 0 }, /* Request */
};

/* A name that takes every length of UTF-8, and one that differs from it in the last unit. */
#define NAME "n\xc3\xa4m\xe2\x82\xac-\xf0\x9f\x98\x80"
static const char16_t name16[] = u"n\u00e4m\u20ac-\U0001f600";
static const char16_t other_name16[] = u"n\u00e4m\u20ac-\U0001f601";

/* ---- constants --------------------------------------------------------- */

static void targets_name_the_machine(void **state)
{
	struct target t = target_start(1);
	void *dt = raw_open(&t, DATA_TARGET, NULL), *ct = raw_query(dt, CLR_TARGET);
	DWORD value = SENTINEL;

	(void)state;
	assert_hr(S_OK, SLOT(dt, DT_GET_PLATFORM, number_function)(dt, &value));
#ifdef __x86_64__
	assert_int_equal(8, value);
#else
	assert_int_equal(11, value);
#endif
	assert_hr(S_OK, SLOT(ct, CT_GET_MACHINE_TYPE, number_function)(ct, &value));
#ifdef __x86_64__
	assert_int_equal(0x8664, value);
#else
	assert_int_equal(0xaa64, value);
#endif
	assert_hr(S_OK, SLOT(ct, CT_GET_POINTER_SIZE, number_function)(ct, &value));
	assert_int_equal(8, value);
	assert_hr(E_INVALIDARG, SLOT(dt, DT_GET_PLATFORM, number_function)(dt, NULL));
	assert_hr(E_INVALIDARG, SLOT(ct, CT_GET_MACHINE_TYPE, number_function)(ct, NULL));
	assert_hr(E_INVALIDARG, SLOT(ct, CT_GET_POINTER_SIZE, number_function)(ct, NULL));
	assert_int_equal(1, raw_release(ct));
	assert_int_equal(0, raw_release(dt));
	target_end(&t);
}

static void what_a_reader_cannot_is_not_implemented(void **state)
{
	struct target t = target_start(1);
	void *dt = raw_open(&t, DATA_TARGET, NULL), *ct = raw_query(dt, CLR_TARGET);

	(void)state;
	raw_cannot(dt, data_target_cannot, COUNT(data_target_cannot), E_NOTIMPL);
	raw_cannot(ct, clr_target_cannot, COUNT(clr_target_cannot), E_NOTIMPL);
	raw_release(ct);
	assert_int_equal(0, raw_release(dt));
	target_end(&t);
}

/* ---- ReadVirtual ------------------------------------------------------- */

/* Both targets have it; one after the other is put to the test. */
static const struct {
	enum iid iid;
	int slot;
} readers[] = { { DATA_TARGET, DT_READ_VIRTUAL }, { CLR_TARGET, CT_READ_VIRTUAL } };

static void read_virtual_reads_as_far_as_it_can(void **state)
{
	const HRESULT nothing = CORDBG_E_READVIRTUAL_FAILURE;

	(void)state;
	for (size_t i = 0; i < COUNT(readers); i++) {
		struct target t = target_start(2);
		void *self = raw_open(&t, readers[i].iid, NULL);
		read_virtual_function *read = SLOT(self, readers[i].slot, read_virtual_function);
		const uint64_t hole = t.base + PAGE;
		BYTE buffer[64] = { 0 };
		DWORD got = SENTINEL;

		target_unmap(&t, 1);
		assert_hr(S_OK, read(self, t.base + 3, buffer, 64, &got));
		assert_int_equal(64, got);
		assert_memory_equal(t.memory + 3, buffer, 64);
		/* Short is good enough, as long as there is something. */
		assert_hr(S_OK, read(self, hole - 16, buffer, 64, &got));
		assert_int_equal(16, got);
		assert_memory_equal(t.memory + PAGE - 16, buffer, 16);
		assert_hr(S_OK, read(self, hole - 1, buffer, 2, &got));
		assert_int_equal(1, got);
		assert_hr(nothing, read(self, hole, buffer, 64, &got));
		assert_int_equal(0, got);
		got = SENTINEL;
		assert_hr(nothing, read(self, 0, buffer, 8, &got));
		assert_int_equal(0, got);
		got = SENTINEL;
		assert_hr(nothing, read(self, 0xfffffffffffffff8, buffer, 64, &got));
		assert_int_equal(0, got);
		got = SENTINEL;
		assert_hr(S_OK, read(self, t.base, NULL, 0, &got));
		assert_int_equal(0, got);
		got = SENTINEL;
		assert_hr(E_INVALIDARG, read(self, t.base, NULL, 8, &got));
		assert_int_equal(0, got);
		assert_hr(S_OK, read(self, t.base, buffer, 8, NULL));
		assert_hr(nothing, read(self, hole, buffer, 8, NULL));
		assert_int_equal(0, raw_release(self));
		target_end(&t);
	}
}

static void read_virtual_hides_what_read_memory_hides(void **state)
{
	static const BYTE original[] = { 0x55, 0x48 };

	(void)state;
	for (size_t i = 0; i < COUNT(readers); i++) {
		struct target t = target_start(2);
		struct cordbmem_process *handle;
		void *self = raw_open(&t, readers[i].iid, &handle);
		read_virtual_function *read = SLOT(self, readers[i].slot, read_virtual_function);
		BYTE buffer[8], want[8];
		cordbmem_patch_id id;
		DWORD got;

		t.memory[100] = t.memory[PAGE - 1] = 0xcc;
		memcpy(want, t.memory + 98, 8);
		want[2] = 0x55;
		want[3] = 0x48;
		assert_hr(S_OK, cordbmem_process_add_patch(handle, t.base + 100, original, 2, &id));
		assert_hr(S_OK,
			  cordbmem_process_add_patch(handle, t.base + PAGE - 1, original, 2, NULL));
		assert_hr(S_OK, read(self, t.base + 98, buffer, 8, &got));
		assert_memory_equal(want, buffer, 8);
		/* At the end of a short one, too. */
		target_unmap(&t, 1);
		assert_hr(S_OK, read(self, t.base + PAGE - 1, buffer, 8, &got));
		assert_int_equal(1, got);
		assert_int_equal(0x55, buffer[0]);
		assert_hr(S_OK, cordbmem_process_remove_patch(handle, id));
		assert_hr(S_OK, read(self, t.base + 100, buffer, 1, &got));
		assert_int_equal(0xcc, buffer[0]);
		assert_int_equal(0, raw_release(self));
		target_end(&t);
	}
}

/* ---- GetImageBase ------------------------------------------------------ */

/* Map the file open at the descriptor, as a loader does: what counts is the first byte. */
static long map_file(long fd)
{
	void *at;

	at = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, (int)fd, PAGE);
	if (at == MAP_FAILED)
		return 0;
	at = mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_PRIVATE, (int)fd, 0);
	return at == MAP_FAILED ? 0 : (long)at;
}

struct image {
	struct target target;
	void *self;
	char path[64];
	uint64_t base;
};

static HRESULT image_base(const struct image *image, const char16_t *name, uint64_t *base)
{
	return SLOT(image->self, CT_GET_IMAGE_BASE, image_function)(image->self, name, base);
}

static HRESULT image_base8(const struct image *image, const char *name, uint64_t *base)
{
	char16_t wide[PATH_MAX] = { 0 };

	for (size_t i = 0; name[i]; i++)
		wide[i] = (unsigned char)name[i];
	return image_base(image, wide, base);
}

/* A target that has a file of that name mapped, which is in a folder of its own. */
static struct image image_start(void)
{
	struct image image = { .path = "/tmp/com-images-XXXXXX" };
	char file[96];
	int fd;

	assert_non_null(mkdtemp(image.path));
	snprintf(file, sizeof(file), "%s/" NAME, image.path);
	fd = open(file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(0, ftruncate(fd, 2 * PAGE));
	image.target = target_start(1);
	image.base = (uint64_t)target_call(&image.target, map_file, fd);
	assert_int_not_equal(0, image.base);
	close(fd);
	image.self = raw_open(&image.target, CLR_TARGET, NULL);
	return image;
}

static void image_unlink(const struct image *image)
{
	char file[96];

	snprintf(file, sizeof(file), "%s/" NAME, image->path);
	unlink(file);
	rmdir(image->path);
}

static void image_end(struct image *image)
{
	image_unlink(image);
	assert_int_equal(0, raw_release(image->self));
	target_end(&image->target);
}

static void image_is_found_by_its_name(void **state)
{
	struct image image = image_start();
	uint64_t base = 0;
	char path[PATH_MAX];
	char16_t whole[128];
	size_t length = strlen(image.path);

	(void)state;
	assert_hr(S_OK, image_base(&image, name16, &base));
	assert_int_equal(image.base, base);

	/* With its folder, and with the whole path. */
	for (size_t i = 0; i < length; i++)
		whole[i] = (unsigned char)image.path[i];
	whole[length] = '/';
	memcpy(whole + length + 1, name16, sizeof(name16));
	base = 0;
	assert_hr(S_OK, image_base(&image, whole, &base));
	assert_int_equal(image.base, base);
	base = 0;
	assert_hr(S_OK, image_base(&image, whole + strlen("/tmp/"), &base));
	assert_int_equal(image.base, base);

	/* The program itself. */
	length = (size_t)readlink("/proc/self/exe", path, sizeof(path) - 1);
	path[length] = 0;
	base = 0;
	assert_hr(S_OK, image_base8(&image, strrchr(path, '/') + 1, &base));
	assert_int_not_equal(0, base);

	/* A file that is replaced while it runs is still the one that runs. */
	image_unlink(&image);
	base = 0;
	assert_hr(S_OK, image_base(&image, name16, &base));
	assert_int_equal(image.base, base);
	image_end(&image);
}

static void other_names_are_not_found(void **state)
{
	static const char16_t first_half[] = { 'n', 0xd83d, 'x', 0 };
	static const char16_t second_half[] = { 'n', 0xde00, 'x', 0 };
	static const char16_t half_at_the_end[] = { 'n', 0xd83d, 0 };
	static char16_t endless[2 * PATH_MAX];
	struct image image = image_start();
	uint64_t base = SENTINEL;

	(void)state;
	for (size_t i = 0; i < COUNT(endless) - 1; i++)
		endless[i] = 'x';
	assert_hr(CORDBMEM_E_NOT_FOUND, image_base(&image, other_name16, &base));
	assert_hr(CORDBMEM_E_NOT_FOUND, image_base(&image, name16 + 1, &base));
	assert_hr(CORDBMEM_E_NOT_FOUND, image_base(&image, first_half, &base));
	assert_hr(CORDBMEM_E_NOT_FOUND, image_base(&image, second_half, &base));
	assert_hr(CORDBMEM_E_NOT_FOUND, image_base(&image, half_at_the_end, &base));
	assert_hr(CORDBMEM_E_NOT_FOUND, image_base(&image, endless, &base));
	assert_hr(CORDBMEM_E_NOT_FOUND, image_base(&image, u"", &base));
	assert_hr(CORDBMEM_E_NOT_FOUND, image_base(&image, u"[stack]", &base));
	assert_hr(E_INVALIDARG, image_base(&image, NULL, &base));
	assert_int_equal(SENTINEL, base);
	assert_hr(E_INVALIDARG, image_base(&image, name16, NULL));
	image_end(&image);
}

/* ---- GetRuntimeBase ---------------------------------------------------- */

/* Where there is one: tests/coreclr/test_data_target.c. */
static void no_runtime_is_found_where_there_is_none(void **state)
{
	struct target t = target_start(1);
	void *rl = raw_open(&t, LOCATOR, NULL);
	uint64_t base = SENTINEL;

	(void)state;
	assert_hr(CORDBG_E_NOT_CLR, SLOT(rl, RL_GET_RUNTIME_BASE, address_function)(rl, &base));
	assert_int_equal(SENTINEL, base);
	assert_hr(E_INVALIDARG, SLOT(rl, RL_GET_RUNTIME_BASE, address_function)(rl, NULL));
	assert_int_equal(0, raw_release(rl));
	target_end(&t);
}

/* ---- the end ----------------------------------------------------------- */

/* Nothing works but what needs no process; no count but ReadVirtual's is written. */
static void check_neutered(void *dt)
{
	void *ct = raw_query(dt, CLR_TARGET), *rl = raw_query(ct, LOCATOR);
	uint64_t base = SENTINEL;
	DWORD value = SENTINEL;
	BYTE byte = 7;

	raw_cannot(dt, data_target_cannot, COUNT(data_target_cannot), CORDBG_E_OBJECT_NEUTERED);
	raw_cannot(ct, clr_target_cannot, COUNT(clr_target_cannot), CORDBG_E_OBJECT_NEUTERED);
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  SLOT(ct, CT_GET_IMAGE_BASE, image_function)(ct, u"libc.so.6", &base));
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  SLOT(rl, RL_GET_RUNTIME_BASE, address_function)(rl, &base));
	assert_int_equal(SENTINEL, base);
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  SLOT(dt, DT_READ_VIRTUAL, read_virtual_function)(dt, 8, &byte, 1, &value));
	assert_int_equal(0, value);
	assert_int_equal(7, byte);
	value = SENTINEL;
	assert_hr(CORDBG_E_OBJECT_NEUTERED,
		  SLOT(dt, DT_READ_VIRTUAL, read_virtual_function)(dt, 8, &byte, 0, &value));
	assert_int_equal(0, value);
	assert_hr(S_OK, SLOT(dt, DT_GET_PLATFORM, number_function)(dt, &value));
	assert_hr(S_OK, SLOT(ct, CT_GET_MACHINE_TYPE, number_function)(ct, &value));
	assert_hr(S_OK, SLOT(ct, CT_GET_POINTER_SIZE, number_function)(ct, &value));
	raw_release(rl);
	raw_release(ct);
}

static void closing_neuters(void **state)
{
	struct target t = target_start(1);
	struct cordbmem_process *handle;
	void *dt = raw_open(&t, DATA_TARGET, &handle);

	(void)state;
	assert_hr(S_OK, cordbmem_process_close(handle));
	check_neutered(dt);
	assert_int_equal(0, raw_release(dt));
	target_end(&t);
}

static void exit_is_told_once(void **state)
{
	static const enum iid noticing[] = { DATA_TARGET, CLR_TARGET, LOCATOR };

	(void)state;
	for (size_t i = 0; i < COUNT(noticing); i++) {
		struct target t = target_start(1);
		void *dt = raw_open(&t, DATA_TARGET, NULL), *other = raw_query(dt, noticing[i]);
		uint64_t base = SENTINEL;
		DWORD got = SENTINEL;
		BYTE byte;
		HRESULT hr;

		target_kill(&t);
		if (noticing[i] == DATA_TARGET)
			hr = SLOT(other, DT_READ_VIRTUAL, read_virtual_function)(other, t.base,
										 &byte, 1, &got);
		else if (noticing[i] == CLR_TARGET)
			hr = SLOT(other, CT_GET_IMAGE_BASE, image_function)(other, u"libc.so.6",
									    &base);
		else
			hr = SLOT(other, RL_GET_RUNTIME_BASE, address_function)(other, &base);
		assert_hr(CORDBG_E_PROCESS_TERMINATED, hr);
		assert_int_equal(noticing[i] == DATA_TARGET ? 0 : SENTINEL, got);
		assert_int_equal(SENTINEL, base);
		check_neutered(dt);
		raw_release(other);
		assert_int_equal(0, raw_release(dt));
		target_end(&t);
	}
}

static long exec_something(long argument)
{
	(void)argument;
	return execl("/bin/sleep", "sleep", "1000", NULL);
}

/* What is mapped under the pid now is another program's. */
static void images_of_the_next_program_are_not_ours(void **state)
{
	struct target t = target_start(1);
	void *ct = raw_open(&t, CLR_TARGET, NULL);
	uint64_t base = SENTINEL;
	char byte;

	(void)state;
	target_send(&t, exec_something, 0);
	/* The socket closes on exec, after the memory is gone. */
	assert_int_equal(0, read(t.socket, &byte, 1));
	assert_hr(CORDBG_E_PROCESS_TERMINATED,
		  SLOT(ct, CT_GET_IMAGE_BASE, image_function)(ct, u"sleep", &base));
	assert_int_equal(SENTINEL, base);
	assert_int_equal(0, raw_release(ct));
	target_end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_name_the_machine),
		cmocka_unit_test(what_a_reader_cannot_is_not_implemented),
		cmocka_unit_test(read_virtual_reads_as_far_as_it_can),
		cmocka_unit_test(read_virtual_hides_what_read_memory_hides),
		cmocka_unit_test(image_is_found_by_its_name),
		cmocka_unit_test(other_names_are_not_found),
		cmocka_unit_test(no_runtime_is_found_where_there_is_none),
		cmocka_unit_test(closing_neuters),
		cmocka_unit_test(exit_is_told_once),
		cmocka_unit_test(images_of_the_next_program_are_not_ours),
	};

	return cmocka_run_group_tests_name("com targets", tests, NULL, NULL);
}
