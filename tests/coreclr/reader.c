// SPDX-License-Identifier: MIT
/* The functions of reader.h. */
#include <stdio.h>

#include "reader.h"
#include "support.h"

#define MOST_BYTES 128
#define RANGES 16

/* A range with a breakpoint in it, or just beside it. */
static void draw(struct reader *reader, CORDB_ADDRESS *address, DWORD *size)
{
	const struct scene *scene = reader->scene;
	uint64_t lot = next_random(&reader->random);

	*size = (DWORD)(1 + lot % MOST_BYTES);
	*address = scene->breakpoints[(lot >> 8) % scene->count].address + 1;
	*address -= (lot >> 32) % (*size + 2);
}

static void check(struct reader *reader, CORDB_ADDRESS address, DWORD size, const BYTE *bytes,
		  HRESULT hr, SIZE_T read)
{
	reader->reads++;
	reader->bytes += read;
	if (hr != S_OK || read != size) {
		if (!reader->failures++)
			fprintf(stderr, "# %u bytes at 0x%lx: 0x%08x, %lu\n", size, address,
				(unsigned int)hr, read);
	}
	for (SIZE_T i = 0; i < read; i++) {
		uint8_t original = scene_original(reader->scene, address + i);

		if (bytes[i] == original)
			continue;
		if (bytes[i] == 0xcc)
			reader->traps++;
		else
			reader->stale++;
		if (reader->traps + reader->stale == 1)
			fprintf(stderr, "# byte 0x%lx is %02x instead of %02x\n", address + i,
				bytes[i], original);
	}
}

/* Where the decoy has the code of an address. */
static CORDB_ADDRESS decoy_address(const struct reader *reader, CORDB_ADDRESS address)
{
	return (CORDB_ADDRESS)(reader->scene->original + (address - reader->scene->code.address));
}

static void read_one(struct reader *reader, bool decoy)
{
	CORDB_ADDRESS address;
	BYTE bytes[MOST_BYTES];
	SIZE_T read = 0;
	DWORD size;
	HRESULT hr;

	draw(reader, &address, &size);
	if (decoy) {
		cordbmem_ReadMemory(reader->decoy, decoy_address(reader, address), size, bytes,
				    NULL);
		return;
	}
	hr = cordbmem_ReadMemory(reader->ours, address, size, bytes, &read);
	check(reader, address, size, bytes, hr, read);
}

static void read_many(struct reader *reader, bool decoy)
{
	struct cordbmem_scatter elements[RANGES];
	BYTE bytes[RANGES][MOST_BYTES];

	for (int i = 0; i < RANGES; i++) {
		elements[i] =
			(struct cordbmem_scatter){ .process = decoy ? reader->decoy : reader->ours,
						   .buffer = bytes[i] };
		draw(reader, &elements[i].address, &elements[i].size);
		if (decoy)
			elements[i].address = decoy_address(reader, elements[i].address);
	}
	cordbmem_read_scatter(elements, RANGES);
	for (int i = 0; i < RANGES && !decoy; i++)
		check(reader, elements[i].address, elements[i].size, bytes[i], elements[i].result,
		      elements[i].read);
}

static void look(struct reader *reader)
{
	const struct scene *scene = reader->scene;
	uint64_t address = scene->breakpoints[next_random(&reader->random) % scene->count].address;
	uint8_t byte;

	peek(scene->debuggee.pid, address, &byte, 1);
	reader->raw_traps += byte == 0xcc;
	reader->raw_originals += byte == scene_original(scene, address);
}

static void *run(void *argument)
{
	struct reader *reader = argument;
	int task;

	while ((task = *reader->task) != READER_ENDS) {
		if (task == READER_WAITS) {
			sleep_ms(1);
			continue;
		}
		for (int i = 0; i < 16; i++)
			if (reader->scatter)
				read_many(reader, task == READER_READS_DECOY);
			else
				read_one(reader, task == READER_READS_DECOY);
		if (task == READER_READS)
			look(reader);
	}
	return NULL;
}

void reader_start(struct reader *reader)
{
	if (pthread_create(&reader->thread, NULL, run, reader) != 0)
		die("pthread_create");
}

void reader_join(struct reader *reader)
{
	pthread_join(reader->thread, NULL);
}
