// SPDX-License-Identifier: MIT
/*
 * The functions of tally.h.
 */
#include "tally.h"

#include <stdlib.h>

#define FIRST_CAPACITY 64

enum activity activity_of(const struct thread *thread)
{
	if (thread->state & (THREAD_UNSTARTED | THREAD_DEAD))
		return ACTIVITY_NONE;
	if (thread->cooperative)
		return ACTIVITY_MANAGED;
	if (thread->state & (THREAD_TRAPPED | THREAD_DEBUG_SUSPENDED))
		return ACTIVITY_SUSPENDED;
	return thread->state & THREAD_WAITING ? ACTIVITY_WAITING : ACTIVITY_NATIVE;
}

/* Where a row's number is, or goes: there are twice as many places as rows. */
static uint32_t *place_of(struct tally *tally, uint64_t address, uint32_t id)
{
	const size_t places = sizeof(tally->index) / sizeof(tally->index[0]);
	size_t at = (size_t)(((address ^ id) * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % places;

	while (tally->index[at]) {
		const struct tally_row *row = &tally->rows[tally->index[at] - 1];

		if (row->address == address && row->id == id)
			break;
		at = (at + 1) % places;
	}
	return &tally->index[at];
}

size_t tally_row(struct tally *tally, uint64_t address, uint32_t id, uint64_t now)
{
	uint32_t *place = place_of(tally, address, id);

	if (*place)
		return *place - 1;
	if (tally->count == tally->capacity) {
		size_t capacity = tally->capacity ? 2 * tally->capacity : FIRST_CAPACITY;
		struct tally_row *rows = NULL;

		if (capacity <= TALLY_ROWS_MAX)
			rows = realloc(tally->rows, capacity * sizeof(*rows));
		if (!rows) {
			tally->full = true;
			return SIZE_MAX;
		}
		tally->rows = rows;
		tally->capacity = capacity;
	}
	tally->rows[tally->count] = (struct tally_row){
		.address = address,
		.id = id,
		.made_at = now,
	};
	*place = (uint32_t)++tally->count;
	return tally->count - 1;
}

void tally_add(struct tally *tally, size_t number, const struct thread *thread,
	       const uint64_t *allocation)
{
	struct tally_row *row = &tally->rows[number];
	enum activity activity = activity_of(thread);

	row->state |= thread->state;
	row->unstarted = thread->state & THREAD_UNSTARTED;
	if (thread->os_id)
		row->os_id = thread->os_id;
	if (activity == ACTIVITY_NONE)
		return;
	row->seen++;
	row->activities[activity]++;
	row->exceptions += thread->exception;
	if (allocation && row->has_allocation) {
		row->steps++;
		row->allocating += *allocation != row->allocation;
	}
	row->has_allocation = allocation;
	row->allocation = allocation ? *allocation : 0;
}

void tally_ask(struct tally *tally, size_t number, pid_t pid, bool end)
{
	struct tally_row *row = &tally->rows[number];
	uint64_t cpu = 0;
	bool known;

	if (!row->os_id)
		return;
	/* A thread gets its name after it has started. */
	task_name(pid, row->os_id, row->name);
	known = task_cpu(pid, row->os_id, &cpu);
	if (end) {
		/* Less than before is another thread's, of the same number. */
		row->has_cpu = row->has_cpu && known && cpu >= row->cpu_before;
		row->cpu = cpu - row->cpu_before;
	} else {
		row->has_cpu = known;
		row->cpu_before = cpu;
	}
}

static int compare(const void *a, const void *b)
{
	const struct tally_row *left = a, *right = b;

	if (left->id != right->id)
		return left->id < right->id ? -1 : 1;
	return left->made_at < right->made_at ? -1 : left->made_at > right->made_at;
}

void tally_sort(struct tally *tally)
{
	if (tally->count)
		qsort(tally->rows, tally->count, sizeof(tally->rows[0]), compare);
}

void tally_free(struct tally *tally)
{
	free(tally->rows);
	free(tally);
}
