/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Random flow files with random outcomes, run to the end: every state, value
 * and binding must be the reference's. Each is run one attempt after another,
 * then many at once and reported in any order, then interrupted and gone on
 * with. SEEDS=n runs n of them, SEED=n just one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/mem.h"
#include "flow/file.h"
#include "flow/params.h"
#include "flow/run.h"
#include "tests/support/random_file.h"
#include "tests/support/random_flow.h"
#include "tests/support/seeds.h"
#include "tests/support/world.h"

/* ---- the end ---- */

static void
check_instance(struct world *w, struct plan_id id)
{
    const struct ref_instance *want = ref_run_instance(w->want, id);
    enum plan_state state = plan_state(run_plan(w->run), id);
    uint32_t attempts = run_attempts(w->run, id);
    const char *cause;
    bool has_cause;
    json_t *value;

    world_check_state(w, id, state);
    CHECK(w, world_item(w, id)->ends == (state != PLAN_MAPPED));
    if (state != want->state)
        return;
    if (!w->is_over) {
        value = run_value(w->run, id);
        world_check_value(w, id, value);
        json_decref(value);
    }
    CHECK(w, !w->counts || w->is_over || attempts == want->attempts);
    CHECK(w, w->is_over || attempts >= want->attempts);
    cause = run_cause(w->run, id);
    has_cause =
        state != PLAN_SUCCEEDED && state != PLAN_CACHED && state != PLAN_MAPPED;
    if ((cause != NULL) != has_cause && !world_item(w, id)->kept)
        world_complain(w, __LINE__, "%s child %d is %s, because: %s",
                       w->flow->tasks[id.task].name, (int)id.child,
                       plan_state_names[state], cause ? cause : "(nothing)");
}

static void
check_output(const struct world *w)
{
    json_t *want = ref_run_output(w->want);
    json_t *got = NULL;
    struct err err;

    CHECK(w, (run_output(w->run, &got, &err) == 0) == (want != NULL));
    world_check_same(w, (struct plan_id){0, 0}, "output", got, want);
    json_decref(got);
    json_decref(want);
}

static void
check_end(struct world *w)
{
    for (uint32_t t = 0; t < w->flow->ntask; t++) {
        struct plan_id id = {t, PLAN_WHOLE};
        bool expanded = plan_state(run_plan(w->run), id) == PLAN_MAPPED;

        check_instance(w, id);
        CHECK(w, !expanded || plan_children(run_plan(w->run), t) ==
                                  ref_run_children(w->want, t));
        for (id.child = 0; expanded && id.child < w->items[t].n; id.child++)
            check_instance(w, id);
    }
    if (w->is_over)
        return;
    CHECK(w, run_is_success(w->run) == ref_run_is_success(w->want));
    check_output(w);
}

/* What followed the run has come to the same, from what is recorded alone. */
static void
check_mirrored(const struct world *w, struct plan_id id)
{
    const struct plan *plan = run_plan(w->run);
    const struct plan *other = run_plan(w->mirror);
    const struct item *item = world_item(w, id);
    const char *causes[2] = {run_cause(w->run, id), run_cause(w->mirror, id)};
    json_t *values[2] = {run_value(w->run, id), run_value(w->mirror, id)};

    CHECK(w, plan_state(plan, id) == plan_state(other, id));
    world_check_same(w, id, "mirrored value", values[1], values[0]);
    CHECK(w, run_attempts(w->run, id) == run_attempts(w->mirror, id));
    CHECK(w, item->kept || (causes[0] != NULL) == (causes[1] != NULL));
    CHECK(w, item->kept || !causes[0] || !causes[1] ||
                 strcmp(causes[0], causes[1]) == 0);
    json_decref(values[0]);
    json_decref(values[1]);
}

static void
check_mirror(const struct world *w)
{
    const struct plan *plan = run_plan(w->run);
    const struct plan *other = run_plan(w->mirror);

    for (int s = 0; s < PLAN_STATE_COUNT; s++)
        CHECK(w, plan_count(plan, (enum plan_state)s) ==
                     plan_count(other, (enum plan_state)s));
    CHECK(w, plan_is_finished(other));
    for (uint32_t t = 0; t < w->flow->ntask; t++) {
        struct plan_id id = {t, PLAN_WHOLE};

        CHECK(w, plan_children(plan, t) == plan_children(other, t));
        check_mirrored(w, id);
        for (id.child = 0; id.child < plan_children(plan, t); id.child++)
            check_mirrored(w, id);
    }
    CHECK(w, run_is_success(w->run) == run_is_success(w->mirror));
}

static void
begin_mirror(struct world *w)
{
    struct err err;

    run_destroy(&w->mirror);
    CHECK(w, run_new(&w->mirror, w->other ? w->other : w->flow, w->params, 0,
                     NULL, &err) == 0);
}

/* ---- sessions ---- */

static void
set_classes(struct world *w)
{
    uint32_t *class_of = mem_alloc(w->flow->ntask, sizeof *class_of);

    w->nclass = 1 + dice_roll(&w->dice, 5);
    for (size_t t = 0; t < w->flow->ntask; t++)
        class_of[t] = dice_roll(&w->dice, w->nclass);
    run_set_classes(w->run, class_of, w->nclass);
    free(class_of);
}

static void
begin_run(struct world *w)
{
    struct run_hooks hooks = {.changed = world_changed, .ctx = w};
    struct err err;

    for (uint32_t t = 0; t < w->flow->ntask; t++) {
        w->items[t].whole.starts = w->items[t].whole.ends = 0;
        for (uint32_t k = 0; k < w->items[t].n; k++)
            w->items[t].children[k].starts = w->items[t].children[k].ends = 0;
    }
    w->nbusy = 0;
    w->nfailed = 0;
    w->is_over = false;
    CHECK(w, run_new(&w->run, w->other ? w->other : w->flow, w->params, w->seed,
                     &hooks, &err) == 0);
    w->nclass = 0;
    if (w->at_once && dice_one_in(&w->dice, 2))
        set_classes(w);
}

/* The first to be heard of that was not kept yet; what is left is older. */
static bool
keep_next(struct world *w, uint64_t *order)
{
    struct plan_id found = {PLAN_NONE, PLAN_WHOLE};
    uint64_t least = UINT64_MAX;
    struct item *item;

    for (uint32_t t = 0; t < w->flow->ntask; t++) {
        struct plan_id id = {t, PLAN_WHOLE};

        for (id.child = PLAN_WHOLE; id.child + 1 <= w->items[t].n; id.child++) {
            item = world_item(w, id);
            if (item->order <= *order || item->order >= least)
                continue;
            least = item->order;
            found = id;
        }
    }
    if (found.task == PLAN_NONE)
        return false;
    *order = least;
    item = world_item(w, found);
    item->had = item->attempts > 0 && plan_state_is_success(item->state)
                    ? item->order
                    : 0;
    item->kept = false;
    if (item->attempts > 0)
        run_keep(w->run, found, item->state, item->value, item->attempts);
    return true;
}

/* As an executor goes on with what a store has. */
static void
keep_all(struct world *w)
{
    uint64_t order = 0;

    while (keep_next(w, &order))
        ;
    run_approve_all(w->run);
}

/* As `retry --from`: what was kept of a task and of what follows is gone. */
static void
forget_some(struct world *w)
{
    uint32_t from = dice_roll(&w->dice, (uint32_t)w->flow->ntask);

    run_forget(w->run, from);
    for (uint32_t t = 0; t < w->flow->ntask; t++) {
        if (t != from && !ref_run_follows(w->want, t, from))
            continue;
        w->items[t].whole.had = 0;
        for (uint32_t k = 0; k < w->items[t].n; k++)
            w->items[t].children[k].had = 0;
    }
}

/* When something that it sees came to something new. */
static uint64_t
upstream_since(const struct world *w, struct plan_id id, bool wide)
{
    struct plan_id *ids = NULL;
    size_t n = ref_run_upstream(w->want, id, wide, &ids);
    uint64_t since = 0;

    for (size_t i = 0; i < n; i++) {
        const struct item *item = world_item(w, ids[i]);
        uint64_t one = item->order;

        if (item->starts > 0)
            one = UINT64_MAX;
        else if (!item->kept) /* never executed: as new as what it sees */
            one = upstream_since(w, ids[i], wide);
        since = one > since ? one : since;
    }
    free(ids);
    return since;
}

/* Executed again is only what had to be, and all that had to be. */
static void
check_again(const struct world *w, struct plan_id id)
{
    const struct item *item = world_item(w, id);

    if (!item->had)
        return;
    CHECK(w, item->kept != (item->starts > 0));
    CHECK(w, !item->kept || upstream_since(w, id, false) <= item->had);
    CHECK(w, item->kept || upstream_since(w, id, true) > item->had);
}

static void
forget_items(struct world *w)
{
    for (uint32_t t = 0; t < w->flow->ntask; t++) {
        struct items *items = &w->items[t];

        json_decref(items->whole.value);
        for (uint32_t k = 0; k < items->n; k++)
            json_decref(items->children[k].value);
        free(items->children);
        *items = (struct items){.n = ref_run_children(w->want, t)};
        items->children = mem_alloc(items->n, sizeof *items->children);
    }
}

static void
run_through(struct world *w, bool at_once)
{
    w->at_once = at_once;
    w->counts = true;
    w->cancels = at_once && dice_one_in(&w->dice, 8);
    forget_items(w);
    begin_mirror(w);
    begin_run(w);
    while (world_step(w))
        ;
    check_end(w);
    check_mirror(w);
    run_destroy(&w->run);
}

static void
go_on(struct world *w)
{
    begin_run(w);
    keep_all(w);
    if (dice_one_in(&w->dice, 3))
        forget_some(w);
}

/* Sessions that are left off, then one that goes to the end. */
static void
run_with_interruptions(struct world *w, bool at_once)
{
    uint32_t nsession = 1 + dice_roll(&w->dice, 3);

    w->at_once = at_once;
    w->counts = w->cancels = false;
    forget_items(w);
    begin_mirror(w);
    for (uint32_t i = 0; i < nsession; i++) {
        go_on(w);
        for (uint32_t n = dice_roll(&w->dice, 80); n > 0 && world_step(w); n--)
            ;
        run_destroy(&w->run);
    }
    go_on(w);
    while (world_step(w))
        ;
    check_end(w);
    for (uint32_t t = 0; t < w->flow->ntask; t++) {
        struct plan_id id = {t, PLAN_WHOLE};

        check_again(w, id);
        for (id.child = 0; id.child < w->items[t].n; id.child++)
            check_again(w, id);
    }
    check_mirror(w);
    run_destroy(&w->run);
}

/* ---- seeds ---- */

static struct flow *
parse(const struct world *w, const char *text, size_t len)
{
    struct diags diags = {0};
    struct buf shown = {0};
    struct flow *flow = NULL;

    if (flow_parse("random.yaml", text, len, &flow, &diags) < 0) {
        diags_print(&diags, &shown, false);
        world_complain(w, __LINE__, "valid:\n%s", buf_str(&shown));
    }
    diags_release(&diags);
    return flow;
}

/*
 * A flow that was written and read again is the same, but for the order of the
 * hidden tasks: NULL then.
 */
static struct flow *
write_and_read(const struct world *w)
{
    json_t *json = flow_to_json(w->flow);
    struct buf text = {0};
    struct flow *flow;

    value_json(json, &text);
    flow = parse(w, text.data, text.len);
    CHECK(w, flow->ntask == w->flow->ntask);
    for (uint32_t t = 0; flow && t < w->flow->ntask; t++) {
        if (strcmp(flow->tasks[t].name, w->flow->tasks[t].name) != 0) {
            CHECK(w, w->flow->tasks[t].hidden);
            flow_destroy(&flow);
        }
    }
    buf_release(&text);
    json_decref(json);
    return flow;
}

static void
run_seed(uint64_t seed)
{
    struct world world = {
        .seed = seed, .dice = dice_mix(seed), .loud = getenv("SEED")};
    struct world *w = &world;
    struct buf problems = {0};
    json_t *given = json_object();

    random_file(&w->dice, &w->text);
    w->flow = parse(w, w->text.data, w->text.len);
    w->other = dice_one_in(&w->dice, 4) ? write_and_read(w) : NULL;
    CHECK(w, params_bind(w->flow, given, &w->params, &problems) == 0);
    w->fate = (struct fate){w->flow, dice_mix(seed + 1), seed % 2};
    w->want = ref_run_new(w->flow, w->params, fate_try, &w->fate);
    w->items = mem_alloc(w->flow->ntask, sizeof *w->items);
    run_through(w, false);
    run_through(w, true);
    if (w->fate.tame && !w->flow->has_max_fails)
        run_with_interruptions(w, dice_one_in(&w->dice, 2));
    forget_items(w);
    for (uint32_t t = 0; t < w->flow->ntask; t++)
        free(w->items[t].children);
    free(w->items);
    run_destroy(&w->mirror);
    ref_run_destroy(&w->want);
    json_decref(w->params);
    json_decref(given);
    flow_destroy(&w->other);
    flow_destroy(&w->flow);
    buf_release(&w->text);
}

static void
random_runs_give_what_the_reference_says(void **state)
{
    (void)state;
    seeds_run(10000, run_seed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_runs_give_what_the_reference_says),
    };

    return cmocka_run_group_tests_name("run_random", tests, NULL, NULL);
}
