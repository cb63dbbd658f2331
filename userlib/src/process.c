// SPDX-License-Identifier: MIT
/*
 * A process: opening, closing, watching.
 */
#include "internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "facts.h"
#include "window.h"

const char *cordbmem_version(void)
{
	return CORDBMEM_VERSION;
}

/* A caller that knows more members than we do may not use them. */
static bool options_size_valid(const struct cordbmem_options *options)
{
	const BYTE *bytes = (const BYTE *)options;

	/* No version is that long; a wild size must not be walked. */
	if (options->size > 4096)
		return false;
	for (size_t i = sizeof(*options); i < options->size; i++) {
		if (bytes[i])
			return false;
	}
	return options->size >= sizeof(*options);
}

static bool options_valid(const struct cordbmem_options *options)
{
	if (!options_size_valid(options) || options->reserved)
		return false;
	if (options->backend > CORDBMEM_BACKEND_PORTABLE)
		return false;
	if (options->flags & ~(CORDBMEM_OPEN_NOFAULT | CORDBMEM_OPEN_NO_FORCE))
		return false;
	if (options->target_fd >= 0 && (options->mem_fd >= 0 || options->flags))
		return false;
	if (options->backend == CORDBMEM_BACKEND_PORTABLE &&
	    (options->target_fd >= 0 || options->device_fd >= 0))
		return false;
	return true;
}

static void destroy(struct cordbmem_process *process)
{
	if (process->memory_fd >= 0)
		close(process->memory_fd);
	if (process->device_fd >= 0 && !process->device_borrowed)
		close(process->device_fd);
	if (process->pidfd >= 0)
		close(process->pidfd);
	free(atomic_load(&process->coreclr));
	windows_destroy(process);
	patches_destroy(&process->patches);
	free(process);
}

static struct cordbmem_process *create(pid_t pid, const struct backend *backend)
{
	struct cordbmem_process *process;

	process = aligned_alloc(_Alignof(struct cordbmem_process), sizeof(*process));
	if (!process)
		return NULL;
	memset(process, 0, sizeof(*process));
	if (!patches_init(&process->patches)) {
		free(process);
		return NULL;
	}
	atomic_init(&process->state, STATE_ALIVE);
	atomic_init(&process->window_mode, backend->kind == CORDBMEM_BACKEND_MODULE
						   ? CORDBMEM_WINDOWS_AUTO
						   : CORDBMEM_WINDOWS_OFF);
	process->memory_fd = -1;
	process->device_fd = -1;
	process->pidfd = -1;
	process->pid = pid;
	process->backend = backend;
	return process;
}

HRESULT cordbmem_process_open(pid_t pid, const struct cordbmem_options *options,
			      struct cordbmem_process **process, struct cordbmem_error *error)
{
	static const struct cordbmem_options defaults = CORDBMEM_OPTIONS_INIT;
	struct cordbmem_error why = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *opened = NULL;
	HRESULT hr;

	if (process)
		*process = NULL;
	if (!options)
		options = &defaults;
	if (!process || pid <= 0 || !options_valid(options)) {
		error_set(&why, E_INVALIDARG, 0, CORDBMEM_REASON_ARGUMENT,
			  !process   ? "there is no place for the handle"
			  : pid <= 0 ? "the pid is not positive"
				     : "the options are not valid");
		return error_report(error, &why);
	}

	opened = create(pid, options->backend == CORDBMEM_BACKEND_MODULE ? &module_backend
									 : &portable_backend);
	if (!opened) {
		error_system(&why, ENOMEM, "allocating the handle");
		return error_report(error, &why);
	}
	hr = opened->backend->open(opened, options, &why);
	if (FAILED(hr)) {
		destroy(opened);
		return error_report(error, &why);
	}
	opened->start_time = facts_start_time(pid);
	*process = opened;
	return error_report(error, &why);
}

/* Let go of the file behind an fd number, and keep the number; see internal.h. */
static void retire(int fd, int placeholder)
{
	if (fd >= 0 && placeholder >= 0)
		dup3(placeholder, fd, O_CLOEXEC);
}

HRESULT cordbmem_process_close(struct cordbmem_process *process)
{
	int placeholder;

	if (!process)
		return S_OK;
	windows_never(process);
	if (atomic_exchange(&process->state, STATE_CLOSED) == STATE_CLOSED)
		return CORDBG_E_OBJECT_NEUTERED;

	windows_close(process);
	/* Without a spare fd number the files stay until the handle is freed. */
	placeholder = eventfd(0, EFD_CLOEXEC);
	retire(process->memory_fd, placeholder);
	retire(process->pidfd, placeholder);
	if (!process->device_borrowed)
		retire(process->device_fd, placeholder);
	if (placeholder >= 0)
		close(placeholder);
	return S_OK;
}

void cordbmem_process_free(struct cordbmem_process *process)
{
	if (process)
		destroy(process);
}

pid_t cordbmem_process_pid(const struct cordbmem_process *process)
{
	return process->pid;
}

enum cordbmem_backend cordbmem_process_backend(const struct cordbmem_process *process)
{
	return process->backend->kind;
}

uint32_t cordbmem_process_flags(const struct cordbmem_process *process)
{
	return process->flags;
}

HRESULT process_notice_gone(struct cordbmem_process *process)
{
	int state = STATE_ALIVE;

	windows_never(process);
	if (atomic_compare_exchange_strong(&process->state, &state, STATE_GONE))
		return CORDBG_E_PROCESS_TERMINATED;
	return CORDBG_E_OBJECT_NEUTERED;
}

int cordbmem_process_is_alive(struct cordbmem_process *process)
{
	if (!process || !process_usable(process))
		return 0;
	if (!process->backend->alive(process)) {
		process_notice_gone(process);
		return 0;
	}
	return process_usable(process);
}

HRESULT cordbmem_process_exit_fd(struct cordbmem_process *process, int *fd, short *events)
{
	if (!process)
		return E_INVALIDARG;
	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!fd || !events)
		return E_INVALIDARG;
	return process->backend->exit_fd(process, fd, events);
}

/* ---- patches ----------------------------------------------------------- */

static bool patch_valid(const struct cordbmem_patch *patch)
{
	return patch->address && patch->size && patch->size <= CORDBMEM_PATCH_MAX &&
	       patch->address <= UINT64_MAX - patch->size;
}

HRESULT cordbmem_process_add_patches(struct cordbmem_process *process,
				     struct cordbmem_patch *patches, size_t count)
{
	HRESULT hr;

	if (!process)
		return E_INVALIDARG;
	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!count)
		return S_OK;
	if (!patches)
		return E_INVALIDARG;
	for (size_t i = 0; i < count; i++) {
		if (!patch_valid(&patches[i]))
			return E_INVALIDARG;
	}
	hr = patches_add(&process->patches, patches, count);
	windows_publish(process);
	return hr;
}

HRESULT cordbmem_process_add_patch(struct cordbmem_process *process, CORDB_ADDRESS address,
				   const BYTE *original, DWORD size, cordbmem_patch_id *id)
{
	struct cordbmem_patch patch = { .address = address, .size = size };
	HRESULT hr;

	if (process && !process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!original || !patch_valid(&patch))
		return E_INVALIDARG;
	memcpy(patch.original, original, size);
	hr = cordbmem_process_add_patches(process, &patch, 1);
	if (SUCCEEDED(hr) && id)
		*id = patch.id;
	return hr;
}

HRESULT cordbmem_process_remove_patch(struct cordbmem_process *process, cordbmem_patch_id id)
{
	if (!process)
		return E_INVALIDARG;
	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	return patches_remove(&process->patches, id);
}

HRESULT cordbmem_process_list_patches(struct cordbmem_process *process,
				      struct cordbmem_patch *patches, size_t capacity,
				      size_t *count)
{
	if (!process)
		return E_INVALIDARG;
	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!count || (capacity && !patches))
		return E_INVALIDARG;
	*count = patches_list(&process->patches, patches, capacity);
	return S_OK;
}
