// SPDX-License-Identifier: MIT
/*
 * Reading a data contract descriptor. Format: contract-descriptor.md and
 * data_descriptor.md in docs/design/datacontracts of dotnet/runtime.
 */
#include "descriptor.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "raw.h"

#define MAGIC UINT64_C(0x0043414443434e44) /* "DNCCDAC\0" */
#define JSON_MAX (1U << 20)		   /* 10 KB in .NET 10 */
#define POINTERS_MAX 4096U
#define OFFSET_MAX (1 << 20) /* of a member in its type */

struct descriptor {
	json_t *root;
	uint32_t count;
	uint64_t *pointers; /* what globals refer to by number */
};

/* struct DotNetRuntimeContractDescriptor */
struct header {
	uint64_t magic;
	uint32_t flags;
	uint32_t json_size;
	uint64_t json;
	uint32_t count;
	uint32_t reserved;
	uint64_t pointers;
};

void descriptor_free(struct descriptor *descriptor)
{
	if (!descriptor)
		return;
	json_decref(descriptor->root);
	free(descriptor->pointers);
	free(descriptor);
}

static int read_json(struct cordbmem_process *process, const struct header *header, json_t **root)
{
	char *text = malloc(header->json_size);
	json_error_t error;
	int err;

	if (!text)
		return ENOMEM;
	err = raw_read(process, header->json, text, header->json_size);
	if (!err) {
		*root = json_loadb(text, header->json_size, 0, &error);
		if (!*root)
			err = json_error_code(&error) == json_error_out_of_memory ? ENOMEM : EPROTO;
	}
	free(text);
	return err == EIO ? EPROTO : err;
}

static int read_pointers(struct cordbmem_process *process, const struct header *header,
			 struct descriptor *descriptor)
{
	uint32_t size = header->count * (uint32_t)sizeof(descriptor->pointers[0]);
	int err;

	descriptor->count = header->count;
	if (!header->count)
		return 0;
	descriptor->pointers = malloc(size);
	if (!descriptor->pointers)
		return ENOMEM;
	err = raw_read(process, header->pointers, descriptor->pointers, size);
	return err == EIO ? EPROTO : err;
}

int descriptor_read(struct cordbmem_process *process, uint64_t address,
		    struct descriptor **descriptor)
{
	struct descriptor *new;
	struct header header;
	int err;

	*descriptor = NULL;
	err = raw_read(process, address, &header, sizeof(header));
	if (err)
		return err == EIO ? EPROTO : err;
	/* Bit 1 of the flags: pointers of 4 bytes. */
	if (header.magic != MAGIC || header.flags & 2 || !header.json_size ||
	    header.json_size > JSON_MAX || header.count > POINTERS_MAX)
		return EPROTO;
	new = calloc(1, sizeof(*new));
	if (!new)
		return ENOMEM;
	err = read_json(process, &header, &new->root);
	if (!err)
		err = read_pointers(process, &header, new);
	if (err)
		descriptor_free(new);
	else
		*descriptor = new;
	return err;
}

/* Numbers come as such, or as text in decimal or hex. */
static bool number_of(const json_t *value, uint64_t *number)
{
	if (json_is_integer(value)) {
		*number = (uint64_t)json_integer_value(value);
		return true;
	}
	if (json_is_string(value)) {
		const char *text = json_string_value(value);
		char *end;

		errno = 0;
		*number = strtoull(text, &end, 0);
		return !errno && end != text && !*end;
	}
	return false;
}

static int32_t offset_of(const json_t *value)
{
	uint64_t offset;

	/* [offset, type] or just the offset */
	if (json_is_array(value))
		value = json_array_get(value, 0);
	if (!number_of(value, &offset) || offset > OFFSET_MAX)
		return -1;
	return (int32_t)offset;
}

int32_t descriptor_offset(const struct descriptor *descriptor, const char *type, const char *member)
{
	const json_t *types = json_object_get(descriptor->root, "types");

	return offset_of(json_object_get(json_object_get(types, type), member));
}

bool descriptor_has_debugger(const struct descriptor *descriptor)
{
	return descriptor && (descriptor_offset(descriptor, "Debugger", "RCThread") >= 0 ||
			      descriptor_offset(descriptor, "DebuggerRCThread", "DCB") >= 0);
}

bool descriptor_global(const struct descriptor *descriptor, const char *name, uint64_t *value)
{
	const json_t *globals = json_object_get(descriptor->root, "globals");
	const json_t *global = json_object_get(globals, name);
	uint64_t index;

	/* [[number], type]: indirect; [value, type]; [number]: indirect; value */
	if (json_is_array(global) && json_array_size(global) > 1)
		global = json_array_get(global, 0);
	if (!json_is_array(global))
		return number_of(global, value);
	if (!number_of(json_array_get(global, 0), &index) || index >= descriptor->count)
		return false;
	*value = descriptor->pointers[index];
	return true;
}
