/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>

#include "lib/local_impl.h"

void
attempt_fail(struct attempt *a, enum plan_state state, const char *cause)
{
    a->state = state;
    buf_clear(&a->cause);
    buf_text(&a->cause, cause);
}

static void
pass_output(void *ctx, void *tag, int stream, const char *data, size_t n)
{
    (void)tag;
    local_output(ctx, stream, data, n);
}

static struct carrier *
get_carrier(struct local *self)
{
    struct err err;

    if (self->carrier)
        return self->carrier;
    if (carrier_new(&self->carrier, pass_output, self, &err) < 0)
        attempt_fail(self->attempt, PLAN_FAILED, err.msg);
    else if (self->request->settled)
        carrier_set_process(self->carrier, 0);
    return self->carrier;
}

/* ---- the cache ---- */

/* In a scratch folder nothing is as it was. */
static bool
runs_in_scratch(const struct local *self, const struct work *work)
{
    return self->homeless && work->spec->kind != FLOW_CALL &&
           (!work->cwd || work->cwd[0] != '/');
}

static char *
cache_key(const struct local *self, const struct work *work)
{
    if (work->spec->cache_for == 0 || !self->request->store ||
        runs_in_scratch(self, work))
        return NULL;
    return carry_cache_key(work);
}

static bool
is_cached(struct local *self, const struct work *work, const char *key)
{
    struct attempt *a = self->attempt;
    struct err err;

    if (!key || self->request->no_cache || carry_is_created(work) ||
        store_cache_get(self->request->store, key, work->spec->cache_for,
                        &a->value, &err) < 0)
        return false;
    a->state = PLAN_CACHED;
    buf_text(&a->cause, "from an earlier run");
    return true;
}

static void
keep_value(struct local *self, const char *key)
{
    const struct attempt *a = self->attempt;
    struct err err;

    if (key && a->state == PLAN_SUCCEEDED &&
        store_cache_put(self->request->store, key,
                        a->value ? a->value : json_null(), &err) < 0)
        local_break(self, &err);
}

/* ---- one attempt ---- */

static bool
is_plain_call(const struct flow_task *task)
{
    return task->kind == FLOW_CALL && task->options->timeout == 0 &&
           !task->when && !task->creates && task->options->cache_for == 0;
}

/* How it was carried out is how it ended. */
static void
take_end(struct attempt *a, struct carry_done *done)
{
    a->state = done->state;
    a->value = done->value;
    a->cause = done->cause;
    a->cwd = done->cwd;
    a->code = done->code;
    a->cpu = done->cpu;
    a->memory = done->memory;
}

static void
see_to_end(struct local *self)
{
    for (;;) {
        struct carry_done done;
        enum carry_step step = carrier_wait(self->carrier, 0, &done);

        while (step == CARRY_NONE)
            step = local_wait(self, SPAN_NEVER, &done);
        if (step == CARRY_ENDED) {
            take_end(self->attempt, &done);
            return;
        }
        carry_done_release(&done);
        if (self->attempt->task->options->timeout > 0)
            attempt_call_apart(self);
        else
            attempt_call_between(self);
    }
}

static void
carry_out(struct local *self)
{
    struct attempt *a = self->attempt;
    struct work_spec spec;
    struct work work = {0};
    char *key = NULL;
    struct err err;

    work_spec_init(&spec, self->request->flow, a->id.task);
    spec.run = self->id;
    spec.params = self->request->params;
    /* A function is called here if there is no such folder. */
    if (!self->homeless || spec.kind != FLOW_CALL)
        spec.home = self->home;
    if (work_gather(&work, &spec, self->run, a->id, &err) < 0) {
        attempt_fail(a, PLAN_FAILED, err.msg);
        return;
    }
    key = cache_key(self, &work);
    if (!is_cached(self, &work, key) && get_carrier(self)) {
        carrier_start(self->carrier, &work, NULL, a);
        see_to_end(self);
        keep_value(self, key);
    }
    free(key);
    work_release(&work);
}

void
attempt_carry_out(struct local *self, struct plan_id id)
{
    struct attempt a = {
        .id = id,
        .number = run_attempts(self->run, id),
        .task = &self->request->flow->tasks[id.task],
        .state = PLAN_SUCCEEDED,
        .code = -1,
    };
    struct run_outcome outcome;

    /* cppcheck-suppress autoVariables ; it is NULL again below */
    self->attempt = &a;
    if (self->keep_times)
        a.started = span_wall();
    if (is_plain_call(a.task))
        attempt_call(self);
    else
        carry_out(self);
    if (self->keep_times)
        a.ended = span_wall();
    if (!plan_state_is_success(a.state) && a.value) {
        json_decref(a.value);
        a.value = NULL;
    }
    outcome = (struct run_outcome){
        .state = a.state,
        .value = a.value,
        .cause = a.cause.len > 0 ? buf_str(&a.cause) : NULL,
    };
    /* Only a retry needs to know when. */
    run_report(self->run, id, &outcome,
               a.state == PLAN_SUCCEEDED ? 0 : span_mono());
    self->attempt = NULL;
    buf_release(&a.cause);
    free(a.cwd);
}
