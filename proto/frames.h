/* SPDX-License-Identifier: MPL-2.0 */
/*
 * frames - a queue of frames that are to be sent.
 */
#ifndef PROTO_FRAMES_H
#define PROTO_FRAMES_H

#include <stddef.h>

#include "base/buf.h"

/* Zeroes are an empty one. */
struct frames {
    struct buf *list;
    size_t first, n, cap; /* of list: first..n-1 are waiting */
    size_t bytes;
};

void frames_release(struct frames *self);
void frames_clear(struct frames *self);

/* A new last one, empty: to be filled in, then counted by frames_filled. */
struct buf *frames_add(struct frames *self);
void frames_filled(struct frames *self);

/* The one to send next, or NULL; it is taken off by frames_sent. */
const struct buf *frames_next(const struct frames *self);
void frames_sent(struct frames *self);

#endif
