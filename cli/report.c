/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/report.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/mem.h"
#include "base/span.h"
#include "base/utf8.h"
#include "cli/which.h"

#define NAMES_SHOWN 5 /* of the tasks that did not run because of a failure */

/* ---- what a failure kept from running ---- */

struct reach {
    const struct plan *plan;
    struct bits seen;
    uint32_t *list; /* in the order found */
    size_t n;
};

static bool
was_stopped(const struct plan *plan, uint32_t task)
{
    enum plan_state state =
        plan_state(plan, (struct plan_id){task, PLAN_WHOLE});

    if (state == PLAN_MAPPED)
        return plan_children_in(plan, task, PLAN_TRIGGER_FAILED) > 0;
    return state == PLAN_TRIGGER_FAILED || state == PLAN_SKIPPED;
}

static void
reach_task(void *ctx, uint32_t task)
{
    struct reach *self = ctx;

    if (bits_has(&self->seen, task) || !was_stopped(self->plan, task))
        return;
    bits_add(&self->seen, task);
    self->list[self->n++] = task;
}

static void
put_stopped(const struct flow *flow, const struct plan *plan, uint32_t from,
            struct buf *out)
{
    struct reach reach = {.plan = plan};
    size_t shown = 0, more = 0;

    reach.list = mem_alloc(flow->ntask, sizeof *reach.list);
    bits_init(&reach.seen, (uint32_t)flow->ntask, false);
    plan_downstream(plan, from, reach_task, &reach);
    for (size_t i = 0; i < reach.n; i++)
        plan_downstream(plan, reach.list[i], reach_task, &reach);
    for (size_t i = 0; i < reach.n; i++) {
        const struct flow_task *task = &flow->tasks[reach.list[i]];

        if (task->hidden)
            continue;
        if (shown == NAMES_SHOWN) {
            more++;
            continue;
        }
        buf_text(out, shown++ == 0 ? "  not run because of it: " : ", ");
        buf_text(out, task->name);
    }
    if (more > 0)
        buf_printf(out, " and %zu more", more);
    if (shown > 0)
        buf_char(out, '\n');
    bits_release(&reach.seen);
    free(reach.list);
}

/* ---- one failure ---- */

static void
put_failure(const struct watch *watch, const struct local_result *result,
            size_t i, struct buf *out)
{
    const struct watch_failure *failure = &watch->failures[i];
    const struct flow_task *task = &watch->flow->tasks[failure->id.task];
    const struct term *term = &watch->cli->err;
    const char *cause = run_cause(result->run, failure->id);
    /* Children of one task stand together. */
    bool first = i == 0 || failure[-1].id.task != failure->id.task;
    struct buf name = {0};

    run_name(result->run, failure->id, &name);
    if (first)
        buf_char(out, '\n');
    term_put(term, out, STYLE_BOLD, buf_str(&name));
    buf_char(out, ' ');
    term_put(term, out, STYLE_RED, plan_state_names[failure->state]);
    if (cause) {
        buf_text(out, ": ");
        term_put(term, out, STYLE_PLAIN, cause);
    }
    buf_char(out, '\n');
    if (first && watch->flow->file && task->place.line > 0) {
        buf_text(out, "  at ");
        term_put(term, out, STYLE_PLAIN, watch->flow->file);
        buf_printf(out, ":%" PRIu32 "\n", task->place.line);
    }
    for (size_t k = 0; k < failure->ntail; k++) {
        buf_text(out, "  | ");
        term_put(term, out, STYLE_PLAIN, failure->tail[k]);
        buf_char(out, '\n');
    }
    buf_release(&name);
}

static bool
is_last_of_its_task(const struct watch *watch, size_t i)
{
    for (size_t k = i + 1; k < watch->nfailure; k++) {
        if (watch->failures[k].id.task == watch->failures[i].id.task)
            return false;
    }
    return true;
}

static uint64_t
failures(const struct plan *plan)
{
    return plan_count(plan, PLAN_FAILED) + plan_count(plan, PLAN_TIMED_OUT) +
           plan_count(plan, PLAN_CRASHED);
}

static void
put_failures(const struct watch *watch, const struct local_result *result,
             struct buf *out)
{
    const struct plan *plan = run_plan(result->run);
    uint64_t more = failures(plan) - watch->nfailure;

    for (size_t i = 0; i < watch->nfailure; i++) {
        put_failure(watch, result, i, out);
        if (is_last_of_its_task(watch, i))
            put_stopped(watch->flow, plan, watch->failures[i].id.task, out);
    }
    if (failures(plan) > watch->nfailure)
        buf_printf(out, "\n%" PRIu64 " more failed\n", more);
    if (watch->flow->has_max_fails && failures(plan) > watch->flow->max_fails)
        buf_printf(out,
                   "\nmax-fails: more than %" PRIu32 " failure%s ended "
                   "the run\n",
                   watch->flow->max_fails,
                   watch->flow->max_fails == 1 ? "" : "s");
    if (result->problem) {
        buf_char(out, '\n');
        term_put(&watch->cli->err, out, STYLE_PLAIN, result->problem);
        buf_char(out, '\n');
    }
    buf_char(out, '\n');
}

/* ---- the last lines ---- */

/* How many people would count: not the merges that `first` stands for. */
static uint64_t
count(const struct watch *watch, const struct plan *plan, enum plan_state state)
{
    uint64_t n = plan_count(plan, state);

    for (size_t t = watch->flow->ntask;
         t > 0 && watch->flow->tasks[t - 1].hidden; t--) {
        struct plan_id id = {(uint32_t)(t - 1), PLAN_WHOLE};

        if (plan_state(plan, id) == PLAN_MAPPED)
            n -= plan_children_in(plan, id.task, state);
        else
            n -= plan_state(plan, id) == state;
    }
    return n;
}

/* ": 4 tasks, 1 skipped, 2 failed" */
static void
put_counts(const struct watch *watch, const struct plan *plan, struct buf *out)
{
    uint64_t total = 0;

    for (int s = 0; s < PLAN_STATE_COUNT; s++) {
        if (s != PLAN_MAPPED)
            total += count(watch, plan, (enum plan_state)s);
    }
    buf_printf(out, ": %" PRIu64 " task%s", total, total == 1 ? "" : "s");
    for (int s = 0; s < PLAN_STATE_COUNT; s++) {
        enum plan_state state = (enum plan_state)s;
        uint64_t n = s == PLAN_MAPPED ? 0 : count(watch, plan, state);

        if (n == 0 || (state == PLAN_SUCCEEDED && n == total))
            continue;
        buf_printf(out, ", %" PRIu64 " ", n);
        term_put(&watch->cli->err, out, term_state_style(state),
                 plan_state_names[state]);
    }
    if (watch->kept > 0)
        buf_printf(out, ", %" PRIu64 " kept from before", watch->kept);
}

/* What is there to type next; only what a store has can be looked back at. */
static void
put_next(const struct watch *watch, const struct local_result *result,
         struct buf *out)
{
    const char *name = watch->cli->name;
    const char *place = buf_str(&watch->cli->place);
    struct buf task = {0};

    if (result->id == 0)
        return;
    if (watch->nfailure == 1) {
        run_name(result->run, watch->failures[0].id, &task);
        buf_printf(out, "all it wrote:     %s logs ", name);
        which_name(out, result->id, buf_str(&task));
        buf_printf(out, "%s\n", place);
    } else if (watch->nfailure > 1) {
        buf_printf(out, "all they wrote:   %s logs %" PRIu64 "/:failed%s\n",
                   name, result->id, place);
    }
    buf_printf(out, "%-18s%s retry %" PRIu64 "%s\n",
               result->state == STORE_PAUSED ? "let it go on:"
                                             : "go on from here:",
               name, result->id, place);
    buf_release(&task);
}

static void
put_state(const struct watch *watch, const struct local_result *result,
          struct buf *out)
{
    static const enum style styles[STORE_RUN_STATE_COUNT] = {
        [STORE_SUCCEEDED] = STYLE_GREEN,
        [STORE_FAILED] = STYLE_RED,
        [STORE_CANCELLED] = STYLE_YELLOW,
        [STORE_PAUSED] = STYLE_YELLOW};
    const char *state =
        result->timed_out ? "timed out" : store_run_state_names[result->state];

    if (result->id > 0)
        buf_printf(out, "run %" PRIu64 " ", result->id);
    else
        buf_text(out, "the run ");
    term_put(&watch->cli->err, out, styles[result->state], state);
}

void
report_put(const struct watch *watch, const struct local_result *result,
           int64_t elapsed, struct buf *out)
{
    bool good = result->state == STORE_SUCCEEDED;
    char text[SPAN_TEXT];

    if (good && watch->quiet)
        return;
    if (!good)
        put_failures(watch, result, out);
    put_state(watch, result, out);
    put_counts(watch, run_plan(result->run), out);
    buf_printf(out, " in %s\n", span_format(elapsed, text));
    if (!good)
        put_next(watch, result, out);
}
