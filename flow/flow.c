/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/flow.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/limits.h"

/* Parameters and tasks share one table of names. */
#define IS_PARAM (UINT32_C(1) << 31)

#define NEAR_NAMES 2000 /* looked through for "did you mean" */

const char *const param_type_names[PARAM_TYPE_COUNT] = {
    [PARAM_STRING] = "string", [PARAM_INT] = "int",   [PARAM_FLOAT] = "float",
    [PARAM_BOOL] = "bool",     [PARAM_PATH] = "path", [PARAM_LIST] = "list",
    [PARAM_JSON] = "json",     [PARAM_ANY] = "any",
};

/* ---- options ---- */

static struct flow_options *
add_options(struct flow *self)
{
    struct flow_options *options = mem_alloc(1, sizeof *options);

    self->options = mem_grow(self->options, &self->cap_option,
                             self->noption + 1, sizeof(void *));
    self->options[self->noption++] = options;
    return options;
}

struct flow_options *
flow_options_new(struct flow *self)
{
    struct flow_options *options = add_options(self);

    options->retry.backoff = 1;
    options->retry.on = RETRY_FAILED | RETRY_TIMEOUT | RETRY_LOST;
    options->grace = LIMIT_GRACE_MS * SPAN_MS;
    options->trigger = TRIGGER_ALL_SUCCESSFUL;
    options->at_least = options->at_most = -1;
    options->skip_on_skip = true;
    return options;
}

static struct flow_bind *
copy_binds(const struct flow_bind *from, uint32_t n)
{
    struct flow_bind *binds = n > 0 ? mem_alloc(n, sizeof *binds) : NULL;

    for (uint32_t i = 0; i < n; i++) {
        binds[i].name = mem_dup(from[i].name);
        binds[i].place = from[i].place;
        binds[i].value = tmpl_copy(from[i].value);
    }
    return binds;
}

static void
free_binds(struct flow_bind *binds, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        free(binds[i].name);
        tmpl_destroy(&binds[i].value);
    }
    free(binds);
}

static char **
copy_texts(char *const *from, uint32_t n)
{
    char **texts = n > 0 ? mem_alloc(n, sizeof *texts) : NULL;

    for (uint32_t i = 0; i < n; i++)
        texts[i] = mem_dup(from[i]);
    return texts;
}

static struct flow_resource *
copy_resources(const struct flow_resource *from, uint32_t n)
{
    struct flow_resource *copy = n > 0 ? mem_alloc(n, sizeof *copy) : NULL;

    for (uint32_t i = 0; i < n; i++)
        copy[i] = (struct flow_resource){mem_dup(from[i].name), from[i].amount};
    return copy;
}

struct flow_options *
flow_options_copy(struct flow *self, const struct flow_options *from)
{
    struct flow_options *copy = add_options(self);

    *copy = *from;
    copy->resources = copy_resources(from->resources, from->nresource);
    copy->tags = copy_texts(from->tags, from->ntag);
    copy->where = copy_binds(from->where, from->nwhere);
    copy->env = copy_binds(from->env, from->nenv);
    copy->cwd = tmpl_copy(from->cwd);
    copy->shell = mem_dup(from->shell);
    return copy;
}

static void
free_options(struct flow_options *options)
{
    for (uint32_t i = 0; i < options->nresource; i++)
        free(options->resources[i].name);
    free(options->resources);
    for (uint32_t i = 0; i < options->ntag; i++)
        free(options->tags[i]);
    free(options->tags);
    free_binds(options->where, options->nwhere);
    free_binds(options->env, options->nenv);
    tmpl_destroy(&options->cwd);
    free(options->shell);
    free(options);
}

/* ---- life ---- */

struct flow *
flow_new(const char *name)
{
    struct flow *self = mem_alloc(1, sizeof *self);

    self->name = mem_dup(name);
    flow_options_new(self);
    return self;
}

static void
release_param(struct flow_param *param)
{
    free(param->name);
    json_decref(param->fallback);
    json_decref(param->choices);
    free(param->pattern);
    free(param->help);
}

static void
release_task(struct flow_task *task)
{
    free(task->name);
    free(task->script);
    tmpl_destroy(&task->argv);
    for (uint32_t i = 0; i < task->neach; i++) {
        free(task->each[i].name);
        tmpl_destroy(&task->each[i].values);
        tmpl_destroy(&task->each[i].from);
        tmpl_destroy(&task->each[i].to);
    }
    free(task->each);
    free_binds(task->with, task->nwith);
    free(task->needs);
    for (uint32_t i = 0; i < task->ncase; i++) {
        tmpl_destroy(&task->cases[i].of);
        json_decref(task->cases[i].is);
    }
    free(task->cases);
    tmpl_destroy(&task->input);
    tmpl_destroy(&task->creates);
    free(task->when);
}

void
flow_destroy(struct flow **self_p)
{
    struct flow *self = *self_p;

    if (!self)
        return;
    for (size_t i = 0; i < self->nparam; i++)
        release_param(&self->params[i]);
    for (size_t i = 0; i < self->ntask; i++)
        release_task(&self->tasks[i]);
    for (size_t i = 0; i < self->nlimit; i++)
        free(self->limits[i].tag);
    for (size_t i = 0; i < self->noption; i++)
        free_options(self->options[i]);
    free(self->params);
    free(self->tasks);
    free(self->limits);
    free(self->options);
    free(self->reference);
    tmpl_destroy(&self->output);
    names_release(&self->names);
    free(self->help);
    free(self->source);
    free(self->file);
    free(self->name);
    free(self);
    *self_p = NULL;
}

/* ---- names ---- */

uint32_t
flow_add_task(struct flow *self, const char *name)
{
    uint32_t number = (uint32_t)self->ntask;
    char *copy = mem_dup(name);

    if (names_add(&self->names, copy, number) != NAMES_NONE) {
        free(copy);
        return UINT32_MAX;
    }
    self->tasks = mem_grow(self->tasks, &self->cap_task, self->ntask + 1,
                           sizeof *self->tasks);
    self->tasks[self->ntask++] =
        (struct flow_task){.name = copy, .options = self->options[0]};
    return number;
}

uint32_t
flow_add_param(struct flow *self, const char *name)
{
    uint32_t number = (uint32_t)self->nparam;
    char *copy = mem_dup(name);

    if (names_add(&self->names, copy, number | IS_PARAM) != NAMES_NONE) {
        free(copy);
        return UINT32_MAX;
    }
    self->params = mem_grow(self->params, &self->cap_param, self->nparam + 1,
                            sizeof *self->params);
    self->params[self->nparam++] = (struct flow_param){.name = copy};
    return number;
}

uint32_t
flow_find_task(const struct flow *self, const char *name)
{
    uint32_t number = names_find(&self->names, name);

    return number & IS_PARAM ? UINT32_MAX : number;
}

uint32_t
flow_find_param(const struct flow *self, const char *name)
{
    uint32_t number = names_find(&self->names, name);

    if (number == NAMES_NONE || !(number & IS_PARAM))
        return UINT32_MAX;
    return number & ~IS_PARAM;
}

const char *
flow_near(const struct flow *self, const char *name, unsigned kinds)
{
    const char **names = mem_alloc(NEAR_NAMES, sizeof *names);
    const char *near = NULL;
    size_t n = 0;

    if (kinds & FLOW_NAMES_TASKS) {
        for (size_t i = 0; i < self->ntask && n < NEAR_NAMES; i++) {
            if (!self->tasks[i].hidden)
                names[n++] = self->tasks[i].name;
        }
    }
    if (kinds & FLOW_NAMES_PARAMS) {
        for (size_t i = 0; i < self->nparam && n < NEAR_NAMES; i++)
            names[n++] = self->params[i].name;
    }
    if (n < NEAR_NAMES)
        near = names_near(name, names, n);
    free(names);
    return near;
}

static bool
is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (!first && ((c >= '0' && c <= '9') || c == '-'));
}

bool
flow_name_is_valid(const char *name)
{
    size_t n = 0;

    while (is_name_char(name[n], n == 0))
        n++;
    return n > 0 && n <= LIMIT_NAME_BYTES && name[n] == '\0';
}

/* ---- what its program has ---- */

bool
flow_is_handled(const struct flow *self, uint32_t task)
{
    return self->handled || self->tasks[task].handled;
}

bool
flow_has_handlers(const struct flow *self)
{
    for (size_t t = 0; !self->handled && t < self->ntask; t++) {
        if (self->tasks[t].handled)
            return true;
    }
    return self->handled;
}

bool
flow_needs_program(const struct flow *self)
{
    for (size_t t = 0; t < self->ntask; t++) {
        if (self->tasks[t].kind == FLOW_CALL)
            return true;
    }
    return flow_has_handlers(self);
}
