// SPDX-License-Identifier: MIT
/*
 * Reasons: why an open was refused, why a range cannot be read.
 */
#include "internal.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "checks.h"

#define PAGE 4096U

HRESULT explain_absence(struct cordbmem_error *error, pid_t pid)
{
	struct cordbmem_check check;
	struct facts facts;

	facts_gather(&facts, pid);
	for (const check_fn *list = presence_checks; *list; list++) {
		(*list)(&facts, pid, &check);
		if (check.status != CORDBMEM_STATUS_OK)
			return error_set(error, CORDBG_E_PROCESS_TERMINATED, ESRCH, check.reason,
					 "%s", check.text);
	}
	return error_set(error, CORDBG_E_PROCESS_TERMINATED, ESRCH, CORDBMEM_REASON_PID_NAMESPACE,
			 "process %d exists, but not in the pid namespace in which "
			 "the module was loaded, or its memory is just going away",
			 pid);
}

HRESULT explain_refusal(struct cordbmem_error *error, pid_t pid, int sys_errno,
			enum cordbmem_backend backend)
{
	struct cordbmem_check check, likely = { 0 };
	struct facts facts;

	facts_gather(&facts, pid);
	if (!facts.visible)
		return error_set(error, E_ACCESSDENIED, sys_errno, CORDBMEM_REASON_REFUSED,
				 "the kernel refuses process %d; why cannot be seen "
				 "without a /proc/%d",
				 pid, pid);
	for (const check_fn *list = access_checks; *list; list++) {
		(*list)(&facts, pid, &check);
		if (check.status == CORDBMEM_STATUS_FAIL)
			return error_set(error, E_ACCESSDENIED, sys_errno, check.reason, "%s",
					 check.text);
		/* A warning is a guess: good when nothing fails for sure. */
		if (check.status == CORDBMEM_STATUS_WARN && !likely.name)
			likely = check;
	}
	if (likely.name)
		return error_set(error, E_ACCESSDENIED, sys_errno, likely.reason, "%s",
				 likely.text);
	return error_set(
		error, E_ACCESSDENIED, sys_errno, CORDBMEM_REASON_REFUSED,
		"the kernel refuses process %d, and neither ids, "
		"capabilities, dumpable nor Yama say why; a security "
		"module%s does (active: %s), or a capability is missing in "
		"the user namespace of the process",
		pid, backend == CORDBMEM_BACKEND_PORTABLE ? " or the mode of /proc/PID/mem" : "",
		facts.lsm[0] ? facts.lsm : "not visible");
}

static HRESULT explain_gone(const struct cordbmem_process *process, struct cordbmem_error *error)
{
	enum fact memory = facts_has_memory(process->pid);
	uint64_t start = facts_start_time(process->pid);

	if (!process->start_time || (start == process->start_time && memory == FACT_UNKNOWN))
		return error_set(error, CORDBG_E_OBJECT_NEUTERED, ESRCH, CORDBMEM_REASON_GONE,
				 "process %d exited or called execve", process->pid);
	/*
	 * Start time and pid together name a process for good. One that is just exiting is
	 * still there too, but has no memory any more.
	 */
	if (start == process->start_time && memory == FACT_YES)
		return error_set(error, CORDBG_E_OBJECT_NEUTERED, ESRCH, CORDBMEM_REASON_EXECED,
				 "process %d called execve: it runs another program "
				 "now, with new memory; open it again to read that",
				 process->pid);
	return error_set(error, CORDBG_E_OBJECT_NEUTERED, ESRCH, CORDBMEM_REASON_EXITED,
			 "process %d exited%s", process->pid,
			 start && start != process->start_time
				 ? ", and another process has its pid now"
				 : "");
}

/* A line of /proc/PID/maps. */
struct mapping {
	uint64_t start;
	uint64_t end;
	char mode[5];
	char path[96];
};

static void mapping_text(const struct mapping *mapping, char *text, size_t size)
{
	snprintf(text, size, "%" PRIx64 "-%" PRIx64 " %s%s%s", mapping->start, mapping->end,
		 mapping->mode, mapping->path[0] ? " " : "", mapping->path);
}

/*
 * The mapping that holds the address, or the ones around it. *below and *above
 * have end 0 where there is none. False when the maps cannot be read.
 */
static bool find_mapping(pid_t pid, uint64_t address, struct mapping *below, struct mapping *above)
{
	size_t capacity = 0;
	char path[32], *line = NULL;
	FILE *maps;

	memset(below, 0, sizeof(*below));
	memset(above, 0, sizeof(*above));
	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return false;
	while (!above->end && getline(&line, &capacity, maps) > 0) {
		struct mapping mapping = { 0 };

		if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*s %*u %95[^\n]", &mapping.start,
			   &mapping.end, mapping.mode, mapping.path) < 3)
			continue;
		if (mapping.start > address)
			*above = mapping;
		else
			*below = mapping;
	}
	free(line);
	fclose(maps);
	return true;
}

static void explain_hole(const struct cordbmem_process *process, uint64_t address,
			 uint64_t readable, struct cordbmem_error *error)
{
	HRESULT hr = readable ? CORDBMEM_E_PARTIAL_COPY : CORDBG_E_READVIRTUAL_FAILURE;
	char low[140] = "the start", high[140] = "the end";
	struct mapping below, above;

	error->address = address;
	if (address >= ADDRESS_END) {
		error_set(error, hr, EIO, CORDBMEM_REASON_HOLE,
			  "0x%" PRIx64 " is outside user space", address);
		return;
	}
	if (!find_mapping(process->pid, address, &below, &above)) {
		error_set(error, hr, EIO, CORDBMEM_REASON_UNREADABLE,
			  "0x%" PRIx64 " cannot be read (after %" PRIu64 " bytes that can)",
			  address, readable);
		return;
	}
	if (below.end)
		mapping_text(&below, low, sizeof(low));
	if (above.end)
		mapping_text(&above, high, sizeof(high));
	if (below.end <= address)
		error_set(error, hr, EIO, CORDBMEM_REASON_HOLE,
			  "nothing is mapped at 0x%" PRIx64 ", between %s and %s", address, low,
			  high);
	else if (process->flags & CORDBMEM_OPEN_NOFAULT)
		error_set(error, hr, EIO, CORDBMEM_REASON_UNREADABLE,
			  "0x%" PRIx64 " is mapped (%s) but not resident, or not "
			  "ordinary memory; without NOFAULT it may be readable",
			  address, low);
	else
		error_set(error, hr, EIO, CORDBMEM_REASON_UNREADABLE,
			  "0x%" PRIx64 " is mapped (%s) but cannot be read: %s", address, low,
			  below.mode[0] != 'r' && process->flags & CORDBMEM_OPEN_NO_FORCE
				  ? "it is not readable for the process itself, and "
				    "forced reads are off"
				  : "it lies past the end of its file, or is device "
				    "or secret memory");
}

/* Bytes that can be read from the address on; *err says what ended them. */
static uint64_t probe(struct cordbmem_process *process, uint64_t address, uint64_t size, int *err)
{
	uint64_t done = 0;

	*err = 0;
	while (done < size) {
		size_t got;
		BYTE byte;

		*err = read_raw(process, address + done, &byte, 1, &got);
		if (*err)
			break;
		done += PAGE - (address + done) % PAGE;
		if (address + done == 0)
			break;
	}
	return done < size ? done : size;
}

HRESULT cordbmem_process_explain(struct cordbmem_process *process, CORDB_ADDRESS address,
				 SIZE_T size, struct cordbmem_error *error)
{
	struct cordbmem_error why = CORDBMEM_ERROR_INIT;
	uint64_t readable;
	int err = 0;

	if (!process || !error || error->size < sizeof(*error))
		return E_INVALIDARG;
	if (!size)
		size = 1;

	if (process_usable(process)) {
		readable = probe(process, address, size, &err);
		if (!err) {
			error_set(&why, S_OK, 0, CORDBMEM_REASON_NONE,
				  "all %" PRIu64 " bytes can be read", readable);
			goto out;
		}
		if (err == EIO) {
			explain_hole(process, address + readable, readable, &why);
			goto out;
		}
		if (err == ESRCH)
			process_notice_gone(process);
		else if (err == EPERM && process_usable(process)) {
			error_set(&why, E_ACCESSDENIED, err, CORDBMEM_REASON_UNSUPPORTED,
				  "forced reads were switched off (allow_force) after this "
				  "handle was opened for them; open the process again");
			goto out;
		} else if (process_usable(process)) {
			error_system(&why, err, "reading the process");
			goto out;
		}
	}
	if (process_state(process) == STATE_CLOSED)
		error_set(&why, CORDBG_E_OBJECT_NEUTERED, 0, CORDBMEM_REASON_CLOSED,
			  "the handle was closed");
	else
		explain_gone(process, &why);
out:
	error_report(error, &why);
	return S_OK;
}
