/* SPDX-License-Identifier: MPL-2.0 */
/*
 * arena - bytes that are freed together and never move.
 *
 * An arena of zeroes is empty.
 */
#ifndef BROKER_ARENA_H
#define BROKER_ARENA_H

#include <stddef.h>

struct broker_block;

struct broker_arena {
    struct broker_block *blocks; /* the newest first */
};

void broker_arena_release(struct broker_arena *self);
/* A copy of the n bytes. */
const char *broker_arena_add(struct broker_arena *self, const void *data,
                             size_t n);

#endif
