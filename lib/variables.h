/* SPDX-License-Identifier: MPL-2.0 */
/*
 * variables - the environment of this process as one call after another is to
 * see it.
 */
#ifndef LIB_VARIABLES_H
#define LIB_VARIABLES_H

#include <jansson.h>

struct variables {
    json_t *set;    /* what is in force: an object, or NULL */
    json_t *before; /* what those were before; null: not there */
};

/* Put back what was set last, and set these: an object, or NULL. Cheap if they
 * are the same. */
void variables_set(struct variables *self, json_t *variables);

#endif
