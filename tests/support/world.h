/* SPDX-License-Identifier: MPL-2.0 */
/*
 * world - a run, and an executor that holds all it does against a reference.
 */
#ifndef SUPPORT_WORLD_H
#define SUPPORT_WORLD_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "flow/run.h"
#include "tests/support/fate.h"
#include "tests/support/reference_run.h"

#define WORLD_FLIGHTS 8 /* attempts at once */

/* What the world has heard of an instance, as a store would keep it. */
struct item {
    enum plan_state state;
    json_t *value;
    uint32_t attempts;
    uint32_t starts; /* in this session, as what follows */
    uint32_t ends;
    uint64_t had; /* the order of a success of an earlier session */
    bool kept;
    uint64_t order; /* of what was heard last */
};

struct items {
    uint32_t n;
    struct item whole;
    struct item *children;
};

/* One flow and its run. */
struct world {
    uint64_t seed;
    uint64_t dice;
    struct buf text;
    struct flow *flow;
    struct flow *other; /* written and read again; or NULL */
    json_t *params;
    struct fate fate;
    struct ref_run *want;
    bool loud;    /* print all changes */
    bool at_once; /* several attempts in flight */
    bool counts;  /* attempts must be the reference's: one session only */
    bool cancels; /* may be cancelled at any moment */
    struct items *items;
    struct run *run;
    int64_t now;
    struct plan_id busy[WORLD_FLIGHTS];
    uint32_t nbusy;
    uint32_t nfailed;
    uint64_t nheard;
    uint32_t nclass;    /* handed out by class; 0: in order */
    struct run *mirror; /* follows what the run tells */
    bool is_over;       /* more have failed than may, or it was cancelled */
};

/* Fail the test: the flow, the seed, and what is wrong. */
void world_complain(const struct world *w, int line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#define CHECK(w, what) world_check((w), (what), #what, __LINE__)
void world_check(const struct world *w, bool holds, const char *what, int line);

/* As the reference has it. */
void world_check_state(const struct world *w, struct plan_id id,
                       enum plan_state got);
void world_check_value(const struct world *w, struct plan_id id,
                       const json_t *got);

void world_check_same(const struct world *w, struct plan_id id,
                      const char *what, const json_t *got, const json_t *want);

struct item *world_item(const struct world *w, struct plan_id id);

/* A hook of the run; ctx is the world. */
void world_changed(void *ctx, const struct run_change *change);

/* Start something, report something or wait; false when the run has ended. */
bool world_step(struct world *w);

#endif
