/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A map over n numbers that does nothing: what leat itself costs a task. The
 * ballast is a parameter that nobody looks at.
 *
 *     noop run -q -p n=1000000 [-p ballast=TEXT] [--no-store]
 */
#include <leat.h>

static json_t *
noop(leat_task *task)
{
    (void)task;
    return NULL;
}

LEAT_FLOW(noop, flow)
{
    leat_ref n =
        leat_parameter_with(flow, "n", .type = LEAT_INT, .min = LEAT_BOUND(0));
    (void)leat_parameter_with(flow, "ballast", .type = LEAT_STRING,
                              .fallback = json_string(""));

    leat_map(flow, noop,
             {"i", leat_range(leat_value(flow, json_integer(1)), n)});
}
