// SPDX-License-Identifier: MIT
/* The functions of spoil.h. */
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lot.h"
#include "report.h"
#include "scene.h"
#include "spoil.h"

uint64_t pointer(void)
{
	switch (below(12)) {
	case 0:
		return any();
	case 1:
		return UINT64_MAX - below(4096);
	case 2:
		return UINT64_C(0xffff800000000000) + below(1 << 20);
	case 3:
		return UINT64_C(0x7fffffffe000) + below(8192);
	case 4:
		return below(1 << 20);
	case 5:
		return ROOM + below((uint32_t)ROOM_SIZE);
	case 6:
		return forge_code(scene.forge, below((uint32_t)scene.forge->code_size));
	default:
		return (uintptr_t)place() & ~(uintptr_t)7;
	}
}

static void spoil_json(void)
{
	static const char *const words[] = {
		"\"types\"",
		"\"globals\"",
		"\"Debugger\"",
		"\"DebuggerRCThread\"",
		"\"RCThread\"",
		"\"DCB\"",
		"\"Module\"",
		"\"Path\"",
		"{",
		"}",
		"[",
		"]",
		":",
		",",
		"null",
		"-1",
		"1e999",
		"18446744073709551616",
		"\"0x\"",
		"\"0xffffffffffffffff\"",
		"\"\\u0000\"",
		"true",
		"9223372036854775807",
		"[[0],\"pointer\"]",
		"[[4294967295]]",
		"\"!\"",
		"4294967295",
		"1048576",
	};
	const char *word = words[below(COUNT(words))];
	uint32_t size = scene.forge->descriptor->json_size % FORGE_JSON_ROOM;
	uint32_t at = below(size + 1);
	size_t length = strlen(word);
	char *text = scene.forge->json;

	switch (below(4)) {
	case 0: /* overwrite */
		if (at + length < FORGE_JSON_ROOM)
			memcpy(text + at, word, length);
		break;
	case 1: /* insert */
		if (size + length < FORGE_JSON_ROOM) {
			memmove(text + at + length, text + at, size - at);
			memcpy(text + at, word, length);
			scene.forge->descriptor->json_size = size + (uint32_t)length;
		}
		break;
	case 2: /* cut out */
		length = below(size - at + 1);
		memmove(text + at, text + at + length, size - at - length);
		scene.forge->descriptor->json_size = size - (uint32_t)length;
		break;
	case 3: /* repeat */
		length = below(4096);
		if (at + length < FORGE_JSON_ROOM)
			memset(text + at, word[0], length);
		scene.forge->descriptor->json_size = at + (uint32_t)length;
		break;
	}
}

void spoil(void)
{
	BYTE *at = place();
	uint64_t value;

	if (!scene.spoiled)
		scene.spoiled = true;
	switch (below(9)) {
	case 0:
		*at ^= (BYTE)(1U << below(8));
		break;
	case 1:
		*at = (BYTE)any();
		break;
	case 2:
		value = number();
		memcpy((BYTE *)((uintptr_t)at & ~(uintptr_t)3), &value, 4);
		break;
	case 3:
		value = number();
		memcpy((BYTE *)((uintptr_t)at & ~(uintptr_t)7), &value, 8);
		break;
	case 4:
	case 5:
		value = pointer();
		memcpy((BYTE *)((uintptr_t)at & ~(uintptr_t)7), &value, 8);
		break;
	case 6: /* the same word all over a stretch: cycles, and many ways to one place */
		value = one_in(2) ? pointer() : number();
		at = (BYTE *)((uintptr_t)at & ~(uintptr_t)7);
		for (uint32_t i = below(64); i-- && ((uintptr_t)at & (PAGE - 1)); at += 8)
			memcpy(at, &value, 8);
		break;
	case 7: /* one part's bytes in another's place */
		value = (PAGE - (uintptr_t)at % PAGE) % 256;
		memmove(at, scene.parts[below((uint32_t)scene.part_count)].at, value);
		break;
	case 8:
		spoil_json();
		break;
	}
}

void spoil_some(void)
{
	for (uint32_t n = 1 + below(8); n; n--)
		spoil();
	if (one_in(16)) {
		scene.spoiled = true;
		forge_unmap(scene.forge, place(), 1);
	}
}

void play_runtime(void)
{
	struct forge *f = scene.forge;

	if (scene.spoiled)
		return;
	switch (below(8)) {
	case 0:
		forge_table_move(&f->table);
		break;
	case 1:
		forge_control(f, one_in(2) ? FORGE_ATTACHED : 0);
		break;
	default:
		if (scene.set_count == COUNT(scene.set) || (scene.set_count && one_in(2))) {
			size_t i = below((uint32_t)scene.set_count);

			forge_clear(f, scene.set[i]);
			scene.set[i] = scene.set[--scene.set_count];
		} else {
			scene.set[scene.set_count++] = forge_set(f, below((uint32_t)f->code_size));
		}
	}
}

static void end_child(void)
{
	scene.gone = true;
	ended++;
	if (one_in(2))
		target_kill(&scene.forge->target);
	else
		forge_exec(scene.forge);
}

/* The library's reads of the child pass through here. */
ssize_t pread(int fd, void *buffer, size_t size, off_t offset)
{
	if (scene.reads_to_end && !--scene.reads_to_end && !scene.gone)
		end_child();
	if (scene.chance && !scene.gone && one_in(scene.chance)) {
		if (scene.spoils && one_in(2))
			spoil();
		else
			play_runtime();
	}
	return syscall(SYS_pread64, fd, buffer, size, offset);
}
