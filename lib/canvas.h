/* SPDX-License-Identifier: MPL-2.0 */
/*
 * canvas - lines, boxes and text on a grid of characters.
 *
 * Lines join into corners and tees where one ends on another. Where two only
 * cross, the one that goes across is interrupted.
 */
#ifndef LIB_CANVAS_H
#define LIB_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

struct canvas;

struct canvas *canvas_new(int rows, int columns);
void canvas_destroy(struct canvas **self_p);

void canvas_down(struct canvas *self, int column, int from, int to);
void canvas_across(struct canvas *self, int row, int from, int to);
void canvas_box(struct canvas *self, int top, int left, int height, int width);

/* Text (borrowed) over what is there. colour: as in "\033[31m", or NULL. */
void canvas_text(struct canvas *self, int row, int column, const char *text,
                 const char *colour);

void canvas_print(struct canvas *self, bool colour, struct buf *out);

#endif
