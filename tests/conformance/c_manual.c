/* SPDX-License-Identifier: MPL-2.0 */
/* A C flow that a person has to let go on. */
#include <leat.h>

static json_t *
step(leat_task *task)
{
    return json_string(leat_task_name(task));
}

LEAT_FLOW(manual, flow)
{
    leat_ref before = leat_flow_add_task(flow, "before", step);
    leat_ref ask = leat_flow_add_task(flow, "ask", step);
    leat_ref after = leat_flow_add_task(flow, "after", step);

    leat_options(ask, .trigger = LEAT_MANUAL_ONLY);
    leat_chain(flow, before, ask, after);
}
