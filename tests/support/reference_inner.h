/* SPDX-License-Identifier: MPL-2.0 */
/*
 * reference_inner - what the parts of reference_run share; nobody else
 * includes it.
 */
#ifndef SUPPORT_REFERENCE_INNER_H
#define SUPPORT_REFERENCE_INNER_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "tests/support/reference.h"
#include "tests/support/reference_run.h"

enum source_kind {
    OVER_NOTHING,  /* a map that has ended without children */
    OVER_ITEMS,    /* of a list, or of a range written out */
    OVER_CHILDREN, /* of another map */
    OVER_FLAT,     /* items that the children of another map gave */
};

/* One key of a map, or one branch of a merge of maps. */
struct source {
    enum source_kind kind;
    uint32_t from;   /* the other map */
    json_t *items;   /* OVER_ITEMS, OVER_FLAT */
    uint32_t *owner; /* OVER_FLAT: whose each item is */
    uint32_t n;
    uint32_t stride; /* child k has item k / stride % n */
};

struct task {
    bool is_known;
    struct plan_task rules;
    bool *needs; /* waits for, and sees, all of it */
    struct source *sources;
    uint32_t nsource;
    uint32_t nchild;
    struct ref_instance whole;
    struct ref_instance *children;
};

struct ref_run {
    const struct flow *flow;
    json_t *params;
    ref_try_fn *try;
    void *ctx;
    struct task *tasks;
};

/* Evaluate a template of a task; new, NULL if it leads nowhere. */
json_t *ref_run_eval(const struct ref_run *self, struct plan_id id,
                     const struct tmpl *tmpl);

/* The map that a key goes over child to child, or PLAN_NONE. */
uint32_t reference_mapped_source(const struct flow *flow,
                                 const struct flow_each *each);

/* What a map goes over; all that is known. False if a key has no list. */
bool reference_sources(const struct ref_run *self, uint32_t t);

/*
 * Set the number of children. False if a key has no length, or there are
 * several where there must be one. A merge does without the branches that have
 * none, but not without all.
 */
bool reference_length(const struct flow_task *task, struct task *result);

#endif
