/* SPDX-License-Identifier: MPL-2.0 */
/*
 * svg - text in an SVG file, and its style sheet.
 */
#ifndef LIB_SVG_H
#define LIB_SVG_H

#include "base/buf.h"

enum svg_size { SVG_HEAD, SVG_NAME, SVG_SMALL, SVG_TINY, SVG_SIZE_COUNT };

/* The pixels that text cut to `most` columns takes: a guess on the wide side,
 * as fonts differ. */
int svg_width(const char *text, int most, enum svg_size size);

/* How many columns fit into so many pixels. */
int svg_fit(int width, enum svg_size size);

/* Add text (valid UTF-8) as the content of an element or an attribute. */
void svg_escape(struct buf *out, const char *text);

/* A text element, cut to `most` columns. */
void svg_text(struct buf *out, int x, int y, const char *class,
              const char *text, int most);

/* The file up to where the drawing begins; "</svg>" ends it. */
void svg_begin(struct buf *out, int width, int height, const char *title);

#endif
