// SPDX-License-Identifier: MIT
/*
 * Finding DebuggerIPCRuntimeOffsets. Layout: src/coreclr/debug/inc/dbgipcevents.h of
 * dotnet/runtime. The offsets of its members move with the version, their order and
 * values do not: two pointers, then {8, 0x24, 176, 0x30, 0x40, 8, 0x60, 2} for .NET 9.
 */
#include "published.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "coreclr.h"
#include "raw.h"
#include "table.h"

#define RC_THREAD_AT 0x10    /* Debugger::m_pRCThread */
#define RC_THREAD_SIZE 0x200 /* m_pDCB is at 0xC0 in .NET 9, at 0x78 in 10 */
#define DCB_KNOWN_SIZE 8184  /* m_DCBSize */
#define DCB_SIZE_MAX 65536
#define DCBS 4		   /* that are looked at */
#define DCB_SIZE 0x100	   /* m_pRuntimeOffsets is at 112 */
#define OFFSETS_SIZE 0x100 /* m_pPatches is at 0x70 */
#define WORD sizeof(uint64_t)

static uint64_t word(const BYTE *bytes, size_t index)
{
	return load64(bytes + index * WORD);
}

static bool plausible_pointer(uint64_t value)
{
	return value >= 4096 && value < UINT64_C(1) << 56 && value % 4 == 0;
}

/* Is that the run of members from m_pPatches on? */
static bool take_run(const BYTE *at, struct published *published)
{
	enum { TABLE, VALID, ENTRIES, COUNT, SIZE, ADDRESS, OPCODE, OPCODE_SIZE, TRACE, UNMANAGED };
	const uint64_t size = word(at, SIZE);

	if (!plausible_pointer(word(at, TABLE)) || !plausible_pointer(word(at, VALID)) ||
	    word(at, ENTRIES) > TABLE_HEADER_MAX - 8 || word(at, ENTRIES) % 8 ||
	    word(at, COUNT) > TABLE_HEADER_MAX - 4 || word(at, COUNT) % 4 || size < 100 ||
	    size > 400 || size % 8 || word(at, OPCODE_SIZE) != 8 || word(at, TRACE) > size - 4 ||
	    word(at, UNMANAGED) != 2)
		return false;
	if (word(at, ADDRESS) > ENTRY_HEAD_MAX - 8 || word(at, ADDRESS) % 8 ||
	    word(at, OPCODE) > size - 8 || word(at, OPCODE) % 8 || word(at, ADDRESS) > size - 8 ||
	    word(at, ADDRESS) == word(at, OPCODE) || word(at, ADDRESS) < 8 ||
	    word(at, ENTRIES) == word(at, COUNT) || !word(at, TRACE))
		return false;
	*published = (struct published){
		.table = word(at, TABLE),
		.table_valid = word(at, VALID),
		.entries_at = (uint32_t)word(at, ENTRIES),
		.count_at = (uint32_t)word(at, COUNT),
		.entry_size = (uint32_t)size,
		.address_at = (uint32_t)word(at, ADDRESS),
		.opcode_at = (uint32_t)word(at, OPCODE),
	};
	return true;
}

#define RUN_WORDS 10

#define OFFSETS_WORD (112 / WORD) /* of the DCB in all versions so far */

int published_from_dcb(struct cordbmem_process *process, uint64_t dcb, struct published *published)
{
	BYTE block[DCB_SIZE] = { 0 }, offsets[DCB_SIZE / WORD][OFFSETS_SIZE];
	struct raw_read first = { .address = dcb, .buffer = block, .size = sizeof(block) };
	struct raw_read reads[DCB_SIZE / WORD];
	size_t count = 0;
	int err = raw_readv(process, &first, 1);

	for (size_t i = 0; i < first.got / WORD && !err; i++) {
		if (!plausible_pointer(word(block, i)))
			continue;
		reads[count] = (struct raw_read){ .address = word(block, i),
						  .buffer = offsets[count],
						  .size = OFFSETS_SIZE };
		count++;
	}
	if (!err)
		err = raw_readv(process, reads, count);
	for (size_t i = 0; i < count && !err; i++) {
		for (size_t at = 0; at + RUN_WORDS <= reads[i].got / WORD; at++) {
			if (take_run(offsets[i] + at * WORD, published))
				return 0;
		}
	}
	if (err)
		return err;
	if (first.got < (OFFSETS_WORD + 1) * WORD)
		return ENOENT;
	return word(block, OFFSETS_WORD) ? ENOTSUP : EAGAIN;
}

/* Its size, and 2 for the protocol versions. The size may be that of another version. */
static bool is_dcb(const BYTE *head)
{
	return word(head, 0) >= DCB_SIZE && word(head, 0) <= DCB_SIZE_MAX &&
	       load32(head + 20) == 2 && load32(head + 24) == 2;
}

int published_from_debugger(struct cordbmem_process *process, uint64_t debugger,
			    struct published *published)
{
	BYTE thread[RC_THREAD_SIZE], heads[RC_THREAD_SIZE / WORD][32];
	struct raw_read reads[RC_THREAD_SIZE / WORD];
	struct raw_read first = { .buffer = thread, .size = sizeof(thread) };
	int verdict = ENOENT, dcbs = 0;
	size_t count = 0;
	int err;

	if (!plausible_pointer(debugger))
		return ENOENT;
	err = raw_read(process, debugger + RC_THREAD_AT, &first.address, sizeof(first.address));
	if (!err && !plausible_pointer(first.address))
		err = ENOENT;
	if (!err)
		err = raw_readv(process, &first, 1);
	for (size_t i = 0; i < first.got / WORD && !err; i++) {
		if (!plausible_pointer(word(thread, i)))
			continue;
		reads[count] = (struct raw_read){ .address = word(thread, i),
						  .buffer = heads[count],
						  .size = sizeof(heads[0]) };
		count++;
	}
	if (!err)
		err = raw_readv(process, reads, count);
	for (size_t i = 0; i < count && !err; i++) {
		if (reads[i].got != reads[i].size || !is_dcb(heads[i]))
			continue;
		if (dcbs++ == DCBS)
			break;
		if (word(heads[i], 0) != DCB_KNOWN_SIZE) {
			verdict = ENOTSUP;
			continue;
		}
		err = published_from_dcb(process, reads[i].address, published);
		if (err == EAGAIN || err == ENOTSUP) {
			verdict = err;
			err = 0;
		} else if (err != ENOENT) {
			return err;
		} else {
			err = 0;
		}
	}
	return err && err != EIO ? err : verdict;
}
