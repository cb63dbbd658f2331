// SPDX-License-Identifier: MIT
/*
 * ICorDebugController and ICorDebugProcess of a process that is only read.
 */
#include "com_object.h"

/* ---- ICorDebugController ----------------------------------------------- */

static HRESULT stop(void *self, DWORD timeout)
{
	(void)timeout;
	return com_cannot(self, NULL);
}

static HRESULT resume(void *self, int out_of_band)
{
	(void)out_of_band;
	return com_cannot(self, NULL);
}

/* S_OK as long as the process exists; what is seen here counts as noticed. */
static HRESULT look(struct cordbmem_process *process)
{
	if (!process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!process->backend->alive(process))
		return process_notice_gone(process);
	return process_usable(process) ? S_OK : CORDBG_E_OBJECT_NEUTERED;
}

static HRESULT is_running(void *self, int *running)
{
	struct cordbmem_process *process = com_handle(self);
	HRESULT hr;

	if (process_usable(process) && !running)
		return E_INVALIDARG;
	hr = look(process);
	if (SUCCEEDED(hr))
		*running = 1;
	return hr;
}

static HRESULT has_queued_callbacks(void *self, void *thread, int *queued)
{
	(void)thread;
	if (!process_usable(com_handle(self)))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!queued)
		return E_INVALIDARG;
	*queued = 0;
	return S_OK;
}

static HRESULT set_all_threads_debug_state(void *self, int state, void *except)
{
	(void)state;
	(void)except;
	return com_cannot(self, NULL);
}

static HRESULT detach(void *self)
{
	struct cordbmem_process *process = com_handle(self);
	HRESULT hr = look(process);

	return SUCCEEDED(hr) ? cordbmem_process_close(process) : hr;
}

static HRESULT terminate(void *self, DWORD exit_code)
{
	(void)exit_code;
	return com_cannot(self, NULL);
}

/* CanCommitChanges and CommitChanges */
static HRESULT commit(void *self, DWORD count, void **snapshots, void **error)
{
	(void)count;
	(void)snapshots;
	return com_cannot(self, error);
}

/* ---- ICorDebugProcess -------------------------------------------------- */

static HRESULT get_id(void *self, DWORD *pid)
{
	if (!pid)
		return E_INVALIDARG;
	*pid = (DWORD)cordbmem_process_pid(com_handle(self));
	return S_OK;
}

/* GetThread and ThreadForFiberCookie */
static HRESULT get_thread(void *self, DWORD id, void **thread)
{
	(void)id;
	return com_cannot(self, thread);
}

static HRESULT is_transition_stub(void *self, CORDB_ADDRESS address, int *stub)
{
	(void)address;
	(void)stub;
	return com_cannot(self, NULL);
}

static HRESULT is_os_suspended(void *self, DWORD thread_id, int *suspended)
{
	(void)thread_id;
	(void)suspended;
	return com_cannot(self, NULL);
}

/* GetThreadContext and SetThreadContext */
static HRESULT thread_context(void *self, DWORD thread_id, DWORD size, BYTE *context)
{
	(void)thread_id;
	(void)size;
	(void)context;
	return com_cannot(self, NULL);
}

static HRESULT read_memory(void *self, CORDB_ADDRESS address, DWORD size, BYTE *buffer,
			   SIZE_T *read)
{
	return cordbmem_ReadMemory(com_handle(self), address, size, buffer, read);
}

static HRESULT write_memory(void *self, CORDB_ADDRESS address, DWORD size, BYTE *buffer,
			    SIZE_T *written)
{
	(void)address;
	(void)size;
	(void)buffer;
	(void)written;
	return com_cannot(self, NULL);
}

static HRESULT clear_current_exception(void *self, DWORD thread_id)
{
	(void)thread_id;
	return com_cannot(self, NULL);
}

static HRESULT enable_log_messages(void *self, int on)
{
	(void)on;
	return com_cannot(self, NULL);
}

static HRESULT modify_log_switch(void *self, uint16_t *name, int level)
{
	(void)name;
	(void)level;
	return com_cannot(self, NULL);
}

static HRESULT get_helper_thread_id(void *self, DWORD *thread_id)
{
	(void)thread_id;
	return com_cannot(self, NULL);
}

const struct cordbmem_icordebugprocess_vtable com_process_table = {
	.QueryInterface = com_query_interface,
	.AddRef = com_add_ref,
	.Release = com_release,
	.Stop = stop,
	.Continue = resume,
	.IsRunning = is_running,
	.HasQueuedCallbacks = has_queued_callbacks,
	.EnumerateThreads = com_cannot,
	.SetAllThreadsDebugState = set_all_threads_debug_state,
	.Detach = detach,
	.Terminate = terminate,
	.CanCommitChanges = commit,
	.CommitChanges = commit,
	.GetID = get_id,
	.GetHandle = com_cannot,
	.GetThread = get_thread,
	.EnumerateObjects = com_cannot,
	.IsTransitionStub = is_transition_stub,
	.IsOSSuspended = is_os_suspended,
	.GetThreadContext = thread_context,
	.SetThreadContext = thread_context,
	.ReadMemory = read_memory,
	.WriteMemory = write_memory,
	.ClearCurrentException = clear_current_exception,
	.EnableLogMessages = enable_log_messages,
	.ModifyLogSwitch = modify_log_switch,
	.EnumerateAppDomains = com_cannot,
	.GetObject = com_cannot,
	.ThreadForFiberCookie = get_thread,
	.GetHelperThreadID = get_helper_thread_id,
};
