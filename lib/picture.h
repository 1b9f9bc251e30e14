/* SPDX-License-Identifier: MPL-2.0 */
/*
 * picture - what there is to see of a flow or a run, before it is drawn.
 *
 * Plain data, made once and drawn in several ways. All text in it is safe:
 * valid UTF-8 on one line without control characters.
 */
#ifndef LIB_PICTURE_H
#define LIB_PICTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "flow/flow.h"
#include "flow/plan.h"
#include "lib/graph.h"
#include "lib/layout.h"
#include "store/history.h"

/* A child that is shown one by one. */
struct picture_cell {
    char *label; /* its key, else #index */
    char *note;  /* cause or value, or NULL */
    enum plan_state state;
    int64_t took; /* 0: unknown */
};

struct picture_box {
    char *name;
    char *each; /* "file, size": the keys it is mapped over; or NULL */
    char *only; /* "os = linux": a case that no line shows; or NULL */
    char *note; /* cause or value, or NULL */
    bool merge; /* no task of the user's: takes the first of several */
    enum plan_state state;
    uint32_t attempt;
    int64_t took; /* 0: unknown */
    uint32_t nchild;
    uint32_t count[PLAN_STATE_COUNT]; /* children in each state */
    struct picture_cell *cells;       /* nchild of them, if they are few */
};

struct picture_line {
    uint32_t from, to;
    bool each;   /* child to child */
    char *equal; /* "b": only if the value is that; or NULL */
};

struct picture {
    char *name;
    char *run;    /* "run 7 failed 3.2 s, begun ..."; NULL: before a run */
    char *params; /* "stop = 5, name = x"; or NULL */
    struct picture_box *boxes;
    struct picture_line *lines; /* each pair once, sorted by from */
    uint32_t nbox;
    size_t nline;
};

struct picture_style {
    const char *fill; /* of a box, on a light ground */
    const char *dark; /* the same on a dark one */
    const char *line; /* its border, on both */
};

/* Told apart by the colour-blind too (Okabe and Ito). */
extern const struct picture_style picture_styles[PLAN_STATE_COUNT];

/* history may be NULL. */
struct picture *picture_make(const struct flow *flow,
                             const struct history *history);
void picture_destroy(struct picture **self_p);

/* What a person calls the box. */
const char *picture_label(const struct picture_box *box);

/* "succeeded 3 ms", "failed 2 s, 3 attempts", "9 children: 8 succeeded,
 * 1 failed, 2 s": what is known of a box after a run. */
void picture_status(const struct picture_box *box, struct buf *out);

/* Add text, cut to so many columns with an ellipsis. */
void picture_cut(struct buf *out, const char *text, size_t columns);
/* The same at the front: of paths and numbers the end tells most. */
void picture_cut_front(struct buf *out, const char *text, size_t columns);

/* The lines as edges for a layout, a heap array. */
struct layout_edge *picture_edges(const struct picture *self);

/* The ways to draw it. */
int graph_text(const struct picture *picture,
               const struct graph_options *options, struct buf *out,
               struct err *err);
int graph_svg(const struct picture *picture, struct buf *out, struct err *err);
void graph_dot(const struct picture *picture, struct buf *out);
void graph_mermaid(const struct picture *picture, struct buf *out);

#endif
