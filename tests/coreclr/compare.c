// SPDX-License-Identifier: MIT
/* The functions of compare.h. */
#include <stdio.h>
#include <string.h>

#include <cordbmem/errors.h>

#include "compare.h"
#include "support.h"
#include "vectors.h"

/* Neither a trap nor a usual byte of code: it shows what was not written. */
#define POISON 0x5e
#define MOST_WORDS 20
/* How often a range is read whose bytes may change under the hands of both. */
#define ATTEMPTS 20

struct answer {
	HRESULT hr;
	SIZE_T count;
	BYTE *bytes;
};

static BYTE genuine_bytes[RANGE_MAX_SIZE], our_bytes[RANGE_MAX_SIZE];

static void read_both(struct comparison *comparison, const struct range *range,
		      struct answer *genuine, struct answer *ours)
{
	*genuine = (struct answer){ .count = UNTOUCHED, .bytes = genuine_bytes };
	*ours = (struct answer){ .count = UNTOUCHED, .bytes = our_bytes };
	memset(genuine->bytes, POISON, range->size);
	memset(ours->bytes, POISON, range->size);
	genuine->hr = oracle_read(comparison->oracle, range->address, range->size, genuine->bytes,
				  &genuine->count);
	ours->hr = cordbmem_ReadMemory(comparison->ours, range->address, range->size, ours->bytes,
				       &ours->count);
}

/* Makes bytes equal that are known to differ, and counts them. */
static size_t excuse(const struct comparison *comparison, const struct range *range,
		     struct answer *genuine, const struct answer *ours)
{
	size_t excused = 0;

	for (size_t i = 0; i < comparison->defect_count; i++) {
		const struct defect *defect = &comparison->defects[i];
		CORDB_ADDRESS offset = defect->address - range->address;

		if (genuine->hr != ours->hr || genuine->count == UNTOUCHED ||
		    offset >= genuine->count)
			continue;
		if (genuine->bytes[offset] == defect->genuine &&
		    ours->bytes[offset] == defect->ours) {
			genuine->bytes[offset] = defect->ours;
			excused++;
		}
	}
	return excused;
}

static bool equal(const struct answer *genuine, const struct answer *ours)
{
	SIZE_T count = ours->count == UNTOUCHED ? 0 : ours->count;

	return genuine->hr == ours->hr && genuine->count == ours->count &&
	       !memcmp(genuine->bytes, ours->bytes, count);
}

/* Is every byte of ours what it must be, where that is known? */
static bool is_right(const struct comparison *comparison, const struct range *range,
		     const struct answer *ours, CORDB_ADDRESS *wrong)
{
	SIZE_T count = ours->count == UNTOUCHED ? 0 : ours->count;

	/* These are right as they are, though not what was there in the beginning. */
	for (size_t i = 0; i < comparison->defect_count; i++) {
		const struct defect *defect = &comparison->defects[i];
		CORDB_ADDRESS offset = defect->address - range->address;

		if (offset < count && ours->bytes[offset] == defect->ours &&
		    scene_has(comparison->ranges->scene, defect->address, 1))
			ours->bytes[offset] =
				scene_original(comparison->ranges->scene, defect->address);
	}
	return range_holds(comparison->ranges, range, ours->bytes, count, wrong);
}

static void tell(const struct range *range, const struct answer *genuine, const struct answer *ours)
{
	SIZE_T at = 0;

	while (at < range->size && genuine->bytes[at] == ours->bytes[at])
		at++;
	fprintf(stderr, "# %s 0x%lx, %u bytes: genuine 0x%08x, %ld; ours 0x%08x, %ld",
		range_names[range->kind], range->address, range->size, (unsigned int)genuine->hr,
		(long)genuine->count, (unsigned int)ours->hr, (long)ours->count);
	if (at < range->size)
		fprintf(stderr, "; byte %lu: %02x, %02x", at, genuine->bytes[at], ours->bytes[at]);
	fputc('\n', stderr);
}

static void compare_one(struct comparison *comparison, const struct range *range)
{
	struct tally *tally = &comparison->tally;
	CORDB_ADDRESS wrong = 0;
	struct answer genuine, ours;
	size_t excused = 0;
	bool agree = false, right;

	/* Only in memory at large may something change between the two reads. */
	for (int i = 0; !agree && i < (range->kind == RANGE_ANYWHERE ? ATTEMPTS : 1); i++) {
		read_both(comparison, range, &genuine, &ours);
		excused = excuse(comparison, range, &genuine, &ours);
		agree = equal(&genuine, &ours);
	}
	right = is_right(comparison, range, &ours, &wrong);
	tally->compared++;
	if (agree && right && excused)
		tally->defects++;
	else if (agree && right)
		tally->agreed++;
	else if (tally->disagreements++ < MOST_WORDS) {
		tell(range, &genuine, &ours);
		if (!right)
			fprintf(stderr, "# ours is wrong at 0x%lx\n", wrong);
	}
}

void compare(struct comparison *comparison, enum range_kind kind, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct range range = range_next(comparison->ranges, kind);

		compare_one(comparison, &range);
	}
}

void compare_defects(struct comparison *comparison, size_t count)
{
	uint64_t *random = &comparison->ranges->random;

	for (size_t i = 0; i < count; i++) {
		struct range range = { .kind = RANGE_BREAKPOINT };

		range.size = (DWORD)(1 + next_random(random) % 128);
		range.address =
			comparison->defects[next_random(random) % comparison->defect_count].address;
		range.address -= next_random(random) % range.size;
		compare_one(comparison, &range);
	}
}
