/* SPDX-License-Identifier: MIT */
/*
 * A C++ debugger, as far as it meets our COM objects.
 */
#ifndef COM_CLIENT_H
#define COM_CLIENT_H

#include <stdint.h>
#include <uchar.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What it is to read, and what it is to see. */
struct com_client_orders {
	unsigned int pid;
	uint64_t address;
	const unsigned char *expected;
	unsigned int size;	 /* of what is at the address; a hole follows */
	const char16_t *program; /* name of the file that is loaded at @base */
	uint64_t base;
};

/*
 * Calls every virtual function of every interface, starting from an IUnknown pointer, and lets
 * go of all it got; last it detaches. Returns NULL, or what was not as it should be.
 */
const char *com_client_run(void *unknown, const struct com_client_orders *orders);

#ifdef __cplusplus
}
#endif

#endif /* COM_CLIENT_H */
