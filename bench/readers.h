/* SPDX-License-Identifier: MIT */
/*
 * Two readers on two CPUs against one.
 */
#ifndef READERS_H
#define READERS_H

/** readers() - adds the rows of works "one_reader" and "two_readers", prints them and their goals */
int readers(void);

#endif /* READERS_H */
