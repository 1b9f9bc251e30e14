/* SPDX-License-Identifier: MPL-2.0 */
/*
 * check_each - what can be known of a map before it runs.
 */
#include "base/mem.h"
#include "flow/check.h"
#include "proto/limits.h"

#define UNKNOWN UINT64_MAX

struct mapping {
    const struct flow *flow;
    const struct flow_task *task;
    struct diags *diags;
};

static struct flow_place
place_of(const struct mapping *self, const struct flow_each *each)
{
    return each->place.line > 0 ? each->place : self->task->place;
}

/* A reference to the whole of something, whose type may be known. */
static const struct ref *
whole_ref(const struct tmpl *tmpl)
{
    return tmpl && tmpl->kind == TMPL_REF && tmpl->ref->nstep == 0 ? tmpl->ref
                                                                   : NULL;
}

static bool
is_list_type(enum param_type type)
{
    return type == PARAM_LIST || type == PARAM_JSON || type == PARAM_ANY;
}

static bool
is_int_type(enum param_type type)
{
    return type == PARAM_INT || type == PARAM_JSON || type == PARAM_ANY;
}

/* What the value of a reference certainly is, if that is no list; or NULL. */
static const char *
not_a_list(const struct mapping *self, const struct ref *ref)
{
    static const char *const kinds[VALUE_KIND_COUNT] = {
        [VALUE_NONE] = "nothing",
        [VALUE_TEXT] = "a string",
        [VALUE_INT] = "an integer",
        [VALUE_FLOAT] = "a number",
    };
    const struct flow_task *task;

    if (ref->scope == REF_PARAM && ref->index < self->flow->nparam) {
        enum param_type type = self->flow->params[ref->index].type;

        return is_list_type(type) ? NULL : param_type_names[type];
    }
    if (ref->scope != REF_TASK)
        return NULL;
    task = &self->flow->tasks[ref->index];
    return task->mapped ? NULL : kinds[task->value];
}

static void
check_values(const struct mapping *self, const struct flow_each *each)
{
    const struct ref *ref = whole_ref(each->values);
    const char *what = ref ? not_a_list(self, ref) : NULL;
    const struct flow_task *from;

    if (!what)
        return;
    if (ref->scope == REF_PARAM) {
        diags_add(self->diags, place_of(self, each),
                  mem_dup("declare the parameter with `type: list`"),
                  "task `%s` is mapped over `%s`, a parameter of type %s, not "
                  "a list",
                  self->task->name, ref->name, what);
        return;
    }
    from = &self->flow->tasks[ref->index];
    diags_add(self->diags, place_of(self, each),
              from->creates ? NULL
                            : mem_printf("give task `%s` `value: lines` or "
                                         "`value: json`",
                                         from->name),
              "task `%s` is mapped over `%s`, which gives %s, not a list",
              self->task->name, ref->name, what);
}

static void
check_end(const struct mapping *self, const struct flow_each *each,
          const struct tmpl *end)
{
    const struct ref *ref = whole_ref(end);
    const char *help = NULL;

    if (!ref)
        return;
    if (ref->scope == REF_PARAM && ref->index < self->flow->nparam &&
        !is_int_type(self->flow->params[ref->index].type)) {
        help = "declare the parameter with `type: int`";
    } else if (ref->scope == REF_TASK) {
        const struct flow_task *task = &self->flow->tasks[ref->index];

        if (task->mapped ||
            (task->value != VALUE_INT && task->value != VALUE_JSON))
            help = "give the task `value: int`";
    }
    if (help)
        diags_add(self->diags, place_of(self, each), mem_dup(help),
                  "task `%s` counts to or from `%s`, which is not an integer",
                  self->task->name, ref->name);
}

/* How many items a key certainly has. */
static uint64_t
known_size(const struct flow_each *each)
{
    json_int_t from, to;

    if (each->values && each->values->kind == TMPL_CONST)
        return json_array_size(each->values->value);
    if (each->values && each->values->kind == TMPL_LIST)
        return each->values->npart;
    if (each->values || !each->from || each->from->kind != TMPL_CONST ||
        !each->to || each->to->kind != TMPL_CONST)
        return UNKNOWN;
    from = json_integer_value(each->from->value);
    to = json_integer_value(each->to->value);
    if (to < from)
        return 0;
    return (uint64_t)to - (uint64_t)from >= LIMIT_CHILDREN
               ? LIMIT_CHILDREN + UINT64_C(1)
               : (uint64_t)to - (uint64_t)from + 1;
}

static void
check_zip(const struct mapping *self)
{
    const struct flow_task *task = self->task;
    uint64_t size = UNKNOWN;

    for (uint32_t i = 0; i < task->neach; i++) {
        uint64_t n = known_size(&task->each[i]);

        if (n != UNKNOWN && size != UNKNOWN && n != size) {
            diags_add(self->diags, place_of(self, &task->each[i]),
                      mem_dup("`zip: true` needs lists of the same length"),
                      "task `%s` pairs %llu values with %llu", task->name,
                      (unsigned long long)size, (unsigned long long)n);
            return;
        }
        size = size == UNKNOWN ? n : size;
    }
}

static void
check_sizes(const struct mapping *self)
{
    const struct flow_task *task = self->task;
    uint64_t product = 1;

    for (uint32_t i = 0; i < task->neach; i++) {
        uint64_t n = known_size(&task->each[i]);

        if (n == UNKNOWN || n == 0)
            continue;
        product = task->zip ? n : product * n;
        if (product > LIMIT_CHILDREN) {
            diags_add(self->diags, place_of(self, &task->each[i]), NULL,
                      "task `%s` would have more than %u children", task->name,
                      LIMIT_CHILDREN);
            return;
        }
    }
}

void
check_each(const struct flow *self, const struct flow_task *task,
           struct diags *diags)
{
    struct mapping mapping = {self, task, diags};

    if (task->zip && task->neach < 2)
        diags_add(diags, task->place, NULL,
                  "task `%s` has `zip: true`, which needs at least two keys "
                  "of `each`",
                  task->name);
    if (task->flatten && task->neach != 1)
        diags_add(diags, task->place, NULL,
                  "task `%s` has `flatten: true`, which needs exactly one key "
                  "of `each`",
                  task->name);
    for (uint32_t i = 0; i < task->neach; i++) {
        check_values(&mapping, &task->each[i]);
        check_end(&mapping, &task->each[i], task->each[i].from);
        check_end(&mapping, &task->each[i], task->each[i].to);
    }
    check_sizes(&mapping);
    if (task->zip)
        check_zip(&mapping);
}
