/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "flow/file.h"
#include "flow/params.h"
#include "flow/value.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static const char text[] =
    "leat: 1\n"
    "params:\n"
    "  who: { default: world, help: \"whom to\\ngreet\" }\n"
    "  level: { choices: [low, high], default: low }\n"
    "  day: { pattern: '[0-9]{4}|today', default: today }\n"
    "  stop: { type: int, min: 1, max: 10, help: how many }\n"
    "  least: { type: int, min: -5, default: 0 }\n"
    "  most: { type: float, max: 2.5, default: 1 }\n"
    "  flag: { type: bool, default: false }\n"
    "  dir: { type: path, default: . }\n"
    "  items: { type: list, default: [] }\n"
    "  some: { type: list, choices: [a, 1], default: [a] }\n"
    "  shape: { type: json, default: null }\n"
    "tasks: { a: { run: x } }\n";

static int
setup(void **state)
{
    struct diags diags = {0};

    return flow_parse("params.yaml", text, sizeof text - 1,
                      (struct flow **)state, &diags);
}

static int
teardown(void **state)
{
    flow_destroy((struct flow **)state);
    return 0;
}

static const struct flow_param *
find(const struct flow *flow, const char *name)
{
    uint32_t number = flow_find_param(flow, name);

    assert_true(number < flow->nparam);
    return &flow->params[number];
}

static void
assert_json(const json_t *value, const char *expected)
{
    struct buf shown = {0};

    value_json(value, &shown);
    assert_string_equal(buf_str(&shown), expected);
    buf_release(&shown);
}

static void
text_becomes_what_the_parameter_takes(void **state)
{
    static const char *const rows[][3] = {
        {"who", "5", "\"5\""},
        {"who", "", "\"\""},
        {"level", "high", "\"high\""},
        {"day", "2026", "\"2026\""},
        {"stop", "10", "10"},
        {"least", "-5", "-5"},
        {"most", "-1e3", "-1000.0"},
        {"most", "2", "2.0"},
        {"flag", "true", "true"},
        {"dir", "../x", "\"../x\""},
        {"items", "", "[]"},
        {"items", "a,2,null,x y", "[\"a\",2,null,\"x y\"]"},
        {"items", "[\"a,b\", {\"c\": 1}]", "[\"a,b\",{\"c\":1}]"},
        {"some", "1,a", "[1,\"a\"]"},
        {"shape", "{\"x\": [1]}", "{\"x\":[1]}"},
        {"shape", "3", "3"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = NULL;
        struct err err;

        assert_int_equal(
            param_parse(find(*state, rows[i][0]), rows[i][1], &value, &err), 0);
        assert_json(value, rows[i][2]);
        json_decref(value);
    }
}

static void
other_text_is_refused_with_what_is_allowed(void **state)
{
    static const char *const rows[][3] = {
        {"who", "\xff", "this is not UTF-8 text"},
        {"level", "Low",
         "`\"Low\"` is not a string, one of `\"low\"`, "
         "`\"high\"`"},
        {"day", "20261",
         "`\"20261\"` is not a string that matches "
         "[0-9]{4}|today"},
        {"stop", "11", "`11` is not an integer from 1 to 10"},
        {"stop", "5x", "`5x` is not an integer from 1 to 10"},
        {"stop", "", "`` is not an integer from 1 to 10"},
        {"least", "-6", "`-6` is not an integer of at least -5"},
        {"most", "2.6", "`2.6` is not a number of at most 2.5"},
        {"most", "lots\x1b", "`lots\\x1b` is not a number of at most 2.5"},
        {"flag", "yes", "`yes` is not true or false"},
        {"flag", "1", "`1` is not true or false"},
        {"dir", "", "`\"\"` is not a path"},
        {"items", "[1, 2",
         "not JSON: `[1, 2` (line 1, column 5: ']' expected near end of file)"},
        {"some", "a,b", "`[\"a\",\"b\"]` is not a list of `\"a\"`, `1`"},
        {"shape", "{x}",
         "not JSON: `{x}` (line 1, column 2: string or '}' expected near "
         "'x')"},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = NULL;
        struct err err = {0};

        assert_int_equal(
            param_parse(find(*state, rows[i][0]), rows[i][1], &value, &err),
            -1);
        assert_string_equal(err.msg, rows[i][2]);
        assert_int_equal(err.code, ERR_INVALID);
        assert_null(value);
    }
}

static void
json_is_checked_against_the_type(void **state)
{
    static const struct {
        const char *name;
        const char *json;
        bool good;
    } rows[] = {
        {"who", "\"x\"", true},     {"who", "5", false},
        {"stop", "5", true},        {"stop", "5.0", false},
        {"stop", "\"5\"", false},   {"most", "1", true},
        {"most", "1.5", true},      {"most", "3", false},
        {"flag", "true", true},     {"flag", "0", false},
        {"dir", "\"\"", false},     {"items", "{}", false},
        {"items", "[[]]", true},    {"shape", "null", true},
        {"some", "[1.0]", true},    {"some", "[2]", false},
        {"level", "\"low\"", true}, {"level", "null", false},
    };

    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = json_loads(rows[i].json, JSON_DECODE_ANY, NULL);
        struct err err;

        assert_int_equal(param_check(find(*state, rows[i].name), value, &err),
                         rows[i].good ? 0 : -1);
        json_decref(value);
    }
}

static void
a_parameter_of_a_program_takes_any_value(void **state)
{
    static const char *const rows[][2] = {
        {"5", "5"}, {"[1]", "[1]"}, {"word", "\"word\""}, {"", "\"\""}};
    const struct flow_param param = {.type = PARAM_ANY};

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = NULL;
        struct err err;

        assert_int_equal(param_parse(&param, rows[i][0], &value, &err), 0);
        assert_json(value, rows[i][1]);
        json_decref(value);
    }
}

static void
check_bind(const struct flow *flow, const char *given, const char *expected,
           const char *problems)
{
    json_t *object = json_loads(given, 0, NULL);
    json_t *bound = NULL;
    struct buf said = {0};

    assert_int_equal(params_bind(flow, object, &bound, &said),
                     expected ? 0 : -1);
    assert_string_equal(buf_str(&said), problems);
    if (expected)
        assert_json(bound, expected);
    else
        assert_null(bound);
    json_decref(bound);
    json_decref(object);
    buf_release(&said);
}

static void
every_parameter_gets_a_value_in_its_order(void **state)
{
    check_bind(
        *state, "{\"stop\": 3, \"who\": \"me\"}",
        "{\"who\":\"me\",\"level\":\"low\",\"day\":\"today\",\"stop\":3,"
        "\"least\":0,\"most\":1.0,\"flag\":false,\"dir\":\".\",\"items\":[],"
        "\"some\":[\"a\"],\"shape\":null}",
        "");
}

static void
all_problems_are_named_at_once(void **state)
{
    check_bind(
        *state,
        "{\"leevl\": 1, \"whatever\\n\": 2, \"most\": 3, \"flag\": \"x\"}",
        NULL,
        "parameter `stop` is required: an integer from 1 to 10 (how many)\n"
        "parameter `most`: `3` is not a number of at most 2.5\n"
        "parameter `flag`: `\"x\"` is not true or false\n"
        "the flow has no parameter `leevl`; did you mean `level`?\n"
        "the flow has no parameter `whatever\\x0a`\n");
}

static void
help_of_several_lines_stays_in_one(void **state)
{
    struct flow *flow = *state;
    json_t *fallback = flow->params[0].fallback;

    flow->params[0].fallback = NULL;
    check_bind(flow, "{\"stop\": 1}", NULL,
               "parameter `who` is required: a string (whom to\\x0agreet)\n");
    flow->params[0].fallback = fallback;
}

static void
a_flow_without_parameters_says_so(void **state)
{
    struct flow *flow = flow_new("x");

    (void)state;
    check_bind(flow, "{}", "{}", "");
    check_bind(flow, "{\"a\": 1}", NULL,
               "the flow has no parameter `a`: it has none at all\n");
    flow_destroy(&flow);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_becomes_what_the_parameter_takes),
        cmocka_unit_test(other_text_is_refused_with_what_is_allowed),
        cmocka_unit_test(json_is_checked_against_the_type),
        cmocka_unit_test(a_parameter_of_a_program_takes_any_value),
        cmocka_unit_test(every_parameter_gets_a_value_in_its_order),
        cmocka_unit_test(all_problems_are_named_at_once),
        cmocka_unit_test(help_of_several_lines_stays_in_one),
        cmocka_unit_test(a_flow_without_parameters_says_so),
    };

    return cmocka_run_group_tests_name("params", tests, setup, teardown);
}
