// SPDX-License-Identifier: MIT
/*
 * The --patch options, from the command line to the library.
 */
#include "patch.h"

#include <stdlib.h>
#include <string.h>

struct patch_arg {
	struct address where;
	unsigned int size;
	BYTE bytes[CORDBMEM_PATCH_MAX];
};

int patch_args_add(struct patch_args *patches, const struct verb *verb, char *text)
{
	/* The last one, because a file's name may have an equals sign. */
	char *equals = strrchr(text, '=');
	struct patch_arg *patch;
	int code;

	if (!equals)
		return fail_usage(verb, "--patch %s: it takes ADDRESS=HEX", text);
	patch = reallocarray(patches->list, patches->count + 1, sizeof(*patch));
	if (!patch)
		return fail(EXIT_FAILED, "out of memory");
	patches->list = patch;
	patch += patches->count;

	patch->size = parse_bytes(equals + 1, patch->bytes);
	if (!patch->size)
		return fail_usage(verb,
				  "--patch %s: what follows the = must be 1 to %d bytes as pairs "
				  "of hex digits, such as 554889e5",
				  text, CORDBMEM_PATCH_MAX);
	*equals = 0;
	code = address_parse(verb, text, &patch->where);
	if (code == EXIT_OK && patch->where.has_size) {
		address_free(&patch->where);
		code = fail_usage(verb, "--patch: %s is a range; an address is wanted", text);
	}
	if (code == EXIT_OK)
		patches->count++;
	return code;
}

bool patch_args_need_maps(const struct patch_args *patches)
{
	for (size_t i = 0; i < patches->count; i++) {
		if (patches->list[i].where.name)
			return true;
	}
	return false;
}

int patch_args_resolve(struct patch_args *patches, pid_t pid, const struct maps *maps)
{
	for (size_t i = 0; i < patches->count; i++) {
		int code = address_resolve(&patches->list[i].where, pid, maps);

		if (code != EXIT_OK)
			return code;
	}
	return EXIT_OK;
}

int patch_args_register(const struct patch_args *patches, const struct verb *verb,
			struct cordbmem_process *process)
{
	struct cordbmem_patch *list;
	HRESULT hr;

	if (!patches->count)
		return EXIT_OK;
	list = calloc(patches->count, sizeof(*list));
	if (!list)
		return fail(EXIT_FAILED, "out of memory");
	for (size_t i = 0; i < patches->count; i++) {
		const struct patch_arg *patch = &patches->list[i];

		list[i].address = patch->where.start;
		list[i].size = patch->size;
		memcpy(list[i].original, patch->bytes, sizeof(patch->bytes));
	}
	hr = cordbmem_process_add_patches(process, list, patches->count);
	free(list);
	if (hr == E_INVALIDARG)
		return fail_usage(verb, "a patch is at address 0 or reaches past the last address");
	if (FAILED(hr))
		return fail(EXIT_FAILED, "cannot register the patches: %s",
			    cordbmem_hresult_name(hr));
	return EXIT_OK;
}

void patch_args_free(struct patch_args *patches)
{
	for (size_t i = 0; i < patches->count; i++)
		address_free(&patches->list[i].where);
	free(patches->list);
	*patches = (struct patch_args){ 0 };
}
