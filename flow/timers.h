/* SPDX-License-Identifier: MPL-2.0 */
/*
 * timers - which instances become due, and when.
 *
 * A binary heap, the nearest first; of equal moments the one added first. A
 * struct timers of zeroes is empty.
 */
#ifndef FLOW_TIMERS_H
#define FLOW_TIMERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/plan.h"

struct timers {
    struct timer *heap; /* private */
    size_t n;
    size_t cap;
    uint64_t order;
};

void timers_release(struct timers *self);
void timers_clear(struct timers *self);
void timers_add(struct timers *self, struct plan_id id, int64_t until);

/* When the nearest is due; SPAN_NEVER if there is none. */
int64_t timers_due(const struct timers *self);

/* Remove that of an instance; false if it has none. Linear. */
bool timers_remove(struct timers *self, struct plan_id id);

/* Remove the nearest; there must be one. */
struct plan_id timers_take(struct timers *self);

#endif
