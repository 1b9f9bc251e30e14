/* SPDX-License-Identifier: MPL-2.0 */
#include "cli/order.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

/* ---- steps ---- */

/* Group the edges by their targets: a counting sort. */
static void
group(struct order *self, const struct plan_edge *edges, size_t nedge,
      size_t ntask)
{
    size_t *at = mem_alloc(ntask + 1, sizeof *at);

    self->begin = mem_alloc(ntask + 1, sizeof *self->begin);
    self->upstream = mem_alloc(nedge, sizeof *self->upstream);
    for (size_t i = 0; i < nedge; i++)
        self->begin[edges[i].to + 1]++;
    for (size_t t = 0; t < ntask; t++)
        self->begin[t + 1] += self->begin[t];
    memcpy(at, self->begin, (ntask + 1) * sizeof *at);
    for (size_t i = 0; i < nedge; i++)
        self->upstream[at[edges[i].to]++] = edges[i].from;
    free(at);
}

/* A walk into the depth without recursion; a checked flow has no cycle. */
static void
find_step(struct order *self, uint32_t task, uint32_t *stack, size_t *looked)
{
    size_t depth = 0;

    stack[depth++] = task;
    while (depth > 0) {
        uint32_t t = stack[depth - 1];

        if (looked[t] == self->begin[t + 1]) {
            uint32_t step = 0;

            for (size_t i = self->begin[t]; i < self->begin[t + 1]; i++) {
                if (self->step[self->upstream[i]] >= step)
                    step = self->step[self->upstream[i]] + 1;
            }
            self->step[t] = step;
            depth--;
        } else {
            uint32_t up = self->upstream[looked[t]++];

            if (looked[up] < self->begin[up + 1])
                stack[depth++] = up;
        }
    }
}

static void
sort_by_step(struct order *self, size_t ntask)
{
    size_t *at;

    for (size_t t = 0; t < ntask; t++) {
        if (self->step[t] >= self->nstep)
            self->nstep = self->step[t] + 1;
    }
    at = mem_alloc(self->nstep + 1, sizeof *at);
    for (size_t t = 0; t < ntask; t++)
        at[self->step[t] + 1]++;
    for (size_t s = 0; s < self->nstep; s++)
        at[s + 1] += at[s];
    for (size_t t = 0; t < ntask; t++)
        self->tasks[at[self->step[t]]++] = (uint32_t)t;
    free(at);
}

void
order_init(struct order *self, const struct flow *flow)
{
    size_t nedge = 0;
    struct plan_edge *edges = flow_edges(flow, &nedge);
    uint32_t *stack = mem_alloc(flow->ntask + 1, sizeof *stack);
    size_t *looked = mem_alloc(flow->ntask, sizeof *looked);

    *self = (struct order){0};
    group(self, edges, nedge, flow->ntask);
    self->step = mem_alloc(flow->ntask, sizeof *self->step);
    self->tasks = mem_alloc(flow->ntask, sizeof *self->tasks);
    memcpy(looked, self->begin, flow->ntask * sizeof *looked);
    for (size_t t = 0; t < flow->ntask; t++) {
        if (looked[t] < self->begin[t + 1])
            find_step(self, (uint32_t)t, stack, looked);
    }
    sort_by_step(self, flow->ntask);
    free(looked);
    free(stack);
    free(edges);
}

void
order_release(struct order *self)
{
    free(self->tasks);
    free(self->step);
    free(self->upstream);
    free(self->begin);
    *self = (struct order){0};
}

/* ---- lengths ---- */

struct measure {
    const struct flow *flow;
    const json_t *params;
    const int64_t *lengths;
};

static json_t *
look_up(void *ctx, const struct ref *ref, struct err *err)
{
    const struct measure *self = ctx;
    json_t *value = ref->scope == REF_PARAM
                        ? json_object_get(self->params, ref->name)
                        : NULL;

    if (!value)
        (void)err_set(err, ERR_NOT_FOUND, "not known before the run");
    return value ? json_incref(value) : NULL;
}

static json_t *
evaluate(const struct measure *self, const struct tmpl *tmpl)
{
    json_t *value = NULL;
    struct err err;

    if (tmpl_eval(tmpl, look_up, (void *)(uintptr_t)self, &value, &err) < 0)
        return NULL;
    return value;
}

static int64_t
length_of_range(const struct measure *self, const struct flow_each *each)
{
    json_t *from = evaluate(self, each->from);
    json_t *to = evaluate(self, each->to);
    int64_t n = ORDER_UNKNOWN;

    if (json_is_integer(from) && json_is_integer(to)) {
        n = json_integer_value(to) - json_integer_value(from) + 1;
        n = n > 0 ? n : 0;
    }
    json_decref(from);
    json_decref(to);
    return n;
}

static int64_t
length_of_key(const struct measure *self, const struct flow_task *task,
              const struct flow_each *each)
{
    const struct ref *ref;
    int64_t n = ORDER_UNKNOWN;
    json_t *value;

    if (!each->values)
        return length_of_range(self, each);
    ref = each->values->kind == TMPL_REF ? each->values->ref : NULL;
    if (ref && ref->scope == REF_TASK)
        return ref->nstep == 0 && !task->flatten &&
                       self->flow->tasks[ref->index].mapped
                   ? self->lengths[ref->index]
                   : ORDER_UNKNOWN;
    if (task->flatten)
        return ORDER_UNKNOWN;
    if (each->values->kind == TMPL_LIST)
        return each->values->npart;
    value = evaluate(self, each->values);
    if (json_is_array(value))
        n = (int64_t)json_array_size(value);
    json_decref(value);
    return n;
}

static int64_t
length_of(const struct measure *self, const struct flow_task *task)
{
    int64_t total = 1;

    if (!task->mapped)
        return 1;
    if (task->neach == 0) /* a merge of mapped tasks */
        return ORDER_UNKNOWN;
    for (uint32_t i = 0; i < task->neach; i++) {
        int64_t n;

        n = length_of_key(self, task, &task->each[i]);
        if (n == ORDER_UNKNOWN)
            return ORDER_UNKNOWN;
        total = task->zip || task->neach == 1 ? n : total * n;
    }
    return total;
}

int64_t *
order_lengths(const struct order *self, const struct flow *flow,
              const json_t *params)
{
    int64_t *lengths = mem_alloc(flow->ntask, sizeof *lengths);
    struct measure measure = {flow, params, lengths};

    for (size_t i = 0; i < flow->ntask; i++) {
        uint32_t t = self->tasks[i];

        lengths[t] = length_of(&measure, &flow->tasks[t]);
    }
    return lengths;
}
