/* SPDX-License-Identifier: MPL-2.0 */
/*
 * check - the parts of flow_check.
 */
#ifndef FLOW_CHECK_H
#define FLOW_CHECK_H

#include "flow/diag.h"
#include "flow/flow.h"

/* What every reference stands for; which tasks' values are used. */
void check_resolve(struct flow *self, struct diags *diags);

/* Names that tasks get as environment variables: distinct, and not taken. */
void check_names(const struct flow *self, struct diags *diags);

/* What a task is mapped over; references must be resolved. */
void check_each(const struct flow *self, const struct flow_task *task,
                struct diags *diags);

/* A parameter's bounds, choices, pattern and default. */
void check_param(const struct flow_param *param, struct diags *diags);

#endif
