/* SPDX-License-Identifier: MPL-2.0 */
/* A picture for a terminal: boxes if they fit, else a list by layers. */
#include "lib/picture.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"
#include "lib/canvas.h"
#include "lib/wires.h"
#include "proto/limits.h"

#define WIDTH        80 /* if none was asked for */
#define NAME_COLUMNS 32 /* of a box; longer names are cut */
#define CELL_COLUMNS 16 /* of a child's key */
#define ROW_COLUMNS  56 /* of the children beside each other */
#define GAP          2  /* between boxes */
#define BEND         3  /* room for a line beside them */
#define LIST_INDENT  12 /* layers: deeper ones are not indented more */
#define LIST_MORE    10 /* columns kept for ", 123 more" */

/* A sign that works without colour, and a colour that works without it. */
static const struct sign {
    const char *sign, *colour;
} signs[PLAN_STATE_COUNT] = {
    [PLAN_WAITING] = {"\u00b7", "2"},
    [PLAN_READY] = {"\u00b7", "2"},
    [PLAN_RUNNING] = {"\u25b6", "34"},
    [PLAN_RETRYING] = {"\u21bb", "33"},
    [PLAN_PAUSED] = {"\u2016", "33"},
    [PLAN_MAPPED] = {"\u00b7", "2"},
    [PLAN_SUCCEEDED] = {"\u2714", "32"},
    [PLAN_CACHED] = {"\u2261", "36"},
    [PLAN_SKIPPED] = {"\u2013", "2"},
    [PLAN_FAILED] = {"\u2718", "31"},
    [PLAN_TIMED_OUT] = {"\u2718", "31"},
    [PLAN_CRASHED] = {"\u2718", "35"},
    [PLAN_TRIGGER_FAILED] = {"\u2718", "33"},
    [PLAN_CANCELLED] = {"\u25a0", "2"},
};

static size_t
columns(const char *text)
{
    return utf8_width(text, strlen(text));
}

/* A piece of text in a box; row and column count from its corner. */
struct piece {
    int row, column;
    char *text;
    const char *colour;
};

struct block {
    struct piece *pieces;
    size_t n, cap;
    int width, height;
};

static void
add_piece(struct block *self, int row, int column, char *text,
          const char *colour)
{
    int end = column + (int)columns(text) + 2;

    self->pieces =
        mem_grow(self->pieces, &self->cap, self->n + 1, sizeof *self->pieces);
    self->pieces[self->n++] = (struct piece){row, column, text, colour};
    self->width = end > self->width ? end : self->width;
    self->height = row + 2 > self->height ? row + 2 : self->height;
}

/* A line of the box's text below those there are. */
static void
add_row(struct block *self, struct buf *text, const char *colour)
{
    int row = self->height > 0 ? self->height - 1 : 1;

    add_piece(self, row, 2, buf_take(text), colour);
}

static char *
cell_text(const struct picture_cell *cell)
{
    struct buf out = {0};

    buf_printf(&out, "%s ", signs[cell->state].sign);
    picture_cut_front(&out, cell->label, CELL_COLUMNS);
    return buf_take(&out);
}

/* The children, in columns. */
static void
add_cells(struct block *self, const struct picture_box *box)
{
    int row = self->height - 1;
    uint32_t beside, widest = 0;

    for (uint32_t i = 0; i < box->nchild; i++) {
        uint32_t width = 2 + (uint32_t)columns(box->cells[i].label);

        width = width > CELL_COLUMNS + 2 ? CELL_COLUMNS + 2 : width;
        widest = width > widest ? width : widest;
    }
    beside = ROW_COLUMNS / (widest + 2);
    for (uint32_t i = 0; i < box->nchild; i++)
        add_piece(self, row + (int)(i / beside),
                  2 + (int)(i % beside * (widest + 2)),
                  cell_text(&box->cells[i]), signs[box->cells[i].state].colour);
}

static void
add_title(struct block *self, const struct picture_box *box)
{
    struct buf text = {0}, each = {0};

    picture_cut(&text, box->name, NAME_COLUMNS);
    if (box->each) {
        picture_cut(&each, box->each, NAME_COLUMNS);
        buf_printf(&text, " [each %s]", buf_str(&each));
    }
    add_row(self, &text, NULL);
    buf_release(&each);
}

/* Which values lead here. */
static void
add_cases(struct block *self, const struct picture *picture, uint32_t number)
{
    struct buf text = {0};

    if (picture->boxes[number].only) {
        picture_cut(&text, picture->boxes[number].only, NAME_COLUMNS);
        add_row(self, &text, NULL);
    }
    for (size_t i = 0; i < picture->nline; i++) {
        const struct picture_line *line = &picture->lines[i];
        struct buf whole = {0};

        if (line->to != number || !line->equal)
            continue;
        buf_printf(&whole, "%s = %s", picture->boxes[line->from].name,
                   line->equal);
        picture_cut(&text, buf_str(&whole), NAME_COLUMNS);
        add_row(self, &text, NULL);
        buf_release(&whole);
    }
}

static void
add_status(struct buf *out, const struct picture_box *box)
{
    buf_printf(out, "%s ", signs[box->state].sign);
    picture_status(box, out);
}

/* A merge is a sign on the line, not a box of its own. */
static void
make_merge(struct block *self)
{
    add_piece(self, 0, 0, mem_dup("\u25c7 first"), NULL);
    self->width = (int)columns(self->pieces[0].text);
    self->height = 1;
}

static void
make_block(struct block *self, const struct picture *picture, uint32_t number)
{
    const struct picture_box *box = &picture->boxes[number];
    struct buf text = {0};

    if (box->merge) {
        make_merge(self);
        return;
    }
    add_title(self, box);
    add_cases(self, picture, number);
    if (picture->run) {
        add_status(&text, box);
        add_row(self, &text, signs[box->state].colour);
    }
    if (box->cells)
        add_cells(self, box);
}

static struct block *
make_blocks(const struct picture *picture)
{
    struct block *blocks = mem_alloc(picture->nbox, sizeof *blocks);

    for (uint32_t i = 0; i < picture->nbox; i++)
        make_block(&blocks[i], picture, i);
    return blocks;
}

static void
free_blocks(struct block *blocks, uint32_t n)
{
    for (uint32_t i = 0; blocks && i < n; i++) {
        for (size_t k = 0; k < blocks[i].n; k++)
            free(blocks[i].pieces[k].text);
        free(blocks[i].pieces);
    }
    free(blocks);
}

static int
lay_out(struct layout **ret, const struct picture *picture,
        const struct layout_edge *edges, const struct block *blocks,
        struct err *err)
{
    int *widths = mem_alloc(picture->nbox, sizeof *widths);
    int rc;

    for (uint32_t i = 0; i < picture->nbox; i++)
        widths[i] = blocks ? blocks[i].width : 1;
    rc = layout_make(ret,
                     &(struct layout_graph){.widths = widths,
                                            .nbox = picture->nbox,
                                            .edges = edges,
                                            .nedge = picture->nline,
                                            .gap = GAP,
                                            .bend = BEND},
                     err);
    free(widths);
    return rc;
}

static void
draw_blocks(struct canvas *canvas, const struct layout *layout,
            const struct wires *wires, const struct picture *picture,
            const struct block *blocks)
{
    for (uint32_t i = 0; i < layout->nbox; i++) {
        int top = wires->tops[layout->items[i].layer];
        int left = layout->items[i].x;

        if (!picture->boxes[i].merge)
            canvas_box(canvas, top, left, blocks[i].height, blocks[i].width);
        for (size_t k = 0; k < blocks[i].n; k++) {
            const struct piece *piece = &blocks[i].pieces[k];

            canvas_text(canvas, top + piece->row, left + piece->column,
                        piece->text, piece->colour);
        }
    }
}

static void
draw(const struct picture *picture, const struct layout *layout,
     const struct block *blocks, bool colour, struct buf *out)
{
    int *heights = mem_alloc(picture->nbox, sizeof *heights);
    struct canvas *canvas = NULL;
    struct wires wires;

    for (uint32_t i = 0; i < picture->nbox; i++)
        heights[i] = blocks[i].height;
    wires_init(&wires, layout, heights);
    canvas = canvas_new(wires.height, layout->width);
    draw_blocks(canvas, layout, &wires, picture, blocks);
    wires_draw(&wires, canvas);
    canvas_print(canvas, colour, out);
    canvas_destroy(&canvas);
    wires_release(&wires);
    free(heights);
}

/* " <- a, b, ... 7 more", within so many columns. */
static void
add_upstream(struct buf *out, const struct picture *picture, uint32_t number,
             size_t most)
{
    const char *between = "  <- ";
    struct buf list = {0};
    size_t left = 0;

    for (size_t i = 0; i < picture->nline; i++) {
        const struct picture_line *line = &picture->lines[i];
        const char *label = picture_label(&picture->boxes[line->from]);

        if (line->to != number)
            continue;
        if (list.len > 0 && columns(buf_str(&list)) + columns(label) > most) {
            left++;
            continue;
        }
        buf_printf(&list, "%s%s", between, label);
        if (line->equal)
            buf_printf(&list, " = %s", line->equal);
        between = ", ";
    }
    if (left > 0)
        buf_printf(&list, ", %zu more", left);
    buf_text(out, buf_str(&list));
    buf_release(&list);
}

static void
list_box(struct buf *out, const struct picture *picture, uint32_t number,
         const struct graph_options *options, uint32_t indent)
{
    const struct picture_box *box = &picture->boxes[number];
    const struct sign *sign = &signs[box->state];
    struct buf text = {0};
    size_t used;

    buf_printf(out, "%*s", (int)indent, "");
    if (picture->run && options->colour)
        buf_printf(out, "\033[%sm%s\033[0m ", sign->colour, sign->sign);
    else if (picture->run)
        buf_printf(out, "%s ", sign->sign);
    buf_text(&text, picture_label(box));
    if (box->each)
        buf_printf(&text, " [each %s]", box->each);
    if (box->only)
        buf_printf(&text, " [%s]", box->only);
    if (picture->run) {
        buf_text(&text, "  ");
        picture_status(box, &text);
    }
    used = indent + LIST_MORE + columns(buf_str(&text));
    add_upstream(&text, picture, number,
                 options->width > used ? options->width - used : 0);
    buf_printf(out, "%s\n", buf_str(&text));
    buf_release(&text);
}

static int
list(const struct picture *picture, const struct layout_edge *edges,
     const struct graph_options *options, struct buf *out, struct err *err)
{
    struct layout *layout = NULL;

    if (lay_out(&layout, picture, edges, NULL, err) < 0)
        return -1;
    for (uint32_t k = 0; k < layout->nlayer; k++) {
        for (uint32_t i = layout->layers[k]; i < layout->layers[k + 1]; i++) {
            uint32_t indent = k < LIST_INDENT ? 2 * k : 2 * LIST_INDENT;

            if (layout->sorted[i] < layout->nbox)
                list_box(out, picture, layout->sorted[i], options, indent);
        }
    }
    layout_destroy(&layout);
    return 0;
}

int
graph_text(const struct picture *picture, const struct graph_options *options,
           struct buf *out, struct err *err)
{
    struct graph_options o = *options;
    struct layout_edge *edges = picture_edges(picture);
    struct block *blocks = NULL;
    struct layout *layout = NULL;
    int rc = -1;

    if (o.width == 0)
        o.width = WIDTH;
    if (picture->nbox <= LIMIT_DRAWN_BOXES) {
        blocks = make_blocks(picture);
        if (lay_out(&layout, picture, edges, blocks, err) < 0)
            goto out;
    }
    if (layout && (unsigned)layout->width <= o.width)
        draw(picture, layout, blocks, o.colour, out);
    else if (list(picture, edges, &o, out, err) < 0)
        goto out;
    rc = 0;
out:
    layout_destroy(&layout);
    free_blocks(blocks, picture->nbox);
    free(edges);
    return rc;
}
