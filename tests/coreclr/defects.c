// SPDX-License-Identifier: MIT
/* The functions of defects.h. */
#include "defects.h"
#include "plant.h"
#include "support.h"

#define ATTEMPTS 200

/*
 * Removing drops the copy, and is done a moment later: a read just now takes one that still has the
 * breakpoint. As it had if the trap is in memory after it, for the runtime removes that first.
 */
static bool remove_behind_copy(struct scene *scene, struct breakpoint *breakpoint)
{
	uint8_t byte, last;

	if (oracle_deactivate(breakpoint) != S_OK)
		die("cannot remove the breakpoint");
	oracle_read(scene->oracle, breakpoint->address, 1, &byte, NULL);
	peek(scene->debuggee.pid, breakpoint->address, &last, 1);
	for (byte = last; byte == 0xcc; sleep_ms(1))
		peek(scene->debuggee.pid, breakpoint->address, &byte, 1);
	return last == 0xcc;
}

struct defect defect_of_copy(struct scene *scene, struct breakpoint *breakpoint)
{
	uint8_t original = scene_original(scene, breakpoint->address);

	for (int i = 0; !remove_behind_copy(scene, breakpoint); i++)
		if (i == ATTEMPTS || oracle_activate(breakpoint) != S_OK)
			die("breakpoints are removed too fast");
	if (plant(scene->debuggee.pid, breakpoint->address, 0xcc) != original)
		die("the breakpoint left something else behind");
	return (struct defect){ breakpoint->address, original, 0xcc };
}

struct defect defect_of_zero(struct scene *scene)
{
	const struct debuggee *debuggee = &scene->debuggee;
	struct breakpoint breakpoint;
	uint8_t code[8];
	uint32_t offset = 0;

	peek(debuggee->pid, debuggee->add_address, code, sizeof(code));
	while (offset < 7 && (code[offset] || code[offset + 1] != 0x17))
		offset++;
	if (code[offset] ||
	    oracle_break(scene->oracle, debuggee->add_token, offset, &breakpoint) != S_OK)
		die("no breakpoint at byte %u of AddByte", offset);
	return (struct defect){ breakpoint.address, 0xcc, 0 };
}
