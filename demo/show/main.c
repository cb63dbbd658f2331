// SPDX-License-Identifier: MIT
/*
 * The demo, run as root in the VM: starts a program at work, reads its code from outside through
 * the module and through the library, and says what is to be seen. What it says is checked before
 * it is printed.
 *
 * usage: show native PROGRAM...             the program to read: demo/native
 *        show dotnet DEBUGGER TOOL PROGRAM...  demo/dotnet, to be debugged by demo/debugger; TOOL is
 *                                           the program cordbmem
 */
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/cordbmem.h>

#include "scene.h"
#include "view.h"

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
	calls = wait_for_calls(scene, 0);
	printf("cordbmem demo: process %d (%s), read from outside, in a VM with Linux %s\n\n",
	       target->pid, target->program, kernel.release);

	look_raw(scene, target->method, raw, target->size);
	look_masked(scene, target->method, scene->original, target->size);
	claim(!memcmp(raw, scene->original, target->size), "both ways read the same code");
	/* Machine code that this is: it begins with push rbp and ends with ret. */
	claim(raw[0] == 0x55 && raw[target->size - 1] == 0xc3,
	      "the method is where it was told to be");
	calls = wait_for_calls(scene, calls);
	show_text("", "",
		  "The program calls its method %s all the time: so far %" PRId64
		  " times, says a counter in its memory. The method was compiled while it ran: %zu "
		  "bytes of machine code at %" PRIx64 ". cordbmem never stops the program.",
		  target->name, calls, target->size, target->method);
	putchar('\n');
}

static void say_goodbye(struct scene *scene, int point)
{
	struct target *target = &scene->target;
	unsigned char raw[METHOD_MAX];
	int64_t before, after;
	char number[16];
	long result;

	look_raw(scene, target->method, raw, target->size);
	claim(!memcmp(raw, scene->original, target->size), "the code is as it was");
	before = read_counters(scene).calls;
	result = target_resume(target);
	claim(result == 12 * 3 + 4, "the method still works");
	after = wait_for_calls(scene, before);
	snprintf(number, sizeof(number), "%d. ", point);
	show_text(
		number, "   ",
		"%sThe traps are out again, and the code is byte for byte as it was. The program "
		"calls its method again: %s(12) is %ld, and the counter of calls went from %" PRId64
		" to %" PRId64 ".",
		target->token ? "The debugger has left. " : "", target->name, result, before,
		after);
	putchar('\n');

	cordbmem_process_free(scene->process);
	close(scene->device);
	child_end(&target->child);
	printf("What stands here was checked as it was printed: %u checks, all true.\n", claims());
}

int main(int argc, char **argv)
{
	struct scene scene = { 0 };
	int point = 2;

	if (argc > 4 && !strcmp(argv[1], "dotnet")) {
		meet(&scene, argv + 4);
		act_debugger(&scene, argv[2], argv[3]);
		point = 4;
	} else if (argc > 2 && !strcmp(argv[1], "native")) {
		meet(&scene, argv + 2);
		act_patch(&scene);
	} else {
		fprintf(stderr, "usage: show native PROGRAM...\n"
				"       show dotnet DEBUGGER TOOL PROGRAM...\n");
		return 2;
	}
	act_hole(&scene, point);
	say_goodbye(&scene, point + 1);
	if (fflush(stdout) != 0)
		give_up("the screen cannot be written");
	return 0;
}
