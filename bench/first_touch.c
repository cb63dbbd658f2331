// SPDX-License-Identifier: MIT
/*
 * What the first read through a window costs.
 *
 * The window is new each time: no page is in it, no page table of the tracer's leads to it. To
 * make it is counted apart.
 */
#include <string.h>
#include <sys/uio.h>

#include "bench.h"
#include "first_touch.h"

#define SIZE (1UL << 20)
#define REPEATS 8

/* Each returns whether it filled the buffer. */

/* Touch by touch, as the mapping alone would be used: what it shows need not be true. */
static bool by_touch(struct bench *b, const struct window *w)
{
	memcpy(b->buffer, w->data, SIZE);
	return true;
}

/* What by_populate() does the second time. */
static bool by_protocol(struct bench *b, const struct window *w)
{
	if (!window_read(w, 0, b->buffer, SIZE))
		give_up("a window is not valid");
	return true;
}

static bool by_populate(struct bench *b, const struct window *w)
{
	window_populate(w, 0, SIZE, 0);
	return by_protocol(b, w);
}

/* The ioctl alone. */
static bool by_ioctl(struct bench *b, const struct window *w)
{
	(void)b;
	window_populate(w, 0, SIZE, 0);
	return false;
}

/* The least of several calls. */
struct least {
	const char *method;
	double instructions;
	uint64_t before;
};

static void start(struct least *least)
{
	least->before = now();
}

static void stop(struct least *least)
{
	double spent = (double)(now() - least->before - clock_cost());

	if (!least->instructions || spent < least->instructions)
		least->instructions = spent;
}

static void report(const struct least *least)
{
	struct row row = { "first_touch", SIZE, 1, 0, least->method, least->instructions };

	add_row(&row);
}

/* What the target wrote to each page. */
static void check(struct bench *b)
{
	for (size_t at = 0; at < SIZE; at += PAGE)
		if (b->buffer[at] != MARK)
			give_up("a read does not show what is there");
	memset(b->buffer, 0, SIZE);
}

static void without_window(struct bench *b)
{
	struct least readv = { .method = "process_vm_readv" };
	struct iovec local = { b->buffer, SIZE }, remote = { b->region, SIZE };

	for (int i = 0; i < REPEATS; i++) {
		ssize_t n;

		start(&readv);
		n = process_vm_readv(b->pid, &local, 1, &remote, 1, 0);
		stop(&readv);
		if (n != (ssize_t)SIZE)
			give_up("a read failed");
		check(b);
	}
	report(&readv);
}

static void by_module(struct bench *b)
{
	static const struct {
		const char *name;
		bool (*run)(struct bench *b, const struct window *w);
		bool again; /* in a window that was read before */
	} ways[] = {
		{ "window_touch", by_touch, false },
		{ "window_populate", by_populate, false },
		{ "window_populate_only", by_ioctl, false },
		{ "window_second_read", by_protocol, true },
	};
	struct least opened = { .method = "window_open" }, closed = { .method = "window_close" };

	for (size_t way = 0; way < sizeof(ways) / sizeof(ways[0]); way++) {
		struct least least = { .method = ways[way].name };

		for (int i = 0; i < REPEATS; i++) {
			struct window w;
			bool filled;

			start(&opened);
			w = window_open(b->target, b->region, SIZE);
			stop(&opened);
			if (ways[way].again)
				by_populate(b, &w);
			start(&least);
			filled = ways[way].run(b, &w);
			stop(&least);
			if (filled)
				check(b);
			start(&closed);
			window_close(&w);
			stop(&closed);
		}
		report(&least);
	}
	report(&opened);
	report(&closed);
}

static void read_all(struct bench *b, struct cordbmem_process *process, struct least *least)
{
	SIZE_T got = 0;
	HRESULT hr;

	start(least);
	hr = cordbmem_ReadMemory(process, (uintptr_t)b->region, SIZE, (BYTE *)b->buffer, &got);
	stop(least);
	if (hr != S_OK || got != SIZE)
		give_up("a read failed");
	check(b);
}

/* A handle that has its window, but over other memory: what is not counted above is not here. */
static struct cordbmem_process *open_pinned(const struct bench *b)
{
	struct cordbmem_process *process = open_process(b->pid, CORDBMEM_WINDOWS_AUTO);

	if (cordbmem_process_pin_window(process, (uintptr_t)b->region + SIZE, PAGE, NULL) != S_OK)
		give_up("cannot pin a window");
	return process;
}

/* Left to itself the library reads first and maps later. */
static void by_library(struct bench *b)
{
	struct least nth[] = { { .method = "ReadMemory_window_1st" },
			       { .method = "ReadMemory_window_2nd" },
			       { .method = "ReadMemory_window_3rd" },
			       { .method = "ReadMemory_window_4th" } };
	struct least pin = { .method = "pin_window" }, pinned = { .method = "ReadMemory_pinned" };

	for (int i = 0; i < REPEATS; i++) {
		struct cordbmem_process *process = open_pinned(b);

		for (size_t n = 0; n < sizeof(nth) / sizeof(nth[0]); n++)
			read_all(b, process, &nth[n]);
		cordbmem_process_free(process);

		process = open_pinned(b);
		start(&pin);
		if (cordbmem_process_pin_window(process, (uintptr_t)b->region, SIZE, NULL) != S_OK)
			give_up("cannot pin a window");
		stop(&pin);
		read_all(b, process, &pinned);
		cordbmem_process_free(process);
	}
	for (size_t n = 0; n < sizeof(nth) / sizeof(nth[0]); n++)
		report(&nth[n]);
	/* both together are the first read of what somebody asked to be mapped */
	pinned.instructions += pin.instructions;
	report(&pin);
	report(&pinned);
}

void first_touch(struct bench *b)
{
	without_window(b);
	by_module(b);
	by_library(b);
}
