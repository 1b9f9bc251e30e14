/* SPDX-License-Identifier: MPL-2.0 */
/*
 * params - from what the user gave to typed, checked parameters.
 */
#ifndef FLOW_PARAMS_H
#define FLOW_PARAMS_H

#include <jansson.h>

#include "base/buf.h"
#include "base/err.h"
#include "flow/flow.h"

/*
 * The value of one parameter from text (-p, LEAT_PARAM_*): a string or path is
 * the text itself, the others are parsed; a list also as "a,b,c" if it does
 * not begin with "[", whose elements are words as in a flow file. Fails with
 * ERR_INVALID: what is wrong and what is allowed.
 */
int param_parse(const struct flow_param *param, const char *text, json_t **ret,
                struct err *err);

/*
 * What a parameter takes, for people: "an integer from 1 to 100", "a string,
 * one of `a`, `b`".
 */
void param_describe(const struct flow_param *param, struct buf *out);

/* Check a JSON value against type, min, max, choices and pattern. Choices of
 * a list are those of its elements. */
int param_check(const struct flow_param *param, const json_t *value,
                struct err *err);

/*
 * Put all together: *ret is an object with a value for every parameter, in
 * their order. `given` (borrowed) holds checked JSON values by name; names that
 * the flow does not have, values that break a rule, and required parameters
 * that are missing go to `problems`, one line each, all of them; then -1.
 */
int params_bind(const struct flow *flow, const json_t *given, json_t **ret,
                struct buf *problems);

#endif
