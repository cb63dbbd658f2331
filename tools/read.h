/* SPDX-License-Identifier: MIT */
/*
 * What "cordbmem read" does once it knows the process and the address.
 */
#ifndef CORDBMEM_TOOLS_READ_H
#define CORDBMEM_TOOLS_READ_H

#include <stdbool.h>
#include <stdint.h>

#include <cordbmem/cordbmem.h>

enum request_kind { REQUEST_BYTES, REQUEST_STRING, REQUEST_STRING16 };

struct request {
	enum request_kind kind;
	bool raw;
	bool no_squeeze;
	bool has_size;
	uint64_t address;
	uint64_t size;
};

/* Read and print. Returns the exit code; failures have been told. */
int read_request(struct cordbmem_process *process, const struct request *request);

/* request.c: say why nothing more can be read at an address, after got bytes. */
int fail_stopped(struct cordbmem_process *process, uint64_t address, uint64_t got, uint64_t size);

/* string.c */
int read_string(struct cordbmem_process *process, const struct request *request);

#endif /* CORDBMEM_TOOLS_READ_H */
