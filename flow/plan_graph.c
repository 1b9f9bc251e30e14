/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/plan_inner.h"

static uint32_t
make_edge(uint32_t task, enum plan_edge_kind kind)
{
    return task << 2 | (uint32_t)kind;
}

static struct edges
edges_new(uint32_t ntask, uint32_t nedge)
{
    return (struct edges){
        .begin = mem_alloc((size_t)ntask + 1, sizeof(uint32_t)),
        .edge = mem_alloc(nedge, sizeof(uint32_t)),
    };
}

static void
edges_release(struct edges *self)
{
    free(self->begin);
    free(self->edge);
}

/* Counting sort: begin[t] holds the number of t's edges; make it its place. */
static void
place_groups(struct edges *self, uint32_t ntask)
{
    uint32_t at = 0;

    for (uint32_t t = 0; t <= ntask; t++) {
        uint32_t n = self->begin[t];

        self->begin[t] = at;
        at += n;
    }
}

/* Filling a group has moved its begin to its end, which is the next's begin. */
static void
restore_begins(struct edges *self, uint32_t ntask)
{
    memmove(self->begin + 1, self->begin, ntask * sizeof *self->begin);
    self->begin[0] = 0;
}

/* Between two maps alone a child can wait for a child. */
static enum plan_edge_kind
real_kind(const struct plan *self, const struct plan_edge *edge)
{
    if (!self->tasks[edge->from].mapped || !self->tasks[edge->to].mapped)
        return PLAN_EDGE_WHOLE;
    return edge->kind;
}

static struct edges
group_by_target(const struct plan *self, const struct plan_edge *edges,
                uint32_t nedge)
{
    struct edges to = edges_new(self->ntask, nedge);

    for (uint32_t i = 0; i < nedge; i++)
        to.begin[edges[i].to]++;
    place_groups(&to, self->ntask);
    for (uint32_t i = 0; i < nedge; i++) {
        uint32_t at = to.begin[edges[i].to]++;

        to.edge[at] = make_edge(edges[i].from, real_kind(self, &edges[i]));
    }
    restore_begins(&to, self->ntask);
    return to;
}

/* Group the same edges by their other end: each group comes out ascending. */
static struct edges
turn(const struct edges *self, uint32_t ntask)
{
    uint32_t nedge = self->begin[ntask];
    struct edges other = edges_new(ntask, nedge);

    for (uint32_t i = 0; i < nedge; i++)
        other.begin[edge_task(self->edge[i])]++;
    place_groups(&other, ntask);
    for (uint32_t t = 0; t < ntask; t++) {
        for (uint32_t i = self->begin[t]; i < self->begin[t + 1]; i++) {
            uint32_t at = other.begin[edge_task(self->edge[i])]++;

            other.edge[at] = make_edge(t, edge_kind(self->edge[i]));
        }
    }
    restore_begins(&other, ntask);
    return other;
}

/* WHOLE sees the most; FLAT waits for more than CHILD. */
static enum plan_edge_kind
stronger(enum plan_edge_kind a, enum plan_edge_kind b)
{
    if (a == PLAN_EDGE_WHOLE || b == PLAN_EDGE_WHOLE)
        return PLAN_EDGE_WHOLE;
    return a == PLAN_EDGE_FLAT ? a : b;
}

/* Join edges between the same two tasks: they stand next to each other. */
static void
join_doubles(struct edges *self, uint32_t ntask)
{
    uint32_t at = 0;

    for (uint32_t t = 0; t < ntask; t++) {
        uint32_t first = self->begin[t];
        uint32_t group = at;

        self->begin[t] = at;
        for (uint32_t i = first; i < self->begin[t + 1]; i++) {
            uint32_t edge = self->edge[i];
            uint32_t *last = at > group ? &self->edge[at - 1] : NULL;

            if (last && edge_task(*last) == edge_task(edge))
                *last = make_edge(edge_task(edge),
                                  stronger(edge_kind(*last), edge_kind(edge)));
            else
                self->edge[at++] = edge;
        }
    }
    self->begin[ntask] = at;
}

void
plan_link_edges(struct plan *self, const struct plan_edge *edges,
                uint32_t nedge)
{
    struct edges to = group_by_target(self, edges, nedge);

    self->out = turn(&to, self->ntask);
    edges_release(&to);
    join_doubles(&self->out, self->ntask);
    self->in = turn(&self->out, self->ntask);
}

/*
 * Take away whatever has no edge in any more, again and again: left[t] are the
 * edges into t that stay. Returns how many tasks were taken.
 */
static uint32_t
peel(const struct plan *self, uint32_t *left)
{
    uint32_t *stack = mem_alloc(self->ntask, sizeof *stack);
    uint32_t depth = 0;
    uint32_t ntaken = 0;

    for (uint32_t t = 0; t < self->ntask; t++) {
        left[t] = self->in.begin[t + 1] - self->in.begin[t];
        if (left[t] == 0)
            stack[depth++] = t;
    }
    while (depth > 0) {
        uint32_t t = stack[--depth];

        ntaken++;
        for (uint32_t i = self->out.begin[t]; i < self->out.begin[t + 1]; i++) {
            uint32_t to = edge_task(self->out.edge[i]);

            if (--left[to] == 0)
                stack[depth++] = to;
        }
    }
    free(stack);
    return ntaken;
}

/* An upstream of t that stays; one that stays has one. */
static uint32_t
upstream_left(const struct plan *self, const uint32_t *left, uint32_t t)
{
    uint32_t i = self->in.begin[t];

    while (left[edge_task(self->in.edge[i])] == 0)
        i++;
    assert(i < self->in.begin[t + 1]);
    return edge_task(self->in.edge[i]);
}

/* path[0..n-1] is a cycle walked upstream: give it downstream, least first. */
static uint32_t *
straighten(const uint32_t *path, uint32_t n)
{
    uint32_t *cycle = mem_alloc((size_t)n + 1, sizeof *cycle);
    uint32_t least = 0;

    for (uint32_t i = 1; i < n; i++) {
        if (path[i] < path[least])
            least = i;
    }
    for (uint32_t i = 0; i < n; i++)
        cycle[i] = path[(least + n - i) % n];
    cycle[n] = PLAN_NONE;
    return cycle;
}

/* Walk upstream from a task that stays until one comes a second time. */
static uint32_t *
walk_cycle(const struct plan *self, const uint32_t *left)
{
    uint32_t *path = mem_alloc(self->ntask, sizeof *path);
    uint32_t *place = mem_alloc(self->ntask, sizeof *place); /* 1 + in path */
    uint32_t *cycle;
    uint32_t depth = 0;
    uint32_t t = 0;

    while (left[t] == 0)
        t++;
    while (place[t] == 0) {
        path[depth++] = t;
        place[t] = depth;
        t = upstream_left(self, left, t);
    }
    cycle = straighten(path + place[t] - 1, depth - place[t] + 1);
    free(path);
    free(place);
    return cycle;
}

/* Every edge leads to a later task: no circle, as in most flows. */
static bool
is_ascending(const struct plan *self)
{
    for (uint32_t t = 0; t < self->ntask; t++) {
        /* a group's first edge leads to its least task */
        if (self->out.begin[t] < self->out.begin[t + 1] &&
            edge_task(self->out.edge[self->out.begin[t]]) <= t)
            return false;
    }
    return true;
}

uint32_t *
plan_find_cycle(const struct plan *self)
{
    uint32_t *left;
    uint32_t *cycle = NULL;

    if (is_ascending(self))
        return NULL;
    left = mem_alloc(self->ntask, sizeof *left);
    if (peel(self, left) < self->ntask)
        cycle = walk_cycle(self, left);
    free(left);
    return cycle;
}

/* The byte of a priority that counts for one pass; a higher one comes first. */
static uint32_t
digit(int32_t priority, int pass)
{
    return (~((uint32_t)priority ^ UINT32_C(1) << 31) >> (8 * pass)) & 0xff;
}

/* One pass of a stable radix sort, least digit first. */
static void
sort_by_digit(const struct plan_task *tasks, uint32_t n, int pass,
              const uint32_t *from, uint32_t *to)
{
    uint32_t begin[257] = {0};

    for (uint32_t i = 0; i < n; i++)
        begin[digit(tasks[i].priority, pass) + 1]++;
    for (int d = 0; d < 256; d++)
        begin[d + 1] += begin[d];
    for (uint32_t i = 0; i < n; i++)
        to[begin[digit(tasks[from[i]].priority, pass)]++] = from[i];
}

static bool
has_priorities(const struct plan_task *tasks, uint32_t n)
{
    for (uint32_t t = 1; t < n; t++) {
        if (tasks[t].priority != tasks[0].priority)
            return true;
    }
    return false;
}

void
plan_rank(struct plan *self, const struct plan_task *tasks)
{
    uint32_t *order = mem_alloc(self->ntask, sizeof *order);

    for (uint32_t t = 0; t < self->ntask; t++)
        order[t] = t;
    if (has_priorities(tasks, self->ntask)) {
        uint32_t *other = mem_alloc(self->ntask, sizeof *other);

        for (int pass = 0; pass < 4; pass += 2) {
            sort_by_digit(tasks, self->ntask, pass, order, other);
            sort_by_digit(tasks, self->ntask, pass + 1, other, order);
        }
        free(other);
    }
    for (uint32_t i = 0; i < self->ntask; i++)
        self->tasks[order[i]].slot = i;
    self->order = order;
}
