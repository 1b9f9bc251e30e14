/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/layout_parts.h"

#include <math.h>
#include <stdlib.h>

#include "base/mem.h"

#define ROUNDS 12

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

static double
middle(const struct placing *self, uint32_t item)
{
    return self->x[item] + (self->layout->items[item].width - 1) / 2.0;
}

static bool
is_bend(const struct layout *self, uint32_t item)
{
    return item >= self->nbox;
}

/* Bends hold to each other most: long lines are to be straight. */
static void
add_wishes(const struct placing *self, const struct layout_side *side,
           uint32_t item, struct wish *wish)
{
    for (uint32_t k = side->at[item]; k < side->at[item + 1]; k++) {
        uint32_t other = side->list[k];
        double weight =
            is_bend(self->layout, item) && is_bend(self->layout, other) ? 8 : 1;

        wish->x += weight * middle(self, other);
        wish->weight += weight;
    }
}

/* Where the item's left side wants to be, and how much. */
static struct wish
find_wish(const struct placing *self, uint32_t item, enum look look)
{
    struct wish wish = {0, 0};

    if (look != LOOK_DOWN)
        add_wishes(self, &self->sides->up, item, &wish);
    if (look != LOOK_UP)
        add_wishes(self, &self->sides->down, item, &wish);
    if (wish.weight == 0)
        return (struct wish){self->x[item], 0.05};
    wish.x /= wish.weight;
    wish.x -= (self->layout->items[item].width - 1) / 2.0;
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
    double least = HUGE_VAL;

    for (uint32_t i = 0; i < self->nitem; i++)
        least = fmin(least, floor(x[i] + 0.5));
    for (uint32_t i = 0; i < self->nitem; i++) {
        struct layout_item *item = &self->items[i];

        item->x = (int)(floor(x[i] + 0.5) - least);
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
    free(p.x);
    free(p.groups);
    free(p.offsets);
}
