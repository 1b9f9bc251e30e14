/* SPDX-License-Identifier: MPL-2.0 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/leat.h"

/* ---- functions ---- */

static json_t *
number(leat_task *task)
{
    return json_integer(leat_int(task, "n"));
}

static json_t *
sum(leat_task *task)
{
    json_t *numbers = leat_array(task, "numbers");
    json_int_t total = 0;

    for (size_t i = 0; i < json_array_size(numbers); i++)
        total += json_integer_value(json_array_get(numbers, i));
    return json_integer(total);
}

static json_t *
up_to(leat_task *task)
{
    json_t *list = json_array();

    for (json_int_t i = 1; i <= leat_int(task, "n"); i++)
        json_array_append_new(list, json_integer(i));
    return list;
}

static json_t *
times(leat_task *task)
{
    json_int_t x = leat_int(task, "x");

    if (x == 13)
        leat_fail(task, "13 is no number");
    if (x == 0)
        leat_skip(task, "nothing to multiply");
    return json_integer(x * leat_int(task, "by"));
}

static json_t *
flaky(leat_task *task)
{
    if (leat_task_attempt(task) <= (unsigned)leat_int(task, "failures"))
        leat_retry(task, "attempt %u", leat_task_attempt(task));
    return json_integer(leat_task_attempt(task));
}

static json_t *
index_of(leat_task *task)
{
    return json_integer((json_int_t)leat_task_index(task));
}

static json_t *
sleepy(leat_task *task)
{
    while (leat_task_attempt(task) > 0)
        (void)pause();
    return NULL;
}

static json_t *
talk(leat_task *task)
{
    printf("out %s\n", leat_task_name(task));
    leat_log(task, "log %d", 7);
    return NULL;
}

/* ---- running ---- */

static leat_result *
run(leat_flow *flow, json_t *parameters)
{
    const leat_run_options options = {.parameters = parameters, .quiet = true};
    leat_result *result = NULL;
    leat_err err;

    if (leat_flow_run(flow, &options, &result, &err) < 0)
        fail_msg("%s", err.msg);
    return result;
}

static void
end(leat_flow **flow, leat_result **result)
{
    leat_result_destroy(result);
    leat_flow_destroy(flow);
}

static void
assert_value(leat_result *result, leat_ref task, const char *wanted)
{
    json_t *value = leat_result_value(result, task);
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
}

static void
assert_state(const leat_result *result, leat_ref task, leat_state state)
{
    assert_string_equal(leat_state_name(leat_result_state(result, task)),
                        leat_state_name(state));
}

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
    result = run(flow, NULL);
    assert_true(leat_result_is_success(result));
    assert_int_equal(leat_result_run_state(result), LEAT_RUN_SUCCEEDED);
    assert_int_equal(leat_result_run(result), 0);
    assert_state(result, c, LEAT_SUCCEEDED);
    assert_value(result, c, "12");
    assert_int_equal(
        json_integer_value(json_object_get(leat_result_output(result), "n")),
        5);
    leat_result_destroy(&result);
    result = run(flow, json_pack("{s:i}", "n", 10));
    assert_value(result, c, "22");
    end(&flow, &result);
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
    leat_result *result = run(flow, json_pack("{s:i}", "n", 3));

    (void)state;
    assert_true(leat_result_is_success(result));
    assert_state(result, doubled, LEAT_MAPPED);
    assert_value(result, squared, "[4,16,36]");
    assert_value(result, leat_child(squared, 1), "16");
    assert_state(result, leat_child(squared, 1), LEAT_SUCCEEDED);
    assert_value(result, total, "56");
    assert_value(result, where, "[0,1,2]");
    assert_int_equal(leat_result_children(result, range), 55);
    assert_value(result, leat_child(range, 54), "56");
    end(&flow, &result);
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
    leat_result *result = run(flow, NULL);

    (void)state;
    assert_value(result, items, "[10,20,10]");
    end(&flow, &result);
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
    result = run(flow, NULL);
    assert_state(result, pairs, LEAT_FAILED);
    assert_non_null(leat_result_cause(result, pairs));
    assert_value(result, all, "[1,2,3,2,4,6]");
    end(&flow, &result);
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
    result = run(flow, NULL);
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
    end(&flow, &result);
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
    result = run(flow, NULL);
    assert_value(result, enough, "3");
    assert_int_equal(leat_result_attempts(result, enough), 3);
    assert_state(result, few, LEAT_FAILED);
    assert_int_equal(leat_result_attempts(result, few), 2);
    end(&flow, &result);
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
    return run(flow, json_pack("{s:s}", "kind", kind));
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
        leat_ref refs[4];
        leat_result *result = run_branches(flow, rows[i].kind, refs);

        for (int k = 0; k < 4; k++)
            assert_state(result, refs[k], rows[i].states[k]);
        assert_value(result, refs[3], i < 2 ? "2" : "null");
        end(&flow, &result);
    }
}

static void
commands_mix_with_functions(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref n = leat_parameter(flow, "n");
    leat_ref list = leat_command(flow, "list", "seq $n", {"n", n});
    leat_ref map = leat_command(flow, "twice", "echo $((x * 2))",
                                {"x", leat_mapped(list)});
    leat_ref total = leat_call(flow, sum, {"numbers", map});
    leat_ref words = leat_template(flow, json_pack("[ss]", "echo", "<${sum}>"));
    leat_ref shown = leat_program(flow, "shown", words);
    leat_ref fed = leat_command(flow, "fed", "cat; exit 9");
    leat_result *result;

    (void)state;
    leat_options(list, .value = LEAT_OUTPUT_JSON, .shell = "sh -c");
    leat_options(list, .value = LEAT_OUTPUT_LINES, .shell = "sh");
    leat_options(map, .value = LEAT_OUTPUT_INT);
    leat_options(shown, .value = LEAT_OUTPUT_TEXT);
    leat_options(fed, .input = shown, .exit_skip = LEAT_CODES(9));
    result = run(flow, json_pack("{s:i}", "n", 3));
    assert_value(result, list, "[\"1\",\"2\",\"3\"]");
    assert_value(result, total, "12");
    assert_value(result, shown, "\"<12>\"");
    assert_state(result, fed, LEAT_SKIPPED);
    end(&flow, &result);
}

static void
a_time_out_ends_a_function(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref slow = leat_call(flow, sleepy);
    leat_ref quick =
        leat_call(flow, number, {"n", leat_value(flow, json_integer(4))});
    leat_result *result;

    (void)state;
    leat_options(slow, .timeout = "50ms");
    leat_options(quick, .timeout = "1m");
    result = run(flow, NULL);
    assert_state(result, slow, LEAT_TIMED_OUT);
    assert_value(result, quick, "4");
    end(&flow, &result);
}

/* ---- parameters ---- */

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

/* ---- output and the store ---- */

/* What is written to a descriptor while a flow runs. */
static size_t
run_to_file(leat_flow *flow, const leat_run_options *options, int fd,
            char *text, size_t size)
{
    FILE *file = tmpfile();
    int kept = dup(fd);
    size_t n;

    (void)fflush(NULL);
    assert_true(file && kept >= 0 && dup2(fileno(file), fd) == fd);
    assert_int_equal(leat_flow_run(flow, options, NULL, NULL), 0);
    (void)fflush(NULL);
    assert_int_equal(dup2(kept, fd), fd);
    (void)close(kept);
    rewind(file);
    n = fread(text, 1, size - 1, file);
    text[n] = '\0';
    (void)fclose(file);
    return n;
}

static void
what_tasks_print_is_passed_on_unless_quiet(void **state)
{
    const leat_run_options quiet = {.quiet = true};
    leat_flow *flow = leat_flow_new("f");
    leat_ref first = leat_call(flow, talk);
    leat_ref second = leat_flow_add_command(flow, "second", "echo in shell");
    char text[256];

    (void)state;
    leat_chain(flow, first, second);
    run_to_file(flow, NULL, STDOUT_FILENO, text, sizeof text);
    assert_string_equal(text, "out talk\nin shell\n");
    run_to_file(flow, NULL, STDERR_FILENO, text, sizeof text);
    assert_string_equal(text, "log 7\n");
    assert_int_equal(
        run_to_file(flow, &quiet, STDOUT_FILENO, text, sizeof text), 0);
    leat_flow_destroy(&flow);
}

static void
a_run_is_kept_if_a_store_is_named(void **state)
{
    char folder[] = "/tmp/test_api_run.XXXXXX";
    char *command = NULL;
    leat_run_options options = {.store = folder, .name = "first"};
    leat_flow *flow = leat_flow_new("f");
    leat_result *result = NULL;

    (void)state;
    assert_non_null(mkdtemp(folder));
    leat_flow_add_command(flow, "a", "true");
    assert_int_equal(leat_flow_run(flow, &options, &result, NULL), 0);
    assert_int_equal(leat_result_run(result), 1);
    leat_result_destroy(&result);
    assert_int_equal(leat_flow_run(flow, &options, &result, NULL), 0);
    assert_int_equal(leat_result_run(result), 2);
    end(&flow, &result);
    assert_true(asprintf(&command, "rm -r %s", folder) > 0);
    flow = leat_flow_new("clean");
    leat_flow_add_command(flow, "rm", command);
    result = run(flow, NULL);
    assert_true(leat_result_is_success(result));
    end(&flow, &result);
    free(command);
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
a_run_stops_at_its_own_time_out(void **state)
{
    const leat_run_options options = {.timeout = "50ms", .quiet = true};
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_flow_add_command(flow, "a", "sleep 60");
    leat_ref b = leat_flow_add_command(flow, "b", "true");
    leat_result *result = NULL;

    (void)state;
    leat_chain(flow, a, b);
    assert_int_equal(leat_flow_run(flow, &options, &result, NULL), 0);
    assert_int_equal(leat_result_run_state(result), LEAT_RUN_CANCELLED);
    assert_state(result, b, LEAT_CANCELLED);
    end(&flow, &result);
}

static void
a_run_pauses_at_a_task_for_people(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_flow_add_command(flow, "a", "true");
    leat_result *result;

    (void)state;
    leat_options(a, .trigger = LEAT_MANUAL_ONLY);
    result = run(flow, NULL);
    assert_int_equal(leat_result_run_state(result), LEAT_RUN_PAUSED);
    assert_state(result, a, LEAT_PAUSED);
    assert_value(result, a, "null");
    end(&flow, &result);
}

/* ---- state handlers ---- */

static leat_state
say(const leat_state_change *change, void *arg)
{
    (void)arg;
    if (leat_state_is_final(change->to))
        printf("handler of %s\n", change->task);
    return change->to;
}

static void
what_handlers_print_is_theirs(void **state)
{
    const leat_run_options quiet = {.quiet = true};
    leat_flow *flow = leat_flow_new("f");
    char text[256];

    (void)state;
    leat_on_state(flow, say, NULL);
    leat_chain(flow, leat_call(flow, talk), leat_call(flow, talk));
    run_to_file(flow, &quiet, STDOUT_FILENO, text, sizeof text);
    assert_string_equal(text, "handler of talk\nhandler of talk_2\n");
    leat_flow_destroy(&flow);
}

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
    result = run(flow, NULL);
    assert_string_equal(all, "flaky[-1] 1 running; flaky[-1] 1 retrying; "
                             "flaky[-1] 2 running; flaky[-1] 2 succeeded; "
                             "index_of[-1] 0 mapped; index_of[0] 1 running; "
                             "index_of[0] 1 succeeded; ");
    assert_string_equal(of_b, "index_of[-1] 0 mapped; index_of[0] 1 running; "
                              "index_of[0] 1 succeeded; ");
    end(&flow, &result);
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
    result = run(flow, NULL);
    assert_state(result, a, LEAT_SKIPPED);
    assert_state(result, b, LEAT_FAILED);
    assert_string_equal(leat_result_cause(result, b),
                        "its state handler failed: this is not good enough");
    assert_state(result, c, LEAT_FAILED);
    assert_string_equal(leat_result_cause(result, c),
                        "its state handler returned 99, which is no state");
    end(&flow, &result);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_from_task_to_task),
        cmocka_unit_test(maps_go_child_to_child_and_reduce),
        cmocka_unit_test(flatten_goes_over_the_lists_of_a_map),
        cmocka_unit_test(lists_of_different_lengths_are_not_paired),
        cmocka_unit_test(failures_and_skips_say_why),
        cmocka_unit_test(a_retry_is_another_attempt),
        cmocka_unit_test(branches_are_taken_by_value),
        cmocka_unit_test(commands_mix_with_functions),
        cmocka_unit_test(a_time_out_ends_a_function),
        cmocka_unit_test(
            all_that_is_wrong_with_parameters_is_told_before_anything_runs),
        cmocka_unit_test(what_tasks_print_is_passed_on_unless_quiet),
        cmocka_unit_test(a_run_is_kept_if_a_store_is_named),
        cmocka_unit_test(a_store_that_can_not_be_opened_is_an_error),
        cmocka_unit_test(a_run_stops_at_its_own_time_out),
        cmocka_unit_test(a_run_pauses_at_a_task_for_people),
        cmocka_unit_test(a_handler_hears_of_every_change),
        cmocka_unit_test(what_handlers_print_is_theirs),
        cmocka_unit_test(a_handler_may_change_the_state),
    };

    return cmocka_run_group_tests_name("api_run", tests, NULL, NULL);
}
