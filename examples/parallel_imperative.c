/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The flow of parallel.c in the imperative style: tasks are added first, then
 * the edges between them.
 *
 *     parallel_imperative run -p stop=5
 */
#include <leat.h>
#include <stdio.h>
#include <stdlib.h>

static json_t *
random_num(leat_task *task)
{
    uint32_t stop = (uint32_t)leat_int(task, "stop");
    json_int_t number = arc4random_uniform(stop);

    printf("Your number is %" JSON_INTEGER_FORMAT "\n", number);
    return json_integer(number);
}

static json_t *
sum_numbers(leat_task *task)
{
    json_t *numbers = leat_array(task, "numbers");
    json_int_t sum = 0;

    for (size_t i = 0; i < json_array_size(numbers); i++)
        sum += json_integer_value(json_array_get(numbers, i));
    printf("The sum is %" JSON_INTEGER_FORMAT "\n", sum);
    return json_integer(sum);
}

LEAT_FLOW(parallel_execution, flow)
{
    leat_ref stop = leat_parameter_with(flow, "stop", .type = LEAT_INT,
                                        .min = LEAT_BOUND(1),
                                        .max = LEAT_BOUND(UINT32_MAX));
    leat_ref number_1 = leat_flow_add_task(flow, "number_1", random_num);
    leat_ref number_2 = leat_flow_add_task(flow, "number_2", random_num);
    leat_ref number_3 = leat_flow_add_task(flow, "number_3", random_num);
    leat_ref sum = leat_flow_add_task(flow, "sum", sum_numbers);
    leat_ref numbers = leat_list(flow, number_1, number_2, number_3);

    leat_set_upstream(number_1, stop, "stop");
    leat_set_upstream(number_2, stop, "stop");
    leat_set_upstream(number_3, stop, "stop");
    leat_bind(sum, {"numbers", numbers});
    leat_flow_set_reference_tasks(flow, sum);
}
