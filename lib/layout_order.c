/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/layout_parts.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

#define SWEEPS 16 /* down and up; quality stops growing long before */
#define SWAPS  8  /* passes over all neighbouring pairs */

struct place {
    double key;
    uint32_t order, item;
};

static int
compare_places(const void *a, const void *b)
{
    const struct place *x = a, *y = b;

    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->order < y->order ? -1 : x->order > y->order;
}

static uint32_t
layer_size(const struct layout *self, uint32_t layer)
{
    return self->layers[layer + 1] - self->layers[layer];
}

/* Where an item would like to be: amid its neighbours in the other layer; one
 * without any stays about where it is. */
static double
amid(const struct layout *self, const struct layout_side *side, uint32_t item,
     uint32_t other)
{
    uint32_t from = side->at[item], to = side->at[item + 1];
    const struct layout_item *it = &self->items[item];
    double sum = 0;

    if (from == to)
        return (double)it->order * layer_size(self, other) /
               layer_size(self, it->layer);
    for (uint32_t k = from; k < to; k++)
        sum += self->items[side->list[k]].order;
    return sum / (to - from);
}

static void
sort_layer(struct layout *self, const struct layout_side *side, uint32_t layer,
           uint32_t other, struct place *places)
{
    uint32_t *items = self->sorted + self->layers[layer];
    uint32_t n = layer_size(self, layer);

    for (uint32_t i = 0; i < n; i++)
        places[i] =
            (struct place){amid(self, side, items[i], other), i, items[i]};
    qsort(places, n, sizeof *places, compare_places);
    for (uint32_t i = 0; i < n; i++) {
        items[i] = places[i].item;
        self->items[items[i]].order = i;
    }
}

static void
sweep(struct layout *self, const struct layout_sides *sides, bool down,
      struct place *places)
{
    for (uint32_t k = 1; k < self->nlayer; k++) {
        if (down)
            sort_layer(self, &sides->up, k, k - 1, places);
        else
            sort_layer(self, &sides->down, self->nlayer - 1 - k,
                       self->nlayer - k, places);
    }
}

static void
set_orders(struct layout *self)
{
    for (uint32_t k = 0; k < self->nlayer; k++) {
        for (uint32_t i = self->layers[k]; i < self->layers[k + 1]; i++)
            self->items[self->sorted[i]].order = i - self->layers[k];
    }
}

/* A tree of sums (Fenwick): how many orders seen so far are above one. */
struct tally {
    uint32_t *sums;
    uint32_t n;
};

static void
tally_add(struct tally *self, uint32_t order)
{
    for (uint32_t i = order + 1; i <= self->n; i += i & -i)
        self->sums[i]++;
}

static uint32_t
tally_up_to(const struct tally *self, uint32_t order)
{
    uint32_t sum = 0;

    for (uint32_t i = order + 1; i > 0; i -= i & -i)
        sum += self->sums[i];
    return sum;
}

static uint64_t
count_layer(const struct layout *self, const struct layout_side *down,
            uint32_t layer, struct tally *tally)
{
    uint64_t crossings = 0;
    uint32_t seen = 0;

    tally->n = layer_size(self, layer + 1);
    memset(tally->sums, 0, ((size_t)tally->n + 1) * sizeof *tally->sums);
    for (uint32_t i = self->layers[layer]; i < self->layers[layer + 1]; i++) {
        uint32_t from = down->at[self->sorted[i]];
        uint32_t to = down->at[self->sorted[i] + 1];

        for (uint32_t k = from; k < to; k++)
            crossings +=
                seen - tally_up_to(tally, self->items[down->list[k]].order);
        for (uint32_t k = from; k < to; k++)
            tally_add(tally, self->items[down->list[k]].order);
        seen += to - from;
    }
    return crossings;
}

static uint64_t
count_all(const struct layout *self, const struct layout_side *down)
{
    struct tally tally = {
        .sums = mem_alloc((size_t)self->nitem + 1, sizeof *tally.sums)};
    uint64_t crossings = 0;

    for (uint32_t k = 0; k + 1 < self->nlayer; k++)
        crossings += count_layer(self, down, k, &tally);
    free(tally.sums);
    return crossings;
}

/* Neighbours of an item by their order: they were grouped in another. */
static void
sort_neighbours(const struct layout *self, struct layout_side *side,
                uint32_t item, struct place *places)
{
    uint32_t *list = side->list + side->at[item];
    uint32_t n = side->at[item + 1] - side->at[item];

    for (uint32_t i = 0; i < n; i++)
        places[i] = (struct place){self->items[list[i]].order, i, list[i]};
    qsort(places, n, sizeof *places, compare_places);
    for (uint32_t i = 0; i < n; i++)
        list[i] = places[i].item;
}

/* Crossings of a's segments with b's on one side if a stands left of b. */
static int64_t
crossings_of(const struct layout *self, const struct layout_side *side,
             uint32_t a, uint32_t b)
{
    uint32_t j = side->at[b];
    int64_t crossings = 0;

    for (uint32_t i = side->at[a]; i < side->at[a + 1]; i++) {
        while (j < side->at[b + 1] && self->items[side->list[j]].order <
                                          self->items[side->list[i]].order)
            j++;
        crossings += j - side->at[b];
    }
    return crossings;
}

static bool
swap_layer(struct layout *self, struct layout_sides *sides, uint32_t layer,
           struct place *places)
{
    uint32_t *items = self->sorted + self->layers[layer];
    bool swapped = false;

    for (uint32_t i = 0; i < layer_size(self, layer); i++) {
        sort_neighbours(self, &sides->up, items[i], places);
        sort_neighbours(self, &sides->down, items[i], places);
    }
    for (uint32_t i = 0; i + 1 < layer_size(self, layer); i++) {
        uint32_t a = items[i], b = items[i + 1];

        if (crossings_of(self, &sides->up, a, b) +
                crossings_of(self, &sides->down, a, b) <=
            crossings_of(self, &sides->up, b, a) +
                crossings_of(self, &sides->down, b, a))
            continue;
        items[i] = b;
        items[i + 1] = a;
        self->items[b].order = i;
        self->items[a].order = i + 1;
        swapped = true;
    }
    return swapped;
}

static void
swap_neighbours(struct layout *self, struct layout_sides *sides,
                struct place *places)
{
    bool swapped = true;

    for (int pass = 0; pass < SWAPS && swapped; pass++) {
        swapped = false;
        for (uint32_t k = 0; k < self->nlayer; k++)
            swapped = swap_layer(self, sides, k, places) || swapped;
    }
}

void
layout_order(struct layout *self, struct layout_sides *sides)
{
    size_t most = self->nitem + self->nsegment;
    struct place *places = mem_alloc(most, sizeof *places);
    uint32_t *best = mem_alloc(self->nitem, sizeof *best);
    uint64_t least;

    set_orders(self);
    least = count_all(self, &sides->down);
    memcpy(best, self->sorted, self->nitem * sizeof *best);
    for (int i = 0; i < SWEEPS && least > 0; i++) {
        uint64_t crossings;

        sweep(self, sides, i % 2 == 0, places);
        crossings = count_all(self, &sides->down);
        if (crossings < least) {
            least = crossings;
            memcpy(best, self->sorted, self->nitem * sizeof *best);
        }
    }
    memcpy(self->sorted, best, self->nitem * sizeof *best);
    set_orders(self);
    if (least > 0)
        swap_neighbours(self, sides, places);
    for (uint32_t i = 0; i < self->nitem; i++)
        sort_neighbours(self, &sides->down, i, places);
    free(best);
    free(places);
}
