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

static void
values_go_from_task_to_task(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref n = leat_parameter_with(flow, "n", .type = LEAT_INT,
                                     .fallback = json_integer(5));
    leat_ref a = leat_call(flow, number, {"n", n});
    leat_ref b =
        leat_call(flow, number, {"n", leat_value(flow, json_integer(2))});
    leat_ref c = leat_call(flow, sum, {"numbers", leat_list(flow, a, b, n)});
    leat_result *result;

    (void)state;
    leat_flow_set_output(flow, leat_object(flow, {"sum", c}, {"n", n}));
    result = run_quietly(flow, NULL);
    assert_true(leat_result_is_success(result));
    assert_int_equal(leat_result_run_state(result), LEAT_RUN_SUCCEEDED);
    assert_int_equal(leat_result_run(result), 0);
    assert_state(result, c, LEAT_SUCCEEDED);
    assert_value(result, c, "12");
    assert_int_equal(
        json_integer_value(json_object_get(leat_result_output(result), "n")),
        5);
    leat_result_destroy(&result);
    result = run_quietly(flow, json_pack("{s:i}", "n", 10));
    assert_value(result, c, "22");
    end_both(&flow, &result);
}

static void
maps_go_child_to_child_and_reduce(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref two = leat_value(flow, json_integer(2));
    leat_ref list = leat_call(flow, up_to, {"n", leat_parameter(flow, "n")});
    leat_ref doubled =
        leat_map(flow, times, {"x", list}, {"by", leat_unmapped(two)});
    leat_ref squared = leat_map(flow, times, {"x", doubled}, {"by", doubled});
    leat_ref total = leat_call(flow, sum, {"numbers", squared});
    leat_ref where = leat_map(flow, index_of, {"x", list});
    leat_ref range = leat_map(flow, number, {"n", leat_range(two, total)});
    leat_result *result = run_quietly(flow, json_pack("{s:i}", "n", 3));

    (void)state;
    assert_true(leat_result_is_success(result));
    assert_state(result, doubled, LEAT_MAPPED);
    assert_value(result, squared, "[4,16,36]");
    assert_value(result, leat_child(squared, 1), "16");
    assert_state(result, leat_child(squared, 1), LEAT_SUCCEEDED);
    assert_value(result, total, "56");
    assert_value(result, where, "[0,1,2]");
    assert_int_equal(leat_result_children(result, range), 55);
    assert_int_equal(leat_result_children(result, leat_child(range, 3)), 0);
    assert_value(result, leat_child(range, 54), "56");
    end_both(&flow, &result);
}

static void
flatten_goes_over_the_lists_of_a_map(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref lists = leat_map(
        flow, up_to, {"n", leat_value(flow, json_pack("[iii]", 2, 0, 1))});
    leat_ref items =
        leat_map(flow, times, {"x", leat_flatten(lists)},
                 {"by", leat_unmapped(leat_value(flow, json_integer(10)))});
    leat_result *result = run_quietly(flow, NULL);

    (void)state;
    assert_value(result, items, "[10,20,10]");
    end_both(&flow, &result);
}

static void
lists_of_different_lengths_are_not_paired(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a =
        leat_call(flow, up_to, {"n", leat_value(flow, json_integer(2))});
    leat_ref b =
        leat_call(flow, up_to, {"n", leat_value(flow, json_integer(3))});
    leat_ref pairs = leat_map(flow, times, {"x", a}, {"by", b});
    leat_ref all = leat_map(flow, times, {"x", a}, {"by", b});
    leat_result *result;

    (void)state;
    leat_options(all, .product = LEAT_YES);
    result = run_quietly(flow, NULL);
    assert_state(result, pairs, LEAT_FAILED);
    assert_non_null(leat_result_cause(result, pairs));
    assert_value(result, all, "[1,2,3,2,4,6]");
    end_both(&flow, &result);
}

/* Also if the function would not have asked for it. */
static void
an_argument_that_is_not_there_fails_the_call(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref two = leat_value(flow, json_integer(2));
    leat_ref list = leat_call(flow, up_to, {"n", two});
    leat_ref call = leat_call(flow, up_to, {"n", two}, {"x", leat_at(list, 2)});
    leat_result *result = run_quietly(flow, NULL);

    (void)state;
    assert_state(result, call, LEAT_FAILED);
    assert_non_null(leat_result_cause(result, call));
    assert_non_null(strstr(leat_result_cause(result, call), "with: `x`: "));
    end_both(&flow, &result);
}

static void
failures_and_skips_say_why(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref by = leat_unmapped(leat_value(flow, json_integer(1)));
    leat_ref numbers = leat_value(flow, json_pack("[iii]", 4, 13, 0));
    leat_ref map = leat_map(flow, times, {"x", numbers}, {"by", by});
    leat_ref after = leat_call(flow, sum, {"numbers", map});
    leat_ref clean_up = leat_flow_add_task(flow, "clean_up", index_of);
    leat_result *result;

    (void)state;
    leat_set_upstream(clean_up, after, NULL);
    leat_options(after, .skip_on_upstream_skip = LEAT_NO);
    leat_options(clean_up, .trigger = LEAT_ALL_FINISHED);
    leat_flow_set_reference_tasks(flow, after);
    result = run_quietly(flow, NULL);
    assert_false(leat_result_is_success(result));
    assert_int_equal(leat_result_run_state(result), LEAT_RUN_FAILED);
    assert_state(result, leat_child(map, 0), LEAT_SUCCEEDED);
    assert_null(leat_result_cause(result, leat_child(map, 0)));
    assert_state(result, leat_child(map, 1), LEAT_FAILED);
    assert_string_equal(leat_result_cause(result, leat_child(map, 1)),
                        "13 is no number");
    assert_state(result, leat_child(map, 2), LEAT_SKIPPED);
    assert_state(result, leat_child(map, 3), LEAT_WAITING);
    assert_null(leat_result_value(result, leat_child(map, 3)));
    assert_state(result, after, LEAT_TRIGGER_FAILED);
    assert_value(result, after, "null");
    assert_state(result, clean_up, LEAT_SUCCEEDED);
    end_both(&flow, &result);
}

static void
a_retry_is_another_attempt(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref two = leat_value(flow, json_integer(2));
    leat_ref enough = leat_call(flow, flaky, {"failures", two});
    leat_ref few = leat_call(flow, flaky, {"failures", two});
    leat_result *result;

    (void)state;
    leat_options(enough, .retry = 2, .retry_delay = "1ms");
    leat_options(few, .retry = 1);
    result = run_quietly(flow, NULL);
    assert_value(result, enough, "3");
    assert_int_equal(leat_result_attempts(result, enough), 3);
    assert_state(result, few, LEAT_FAILED);
    assert_int_equal(leat_result_attempts(result, few), 2);
    end_both(&flow, &result);
}

static leat_result *
run_branches(leat_flow *flow, const char *kind, leat_ref refs[4])
{
    leat_ref of = leat_parameter(flow, "kind");
    leat_ref one = leat_value(flow, json_integer(1));
    leat_ref two = leat_value(flow, json_integer(2));

    leat_case(flow, of, json_string("a")) {
        refs[0] = leat_call(flow, number, {"n", one});
        refs[0] = leat_map(flow, times, {"x", leat_list(flow, refs[0])},
                           {"by", leat_unmapped(two)});
        refs[0] = leat_call(flow, sum, {"numbers", refs[0]});
    }
    refs[1] = leat_call(flow, number, {"n", two});
    leat_switch(flow, of, {json_string("b"), refs[1]});
    refs[2] = leat_merge(flow, refs[0], refs[1]);
    refs[3] = leat_call(flow, number, {"n", refs[2]});
    return run_quietly(flow, json_pack("{s:s}", "kind", kind));
}

static void
branches_are_taken_by_value(void **state)
{
    static const struct {
        const char *kind;
        leat_state states[4];
    } rows[] = {
        {"a", {LEAT_SUCCEEDED, LEAT_SKIPPED, LEAT_SUCCEEDED, LEAT_SUCCEEDED}},
        {"b", {LEAT_SKIPPED, LEAT_SUCCEEDED, LEAT_SUCCEEDED, LEAT_SUCCEEDED}},
        {"c", {LEAT_SKIPPED, LEAT_SKIPPED, LEAT_SKIPPED, LEAT_SKIPPED}},
    };

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        leat_flow *flow = leat_flow_new("f");
        leat_ref refs[4] = {{0}};
        leat_result *result = run_branches(flow, rows[i].kind, refs);

        for (int k = 0; k < 4; k++)
            assert_state(result, refs[k], rows[i].states[k]);
        assert_value(result, refs[3], i < 2 ? "2" : "null");
        end_both(&flow, &result);
    }
}

static void
all_that_is_wrong_with_parameters_is_told_before_anything_runs(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    json_t *wrong = json_pack("{s:i,s:i}", "n", 0, "m", 1);
    leat_run_options options = {.parameters = wrong};
    leat_result *result = NULL;
    leat_err err;

    (void)state;
    leat_parameter_with(flow, "n", .type = LEAT_INT, .min = LEAT_BOUND(1));
    leat_parameter(flow, "o");
    leat_call(flow, talk);
    assert_int_equal(leat_flow_run(flow, &options, &result, &err), -1);
    assert_null(result);
    assert_int_equal(err.code, LEAT_ERR_INVALID);
    assert_non_null(strstr(err.msg, "`n`"));
    assert_non_null(strstr(err.msg, "`m`"));
    assert_non_null(strstr(err.msg, "`o`"));
    options.parameters = json_array();
    assert_int_equal(leat_flow_run(flow, &options, &result, &err), -1);
    assert_string_equal(err.msg,
                        "the parameters must be an object, this is a list");
    leat_flow_destroy(&flow);
}

static void
a_store_that_can_not_be_opened_is_an_error(void **state)
{
    const leat_run_options options = {.store = "/dev/null/x"};
    leat_flow *flow = leat_flow_new("f");
    leat_result *result = NULL;
    leat_err err;

    (void)state;
    leat_flow_add_command(flow, "a", "true");
    assert_int_equal(leat_flow_run(flow, &options, &result, &err), -1);
    assert_int_equal(err.code, LEAT_ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "/dev/null/x"));
    leat_flow_destroy(&flow);
}

static void
a_run_pauses_at_a_task_for_people(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_flow_add_command(flow, "a", "true");
    leat_result *result;

    (void)state;
    leat_options(a, .trigger = LEAT_MANUAL_ONLY);
    result = run_quietly(flow, NULL);
    assert_int_equal(leat_result_run_state(result), LEAT_RUN_PAUSED);
    assert_state(result, a, LEAT_PAUSED);
    assert_value(result, a, "null");
    end_both(&flow, &result);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_from_task_to_task),
        cmocka_unit_test(maps_go_child_to_child_and_reduce),
        cmocka_unit_test(flatten_goes_over_the_lists_of_a_map),
        cmocka_unit_test(lists_of_different_lengths_are_not_paired),
        cmocka_unit_test(an_argument_that_is_not_there_fails_the_call),
        cmocka_unit_test(failures_and_skips_say_why),
        cmocka_unit_test(a_retry_is_another_attempt),
        cmocka_unit_test(branches_are_taken_by_value),
        cmocka_unit_test(
            all_that_is_wrong_with_parameters_is_told_before_anything_runs),
        cmocka_unit_test(a_store_that_can_not_be_opened_is_an_error),
        cmocka_unit_test(a_run_pauses_at_a_task_for_people),
    };

    return cmocka_run_group_tests_name("api_run", tests, NULL, NULL);
}
