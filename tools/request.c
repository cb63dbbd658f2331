// SPDX-License-Identifier: MIT
/*
 * Bytes of a process on their way to standard output.
 */
#include <inttypes.h>

#include "hexdump.h"
#include "out.h"
#include "read.h"
#include "tool.h"

/* Large enough for the system call not to matter, small enough for a cache. */
#define CHUNK ((uint64_t)256 * 1024)

int fail_stopped(struct cordbmem_process *process, uint64_t address, uint64_t got, uint64_t size)
{
	struct cordbmem_error why = CORDBMEM_ERROR_INIT;
	int code = EXIT_FAILED;

	cordbmem_process_explain(process, address, 1, &why);
	if (why.reason == CORDBMEM_REASON_NONE)
		/* It was a hole when it was read, and is none any more. */
		why = (struct cordbmem_error){ .text = "it could not be read a moment ago" };
	else
		code = exit_code_of(why.reason);
	if (got && code == EXIT_FAILED)
		code = EXIT_PARTIAL;
	return fail(code, "read %" PRIu64 " of %" PRIu64 " bytes, stopped at 0x%" PRIx64 ": %s",
		    got, size, address, why.text);
}

static int read_bytes(struct cordbmem_process *process, const struct request *request)
{
	static BYTE buffer[CHUNK];
	struct hexdump dump;
	uint64_t done = 0;
	HRESULT hr = S_OK;
	bool ok = true;

	hexdump_start(&dump, request->address, !request->no_squeeze);
	while (done < request->size && hr == S_OK && ok) {
		uint64_t left = request->size - done;
		SIZE_T got = 0;

		hr = cordbmem_ReadMemory(process, request->address + done,
					 (DWORD)(left < CHUNK ? left : CHUNK), buffer, &got);
		ok = request->raw ? out_bytes(buffer, got) : hexdump_bytes(&dump, buffer, got);
		done += got;
	}
	if (!request->raw)
		hexdump_end(&dump);
	/* main() tells of an output that cannot be written. */
	if (hr == S_OK || !ok)
		return EXIT_OK;
	return fail_stopped(process, request->address + done, done, request->size);
}

int read_request(struct cordbmem_process *process, const struct request *request)
{
	if (request->kind == REQUEST_BYTES)
		return read_bytes(process, request);
	return read_string(process, request);
}
