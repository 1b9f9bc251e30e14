/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/plan_inner.h"

static uint32_t
view_child(const struct view *self, uint32_t child)
{
    return self->owner ? self->owner[child]
                       : child / self->stride % self->count;
}

static void
add_view(struct children *self, size_t *cap, const struct plan_link *link)
{
    struct view *v;

    self->views =
        mem_grow(self->views, cap, (size_t)self->nview + 1, sizeof *v);
    v = &self->views[self->nview++];
    *v = (struct view){link->from, link->stride, link->count, NULL};
    if (link->owner) {
        v->owner = mem_alloc(self->nchild, sizeof *v->owner);
        memcpy(v->owner, link->owner, self->nchild * sizeof *v->owner);
    }
}

/* Without a link children see each their own. */
static void
add_views(struct children *self, size_t *cap, uint32_t edge,
          const struct children *from, const struct plan_link *links,
          size_t nlink)
{
    struct plan_link same = {edge_task(edge), 1, from->nchild, NULL};
    uint32_t nview = self->nview;

    for (size_t i = 0; i < nlink; i++) {
        if (links[i].from != edge_task(edge))
            continue;
        assert(links[i].owner ? edge_kind(edge) == PLAN_EDGE_FLAT
                              : links[i].stride > 0 && links[i].count > 0);
        assert(links[i].owner || links[i].count <= from->nchild);
        add_view(self, cap, &links[i]);
    }
    if (self->nview == nview) {
        assert(self->nchild == from->nchild);
        add_view(self, cap, &same);
    }
}

static void
count_waits(struct children *self, const struct view *view,
            const struct children *from)
{
    for (uint32_t k = 0; k < self->nchild; k++) {
        uint32_t j = view_child(view, k);

        assert(j < from->nchild);
        self->waits[k] += !plan_state_is_final(from->states[j]);
    }
}

struct children *
plan_children_new(const struct plan *plan, uint32_t task, uint32_t n,
                  const struct plan_link *links, size_t nlink)
{
    struct children *self = mem_alloc(1, sizeof *self);
    size_t cap = 0;

    self->nchild = self->nopen = n;
    self->count[PLAN_WAITING] = n;
    self->shared = plan_tally_upstream(plan, task);
    self->states = mem_alloc(n, sizeof *self->states);
    if (n == 0)
        return self;
    for (uint32_t i = plan->in.begin[task]; i < plan->in.begin[task + 1]; i++) {
        uint32_t edge = plan->in.edge[i];
        const struct children *from = plan->tasks[edge_task(edge)].children;

        if (edge_kind(edge) != PLAN_EDGE_WHOLE && from)
            add_views(self, &cap, edge, from, links, nlink);
    }
    if (self->nview > 0)
        self->waits = mem_alloc(n, sizeof *self->waits);
    for (uint32_t i = 0; i < self->nview; i++)
        count_waits(self, &self->views[i],
                    plan->tasks[self->views[i].from].children);
    return self;
}

void
plan_children_destroy(struct children **self_p)
{
    struct children *self = *self_p;

    if (!self)
        return;
    for (uint32_t i = 0; i < self->nview; i++)
        free(self->views[i].owner);
    free(self->views);
    free(self->states);
    free(self->waits);
    bits_release(&self->ready);
    free(self);
    *self_p = NULL;
}

/* Two views of one map may show the same child: it counts once. */
static bool
is_seen_before(const struct children *self, uint32_t view, uint32_t child)
{
    const struct view *v = &self->views[view];

    for (uint32_t i = view; i > 0 && self->views[i - 1].from == v->from; i--) {
        if (view_child(&self->views[i - 1], child) == view_child(v, child))
            return true;
    }
    return false;
}

struct tally
plan_tally_child(const struct plan *plan, const struct children *self,
                 uint32_t child)
{
    struct tally seen = self->shared;

    for (uint32_t i = 0; i < self->nview; i++) {
        const struct view *v = &self->views[i];
        const struct children *from = plan->tasks[v->from].children;

        if (!is_seen_before(self, i, child))
            tally_add(&seen, from->states[view_child(v, child)]);
    }
    return seen;
}

uint32_t
plan_find_view(const struct children *self, uint32_t from)
{
    uint32_t low = 0;
    uint32_t high = self->nview;

    while (low < high) {
        uint32_t mid = low + (high - low) / 2;

        if (self->views[mid].from < from)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}
