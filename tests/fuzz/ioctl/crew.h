/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A crew: one process of workers, who call, and the stage hand, who alone starts and kills targets,
 * opens and closes fds, and changes the memory that answers go to.
 */
#ifndef CREW_H
#define CREW_H

#include <stdbool.h>
#include <stdint.h>

#include "lot.h"
#include "shared.h"

#define SHIFTING_SIZE (8 * PAGE)

/* Callers' memory that comes and goes while it is written. */
extern uint8_t *shifting;

/* One of the crew's fds from now on; the one that it replaces is closed. */
void keep_fd(struct random *r, int fd);

/* Mostly ones of the crew. */
int some_fd(struct random *r);
int32_t some_pid(struct random *r);

/* The module's parameter allow_force. */
void set_force(bool on);

/* Crew 0 is root's, crew 1 a user's. */
_Noreturn void crew_main(int which);

#endif
