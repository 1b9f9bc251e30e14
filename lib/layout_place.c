/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/layout_parts.h"

#include <limits.h>
#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define ROUNDS      12
#define BEND_WEIGHT 8    /* of a line that would be straight */
#define LONE_WEIGHT 0.05 /* of staying where it is */

/* Items of a layer that stand shoulder to shoulder. */
struct group {
    double sum, weight; /* of where its items want it to begin */
    uint32_t first;     /* place of its first item in the layer */
};

struct placing {
    const struct layout *layout;
    const struct layout_sides *sides;
    double *x; /* left sides */
    struct group *groups;
    double *offsets; /* in a layer, of items packed without room between */
    int gap;
};

enum look { LOOK_UP, LOOK_DOWN, LOOK_BOTH };

struct wish {
    double x, weight;
};

/* From an item's left side to its middle, a whole number as that is. */
static int
half(const struct layout *self, uint32_t item)
{
    return (self->items[item].width - 1) / 2;
}

static double
middle(const struct placing *self, uint32_t item)
{
    return self->x[item] + half(self->layout, item);
}

static bool
is_bend(const struct layout *self, uint32_t item)
{
    return item >= self->nbox;
}

static void
add_wishes(const struct placing *self, const struct layout_side *side,
           uint32_t item, bool of_bends, struct wish *wish)
{
    for (uint32_t k = side->at[item]; k < side->at[item + 1]; k++) {
        if (is_bend(self->layout, side->list[k]) < of_bends)
            continue;
        wish->x += middle(self, side->list[k]);
        wish->weight++;
    }
}

static struct wish
add_sides(const struct placing *self, uint32_t item, enum look look,
          bool of_bends)
{
    struct wish wish = {0, 0};

    if (look != LOOK_DOWN)
        add_wishes(self, &self->sides->up, item, of_bends, &wish);
    if (look != LOOK_UP)
        add_wishes(self, &self->sides->down, item, of_bends, &wish);
    return wish;
}

/* Where the item's left side wants to be, and how much. Bends look at bends
 * first, and insist: long lines are to be straight. */
static struct wish
find_wish(const struct placing *self, uint32_t item, enum look look)
{
    bool bend = is_bend(self->layout, item);
    struct wish wish = add_sides(self, item, look, bend);

    if (bend && wish.weight > 0)
        wish = (struct wish){BEND_WEIGHT * wish.x, BEND_WEIGHT * wish.weight};
    else if (bend)
        wish = add_sides(self, item, look, false);
    if (wish.weight == 0)
        return (struct wish){self->x[item], LONE_WEIGHT};
    wish.x = wish.x / wish.weight - half(self->layout, item);
    return wish;
}

/* Of the last two groups, the left one wants to reach into the right one. */
static bool
collide(const struct group *groups, uint32_t n)
{
    return n > 1 && groups[n - 2].sum / groups[n - 2].weight >
                        groups[n - 1].sum / groups[n - 1].weight;
}

/*
 * Give the items of a layer the places nearest to their wishes (least squares)
 * that keep order and distance: an isotonic regression, by joining neighbours
 * that collide.
 */
static void
place_layer(struct placing *self, uint32_t layer, enum look look)
{
    const struct layout *l = self->layout;
    const uint32_t *items = l->sorted + l->layers[layer];
    uint32_t nitem = l->layers[layer + 1] - l->layers[layer];
    struct group *g = self->groups;
    double offset = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < nitem; i++) {
        struct wish wish = find_wish(self, items[i], look);

        self->offsets[i] = offset;
        offset += l->items[items[i]].width + self->gap;
        g[n++] = (struct group){(wish.x - self->offsets[i]) * wish.weight,
                                wish.weight, i};
        for (; collide(g, n); n--) {
            g[n - 2].sum += g[n - 1].sum;
            g[n - 2].weight += g[n - 1].weight;
        }
    }
    for (uint32_t i = nitem; i-- > 0;) {
        self->x[items[i]] = g[n - 1].sum / g[n - 1].weight + self->offsets[i];
        if (g[n - 1].first == i)
            n--;
    }
}

/* Every layer packed, and centred. */
static void
pack(struct placing *self)
{
    const struct layout *l = self->layout;

    for (uint32_t k = 0; k < l->nlayer; k++) {
        double at = 0;

        for (uint32_t i = l->layers[k]; i < l->layers[k + 1]; i++) {
            self->x[l->sorted[i]] = at;
            at += l->items[l->sorted[i]].width + self->gap;
        }
        for (uint32_t i = l->layers[k]; i < l->layers[k + 1]; i++)
            self->x[l->sorted[i]] -= (at - self->gap) / 2;
    }
}

static void
place_all(struct placing *self, enum look look)
{
    uint32_t n = self->layout->nlayer;

    for (uint32_t k = 0; k < n; k++)
        place_layer(self, look == LOOK_DOWN ? n - 1 - k : k, look);
}

/* Whole numbers: rounding keeps distances, which are whole themselves. */
static void
settle(struct layout *self, const double *x)
{
    for (uint32_t i = 0; i < self->nitem; i++)
        self->items[i].x = (int)floor(x[i] + 0.5);
}

/* There is room in its layer to move an item to x. */
static bool
has_room(const struct layout *self, uint32_t place, int x, int gap)
{
    const struct layout_item *item = &self->items[self->sorted[place]];
    const struct layout_item *other;

    if (place > self->layers[item->layer]) {
        other = &self->items[self->sorted[place - 1]];
        if (x < other->x + other->width + gap)
            return false;
    }
    if (place + 1 < self->layers[item->layer + 1]) {
        other = &self->items[self->sorted[place + 1]];
        if (x + item->width + gap > other->x)
            return false;
    }
    return true;
}

/* Move a bend below (or above) the one it leads on from, if it can. */
static void
straighten(struct layout *self, const struct layout_side *side, uint32_t place,
           int gap)
{
    uint32_t item = self->sorted[place];

    if (!is_bend(self, item))
        return;
    for (uint32_t k = side->at[item]; k < side->at[item + 1]; k++) {
        uint32_t other = side->list[k];

        if (is_bend(self, other) &&
            has_room(self, place, self->items[other].x, gap))
            self->items[item].x = self->items[other].x;
    }
}

static void
straighten_all(struct layout *self, const struct layout_sides *sides, int gap)
{
    for (uint32_t i = 0; i < self->nitem; i++)
        straighten(self, &sides->up, i, gap);
    for (uint32_t i = self->nitem; i-- > 0;)
        straighten(self, &sides->down, i, gap);
}

/* The least x becomes 0. */
static void
move_home(struct layout *self)
{
    int least = INT_MAX;

    for (uint32_t i = 0; i < self->nitem; i++)
        least = self->items[i].x < least ? self->items[i].x : least;
    for (uint32_t i = 0; i < self->nitem; i++) {
        struct layout_item *item = &self->items[i];

        item->x -= least;
        if (self->width < item->x + item->width)
            self->width = item->x + item->width;
    }
}

void
layout_place(struct layout *self, const struct layout_sides *sides, int gap)
{
    struct placing p = {
        .layout = self,
        .sides = sides,
        .x = mem_alloc(self->nitem, sizeof *p.x),
        .groups = mem_alloc(self->nitem, sizeof *p.groups),
        .offsets = mem_alloc(self->nitem, sizeof *p.offsets),
        .gap = gap,
    };

    pack(&p);
    for (int i = 0; i < ROUNDS; i++) {
        place_all(&p, LOOK_UP);
        place_all(&p, LOOK_DOWN);
    }
    for (int i = 0; i < ROUNDS / 2; i++)
        place_all(&p, LOOK_BOTH);
    settle(self, p.x);
    straighten_all(self, sides, gap);
    move_home(self);
    free(p.x);
    free(p.groups);
    free(p.offsets);
}
