/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/run.h"

#include <stdio.h>
#include <stdlib.h>

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

static const char *
own_cause(const struct run *self, struct plan_id id)
{
    const struct run_task *task = &self->tasks[id.task];

    if (id.child == PLAN_WHOLE)
        return task->cause;
    if (!task->map || !task->map->causes)
        return NULL;
    return task->map->causes[id.child];
}

/* ---- changes of state ---- */

static enum plan_state
propose(struct run *self, struct run_change *change)
{
    if (!self->hooks.handle)
        return change->state;
    change->from = plan_state(self->plan, change->id);
    return self->hooks.handle(self->hooks.ctx, change);
}

void
run_announce(struct run *self, const struct run_change *change)
{
    if (self->hooks.changed)
        self->hooks.changed(self->hooks.ctx, change);
}

static bool
is_failure(enum plan_state state)
{
    return state == PLAN_FAILED || state == PLAN_TIMED_OUT ||
           state == PLAN_CRASHED;
}

/* One with a cause of its own was cancelled before. */
static void
announce_if_cancelled(struct run *self, struct plan_id id)
{
    struct run_change change = {
        .id = id, .state = PLAN_CANCELLED, .cause = self->cancelled};

    if (plan_state(self->plan, id) != PLAN_CANCELLED || own_cause(self, id))
        return;
    change.attempt = run_attempts(self, id);
    change.kept = run_is_left_as_it_was(self, id);
    run_announce(self, &change);
}

/* Tell of everything that plan_cancel has ended. */
static void
announce_cancelled(struct run *self, uint32_t task)
{
    uint32_t n = plan_children(self->plan, task);

    announce_if_cancelled(self, (struct plan_id){task, PLAN_WHOLE});
    for (uint32_t k = 0; k < n; k++)
        announce_if_cancelled(self, (struct plan_id){task, k});
}

static void
cancel(struct run *self, const char *cause)
{
    if (self->cancelled)
        return;
    self->cancelled = mem_dup(cause);
    timers_clear(&self->timers);
    plan_cancel(self->plan);
    for (size_t t = 0; t < self->flow->ntask; t++)
        announce_cancelled(self, (uint32_t)t);
}

static void
count_failure(struct run *self, enum plan_state state)
{
    uint32_t most = self->flow->max_fails;
    char cause[80];

    if (!is_failure(state))
        return;
    self->failures++;
    if (!self->flow->has_max_fails || self->failures <= most)
        return;
    (void)snprintf(cause, sizeof cause,
                   "max-fails: more than %u failure%s ended the run", most,
                   most == 1 ? "" : "s");
    cancel(self, cause);
}

/* A handler may answer anything; what makes no sense here is a failure. */
static void
end_instance(struct run *self, struct plan_id id, struct run_change *change,
             json_t *value)
{
    if (!plan_state_is_final(change->state)) {
        change->state = PLAN_FAILED;
        change->cause = "its state handler gave a state that is not an end";
    }
    if (change->state == PLAN_SUCCEEDED)
        change->cause = NULL;
    if (change->state == PLAN_CANCELLED && !change->cause)
        change->cause = "its state handler cancelled it";
    change->value = value;
    run_set_result(self, id, value, change->cause);
    run_inherit_since(self, id);
    plan_finish(self->plan, id, change->state);
    run_announce(self, change);
    count_failure(self, change->state);
}

void
run_finish(struct run *self, struct plan_id id, enum plan_state state,
           json_t *value, const char *cause)
{
    struct run_change change = {.id = id,
                                .state = state,
                                .attempt = run_attempts(self, id),
                                .value = value,
                                .cause = cause};

    change.state = propose(self, &change);
    end_instance(self, id, &change, value);
}

static void
start_again_at(struct run *self, struct plan_id id, const char *cause,
               int64_t until)
{
    struct run_change change = {.id = id,
                                .state = PLAN_RETRYING,
                                .attempt = run_attempts(self, id),
                                .cause = cause,
                                .until = until};

    change.state = propose(self, &change);
    if (change.state != PLAN_RETRYING) {
        end_instance(self, id, &change, NULL);
        return;
    }
    plan_retry(self->plan, id);
    timers_add(&self->timers, id, until);
    run_announce(self, &change);
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
    count_failure(self, change.state);
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
    struct run_change change = {.id = id, .state = PLAN_RUNNING};
    enum plan_state state = PLAN_RUNNING;
    struct buf cause = {0};

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
    change.attempt = add_attempt(self, id);
    change.state = propose(self, &change);
    if (change.state != PLAN_RUNNING) {
        end_instance(self, id, &change, NULL);
        return false;
    }
    run_announce(self, &change);
    return true;
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
    struct run_change change = {.id = id, .state = PLAN_MAPPED};
    const struct flow_task *spec = &self->flow->tasks[task];
    struct plan_link *links = NULL;
    struct map *map = NULL;
    uint32_t nlink = 0;
    struct err err;

    if (spec->kind == FLOW_MERGE && all_skipped(self, spec)) {
        run_finish(self, id, PLAN_SKIPPED, NULL,
                   "all its branches were skipped");
        return;
    }
    if (run_expand(self, task, &map, &err) < 0) {
        run_finish(self, id, PLAN_FAILED, NULL, err.msg);
        return;
    }
    change.state = propose(self, &change);
    if (change.state != PLAN_MAPPED) {
        map_destroy(&map);
        end_instance(self, id, &change, NULL);
        return;
    }
    links = mem_alloc(map->nsource, sizeof *links);
    for (uint32_t i = 0; spec->kind != FLOW_MERGE && i < map->nsource; i++) {
        if (run_is_linked(self, task, i))
            links[nlink++] = (struct plan_link){
                .from = map->sources[i].task,
                .stride = map->sources[i].stride,
                .count = map->sources[i].count,
                .owner = map->owner,
            };
    }
    self->tasks[task].map = map;
    run_inherit_since(self, id);
    plan_expand(self->plan, task, map->n, links, nlink);
    free(links);
    run_announce(self, &change);
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
    struct run_change change = {.id = id, .state = PLAN_PAUSED};

    if (self->tasks[id.task].approved) {
        plan_ready(self->plan, id);
        return;
    }
    change.state = propose(self, &change);
    if (change.state != PLAN_PAUSED) {
        end_instance(self, id, &change, NULL);
        return;
    }
    plan_pause(self->plan, id);
    run_announce(self, &change);
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
        json_decref(self->tasks[t].value);
        map_destroy(&self->tasks[t].map);
        free(self->tasks[t].cause);
    }
    plan_destroy(&self->plan);
    json_decref(self->params);
    free(self->tasks);
    free(self->cancelled);
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
    while (plan_decide(self->plan, &id, &decision))
        decide(self, id, decision);
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

void
run_report(struct run *self, struct plan_id id,
           const struct run_outcome *outcome, int64_t now)
{
    const struct flow_retry *retry = &flow_task_of(self, id)->options->retry;
    enum plan_state state = outcome->state;

    if (run_may_retry(self, id, state)) {
        uint32_t nth = run_attempts_that_count(self, id);

        json_decref(outcome->value);
        start_again_at(self, id, outcome->cause,
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
    run_finish(self, id, state, outcome->value, outcome->cause);
}

void
run_try_again(struct run *self, struct plan_id id, const char *cause,
              int64_t until)
{
    if (self->cancelled)
        run_finish(self, id, PLAN_CANCELLED, NULL, self->cancelled);
    else
        start_again_at(self, id, cause, until);
}

void
run_report_last(struct run *self, struct plan_id id,
                const struct run_outcome *outcome)
{
    run_finish(self, id, outcome->state, outcome->value, outcome->cause);
}

void
run_cancel(struct run *self)
{
    cancel(self, "the run was cancelled");
}

void
run_resume(struct run *self, struct plan_id id)
{
    if (plan_state(self->plan, id) == PLAN_PAUSED)
        plan_ready(self->plan, id);
}

/* ---- what became of an instance ---- */

uint32_t
run_attempts(const struct run *self, struct plan_id id)
{
    uint32_t now = run_attempts_now(self, id);

    return now > 0 ? now : run_attempts_before(self, id);
}

const char *
run_cause(const struct run *self, struct plan_id id)
{
    const char *cause = own_cause(self, id);

    if (!cause && plan_state(self->plan, id) == PLAN_CANCELLED)
        return self->cancelled;
    return cause;
}
