/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Bytes become a flow and then calls that keep to the plan's contract; after
 * each of them the plan must agree with what a look at every state says.
 */
#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "flow/plan.h"
#include "tests/fuzz/fuzz.h"

#define TASKS    8u
#define EDGES    24u
#define CHILDREN 16u
#define OWN      CHILDREN /* a task's own place among its children's */

/* What a child sees of another map, by its number. */
struct sight {
    uint32_t from;
    uint32_t child[CHILDREN];
};

struct fuzz {
    const uint8_t *data;
    size_t n;
    struct plan_task tasks[TASKS];
    uint32_t ntask;
    struct plan_edge edges[EDGES];
    size_t nedge;
    struct plan *plan;
    bool cancelled;
    struct sight sights[TASKS][TASKS];
    uint32_t nsight[TASKS];
    uint8_t ends[TASKS][CHILDREN + 1];
    struct plan_id busy[TASKS * (CHILDREN + 1)];
    uint32_t nbusy;
};

/* The next byte below `below`; 0 when there are no more. */
static uint32_t
eat(struct fuzz *f, uint32_t below)
{
    if (f->n == 0)
        return 0;
    f->n--;
    return *f->data++ % below;
}

static void
read_flow(struct fuzz *f)
{
    f->ntask = 1 + eat(f, TASKS);
    for (uint32_t t = 0; t < f->ntask; t++) {
        uint32_t bits = eat(f, 256);

        f->tasks[t] = (struct plan_task){
            .mapped = bits & 1,
            .skip_on_skip = bits & 2,
            .trigger = (uint8_t)(bits & 4 ? eat(f, TRIGGER_COUNT) : 0),
            .at_least = bits & 8 ? eat(f, 8) / 4.0 : -1,
            .at_most = bits & 16 ? eat(f, 8) / 4.0 : -1,
            .priority = bits & 32 ? (int32_t)eat(f, 256) - 128 : 0,
            .max_parallel = bits & 64 ? eat(f, 4) : 0,
        };
    }
    f->nedge = eat(f, EDGES + 1);
    for (size_t i = 0; i < f->nedge; i++) {
        f->edges[i].from = eat(f, f->ntask);
        f->edges[i].to = eat(f, f->ntask);
        f->edges[i].kind = (enum plan_edge_kind)eat(f, 3);
    }
}

static enum plan_state
now(const struct fuzz *f, uint32_t task, uint32_t child)
{
    return plan_state(f->plan, (struct plan_id){task, child});
}

/* ---- checks ---- */

static void
check_counts(const struct fuzz *f)
{
    uint64_t all[PLAN_STATE_COUNT] = {0};
    bool finished = true;

    for (uint32_t t = 0; t < f->ntask; t++) {
        uint32_t n = plan_children(f->plan, t);
        enum plan_state state = now(f, t, PLAN_WHOLE);
        bool open = state != PLAN_MAPPED && !plan_state_is_final(state);
        uint32_t sum = 0;

        all[state]++;
        for (uint32_t k = 0; k < n; k++) {
            all[now(f, t, k)]++;
            open |= !plan_state_is_final(now(f, t, k));
        }
        for (int s = 0; s < PLAN_STATE_COUNT; s++)
            sum += plan_children_in(f->plan, t, (enum plan_state)s);
        assert(sum == n);
        assert(plan_task_is_finished(f->plan, t) == !open);
        assert(!open || !plan_task_is_success(f->plan, t));
        finished &= !open;
    }
    for (int s = 0; s < PLAN_STATE_COUNT; s++)
        assert(plan_count(f->plan, (enum plan_state)s) == all[s]);
    assert(plan_is_finished(f->plan) == finished);
}

/* The kind that counts between two tasks, or -1 if there is no edge. */
static int
kind_between(const struct fuzz *f, uint32_t from, uint32_t to)
{
    bool maps = f->tasks[from].mapped && f->tasks[to].mapped;
    int kind = -1;

    for (size_t i = 0; i < f->nedge; i++) {
        if (f->edges[i].from != from || f->edges[i].to != to)
            continue;
        if (f->edges[i].kind == PLAN_EDGE_WHOLE || !maps)
            return PLAN_EDGE_WHOLE;
        if (kind != PLAN_EDGE_FLAT)
            kind = (int)f->edges[i].kind;
    }
    return kind;
}

/* What is decided or started has nothing left to wait for. */
static void
check_inputs(const struct fuzz *f, struct plan_id id)
{
    for (uint32_t u = 0; u < f->ntask; u++) {
        int kind = kind_between(f, u, id.task);

        if (kind == PLAN_EDGE_CHILD)
            assert(now(f, u, PLAN_WHOLE) == PLAN_MAPPED ||
                   plan_task_is_finished(f->plan, u));
        else if (kind >= 0)
            assert(plan_task_is_finished(f->plan, u));
    }
    for (uint32_t i = 0; i < f->nsight[id.task]; i++) {
        const struct sight *s = &f->sights[id.task][i];

        assert(id.child == PLAN_WHOLE ||
               plan_state_is_final(now(f, s->from, s->child[id.child])));
    }
}

static void
count_task(void *ctx, uint32_t task)
{
    uint32_t *n = ctx;

    (void)task;
    (*n)++;
}

static void
check_downstream(const struct fuzz *f, uint32_t task)
{
    uint32_t want = 0;
    uint32_t got = 0;

    for (uint32_t t = 0; t < f->ntask; t++)
        want += kind_between(f, task, t) >= 0;
    plan_downstream(f->plan, task, count_task, &got);
    assert(got == want);
}

/* ---- calls ---- */

static void
finish(struct fuzz *f, struct plan_id id, enum plan_state state)
{
    uint32_t place = id.child == PLAN_WHOLE ? OWN : id.child;

    f->ends[id.task][place]++;
    assert(f->ends[id.task][place] == 1);
    plan_finish(f->plan, id, state);
    assert(plan_state(f->plan, id) == state);
}

static enum plan_state
eat_end(struct fuzz *f)
{
    return (enum plan_state)(PLAN_SUCCEEDED +
                             eat(f, PLAN_STATE_COUNT - PLAN_SUCCEEDED));
}

/* A link to a map of `count` children, and what it means for each of n. */
static struct plan_link
eat_link(struct fuzz *f, uint32_t from, uint32_t n, bool flat,
         struct sight *sight)
{
    uint32_t count = plan_children(f->plan, from);
    struct plan_link link = {.from = from};

    sight->from = from;
    if (flat && eat(f, 2)) {
        for (uint32_t k = 0; k < n; k++)
            sight->child[k] = eat(f, count);
        link.owner = sight->child;
        return link;
    }
    link.stride = 1 + eat(f, 4);
    link.count = 1 + eat(f, count);
    for (uint32_t k = 0; k < n; k++)
        sight->child[k] = k / link.stride % link.count;
    return link;
}

static void
expand(struct fuzz *f, uint32_t task)
{
    uint32_t n = eat(f, CHILDREN + 1);
    struct plan_link links[TASKS];
    uint32_t nlink = 0;
    bool is_real = !f->cancelled;

    for (uint32_t u = 0; u < f->ntask; u++) {
        if (kind_between(f, u, task) > PLAN_EDGE_WHOLE &&
            now(f, u, PLAN_WHOLE) == PLAN_MAPPED &&
            plan_children(f->plan, u) == 0)
            n = 0;
    }
    for (uint32_t u = 0; u < f->ntask && n > 0; u++) {
        int kind = kind_between(f, u, task);

        if (kind > PLAN_EDGE_WHOLE && now(f, u, PLAN_WHOLE) == PLAN_MAPPED) {
            links[nlink] = eat_link(f, u, n, kind == PLAN_EDGE_FLAT,
                                    &f->sights[task][nlink]);
            nlink++;
        }
    }
    f->nsight[task] = is_real ? nlink : 0;
    plan_expand(f->plan, task, n, links, nlink);
    assert(plan_children(f->plan, task) == (is_real ? n : 0));
}

static bool
decide(struct fuzz *f)
{
    enum plan_decision decision;
    struct plan_id id;
    bool is_map;

    if (!plan_decide(f->plan, &id, &decision))
        return false;
    assert(plan_state(f->plan, id) == PLAN_WAITING);
    check_inputs(f, id);
    is_map = id.child == PLAN_WHOLE && f->tasks[id.task].mapped;
    assert(is_map || decision != PLAN_EXPAND);
    if (eat(f, 64) == 63) {
        plan_cancel(f->plan);
        f->cancelled = true;
        check_counts(f);
    }
    switch (eat(f, 8)) {
    case 0: /* another end */
        finish(f, id, eat_end(f));
        break;
    case 1:
        if (is_map) {
            expand(f, id.task);
        } else {
            plan_pause(f->plan, id);
            f->busy[f->nbusy++] = id;
        }
        break;
    default:
        if (is_map)
            expand(f, id.task);
        else
            plan_ready(f->plan, id);
    }
    return true;
}

static bool
take(struct fuzz *f)
{
    uint32_t most;
    struct plan_id id;

    if (!plan_take(f->plan, &id))
        return false;
    assert(!f->cancelled);
    assert(plan_state(f->plan, id) == PLAN_RUNNING);
    most = f->tasks[id.task].max_parallel;
    assert(most == 0 ||
           plan_children_in(f->plan, id.task, PLAN_RUNNING) <= most);
    check_inputs(f, id);
    f->busy[f->nbusy++] = id;
    return true;
}

static bool
report(struct fuzz *f)
{
    uint32_t i = f->nbusy > 0 ? eat(f, f->nbusy) : 0;
    uint32_t what = eat(f, 8);
    struct plan_id id = f->busy[i];

    if (f->nbusy == 0)
        return false;
    f->busy[i] = f->busy[--f->nbusy];
    if (plan_state_is_final(plan_state(f->plan, id))) {
        assert(f->cancelled);
    } else if (plan_state(f->plan, id) != PLAN_RUNNING || what == 7) {
        plan_ready(f->plan, id);
    } else if (what == 6) {
        plan_retry(f->plan, id);
        f->busy[f->nbusy++] = id;
    } else {
        finish(f, id, eat_end(f));
    }
    return true;
}

static void
run(struct fuzz *f)
{
    static bool (*const calls[])(struct fuzz *) = {decide, take, report};

    while (!plan_is_finished(f->plan)) {
        uint32_t first = eat(f, 3);
        bool done = false;

        for (uint32_t i = 0; i < 3 && !done; i++)
            done = calls[(first + i) % 3](f);
        assert(done);
        check_counts(f);
        check_downstream(f, eat(f, f->ntask));
        if (plan_is_stalled(f->plan))
            assert(plan_count(f->plan, PLAN_PAUSED) > 0);
    }
    for (uint32_t i = 0; i < 2; i++) {
        bool done = calls[i](f);

        assert(!done);
    }
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct fuzz *f = mem_alloc(1, sizeof *f);
    uint32_t *cycle = NULL;
    struct err err;

    f->data = data;
    f->n = n;
    read_flow(f);
    if (plan_new(&f->plan, f->tasks, f->ntask, f->edges, f->nedge, &cycle,
                 &err) == 0) {
        run(f);
    } else {
        for (uint32_t i = 0; cycle[i] != PLAN_NONE; i++) {
            uint32_t next = cycle[i + 1] == PLAN_NONE ? cycle[0] : cycle[i + 1];

            assert(kind_between(f, cycle[i], next) >= 0);
            assert(cycle[i] >= cycle[0]);
        }
    }
    plan_destroy(&f->plan);
    free(cycle);
    free(f);
    return 0;
}
