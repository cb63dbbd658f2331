// SPDX-License-Identifier: MIT
/*
 * The functions of threads.h. The process may have forged every number, so each is checked before it is
 * used, and all arithmetic may wrap.
 */
#include "threads.h"

#include <errno.h>

#include "descriptor.h"
#include "elf_module.h"
#include "raw.h"

#define DESCRIPTOR "DotNetRuntimeContractDescriptor"

/* A thread has this id before it runs, that one after (SWITCHED_OUT_FIBER_OSID). */
#define OS_ID_NONE UINT64_MAX
#define OS_ID_OVER 0xbaadf00dU

static int find_descriptor(struct cordbmem_process *process, uint64_t base,
			   struct descriptor **descriptor)
{
	struct elf_module module;
	uint64_t address, size;
	int err = elf_open(process, base, &module);

	if (!err)
		err = elf_find(process, &module, DESCRIPTOR, &address, &size);
	if (!err)
		err = descriptor_read(process, address, descriptor);
	return err == ENOEXEC || err == ENOENT ? ENOTSUP : err;
}

/* False if it is not published, or farther off than is read. */
static bool member(const struct descriptor *descriptor, const char *type, const char *name,
		   uint32_t *offset)
{
	int32_t found = descriptor_offset(descriptor, type, name);

	*offset = (uint32_t)found;
	return found >= 0 && (uint32_t)found <= THREAD_READ_MAX - sizeof(uint64_t);
}

static int32_t optional_member(const struct descriptor *descriptor, const char *type,
			       const char *name)
{
	uint32_t offset;

	return member(descriptor, type, name, &offset) ? (int32_t)offset : -1;
}

static void reach(struct thread_layout *layout, int32_t offset)
{
	uint32_t end = (uint32_t)offset + (uint32_t)sizeof(uint64_t);

	if (offset >= 0 && end > layout->thread_size)
		layout->thread_size = end;
}

/* .NET 9 has GC's own structure at once, .NET 10 one of the runtime's around it. */
static void find_allocation(const struct descriptor *descriptor, struct thread_layout *layout)
{
	int32_t context = optional_member(descriptor, "RuntimeThreadLocals", "AllocContext");
	int32_t inner = optional_member(descriptor, "EEAllocContext", "GCAllocationContext");
	int32_t pointer = optional_member(descriptor, "GCAllocContext", "Pointer");

	layout->locals_at = -1;
	if (context < 0 || pointer < 0)
		return;
	layout->locals_at = optional_member(descriptor, "Thread", "RuntimeThreadLocals");
	layout->allocation_at =
		(uint32_t)context + (inner < 0 ? 0 : (uint32_t)inner) + (uint32_t)pointer;
}

static bool find_members(const struct descriptor *descriptor, struct thread_layout *layout)
{
	if (!member(descriptor, "ThreadStore", "FirstThreadLink", &layout->first_at) ||
	    !member(descriptor, "Thread", "State", &layout->state_at) ||
	    !member(descriptor, "Thread", "PreemptiveGCDisabled", &layout->mode_at) ||
	    !member(descriptor, "Thread", "Id", &layout->id_at) ||
	    !member(descriptor, "Thread", "OSId", &layout->os_id_at) ||
	    !member(descriptor, "Thread", "LinkNext", &layout->next_at))
		return false;
	layout->exception_at = optional_member(descriptor, "Thread", "ExceptionTracker");
	find_allocation(descriptor, layout);
	reach(layout, (int32_t)layout->state_at);
	reach(layout, (int32_t)layout->mode_at);
	reach(layout, (int32_t)layout->id_at);
	reach(layout, (int32_t)layout->os_id_at);
	reach(layout, (int32_t)layout->next_at);
	reach(layout, layout->exception_at);
	reach(layout, layout->locals_at);
	return true;
}

/* Globals are told by the addresses of the variables that hold them. */
static int find_globals(struct cordbmem_process *process, const struct descriptor *descriptor,
			struct thread_layout *layout)
{
	uint64_t address;
	int err;

	if (!descriptor_global(descriptor, "ThreadStore", &address))
		return ENOTSUP;
	err = raw_read(process, address, &layout->store, sizeof(layout->store));
	if (err)
		return err == EIO ? EPROTO : err;
	if (!layout->store)
		return EAGAIN;
	if (descriptor_global(descriptor, "FinalizerThread", &address))
		err = raw_read(process, address, &layout->finalizer, sizeof(layout->finalizer));
	/* Set for as long as a thread holds all the others up, for a GC or a debugger. */
	if (!descriptor_global(descriptor, "GCThread", &layout->suspender))
		layout->suspender = 0;
	return err == EIO ? EPROTO : err;
}

int threads_find(struct cordbmem_process *process, uint64_t base, struct thread_layout *layout)
{
	struct descriptor *descriptor = NULL;
	int err;

	*layout = (struct thread_layout){ 0 };
	err = find_descriptor(process, base, &descriptor);
	if (!err)
		err = find_members(descriptor, layout) ? 0 : ENOTSUP;
	if (!err)
		err = find_globals(process, descriptor, layout);
	descriptor_free(descriptor);
	return err;
}

uint64_t thread_of_link(const struct thread_layout *layout, uint64_t link)
{
	return link ? link - layout->next_at : 0;
}

void thread_decode(const struct thread_layout *layout, const BYTE *bytes, struct thread *thread)
{
	thread->state = load32(bytes + layout->state_at);
	/* A truth value as a byte's lowest bit; the rest of the word is not its. */
	thread->cooperative = load32(bytes + layout->mode_at) & 1;
	thread->id = load32(bytes + layout->id_at);
	thread->os_id = load64(bytes + layout->os_id_at);
	if (thread->os_id == OS_ID_NONE || thread->os_id == OS_ID_OVER)
		thread->os_id = 0;
	thread->next = thread_of_link(layout, load64(bytes + layout->next_at));
	thread->exception = layout->exception_at >= 0 && load64(bytes + layout->exception_at);
	thread->locals = layout->locals_at >= 0 ? load64(bytes + layout->locals_at) : 0;
}

int threads_walk(struct cordbmem_process *process, const struct thread_layout *layout,
		 struct thread_list *list)
{
	BYTE bytes[THREAD_READ_MAX];
	uint64_t link, address;
	struct thread thread;
	int err;

	list->count = 0;
	err = raw_read(process, layout->store + layout->first_at, &link, sizeof(link));
	for (address = thread_of_link(layout, link); address && !err; address = thread.next) {
		/* A circle has no more members than this either. */
		if (list->count == THREADS_MAX)
			return EPROTO;
		err = raw_read(process, address, bytes, layout->thread_size);
		if (err)
			break;
		thread_decode(layout, bytes, &thread);
		list->at[list->count].address = address;
		list->at[list->count].os_id = thread.os_id;
		list->at[list->count].locals = thread.locals;
		list->at[list->count++].id = thread.id;
	}
	return err == EIO ? EPROTO : err;
}
