/* SPDX-License-Identifier: MPL-2.0 */
/*
 * reference - what becomes of a run, from the rules alone.
 *
 * Slow and plain: every instance is judged by listing the states it sees and
 * reading the rule. It shares nothing with the plan but the names of states
 * and triggers, so that the two can be held against each other.
 */
#ifndef SUPPORT_REFERENCE_H
#define SUPPORT_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "flow/plan.h"

#define REF_TASKS    12
#define REF_CHILDREN 32
#define REF_KEYS     2

enum ref_key_kind {
    REF_LIST,        /* over a list of `length` */
    REF_CHILDREN_OF, /* over the children of the mapped task `from` */
    REF_FLAT_OF,     /* over all items that they give: child j gives fan[j] */
};

struct ref_key {
    enum ref_key_kind kind;
    uint32_t length;
    uint32_t from;
    uint8_t fan[REF_CHILDREN];
};

struct ref_task {
    struct plan_task rules;
    bool needs[REF_TASKS]; /* waits for, and sees, all of it */
    bool zip;              /* its keys side by side; else their product */
    uint32_t nkey;         /* if it is mapped: at least 1 */
    struct ref_key keys[REF_KEYS];
};

/* How an instance ends when it runs. A paused one is let through. */
typedef enum plan_state ref_end_fn(void *ctx, struct plan_id id);

struct ref_flow {
    uint32_t ntask;
    struct ref_task tasks[REF_TASKS];
    ref_end_fn *end;
    void *ctx;
};

/*
 * A mapped task without any key that has a length, or a zip of different
 * lengths, is FAILED and has no children.
 */
struct ref_result {
    bool is_known;
    enum plan_state state; /* MAPPED if it has been expanded */
    uint32_t nchild;
    enum plan_state children[REF_CHILDREN];
};

/* The states that an instance sees. */
struct ref_seen {
    uint32_t nupstream; /* tasks */
    uint32_t n;
    uint32_t nsuccess; /* skipped ones too */
    uint32_t nskipped;
};

void reference_see(struct ref_seen *self, enum plan_state state);

/* Before the trigger: is it skipped because something else was? */
bool reference_must_skip(const struct plan_task *rules,
                         const struct ref_seen *seen);

/* What the trigger says: PLAN_READY if it runs, else how it ends. */
enum plan_state reference_trigger(const struct plan_task *rules,
                                  const struct ref_seen *seen);

/* Fill in the results of all tasks. */
void reference_run(const struct ref_flow *flow,
                   struct ref_result results[REF_TASKS]);

#endif
