/* SPDX-License-Identifier: MPL-2.0 */
/*
 * json - a flow written as a flow file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "flow/flow.h"
#include "flow/value.h"

static void
set(json_t *into, const char *key, json_t *value)
{
    json_object_set_new(into, key, value);
}

static void
set_text(json_t *into, const char *key, const char *text)
{
    if (text)
        set(into, key, json_string(text));
}

static void
set_tmpl(json_t *into, const char *key, const struct tmpl *tmpl)
{
    if (tmpl)
        set(into, key, tmpl_to_json(tmpl));
}

static void
set_flag(json_t *into, const char *key, bool flag, bool usual)
{
    if (flag != usual)
        set(into, key, json_boolean(flag));
}

/* In the greatest unit that divides it, as span_parse reads it. */
static json_t *
span_json(int64_t span)
{
    if (span % SPAN_SECOND == 0)
        return json_sprintf("%llds", (long long)(span / SPAN_SECOND));
    if (span % SPAN_MS == 0)
        return json_sprintf("%lldms", (long long)(span / SPAN_MS));
    return json_sprintf("%lldus", (long long)span);
}

static void
set_span(json_t *into, const char *key, int64_t span, int64_t usual)
{
    if (span != usual)
        set(into, key, span_json(span));
}

/* ---- options ---- */

static json_t *
retry_json(const struct flow_retry *retry)
{
    json_t *json = json_object();
    json_t *on = json_array();

    set(json, "times", json_integer(retry->times));
    set_span(json, "delay", retry->delay, 0);
    set(json, "backoff", json_real(retry->backoff));
    set_span(json, "max", retry->max, 0);
    set(json, "jitter", json_real(retry->jitter));
    if (retry->on & RETRY_FAILED)
        json_array_append_new(on, json_string("failed"));
    if (retry->on & RETRY_TIMEOUT)
        json_array_append_new(on, json_string("timeout"));
    if (retry->on & RETRY_LOST)
        json_array_append_new(on, json_string("lost"));
    set(json, "on", on);
    return json;
}

static bool
same_retry(const struct flow_retry *a, const struct flow_retry *b)
{
    return a->times == b->times && a->delay == b->delay && a->max == b->max &&
           !(a->backoff < b->backoff || a->backoff > b->backoff) &&
           !(a->jitter < b->jitter || a->jitter > b->jitter) && a->on == b->on;
}

static json_t *
codes_json(const struct flow_codes *codes)
{
    json_t *list = json_array();

    for (int code = 0; code < 256; code++) {
        if (codes->bits[code / 64] & UINT64_C(1) << (code % 64))
            json_array_append_new(list, json_integer(code));
    }
    return list;
}

static void
set_exit(json_t *into, const struct flow_options *self,
         const struct flow_options *base)
{
    json_t *json;

    if (memcmp(&self->exit_skip, &base->exit_skip, sizeof self->exit_skip) ==
            0 &&
        memcmp(&self->exit_retry, &base->exit_retry, sizeof self->exit_retry) ==
            0)
        return;
    json = json_object();
    set(json, "skip", codes_json(&self->exit_skip));
    set(json, "retry", codes_json(&self->exit_retry));
    set(into, "exit", json);
}

static bool
differ(double a, double b)
{
    return a < b || a > b;
}

static void
set_trigger(json_t *into, const struct flow_options *self,
            const struct flow_options *base)
{
    const char *name = plan_trigger_names[self->trigger];
    json_t *bounds, *json;

    if (self->trigger == base->trigger &&
        !differ(self->at_least, base->at_least) &&
        !differ(self->at_most, base->at_most))
        return;
    if (self->trigger != TRIGGER_SOME_SUCCESSFUL &&
        self->trigger != TRIGGER_SOME_FAILED) {
        set(into, "trigger", json_string(name));
        return;
    }
    bounds = json_object();
    if (self->at_least >= 0)
        set(bounds, "at-least", json_real(self->at_least));
    if (self->at_most >= 0)
        set(bounds, "at-most", json_real(self->at_most));
    json = json_object();
    set(json, name, bounds);
    set(into, "trigger", json);
}

/* Whole bytes stay digits, however many they are. */
static json_t *
amount_json(double amount)
{
    json_int_t whole = (json_int_t)amount;

    return differ((double)whole, amount) ? json_real(amount)
                                         : json_integer(whole);
}

static json_t *
resources_json(const struct flow_options *self)
{
    json_t *json = json_object();

    for (uint32_t i = 0; i < self->nresource; i++)
        set(json, self->resources[i].name,
            amount_json(self->resources[i].amount));
    return json;
}

static json_t *
tags_json(const struct flow_options *self)
{
    json_t *json = json_array();

    for (uint32_t i = 0; i < self->ntag; i++)
        json_array_append_new(json, json_string(self->tags[i]));
    return json;
}

static json_t *
env_json(const struct flow_options *self)
{
    json_t *json = json_object();

    for (uint32_t i = 0; i < self->nenv; i++)
        set_tmpl(json, self->env[i].name, self->env[i].value);
    return json;
}

/* Labels are constants: a dollar sign stands for itself. */
static json_t *
where_json(const struct flow_options *self)
{
    json_t *json = json_object();

    for (uint32_t i = 0; i < self->nwhere; i++)
        set(json, self->where[i].name,
            json_incref(self->where[i].value->value));
    return json;
}

static json_t *
cwd_json(const struct flow_options *self)
{
    return self->cwd ? tmpl_to_json(self->cwd) : NULL;
}

static json_t *
shell_json(const struct flow_options *self)
{
    return self->shell ? json_string(self->shell) : NULL;
}

/* What has several values is written if what would be written differs. */
static void
set_lists(json_t *into, const struct flow_options *self,
          const struct flow_options *base)
{
    static const struct {
        const char *key;
        json_t *(*json)(const struct flow_options *);
    } rows[] = {
        {"resources", resources_json},
        {"tags", tags_json},
        {"env", env_json},
        {"where", where_json},
        {"cwd", cwd_json},
        {"shell", shell_json},
    };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        json_t *own = rows[i].json(self);
        json_t *usual = rows[i].json(base);

        if (own && (!usual || !json_equal(own, usual)))
            set(into, rows[i].key, json_incref(own));
        json_decref(own);
        json_decref(usual);
    }
}

static void
set_options(json_t *into, const struct flow_options *self,
            const struct flow_options *base)
{
    if (self == base)
        return;
    if (!same_retry(&self->retry, &base->retry))
        set(into, "retry", retry_json(&self->retry));
    set_span(into, "timeout", self->timeout, base->timeout);
    set_span(into, "grace", self->grace, base->grace);
    set_exit(into, self, base);
    set_trigger(into, self, base);
    set_flag(into, "skip-on-upstream-skip", self->skip_on_skip,
             base->skip_on_skip);
    set_flag(into, "exclusive", self->exclusive, base->exclusive);
    set_flag(into, "at-most-once", self->at_most_once, base->at_most_once);
    if (self->priority != base->priority)
        set(into, "priority", json_integer(self->priority));
    if (self->max_parallel != base->max_parallel)
        set(into, "max-parallel", json_integer(self->max_parallel));
    if (self->cache_for != base->cache_for)
        set(into, "cache",
            json_pack("{s:o}", "for", span_json(self->cache_for)));
    set_lists(into, self, base);
}

/* ---- parameters ---- */

static json_t *
param_json(const struct flow_param *param)
{
    json_t *json = json_object();
    /* Of the C API, without a type: files have none that may be a number or a
     * text, with the bounds of both. */
    bool any = param->type == PARAM_ANY;

    set_text(json, "type", param_type_names[any ? PARAM_JSON : param->type]);
    if (param->fallback)
        set(json, "default", json_incref(param->fallback));
    if (param->has_min && !any)
        set(json, "min", json_real(param->min));
    if (param->has_max && !any)
        set(json, "max", json_real(param->max));
    if (param->choices)
        set(json, "choices", json_incref(param->choices));
    if (!any)
        set_text(json, "pattern", param->pattern);
    set_text(json, "help", param->help);
    return json;
}

/* ---- tasks ---- */

static json_t *
branches_json(const struct flow *self, const struct flow_task *merge)
{
    json_t *list = json_array();

    for (uint32_t i = 0; i < merge->nneeds; i++)
        json_array_append_new(
            list, json_sprintf("${%s}", self->tasks[merge->needs[i]].name));
    return list;
}

/* A value of `each` or `with`: hidden merges go back to where they were. */
static json_t *
bound_json(const struct flow *self, const struct tmpl *tmpl)
{
    if (tmpl->kind == TMPL_REF && tmpl->ref->scope == REF_TASK &&
        self->tasks[tmpl->ref->index].hidden)
        return json_pack("{s:o}", "first",
                         branches_json(self, &self->tasks[tmpl->ref->index]));
    return tmpl_to_json(tmpl);
}

static void
add_end(const struct tmpl *end, struct buf *out)
{
    json_t *json = tmpl_to_json(end);

    if (json_is_string(json))
        buf_text(out, json_string_value(json));
    else
        buf_printf(out, "%lld", (long long)json_integer_value(json));
    json_decref(json);
}

static void
set_each(json_t *into, const struct flow *self, const struct flow_task *task)
{
    json_t *json;

    if (task->neach == 0)
        return;
    json = json_object();
    for (uint32_t i = 0; i < task->neach; i++) {
        const struct flow_each *each = &task->each[i];
        struct buf range = {0};

        if (each->values) {
            set(json, each->name, bound_json(self, each->values));
            continue;
        }
        add_end(each->from, &range);
        buf_text(&range, "..");
        add_end(each->to, &range);
        set_text(json, each->name, buf_str(&range));
        buf_release(&range);
    }
    set(into, "each", json);
    set_flag(into, "zip", task->zip, false);
    set_flag(into, "flatten", task->flatten, false);
}

static void
set_with(json_t *into, const struct flow *self, const struct flow_task *task)
{
    json_t *json;

    if (task->nwith == 0)
        return;
    json = json_object();
    for (uint32_t i = 0; i < task->nwith; i++)
        set(json, task->with[i].name, bound_json(self, task->with[i].value));
    set(into, "with", json);
}

static void
set_needs(json_t *into, const struct flow *self, const struct flow_task *task)
{
    json_t *json;

    if (task->nneeds == 0 || task->kind == FLOW_MERGE)
        return;
    json = json_array();
    for (uint32_t i = 0; i < task->nneeds; i++)
        json_array_append_new(json,
                              json_string(self->tasks[task->needs[i]].name));
    set(into, "needs", json);
}

static json_t *
case_json(const struct flow_case *condition)
{
    return json_pack("{s:o,s:O}", "of", tmpl_to_json(condition->of), "is",
                     condition->is);
}

static void
set_cases(json_t *into, const struct flow_task *task)
{
    json_t *json;

    if (task->ncase == 1)
        set(into, "case", case_json(&task->cases[0]));
    if (task->ncase < 2)
        return;
    json = json_array();
    for (uint32_t i = 0; i < task->ncase; i++)
        json_array_append_new(json, case_json(&task->cases[i]));
    set(into, "case", json);
}

static void
set_kind(json_t *into, const struct flow *self, const struct flow_task *task)
{
    switch (task->kind) {
    case FLOW_SCRIPT:
        set_text(into, "run", task->script);
        break;
    case FLOW_ARGV:
        set_tmpl(into, "argv", task->argv);
        break;
    case FLOW_CALL:
        set_text(into, "call", task->script ? task->script : task->name);
        break;
    case FLOW_MERGE:
        set(into, "first", branches_json(self, task));
        break;
    }
}

static json_t *
task_json(const struct flow *self, const struct flow_task *task)
{
    json_t *json = json_object();

    set_kind(json, self, task);
    set_with(json, self, task);
    set_each(json, self, task);
    set_needs(json, self, task);
    if (task->has_value_kind)
        set_text(json, "value", value_kind_names[task->value]);
    set_tmpl(json, "stdin", task->input);
    set_cases(json, task);
    set_text(json, "when", task->when);
    set_tmpl(json, "creates", task->creates);
    set_flag(json, "handlers", task->handled, false);
    set_options(json, task->options, self->options[0]);
    return json;
}

/* ---- the flow ---- */

static void
set_defaults(json_t *into, const struct flow *self)
{
    struct flow *plain = flow_new(self->name);
    json_t *json = json_object();

    set_options(json, self->options[0], plain->options[0]);
    if (json_object_size(json) > 0)
        set(into, "defaults", json_incref(json));
    json_decref(json);
    flow_destroy(&plain);
}

static void
set_params(json_t *into, const struct flow *self)
{
    json_t *json = json_object();

    for (size_t i = 0; i < self->nparam; i++)
        set(json, self->params[i].name, param_json(&self->params[i]));
    if (self->nparam > 0)
        set(into, "params", json_incref(json));
    json_decref(json);
}

static void
set_limits(json_t *into, const struct flow *self)
{
    json_t *json = json_object();

    for (size_t i = 0; i < self->nlimit; i++)
        set(json, self->limits[i].tag, json_integer(self->limits[i].most));
    if (self->nlimit > 0)
        set(into, "limits", json_incref(json));
    json_decref(json);
}

static void
set_reference(json_t *into, const struct flow *self)
{
    json_t *json = json_array();

    for (size_t i = 0; i < self->nreference; i++)
        json_array_append_new(
            json, json_string(self->tasks[self->reference[i]].name));
    if (self->nreference > 0)
        set(into, "reference", json_incref(json));
    json_decref(json);
}

json_t *
flow_to_json(const struct flow *self)
{
    json_t *json = json_object();
    json_t *tasks = json_object();

    set(json, "leat", json_integer(1));
    set_text(json, "name", self->name);
    set_text(json, "help", self->help);
    set_params(json, self);
    set_defaults(json, self);
    set_limits(json, self);
    if (self->has_max_fails)
        set(json, "max-fails", json_integer(self->max_fails));
    set_flag(json, "handlers", self->handled, false);
    for (size_t i = 0; i < self->ntask; i++) {
        if (!self->tasks[i].hidden)
            set(tasks, self->tasks[i].name, task_json(self, &self->tasks[i]));
    }
    set(json, "tasks", tasks);
    set_tmpl(json, "output", self->output);
    set_reference(json, self);
    return json;
}

char *
flow_to_text(const struct flow *self)
{
    json_t *json = flow_to_json(self);
    struct buf text = {0};

    value_json(json, &text);
    json_decref(json);
    return buf_take(&text);
}
