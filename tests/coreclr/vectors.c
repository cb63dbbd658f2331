// SPDX-License-Identifier: MIT
/* The functions of vectors.h. */
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <cordbmem/cordbmem.h>

#include "support.h"
#include "vectors.h"

#define ALL 0xffffffffU
#define MOST_VECTORS 64

struct table {
	struct vector list[MOST_VECTORS];
	size_t count;
};

static struct vector *add(struct table *table, const char *name, CORDB_ADDRESS address, DWORD size,
			  HRESULT hr, SIZE_T count)
{
	struct vector *vector = &table->list[table->count++];

	if (table->count > MOST_VECTORS)
		die("there are more vectors than expected");
	*vector = (struct vector){
		.name = name, .address = address, .size = size, .hr = hr, .count = count
	};
	return vector;
}

static void add_arguments(struct table *table, CORDB_ADDRESS breakpoint, CORDB_ADDRESS hole)
{
	add(table, "size 0", breakpoint, 0, S_OK, UNTOUCHED)->no_buffer = true;
	add(table, "size 0 at 0", 0, 0, S_OK, UNTOUCHED);
	add(table, "no buffer", breakpoint, 16, E_INVALIDARG, UNTOUCHED)->no_buffer = true;
	add(table, "address 0", 0, 16, E_INVALIDARG, UNTOUCHED);
	add(table, "no count", breakpoint, 16, S_OK, 0)->no_count = true;
	add(table, "no count, hole", hole, 16, CORDBG_E_READVIRTUAL_FAILURE, 0)->no_count = true;
}

static void add_nowhere(struct table *table)
{
	static const CORDB_ADDRESS nowhere[] = {
		0x1000,
		0xffff800000000000,
		0x0000800000000000,
		0xffffffffff600000,
		0xfffffffffffffff0,
		0x7fffffffefff,
	};

	for (size_t i = 0; i < sizeof(nowhere) / sizeof(*nowhere); i++)
		add(table, "nowhere", nowhere[i], 16, CORDBG_E_READVIRTUAL_FAILURE, 0);
	add(table, "wraps", 0xfffffffffffffff0, 32, CORDBG_E_READVIRTUAL_FAILURE, 0);
	add(table, "all, nowhere", 0x1000, ALL, CORDBG_E_READVIRTUAL_FAILURE, 0);
}

static void add_regions(struct table *table, const struct debuggee *debuggee)
{
	CORDB_ADDRESS hole = debuggee->hole_pages.address, closed = debuggee->closed_pages.address;

	add(table, "16 bytes, hole", hole - 16, 64, CORDBMEM_E_PARTIAL_COPY, 16);
	add(table, "1 byte, hole", hole - 1, 2, CORDBMEM_E_PARTIAL_COPY, 1);
	add(table, "first of a hole", hole, 1, CORDBG_E_READVIRTUAL_FAILURE, 0);
	add(table, "last of a hole", hole + debuggee->hole_pages.size - 1, 2,
	    CORDBG_E_READVIRTUAL_FAILURE, 0);
	add(table, "all, to a hole", debuggee->hole.address, ALL, CORDBMEM_E_PARTIAL_COPY,
	    hole - debuggee->hole.address);
	add(table, "PROT_NONE", closed, 16, S_OK, 16);
	add(table, "into PROT_NONE", closed - 8, 16, S_OK, 16);
	add(table, "across PROT_NONE", closed - 8, (DWORD)debuggee->closed_pages.size + 16, S_OK,
	    debuggee->closed_pages.size + 16);
}

static void add_masking(struct table *table, CORDB_ADDRESS breakpoint, const uint8_t *code)
{
	add(table, "the breakpoint", breakpoint, 1, S_OK, 1)->bytes = code + 32;
	add(table, "8 in front of it", breakpoint - 8, 8, S_OK, 8)->bytes = code + 24;
	add(table, "8 after it", breakpoint + 1, 8, S_OK, 8)->bytes = code + 33;
	add(table, "8 that end with it", breakpoint - 7, 8, S_OK, 8)->bytes = code + 25;
	add(table, "8 that begin with it", breakpoint, 8, S_OK, 8)->bytes = code + 32;
	add(table, "32 around it", breakpoint - 16, 32, S_OK, 32)->bytes = code + 16;
	add(table, "64 around it", breakpoint - 32, 64, S_OK, 64)->bytes = code;
}

/* All calls, around the breakpoint in the middle. */
static void add_all(struct table *table, const struct scene *scene)
{
	CORDB_ADDRESS breakpoint = scene->breakpoints[scene->count / 2].address;

	add_arguments(table, breakpoint, scene->debuggee.hole_pages.address);
	add_nowhere(table);
	add_regions(table, &scene->debuggee);
	add_masking(table, breakpoint, &scene->original[breakpoint - 32 - scene->code.address]);
}

HRESULT read_genuine(void *reader, CORDB_ADDRESS address, DWORD size, BYTE *buffer, SIZE_T *read)
{
	return oracle_read(reader, address, size, buffer, read);
}

HRESULT read_ours(void *reader, CORDB_ADDRESS address, DWORD size, BYTE *buffer, SIZE_T *read)
{
	return cordbmem_ReadMemory(reader, address, size, buffer, read);
}

/* Room for the largest DWORD; only what is written to takes memory. */
static BYTE *big_buffer(void)
{
	static BYTE *buffer;

	if (!buffer) {
		buffer = mmap(NULL, 1UL << 32, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (buffer == MAP_FAILED)
			die("mmap");
	}
	return buffer;
}

bool vector_holds(const struct vector *vector, vector_read *function, void *reader)
{
	BYTE *buffer = vector->no_buffer ? NULL : big_buffer();
	SIZE_T count = UNTOUCHED;
	HRESULT hr = function(reader, vector->address, vector->size, buffer,
			      vector->no_count ? NULL : &count);
	bool bytes = !buffer || !vector->bytes || hr != S_OK ||
		     !memcmp(buffer, vector->bytes, vector->size);

	if (hr == vector->hr && (vector->no_count || count == vector->count) && bytes)
		return true;
	fprintf(stderr, "# %s (0x%lx, %u bytes): 0x%08x and %lu instead of 0x%08x and %lu%s\n",
		vector->name, vector->address, vector->size, (unsigned int)hr, count,
		(unsigned int)vector->hr, vector->count, bytes ? "" : ", wrong bytes");
	return false;
}

static size_t breaches(const struct vector *list, size_t count, vector_read *function, void *reader)
{
	size_t broken = 0;

	for (size_t i = 0; i < count; i++)
		broken += !vector_holds(&list[i], function, reader);
	return broken;
}

size_t contract_breaches(struct scene *scene, vector_read *function, void *reader)
{
	struct table table = { 0 };
	size_t broken;

	add_all(&table, scene);
	broken = breaches(table.list, table.count, function, reader);
	if (oracle_stop(scene->oracle) != S_OK)
		die("cannot stop the debuggee");
	broken += breaches(table.list, table.count, function, reader);
	if (oracle_continue(scene->oracle) != S_OK)
		die("the debuggee does not go on");
	return broken;
}

size_t contract_breaches_after_exit(vector_read *function, void *reader)
{
	const struct vector after[] = {
		{ .name = "size 0", .hr = CORDBG_E_OBJECT_NEUTERED, .count = UNTOUCHED },
		{ .name = "16 bytes",
		  .address = 0x10000,
		  .size = 16,
		  .hr = CORDBG_E_OBJECT_NEUTERED,
		  .count = UNTOUCHED },
	};

	return breaches(after, sizeof(after) / sizeof(*after), function, reader);
}
