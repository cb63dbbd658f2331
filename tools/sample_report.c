// SPDX-License-Identifier: MIT
/*
 * The functions of sample_report.h.
 */
#include "sample_report.h"

#include <inttypes.h>
#include <string.h>

#include "out.h"
#include "text.h"

static const char *const activity_names[ACTIVITIES] = {
	[ACTIVITY_MANAGED] = "managed",
	[ACTIVITY_WAITING] = "waiting",
	[ACTIVITY_SUSPENDED] = "suspended",
	[ACTIVITY_NATIVE] = "native",
};

static const char *kind_of(const struct sampler *sampler, const struct tally_row *row)
{
	if (!row->seen)
		return row->unstarted ? "unstarted" : "dead";
	if (row->address == sampler->layout.finalizer)
		return "finalizer";
	if (row->os_id == (uint64_t)sampler->pid)
		return "main";
	if (row->state & THREAD_POOL_WORKER)
		return "pool";
	return row->state & THREAD_BACKGROUND ? "background" : "foreground";
}

static double percent(uint64_t part, uint64_t whole)
{
	return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* ---- text ---- */

/* As wide as the heading of its column. */
static void put_share(const char *heading, bool known, uint64_t part, uint64_t whole)
{
	int width = (int)strlen(heading);

	if (known && whole)
		out_format("%*.1f", width, percent(part, whole));
	else
		out_format("%*s", width, "-");
}

static const char *const activity_headings[ACTIVITIES] = {
	[ACTIVITY_MANAGED] = "  managed%",
	[ACTIVITY_WAITING] = "  waiting%",
	[ACTIVITY_SUSPENDED] = "  suspended%",
	[ACTIVITY_NATIVE] = "  native%",
};

#define ALLOC_HEADING "  alloc%"
#define THROW_HEADING "  throw%"
#define CPU_HEADING "   cpu%"

static void put_row(const struct sampler *sampler, const struct tally_row *row)
{
	size_t length = strlen(row->name);

	out_format("%4" PRIu32 "  ", row->id);
	if (row->os_id)
		out_format("%7" PRIu64 "  ", row->os_id);
	else
		out_format("%7s  ", "-");
	text_put(row->name, length);
	out_format("%*s  %-10s", length < 15 ? 15 - (int)length : 0, "", kind_of(sampler, row));
	for (int i = 0; i < ACTIVITIES; i++)
		put_share(activity_headings[i], true, row->activities[i], row->seen);
	put_share(ALLOC_HEADING, true, row->allocating, row->steps);
	put_share(THROW_HEADING, sampler->layout.exception_at >= 0, row->exceptions, row->seen);
	put_share(CPU_HEADING, row->has_cpu, row->cpu, sampler->ended_at - row->made_at);
	out_format("%9" PRIu64 "\n", row->seen);
}

static void put_threads(const struct sampler *sampler)
{
	out_text("\n  id    os id  name             kind      ");
	for (int i = 0; i < ACTIVITIES; i++)
		out_text(activity_headings[i]);
	out_text(ALLOC_HEADING THROW_HEADING CPU_HEADING "  samples\n");
	for (size_t i = 0; i < sampler->tally->count; i++)
		put_row(sampler, &sampler->tally->rows[i]);
	if (sampler->tally->full)
		out_text("and others: there were too many to count them\n");
}

static void put_windows(const struct sampler *sampler)
{
	struct cordbmem_window_stats stats = { .size = sizeof(stats) };
	const struct door *door = &sampler->doors[0].door;

	if (door->kind != DOOR_WINDOW ||
	    cordbmem_process_window_stats(door->process, &stats) != S_OK)
		return;
	out_format("%" PRIu64 " pages of the process are mapped, in %" PRIu64
		   " windows; it replaced %" PRIu64 " meanwhile\n",
		   stats.pages, stats.windows, stats.invalidated);
}

static void put_costs(const struct sample_report *report, struct sampler *sampler)
{
	out_format("\ncost of a sample: %-17s     median       mean      least   same\n",
		   report->instructions ? "instructions" : "CPU time in ns");
	for (size_t i = 0; i < sampler->door_count; i++) {
		struct sampler_door *door = &sampler->doors[i];

		out_format("  %-32s %10" PRIu64 " %10" PRIu64 " %10" PRIu64,
			   door_name(door->door.kind), cost_median(&door->cost),
			   cost_mean(&door->cost), door->cost.least);
		if (door->compared)
			out_format(" %6.1f", percent(door->same, door->compared));
		out_text("\n");
	}
	for (int i = 0; i < DOOR_KINDS; i++)
		if (report->missing[i][0])
			out_format("  %-32s %s\n", door_name((enum door_kind)i),
				   report->missing[i]);
	put_windows(sampler);
}

static void put_table(const struct sample_report *report, struct sampler *sampler)
{
	out_format("process %d: ", sampler->pid);
	runtime_put(&report->runtime, report->debugger);
	out_format("\n%" PRIu64 " samples in %.1f s, %d a second; %" PRIu64 " missed, %" PRIu64
		   " dropped; each %zu ranges, %zu bytes\n",
		   sampler->samples, (double)sampler->elapsed * 1e-9, sampler->rate,
		   sampler->missed, sampler->restless, sampler->ranges, sampler->bytes);
	if (sampler->layout.suspender)
		out_format("the runtime was suspended in %.1f %% of them, %" PRIu64 " times\n",
			   percent(sampler->suspended, sampler->samples), sampler->suspensions);
	put_threads(sampler);
	put_costs(report, sampler);
}

/* ---- JSON ---- */

static void put_json_count(const char *name, bool known, uint64_t count)
{
	if (known)
		out_format(",\"%s\":%" PRIu64, name, count);
	else
		out_format(",\"%s\":null", name);
}

static void put_json_row(const struct sampler *sampler, const struct tally_row *row)
{
	out_format("{\"id\":%" PRIu32, row->id);
	put_json_count("os_id", row->os_id, row->os_id);
	out_text(",\"name\":");
	text_put_json(row->name[0] ? row->name : NULL);
	out_format(",\"kind\":\"%s\",\"samples\":%" PRIu64, kind_of(sampler, row), row->seen);
	for (int i = 0; i < ACTIVITIES; i++)
		put_json_count(activity_names[i], true, row->activities[i]);
	put_json_count("allocating", row->steps, row->allocating);
	put_json_count("allocating_of", row->steps, row->steps);
	put_json_count("exception", sampler->layout.exception_at >= 0, row->exceptions);
	put_json_count("cpu_ns", row->has_cpu, row->cpu);
	out_text("}");
}

static void put_json_doors(const struct sample_report *report, struct sampler *sampler)
{
	out_format(",\"unit\":\"%s\",\"doors\":[", report->instructions ? "instructions" : "ns");
	for (size_t i = 0; i < sampler->door_count; i++) {
		struct sampler_door *door = &sampler->doors[i];

		out_format("%s{\"door\":\"%s\",\"reads\":%" PRIu64 ",\"median\":%" PRIu64
			   ",\"mean\":%" PRIu64 ",\"least\":%" PRIu64,
			   i ? "," : "", door_name(door->door.kind), door->cost.count,
			   cost_median(&door->cost), cost_mean(&door->cost), door->cost.least);
		put_json_count("compared", true, door->compared);
		put_json_count("same", true, door->same);
		out_text("}");
	}
	out_text("],\"missing\":[");
	for (int i = 0, some = 0; i < DOOR_KINDS; i++) {
		if (!report->missing[i][0])
			continue;
		out_format("%s{\"door\":\"%s\",\"why\":", some++ ? "," : "",
			   door_name((enum door_kind)i));
		text_put_json(report->missing[i]);
		out_text("}");
	}
	out_text("]");
}

static void put_document(const struct sample_report *report, struct sampler *sampler)
{
	out_format("{\"pid\":%d,\"runtime\":{\"path\":", sampler->pid);
	text_put_json(report->runtime.path);
	out_text(",\"version\":");
	text_put_json(report->runtime.version[0] ? report->runtime.version : NULL);
	out_format(",\"base\":\"0x%" PRIx64 "\"},\"rate\":%d,\"elapsed_ns\":%" PRIu64,
		   report->runtime.base, sampler->rate, sampler->elapsed);
	put_json_count("samples", true, sampler->samples);
	put_json_count("missed", true, sampler->missed);
	put_json_count("dropped", true, sampler->restless);
	put_json_count("ranges", true, sampler->ranges);
	put_json_count("bytes", true, sampler->bytes);
	put_json_count("suspended", sampler->layout.suspender, sampler->suspended);
	put_json_count("suspensions", sampler->layout.suspender, sampler->suspensions);
	out_text(",\"threads\":[");
	for (size_t i = 0; i < sampler->tally->count; i++) {
		out_text(i ? "," : "");
		put_json_row(sampler, &sampler->tally->rows[i]);
	}
	out_format("],\"left_out\":%s", sampler->tally->full ? "true" : "false");
	put_json_doors(report, sampler);
	out_text("}\n");
}

void sample_report(const struct sample_report *report, struct sampler *sampler)
{
	tally_sort(sampler->tally);
	if (report->json)
		put_document(report, sampler);
	else
		put_table(report, sampler);
}
