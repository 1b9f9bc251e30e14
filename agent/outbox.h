/* SPDX-License-Identifier: MPL-2.0 */
/*
 * outbox - output of attempts while the broker is away.
 *
 * Kept under what the attempts are, as they have no tickets then.
 */
#ifndef AGENT_OUTBOX_H
#define AGENT_OUTBOX_H

#include <stddef.h>
#include <stdint.h>

#include "proto/convert.h"
#include "proto/items.h"

/* Zeroes are an empty one. */
struct outbox {
    struct outbox_piece *list;
    size_t n, cap;
    size_t bytes;
};

void outbox_release(struct outbox *self);

void outbox_add(struct outbox *self, const struct work *work, int stream,
                const char *data, size_t n);
/* All of it, in order: what is of held[i] goes under tickets[i], what is of
 * none of them is dropped. */
void outbox_send(struct outbox *self, const struct held *held,
                 const uint32_t *tickets, size_t n, struct return_out *out);

#endif
