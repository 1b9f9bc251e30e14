/* SPDX-License-Identifier: MPL-2.0 */
/* bindings - all that is bound in a run, as an executor puts it together. */
#ifndef SUPPORT_BINDINGS_H
#define SUPPORT_BINDINGS_H

#include "flow/run.h"

/* Parameters, each keys, with bindings: *ret is new. */
int bindings_get(struct run *run, json_t *params, struct plan_id id,
                 json_t **ret, struct err *err);

#endif
