/* SPDX-License-Identifier: MPL-2.0 */
/*
 * outbox - output of attempts that is not known to be safe.
 *
 * The part of the core that keeps it, in the order in which it came. The broker
 * counts the bytes that it gets in a session, and says how many of them are
 * committed: so much is forgotten here.
 */
#ifndef AGENT_OUTBOX_H
#define AGENT_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "proto/items.h"

/* Zeroes are an empty one. */
struct outbox {
    struct output *list; /* private: from `first` on; the data is its own */
    size_t first, n, cap;
    size_t bytes;   /* of memory, about */
    uint64_t saved; /* of this session */
};

void outbox_release(struct outbox *self);

/* Copied; its ticket is the agent's own number of the attempt. */
void outbox_add(struct outbox *self, const struct output *output);
/* Of what was sent in this session, in order, so many bytes are safe. */
void outbox_saved(struct outbox *self, uint64_t bytes);

/* Another session: fn sends each piece again, in order, or says that nobody
 * wants it: then it is forgotten. */
typedef bool outbox_fn(void *ctx, const struct output *output);
void outbox_again(struct outbox *self, outbox_fn *fn, void *ctx);

#endif
