// SPDX-License-Identifier: MIT
/*
 * What the demo reads where there is no .NET: a program that generates a function at run time, as
 * a JIT compiler does, and calls it again and again. It says about itself what
 * demo/dotnet/Program.cs says, and takes the same commands.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the generated code is for x86-64"
#endif

/*
 * int price(int quantity)
 * {
 *	int total = quantity * 3;
 *
 *	if (quantity > 1000)
 *		total -= total >> 4;
 *	return total + 4;
 * }
 */
static const unsigned char code[] = {
	0x55,					  /* push %rbp */
	0x48, 0x89, 0xe5,			  /* mov %rsp,%rbp */
	0x48, 0x83, 0xec, 0x10,			  /* sub $16,%rsp */
	0x89, 0x7d, 0xfc,			  /* mov %edi,-4(%rbp) */
	0x8d, 0x04, 0x7f,			  /* lea (%rdi,%rdi,2),%eax */
	0x89, 0x45, 0xf8,			  /* mov %eax,-8(%rbp) */
	0x81, 0x7d, 0xfc, 0xe8, 0x03, 0x00, 0x00, /* cmpl $1000,-4(%rbp) */
	0x7e, 0x09,				  /* jle 1f */
	0x8b, 0x45, 0xf8,			  /* mov -8(%rbp),%eax */
	0xc1, 0xf8, 0x04,			  /* sar $4,%eax */
	0x29, 0x45, 0xf8,			  /* sub %eax,-8(%rbp) */
	0x8b, 0x45, 0xf8,			  /* 1: mov -8(%rbp),%eax */
	0x83, 0xc0, 0x04,			  /* add $4,%eax */
	0xc9,					  /* leave */
	0xc3,					  /* ret */
};

typedef int (*price_fn)(int quantity);

/* The demo reads these from outside, so they are plain words. */
static struct {
	_Atomic long rounds;
	_Atomic long calls;
	_Atomic long resting;
} counters;

static price_fn price;
static atomic_bool paused;

static price_fn generate(void)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	price_fn function;

	if (at == MAP_FAILED)
		return NULL;
	memcpy(at, code, sizeof(code));
	if (mprotect(at, size, PROT_READ | PROT_EXEC) != 0)
		return NULL;
	memcpy(&function, &at, sizeof(function));
	return function;
}

/* Where perf, and the demo, find the names of generated code. */
static bool write_perf_map(void)
{
	char path[64];
	FILE *file;

	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	file = fopen(path, "we");
	if (!file)
		return false;
	fprintf(file, "%lx %zx Shop::Price\n", (unsigned long)price, sizeof(code));
	return fclose(file) == 0;
}

static void *work(void *unused)
{
	struct timespec nap = { .tv_nsec = 1000 * 1000 };

	for (unsigned int round = 0;; round++) {
		int quantity = (int)(round % 1000);

		counters.rounds++;
		if (!paused) {
			if (price(quantity) != quantity * 3 + 4)
				abort();
			counters.calls++;
		}
		/* Only this thread knows that it is not in price. */
		counters.resting = paused;
		nanosleep(&nap, NULL);
	}
	return unused;
}

int main(void)
{
	char line[64];
	pthread_t worker;

	price = generate();
	if (!price || !write_perf_map())
		return 1;
	printf("method %lx\n", (unsigned long)price);
	printf("counters %lx\n", (unsigned long)&counters);
	puts("name Shop.Price");
	puts("program C with code generated at run time");
	puts("ready");
	fflush(stdout);
	if (pthread_create(&worker, NULL, work, NULL) != 0)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		paused = !strcmp(line, "pause\n");
		while (counters.resting != paused)
			sched_yield();
		if (paused)
			puts("paused 0");
		else
			printf("resumed %d\n", price(12));
		fflush(stdout);
	}
	return 0;
}
