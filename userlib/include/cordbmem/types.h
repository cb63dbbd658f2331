/* SPDX-License-Identifier: MIT */
/*
 * The basic types of the debugging interfaces, as CoreCLR's PAL declares them.
 *
 * The typedefs name the very same types as the PAL's on 64-bit Linux, so this
 * header and the PAL's can be included together, from C and from C++.
 */
#ifndef CORDBMEM_TYPES_H
#define CORDBMEM_TYPES_H

#include <stddef.h>
#include <stdint.h>

#ifndef __LP64__
#error "libcordbmem is for 64-bit Linux: CORDB_ADDRESS is an unsigned long"
#endif

typedef int HRESULT;
typedef unsigned char BYTE;
typedef unsigned int DWORD;
typedef unsigned long SIZE_T;
typedef unsigned long CORDB_ADDRESS;

#endif /* CORDBMEM_TYPES_H */
