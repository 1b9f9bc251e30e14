/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/run.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/run_impl.h"

/* ---- what an instance is ---- */

static const struct flow_task *
flow_task_of(const struct run *self, struct plan_id id)
{
    return &self->flow->tasks[id.task];
}

static uint32_t
add_attempt(struct run *self, struct plan_id id)
{
    struct run_task *task = &self->tasks[id.task];

    if (id.child == PLAN_WHOLE)
        return ++task->attempts;
    return ++task->map->attempts[id.child];
}

void
run_set_attempts(struct run *self, struct plan_id id, uint32_t n)
{
    struct run_task *task = &self->tasks[id.task];

    if (id.child == PLAN_WHOLE)
        task->attempts = n;
    else
        task->map->attempts[id.child] = n;
}

void
run_uncount(struct run *self, struct plan_id id)
{
    uint32_t n = run_attempts(self, id);

    assert(n > 0);
    run_set_attempts(self, id, n - 1);
}

/* Attempts, once it was started in this session. */
uint32_t
run_attempts_now(const struct run *self, struct plan_id id)
{
    const struct run_task *task = &self->tasks[id.task];

    if (id.child == PLAN_WHOLE)
        return task->attempts;
    return task->map ? task->map->attempts[id.child] : 0;
}

void
run_set_result(struct run *self, struct plan_id id, json_t *value,
               const char *cause)
{
    struct run_task *task = &self->tasks[id.task];

    if (id.child == PLAN_WHOLE) {
        json_decref(task->value);
        task->value = value;
        free(task->cause);
        task->cause = mem_dup(cause);
    } else {
        json_decref(task->map->values[id.child]);
        task->map->values[id.child] = value;
        map_set_cause(task->map, id.child, cause);
    }
}

const char *
run_own_cause(const struct run *self, struct plan_id id)
{
    const struct run_task *task = &self->tasks[id.task];

    if (id.child == PLAN_WHOLE)
        return task->cause;
    if (!task->map || !task->map->causes)
        return NULL;
    return task->map->causes[id.child];
}

/* ---- starting ---- */

static bool
take_kept(struct run *self, struct plan_id id)
{
    const struct run_kept *kept = run_kept(self, id);
    struct run_change change = {.id = id, .kept = true};

    if (!kept)
        return false;
    change.state = kept->state;
    change.attempt = kept->attempts;
    change.value = kept->value;
    run_set_attempts(self, id, kept->attempts);
    run_set_result(self, id, json_incref(kept->value), NULL);
    run_note_since(self, id, kept->order);
    plan_finish(self->plan, id, kept->state);
    run_announce(self, &change);
    run_count_failure(self, change.state);
    return true;
}

/* True if all cases hold; else *state and *cause say what becomes of it. */
static bool
cases_hold(struct run *self, struct plan_id id, enum plan_state *state,
           struct buf *cause)
{
    const struct flow_task *task = flow_task_of(self, id);

    for (uint32_t i = 0; i < task->ncase; i++) {
        const struct flow_case *c = &task->cases[i];
        json_t *of = NULL;
        struct err err;
        bool equal;

        if (run_eval(self, id, c->of, &of, &err) < 0) {
            *state = PLAN_FAILED;
            buf_printf(cause, "case: %s", err.msg);
            return false;
        }
        equal = value_equal(of, c->is);
        if (!equal) {
            *state = PLAN_SKIPPED;
            buf_text(cause, "case: the value is ");
            value_brief(of, 80, cause);
            buf_text(cause, ", not ");
            value_brief(c->is, 80, cause);
        }
        json_decref(of);
        if (!equal)
            return false;
    }
    return true;
}

/* Called once for an attempt that is the first of this session. */
static bool
go_on(struct run *self, struct plan_id id)
{
    uint32_t before = run_attempts_before(self, id);

    if (take_kept(self, id))
        return false;
    if (before > 0 && self->hold_until > 0) {
        plan_retry(self->plan, id);
        timers_add(&self->timers, id, self->hold_until);
        return false;
    }
    if (before > 0 && flow_task_of(self, id)->options->at_most_once) {
        run_finish(self, id, PLAN_FAILED, NULL,
                   "at-most-once: it was started in an earlier session");
        return false;
    }
    run_set_attempts(self, id, before);
    return true;
}

bool
run_start(struct run *self, struct plan_id id)
{
    const struct flow_task *task = flow_task_of(self, id);
    struct run_proposal start = {.change = {.id = id, .state = PLAN_RUNNING}};
    enum plan_state state = PLAN_RUNNING;
    struct buf cause = {0};

    if (run_is_agreed(self, id)) {
        start.change.attempt = add_attempt(self, id);
        return run_make(self, &start, PLAN_RUNNING);
    }
    if (self->resume && run_attempts_now(self, id) == 0 && !go_on(self, id))
        return false;
    if (task->ncase > 0 && !cases_hold(self, id, &state, &cause)) {
        run_finish(self, id, state, NULL, buf_str(&cause));
        buf_release(&cause);
        return false;
    }
    if (task->kind == FLOW_MERGE) {
        run_finish(self, id, PLAN_SUCCEEDED, run_merge(self, id), NULL);
        return false;
    }
    run_note_since(self, id, RUN_NOW);
    start.change.attempt = add_attempt(self, id);
    return run_propose(self, &start);
}

/* ---- decisions of the plan ---- */

static bool
all_skipped(const struct run *self, const struct flow_task *merge)
{
    for (uint32_t i = 0; i < merge->nneeds; i++) {
        struct plan_id branch = {merge->needs[i], PLAN_WHOLE};

        if (plan_state(self->plan, branch) != PLAN_SKIPPED)
            return false;
    }
    return true;
}

static void
expand(struct run *self, uint32_t task)
{
    struct plan_id id = {task, PLAN_WHOLE};
    struct run_proposal p = {.change = {.id = id, .state = PLAN_MAPPED}};
    const struct flow_task *spec = &self->flow->tasks[task];
    struct err err;

    if (spec->kind == FLOW_MERGE && all_skipped(self, spec)) {
        run_finish(self, id, PLAN_SKIPPED, NULL,
                   "all its branches were skipped");
        return;
    }
    if (run_expand(self, task, &p.map, &err) < 0)
        run_finish(self, id, PLAN_FAILED, NULL, err.msg);
    else
        (void)run_propose(self, &p);
}

static const char *
trigger_text(const struct flow_task *task, char text[160])
{
    const struct flow_options *o = task->options;

    (void)snprintf(text, 160, "its trigger `%s` did not hold",
                   plan_trigger_names[o->trigger]);
    if (o->trigger == TRIGGER_ALL_SUCCESSFUL)
        (void)snprintf(text, 160, "something it depends on failed");
    return text;
}

static void
pause(struct run *self, struct plan_id id)
{
    struct run_proposal p = {.change = {.id = id, .state = PLAN_PAUSED}};

    if (self->tasks[id.task].approved && !run_decided(self, id))
        plan_ready(self->plan, id);
    else
        (void)run_propose(self, &p);
}

static void
decide(struct run *self, struct plan_id id, enum plan_decision decision)
{
    const struct flow_task *task = flow_task_of(self, id);
    char text[160];

    switch (decision) {
    case PLAN_EXPAND:
        expand(self, id.task);
        break;
    case PLAN_SKIP:
        run_finish(self, id, PLAN_SKIPPED, NULL,
                   "something it depends on was skipped");
        break;
    case PLAN_TRIGGER_FAIL:
        run_finish(self, id, PLAN_TRIGGER_FAILED, NULL,
                   trigger_text(task, text));
        break;
    case PLAN_PAUSE:
        pause(self, id);
        break;
    }
}

/* ---- life ---- */

int
run_new(struct run **ret, const struct flow *flow, json_t *params,
        uint64_t seed, const struct run_hooks *hooks, struct err *err)
{
    struct plan_task *tasks = flow_plan_tasks(flow);
    struct plan_edge *edges = NULL;
    struct run *self = mem_alloc(1, sizeof *self);
    size_t nedge = 0;
    int rc;

    edges = flow_edges(flow, &nedge);
    self->flow = flow;
    self->params = json_incref(params);
    self->random = seed != 0 ? seed : 1;
    self->tasks = mem_alloc(flow->ntask, sizeof *self->tasks);
    if (hooks)
        self->hooks = *hooks;
    rc = plan_new(&self->plan, tasks, (uint32_t)flow->ntask, edges, nedge, NULL,
                  err);
    free(tasks);
    free(edges);
    if (rc < 0)
        run_destroy(&self);
    else
        *ret = self;
    return rc;
}

void
run_destroy(struct run **self_p)
{
    struct run *self = *self_p;

    if (!self)
        return;
    run_resume_destroy(self);
    for (size_t t = 0; t < self->flow->ntask; t++) {
        run_drop_proposals(self, (uint32_t)t);
        json_decref(self->tasks[t].value);
        map_destroy(&self->tasks[t].map);
        free(self->tasks[t].cause);
    }
    plan_destroy(&self->plan);
    json_decref(self->params);
    free(self->tasks);
    free(self->cancelled);
    free(self->stops);
    timers_release(&self->timers);
    free(self);
    *self_p = NULL;
}

enum run_step
run_settle(struct run *self, int64_t now, int64_t *until)
{
    enum plan_decision decision;
    struct plan_id id;

    if (now >= self->hold_until)
        self->hold_until = 0;
    while (timers_due(&self->timers) <= now)
        plan_ready(self->plan, timers_take(&self->timers));
    do {
        while (plan_decide(self->plan, &id, &decision))
            decide(self, id, decision);
    } while (run_see_to_stops(self));
    *until = timers_due(&self->timers);
    if (plan_count(self->plan, PLAN_READY) > 0)
        return RUN_START;
    if (plan_is_finished(self->plan))
        return RUN_ENDED;
    return plan_is_stalled(self->plan) ? RUN_PAUSED : RUN_WAIT;
}

enum run_step
run_next(struct run *self, int64_t now, struct plan_id *work, int64_t *until)
{
    enum run_step step;
    struct plan_id id;

    for (;;) {
        step = run_settle(self, now, until);
        if (!plan_take(self->plan, &id))
            break;
        if (run_start(self, id)) {
            *work = id;
            return RUN_START;
        }
    }
    /* What is ready beyond max-parallel waits for a report. */
    return step == RUN_START ? RUN_WAIT : step;
}

/* The bare word says no more than the state; the run knows why. */
static const char *
why(const struct run *self, struct plan_id id,
    const struct run_outcome *outcome)
{
    bool bare = outcome->cause && strcmp(outcome->cause, "cancelled") == 0;

    if (bare && self->cancelled)
        return self->cancelled;
    return bare && run_is_stopping(self, id) ? RUN_STOPPED : outcome->cause;
}

void
run_report(struct run *self, struct plan_id id,
           const struct run_outcome *outcome, int64_t now)
{
    const struct flow_retry *retry = &flow_task_of(self, id)->options->retry;
    enum plan_state state = outcome->state;

    if (run_may_retry(self, id, state)) {
        uint32_t nth = run_attempts_that_count(self, id);

        json_decref(outcome->value);
        run_start_again(self, id, outcome->cause,
                        now + run_retry_delay(self, retry, nth));
        return;
    }
    if (state == PLAN_RETRYING) {
        char text[LIMIT_CAUSE_BYTES];

        (void)snprintf(text, sizeof text,
                       "asked for a retry, but has no more (%s)",
                       outcome->cause ? outcome->cause : "retry: 0");
        run_finish(self, id, PLAN_FAILED, outcome->value, text);
        return;
    }
    run_finish(self, id, state, outcome->value, why(self, id, outcome));
}

void
run_try_again(struct run *self, struct plan_id id, const char *cause,
              int64_t until)
{
    if (self->cancelled)
        run_finish(self, id, PLAN_CANCELLED, NULL, self->cancelled);
    else
        run_start_again(self, id, cause, until);
}

void
run_report_last(struct run *self, struct plan_id id,
                const struct run_outcome *outcome)
{
    run_finish(self, id, outcome->state, outcome->value,
               why(self, id, outcome));
}

void
run_cancel(struct run *self)
{
    run_cancel_for(self, "the run was cancelled");
}

void
run_resume(struct run *self, struct plan_id id)
{
    if (plan_state(self->plan, id) == PLAN_PAUSED)
        plan_ready(self->plan, id);
}

/* ---- what became of an instance ---- */

const char *
run_cause(const struct run *self, struct plan_id id)
{
    const char *cause = run_own_cause(self, id);

    if (!cause && plan_state(self->plan, id) == PLAN_CANCELLED)
        return self->cancelled;
    return cause;
}
