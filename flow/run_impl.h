/* SPDX-License-Identifier: MPL-2.0 */
/*
 * run_impl - what the parts of run share: run.c decides, run_change.c makes
 * changes of state once handlers have agreed, run_value.c knows the values,
 * run_resume.c what earlier sessions left, run_retry.c when to try again,
 * run_stop.c what is cancelled by itself, run_look.c what people are shown.
 * Nobody else includes this.
 */
#ifndef FLOW_RUN_IMPL_H
#define FLOW_RUN_IMPL_H

#include "flow/map.h"
#include "flow/run.h"
#include "flow/timers.h"

/* What an earlier session left of an instance. */
struct run_kept {
    json_t *value;
    uint32_t attempts; /* 0: nothing is known of it */
    uint32_t order;    /* of the calls of run_keep, from 1 */
    uint8_t state;     /* enum plan_state */
};

/* A change that is proposed to the handlers, with what making it takes. */
struct run_proposal {
    struct run_change change; /* its value is the one below */
    json_t *value;            /* owned, as all that follows */
    struct map *map;          /* MAPPED: the children */
    char *cause;              /* of one that is kept: the change's */
    bool decided;             /* it answers a decision of the plan */
    /* RUNNING: the handlers have answered, and nothing is pending any more;
     * kept so that they are not asked again if the attempt is given back. */
    bool agreed;
};

struct run_task {
    json_t *value;   /* not mapped: its value; mapped: the list, once built */
    struct map *map; /* mapped and expanded */
    char *cause;
    uint32_t attempts;
    /*
     * Only while going on: when it, or a child, last came to something new: the
     * order of what was kept, RUN_NOW in this session, 0 if it never did.
     */
    uint32_t since;
    struct run_proposal *proposal; /* kept; of a child: in the map; or NULL */
    bool approved;                 /* manual-only: may go on */
    bool forgotten;                /* run_forget has been here */
    bool stopping;                 /* in the list of run_stop, as a whole */
};

#define RUN_NOW UINT32_MAX

/* Only while going on with an earlier session. */
struct run_resume {
    uint32_t nkept;
    struct run_kept *whole;     /* by task */
    struct run_kept **children; /* by task, then child */
    size_t *nchild;
    struct plan_edge *in; /* edges, grouped by `to` */
    size_t *in_begin;     /* ntask + 1 */
};

struct run {
    const struct flow *flow; /* borrowed */
    struct plan *plan;
    json_t *params;
    struct run_hooks hooks;
    struct run_task *tasks;
    struct timers timers; /* retries that wait */
    uint64_t random;
    uint64_t failures;
    struct run_resume *resume; /* NULL: a run from the start */
    char *cancelled;           /* why, or NULL */
    struct plan_id *stops;     /* run_stop: they run, or are to come */
    size_t nstop, cap_stop;
    const struct plan_id *stopping; /* that is being ended, or NULL */
    int64_t hold_until;             /* run_hold_started; 0: not so (any more) */
    bool goes_on;                   /* ... was called: it is the same session */
};

/* Whether an attempt that ended so is followed by another one. */
bool run_may_retry(const struct run *self, struct plan_id id,
                   enum plan_state state);

/* Attempts that use up retries: of this session, or of all if it only goes on
 * with one that its driver has lost. */
uint32_t run_attempts_that_count(const struct run *self, struct plan_id id);

/* How long to wait after the attempt that is the nth of this session. */
int64_t run_retry_delay(struct run *self, const struct flow_retry *retry,
                        uint32_t attempt);

/* Find the children of a mapped task. On failure *err is why it fails. */
int run_expand(struct run *self, uint32_t task, struct map **ret,
               struct err *err);

/* True if each key `key` of a task goes child to child with another map. */
bool run_is_linked(const struct run *self, uint32_t task, uint32_t key);

/* What child k is made for under one key; new. */
json_t *run_each_value(const struct run *self, uint32_t task, uint32_t key,
                       uint32_t k);

/* The value of the first branch of a merge that was not skipped. */
json_t *run_merge(struct run *self, struct plan_id id);

/*
 * What is kept of an instance if it succeeded (or, see run_hold_started, has
 * failed) and nothing that it depends on
 * has come to something new since; else NULL.
 */
const struct run_kept *run_kept(const struct run *self, struct plan_id id);

/*
 * What this very session, before its driver lost it, has made of an instance
 * that was never started, if that still holds: handlers are not asked again.
 */
const struct run_kept *run_decided(const struct run *self, struct plan_id id);

/* True if what an earlier session left is not to be called cancelled. */
bool run_is_left_as_it_was(const struct run *self, struct plan_id id);

/* Attempts that were started in earlier sessions, and what was last known. */
uint32_t run_attempts_before(const struct run *self, struct plan_id id);
enum plan_state run_state_before(const struct run *self, struct plan_id id);

/* While going on: an instance has come to something new. */
void run_note_since(struct run *self, struct plan_id id, uint32_t since);

/* ... or has ended unexecuted: it is as new as what it depends on. */
void run_inherit_since(struct run *self, struct plan_id id);

void run_resume_destroy(struct run *self);

/* Before something is started: what was stopped is not. True: something has
 * ended by this, and there may be more to decide. */
bool run_see_to_stops(struct run *self);

/* ---- run.c ---- */

void run_set_attempts(struct run *self, struct plan_id id, uint32_t n);
/* It was counted, and has not begun. */
void run_uncount(struct run *self, struct plan_id id);
/* The last of this session; 0: none. */
uint32_t run_attempts_now(const struct run *self, struct plan_id id);
/* Takes the value. */
void run_set_result(struct run *self, struct plan_id id, json_t *value,
                    const char *cause);
const char *run_own_cause(const struct run *self, struct plan_id id);
/* Start an instance that was taken. True if the executor is to carry it out. */
bool run_start(struct run *self, struct plan_id id);

/* ---- run_change.c ---- */

void run_announce(struct run *self, const struct run_change *change);
/*
 * Ask the handlers, and make the change or what they made of it; or keep it
 * until they have answered. Takes what the proposal owns. True if an attempt
 * is to be carried out now.
 */
bool run_propose(struct run *self, struct run_proposal *p);
/* ... that was answered with change.state. */
bool run_make(struct run *self, struct run_proposal *p,
              enum plan_state proposed);
/* The handlers have agreed to the next attempt. */
bool run_is_agreed(const struct run *self, struct plan_id id);
/* End an instance, if its handlers agree. Takes the value. */
void run_finish(struct run *self, struct plan_id id, enum plan_state state,
                json_t *value, const char *cause);
/* RETRYING, if its handlers agree. */
void run_start_again(struct run *self, struct plan_id id, const char *cause,
                     int64_t until);
/* What has not begun when the run was cancelled: handlers do not hear of it. */
void run_end_cancelled(struct run *self, struct plan_id id);
void run_cancel_for(struct run *self, const char *cause);
void run_count_failure(struct run *self, enum plan_state state);
/* Free what is kept of a task and its children. */
void run_drop_proposals(struct run *self, uint32_t task);

#endif
