/* SPDX-License-Identifier: MIT */
/*
 * The ways to read another process's memory, each with the same pieces of it to read.
 */
#ifndef CORDBMEM_TOOLS_DOOR_H
#define CORDBMEM_TOOLS_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <cordbmem/cordbmem.h>

enum door_kind {
	DOOR_WINDOW,	       /* ReadMemory, which reads what is mapped of the process */
	DOOR_READMEMORY,       /* cordbmem_read_scatter without windows: by system call */
	DOOR_PROCESS_VM_READV, /* one call for all pieces */
	DOOR_PROC_MEM,	       /* a pread of /proc/PID/mem for each */
	DOOR_KINDS
};

const char *door_name(enum door_kind kind);
/* DOOR_KINDS if there is none of this name. */
enum door_kind door_of_name(const char *name);

/* What is to be read. */
struct range {
	uint64_t address;
	uint32_t size;
};

/* What was read of it. */
struct piece {
	const BYTE *bytes;
	bool whole; /* else the bytes mean nothing */
};

struct door {
	enum door_kind kind;
	pid_t pid;
	struct cordbmem_process *process; /* of the first two */
	int mem;			  /* of PROC_MEM, else -1 */
	size_t count;
	struct piece *pieces;
	BYTE *bytes;
	/* What the doors take, made ready beforehand. */
	struct cordbmem_scatter *elements;
	struct iovec *local, *remote;
};

/*
 * Open one. address is something of the process, to see whether windows show it. Returns EXIT_OK, or
 * an exit code with the reason in words in why; then there is nothing to close.
 */
int door_open(struct door *door, enum door_kind kind, pid_t pid,
	      const struct cordbmem_options *options, uint64_t address, char *why, size_t room);
void door_close(struct door *door);

/* Say what it reads from now on. False: no memory. */
bool door_describe(struct door *door, const struct range *ranges, size_t count);

/*
 * Read it. A piece that cannot be read does not keep the others from being read. Returns 0 or an errno:
 * ESRCH, the process is gone.
 */
int door_read(struct door *door);

#endif /* CORDBMEM_TOOLS_DOOR_H */
