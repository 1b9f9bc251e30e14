/* SPDX-License-Identifier: MPL-2.0 */
/*
 * work - everything that carrying out one attempt takes, evaluated.
 *
 * Made from a run by whoever drives it, carried out by exec/carry wherever that
 * is. struct work_spec is what all attempts of a task have in common; struct
 * work adds what is one attempt's own. Nothing of it refers to a struct run, so
 * it can travel.
 */
#ifndef FLOW_WORK_H
#define FLOW_WORK_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/flow.h"
#include "flow/plan.h"
#include "flow/run.h"

#define WORK_PROGRAM_HASH 32 /* bytes */

struct work_spec {
    uint64_t run;     /* its number; 0: not stored */
    uint32_t task;    /* number in the flow */
    const char *flow; /* names */
    const char *name;
    enum flow_kind kind; /* FLOW_SCRIPT, FLOW_ARGV or FLOW_CALL */
    enum value_kind value;
    const char *script; /* FLOW_CALL: the function's name, or NULL */
    const char *shell;  /* or NULL */
    const char *when;   /* or NULL */
    struct flow_codes exit_skip, exit_retry;
    int64_t timeout, grace; /* microseconds */
    int64_t cache_for;      /* 0: not cached; is seen to before it travels */
    bool exclusive, at_most_once;
    bool creates; /* attempts of it have a path there */
    /* Not the task is carried out: its state handlers are called, of whatever
     * kind it is; then kind is FLOW_CALL. */
    bool handlers;
    const struct flow_resource *resources;
    uint32_t nresource;
    /* The run's own: what follows. Specs with the same number have it in
     * common, but for home; it goes to others once. */
    uint64_t common;
    json_t *params;   /* of the run: an object */
    const char *home; /* where the run was asked for; NULL: here */
    /* FLOW_CALL on a cluster: what to start a worker from. */
    const void *program; /* hash, 32 bytes, or a path; NULL: none */
    size_t nprogram;
    const char *source_hash; /* hex, of the flow as text; or NULL */
};

struct work {
    const struct work_spec *spec; /* borrowed */
    struct plan_id id;
    uint32_t attempt;
    char *name;     /* shown: "train[8,3]"; NULL: a call, which needs none */
    json_t *own;    /* each keys and with bindings: over params; or NULL */
    json_t *env;    /* of env:, or NULL */
    json_t *argv;   /* FLOW_ARGV */
    json_t *input;  /* of stdin:, or NULL */
    char *cwd;      /* of cwd:, or NULL */
    char *creates;  /* or NULL */
    json_t *handle; /* spec->handlers: work_handle of the change; else NULL */
    /* What work_item writes, instead of the seven before: one that is
     * passed on unread. Borrowed from whoever made it; else NULL. */
    const char *item;
    size_t nitem;
};

/* The spec of a task of a flow (borrowed): all but run and what is the run's
 * own. */
void work_spec_init(struct work_spec *ret, const struct flow *flow,
                    uint32_t task);

/*
 * Evaluate all that an attempt of an instance needs. ERR_INVALID and so on:
 * then the attempt fails with that text ("argv: ...").
 */
int work_gather(struct work *ret, const struct work_spec *spec, struct run *run,
                struct plan_id id, struct err *err);
/*
 * For one that goes on unread: of a call that has nothing but bindings they are
 * put in *text, which is cleared before, and ret->item is that. All others are
 * as above.
 */
int work_gather_text(struct work *ret, const struct work_spec *spec,
                     struct run *run, struct plan_id id, struct buf *text,
                     struct err *err);
void work_release(struct work *self);

/* Of a C flow's program: is it a hash, or the path of one that is there? */
bool work_program_is_hash(const void *program, size_t n);

/* Everything bound: params (NULL: none) with own over them; new. */
json_t *work_bindings(const struct work *self);

/*
 * What is its own as one JSON document, and back: an object with "with", "env",
 * "argv", "stdin", "cwd", "creates", "handle", each only if it is there; empty
 * if there is nothing. work_item writes it to a buf that is empty: ERR_INVALID
 * if a path is not UTF-8. work_from_item sets these members of *ret, and no
 * other; it shares the document's values. ERR_INVALID if the document (NULL:
 * nothing) is anything else.
 */
int work_item(const struct work *self, struct buf *out, struct err *err);
int work_from_item(struct work *ret, const json_t *item, struct err *err);

/*
 * A change of state as its handlers are told of it, new; and back: state, from,
 * value and cause, which are the document's. ERR_INVALID if it is none.
 */
json_t *work_handle(const struct run_change *change);
int work_from_handle(struct run_change *ret, const json_t *handle,
                     struct err *err);

#endif
