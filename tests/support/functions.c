/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/functions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

json_t *
number(leat_task *task)
{
    return json_integer(leat_int(task, "n"));
}

json_t *
sum(leat_task *task)
{
    json_t *numbers = leat_array(task, "numbers");
    json_int_t total = 0;

    for (size_t i = 0; i < json_array_size(numbers); i++)
        total += json_integer_value(json_array_get(numbers, i));
    return json_integer(total);
}

json_t *
up_to(leat_task *task)
{
    json_t *list = json_array();

    for (json_int_t i = 1; i <= leat_int(task, "n"); i++)
        json_array_append_new(list, json_integer(i));
    return list;
}

json_t *
times(leat_task *task)
{
    json_int_t x = leat_int(task, "x");

    if (x == 13)
        leat_fail(task, "13 is no number");
    if (x == 0)
        leat_skip(task, "nothing to multiply");
    return json_integer(x * leat_int(task, "by"));
}

json_t *
flaky(leat_task *task)
{
    if (leat_task_attempt(task) <= (unsigned)leat_int(task, "failures"))
        leat_retry(task, "attempt %u", leat_task_attempt(task));
    return json_integer(leat_task_attempt(task));
}

json_t *
index_of(leat_task *task)
{
    return json_integer((json_int_t)leat_task_index(task));
}

json_t *
talk(leat_task *task)
{
    printf("out %s\n", leat_task_name(task));
    leat_log(task, "log %d", 7);
    return NULL;
}

leat_result *
run_quietly(leat_flow *flow, json_t *parameters)
{
    const leat_run_options options = {.parameters = parameters, .quiet = true};
    leat_result *result = NULL;
    leat_err err;

    if (leat_flow_run(flow, &options, &result, &err) < 0)
        fail_msg("%s", err.msg);
    return result;
}

void
end_both(leat_flow **flow, leat_result **result)
{
    leat_result_destroy(result);
    leat_flow_destroy(flow);
}

void
assert_value(leat_result *result, leat_ref task, const char *wanted)
{
    json_t *value = leat_result_value(result, task);
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
}

void
assert_state(const leat_result *result, leat_ref task, leat_state state)
{
    assert_string_equal(leat_state_name(leat_result_state(result, task)),
                        leat_state_name(state));
}
