// SPDX-License-Identifier: MIT
/*
 * Breakpoints come and go while ours reads at full speed: nothing but original code is seen, and the
 * debuggee keeps its pace.
 *
 * From the environment: CORDBMEM_TOGGLE_SECONDS (10) of reading; CORDBMEM_READERS (2), threads;
 * CORDBMEM_SLOWDOWN, the percentage by which the debuggee's work per second of its processor time
 * must not fall through being read (not checked by default: it needs a quiet machine, or a
 * VM that counts instructions).
 *
 * The pace is counted in calls of the debuggee's worker, per second and per second of processor time that the
 * debuggee had: the first has the debugger's stops and the neighbours in it, the second is what its own
 * instructions cost. The debuggee has processor 0 for itself, all threads of the test the others. Processors
 * share caches and often a core, and the debugger needs one as well, so any program beside the debuggee
 * slows it; what reading does to it is the difference to the same readers reading another
 * process, the decoy. Breakpoints come and go at the same beat all the time; phases alternate:
 * nobody reads, the decoy is read, the debuggee is read; and the median over the rounds counts. Where
 * there is one processor only, readers take the debuggee's time, and the numbers say so.
 */
#include <kselftest_harness.h>
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "ours.h"
#include "reader.h"
#include "support.h"
#include "toggler.h"

#define BREAKPOINTS 200
#define MOST_READERS 16
#define PHASE 0.5
#define MOST_ROUNDS 1000

/* Calls of the worker. */
struct pace {
	double per_second;
	double per_cpu_second;
};

FIXTURE(toggle)
{
	struct scene scene;
	struct toggler toggler;
	struct reader readers[MOST_READERS];
	int reader_count;
	struct cordbmem_process *decoy;
	pid_t decoy_pid;
	/* What the readers do; and how it went with each of READER_WAITS, _READS_DECOY and _READS. */
	atomic_int task;
	struct pace pace[3][MOST_ROUNDS];
	size_t rounds;
};

FIXTURE_SETUP(toggle)
{
	(void)self;
}

FIXTURE_TEARDOWN(toggle)
{
	EXPECT_EQ(0, scene_end(&self->scene));
}

static void pin_task(pid_t task, int first, int last)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (int cpu = first; cpu <= last; cpu++)
		CPU_SET((size_t)cpu, &set);
	/* A thread of the debuggee may have ended meanwhile. */
	if (sched_setaffinity(task, sizeof(set), &set) != 0 && errno != ESRCH)
		die("sched_setaffinity");
}

static void pin(pid_t pid, int first, int last)
{
	char path[64];
	struct dirent *entry;
	DIR *tasks;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	tasks = opendir(path);
	if (!tasks)
		die("%s", path);
	while ((entry = readdir(tasks)))
		if (entry->d_name[0] != '.')
			pin_task(atoi(entry->d_name), first, last);
	closedir(tasks);
}

static struct pace measure(const struct debuggee *debuggee, double length)
{
	double begin = seconds(), cpu = cpu_seconds(debuggee->pid);
	uint64_t before, after;
	struct pace pace;

	peek(debuggee->pid, debuggee->counter, &before, sizeof(before));
	sleep_ms((long)(length * 1000));
	peek(debuggee->pid, debuggee->counter, &after, sizeof(after));
	pace.per_second = (double)(after - before) / (seconds() - begin);
	pace.per_cpu_second = (double)(after - before) / (cpu_seconds(debuggee->pid) - cpu);
	return pace;
}

static int by_size(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *list, size_t count)
{
	qsort(list, count, sizeof(*list), by_size);
	return list[count / 2];
}

/* How much less was done while the debuggee was read than in another phase of the same round; percent. */
static struct pace slowdown(FIXTURE_DATA(toggle) * self, enum reader_task than)
{
	double seconds[MOST_ROUNDS], cpu_seconds[MOST_ROUNDS];

	for (size_t i = 0; i < self->rounds; i++) {
		const struct pace *read = &self->pace[READER_READS][i];
		const struct pace *other = &self->pace[than][i];

		seconds[i] = 100 * (1 - read->per_second / other->per_second);
		cpu_seconds[i] = 100 * (1 - read->per_cpu_second / other->per_cpu_second);
	}
	return (struct pace){ median(seconds, self->rounds), median(cpu_seconds, self->rounds) };
}

static void start_decoy(FIXTURE_DATA(toggle) * self)
{
	self->decoy_pid = fork();
	if (!self->decoy_pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			pause();
	}
	self->decoy = ours_open(self->decoy_pid);
}

static void end_decoy(FIXTURE_DATA(toggle) * self)
{
	cordbmem_process_free(self->decoy);
	kill(self->decoy_pid, SIGKILL);
	waitpid(self->decoy_pid, NULL, 0);
}

static void start(FIXTURE_DATA(toggle) * self, int cpus)
{
	struct scene *scene = &self->scene;
	uint64_t seed = seed_of("toggle");

	if (cpus > 1) {
		pin(getpid(), 1, cpus - 1);
		pin(scene->debuggee.pid, 0, 0);
	}
	self->reader_count = (int)number_from("CORDBMEM_READERS", 2);
	if (self->reader_count > MOST_READERS)
		die("CORDBMEM_READERS can be %d at most", MOST_READERS);
	for (int i = 0; i < self->reader_count; i++) {
		self->readers[i] = (struct reader){
			.scene = scene,
			.ours = ours_open_managed(scene->debuggee.pid),
			.decoy = self->decoy,
			.scatter = i % 2,
			.random = seed + (uint64_t)i + 1,
			.task = &self->task,
		};
		reader_start(&self->readers[i]);
	}
	self->toggler.scene = scene;
	self->toggler.beat_ms = 20;
	self->toggler.batch = 8;
	self->toggler.random = seed;
	toggler_start(&self->toggler);
}

static void run_phases(FIXTURE_DATA(toggle) * self, double length)
{
	size_t rounds = (size_t)(length / PHASE);

	self->rounds = rounds > MOST_ROUNDS ? MOST_ROUNDS : rounds + !rounds;
	for (size_t i = 0; i < self->rounds; i++)
		for (int task = READER_WAITS; task <= READER_READS; task++) {
			self->task = task;
			sleep_ms(20);
			self->pace[task][i] = measure(&self->scene.debuggee, PHASE);
		}
	self->task = READER_ENDS;
	for (int i = 0; i < self->reader_count; i++)
		reader_join(&self->readers[i]);
	toggler_end(&self->toggler);
}

TEST_F_TIMEOUT(toggle, only_original_code_is_seen, 600)
{
	double length = number_from("CORDBMEM_TOGGLE_SECONDS", 10);
	double limit = number_from("CORDBMEM_SLOWDOWN", 1e9);
	int cpus = (int)sysconf(_SC_NPROCESSORS_ONLN);
	struct reader sum = { 0 };
	unsigned long changes;
	struct pace than_decoy, than_waiting;

	SCENE(&self->scene, BREAKPOINTS);
	debuggee_do(&self->scene.debuggee, "work 1");
	start_decoy(self);
	start(self, cpus);
	run_phases(self, length);
	for (int i = 0; i < self->reader_count; i++) {
		const struct reader *reader = &self->readers[i];

		sum.reads += reader->reads;
		sum.bytes += reader->bytes;
		sum.traps += reader->traps;
		sum.stale += reader->stale;
		sum.failures += reader->failures;
		sum.raw_traps += reader->raw_traps;
		sum.raw_originals += reader->raw_originals;
		cordbmem_process_free(reader->ours);
	}
	end_decoy(self);
	changes = self->toggler.changes;
	than_decoy = slowdown(self, READER_READS_DECOY);
	than_waiting = slowdown(self, READER_WAITS);
	fprintf(stderr,
		"# .NET %s: %lu changes of %d breakpoints at %lu stops; %lu reads of %lu bytes by "
		"%d "
		"threads: %lu trap bytes, %lu stale bytes, %lu failures; memory itself showed %lu "
		"traps, "
		"%lu originals\n",
		self->scene.runtime.version, changes, BREAKPOINTS, self->toggler.stops, sum.reads,
		sum.bytes, self->reader_count, sum.traps, sum.stale, sum.failures, sum.raw_traps,
		sum.raw_originals);
	fprintf(stderr,
		"# the debuggee on %d processors, while read: %.2f %% fewer calls than when the "
		"readers read another process, %.2f %% than when they wait; per second of its "
		"processor time %.2f %% and %.2f %%\n",
		cpus, than_decoy.per_second, than_waiting.per_second, than_decoy.per_cpu_second,
		than_waiting.per_cpu_second);
	EXPECT_EQ(0, sum.traps);
	EXPECT_EQ(0, sum.stale);
	EXPECT_EQ(0, sum.failures);
	/* Else there was nothing to be seen. */
	EXPECT_LT(0, sum.raw_traps);
	EXPECT_LT(0, sum.raw_originals);
	EXPECT_LT(100, changes);
	EXPECT_GT(limit, than_decoy.per_cpu_second);
}

TEST_HARNESS_MAIN
