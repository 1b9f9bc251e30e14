/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "base/span.h"
#include "base/utf8.h"
#include "flow/value.h"

json_t *
json_of_text(const char *text, size_t n)
{
    struct buf out = {0};
    json_t *json;

    if (utf8_valid(text, n) == n)
        return json_stringn(text, n);
    while (n > 0) {
        size_t good = utf8_valid(text, n);

        buf_add(&out, text, good);
        text += good;
        n -= good;
        if (n > 0) {
            buf_text(&out, "\xef\xbf\xbd");
            text++;
            n--;
        }
    }
    json = json_stringn(buf_str(&out), out.len);
    buf_release(&out);
    return json;
}

json_t *
json_of_moment(int64_t wall)
{
    time_t seconds = (time_t)(wall / SPAN_SECOND);
    char text[64];
    struct tm tm;
    size_t n;

    if (wall <= 0 || !gmtime_r(&seconds, &tm))
        return json_null();
    n = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(text + n, sizeof text - n, ".%06dZ",
                   (int)(wall % SPAN_SECOND));
    return json_string(text);
}

/* null if one is unknown */
static json_t *
seconds_from(int64_t from, int64_t to)
{
    if (from <= 0 || to <= 0)
        return json_null();
    return json_real((double)(to - from) / (double)SPAN_SECOND);
}

static json_t *
text_or_null(const char *text)
{
    return text ? json_of_text(text, strlen(text)) : json_null();
}

static json_t *
value_or_null(json_t *value)
{
    return value ? json_incref(value) : json_null();
}

/* Of forwarded variables. Their values may be secrets, and stay out. */
static json_t *
names_of_env(const struct store_run *info)
{
    json_t *names = json_object_get(info->options, "env");

    return json_is_array(names) ? json_incref(names) : value_names(info->env);
}

json_t *
json_of_info(const struct store_run *info)
{
    json_t *out = json_object();

    json_object_set_new(out, "run",
                        info->id > 0 ? json_integer((json_int_t)info->id)
                                     : json_null());
    json_object_set_new(out, "flow", text_or_null(info->flow));
    json_object_set_new(out, "name", text_or_null(info->name));
    json_object_set_new(out, "file", text_or_null(info->file));
    json_object_set_new(out, "state",
                        json_string(store_run_state_names[info->state]));
    json_object_set_new(out, "started", json_of_moment(info->started));
    json_object_set_new(out, "ended", json_of_moment(info->ended));
    json_object_set_new(out, "seconds",
                        seconds_from(info->started, info->ended));
    json_object_set_new(out, "sessions", json_integer(info->sessions));
    json_object_set_new(out, "params", value_or_null(info->params));
    json_object_set_new(out, "env", names_of_env(info));
    json_object_set_new(out, "output", value_or_null(info->output));
    json_object_set_new(out, "problem", text_or_null(store_run_problem(info)));
    json_object_set_new(out, "cwd", text_or_null(info->cwd));
    return out;
}

static json_t *
begin(const struct store_run *info)
{
    json_t *out = json_pack("{s:s}", "schema", "leat.run/1");
    json_t *rest = json_of_info(info);

    json_object_update(out, rest);
    json_decref(rest);
    return out;
}

/* An instance, and where it can be asked for. */
static json_t *
json_of_item(const struct history_item *item, const struct buf *name)
{
    json_t *out = json_object();

    json_object_set_new(out, "name", json_of_text(buf_str(name), name->len));
    json_object_set_new(out, "state",
                        json_string(plan_state_names[item->state]));
    json_object_set_new(out, "attempts", json_integer(item->attempt));
    json_object_set_new(out, "started", json_of_moment(item->started));
    json_object_set_new(out, "ended", json_of_moment(item->ended));
    json_object_set_new(out, "seconds",
                        seconds_from(item->started, item->ended));
    json_object_set_new(
        out, "code", item->code < 0 ? json_null() : json_integer(item->code));
    json_object_set_new(out, "cause", text_or_null(item->cause));
    json_object_set_new(out, "value", value_or_null(item->value));
    json_object_set_new(out, "cpu_seconds",
                        item->attempt > 0 && item->ended > 0
                            ? json_real((double)item->cpu / (double)SPAN_SECOND)
                            : json_null());
    json_object_set_new(out, "memory_bytes",
                        item->memory > 0 ? json_integer(item->memory)
                                         : json_null());
    return out;
}

json_t *
json_of_history(const struct history *history)
{
    json_t *out = begin(&history->info);
    json_t *tasks = json_array();
    struct buf name = {0};

    for (size_t t = 0; t < history->flow->ntask; t++) {
        const struct history_task *task = &history->tasks[t];
        struct plan_id id = {(uint32_t)t, PLAN_WHOLE};
        json_t *children, *json;

        if (history->flow->tasks[t].hidden)
            continue;
        buf_clear(&name);
        history_name(history, id, &name);
        json = json_of_item(&task->item, &name);
        json_array_append_new(tasks, json);
        if (task->item.state != PLAN_MAPPED)
            continue;
        children = json_array();
        for (id.child = 0; id.child < task->nchild; id.child++) {
            buf_clear(&name);
            history_name(history, id, &name);
            json_array_append_new(
                children, json_of_item(&task->children[id.child], &name));
        }
        json_object_set_new(json, "children", children);
    }
    buf_release(&name);
    json_object_set_new(out, "tasks", tasks);
    return out;
}

/* One instance of a run at hand, as a store would have it. */
static json_t *
json_of_instance(const struct run *run, struct plan_id id)
{
    json_t *value =
        id.child == PLAN_WHOLE && plan_state(run_plan(run), id) == PLAN_MAPPED
            ? NULL
            : run_value(run, id);
    const char *cause = run_cause(run, id);
    struct history_item item = {
        .state = plan_state(run_plan(run), id),
        .attempt = run_attempts(run, id),
        .code = -1,
        .value = value,
        .cause = mem_dup(cause),
    };
    struct buf name = {0};
    json_t *json;

    run_name(run, id, &name);
    json = json_of_item(&item, &name);
    buf_release(&name);
    free(item.cause);
    json_decref(value);
    return json;
}

json_t *
json_of_run(const struct run *run, const struct store_run *info)
{
    const struct flow *flow = run_flow(run);
    json_t *out = begin(info);
    json_t *tasks = json_array();

    for (size_t t = 0; t < flow->ntask; t++) {
        struct plan_id id = {(uint32_t)t, PLAN_WHOLE};
        uint32_t n = plan_children(run_plan(run), id.task);
        json_t *children, *json;

        if (flow->tasks[t].hidden)
            continue;
        json = json_of_instance(run, id);
        json_array_append_new(tasks, json);
        if (plan_state(run_plan(run), id) != PLAN_MAPPED)
            continue;
        children = json_array();
        for (id.child = 0; id.child < n; id.child++)
            json_array_append_new(children, json_of_instance(run, id));
        json_object_set_new(json, "children", children);
    }
    json_object_set_new(out, "tasks", tasks);
    return out;
}
