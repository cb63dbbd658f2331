// SPDX-License-Identifier: MIT
/*
 * Chains of pointers, followed level by level so that many take few calls.
 */
#include "internal.h"

#include <string.h>

/* Chains that go together. */
#define GROUP 128

struct level {
	struct cordbmem_scatter element[GROUP];
	struct cordbmem_chain *chain[GROUP];
	BYTE pointer[GROUP][8];
	size_t count;
};

static bool chain_valid(const struct cordbmem_chain *chain)
{
	return chain->process && (chain->offsets || !chain->count) &&
	       (!chain->pointer_size || chain->pointer_size == 4 || chain->pointer_size == 8);
}

static void chain_start(struct cordbmem_chain *chain)
{
	chain->address = chain->base;
	chain->level = 0;
	chain->result = S_OK;
	if (!chain_valid(chain))
		chain->result = E_INVALIDARG;
	else if (!process_usable(chain->process))
		chain->result = CORDBG_E_OBJECT_NEUTERED;
}

/* Put the chain's next pointer on the list, unless it is at its end. */
static void level_add(struct level *level, struct cordbmem_chain *chain)
{
	size_t i = level->count;

	if (FAILED(chain->result) || chain->level == chain->count)
		return;
	if (!chain->address) {
		chain->result = CORDBG_E_READVIRTUAL_FAILURE;
		return;
	}
	level->chain[i] = chain;
	level->element[i] = (struct cordbmem_scatter){
		.process = chain->process,
		.address = chain->address,
		.buffer = level->pointer[i],
		.size = chain->pointer_size == 4 ? 4 : 8,
	};
	level->count++;
}

static void level_take(const struct level *level, size_t i)
{
	struct cordbmem_chain *chain = level->chain[i];
	uint64_t pointer;
	uint32_t half;

	chain->result = level->element[i].result;
	if (FAILED(chain->result))
		return;
	if (level->element[i].size == 4) {
		memcpy(&half, level->pointer[i], sizeof(half));
		pointer = half;
	} else {
		memcpy(&pointer, level->pointer[i], sizeof(pointer));
	}
	chain->address = pointer + (uint64_t)chain->offsets[chain->level];
	chain->level++;
}

static void follow_group(struct cordbmem_chain *chains, size_t count)
{
	struct level level;

	for (size_t i = 0; i < count; i++)
		chain_start(&chains[i]);
	do {
		level.count = 0;
		for (size_t i = 0; i < count; i++)
			level_add(&level, &chains[i]);
		cordbmem_read_scatter(level.element, level.count);
		for (size_t i = 0; i < level.count; i++)
			level_take(&level, i);
	} while (level.count);
}

HRESULT cordbmem_read_chains(struct cordbmem_chain *chains, size_t count)
{
	if (count && !chains)
		return E_INVALIDARG;
	for (size_t at = 0; at < count; at += GROUP)
		follow_group(chains + at, count - at < GROUP ? count - at : GROUP);
	for (size_t i = 0; i < count; i++) {
		if (FAILED(chains[i].result))
			return chains[i].result;
	}
	return S_OK;
}

HRESULT cordbmem_read_chain(struct cordbmem_process *process, CORDB_ADDRESS base,
			    const int64_t *offsets, size_t count, CORDB_ADDRESS *address,
			    size_t *level)
{
	struct cordbmem_chain chain = {
		.process = process,
		.base = base,
		.offsets = offsets,
		.count = count,
	};
	HRESULT hr;

	if (process && !process_usable(process))
		return CORDBG_E_OBJECT_NEUTERED;
	if (!address || !chain_valid(&chain))
		return E_INVALIDARG;
	hr = cordbmem_read_chains(&chain, 1);
	if (hr == CORDBG_E_OBJECT_NEUTERED)
		return hr;
	*address = chain.address;
	if (level)
		*level = chain.level;
	return hr;
}
