/* SPDX-License-Identifier: MPL-2.0 */
/*
 * plan_driver - a flow on stdin, the final state of every instance on stdout.
 *
 *     task MAPPED SKIP_ON_SKIP TRIGGER AT_LEAST AT_MOST LENGTH
 *     need FROM TO          TO waits for all of FROM
 *     over FROM TO          TO maps over the value, or children, of FROM
 *     end TASK CHILD STATE  how an instance ends (CHILD -1: no child)
 *
 * Tasks count from 0; TRIGGER and STATE are the numbers of plan.h. A task's
 * value is a list of LENGTH items. What is not told to end otherwise succeeds.
 * A map is expanded as Prefect does it.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "flow/plan.h"

struct fate {
    struct plan_id id;
    enum plan_state state;
};

struct driver {
    struct plan_task *tasks;
    uint32_t *lengths;
    struct plan_edge *edges;
    struct fate *fates;
    bool *over; /* by edge */
    size_t ntask, nedge, nfate;
    size_t cap_task, cap_length, cap_edge, cap_over, cap_fate;
    struct plan *plan;
};

static double
number(void)
{
    char word[32];

    return scanf("%31s", word) == 1 ? strtod(word, NULL) : 0;
}

static void
read_task(struct driver *self)
{
    struct plan_task task = {0};

    task.mapped = number() > 0;
    task.skip_on_skip = number() > 0;
    task.trigger = (uint8_t)number();
    task.at_least = number();
    task.at_most = number();
    self->tasks = mem_grow(self->tasks, &self->cap_task, self->ntask + 1,
                           sizeof *self->tasks);
    self->lengths = mem_grow(self->lengths, &self->cap_length, self->ntask + 1,
                             sizeof *self->lengths);
    self->lengths[self->ntask] = (uint32_t)number();
    self->tasks[self->ntask++] = task;
}

static void
read_edge(struct driver *self, bool over)
{
    struct plan_edge edge;

    edge.from = (uint32_t)number();
    edge.to = (uint32_t)number();
    edge.kind = over ? PLAN_EDGE_CHILD : PLAN_EDGE_WHOLE;
    self->edges = mem_grow(self->edges, &self->cap_edge, self->nedge + 1,
                           sizeof *self->edges);
    self->over = mem_grow(self->over, &self->cap_over, self->nedge + 1,
                          sizeof *self->over);
    self->over[self->nedge] = over;
    self->edges[self->nedge++] = edge;
}

static void
read_fate(struct driver *self)
{
    struct fate fate;
    double child;

    fate.id.task = (uint32_t)number();
    child = number();
    fate.id.child = child < 0 ? PLAN_WHOLE : (uint32_t)child;
    fate.state = (enum plan_state)number();
    self->fates = mem_grow(self->fates, &self->cap_fate, self->nfate + 1,
                           sizeof *self->fates);
    self->fates[self->nfate++] = fate;
}

static void
read_flow(struct driver *self)
{
    char word[8];

    while (scanf("%7s", word) == 1) {
        if (word[0] == 't')
            read_task(self);
        else if (word[0] == 'e')
            read_fate(self);
        else
            read_edge(self, word[0] == 'o');
    }
}

static enum plan_state
end_of(const struct driver *self, struct plan_id id)
{
    for (size_t i = 0; i < self->nfate; i++) {
        if (self->fates[i].id.task == id.task &&
            self->fates[i].id.child == id.child)
            return self->fates[i].state;
    }
    return PLAN_SUCCEEDED;
}

/*
 * The shortest of the sources that have a length; false if none has, or one
 * that is a success has no value.
 */
static bool
find_length(const struct driver *self, uint32_t task, uint32_t *ret)
{
    uint32_t n = UINT32_MAX;

    for (size_t i = 0; i < self->nedge; i++) {
        uint32_t from = self->edges[i].from;
        enum plan_state state;
        uint32_t length = self->lengths[from];

        if (self->edges[i].to != task || !self->over[i])
            continue;
        state = plan_state(self->plan, (struct plan_id){from, PLAN_WHOLE});
        if (state == PLAN_SKIPPED)
            return false;
        if (state == PLAN_MAPPED)
            length = plan_children(self->plan, from);
        else if (!plan_state_is_success(state))
            continue;
        n = length < n ? length : n;
    }
    *ret = n;
    return n != UINT32_MAX;
}

static void
answer(struct driver *self, struct plan_id id, enum plan_decision decision)
{
    uint32_t n;

    switch (decision) {
    case PLAN_EXPAND:
        if (find_length(self, id.task, &n))
            plan_expand(self->plan, id.task, n, NULL, 0);
        else
            plan_finish(self->plan, id, PLAN_FAILED);
        break;
    case PLAN_SKIP:
        plan_finish(self->plan, id, PLAN_SKIPPED);
        break;
    case PLAN_TRIGGER_FAIL:
        plan_finish(self->plan, id, PLAN_TRIGGER_FAILED);
        break;
    case PLAN_PAUSE:
        plan_pause(self->plan, id);
        break;
    }
}

static void
run(struct driver *self)
{
    enum plan_decision decision;
    struct plan_id id;

    for (;;) {
        if (plan_decide(self->plan, &id, &decision))
            answer(self, id, decision);
        else if (plan_take(self->plan, &id))
            plan_finish(self->plan, id, end_of(self, id));
        else
            return;
    }
}

static void
print_states(const struct driver *self)
{
    for (uint32_t t = 0; t < self->ntask; t++) {
        struct plan_id id = {t, PLAN_WHOLE};
        uint32_t n = plan_children(self->plan, t);

        printf("%u %s\n", t, plan_state_names[plan_state(self->plan, id)]);
        for (id.child = 0; id.child < n; id.child++)
            printf("%u[%u] %s\n", t, id.child,
                   plan_state_names[plan_state(self->plan, id)]);
    }
}

int
main(void)
{
    struct driver self = {0};
    struct err err;
    int rc = 1;

    read_flow(&self);
    if (plan_new(&self.plan, self.tasks, (uint32_t)self.ntask, self.edges,
                 self.nedge, NULL, &err) < 0) {
        (void)fprintf(stderr, "%s\n", err.msg);
        goto out;
    }
    run(&self);
    print_states(&self);
    rc = 0;
out:
    plan_destroy(&self.plan);
    free(self.tasks);
    free(self.lengths);
    free(self.edges);
    free(self.over);
    free(self.fates);
    return rc;
}
