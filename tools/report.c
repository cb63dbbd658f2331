// SPDX-License-Identifier: MIT
/*
 * Managed breakpoints as a table or as JSON, and the lines that tell of changes.
 */
#include "report.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "out.h"
#include "text.h"

static const char *kind_name(uint32_t kind)
{
	static const char *const names[] = {
		[CORDBMEM_BREAKPOINT_UNKNOWN] = "unknown",
		[CORDBMEM_BREAKPOINT_IL_PRIMARY] = "il-primary",
		[CORDBMEM_BREAKPOINT_IL_REPLICA] = "il-replica",
		[CORDBMEM_BREAKPOINT_NATIVE_MANAGED] = "native-managed",
		[CORDBMEM_BREAKPOINT_NATIVE_UNMANAGED] = "native-unmanaged",
	};

	return names[kind < sizeof(names) / sizeof(names[0]) ? kind : CORDBMEM_BREAKPOINT_UNKNOWN];
}

static void put_time(void)
{
	struct timespec now;
	struct tm utc;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	out_format("%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", utc.tm_year + 1900, utc.tm_mon + 1,
		   utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec, now.tv_nsec / 1000000);
}

/* ---- text ---- */

static void put_path(const struct mark *mark)
{
	const char *path = mark_path(mark);

	if (path && *path)
		text_put(path, strlen(path));
	else if (path)
		out_format("(no file, Module 0x%" PRIx64 ")", mark->at.module);
	else if (mark->at.module)
		out_format("(Module 0x%" PRIx64 ")", mark->at.module);
	else
		out_text("-");
}

static void put_row(const struct mark *mark)
{
	const struct cordbmem_breakpoint *at = &mark->at;

	out_format("%016" PRIx64 "  %02x        %02x      ", at->address, at->original,
		   at->in_memory);
	if (at->method)
		out_format("0x%08" PRIx32, at->method);
	else
		out_format("%-10s", "-");
	out_format("  %-16s  ", kind_name(at->kind));
	put_path(mark);
	out_text("\n");
}

static void put_table(const struct report *report, const struct snapshot *snapshot)
{
	out_format("process %d: ", report->pid);
	runtime_put(&report->runtime, snapshot->debugger);
	if (snapshot->count)
		out_format(", %zu managed breakpoint%s set\n", snapshot->count,
			   snapshot->count == 1 ? " is" : "s are");
	else
		out_text(", no managed breakpoint is set\n");
	if (snapshot->count)
		out_text("\naddress           original  memory  method      kind              "
			 "module\n");
	for (size_t i = 0; i < snapshot->count; i++)
		put_row(&snapshot->list[i]);
	if (report->live)
		out_text("\n");
}

/* ---- JSON ---- */

/* Addresses are strings, for many a reader of JSON has no integers beyond 53 bits. */
static void put_members(const struct mark *mark)
{
	const struct cordbmem_breakpoint *at = &mark->at;

	out_format("\"address\":\"0x%" PRIx64
		   "\",\"original\":\"0x%02x\",\"in_memory\":\"0x%02x\",",
		   at->address, at->original, at->in_memory);
	if (at->method)
		out_format("\"method\":\"0x%08" PRIx32 "\",", at->method);
	else
		out_text("\"method\":null,");
	out_format("\"kind\":\"%s\",", kind_name(at->kind));
	if (at->module)
		out_format("\"module\":\"0x%" PRIx64 "\",\"path\":", at->module);
	else
		out_text("\"module\":null,\"path\":");
	text_put_json(mark_path(mark));
}

/* {"event":...,"time":...; the caller goes on. */
static void put_event(const char *event)
{
	out_format("{\"event\":\"%s\",\"time\":\"", event);
	put_time();
	out_text("\"");
}

static void put_document(const struct report *report, const struct snapshot *snapshot)
{
	static const char *const attached[] = {
		[DEBUGGER_NONE] = "false",
		[DEBUGGER_ATTACHED] = "true",
		[DEBUGGER_UNKNOWN] = "null",
	};
	const struct cordbmem_coreclr *runtime = &report->runtime;

	if (report->live) {
		put_event("list");
		out_text(",");
	} else {
		out_text("{");
	}
	out_format("\"pid\":%d,\"runtime\":{\"path\":", report->pid);
	text_put_json(runtime->path);
	out_text(",\"version\":");
	text_put_json(runtime->version[0] ? runtime->version : NULL);
	out_format(",\"base\":\"0x%" PRIx64 "\",\"patch_table\":\"0x%" PRIx64 "\"}", runtime->base,
		   runtime->patch_table);
	out_format(",\"debugger_attached\":%s,\"count\":%zu,\"breakpoints\":[",
		   attached[snapshot->debugger], snapshot->count);
	for (size_t i = 0; i < snapshot->count; i++) {
		out_text(i ? ",{" : "{");
		put_members(&snapshot->list[i]);
		out_text("}");
	}
	out_text("]}\n");
}

/* ---- either ---- */

void report_list(const struct report *report, const struct snapshot *snapshot)
{
	if (report->json)
		put_document(report, snapshot);
	else
		put_table(report, snapshot);
}

void report_change(const struct report *report, const struct mark *mark, bool set)
{
	if (report->json) {
		put_event(set ? "set" : "cleared");
		out_text(",");
		put_members(mark);
		out_text("}\n");
		return;
	}
	put_time();
	out_text(set ? " + " : " - ");
	put_row(mark);
}

void report_debugger(const struct report *report, enum debugger debugger)
{
	bool attached = debugger == DEBUGGER_ATTACHED;

	if (report->json) {
		put_event(attached ? "attached" : "detached");
		out_text("}\n");
		return;
	}
	put_time();
	out_format(" * %s\n", attached ? "a debugger attached" : "the debugger detached");
}

void report_gone(const struct report *report)
{
	if (!report->json)
		return;
	put_event("gone");
	out_text("}\n");
}
