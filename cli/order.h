/* SPDX-License-Identifier: MPL-2.0 */
/*
 * order - the tasks of a flow so that each comes after those it depends on.
 */
#ifndef CLI_ORDER_H
#define CLI_ORDER_H

#include <jansson.h>
#include <stdint.h>

#include "flow/flow.h"

#define ORDER_UNKNOWN (-1)

struct order {
    uint32_t *tasks; /* all of them; steps one after another, else as defined */
    uint32_t *step;  /* of each task: 0, or one more than what it waits for */
    uint32_t nstep;
    uint32_t *upstream; /* of task t: upstream[begin[t]..begin[t+1]-1] */
    size_t *begin;
};

void order_init(struct order *self, const struct flow *flow);
void order_release(struct order *self);

/*
 * How many children each task will have (1 if it is not mapped), as far as the
 * parameters tell; else ORDER_UNKNOWN. A heap array.
 */
int64_t *order_lengths(const struct order *self, const struct flow *flow,
                       const json_t *params);

#endif
