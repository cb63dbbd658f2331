// SPDX-License-Identifier: MIT
/*
 * A C++ debugger, as far as it meets our COM objects; see com_client.h.
 *
 * The interfaces are declared as the published slot order has them, under the names that CoreCLR's own
 * headers use, and com.h comes after them: a clash of names would not compile. Nothing
 * here is taken from com.h but the function that makes objects.
 */
#include <cstdint>
#include <cstring>

#include "com_client.h"

typedef int LONG, BOOL, HRESULT;
typedef unsigned char BYTE;
typedef unsigned int DWORD, ULONG, ULONG32, UINT;
typedef unsigned long ULONG64, CORDB_ADDRESS, CLRDATA_ADDRESS, SIZE_T, UINT_PTR;
typedef char16_t WCHAR;
typedef void *HANDLE;

struct GUID {
	uint32_t Data1;
	uint16_t Data2;
	uint16_t Data3;
	uint8_t Data4[8];
};
typedef GUID IID;
typedef const IID &REFIID;

struct COR_VERSION {
	DWORD dwMajor, dwMinor, dwBuild, dwSubBuild;
};

enum CorDebugThreadState { THREAD_RUN, THREAD_SUSPEND };
enum CorDebugPlatform { CORDB_PLATFORM_POSIX_AMD64 = 8, CORDB_PLATFORM_POSIX_ARM64 = 11 };

struct ICorDebugThread;
struct ICorDebugThread2;
struct ICorDebugThreadEnum;
struct ICorDebugObjectEnum;
struct ICorDebugAppDomainEnum;
struct ICorDebugErrorInfoEnum;
struct ICorDebugEditAndContinueSnapshot;
struct ICorDebugValue;
struct ICorDebugReferenceValue;

struct IUnknown {
	virtual HRESULT QueryInterface(REFIID iid, void **object) = 0;
	virtual ULONG AddRef() = 0;
	virtual ULONG Release() = 0;
};

struct ICorDebugController : public IUnknown {
	virtual HRESULT Stop(DWORD timeout) = 0;
	virtual HRESULT Continue(BOOL outOfBand) = 0;
	virtual HRESULT IsRunning(BOOL *running) = 0;
	virtual HRESULT HasQueuedCallbacks(ICorDebugThread *thread, BOOL *queued) = 0;
	virtual HRESULT EnumerateThreads(ICorDebugThreadEnum **threads) = 0;
	virtual HRESULT SetAllThreadsDebugState(CorDebugThreadState state,
						ICorDebugThread *except) = 0;
	virtual HRESULT Detach() = 0;
	virtual HRESULT Terminate(UINT exitCode) = 0;
	virtual HRESULT CanCommitChanges(ULONG count, ICorDebugEditAndContinueSnapshot *snapshots[],
					 ICorDebugErrorInfoEnum **error) = 0;
	virtual HRESULT CommitChanges(ULONG count, ICorDebugEditAndContinueSnapshot *snapshots[],
				      ICorDebugErrorInfoEnum **error) = 0;
};

struct ICorDebugProcess : public ICorDebugController {
	virtual HRESULT GetID(DWORD *pid) = 0;
	virtual HRESULT GetHandle(HANDLE *handle) = 0;
	virtual HRESULT GetThread(DWORD id, ICorDebugThread **thread) = 0;
	virtual HRESULT EnumerateObjects(ICorDebugObjectEnum **objects) = 0;
	virtual HRESULT IsTransitionStub(CORDB_ADDRESS address, BOOL *stub) = 0;
	virtual HRESULT IsOSSuspended(DWORD id, BOOL *suspended) = 0;
	virtual HRESULT GetThreadContext(DWORD id, ULONG32 size, BYTE context[]) = 0;
	virtual HRESULT SetThreadContext(DWORD id, ULONG32 size, BYTE context[]) = 0;
	virtual HRESULT ReadMemory(CORDB_ADDRESS address, DWORD size, BYTE buffer[],
				   SIZE_T *read) = 0;
	virtual HRESULT WriteMemory(CORDB_ADDRESS address, DWORD size, BYTE buffer[],
				    SIZE_T *written) = 0;
	virtual HRESULT ClearCurrentException(DWORD id) = 0;
	virtual HRESULT EnableLogMessages(BOOL on) = 0;
	virtual HRESULT ModifyLogSwitch(WCHAR *name, LONG level) = 0;
	virtual HRESULT EnumerateAppDomains(ICorDebugAppDomainEnum **domains) = 0;
	virtual HRESULT GetObject(ICorDebugValue **value) = 0;
	virtual HRESULT ThreadForFiberCookie(DWORD cookie, ICorDebugThread **thread) = 0;
	virtual HRESULT GetHelperThreadID(DWORD *id) = 0;
};

struct ICorDebugProcess2 : public IUnknown {
	virtual HRESULT GetThreadForTaskID(ULONG64 task, ICorDebugThread2 **thread) = 0;
	virtual HRESULT GetVersion(COR_VERSION *version) = 0;
	virtual HRESULT SetUnmanagedBreakpoint(CORDB_ADDRESS address, ULONG32 size, BYTE buffer[],
					       ULONG32 *length) = 0;
	virtual HRESULT ClearUnmanagedBreakpoint(CORDB_ADDRESS address) = 0;
	virtual HRESULT SetDesiredNGENCompilerFlags(DWORD flags) = 0;
	virtual HRESULT GetDesiredNGENCompilerFlags(DWORD *flags) = 0;
	virtual HRESULT GetReferenceValueFromGCHandle(UINT_PTR handle,
						      ICorDebugReferenceValue **value) = 0;
};

struct ICorDebugDataTarget : public IUnknown {
	virtual HRESULT GetPlatform(CorDebugPlatform *platform) = 0;
	virtual HRESULT ReadVirtual(CORDB_ADDRESS address, BYTE *buffer, ULONG32 size,
				    ULONG32 *read) = 0;
	virtual HRESULT GetThreadContext(DWORD id, ULONG32 flags, ULONG32 size, BYTE *context) = 0;
};

struct ICLRDataTarget : public IUnknown {
	virtual HRESULT GetMachineType(ULONG32 *machine) = 0;
	virtual HRESULT GetPointerSize(ULONG32 *size) = 0;
	virtual HRESULT GetImageBase(const WCHAR *path, CLRDATA_ADDRESS *base) = 0;
	virtual HRESULT ReadVirtual(CLRDATA_ADDRESS address, BYTE *buffer, ULONG32 size,
				    ULONG32 *read) = 0;
	virtual HRESULT WriteVirtual(CLRDATA_ADDRESS address, BYTE *buffer, ULONG32 size,
				     ULONG32 *written) = 0;
	virtual HRESULT GetTLSValue(ULONG32 id, ULONG32 index, CLRDATA_ADDRESS *value) = 0;
	virtual HRESULT SetTLSValue(ULONG32 id, ULONG32 index, CLRDATA_ADDRESS value) = 0;
	virtual HRESULT GetCurrentThreadID(ULONG32 *id) = 0;
	virtual HRESULT GetThreadContext(ULONG32 id, ULONG32 flags, ULONG32 size,
					 BYTE *context) = 0;
	virtual HRESULT SetThreadContext(ULONG32 id, ULONG32 size, BYTE *context) = 0;
	virtual HRESULT Request(ULONG32 code, ULONG32 inSize, BYTE *in, ULONG32 outSize,
				BYTE *out) = 0;
};

struct ICLRRuntimeLocator : public IUnknown {
	virtual HRESULT GetRuntimeBase(CLRDATA_ADDRESS *base) = 0;
};

#include <cordbmem/com.h>

// The interfaces of an object, one reference each.
struct Interfaces {
	IUnknown *unknown;
	ICorDebugController *controller;
	ICorDebugProcess *process;
	ICorDebugProcess2 *process2;
	ICorDebugDataTarget *dataTarget;
	ICLRDataTarget *clrTarget;
	ICLRRuntimeLocator *locator;
};

// clang-format off
static const GUID IID_IUnknown = { 0, 0, 0, { 0xc0, 0, 0, 0, 0, 0, 0, 0x46 } };
static const GUID IID_ICorDebugController = { 0x3d6f5f62, 0x7538, 0x11d3, { 0x8d, 0x5b, 0x00, 0x10, 0x4b, 0x35, 0xe7, 0xef } };
static const GUID IID_ICorDebugProcess = { 0x3d6f5f64, 0x7538, 0x11d3, { 0x8d, 0x5b, 0x00, 0x10, 0x4b, 0x35, 0xe7, 0xef } };
static const GUID IID_ICorDebugProcess2 = { 0xad1b3588, 0x0ef0, 0x4744, { 0xa4, 0x96, 0xaa, 0x09, 0xa9, 0xf8, 0x03, 0x71 } };
static const GUID IID_ICorDebugDataTarget = { 0xfe06dc28, 0x49fb, 0x4636, { 0xa4, 0xa3, 0xe8, 0x0d, 0xb4, 0xae, 0x11, 0x6c } };
static const GUID IID_ICLRDataTarget = { 0x3e11ccee, 0xd08b, 0x43e5, { 0xaf, 0x01, 0x32, 0x71, 0x7a, 0x64, 0xda, 0x03 } };
static const GUID IID_ICLRRuntimeLocator = { 0xb760bf44, 0x9377, 0x4597, { 0x8b, 0xe7, 0x58, 0x08, 0x3b, 0xdc, 0x51, 0x46 } };
// clang-format on

static const ULONG64 poison = 0x5a5a5a5a5a5a5a5a;

#define CHECK(condition)                   \
	do {                               \
		if (!(condition))          \
			return #condition; \
	} while (0)

template <class Interface> static bool query(IUnknown *from, REFIID iid, Interface **to)
{
	return from->QueryInterface(iid, reinterpret_cast<void **>(to)) == S_OK && *to;
}

// Of an interface pointer that must come back NULL.
template <class Interface> static Interface *poisoned()
{
	return reinterpret_cast<Interface *>(poison);
}

static const char *useController(ICorDebugController *controller)
{
	ICorDebugThreadEnum *threads = poisoned<ICorDebugThreadEnum>();
	ICorDebugErrorInfoEnum *errors = poisoned<ICorDebugErrorInfoEnum>();
	BOOL flag = 7;

	CHECK(controller->Stop(0) == E_NOTIMPL);
	CHECK(controller->Continue(0) == E_NOTIMPL);
	CHECK(controller->IsRunning(&flag) == S_OK && flag == 1);
	CHECK(controller->HasQueuedCallbacks(nullptr, &flag) == S_OK && flag == 0);
	CHECK(controller->EnumerateThreads(&threads) == E_NOTIMPL && !threads);
	CHECK(controller->SetAllThreadsDebugState(THREAD_SUSPEND, nullptr) == E_NOTIMPL);
	CHECK(controller->Terminate(1) == E_NOTIMPL);
	CHECK(controller->CanCommitChanges(0, nullptr, &errors) == E_NOTIMPL && !errors);
	errors = poisoned<ICorDebugErrorInfoEnum>();
	CHECK(controller->CommitChanges(0, nullptr, &errors) == E_NOTIMPL && !errors);
	CHECK(controller->IsRunning(&flag) == S_OK && flag == 1);
	return nullptr;
}

static const char *readAll(ICorDebugProcess *process, const com_client_orders *orders)
{
	BYTE buffer[64];
	SIZE_T read = poison;

	CHECK(orders->size <= sizeof(buffer) / 2);
	CHECK(process->ReadMemory(orders->address, orders->size, buffer, &read) == S_OK);
	CHECK(read == orders->size && !memcmp(buffer, orders->expected, read));
	memset(buffer, 0, sizeof(buffer));
	CHECK(process->ReadMemory(orders->address, sizeof(buffer), buffer, &read) ==
	      CORDBMEM_E_PARTIAL_COPY);
	CHECK(read == orders->size && !memcmp(buffer, orders->expected, read));
	CHECK(process->ReadMemory(orders->address + orders->size, 1, buffer, &read) ==
	      CORDBG_E_READVIRTUAL_FAILURE);
	CHECK(read == 0);
	CHECK(process->WriteMemory(orders->address, 1, buffer, &read) == E_NOTIMPL);
	return nullptr;
}

static const char *useProcess(ICorDebugProcess *process, const com_client_orders *orders)
{
	ICorDebugThread *thread = poisoned<ICorDebugThread>();
	ICorDebugThread *fiber = poisoned<ICorDebugThread>();
	ICorDebugObjectEnum *objects = poisoned<ICorDebugObjectEnum>();
	ICorDebugAppDomainEnum *domains = poisoned<ICorDebugAppDomainEnum>();
	ICorDebugValue *value = poisoned<ICorDebugValue>();
	HANDLE handle = poisoned<void>();
	WCHAR name[] = u"name";
	BYTE context[16];
	DWORD number = 0;
	BOOL flag = 7;

	CHECK(process->GetID(&number) == S_OK && number == orders->pid);
	CHECK(process->GetHandle(&handle) == E_NOTIMPL && !handle);
	CHECK(process->GetThread(1, &thread) == E_NOTIMPL && !thread);
	CHECK(process->EnumerateObjects(&objects) == E_NOTIMPL && !objects);
	CHECK(process->IsTransitionStub(1, &flag) == E_NOTIMPL && flag == 7);
	CHECK(process->IsOSSuspended(1, &flag) == E_NOTIMPL && flag == 7);
	CHECK(process->GetThreadContext(1, sizeof(context), context) == E_NOTIMPL);
	CHECK(process->SetThreadContext(1, sizeof(context), context) == E_NOTIMPL);
	CHECK(process->ClearCurrentException(1) == E_NOTIMPL);
	CHECK(process->EnableLogMessages(1) == E_NOTIMPL);
	CHECK(process->ModifyLogSwitch(name, 1) == E_NOTIMPL);
	CHECK(process->EnumerateAppDomains(&domains) == E_NOTIMPL && !domains);
	CHECK(process->GetObject(&value) == E_NOTIMPL && !value);
	CHECK(process->ThreadForFiberCookie(1, &fiber) == E_NOTIMPL && !fiber);
	CHECK(process->GetHelperThreadID(&number) == E_NOTIMPL && number == orders->pid);
	return readAll(process, orders);
}

static const char *useProcess2(ICorDebugProcess2 *process)
{
	ICorDebugThread2 *thread = poisoned<ICorDebugThread2>();
	ICorDebugReferenceValue *value = poisoned<ICorDebugReferenceValue>();
	COR_VERSION version = { 1, 2, 3, 4 };
	DWORD number = 7;
	BYTE buffer[16];

	CHECK(process->GetThreadForTaskID(1, &thread) == E_NOTIMPL && !thread);
	CHECK(process->GetVersion(&version) == E_NOTIMPL && version.dwMajor == 1);
	CHECK(process->SetUnmanagedBreakpoint(8, sizeof(buffer), buffer, &number) == E_NOTIMPL);
	CHECK(number == 7);
	CHECK(process->ClearUnmanagedBreakpoint(8) == E_NOTIMPL);
	CHECK(process->SetDesiredNGENCompilerFlags(1) == E_NOTIMPL);
	CHECK(process->GetDesiredNGENCompilerFlags(&number) == E_NOTIMPL && number == 7);
	CHECK(process->GetReferenceValueFromGCHandle(8, &value) == E_NOTIMPL && !value);
	return nullptr;
}

// Both data targets have this one.
template <class Target>
static const char *readVirtual(Target *target, const com_client_orders *orders)
{
	BYTE buffer[64];
	ULONG32 read = 7;

	CHECK(target->ReadVirtual(orders->address, buffer, orders->size, &read) == S_OK);
	CHECK(read == orders->size && !memcmp(buffer, orders->expected, read));
	memset(buffer, 0, sizeof(buffer));
	CHECK(target->ReadVirtual(orders->address, buffer, sizeof(buffer), &read) == S_OK);
	CHECK(read == orders->size && !memcmp(buffer, orders->expected, read));
	CHECK(target->ReadVirtual(orders->address + orders->size, buffer, 1, &read) ==
	      CORDBG_E_READVIRTUAL_FAILURE);
	CHECK(read == 0);
	CHECK(target->GetThreadContext(1, 1, sizeof(buffer), buffer) == E_NOTIMPL);
	return nullptr;
}

static const char *useDataTarget(ICorDebugDataTarget *target, const com_client_orders *orders)
{
	CorDebugPlatform platform = static_cast<CorDebugPlatform>(0);

	CHECK(target->GetPlatform(&platform) == S_OK);
#ifdef __x86_64__
	CHECK(platform == CORDB_PLATFORM_POSIX_AMD64);
#else
	CHECK(platform == CORDB_PLATFORM_POSIX_ARM64);
#endif
	return readVirtual(target, orders);
}

static const char *useClrTarget(ICLRDataTarget *target, const com_client_orders *orders)
{
	CLRDATA_ADDRESS address = poison;
	ULONG32 number = 0;
	BYTE buffer[16];

	CHECK(target->GetMachineType(&number) == S_OK);
#ifdef __x86_64__
	CHECK(number == 0x8664);
#else
	CHECK(number == 0xaa64);
#endif
	CHECK(target->GetPointerSize(&number) == S_OK && number == 8);
	CHECK(target->GetImageBase(orders->program, &address) == S_OK && address == orders->base);
	CHECK(target->WriteVirtual(8, buffer, sizeof(buffer), &number) == E_NOTIMPL && number == 8);
	CHECK(target->GetTLSValue(1, 1, &address) == E_NOTIMPL && address == orders->base);
	CHECK(target->SetTLSValue(1, 1, 8) == E_NOTIMPL);
	CHECK(target->GetCurrentThreadID(&number) == E_NOTIMPL && number == 8);
	CHECK(target->SetThreadContext(1, sizeof(buffer), buffer) == E_NOTIMPL);
	CHECK(target->Request(1, sizeof(buffer), buffer, sizeof(buffer), buffer) == E_NOTIMPL);
	return readVirtual(target, orders);
}

// There is no CoreCLR in what it reads.
static const char *useLocator(ICLRRuntimeLocator *locator)
{
	CLRDATA_ADDRESS base = poison;

	CHECK(locator->GetRuntimeBase(&base) == CORDBG_E_NOT_CLR && base == poison);
	CHECK(locator->GetRuntimeBase(nullptr) == E_INVALIDARG);
	return nullptr;
}

static const char *detach(ICorDebugController *controller, ICorDebugDataTarget *target)
{
	ULONG32 read = 7;
	BYTE byte;

	CHECK(controller->Detach() == S_OK);
	CHECK(controller->Detach() == CORDBG_E_OBJECT_NEUTERED);
	CHECK(target->ReadVirtual(8, &byte, 1, &read) == CORDBG_E_OBJECT_NEUTERED && read == 0);
	return nullptr;
}

static const char *useAll(const Interfaces &in, const com_client_orders *orders)
{
	const char *wrong = useController(in.controller);

	wrong = wrong ? wrong : useProcess(in.process, orders);
	wrong = wrong ? wrong : useProcess2(in.process2);
	wrong = wrong ? wrong : useDataTarget(in.dataTarget, orders);
	wrong = wrong ? wrong : useClrTarget(in.clrTarget, orders);
	wrong = wrong ? wrong : useLocator(in.locator);
	return wrong ? wrong : detach(in.controller, in.dataTarget);
}

const char *com_client_run(void *unknown, const struct com_client_orders *orders)
{
	IUnknown *object = static_cast<IUnknown *>(unknown);
	Interfaces in = {};
	const char *wrong;

	// A base class's pointer is its derived class's: nothing to convert, so nothing to get wrong.
	CHECK(query(object, IID_IUnknown, &in.unknown) && in.unknown == object);
	CHECK(query(object, IID_ICorDebugController, &in.controller));
	CHECK(query(in.controller, IID_ICorDebugProcess, &in.process));
	CHECK(query(in.process, IID_ICorDebugProcess2, &in.process2));
	CHECK(query(in.process2, IID_ICorDebugDataTarget, &in.dataTarget));
	CHECK(query(in.dataTarget, IID_ICLRDataTarget, &in.clrTarget));
	CHECK(query(in.clrTarget, IID_ICLRRuntimeLocator, &in.locator));

	wrong = useAll(in, orders);
	if (wrong)
		return wrong;

	CHECK(object->AddRef() == 9);
	CHECK(in.locator->Release() == 8);
	CHECK(in.clrTarget->Release() == 7);
	CHECK(in.dataTarget->Release() == 6);
	CHECK(in.process2->Release() == 5);
	CHECK(in.process->Release() == 4);
	CHECK(in.controller->Release() == 3);
	CHECK(in.unknown->Release() == 2);
	CHECK(object->Release() == 1);
	return nullptr;
}
