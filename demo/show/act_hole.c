// SPDX-License-Identifier: MIT
/*
 * An act of the demo: a read that cannot be done as a whole.
 */
#include <inttypes.h>
#include <string.h>

#include "scene.h"
#include "view.h"

#define ASKED 64U
#define GOT 16U

void act_hole(struct scene *scene, int point)
{
	struct cordbmem_error why = CORDBMEM_ERROR_INIT;
	unsigned char bytes[ASKED], raw[GOT];
	uint64_t start, end, address;
	SIZE_T got = 0;
	HRESULT hr;

	target_find_hole(&scene->target, scene->target.method, &start, &end);
	address = end - GOT;
	hr = cordbmem_ReadMemory(scene->process, address, ASKED, bytes, &got);
	claim(hr == CORDBMEM_E_PARTIAL_COPY && got == GOT, "the read is partial, up to the hole");
	look_raw(scene, address, raw, GOT);
	claim(!memcmp(bytes, raw, GOT), "the bytes before the hole are right");
	cordbmem_process_explain(scene->process, address, ASKED, &why);
	claim(why.reason == CORDBMEM_REASON_HOLE && why.address == end, "the hole is found");

	printf("%d. A mapping of the program ends at %" PRIx64
	       ". ReadMemory of %u bytes, %u before its end:\n",
	       point, end, ASKED, GOT);
	printf("   it returns %08x, %s, and *read = %lu.\n", (unsigned int)hr,
	       cordbmem_hresult_name(hr), got);
	printf("   Asked why, the library says:\n");
	show_text("     ", "     ", "%s", why.text);
	putchar('\n');
}
