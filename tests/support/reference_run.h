/* SPDX-License-Identifier: MPL-2.0 */
/*
 * reference_run - what becomes of a whole run, values too, from the rules alone.
 *
 * Slow and plain: the task that something depends on is worked out first, each
 * instance by looking at all that it sees. Of what it judges it shares nothing
 * but the model of a flow, value_text and value_equal.
 */
#ifndef SUPPORT_REFERENCE_RUN_H
#define SUPPORT_REFERENCE_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "flow/plan.h"
#include "flow/run.h"

/*
 * How an attempt ends, 1 being the first: always the same for the same
 * arguments. `given` is what the attempt was given: NULL if that could not be
 * worked out. The caller owns the value.
 */
typedef struct run_outcome ref_try_fn(void *ctx, struct plan_id id,
                                      uint32_t attempt, const json_t *given);

/* A task, or a child of one. */
struct ref_instance {
    enum plan_state state;
    uint32_t attempts;
    json_t *value; /* NULL is null */
    json_t *given; /* {"bindings", "stdin", "env"}; NULL: could not be made */
};

struct ref_run;

struct ref_run *ref_run_new(const struct flow *flow, json_t *params,
                            ref_try_fn *try, void *ctx);
void ref_run_destroy(struct ref_run **self_p);

/* Child numbers as in the plan. */
const struct ref_instance *ref_run_instance(const struct ref_run *self,
                                            struct plan_id id);
uint32_t ref_run_children(const struct ref_run *self, uint32_t task);

/* The value of an instance; of a mapped task the list; new. */
json_t *ref_run_value(const struct ref_run *self, struct plan_id id);

/*
 * What an instance sees: instances, of a map that is waited for all children
 * and the map itself. A map as a whole sees of those that it goes over child
 * to child that they are maps; if `wide`, the children that may have ended by
 * then too. Returns how many; *ret is the caller's.
 */
size_t ref_run_upstream(const struct ref_run *self, struct plan_id id,
                        bool wide, struct plan_id **ret);

/* The task, or something that it waits for, waits for `other`. */
bool ref_run_follows(const struct ref_run *self, uint32_t task, uint32_t other);

bool ref_run_is_success(const struct ref_run *self);

/* New; NULL if it leads nowhere. */
json_t *ref_run_output(const struct ref_run *self);

#endif
