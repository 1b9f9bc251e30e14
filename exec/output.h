/* SPDX-License-Identifier: MPL-2.0 */
/*
 * output - what one stream of an attempt has written, in bounded memory.
 *
 * The first LIMIT_OUTPUT_BYTES are passed on as they come, and of the rest the
 * last LIMIT_OUTPUT_TAIL at the end, behind a line that says how many bytes
 * were left out. It holds either all of it (keep) or its last bytes.
 */
#ifndef EXEC_OUTPUT_H
#define EXEC_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

typedef void output_fn(void *ctx, const char *data, size_t n);

struct output {
    size_t keep;   /* hold all, up to so many bytes; 0: hold the last ones */
    output_fn *fn; /* may be NULL */
    void *ctx;     /* borrowed */
    struct buf held;
    uint64_t total;  /* bytes written */
    uint64_t passed; /* of those, to fn while they came */
    char last;       /* byte passed */
};

/*
 * More was written. False once keep is exceeded: from then on it holds the
 * last bytes only.
 */
bool output_add(struct output *self, const char *data, size_t n);

/*
 * The stream has ended: pass on the rest, and cut what is held to the last
 * LIMIT_OUTPUT_TAIL bytes, or to all if it was to be kept. Returns how many
 * bytes were left out.
 */
uint64_t output_end(struct output *self);

void output_release(struct output *self);

#endif
