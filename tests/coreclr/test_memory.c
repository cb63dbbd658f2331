// SPDX-License-Identifier: MIT
/*
 * What is in a .NET process beside compiled code: MSIL, objects that the garbage collector moves,
 * and breakpoints that are not the runtime's.
 */
#include <kselftest_harness.h>

#include "ours.h"
#include "plant.h"
#include "scene.h"
#include "support.h"
#include "symbol.h"
#include "vectors.h"

#define BREAKPOINTS 20

FIXTURE(memory)
{
	struct scene scene;
	struct cordbmem_process *ours;
};

FIXTURE_SETUP(memory)
{
	(void)self;
}

FIXTURE_TEARDOWN(memory)
{
	cordbmem_process_free(self->ours);
	EXPECT_EQ(0, scene_end(&self->scene));
}

/* By both; they must agree. The debuggee stands still or does not change these bytes. */
static void read_both(FIXTURE_DATA(memory) * self, uint64_t address, BYTE *bytes, DWORD size)
{
	BYTE *other = malloc(size);
	SIZE_T read;

	if (!other || cordbmem_ReadMemory(self->ours, address, size, bytes, &read) != S_OK ||
	    read != size)
		die("ours cannot read %u bytes at 0x%lx", size, address);
	if (oracle_read(self->scene.oracle, address, size, other, &read) != S_OK || read != size)
		die("the genuine library cannot read %u bytes at 0x%lx", size, address);
	if (memcmp(bytes, other, size) != 0)
		die("they differ in %u bytes at 0x%lx", size, address);
	free(other);
}

TEST_F_TIMEOUT(memory, contract_is_kept, 120)
{
	SCENE(&self->scene, BREAKPOINTS);
	self->ours = ours_open_managed(self->scene.debuggee.pid);
	EXPECT_EQ(0, contract_breaches(&self->scene, read_ours, self->ours));
}

/* Every method's MSIL, as reflection in the debuggee knows it, stands in the module's image. */
TEST_F_TIMEOUT(memory, msil_is_read, 120)
{
	struct scene *scene = &self->scene;
	const struct debuggee *debuggee = &scene->debuggee;
	size_t found = 0, offset = 0;
	CORDB_ADDRESS image;
	uint32_t size;
	BYTE *bytes;

	SCENE(scene, BREAKPOINTS);
	self->ours = ours_open_managed(debuggee->pid);
	ASSERT_EQ(S_OK, oracle_stop(scene->oracle));
	ASSERT_EQ(S_OK, oracle_module(scene->oracle, &image, &size));
	ASSERT_EQ(S_OK, oracle_continue(scene->oracle));
	bytes = malloc(size);
	ASSERT_NE(NULL, bytes);
	read_both(self, image, bytes, size);
	EXPECT_EQ(0, memcmp(bytes, "MZ", 2));
	/* They lie in the order of the source. */
	for (size_t i = 0; i < debuggee->method_count; i++) {
		const struct method *method = &debuggee->methods[i];
		const BYTE *at = memmem(bytes + offset, size - offset, method->il, method->il_size);

		if (!at)
			continue;
		offset = (size_t)(at - bytes) + method->il_size;
		found++;
	}
	EXPECT_EQ(debuggee->method_count, found);
	free(bytes);
}

TEST_F_TIMEOUT(memory, heap_objects_are_read_where_they_are, 120)
{
	struct scene *scene = &self->scene;
	struct debuggee *debuggee = &scene->debuggee;
	uint64_t before;
	BYTE bytes[20000];

	SCENE(scene, BREAKPOINTS);
	self->ours = ours_open_managed(debuggee->pid);
	before = debuggee->array.address;
	for (int round = 0; round < 2; round++) {
		size_t wrong = 0;

		ASSERT_EQ(sizeof(bytes), debuggee->array.size);
		ASSERT_EQ(S_OK, oracle_stop(scene->oracle));
		read_both(self, debuggee->array.address, bytes, sizeof(bytes));
		ASSERT_EQ(S_OK, oracle_continue(scene->oracle));
		for (size_t i = 0; i < sizeof(bytes); i++)
			wrong += bytes[i] != debuggee_byte(i, 4);
		EXPECT_EQ(0, wrong);
		debuggee_collect(debuggee);
	}
	EXPECT_NE(before, debuggee->array.address);
}

/* A trap byte of somebody else's is shown by both, and changes nothing beside it. */
static void check_native(struct __test_metadata *_metadata, FIXTURE_DATA(memory) * self,
			 CORDB_ADDRESS address)
{
	pid_t pid = self->scene.debuggee.pid;
	BYTE before[64], after[64];
	uint8_t original;

	read_both(self, address - 32, before, 64);
	ASSERT_NE(0xcc, before[32]);
	original = plant(pid, address, 0xcc);
	EXPECT_EQ(original, before[32]);
	read_both(self, address - 32, after, 64);
	EXPECT_EQ(0xcc, after[32]);
	after[32] = original;
	EXPECT_EQ(0, memcmp(before, after, 64));
	EXPECT_EQ(0xcc, plant(pid, address, original));
	read_both(self, address - 32, after, 64);
	EXPECT_EQ(0, memcmp(before, after, 64));
}

TEST_F_TIMEOUT(memory, native_breakpoints_stay_visible, 120)
{
	struct scene *scene = &self->scene;
	const struct runtime *runtime = &scene->runtime;
	uint64_t base;

	SCENE(scene, BREAKPOINTS);
	self->ours = ours_open_managed(scene->debuggee.pid);
	/* Right beside a managed one; nobody runs these methods now. */
	for (int i = 0; i < BREAKPOINTS; i++)
		check_native(_metadata, self, scene->breakpoints[i].address + 1);
	base = mapping_of(scene->debuggee.pid, runtime->clr);
	check_native(_metadata, self, symbol_address(runtime->clr, "MetaDataGetDispenser", base));
	EXPECT_EQ(BREAKPOINTS, scene_traps(scene));
}

TEST_F_TIMEOUT(memory, exit_is_noticed, 120)
{
	const struct vector at_exit = { .name = "exit",
					.address = 0x10000,
					.size = 16,
					.hr = CORDBG_E_PROCESS_TERMINATED,
					.count = 0 };

	SCENE(&self->scene, BREAKPOINTS);
	self->ours = ours_open_managed(self->scene.debuggee.pid);
	EXPECT_EQ(0, debuggee_end(&self->scene.debuggee));
	EXPECT_TRUE(vector_holds(&at_exit, read_ours, self->ours));
	EXPECT_EQ(0, contract_breaches_after_exit(read_ours, self->ours));
}

TEST_HARNESS_MAIN
