/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "flow/value.h"
#include "tests/support/bindings.h"
#include "tests/support/random_flow.h"

void
world_complain(const struct world *w, int line, const char *fmt, ...)
{
    char what[400];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(what, sizeof what, fmt, args);
    va_end(args);
    (void)fputs(buf_str(&w->text), stderr);
    fail_msg("SEED=%llu line %d, %s%s: %s", (unsigned long long)w->seed, line,
             w->at_once ? "at once" : "in order",
             w->counts ? "" : ", interrupted", what);
}

void
world_check(const struct world *w, bool holds, const char *what, int line)
{
    if (!holds)
        world_complain(w, line, "not %s", what);
}

static bool
is_failure(enum plan_state state)
{
    return state == PLAN_FAILED || state == PLAN_TIMED_OUT ||
           state == PLAN_CRASHED;
}

void
world_check_state(const struct world *w, struct plan_id id, enum plan_state got)
{
    enum plan_state want = ref_run_instance(w->want, id)->state;

    if (got != want &&
        !(w->is_over && (got == PLAN_CANCELLED || is_failure(got))))
        world_complain(w, __LINE__, "%s child %d is %s, not %s",
                       w->flow->tasks[id.task].name, (int)id.child,
                       plan_state_names[got], plan_state_names[want]);
}

void
world_check_same(const struct world *w, struct plan_id id, const char *what,
                 const json_t *got, const json_t *want)
{
    struct buf texts[2] = {0};

    value_json(got, &texts[0]);
    value_json(want, &texts[1]);
    if (strcmp(buf_str(&texts[0]), buf_str(&texts[1])) != 0)
        world_complain(w, __LINE__, "%s of %s child %d is %s, not %s", what,
                       w->flow->tasks[id.task].name, (int)id.child,
                       buf_str(&texts[0]), buf_str(&texts[1]));
    buf_release(&texts[0]);
    buf_release(&texts[1]);
}

void
world_check_value(const struct world *w, struct plan_id id, const json_t *got)
{
    json_t *want = ref_run_value(w->want, id);

    world_check_same(w, id, "value", got, want);
    json_decref(want);
}

/* ---- what the run tells ---- */

struct item *
world_item(const struct world *w, struct plan_id id)
{
    struct items *items = &w->items[id.task];

    if (id.child == PLAN_WHOLE)
        return &items->whole;
    CHECK(w, id.child < items->n);
    return &items->children[id.child];
}

static void
note_end(struct world *w, const struct run_change *change)
{
    json_t *null = json_null();

    w->nfailed += is_failure(change->state);
    if (w->flow->has_max_fails && w->nfailed > w->flow->max_fails)
        w->is_over = true;
    world_check_state(w, change->id, change->state);
    if (!w->is_over)
        world_check_value(w, change->id, change->value ? change->value : null);
    json_decref(null);
}

/* Each is the one before times the backoff, give or take the jitter. */
static void
check_delay(const struct world *w, const struct run_change *change)
{
    const struct flow_retry *retry =
        &w->flow->tasks[change->id.task].options->retry;
    double got = (double)(change->until - w->now);
    double want = (double)retry->delay;

    for (uint32_t i = 1; i < change->attempt; i++)
        want *= retry->backoff;
    if (retry->max > 0 && want > (double)retry->max)
        want = (double)retry->max;
    CHECK(w, got >= want * (1 - retry->jitter) - 1);
    CHECK(w, got <= want * (1 + retry->jitter) + 1);
}

static void
print_change(const struct world *w, const struct run_change *change)
{
    struct buf value = {0};

    value_json(change->value, &value);
    (void)fprintf(stderr, "# %s[%d] %s%s #%u %s %s\n",
                  w->flow->tasks[change->id.task].name, (int)change->id.child,
                  plan_state_names[change->state], change->kept ? " kept" : "",
                  change->attempt, buf_str(&value),
                  change->cause ? change->cause : "");
    buf_release(&value);
}

void
world_changed(void *ctx, const struct run_change *change)
{
    struct world *w = ctx;
    struct item *item = world_item(w, change->id);

    if (w->loud)
        print_change(w, change);
    CHECK(w, item->ends == 0);
    item->ends += plan_state_is_final(change->state);
    item->starts += change->state == PLAN_RUNNING;
    item->kept |= change->kept;
    if (plan_state_is_final(change->state))
        note_end(w, change);
    if (change->state == PLAN_RETRYING && w->counts)
        check_delay(w, change);
    CHECK(w, !change->kept || item->had);
    /* The start of a C function is not recorded. */
    if (change->kept || (change->state == PLAN_RUNNING &&
                         w->flow->tasks[change->id.task].kind == FLOW_CALL))
        return;
    if (w->mirror) {
        struct err err = {0};
        uint32_t n = change->state == PLAN_MAPPED
                         ? plan_children(run_plan(w->run), change->id.task)
                         : 0;

        if (run_follow(w->mirror, change, n, &err) < 0)
            world_complain(w, __LINE__, "%s", err.msg);
    }
    item->state = change->state;
    item->attempts = change->attempt;
    item->order = ++w->nheard;
    json_decref(item->value);
    item->value = json_incref((json_t *)(uintptr_t)change->value);
}

/* ---- attempts ---- */

static bool
take_in(json_t *all, const char *name, int rc, json_t *value)
{
    return rc == 0 && json_object_set_new(all, name, value) == 0;
}

/* What an executor makes an attempt of; NULL if that can't be worked out. */
static json_t *
gather(const struct world *w, struct plan_id id)
{
    const struct flow_task *task = &run_flow(w->run)->tasks[id.task];
    json_t *all = json_object();
    json_t *env = json_object();
    json_t *value = NULL;
    struct err err = {0};
    int rc = bindings_get(w->run, w->params, id, &value, &err);
    bool ok = take_in(all, "bindings", rc, value);

    if (ok && task->input) {
        rc = run_eval(w->run, id, task->input, &value, &err);
        ok = take_in(all, "stdin", rc, value);
    }
    for (uint32_t i = 0; ok && i < task->options->nenv; i++) {
        rc = run_eval(w->run, id, task->options->env[i].value, &value, &err);
        ok = take_in(env, task->options->env[i].name, rc, value);
    }
    json_object_set_new(all, "env", env);
    if (ok)
        return all;
    CHECK(w, err.msg[0]);
    json_decref(all);
    return NULL;
}

/* One binding by its name is what it is among all. */
static void
check_lookup(struct world *w, struct plan_id id, const json_t *given)
{
    json_t *all = json_object_get(given, "bindings");
    const char *name;
    json_t *want;

    json_object_foreach(all, name, want) {
        json_t *got = NULL;
        struct err err;

        if (!dice_one_in(&w->dice, 4))
            continue;
        CHECK(w, run_lookup(w->run, id, name, &got, &err) == 0);
        world_check_same(w, id, name, got, want);
        json_decref(got);
    }
}

static void
start(struct world *w, struct plan_id id)
{
    const struct flow_task *task = &w->flow->tasks[id.task];
    json_t *given = gather(w, id);
    uint32_t n = 1;

    CHECK(w, !w->is_over);
    world_check_same(w, id, "what is given", given,
                     ref_run_instance(w->want, id)->given);
    check_lookup(w, id, given);
    json_decref(given);
    CHECK(w, plan_state(run_plan(w->run), id) == PLAN_RUNNING);
    for (uint32_t i = 0; i < w->nbusy; i++)
        n += w->busy[i].task == id.task;
    CHECK(w, !task->mapped || task->options->max_parallel == 0 ||
                 n <= task->options->max_parallel);
    w->busy[w->nbusy++] = id;
}

static void
report(struct world *w)
{
    uint32_t i = w->at_once ? dice_roll(&w->dice, w->nbusy) : 0;
    struct plan_id id = w->busy[i];
    struct run_outcome outcome =
        fate_try(&w->fate, id, run_attempts(w->run, id),
                 ref_run_instance(w->want, id)->given);

    w->busy[i] = w->busy[--w->nbusy];
    run_report(w->run, id, &outcome, w->now);
}

static void
approve(struct world *w)
{
    uint32_t n = 0;

    for (uint32_t t = 0; t < w->flow->ntask; t++) {
        struct plan_id id = {t, PLAN_WHOLE};

        for (id.child = PLAN_WHOLE;
             id.child + 1 <= plan_children(run_plan(w->run), t); id.child++) {
            if (plan_state(run_plan(w->run), id) != PLAN_PAUSED ||
                dice_one_in(&w->dice, 3))
                continue;
            run_resume(w->run, id);
            n++;
        }
    }
    CHECK(w, n > 0 || plan_is_stalled(run_plan(w->run)));
}

static void
wait(struct world *w, int64_t until)
{
    if (w->nbusy > 0 && (until == SPAN_NEVER || dice_one_in(&w->dice, 2))) {
        report(w);
        return;
    }
    CHECK(w, until != SPAN_NEVER && until > w->now);
    w->now = until;
}

/* Somebody looks at it while it runs. */
static void
look(struct world *w)
{
    struct plan_id id = {dice_roll(&w->dice, (uint32_t)w->flow->ntask),
                         PLAN_WHOLE};

    json_decref(run_value(w->run, id));
}

/* The first of the ready of a class. */
static enum run_step
next_of_class(struct world *w, struct plan_id *id, int64_t *until)
{
    const struct plan *plan = run_plan(w->run);
    uint32_t class = dice_roll(&w->dice, w->nclass);
    enum run_step step = run_settle(w->run, w->now, until);
    uint32_t next = plan_next_class(plan, class);
    uint32_t n = 0;

    for (uint32_t c = 0; c < w->nclass; c++) {
        bool has = plan_first_of(plan, c) != PLAN_NONE;

        n += has;
        CHECK(w, !has || c < class || next <= c);
        CHECK(w, next != c || has);
    }
    CHECK(w, step == RUN_START || n == 0);
    if (next == PLAN_NONE)
        next = plan_next_class(plan, 0);
    CHECK(w, (next == PLAN_NONE) == (n == 0));
    if (next == PLAN_NONE)
        return step == RUN_START ? RUN_WAIT : step;
    return run_take(w->run, next, id) ? RUN_START : RUN_WAIT;
}

/* It was not carried out after all. */
static void
give_back(struct world *w, struct plan_id id)
{
    if (dice_one_in(&w->dice, 2))
        run_give_back(w->run, id);
    else
        run_put_off(w->run, id, w->now + 5);
    world_item(w, id)->starts--;
}

static bool
step_by_class(struct world *w)
{
    struct plan_id id = {PLAN_NONE, PLAN_WHOLE};
    int64_t until;

    switch (next_of_class(w, &id, &until)) {
    case RUN_START:
        if (dice_one_in(&w->dice, 6))
            give_back(w, id);
        else
            start(w, id);
        return true;
    case RUN_WAIT:
        if (id.task == PLAN_NONE)
            wait(w, until);
        return true;
    case RUN_PAUSED:
        approve(w);
        return true;
    case RUN_ENDED:
        break;
    }
    CHECK(w, w->nbusy == 0);
    return false;
}

bool
world_step(struct world *w)
{
    uint32_t most = w->at_once ? WORLD_FLIGHTS : 1;
    struct plan_id id;
    int64_t until;

    if (w->cancels && dice_one_in(&w->dice, 30)) {
        w->is_over = true;
        run_cancel(w->run);
    }
    if (dice_one_in(&w->dice, 10))
        look(w);
    if (w->nbusy == most || (w->nbusy > 0 && dice_one_in(&w->dice, 3))) {
        report(w);
        return true;
    }
    if (w->nclass > 0)
        return step_by_class(w);
    switch (run_next(w->run, w->now, &id, &until)) {
    case RUN_START:
        start(w, id);
        return true;
    case RUN_WAIT:
        wait(w, until);
        return true;
    case RUN_PAUSED:
        CHECK(w, w->nbusy == 0);
        approve(w);
        return true;
    case RUN_ENDED:
        break;
    }
    CHECK(w, w->nbusy == 0);
    return false;
}
