/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/reference.h"

#include <string.h>

/* The states an instance sees, those of one instance once. */
struct sight {
    uint32_t nupstream; /* tasks */
    uint32_t n;
    struct plan_id ids[REF_TASKS * REF_CHILDREN];
    enum plan_state states[REF_TASKS * REF_CHILDREN];
};

static void
see(struct sight *self, uint32_t task, uint32_t child, enum plan_state state)
{
    for (uint32_t i = 0; i < self->n; i++) {
        if (self->ids[i].task == task && self->ids[i].child == child)
            return;
    }
    self->ids[self->n] = (struct plan_id){task, child};
    self->states[self->n++] = state;
}

static void
see_all(struct sight *self, uint32_t task, const struct ref_result *of)
{
    if (of->state != PLAN_MAPPED)
        see(self, task, PLAN_WHOLE, of->state);
    for (uint32_t k = 0; k < of->nchild; k++)
        see(self, task, k, of->children[k]);
}

static bool
is_success(enum plan_state s)
{
    return s == PLAN_SUCCEEDED || s == PLAN_CACHED || s == PLAN_SKIPPED;
}

static bool
some(const struct plan_task *rules, uint32_t n, uint32_t of)
{
    double least = 0;
    double most = of;

    if (rules->at_least >= 0 && rules->at_least < 1)
        least = of * rules->at_least;
    else if (rules->at_least >= 1)
        least = rules->at_least;
    if (rules->at_most >= 0 && rules->at_most < 1)
        most = of * rules->at_most;
    else if (rules->at_most >= 1)
        most = rules->at_most;
    return least <= n && n <= most;
}

void
reference_see(struct ref_seen *self, enum plan_state state)
{
    self->n++;
    self->nsuccess += is_success(state);
    self->nskipped += state == PLAN_SKIPPED;
}

enum plan_state
reference_trigger(const struct plan_task *rules, const struct ref_seen *seen)
{
    uint32_t ok = seen->nsuccess;
    uint32_t bad = seen->n - seen->nsuccess;
    bool runs = true;

    if (seen->nupstream == 0)
        return PLAN_READY;
    switch ((enum plan_trigger)rules->trigger) {
    case TRIGGER_NOT_ALL_SKIPPED:
        if (seen->nskipped == seen->n)
            return PLAN_SKIPPED;
        runs = bad == 0;
        break;
    case TRIGGER_ALL_SUCCESSFUL:
        runs = bad == 0;
        break;
    case TRIGGER_ALL_FAILED:
        runs = ok == 0;
        break;
    case TRIGGER_ANY_SUCCESSFUL:
        runs = ok > 0;
        break;
    case TRIGGER_ANY_FAILED:
        runs = bad > 0;
        break;
    case TRIGGER_SOME_SUCCESSFUL:
        runs = some(rules, ok, seen->n);
        break;
    case TRIGGER_SOME_FAILED:
        runs = some(rules, bad, seen->n);
        break;
    case TRIGGER_ALL_FINISHED:
    case TRIGGER_MANUAL_ONLY: /* let through */
    case TRIGGER_COUNT:
        break;
    }
    return runs ? PLAN_READY : PLAN_TRIGGER_FAILED;
}

bool
reference_must_skip(const struct plan_task *rules, const struct ref_seen *seen)
{
    return rules->skip_on_skip && seen->nskipped > 0;
}

static struct ref_seen
count(const struct sight *sight)
{
    struct ref_seen seen = {.nupstream = sight->nupstream};

    for (uint32_t i = 0; i < sight->n; i++)
        reference_see(&seen, sight->states[i]);
    return seen;
}

static enum plan_state
judge(const struct ref_flow *flow, struct plan_id id, const struct sight *sight)
{
    const struct plan_task *rules = &flow->tasks[id.task].rules;
    struct ref_seen seen = count(sight);
    enum plan_state state;

    if (reference_must_skip(rules, &seen))
        return PLAN_SKIPPED;
    state = reference_trigger(rules, &seen);
    return state == PLAN_READY ? flow->end(flow->ctx, id) : state;
}

/* The number of items of a key; false if its source has ended without any. */
static bool
key_length(const struct ref_key *key, const struct ref_result *results,
           uint32_t *ret)
{
    const struct ref_result *from = &results[key->from];

    if (key->kind == REF_LIST) {
        *ret = key->length;
        return true;
    }
    if (from->state != PLAN_MAPPED)
        return false;
    *ret = from->nchild;
    if (key->kind == REF_FLAT_OF) {
        *ret = 0;
        for (uint32_t j = 0; j < from->nchild; j++)
            *ret += key->fan[j];
    }
    return true;
}

/* The child of the source that gives item i of a key. */
static uint32_t
giver(const struct ref_key *key, uint32_t i)
{
    uint32_t j = 0;

    if (key->kind == REF_CHILDREN_OF)
        return i;
    while (i >= key->fan[j])
        i -= key->fan[j++];
    return j;
}

/* False if the task cannot be expanded. */
static bool
map_length(const struct ref_task *task, const struct ref_result *results,
           uint32_t *ret)
{
    uint32_t nfound = 0;
    uint32_t n;

    for (uint32_t i = 0; i < task->nkey; i++) {
        if (!key_length(&task->keys[i], results, &n))
            continue;
        if (nfound++ == 0)
            *ret = n;
        else if (!task->zip)
            *ret *= n;
        else if (*ret != n)
            return false;
    }
    return nfound > 0;
}

/* What child k sees through the keys, the last of which turns fastest. */
static void
see_givers(const struct ref_task *task, const struct ref_result *results,
           uint32_t k, struct sight *sight)
{
    for (uint32_t i = task->nkey; i-- > 0;) {
        const struct ref_key *key = &task->keys[i];
        uint32_t at = k;
        uint32_t n;

        if (!key_length(key, results, &n))
            continue;
        if (!task->zip) {
            at = k % n;
            k = k / n;
        }
        if (key->kind != REF_LIST) {
            uint32_t j = giver(key, at);

            see(sight, key->from, j, results[key->from].children[j]);
        }
    }
}

/*
 * What all of a task sees: the tasks it needs with all their children, and
 * those it goes over if they have ended without children.
 */
static void
see_upstream(const struct ref_task *task, const struct ref_result *results,
             struct sight *sight)
{
    bool is_upstream[REF_TASKS] = {false};

    for (uint32_t i = 0; i < task->nkey; i++) {
        const struct ref_key *key = &task->keys[i];

        if (key->kind == REF_LIST)
            continue;
        is_upstream[key->from] = true;
        if (results[key->from].state != PLAN_MAPPED)
            see_all(sight, key->from, &results[key->from]);
    }
    for (uint32_t u = 0; u < REF_TASKS; u++) {
        if (task->needs[u])
            see_all(sight, u, &results[u]);
        sight->nupstream += is_upstream[u] || task->needs[u];
    }
}

static void
evaluate(const struct ref_flow *flow, uint32_t t, struct ref_result *results)
{
    const struct ref_task *task = &flow->tasks[t];
    struct ref_result *result = &results[t];
    struct sight sight;
    struct ref_seen seen;
    uint32_t ncommon;

    sight.n = sight.nupstream = 0;
    see_upstream(task, results, &sight);
    seen = count(&sight);
    ncommon = sight.n;
    if (!task->rules.mapped) {
        struct plan_id id = {t, PLAN_WHOLE};

        result->state = judge(flow, id, &sight);
    } else if (reference_must_skip(&task->rules, &seen)) {
        result->state = PLAN_SKIPPED;
    } else if (!map_length(task, results, &result->nchild)) {
        result->state = PLAN_FAILED;
        result->nchild = 0;
    } else {
        result->state = PLAN_MAPPED;
        for (uint32_t k = 0; k < result->nchild; k++) {
            struct plan_id id = {t, k};

            sight.n = ncommon;
            see_givers(task, results, k, &sight);
            result->children[k] = judge(flow, id, &sight);
        }
    }
    result->is_known = true;
}

/* Once all that it sees is known. */
static void
find_out(const struct ref_flow *flow, uint32_t t, struct ref_result *results)
{
    const struct ref_task *task = &flow->tasks[t];

    if (results[t].is_known)
        return;
    for (uint32_t u = 0; u < flow->ntask; u++) {
        if (task->needs[u])
            find_out(flow, u, results);
    }
    for (uint32_t i = 0; i < task->nkey; i++) {
        if (task->keys[i].kind != REF_LIST)
            find_out(flow, task->keys[i].from, results);
    }
    evaluate(flow, t, results);
}

void
reference_run(const struct ref_flow *flow, struct ref_result results[REF_TASKS])
{
    memset(results, 0, REF_TASKS * sizeof *results);
    for (uint32_t t = 0; t < flow->ntask; t++)
        find_out(flow, t, results);
}
