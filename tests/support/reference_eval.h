/* SPDX-License-Identifier: MPL-2.0 */
/*
 * reference_eval - templates, evaluated once more.
 */
#ifndef SUPPORT_REFERENCE_EVAL_H
#define SUPPORT_REFERENCE_EVAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "flow/tmpl.h"

/* What a name stands for, new; NULL if that can't be worked out. */
typedef json_t *ref_lookup_fn(void *ctx, const struct ref *ref);

/* New; NULL if it leads nowhere. */
json_t *reference_eval(const struct tmpl *tmpl, ref_lookup_fn *lookup,
                       void *ctx);

/* Set tasks[t] for every task that the template refers to. */
void reference_mark(const struct tmpl *tmpl, bool *tasks);

#endif
