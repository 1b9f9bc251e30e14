/* SPDX-License-Identifier: MPL-2.0 */
/*
 * fate - what becomes of an attempt: decided by a seed and by what the attempt
 * was given, and so the same for whoever asks.
 *
 * What a task is called to do ("list", "object") is the shape that its value
 * mostly has.
 */
#ifndef SUPPORT_FATE_H
#define SUPPORT_FATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow/flow.h"
#include "flow/run.h"

enum fate_shape {
    FATE_LIST,
    FATE_NESTED, /* a list of lists */
    FATE_OBJECT, /* { f: [...], g: 1, h: { k: [...] } } */
    FATE_INT,
    FATE_ECHO, /* what it was given */
    FATE_SHAPE_COUNT
};

extern const char *const fate_shape_names[FATE_SHAPE_COUNT];

struct fate {
    const struct flow *flow;
    uint64_t seed;
    /* A task that fails before it ends well has the retries that it needs, so
     * that it ends the same however often it is begun. */
    bool tame;
};

/* A ref_try_fn; ctx is a struct fate. */
struct run_outcome fate_try(void *ctx, struct plan_id id, uint32_t attempt,
                            const json_t *given);

/* A value of a shape, lists of at most three items. */
json_t *fate_value(uint64_t *dice, enum fate_shape shape);

#endif
