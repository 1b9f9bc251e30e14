/* SPDX-License-Identifier: MPL-2.0 */
#include <inttypes.h>
#include <string.h>

#include "base/span.h"
#include "base/utf8.h"
#include "cli/json.h"
#include "cli/which.h"
#include "flow/value.h"

#define CHILDREN   36 /* of a map, shown one by one; all with -v */
#define VALUE_MOST 60 /* bytes of a value */
#define NAME_MOST  32 /* columns */

struct showing {
    const struct cli *cli;
    const struct history *history;
    bool verbose;
    size_t column; /* where names end */
    struct buf out;
};

static void
put_field(struct showing *self, const char *name, const char *value)
{
    if (!value)
        return;
    buf_printf(&self->out, "%-9s", name);
    term_put(&self->cli->out, &self->out, STYLE_PLAIN, value);
    buf_char(&self->out, '\n');
}

static void
put_times(struct showing *self)
{
    const struct store_run *info = &self->history->info;
    char moment[SPAN_TEXT], length[SPAN_TEXT];

    buf_printf(&self->out, "started  %s", span_moment(info->started, moment));
    if (info->ended > 0)
        buf_printf(&self->out, ", took %s",
                   span_format(info->ended - info->started, length));
    if (info->sessions > 1)
        buf_printf(&self->out, ", in %" PRIu32 " sessions", info->sessions);
    buf_char(&self->out, '\n');
}

static void
put_params(struct showing *self)
{
    const char *between = "params   ";
    const char *name;
    json_t *value;

    json_object_foreach(self->history->info.params, name, value) {
        buf_printf(&self->out, "%s%s=", between, name);
        value_brief(value, VALUE_MOST, &self->out);
        between = ", ";
    }
    if (json_object_size(self->history->info.params) > 0)
        buf_char(&self->out, '\n');
}

/* Names of what was forwarded: the values may be secrets. */
static void
put_env(struct showing *self)
{
    const json_t *env = json_object_get(self->history->info.options, "env");
    struct buf names = {0};

    for (size_t i = 0; i < json_array_size(env); i++) {
        const char *name = json_string_value(json_array_get(env, i));

        buf_printf(&names, "%s%s", i > 0 ? ", " : "", name ? name : "?");
    }
    if (names.len > 0)
        put_field(self, "env", buf_str(&names));
    buf_release(&names);
}

static void
put_head(struct showing *self)
{
    const struct store_run *info = &self->history->info;
    struct buf value = {0};

    buf_printf(&self->out, "run %" PRIu64 " of ", info->id);
    term_put(&self->cli->out, &self->out, STYLE_BOLD, info->flow);
    buf_printf(&self->out, ": %s\n", store_run_state_names[info->state]);
    put_field(self, "problem", store_run_problem(info));
    put_field(self, "name", info->name);
    put_field(self, "file", info->file);
    put_field(self, "in", info->cwd);
    put_times(self);
    put_params(self);
    put_env(self);
    if (info->output && !json_is_null(info->output)) {
        value_brief(info->output, VALUE_MOST, &value);
        put_field(self, "output", buf_str(&value));
    }
    buf_release(&value);
}

/* What there is to say of an instance besides its state. */
static void
put_details(struct showing *self, const struct history_item *item)
{
    const struct term *term = &self->cli->out;
    char text[SPAN_TEXT];
    struct buf value = {0};

    if (item->attempt > 1)
        buf_printf(&self->out, ", attempt %" PRIu32, item->attempt);
    if (item->started > 0 && item->ended >= item->started)
        buf_printf(&self->out, ", %s",
                   span_format(item->ended - item->started, text));
    else if (item->state == PLAN_RUNNING && item->started > 0 &&
             self->history->info.state == STORE_RUNNING)
        buf_printf(&self->out, ", for %s",
                   span_format(span_wall() - item->started, text));
    if (item->value && !json_is_null(item->value)) {
        buf_text(&self->out, " = ");
        value_brief(item->value, VALUE_MOST, &value);
        term_put(term, &self->out, STYLE_PLAIN, buf_str(&value));
    }
    if (item->cause) {
        buf_text(&self->out, ": ");
        term_put(term, &self->out, STYLE_PLAIN, item->cause);
    }
    if (item->cwd) {
        buf_text(&self->out, " (in ");
        term_put(term, &self->out, STYLE_PLAIN, item->cwd);
        buf_char(&self->out, ')');
    }
    buf_release(&value);
}

static void
put_item(struct showing *self, struct plan_id id, enum plan_state state)
{
    struct buf name = {0};
    size_t width;

    if (id.child != PLAN_WHOLE)
        buf_text(&self->out, "  ");
    history_name(self->history, id, &name);
    term_put(&self->cli->out, &self->out, STYLE_BOLD, buf_str(&name));
    width =
        utf8_width(buf_str(&name), name.len) + (id.child != PLAN_WHOLE ? 2 : 0);
    term_pad(&self->out, width, self->column > width ? self->column : width);
    buf_text(&self->out, "  ");
    term_put(&self->cli->out, &self->out, term_state_style(state),
             plan_state_names[state]);
    buf_release(&name);
}

/* Of a large map those that did not succeed, and of these the first few. */
static void
put_children(struct showing *self, struct plan_id id)
{
    const struct history_task *task = &self->history->tasks[id.task];
    bool all = self->verbose || task->nchild <= CHILDREN;
    uint32_t shown = 0, more = 0;

    for (id.child = 0; id.child < task->nchild; id.child++) {
        const struct history_item *item = &task->children[id.child];

        if (!all && plan_state_is_success(item->state))
            continue;
        if (!all && shown == CHILDREN) {
            more++;
            continue;
        }
        shown++;
        put_item(self, id, item->state);
        put_details(self, item);
        buf_char(&self->out, '\n');
    }
    if (more > 0)
        buf_printf(&self->out, "  and %" PRIu32 " more; -v shows all\n", more);
}

static void
put_map(struct showing *self, uint32_t t)
{
    const struct history_task *task = &self->history->tasks[t];
    struct plan_id id = {t, PLAN_WHOLE};
    const char *between = " (";

    put_item(self, id, history_state(self->history, t));
    buf_printf(&self->out, ", %" PRIu32 " children", task->nchild);
    for (int s = 0; s < PLAN_STATE_COUNT; s++) {
        if (task->count[s] == 0 || task->count[s] == task->nchild)
            continue;
        buf_printf(&self->out, "%s%" PRIu32 " %s", between, task->count[s],
                   plan_state_names[s]);
        between = ", ";
    }
    buf_text(&self->out, between[0] == ',' ? ")\n" : "\n");
    put_children(self, id);
}

static void
put_tasks(struct showing *self)
{
    const struct flow *flow = self->history->flow;

    for (size_t t = 0; t < flow->ntask; t++) {
        size_t width =
            utf8_width(flow->tasks[t].name, strlen(flow->tasks[t].name));

        if (!flow->tasks[t].hidden && width > self->column &&
            width <= NAME_MOST)
            self->column = width;
    }
    buf_char(&self->out, '\n');
    for (size_t t = 0; t < flow->ntask; t++) {
        const struct history_item *item = &self->history->tasks[t].item;

        if (flow->tasks[t].hidden)
            continue;
        if (item->state == PLAN_MAPPED) {
            put_map(self, (uint32_t)t);
            continue;
        }
        put_item(self, (struct plan_id){(uint32_t)t, PLAN_WHOLE}, item->state);
        put_details(self, item);
        buf_char(&self->out, '\n');
    }
}

static void
put_command(struct showing *self, const char *what, const char *command,
            const char *of)
{
    buf_printf(&self->out, "%-18s%s %s %" PRIu64 "%s%s\n", what,
               self->cli->name, command, self->history->info.id, of,
               buf_str(&self->cli->place));
}

/* What there is to type next. */
static void
put_next(struct showing *self)
{
    enum store_run_state state = self->history->info.state;

    if (state == STORE_SUCCEEDED)
        return;
    buf_char(&self->out, '\n');
    if (state == STORE_FAILED)
        put_command(self, "all they wrote:", "logs", "/:failed");
    if (state == STORE_RUNNING)
        put_command(self, "follow it:",
                    self->cli->config.broker ? "watch" : "logs -f", "");
    else if (state == STORE_PAUSED)
        put_command(self, "let it go on:", "retry", "");
    else
        put_command(self, "go on from here:", "retry", "");
}

int
cmd_show(struct cli *cli, const struct args *args)
{
    struct which which = {0};
    struct showing self = {.cli = cli, .verbose = args_has(args, OPT_VERBOSE)};
    int code = which_run(&which, cli, args->nword > 0 ? args->words[0] : NULL);

    self.history = which.history;
    if (code == EXIT_OK && args_has(args, OPT_JSON)) {
        code = cli_print_json(cli, json_of_history(which.history), code);
    } else if (code == EXIT_OK) {
        put_head(&self);
        put_tasks(&self);
        put_next(&self);
        code = cli_print(cli, &self.out, code);
    }
    buf_release(&self.out);
    which_release(&which);
    return code;
}
