// SPDX-License-Identifier: MIT
/*
 * Handles on forged processes, and reads that are checked.
 */
#include "managed.h"

#include <string.h>

#include <cordbmem/coreclr.h>

#include "unit.h"

struct cordbmem_process *managed_open(struct forge *f)
{
	struct cordbmem_process *process = open_target(f->target.pid);

	assert_hr(S_OK, cordbmem_process_find_coreclr(process, 0, NULL, NULL));
	return process;
}

static int setup_plan(void **state, const struct forge_plan *plan)
{
	struct managed *m = calloc(1, sizeof(*m));

	m->forge = forge_start(plan);
	m->process = managed_open(m->forge);
	*state = m;
	return 0;
}

int managed_setup(void **state)
{
	return setup_plan(state, NULL);
}

int managed_setup_11(void **state)
{
	return setup_plan(state, &(struct forge_plan){ .version = 11 });
}

int managed_setup_big(void **state)
{
	return setup_plan(state, &(struct forge_plan){ .patches = 10000, .code_pages = 600 });
}

int managed_teardown(void **state)
{
	struct managed *m = *state;

	cordbmem_process_free(m->process);
	forge_end_all(state);
	free(m);
	return 0;
}

void check_code_bytes(struct managed *m, size_t offset, DWORD size, const BYTE *wanted)
{
	BYTE *buffer = malloc(size + 64);
	SIZE_T got = 77;

	memset(buffer, 0xa5, size + 64);
	assert_hr(S_OK, cordbmem_ReadMemory(m->process, forge_code(m->forge, offset), size,
					    buffer + 32, &got));
	assert_int_equal(size, got);
	assert_memory_equal(wanted, buffer + 32, size);
	for (size_t i = 0; i < 32; i++) {
		assert_int_equal(0xa5, buffer[i]);
		assert_int_equal(0xa5, buffer[32 + size + i]);
	}
	free(buffer);
}

void check_code(struct managed *m, size_t offset, DWORD size)
{
	check_code_bytes(m, offset, size, m->forge->original + offset);
}

void check_code_fails(struct managed *m, HRESULT hr, size_t offset, DWORD size, SIZE_T wanted)
{
	BYTE *buffer = calloc(1, size);
	SIZE_T got = 77;

	assert_hr(hr, cordbmem_ReadMemory(m->process, forge_code(m->forge, offset), size, buffer,
					  &got));
	assert_int_equal(wanted, got);
	assert_memory_equal(m->forge->original + offset, buffer, wanted);
	free(buffer);
}
