/* SPDX-License-Identifier: MPL-2.0 */
/*
 * run - one execution of a flow: the plan together with the values.
 *
 * The part of every executor that does not depend on where tasks run. Pure: it
 * does no I/O and reads no clock; `now` is monotonic microseconds. The
 * executor's loop is
 *
 *     while ((step = run_next(run, now, &work, &until)) != RUN_ENDED)
 *         start work, or wait until something ends or `until` has come;
 *         when an attempt has ended: run_report(run, ...)
 *
 * Order of checks, from Prefect: upstream finished, upstream skipped, map,
 * trigger (all these in the plan), case, then by the executor: cache and
 * creates, when, the task itself; its value; retry.
 */
#ifndef FLOW_RUN_H
#define FLOW_RUN_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/span.h"
#include "flow/flow.h"
#include "flow/plan.h"
#include "proto/limits.h"

struct run;

/* What became of an attempt, or of an instance that was never started. */
struct run_outcome {
    enum plan_state
        state;         /* a final state, or RETRYING: the task asks for it */
    json_t *value;     /* taken over; NULL is null */
    const char *cause; /* why it did not succeed, or NULL; copied */
};

/* An instance has entered a state. Pointers are valid during the call. */
struct run_change {
    struct plan_id id;
    enum plan_state state;
    enum plan_state from; /* for handle: the state it is in */
    uint32_t attempt;     /* how many have started so far */
    const json_t *value;  /* final states; NULL is null */
    const char *cause;    /* or NULL */
    int64_t until;        /* RETRYING: when it becomes ready; 0: unknown */
    /* How long the attempt took, of a run that is followed; 0: unknown. */
    int64_t took;
    /* Taken over from an earlier session of this run; CANCELLED: what it left
     * stays as it is, for a later one. */
    bool kept;
    /* For handle to set, until the change is made: an attempt that somebody
     * carried out has come to it, and is not lost, say. */
    bool reported;
};

struct run_hooks {
    /* Tell the store and the user. May be NULL. */
    void (*changed)(void *ctx, const struct run_change *change);
    /*
     * State handlers: may return another state for the one proposed (Prefect
     * 1.x), and set a cause that is valid until the next call. NULL: no
     * handlers. Called before the change is made. RUN_LATER: the answer comes
     * with run_handled; until then the change is pending and nothing is told.
     */
    enum plan_state (*handle)(void *ctx, struct run_change *change);
    void *ctx;
};

#define RUN_LATER PLAN_STATE_COUNT

/*
 * Begin a run of a checked flow (borrowed) with params as params_bind gives
 * them (borrowed, incref'ed). `seed` is for jitter.
 */
int run_new(struct run **ret, const struct flow *flow, json_t *params,
            uint64_t seed, const struct run_hooks *hooks, struct err *err);
void run_destroy(struct run **self_p);

enum run_step {
    RUN_START,  /* *work is to be started */
    RUN_WAIT,   /* nothing to start before *until, or before a report */
    RUN_PAUSED, /* only paused tasks are left to do */
    RUN_ENDED,  /* every task is finished */
};

/* The next thing to do. *until is SPAN_NEVER if only a report changes it. */
enum run_step run_next(struct run *self, int64_t now, struct plan_id *work,
                       int64_t *until);

/*
 * The same for executors that run many at once: first run_settle makes all
 * decisions and readies due retries (RUN_START: something is ready), then
 * run_take starts the first of the ready of a class, as run_next does. False:
 * nothing was handed out, as it came to an end at once or none is ready; in
 * any case settle again before the run is said to be waiting or ended.
 */
void run_set_classes(struct run *self, const uint32_t *class_of,
                     uint32_t nclass);
enum run_step run_settle(struct run *self, int64_t now, int64_t *until);
bool run_take(struct run *self, uint32_t class, struct plan_id *work);

/* It was handed out but never started: ready again, as if it had not been. */
void run_give_back(struct run *self, struct plan_id id);

/*
 * After run_keep of all, before anything was handed out: an attempt that an
 * earlier session of the run started is still going on somewhere. True: it is
 * RUNNING now, its attempt number is `attempt`, and it will be reported like
 * any other. False: the run does not know it, or is past it. Works also later,
 * as long as the instance waits or is ready; what it depends on must be
 * finished (kept), for settle to have been asked.
 */
bool run_adopt(struct run *self, struct plan_id id, uint32_t attempt);

/*
 * Before anything was handed out: whoever drives the run has lost it, and goes
 * on with the same session. What had failed stays so, and retries count on.
 * Until `until` nothing that was started, and that is not kept, is handed out:
 * it may still be going on elsewhere. run_adopt ends that for one instance.
 */
void run_hold_started(struct run *self, int64_t until);

/* As run_give_back, but it becomes ready only at `until`. */
void run_put_off(struct run *self, struct plan_id id, int64_t until);

/*
 * Follow a run that goes on elsewhere: apply a change that it made (as it was
 * recorded: state, attempt, value, cause; for MAPPED `children` of them).
 * Announces it like any other, calls no handlers. ERR_INVALID: it can't be of
 * this flow. Never call run_next or run_settle on such a run.
 */
int run_follow(struct run *self, const struct run_change *change,
               uint32_t children, struct err *err);

/* The attempt handed out by RUN_START has ended. Decides about a retry. */
void run_report(struct run *self, struct plan_id id,
                const struct run_outcome *outcome, int64_t now);

/*
 * For ends that are not the task's doing: a new attempt at `until` whatever
 * retry: says (a cancelled run's is CANCELLED); or an end after which there is
 * none, whatever it says.
 */
void run_try_again(struct run *self, struct plan_id id, const char *cause,
                   int64_t until);
void run_report_last(struct run *self, struct plan_id id,
                     const struct run_outcome *outcome);

/* Start nothing more: all that is not running or finished is cancelled. An end
 * that is pending stays so. */
void run_cancel(struct run *self);

/*
 * The change of an instance that waits for its handlers, or NULL. Valid until
 * something else is done with the run. An instance has one at most; what is
 * cancelled before it has begun, or while it waits to be tried again, has none
 * any more.
 */
const struct run_change *run_pending(const struct run *self, struct plan_id id);

/*
 * The handlers' answer to the pending change; cause: as the change has it if
 * NULL. Goes on as if they had answered at once, but that one that may run is
 * ready now, and is handed out without asking again.
 */
void run_handled(struct run *self, struct plan_id id, enum plan_state state,
                 const char *cause);

/*
 * Cancel one instance, or all children of a map, while all else goes on. What
 * has not begun ends at once. What runs is to be ended by the executor, which
 * reports it; whatever comes of that, there is no further attempt: as soon as
 * the run is settled, it is cancelled. A child may be one that is to come.
 */
void run_stop(struct run *self, struct plan_id id);
#define RUN_STOPPED "it was cancelled"
/* Was it called for this instance? Until that is at its end, also while that is
 * told. */
bool run_is_stopping(const struct run *self, struct plan_id id);

/* Let a paused instance go on. */
void run_resume(struct run *self, struct plan_id id);

/* ---- going on with an earlier session of the run ---- */

/*
 * Before the first run_next: in an earlier session an instance was started
 * `attempts` times and was last in `state`, with a value (borrowed). If that is
 * a success it is kept and not executed again, unless something it depends on
 * has come to something new since; else its attempts are counted on. One that
 * was never started is decided again, but that run_hold_started keeps what
 * handlers have made of it. Called in the order in which things came to be so:
 * what was kept before something it depends on is out of date.
 */
void run_keep(struct run *self, struct plan_id id, enum plan_state state,
              json_t *value, uint32_t attempts);

/*
 * Execute a task and everything downstream of it again, whatever was kept;
 * attempts are counted on (at-most-once still holds).
 */
void run_forget(struct run *self, uint32_t task);

/* Let every paused task through: for retry. */
void run_approve_all(struct run *self);

/* ---- what an attempt needs ---- */

/*
 * The value bound to a name for an instance: an each key, a with binding or a
 * parameter. *ret is the caller's. ERR_NOT_FOUND if the task has none such.
 */
int run_lookup(struct run *self, struct plan_id id, const char *name,
               json_t **ret, struct err *err);

/* Would all with bindings be found? For those who look up one by one. */
int run_check_bindings(struct run *self, struct plan_id id, struct err *err);

/* All that are bound over the parameters: an object of each keys and with
 * bindings; NULL if it has nothing. */
int run_own(struct run *self, struct plan_id id, json_t **ret, struct err *err);
/* The same added as JSON text: nothing if it has nothing. */
int run_own_text(struct run *self, struct plan_id id, struct buf *out,
                 struct err *err);

/* Evaluate one of the task's own templates for an instance. */
int run_eval(struct run *self, struct plan_id id, const struct tmpl *tmpl,
             json_t **ret, struct err *err);

/* ---- what there is to see ---- */

const struct flow *run_flow(const struct run *self);
const struct plan *run_plan(const struct run *self);

/* Nothing more is started: by run_cancel, or as more failed than may. */
bool run_is_cancelled(const struct run *self);
uint32_t run_attempts(const struct run *self, struct plan_id id);
/* The value of an instance, or of a whole mapped task as a list; new. */
json_t *run_value(const struct run *self, struct plan_id id);
/* Why it did not succeed; NULL if it did or was told nothing. */
const char *run_cause(const struct run *self, struct plan_id id);

/*
 * Add the shown name of an instance: "sum", "train[8,3]" by the values of its
 * each keys where short, else "train[#17]" by index.
 */
void run_name(const struct run *self, struct plan_id id, struct buf *out);
/* Add only what is in the brackets; false, and nothing, if that is an index. */
bool run_key(const struct run *self, struct plan_id id, struct buf *out);

/* Succeeded: all reference tasks are successful. */
bool run_is_success(const struct run *self);

/* The flow's output; null if it has none or the run failed. *err is a whole
 * sentence: it may be all that is said of why the run failed. */
int run_output(struct run *self, json_t **ret, struct err *err);

#endif
