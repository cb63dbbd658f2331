/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the calls that are made to fail work with: a target, a device, a target fd, a window, and how each is made new.
 */
#ifndef SCENE_H
#define SCENE_H

#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/uio.h>

#include "../kernel/call.h"
#include "../kernel/child.h"
#include "../kernel/window.h"
#include "faults.h"

#define SEED 11
#define PAGES 5
#define SIZE (PAGES * PAGE)
#define SHORT 200
#define WORD 8
#define MOST 1024

/* What a call works with. Each test is a process of its own. */
extern struct scene {
	int device;
	struct child target;
	int file; /* what is mapped in the target at address */
	uint64_t address;
	int mem;   /* on /proc/PID/mem of the target */
	int fd;	   /* a target fd */
	int other; /* the file that this call is about, if there is one */
	uint8_t *buffer;
	struct cordbmem_read read;
	struct cordbmem_readv readv;
	struct cordbmem_attach attach;
	struct cordbmem_window window;
	struct cordbmem_populate populate;
	struct cordbmem_sync sync;
	struct cordbmem_stats stats;
	struct window view; /* a window with its mappings */
	int pipe[2];
	/* Longer than the kernel knows them. */
	struct {
		struct cordbmem_info known;
		uint64_t tail;
	} info;
	struct {
		struct cordbmem_element known;
		uint64_t tail;
	} wide[8];
	struct cordbmem_element elements[MOST];
	struct iovec pieces[20];
	struct pollfd poll;
	struct epoll_event event;
} scene;

void target_anew(int protection);
/* The caller's buffer, too, has its pages and page tables still to come. */
void buffer_anew(void);
/* Nothing is remembered of who may read whom, and there is no scratch memory yet. */
void device_anew(void);
void attach_anew(void);
/* A window that nobody has touched yet. */
void view_anew(void);
/* Nothing has ever been told of what happens to its memory. */
void target_new(void);
void other_is(int fd);
struct request device_ioctl(unsigned long number_, void *argument);

#endif
