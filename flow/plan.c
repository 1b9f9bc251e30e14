/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/plan_inner.h"
#include "proto/limits.h"

static_assert(LIMIT_TASKS < UINT32_C(1) << 30, "an edge has room for a task");

static const struct plan_id nothing = {PLAN_NONE, PLAN_WHOLE};

static struct plan_id
whole(uint32_t task)
{
    return (struct plan_id){task, PLAN_WHOLE};
}

static uint8_t *
state_of(const struct plan *self, struct plan_id id)
{
    struct task *t;

    assert(id.task < self->ntask);
    t = &self->tasks[id.task];
    if (id.child == PLAN_WHOLE)
        return &t->state;
    assert(t->children && id.child < t->children->nchild);
    return &t->children->states[id.child];
}

void
plan_enter(struct plan *self, struct plan_id id, enum plan_state state)
{
    uint8_t *at = state_of(self, id);

    if (id.child != PLAN_WHOLE) {
        self->tasks[id.task].children->count[*at]--;
        self->tasks[id.task].children->count[state]++;
    }
    self->count[*at]--;
    self->count[state]++;
    *at = (uint8_t)state;
}

/* ---- what is to be decided ---- */

/* Children in a row with one decision cost as much as one. */
static void
propose(struct plan *self, struct plan_id id, uint32_t n,
        enum plan_decision decision)
{
    struct proposal *p;

    if (self->head == self->tail)
        self->head = self->tail = 0;
    p = self->tail > 0 ? &self->proposals[self->tail - 1] : NULL;
    if (p && p->task == id.task && p->child != PLAN_WHOLE &&
        p->child + p->n == id.child && p->decision == decision) {
        p->n += n;
        return;
    }
    self->proposals = mem_grow(self->proposals, &self->cap, self->tail + 1,
                               sizeof *self->proposals);
    self->proposals[self->tail++] =
        (struct proposal){id.task, id.child, n, decision};
}

static void
decide(struct plan *self, struct plan_id id, const struct tally *seen)
{
    enum plan_decision instead;

    if (plan_may_start(&self->tasks[id.task], seen, &instead))
        plan_make_ready(self, id);
    else
        propose(self, id, 1, instead);
}

static void
decide_task(struct plan *self, uint32_t task)
{
    const struct task *t = &self->tasks[task];
    struct tally seen;

    if (t->state != PLAN_WAITING) /* seized */
        return;
    seen = plan_tally_upstream(self, task);
    if (!t->mapped)
        decide(self, whole(task), &seen);
    else if (t->skip_on_skip && seen.nskipped > 0)
        propose(self, whole(task), 1, PLAN_SKIP);
    else
        propose(self, whole(task), 1, PLAN_EXPAND);
}

/* ---- children that see children ---- */

static void
decide_child(struct plan *self, struct plan_id id)
{
    const struct children *m = self->tasks[id.task].children;
    struct tally seen;

    if (m->states[id.child] != PLAN_WAITING) /* seized */
        return;
    seen = plan_tally_child(self, m, id.child);
    decide(self, id, &seen);
}

/* Child j of another map has ended: go on with those that see it in `view`. */
static void
wake_viewers(struct plan *self, uint32_t task, const struct view *view,
             uint32_t j)
{
    struct children *m = self->tasks[task].children;
    uint64_t step = (uint64_t)view->stride * view->count;

    if (j >= view->count)
        return;
    for (uint64_t k = (uint64_t)j * view->stride; k < m->nchild; k += step) {
        for (uint64_t i = k; i < k + view->stride && i < m->nchild; i++) {
            if (--m->waits[i] == 0)
                decide_child(self, (struct plan_id){task, (uint32_t)i});
        }
    }
}

static void
wake_children(struct plan *self, uint32_t task, struct plan_id ended)
{
    const struct children *m = self->tasks[task].children;
    uint32_t i = plan_find_view(m, ended.task);

    for (; i < m->nview && m->views[i].from == ended.task; i++)
        wake_viewers(self, task, &m->views[i], ended.child);
}

/* ---- ends ---- */

/* Edges of children are crossed at expansion, all others at the end. */
static void
cross_edges(struct plan *self, uint32_t task, bool child_edges)
{
    uint32_t end = self->out.begin[task + 1];

    if (self->cancelled)
        return;
    for (uint32_t i = self->out.begin[task]; i < end; i++) {
        uint32_t edge = self->out.edge[i];

        if ((edge_kind(edge) == PLAN_EDGE_CHILD) == child_edges &&
            --self->tasks[edge_task(edge)].waits == 0)
            decide_task(self, edge_task(edge));
    }
}

static void
task_ended(struct plan *self, uint32_t task)
{
    self->nopen--;
    cross_edges(self, task, false);
}

static void
child_ended(struct plan *self, struct plan_id id)
{
    struct task *t = &self->tasks[id.task];
    uint32_t end = self->out.begin[id.task + 1];
    uint32_t i = t->has_child_edges ? self->out.begin[id.task] : end;

    plan_offer(self, t);
    for (; i < end && !self->cancelled; i++) {
        uint32_t edge = self->out.edge[i];

        if (edge_kind(edge) == PLAN_EDGE_CHILD &&
            self->tasks[edge_task(edge)].children)
            wake_children(self, edge_task(edge), id);
    }
    if (--t->children->nopen == 0)
        task_ended(self, id.task);
}

static void
end_instance(struct plan *self, struct plan_id id, enum plan_state state)
{
    plan_enter(self, id, state);
    if (id.child != PLAN_WHOLE) {
        child_ended(self, id);
        return;
    }
    if (self->tasks[id.task].has_child_edges)
        cross_edges(self, id.task, true);
    task_ended(self, id.task);
}

/* ---- life ---- */

static int
check_flow(uint32_t ntask, const struct plan_edge *edges, size_t nedge,
           struct err *err)
{
    if (ntask > LIMIT_TASKS)
        return err_set(err, ERR_LIMIT, "a flow has at most %u tasks",
                       LIMIT_TASKS);
    if (nedge > UINT32_MAX)
        return err_set(err, ERR_LIMIT, "a flow has at most %u dependencies",
                       UINT32_MAX);
    for (size_t i = 0; i < nedge; i++) {
        if (edges[i].from >= ntask || edges[i].to >= ntask)
            return err_set(err, ERR_INVALID, "edge %zu names no task", i);
    }
    return 0;
}

static void
copy_tasks(struct plan *self, const struct plan_task *tasks)
{
    for (uint32_t i = 0; i < self->ntask; i++) {
        assert(tasks[i].trigger < TRIGGER_COUNT);
        self->tasks[i] = (struct task){
            .trigger = tasks[i].trigger,
            .mapped = tasks[i].mapped,
            .skip_on_skip = tasks[i].skip_on_skip,
            .max_parallel = tasks[i].max_parallel,
            .at_least = tasks[i].at_least,
            .at_most = tasks[i].at_most,
        };
    }
}

static void
begin_waiting(struct plan *self)
{
    for (uint32_t t = 0; t < self->ntask; t++) {
        struct task *task = &self->tasks[t];

        task->waits = self->in.begin[t + 1] - self->in.begin[t];
        for (uint32_t i = self->out.begin[t]; i < self->out.begin[t + 1]; i++) {
            if (edge_kind(self->out.edge[i]) == PLAN_EDGE_CHILD)
                task->has_child_edges = true;
        }
        if (task->waits == 0)
            decide_task(self, t);
    }
}

int
plan_new(struct plan **ret, const struct plan_task *tasks, uint32_t ntask,
         const struct plan_edge *edges, size_t nedge, uint32_t **cycle,
         struct err *err)
{
    struct plan *self = NULL;
    uint32_t *circle = NULL;
    int rc = -1;

    if (check_flow(ntask, edges, nedge, err) < 0)
        goto out;
    self = mem_alloc(1, sizeof *self);
    self->ntask = self->nopen = ntask;
    self->nclass = 1;
    self->count[PLAN_WAITING] = ntask;
    self->asked = nothing;
    self->tasks = mem_alloc(ntask, sizeof *self->tasks);
    copy_tasks(self, tasks);
    plan_link_edges(self, edges, (uint32_t)nedge);
    circle = plan_find_cycle(self);
    if (circle) {
        err_set(err, ERR_INVALID, "the tasks depend on each other in a circle");
        goto out;
    }
    plan_rank(self, tasks);
    bits_init(&self->ready, ntask, false);
    begin_waiting(self);
    *ret = self;
    self = NULL;
    rc = 0;
out:
    if (circle && cycle) {
        *cycle = circle;
        circle = NULL;
    }
    free(circle);
    plan_destroy(&self);
    return rc;
}

void
plan_destroy(struct plan **self_p)
{
    struct plan *self = *self_p;

    if (!self)
        return;
    for (uint32_t t = 0; t < self->ntask; t++)
        plan_children_destroy(&self->tasks[t].children);
    free(self->tasks);
    free(self->in.begin);
    free(self->in.edge);
    free(self->out.begin);
    free(self->out.edge);
    free(self->order);
    free(self->begin);
    free(self->places);
    bits_release(&self->ready);
    free(self->proposals);
    free(self);
    *self_p = NULL;
}

/* ---- what the driver asks and answers ---- */

/* True, once, of the instance that was decided last. */
static bool
is_answer(struct plan *self, struct plan_id id)
{
    if (!plan_id_is(self->asked, id))
        return false;
    self->asked = nothing;
    return true;
}

bool
plan_decide(struct plan *self, struct plan_id *ret,
            enum plan_decision *decision)
{
    struct plan_id id;

    assert(self->asked.task == PLAN_NONE);
    do {
        struct proposal *p;

        if (self->head == self->tail)
            return false;
        p = &self->proposals[self->head];
        id = (struct plan_id){p->task, p->child};
        *decision = p->decision;
        p->child += p->child != PLAN_WHOLE;
        self->head += --p->n == 0;
    } while (*state_of(self, id) != PLAN_WAITING); /* seized */
    self->asked = *ret = id;
    return true;
}

bool
plan_defer(struct plan *self, struct plan_id id)
{
    if (!is_answer(self, id))
        return false;
    self->ndeferred++;
    return true;
}

void
plan_recall(struct plan *self, struct plan_id id)
{
    assert(self->asked.task == PLAN_NONE && self->ndeferred > 0);
    self->ndeferred--;
    self->asked = id;
}

/* All children see the same, so the same becomes of all. */
static void
start_alike(struct plan *self, uint32_t task)
{
    const struct task *t = &self->tasks[task];
    struct children *m = t->children;
    enum plan_decision instead;
    bool ready = plan_may_start(t, &m->shared, &instead);

    bits_init(&m->ready, m->nchild, ready);
    if (!ready) {
        propose(self, (struct plan_id){task, 0}, m->nchild, instead);
        return;
    }
    memset(m->states, PLAN_READY, m->nchild);
    m->count[PLAN_READY] = m->nchild;
    m->count[PLAN_WAITING] = 0;
    self->count[PLAN_READY] += m->nchild;
    self->count[PLAN_WAITING] -= m->nchild;
    plan_offer(self, t);
}

static void
start_children(struct plan *self, uint32_t task)
{
    struct children *m = self->tasks[task].children;

    bits_init(&m->ready, m->nchild, false);
    for (uint32_t k = 0; k < m->nchild; k++) {
        if (m->waits[k] == 0)
            decide_child(self, (struct plan_id){task, k});
    }
}

void
plan_expand(struct plan *self, uint32_t task, uint32_t n,
            const struct plan_link *links, size_t nlink)
{
    bool answers = is_answer(self, whole(task));
    struct task *t;

    assert(answers && self->tasks[task].mapped);
    if (self->cancelled) {
        end_instance(self, whole(task), PLAN_CANCELLED);
        return;
    }
    t = &self->tasks[task];
    t->children = plan_children_new(self, task, n, links, nlink);
    plan_enter(self, whole(task), PLAN_MAPPED);
    self->count[PLAN_WAITING] += n;
    if (t->has_child_edges)
        cross_edges(self, task, true);
    if (n == 0)
        task_ended(self, task);
    else if (t->children->nview > 0)
        start_children(self, task);
    else
        start_alike(self, task);
}

void
plan_finish(struct plan *self, struct plan_id id, enum plan_state state)
{
    bool answers = is_answer(self, id);

    assert(plan_state_is_final(state));
    assert(answers || *state_of(self, id) == PLAN_RUNNING);
    end_instance(self, id, state);
}

void
plan_retry(struct plan *self, struct plan_id id)
{
    assert(*state_of(self, id) == PLAN_RUNNING);
    if (self->cancelled) {
        end_instance(self, id, PLAN_CANCELLED);
        return;
    }
    plan_enter(self, id, PLAN_RETRYING);
    plan_offer(self, &self->tasks[id.task]);
}

void
plan_ready(struct plan *self, struct plan_id id)
{
    enum plan_state state = *state_of(self, id);
    bool answers = is_answer(self, id);

    assert(answers || state == PLAN_PAUSED || state == PLAN_RETRYING ||
           state == PLAN_RUNNING);
    assert(id.child != PLAN_WHOLE || !self->tasks[id.task].mapped);
    if (self->cancelled)
        end_instance(self, id, PLAN_CANCELLED);
    else
        plan_make_ready(self, id);
}

void
plan_pause(struct plan *self, struct plan_id id)
{
    bool answers = is_answer(self, id);

    assert(answers);
    if (self->cancelled)
        end_instance(self, id, PLAN_CANCELLED);
    else
        plan_enter(self, id, PLAN_PAUSED);
}

/* What runs, or is being decided, is still to be reported. */
static bool
is_to_be_reported(const struct plan *self, struct plan_id id)
{
    return *state_of(self, id) == PLAN_RUNNING || plan_id_is(self->asked, id);
}

static bool
has_not_begun(const struct plan *self, struct plan_id id)
{
    enum plan_state state = *state_of(self, id);

    return state != PLAN_MAPPED && !plan_state_is_final(state) &&
           !is_to_be_reported(self, id);
}

bool
plan_seize(struct plan *self, struct plan_id id)
{
    if (!has_not_begun(self, id))
        return false;
    plan_begin(self, id);
    return true;
}

static void
cancel_instance(struct plan *self, struct plan_id id)
{
    if (has_not_begun(self, id))
        end_instance(self, id, PLAN_CANCELLED);
}

void
plan_cancel(struct plan *self)
{
    self->cancelled = true;
    self->head = self->tail = 0;
    self->ndeferred = 0;
    for (uint32_t t = 0; t < self->ntask; t++) {
        uint32_t n = plan_children(self, t);

        for (uint32_t k = 0; k < n; k++)
            cancel_instance(self, (struct plan_id){t, k});
        cancel_instance(self, whole(t));
        plan_offer(self, &self->tasks[t]);
    }
}
