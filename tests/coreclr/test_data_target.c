// SPDX-License-Identifier: MIT
/*
 * The genuine libraries look into a running .NET program through our data targets: libmscordbi through
 * ICorDebugDataTarget, libmscordaccore through ICLRDataTarget and ICLRRuntimeLocator.
 */
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include <cordbmem/com.h>

#include "com_debugger.h"
#include "debuggee.h"
#include "support.h"

#define MANY 256

FIXTURE(data_target)
{
	struct runtime runtime;
	struct debuggee debuggee;
	struct cordbmem_process *handle;	     /* the object's */
	struct cordbmem_icordebugdatatarget *target; /* NULL when the test cannot be */
	uint64_t base;
	const char *reason;
};

/* The harness runs a test even when its setup said SKIP. */
#define NEED_TARGET()                                     \
	do {                                              \
		if (!self->target)                        \
			SKIP(return, "%s", self->reason); \
	} while (0)

FIXTURE_SETUP(data_target)
{
	static const struct cordbmem_guid iid = CORDBMEM_IID_ICORDEBUGDATATARGET;
	struct cordbmem_options options = CORDBMEM_OPTIONS_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;

	if (!runtime_load(&self->runtime))
		self->reason = self->runtime.reason;
	if (self->reason)
		return;
	debuggee_start(&self->debuggee, &self->runtime, NULL);
	debuggee_list_methods(&self->debuggee, 20);
	/* It is at work while it is looked into. */
	debuggee_do(&self->debuggee, "work 1");
	self->base = mapping_of(self->debuggee.pid, self->runtime.clr);
	ASSERT_NE(0, self->base);

	/* Without a VM they can be tried, too. */
	if (access("/dev/cordbmem", F_OK))
		options.backend = CORDBMEM_BACKEND_PORTABLE;
	ASSERT_EQ(S_OK, cordbmem_process_open(self->debuggee.pid, &options, &self->handle, &error))
	{
		TH_LOG("%s", error.text);
	}
	ASSERT_EQ(S_OK, cordbmem_com_create(self->handle, &iid, (void **)&self->target));
}

FIXTURE_TEARDOWN(data_target)
{
	uint64_t before, after;

	if (!self->target)
		return;
	/* Whoever looked has let go of it, and it all went by without stopping anything. */
	EXPECT_EQ(0, self->target->vtable->Release(self->target));
	peek(self->debuggee.pid, self->debuggee.counter, &before, sizeof(before));
	sleep_ms(50);
	peek(self->debuggee.pid, self->debuggee.counter, &after, sizeof(after));
	EXPECT_LT(before, after);
	EXPECT_EQ(0, debuggee_end(&self->debuggee));
}

static bool is_thread_of(pid_t pid, uint32_t thread)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%u", pid, thread);
	return !access(path, F_OK);
}

static void release_all(struct com **objects, uint32_t count)
{
	while (count)
		com_release(objects[--count]);
}

/* ---- libmscordbi ------------------------------------------------------- */

TEST_F(data_target, dbi_enumerates_app_domains_and_their_assemblies)
{
	struct com *process = NULL, *domains[MANY], *assemblies[MANY];
	uint32_t domain_count, assembly_count;
	bool bundled;
	int debuggee = 0, core_library = 0;
	char name[1024];

	NEED_TARGET();
	ASSERT_EQ(S_OK, dbi_open(&self->runtime, self->base, self->target, &process));
	ASSERT_EQ(S_OK, dbi_domains(process, domains, MANY, &domain_count));
	ASSERT_EQ(1, domain_count);
	ASSERT_EQ(S_OK, dbi_domain_name(domains[0], name, sizeof(name)));
	EXPECT_STREQ("clrhost", name);

	ASSERT_EQ(S_OK, dbi_assemblies(domains[0], assemblies, MANY, &assembly_count));
	TH_LOG("%u assemblies", assembly_count);
	for (uint32_t i = 0; i < assembly_count; i++) {
		ASSERT_EQ(S_OK, dbi_assembly_name(assemblies[i], name, sizeof(name)));
		debuggee += strstr(name, "/debuggee.dll") != NULL;
		core_library += strstr(name, "/System.Private.CoreLib.dll") != NULL;
	}
	EXPECT_LE(2, assembly_count);
	/* What a single-file host brings along has no file, so the library knows no name. */
	bundled = !strstr(self->runtime.clr, "/libcoreclr.so");
	EXPECT_EQ(!bundled, debuggee);
	EXPECT_EQ(!bundled, core_library);
	release_all(assemblies, assembly_count);
	release_all(domains, domain_count);
	EXPECT_EQ(S_OK, controller_detach(process));
	com_release(process);
}

TEST_F(data_target, dbi_enumerates_threads)
{
	struct com *process = NULL, *threads[MANY];
	bool main_thread = false;
	uint32_t count, id;

	NEED_TARGET();
	ASSERT_EQ(S_OK, dbi_open(&self->runtime, self->base, self->target, &process));
	ASSERT_EQ(S_OK, dbi_threads(process, threads, MANY, &count));
	TH_LOG("%u threads", count);
	/* The main one, the worker and the finalizer's at least. */
	EXPECT_LE(3, count);
	for (uint32_t i = 0; i < count; i++) {
		ASSERT_EQ(S_OK, dbi_thread_id(threads[i], &id));
		EXPECT_TRUE(is_thread_of(self->debuggee.pid, id))
		{
			TH_LOG("no thread %u", id);
		}
		main_thread |= id == (uint32_t)self->debuggee.pid;
	}
	EXPECT_TRUE(main_thread);
	release_all(threads, count);
	EXPECT_EQ(S_OK, controller_detach(process));
	com_release(process);
}

TEST_F(data_target, dbi_reads_what_the_handle_reads)
{
	const struct method *method = &self->debuggee.methods[0];
	const BYTE other = 0x5a;
	struct com *process = NULL;
	BYTE there[64], seen[64];
	uint64_t end;
	SIZE_T read = 0;

	NEED_TARGET();
	ASSERT_EQ(S_OK, dbi_open(&self->runtime, self->base, self->target, &process));
	ASSERT_EQ(S_OK,
		  process_read_memory(process, self->debuggee.pinned.address, 64, seen, &read));
	EXPECT_EQ(64, read);
	for (uint64_t i = 0; i < 64; i++)
		EXPECT_EQ(debuggee_byte(i, 3), seen[i]);

	/* What is registered with the handle is hidden from the library, too. */
	peek(self->debuggee.pid, method->address, there, 16);
	ASSERT_NE(other, there[4]);
	ASSERT_EQ(S_OK,
		  cordbmem_process_add_patch(self->handle, method->address + 4, &other, 1, NULL));
	ASSERT_EQ(S_OK, process_read_memory(process, method->address, 16, seen, &read));
	there[4] = other;
	EXPECT_EQ(0, memcmp(there, seen, 16));

	/* And a range that ends in a hole is short there as here. */
	end = self->debuggee.hole_pages.address;
	EXPECT_EQ(CORDBMEM_E_PARTIAL_COPY,
		  cordbmem_ReadMemory(self->handle, end - 16, 32, there, &read));
	EXPECT_EQ(16, read);
	EXPECT_EQ(CORDBMEM_E_PARTIAL_COPY, process_read_memory(process, end - 16, 32, seen, &read));
	EXPECT_EQ(16, read);
	EXPECT_EQ(S_OK, controller_detach(process));
	com_release(process);
}

/* ---- libmscordaccore --------------------------------------------------- */

static struct com *open_dac(struct __test_metadata *_metadata, const struct runtime *runtime,
			    struct cordbmem_icordebugdatatarget *target)
{
	static const struct cordbmem_guid iid = CORDBMEM_IID_ICLRDATATARGET;
	struct com *clr_target = NULL, *dac = NULL;

	ASSERT_EQ(S_OK, target->vtable->QueryInterface(target, &iid, (void **)&clr_target));
	ASSERT_EQ(S_OK, dac_open(runtime, clr_target, &dac));
	com_release(clr_target);
	return dac;
}

TEST_F(data_target, runtime_locator_finds_the_module)
{
	static const struct cordbmem_guid iid = CORDBMEM_IID_ICLRRUNTIMELOCATOR;
	struct cordbmem_iclrruntimelocator *locator;
	CORDB_ADDRESS base = 0;

	NEED_TARGET();
	ASSERT_EQ(S_OK,
		  self->target->vtable->QueryInterface(self->target, &iid, (void **)&locator));
	EXPECT_EQ(S_OK, locator->vtable->GetRuntimeBase(locator, &base));
	EXPECT_EQ(self->base, base);
	locator->vtable->Release(locator);
}

TEST_F(data_target, dac_enumerates_app_domains)
{
	uint64_t domains[MANY];
	uint32_t count = 0;
	char name[128];
	struct com *dac;

	NEED_TARGET();
	dac = open_dac(_metadata, &self->runtime, self->target);
	ASSERT_EQ(S_OK, dac_domains(dac, domains, MANY, &count));
	ASSERT_EQ(1, count);
	ASSERT_EQ(S_OK, dac_domain_name(dac, domains[0], name, sizeof(name)));
	EXPECT_STREQ("clrhost", name);
	com_release(dac);
}

TEST_F(data_target, dac_enumerates_threads)
{
	struct com *dac;
	struct dac_threads store;
	struct dac_thread thread;
	bool main_thread = false;
	uint64_t domain;
	uint32_t domains;
	int count = 0;

	NEED_TARGET();
	dac = open_dac(_metadata, &self->runtime, self->target);
	ASSERT_EQ(S_OK, dac_domains(dac, &domain, 1, &domains));
	ASSERT_EQ(S_OK, dac_thread_store(dac, &store));
	TH_LOG("%d threads, %d in the background", store.count, store.background);
	EXPECT_LE(3, store.count);
	for (uint64_t at = store.first; at && count <= store.count; at = thread.next) {
		ASSERT_EQ(S_OK, dac_thread(dac, at, &thread));
		EXPECT_TRUE(is_thread_of(self->debuggee.pid, thread.os_id))
		{
			TH_LOG("no thread %u", thread.os_id);
		}
		EXPECT_EQ(domain, thread.domain);
		main_thread |= thread.os_id == (uint32_t)self->debuggee.pid;
		count++;
	}
	EXPECT_EQ(store.count, count);
	EXPECT_TRUE(main_thread);
	com_release(dac);
}

TEST_HARNESS_MAIN
