/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/wires.h"

#include <assert.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/mem.h"

#define PORT_STEP 4 /* columns between the lines that enter a box */

struct net {
    size_t first; /* its first source's segments: the targets */
    size_t ntarget;
    int left, right; /* columns from the first to the last */
    int row;         /* below the layer; 0 is the first */
};

/* The segments of one gap between layers. */
struct gap {
    size_t from, to;
    uint32_t net; /* the first of its nets */
};

static bool
is_bend(const struct wires *self, uint32_t item)
{
    return item >= self->layout->nbox;
}

/* The run of segments that leave the same item as segment i. */
static size_t
run_end(const struct layout *l, size_t i)
{
    size_t end = i + 1;

    while (end < l->nsegment && l->segments[end].from == l->segments[i].from)
        end++;
    return end;
}

static bool
has_targets(const struct layout *l, const struct net *net, size_t first,
            size_t end)
{
    if (end - first != net->ntarget)
        return false;
    for (size_t i = 0; i < net->ntarget; i++) {
        if (l->segments[net->first + i].to != l->segments[first + i].to)
            return false;
    }
    return true;
}

/* The net for a source's segments: that of one with the same targets. */
static uint32_t
find_net(struct wires *self, const struct gap *gap, size_t first, size_t end)
{
    const struct layout *l = self->layout;
    uint32_t net = gap->net;

    while (net <= self->nnet && !has_targets(l, &self->nets[net], first, end))
        net++;
    if (net > self->nnet)
        self->nets[++self->nnet] =
            (struct net){.first = first, .ntarget = end - first};
    return net;
}

static void
make_nets(struct wires *self, struct gap *gap)
{
    const struct layout *l = self->layout;

    gap->net = self->nnet + 1;
    for (size_t i = gap->from; i < gap->to; i = run_end(l, i))
        self->net_of[l->segments[i].from] =
            find_net(self, gap, i, run_end(l, i));
}

/* Where a net comes from: its sources' columns. */
struct origin {
    int n;
    long sum;
    int nearest; /* to the middle of the item it is to enter */
};

static struct origin
find_origin(const struct wires *self, const struct gap *gap, uint32_t net,
            uint32_t to)
{
    const struct layout *l = self->layout;
    struct origin origin = {0, 0, INT_MIN / 2};
    int middle = layout_middle(l, to);

    for (size_t i = gap->from; i < gap->to; i = run_end(l, i)) {
        int out = self->outs[l->segments[i].from];

        if (self->net_of[l->segments[i].from] != net)
            continue;
        origin.sum += out;
        origin.n++;
        if (abs(out - middle) < abs(origin.nearest - middle))
            origin.nearest = out;
    }
    return origin;
}

static bool
leads_to(const struct layout *l, const struct net *net, uint32_t to)
{
    for (size_t i = 0; i < net->ntarget; i++) {
        if (l->segments[net->first + i].to == to)
            return true;
    }
    return false;
}

/*
 * Where a net enters an item: straight below its source if that stands above,
 * or of several below one near the middle; else in the middle, or beside it to
 * leave room for other nets, in the order of where they come from.
 */
static int
wanted_port(const struct wires *self, const struct gap *gap, uint32_t net,
            uint32_t to)
{
    const struct layout *l = self->layout;
    struct origin mine = find_origin(self, gap, net, to);
    int middle = layout_middle(l, to), half = (l->items[to].width - 3) / 2;
    int before = 0, n = 0, step;

    if (abs(mine.nearest - middle) <= (mine.n > 1 ? half / 2 : half))
        return mine.nearest;
    for (uint32_t k = gap->net; k <= self->nnet; k++) {
        struct origin other = find_origin(self, gap, k, to);

        if (!leads_to(l, &self->nets[k], to))
            continue;
        n++;
        before += other.sum * mine.n < mine.sum * other.n ||
                  (other.sum * mine.n == mine.sum * other.n && k < net);
    }
    assert(n > 0); /* this net itself, at least */
    step = 2 * half / n < PORT_STEP ? 2 * half / n : PORT_STEP;
    return middle + (2 * before - (n - 1)) * step / 2;
}

/* A line down at the column would touch one of another net. */
static bool
is_taken(const struct wires *self, const struct gap *gap, uint32_t net,
         uint32_t to, int column)
{
    const struct layout *l = self->layout;

    for (size_t i = gap->from; i < gap->to; i++) {
        uint32_t from = l->segments[i].from;

        if (self->net_of[from] == net ||
            (is_bend(self, to) &&
             leads_to(l, &self->nets[self->net_of[from]], to)))
            continue;
        if (self->outs[from] == column ||
            (l->segments[i].to == to && self->ports[i] == column))
            return true;
    }
    return false;
}

/* The free column nearest to the wanted one; that itself if none is free. */
static int
find_port(const struct wires *self, const struct gap *gap, uint32_t net,
          uint32_t to)
{
    const struct layout_item *item = &self->layout->items[to];
    int edge = is_bend(self, to) ? 0 : 1; /* corners stay free */
    int low = item->x + edge, high = item->x + item->width - 1 - edge;
    int wanted = wanted_port(self, gap, net, to);

    for (int far = 0; far < item->width; far++) {
        if (wanted - far >= low && !is_taken(self, gap, net, to, wanted - far))
            return wanted - far;
        if (wanted + far <= high && !is_taken(self, gap, net, to, wanted + far))
            return wanted + far;
    }
    return wanted;
}

/* The segments from segment i on that enter the item at the same port: those
 * of its net; a bend has one port for all. */
static void
set_port(struct wires *self, const struct gap *gap, size_t i, int port)
{
    const struct layout_edge *segments = self->layout->segments;
    uint32_t to = segments[i].to, net = self->net_of[segments[i].from];

    for (size_t k = i; k < gap->to; k++) {
        if (segments[k].to == to &&
            (is_bend(self, to) || self->net_of[segments[k].from] == net))
            self->ports[k] = port;
    }
    if (is_bend(self, to))
        self->outs[to] = port;
}

static void
find_ports(struct wires *self, const struct gap *gap)
{
    const struct layout_edge *segments = self->layout->segments;

    for (size_t i = gap->from; i < gap->to; i++)
        self->ports[i] = -1;
    for (size_t i = gap->from; i < gap->to; i++) {
        if (self->ports[i] < 0)
            set_port(self, gap, i,
                     find_port(self, gap, self->net_of[segments[i].from],
                               segments[i].to));
    }
}

static void
widen(struct net *net, int column)
{
    net->left = column < net->left ? column : net->left;
    net->right = column > net->right ? column : net->right;
}

static void
find_widths(struct wires *self, const struct gap *gap)
{
    for (uint32_t net = gap->net; net <= self->nnet; net++)
        self->nets[net].left = self->nets[net].right =
            self->ports[self->nets[net].first];
    for (size_t i = gap->from; i < gap->to; i++) {
        uint32_t from = self->layout->segments[i].from;
        struct net *net = &self->nets[self->net_of[from]];

        widen(net, self->outs[from]);
        widen(net, self->ports[i]);
    }
}

static bool
overlap(const struct net *a, const struct net *b)
{
    return a->left <= b->right && b->left <= a->right;
}

/* Each net on the first row that is free; returns how many rows there are. */
static int
find_rows(struct wires *self, const struct gap *gap)
{
    int rows = 1;

    for (uint32_t n = gap->net; n <= self->nnet; n++) {
        struct net *net = &self->nets[n];

        for (uint32_t k = gap->net; k < n; k++) {
            const struct net *other = &self->nets[k];

            if (net->left == net->right || other->left == other->right ||
                other->row != net->row || !overlap(net, other))
                continue;
            net->row++;
            k = gap->net - 1; /* look again at all */
        }
        rows = net->row + 1 > rows ? net->row + 1 : rows;
    }
    return rows;
}

void
wires_init(struct wires *self, const struct layout *layout, const int *heights)
{
    struct gap gap = {0};

    *self = (struct wires){
        .layout = layout,
        .heights = heights,
        .tops = mem_alloc(layout->nlayer, sizeof *self->tops),
        .depths = mem_alloc(layout->nlayer, sizeof *self->depths),
        .outs = mem_alloc(layout->nitem, sizeof *self->outs),
        .ports = mem_alloc(layout->nsegment, sizeof *self->ports),
        .net_of = mem_alloc(layout->nitem, sizeof *self->net_of),
        .nets = mem_alloc((size_t)layout->nitem + 1, sizeof *self->nets),
    };
    for (uint32_t i = 0; i < layout->nbox; i++) {
        int *depth = &self->depths[layout->items[i].layer];

        self->outs[i] = layout_middle(layout, i);
        *depth = heights[i] > *depth ? heights[i] : *depth;
    }
    for (uint32_t k = 0; k < layout->nlayer; k++) {
        self->tops[k] = self->height;
        self->height += self->depths[k];
        gap.from = gap.to;
        while (gap.to < layout->nsegment &&
               layout->items[layout->segments[gap.to].from].layer == k)
            gap.to++;
        make_nets(self, &gap);
        find_ports(self, &gap);
        find_widths(self, &gap);
        if (k + 1 < layout->nlayer)
            self->height += find_rows(self, &gap);
    }
}

void
wires_release(struct wires *self)
{
    free(self->tops);
    free(self->depths);
    free(self->outs);
    free(self->ports);
    free(self->net_of);
    free(self->nets);
}

static void
draw_segment(const struct wires *self, size_t segment, struct canvas *canvas)
{
    const struct layout *l = self->layout;
    uint32_t from = l->segments[segment].from;
    uint32_t layer = l->items[from].layer;
    const struct net *net = &self->nets[self->net_of[from]];
    int row = self->tops[layer] + self->depths[layer] + net->row;
    int begin =
        self->tops[layer] - 1 +
        (is_bend(self, from) ? self->depths[layer] : self->heights[from]);
    int end = self->tops[layer + 1];

    if (net->left == net->right) {
        canvas_down(canvas, net->left, begin, end);
        return;
    }
    canvas_down(canvas, self->outs[from], begin, row);
    canvas_down(canvas, self->ports[segment], row, end);
    canvas_across(canvas, row, net->left, net->right);
}

void
wires_draw(const struct wires *self, struct canvas *canvas)
{
    const struct layout *l = self->layout;

    for (uint32_t i = l->nbox; i < l->nitem; i++) {
        int top = self->tops[l->items[i].layer];

        canvas_down(canvas, self->outs[i], top,
                    top + self->depths[l->items[i].layer] - 1);
    }
    for (size_t i = 0; i < l->nsegment; i++)
        draw_segment(self, i, canvas);
}
