/* SPDX-License-Identifier: MPL-2.0 */
/*
 * diag - what is wrong with a flow file, all of it, for a person.
 *
 * Collects errors with their places and prints them as
 *
 *     nightly.yaml:12:7: unknown key `tiemout`
 *        12 |       tiemout: 10m
 *           |       ^~~~~~~
 *     help: did you mean `timeout`?
 */
#ifndef FLOW_DIAG_H
#define FLOW_DIAG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/* Where in a file; line and column count from 1, line 0 means nowhere. */
struct flow_place {
    uint32_t line;
    uint32_t col;  /* in bytes */
    uint32_t span; /* bytes to underline, at least 1 */
};

struct diag {
    struct flow_place place;
    char *text; /* one line, no final stop */
    char *help; /* what to do, or NULL */
};

struct diags {
    const char *file; /* shown name; borrowed */
    const char *text; /* the whole file, to show lines of; borrowed */
    size_t len;
    struct diag *list; /* in the order they were found */
    size_t n;
    size_t cap;
    size_t dropped; /* past LIMIT_ERRORS */
};

void diags_release(struct diags *self);

/* Add an error. `help` may be NULL; it is taken over and freed. */
void diags_add(struct diags *self, struct flow_place place, char *help,
               const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/*
 * Print all, sorted by place, each line escaped for a terminal. Colours only
 * if asked for. Ends with a count if there are several.
 */
void diags_print(struct diags *self, struct buf *out, bool colour);

#endif
