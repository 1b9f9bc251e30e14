/* SPDX-License-Identifier: MPL-2.0 */
/* Branches that are taken and not; edges that are made one by one. */
#include <leat.h>

static json_t *
choose(leat_task *task)
{
    (void)task;
    return json_pack("{s:s, s:b}", "way", "left", "sure", 1);
}

static json_t *
left(leat_task *task)
{
    (void)task;
    return json_string("from the left");
}

static json_t *
right(leat_task *task)
{
    (void)task;
    return json_string("from the right");
}

static json_t *
tell(leat_task *task)
{
    return json_pack("[s, O]", leat_task_name(task), leat_json(task, "x"));
}

static json_t *
step(leat_task *task)
{
    if (leat_has(task, "x"))
        return json_incref(leat_json(task, "x"));
    return json_string(leat_task_name(task));
}

static void
imperative(leat_flow *flow)
{
    leat_ref a = leat_flow_add_task(flow, "a", step);
    leat_ref b = leat_flow_add_task(flow, "b", step);
    leat_ref c = leat_flow_add_task(flow, "c", step);
    leat_ref d = leat_flow_add_command(flow, "d", "echo d and $x");
    leat_ref e = leat_flow_add_task(flow, "e", step);
    leat_ref f = leat_flow_add_task(flow, "f", step);

    leat_set_upstream(b, a, "x");
    leat_set_downstream(b, c, NULL);
    leat_set_upstream(c, a, "x");
    leat_set_downstream(c, d, "x");
    leat_options(d, .value = LEAT_OUTPUT_TEXT);
    leat_chain(flow, d, e, f);
    leat_bind(f, {"x", leat_list(flow, d, e)},
              {"y", leat_value(flow, json_null())});
}

LEAT_FLOW(branches, flow)
{
    leat_ref way = leat_call(flow, choose);
    leat_ref l = leat_call(flow, left);
    leat_ref r = leat_call(flow, right);
    leat_ref merged = leat_merge(flow, l, r);
    leat_ref even_so = leat_call(flow, tell, {"x", way});

    leat_switch(flow, leat_get(way, "way"), {json_string("left"), l},
                {json_string("right"), r});
    leat_case(flow, leat_get(way, "sure"), json_true()) {
        leat_ref in = leat_call(flow, tell, {"x", way});

        (void)leat_call(flow, tell, {"x", in});
        leat_case(flow, leat_get(way, "way"), json_string("right")) {
            leat_ref not_taken = leat_call(flow, tell, {"x", in});

            (void)leat_call(flow, tell, {"x", not_taken});
        }
    }
    leat_set_upstream(even_so, r, NULL);
    leat_options(even_so, .skip_on_upstream_skip = LEAT_NO);
    (void)leat_call(flow, tell, {"x", merged});
    imperative(flow);
    leat_flow_set_output(flow, merged);
}
