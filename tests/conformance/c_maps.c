/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Functions over lists: in step, whole arguments, products, ranges, un-nested,
 * child to child, and children that fail or are skipped.
 */
#include <leat.h>
#include <stdio.h>

static json_t *
add(leat_task *task)
{
    printf("child %d\n", (int)leat_task_index(task));
    return json_integer(leat_int(task, "a") + leat_int(task, "b"));
}

static json_t *
twice(leat_task *task)
{
    return json_pack("[I, I]", leat_int(task, "x"), 2 * leat_int(task, "x"));
}

static json_t *
count(leat_task *task)
{
    return json_integer((json_int_t)json_array_size(leat_array(task, "list")));
}

static json_t *
whole(leat_task *task)
{
    return json_incref(leat_json(task, "list"));
}

static json_t *
odd(leat_task *task)
{
    json_int_t x = leat_int(task, "x");

    if (x == 4)
        leat_fail(task, "%d is too many", (int)x);
    if (x % 2 == 0)
        leat_skip(task, "%d is even", (int)x);
    return json_integer(x);
}

static json_t *
no_list(leat_task *task)
{
    (void)task;
    return json_string("text");
}

LEAT_FLOW(maps, flow)
{
    leat_ref three = leat_value(flow, json_pack("[i, i, i]", 1, 2, 3));
    leat_ref one = leat_value(flow, json_integer(1));
    leat_ref five = leat_value(flow, json_integer(5));
    leat_ref in_step = leat_map(flow, add, {"a", three}, {"b", three});
    leat_ref shifted =
        leat_map(flow, add, {"a", in_step}, {"b", leat_unmapped(one)});
    leat_ref pairs = leat_map(flow, twice, {"x", shifted});
    leat_ref flat = leat_map(flow, add, {"a", leat_flatten(pairs)},
                             {"b", leat_unmapped(one)});
    leat_ref product = leat_call(flow, add, {"a", leat_mapped(three)},
                                 {"b", leat_range(one, five)});
    leat_ref some = leat_map(flow, odd, {"x", leat_range(one, five)});
    leat_ref after = leat_map(flow, twice, {"x", some});
    leat_ref text = leat_call(flow, no_list);
    leat_ref all = leat_call(flow, whole, {"list", some});
    leat_ref end = leat_call(flow, count, {"list", product});

    leat_options(product, .product = LEAT_YES, .max_parallel = 2);
    leat_options(all, .trigger = LEAT_ALL_FINISHED);
    (void)leat_call(flow, whole, {"list", flat});
    (void)leat_call(flow, whole, {"list", after});
    (void)leat_map(flow, twice, {"x", text});
    (void)leat_map(flow, twice, {"x", leat_value(flow, json_array())});
    /* one list of three, one of five */
    (void)leat_map(flow, add, {"a", three}, {"b", some});
    leat_flow_set_output(flow, leat_list(flow, flat, end));
    leat_flow_set_reference_tasks(flow, end);
}
