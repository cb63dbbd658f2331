/* SPDX-License-Identifier: MIT */
/*
 * The HRESULTs that libcordbmem returns.
 *
 * Names and values are those of winerror.h and corerror.h. A name that is
 * defined already (by the PAL's headers) is left alone.
 */
#ifndef CORDBMEM_ERRORS_H
#define CORDBMEM_ERRORS_H

#include <cordbmem/types.h>

#ifndef SUCCEEDED
#define SUCCEEDED(hr) (((HRESULT)(hr)) >= 0)
#endif
#ifndef FAILED
#define FAILED(hr) (((HRESULT)(hr)) < 0)
#endif

#ifndef S_OK
#define S_OK ((HRESULT)0)
#endif

/* As in winerror.h. */
#ifndef E_NOTIMPL
#define E_NOTIMPL ((HRESULT)0x80004001U)
#endif
#ifndef E_NOINTERFACE
#define E_NOINTERFACE ((HRESULT)0x80004002U)
#endif
#ifndef E_POINTER
#define E_POINTER ((HRESULT)0x80004003U)
#endif
#ifndef E_FAIL
#define E_FAIL ((HRESULT)0x80004005U)
#endif
#ifndef E_ACCESSDENIED
#define E_ACCESSDENIED ((HRESULT)0x80070005U)
#endif
#ifndef E_OUTOFMEMORY
#define E_OUTOFMEMORY ((HRESULT)0x8007000EU)
#endif
#ifndef E_INVALIDARG
#define E_INVALIDARG ((HRESULT)0x80070057U)
#endif

#ifndef CORDBG_E_UNRECOVERABLE_ERROR
#define CORDBG_E_UNRECOVERABLE_ERROR ((HRESULT)0x80131300U)
#endif
#ifndef CORDBG_E_PROCESS_TERMINATED
#define CORDBG_E_PROCESS_TERMINATED ((HRESULT)0x80131301U)
#endif
#ifndef CORDBG_E_PROCESS_DETACHED
#define CORDBG_E_PROCESS_DETACHED ((HRESULT)0x80131335U)
#endif
#ifndef CORDBG_E_OBJECT_NEUTERED
#define CORDBG_E_OBJECT_NEUTERED ((HRESULT)0x8013134FU)
#endif
#ifndef CORDBG_E_READVIRTUAL_FAILURE
#define CORDBG_E_READVIRTUAL_FAILURE ((HRESULT)0x80131C49U)
#endif

/* Of finding a runtime, as in corerror.h. */
#ifndef CORDBG_E_NOTREADY
#define CORDBG_E_NOTREADY ((HRESULT)0x80131C10U)
#endif
#ifndef CORDBG_E_TARGET_INCONSISTENT
#define CORDBG_E_TARGET_INCONSISTENT ((HRESULT)0x80131C36U)
#endif
#ifndef CORDBG_E_NOT_CLR
#define CORDBG_E_NOT_CLR ((HRESULT)0x80131C44U)
#endif
#ifndef CORDBG_E_UNSUPPORTED_FORWARD_COMPAT
#define CORDBG_E_UNSUPPORTED_FORWARD_COMPAT ((HRESULT)0x80131C47U)
#endif

/*
 * HRESULT_FROM_WIN32(ERROR_x), spelled out under names of our own because the
 * PAL defines the macro and the ERROR_ constants in headers that need not be
 * there.
 */
/* HRESULT_FROM_WIN32(ERROR_FILE_NOT_FOUND): the module is not loaded. */
#define CORDBMEM_E_FILE_NOT_FOUND ((HRESULT)0x80070002U)
/* HRESULT_FROM_WIN32(ERROR_TOO_MANY_OPEN_FILES) */
#define CORDBMEM_E_TOO_MANY_OPEN_FILES ((HRESULT)0x80070004U)
/* HRESULT_FROM_WIN32(ERROR_MORE_DATA): a string was cut at the buffer's end. */
#define CORDBMEM_E_MORE_DATA ((HRESULT)0x800700EAU)
/* HRESULT_FROM_WIN32(ERROR_PARTIAL_COPY): fewer bytes than asked for. */
#define CORDBMEM_E_PARTIAL_COPY ((HRESULT)0x8007012BU)
/* HRESULT_FROM_WIN32(ERROR_NOACCESS): the caller's own buffer is bad. */
#define CORDBMEM_E_NOACCESS ((HRESULT)0x800703E6U)
/* HRESULT_FROM_WIN32(ERROR_NOT_FOUND): there is no patch of that id. */
#define CORDBMEM_E_NOT_FOUND ((HRESULT)0x80070490U)
/* HRESULT_FROM_WIN32(ERROR_RETRY): the writer never stood still. */
#define CORDBMEM_E_RETRY ((HRESULT)0x800704D5U)

#endif /* CORDBMEM_ERRORS_H */
