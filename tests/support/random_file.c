/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/random_file.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "flow/plan.h"
#include "flow/value.h"
#include "tests/support/fate.h"
#include "tests/support/random_tmpl.h"
#include "tests/support/write_yaml.h"

#define CHILDREN 40 /* about the most of one map */
#define UNKNOWN  4  /* items of a value that may be a list */

/* ---- maps ---- */

static uint32_t
most_items(const struct drawn *task)
{
    return task->mapped ? task->most : UNKNOWN;
}

static json_t *
draw_branches(struct draw *w, uint32_t *most)
{
    json_t *list = json_array();
    uint32_t n = 1 + draw_roll(w, 3);

    *most = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t u = draw_roll(w, w->t);

        /* Maps with maps, mostly. */
        for (uint32_t j = 0; j < 3 && !w->tasks[u].mapped; j++)
            u = draw_roll(w, w->t);
        if (most_items(&w->tasks[u]) > *most)
            *most = most_items(&w->tasks[u]);
        json_array_append_new(list, draw_format("${t%u}", u));
    }
    return json_pack("{s:o}", "first", list);
}

static json_t *
draw_range(struct draw *w)
{
    static const char *const ranges[] = {"1..3",       "0..1",      "2..1",
                                         "-1..1",      "1..${p0}",  "${p0}..3",
                                         "${p2.n}..2", "0..${p2.n}"};
    uint32_t u = w->t > 0 ? draw_roll(w, w->t) : 0;

    if (w->t > 0 && draw_one_in(w, 2) && w->tasks[u].kind == VALUE_INT &&
        !w->tasks[u].mapped)
        return draw_format(draw_one_in(w, 2) ? "1..${t%u}" : "${t%u}..3", u);
    return json_string(DRAW_PICK(w, ranges));
}

/* A key over the value of a task, or over its children. */
static json_t *
draw_task_key(struct draw *w, uint32_t *most)
{
    uint32_t u = draw_roll(w, w->t);
    const struct drawn *task = &w->tasks[u];

    for (uint32_t j = 0; j < 2 && !task->mapped; j++) {
        u = draw_roll(w, w->t);
        task = &w->tasks[u];
    }
    *most = most_items(task);
    if (task->mapped && !draw_one_in(w, 6))
        return draw_format("${t%u}", u);
    *most = UNKNOWN;
    if (!task->mapped &&
        (task->kind == VALUE_JSON || task->kind == VALUE_LINES))
        return draw_format("${t%u%s}", u, draw_one_in(w, 3) ? ".f" : "");
    return draw_format("${t%u%s}", u, task->mapped ? "[0]" : ".f");
}

static json_t *
draw_key(struct draw *w, uint32_t *most)
{
    json_t *list;

    *most = 3;
    switch (w->t > 0 ? draw_roll(w, 10) : draw_roll(w, 4)) {
    case 0:
        return fate_value(w->dice, FATE_LIST);
    case 1:
        return fate_value(w->dice, FATE_NESTED);
    case 2:
        *most = 4;
        return draw_range(w);
    case 3:
        return json_string(draw_one_in(w, 2) ? "${p1}" : "${p2.list}");
    case 4:
        list = json_array();
        for (uint32_t n = draw_roll(w, 4); n > 0; n--)
            json_array_append_new(list, draw_template(w, 1));
        return list;
    case 5:
        return draw_branches(w, most);
    default:
        return draw_task_key(w, most);
    }
}

/* What is known of how many items a key has must be the same for all. */
static bool
may_be_zipped(const json_t *each)
{
    size_t length = SIZE_MAX;
    const char *name;
    json_t *key;

    json_object_foreach((json_t *)(uintptr_t)each, name, key) {
        if (json_is_string(key) && strstr(json_string_value(key), ".."))
            return false;
        if (!json_is_array(key))
            continue;
        if (length != SIZE_MAX && json_array_size(key) != length)
            return false;
        length = json_array_size(key);
    }
    return json_object_size(each) > 1;
}

/* Returns how many children they may have in a product. */
static uint32_t
draw_keys(struct draw *w, json_t *each, uint32_t *greatest)
{
    static const char *const names[] = {"e0", "e1", "p0"};
    uint32_t n = draw_one_in(w, 3) ? 2 + draw_one_in(w, 3) : 1;
    uint32_t product = 1;
    uint32_t most = 0;
    json_t *key = NULL;

    for (uint32_t i = 0; i < n; i++) {
        if (!key || !draw_one_in(w, 4)) /* else the same once more */
            key = draw_key(w, &most);
        else
            json_incref(key);
        json_object_set_new(each, names[draw_one_in(w, 8) ? 2 : i], key);
        product *= most + 1;
        *greatest = most > *greatest ? most : *greatest;
    }
    return product;
}

static void
draw_each(struct draw *w)
{
    struct drawn *task = &w->tasks[w->t];
    json_t *each = json_object();
    uint32_t greatest = 0;
    uint32_t product = draw_keys(w, each, &greatest);

    task->mapped = true;
    task->most = greatest;
    if (json_object_size(each) == 1 && draw_one_in(w, 3) && greatest < 12) {
        json_object_set_new(w->task, "flatten", json_true());
        task->most = (greatest + 1) * UNKNOWN;
    } else if (may_be_zipped(each) &&
               (draw_one_in(w, 2) || product > CHILDREN)) {
        json_object_set_new(w->task, "zip", json_true());
    } else if (product > CHILDREN) {
        json_object_clear(each);
        json_object_set_new(each, "e0", json_string("1..2"));
        task->most = 2;
    } else {
        task->most = product;
    }
    json_object_set_new(w->task, "each", each);
}

/* ---- the rest of a task ---- */

static void
draw_with(struct draw *w)
{
    static const char *const names[] = {"w0", "w1", "t0", "p3"};
    json_t *with = json_object();
    uint32_t most;

    for (uint32_t n = draw_roll(w, 4); n > 0; n--)
        json_object_set_new(with, DRAW_PICK(w, names),
                            w->t > 0 && draw_one_in(w, 5)
                                ? draw_branches(w, &most)
                                : draw_template(w, 2));
    json_object_set_new(w->task, "with", with);
}

static void
draw_needs(struct draw *w)
{
    json_t *needs = json_array();

    for (uint32_t u = 0; u < w->t; u++) {
        if (draw_one_in(w, 4))
            json_array_append_new(needs, draw_format("t%u", u));
    }
    json_object_set_new(w->task, "needs", needs);
}

static json_t *
draw_condition(struct draw *w)
{
    json_t *of = draw_one_in(w, 4) ? draw_text(w) : draw_ref(w);
    json_t *is = draw_one_in(w, 3) ? draw_constant(w)
                                   : json_integer((json_int_t)draw_roll(w, 3));

    return json_pack("{s:o, s:o}", "of", of, "is", is);
}

static void
draw_case(struct draw *w)
{
    json_t *condition = draw_condition(w);

    if (draw_one_in(w, 4))
        condition = json_pack("[o, o]", condition, draw_condition(w));
    json_object_set_new(w->task, "case", condition);
}

static json_t *
draw_trigger(struct draw *w)
{
    static const double bounds[] = {0, 0.25, 0.5, 1, 2, 3};
    enum plan_trigger trigger = (enum plan_trigger)draw_roll(w, TRIGGER_COUNT);
    json_t *some;

    if (trigger != TRIGGER_SOME_SUCCESSFUL && trigger != TRIGGER_SOME_FAILED)
        return json_string(plan_trigger_names[trigger]);
    some = json_object();
    if (!draw_one_in(w, 3))
        json_object_set_new(some, "at-least",
                            json_real(bounds[draw_roll(w, 6)]));
    if (json_object_size(some) == 0 || draw_one_in(w, 2))
        json_object_set_new(some, "at-most",
                            json_real(bounds[draw_roll(w, 6)]));
    return json_pack("{s:o}", plan_trigger_names[trigger], some);
}

static json_t *
draw_retry(struct draw *w)
{
    static const char *const classes[] = {"failed", "timeout", "lost"};
    json_t *retry;
    json_t *on = json_array();

    if (draw_one_in(w, 2)) {
        json_decref(on);
        return json_integer((json_int_t)draw_roll(w, 4));
    }
    retry =
        json_pack("{s:i, s:s}", "times", (int)draw_roll(w, 4), "delay", "1s");
    for (uint32_t i = 0; i < 3; i++) {
        if (draw_one_in(w, 2))
            json_array_append_new(on, json_string(classes[i]));
    }
    json_object_set_new(retry, "on", on);
    if (json_array_size(on) == 0)
        json_object_del(retry, "on");
    if (draw_one_in(w, 2))
        json_object_set_new(retry, "backoff", json_integer(2));
    if (draw_one_in(w, 2))
        json_object_set_new(retry, "max", json_string("3s"));
    if (draw_one_in(w, 2))
        json_object_set_new(retry, "jitter", json_real(0.5));
    return retry;
}

static void
draw_options(struct draw *w, json_t *options)
{
    if (draw_one_in(w, 3))
        json_object_set_new(options, "trigger", draw_trigger(w));
    if (draw_one_in(w, 4))
        json_object_set_new(options, "skip-on-upstream-skip", json_false());
    if (draw_one_in(w, 4))
        json_object_set_new(options, "retry", draw_retry(w));
    if (draw_one_in(w, 4))
        json_object_set_new(options, "priority",
                            json_integer((json_int_t)draw_roll(w, 3) - 1));
    if (draw_one_in(w, 4))
        json_object_set_new(options, "max-parallel",
                            json_integer((json_int_t)draw_roll(w, 3)));
}

/* What it does, and what it gives. */
static void
draw_kind(struct draw *w)
{
    struct drawn *task = &w->tasks[w->t];
    const char *does = fate_shape_names[draw_roll(w, FATE_SHAPE_COUNT)];

    if (draw_one_in(w, 6)) {
        json_object_set_new(w->task, "call", json_string(does));
        task->kind = VALUE_JSON;
        return;
    }
    if (draw_one_in(w, 6))
        json_object_set_new(
            w->task, "argv",
            json_pack("[s, o]", "list",
                      draw_one_in(w, 3) ? draw_text(w) : json_string("x")));
    else
        json_object_set_new(w->task, "run", json_string(does));
    task->kind = draw_one_in(w, 2)
                     ? VALUE_JSON
                     : (enum value_kind)draw_roll(w, VALUE_KIND_COUNT);
    if (task->kind == VALUE_TEXT && draw_one_in(w, 2))
        return;
    json_object_set_new(w->task, "value",
                        json_string(value_kind_names[task->kind]));
}

/* A merge as C programs make them. */
static bool
draw_merge(struct draw *w)
{
    uint32_t most;
    json_t *merge;

    if (w->t == 0 || !draw_one_in(w, 15))
        return false;
    merge = draw_branches(w, &most);
    json_object_update(w->task, merge);
    json_decref(merge);
    w->tasks[w->t].kind = VALUE_JSON;
    return true;
}

static json_t *
draw_task(struct draw *w)
{
    w->task = json_object();
    w->sees_each = w->sees_with = false;
    w->tasks[w->t] = (struct drawn){0};
    if (draw_merge(w)) {
        draw_options(w, w->task);
        return w->task;
    }
    if (draw_one_in(w, 2))
        draw_each(w);
    w->sees_each = true;
    if (!draw_one_in(w, 3))
        draw_with(w);
    w->sees_with = true;
    draw_kind(w);
    if (draw_one_in(w, 4))
        draw_needs(w);
    if (draw_one_in(w, 5))
        draw_case(w);
    if (draw_one_in(w, 8))
        json_object_set_new(w->task, "stdin", draw_template(w, 1));
    if (draw_one_in(w, 8))
        json_object_set_new(w->task, "env",
                            json_pack("{s:o}", "E", draw_text(w)));
    draw_options(w, w->task);
    return w->task;
}

/* ---- a flow ---- */

static json_t *
draw_params(struct draw *w)
{
    return json_pack(
        "{s:{s:s, s:i}, s:{s:s, s:o}, s:{s:s, s:{s:o, s:i}}, s:{s:s, s:s}, "
        "s:{s:s, s:b}}",
        "p0", "type", "int", "default", (int)draw_roll(w, 4), "p1", "type",
        "list", "default", fate_value(w->dice, FATE_LIST), "p2", "type", "json",
        "default", "list", fate_value(w->dice, FATE_NESTED), "n",
        (int)draw_roll(w, 3), "p3", "type", "string", "default",
        draw_one_in(w, 2) ? "s" : "", "p-4", "type", "bool", "default",
        (int)draw_roll(w, 2));
}

/* A task may as well stand before those that it depends on. */
static json_t *
order_tasks(struct draw *w, json_t *const *tasks, uint32_t n)
{
    bool shuffled = draw_one_in(w, 2);
    json_t *all = json_object();
    uint32_t order[DRAW_TASKS];

    for (uint32_t t = 0; t < n; t++) {
        uint32_t other = shuffled ? draw_roll(w, t + 1) : t;

        order[t] = t;
        order[t] = order[other];
        order[other] = t;
    }
    for (uint32_t t = 0; t < n; t++) {
        char name[16];

        (void)snprintf(name, sizeof name, "t%u", order[t]);
        json_object_set_new(all, name, tasks[order[t]]);
    }
    return all;
}

static json_t *
draw_flow(struct draw *w)
{
    json_t *flow = json_pack("{s:i, s:o}", "leat", 1, "params", draw_params(w));
    json_t *tasks[DRAW_TASKS];
    uint32_t n = 1 + draw_roll(w, DRAW_TASKS);
    json_t *defaults = json_object();

    for (w->t = 0; w->t < n; w->t++)
        tasks[w->t] = draw_task(w);
    w->sees_each = w->sees_with = false;
    if (draw_one_in(w, 4))
        draw_options(w, defaults);
    json_object_set_new(flow, "defaults", defaults);
    if (draw_one_in(w, 8))
        json_object_set_new(flow, "max-fails",
                            json_integer((json_int_t)draw_roll(w, 3)));
    if (draw_one_in(w, 2))
        json_object_set_new(flow, "output", draw_template(w, 2));
    if (draw_one_in(w, 3))
        json_object_set_new(
            flow, "reference",
            json_pack("[o]", draw_format("t%u", draw_roll(w, n))));
    json_object_set_new(flow, "tasks", order_tasks(w, tasks, n));
    return flow;
}

void
random_file(uint64_t *dice, struct buf *text)
{
    struct draw w = {.dice = dice};
    json_t *flow = draw_flow(&w);

    if (draw_one_in(&w, 4))
        value_json(flow, text);
    else
        write_yaml(flow, dice, text);
    json_decref(flow);
}
