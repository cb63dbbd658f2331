/*
 * A model of the protocol between the live window's module side and its readers, for spin: is there an interleaving in which a
 * reader accepts a byte that the target did not have?
 *
 * What the code does under the window's spinlock is one d_step; all else interleaves. Memory is sequentially consistent here; the
 * code has acquire and release where it needs them. Each MUTANT_ stands at a rule that tests/model/run breaks, to see that the rule
 * is needed and that the model can tell.
 *
 * Bytes are not modelled. A byte is right when it is copied from the page that the target has at that moment, whatever the target
 * writes to it in place; what any other page holds is wrong. The promise asks less: any moment between the two loads of the word.
 */

/* How much is looked at; init chooses, so one search covers several sizes. "local" tells spin that no order of access matters. */
local byte slots, mappings, tries_allowed;

/* Who fills: the faults of two threads, and populate. */
#define BIT(n) (1 << (n))
#define POPULATE BIT(2)
#define ALL (BIT(3) - 1)

/* Pages: none, the zero page, and those that are counted. */
#define NONE 0
#define ZERO_PAGE 1
#define FIRST_PAGE 2
#define END_PAGE 5
byte ref[END_PAGE];
byte free = BIT(END_PAGE) - BIT(FIRST_PAGE);

/* What is still to happen, and the target's page table. */
byte events;
byte target[2];

/* The notifier. A fill that begins clears its bit in raced, an invalidation sets all: the code's "hit". */
byte invalidating;
byte raced = ALL;

/* The window. The list of inserters is only ever asked whether one covers a slot. */
mtype = { EMPTY, FRESH, STALE, ZERO };
mtype state[2] = EMPTY;
byte page[2];
byte word[2];
byte inserters[2];
#define VALID(w) ((w) & 1)

/* The worker: queued; running; and who waits for the end of the run that is queued, or of this one. */
bool wanted;
bool busy;
byte waits_for_next;
byte waits_for_this;

/* The tracer's page tables, one for each mapping of the window, and the pages that lost their PTE but are in TLBs yet. */
byte pte[4];
byte unflushed[4];
#define PTE(m, i) pte[2 * (m) + (i)]
#define UNFLUSHED(m, i) unflushed[2 * (m) + (i)]

/* Whose fault may end with nothing done, as the target or another inserter was in the way. */
byte excused = ALL;

/* ---- parts of steps ---- */

inline choose(i)
{
	if
	:: i = 0
	:: slots == 2 -> i = 1
	fi
}

inline hold(p)
{
	if
	:: p >= FIRST_PAGE ->
		ref[p]++;
		free = free & ~BIT(p)
	:: else
	fi
}

inline drop(p)
{
	if
	:: p >= FIRST_PAGE ->
		ref[p]--;
		if
		:: ref[p] == 0 -> free = free | BIT(p)
		:: else
		fi
	:: else
	fi
}

/* ---- events: of the target, but for one ---- */

inline make_stale(i)
{
	state[i] = STALE;
#ifndef MUTANT_GENERATION_NOT_BUMPED
	word[i] = word[i] + 2;
#endif
#ifndef MUTANT_VALID_NOT_CLEARED
	word[i] = word[i] & ~1;
#endif
#ifndef MUTANT_STALE_QUEUES_NO_WORKER
	wanted = true;
#endif
	excused = ALL
}

/* Runs before the target's page table changes. */
inline callback(i)
{
	invalidating++;
	raced = ALL;
	excused = ALL;
	if
	::
#ifdef MUTANT_CALLBACK_SKIPS_SLOTS_WITHOUT_PTE
	   (PTE(0, i) != NONE || PTE(1, i) != NONE) &&
#endif
	   state[i] == FRESH -> make_stale(i)
	:: else
	fi
}

/* Another page, if one is free. The old one may be written to from now on, by a child or by whoever gets it next. */
inline replace(i)
{
	new = FIRST_PAGE;
	do
	:: new == END_PAGE -> break
	:: new < END_PAGE && (free & BIT(new)) ->
		drop(target[i]);
		target[i] = new;
		hold(new);
		break
	:: else -> new++
	od;
	new = 0
}

proctype target_thread()
{
	byte i, new;

	do
	:: choose(i);
		if
		:: d_step { events > 0 && target[i] != NONE -> events--; callback(i) }
			if
			:: d_step { replace(i) }	/* migration, or a COW whose old page goes on in a child */
			:: d_step { drop(target[i]); target[i] = NONE }		/* munmap, DONTNEED */
			:: skip		/* fork: write-protected, but the same page */
			fi;
			d_step { invalidating--; i = 0 }
		:: d_step { events > 0 && target[i] == NONE -> events--; replace(i); i = 0 }	/* a first touch: no callback */
		:: d_step { events > 0 && state[i] == FRESH -> events--; make_stale(i); i = 0 }	/* the module itself: eviction, lease */
		:: events == 0 -> break
		fi
	od
}

/* ---- the module: zap and worker ---- */

#define DONE 9	/* after the last PTE */

/* A zap clears PTEs and then flushes. Who found no PTE does not flush, though another zap may not yet have done so. */
inline clear_pte(m, i)
{
	if
	:: PTE(m, i) != NONE ->
		UNFLUSHED(m, i) = UNFLUSHED(m, i) | BIT(PTE(m, i));
		PTE(m, i) = NONE;
		cleared = true
	:: else
	fi
}

inline flush_tlbs()
{
	if
	:: cleared ->
#ifndef MUTANT_ZAP_FLUSHES_NO_TLB
		unflushed[0] = 0;
		unflushed[1] = 0;
		unflushed[2] = 0;
		unflushed[3] = 0;
#endif
		cleared = false
	:: else
	fi
}

inline release_stale()
{
	for (k : 0 .. 1) {
		if
#ifdef MUTANT_WORKER_IGNORES_INSERTERS
		:: stale[k] ->
#else
		:: stale[k] && inserters[k] -> excused = ALL
		:: stale[k] && !inserters[k] ->
#endif
#ifndef MUTANT_SLOT_HOLDS_NO_PAGE
			drop(page[k]);
#endif
			page[k] = NONE;
			state[k] = EMPTY
		:: else
		fi
	}
	k = 0
}

proctype worker()
{
	bool stale[2], cleared;
	byte k;

end:	do
	:: d_step {
		wanted ->
		wanted = false;
		busy = true;
		waits_for_this = waits_for_next;
		waits_for_next = 0;
		stale[0] = (state[0] == STALE);
		stale[1] = (state[1] == STALE);
#ifdef MUTANT_WORKER_RELEASES_BEFORE_ZAP
		release_stale()
#endif
	   }
	   do
	   :: d_step {
		k < mappings * slots ->
		if
#ifdef MUTANT_WORKER_ZAPS_ONE_MAPPING
		:: k >= slots
#endif
		:: stale[k % slots] -> clear_pte(k / slots, k % slots)
		:: else
		fi;
		k++
	      }
	   :: d_step { k == mappings * slots -> flush_tlbs(); k = DONE }
	   :: d_step {
		k == DONE ->
#ifndef MUTANT_WORKER_RELEASES_BEFORE_ZAP
		release_stale();
#endif
		stale[0] = false;
		stale[1] = false;
		waits_for_this = 0;
		busy = false;
		k = 0
	      }
	      break
	   od
	od
}

/* A flush waits for the last run that is wanted when it begins, which here is before the unlock, to wait for less than the code. */
inline flush_begin(me)
{
	if
	:: wanted -> waits_for_next = waits_for_next | me
	:: !wanted && busy -> waits_for_this = waits_for_this | me
	:: else
	fi
}

#define FLUSHED(me) (!((waits_for_next | waits_for_this) & me))

/* ---- the module: fill, by a fault, which asks whether it worked, or by populate ---- */

/* The code does not wait for the end of an invalidation but gives up this try, as it does when it was raced. */
inline fill_begin(me)
{
	d_step {
#ifndef MUTANT_FILL_MINDS_NO_INVALIDATION
		!invalidating &&
#endif
		FLUSHED(me) -> raced = raced & ~me
	}
}

inline look_up(i)
{
	d_step { got = target[i]; hold(got) }
}

#ifdef MUTANT_FILL_WITHOUT_RETRY
#define RETRY(me) false
#else
#ifdef MUTANT_FILL_ASKS_RETRY_WITHOUT_LOCK
#define RETRY(me) retry
#else
#define RETRY(me) (raced & me)
#endif
#endif

inline make_fresh(i)
{
	state[i] = FRESH;
	page[i] = got;
	word[i] = word[i] | 1;
#ifndef MUTANT_SLOT_HOLDS_NO_PAGE
	got = NONE
#endif
}

inline fill(i, me, asks)
{
	do
#ifdef MUTANT_FILL_LOOKS_UP_BEFORE_BEGIN
	:: look_up(i);
	   fill_begin(me);
#else
	:: fill_begin(me);
	   look_up(i);
#endif
#ifdef MUTANT_FILL_ASKS_RETRY_WITHOUT_LOCK
	   bool retry = raced & me;
#endif
	   d_step {
		more = false;
		filled = false;
		if
		:: got == NONE
		:: got != NONE && RETRY(me) -> more = true
		:: got != NONE && !RETRY(me) ->
			if
			:: state[i] == EMPTY -> make_fresh(i); filled = asks
			:: state[i] == FRESH -> filled = asks
			:: state[i] == STALE ->
#ifdef MUTANT_FILL_TAKES_STALE_SLOT
				drop(page[i]);
				make_fresh(i)
#else
#ifdef MUTANT_FILL_VALID_BEFORE_ZAP
				word[i] = word[i] | 1;
#endif
				more = true
#endif
			:: state[i] == ZERO ->
#ifdef MUTANT_FILL_TAKES_ZERO_SLOT
				make_fresh(i)
#else
				state[i] = STALE;
				wanted = true;
				excused = ALL;
				more = true
#endif
			fi;
			if
			:: more -> flush_begin(me)
			:: else
			fi
		fi;
		drop(got);
		got = NONE;
		raced = raced | me;	/* means nothing until the next fill_begin(): fewer states */
		tries++;
		more = more && tries < tries_allowed;
		tries = (more -> tries : 0)
	   }
	   if
	   :: more
	   :: else -> break
	   fi
	od
}

proctype populate()
{
	byte i, tries, got;
	bool more, filled;

	do
	:: choose(i); fill(i, POPULATE, false)
	:: break
	od
}

/* ---- the module: fault ---- */

/*
 * On the list with the touched slot and its fresh neighbours, as fault-around does it. An inserter needs no reference of its own:
 * while it is on the list the worker does not release its slots, and they hold their pages.
 */
inline join(i)
{
	for (j : 0 .. 1) {
		if
		:: state[j] == FRESH || j == i ->
			mine[j] = page[j];
#ifdef MUTANT_INSERTER_COVERS_TOUCHED_SLOT_ONLY
			inserters[i] = inserters[i] + (j == i)
#else
			inserters[j]++
#endif
		:: else
		fi
	}
	j = 0
}

inline leave(i)
{
	for (j : 0 .. 1) {
		if
		:: mine[j] != NONE ->
#ifdef MUTANT_INSERTER_COVERS_TOUCHED_SLOT_ONLY
			inserters[i] = inserters[i] - (j == i);
#else
			inserters[j]--;
#endif
			if
#ifndef MUTANT_INSERTER_QUEUES_NO_WORKER
			:: state[j] == STALE -> wanted = true
#endif
			:: else
			fi
		:: else
		fi
	}
}

inline forget()
{
	for (j : 0 .. 1) {
		mine[j] = NONE;
		changed[j] = false
	}
	j = 0
}

#ifdef MUTANT_INSERTER_LOOKS_NOT_AGAIN
#define CHANGED(j) false
#else
#define CHANGED(j) (mine[j] != NONE && state[j] == STALE)
#endif

inline zap_changed(i)
{
	do
	:: d_step {
		j < slots ->
		if
		:: changed[j] -> clear_pte(m, j)
		:: else
		fi;
		j++
	   }
	:: d_step { j == slots -> flush_tlbs(); j = DONE }
	:: d_step {
		j == DONE ->
#ifndef MUTANT_INSERTER_LEAVES_BEFORE_ZAP
		leave(i);
#endif
		forget()
	   }
	   break
	od
}

inline insert(i)
{
	do
	:: d_step {
		j < slots ->
		if
		:: mine[j] != NONE && PTE(m, j) == NONE -> PTE(m, j) = mine[j]
		:: else
		fi;
		j++
	   }
	:: d_step { j == slots && !CHANGED(0) && !CHANGED(1) -> leave(i); forget() }
	   break
	:: d_step {
		j == slots && (CHANGED(0) || CHANGED(1)) ->
		changed[0] = CHANGED(0);
		changed[1] = CHANGED(1);
#ifdef MUTANT_INSERTER_LEAVES_BEFORE_ZAP
		leave(i);
#endif
		j = 0
	   }
	   zap_changed(i);
	   break
	od
}

inline fault(i)
{
	if
	:: d_step { state[i] == FRESH || state[i] == ZERO -> join(i) }
		insert(i)
	:: d_step {
		state[i] == EMPTY || state[i] == STALE ->
		excused = (inserters[i] -> excused : excused & ~me);
		flush_begin(me)
	   }
		fill(i, me, true);
		if
		:: d_step {
			FLUSHED(me) ->
			if
			::
#ifndef MUTANT_FAULT_MAKES_ANY_SLOT_ZERO
			   state[i] == EMPTY &&
#endif
			   !filled -> state[i] = ZERO; page[i] = ZERO_PAGE
			:: else
			fi;
			/* The next try ends the fault, or one of those causes has come again. */
			assert(state[i] == FRESH || state[i] == ZERO || (excused & me));
			excused = excused | me;
			filled = false
		   }
		fi
	fi
}

/* ---- the tracer's threads ---- */

#define THREAD \
	byte i, me, m, j, tries, got, mine[2]; \
	bool more, filled, changed[2], cleared

/* It reads whatever the first word says, as a thread that does not ask may; slot 0 alone, for all slots are the same. */
proctype reader(byte id)
{
	THREAD;
	byte w1;
	bool right;

	d_step { me = BIT(id); m = id % mappings }
	do
	:: d_step {
		w1 = word[i];
#ifndef MUTANT_READER_TAKES_INVALID_WORD
		w1 = (VALID(w1) -> w1 : 0)
#endif
	   };
	   do
	   :: d_step { UNFLUSHED(m, i) -> right = (UNFLUSHED(m, i) == BIT(target[i])) }
	      break
	   :: d_step { PTE(m, i) != NONE -> right = (PTE(m, i) == target[i]) }
	      break
	   :: fault(i)
	   od;
	   atomic {
#ifdef MUTANT_READER_LOADS_NO_SECOND_WORD
		assert(!VALID(w1) || right);
#else
#ifdef MUTANT_READER_TAKES_INVALID_WORD
		assert(w1 != word[i] || right);
#else
		assert(!VALID(w1) || w1 != word[i] || right);
#endif
#endif
		w1 = 0;
		right = false
	   }
	:: break
	od
}

/* A second reader. Its loads change nothing for others, so only its faults are here. A fault may find the PTE there already. */
proctype toucher(byte id)
{
	THREAD;

	d_step { me = BIT(id); m = id % mappings }
	do
	:: choose(i); fault(i)
	:: break
	od
}

/* ---- what holds at any time ---- */

#define MAPPED(i) (BIT(PTE(0, i)) | BIT(PTE(1, i)) | UNFLUSHED(0, i) | UNFLUSHED(1, i))
#define MAPS_ONLY(i, p) ((MAPPED(i) & ~(BIT(NONE) | BIT(p))) == 0)
#define REFERENCED(i) ((MAPPED(i) & free) == 0)
#define VALID_IS_FRESH(i) (!VALID(word[i]) || (state[i] == FRESH && MAPS_ONLY(i, page[i])))
#define EMPTY_IS_UNMAPPED(i) (state[i] != EMPTY || MAPS_ONLY(i, NONE))
#define STALE_WILL_END(i) (state[i] != STALE || wanted || busy || inserters[i])

/* A mutant must break what readers see, or a reference: what merely leads to that does not count. */
#ifdef MUTANT
#define HOLDS(i) REFERENCED(i)
#else
#define HOLDS(i) (REFERENCED(i) && VALID_IS_FRESH(i) && EMPTY_IS_UNMAPPED(i) && STALE_WILL_END(i))
#endif

proctype invariants()
{
end:	atomic { !(HOLDS(0) && HOLDS(1)) -> assert(false) }
}

inline size(n_readers, n_populates, n_threads, n_events, n_tries, n_slots, n_mappings)
{
	readers = n_readers;
	populates = n_populates;
	threads = n_threads;
	events = n_events;
	tries_allowed = n_tries;
	slots = n_slots;
	mappings = n_mappings
}

init
{
	byte i, readers, populates, threads;

	atomic {
		/* readers, populate, threads of the target, events, tries of a fill, slots, mappings */
		if
		:: size(2, 0, 1, 2, 1, 1, 2)
		:: size(2, 0, 1, 1, 1, 2, 1)
		:: size(1, 1, 2, 2, 1, 1, 1)
		:: size(1, 1, 1, 3, 1, 1, 1)
		:: size(2, 1, 1, 1, 2, 1, 1)
		fi;
		for (i : 0 .. slots - 1) {
			target[i] = FIRST_PAGE + i;
			hold(target[i])
		}
		run invariants();
		run worker();
		run reader(0);
		if
		:: readers > 1 -> run toucher(1)
		:: else
		fi;
		if
		:: populates -> run populate()
		:: else
		fi;
		run target_thread();
		if
		:: threads > 1 -> run target_thread()
		:: else
		fi;
		i = 0;
		readers = 0;
		populates = 0;
		threads = 0
	}
}
