/* SPDX-License-Identifier: MIT */
/*
 * The --patch options: bytes that a read is to show in place of what is there.
 */
#ifndef CORDBMEM_TOOLS_PATCH_H
#define CORDBMEM_TOOLS_PATCH_H

#include <stdbool.h>
#include <stddef.h>

#include "address.h"

struct patch_arg;

/* All zero to begin with. */
struct patch_args {
	struct patch_arg *list;
	size_t count;
};

/* Each returns EXIT_OK, or an exit code after it has told what is wrong. */

/* ADDRESS=HEX; the text is changed. */
int patch_args_add(struct patch_args *patches, const struct verb *verb, char *text);
int patch_args_resolve(struct patch_args *patches, pid_t pid, const struct maps *maps);
int patch_args_register(const struct patch_args *patches, const struct verb *verb,
			struct cordbmem_process *process);

bool patch_args_need_maps(const struct patch_args *patches);
void patch_args_free(struct patch_args *patches);

#endif /* CORDBMEM_TOOLS_PATCH_H */
