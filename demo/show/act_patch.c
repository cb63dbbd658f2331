// SPDX-License-Identifier: MIT
/*
 * An act of the demo, for a program without a .NET debugger: whoever plants a breakpoint registers it as
 * a patch, and reads the code without it.
 */
#include <inttypes.h>

#include "scene.h"
#include "view.h"

/*
 * The traps are real, so the program keeps out of the method while they are there (it says when
 * it is out), and goes on with its other work.
 */
void act_patch(struct scene *scene)
{
	const struct target *target = &scene->target;
	uint64_t last = target->method + target->size - 1;
	cordbmem_patch_id patch;
	int64_t before, after;
	struct traps traps;

	target_pause(&scene->target);
	before = read_counters(scene).rounds;
	if (FAILED(cordbmem_process_add_patch(scene->process, target->method, scene->original, 1,
					      &patch)))
		give_up("the patch cannot be registered");
	target_write(target, target->method, TRAP);
	target_write(target, last, TRAP);
	read_traps(scene, &traps);
	after = wait_for_rounds(scene, before);

	show_point("1",
		   "The demo, for want of a debugger, plants two traps (cc, int3), while the "
		   "program keeps out of the method and goes on with its other work (%" PRId64
		   " rounds). The first is like a breakpoint of a .NET debugger: managed. It "
		   "was registered with the library as a patch, with the byte that it "
		   "replaces, %02x. The last one is like gdb's: native, registered nowhere. "
		   "READ, the module's ioctl, shows memory as it is; ReadMemory, the "
		   "library's, without managed breakpoints.",
		   after - before, scene->original[0]);
	show_traps(scene, &traps);

	/* In the order that the library asks for: first the code, then the patch. */
	target_write(target, target->method, scene->original[0]);
	target_write(target, last, scene->original[target->size - 1]);
	if (FAILED(cordbmem_process_remove_patch(scene->process, patch)))
		give_up("the patch cannot be removed");
}
