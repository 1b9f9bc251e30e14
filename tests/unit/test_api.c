/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "base/version.h"
#include "flow/file.h"
#include "lib/api.h"

static json_t *
draw(leat_task *task)
{
    return json_integer(leat_int(task, "stop"));
}

static json_t *
add(leat_task *task)
{
    return json_incref(leat_array(task, "numbers"));
}

/* ---- a task in one line ---- */

static void
show_tmpl(struct buf *out, const char *name, const struct tmpl *tmpl)
{
    json_t *json = tmpl_to_json(tmpl);

    buf_printf(out, " %s=", name);
    value_json(json, out);
    json_decref(json);
}

static void
show_task(const struct flow *flow, uint32_t i, struct buf *out)
{
    static const char *const kinds[] = {"script", "argv", "call", "merge"};
    const struct flow_task *t = &flow->tasks[i];

    buf_printf(out, "%s %s", t->name, kinds[t->kind]);
    for (uint32_t k = 0; k < t->neach; k++) {
        buf_text(out, t->flatten ? " flat" : " each");
        if (t->each[k].values) {
            show_tmpl(out, t->each[k].name, t->each[k].values);
        } else {
            show_tmpl(out, t->each[k].name, t->each[k].from);
            show_tmpl(out, "to", t->each[k].to);
        }
    }
    buf_text(out, t->zip ? " zip" : "");
    for (uint32_t k = 0; k < t->nwith; k++)
        show_tmpl(out, t->with[k].name, t->with[k].value);
    for (uint32_t k = 0; k < t->nneeds; k++)
        buf_printf(out, " <%s", flow->tasks[t->needs[k]].name);
    for (uint32_t k = 0; k < t->ncase; k++) {
        show_tmpl(out, "case", t->cases[k].of);
        buf_char(out, ':');
        value_json(t->cases[k].is, out);
    }
}

static void
assert_task(leat_flow *flow, const char *name, const char *wanted)
{
    uint32_t i = flow_find_task(api_flow(flow), name);
    struct buf out = {0};

    if (i == UINT32_MAX)
        fail_msg("there is no task %s", name);
    show_task(api_flow(flow), i, &out);
    assert_string_equal(buf_str(&out), wanted);
    buf_release(&out);
}

/* Nothing was wrong with how it was built. */
static void
end(leat_flow **flow)
{
    if ((*flow)->nproblem > 0)
        fail_msg("%s", (*flow)->problems[0]);
    leat_flow_destroy(flow);
    assert_null(*flow);
}

/* ---- tasks ---- */

static void
calls_are_named_after_their_functions(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_fn *const fns[] = {draw, add};

    (void)state;
    leat_call(flow, draw);
    leat_flow_add_task(flow, "draw_3", add);
    leat_call(flow, draw);
    leat_call(flow, draw);
    leat_call(flow, fns[1]);
    leat_call(flow, *(fns));
    leat_call_v(flow, NULL, "1 + 2", draw, &(const leat_arg){0});
    assert_task(flow, "draw", "draw call");
    assert_task(flow, "draw_2", "draw_2 call");
    assert_task(flow, "draw_4", "draw_4 call");
    assert_task(flow, "fns", "fns call");
    assert_task(flow, "fns_2", "fns_2 call");
    assert_task(flow, "task", "task call");
    end(&flow);
}

static void
arguments_of_a_call_are_its_bindings(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref stop = leat_parameter(flow, "stop");
    leat_ref a = leat_call(flow, draw, {"stop", stop});
    leat_ref b = leat_call(flow, draw, {"stop", leat_get(a, "x")});
    leat_ref c = leat_at(leat_get(leat_at(b, 2), "y"), 0);
    leat_ref k = leat_value(flow, json_string("${a}"));

    (void)state;
    leat_call(flow, add, {"numbers", leat_list(flow, a, c, k)});
    leat_call(flow, add, {"n", leat_object(flow, {"a", a}, {"k", k})},
              {"none", leat_list(flow)});
    leat_call(flow, add,
              {"t", leat_template(flow, json_pack("[s{s:s}i]", "${draw.x[1]}",
                                                  "k", "<${stop}>", 3))});
    assert_task(flow, "draw", "draw call stop=\"${stop}\"");
    assert_task(flow, "draw_2", "draw_2 call stop=\"${draw.x}\"");
    assert_task(flow, "add",
                "add call numbers=[\"${draw}\",\"${draw_2[2].y[0]}\","
                "\"$${a}\"]");
    assert_task(flow, "add_2",
                "add_2 call n={\"a\":\"${draw}\",\"k\":\"$${a}\"} none=[]");
    assert_task(flow, "add_3",
                "add_3 call t=[\"${draw.x[1]}\",{\"k\":\"<${stop}>\"},3]");
    end(&flow);
}

static void
calls_nest_as_in_prefect(void **state)
{
    leat_flow *flow = leat_flow_new("f");

    (void)state;
    leat_call(flow, add,
              {"numbers",
               leat_call(flow, draw, {"stop", leat_parameter(flow, "stop")})});
    assert_task(flow, "add", "add call numbers=\"${draw}\"");
    end(&flow);
}

static void
a_map_goes_over_its_arguments_in_step(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_call(flow, draw), b = leat_call(flow, draw);
    leat_ref from = leat_value(flow, json_integer(1));
    leat_ref one, product;

    (void)state;
    one = leat_map(flow, add, {"x", a}, {"k", leat_unmapped(b)});
    leat_map(flow, add, {"x", one}, {"y", leat_list(flow, a, b)});
    leat_map(flow, add, {"x", leat_flatten(one)});
    leat_call(flow, add, {"x", leat_mapped(a)}, {"y", b});
    leat_command(flow, "square", "echo $((i * i))", {"i", leat_range(from, a)});
    product = leat_map(flow, add, {"x", a}, {"y", b});
    leat_options(product, .product = LEAT_YES);
    assert_task(flow, "add", "add call each x=\"${draw}\" k=\"${draw_2}\"");
    assert_task(flow, "add_2",
                "add_2 call each x=\"${add}\" each "
                "y=[\"${draw}\",\"${draw_2}\"] zip");
    assert_task(flow, "add_3", "add_3 call flat x=\"${add}\"");
    assert_task(flow, "add_4", "add_4 call each x=\"${draw}\" y=\"${draw_2}\"");
    assert_task(flow, "square", "square script each i=1 to=\"${draw}\"");
    assert_task(flow, "add_5",
                "add_5 call each x=\"${draw}\" each y=\"${draw_2}\"");
    end(&flow);
}

static void
commands_and_programs_are_tasks_too(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_flow_add_command(flow, "list", "ls");
    leat_ref words = leat_value(flow, json_pack("[ss]", "gzip", "-9"));
    const struct flow_task *zip;

    (void)state;
    leat_command(flow, "count", "wc -l", {"files", a});
    leat_program(flow, "zip", words);
    leat_program(flow, "unzip",
                 leat_template(flow, json_pack("[ss]", "gunzip", "${file}")),
                 {"file", leat_mapped(a)});
    assert_task(flow, "list", "list script");
    assert_task(flow, "count", "count script files=\"${list}\"");
    assert_task(flow, "unzip", "unzip argv each file=\"${list}\"");
    zip = &api_flow(flow)->tasks[flow_find_task(api_flow(flow), "zip")];
    assert_int_equal(zip->argv->kind, TMPL_LIST);
    assert_int_equal(zip->argv->npart, 2);
    end(&flow);
}

static void
edges_carry_data_or_only_order(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_flow_add_task(flow, "a", draw);
    leat_ref b = leat_flow_add_task(flow, "b", draw);
    leat_ref c = leat_flow_add_task(flow, "c", draw);
    leat_ref d = leat_flow_add_task(flow, "d", draw);

    (void)state;
    leat_set_upstream(b, a, NULL);
    leat_set_upstream(b, leat_parameter(flow, "stop"), "stop");
    leat_set_downstream(a, c, "x");
    leat_set_downstream(b, c, NULL);
    leat_bind(c, {"y", leat_mapped(b)}, {"z", a});
    leat_chain(flow, a, c, d);
    assert_task(flow, "a", "a call");
    assert_task(flow, "b", "b call stop=\"${stop}\" <a");
    assert_task(flow, "c",
                "c call each y=\"${b}\" x=\"${a}\" z=\"${a}\" <b <a");
    assert_task(flow, "d", "d call <c");
    end(&flow);
}

static void
a_renamed_task_is_known_by_its_new_name(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_call(flow, draw, {"stop", leat_parameter(flow, "stop")});
    leat_ref b = leat_call(flow, add, {"numbers", leat_list(flow, a)});

    (void)state;
    leat_flow_set_output(flow, a);
    leat_name(leat_name(a, "number"), "number");
    leat_name(b, "draw");
    assert_int_equal(leat_flow_check(flow, NULL), 0);
    assert_task(flow, "number", "number call stop=\"${stop}\"");
    assert_task(flow, "draw", "draw call numbers=[\"${number}\"]");
    assert_string_equal(api_flow(flow)->output->ref->name, "number");
    assert_int_equal(leat_flow_find(flow, "draw").index, b.index);
    end(&flow);
}

/* ---- branches ---- */

static void
a_case_is_put_on_what_begins_in_its_block(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref kind = leat_parameter(flow, "kind");
    leat_ref before = leat_flow_add_task(flow, "before", draw);

    (void)state;
    leat_case(flow, kind, json_string("a")) {
        leat_ref in = leat_flow_add_task(flow, "in", draw);

        leat_flow_add_task(flow, "by_need", draw);
        leat_set_downstream(in, leat_flow_find(flow, "by_need"), NULL);
        leat_command(flow, "by_value", "true", {"x", in});
        leat_command(flow, "by_name", "true",
                     {"x", leat_template(flow, json_string("${in}"))});
        leat_command(flow, "other", "true", {"x", before});
        leat_case(flow, in, json_true())
            leat_flow_add_task(flow, "deep", draw);
        leat_case(flow, before, json_true())
            leat_flow_add_task(flow, "both", draw);
    }
    leat_flow_add_task(flow, "after", draw);
    assert_task(flow, "before", "before call");
    assert_task(flow, "in", "in call case=\"${kind}\":\"a\"");
    assert_task(flow, "by_need", "by_need call <in");
    assert_task(flow, "by_value", "by_value script x=\"${in}\"");
    assert_task(flow, "by_name", "by_name script x=\"${in}\"");
    assert_task(flow, "other",
                "other script x=\"${before}\" case=\"${kind}\":\"a\"");
    assert_task(flow, "deep", "deep call case=\"${in}\":true");
    assert_task(flow, "both",
                "both call case=\"${before}\":true case=\"${kind}\":\"a\"");
    assert_task(flow, "after", "after call");
    end(&flow);
}

static void
a_switch_is_a_case_for_each_task_and_a_merge_ends_it(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_flow_add_task(flow, "a", draw);
    leat_ref b = leat_flow_add_task(flow, "b", draw);
    leat_ref c = leat_flow_add_task(flow, "c", draw), m;
    const struct flow_options *options;

    (void)state;
    leat_switch(flow, c, {json_integer(1), a}, {json_null(), b});
    m = leat_merge(flow, a, b);
    leat_merge(flow, b, a);
    options = api_flow(flow)->tasks[m.index].options;
    assert_task(flow, "a", "a call case=\"${c}\":1");
    assert_task(flow, "b", "b call case=\"${c}\":null");
    assert_task(flow, "merge", "merge merge <a <b");
    assert_task(flow, "merge_2", "merge_2 merge <b <a");
    assert_int_equal(options->trigger, TRIGGER_NOT_ALL_SKIPPED);
    assert_false(options->skip_on_skip);
    end(&flow);
}

/* ---- as a flow file ---- */

static void
a_flow_of_c_can_be_written_down_and_read_back(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref stop = leat_parameter_with(flow, "stop", .type = LEAT_INT,
                                        .min = LEAT_BOUND(1));
    leat_ref a = leat_call(flow, draw, {"stop", stop});
    leat_ref b = leat_map(flow, add, {"numbers", leat_list(flow, a, stop)});
    leat_ref c = leat_command(flow, "c", "echo $x", {"x", leat_get(a, "k")});
    struct diags diags = {0};
    struct flow *again = NULL;
    json_t *first, *second;
    char *text;

    (void)state;
    leat_options(c, .retry = 2, .timeout = "1m", .priority = 3);
    leat_switch(flow, a, {json_integer(1), b}, {json_integer(2), c});
    leat_merge(flow, b, c);
    leat_name(a, "number");
    leat_flow_set_reference_tasks(flow, b, c);
    leat_flow_set_limit(flow, "db", 4);
    leat_flow_set_max_fails(flow, 3);
    leat_flow_set_help(flow, "what it is for");
    assert_int_equal(leat_flow_check(flow, NULL), 0);
    first = flow_to_json(api_flow(flow));
    text = json_dumps(first, JSON_INDENT(2));
    if (flow_parse("f", text, strlen(text), &again, &diags) < 0)
        fail_msg("%s\n%s", diags.list[0].text, text);
    second = flow_to_json(again);
    assert_true(json_equal(first, second));
    json_decref(first);
    json_decref(second);
    free(text);
    diags_release(&diags);
    flow_destroy(&again);
    end(&flow);
}

/* ---- options ---- */

static void
assert_retry(const struct flow_retry *retry)
{
    assert_int_equal(retry->times, 3);
    assert_int_equal(retry->delay, 10 * SPAN_SECOND);
    assert_int_equal(retry->max, 60 * SPAN_SECOND);
    assert_true(retry->backoff == 2 && retry->jitter == 0.5);
    assert_int_equal(retry->on, RETRY_FAILED | RETRY_LOST);
}

static void
options_of_a_task_are_its_own(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_flow_add_command(flow, "a", "true");
    leat_ref b = leat_flow_add_command(flow, "b", "true");
    leat_ref dir = leat_value(flow, json_string("/tmp"));
    const struct flow_options *o;
    const struct flow_task *t;

    (void)state;
    leat_options(a, .retry = 3, .retry_delay = "10s", .retry_backoff = 2,
                 .retry_max = "1m", .retry_jitter = 0.5,
                 .retry_on = LEAT_ON_FAILED | LEAT_ON_LOST);
    leat_options(a, .timeout = "1h 30m", .trigger = LEAT_SOME_FAILED,
                 .at_least = LEAT_BOUND(0.5), .priority = -2,
                 .skip_on_upstream_skip = LEAT_NO, .exclusive = LEAT_YES,
                 .tags = LEAT_WORDS("db", "big"), .cwd = dir,
                 .resources = LEAT_RESOURCES({"cpus", 2}, {"memory", 4e9}),
                 .env = LEAT_ARGS({"D", dir}), .exit_skip = LEAT_CODES(77, 255),
                 .value = LEAT_OUTPUT_JSON, .when = "test -e x");
    leat_options(a, .tags = LEAT_WORDS("net"), .cache = "1d",
                 .resources = LEAT_RESOURCES({"gpus", 0.5}));
    t = &api_flow(flow)->tasks[a.index];
    o = t->options;
    assert_retry(&o->retry);
    assert_int_equal(o->timeout, 5400 * SPAN_SECOND);
    assert_int_equal(o->cache_for, 86400 * SPAN_SECOND);
    assert_int_equal(o->trigger, TRIGGER_SOME_FAILED);
    assert_true(o->at_least == 0.5 && o->at_most < 0);
    assert_int_equal(o->priority, -2);
    assert_true(!o->skip_on_skip && o->exclusive && !o->at_most_once);
    assert_int_equal(o->ntag, 1);
    assert_string_equal(o->tags[0], "net");
    assert_int_equal(o->nresource, 1);
    assert_string_equal(o->resources[0].name, "gpus");
    assert_string_equal(o->env[0].name, "D");
    assert_int_equal(o->exit_skip.bits[1], UINT64_C(1) << 13);
    assert_int_equal(o->exit_skip.bits[3], UINT64_C(1) << 63);
    assert_int_equal(t->value, VALUE_JSON);
    assert_string_equal(t->when, "test -e x");
    assert_ptr_equal(api_flow(flow)->tasks[b.index].options,
                     api_flow(flow)->options[0]);
    end(&flow);
}

static void
an_older_program_sets_only_the_options_it_knows(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    leat_ref a = leat_flow_add_task(flow, "a", draw);
    const leat_task_options options = {.retry = 2, .priority = 7};

    (void)state;
    leat_options_v(a, NULL, &options, offsetof(leat_task_options, priority));
    assert_int_equal(api_flow(flow)->tasks[a.index].options->retry.times, 2);
    assert_int_equal(api_flow(flow)->tasks[a.index].options->priority, 0);
    end(&flow);
}

static void
parameters_carry_what_they_allow(void **state)
{
    leat_flow *flow = leat_flow_new("f");
    const struct flow_param *p;

    (void)state;
    leat_parameter(flow, "plain");
    leat_parameter_with(flow, "n", .type = LEAT_INT, .min = LEAT_BOUND(0),
                        .max = LEAT_BOUND(9), .fallback = json_integer(3),
                        .choices = json_pack("[ii]", 3, 4), .pattern = "[0-9]",
                        .help = "a digit");
    p = api_flow(flow)->params;
    assert_int_equal(p[0].type, PARAM_ANY);
    assert_null(p[0].fallback);
    assert_int_equal(p[1].type, PARAM_INT);
    assert_true(p[1].has_min && p[1].min == 0 && p[1].has_max && p[1].max == 9);
    assert_int_equal(json_integer_value(p[1].fallback), 3);
    assert_int_equal(json_array_size(p[1].choices), 2);
    assert_string_equal(p[1].pattern, "[0-9]");
    assert_string_equal(p[1].help, "a digit");
    end(&flow);
}

static void
build_one(leat_flow *flow)
{
    leat_call(flow, draw);
}

static void
the_flow_of_a_program_is_named_with_hyphens(void **state)
{
    leat_flow *flow = api_build("my_nightly_flow", build_one);

    (void)state;
    assert_string_equal(leat_flow_name(flow), "my-nightly-flow");
    assert_task(flow, "draw", "draw call");
    end(&flow);
}

static void
daemons_have_the_version_of_the_header(void **state)
{
    (void)state;
    assert_string_equal(VERSION, LEAT_VERSION);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_named_after_their_functions),
        cmocka_unit_test(daemons_have_the_version_of_the_header),
        cmocka_unit_test(arguments_of_a_call_are_its_bindings),
        cmocka_unit_test(calls_nest_as_in_prefect),
        cmocka_unit_test(a_map_goes_over_its_arguments_in_step),
        cmocka_unit_test(commands_and_programs_are_tasks_too),
        cmocka_unit_test(edges_carry_data_or_only_order),
        cmocka_unit_test(a_renamed_task_is_known_by_its_new_name),
        cmocka_unit_test(a_case_is_put_on_what_begins_in_its_block),
        cmocka_unit_test(a_switch_is_a_case_for_each_task_and_a_merge_ends_it),
        cmocka_unit_test(a_flow_of_c_can_be_written_down_and_read_back),
        cmocka_unit_test(options_of_a_task_are_its_own),
        cmocka_unit_test(an_older_program_sets_only_the_options_it_knows),
        cmocka_unit_test(parameters_carry_what_they_allow),
        cmocka_unit_test(the_flow_of_a_program_is_named_with_hyphens),
    };

    return cmocka_run_group_tests_name("api", tests, NULL, NULL);
}
