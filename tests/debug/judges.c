// SPDX-License-Identifier: GPL-2.0
/* The functions of judges.h. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../kernel/memory.h"
#include "../kernel/support.h"
#include "judges.h"
#include "scene.h"

/* A failure in the way of one byte ends a read there, and these are the reasons that it can have. */
static bool may_shorten(int error)
{
	return error == ENOMEM || error == EFAULT || error == EIO;
}

static const char *wrong_bytes(const uint8_t *bytes, uint64_t count, uint64_t offset)
{
	return pattern_check(bytes, count, SEED, offset) == count ? NULL : "wrong bytes";
}

static const char *wrong_read(const uint8_t *bytes, uint64_t offset, uint64_t count,
			      uint64_t wanted, int error, bool whole)
{
	if (count > wanted)
		return "more bytes than asked for";
	if (count == wanted && error)
		return "all bytes and an error";
	if (count < wanted && whole)
		return "too few bytes though nothing failed";
	if (count < wanted && !may_shorten(error))
		return "too few bytes for no reason that it could have";
	return wrong_bytes(bytes, count, offset);
}

const char *judge_open(long ret, bool whole)
{
	(void)whole;
	close((int)ret);
	return NULL;
}

const char *judge_info(long ret, bool whole)
{
	(void)whole;
	if (ret)
		return "not 0";
	if (scene.info.known.abi != CORDBMEM_ABI || scene.info.known.page_size != PAGE)
		return "wrong members";
	return NULL;
}

const char *judge_read(long ret, bool whole)
{
	if (ret)
		return "not 0";
	if (!scene.read.bytes_read)
		return "a success without a byte";
	return wrong_read(scene.buffer, scene.read.address - scene.address, scene.read.bytes_read,
			  scene.read.length, scene.read.error, whole);
}

static const char *judge_element(const struct cordbmem_element *element, bool whole)
{
	if (!element->bytes_read && !may_shorten(element->error) && element->error != ENFILE)
		return "an element without a byte for no reason that it could have";
	if (!element->bytes_read)
		return whole ? "an element without a byte though nothing failed" : NULL;
	return wrong_read(pointer(element->buffer), element->address - scene.address,
			  element->bytes_read, element->length, element->error, whole);
}

const char *judge_readv(long ret, bool whole)
{
	if (ret)
		return "not 0";
	if (scene.readv.done != scene.readv.count)
		return "not all elements were done";
	for (uint32_t i = 0; i < scene.readv.count; i++) {
		const char *wrong = judge_element(
			pointer(scene.readv.elements + (uint64_t)i * scene.readv.element_size),
			whole);

		if (wrong)
			return wrong;
	}
	return NULL;
}

const char *judge_attach(long ret, bool whole)
{
	const char *wrong;

	(void)whole;
	if (ret)
		return "not 0";
	if (pread_at(scene.attach.target_fd, scene.buffer, SHORT, scene.address) != SHORT)
		wrong = "the new target fd cannot be read";
	else
		wrong = wrong_bytes(scene.buffer, SHORT, 0);
	close(scene.attach.target_fd);
	return wrong;
}

static const char *judge_pread(long ret, uint64_t wanted, bool whole)
{
	if (!ret || (uint64_t)ret > wanted)
		return "a wrong count";
	if (whole && (uint64_t)ret != wanted)
		return "too few bytes though nothing failed";
	return wrong_bytes(scene.buffer, (uint64_t)ret, 0);
}

const char *judge_word(long ret, bool whole)
{
	return judge_pread(ret, WORD, whole);
}

const char *judge_pages(long ret, bool whole)
{
	return judge_pread(ret, SIZE, whole);
}

const char *judge_poll(long ret, bool whole)
{
	(void)whole;
	if (ret != 1 || scene.poll.revents != (POLLIN | POLLRDNORM))
		return "not readable";
	return NULL;
}

const char *judge_epoll(long ret, bool whole)
{
	struct epoll_event event;

	(void)whole;
	if (ret)
		return "not 0";
	if (epoll_wait(scene.other, &event, 1, 0) != 1 || event.events != EPOLLIN)
		return "not readable";
	return NULL;
}

const char *judge_fdinfo(long ret, bool whole)
{
	char line[32];

	(void)whole;
	snprintf(line, sizeof(line), "Pid:\t%d\n", scene.target.pid);
	scene.buffer[ret] = 0;
	return strstr((char *)scene.buffer, line) ? NULL : "no line of the target";
}

const char *judge_window(long ret, bool whole)
{
	struct window *view = &scene.view;
	const char *wrong;

	(void)whole;
	if (ret)
		return "not 0";
	close(scene.window.window_fd);
	/* One that is made after it works. */
	view_anew();
	if (window_fill(view) != PAGES || !window_read(view, 0, scene.buffer, SIZE))
		return "a window does not work after it";
	wrong = wrong_bytes(scene.buffer, SIZE, 0);
	window_close(view);
	view->size = 0;
	return wrong;
}

const char *judge_mmap(long ret, bool whole)
{
	(void)whole;
	munmap(pointer((uint64_t)ret), SIZE);
	return NULL;
}

const char *judge_populate(long ret, bool whole)
{
	const struct window *view = &scene.view;
	size_t valid = 0;

	if (ret)
		return "not 0";
	if (scene.populate.done > SIZE || (whole && scene.populate.done != SIZE))
		return "a wrong member done";
	for (size_t page = 0; page < PAGES; page++) {
		if (!window_valid(view, page))
			continue;
		valid++;
		if (!window_read(view, page * PAGE, scene.buffer, PAGE))
			return "a page that is valid cannot be read";
		if (wrong_bytes(scene.buffer, PAGE, page * PAGE))
			return "a page that is valid has wrong bytes";
	}
	if (scene.populate.pages != valid || (whole && valid != PAGES))
		return "a wrong member pages";
	return NULL;
}

const char *judge_stats(long ret, bool whole)
{
	(void)whole;
	if (ret)
		return "not 0";
	return scene.stats.pages == 0 && scene.stats.filled == 0 ? NULL : "wrong members";
}

const char *judge_sync(long ret, bool whole)
{
	(void)whole;
	return ret ? "not 0" : NULL;
}

/*
 * What touches found is in the buffer: the target's bytes, or zeros. Of a page that was given up it can be both: memcpy() may load
 * the first bytes, then touch the end, which gets that page along, and then go on.
 */
const char *judge_touch(long ret, bool whole)
{
	if (ret <= 0 || (whole && ret != SIZE))
		return "a wrong count";
	if (whole)
		return wrong_bytes(scene.buffer, SIZE, 0);
	for (long at = 0; at < ret; at++)
		if (scene.buffer[at] && scene.buffer[at] != pattern_byte(SEED, (uint64_t)at))
			return "bytes that are neither";
	return NULL;
}

/* It is in the pipe. */
const char *judge_kernel_touch(long ret, bool whole)
{
	if (ret > 0 && read(scene.pipe[0], scene.buffer, SIZE) != ret)
		return "a wrong count in the pipe";
	return judge_touch(ret, whole);
}

const char *judge_touch_of_state(long ret, bool whole)
{
	uint32_t words[PAGES];

	(void)whole;
	if (ret != sizeof(words) || read(scene.pipe[0], words, sizeof(words)) != ret)
		return "a wrong count";
	for (size_t i = 0; i < PAGES; i++)
		if (words[i])
			return "a page is valid that nobody asked for";
	return NULL;
}
