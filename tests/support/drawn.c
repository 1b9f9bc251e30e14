/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/drawn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"

static struct flow_task *
find(struct flow *flow, const char *name)
{
    uint32_t number = flow_find_task(flow, name);

    assert_true(number < flow->ntask);
    return &flow->tasks[number];
}

struct flow_task *
add(struct flow *flow, const char *name, const char *needs)
{
    uint32_t number = flow_add_task(flow, name);
    struct flow_task *task = &flow->tasks[number];
    char *words = mem_dup(needs), *rest = NULL;
    size_t cap = 0;

    for (char *s = strtok_r(words, " ", &rest); s;
         s = strtok_r(NULL, " ", &rest)) {
        task->needs =
            mem_grow(task->needs, &cap, task->nneeds + 1, sizeof *task->needs);
        task->needs[task->nneeds++] = flow_find_task(flow, s);
    }
    free(words);
    return task;
}

static void
add_merge(struct flow *flow, const char *name, const char *branches)
{
    struct flow_task *task = add(flow, name, branches);

    task->kind = FLOW_MERGE;
    task->hidden = true;
}

/* Map a task over what another gives. */
static void
map(struct flow *flow, const char *name, const char *key, const char *over)
{
    struct flow_task *task = find(flow, name);
    struct flow_each *each = mem_alloc(task->neach + 1, sizeof *each);

    if (task->neach > 0)
        memcpy(each, task->each, task->neach * sizeof *each);
    free(task->each);
    each[task->neach].name = mem_dup(key);
    each[task->neach].values =
        tmpl_ref(REF_TASK, flow_find_task(flow, over), over);
    task->each = each;
    task->neach++;
    task->mapped = true;
}

static void
only(struct flow *flow, const char *name, struct tmpl *of, const char *is)
{
    struct flow_task *task = find(flow, name);

    task->ncase = 1;
    task->cases = mem_alloc(1, sizeof *task->cases);
    task->cases[0].of = of;
    task->cases[0].is = json_string(is);
}

static void
only_if_task(struct flow *flow, const char *name, const char *of,
             const char *is)
{
    only(flow, name, tmpl_ref(REF_TASK, flow_find_task(flow, of), of), is);
}

struct flow *
three_numbers(void)
{
    struct flow *flow = flow_new("parallel-execution");

    add(flow, "number_1", "");
    add(flow, "number_2", "");
    add(flow, "number_3", "");
    add(flow, "sum", "number_1 number_2 number_3");
    return flow;
}

struct flow *
branches(void)
{
    struct flow *flow = flow_new("branches");

    add(flow, "size", "");
    add(flow, "full", "");
    only_if_task(flow, "full", "size", "large");
    add(flow, "quick", "");
    only_if_task(flow, "quick", "size", "a \"small\" <one>");
    add(flow, "end", "");
    add_merge(flow, "end$1", "full quick");
    only(flow, "end", tmpl_ref(REF_PARAM, 0, "os"), "linux");
    find(flow, "end")->needs = mem_alloc(1, sizeof(uint32_t));
    find(flow, "end")->needs[0] = flow_find_task(flow, "end$1");
    find(flow, "end")->nneeds = 1;
    return flow;
}

struct flow *
mapped(void)
{
    struct flow *flow = flow_new("mapped");

    add(flow, "list", "");
    add(flow, "pack", "");
    map(flow, "pack", "file", "list");
    map(flow, "pack", "level", "list");
    add(flow, "send", "");
    map(flow, "send", "packed", "pack");
    return flow;
}

struct history *
begin(struct flow **flow_p)
{
    struct history *h = mem_alloc(1, sizeof *h);

    h->flow = *flow_p;
    *flow_p = NULL;
    h->tasks = mem_alloc(h->flow->ntask, sizeof *h->tasks);
    h->info.id = 7;
    h->info.state = STORE_SUCCEEDED;
    h->info.started = 1;
    h->info.ended = 1 + 3 * SPAN_SECOND;
    return h;
}

struct history_item *
end(struct history *h, const char *name, enum plan_state state, int64_t took)
{
    struct history_item *item = &h->tasks[flow_find_task(h->flow, name)].item;

    *item = (struct history_item){.state = state,
                                  .attempt = 1,
                                  .code = -1,
                                  .started = 1,
                                  .ended = took + 1};
    return item;
}

struct history_item *
end_child(struct history *h, const char *name, const char *key,
          enum plan_state state)
{
    struct history_task *task = &h->tasks[flow_find_task(h->flow, name)];
    struct history_item *child;

    task->children =
        realloc(task->children, (task->nchild + 1) * sizeof *task->children);
    assert_non_null(task->children);
    child = &task->children[task->nchild++];
    *child = (struct history_item){.state = state,
                                   .attempt = 1,
                                   .code = -1,
                                   .key = mem_dup(key),
                                   .started = 1,
                                   .ended = 1 + 20 * SPAN_MS};
    task->item.state = PLAN_MAPPED;
    task->count[state]++;
    return child;
}

char *
draw(const struct flow *flow, const struct history *history,
     enum graph_format format, unsigned width)
{
    struct graph_options options = {.format = format, .width = width};
    struct buf out = {0};
    struct err err = {0};

    assert_int_equal(graph_draw(flow, history, &options, &out, &err), 0);
    return buf_take(&out);
}

void
expect(struct flow *flow, enum graph_format format, unsigned width,
       const char *expected)
{
    char *text = draw(flow, NULL, format, width);
    char *again = draw(flow, NULL, format, width);

    assert_string_equal(text, expected);
    assert_string_equal(again, expected);
    free(text);
    free(again);
    flow_destroy(&flow);
}

void
expect_run(struct history *history, enum graph_format format, unsigned width,
           const char *expected)
{
    char *text = draw(history->flow, history, format, width);

    assert_string_equal(text, expected);
    free(text);
    history_destroy(&history);
}
