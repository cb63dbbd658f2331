// SPDX-License-Identifier: MIT
/*
 * Listing the managed breakpoints that are set in a process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "internal.h"
#include "table.h"

/* Members that no runtime publishes; the same in all versions that were looked at. */
#define MODULE_AT 0x18 /* key.module */
#define METHOD_AT 0x20 /* key.md */
#define KNOWN_SIZE 176 /* of an entry that has its kind there: .NET 9 and 10 */
#define KIND_AT 0x88

#define TOKEN_METHOD 0x06000000U /* mdtMethodDef */
#define SNAPSHOTS 100

/* DebuggerPatchKind counts from 0. */
static uint32_t kind_of(const struct coreclr *runtime, const BYTE *entry)
{
	uint32_t kind = CORDBMEM_BREAKPOINT_UNKNOWN;

	if (runtime->keyed && runtime->entry_size == KNOWN_SIZE)
		kind = load32(entry + KIND_AT) + 1;
	return kind <= CORDBMEM_BREAKPOINT_NATIVE_UNMANAGED ? kind : CORDBMEM_BREAKPOINT_UNKNOWN;
}

/* False: it is of no address. */
static bool take(const struct coreclr *runtime, const BYTE *entry, struct cordbmem_breakpoint *b)
{
	const uint64_t opcode = load64(entry + runtime->opcode_at);

	*b = (struct cordbmem_breakpoint){
		.address = load64(entry + runtime->address_at),
		.kind = kind_of(runtime, entry),
		.original = (BYTE)opcode,
	};
	if (runtime->keyed && (load32(entry + METHOD_AT) & 0xFF000000U) == TOKEN_METHOD) {
		b->module = load64(entry + MODULE_AT);
		b->method = load32(entry + METHOD_AT);
	}
	return b->address;
}

static int compare(const void *a, const void *b)
{
	const struct cordbmem_breakpoint *left = a, *right = b;

	if (left->address != right->address)
		return left->address < right->address ? -1 : 1;
	/* What has an opcode knows better. */
	if (!left->original != !right->original)
		return left->original ? -1 : 1;
	return left->method < right->method ? -1 : left->method > right->method;
}

/* Several patches can share an address, a step over a breakpoint for instance. */
static size_t unique(struct cordbmem_breakpoint *list, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++) {
		if (!kept || list[kept - 1].address != list[i].address)
			list[kept++] = list[i];
	}
	return kept;
}

static int read_bytes(struct cordbmem_process *process, struct cordbmem_breakpoint *list,
		      size_t count)
{
	struct raw_read *reads = calloc(count ? count : 1, sizeof(*reads));
	int err;

	if (!reads)
		return ENOMEM;
	for (size_t i = 0; i < count; i++)
		reads[i] = (struct raw_read){ .address = list[i].address,
					      .buffer = &list[i].in_memory,
					      .size = 1 };
	err = raw_readv(process, reads, count);
	free(reads);
	return err;
}

struct copy {
	BYTE *entries;
	uint32_t count;
	uint32_t buckets[TABLE_BUCKETS_MAX];
};

/* An opcode of 0 is free, unless a chain leads to the entry; see lookup.h. */
static bool in_use(const struct coreclr *runtime, const struct copy *copy, uint32_t i)
{
	const BYTE *entry = copy->entries + (size_t)i * runtime->entry_size;

	return load64(entry + runtime->opcode_at) ||
	       (runtime->chained && load64(entry + runtime->address_at) &&
		table_leads_to(runtime, copy->entries, copy->count, copy->buckets, i));
}

/* What has an original byte of 0 is set only if there is a trap byte. */
static size_t drop_unset(struct cordbmem_breakpoint *list, size_t count, bool *zeroes)
{
	size_t kept = 0;

	*zeroes = false;
	for (size_t i = 0; i < count; i++) {
		if (!list[i].original && list[i].in_memory != TRAP)
			continue;
		*zeroes |= !list[i].original;
		list[kept++] = list[i];
	}
	return kept;
}

/* What is set, in a list of the caller's to free. EAGAIN: the table moved meanwhile. */
static int snapshot(struct cordbmem_process *process, const struct coreclr *runtime,
		    struct cordbmem_breakpoint **list, size_t *count, bool *zeroes)
{
	struct table before, after;
	struct copy copy = { 0 };
	int err = table_open(process, runtime, &before), late;

	*list = NULL;
	*count = 0;
	if (err)
		return err;
	copy.count = before.count;
	err = table_read(process, runtime, &before, &copy.entries);
	if (!err && runtime->chained)
		err = table_read_buckets(process, runtime, copy.buckets);
	late = table_open(process, runtime, &after);
	if (!late && (!err || err == EIO) && !table_same(&before, &after))
		err = EAGAIN;
	if (!err)
		err = late;
	if (!err) {
		*list = calloc(copy.count ? copy.count : 1, sizeof(**list));
		if (!*list)
			err = ENOMEM;
	}
	for (uint32_t i = 0; i < copy.count && !err; i++) {
		const BYTE *entry = copy.entries + (size_t)i * runtime->entry_size;

		if (in_use(runtime, &copy, i) && take(runtime, entry, &(*list)[*count]))
			++*count;
	}
	free(copy.entries);
	if (!err) {
		qsort(*list, *count, sizeof(**list), compare);
		*count = unique(*list, *count);
		err = read_bytes(process, *list, *count);
	}
	if (!err)
		*count = drop_unset(*list, *count, zeroes);
	if (err) {
		free(*list);
		*list = NULL;
	}
	return err;
}

/* Snapshots in a row that had the same opcodes of 0. */
#define CONFIRMED 4
struct confirm {
	int times;
	uint64_t sum; /* of their addresses */
};

static bool confirmed(struct confirm *confirm, const struct cordbmem_breakpoint *list, size_t count)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		if (!list[i].original)
			sum += list[i].address * UINT64_C(0x9E3779B97F4A7C15);
	}
	confirm->times = sum == confirm->sum ? confirm->times + 1 : 1;
	confirm->sum = sum;
	return confirm->times >= CONFIRMED;
}

HRESULT cordbmem_process_list_breakpoints(struct cordbmem_process *process,
					  struct cordbmem_breakpoint *list, size_t capacity,
					  size_t *count)
{
	struct cordbmem_breakpoint *found;
	const struct coreclr *runtime;
	struct confirm confirm = { 0 };
	size_t found_count, got = 0;
	int err = EAGAIN;

	if (!process)
		return E_INVALIDARG;
	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!count || (capacity && !list))
		return E_INVALIDARG;
	runtime = coreclr_of(process);
	if (!runtime)
		return CORDBG_E_NOT_CLR;

	for (int i = 0; i < SNAPSHOTS && err == EAGAIN; i++) {
		bool zeroes = false;

		err = snapshot(process, runtime, &found, &found_count, &zeroes);
		/* An opcode of 0 may just be a patch that is being set: look once more. */
		if (!err && zeroes && !confirmed(&confirm, found, found_count)) {
			free(found);
			err = EAGAIN;
		}
	}
	if (err == EAGAIN)
		return CORDBMEM_E_RETRY;
	if (err == EPROTO)
		return CORDBG_E_TARGET_INCONSISTENT;
	if (err)
		return read_result(process, err, &got);
	*count = found_count;
	if (capacity > found_count)
		capacity = found_count;
	if (capacity)
		memcpy(list, found, sizeof(*list) * capacity);
	free(found);
	return S_OK;
}
