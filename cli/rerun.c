/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/rerun.h"

#include <inttypes.h>

#include "base/mem.h"
#include "cli/words.h"

static uint32_t
unsuccessful(const struct history_task *task)
{
    uint32_t n = 0;

    for (int s = 0; s < PLAN_STATE_COUNT; s++) {
        if (!plan_state_is_success((enum plan_state)s))
            n += task->count[s];
    }
    return n;
}

static bool
has_succeeded(const struct history_task *task)
{
    if (task->item.state == PLAN_MAPPED)
        return unsuccessful(task) == 0;
    return plan_state_is_success(task->item.state);
}

static struct rerun
rerun_if_any(const struct history *history, const struct order *order,
             const struct rerun *all, uint32_t t, uint32_t from)
{
    if (t == from)
        return (struct rerun){.why = RERUN_FROM};
    if (!has_succeeded(&history->tasks[t]))
        return (struct rerun){.why = RERUN_STATE};
    for (size_t i = order->begin[t]; i < order->begin[t + 1]; i++) {
        uint32_t up = order->upstream[i];

        if (all[up].why == RERUN_AFTER && history->flow->tasks[up].hidden)
            up = all[up].after;
        if (all[up].why != RERUN_KEPT)
            return (struct rerun){RERUN_AFTER, up};
    }
    return (struct rerun){.why = RERUN_KEPT};
}

static struct rerun
rerun_one(const struct history *history, const struct order *order,
          const struct rerun *all, uint32_t t, uint32_t from)
{
    struct rerun one = rerun_if_any(history, order, all, t, from);

    if (one.why != RERUN_KEPT && history->tasks[t].item.attempt > 0 &&
        history->flow->tasks[t].options->at_most_once)
        one.why = RERUN_NEVER;
    return one;
}

struct rerun *
rerun_find(const struct history *history, const struct order *order,
           uint32_t from)
{
    size_t n = history->flow->ntask;
    struct rerun *all = mem_alloc(n, sizeof *all);

    for (size_t i = 0; i < n; i++) {
        uint32_t t = order->tasks[i];

        all[t] = rerun_one(history, order, all, t, from);
    }
    return all;
}

static void
state_reason(const struct history_task *task, struct buf *out)
{
    uint32_t n = unsuccessful(task);

    if (task->item.state == PLAN_MAPPED) {
        buf_printf(out,
                   "%" PRIu32 " of its %" PRIu32 " children %s not succeeded",
                   n, task->nchild, n == 1 ? "has" : "have");
        return;
    }
    buf_printf(out, "it %s", words_task(task->item.state));
    if (task->item.cause)
        buf_printf(out, ": %s", task->item.cause);
}

const char *
rerun_verb(const struct rerun *rerun)
{
    if (rerun->why == RERUN_NEVER)
        return "fail";
    return rerun->why == RERUN_KEPT ? "keep" : "run";
}

void
rerun_reason(const struct history *history, const struct rerun *rerun,
             uint32_t t, struct buf *out)
{
    const struct history_task *task = &history->tasks[t];

    switch (rerun->why) {
    case RERUN_KEPT:
        buf_printf(out, "it %s",
                   task->item.state == PLAN_MAPPED
                       ? words_task(PLAN_SUCCEEDED)
                       : words_task(task->item.state));
        break;
    case RERUN_STATE:
        state_reason(task, out);
        break;
    case RERUN_NEVER:
        buf_text(out, "it was started once, and is at-most-once");
        break;
    case RERUN_FROM:
        buf_text(out, "--from names it");
        break;
    case RERUN_AFTER:
        buf_printf(out, "`%s`, which it depends on, is executed again",
                   history->flow->tasks[rerun->after].name);
        break;
    }
}
