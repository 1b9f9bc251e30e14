/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/span.h"
#include "cli/json.h"
#include "cli/order.h"
#include "cli/rerun.h"
#include "cli/which.h"
#include "cli/words.h"

#define NAMED 10 /* upstream tasks or children, at most */

/* One task or child to be explained, in sentences, one a line. */
struct why {
    const struct cli *cli;
    struct client *broker; /* that has the run; or NULL */
    const struct history *history;
    struct order order;
    struct plan_id id;
    struct buf name;
    struct buf out;
};

static const struct history_item *
item_of(const struct why *self)
{
    return history_item(self->history, self->id);
}

static const struct flow_options *
options_of(const struct why *self)
{
    return self->history->flow->tasks[self->id.task].options;
}

static void
put_cause(struct why *self)
{
    const char *cause = item_of(self)->cause;

    if (cause)
        buf_printf(&self->out, ": %s", cause);
    buf_char(&self->out, '\n');
}

typedef bool is_wanted_fn(enum plan_state state);

/* A hidden task, made by `first`, stands for what it depends on. */
static size_t
put_upstream_of(struct why *self, uint32_t t, is_wanted_fn *wanted, size_t n)
{
    const struct history *history = self->history;

    for (size_t i = self->order.begin[t]; i < self->order.begin[t + 1]; i++) {
        uint32_t up = self->order.upstream[i];
        enum plan_state state = history_state(history, up);
        const char *cause = history->tasks[up].item.cause;

        if (history->flow->tasks[up].hidden) {
            n = put_upstream_of(self, up, wanted, n);
            continue;
        }
        if (!wanted(state) || ++n > NAMED)
            continue;
        buf_printf(&self->out, "`%s`, which it depends on, %s",
                   history->flow->tasks[up].name, words_task(state));
        buf_printf(&self->out, cause ? ": %s\n" : "%s\n", cause ? cause : "");
    }
    return n;
}

/* Upstream tasks whose state is of the wanted kind, each with its cause. */
static void
put_upstream(struct why *self, is_wanted_fn *wanted)
{
    size_t n = put_upstream_of(self, self->id.task, wanted, 0);

    if (n > NAMED)
        buf_printf(&self->out, "and %zu more\n", n - NAMED);
}

static bool
is_failure(enum plan_state state)
{
    return plan_state_is_final(state) && !plan_state_is_success(state);
}

static bool
is_skipped(enum plan_state state)
{
    return state == PLAN_SKIPPED;
}

static bool
is_open(enum plan_state state)
{
    return !plan_state_is_final(state);
}

static void
why_waiting(struct why *self)
{
    enum store_run_state state = self->history->info.state;

    if (state == STORE_RUNNING || state == STORE_PAUSED)
        buf_printf(&self->out, "`%s` waits for its turn\n",
                   buf_str(&self->name));
    else
        buf_printf(&self->out,
                   "`%s` was not reached before the run ended (it %s)\n",
                   buf_str(&self->name), words_run(state));
    put_upstream(self, is_open);
}

static void
why_running(struct why *self)
{
    const struct history_item *item = item_of(self);
    char text[SPAN_TEXT];

    if (self->history->info.state != STORE_RUNNING) {
        buf_printf(&self->out,
                   "`%s` was running in attempt %" PRIu32
                   " when the run was interrupted\n",
                   buf_str(&self->name), item->attempt);
        return;
    }
    buf_printf(&self->out, "`%s` is running in attempt %" PRIu32,
               buf_str(&self->name), item->attempt);
    if (item->started > 0)
        buf_printf(&self->out, ", for %s",
                   span_format(span_wall() - item->started, text));
    buf_char(&self->out, '\n');
}

static void
why_retrying(struct why *self)
{
    buf_printf(&self->out,
               "`%s` waits for its next attempt; attempt %" PRIu32 " ended",
               buf_str(&self->name), item_of(self)->attempt);
    put_cause(self);
}

static void
why_paused(struct why *self)
{
    buf_printf(&self->out,
               "`%s` waits to be let through (trigger manual-only): "
               "%s retry %" PRIu64 "%s\n",
               buf_str(&self->name), self->cli->name, self->history->info.id,
               buf_str(&self->cli->place));
}

static void
why_succeeded(struct why *self)
{
    const struct history_item *item = item_of(self);

    buf_printf(&self->out, "`%s` succeeded", buf_str(&self->name));
    if (item->attempt > 0)
        buf_printf(&self->out, " in attempt %" PRIu32, item->attempt);
    if (item->attempt > 0 && self->history->info.sessions > 1)
        buf_text(&self->out, "; it is kept as long as nothing it depends on "
                             "is executed again");
    buf_char(&self->out, '\n');
}

static void
why_cached(struct why *self)
{
    buf_printf(&self->out, "`%s` was not executed: what it makes was there",
               buf_str(&self->name));
    put_cause(self);
}

static void
why_skipped(struct why *self)
{
    buf_printf(&self->out, "`%s` was skipped", buf_str(&self->name));
    put_cause(self);
    if (options_of(self)->skip_on_skip)
        put_upstream(self, is_skipped);
}

static void
why_failed(struct why *self)
{
    const struct history_item *item = item_of(self);
    uint32_t tries = options_of(self)->retry.times + 1;

    buf_printf(&self->out, "`%s` %s", buf_str(&self->name),
               words_task(item->state));
    if (item->attempt > 0)
        buf_printf(&self->out, " in attempt %" PRIu32, item->attempt);
    if (item->attempt > 0 && item->attempt <= tries && tries > 1)
        buf_printf(&self->out, " of %" PRIu32, tries);
    put_cause(self);
    buf_printf(&self->out, "what it wrote: %s logs ", self->cli->name);
    which_name(&self->out, self->history->info.id, buf_str(&self->name));
    buf_printf(&self->out, "%s\n", buf_str(&self->cli->place));
}

static void
why_trigger_failed(struct why *self)
{
    buf_printf(&self->out, "`%s` was not run: its trigger is %s\n",
               buf_str(&self->name),
               plan_trigger_names[options_of(self)->trigger]);
    put_upstream(self, is_failure);
}

static void
why_cancelled(struct why *self)
{
    buf_printf(&self->out, "`%s` was cancelled", buf_str(&self->name));
    put_cause(self);
}

static void
why_mapped(struct why *self)
{
    const struct history_task *task = &self->history->tasks[self->id.task];
    struct plan_id id = self->id;
    size_t shown = 0;

    buf_printf(&self->out, "`%s` has %" PRIu32 " children\n",
               buf_str(&self->name), task->nchild);
    for (int s = 0; s < PLAN_STATE_COUNT; s++) {
        if (task->count[s] > 0)
            buf_printf(&self->out, "%" PRIu32 " of them: %s\n", task->count[s],
                       plan_state_names[s]);
    }
    for (id.child = 0; id.child < task->nchild && shown < NAMED; id.child++) {
        const struct history_item *item = &task->children[id.child];
        struct buf name = {0};

        if (!is_failure(item->state))
            continue;
        history_name(self->history, id, &name);
        buf_printf(&self->out, "`%s` %s%s%s\n", buf_str(&name),
                   words_task(item->state), item->cause ? ": " : "",
                   item->cause ? item->cause : "");
        buf_release(&name);
        shown++;
    }
}

static void
why_retry(struct why *self)
{
    const struct store_run *info = &self->history->info;
    struct rerun *all;
    const struct rerun *own;

    if (info->state == STORE_SUCCEEDED || info->state == STORE_RUNNING)
        return;
    all = rerun_find(self->history, &self->order, PLAN_NONE);
    own = &all[self->id.task];
    /* Of a map only what has not succeeded itself is executed again. */
    if (self->id.child == PLAN_WHOLE || own->why != RERUN_STATE) {
        buf_printf(&self->out,
                   "%s retry %" PRIu64 "%s would %s it: ", self->cli->name,
                   info->id, buf_str(&self->cli->place), rerun_verb(own));
        rerun_reason(self->history, own, self->id.task, &self->out);
        buf_char(&self->out, '\n');
    }
    free(all);
}

typedef void why_fn(struct why *self);

static why_fn *const explain[PLAN_STATE_COUNT] = {
    [PLAN_WAITING] = why_waiting,
    [PLAN_READY] = why_waiting,
    [PLAN_RUNNING] = why_running,
    [PLAN_RETRYING] = why_retrying,
    [PLAN_PAUSED] = why_paused,
    [PLAN_MAPPED] = why_mapped,
    [PLAN_SUCCEEDED] = why_succeeded,
    [PLAN_CACHED] = why_cached,
    [PLAN_SKIPPED] = why_skipped,
    [PLAN_FAILED] = why_failed,
    [PLAN_TIMED_OUT] = why_failed,
    [PLAN_CRASHED] = why_failed,
    [PLAN_TRIGGER_FAILED] = why_trigger_failed,
    [PLAN_CANCELLED] = why_cancelled,
};

/* ---- printing ---- */

static json_t *
why_json(struct why *self, enum plan_state state)
{
    json_t *sentences = json_array();
    char *text = buf_take(&self->out);
    char *line;

    for (char *at = text; (line = strsep(&at, "\n")) != NULL && at;)
        json_array_append_new(sentences, json_of_text(line, strlen(line)));
    free(text);
    return json_pack("{s:s, s:I, s:o, s:s, s:o}", "schema", "leat.why/1", "run",
                     (json_int_t)self->history->info.id, "task",
                     json_of_text(buf_str(&self->name), self->name.len),
                     "state", plan_state_names[state], "why", sentences);
}

static void
print(struct why *self, struct buf *out)
{
    char *text = buf_take(&self->out);
    char *line;

    for (char *at = text; (line = strsep(&at, "\n")) != NULL && at;) {
        term_put(&self->cli->out, out, STYLE_PLAIN, line);
        buf_char(out, '\n');
    }
    free(text);
}

/*
 * What the broker says of a task that waits or runs: it knows its agents. False
 * if it knows no more than its records.
 */
static bool
ask_broker(struct why *self, enum plan_state state)
{
    const struct flow_task *task = &self->history->flow->tasks[self->id.task];
    struct buf name = {0};
    json_t *list = NULL;
    struct err err;
    int rc;

    if (!self->broker || self->history->info.state != STORE_RUNNING ||
        (state != PLAN_WAITING && state != PLAN_READY && state != PLAN_RUNNING))
        return false;
    buf_text(&name, task->name);
    if (self->id.child != PLAN_WHOLE)
        buf_printf(&name, "[#%u]", self->id.child);
    rc = client_ask(self->broker, ASK_WHY, self->history->info.id,
                    buf_str(&name), 0, &list, NULL, &err);
    buf_release(&name);
    if (rc < 0)
        return false;
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *line = json_string_value(json_array_get(list, i));

        /* The first line goes on from its name. */
        if (i == 0 && state != PLAN_RUNNING)
            buf_printf(&self->out, "`%s` ", buf_str(&self->name));
        buf_printf(&self->out, "%s\n", line ? line : "");
    }
    json_decref(list);
    return self->out.len > 0;
}

static int
explain_one(struct cli *cli, const struct args *args, const struct which *which,
            struct plan_id id)
{
    const struct history *history = which->history;
    struct why self = {.cli = cli,
                       .broker = runs_client(which->runs),
                       .history = history,
                       .id = id};
    enum plan_state state = history_item(history, id)->state;
    struct buf out = {0};
    int code = EXIT_OK;

    history_name(history, id, &self.name);
    order_init(&self.order, history->flow);
    if (state == PLAN_RUNNING || !ask_broker(&self, state))
        explain[state](&self);
    if (state == PLAN_RUNNING)
        (void)ask_broker(&self, state);
    why_retry(&self);
    if (args_has(args, OPT_JSON)) {
        code = cli_print_json(cli, why_json(&self, state), EXIT_OK);
    } else {
        print(&self, &out);
        code = cli_print(cli, &out, EXIT_OK);
    }
    order_release(&self.order);
    buf_release(&self.name);
    buf_release(&self.out);
    buf_release(&out);
    return code;
}

int
cmd_why(struct cli *cli, const struct args *args)
{
    struct which which = {0};
    int code = which_task(&which, cli, args->words[0]);

    if (code == EXIT_OK && which.whole)
        code = cli_usage(cli, "needs TASK: a task of that run, as %s/NAME",
                         args->words[0]);
    for (size_t i = 0; i < which.nid && code == EXIT_OK; i++)
        code = explain_one(cli, args, &which, which.ids[i]);
    which_release(&which);
    return code;
}
