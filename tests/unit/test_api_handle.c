/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/leat.h"
#include "tests/support/functions.h"

static leat_state
write_down(const leat_state_change *change, void *arg)
{
    char *text = arg;
    size_t n = strlen(text);

    (void)snprintf(text + n, 400 - n, "%s[%d] %u %s; ", change->task,
                   (int)change->index, change->attempt,
                   leat_state_name(change->to));
    return change->to;
}

static void
a_handler_hears_of_every_change(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref one = leat_value(flow, json_integer(1));
    leat_ref a = leat_call(flow, flaky, {"failures", one});
    leat_ref b = leat_map(flow, index_of, {"x", leat_list(flow, a)});
    char all[400] = "", of_b[400] = "";
    leat_result *result;

    (void)state;
    leat_on_state(flow, write_down, all);
    leat_task_on_state(b, write_down, of_b);
    leat_options(a, .retry = 1);
    result = run_quietly(flow, NULL);
    assert_string_equal(all, "flaky[-1] 1 running; flaky[-1] 1 retrying; "
                             "flaky[-1] 2 running; flaky[-1] 2 succeeded; "
                             "index_of[-1] 0 mapped; index_of[0] 1 running; "
                             "index_of[0] 1 succeeded; ");
    assert_string_equal(of_b, "index_of[-1] 0 mapped; index_of[0] 1 running; "
                              "index_of[0] 1 succeeded; ");
    end_both(&flow, &result);
}

static leat_state
forgive(const leat_state_change *change, void *arg)
{
    (void)arg;
    return change->to == LEAT_FAILED ? LEAT_SKIPPED : change->to;
}

static leat_state
insist(const leat_state_change *change, void *arg)
{
    assert_true(change->to != LEAT_FAILED);
    if (change->to == LEAT_SUCCEEDED)
        leat_handler_fail(change, "%s is not good enough", (char *)arg);
    return change->to;
}

static leat_state
confuse(const leat_state_change *change, void *arg)
{
    (void)arg;
    return change->to == LEAT_SUCCEEDED ? (leat_state)99 : change->to;
}

static void
a_handler_may_change_the_state(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref thirteen = leat_value(flow, json_integer(13));
    leat_ref a = leat_call(flow, times, {"x", thirteen}, {"by", thirteen});
    leat_ref b = leat_call(flow, number, {"n", thirteen});
    leat_ref c = leat_call(flow, number, {"n", thirteen});
    leat_result *result;
    char this[] = "this";

    (void)state;
    leat_on_state(flow, insist, this);
    leat_task_on_state(a, forgive, NULL);
    leat_task_on_state(c, confuse, NULL);
    result = run_quietly(flow, NULL);
    assert_state(result, a, LEAT_SKIPPED);
    assert_state(result, b, LEAT_FAILED);
    assert_string_equal(leat_result_cause(result, b),
                        "its state handler failed: this is not good enough");
    assert_state(result, c, LEAT_FAILED);
    assert_string_equal(leat_result_cause(result, c),
                        "its state handler returned 99, which is no state");
    end_both(&flow, &result);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_handler_hears_of_every_change),
        cmocka_unit_test(a_handler_may_change_the_state),
    };

    return cmocka_run_group_tests_name("api_handle", tests, NULL, NULL);
}
