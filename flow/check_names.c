/* SPDX-License-Identifier: MPL-2.0 */
/*
 * check_names - parameters, each keys and with bindings as environment
 * variables, where "-" becomes "_".
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/check.h"

static char *
variable(const char *name)
{
    char *text = mem_dup(name);

    for (char *c = text; *c; c++) {
        if (*c == '-')
            *c = '_';
    }
    return text;
}

/* Names by the variable that they become. */
struct table {
    struct names names;
    const char **originals; /* borrowed */
    char **variables;
    uint32_t n;
};

static void
table_init(struct table *self, size_t n)
{
    *self = (struct table){.originals = mem_alloc(n, sizeof(char *)),
                           .variables = mem_alloc(n, sizeof(char *))};
}

static void
table_release(struct table *self)
{
    for (uint32_t i = 0; i < self->n; i++)
        free(self->variables[i]);
    names_release(&self->names);
    free(self->variables);
    free(self->originals);
}

/* Returns the name that becomes the same variable, or NULL. */
static const char *
table_add(struct table *self, const char *name)
{
    char *text = variable(name);
    uint32_t old = names_add(&self->names, text, self->n);

    if (old != NAMES_NONE) {
        free(text);
        return self->originals[old];
    }
    self->variables[self->n] = text;
    self->originals[self->n++] = name;
    return NULL;
}

static bool
is_reserved(const char *name)
{
    char *text = variable(name);
    bool reserved = strncmp(text, "LEAT_", 5) == 0 ||
                    strncmp(text, "LD_", 3) == 0 || strcmp(text, "PATH") == 0;

    free(text);
    return reserved;
}

struct naming {
    struct diags *diags;
    struct table params;
    struct table own; /* of one task */
};

static void
check_reserved(struct naming *self, const char *name, struct flow_place place)
{
    if (is_reserved(name))
        diags_add(self->diags, place,
                  mem_dup("choose another; PATH can be set in `env`"),
                  "`%s` would be an environment variable that others need: "
                  "PATH, LD_... and LEAT_...",
                  name);
}

static void
refuse_same(struct naming *self, struct flow_place place, const char *name,
            const char *other)
{
    if (strcmp(name, other) == 0)
        diags_add(self->diags, place, NULL,
                  "`%s` is a key of both `each` and `with`", name);
    else
        diags_add(self->diags, place,
                  mem_dup("in the environment of tasks - becomes _"),
                  "`%s` and `%s` would be the same environment variable", other,
                  name);
}

static void
check_binding(struct naming *self, const struct flow_task *task,
              const char *name, struct flow_place place)
{
    const char *other;

    if (place.line == 0)
        place = task->place;
    check_reserved(self, name, place);
    other = table_add(&self->own, name);
    if (!other && self->params.n > 0) {
        char *text = variable(name);
        uint32_t param = names_find(&self->params.names, text);

        free(text);
        if (param != NAMES_NONE &&
            strcmp(self->params.originals[param], name) != 0)
            other = self->params.originals[param];
    }
    if (other)
        refuse_same(self, place, name, other);
}

static void
check_task(struct naming *self, const struct flow_task *task)
{
    table_init(&self->own, (size_t)task->neach + task->nwith);
    for (uint32_t i = 0; i < task->neach; i++)
        check_binding(self, task, task->each[i].name, task->each[i].place);
    for (uint32_t i = 0; i < task->nwith; i++)
        check_binding(self, task, task->with[i].name, task->with[i].place);
    table_release(&self->own);
}

void
check_names(const struct flow *self, struct diags *diags)
{
    struct naming naming = {.diags = diags};

    table_init(&naming.params, self->nparam);
    for (size_t i = 0; i < self->nparam; i++) {
        const struct flow_param *param = &self->params[i];
        const char *other = table_add(&naming.params, param->name);

        check_reserved(&naming, param->name, param->place);
        if (other)
            refuse_same(&naming, param->place, param->name, other);
    }
    for (size_t i = 0; i < self->ntask; i++) {
        if (self->tasks[i].neach + self->tasks[i].nwith > 0)
            check_task(&naming, &self->tasks[i]);
    }
    table_release(&naming.params);
}
