// SPDX-License-Identifier: MIT
/*
 * COM objects as a foreign caller sees them; see com_raw.h.
 */
#include "com_raw.h"

#include <dirent.h>

#include "unit.h"

const struct cordbmem_guid iids[IIDS] = {
	[UNKNOWN] = CORDBMEM_IID_IUNKNOWN,
	[CONTROLLER] = CORDBMEM_IID_ICORDEBUGCONTROLLER,
	[PROCESS] = CORDBMEM_IID_ICORDEBUGPROCESS,
	[PROCESS2] = CORDBMEM_IID_ICORDEBUGPROCESS2,
	[DATA_TARGET] = CORDBMEM_IID_ICORDEBUGDATATARGET,
	[CLR_TARGET] = CORDBMEM_IID_ICLRDATATARGET,
	[LOCATOR] = CORDBMEM_IID_ICLRRUNTIMELOCATOR,
};

void *raw_query(void *interface, enum iid iid)
{
	void *other = NULL;

	assert_hr(S_OK, SLOT(interface, 0, query_function)(interface, &iids[iid], &other));
	assert_non_null(other);
	return other;
}

DWORD raw_release(void *interface)
{
	return SLOT(interface, 2, count_function)(interface);
}

void *raw_open(const struct target *target, enum iid iid, struct cordbmem_process **process)
{
	struct cordbmem_process *opened = open_target(target->pid);
	void *interface;

	assert_hr(S_OK, cordbmem_com_create(opened, &iids[iid], &interface));
	if (process)
		*process = opened;
	return interface;
}

int raw_open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = 0;

	assert_non_null(dir);
	while (readdir(dir))
		count++;
	closedir(dir);
	return count;
}

typedef HRESULT any_function(void *self, void *a, void *b, void *c, void *d, void *e);

void raw_cannot(void *interface, const struct cannot *list, size_t count, HRESULT hr)
{
	static char mark;

	for (size_t i = 0; i < count; i++) {
		void *words[6];

		for (size_t word = 1; word <= 5; word++)
			words[word] = &mark;
		assert_hr(hr, SLOT(interface, list[i].slot, any_function)(interface, &words[1],
									  &words[2], &words[3],
									  &words[4], &words[5]));
		for (int word = 1; word <= 5; word++) {
			if (hr == E_NOTIMPL && word == list[i].cleared)
				assert_null(words[word]);
			else
				assert_ptr_equal(&mark, words[word]);
		}
	}
}
