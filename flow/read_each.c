/* SPDX-License-Identifier: MPL-2.0 */
/*
 * read_each - what a task is mapped over, and what it is given.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/read.h"
#include "flow/value.h"
#include "proto/limits.h"

static const char each_allowed[] =
    "a list [a, b], one reference to a list, numbers such as 1..10, or "
    "{ first: [...] }";

/* ---- first: merge ---- */

static const char branch_allowed[] = "a task, such as \"${a}\"";

static void
add_branch(struct reading *self, const struct node *node, void *into)
{
    struct read_merge *merge = into;
    struct tmpl *tmpl = NULL;
    uint32_t task;

    if (!read_is_scalar(self, node, branch_allowed))
        return;
    tmpl = read_part(self, node, 0, node->len);
    if (!tmpl)
        return;
    if (tmpl->kind != TMPL_REF || tmpl->ref->nstep > 0) {
        read_expected(self, node, branch_allowed);
    } else {
        task = read_task_name(self, node, tmpl->ref->name);
        if (task != UINT32_MAX)
            merge->needs[merge->nneeds++] = task;
    }
    tmpl_destroy(&tmpl);
}

static bool
read_branches(struct reading *self, const struct node *list,
              struct read_merge *merge)
{
    if (list->kind != NODE_LIST || list->len == 0) {
        read_expected(self, list,
                      "a list of tasks, such as [\"${a}\", "
                      "\"${b}\"]");
        return false;
    }
    merge->needs = mem_alloc(list->len, sizeof *merge->needs);
    read_items(self, list, "a list of tasks", add_branch, merge);
    return true;
}

struct tmpl *
read_merge(struct reading *self, const struct node *list,
           const struct flow_task *task, const char *key, bool mapped)
{
    struct read_merge merge = {.mapped = mapped, .place = yaml_place(list)};

    if (!read_branches(self, list, &merge))
        return NULL;
    merge.name = mem_printf("%s.%s", task->name, key);
    self->merges = mem_grow(self->merges, &self->cap_merge, self->nmerge + 1,
                            sizeof *self->merges);
    self->merges[self->nmerge++] = merge;
    return tmpl_ref(REF_UNRESOLVED, 0, merge.name);
}

bool
read_has_needs(struct reading *self, const struct flow_task *task,
               const struct node *node)
{
    if (task->needs)
        diags_add(self->diags, yaml_place(node), NULL,
                  "a task can't have both `first` and `needs`");
    return task->needs != NULL;
}

/* Only flows that C programs made have it: a merge that is a task. */
void
read_first(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = ((struct read_target *)into)->task;
    struct read_merge merge = {0};

    task->kind = FLOW_MERGE;
    if (read_has_needs(self, task, value))
        return;
    if (!read_branches(self, value, &merge))
        return;
    task->needs = merge.needs;
    task->nneeds = merge.nneeds;
}

/* ---- each ---- */

/* The two dots of a range: references have single ones only. */
static bool
find_range(const char *text, size_t len, size_t *ret)
{
    for (size_t i = 0; i + 1 < len; i++) {
        if (text[i] == '.' && text[i + 1] == '.') {
            *ret = i;
            return true;
        }
    }
    return false;
}

static struct tmpl *
read_end(struct reading *self, const struct node *node, size_t from, size_t len)
{
    char *text = mem_text(yaml_text(&self->yaml, node) + from, len);
    struct tmpl *end = NULL;
    json_int_t number;

    if (value_read_int(text, &number) == 0) {
        end = tmpl_const(json_integer(number));
    } else if (len > 0) {
        end = read_part(self, node, from, len);
        if (end && end->kind != TMPL_REF)
            tmpl_destroy(&end);
        else if (!end)
            end = tmpl_const(json_integer(0)); /* has been reported */
    }
    free(text);
    return end;
}

static void
read_range(struct reading *self, const struct node *node, size_t dots,
           struct flow_each *each)
{
    each->from = read_end(self, node, 0, dots);
    each->to = read_end(self, node, dots + 2, node->len - dots - 2);
    if (each->from && each->to)
        return;
    tmpl_destroy(&each->from);
    tmpl_destroy(&each->to);
    diags_add(self->diags, yaml_place(node),
              mem_dup("on each side a whole number or one reference: 1..10, "
                      "1..${n}"),
              "this is not a range of numbers");
}

static void
read_each_text(struct reading *self, const struct node *node,
               struct flow_each *each)
{
    size_t dots;

    if (!read_is_scalar(self, node, each_allowed))
        return;
    if (find_range(yaml_text(&self->yaml, node), node->len, &dots)) {
        read_range(self, node, dots, each);
        return;
    }
    each->values = read_part(self, node, 0, node->len);
    if (!each->values || each->values->kind == TMPL_REF)
        return;
    tmpl_destroy(&each->values);
    diags_add(self->diags, yaml_place(node),
              mem_printf("allowed are %s", each_allowed),
              "a string is not a list");
}

static void
read_each_map(struct reading *self, const struct node *node,
              const struct flow_task *task, struct flow_each *each)
{
    const struct node *list = read_only_key(self, node, "first");

    if (list)
        each->values = read_merge(self, list, task, each->name, true);
    else
        read_expected(self, node, each_allowed);
}

static void
add_each(struct reading *self, const struct node *key, const struct node *value,
         void *into)
{
    struct flow_task *task = into;
    struct flow_each each = {.place = yaml_place(key)};

    if (!read_name(self, key, "the name of a key of `each`", &each.name))
        return;
    if (value->kind == NODE_LIST)
        each.values = read_tmpl(self, value);
    else if (value->kind == NODE_SCALAR)
        read_each_text(self, value, &each);
    else
        read_each_map(self, value, task, &each);
    if (!each.values && !each.from) /* its name is known all the same */
        each.values = tmpl_const(json_array());
    task->each[task->neach++] = each;
}

void
read_each(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = ((struct read_target *)into)->task;

    task->each = mem_alloc(value->len, sizeof *task->each);
    if (read_entries(self, value, "names and lists", add_each, task) &&
        value->len == 0 && !value->cut)
        diags_add(self->diags, yaml_place(value), NULL,
                  "`each` needs at least one key");
}

/* ---- with ---- */

static void
add_with(struct reading *self, const struct node *key, const struct node *value,
         void *into)
{
    struct flow_task *task = into;
    const struct node *list = read_only_key(self, value, "first");
    struct flow_bind bind = {.place = yaml_place(key)};

    if (!read_name(self, key, "the name of a key of `with`", &bind.name))
        return;
    if (list)
        bind.value = read_merge(self, list, task, bind.name, false);
    else
        bind.value = read_tmpl(self, value);
    if (!bind.value)
        bind.value = tmpl_const(json_null());
    task->with[task->nwith++] = bind;
}

void
read_with(struct reading *self, const struct node *value, void *into)
{
    struct flow_task *task = ((struct read_target *)into)->task;

    task->with = mem_alloc(value->len, sizeof *task->with);
    read_entries(self, value, "names and values", add_with, task);
}
