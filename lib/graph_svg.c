/* SPDX-License-Identifier: MPL-2.0 */
/* A picture as SVG: one file without scripts and fonts, for light and dark. */
#include "lib/picture.h"

#include <stdlib.h>

#include "base/mem.h"
#include "base/span.h"
#include "lib/critical.h"
#include "lib/shape.h"
#include "lib/svg.h"

/* Pixels. */
enum {
    MARGIN = 24,
    HEADER = 22,        /* of a line above the picture */
    HEADER_LEAST = 520, /* how wide it may be above a narrow picture */
    GAP = 28,           /* between boxes */
    BEND = 16,
    FALL = 44, /* from one layer to the next, at least */
    FALL_MOST = 110,
    FALL_PER = 10, /* one pixel more for so many sideways */
    STACK = 4,     /* how much of the boxes behind shows */
};

struct drawing {
    const struct picture *picture;
    struct layout *layout;
    struct critical *critical;
    struct shape *shapes;
    int *tops, *depths; /* of the layers */
    int width, height;  /* of the page */
    int left, top;      /* of the picture in it */
    struct buf *out;
};

static int
at_least(int a, int b)
{
    return a > b ? a : b;
}

/* How far each layer is above the next: the wider its lines lead sideways, the
 * more room they get to fall. */
static int *
find_falls(const struct layout *l)
{
    int *falls = mem_alloc(l->nlayer, sizeof *falls);

    for (size_t i = 0; i < l->nsegment; i++) {
        uint32_t from = l->segments[i].from, to = l->segments[i].to;
        int *fall = &falls[l->items[from].layer];

        *fall = at_least(
            *fall, FALL + abs(layout_middle(l, from) - layout_middle(l, to)) /
                              FALL_PER);
        if (*fall > FALL_MOST)
            *fall = FALL_MOST;
    }
    return falls;
}

static void
find_tops(struct drawing *self)
{
    const struct layout *l = self->layout;
    int *falls = find_falls(l);
    int y = self->top;

    for (uint32_t i = 0; i < l->nbox; i++) {
        int *depth = &self->depths[l->items[i].layer];

        *depth = at_least(*depth, self->shapes[i].height);
    }
    for (uint32_t k = 0; k < l->nlayer; k++) {
        self->tops[k] = y;
        y += self->depths[k] + falls[k];
    }
    self->height = y + MARGIN;
    free(falls);
}

/* Boxes stand in the middle of their layers. */
static int
box_top(const struct drawing *self, uint32_t box)
{
    uint32_t layer = self->layout->items[box].layer;

    return self->tops[layer] +
           (self->depths[layer] - self->shapes[box].height) / 2;
}

static int
middle(const struct drawing *self, uint32_t item)
{
    return self->left + layout_middle(self->layout, item);
}

static void
add_path(const struct drawing *self, size_t number)
{
    const struct picture_line *line = &self->picture->lines[number];
    const struct layout *l = self->layout;
    uint32_t layer = l->items[line->from].layer;
    uint32_t last = l->items[line->to].layer;
    int x = middle(self, line->from);

    buf_printf(self->out, "M%d %d", x,
               box_top(self, line->from) + self->shapes[line->from].height);
    for (; layer < last; layer++) {
        int next = middle(self, layout_via(l, number, layer + 1));
        int from = self->tops[layer] + self->depths[layer];
        int to = self->tops[layer + 1], half = (from + to) / 2;

        buf_printf(self->out, "V%d", from);
        if (next == x)
            buf_printf(self->out, "V%d", to);
        else
            buf_printf(self->out, "C%d %d %d %d %d %d", x, half, next, half,
                       next, to);
        x = next;
    }
    buf_printf(self->out, "V%d", box_top(self, line->to));
}

static void
draw_line(const struct drawing *self, size_t number)
{
    const struct picture_line *line = &self->picture->lines[number];
    bool off = self->picture->run &&
               self->picture->boxes[line->to].state == PLAN_SKIPPED;

    buf_printf(self->out, "<path class=\"line%s%s%s\" d=\"",
               line->each ? " each" : "", off ? " off" : "",
               self->critical->lines[number] ? " long" : "");
    add_path(self, number);
    buf_text(self->out, "\" marker-end=\"url(#leat-arrow)\"/>\n");
}

/* Beside the arrow that enters the box. */
static void
draw_line_label(const struct drawing *self, const struct picture_line *line)
{
    struct buf text = {0};

    if (line->equal)
        buf_printf(&text, "= %s", line->equal);
    else if (line->each)
        buf_text(&text, "each");
    if (text.len > 0)
        svg_text(self->out, middle(self, line->to) + 7,
                 box_top(self, line->to) - 7, "label", buf_str(&text),
                 SHAPE_NAME_MOST);
    buf_release(&text);
}

/* A tooltip: name, state, and cause or value. */
static void
draw_title(const struct drawing *self, const char *name, const char *status,
           const char *note)
{
    buf_text(self->out, "<title>");
    svg_escape(self->out, name);
    if (status)
        buf_printf(self->out, "\n%s", status);
    if (note) {
        buf_char(self->out, '\n');
        svg_escape(self->out, note);
    }
    buf_text(self->out, "</title>");
}

static void
draw_cell(const struct drawing *self, const struct picture_cell *cell, int x,
          int y, int width)
{
    const char *state = plan_state_names[cell->state];
    /* A sign, for those who can't tell the colours. */
    const char *sign = !plan_state_is_final(cell->state)    ? ""
                       : plan_state_is_success(cell->state) ? ""
                                                            : "\u00d7 ";
    struct buf label = {0};
    char *status = NULL;
    char text[SPAN_TEXT];

    buf_text(&label, sign);
    picture_cut_front(&label, cell->label, SHAPE_CELL_MOST);
    if (cell->took > 0)
        status = mem_printf("%s %s", state, span_format(cell->took, text));
    buf_printf(self->out, "<g class=\"%s\">", state);
    draw_title(self, cell->label, status ? status : state, cell->note);
    buf_printf(self->out,
               "<rect class=\"cell\" x=\"%d\" y=\"%d\" width=\"%d\" "
               "height=\"%d\" rx=\"3\"/>"
               "<rect class=\"strip\" x=\"%d\" y=\"%d\" width=\"4\" "
               "height=\"%d\" rx=\"2\"/>",
               x, y, width, SHAPE_CELL_ROW, x, y, SHAPE_CELL_ROW);
    svg_text(self->out, x + width / 2, y + 13, "tiny", buf_str(&label),
             SHAPE_CELL_MOST + 2);
    buf_text(self->out, "</g>\n");
    free(status);
    buf_release(&label);
}

static void
draw_cells(const struct drawing *self, uint32_t number, int x, int y)
{
    const struct picture_box *box = &self->picture->boxes[number];
    const struct shape *shape = &self->shapes[number];

    for (int i = 0; i < (int)box->nchild; i++)
        draw_cell(self, &box->cells[i],
                  x + i % shape->beside * (shape->cell + SHAPE_CELL_GAP),
                  y + i / shape->beside * (SHAPE_CELL_ROW + SHAPE_CELL_GAP),
                  shape->cell);
}

/* How many of the children are in which state, as parts of a bar. */
static void
draw_bar(const struct drawing *self, uint32_t number, int x, int y)
{
    const struct picture_box *box = &self->picture->boxes[number];
    int width = self->shapes[number].width - 2 * SHAPE_PAD;
    uint64_t seen = 0;

    for (int i = 0; i < PLAN_STATE_COUNT; i++) {
        int state = (i + PLAN_SUCCEEDED) % PLAN_STATE_COUNT;
        double from = (double)seen * width / box->nchild;

        seen += box->count[state];
        if (box->count[state] > 0)
            buf_printf(self->out,
                       "<rect class=\"bar\" x=\"%.1f\" y=\"%d\" "
                       "width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n",
                       x + from, y, (double)seen * width / box->nchild - from,
                       SHAPE_BAR, picture_styles[state].line);
    }
}

static void
draw_merge(const struct drawing *self, int x, int y)
{
    buf_printf(
        self->out, "<path class=\"frame\" d=\"M%d %dl%d %dl%d %dl%d %dz\"/>", x,
        y + SHAPE_MERGE_HEIGHT / 2, SHAPE_MERGE_WIDTH / 2,
        -SHAPE_MERGE_HEIGHT / 2, SHAPE_MERGE_WIDTH / 2, SHAPE_MERGE_HEIGHT / 2,
        -SHAPE_MERGE_WIDTH / 2, SHAPE_MERGE_HEIGHT / 2);
    svg_text(self->out, x + SHAPE_MERGE_WIDTH / 2,
             y + SHAPE_MERGE_HEIGHT / 2 + 4, "tiny", "first", SHAPE_NAME_MOST);
}

static void
draw_frame(const struct drawing *self, const struct shape *shape, int x, int y,
           bool many)
{
    if (many)
        buf_printf(self->out,
                   "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" "
                   "height=\"%d\" rx=\"6\"/>",
                   x + STACK, y + STACK, shape->width, shape->height);
    buf_printf(self->out,
               "<rect class=\"frame\" x=\"%d\" y=\"%d\" width=\"%d\" "
               "height=\"%d\" rx=\"6\"/>",
               x, y, shape->width, shape->height);
    if (self->picture->run)
        buf_printf(self->out,
                   "<rect class=\"strip\" x=\"%d\" y=\"%d\" width=\"4\" "
                   "height=\"%d\" rx=\"2\"/>",
                   x, y + 3, shape->height - 6);
    buf_char(self->out, '\n');
}

/* A line of text in a box, below those before; frees it. */
static void
draw_row(const struct drawing *self, int x, int *y, char *text)
{
    *y += SHAPE_ROW;
    svg_text(self->out, x, *y, "small", text, SHAPE_LINE_MOST);
    free(text);
}

static void
draw_inside(const struct drawing *self, uint32_t number, int x, int y)
{
    const struct picture_box *box = &self->picture->boxes[number];

    y += SHAPE_PAD + 9;
    x += SHAPE_PAD;
    svg_text(self->out, x, y, "name", box->name, SHAPE_NAME_MOST);
    if (box->each)
        draw_row(self, x, &y, shape_each(box));
    if (box->only)
        draw_row(self, x, &y, mem_dup(box->only));
    if (self->picture->run)
        draw_row(self, x, &y, shape_status(box));
    if (box->cells)
        draw_cells(self, number, x, y + 2 * SHAPE_CELL_GAP);
    else if (box->nchild > 0)
        draw_bar(self, number, x, y + 2 * SHAPE_CELL_GAP);
}

static void
draw_box(const struct drawing *self, uint32_t number)
{
    const struct picture_box *box = &self->picture->boxes[number];
    int x = self->left + self->layout->items[number].x;
    int y = box_top(self, number);
    char *status = self->picture->run ? shape_status(box) : NULL;

    buf_printf(self->out, "<g class=\"%s%s\">",
               self->picture->run ? plan_state_names[box->state] : "plain",
               self->critical->boxes[number] ? " long" : "");
    draw_title(self, picture_label(box), status, box->note);
    free(status);
    if (box->merge) {
        draw_merge(self, x, y);
    } else {
        draw_frame(self, &self->shapes[number], x, y, box->each);
        draw_inside(self, number, x, y);
    }
    buf_text(self->out, "</g>\n");
}

/* The texts above the picture, which may be wider than it. */
static void
draw_header(struct drawing *self, bool dry)
{
    struct buf run = {0};
    const char *lines[] = {self->picture->name, NULL, self->picture->params};
    static const char *const classes[] = {"head", "small", "small"};
    static const enum svg_size sizes[] = {SVG_HEAD, SVG_SMALL, SVG_SMALL};
    int room = at_least(self->layout->width, HEADER_LEAST);
    char text[SPAN_TEXT];

    if (self->picture->run) {
        buf_text(&run, self->picture->run);
        if (self->critical->took > 0)
            buf_printf(&run, ", longest chain %s",
                       span_format(self->critical->took, text));
        lines[1] = buf_str(&run);
    }
    self->top = MARGIN;
    for (int i = 0; i < 3; i++) {
        int most = svg_fit(room, sizes[i]);

        if (!lines[i])
            continue;
        self->top += HEADER;
        self->width = at_least(
            self->width, svg_width(lines[i], most, sizes[i]) + 2 * MARGIN);
        if (!dry)
            svg_text(self->out, MARGIN, self->top - 6, classes[i], lines[i],
                     most);
    }
    self->top += MARGIN / 2;
    buf_release(&run);
}

static void
draw_all(struct drawing *self)
{
    svg_begin(self->out, self->width, self->height, self->picture->name);
    draw_header(self, false);
    /* The longest chain on top of the others. */
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < self->picture->nline; i++) {
            if (self->critical->lines[i] == (k == 1))
                draw_line(self, i);
        }
    }
    for (uint32_t i = 0; i < self->picture->nbox; i++)
        draw_box(self, i);
    for (size_t i = 0; i < self->picture->nline; i++)
        draw_line_label(self, &self->picture->lines[i]);
    buf_text(self->out, "</svg>\n");
}

static int
lay_out(struct drawing *self, const struct layout_edge *edges, struct err *err)
{
    uint32_t n = self->picture->nbox;
    int *widths = mem_alloc(n, sizeof *widths);
    int rc;

    for (uint32_t i = 0; i < n; i++) {
        self->shapes[i] = shape_of(self->picture, &self->picture->boxes[i]);
        widths[i] = self->shapes[i].width;
    }
    rc = layout_make(&self->layout,
                     &(struct layout_graph){.widths = widths,
                                            .nbox = n,
                                            .edges = edges,
                                            .nedge = self->picture->nline,
                                            .gap = GAP,
                                            .bend = BEND},
                     err);
    free(widths);
    return rc;
}

int
graph_svg(const struct picture *picture, struct buf *out, struct err *err)
{
    struct layout_edge *edges = picture_edges(picture);
    struct drawing d = {.picture = picture, .out = out};
    int rc = -1;

    d.shapes = mem_alloc(picture->nbox, sizeof *d.shapes);
    if (lay_out(&d, edges, err) < 0)
        goto out;
    d.critical = critical_find(picture, d.layout);
    d.tops = mem_alloc(d.layout->nlayer, sizeof *d.tops);
    d.depths = mem_alloc(d.layout->nlayer, sizeof *d.depths);
    d.width = d.layout->width + 2 * MARGIN;
    draw_header(&d, true);
    d.left = (d.width - d.layout->width) / 2;
    find_tops(&d);
    draw_all(&d);
    rc = 0;
out:
    critical_destroy(&d.critical);
    layout_destroy(&d.layout);
    free(d.shapes);
    free(d.tops);
    free(d.depths);
    free(edges);
    return rc;
}
