/* SPDX-License-Identifier: MPL-2.0 */
/*
 * graph - the picture of a flow, and of a run of it.
 */
#ifndef LIB_GRAPH_H
#define LIB_GRAPH_H

#include <stdbool.h>

#include "base/buf.h"
#include "base/err.h"
#include "flow/flow.h"
#include "store/history.h"

enum graph_format {
    GRAPH_TEXT,    /* for a terminal */
    GRAPH_SVG,     /* a file of its own, no scripts, no fonts to fetch */
    GRAPH_DOT,     /* for Graphviz */
    GRAPH_MERMAID, /* for Markdown */
    GRAPH_FORMAT_COUNT
};

extern const char *const graph_format_names[GRAPH_FORMAT_COUNT];

struct graph_options {
    enum graph_format format;
    bool colour;    /* TEXT: with terminal colours */
    unsigned width; /* TEXT: columns to keep within; 0: 80 */
};

/*
 * Draw a checked flow; with a history (of the same flow) each task with its
 * state, attempts and duration. TEXT and SVG show the children of a map one by
 * one up to a few dozen, else counts. TEXT becomes a list by layers if the
 * picture would be too wide or too large. ERR_LIMIT if there are too many tasks
 * to draw in that format.
 */
int graph_draw(const struct flow *flow, const struct history *history,
               const struct graph_options *options, struct buf *out,
               struct err *err);

#endif
