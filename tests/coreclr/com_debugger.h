/* SPDX-License-Identifier: MIT */
/*
 * The two genuine libraries that look into a process through a data target of somebody else's:
 * libmscordbi's ICorDebugProcess without a debugger, and libmscordaccore's ISOSDacInterface.
 */
#ifndef COM_DEBUGGER_H
#define COM_DEBUGGER_H

#include <stddef.h>
#include <stdint.h>

#include "cordebug.h"
#include "runtime.h"

/* OpenVirtualProcessImpl2 for the CoreCLR at @base; @process is an ICorDebugProcess. */
HRESULT dbi_open(const struct runtime *runtime, uint64_t base, void *data_target,
		 struct com **process);

/* The objects of an enumerator, up to @capacity; each is the caller's. */
HRESULT dbi_enumerate(struct com *enumerator, struct com **objects, uint32_t capacity,
		      uint32_t *count);
/* What EnumerateAppDomains and EnumerateThreads of a process, EnumerateAssemblies of a domain give. */
HRESULT dbi_domains(struct com *process, struct com **objects, uint32_t capacity, uint32_t *count);
HRESULT dbi_threads(struct com *process, struct com **objects, uint32_t capacity, uint32_t *count);
HRESULT dbi_assemblies(struct com *domain, struct com **objects, uint32_t capacity,
		       uint32_t *count);

/* GetName of an app domain and an assembly, as ASCII. */
HRESULT dbi_domain_name(struct com *domain, char *name, uint32_t capacity);
HRESULT dbi_assembly_name(struct com *assembly, char *name, uint32_t capacity);
HRESULT dbi_thread_id(struct com *thread, uint32_t *id);

/* CLRDataCreateInstance; @dac is an ISOSDacInterface. */
HRESULT dac_open(const struct runtime *runtime, void *clr_target, struct com **dac);

/* DacpThreadStoreData */
struct dac_threads {
	int32_t count, unstarted, background, pending, dead;
	uint64_t first, finalizer, gc;
	uint32_t host_config;
};

/* DacpThreadData, and room for one that grew. */
struct dac_thread {
	uint32_t managed_id, os_id, state, preemptive;
	uint64_t allocation, allocation_limit, context, domain, frame;
	uint32_t locks;
	uint64_t nested, teb, fiber, thrown, next;
	uint64_t room[8];
};

HRESULT dac_thread_store(struct com *dac, struct dac_threads *threads);
HRESULT dac_thread(struct com *dac, uint64_t address, struct dac_thread *thread);
HRESULT dac_domains(struct com *dac, uint64_t *domains, uint32_t capacity, uint32_t *count);
HRESULT dac_domain_name(struct com *dac, uint64_t domain, char *name, uint32_t capacity);

#endif
