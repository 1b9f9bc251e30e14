/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/random_flow.h"

/* A flow being drawn. */
struct draw {
    struct ref_flow *flow;
    uint64_t *dice;
    uint32_t most[REF_TASKS]; /* children that a task can have */
};

uint64_t
dice_mix(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

uint32_t
dice_roll(uint64_t *dice, uint32_t n)
{
    *dice = dice_mix(*dice);
    return (uint32_t)(*dice % n);
}

bool
dice_one_in(uint64_t *dice, uint32_t n)
{
    return dice_roll(dice, n) == 0;
}

static double
random_bound(struct draw *w)
{
    static const double bounds[] = {-1, -1, 0, 0.25, 0.5, 0.99, 1, 2, 3};

    return bounds[dice_roll(w->dice, 9)];
}

static struct plan_task
random_rules(struct draw *w)
{
    bool is_plain = !dice_one_in(w->dice, 3);

    return (struct plan_task){
        .mapped = dice_one_in(w->dice, 2),
        .skip_on_skip = !dice_one_in(w->dice, 3),
        .trigger = (uint8_t)(is_plain ? 0 : dice_roll(w->dice, TRIGGER_COUNT)),
        .at_least = random_bound(w),
        .at_most = random_bound(w),
        .priority =
            dice_one_in(w->dice, 2) ? 0 : (int32_t)dice_roll(w->dice, 5) - 2,
        .max_parallel = dice_one_in(w->dice, 3) ? 1 + dice_roll(w->dice, 2) : 0,
    };
}

/* A key that gives at most *most items. */
static void
random_key(struct draw *w, uint32_t t, struct ref_key *key, uint32_t *most)
{
    *key = (struct ref_key){.kind = REF_LIST, .length = dice_roll(w->dice, 5)};
    *most = key->length;
    key->from = t > 0 ? dice_roll(w->dice, t) : 0;
    if (t == 0 || !w->flow->tasks[key->from].rules.mapped ||
        dice_one_in(w->dice, 4))
        return;
    *most = w->most[key->from];
    key->kind = REF_CHILDREN_OF;
    if (*most > REF_CHILDREN / 3 || !dice_one_in(w->dice, 3))
        return;
    key->kind = REF_FLAT_OF;
    for (uint32_t j = 0; j < REF_CHILDREN; j++)
        key->fan[j] = (uint8_t)dice_roll(w->dice, 4);
    *most *= 3;
}

static void
random_keys(struct draw *w, uint32_t t)
{
    struct ref_task *task = &w->flow->tasks[t];
    uint32_t most[REF_KEYS] = {0};

    task->nkey = 1 + dice_one_in(w->dice, 2);
    for (uint32_t i = 0; i < task->nkey; i++)
        random_key(w, t, &task->keys[i], &most[i]);
    task->zip = dice_one_in(w->dice, 2);
    w->most[t] = most[0] > most[1] ? most[0] : most[1];
    if (task->zip || task->nkey == 1)
        return;
    if ((most[0] + 1) * (most[1] + 1) > REF_CHILDREN)
        task->zip = true;
    else if (most[0] * most[1] > w->most[t])
        w->most[t] = most[0] * most[1];
}

static void
random_tasks(struct draw *w)
{
    uint32_t sparse = 2 + dice_roll(w->dice, 5);

    w->flow->ntask = 1 + dice_roll(w->dice, REF_TASKS);
    for (uint32_t t = 0; t < w->flow->ntask; t++) {
        struct ref_task *task = &w->flow->tasks[t];

        task->rules = random_rules(w);
        for (uint32_t u = 0; u < t; u++)
            task->needs[u] = dice_one_in(w->dice, sparse);
        if (task->rules.mapped)
            random_keys(w, t);
    }
}

/* A task may as well come after those that depend on it. */
static void
renumber(struct draw *w)
{
    struct ref_flow old = *w->flow;
    uint32_t place[REF_TASKS];

    for (uint32_t t = 0; t < old.ntask; t++) {
        uint32_t other = dice_roll(w->dice, t + 1);

        place[t] = t;
        place[t] = place[other];
        place[other] = t;
    }
    for (uint32_t t = 0; t < old.ntask; t++) {
        struct ref_task *task = &w->flow->tasks[place[t]];

        *task = old.tasks[t];
        for (uint32_t u = 0; u < old.ntask; u++)
            task->needs[place[u]] = old.tasks[t].needs[u];
        for (uint32_t i = 0; i < task->nkey; i++)
            task->keys[i].from = place[task->keys[i].from];
    }
}

void
random_flow(struct ref_flow *flow, uint64_t *dice)
{
    struct draw w = {.flow = flow, .dice = dice};

    *flow = (struct ref_flow){0};
    random_tasks(&w);
    if (dice_one_in(dice, 2))
        renumber(&w);
}
