/* SPDX-License-Identifier: MPL-2.0 */
/*
 * layout_parts - the steps of a layout, which share these lists.
 */
#ifndef LIB_LAYOUT_PARTS_H
#define LIB_LAYOUT_PARTS_H

#include "lib/layout.h"

/* The neighbours of item i on one side: list[at[i]..at[i + 1] - 1]. */
struct layout_side {
    uint32_t *at;
    uint32_t *list;
};

struct layout_sides {
    struct layout_side up, down;
};

/* Order the items of every layer so that few segments cross, and the lists of
 * items below by that order. */
void layout_order(struct layout *self, struct layout_sides *sides);

/* Give every item its x, from the order. */
void layout_place(struct layout *self, const struct layout_sides *sides,
                  int gap);

#endif
