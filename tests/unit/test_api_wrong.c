/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "lib/api.h"
#include "proto/limits.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static json_t *
draw(leat_task *task)
{
    return json_integer(leat_int(task, "stop"));
}

struct wrong {
    void (*build)(leat_flow *flow, leat_ref a, leat_ref p);
    const char *text;
};

/* Each a builder for one row: f is the flow, a a task, p a parameter. */
#define WRONG(name, code)                                          \
    static void wrong_##name(leat_flow *f, leat_ref a, leat_ref p) \
    {                                                              \
        (void)f;                                                   \
        (void)a;                                                   \
        (void)p;                                                   \
        (void)(code);                                              \
    }

WRONG(name, leat_flow_add_task(f, "1st", draw))
WRONG(taken, leat_flow_add_task(f, "p", draw))
WRONG(taken_param, leat_parameter(f, "a"))
WRONG(rename, leat_name(a, "p"))
WRONG(find, leat_flow_find(f, "b"))
WRONG(null_fn, leat_flow_add_task(f, "b", NULL))
WRONG(null_script, leat_flow_add_command(f, "b", NULL))
WRONG(null_value, leat_value(f, NULL))
WRONG(argument, leat_bind_v(a, "x.c:1", LEAT_ARGS({"a b", p})))
WRONG(twice,
      leat_call_v(f, "x.c:1", "draw", draw, LEAT_ARGS({"x", p}, {"x", p})))
WRONG(none, leat_call_v(f, NULL, "draw", draw, LEAT_ARGS({"x", (leat_ref){0}})))
WRONG(both, leat_call_v(f, NULL, "draw", draw,
                        LEAT_ARGS({"x", leat_mapped(leat_unmapped(a))})))
WRONG(unmappable, leat_map_v(f, NULL, "draw", draw,
                             LEAT_ARGS({"x", leat_value(f, json_integer(1))})))
WRONG(nothing_mapped,
      leat_map_v(f, NULL, "draw", draw, LEAT_ARGS({"x", leat_unmapped(p)})))
WRONG(mapped_list, leat_list(f, leat_mapped(a)))
WRONG(child, leat_list(f, leat_child(a, 0)))
WRONG(get, leat_get(leat_value(f, json_integer(1)), "x"))
WRONG(get_null, leat_get(a, NULL))
WRONG(template, leat_template(f, json_pack("[s]", "a ${b")))
WRONG(words, leat_program_v(f, NULL, "b", leat_value(f, json_string("ls")),
                            LEAT_ARGS({"x", a})))
WRONG(upstream, leat_set_upstream(a, p, NULL))
WRONG(downstream, leat_set_downstream(a, p, "x"))
WRONG(case_null, leat_case_end(((void)leat_case_begin(f, "x.c:2", p, NULL), f)))
WRONG(case_open, leat_case_begin(f, "x.c:2", p, json_true()))
WRONG(switch_param,
      leat_switch_v(f, NULL, a, (const leat_branch[]){{json_true(), p}, {0}}))
WRONG(merge_value, leat_merge_v(f, NULL, LEAT_REFS(leat_list(f, a))))
WRONG(merge_edge,
      leat_set_upstream(leat_merge_v(f, NULL, LEAT_REFS(a)), a, NULL))
WRONG(merge_bind, leat_bind_v(leat_merge_v(f, NULL, LEAT_REFS(a)), NULL,
                              LEAT_ARGS({"x", a})))
WRONG(span, leat_options_v(a, "x.c:3", &(leat_task_options){.timeout = "soon"},
                           sizeof(leat_task_options)))
WRONG(jitter, leat_options_v(a, NULL, &(leat_task_options){.retry_jitter = 1.5},
                             sizeof(leat_task_options)))
WRONG(bound,
      leat_options_v(a, NULL, &(leat_task_options){.at_least = LEAT_BOUND(1)},
                     sizeof(leat_task_options)))
WRONG(command_only, leat_options_v(a, NULL, &(leat_task_options){.shell = "sh"},
                                   sizeof(leat_task_options)))
WRONG(resource, leat_options_v(a, NULL,
                               &(leat_task_options){
                                   .resources = LEAT_RESOURCES({"cpus", -1})},
                               sizeof(leat_task_options)))
WRONG(limit, leat_flow_set_limit(f, "db", 0))
WRONG(handler, leat_task_on_state(a, NULL, NULL))

static const struct wrong wrongs[] = {
    {wrong_name, "leat_flow_add_task(\"1st\"): `1st` is no name: a letter or "
                 "_, then letters, digits, _ and -"},
    {wrong_taken, "leat_flow_add_task(\"p\"): the name is taken by another "
                  "task or parameter"},
    {wrong_taken_param, "leat_parameter(\"a\"): the name is taken by another "
                        "parameter or task"},
    {wrong_rename, "leat_name(\"p\"): the name is taken by another task or "
                   "parameter"},
    {wrong_find, "leat_flow_find(\"b\"): the flow has no such task or "
                 "parameter"},
    {wrong_null_fn, "leat_flow_add_task(\"b\"): the function is NULL"},
    {wrong_null_script, "leat_flow_add_command(\"b\"): the script is NULL"},
    {wrong_null_value, "leat_value: the value is NULL (json_null() is null)"},
    {wrong_argument, "x.c:1: leat_bind(\"a\"): argument `a b`: `a b` is no "
                     "name: a letter or _, then letters, digits, _ and -"},
    {wrong_twice, "x.c:1: leat_call(\"draw\"): argument `x`: it is given "
                  "twice"},
    {wrong_none, "leat_call(\"draw\"): argument `x`: it is given no value (a "
                 "leat_ref of zeroes)"},
    {wrong_both, "leat_call(\"draw\"): argument `x`: it can't be both mapped "
                 "and unmapped"},
    {wrong_unmappable, "leat_map(\"draw\"): argument `x`: can't map over an "
                       "integer, only over a list (leat_unmapped gives the "
                       "whole to each)"},
    {wrong_nothing_mapped, "leat_map(\"draw\"): it has no argument to map "
                           "over"},
    {wrong_mapped_list, "leat_list: leat_mapped, leat_unmapped, leat_flatten "
                        "and leat_range are only for arguments of tasks"},
    {wrong_child, "leat_list: leat_child is only for asking about results"},
    {wrong_get, "leat_get(\"x\"): only what parameters and tasks give can be "
                "looked into"},
    {wrong_get_null, "leat_get: the field's name is NULL"},
    {wrong_template, "leat_template: \"a ${b\", at byte 6: "},
    {wrong_words, "leat_program(\"b\"): its words must be a list (leat_list, "
                  "leat_template) with at least the program"},
    {wrong_upstream, "leat_set_upstream(\"a\"): it is not a task but a "
                     "parameter"},
    {wrong_downstream, "leat_set_downstream: it is not a task but a "
                       "parameter"},
    {wrong_case_null, "x.c:2: leat_case: the value is NULL (json_null() is "
                      "null)"},
    {wrong_case_open, "x.c:2: leat_case: its block was left by break, goto "
                      "or return"},
    {wrong_switch_param, "leat_switch: it is not a task but a parameter"},
    {wrong_merge_value, "leat_merge: it is not a task but a value"},
    {wrong_merge_edge,
     "leat_set_upstream(\"merge\"): a merge takes nothing but its branches"},
    {wrong_merge_bind,
     "leat_bind(\"merge\"): a merge takes nothing but its branches"},
    {wrong_span, "x.c:3: leat_options(\"a\"): timeout: \"soon\" is no length "
                 "of time; write 250ms, 90 (seconds), 10m or 1h 30m"},
    {wrong_jitter, "leat_options(\"a\"): retry_jitter: 1.5 is not between 0 "
                   "and 1"},
    {wrong_bound, "leat_options(\"a\"): at_least and at_most belong to the "
                  "triggers LEAT_SOME_SUCCESSFUL and LEAT_SOME_FAILED, which "
                  "need one of them"},
    {wrong_command_only, "leat_options(\"a\"): value, input, env, cwd, shell, "
                         "exit_skip and exit_retry are options of commands "
                         "only"},
    {wrong_resource, "leat_options(\"a\"): resources: cpus: -1 is not above "
                     "0"},
    {wrong_limit, "leat_flow_set_limit(\"db\"): the limit must be at least "
                  "1"},
    {wrong_handler, "leat_task_on_state(\"a\"): the handler is NULL"},
};

static void
errors_name_the_call(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(wrongs); i++) {
        leat_flow *flow = leat_flow_new("f");
        leat_ref a = leat_flow_add_task(flow, "a", draw);
        leat_ref p = leat_parameter(flow, "p");
        size_t n = strlen(wrongs[i].text);
        leat_err err;

        wrongs[i].build(flow, a, p);
        assert_int_equal(leat_flow_check(flow, &err), -1);
        assert_int_equal(err.code, LEAT_ERR_INVALID);
        if (wrongs[i].text[n - 1] == ' ')
            err.msg[n] = '\0';
        assert_string_equal(err.msg, wrongs[i].text);
        leat_flow_destroy(&flow);
    }
}

static void
macros_say_where_they_were_written(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_err err;
    char where[64];

    (void)state;
    (void)snprintf(where, sizeof where,
                   "%s:%d: leat_call(\"draw\"): ", __FILE__, __LINE__ + 1);
    leat_call(flow, draw, {"a b", leat_value(flow, json_true())});
    assert_int_equal(leat_flow_check(flow, &err), -1);
    assert_memory_equal(err.msg, where, strlen(where));
    leat_flow_destroy(&flow);
}

static void
all_errors_are_told_and_none_twice(void **state)
{
    leat_flow *flow = leat_flow_new("1"), *other = leat_flow_new("other");
    leat_ref bad = leat_flow_add_task(flow, "!", draw);
    leat_ref list = leat_list(flow, bad, bad);
    leat_err err;

    (void)state;
    leat_bind(bad, {"x", list});
    leat_call(flow, draw, {"x", leat_get(list, "x")},
              {"y", leat_range(bad, list)});
    leat_merge(flow, bad, leat_name(bad, "x"));
    leat_set_upstream(leat_flow_add_task(flow, "a", draw),
                      leat_flow_add_task(other, "b", draw), NULL);
    assert_int_equal(leat_flow_check(flow, &err), -1);
    assert_string_equal(
        err.msg,
        "leat_flow_new(\"1\"): a name is a letter or _, then letters, digits, "
        "_ and -\n"
        "leat_flow_add_task(\"!\"): `!` is no name: a letter or _, then "
        "letters, digits, _ and -\n"
        "leat_set_upstream(\"a\"): it belongs to another flow, `other`");
    leat_flow_destroy(&flow);
    leat_flow_destroy(&other);
}

static void
many_errors_are_cut(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    struct buf problems = {0};
    leat_err err;

    (void)state;
    for (unsigned i = 0; i < LIMIT_ERRORS + 7; i++)
        leat_flow_add_task(flow, "!", draw);
    assert_int_equal(leat_flow_check(flow, &err), -1);
    assert_string_equal(err.msg + strlen(err.msg) - 4, "\n...");
    assert_int_equal(api_check(flow, &problems), -1);
    assert_string_equal(buf_str(&problems) + problems.len - 10, "and 7 more");
    buf_release(&problems);
    leat_flow_destroy(&flow);
}

static void
a_checked_flow_is_not_changed_any_more(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_flow_add_task(flow, "a", draw);
    leat_err err;

    (void)state;
    assert_int_equal(leat_flow_check(flow, &err), 0);
    assert_int_equal(leat_flow_check(flow, &err), 0);
    leat_options(a, .retry = 1);
    leat_flow_add_task(flow, "b", draw);
    assert_int_equal(leat_flow_check(flow, &err), -1);
    assert_non_null(strstr(err.msg, "the flow has been checked or run"));
    assert_int_equal(api_flow(flow)->ntask, 1);
    leat_flow_destroy(&flow);
}

static void
what_a_flow_file_may_not_say_a_c_flow_may_not_either(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_flow_add_task(flow, "a", draw);
    leat_ref b = leat_flow_add_task(flow, "b", draw);
    leat_err err;

    (void)state;
    leat_set_upstream(a, b, NULL);
    leat_set_upstream(b, a, NULL);
    assert_int_equal(leat_flow_check(flow, &err), -1);
    assert_string_equal(
        err.msg, "these tasks wait for each other in a circle: a -> b -> a");
    leat_flow_destroy(&flow);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_name_the_call),
        cmocka_unit_test(macros_say_where_they_were_written),
        cmocka_unit_test(all_errors_are_told_and_none_twice),
        cmocka_unit_test(many_errors_are_cut),
        cmocka_unit_test(a_checked_flow_is_not_changed_any_more),
        cmocka_unit_test(what_a_flow_file_may_not_say_a_c_flow_may_not_either),
    };

    return cmocka_run_group_tests_name("api_wrong", tests, NULL, NULL);
}
