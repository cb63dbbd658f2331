/* SPDX-License-Identifier: MIT */
/*
 * What a window costs the process whose memory it shows.
 */
#ifndef TARGET_SIDE_H
#define TARGET_SIDE_H

/** target_side() - adds the rows of works "target_*" */
void target_side(void);

#endif /* TARGET_SIDE_H */
