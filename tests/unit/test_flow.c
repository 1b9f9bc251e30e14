/* SPDX-License-Identifier: MPL-2.0 */
/*
 * The model: what flow_check derives, and the edges that the plan gets.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/span.h"
#include "flow/file.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* A file with these tasks; it has to be good. */
static struct flow *
parse(const char *tasks)
{
    struct buf text = {0}, errors = {0};
    struct diags diags = {0};
    struct flow *flow = NULL;

    buf_printf(&text,
               "leat: 1\nparams: { p: { type: list, default: [] } }\n"
               "tasks:\n%s",
               tasks);
    (void)flow_parse("x.yaml", text.data, text.len, &flow, &diags);
    diags_print(&diags, &errors, false);
    assert_string_equal(buf_str(&errors), "");
    diags_release(&diags);
    buf_release(&errors);
    buf_release(&text);
    return flow;
}

/* "a>b" waits for the whole, "a-b" child to child, "a=b" flattened. */
static char *
edges(const struct flow *flow)
{
    size_t n;
    struct plan_edge *list = flow_edges(flow, &n);
    struct buf out = {0};

    for (size_t i = 0; i < n; i++)
        buf_printf(&out, "%s%s%c%s", i > 0 ? " " : "",
                   flow->tasks[list[i].from].name, ">-="[list[i].kind],
                   flow -> tasks[list[i].to].name);
    free(list);
    return buf_take(&out);
}

static void
every_mention_of_a_task_is_an_edge(void **state)
{
    static const char *const rows[][2] = {
        {"  b: { run: x, needs: a }\n", "a>b"},
        {"  b: { run: x, needs: [a, a] }\n", "a>b"},
        {"  b: { run: x, with: { v: [1, { k: \"x${a}\" }] } }\n", "a>b"},
        {"  b: { argv: [\"${a}\", \"${a.f}\"] }\n", "a>b"},
        {"  b: { run: x, stdin: \"${a}\" }\n", "a>b"},
        {"  b: { run: x, env: { V: \"${a}\" } }\n", "a>b"},
        {"  b: { run: x, cwd: \"${a}\" }\n", "a>b"},
        {"  b: { run: x, creates: \"${a}\" }\n", "a>b"},
        {"  b: { run: x, case: { of: \"${a}\", is: 1 } }\n", "a>b"},
        {"  b: { run: x, each: { v: \"${a}\" } }\n", "a>b"},
        {"  b: { run: x, each: { v: [\"${a}\"] } }\n", "a>b"},
        {"  b: { run: x, each: { v: \"1..${a}\" } }\n", "a>b"},
        {"  b: { run: x, each: { v: \"${p}\" }, with: { a: \"${p}\" } }\n", ""},
        {"  b: { run: \"${a}\", when: \"${a}\" }\n", ""},
        {"  b: { with: { a: 1 }, argv: [\"${a}\"] }\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text = {0};
        struct flow *flow;
        char *found;

        buf_printf(&text, "  a: { run: x, value: json }\n%s", rows[i][0]);
        flow = parse(text.data);
        found = edges(flow);
        assert_string_equal(found, rows[i][1]);
        free(found);
        flow_destroy(&flow);
        buf_release(&text);
    }
}

static void
maps_go_child_to_child(void **state)
{
    static const char *const rows[][2] = {
        {"  b: { run: x, each: { v: \"${a}\" } }\n", "a-b"},
        {"  b: { run: x, each: { v: \"${a}\" }, flatten: true }\n", "a=b"},
        {"  b: { run: x, each: { v: [\"${a}\"] } }\n", "a>b"},
        {"  b: { run: x, each: { v: \"${a[0]}\" } }\n", "a>b"},
        {"  b: { run: x, with: { v: \"${a}\" } }\n", "a>b"},
        {"  b: { run: x, each: { v: \"${a}\" }, needs: a }\n", "a>b a-b"},
        {"  b: { run: x, each: { v: \"${a}\", w: \"${a}\" }, zip: true }\n",
         "a-b"},
        {"  b: { run: x, each: { v: \"${a}\", w: \"${a}\" } }\n", "a-b"},
        {"  b: { run: x, each: { v: \"${a}\", w: [1] } }\n", "a-b"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf text = {0};
        struct flow *flow;
        char *found;

        buf_printf(&text, "  a: { run: x, value: json, each: { i: 1..3 } }\n%s",
                   rows[i][0]);
        flow = parse(text.data);
        found = edges(flow);
        assert_string_equal(found, rows[i][1]);
        free(found);
        flow_destroy(&flow);
        buf_release(&text);
    }
}

static void
first_makes_a_hidden_task_at_the_end(void **state)
{
    struct flow *flow =
        parse("  c: { run: x, with: { v: { first: [\"${b}\", \"${a}\"] } } }\n"
              "  a: { run: x }\n"
              "  b: { run: x }\n");
    const struct flow_task *merge = &flow->tasks[3];
    char *found = edges(flow);

    (void)state;
    assert_string_equal(found, "c.v>c b>c.v a>c.v");
    free(found);
    assert_int_equal(flow->ntask, 4);
    assert_string_equal(merge->name, "c.v");
    assert_true(merge->hidden);
    assert_false(merge->mapped);
    assert_int_equal(merge->kind, FLOW_MERGE);
    assert_int_equal(merge->value, VALUE_JSON);
    assert_int_equal(merge->options->trigger, TRIGGER_NOT_ALL_SKIPPED);
    assert_false(merge->options->skip_on_skip);
    assert_int_equal(merge->nneeds, 2);
    assert_int_equal(merge->needs[0], 2);
    assert_int_equal(flow->tasks[0].with[0].value->ref->scope, REF_TASK);
    assert_int_equal(flow->tasks[0].with[0].value->ref->index, 3);
    assert_int_equal(flow->tasks[1].value, VALUE_TEXT);
    flow_destroy(&flow);
}

static void
first_of_maps_goes_child_to_child_under_each(void **state)
{
    struct flow *flow = parse(
        "  a: { run: x, each: { i: 1..2 } }\n"
        "  b: { run: x, each: { i: 1..2 } }\n"
        "  l: { run: x, value: lines }\n"
        "  c: { run: x, each: { v: { first: [\"${a}\", \"${b}\"] } } }\n"
        "  d: { run: x, each: { v: { first: [\"${a}\", \"${l}\"] } } }\n"
        "  e: { run: x, with: { v: { first: [\"${a}\", \"${b}\"] } } }\n");
    char *found = edges(flow);

    (void)state;
    assert_string_equal(found, "c.v-c d.v>d e.v>e a-c.v b-c.v a>d.v l>d.v "
                               "a>e.v b>e.v");
    assert_true(flow->tasks[6].mapped);
    assert_false(flow->tasks[7].mapped);
    assert_false(flow->tasks[8].mapped);
    free(found);
    flow_destroy(&flow);
}

static void
kinds_of_values_that_are_left_out_are_derived(void **state)
{
    struct flow *flow = parse("  used: { run: x }\n"
                              "  needed: { run: x }\n"
                              "  said: { run: x, value: none }\n"
                              "  made: { run: x, creates: out }\n"
                              "  called: { call: f }\n"
                              "  last: { needs: needed, argv: [\"${used}\"] }\n"
                              "  shown: { run: x }\n"
                              "output: \"${shown} ${said}\"\n");
    static const enum value_kind kinds[] = {VALUE_TEXT, VALUE_NONE, VALUE_NONE,
                                            VALUE_TEXT, VALUE_JSON, VALUE_NONE,
                                            VALUE_TEXT};

    (void)state;
    for (size_t i = 0; i < COUNT(kinds); i++)
        assert_int_equal(flow->tasks[i].value, kinds[i]);
    assert_true(flow->tasks[0].referred);
    assert_false(flow->tasks[1].referred);
    flow_destroy(&flow);
}

static void
checking_again_changes_nothing(void **state)
{
    struct flow *flow =
        parse("  a: { run: x, each: { i: 1..2 } }\n"
              "  c: { run: x, each: { v: { first: [\"${a}\"] } } }\n");
    struct diags diags = {0};
    char *before = edges(flow), *after;

    (void)state;
    assert_int_equal(flow_check(flow, &diags), 0);
    after = edges(flow);
    assert_string_equal(before, after);
    assert_true(flow->tasks[2].mapped);
    free(before);
    free(after);
    flow_destroy(&flow);
}

static void
tasks_without_options_share_the_defaults(void **state)
{
    struct flow *flow = parse("  a: { run: x }\n"
                              "  b: { run: x, retry: 1 }\n"
                              "  c: { run: x }\n"
                              "defaults: { timeout: 10s, tags: [t] }\n");

    (void)state;
    assert_ptr_equal(flow->tasks[0].options, flow->options[0]);
    assert_ptr_equal(flow->tasks[2].options, flow->options[0]);
    assert_ptr_not_equal(flow->tasks[1].options, flow->options[0]);
    assert_int_equal(flow->options[0]->timeout, 10 * SPAN_SECOND);
    assert_int_equal(flow->options[0]->retry.times, 0);
    assert_int_equal(flow->tasks[1].options->timeout, 10 * SPAN_SECOND);
    assert_int_equal(flow->tasks[1].options->retry.times, 1);
    assert_string_equal(flow->tasks[1].options->tags[0], "t");
    assert_int_equal(flow->noption, 2);
    flow_destroy(&flow);
}

static void
the_plan_is_told_what_it_needs(void **state)
{
    struct flow *flow =
        parse("  a: { run: x }\n"
              "  b:\n"
              "    run: x\n"
              "    each: { i: 1..2 }\n"
              "    trigger: { some-failed: { at-least: 0.5, at-most: 3 } }\n"
              "    skip-on-upstream-skip: false\n"
              "    priority: -7\n"
              "    max-parallel: 9\n");
    struct plan_task *tasks = flow_plan_tasks(flow);

    (void)state;
    assert_false(tasks[0].mapped);
    assert_true(tasks[0].skip_on_skip);
    assert_int_equal(tasks[0].trigger, TRIGGER_ALL_SUCCESSFUL);
    assert_true(tasks[0].at_least < 0 && tasks[0].at_most < 0);
    assert_true(tasks[1].mapped);
    assert_false(tasks[1].skip_on_skip);
    assert_int_equal(tasks[1].trigger, TRIGGER_SOME_FAILED);
    assert_true(tasks[1].at_least == 0.5 && tasks[1].at_most == 3);
    assert_int_equal(tasks[1].priority, -7);
    assert_int_equal(tasks[1].max_parallel, 9);
    free(tasks);
    flow_destroy(&flow);
}

static void
names_have_rules(void **state)
{
    static const char *const good[] = {"a", "_", "A-1", "x_y"};
    static const char *const bad[] = {"", "1", "-a", "a.b", "a b", "\xc3\xa9"};
    char longest[130];

    (void)state;
    for (size_t i = 0; i < COUNT(good); i++)
        assert_true(flow_name_is_valid(good[i]));
    for (size_t i = 0; i < COUNT(bad); i++)
        assert_false(flow_name_is_valid(bad[i]));
    memset(longest, 'a', sizeof longest);
    longest[129] = '\0';
    assert_false(flow_name_is_valid(longest));
    longest[128] = '\0';
    assert_true(flow_name_is_valid(longest));
}

static void
tasks_and_parameters_share_their_names(void **state)
{
    struct flow *flow = flow_new("x");

    (void)state;
    assert_int_equal(flow_add_task(flow, "build"), 0);
    assert_int_equal(flow_add_param(flow, "stop"), 0);
    assert_int_equal(flow_add_task(flow, "stop"), UINT32_MAX);
    assert_int_equal(flow_add_param(flow, "build"), UINT32_MAX);
    assert_int_equal(flow_add_task(flow, "test"), 1);
    assert_int_equal(flow_find_task(flow, "test"), 1);
    assert_int_equal(flow_find_task(flow, "stop"), UINT32_MAX);
    assert_int_equal(flow_find_param(flow, "stop"), 0);
    assert_int_equal(flow_find_param(flow, "test"), UINT32_MAX);
    assert_int_equal(flow_find_param(flow, "none"), UINT32_MAX);
    assert_string_equal(flow_near(flow, "tset", FLOW_NAMES_TASKS), "test");
    assert_string_equal(flow_near(flow, "stp", FLOW_NAMES_PARAMS), "stop");
    assert_null(flow_near(flow, "stp", FLOW_NAMES_TASKS));
    flow_destroy(&flow);
    assert_null(flow);
    flow_destroy(&flow);
}

/* Through the model alone, as a program makes it: no places in a file. */
static void
errors_without_a_file_name_the_task(void **state)
{
    struct flow *flow = flow_new("made");
    struct diags diags = {.file = flow->name};
    struct buf out = {0};
    uint32_t task = flow_add_task(flow, "a");

    (void)state;
    flow->tasks[task].kind = FLOW_CALL;
    flow->tasks[task].with = mem_alloc(1, sizeof *flow->tasks[task].with);
    flow->tasks[task].nwith = 1;
    flow->tasks[task].with[0].name = mem_dup("LD_x");
    flow->tasks[task].with[0].value = tmpl_ref(REF_UNRESOLVED, 0, "nothing");
    assert_int_equal(flow_check(flow, &diags), -1);
    diags_print(&diags, &out, false);
    assert_string_equal(
        out.data,
        "made: task `a` refers to `nothing`, which does not exist\n"
        "made: `LD_x` would be an environment variable that others need: "
        "PATH, LD_... and LEAT_...\n"
        "help: choose another; PATH can be set in `env`\n"
        "2 errors\n");
    buf_release(&out);
    diags_release(&diags);
    flow_destroy(&flow);
}

static void
a_program_s_flow_is_written_with_its_functions_names(void **state)
{
    struct flow *flow = flow_new("made");
    struct diags diags = {0};
    json_t *json;
    char *text;

    (void)state;
    assert_int_equal(flow_add_task(flow, "draw"), 0);
    flow->tasks[0].kind = FLOW_CALL;
    assert_int_equal(flow_check(flow, &diags), 0);
    json = flow_to_json(flow);
    text = json_dumps(json, JSON_COMPACT);
    assert_string_equal(text, "{\"leat\":1,\"name\":\"made\",\"tasks\":"
                              "{\"draw\":{\"call\":\"draw\"}}}");
    free(text);
    json_decref(json);
    flow_destroy(&flow);
}

static void
a_hundred_thousand_tasks_are_no_trouble(void **state)
{
    enum { N = 100000 };
    struct buf text = {0};
    struct flow *flow;
    struct plan_edge *list;
    size_t n;

    (void)state;
    buf_text(&text, "  t0: { run: x }\n");
    for (int i = 1; i < N; i++)
        buf_printf(&text, "  t%d: { run: x, needs: [t%d] }\n", i, i - 1);
    flow = parse(text.data);
    list = flow_edges(flow, &n);
    assert_int_equal(n, N - 1);
    assert_int_equal(list[N - 2].from, N - 2);
    assert_int_equal(list[N - 2].to, N - 1);
    free(list);
    list = flow_edges_to(flow, 500, &n);
    assert_int_equal(n, 1);
    assert_int_equal(list[0].from, 499);
    assert_int_equal(list[0].to, 500);
    free(list);
    flow_destroy(&flow);
    buf_release(&text);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_mention_of_a_task_is_an_edge),
        cmocka_unit_test(maps_go_child_to_child),
        cmocka_unit_test(first_makes_a_hidden_task_at_the_end),
        cmocka_unit_test(first_of_maps_goes_child_to_child_under_each),
        cmocka_unit_test(kinds_of_values_that_are_left_out_are_derived),
        cmocka_unit_test(checking_again_changes_nothing),
        cmocka_unit_test(tasks_without_options_share_the_defaults),
        cmocka_unit_test(the_plan_is_told_what_it_needs),
        cmocka_unit_test(names_have_rules),
        cmocka_unit_test(tasks_and_parameters_share_their_names),
        cmocka_unit_test(errors_without_a_file_name_the_task),
        cmocka_unit_test(a_program_s_flow_is_written_with_its_functions_names),
        cmocka_unit_test(a_hundred_thousand_tasks_are_no_trouble),
    };

    return cmocka_run_group_tests_name("flow", tests, NULL, NULL);
}
