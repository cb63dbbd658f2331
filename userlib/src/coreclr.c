// SPDX-License-Identifier: MIT
/*
 * Finding CoreCLR in a process: which module it is, and what it exports.
 */
#include "coreclr.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "descriptor.h"
#include "elf_module.h"
#include "internal.h"
#include "layout.h"
#include "maps.h"
#include "raw.h"

#define LIBRARY "libcoreclr.so"
#define VERSION_MARK "@(#)Version " /* sccsid, in every CoreCLR for Unix */
#define VERSION_CHUNK (64 * 1024)
#define VERSION_REACH (32 * 1024 * 1024) /* of a module is searched for it */

struct found {
	struct elf_module module;
	struct exports exports;
	struct descriptor *descriptor;
	bool named;	/* a libcoreclr.so was there, whatever it holds */
	bool described; /* the last module had a descriptor */
};

/* Is there a CoreCLR at base? 0, ENOENT, or the errno of a failure that is not the address's. */
static int look_at(struct cordbmem_process *process, uint64_t base, struct found *found)
{
	uint64_t address, size;
	int err = elf_open(process, base, &found->module);

	found->described = false;
	if (err)
		return err == ENOEXEC ? ENOENT : err;
	err = elf_find(process, &found->module, "g_dacTable", &found->exports.dac_table,
		       &found->exports.dac_table_size);
	if (err && err != ENOENT)
		return err;
	err = elf_find(process, &found->module, "DotNetRuntimeContractDescriptor", &address, &size);
	found->described = !err;
	if (!err)
		err = descriptor_read(process, address, &found->descriptor);
	else if (err == ENOENT)
		err = 0;
	/* A descriptor that is not understood is none. */
	if (err && err != EPROTO)
		return err;
	found->exports.descriptor = found->descriptor;
	/* NativeAOT has a descriptor as well, but no debugger of this kind. */
	return found->exports.dac_table || descriptor_has_debugger(found->descriptor) ? 0 : ENOENT;
}

/* libcoreclr.so first; else a single-file host, which can have any name. */
static int look_through(struct cordbmem_process *process, const struct maps *maps,
			struct found *found, const struct mapping **where)
{
	/* No process has more; one that pretends to may not keep us busy. */
	unsigned int candidates = 4096, descriptors = 16;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < maps->count; i++) {
			const struct mapping *mapping = &maps->list[i];
			int err;

			if (mapping->offset || mapping->name[0] != '/' ||
			    maps_is_named(mapping, LIBRARY) != !pass)
				continue;
			if (!candidates || !descriptors)
				return ENOENT;
			candidates--;
			if (!maps_has_code(maps, mapping))
				continue;
			found->named |= !pass;
			err = look_at(process, mapping->start, found);
			descriptors -= found->described;
			if (!err)
				*where = mapping;
			if (err != ENOENT)
				return err;
			descriptor_free(found->descriptor);
			found->descriptor = NULL;
			found->exports = (struct exports){ 0 };
		}
	}
	return ENOENT;
}

static bool is_version_char(char c)
{
	return c > ' ' && c <= '~';
}

/* The version is a string among the module's constants; not worth an error. */
static void find_version(struct cordbmem_process *process, const struct elf_module *module,
			 char *version, size_t room)
{
	const size_t mark = strlen(VERSION_MARK), overlap = mark + room;
	char *chunk = malloc(VERSION_CHUNK);
	uint64_t reach = VERSION_REACH;

	for (unsigned int i = 0; chunk && i < module->load_count; i++) {
		const struct elf_load *load = &module->loads[i];

		for (uint64_t at = 0; at < load->size && reach;) {
			struct raw_read read = { .address = load->address + at,
						 .buffer = chunk,
						 .size = VERSION_CHUNK };
			char *hit;

			if (raw_readv(process, &read, 1) || !read.got)
				break;
			hit = memmem(chunk, read.got, VERSION_MARK, mark);
			/* What is cut is whole in the next chunk, unless there is none. */
			if (hit && ((size_t)(chunk + read.got - hit) >= overlap ||
				    read.got < VERSION_CHUNK || at + read.got >= load->size)) {
				size_t left = (size_t)(chunk + read.got - hit) - mark;

				for (size_t j = 0;
				     j + 1 < room && j < left && is_version_char(hit[mark + j]);
				     j++)
					version[j] = hit[mark + j];
				free(chunk);
				return;
			}
			at += VERSION_CHUNK - overlap;
			reach -= reach < VERSION_CHUNK ? reach : VERSION_CHUNK;
		}
	}
	free(chunk);
}

static HRESULT fail(struct cordbmem_process *process, struct cordbmem_error *why, int err,
		    bool named, const char *words)
{
	/* Whatever was read of a process that is gone is worth nothing. */
	if (err == ESRCH || !process->backend->alive(process))
		return error_set(why, process_notice_gone(process), ESRCH, CORDBMEM_REASON_GONE,
				 "process %d is gone", process->pid);
	if (!process_usable(process))
		return error_set(why, CORDBG_E_OBJECT_NEUTERED, 0, CORDBMEM_REASON_CLOSED,
				 "the handle was closed");
	switch (err) {
	case ENOENT:
		if (named)
			return error_set(
				why, CORDBG_E_UNSUPPORTED_FORWARD_COMPAT, 0,
				CORDBMEM_REASON_RUNTIME_UNKNOWN,
				"libcoreclr.so of process %d exports nothing that is known",
				process->pid);
		return error_set(why, CORDBG_E_NOT_CLR, 0, CORDBMEM_REASON_NO_RUNTIME,
				 "there is no CoreCLR in process %d", process->pid);
	case EAGAIN:
		return error_set(why, CORDBG_E_NOTREADY, 0, CORDBMEM_REASON_RUNTIME_NOT_READY,
				 "CoreCLR %s", words);
	case ENOTSUP:
		return error_set(why, CORDBG_E_UNSUPPORTED_FORWARD_COMPAT, 0,
				 CORDBMEM_REASON_RUNTIME_UNKNOWN, "CoreCLR %s", words);
	case EPROTO:
		return error_set(why, CORDBG_E_TARGET_INCONSISTENT, 0,
				 CORDBMEM_REASON_RUNTIME_INCONSISTENT, "CoreCLR %s", words);
	case EACCES:
	case EPERM:
		return error_set(why, E_ACCESSDENIED, err, CORDBMEM_REASON_REFUSED,
				 "/proc/%d/maps may not be read", process->pid);
	}
	return error_system(why, err, "looking for CoreCLR");
}

/* What was found becomes the handle's, unless another thread was faster. */
static struct coreclr *publish(struct cordbmem_process *process, struct coreclr *runtime)
{
	struct coreclr *expected = NULL;

	if (atomic_compare_exchange_strong(&process->coreclr, &expected, runtime))
		return runtime;
	free(runtime);
	return expected;
}

static HRESULT find(struct cordbmem_process *process, uint64_t base, struct coreclr *runtime,
		    struct cordbmem_error *why)
{
	const struct mapping *where = NULL;
	struct found found = { 0 };
	const char *words = "";
	struct maps maps = { 0 };
	int err = 0;

	if (base) {
		err = look_at(process, base, &found);
	} else {
		err = maps_read(process->pid, &maps);
		/* What was read is the handle's process only if that is still there. */
		if (!err && !process->backend->alive(process))
			err = ESRCH;
		if (!err)
			err = look_through(process, &maps, &found, &where);
	}
	if (!err) {
		runtime->info.base = base ? base : where->start;
		if (where)
			snprintf(runtime->info.path, sizeof(runtime->info.path), "%s", where->name);
		runtime->module_path_at = -1;
		if (found.descriptor)
			runtime->module_path_at =
				descriptor_offset(found.descriptor, "Module", "Path");
		err = layout_find(process, &found.exports, runtime, &words);
	}
	if (!err)
		find_version(process, &found.module, runtime->info.version,
			     sizeof(runtime->info.version));
	descriptor_free(found.descriptor);
	maps_free(&maps);
	if (!err && !process->backend->alive(process))
		err = ESRCH;
	return err ? fail(process, why, err, found.named, words) : S_OK;
}

static bool report_valid(const struct cordbmem_coreclr *runtime)
{
	return !runtime || runtime->size >= sizeof(*runtime);
}

HRESULT cordbmem_process_find_coreclr(struct cordbmem_process *process, CORDB_ADDRESS base,
				      struct cordbmem_coreclr *runtime,
				      struct cordbmem_error *error)
{
	struct cordbmem_error why = CORDBMEM_ERROR_INIT;
	struct coreclr *found;

	if (!process || !report_valid(runtime)) {
		error_set(&why, E_INVALIDARG, 0, CORDBMEM_REASON_ARGUMENT,
			  process ? "the size of struct cordbmem_coreclr is wrong"
				  : "there is no process");
		return error_report(error, &why);
	}
	if (!process_usable(process)) {
		if (process_state(process) == STATE_CLOSED)
			error_set(&why, CORDBG_E_OBJECT_NEUTERED, 0, CORDBMEM_REASON_CLOSED,
				  "the handle was closed");
		else
			error_set(&why, CORDBG_E_OBJECT_NEUTERED, 0, CORDBMEM_REASON_GONE,
				  "process %d is gone", process->pid);
		return error_report(error, &why);
	}

	found = coreclr_of(process);
	if (!found) {
		found = calloc(1, sizeof(*found));
		if (!found) {
			error_system(&why, ENOMEM, "looking for CoreCLR");
			return error_report(error, &why);
		}
		if (FAILED(find(process, base, found, &why))) {
			free(found);
			return error_report(error, &why);
		}
		found = publish(process, found);
	}
	if (runtime) {
		uint32_t size = runtime->size;

		*runtime = found->info;
		runtime->size = size;
	}
	return error_report(error, &why);
}

HRESULT cordbmem_process_debugger_attached(struct cordbmem_process *process, int *attached)
{
	const struct coreclr *runtime;
	uint32_t flags;
	int err;

	if (!process)
		return E_INVALIDARG;
	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!attached)
		return E_INVALIDARG;
	runtime = coreclr_of(process);
	if (!runtime)
		return CORDBG_E_NOT_CLR;
	if (!runtime->info.control_flags)
		return E_NOTIMPL;
	err = raw_read(process, runtime->info.control_flags, &flags, sizeof(flags));
	if (err) {
		size_t got = 0;

		return read_result(process, err, &got);
	}
	*attached = !!(flags & CONTROL_FLAGS_ATTACHED);
	return S_OK;
}
