// SPDX-License-Identifier: MIT
/*
 * The diagnosis: every check, then the truth.
 */
#include "internal.h"

#include <string.h>

#include <linux/cordbmem.h>
#include <unistd.h>

#include "checks.h"

static void report_device(const struct cordbmem_options *options, cordbmem_check_fn report,
			  void *context)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_check check;
	struct cordbmem_info info;
	HRESULT hr;
	int fd;

	hr = module_device(options->device_fd, &fd, &info, &error);
	if (error.reason == CORDBMEM_REASON_NODE_PERMISSION) {
		check_set(&check, "module", CORDBMEM_STATUS_OK, CORDBMEM_REASON_NO_MODULE,
			  "the kernel module is loaded");
		report(context, &check);
		check_set(&check, "node", CORDBMEM_STATUS_FAIL, error.reason, "%s", error.text);
		report(context, &check);
		return;
	}
	if (FAILED(hr)) {
		check_set(&check, "module", CORDBMEM_STATUS_FAIL, error.reason, "%s", error.text);
		report(context, &check);
		return;
	}
	check_set(&check, "module", CORDBMEM_STATUS_OK, CORDBMEM_REASON_NO_MODULE,
		  "the kernel module is loaded (ABI %u, forced reads %s, no-fault "
		  "reads %s)",
		  info.abi, info.features & CORDBMEM_FEATURE_FORCE ? "allowed" : "switched off",
		  info.features & CORDBMEM_FEATURE_NOFAULT ? "available" : "not available");
	report(context, &check);
	check_set(&check, "node", CORDBMEM_STATUS_OK, CORDBMEM_REASON_NODE_PERMISSION,
		  CORDBMEM_DEVICE " can be opened");
	report(context, &check);
	if (options->device_fd < 0)
		close(fd);
}

static void report_list(const check_fn *list, const struct facts *facts, pid_t pid,
			cordbmem_check_fn report, void *context)
{
	for (; *list; list++) {
		struct cordbmem_check check;

		(*list)(facts, pid, &check);
		report(context, &check);
		/* Without a process that can be seen the rest means nothing. */
		if (!facts->visible)
			break;
	}
}

HRESULT cordbmem_diagnose(pid_t pid, const struct cordbmem_options *options,
			  cordbmem_check_fn report, void *context)
{
	static const struct cordbmem_options defaults = CORDBMEM_OPTIONS_INIT;
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	struct cordbmem_process *process;
	struct cordbmem_check check;
	struct facts facts;
	HRESULT hr;

	if (!options)
		options = &defaults;
	if (!report || pid <= 0 || options->size < sizeof(*options))
		return E_INVALIDARG;

	if (options->backend == CORDBMEM_BACKEND_MODULE)
		report_device(options, report, context);
	facts_gather(&facts, pid);
	report_list(presence_checks, &facts, pid, report, context);
	if (facts.visible && facts.image == FACT_YES)
		report_list(access_checks, &facts, pid, report, context);

	hr = cordbmem_process_open(pid, options, &process, &error);
	if (SUCCEEDED(hr))
		check_set(&check, "open", CORDBMEM_STATUS_OK, CORDBMEM_REASON_NONE,
			  "process %d can be opened, its memory can be read", pid);
	else
		check_set(&check, "open", CORDBMEM_STATUS_FAIL, error.reason, "%s", error.text);
	cordbmem_process_free(process);
	report(context, &check);
	return hr;
}
