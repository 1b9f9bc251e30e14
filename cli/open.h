/* SPDX-License-Identifier: MPL-2.0 */
/*
 * open - what a watch remembers of each instance that is at work.
 */
#ifndef CLI_OPEN_H
#define CLI_OPEN_H

#include <stdint.h>

#include "flow/plan.h"

#define OPEN_TAIL    10 /* last lines of output kept for each */
#define OPEN_BUCKETS 256

struct open_one {
    struct plan_id id;
    int64_t started;       /* monotonic; 0: not told */
    uint64_t nvalue;       /* lines of its value */
    char *tail[OPEN_TAIL]; /* the last lines of its output, oldest first */
    size_t ntail;
    struct open_one *next; /* private */
};

/* All zeroes: none. */
struct open {
    struct open_one *buckets[OPEN_BUCKETS];
    size_t n;
};

/* NULL if nothing is known of it. */
struct open_one *open_find(const struct open *self, struct plan_id id);
/* The same, made if it is not there. */
struct open_one *open_get(struct open *self, struct plan_id id);
void open_remove(struct open *self, struct plan_id id);
/* Any one of them; NULL if there is none. */
const struct open_one *open_any(const struct open *self);
void open_release(struct open *self);

/* Remember a line (heap, taken over) as the last. */
void open_line(struct open_one *self, char *line);

#endif
