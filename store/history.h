/* SPDX-License-Identifier: MPL-2.0 */
/*
 * history - a stored run as it was when it was last heard of.
 */
#ifndef STORE_HISTORY_H
#define STORE_HISTORY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "flow/flow.h"
#include "flow/plan.h"
#include "flow/run.h"
#include "store/store.h"

/* The last that is known of a task or child. */
struct history_item {
    enum plan_state state;  /* WAITING: nothing was recorded */
    uint32_t attempt;       /* the last; 0: never started */
    int code;               /* exit code or signal; -1: none */
    json_t *value;          /* NULL is null */
    char *cause;            /* or NULL */
    char *key;              /* a child's own key, or NULL */
    char *cwd;              /* where it ran, if elsewhere; or NULL */
    int64_t started, ended; /* wall; 0: unknown */
    int64_t cpu, memory;
    uint64_t order; /* of its record among those of the run; 0: none */
};

struct history_task {
    struct history_item item; /* state MAPPED: see the children */
    struct history_item *children;
    uint32_t nchild;
    /* of a mapped task: children in each state */
    uint32_t count[PLAN_STATE_COUNT];
};

struct history {
    struct store_run info;
    struct flow *flow;          /* parsed again from the stored source */
    struct history_task *tasks; /* flow->ntask */
    size_t *room;               /* private: for children, by task */
    uint64_t nrecord;
};

/* ERR_NOT_FOUND, ERR_INVALID (the stored flow can't be read), as the store. */
int history_load(struct history **ret, struct store *store, uint64_t run,
                 struct err *err);
void history_destroy(struct history **self_p);

/*
 * The same of records that come from elsewhere: begin with the run and its
 * source (taken over in any case), add every record in order, end.
 */
int history_begin(struct history **ret, struct store_run *info,
                  struct err *err);
void history_add(struct history *self, const struct store_record *record);
void history_end(struct history *self);

const struct history_item *history_item(const struct history *self,
                                        struct plan_id id);

/*
 * The shown name of an instance, as run_name gives it, and back again: "sum",
 * "train[8,3]", "train[#17]". ERR_NOT_FOUND says what there is instead.
 */
void history_name(const struct history *self, struct plan_id id,
                  struct buf *out);
int history_find(const struct history *self, const char *name,
                 struct plan_id *ret, struct err *err);

/* The state of a task: of a mapped one what became of its children (FAILED if
 * one failed, RUNNING, ...). */
enum plan_state history_state(const struct history *self, uint32_t task);

/*
 * Go on with it: before the first run_next of a run of the same flow, keep
 * everything in the order in which it came to be so, and let paused tasks
 * through; `from` (or PLAN_NONE) and what follows it is executed again.
 */
void history_keep(const struct history *self, struct run *run, uint32_t from);

#endif
