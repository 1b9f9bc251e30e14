/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/layout.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "lib/layout_parts.h"
#include "proto/limits.h"

/* The bends that edges of a box share, one a layer: `n` items from `item` on,
 * the first in layer `layer`. */
struct layout_bends {
    uint32_t item;
    uint32_t layer;
    uint32_t n;
};

struct layout_chain {
    struct layout_bends out, in;
    uint32_t nout, nin; /* long edges that leave, that enter */
};

/* Group one end of the edges by the other: a counting sort. */
static void
side_init(struct layout_side *side, uint32_t nitem,
          const struct layout_edge *edges, size_t nedge, bool up)
{
    side->at = mem_alloc((size_t)nitem + 2, sizeof *side->at);
    side->list = mem_alloc(nedge, sizeof *side->list);
    for (size_t i = 0; i < nedge; i++)
        side->at[(up ? edges[i].to : edges[i].from) + 2]++;
    for (uint32_t i = 0; i < nitem; i++)
        side->at[i + 2] += side->at[i + 1];
    for (size_t i = 0; i < nedge; i++) {
        uint32_t key = up ? edges[i].to : edges[i].from;

        side->list[side->at[key + 1]++] = up ? edges[i].from : edges[i].to;
    }
}

static void
sides_init(struct layout_sides *self, uint32_t nitem,
           const struct layout_edge *edges, size_t nedge)
{
    side_init(&self->up, nitem, edges, nedge, true);
    side_init(&self->down, nitem, edges, nedge, false);
}

static void
sides_release(struct layout_sides *self)
{
    free(self->up.at);
    free(self->up.list);
    free(self->down.at);
    free(self->down.list);
}

/* Longest path: each box as high as what it depends on allows. */
static void
sink(struct layout *self, const struct layout_sides *sides, uint32_t *queue)
{
    uint32_t *open = mem_alloc(self->nbox, sizeof *open);
    uint32_t head = 0, tail = 0;

    for (uint32_t i = 0; i < self->nbox; i++) {
        open[i] = sides->up.at[i + 1] - sides->up.at[i];
        if (open[i] == 0)
            queue[tail++] = i;
    }
    while (head < tail) {
        uint32_t from = queue[head++];
        uint32_t next = self->items[from].layer + 1;

        for (uint32_t k = sides->down.at[from]; k < sides->down.at[from + 1];
             k++) {
            struct layout_item *to = &self->items[sides->down.list[k]];

            if (to->layer < next)
                to->layer = next;
            if (--open[sides->down.list[k]] == 0)
                queue[tail++] = sides->down.list[k];
        }
    }
    assert(tail == self->nbox);
    free(open);
}

/* What depends on nothing goes down to where it is needed first. */
static void
lower_sources(struct layout *self, const struct layout_sides *sides)
{
    for (uint32_t i = 0; i < self->nbox; i++) {
        uint32_t least = UINT32_MAX;

        if (sides->up.at[i] < sides->up.at[i + 1])
            continue;
        for (uint32_t k = sides->down.at[i]; k < sides->down.at[i + 1]; k++) {
            uint32_t layer = self->items[sides->down.list[k]].layer;

            least = layer < least ? layer : least;
        }
        if (least < UINT32_MAX)
            self->items[i].layer = least - 1;
    }
}

static void
find_layers(struct layout *self)
{
    uint32_t *queue = mem_alloc(self->nbox, sizeof *queue);
    struct layout_sides sides;

    sides_init(&sides, self->nbox, self->edges, self->nsegment);
    sink(self, &sides, queue);
    lower_sources(self, &sides);
    sides_release(&sides);
    free(queue);
    for (uint32_t i = 0; i < self->nbox; i++) {
        if (self->nlayer <= self->items[i].layer)
            self->nlayer = self->items[i].layer + 1;
    }
}

static bool
is_long(const struct layout *self, size_t edge)
{
    const struct layout_edge *e = &self->edges[edge];

    return self->items[e->to].layer > self->items[e->from].layer + 1;
}

/* How far down the bends of `from` must go, or up those of `to`. */
static void
reach(struct layout *self, const struct layout_edge *edge, bool by_target)
{
    uint32_t top = self->items[edge->from].layer + 1;
    uint32_t n = self->items[edge->to].layer - top;
    struct layout_bends *in = &self->chains[edge->to].in;
    struct layout_bends *out = &self->chains[edge->from].out;

    if (by_target && in->n < n)
        *in = (struct layout_bends){.layer = top, .n = n};
    if (!by_target && out->n < n)
        *out = (struct layout_bends){.layer = top, .n = n};
}

/* Which end's bends each long edge uses: those that more edges can share. */
static void
plan_bends(struct layout *self, size_t nedge)
{
    for (size_t i = 0; i < nedge; i++) {
        if (is_long(self, i)) {
            self->chains[self->edges[i].from].nout++;
            self->chains[self->edges[i].to].nin++;
        }
    }
    for (size_t i = 0; i < nedge; i++) {
        const struct layout_edge *e = &self->edges[i];

        self->by_target[i] =
            self->chains[e->to].nin > self->chains[e->from].nout;
        if (is_long(self, i))
            reach(self, e, self->by_target[i]);
    }
}

/* Number the bends; false if there are too many pieces of line. */
static bool
number_bends(struct layout *self, size_t nedge)
{
    size_t n = self->nbox;

    for (uint32_t i = 0; i < self->nbox; i++) {
        struct layout_bends *both[] = {&self->chains[i].out,
                                       &self->chains[i].in};

        for (int k = 0; k < 2; k++) {
            both[k]->item = (uint32_t)n;
            n += both[k]->n;
        }
        if (n - self->nbox + nedge > LIMIT_DRAWN_LINES)
            return false;
    }
    self->nitem = (uint32_t)n;
    return true;
}

/* Make room for the bends. */
static void
add_items(struct layout *self, const int *widths)
{
    struct layout_item *items = mem_alloc(self->nitem, sizeof *items);

    for (uint32_t i = 0; i < self->nbox; i++) {
        items[i] = self->items[i];
        items[i].width = widths[i];
    }
    free(self->items);
    self->items = items;
}

static void
add_segment(struct layout *self, uint32_t from, uint32_t to)
{
    self->segments[self->nsegment++] = (struct layout_edge){from, to};
}

static void
add_bends(struct layout *self, const struct layout_bends *bends, int width)
{
    for (uint32_t k = 0; k < bends->n; k++) {
        self->items[bends->item + k].layer = bends->layer + k;
        self->items[bends->item + k].width = width;
        if (k > 0)
            add_segment(self, bends->item + k - 1, bends->item + k);
    }
}

static void
make_segments(struct layout *self, size_t nedge, int width)
{
    for (uint32_t i = 0; i < self->nbox; i++) {
        const struct layout_chain *chain = &self->chains[i];

        add_bends(self, &chain->out, width);
        add_bends(self, &chain->in, width);
        if (chain->out.n > 0)
            add_segment(self, i, chain->out.item);
        if (chain->in.n > 0)
            add_segment(self, chain->in.item + chain->in.n - 1, i);
    }
    for (size_t i = 0; i < nedge; i++) {
        uint32_t from = self->edges[i].from, to = self->edges[i].to;

        if (!is_long(self, i))
            add_segment(self, from, to);
        else if (self->by_target[i])
            add_segment(self, from,
                        layout_via(self, i, self->items[from].layer + 1));
        else
            add_segment(self, layout_via(self, i, self->items[to].layer - 1),
                        to);
    }
}

/* The first order: boxes as they were defined, then bends. */
static void
fill_layers(struct layout *self)
{
    self->layers = mem_alloc((size_t)self->nlayer + 2, sizeof *self->layers);
    self->sorted = mem_alloc(self->nitem, sizeof *self->sorted);
    for (uint32_t i = 0; i < self->nitem; i++)
        self->layers[self->items[i].layer + 2]++;
    for (uint32_t k = 0; k < self->nlayer; k++)
        self->layers[k + 2] += self->layers[k + 1];
    for (uint32_t i = 0; i < self->nitem; i++) {
        uint32_t layer = self->items[i].layer;

        self->sorted[self->layers[layer + 1]++] = i;
    }
}

/* The segments again, in the order their contract says. */
static void
list_segments(struct layout *self, const struct layout_side *down)
{
    self->nsegment = 0;
    for (uint32_t i = 0; i < self->nitem; i++) {
        uint32_t from = self->sorted[i];

        for (uint32_t k = down->at[from]; k < down->at[from + 1]; k++)
            add_segment(self, from, down->list[k]);
    }
}

static void
finish(struct layout *self, const struct layout_graph *graph)
{
    struct layout_sides sides;

    self->segments = mem_alloc(self->nitem - self->nbox + graph->nedge,
                               sizeof *self->segments);
    self->nsegment = 0;
    make_segments(self, graph->nedge, graph->bend);
    fill_layers(self);
    sides_init(&sides, self->nitem, self->segments, self->nsegment);
    layout_order(self, &sides);
    layout_place(self, &sides, graph->gap);
    list_segments(self, &sides.down);
    sides_release(&sides);
}

int
layout_make(struct layout **ret, const struct layout_graph *graph,
            struct err *err)
{
    struct layout *self = mem_alloc(1, sizeof *self);
    int rc = -1;

    self->nbox = graph->nbox;
    self->edges = graph->edges;
    self->nsegment = graph->nedge;
    self->items = mem_alloc(graph->nbox, sizeof *self->items);
    self->chains = mem_alloc(graph->nbox, sizeof *self->chains);
    self->by_target = mem_alloc(graph->nedge, sizeof *self->by_target);
    find_layers(self);
    plan_bends(self, graph->nedge);
    if (!number_bends(self, graph->nedge)) {
        err_set(err, ERR_LIMIT,
                "too many lines to draw (more than %u from one layer of tasks "
                "to the next): graph --format dot gives them to Graphviz",
                LIMIT_DRAWN_LINES);
        goto out;
    }
    add_items(self, graph->widths);
    finish(self, graph);
    *ret = self;
    self = NULL;
    rc = 0;
out:
    layout_destroy(&self);
    return rc;
}

void
layout_destroy(struct layout **self_p)
{
    struct layout *self = *self_p;

    if (!self)
        return;
    free(self->items);
    free(self->layers);
    free(self->sorted);
    free(self->segments);
    free(self->chains);
    free(self->by_target);
    free(self);
    *self_p = NULL;
}

int
layout_middle(const struct layout *self, uint32_t item)
{
    return self->items[item].x + (self->items[item].width - 1) / 2;
}

uint32_t
layout_via(const struct layout *self, size_t edge, uint32_t layer)
{
    const struct layout_edge *e = &self->edges[edge];
    const struct layout_bends *bends = self->by_target[edge]
                                           ? &self->chains[e->to].in
                                           : &self->chains[e->from].out;

    if (layer <= self->items[e->from].layer)
        return e->from;
    if (layer >= self->items[e->to].layer)
        return e->to;
    return bends->item + (layer - bends->layer);
}
