/* SPDX-License-Identifier: MPL-2.0 */
/*
 * extents - how much of the output of attempts a run has.
 *
 * Private to the store. An agent that was cut off sends again what it was not
 * told to be safe: here is known what of it is there. An attempt that comes
 * from another origin begins at 0.
 */
#ifndef STORE_EXTENTS_H
#define STORE_EXTENTS_H

#include <stdint.h>

#include "store/store.h"

/* Zeroes are an empty one. */
struct extents {
    void *tree; /* private */
    size_t n;
};

void extents_release(struct extents *self);
/* Leave out of a piece that begins at offset what is there already. */
void extents_leave_out(struct extents *self, struct store_piece *piece,
                       uint64_t offset);
/* The end of that attempt's stream, which may be moved; valid until the next
 * call. Anew: 0. piece->origin is not 0, its stream at most 2. */
uint64_t *extents_end(struct extents *self, const struct store_piece *piece);
/* The attempt is over, if it was known at all. */
void extents_forget(struct extents *self, struct plan_id id, uint32_t attempt);

#endif
