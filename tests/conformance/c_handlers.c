/* SPDX-License-Identifier: MPL-2.0 */
/* Handlers that let states be, change them, and fail. */
#include <leat.h>
#include <string.h>

static json_t *
fine(leat_task *task)
{
    return json_integer(leat_task_attempt(task));
}

static json_t *
fails(leat_task *task)
{
    leat_fail(task, "attempt %u", leat_task_attempt(task));
}

/* Of the flow: what is called turned has failed, whatever it has. */
static leat_state
turn(const leat_state_change *change, void *arg)
{
    (void)arg;
    if (strcmp(change->task, "turned") == 0 && change->to == LEAT_SUCCEEDED)
        return LEAT_FAILED;
    return change->to;
}

static leat_state
save(const leat_state_change *change, void *arg)
{
    (void)arg;
    return change->to == LEAT_FAILED ? LEAT_SKIPPED : change->to;
}

static leat_state
break_off(const leat_state_change *change, void *arg)
{
    (void)arg;
    if (leat_state_is_final(change->to))
        leat_handler_fail(change, "%s is not to end so", change->task);
    return change->to;
}

LEAT_FLOW(handlers, flow)
{
    leat_ref turned = leat_flow_add_task(flow, "turned", fine);
    leat_ref saved = leat_flow_add_task(flow, "saved", fails);
    leat_ref broken = leat_flow_add_task(flow, "broken", fine);
    leat_ref as_it_is = leat_flow_add_task(flow, "as_it_is", fine);
    leat_ref after = leat_flow_add_task(flow, "after", fine);

    leat_on_state(flow, turn, NULL);
    leat_task_on_state(saved, save, NULL);
    leat_task_on_state(broken, break_off, NULL);
    leat_set_upstream(after, turned, NULL);
    leat_flow_set_reference_tasks(flow, as_it_is);
}
