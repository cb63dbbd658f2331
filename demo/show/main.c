// SPDX-License-Identifier: MIT
/*
 * The demo, run as root in the VM: starts a program at work, reads its code from outside through
 * the module and through the library, and says what is to be seen. What it says is checked before
 * it is printed.
 *
 * usage: show COMMAND [ARGUMENT]...     the program to read: demo/dotnet or demo/native
 */
#include "show.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <linux/cordbmem.h>

/* More would not fit the screen, and the methods here are shorter. */
#define METHOD_MAX 112
#define PARTIAL_ASKED 64U
#define PARTIAL_GOT 16U
#define PATIENCE 60 /* seconds, for a program on an emulated CPU */

/* ---- the two ways to read ---- */

/* As it is in memory: the ioctl, without the library. */
static void read_raw(int device, const struct target *target, uint64_t address, void *bytes,
		     size_t size)
{
	struct cordbmem_read read = {
		.size = sizeof(read),
		.pid = target->pid,
		.address = address,
		.length = size,
		.buffer = (uintptr_t)bytes,
	};

	if (ioctl(device, CORDBMEM_IOC_READ, &read) != 0 || read.bytes_read != size)
		give_up("READ failed");
}

/* As it was compiled: the library, which replaces the bytes of registered breakpoints. */
static void read_masked(struct cordbmem_process *process, uint64_t address, void *bytes,
			size_t size)
{
	SIZE_T got = 0;
	HRESULT hr = cordbmem_ReadMemory(process, address, (DWORD)size, bytes, &got);

	if (hr != S_OK || got != size) {
		fprintf(stderr, "demo: %s\n", cordbmem_hresult_name(hr));
		give_up("ReadMemory failed");
	}
}

static struct counters read_counters(const struct target *target, struct cordbmem_process *process)
{
	struct counters counters;

	read_masked(process, target->counters, &counters, sizeof(counters));
	return counters;
}

/* Watch one of the counters until it has moved on: that is how one sees that a program runs. */
static int64_t wait_for_counter(const struct target *target, struct cordbmem_process *process,
				size_t offset, int64_t beyond)
{
	time_t end = time(NULL) + PATIENCE;
	int64_t value;

	do {
		read_masked(process, target->counters + offset, &value, sizeof(value));
		if (value > beyond)
			return value;
		sched_yield();
	} while (time(NULL) < end);
	claim(false, "the program goes on running");
	return 0;
}

static int64_t wait_for_rounds(const struct target *target, struct cordbmem_process *process,
			       int64_t beyond)
{
	return wait_for_counter(target, process, offsetof(struct counters, rounds), beyond);
}

static int64_t wait_for_calls(const struct target *target, struct cordbmem_process *process,
			      int64_t beyond)
{
	return wait_for_counter(target, process, offsetof(struct counters, calls), beyond);
}

/* ---- the acts ---- */

struct scene {
	struct target target;
	struct cordbmem_process *process;
	int device;
	unsigned char original[METHOD_MAX];
};

static void meet(struct scene *scene, char **argv)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct target *target = &scene->target;
	unsigned char raw[METHOD_MAX];
	struct utsname kernel = { 0 };
	int64_t calls;

	target_start(target, argv);
	scene->device = open(CORDBMEM_DEVICE, O_RDWR | O_CLOEXEC);
	if (scene->device < 0)
		give_up("/dev/cordbmem cannot be opened");
	if (FAILED(cordbmem_process_open(target->pid, NULL, &scene->process, &error)))
		give_up(error.text);
	if (target->size < 2 || target->size > METHOD_MAX)
		give_up("the method is not of a size that fits the screen");

	uname(&kernel);
	calls = wait_for_calls(target, scene->process, 0);
	printf("cordbmem demo: process %d (%s), read from outside, in a VM with Linux %s\n\n",
	       target->pid, target->program, kernel.release);

	read_raw(scene->device, target, target->method, raw, target->size);
	read_masked(scene->process, target->method, scene->original, target->size);
	claim(!memcmp(raw, scene->original, target->size), "both ways read the same code");
	/* Machine code that this is: it begins with push rbp and ends with ret. */
	claim(raw[0] == 0x55 && raw[target->size - 1] == 0xc3,
	      "the method is where it was told to be");
	calls = wait_for_calls(target, scene->process, calls);
	printf("The program calls its method %s all the time, and is not stopped for what "
	       "follows.\n",
	       target->name);
	printf("A counter of the calls, read from its memory, stands at %" PRId64 ".\n", calls);
	printf("The method was compiled while the program ran: %zu bytes of machine code at "
	       "%" PRIx64 ".\n\n",
	       target->size, target->method);
}

/*
 * The traps are real, so the program keeps out of the method while they are there (it says when
 * it is out), and goes on with its other work.
 */
static void plant_traps(struct scene *scene)
{
	struct target *target = &scene->target;
	uint64_t last = target->method + target->size - 1;
	unsigned char raw[METHOD_MAX], masked[METHOD_MAX];
	const struct mark marks[] = {
		{ 0, "managed: original shown" },
		{ target->size - 1, "native: stays" },
	};
	cordbmem_patch_id patch;
	int64_t before, after;

	target_tell(target, "pause", "paused");
	before = read_counters(target, scene->process).rounds;

	if (FAILED(cordbmem_process_add_patch(scene->process, target->method, scene->original, 1,
					      &patch)))
		give_up("the patch cannot be registered");
	target_write(target, target->method, TRAP);
	target_write(target, last, TRAP);

	read_raw(scene->device, target, target->method, raw, target->size);
	read_masked(scene->process, target->method, masked, target->size);
	claim(raw[0] == TRAP && raw[target->size - 1] == TRAP, "READ shows both traps");
	claim(!memcmp(raw + 1, scene->original + 1, target->size - 2),
	      "READ shows the rest as it was");
	claim(masked[0] == scene->original[0],
	      "ReadMemory shows the original byte of the managed trap");
	claim(masked[target->size - 1] == TRAP, "ReadMemory shows the native trap");
	claim(!memcmp(masked + 1, scene->original + 1, target->size - 2),
	      "ReadMemory shows the rest as it was");

	printf("1. The demo, for want of a debugger, plants two traps (cc, int3), while the "
	       "program keeps out of\n"
	       "   the method. The first is like a breakpoint of a .NET debugger: managed. It was "
	       "registered with\n"
	       "   the library as a patch, with the byte that it replaces, %02x. The last one is "
	       "like gdb's:\n"
	       "   native, registered nowhere. READ, the module's ioctl, shows memory as it is; "
	       "ReadMemory,\n"
	       "   the library's, without managed breakpoints.\n\n",
	       scene->original[0]);
	printf("   %-12s   %-25s  %s\n", "address", "in memory: READ (ioctl)",
	       "as compiled: ReadMemory");
	show_side_by_side(target->method, raw, masked, target->size, marks, 2);

	after = wait_for_rounds(target, scene->process, before);
	printf("\n   While the traps were there the program did %" PRId64
	       " rounds of its other work.\n\n",
	       after - before);

	/* In the order that the library asks for: first the code, then the patch. */
	target_write(target, target->method, scene->original[0]);
	target_write(target, last, scene->original[target->size - 1]);
	if (FAILED(cordbmem_process_remove_patch(scene->process, patch)))
		give_up("the patch cannot be removed");
}

static void run_into_hole(struct scene *scene)
{
	struct cordbmem_error why = CORDBMEM_ERROR_INIT;
	unsigned char bytes[PARTIAL_ASKED], raw[PARTIAL_GOT];
	uint64_t start, end, address;
	SIZE_T got = 0;
	HRESULT hr;

	target_find_hole(&scene->target, scene->target.method, &start, &end);
	address = end - PARTIAL_GOT;
	hr = cordbmem_ReadMemory(scene->process, address, PARTIAL_ASKED, bytes, &got);
	claim(hr == CORDBMEM_E_PARTIAL_COPY && got == PARTIAL_GOT,
	      "the read is partial, up to the hole");
	read_raw(scene->device, &scene->target, address, raw, PARTIAL_GOT);
	claim(!memcmp(bytes, raw, PARTIAL_GOT), "the bytes before the hole are right");
	cordbmem_process_explain(scene->process, address, PARTIAL_ASKED, &why);
	claim(why.reason == CORDBMEM_REASON_HOLE && why.address == end, "the hole is found");

	printf("2. A mapping of the program ends at %" PRIx64
	       ". ReadMemory of %u bytes, %u before its end:\n",
	       end, PARTIAL_ASKED, PARTIAL_GOT);
	printf("   it returns %08x, %s, and *read = %lu.\n", (unsigned int)hr,
	       cordbmem_hresult_name(hr), got);
	printf("   Asked why, the library says:\n");
	show_wrapped("     ", why.text);
	putchar('\n');
}

static void say_goodbye(struct scene *scene)
{
	struct target *target = &scene->target;
	unsigned char raw[METHOD_MAX];
	struct counters before, after;
	long result;

	read_raw(scene->device, target, target->method, raw, target->size);
	claim(!memcmp(raw, scene->original, target->size), "the code is as it was");
	before = read_counters(target, scene->process);
	result = target_tell(target, "resume", "resumed");
	claim(result == 12 * 3 + 4, "the method still works");
	after.calls = wait_for_calls(target, scene->process, before.calls);
	printf("3. The traps are out again, and the code is byte for byte as it was. The program "
	       "calls its\n"
	       "   method again: %s(12) is %ld, and the counter of calls went from %" PRId64
	       " to %" PRId64 ".\n\n",
	       target->name, result, before.calls, after.calls);

	cordbmem_process_free(scene->process);
	close(scene->device);
	target_stop(target);
	printf("What stands here was checked as it was printed: %u checks, all true.\n", claims());
}

int main(int argc, char **argv)
{
	struct scene scene = { 0 };

	if (argc < 2) {
		fprintf(stderr, "usage: show COMMAND [ARGUMENT]...\n");
		return 2;
	}
	meet(&scene, argv + 1);
	plant_traps(&scene);
	run_into_hole(&scene);
	say_goodbye(&scene);
	if (fflush(stdout) != 0)
		give_up("the screen cannot be written");
	return 0;
}
