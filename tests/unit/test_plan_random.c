/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Random flows with random outcomes, reported in random order: every final
 * state must be the reference's. SEEDS=n runs n of them, SEED=n just one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/mem.h"
#include "flow/plan.h"
#include "tests/support/random_flow.h"
#include "tests/support/reference.h"
#include "tests/support/seeds.h"

#define SLOTS (REF_CHILDREN + 1) /* of a task: its children and itself */

/* One run of one flow. */
struct world {
    uint64_t seed;
    uint64_t dice;
    struct ref_flow flow;
    struct ref_result want[REF_TASKS];
    bool in_order; /* report each as it was taken; no cancel */
    bool cancelled;
    struct plan *plan;
    uint8_t attempts[REF_TASKS][SLOTS];
    uint8_t ends[REF_TASKS][SLOTS];         /* how often it has ended */
    struct plan_id busy[REF_TASKS * SLOTS]; /* running, retrying, paused */
    uint32_t nbusy;
};

/* What is decided about an instance, whatever the order of events. */
static uint64_t
fate(const struct world *w, struct plan_id id)
{
    return dice_mix(w->seed ^ dice_mix(id.task * UINT64_C(1000003) + id.child));
}

static enum plan_state
final_state(void *ctx, struct plan_id id)
{
    static const enum plan_state ends[] = {
        PLAN_SUCCEEDED, PLAN_SUCCEEDED, PLAN_SUCCEEDED, PLAN_SUCCEEDED,
        PLAN_SUCCEEDED, PLAN_SUCCEEDED, PLAN_CACHED,    PLAN_SKIPPED,
        PLAN_SKIPPED,   PLAN_FAILED,    PLAN_FAILED,    PLAN_TIMED_OUT,
        PLAN_CRASHED,
    };

    return ends[fate(ctx, id) % (sizeof ends / sizeof *ends)];
}

/* Attempts that an instance needs. */
static uint32_t
needed(const struct world *w, struct plan_id id)
{
    uint64_t retries = fate(w, id) >> 32 & 7;

    return 1 + (uint32_t)(retries < 3 ? retries : 0);
}

static void
shuffle(struct world *w, struct plan_edge *edges, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        size_t j = dice_roll(&w->dice, (uint32_t)i + 1);
        struct plan_edge edge = edges[i];

        edges[i] = edges[j];
        edges[j] = edge;
    }
}

static size_t
list_edges(const struct world *w, struct plan_edge *edges)
{
    size_t n = 0;

    for (uint32_t t = 0; t < w->flow.ntask; t++) {
        const struct ref_task *task = &w->flow.tasks[t];

        for (uint32_t u = 0; u < w->flow.ntask; u++) {
            if (task->needs[u])
                edges[n++] = (struct plan_edge){u, t, PLAN_EDGE_WHOLE};
        }
        for (uint32_t i = 0; i < task->nkey; i++) {
            const struct ref_key *key = &task->keys[i];

            if (key->kind != REF_LIST)
                edges[n++] = (struct plan_edge){key->from, t,
                                                key->kind == REF_FLAT_OF
                                                    ? PLAN_EDGE_FLAT
                                                    : PLAN_EDGE_CHILD};
        }
    }
    return n;
}

/* ---- checks ---- */

#define CHECK(w, what) check((w), (what), #what, __LINE__)

static void
check(const struct world *w, bool holds, const char *what, int line)
{
    if (!holds)
        fail_msg("SEED=%llu line %d: not %s", (unsigned long long)w->seed, line,
                 what);
}

static enum plan_state
now(const struct world *w, uint32_t task, uint32_t k)
{
    return plan_state(w->plan, (struct plan_id){task, k});
}

/* Count states by looking at each, and compare with what the plan says. */
static void
check_counts(const struct world *w)
{
    uint64_t all[PLAN_STATE_COUNT] = {0};
    bool finished = true;

    for (uint32_t t = 0; t < w->flow.ntask; t++) {
        uint32_t mine[PLAN_STATE_COUNT] = {0};
        uint32_t n = plan_children(w->plan, t);
        bool open = !plan_state_is_final(now(w, t, PLAN_WHOLE));

        if (now(w, t, PLAN_WHOLE) == PLAN_MAPPED)
            open = false;
        for (uint32_t k = 0; k < n; k++) {
            mine[now(w, t, k)]++;
            open |= !plan_state_is_final(now(w, t, k));
        }
        for (int s = 0; s < PLAN_STATE_COUNT; s++) {
            CHECK(w,
                  plan_children_in(w->plan, t, (enum plan_state)s) == mine[s]);
            all[s] += mine[s];
        }
        all[now(w, t, PLAN_WHOLE)]++;
        finished &= !open;
        CHECK(w, plan_task_is_finished(w->plan, t) == !open);
    }
    for (int s = 0; s < PLAN_STATE_COUNT; s++)
        CHECK(w, plan_count(w->plan, (enum plan_state)s) == all[s]);
    CHECK(w, plan_is_finished(w->plan) == finished);
}

static bool
all_success(const struct world *w, uint32_t t)
{
    bool ok = now(w, t, PLAN_WHOLE) == PLAN_MAPPED ||
              plan_state_is_success(now(w, t, PLAN_WHOLE));

    for (uint32_t k = 0; k < plan_children(w->plan, t); k++)
        ok &= plan_state_is_success(now(w, t, k));
    return ok;
}

static void
check_state(const struct world *w, uint32_t t, uint32_t k, enum plan_state want)
{
    enum plan_state got = now(w, t, k);

    if (got == want || (w->cancelled && got == PLAN_CANCELLED))
        return;
    fail_msg("SEED=%llu task %u child %d is %s, not %s",
             (unsigned long long)w->seed, t, (int)k, plan_state_names[got],
             plan_state_names[want]);
}

static void
check_end(const struct world *w)
{
    for (uint32_t t = 0; t < w->flow.ntask; t++) {
        uint32_t n = plan_children(w->plan, t);

        check_state(w, t, PLAN_WHOLE, w->want[t].state);
        if (now(w, t, PLAN_WHOLE) == w->want[t].state)
            CHECK(w, n == w->want[t].nchild);
        for (uint32_t k = 0; k < n; k++) {
            check_state(w, t, k, w->want[t].children[k]);
            CHECK(w, w->ends[t][k] <= 1);
        }
        CHECK(w, w->ends[t][REF_CHILDREN] <= 1);
        CHECK(w, plan_task_is_success(w->plan, t) == all_success(w, t));
    }
}

/* Whatever a task needs is finished when one of its instances starts. */
static void
check_start(struct world *w, struct plan_id id)
{
    const struct ref_task *task = &w->flow.tasks[id.task];

    CHECK(w, !w->cancelled);
    for (uint32_t u = 0; u < w->flow.ntask; u++)
        CHECK(w, !task->needs[u] || plan_task_is_finished(w->plan, u));
    for (uint32_t i = 0; i < task->nkey; i++) {
        const struct ref_key *key = &task->keys[i];

        if (key->kind == REF_FLAT_OF)
            CHECK(w, plan_task_is_finished(w->plan, key->from));
        if (key->kind == REF_CHILDREN_OF && (task->zip || task->nkey == 1) &&
            plan_children(w->plan, key->from) > 0)
            CHECK(w, plan_state_is_final(now(w, key->from, id.child)));
    }
}

static bool
may_start(const struct world *w, uint32_t t, uint32_t k)
{
    uint32_t most = w->flow.tasks[t].rules.max_parallel;

    return now(w, t, k) == PLAN_READY &&
           (k == PLAN_WHOLE || most == 0 ||
            plan_children_in(w->plan, t, PLAN_RUNNING) < most);
}

/* What plan_take must give: found by looking at every instance. */
static bool
first_ready(const struct world *w, struct plan_id *ret)
{
    bool found = false;

    for (uint32_t t = 0; t < w->flow.ntask; t++) {
        const struct plan_task *rules = &w->flow.tasks[t].rules;
        uint32_t n = plan_children(w->plan, t);
        uint32_t k = rules->mapped ? 0 : PLAN_WHOLE;

        while (k < n && !may_start(w, t, k))
            k++;
        if (rules->mapped ? k == n : !may_start(w, t, k))
            continue;
        if (found && rules->priority <= w->flow.tasks[ret->task].rules.priority)
            continue;
        *ret = (struct plan_id){t, k};
        found = true;
    }
    return found;
}

/* ---- the driver ---- */

static void
note_end(struct world *w, struct plan_id id)
{
    w->ends[id.task][id.child == PLAN_WHOLE ? REF_CHILDREN : id.child]++;
}

static void
finish(struct world *w, struct plan_id id, enum plan_state state)
{
    plan_finish(w->plan, id, state);
    note_end(w, id);
}

/* One key of a map, as links need it. */
struct source {
    const struct ref_key *key;
    uint32_t n;
    uint32_t owner[REF_CHILDREN];
};

static bool
find_source(const struct world *w, const struct ref_key *key,
            struct source *ret)
{
    *ret = (struct source){.key = key, .n = key->length};
    if (key->kind == REF_LIST)
        return true;
    if (now(w, key->from, PLAN_WHOLE) != PLAN_MAPPED)
        return false;
    ret->n = plan_children(w->plan, key->from);
    if (key->kind == REF_CHILDREN_OF)
        return true;
    ret->n = 0;
    for (uint32_t j = 0; j < plan_children(w->plan, key->from); j++) {
        for (uint32_t i = 0; i < key->fan[j]; i++)
            ret->owner[ret->n++] = j;
    }
    return true;
}

static void
expand_links(struct world *w, uint32_t t, uint32_t n,
             const struct source *sources, uint32_t nsource)
{
    bool zip = w->flow.tasks[t].zip;
    struct plan_link links[REF_KEYS];
    uint32_t owners[REF_KEYS][REF_CHILDREN];
    uint32_t nlink = 0;
    uint32_t stride = 1;

    for (uint32_t i = nsource; n > 0 && i-- > 0;) {
        const struct source *s = &sources[i];

        if (s->key->kind == REF_CHILDREN_OF)
            links[nlink++] =
                (struct plan_link){s->key->from, stride, s->n, NULL};
        for (uint32_t k = 0; k < n; k++)
            owners[i][k] = s->owner[k / stride % s->n];
        if (s->key->kind == REF_FLAT_OF)
            links[nlink++] = (struct plan_link){s->key->from, 0, 0, owners[i]};
        stride *= zip ? 1 : s->n;
    }
    if (nsource == 1 && nlink == 1 && !links[0].owner &&
        dice_one_in(&w->dice, 2))
        nlink = 0; /* each sees its own anyway */
    plan_expand(w->plan, t, n, links, nlink);
}

static void
expand(struct world *w, uint32_t t)
{
    const struct ref_task *task = &w->flow.tasks[t];
    struct source sources[REF_KEYS];
    uint32_t nsource = 0;
    uint32_t n = 1;

    for (uint32_t i = 0; i < task->nkey; i++)
        nsource += find_source(w, &task->keys[i], &sources[nsource]);
    for (uint32_t i = 0; i < nsource; i++) {
        if (task->zip && sources[i].n != sources[0].n)
            nsource = 0;
        else
            n = task->zip ? sources[i].n : n * sources[i].n;
    }
    if (nsource == 0)
        finish(w, (struct plan_id){t, PLAN_WHOLE}, PLAN_FAILED);
    else
        expand_links(w, t, n, sources, nsource);
}

static bool
step_decide(struct world *w)
{
    enum plan_decision decision;
    struct plan_id id;

    if (!plan_decide(w->plan, &id, &decision))
        return false;
    CHECK(w, now(w, id.task, id.child) == PLAN_WAITING);
    switch (decision) {
    case PLAN_EXPAND:
        expand(w, id.task);
        break;
    case PLAN_SKIP:
        finish(w, id, PLAN_SKIPPED);
        break;
    case PLAN_TRIGGER_FAIL:
        finish(w, id, PLAN_TRIGGER_FAILED);
        break;
    case PLAN_PAUSE:
        if (dice_one_in(&w->dice, 2)) {
            plan_ready(w->plan, id);
        } else {
            plan_pause(w->plan, id);
            w->busy[w->nbusy++] = id;
        }
        break;
    }
    return true;
}

static bool
step_take(struct world *w)
{
    struct plan_id want = {0};
    struct plan_id id;
    bool found = first_ready(w, &want);

    CHECK(w, plan_take(w->plan, &id) == found);
    if (!found)
        return false;
    CHECK(w, id.task == want.task && id.child == want.child);
    check_start(w, id);
    w->busy[w->nbusy++] = id;
    return true;
}

static void
report(struct world *w, struct plan_id id)
{
    uint32_t slot = id.child == PLAN_WHOLE ? REF_CHILDREN : id.child;

    if (!w->in_order && dice_one_in(&w->dice, 8)) { /* given back */
        plan_ready(w->plan, id);
    } else if (++w->attempts[id.task][slot] < needed(w, id)) {
        plan_retry(w->plan, id);
        if (!w->cancelled)
            w->busy[w->nbusy++] = id;
    } else {
        finish(w, id, final_state(w, id));
    }
}

/* Something that runs, will be retried or is paused goes on. */
static bool
step_report(struct world *w)
{
    uint32_t i =
        w->in_order || w->nbusy == 0 ? 0 : dice_roll(&w->dice, w->nbusy);
    struct plan_id id = w->busy[i];

    if (w->nbusy == 0)
        return false;
    w->busy[i] = w->busy[--w->nbusy];
    if (now(w, id.task, id.child) == PLAN_RUNNING)
        report(w, id);
    else
        plan_ready(w->plan, id);
    return true;
}

static void
cancel(struct world *w)
{
    uint32_t n = 0;

    plan_cancel(w->plan);
    w->cancelled = true;
    for (uint32_t i = 0; i < w->nbusy; i++) {
        struct plan_id id = w->busy[i];

        if (now(w, id.task, id.child) == PLAN_RUNNING)
            w->busy[n++] = id;
        else
            CHECK(w, now(w, id.task, id.child) == PLAN_CANCELLED);
    }
    w->nbusy = n;
}

static void
step_in_order(struct world *w)
{
    if (step_decide(w) || (w->nbusy == 0 && step_take(w)))
        return;
    CHECK(w, step_report(w));
}

static void
step_at_random(struct world *w)
{
    static bool (*const steps[])(struct world *) = {step_decide, step_take,
                                                    step_report};
    uint32_t first = dice_roll(&w->dice, 3);

    if (dice_one_in(&w->dice, 400))
        cancel(w);
    for (uint32_t i = 0; i < 3; i++) {
        if (steps[(first + i) % 3](w))
            return;
    }
    CHECK(w, plan_is_finished(w->plan));
}

static void
check_stall(const struct world *w)
{
    bool paused = w->nbusy > 0;

    for (uint32_t i = 0; i < w->nbusy; i++)
        paused &= now(w, w->busy[i].task, w->busy[i].child) == PLAN_PAUSED;
    if (plan_is_stalled(w->plan))
        CHECK(w, paused);
}

static void
run_seed(uint64_t seed)
{
    struct world *w = mem_alloc(1, sizeof *w);
    struct plan_edge edges[REF_TASKS * (REF_TASKS + REF_KEYS)];
    struct plan_task tasks[REF_TASKS];
    struct err err;
    size_t nedge;

    w->seed = seed;
    w->dice = dice_mix(seed);
    w->in_order = dice_one_in(&w->dice, 4);
    random_flow(&w->flow, &w->dice);
    w->flow.end = final_state;
    w->flow.ctx = w;
    reference_run(&w->flow, w->want);
    for (uint32_t t = 0; t < w->flow.ntask; t++)
        tasks[t] = w->flow.tasks[t].rules;
    nedge = list_edges(w, edges);
    shuffle(w, edges, nedge);
    assert_int_equal(
        plan_new(&w->plan, tasks, w->flow.ntask, edges, nedge, NULL, &err), 0);
    while (!plan_is_finished(w->plan)) {
        if (w->in_order)
            step_in_order(w);
        else
            step_at_random(w);
        check_counts(w);
        check_stall(w);
    }
    check_end(w);
    plan_destroy(&w->plan);
    free(w);
}

static void
random_runs_end_as_the_reference_says(void **state)
{
    (void)state;
    seeds_run(10000, run_seed);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_runs_end_as_the_reference_says),
    };

    return cmocka_run_group_tests_name("plan_random", tests, NULL, NULL);
}
