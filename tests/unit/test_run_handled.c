/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Random flow files whose state handlers answer at random: what becomes of a
 * run is the same whether they answer at once or later, in any order, while
 * attempts go on, are given back and end. SEEDS=n runs n of them, SEED=n one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "flow/file.h"
#include "flow/params.h"
#include "flow/run.h"
#include "flow/value.h"
#include "tests/support/bindings.h"
#include "tests/support/fate.h"
#include "tests/support/random_file.h"
#include "tests/support/random_flow.h"

#define FLIGHTS 8

struct driver {
    uint64_t seed, dice;
    struct buf text;
    struct flow *flow;
    json_t *params;
    struct fate fate;
    struct run *run;
    bool later;   /* handlers answer later */
    bool cancels; /* the run may be cancelled at any moment */
    bool cancelled;
    int64_t now;
    struct plan_id busy[FLIGHTS];
    uint32_t nbusy;
    struct plan_id *asked;
    size_t nasked, cap_asked;
    json_t *known; /* what handlers were asked, as text */
};

static void
check(const struct driver *d, bool holds, const char *what)
{
    if (holds)
        return;
    (void)fputs(buf_str(&d->text), stderr);
    fail_msg("SEED=%llu%s%s: not %s", (unsigned long long)d->seed,
             d->later ? ", later" : "", d->cancels ? ", cancelled" : "", what);
}

#define CHECK(d, what) check((d), (what), #what)

/* ---- handlers ---- */

/* The same for whoever asks, and whenever. */
static enum plan_state
answer(const struct driver *d, const struct run_change *change,
       const char **cause)
{
    uint64_t dice = dice_mix(
        d->seed ^ dice_mix(change->id.task * UINT64_C(1000003) +
                           change->id.child + change->attempt * 7919 +
                           (uint64_t)change->state * UINT64_C(104729)));

    *cause = dice_one_in(&dice, 3) ? "the handler says so" : NULL;
    if (!dice_one_in(&dice, 4))
        return change->state;
    return (enum plan_state)dice_roll(&dice, PLAN_STATE_COUNT);
}

/* Nobody is asked the same twice. */
static void
note_asked(struct driver *d, const struct run_change *change)
{
    char key[80];

    (void)snprintf(key, sizeof key, "%u %u %u %u", change->id.task,
                   change->id.child, change->attempt, change->state);
    CHECK(d, !json_object_get(d->known, key));
    json_object_set_new(d->known, key, json_true());
}

static enum plan_state
on_handle(void *ctx, struct run_change *change)
{
    struct driver *d = ctx;
    const char *cause = NULL;
    enum plan_state state;

    note_asked(d, change);
    CHECK(d, change->from == (change->state == PLAN_RUNNING
                                  ? PLAN_READY
                                  : plan_state(run_plan(d->run), change->id)));
    CHECK(d, !run_pending(d->run, change->id));
    /* What may run at once and is given back would be asked about again. */
    if (d->later &&
        (change->state == PLAN_RUNNING || !dice_one_in(&d->dice, 5))) {
        d->asked =
            mem_grow(d->asked, &d->cap_asked, d->nasked + 1, sizeof *d->asked);
        d->asked[d->nasked++] = change->id;
        return RUN_LATER;
    }
    state = answer(d, change, &cause);
    if (cause)
        change->cause = cause;
    return state;
}

static void
on_changed(void *ctx, const struct run_change *change)
{
    struct driver *d = ctx;

    CHECK(d, !run_pending(d->run, change->id));
    CHECK(d, !d->cancelled || change->state != PLAN_RUNNING);
}

/* True if it was not dropped meanwhile. */
static bool
answer_one(struct driver *d)
{
    size_t i = dice_roll(&d->dice, (uint32_t)d->nasked);
    struct plan_id id = d->asked[i];
    const struct run_change *change = run_pending(d->run, id);
    const char *cause = NULL;
    enum plan_state state;

    d->asked[i] = d->asked[--d->nasked];
    CHECK(d, change || d->cancelled || d->flow->has_max_fails);
    if (!change)
        return false;
    state = answer(d, change, &cause);
    run_handled(d->run, id, state, cause);
    return true;
}

/* ---- attempts ---- */

static void
report(struct driver *d)
{
    uint32_t i = dice_roll(&d->dice, d->nbusy);
    struct plan_id id = d->busy[i];
    json_t *bindings = NULL;
    json_t *given = NULL;
    struct run_outcome outcome;
    struct err err;

    if (bindings_get(d->run, d->params, id, &bindings, &err) == 0)
        given = json_pack("{s:o}", "bindings", bindings);
    outcome = fate_try(&d->fate, id, run_attempts(d->run, id), given);
    json_decref(given);
    d->busy[i] = d->busy[--d->nbusy];
    run_report(d->run, id, &outcome, d->now);
}

static void
start(struct driver *d, struct plan_id id)
{
    CHECK(d, plan_state(run_plan(d->run), id) == PLAN_RUNNING);
    if (d->later && dice_one_in(&d->dice, 6))
        run_give_back(d->run, id);
    else
        d->busy[d->nbusy++] = id;
}

static void
approve(struct driver *d)
{
    for (uint32_t t = 0; t < d->flow->ntask; t++) {
        struct plan_id id = {t, PLAN_WHOLE};

        run_resume(d->run, id);
        for (id.child = 0; id.child < plan_children(run_plan(d->run), t);
             id.child++)
            run_resume(d->run, id);
    }
}

static void
wait(struct driver *d, int64_t until)
{
    if (d->nbusy > 0) {
        report(d);
    } else if (d->nasked > 0 && (until == SPAN_NEVER || d->dice % 2)) {
        (void)answer_one(d);
    } else {
        CHECK(d, until != SPAN_NEVER && until > d->now);
        d->now = until;
    }
}

static bool
step(struct driver *d)
{
    struct plan_id id;
    int64_t until;

    if (d->cancels && dice_one_in(&d->dice, 30)) {
        d->cancelled = true;
        run_cancel(d->run);
    }
    if (d->nasked > 0 && dice_one_in(&d->dice, 3))
        return answer_one(d) || true;
    if (d->nbusy == FLIGHTS || (d->nbusy > 0 && dice_one_in(&d->dice, 3))) {
        report(d);
        return true;
    }
    switch (run_next(d->run, d->now, &id, &until)) {
    case RUN_START:
        start(d, id);
        return true;
    case RUN_WAIT:
        wait(d, until);
        return true;
    case RUN_PAUSED:
        CHECK(d, d->nbusy == 0);
        approve(d);
        return true;
    case RUN_ENDED:
        break;
    }
    return false;
}

static struct run *
run_through(struct driver *d, bool later, bool cancels)
{
    struct run_hooks hooks = {on_changed, on_handle, d};
    struct run *run;
    struct err err;

    d->later = later;
    d->cancels = cancels;
    d->cancelled = false;
    d->nbusy = 0;
    d->nasked = 0;
    d->known = json_object();
    CHECK(d, run_new(&d->run, d->flow, d->params, d->seed, &hooks, &err) == 0);
    while (step(d))
        ;
    CHECK(d, d->nbusy == 0);
    CHECK(d, plan_is_finished(run_plan(d->run)));
    for (size_t i = 0; i < d->nasked; i++)
        CHECK(d, !run_pending(d->run, d->asked[i]));
    run = d->run;
    d->run = NULL;
    json_decref(d->known);
    return run;
}

/* ---- both are the same ---- */

static bool
is_same_text(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static void
compare(const struct driver *d, struct run *a, struct run *b, struct plan_id id)
{
    json_t *values[2] = {run_value(a, id), run_value(b, id)};

    CHECK(d, plan_state(run_plan(a), id) == plan_state(run_plan(b), id));
    CHECK(d, run_attempts(a, id) == run_attempts(b, id));
    CHECK(d, is_same_text(run_cause(a, id), run_cause(b, id)));
    CHECK(d, value_equal(values[0], values[1]));
    json_decref(values[0]);
    json_decref(values[1]);
}

static void
compare_all(const struct driver *d, struct run *a, struct run *b)
{
    for (uint32_t t = 0; t < d->flow->ntask; t++) {
        struct plan_id id = {t, PLAN_WHOLE};
        uint32_t n = plan_children(run_plan(a), t);

        CHECK(d, n == plan_children(run_plan(b), t));
        compare(d, a, b, id);
        for (id.child = 0; id.child < n; id.child++)
            compare(d, a, b, id);
    }
    CHECK(d, run_is_success(a) == run_is_success(b));
}

/* ---- seeds ---- */

static void
run_seed(uint64_t seed)
{
    struct driver driver = {.seed = seed, .dice = dice_mix(seed)};
    struct driver *d = &driver;
    struct diags diags = {0};
    struct buf problems = {0};
    json_t *given = json_object();
    struct run *runs[2];

    random_file(&d->dice, &d->text);
    CHECK(d, flow_parse("random.yaml", d->text.data, d->text.len, &d->flow,
                        &diags) == 0);
    CHECK(d, params_bind(d->flow, given, &d->params, &problems) == 0);
    d->fate = (struct fate){d->flow, dice_mix(seed + 1), seed % 2};
    runs[0] = run_through(d, false, false);
    runs[1] = run_through(d, true, false);
    if (!d->flow->has_max_fails)
        compare_all(d, runs[0], runs[1]);
    run_destroy(&runs[0]);
    run_destroy(&runs[1]);
    runs[0] = run_through(d, true, true);
    run_destroy(&runs[0]);
    json_decref(d->params);
    json_decref(given);
    flow_destroy(&d->flow);
    buf_release(&d->text);
    diags_release(&diags);
    free(d->asked);
}

static uint64_t
number(const char *name, uint64_t fallback)
{
    const char *s = getenv(name);

    return s ? strtoull(s, NULL, 10) : fallback;
}

static void
handlers_may_answer_later(void **state)
{
    uint64_t n = number("SEEDS", 3000);

    (void)state;
    if (getenv("SEED")) {
        run_seed(number("SEED", 0));
        return;
    }
    for (uint64_t seed = 0; seed < n; seed++)
        run_seed(seed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(handlers_may_answer_later),
    };

    return cmocka_run_group_tests_name("run_handled", tests, NULL, NULL);
}
