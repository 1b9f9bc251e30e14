/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Three random numbers, drawn independently of each other, and their sum: in
 * the functional style, in which calling a function adds a task.
 *
 *     parallel run -p stop=5
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
    leat_ref number_1 = leat_call(flow, random_num, {"stop", stop});
    leat_ref number_2 = leat_call(flow, random_num, {"stop", stop});
    leat_ref number_3 = leat_call(flow, random_num, {"stop", stop});
    leat_ref numbers = leat_list(flow, number_1, number_2, number_3);

    leat_call(flow, sum_numbers, {"numbers", numbers});
}
