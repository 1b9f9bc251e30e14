/* SPDX-License-Identifier: MPL-2.0 */
/*
 * layout - where the boxes of a layered picture go.
 *
 * After Sugiyama: boxes stand in layers, and every edge leads downwards. An
 * edge longer than one layer passes those between at bends; edges that leave
 * the same box, or enter the same, share theirs. Boxes and bends together are
 * items, boxes first. Pure and deterministic: the same graph, the same layout.
 */
#ifndef LIB_LAYOUT_H
#define LIB_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct layout_edge {
    uint32_t from, to;
};

struct layout_graph {
    const int *widths; /* of the boxes, above 0 */
    uint32_t nbox;
    const struct layout_edge *edges; /* no cycles, each pair once */
    size_t nedge;
    int gap;  /* between neighbours in a layer, at least */
    int bend; /* the width a bend takes */
};

struct layout_item {
    uint32_t layer;
    uint32_t order; /* in its layer, from the left */
    int x;          /* its left side; the least of all is 0 */
    int width;
};

struct layout {
    struct layout_item *items;
    uint32_t nbox, nitem;
    uint32_t nlayer;
    uint32_t *layers; /* layer k: sorted[layers[k]..layers[k + 1] - 1] */
    uint32_t *sorted; /* items by layer and order */
    /* from one layer to the next, by layer, order of from, order of to */
    struct layout_edge *segments;
    size_t nsegment;
    int width;

    struct layout_chain *chains; /* private: the bends of each box */
    bool *by_target;             /* private: an edge has its target's bends */
    const struct layout_edge *edges; /* borrowed */
};

/*
 * Lay out a graph, whose edges must live as long as the layout. ERR_LIMIT if
 * it would take more than LIMIT_DRAWN_LINES pieces of line.
 */
int layout_make(struct layout **ret, const struct layout_graph *graph,
                struct err *err);
void layout_destroy(struct layout **self_p);

/* The middle of an item. */
int layout_middle(const struct layout *self, uint32_t item);

/* The item at which an edge passes a layer, its two ends included. */
uint32_t layout_via(const struct layout *self, size_t edge, uint32_t layer);

#endif
