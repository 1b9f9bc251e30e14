/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "cli/input.h"
#include "cli/json.h"
#include "cli/order.h"
#include "cli/rerun.h"
#include "cli/which.h"
#include "flow/value.h"

#define NAME_MOST 32 /* columns that names are lined up in */

static size_t
name_column(const struct flow *flow)
{
    size_t column = 0;

    for (size_t t = 0; t < flow->ntask; t++) {
        const char *name = flow->tasks[t].name;
        size_t width = utf8_width(name, strlen(name));

        if (!flow->tasks[t].hidden && width > column && width <= NAME_MOST)
            column = width;
    }
    return column;
}

static void
put_name(const struct cli *cli, const char *name, size_t column,
         struct buf *out)
{
    term_put(&cli->out, out, STYLE_BOLD, name);
    term_pad(out, utf8_width(name, strlen(name)), column);
}

/* ---- the plan of a flow ---- */

struct planning {
    const struct cli *cli;
    const struct flow *flow;
    const json_t *params;
    struct order order;
    int64_t *lengths;
    json_t *written; /* the flow as a file would have it; or NULL */
};

/* The names of what it waits for; hidden tasks stand for what they wait for. */
static void
add_upstream(const struct planning *self, uint32_t t, json_t *names)
{
    for (size_t i = self->order.begin[t]; i < self->order.begin[t + 1]; i++) {
        uint32_t up = self->order.upstream[i];
        const char *name = self->flow->tasks[up].name;
        bool known = false;
        size_t k;
        json_t *one;

        if (self->flow->tasks[up].hidden) {
            add_upstream(self, up, names);
            continue;
        }
        json_array_foreach(names, k, one) {
            known = known || strcmp(json_string_value(one), name) == 0;
        }
        if (!known)
            json_array_append_new(names, json_string(name));
    }
}

/* What the plan shows in other ways, or not at all. */
static bool
is_option(const char *key)
{
    static const char *const others[] = {
        "run",  "argv", "call",    "value", "with",    "stdin",   "first",
        "each", "zip",  "flatten", "needs", "trigger", "handlers"};

    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(key, others[i]) == 0)
            return false;
    }
    return true;
}

/* How and where a task runs: what it sets itself, besides the defaults. */
static json_t *
task_options(const struct planning *self, const char *task)
{
    json_t *tasks = json_object_get(self->written, "tasks");
    json_t *options = json_object();
    const char *key;
    json_t *value;

    json_object_foreach(json_object_get(tasks, task), key, value) {
        if (is_option(key))
            json_object_set(options, key, value);
    }
    return options;
}

/* Each on a line of its own, as a flow file would have it. */
static void
put_options(const struct planning *self, const char *before, json_t *options,
            struct buf *out)
{
    const char *key;
    json_t *value;

    json_object_foreach(options, key, value) {
        struct buf text = {0};

        if (json_is_string(value))
            value_text(value, &text);
        else
            value_brief(value, 200, &text);
        buf_printf(out, "%s%s: ", before, key);
        term_put(&self->cli->out, out, STYLE_PLAIN, buf_str(&text));
        buf_char(out, '\n');
        buf_release(&text);
    }
}

static void
put_task_options(const struct planning *self, const char *task, struct buf *out)
{
    json_t *options = task_options(self, task);

    put_options(self, "       ", options, out);
    json_decref(options);
}

static void
put_task(const struct planning *self, uint32_t t, size_t column,
         struct buf *out)
{
    const struct flow_task *task = &self->flow->tasks[t];
    json_t *names = json_array();
    const char *between = "  after ";
    json_t *name;
    size_t i;

    put_name(self->cli, task->name, column, out);
    if (task->mapped && self->lengths[t] == ORDER_UNKNOWN)
        buf_text(out, "  mapped, how often is known later");
    else if (task->mapped)
        buf_printf(out, "  mapped, %" PRId64 " children", self->lengths[t]);
    add_upstream(self, t, names);
    json_array_foreach(names, i, name) {
        buf_printf(out, "%s%s", between, json_string_value(name));
        between = ", ";
    }
    if (task->options->trigger != TRIGGER_ALL_SUCCESSFUL)
        buf_printf(out, "  (%s)", plan_trigger_names[task->options->trigger]);
    while (out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
    buf_char(out, '\n');
    json_decref(names);
}

static void
put_plan(const struct planning *self, struct buf *out)
{
    size_t column = name_column(self->flow);
    const char *between = "params: ";
    uint32_t shown = 0, last = UINT32_MAX;
    const char *name;
    json_t *value;

    json_object_foreach((json_t *)(uintptr_t)self->params, name, value) {
        buf_printf(out, "%s%s=", between, name);
        value_brief(value, 60, out);
        between = ", ";
    }
    if (json_object_size(self->params) > 0)
        buf_char(out, '\n');
    put_options(self, "defaults: ", json_object_get(self->written, "defaults"),
                out);
    put_options(self, "limits: ", json_object_get(self->written, "limits"),
                out);
    for (size_t i = 0; i < self->flow->ntask; i++) {
        uint32_t t = self->order.tasks[i];

        if (self->flow->tasks[t].hidden)
            continue;
        if (self->order.step[t] == last)
            buf_printf(out, "%5s", "");
        else
            buf_printf(out, "%3" PRIu32 ". ", ++shown);
        last = self->order.step[t];
        put_task(self, t, column, out);
        if (self->written)
            put_task_options(self, self->flow->tasks[t].name, out);
    }
}

static json_t *
plan_json(const struct planning *self)
{
    json_t *steps = json_array();
    json_t *step = NULL;
    uint32_t last = UINT32_MAX;

    for (size_t i = 0; i < self->flow->ntask; i++) {
        uint32_t t = self->order.tasks[i];
        const struct flow_task *task = &self->flow->tasks[t];
        json_t *after = json_array();

        add_upstream(self, t, after);
        if (task->hidden) {
            json_decref(after);
            continue;
        }
        if (self->order.step[t] != last) {
            step = json_array();
            json_array_append_new(steps, step);
        }
        last = self->order.step[t];
        json_array_append_new(
            step, json_pack("{s:s, s:o, s:s, s:b, s:o, s:o}", "name",
                            task->name, "after", after, "trigger",
                            plan_trigger_names[task->options->trigger],
                            "mapped", task->mapped, "children",
                            task->mapped && self->lengths[t] != ORDER_UNKNOWN
                                ? json_integer(self->lengths[t])
                                : json_null(),
                            "options", task_options(self, task->name)));
    }
    return json_pack("{s:s, s:s, s:O, s:o, s:O?, s:O?}", "schema",
                     "leat.plan/1", "flow", self->flow->name, "params",
                     self->params, "steps", steps, "defaults",
                     json_object_get(self->written, "defaults"), "limits",
                     json_object_get(self->written, "limits"));
}

static int
plan_flow(const struct cli *cli, const struct args *args,
          const struct flow *flow, const json_t *params)
{
    struct planning self = {.cli = cli, .flow = flow, .params = params};
    struct buf out = {0};
    int code;

    order_init(&self.order, flow);
    self.lengths = order_lengths(&self.order, flow, params);
    if (args_has(args, OPT_VERBOSE) || args_has(args, OPT_JSON))
        self.written = flow_to_json(flow);
    if (args_has(args, OPT_JSON)) {
        code = cli_print_json(cli, plan_json(&self), EXIT_OK);
    } else {
        put_plan(&self, &out);
        code = cli_print(cli, &out, EXIT_OK);
    }
    buf_release(&out);
    json_decref(self.written);
    free(self.lengths);
    order_release(&self.order);
    return code;
}

/* ---- the plan of a retry ---- */

static json_t *
rerun_json(const struct history *history, const struct rerun *all)
{
    json_t *tasks = json_array();

    for (size_t t = 0; t < history->flow->ntask; t++) {
        struct buf reason = {0};

        if (history->flow->tasks[t].hidden)
            continue;
        rerun_reason(history, &all[t], (uint32_t)t, &reason);
        json_array_append_new(
            tasks,
            json_pack("{s:s, s:b, s:o}", "name", history->flow->tasks[t].name,
                      "execute", strcmp(rerun_verb(&all[t]), "run") == 0, "why",
                      json_of_text(buf_str(&reason), reason.len)));
        buf_release(&reason);
    }
    return json_pack("{s:s, s:s, s:I, s:o}", "schema", "leat.plan/1", "flow",
                     history->flow->name, "retry_of",
                     (json_int_t)history->info.id, "tasks", tasks);
}

static void
put_rerun(const struct cli *cli, const struct history *history,
          const struct rerun *all, struct buf *out)
{
    size_t column = name_column(history->flow);

    for (size_t t = 0; t < history->flow->ntask; t++) {
        struct buf reason = {0};
        const char *verb = rerun_verb(&all[t]);

        if (history->flow->tasks[t].hidden)
            continue;
        put_name(cli, history->flow->tasks[t].name, column, out);
        buf_text(out, "  ");
        term_put(&cli->out, out,
                 all[t].why == RERUN_KEPT    ? STYLE_DIM
                 : all[t].why == RERUN_NEVER ? STYLE_RED
                                             : STYLE_GREEN,
                 verb);
        buf_printf(out, "%*s", 6 - (int)strlen(verb), "");
        rerun_reason(history, &all[t], (uint32_t)t, &reason);
        term_put(&cli->out, out, STYLE_PLAIN, buf_str(&reason));
        buf_char(out, '\n');
        buf_release(&reason);
    }
}

static int
plan_retry_of(const struct cli *cli, const struct args *args,
              const struct history *history)
{
    const char *from = args_text(args, OPT_FROM);
    struct plan_id id = {PLAN_NONE, PLAN_WHOLE};
    struct order order;
    struct rerun *all;
    struct buf out = {0};
    struct err err;
    int code;

    if (from && history_find(history, from, &id, &err) < 0)
        return cli_error(cli, &err);
    order_init(&order, history->flow);
    all = rerun_find(history, &order, id.task);
    if (args_has(args, OPT_JSON)) {
        code = cli_print_json(cli, rerun_json(history, all), EXIT_OK);
    } else {
        put_rerun(cli, history, all, &out);
        code = cli_print(cli, &out, EXIT_OK);
    }
    buf_release(&out);
    free(all);
    order_release(&order);
    return code;
}

/* ---- the command ---- */

static int
plan_run(const struct cli *cli, const struct args *args, const char *name)
{
    struct which which = {0};
    int code = which_run(&which, cli, name);

    if (code == EXIT_OK && args_has(args, OPT_WHY))
        code = plan_retry_of(cli, args, which.history);
    else if (code == EXIT_OK)
        code = plan_flow(cli, args, which.history->flow,
                         which.history->info.params);
    which_release(&which);
    return code;
}

int
cmd_plan(struct cli *cli, const struct args *args)
{
    const char *word = args->nword > 0 ? args->words[0] : NULL;
    struct input input = {0};
    int code;

    if (args_has(args, OPT_FROM) && !args_has(args, OPT_WHY))
        return cli_usage(cli, "--from goes with --why");
    if (args_has(args, OPT_WHY) || (word && (cli->build || input_is_run(word))))
        return plan_run(cli, args, word);
    code = input_flow(&input, cli, cli->build ? NULL : word);
    if (code == EXIT_OK)
        code = input_params(&input, cli, args);
    if (code == EXIT_OK)
        code = plan_flow(cli, args, input.flow, input.params);
    input_release(&input);
    return code;
}
