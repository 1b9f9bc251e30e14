/* SPDX-License-Identifier: MPL-2.0 */
/*
 * A thousand tasks that do nothing, each after the one before: what a hop
 * costs.
 *
 *     chain run -q
 */
#include <leat.h>
#include <stddef.h>

#define TASKS 1000

static json_t *
noop(leat_task *task)
{
    (void)task;
    return NULL;
}

LEAT_FLOW(chain, flow)
{
    leat_ref last = leat_call(flow, noop);

    for (int i = 1; i < TASKS; i++) {
        leat_ref next = leat_call(flow, noop);

        leat_set_upstream(next, last, NULL);
        last = next;
    }
}
