/* SPDX-License-Identifier: MPL-2.0 */
/*
 * random_tmpl - values with references in them, drawn by dice: what the tasks
 * of a random flow file are given.
 */
#ifndef SUPPORT_RANDOM_TMPL_H
#define SUPPORT_RANDOM_TMPL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "flow/value.h"

#define DRAW_TASKS 10

struct drawn {
    bool mapped;
    enum value_kind kind;
    uint32_t most; /* children */
};

struct draw {
    uint64_t *dice;
    struct drawn tasks[DRAW_TASKS];
    uint32_t t;     /* the task being drawn; sees those before it */
    json_t *task;   /* ... as it stands in the file */
    bool sees_each; /* its own each keys can be named */
    bool sees_with;
};

uint32_t draw_roll(struct draw *w, uint32_t n);
bool draw_one_in(struct draw *w, uint32_t n);

const char *draw_pick(struct draw *w, const char *const *of, size_t n);
#define DRAW_PICK(w, of) draw_pick((w), (of), sizeof(of) / sizeof(of)[0])

/* A string as printf makes it. */
json_t *draw_format(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Exactly one reference to something that can be seen. */
json_t *draw_ref(struct draw *w);
/* A text with a reference inside. */
json_t *draw_text(struct draw *w);
json_t *draw_constant(struct draw *w);
/* Any of them, or a list or object of such, so many levels deep. */
json_t *draw_template(struct draw *w, uint32_t depth);

#endif
