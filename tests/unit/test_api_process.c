/* SPDX-License-Identifier: MPL-2.0 */
/* Runs with processes, files and output: not for valgrind, which has no
 * pidfd_open. */
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
#include "tests/support/functions.h"
#include "tests/support/valgrind.h"

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
    result = run_quietly(flow, json_pack("{s:i}", "n", 3));
    assert_value(result, list, "[\"1\",\"2\",\"3\"]");
    assert_value(result, total, "12");
    assert_value(result, shown, "\"<12>\"");
    assert_state(result, fed, LEAT_SKIPPED);
    end_both(&flow, &result);
}

static json_t *
sleepy(leat_task *task)
{
    while (leat_task_attempt(task) > 0)
        (void)pause();
    return NULL;
}

static void
a_time_out_ends_a_function(void **state)
{
    leat_ref slow, quick, thirteen, bad;
    leat_result *result;
    leat_flow *flow;

    (void)state;
    not_under_valgrind();
    flow = leat_flow_new("f");
    slow = leat_call(flow, sleepy);
    quick = leat_call(flow, number, {"n", leat_value(flow, json_integer(4))});
    thirteen = leat_value(flow, json_integer(13));
    bad = leat_call(flow, times, {"x", thirteen}, {"by", thirteen});
    leat_options(bad, .timeout = "1m");
    leat_options(slow, .timeout = "50ms");
    leat_options(quick, .timeout = "1m");
    result = run_quietly(flow, NULL);
    assert_state(result, slow, LEAT_TIMED_OUT);
    assert_state(result, bad, LEAT_FAILED);
    assert_string_equal(leat_result_cause(result, bad), "13 is no number");
    assert_value(result, quick, "4");
    end_both(&flow, &result);
}

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
closed_descriptors_are_no_trouble(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref first = leat_call(flow, talk);
    leat_ref second = leat_flow_add_command(flow, "second", "cat; echo x");
    leat_result *result = NULL;
    int kept[2];

    (void)state;
    leat_chain(flow, first, second);
    (void)fflush(NULL);
    for (int fd = 0; fd < 2; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        (void)close(fd);
    }
    (void)leat_flow_run(flow, NULL, &result, NULL);
    for (int fd = 0; fd < 2; fd++) {
        int was_open = fcntl(fd, F_GETFD);

        (void)dup2(kept[fd], fd);
        (void)close(kept[fd]);
        assert_int_equal(was_open, -1);
    }
    assert_state(result, first, LEAT_SUCCEEDED);
    assert_state(result, second, LEAT_SUCCEEDED);
    end_both(&flow, &result);
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
    end_both(&flow, &result);
    assert_true(asprintf(&command, "rm -r %s", folder) > 0);
    flow = leat_flow_new("clean");
    leat_flow_add_command(flow, "rm", command);
    result = run_quietly(flow, NULL);
    assert_true(leat_result_is_success(result));
    end_both(&flow, &result);
    free(command);
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
    end_both(&flow, &result);
}

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

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_mix_with_functions),
        cmocka_unit_test(a_time_out_ends_a_function),
        cmocka_unit_test(what_tasks_print_is_passed_on_unless_quiet),
        cmocka_unit_test(closed_descriptors_are_no_trouble),
        cmocka_unit_test(a_run_is_kept_if_a_store_is_named),
        cmocka_unit_test(a_run_stops_at_its_own_time_out),
        cmocka_unit_test(what_handlers_print_is_theirs),
    };

    return cmocka_run_group_tests_name("api_process", tests, NULL, NULL);
}
