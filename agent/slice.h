/* SPDX-License-Identifier: MPL-2.0 */
/*
 * slice - how soon the agent gets a core when it has something to do.
 */
#ifndef AGENT_SLICE_H
#define AGENT_SLICE_H

/*
 * For the calling thread: ask for the shortest slices there are. Kernels before
 * 6.12 know of none. What it starts gets usual ones.
 */
void slice_shorten(void);

#endif
