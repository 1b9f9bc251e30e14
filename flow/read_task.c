/* SPDX-License-Identifier: MPL-2.0 */
/*
 * read_task - the tasks of a flow file.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/read.h"
#include "flow/value.h"
#include "proto/limits.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct flow_task *
task_of(void *into)
{
    return ((struct read_target *)into)->task;
}

/* ---- what it does ---- */

static void
read_run(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = task_of(into);

    task->kind = FLOW_SCRIPT;
    read_text(self, value, "a script", &task->script);
}

static void
read_call(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = task_of(into);

    task->kind = FLOW_CALL;
    read_name(self, value, "the name of a C function", &task->script);
}

static void
add_argument(struct reading *self, const struct node *value, void *into)
{
    struct tmpl *part = read_text_tmpl(self, value, "an argument, a string");

    if (part)
        tmpl_append(into, &part);
}

static void
read_argv(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = task_of(into);
    const struct node *program = yaml_first(value);

    task->kind = FLOW_ARGV;
    task->argv = tmpl_list();
    if (value->kind != NODE_LIST || value->len == 0)
        read_expected(self, value, "a list: a program and its arguments");
    else if (program->kind == NODE_SCALAR && program->len == 0)
        read_expected(self, program, "the name of a program");
    else
        read_items(self, value, "a list", add_argument, task->argv);
}

static void
read_stdin(struct reading *self, const struct node *value, void *into)
{
    task_of(into)->input =
        value->kind == NODE_SCALAR
            ? read_text_tmpl(self, value, "what the task reads")
            : read_tmpl(self, value);
}

static void
read_kind(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = task_of(into);
    size_t kind;

    if (!read_choice(self, value, "a kind of values", value_kind_names,
                     VALUE_KIND_COUNT, &kind))
        return;
    task->value = (enum value_kind)kind;
    task->has_value_kind = true;
}

static void
read_creates(struct reading *self, const struct node *value, void *into)
{
    task_of(into)->creates =
        read_text_tmpl(self, value, "the path of a file that the task makes");
}

/* ---- when it does it ---- */

static void
read_zip(struct reading *self, const struct node *value, void *into)
{
    read_bool(self, value, &task_of(into)->zip);
}

static void
read_flatten(struct reading *self, const struct node *value, void *into)
{
    read_bool(self, value, &task_of(into)->flatten);
}

static void
read_when(struct reading *self, const struct node *value, void *into)
{
    read_text(self, value, "a script", &task_of(into)->when);
}

static void
add_need(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = into;
    char *name = NULL;
    uint32_t number;

    if (!read_text(self, value, "the name of a task", &name))
        return;
    number = read_task_name(self, value, name);
    if (number != UINT32_MAX && &self->flow->tasks[number] == task)
        diags_add(self->diags, yaml_place(value), NULL,
                  "task `%s` depends on itself", name);
    else if (number != UINT32_MAX)
        task->needs[task->nneeds++] = number;
    free(name);
}

static void
read_needs(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = task_of(into);

    if (read_has_needs(self, task, value))
        return;
    task->needs = mem_alloc(value->kind == NODE_LIST ? value->len : 1,
                            sizeof *task->needs);
    read_items(self, value, "a list of tasks", add_need, task);
}

static void
read_of(struct reading *self, const struct node *value, void *into)
{
    struct flow_case *condition = into;

    condition->of =
        read_text_tmpl(self, value, "a reference, such as \"${a}\"");
    if (condition->of && condition->of->kind == TMPL_CONST)
        read_expected(self, value, "a reference, such as \"${a}\"");
}

static void
read_is_value(struct reading *self, const struct node *value, void *into)
{
    ((struct flow_case *)into)->is = read_json(self, value);
}

static const struct read_key case_keys[] = {
    READ_KEY("of", read_of),
    READ_KEY("is", read_is_value),
};
static const struct read_table case_table = {"`case`", case_keys,
                                             COUNT(case_keys), NULL};

static void
add_case(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = into;
    struct flow_case condition = {0};
    uint64_t seen;

    if (read_keys(self, value, &case_table, &condition, &seen) && seen < 3 &&
        !value->cut)
        diags_add(self->diags, yaml_place(value),
                  mem_dup("case: { of: \"${a}\", is: b }"),
                  "`case` needs both `of` and `is`");
    if (!condition.of)
        condition.of = tmpl_const(json_null());
    if (!condition.is)
        condition.is = json_null();
    task->cases[task->ncase++] = condition;
}

static void
read_case(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = task_of(into);
    bool several = value->kind == NODE_LIST;

    task->cases = mem_alloc(several ? value->len : 1, sizeof *task->cases);
    if (several)
        read_items(self, value, "a list", add_case, task);
    else
        add_case(self, value, task);
}

static void
read_handlers(struct reading *self, const struct node *value, void *into)
{
    read_bool(self, value, &task_of(into)->handled);
}

static const struct read_key task_keys[] = {
    READ_KEY("run", read_run),           READ_KEY("argv", read_argv),
    READ_KEY("call", read_call),         READ_KEY("first", read_first),
    READ_KEY("needs", read_needs),       READ_KEY("with", read_with),
    READ_KEY("value", read_kind),        READ_KEY("each", read_each),
    READ_KEY("zip", read_zip),           READ_KEY("flatten", read_flatten),
    READ_KEY("stdin", read_stdin),       READ_KEY("case", read_case),
    READ_KEY("when", read_when),         READ_KEY("creates", read_creates),
    READ_KEY("handlers", read_handlers),
};

#define KIND_KEYS 4 /* the first ones: a task has exactly one of them */

static const struct read_table task_table = {
    "a task", task_keys, COUNT(task_keys), &read_options_table};

/* ---- tasks ---- */

static void
check_kind(struct reading *self, const struct node *key,
           const struct node *value, uint64_t seen)
{
    uint64_t kinds = seen & ((1 << KIND_KEYS) - 1);

    if (kinds && !(kinds & (kinds - 1)))
        return;
    if (!kinds && !value->cut && !(seen & READ_UNKNOWN))
        diags_add(self->diags, yaml_place(key),
                  mem_dup("give it `run`, a script, or `argv`, a program and "
                          "its arguments"),
                  "task `%.*s` has nothing to do", (int)key->len,
                  yaml_text(&self->yaml, key));
    else if (kinds)
        diags_add(self->diags, yaml_place(key), mem_dup("make two tasks of it"),
                  "task `%.*s` has more than one of `run` and `argv`",
                  (int)key->len, yaml_text(&self->yaml, key));
}

static void
add_name(struct reading *self, const struct node *key, const struct node *value,
         void *into)
{
    char name[LIMIT_NAME_BYTES + 1] = "";
    char *refused = NULL;
    uint32_t number;
    const struct flow_param *param;

    (void)value;
    (void)into;
    if (key->len < sizeof name)
        memcpy(name, yaml_text(&self->yaml, key), key->len);
    if (!flow_name_is_valid(name)) {
        (void)read_name(self, key, "the name of a task", &refused);
        return;
    }
    number = flow_add_task(self->flow, name);
    if (number != UINT32_MAX) {
        self->flow->tasks[number].place = yaml_place(key);
        return;
    }
    param = &self->flow->params[flow_find_param(self->flow, name)];
    diags_add(self->diags, yaml_place(key), NULL,
              "`%s` is also the name of a parameter, in line %u, column %u",
              name, param->place.line, param->place.col);
}

/*
 * Keys come in the order in which they became tasks; a key that was refused is
 * not the next task's. Looking a million names up again would take longer.
 */
static struct flow_task *
next_task(struct reading *self, const struct node *key, uint32_t *next)
{
    struct flow_task *task;

    if (*next >= self->flow->ntask)
        return NULL;
    task = &self->flow->tasks[*next];
    if (task->place.line != key->line || task->place.col != key->col)
        return NULL;
    ++*next;
    return task;
}

static void
add_body(struct reading *self, const struct node *key, const struct node *value,
         void *into)
{
    struct read_target target = {.task = next_task(self, key, into)};
    uint64_t seen;

    if (!target.task || !read_keys(self, value, &task_table, &target, &seen))
        return;
    check_kind(self, key, value, seen);
    if (target.options)
        target.task->options = target.options;
}

/* Hidden tasks come last, so that numbers are those of the file. */
static void
add_merges(struct reading *self)
{
    struct flow_options *options = NULL;

    for (size_t i = 0; i < self->nmerge; i++) {
        struct read_merge *merge = &self->merges[i];
        uint32_t number = flow_add_task(self->flow, merge->name);
        struct flow_task *task;

        if (!options) {
            options = flow_options_new(self->flow);
            options->trigger = TRIGGER_NOT_ALL_SKIPPED;
            options->skip_on_skip = false;
        }
        task = &self->flow->tasks[number];
        task->kind = FLOW_MERGE;
        task->hidden = true;
        task->mapped = merge->mapped;
        task->place = merge->place;
        task->options = options;
        task->needs = merge->needs;
        task->nneeds = merge->nneeds;
        merge->needs = NULL;
    }
}

void
read_tasks(struct reading *self, const struct node *node, void *into)
{
    uint32_t next = 0;

    if (node->kind == NODE_MAP && node->len / 2 > LIMIT_TASKS) {
        diags_add(self->diags, yaml_place(node), NULL,
                  "%u tasks; %u are the most", node->len / 2, LIMIT_TASKS);
        return;
    }
    /* All names first: what a task names may stand below it. */
    if (!read_entries(self, node, "names of tasks and what they do", add_name,
                      into))
        return;
    read_entries(self, node, "", add_body, &next);
    add_merges(self);
}
