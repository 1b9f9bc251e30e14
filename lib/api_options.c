/* SPDX-License-Identifier: MPL-2.0 */
/*
 * api_options - options of tasks and of parameters.
 */
#include <assert.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "lib/api.h"
#include "proto/limits.h"

static_assert((int)LEAT_SOME_FAILED == TRIGGER_SOME_FAILED, "leat_trigger");
static_assert((int)LEAT_NOT_ALL_SKIPPED == TRIGGER_NOT_ALL_SKIPPED,
              "leat_trigger");
static_assert((int)LEAT_SOME_FAILED + 1 == TRIGGER_COUNT, "leat_trigger");
static_assert((int)LEAT_OUTPUT_JSON == VALUE_JSON + 1, "leat_output");
static_assert((int)LEAT_OUTPUT_JSON == VALUE_KIND_COUNT, "leat_output");
static_assert((int)LEAT_ON_FAILED == RETRY_FAILED, "retry_on");
static_assert((int)LEAT_ON_TIMEOUT == RETRY_TIMEOUT, "retry_on");
static_assert((int)LEAT_ON_LOST == RETRY_LOST, "retry_on");

static const enum param_type param_types[] = {
    [LEAT_ANY] = PARAM_ANY,   [LEAT_STRING] = PARAM_STRING,
    [LEAT_INT] = PARAM_INT,   [LEAT_FLOAT] = PARAM_FLOAT,
    [LEAT_BOOL] = PARAM_BOOL, [LEAT_PATH] = PARAM_PATH,
    [LEAT_LIST] = PARAM_LIST, [LEAT_JSON] = PARAM_JSON,
};

#define NPARAM_TYPE (sizeof param_types / sizeof param_types[0])

/* What is being set: a call, and the task's own blocks. */
struct setting {
    struct api_call *call;
    struct flow_task *task;
    struct flow_options *to;
    const leat_task_options *from;
};

static void
set_span(const struct setting *self, const char *key, const char *text,
         int64_t *ret)
{
    if (text && span_parse(text, ret) < 0)
        api_problem(self->call,
                    "%s: \"%s\" is no length of time; write 250ms, 90 "
                    "(seconds), 10m or 1h 30m",
                    key, text);
}

static void
set_number(const struct setting *self, const char *key, double value,
           double least, double most, double *ret)
{
    if (value == 0)
        return;
    if (value >= least && value <= most)
        *ret = value;
    else
        api_problem(self->call, "%s: %g is not between %g and %g", key, value,
                    least, most);
}

static void
set_choice(leat_choice choice, bool *ret)
{
    if (choice != LEAT_DEFAULT)
        *ret = choice == LEAT_YES;
}

static void
set_text(const char *text, char **ret)
{
    if (!text)
        return;
    free(*ret);
    *ret = mem_dup(text);
}

static void
set_tmpl(const struct setting *self, const char *key, leat_ref ref,
         struct tmpl **ret)
{
    struct tmpl *tmpl;

    if (ref.kind == API_NONE)
        return;
    self->call->arg = key;
    tmpl = api_tmpl(self->call, ref);
    self->call->arg = NULL;
    if (!tmpl)
        return;
    tmpl_destroy(ret);
    *ret = tmpl;
}

/* ---- retries and times ---- */

static void
set_retry(const struct setting *self)
{
    const leat_task_options *from = self->from;
    struct flow_retry *to = &self->to->retry;

    if (from->retry > LIMIT_RETRIES)
        api_problem(self->call, "retry: %u is more than %u", from->retry,
                    LIMIT_RETRIES);
    else if (from->retry > 0)
        to->times = from->retry;
    set_span(self, "retry_delay", from->retry_delay, &to->delay);
    set_span(self, "retry_max", from->retry_max, &to->max);
    set_number(self, "retry_backoff", from->retry_backoff, 1, 1000,
               &to->backoff);
    set_number(self, "retry_jitter", from->retry_jitter, 0, 1, &to->jitter);
    if (from->retry_on & ~(unsigned)(RETRY_FAILED | RETRY_TIMEOUT | RETRY_LOST))
        api_problem(self->call, "retry_on: %u is not made of LEAT_ON_...",
                    from->retry_on);
    else if (from->retry_on != 0)
        to->on = from->retry_on;
    set_span(self, "timeout", from->timeout, &self->to->timeout);
    set_span(self, "grace", from->grace, &self->to->grace);
    set_span(self, "cache", from->cache, &self->to->cache_for);
}

/* ---- when it runs ---- */

static void
set_trigger(const struct setting *self)
{
    const leat_task_options *from = self->from;
    bool some = from->trigger == LEAT_SOME_SUCCESSFUL ||
                from->trigger == LEAT_SOME_FAILED;
    bool bound = from->at_least.is_set || from->at_most.is_set;

    if ((unsigned)from->trigger >= TRIGGER_COUNT)
        api_problem(self->call, "trigger: %d is none", (int)from->trigger);
    else if (from->trigger != LEAT_ALL_SUCCESSFUL)
        self->to->trigger = (enum plan_trigger)from->trigger;
    if (bound != some)
        api_problem(self->call, "at_least and at_most belong to the triggers "
                                "LEAT_SOME_SUCCESSFUL and LEAT_SOME_FAILED, "
                                "which need one of them");
    if (from->at_least.is_set)
        self->to->at_least = from->at_least.value;
    if (from->at_most.is_set)
        self->to->at_most = from->at_most.value;
}

static void
set_flags(const struct setting *self)
{
    const leat_task_options *from = self->from;
    struct flow_options *to = self->to;

    set_choice(from->skip_on_upstream_skip, &to->skip_on_skip);
    set_choice(from->exclusive, &to->exclusive);
    set_choice(from->at_most_once, &to->at_most_once);
    if (from->product != LEAT_DEFAULT)
        self->task->zip = from->product == LEAT_NO && self->task->neach > 1;
    if (from->priority != 0)
        to->priority = from->priority;
    if (from->max_parallel != 0)
        to->max_parallel = from->max_parallel;
    set_text(from->when, &self->task->when);
    set_tmpl(self, "creates", from->creates, &self->task->creates);
}

/* ---- lists: what is given takes the place of what was there ---- */

static void
set_resources(const struct setting *self)
{
    const leat_resource *from = self->from->resources;
    struct flow_options *to = self->to;

    if (!from)
        return;
    for (uint32_t i = 0; i < to->nresource; i++)
        free(to->resources[i].name);
    free(to->resources);
    to->resources = NULL;
    for (to->nresource = 0; from->name; from++) {
        if (!(from->amount > 0) || !isfinite(from->amount)) {
            api_problem(self->call, "resources: %s: %g is not above 0",
                        from->name, from->amount);
            continue;
        }
        to->resources =
            api_append(to->resources, to->nresource, sizeof *to->resources);
        to->resources[to->nresource++] =
            (struct flow_resource){mem_dup(from->name), from->amount};
    }
}

static void
set_tags(const struct setting *self)
{
    const char *const *from = self->from->tags;
    struct flow_options *to = self->to;

    if (!from)
        return;
    for (uint32_t i = 0; i < to->ntag; i++)
        free(to->tags[i]);
    free(to->tags);
    to->tags = NULL;
    for (to->ntag = 0; *from; from++) {
        to->tags = api_append(to->tags, to->ntag, sizeof *to->tags);
        to->tags[to->ntag++] = mem_dup(*from);
    }
}

static void
set_binds(const struct setting *self, const leat_arg *from,
          struct flow_bind **list, uint32_t *n)
{
    if (!from)
        return;
    for (uint32_t i = 0; i < *n; i++) {
        free((*list)[i].name);
        tmpl_destroy(&(*list)[i].value);
    }
    free(*list);
    *list = NULL;
    for (*n = 0; from->name; from++) {
        struct tmpl *value;

        self->call->arg = from->name;
        value = api_tmpl(self->call, from->value);
        if (!value)
            continue;
        *list = api_append(*list, *n, sizeof **list);
        (*list)[(*n)++] =
            (struct flow_bind){.name = mem_dup(from->name), .value = value};
    }
    self->call->arg = NULL;
}

/* ---- commands ---- */

static void
set_codes(const struct setting *self, const char *key, const int *codes,
          struct flow_codes *ret)
{
    if (!codes)
        return;
    *ret = (struct flow_codes){0};
    for (; *codes != 0; codes++) {
        if (*codes < 0 || *codes > 255)
            api_problem(self->call, "%s: %d is not between 1 and 255", key,
                        *codes);
        else
            ret->bits[*codes / 64] |= UINT64_C(1) << (*codes % 64);
    }
}

static void
set_command(const struct setting *self)
{
    const leat_task_options *from = self->from;
    bool command =
        self->task->kind == FLOW_SCRIPT || self->task->kind == FLOW_ARGV;
    bool given = from->value != LEAT_OUTPUT_DEFAULT ||
                 from->input.kind != API_NONE || from->env ||
                 from->cwd.kind != API_NONE || from->shell || from->exit_skip ||
                 from->exit_retry;

    if (given && !command)
        api_problem(self->call, "value, input, env, cwd, shell, exit_skip and "
                                "exit_retry are options of commands only");
    if (!given || !command)
        return;
    if ((unsigned)from->value > VALUE_KIND_COUNT) {
        api_problem(self->call, "value: %d is none", (int)from->value);
    } else if (from->value != LEAT_OUTPUT_DEFAULT) {
        self->task->value = (enum value_kind)(from->value - 1);
        self->task->has_value_kind = true;
    }
    set_tmpl(self, "input", from->input, &self->task->input);
    set_tmpl(self, "cwd", from->cwd, &self->to->cwd);
    set_binds(self, from->env, &self->to->env, &self->to->nenv);
    set_text(from->shell, &self->to->shell);
    set_codes(self, "exit_skip", from->exit_skip, &self->to->exit_skip);
    set_codes(self, "exit_retry", from->exit_retry, &self->to->exit_retry);
}

/* The options block that belongs to this task alone. */
static struct flow_options *
own_options(leat_flow *flow, uint32_t task)
{
    struct flow_task *t = &flow->flow->tasks[task];

    if (t->options == flow->flow->options[0] || t->options == flow->merge)
        t->options = flow_options_copy(flow->flow, t->options);
    return t->options;
}

void
leat_options_v(leat_ref task, const char *where,
               const leat_task_options *options, size_t size)
{
    struct api_call call = {task.flow, where, "leat_options", NULL, NULL};
    leat_task_options from = {0};
    struct setting setting = {.call = &call, .from = &from};
    uint32_t i;

    if (task.kind <= API_BAD || !api_may_add(&call))
        return;
    i = api_task(&call, task);
    if (i == UINT32_MAX)
        return;
    memcpy(&from, options, size < sizeof from ? size : sizeof from);
    setting.to = own_options(task.flow, i);
    setting.task = &task.flow->flow->tasks[i];
    set_retry(&setting);
    set_trigger(&setting);
    set_flags(&setting);
    set_resources(&setting);
    set_tags(&setting);
    set_binds(&setting, from.where, &setting.to->where, &setting.to->nwhere);
    set_command(&setting);
    if (from.data)
        setting.task->data = from.data;
}

/* ---- parameters ---- */

static void
set_param(const struct api_call *call, struct flow_param *param,
          const leat_param_options *from)
{
    if ((unsigned)from->type >= NPARAM_TYPE)
        api_problem(call, "type: %d is none", (int)from->type);
    else
        param->type = param_types[from->type];
    param->has_min = from->min.is_set;
    param->min = from->min.value;
    param->has_max = from->max.is_set;
    param->max = from->max.value;
    param->fallback = from->fallback;
    param->choices = from->choices;
    param->pattern = mem_dup(from->pattern);
    param->help = mem_dup(from->help);
}

leat_ref
leat_parameter_v(leat_flow *flow, const char *where, const char *name,
                 const leat_param_options *options, size_t size)
{
    struct api_call call = {flow, where, "leat_parameter", name, NULL};
    leat_param_options from = {0};
    uint32_t i = UINT32_MAX;

    memcpy(&from, options, size < sizeof from ? size : sizeof from);
    if (api_may_add(&call) && api_is_name(&call, name)) {
        i = flow_add_param(flow->flow, name);
        if (i == UINT32_MAX)
            api_problem(&call, "the name is taken by another parameter or "
                               "task");
    }
    if (i == UINT32_MAX) {
        json_decref(from.fallback);
        json_decref(from.choices);
        return api_bad(flow);
    }
    set_param(&call, &flow->flow->params[i], &from);
    return api_ref(flow, API_PARAM, i);
}

leat_ref
leat_parameter(leat_flow *flow, const char *name)
{
    const leat_param_options none = {0};

    return leat_parameter_v(flow, NULL, name, &none, sizeof none);
}
