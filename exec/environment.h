/* SPDX-License-Identifier: MPL-2.0 */
/*
 * environment - the variables of a command, put together.
 */
#ifndef EXEC_ENVIRONMENT_H
#define EXEC_ENVIRONMENT_H

#include <stddef.h>

struct environment {
    const char **list; /* NAME=VALUE, NULL-terminated */
    size_t n;
    size_t cap;
    char **made; /* of these, what is its own */
    size_t nmade;
    size_t made_cap;
    size_t bytes; /* that the kernel counts */
};

/* What the kernel counts of a string. */
size_t environment_cost(size_t len);

/* Begin with the surrounding variables (borrowed), less LD_* and LEAT_*. */
void environment_inherit(struct environment *self, const char *const *base);

/* Set a variable; one of that name is replaced. */
void environment_set(struct environment *self, const char *name,
                     const char *value, size_t n);

/* The same from NAME=VALUE. */
void environment_put(struct environment *self, const char *pair);

void environment_release(struct environment *self);

#endif
