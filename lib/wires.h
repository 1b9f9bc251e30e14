/* SPDX-License-Identifier: MPL-2.0 */
/*
 * wires - the lines between the boxes of a text picture.
 *
 * Between two layers, all items that lead to the same items form a net: one
 * line across that they join from above and leave downwards. So lines meet only
 * where everything above leads to everything below, or where they end at the
 * same bend. Nets that would overlap go on rows of their own.
 */
#ifndef LIB_WIRES_H
#define LIB_WIRES_H

#include <stddef.h>
#include <stdint.h>

#include "lib/canvas.h"
#include "lib/layout.h"

struct wires {
    const struct layout *layout; /* borrowed, with the heights */
    const int *heights;          /* of the boxes, in rows */
    int *tops;                   /* first row of each layer */
    int height;                  /* of the whole, in rows */

    int *depths;      /* private: rows of each layer */
    int *outs;        /* column at which lines leave an item */
    int *ports;       /* column at which each segment enters */
    uint32_t *net_of; /* of each item, downwards */
    struct net *nets; /* from 1 on */
    uint32_t nnet;
};

void wires_init(struct wires *self, const struct layout *layout,
                const int *heights);
void wires_release(struct wires *self);

/* Boxes are to be drawn before. */
void wires_draw(const struct wires *self, struct canvas *canvas);

#endif
