// SPDX-License-Identifier: MIT
/*
 * Errors: their names, and the struct that carries a reason.
 */
#include "internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *cordbmem_hresult_name(HRESULT hr)
{
	switch (hr) {
	case S_OK:
		return "S_OK";
	case E_NOTIMPL:
		return "E_NOTIMPL";
	case E_NOINTERFACE:
		return "E_NOINTERFACE";
	case E_POINTER:
		return "E_POINTER";
	case E_FAIL:
		return "E_FAIL";
	case E_ACCESSDENIED:
		return "E_ACCESSDENIED";
	case E_OUTOFMEMORY:
		return "E_OUTOFMEMORY";
	case E_INVALIDARG:
		return "E_INVALIDARG";
	case CORDBG_E_UNRECOVERABLE_ERROR:
		return "CORDBG_E_UNRECOVERABLE_ERROR";
	case CORDBG_E_PROCESS_TERMINATED:
		return "CORDBG_E_PROCESS_TERMINATED";
	case CORDBG_E_PROCESS_DETACHED:
		return "CORDBG_E_PROCESS_DETACHED";
	case CORDBG_E_OBJECT_NEUTERED:
		return "CORDBG_E_OBJECT_NEUTERED";
	case CORDBG_E_READVIRTUAL_FAILURE:
		return "CORDBG_E_READVIRTUAL_FAILURE";
	case CORDBG_E_NOTREADY:
		return "CORDBG_E_NOTREADY";
	case CORDBG_E_TARGET_INCONSISTENT:
		return "CORDBG_E_TARGET_INCONSISTENT";
	case CORDBG_E_NOT_CLR:
		return "CORDBG_E_NOT_CLR";
	case CORDBG_E_UNSUPPORTED_FORWARD_COMPAT:
		return "CORDBG_E_UNSUPPORTED_FORWARD_COMPAT";
	case CORDBMEM_E_FILE_NOT_FOUND:
		return "HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND)";
	case CORDBMEM_E_TOO_MANY_OPEN_FILES:
		return "HRESULT_FROM_WIN32(ERROR_TOO_MANY_OPEN_FILES)";
	case CORDBMEM_E_MORE_DATA:
		return "HRESULT_FROM_WIN32(ERROR_MORE_DATA)";
	case CORDBMEM_E_PARTIAL_COPY:
		return "HRESULT_FROM_WIN32(ERROR_PARTIAL_COPY)";
	case CORDBMEM_E_NOACCESS:
		return "HRESULT_FROM_WIN32(ERROR_NOACCESS)";
	case CORDBMEM_E_NOT_FOUND:
		return "HRESULT_FROM_WIN32(ERROR_NOT_FOUND)";
	case CORDBMEM_E_RETRY:
		return "HRESULT_FROM_WIN32(ERROR_RETRY)";
	}
	return "unknown HRESULT";
}

const char *cordbmem_reason_name(uint32_t reason)
{
	static const char *const names[] = {
		[CORDBMEM_REASON_NONE] = "none",
		[CORDBMEM_REASON_ARGUMENT] = "argument",
		[CORDBMEM_REASON_SYSTEM] = "system",
		[CORDBMEM_REASON_UNSUPPORTED] = "unsupported",
		[CORDBMEM_REASON_NO_MODULE] = "no-module",
		[CORDBMEM_REASON_NODE_PERMISSION] = "node-permission",
		[CORDBMEM_REASON_NO_PROCESS] = "no-process",
		[CORDBMEM_REASON_NO_MEMORY_IMAGE] = "no-memory-image",
		[CORDBMEM_REASON_PID_NAMESPACE] = "pid-namespace",
		[CORDBMEM_REASON_USER_NAMESPACE] = "user-namespace",
		[CORDBMEM_REASON_DIFFERENT_UID] = "different-uid",
		[CORDBMEM_REASON_CAPABILITIES] = "capabilities",
		[CORDBMEM_REASON_NOT_DUMPABLE] = "not-dumpable",
		[CORDBMEM_REASON_YAMA] = "yama",
		[CORDBMEM_REASON_REFUSED] = "refused",
		[CORDBMEM_REASON_CLOSED] = "closed",
		[CORDBMEM_REASON_EXITED] = "exited",
		[CORDBMEM_REASON_EXECED] = "execed",
		[CORDBMEM_REASON_GONE] = "gone",
		[CORDBMEM_REASON_HOLE] = "hole",
		[CORDBMEM_REASON_UNREADABLE] = "unreadable",
		[CORDBMEM_REASON_NO_RUNTIME] = "no-runtime",
		[CORDBMEM_REASON_RUNTIME_NOT_READY] = "runtime-not-ready",
		[CORDBMEM_REASON_RUNTIME_UNKNOWN] = "runtime-unknown",
		[CORDBMEM_REASON_RUNTIME_INCONSISTENT] = "runtime-inconsistent",
	};

	if (reason < sizeof(names) / sizeof(names[0]))
		return names[reason];
	return "unknown reason";
}

HRESULT error_set(struct cordbmem_error *error, HRESULT hr, int sys_errno, uint32_t reason,
		  const char *format, ...)
{
	va_list args;

	error->hr = hr;
	error->sys_errno = sys_errno;
	error->reason = reason;
	va_start(args, format);
	vsnprintf(error->text, sizeof(error->text), format, args);
	va_end(args);
	/* Names of files are the target's to choose; a terminal may obey them. */
	for (char *c = error->text; *c; c++) {
		if (*c < ' ' || *c > '~')
			*c = '?';
	}
	return hr;
}

HRESULT error_system(struct cordbmem_error *error, int sys_errno, const char *what)
{
	/* strerrordesc_np has no static buffer, unlike strerror. */
	const char *why = strerrordesc_np(sys_errno);
	HRESULT hr = E_FAIL;

	if (sys_errno == ENOMEM)
		hr = E_OUTOFMEMORY;
	else if (sys_errno == EMFILE || sys_errno == ENFILE)
		hr = CORDBMEM_E_TOO_MANY_OPEN_FILES;
	return error_set(error, hr, sys_errno, CORDBMEM_REASON_SYSTEM, "%s failed: %s", what,
			 why ? why : "unknown error");
}

HRESULT error_report(struct cordbmem_error *to, const struct cordbmem_error *from)
{
	/* A caller built against a longer struct finds its tail as it left it. */
	if (to && to->size >= sizeof(*to)) {
		uint32_t size = to->size;

		*to = *from;
		to->size = size;
	}
	return from->hr;
}
