// SPDX-License-Identifier: MIT
/*
 * The functions of sampler.h.
 *
 * A sample reads all that is needed at once: the link to the first thread, every Thread that was in the list
 * at the last walk, and where each allocates. If the links in what was read still chain the
 * same threads, that was the list; if not, it is walked anew for the next sample.
 */
#include "sampler.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

/* Pieces of a sample, in this order; where each thread allocates comes last. */
enum { PIECE_FIRST, PIECE_SUSPENDER, PIECE_THREADS };

#define SECOND UINT64_C(1000000000)
#define WALKS 100 /* before there is said to be no list */
#define NAP 1000000

static volatile sig_atomic_t stopped;

static void stop(int signal)
{
	(void)signal;
	stopped = 1;
}

static void catch_signals(void)
{
	struct sigaction action = { .sa_handler = stop };

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static uint64_t now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * SECOND + (uint64_t)time.tv_nsec;
}

static void sleep_until(uint64_t moment)
{
	struct timespec time = {
		.tv_sec = (time_t)(moment / SECOND),
		.tv_nsec = (long)(moment % SECOND),
	};

	while (!stopped && clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, NULL) == EINTR)
		;
}

/* ---- what to read ---- */

static size_t describe(struct sampler *sampler, struct range *ranges)
{
	const struct thread_layout *layout = &sampler->layout;
	const struct thread_list *list = &sampler->list;
	size_t count = PIECE_THREADS;

	ranges[PIECE_FIRST] = (struct range){ layout->store + layout->first_at, sizeof(uint64_t) };
	/* Where it is not published, something that is, which is not looked at. */
	ranges[PIECE_SUSPENDER] = layout->suspender
					  ? (struct range){ layout->suspender, sizeof(uint64_t) }
					  : ranges[PIECE_FIRST];
	for (size_t i = 0; i < list->count; i++)
		ranges[count++] = (struct range){ list->at[i].address, layout->thread_size };
	for (size_t i = 0; i < list->count; i++) {
		sampler->allocations[i] = 0;
		if (!list->at[i].locals)
			continue;
		sampler->allocations[i] = count;
		ranges[count++] = (struct range){ list->at[i].locals + layout->allocation_at,
						  sizeof(uint64_t) };
	}
	sampler->bytes = 0;
	for (size_t i = 0; i < count; i++)
		sampler->bytes += ranges[i].size;
	sampler->ranges = count;
	return count;
}

static int walk(struct sampler *sampler)
{
	static struct range ranges[PIECE_THREADS + 2 * THREADS_MAX];
	struct thread_list *list = &sampler->list;
	size_t known = sampler->tally->count, count;
	int err = threads_walk(sampler->process, &sampler->layout, list);

	/* A list of none never chains, so the next sample asks again. */
	if (err)
		list->count = 0;
	for (size_t i = 0; i < list->count; i++)
		sampler->rows[i] =
			tally_row(sampler->tally, list->at[i].address, list->at[i].id, now());
	for (size_t i = 0; i < list->count; i++)
		if (sampler->rows[i] != SIZE_MAX && sampler->rows[i] >= known) {
			sampler->tally->rows[sampler->rows[i]].os_id = list->at[i].os_id;
			tally_ask(sampler->tally, sampler->rows[i], sampler->pid, false);
		}
	count = describe(sampler, ranges);
	for (size_t i = 0; i < sampler->door_count; i++)
		if (!door_describe(&sampler->doors[i].door, ranges, count))
			return ENOMEM;
	return err;
}

static int first_walk(struct sampler *sampler)
{
	int err = 0;

	for (int i = 0; i < WALKS; i++) {
		err = walk(sampler);
		if (err != EPROTO || stopped)
			break;
		sleep_until(now() + NAP);
	}
	return err;
}

/* ---- what was read ---- */

static uint64_t word(const struct door *door, size_t piece)
{
	uint64_t value;

	__builtin_memcpy(&value, door->pieces[piece].bytes, sizeof(value));
	return value;
}

static void decode(const struct sampler *sampler, const struct door *door, size_t i,
		   struct thread *thread)
{
	thread_decode(&sampler->layout, door->pieces[PIECE_THREADS + i].bytes, thread);
}

/* Is what was read the list of threads, as it was at the last walk? */
static bool chains(const struct sampler *sampler, const struct door *door)
{
	const struct thread_list *list = &sampler->list;
	uint64_t expected = thread_of_link(&sampler->layout, word(door, PIECE_FIRST));

	if (!door->pieces[PIECE_FIRST].whole || !list->count)
		return false;
	for (size_t i = 0; i < list->count; i++) {
		struct thread thread;

		if (list->at[i].address != expected || !door->pieces[PIECE_THREADS + i].whole)
			return false;
		decode(sampler, door, i, &thread);
		if (thread.id != list->at[i].id || thread.locals != list->at[i].locals)
			return false;
		expected = thread.next;
	}
	return !expected;
}

static void take(struct sampler *sampler, const struct door *door)
{
	bool suspended = sampler->layout.suspender && door->pieces[PIECE_SUSPENDER].whole &&
			 word(door, PIECE_SUSPENDER);

	sampler->samples++;
	sampler->suspended += suspended;
	sampler->suspensions += suspended && !sampler->was_suspended;
	sampler->was_suspended = suspended;
	for (size_t i = 0; i < sampler->list.count; i++) {
		size_t piece = sampler->allocations[i];
		struct thread thread;
		uint64_t allocation;
		bool known = piece && door->pieces[piece].whole;

		if (sampler->rows[i] == SIZE_MAX)
			continue;
		if (known)
			allocation = word(door, piece);
		decode(sampler, door, i, &thread);
		tally_add(sampler->tally, sampler->rows[i], &thread, known ? &allocation : NULL);
	}
}

/* Windows that showed the past would show other things than system calls do. */
static void compare(struct sampler *sampler, struct sampler_door *other)
{
	const struct door *first = &sampler->doors[0].door;

	if (!chains(sampler, &other->door))
		return;
	for (size_t i = 0; i < sampler->list.count; i++) {
		struct thread a, b;

		decode(sampler, first, i, &a);
		decode(sampler, &other->door, i, &b);
		other->compared++;
		other->same += activity_of(&a) == activity_of(&b);
	}
}

static int sample(struct sampler *sampler, uint64_t turn)
{
	/* None is always the one that finds cold caches. */
	for (size_t i = 0; i < sampler->door_count; i++) {
		struct sampler_door *door = &sampler->doors[(turn + i) % sampler->door_count];
		uint64_t before = cost_clock();
		int err = door_read(&door->door);

		if (err)
			return err;
		cost_add(&door->cost, before, cost_clock());
	}
	if (!chains(sampler, &sampler->doors[0].door)) {
		int err = walk(sampler);

		sampler->restless++;
		return err == EPROTO ? 0 : err;
	}
	take(sampler, &sampler->doors[0].door);
	for (size_t i = 1; i < sampler->door_count; i++)
		compare(sampler, &sampler->doors[i]);
	return 0;
}

int sampler_run(struct sampler *sampler)
{
	const uint64_t period = SECOND / (uint64_t)sampler->rate;
	uint64_t begin, next, end;
	int err;

	catch_signals();
	err = first_walk(sampler);
	begin = next = now();
	end = begin + (uint64_t)sampler->seconds * SECOND;
	for (uint64_t turn = 0; !err && !stopped; turn++) {
		uint64_t late;

		err = sample(sampler, turn);
		next += period;
		late = now();
		if (late > next) {
			uint64_t passed = (late - next) / period + 1;

			sampler->missed += passed;
			next += passed * period;
		}
		if (next >= end)
			break;
		sleep_until(next);
	}
	sampler->ended_at = now();
	sampler->elapsed = sampler->ended_at - begin;
	for (size_t i = 0; i < sampler->tally->count; i++)
		tally_ask(sampler->tally, i, sampler->pid, true);
	sampler->gone = !cordbmem_process_is_alive(sampler->process);
	if (sampler->gone)
		return 0;
	return !err && !sampler->samples && !stopped ? EPROTO : err;
}
