/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/canvas.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/utf8.h"

enum { UP = 1, DOWN = 2, LEFT = 4, RIGHT = 8, ALL = 15 };

/* By the sides at which lines enter: UP + 2 DOWN + 4 LEFT + 8 RIGHT. */
static const char *const glyphs[ALL + 1] = {
    " ", "│", "│", "│", "─", "┘", "┐", "┤",
    "─", "└", "┌", "├", "─", "┴", "┬", "┼",
};

struct cell {
    uint8_t sides;
    bool joint; /* a line down begins or ends here */
};

struct text {
    int row, column;
    const char *text, *colour;
};

struct canvas {
    int rows, columns;
    struct cell *cells;
    struct text *texts;
    size_t ntext, cap_text;
};

struct canvas *
canvas_new(int rows, int columns)
{
    struct canvas *self = mem_alloc(1, sizeof *self);

    self->rows = rows;
    self->columns = columns;
    self->cells =
        mem_alloc((size_t)rows * (size_t)columns, sizeof *self->cells);
    return self;
}

void
canvas_destroy(struct canvas **self_p)
{
    struct canvas *self = *self_p;

    if (!self)
        return;
    free(self->cells);
    free(self->texts);
    free(self);
    *self_p = NULL;
}

static struct cell *
cell_at(const struct canvas *self, int row, int column)
{
    assert(row >= 0 && row < self->rows && column >= 0 &&
           column < self->columns);
    return &self->cells[row * self->columns + column];
}

void
canvas_down(struct canvas *self, int column, int from, int to)
{
    for (int row = from; row <= to; row++) {
        struct cell *cell = cell_at(self, row, column);

        cell->sides |= (row > from ? UP : 0) | (row < to ? DOWN : 0);
        cell->joint = cell->joint || row == from || row == to;
    }
}

void
canvas_across(struct canvas *self, int row, int from, int to)
{
    for (int column = from; column <= to; column++) {
        cell_at(self, row, column)->sides |=
            (column > from ? LEFT : 0) | (column < to ? RIGHT : 0);
    }
}

void
canvas_box(struct canvas *self, int top, int left, int height, int width)
{
    int bottom = top + height - 1, right = left + width - 1;

    canvas_across(self, top, left, right);
    canvas_across(self, bottom, left, right);
    canvas_down(self, left, top, bottom);
    canvas_down(self, right, top, bottom);
}

void
canvas_text(struct canvas *self, int row, int column, const char *text,
            const char *colour)
{
    self->texts = mem_grow(self->texts, &self->cap_text, self->ntext + 1,
                           sizeof *self->texts);
    self->texts[self->ntext++] = (struct text){row, column, text, colour};
}

static int
compare_texts(const void *a, const void *b)
{
    const struct text *x = a, *y = b;

    return x->row != y->row ? x->row - y->row : x->column - y->column;
}

static const char *
glyph(const struct cell *cell)
{
    if (cell->sides == ALL && !cell->joint)
        return glyphs[UP | DOWN];
    return glyphs[cell->sides];
}

static int
add_text(const struct text *text, bool colour, struct buf *out)
{
    if (colour && text->colour)
        buf_printf(out, "\033[%sm%s\033[0m", text->colour, text->text);
    else
        buf_text(out, text->text);
    return (int)utf8_width(text->text, strlen(text->text));
}

static void
trim(struct buf *out)
{
    while (out->len > 0 && out->data[out->len - 1] == ' ')
        out->data[--out->len] = '\0';
}

/* *next is the first text that has not been printed. */
static void
print_row(const struct canvas *self, int row, bool colour, size_t *next,
          struct buf *out)
{
    for (int column = 0; column < self->columns;) {
        const struct text *text = &self->texts[*next];

        if (*next < self->ntext && text->row == row && text->column == column) {
            column += add_text(text, colour, out);
            (*next)++;
        } else {
            buf_text(out, glyph(cell_at(self, row, column)));
            column++;
        }
    }
    trim(out);
    buf_char(out, '\n');
}

void
canvas_print(struct canvas *self, bool colour, struct buf *out)
{
    size_t next = 0;

    if (self->ntext > 0)
        qsort(self->texts, self->ntext, sizeof *self->texts, compare_texts);
    for (int row = 0; row < self->rows; row++)
        print_row(self, row, colour, &next, out);
}
