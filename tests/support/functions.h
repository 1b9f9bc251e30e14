/* SPDX-License-Identifier: MPL-2.0 */
/*
 * functions - small functions for flows of the C API, and what their tests ask
 * of results.
 */
#ifndef SUPPORT_FUNCTIONS_H
#define SUPPORT_FUNCTIONS_H

#include "lib/leat.h"

leat_fn number;   /* n */
leat_fn sum;      /* of numbers */
leat_fn up_to;    /* the numbers 1..n */
leat_fn times;    /* x * by; fails for x = 13, skips for x = 0 */
leat_fn flaky;    /* its attempt; asks for a retry the first `failures` times */
leat_fn index_of; /* its index in a map */
leat_fn talk;     /* prints a line on each stream */

/* Run a flow quietly; parameters are taken over, NULL is none. */
leat_result *run_quietly(leat_flow *flow, json_t *parameters);
void end_both(leat_flow **flow, leat_result **result);

/* `wanted` is compact JSON. */
void assert_value(leat_result *result, leat_ref task, const char *wanted);
void assert_state(const leat_result *result, leat_ref task, leat_state state);

#endif
