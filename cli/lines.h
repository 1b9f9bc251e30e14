/* SPDX-License-Identifier: MPL-2.0 */
/*
 * lines - whole lines out of output that comes in pieces.
 *
 * Several attempts may write at the same time: each stream of each has its own
 * unfinished line. Only the most recent few of those are held back; an older
 * one is completed as it is.
 */
#ifndef CLI_LINES_H
#define CLI_LINES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "flow/plan.h"

#define LINES_OPEN  64          /* unfinished lines held at once */
#define LINES_BYTES (64u << 10) /* a longer line is cut in two */

struct lines_source {
    struct plan_id id;
    uint32_t attempt;
    int stream;
};

/* A line without its newline. */
typedef void lines_fn(void *ctx, const struct lines_source *source,
                      int64_t when, const char *text, size_t n);

struct lines_partial {
    struct lines_source source;
    int64_t when; /* its first byte came */
    struct buf text;
};

struct lines {
    lines_fn *fn;
    void *ctx;
    struct lines_partial open[LINES_OPEN]; /* the oldest first */
    size_t nopen;
};

void lines_add(struct lines *self, const struct lines_source *source,
               int64_t when, const char *data, size_t n);

/* Complete what is unfinished of an instance, or of all (NULL). */
void lines_end(struct lines *self, const struct plan_id *id);

void lines_release(struct lines *self);

#endif
