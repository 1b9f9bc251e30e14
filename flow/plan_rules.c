/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/plan_inner.h"

const char *const plan_state_names[PLAN_STATE_COUNT] = {
    [PLAN_WAITING] = "waiting",
    [PLAN_READY] = "ready",
    [PLAN_RUNNING] = "running",
    [PLAN_RETRYING] = "retrying",
    [PLAN_PAUSED] = "paused",
    [PLAN_MAPPED] = "mapped",
    [PLAN_SUCCEEDED] = "succeeded",
    [PLAN_CACHED] = "cached",
    [PLAN_SKIPPED] = "skipped",
    [PLAN_FAILED] = "failed",
    [PLAN_TIMED_OUT] = "timed-out",
    [PLAN_CRASHED] = "crashed",
    [PLAN_TRIGGER_FAILED] = "trigger-failed",
    [PLAN_CANCELLED] = "cancelled",
};

const char *const plan_trigger_names[TRIGGER_COUNT] = {
    [TRIGGER_ALL_SUCCESSFUL] = "all-successful",
    [TRIGGER_ALL_FAILED] = "all-failed",
    [TRIGGER_ANY_SUCCESSFUL] = "any-successful",
    [TRIGGER_ANY_FAILED] = "any-failed",
    [TRIGGER_ALL_FINISHED] = "all-finished",
    [TRIGGER_NOT_ALL_SKIPPED] = "not-all-skipped",
    [TRIGGER_MANUAL_ONLY] = "manual-only",
    [TRIGGER_SOME_SUCCESSFUL] = "some-successful",
    [TRIGGER_SOME_FAILED] = "some-failed",
};

bool
plan_state_is_final(enum plan_state state)
{
    return state >= PLAN_SUCCEEDED;
}

bool
plan_state_is_success(enum plan_state state)
{
    return state >= PLAN_SUCCEEDED && state <= PLAN_SKIPPED;
}

bool
plan_state_is_failure(enum plan_state state)
{
    return state == PLAN_FAILED || state == PLAN_TIMED_OUT ||
           state == PLAN_CRASHED;
}

void
plan_tally_children(struct tally *self, const struct children *children)
{
    self->nstate += children->nchild;
    self->nsuccess += children->count[PLAN_SUCCEEDED];
    self->nsuccess += children->count[PLAN_CACHED];
    self->nsuccess += children->count[PLAN_SKIPPED];
    self->nskipped += children->count[PLAN_SKIPPED];
}

struct tally
plan_tally_upstream(const struct plan *plan, uint32_t task)
{
    uint32_t end = plan->in.begin[task + 1];
    struct tally seen = {.has_upstream = plan->in.begin[task] < end};

    for (uint32_t i = plan->in.begin[task]; i < end; i++) {
        const struct task *from = &plan->tasks[edge_task(plan->in.edge[i])];

        if (!from->children)
            tally_add(&seen, from->state);
        else if (edge_kind(plan->in.edge[i]) == PLAN_EDGE_WHOLE)
            plan_tally_children(&seen, from->children);
    }
    return seen;
}

static uint64_t
nfailed(const struct tally *seen)
{
    return seen->nstate - seen->nsuccess;
}

static bool
is_below(double bound, uint64_t n, uint64_t of)
{
    return (double)n < (bound < 1 ? bound * (double)of : bound);
}

static bool
is_above(double bound, uint64_t n, uint64_t of)
{
    return (double)n > (bound < 1 ? bound * (double)of : bound);
}

/* Without an upper bound everything is few enough; likewise the lower. */
static bool
is_within(const struct task *task, uint64_t n, uint64_t of)
{
    if (task->at_least >= 0 && is_below(task->at_least, n, of))
        return false;
    return task->at_most < 0 || !is_above(task->at_most, n, of);
}

static bool
all_successful(const struct task *task, const struct tally *seen)
{
    (void)task;
    return seen->nsuccess == seen->nstate;
}

static bool
all_failed(const struct task *task, const struct tally *seen)
{
    (void)task;
    return seen->nsuccess == 0;
}

static bool
any_successful(const struct task *task, const struct tally *seen)
{
    (void)task;
    return seen->nsuccess > 0;
}

static bool
any_failed(const struct task *task, const struct tally *seen)
{
    (void)task;
    return nfailed(seen) > 0;
}

static bool
some_successful(const struct task *task, const struct tally *seen)
{
    return is_within(task, seen->nsuccess, seen->nstate);
}

static bool
some_failed(const struct task *task, const struct tally *seen)
{
    return is_within(task, nfailed(seen), seen->nstate);
}

typedef bool trigger_fn(const struct task *task, const struct tally *seen);

/* NULL: whatever there is to see will do. */
static trigger_fn *const passes[TRIGGER_COUNT] = {
    [TRIGGER_ALL_SUCCESSFUL] = all_successful,
    [TRIGGER_ALL_FAILED] = all_failed,
    [TRIGGER_ANY_SUCCESSFUL] = any_successful,
    [TRIGGER_ANY_FAILED] = any_failed,
    [TRIGGER_NOT_ALL_SKIPPED] = all_successful,
    [TRIGGER_SOME_SUCCESSFUL] = some_successful,
    [TRIGGER_SOME_FAILED] = some_failed,
};

bool
plan_may_start(const struct task *task, const struct tally *seen,
               enum plan_decision *instead)
{
    if (task->skip_on_skip && seen->nskipped > 0) {
        *instead = PLAN_SKIP;
        return false;
    }
    if (task->trigger == TRIGGER_MANUAL_ONLY) {
        *instead = PLAN_PAUSE;
        return false;
    }
    if (!seen->has_upstream || !passes[task->trigger])
        return true;
    if (task->trigger == TRIGGER_NOT_ALL_SKIPPED &&
        seen->nskipped == seen->nstate) {
        *instead = PLAN_SKIP;
        return false;
    }
    *instead = PLAN_TRIGGER_FAIL;
    return passes[task->trigger](task, seen);
}
