/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/shape.h"

#include <assert.h>
#include <stdlib.h>

#include "base/mem.h"
#include "lib/svg.h"

char *
shape_each(const struct picture_box *box)
{
    return mem_printf("each %s", box->each);
}

char *
shape_status(const struct picture_box *box)
{
    struct buf out = {0};

    picture_status(box, &out);
    return buf_take(&out);
}

static void
widen(struct shape *shape, int inside)
{
    if (shape->width < inside + 2 * SHAPE_PAD)
        shape->width = inside + 2 * SHAPE_PAD;
}

/* Make room for a line of small text; frees it. */
static void
fit(struct shape *shape, char *text)
{
    widen(shape, svg_width(text, SHAPE_LINE_MOST, SVG_SMALL));
    shape->height += SHAPE_ROW;
    free(text);
}

/* About a square of them, or as many beside each other as there is room. */
static void
fit_cells(struct shape *shape, const struct picture_box *box)
{
    int n = (int)box->nchild, pitch, room, rows;

    assert(n > 0);
    for (int i = 0; i < n; i++) {
        int width = SHAPE_CELL_PAD +
                    svg_width(box->cells[i].label, SHAPE_CELL_MOST, SVG_TINY);

        shape->cell = width > shape->cell ? width : shape->cell;
    }
    pitch = shape->cell + SHAPE_CELL_GAP;
    room = (shape->width - 2 * SHAPE_PAD + SHAPE_CELL_GAP) / pitch;
    shape->beside = room < 1 ? 1 : room > n ? n : room;
    while (shape->beside * shape->beside < n)
        shape->beside++;
    rows = (n + shape->beside - 1) / shape->beside;
    widen(shape, shape->beside * pitch - SHAPE_CELL_GAP);
    shape->height += rows * (SHAPE_CELL_ROW + SHAPE_CELL_GAP) + SHAPE_CELL_GAP;
}

struct shape
shape_of(const struct picture *picture, const struct picture_box *box)
{
    struct shape shape = {.height = 2 * SHAPE_PAD - 8 + SHAPE_NAME_ROW};

    if (box->merge)
        return (struct shape){.width = SHAPE_MERGE_WIDTH,
                              .height = SHAPE_MERGE_HEIGHT};
    widen(&shape, svg_width(box->name, SHAPE_NAME_MOST, SVG_NAME));
    if (box->each)
        fit(&shape, shape_each(box));
    if (box->only)
        fit(&shape, mem_dup(box->only));
    if (picture->run)
        fit(&shape, shape_status(box));
    if (box->cells)
        fit_cells(&shape, box);
    else if (box->nchild > 0)
        shape.height += SHAPE_BAR + SHAPE_CELL_GAP;
    return shape;
}
