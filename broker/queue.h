/* SPDX-License-Identifier: MPL-2.0 */
/*
 * queue - things that one thread hands to another, in order.
 *
 * Things embed a struct broker_item first. Any thread may put; one takes, and
 * waits for the descriptor or with broker_queue_wait. Not bounded here: who
 * puts counts what is on the way.
 */
#ifndef BROKER_QUEUE_H
#define BROKER_QUEUE_H

#include <stdint.h>
#include <sys/queue.h>

#include "base/err.h"

struct broker_item {
    STAILQ_ENTRY(broker_item) link;
};
STAILQ_HEAD(broker_items, broker_item);

struct broker_queue;

/* ERR_UNAVAILABLE: out of descriptors. */
int broker_queue_new(struct broker_queue **ret, struct err *err);
/* What is left in it is its owner's to take before. */
void broker_queue_destroy(struct broker_queue **self_p);

void broker_queue_put(struct broker_queue *self, struct broker_item *item);
/* Append all that is there to *items; at once. */
void broker_queue_take(struct broker_queue *self, struct broker_items *items);
/* Until something is there, or for `timeout` microseconds (negative: ever). */
void broker_queue_wait(struct broker_queue *self, int64_t timeout);
/* Readable while something is there. */
int broker_queue_fd(const struct broker_queue *self);

#endif
