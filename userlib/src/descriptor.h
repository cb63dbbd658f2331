/* SPDX-License-Identifier: MIT */
/*
 * The data contract descriptor of a .NET runtime: offsets of members and addresses of
 * globals that the runtime exports for diagnostic tools, as JSON.
 */
#ifndef CORDBMEM_SRC_DESCRIPTOR_H
#define CORDBMEM_SRC_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

struct cordbmem_process;
struct descriptor;

/*
 * Read the descriptor at the exported symbol. 0; EPROTO: not one that is understood;
 * or another errno. To be freed with descriptor_free, which takes NULL.
 */
int descriptor_read(struct cordbmem_process *process, uint64_t address,
		    struct descriptor **descriptor);
void descriptor_free(struct descriptor *descriptor);

/* The offset of a member, or -1. The member "!" is the size of the type. */
int32_t descriptor_offset(const struct descriptor *descriptor, const char *type,
			  const char *member);

/* Whether it describes a debugger of CoreCLR's kind; false for NULL. */
bool descriptor_has_debugger(const struct descriptor *descriptor);

/* The value of a global, an address as a rule; false if there is none. */
bool descriptor_global(const struct descriptor *descriptor, const char *name, uint64_t *value);

#endif /* CORDBMEM_SRC_DESCRIPTOR_H */
