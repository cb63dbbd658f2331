// SPDX-License-Identifier: MIT
/*
 * A process that looks like a .NET 10 one from outside, for test_tool_breakpoints.sh and test_sample.sh: no
 * runtime, just what CoreCLR exports of its debugger side and of its threads. Its file must be called
 * libcoreclr.so, and its symbols exported. It prints where its "code" is, then answers each line of its
 * input with "done" and ends with it.
 *
 *	up		the debugger side is there; until then it is not
 *	lie		it publishes another patch table than its own
 *	truth		no more
 *	flags HEX	g_CORDebuggerControlFlags: 200 for a debugger that is attached
 *	set I M K	a breakpoint of kind K at code[I], in a method of module M
 *	move I M	it is another one there now, of module M
 *	clear I		it is gone
 *	crowd, empty	breakpoints everywhere, nowhere
 *
 *	threads N	there is a list of N threads; until then there is none
 *	thread I S M	thread I has these bits of state (hex), and is in cooperative mode (1) or not
 *	link I J	behind thread I comes thread J; -1: what is mapped nowhere
 *	suspend I	thread I suspends the runtime; -1: none does
 *	churn		from now on each thread is another one all the time
 *	far, mute	members of a thread are told to be far away, not told
 */
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define EXPORTED __attribute__((visibility("default")))
#define BUCKETS 1103
#define CODE 2000
#define THREADS 5000
#define NONE UINT32_MAX

struct entry { /* DebuggerControllerPatch */
	uint32_t previous, next;
	uint64_t unused[2];
	void *module;
	uint64_t method, unused2;
	unsigned char *address;
	uint64_t unused3;
	uint64_t opcode;
	uint64_t unused4[8];
	uint64_t kind;
	uint64_t unused5[4];
};

struct table { /* DebuggerPatchTable */
	uint64_t unused;
	struct entry *entries;
	uint32_t entry_size, bucket_count;
	uint32_t *buckets;
	uint32_t free, count;
};

struct module {
	uint64_t unused;
	const uint16_t *path;
};

_Static_assert(sizeof(struct entry) == 176, "as in .NET 10");

static unsigned char code[CODE];
static struct entry entries[CODE];
static uint32_t buckets[BUCKETS];
static struct table table = {
	.entries = entries,
	.entry_size = sizeof(struct entry),
	.bucket_count = BUCKETS,
	.buckets = buckets,
	.count = CODE,
};
static struct table other;

/* A terminal would obey the first, and show the letters behind the second from right to left. */
static const uint16_t evil[] = u"/\x1b[2J/\u202e\"\\\xd800\u4e2d\U0001f600.dll";
static struct module modules[] = { { .path = u"/srv/app.dll" }, { .path = evil }, { 0 } };

/* Debugger, DebuggerRCThread, DebuggerIPCControlBlock, DebuggerIPCRuntimeOffsets */
static uint64_t debugger[64], thread[64], block[64], offsets[64];
static uint32_t table_valid = 1;
static struct table *table_pointer;

/* Their order is the runtime's, in memory as in the table. */
static struct {
	uint64_t *debugger, *interface;
	uint64_t flags;
	void *ee_interface;
} globals;

EXPORTED void *g_dacTable[] = {
	&globals.flags,	       &globals.debugger, &globals.interface,
	&globals.ee_interface, &table_pointer,	  &table_valid,
};

struct thread { /* Thread */
	_Atomic uint32_t state, cooperative, id;
	uint64_t os_id;
	void *next; /* to the next one's "next" */
	void *exception, *locals;
};

struct store { /* ThreadStore */
	uint64_t unused;
	void *first;
};

_Static_assert(offsetof(struct thread, next) == 24, "as the descriptor has it");

static struct thread threads[THREADS];
static struct store store;
/* What the runtime has variables for. */
static struct store *thread_store;
static struct thread *finalizer = &threads[1], *suspender;
/* RuntimeThreadLocals: where a thread allocates */
static uint64_t locals[THREADS][2];

static char json[] =
	"{\"version\":1,\"types\":{\"Module\":{\"Path\":8},"
	"\"Thread\":{\"State\":0,\"PreemptiveGCDisabled\":4,\"Id\":8,\"OSId\":16,"
	"\"LinkNext\":[\"0x0018\",\"pointer\"],\"ExceptionTracker\":32,\"RuntimeThreadLocals\":40},"
	"\"ThreadStore\":{\"FirstThreadLink\":8},\"RuntimeThreadLocals\":{\"AllocContext\":0},"
	"\"EEAllocContext\":{\"GCAllocationContext\":8},\"GCAllocContext\":{\"Pointer\":0}},"
	"\"globals\":{\"ThreadStore\":[[0],\"pointer\"],\"FinalizerThread\":[[1],\"pointer\"],"
	"\"GCThread\":[[2],\"pointer\"]}}";
static const void *const pointers[] = { &thread_store, &finalizer, &suspender };
EXPORTED const struct {
	char magic[8];
	uint32_t flags, json_size;
	const char *json;
	uint32_t count, pad;
	const void *const *pointers;
} DotNetRuntimeContractDescriptor = { "DNCCDAC", 1, sizeof(json) - 1, json, 3, 0, pointers };

EXPORTED const char sccsid[256] = "@(#)Version 10.0.42.\x1b[1m @Commit: none";

static void come_up(void)
{
	uint32_t protocol[] = { 2, 2 };
	uint64_t run[] = { (uint64_t)&table,
			   (uint64_t)&table_valid,
			   8,
			   0x24,
			   sizeof(struct entry),
			   0x30,
			   0x40,
			   8,
			   0x60,
			   2 };

	memcpy(offsets + 14, run, sizeof(run));
	block[0] = 8184;
	memcpy((char *)block + 20, protocol, sizeof(protocol));
	block[14] = (uint64_t)offsets;
	thread[15] = (uint64_t)block;
	debugger[2] = (uint64_t)thread;
	globals.debugger = globals.interface = debugger;
	table_pointer = &table;
}

/* Both pass for tables. */
static void lie(void)
{
	other = table;
	table_pointer = &other;
}

/* In CoreCLR's order: first the opcode, then the trap. */
static void set(uint32_t i, uint32_t module, uint32_t kind)
{
	struct entry *entry = &entries[i];

	entry->address = &code[i];
	entry->module = &modules[module];
	entry->method = 0x06000000 + i;
	entry->kind = kind;
	entry->opcode = code[i];
	code[i] = 0xcc;
}

static void clear(uint32_t i)
{
	code[i] = (unsigned char)entries[i].opcode;
	entries[i].opcode = 0;
}

static void set_all(void)
{
	for (uint32_t i = 0; i < CODE; i++)
		if (!entries[i].opcode)
			set(i, 0, 1);
}

static void clear_all(void)
{
	for (uint32_t i = 0; i < CODE; i++)
		if (entries[i].opcode)
			clear(i);
}

static void chain(void)
{
	memset(buckets, 0xff, sizeof(buckets));
	for (uint32_t i = 0; i < CODE; i++) {
		uint32_t *bucket = &buckets[(uint32_t)(uint64_t)&code[i] % BUCKETS];

		if (!entries[i].opcode)
			continue;
		entries[i].next = *bucket;
		*bucket = i;
	}
}

static void list_threads(uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		threads[i] = (struct thread){
			.id = i + 1,
			.next = i + 1 < count ? &threads[i + 1].next : NULL,
			.locals = locals[i],
		};
	}
	store.first = &threads[0].next;
	thread_store = &store;
}

_Noreturn static void *change_threads(void *unused)
{
	(void)unused;
	for (uint32_t id = THREADS;; id++) {
		for (uint32_t i = 0; i < THREADS; i++)
			threads[i].id = id * 7919 + i;
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
}

static void change_json(const char *old, const char *by)
{
	for (char *at = strstr(json, old); *by; at++, by++)
		*at = *by;
}

static void obey_for_threads(const char *line)
{
	unsigned int i, state, mode;
	pthread_t thread;
	int j;

	if (sscanf(line, "threads %u", &i) == 1 && i <= THREADS) {
		list_threads(i);
	} else if (sscanf(line, "thread %u %x %u", &i, &state, &mode) == 3 && i < THREADS) {
		threads[i].state = state;
		threads[i].cooperative = mode;
	} else if (sscanf(line, "link %u %d", &i, &j) == 2 && i < THREADS && j < THREADS) {
		threads[i].next = j < 0 ? (void *)64 : (void *)&threads[j].next;
	} else if (sscanf(line, "suspend %d", &j) == 1 && j < THREADS) {
		suspender = j < 0 ? NULL : &threads[j];
	} else if (!strcmp(line, "churn\n")) {
		pthread_create(&thread, NULL, change_threads, NULL);
	} else if (!strcmp(line, "far\n")) {
		change_json("0x0018", "0xf018");
	} else if (!strcmp(line, "mute\n")) {
		change_json("LinkNext", "LinkText");
	}
}

static void obey(const char *line)
{
	unsigned int i, module, kind;

	if (!strcmp(line, "up\n"))
		come_up();
	else if (!strcmp(line, "lie\n"))
		lie();
	else if (!strcmp(line, "truth\n"))
		table_pointer = &table;
	else if (sscanf(line, "flags %x", &i) == 1)
		globals.flags = i;
	else if (sscanf(line, "set %u %u %u", &i, &module, &kind) == 3 && i < CODE && module < 3)
		set(i, module, kind);
	else if (sscanf(line, "move %u %u", &i, &module) == 2 && i < CODE && module < 3)
		entries[i].module = &modules[module];
	else if (sscanf(line, "clear %u", &i) == 1 && i < CODE)
		clear(i);
	else if (!strcmp(line, "crowd\n"))
		set_all();
	else if (!strcmp(line, "empty\n"))
		clear_all();
	else
		obey_for_threads(line);
	chain();
}

int main(void)
{
	char line[256];

	for (unsigned int i = 0; i < CODE; i++)
		code[i] = (unsigned char)(i % 100 + 1);
	printf("%lx\n", (unsigned long)code);
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		obey(line);
		puts("done");
		fflush(stdout);
	}
	return 0;
}
