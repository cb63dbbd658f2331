// SPDX-License-Identifier: MIT
/*
 * The .NET runtime of a process, as the verbs look for it and speak of it.
 */
#include "runtime.h"

#include <inttypes.h>
#include <string.h>

#include "out.h"
#include "text.h"
#include "tool.h"

int runtime_find(struct cordbmem_process *process, struct cordbmem_coreclr *runtime)
{
	struct cordbmem_error error = CORDBMEM_ERROR_INIT;
	int code;

	if (SUCCEEDED(cordbmem_process_find_coreclr(process, 0, runtime, &error)))
		return EXIT_OK;
	code = exit_code_of(error.reason);
	if (code == EXIT_GONE)
		return fail_gone(cordbmem_process_pid(process));
	return fail(code == EXIT_OK ? EXIT_FAILED : code, "%s", error.text);
}

enum debugger runtime_debugger(struct cordbmem_process *process)
{
	int attached;

	if (cordbmem_process_debugger_attached(process, &attached) != S_OK)
		return DEBUGGER_UNKNOWN;
	return attached ? DEBUGGER_ATTACHED : DEBUGGER_NONE;
}

void runtime_put(const struct cordbmem_coreclr *runtime, enum debugger debugger)
{
	static const char *const words[] = {
		[DEBUGGER_NONE] = "no debugger is attached",
		[DEBUGGER_ATTACHED] = "a debugger is attached",
		[DEBUGGER_UNKNOWN] = "whether a debugger is attached is not known",
	};

	out_text("CoreCLR ");
	if (runtime->version[0])
		text_put(runtime->version, strlen(runtime->version));
	else
		out_text("of unknown version");
	out_text(" (");
	if (runtime->path[0])
		text_put(runtime->path, strlen(runtime->path));
	else
		out_format("at 0x%" PRIx64, runtime->base);
	out_format("), %s", words[debugger]);
}
