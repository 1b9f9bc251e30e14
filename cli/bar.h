/* SPDX-License-Identifier: MPL-2.0 */
/*
 * bar - how far a run has come, in one line of a terminal.
 */
#ifndef CLI_BAR_H
#define CLI_BAR_H

#include <stdint.h>

#include "base/buf.h"

struct bar {
    uint64_t done;
    uint64_t total; /* as far as it is known now */
    uint64_t kept;  /* of done: was so before, and took no time now */
    uint64_t failed;
    int64_t elapsed;     /* microseconds */
    const char *running; /* the name of what runs, or NULL */
};

/*
 * Add the line, at most `width` columns wide, without a newline. What there is
 * no room for is left out: the time first, then the picture.
 */
void bar_put(const struct bar *self, unsigned width, struct buf *out);

/* How long it will take from here, as things went so far; -1: can't tell. */
int64_t bar_left(const struct bar *self);

#endif
