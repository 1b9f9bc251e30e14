/* SPDX-License-Identifier: MPL-2.0 */
/*
 * shape - how much room the boxes of an SVG picture take.
 */
#ifndef LIB_SHAPE_H
#define LIB_SHAPE_H

#include "lib/picture.h"

/* Pixels. */
enum {
    SHAPE_PAD = 12, /* round the text */
    SHAPE_ROW = 16, /* a line of it */
    SHAPE_NAME_ROW = 18,
    SHAPE_CELL_ROW = 19,
    SHAPE_CELL_GAP = 4,
    SHAPE_CELL_PAD = 24,
    SHAPE_BAR = 8,
    SHAPE_MERGE_WIDTH = 68,
    SHAPE_MERGE_HEIGHT = 30,
};

/* Columns: longer text is cut. */
enum { SHAPE_NAME_MOST = 40, SHAPE_LINE_MOST = 64, SHAPE_CELL_MOST = 14 };

struct shape {
    int width, height;
    int beside; /* cells in a row */
    int cell;   /* width of one */
};

struct shape shape_of(const struct picture *picture,
                      const struct picture_box *box);

/* Lines of a box's text, heap strings. */
char *shape_each(const struct picture_box *box);
char *shape_status(const struct picture_box *box);

#endif
