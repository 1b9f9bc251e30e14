/* SPDX-License-Identifier: MPL-2.0 */
#include <stdio.h>

#include "base/mem.h"
#include "broker/core_impl.h"

/* ---- what is stored ---- */

static void
send_record(struct life *self, struct store_record *record)
{
    struct broker *broker = self->broker;

    record->task = self->flow->tasks[record->id.task].name;
    buf_clear(&broker->key);
    if (run_key(self->run, record->id, &broker->key))
        record->key = buf_str(&broker->key);
    broker->recorded = true;
    broker->effects.record(broker->effects.ctx, self->id, record);
}

/* That it runs is worth a record only if nobody could tell it from its end. */
static bool
is_start_recorded(const struct flow_task *task)
{
    return !task->options->at_most_once &&
           (task->kind != FLOW_CALL || task->options->timeout > 0);
}

void
broker_life_changed(void *ctx, const struct run_change *change)
{
    struct life *self = ctx;
    const struct flow_task *task = &self->flow->tasks[change->id.task];
    const struct result *result = self->result;
    struct store_record r = {
        .id = change->id,
        .attempt = change->attempt,
        .state = change->state,
        .value = change->value,
        .cause = change->cause,
        .code = -1,
    };

    if (change->kept)
        return;
    if (change->state == PLAN_RUNNING &&
        (self->adopting || !task->options->at_most_once))
        return; /* not before the agent says so */
    if (run_is_cancelled(self->run) && !self->cancelled)
        self->fell = true;
    if (result && plan_id_is(change->id, self->reported)) {
        r.code = result->code;
        r.started = result->started;
        r.ended = result->ended;
        r.cpu = result->cpu;
        r.memory = result->memory;
        r.cwd = result->cwd;
    }
    if (change->state == PLAN_MAPPED)
        r.children = plan_children(run_plan(self->run), r.id.task);
    send_record(self, &r);
}

void
broker_life_started(struct life *self, struct plan_id id, uint32_t attempt)
{
    struct store_record r = {
        .id = id,
        .attempt = attempt,
        .state = PLAN_RUNNING,
        .code = -1,
    };

    if (is_start_recorded(&self->flow->tasks[id.task]))
        send_record(self, &r);
}

/* ---- ends of attempts ---- */

void
broker_life_report(struct life *self, struct plan_id id,
                   const struct result *result, int64_t now)
{
    struct run_outcome outcome = {.state = result->state,
                                  .cause = result->cause};

    if (plan_state_is_success(result->state))
        outcome.value = json_incref(result->value);
    self->reported = id;
    self->result = result;
    run_report(self->run, id, &outcome, now);
    self->result = NULL;
    self->unsettled = true;
}

void
broker_life_end_as(struct life *self, struct plan_id id, enum plan_state state,
                   const char *cause, int64_t now)
{
    struct result result = {.state = state, .cause = cause, .code = -1};

    broker_life_report(self, id, &result, now);
}

void
broker_life_end_cancelled(struct life *self, struct plan_id id, int64_t now)
{
    broker_life_end_as(self, id, PLAN_CANCELLED,
                       run_is_stopping(self->run, id) ? RUN_STOPPED
                                                      : "the run was cancelled",
                       now);
}

void
broker_life_give_back(struct life *self, struct plan_id id)
{
    run_give_back(self->run, id);
    self->unsettled = true;
}

static uint32_t
count_crash(struct life *self, struct plan_id id)
{
    for (size_t i = 0; i < self->ncrash; i++) {
        if (plan_id_is(self->crashes[i].id, id))
            return ++self->crashes[i].n;
    }
    self->crashes = mem_grow(self->crashes, &self->cap_crash, self->ncrash + 1,
                             sizeof *self->crashes);
    self->crashes[self->ncrash++] = (struct crash){id, 1};
    return 1;
}

void
broker_life_lost(struct life *self, struct plan_id id, const char *agent,
                 bool blame, int64_t now)
{
    const struct flow_options *o = self->flow->tasks[id.task].options;
    char cause[LIMIT_AGENT_NAME + 80];
    uint32_t n = 1;

    (void)snprintf(cause, sizeof cause, "agent %s %s", agent,
                   blame ? "was lost" : "left");
    if (self->cancelled || run_is_stopping(self->run, id)) {
        broker_life_end_cancelled(self, id, now);
        return;
    }
    if (blame && !o->at_most_once)
        n = count_crash(self, id);
    if (n > 1)
        (void)snprintf(cause, sizeof cause, "agent %s was lost (%u times)",
                       agent, n);
    self->broker->counts.requeued++;
    self->unsettled = true;
    if (o->at_most_once || n >= LIMIT_CRASHES ||
        (blame && (o->retry.on & RETRY_LOST) == 0)) {
        struct run_outcome outcome = {.state = PLAN_CRASHED, .cause = cause};

        run_report_last(self->run, id, &outcome);
        return;
    }
    run_try_again(self->run, id, cause, now);
}

/* ---- what an attempt takes ---- */

/* Forwarded variables are like the surroundings: a task's own go first. */
static void
add_env(const struct life *self, struct work *work)
{
    json_t *env;

    if (!work->env) {
        work->env = json_incref(self->env);
        return;
    }
    env = json_copy(self->env);
    (void)json_object_update(env, work->env);
    json_decref(work->env);
    work->env = env;
}

static int
gather(struct life *self, struct plan_id id, struct work *work, struct err *err)
{
    if (!self->env)
        return work_gather_text(work, &self->spec, self->run, id,
                                &self->broker->item, err);
    if (work_gather(work, &self->spec, self->run, id, err) < 0)
        return -1;
    add_env(self, work);
    return 0;
}

bool
broker_life_work(struct life *self, struct plan_id id, struct work *work,
                 int64_t now)
{
    struct err err;

    if (self->spec.task != id.task || !self->spec.flow) {
        work_spec_init(&self->spec, self->flow, id.task);
        self->spec.run = self->spec.common = self->id;
        self->spec.params = self->params;
        self->spec.home = self->home;
        self->spec.source_hash = self->source_hash;
        self->spec.program = self->program; /* of its other tasks, perhaps */
        self->spec.nprogram = self->nprogram;
    }
    if (gather(self, id, work, &err) < 0) {
        broker_life_end_as(self, id, PLAN_FAILED, err.msg, now);
        return false;
    }
    return true;
}
