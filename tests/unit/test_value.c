/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/value.h"
#include "proto/limits.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static void
assert_json(const json_t *value, const char *expected)
{
    struct buf text = {0};

    value_json(value, &text);
    assert_string_equal(buf_str(&text), expected);
    buf_release(&text);
}

static void
output_becomes_a_value_of_its_kind(void **state)
{
    static const struct {
        enum value_kind kind;
        const char *text;
        const char *expected;
    } rows[] = {
        {VALUE_NONE, "anything\xff", "null"},
        {VALUE_TEXT, "", "\"\""},
        {VALUE_TEXT, "a\n\nb\n\n", "\"a\\n\\nb\""},
        {VALUE_TEXT, " a \r\n", "\" a \\r\""},
        {VALUE_LINES, "", "[]"},
        {VALUE_LINES, "\n", "[\"\"]"},
        {VALUE_LINES, "a\nb", "[\"a\",\"b\"]"},
        {VALUE_LINES, "a\n\nb\n", "[\"a\",\"\",\"b\"]"},
        {VALUE_INT, "42\n", "42"},
        {VALUE_INT, "  -7 \n", "-7"},
        {VALUE_INT, "+5", "5"},
        {VALUE_INT, "007", "7"},
        {VALUE_INT, "9223372036854775807", "9223372036854775807"},
        {VALUE_FLOAT, ".5\n", "0.5"},
        {VALUE_FLOAT, "-3", "-3.0"},
        {VALUE_FLOAT, "1e3", "1000.0"},
        {VALUE_FLOAT, "2.", "2.0"},
        {VALUE_JSON, "{\"b\": 1, \"a\": [true, null, \"\\u00e9\"]}\n",
         "{\"b\":1,\"a\":[true,null,\"\xc3\xa9\"]}"},
        {VALUE_JSON, "3", "3"},
        {VALUE_JSON, " \"\\ud83d\\ude00\" ", "\"\xf0\x9f\x98\x80\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = NULL;
        struct err err;

        assert_int_equal(value_parse(rows[i].kind, rows[i].text,
                                     strlen(rows[i].text), &value, &err),
                         0);
        assert_json(value, rows[i].expected);
        json_decref(value);
    }
}

static void
output_that_does_not_parse_is_shown(void **state)
{
    static const struct {
        enum value_kind kind;
        const char *text;
        const char *expected;
    } rows[] = {
        {VALUE_INT, "", "no output where an integer was expected"},
        {VALUE_INT, " \n", "no output where an integer was expected"},
        {VALUE_INT, "5 6", "not an integer: `5 6`"},
        {VALUE_INT, "0x10", "not an integer: `0x10`"},
        {VALUE_INT, "5.0", "not an integer: `5.0`"},
        {VALUE_INT, "-", "not an integer: `-`"},
        {VALUE_INT, "9223372036854775808",
         "not an integer: `9223372036854775808`"},
        {VALUE_INT, "a\x1b[31m", "not an integer: `a\\x1b[31m`"},
        {VALUE_FLOAT, "nan", "not a number: `nan`"},
        {VALUE_FLOAT, "inf", "not a number: `inf`"},
        {VALUE_FLOAT, "1e999", "not a number: `1e999`"},
        {VALUE_FLOAT, ".", "not a number: `.`"},
        {VALUE_FLOAT, "1e", "not a number: `1e`"},
        {VALUE_FLOAT, "0x1p3", "not a number: `0x1p3`"},
        {VALUE_TEXT, "ab\xff", "the output is not UTF-8 text: byte 2 is 0xff"},
        {VALUE_LINES, "\xc3(", "the output is not UTF-8 text: byte 0 is 0xc3"},
        {VALUE_JSON, "", "no output where JSON was expected"},
        {VALUE_JSON, "{\"a\": 1, \"a\": 2}",
         "not JSON: `{\"a\": 1, \"a\": 2}` (line 1, column 12: duplicate "
         "object key near '\"a\"')"},
        {VALUE_JSON, "[1] 2\n",
         "not JSON: `[1] 2` (line 1, column 5: end of file expected near '2')"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = NULL;
        struct err err = {0};

        assert_int_equal(value_parse(rows[i].kind, rows[i].text,
                                     strlen(rows[i].text), &value, &err),
                         -1);
        assert_int_equal(err.code, ERR_INVALID);
        assert_string_equal(err.msg, rows[i].expected);
        assert_null(value);
    }
}

static void
a_long_text_is_shown_in_part(void **state)
{
    char text[200];
    json_t *value = NULL;
    struct err err;

    (void)state;
    memset(text, 'x', sizeof text);
    assert_int_equal(value_parse(VALUE_INT, text, sizeof text, &value, &err),
                     -1);
    assert_string_equal(
        err.msg, "not an integer: "
                 "`xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
                 "`...");
}

static void
a_nul_ends_no_number(void **state)
{
    json_t *value = NULL;
    struct err err;

    (void)state;
    assert_int_equal(value_parse(VALUE_INT, "5\0006", 3, &value, &err), -1);
    assert_string_equal(err.msg, "not an integer: `5\\x006`");
}

static void
values_have_limits(void **state)
{
    size_t n = LIMIT_VALUE_BYTES + 1;
    char *text = mem_alloc(n, 1);
    json_t *value = NULL;
    struct err err;

    (void)state;
    memset(text, '[', n);
    assert_int_equal(value_parse(VALUE_TEXT, text, n, &value, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(value_parse(VALUE_NONE, text, n, &value, &err), 0);
    assert_true(json_is_null(value));

    memset(text, '[', LIMIT_DEPTH + 1);
    memset(text + LIMIT_DEPTH + 1, ']', LIMIT_DEPTH + 1);
    assert_int_equal(
        value_parse(VALUE_JSON, text, 2 * (LIMIT_DEPTH + 1), &value, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg, "the value is nested deeper than 32 levels");
    assert_int_equal(value_parse(VALUE_JSON, text + 1, (size_t)2 * LIMIT_DEPTH,
                                 &value, &err),
                     0);
    assert_int_equal(value_check(value, &err), 0);
    json_decref(value);
    free(text);
}

static json_t *
load(const char *text)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY, NULL);

    assert_non_null(value);
    return value;
}

static void
tasks_see_values_as_text(void **state)
{
    static const struct {
        const char *json;
        const char *text;
    } rows[] = {
        {"\"a b\\n\"", "a b\n"},
        {"5", "5"},
        {"-0.1", "-0.1"},
        {"0.30000000000000004", "0.30000000000000004"},
        {"1e300", "1e+300"},
        {"2.0", "2.0"},
        {"true", "true"},
        {"null", ""},
        {"[]", ""},
        {"[\"a\", \"b c\", 1, null, [1, \"x\"], {\"k\": true}]",
         "a\nb c\n1\nnull\n[1,\"x\"]\n{\"k\":true}"},
        {"{\"b\": 1, \"a\": {}}", "{\"b\":1,\"a\":{}}"},
        {"[[\"\\u0080\\u0085\\u00a0\\u2027\\u2028\\u2029\\u202f\\ufeff\\uffff"
         "\\ud83d\\ude00\"]]",
         "[\"\\u0080\\u0085\u00a0\u2027\\u2028\\u2029\u202f\\ufeff\\uffff"
         "\U0001f600\"]"},
        {"{\"a\\n\": \"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f/\"}",
         "{\"a\\n\":\"\\\"\\\\\\b\\f\\n\\r\\t\\u0001\\u007f/\"}"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = load(rows[i].json);
        struct buf text = {0};

        value_text(value, &text);
        assert_string_equal(buf_str(&text), rows[i].text);
        buf_release(&text);
        json_decref(value);
    }
}

static void
a_brief_look_is_cut_between_characters(void **state)
{
    static const struct {
        const char *json;
        size_t most;
        const char *text;
    } rows[] = {
        {"\"abc\"", 5, "\"abc\""},
        {"\"abcd\"", 5, "\"abcd..."},
        {"[1, 22, 333]", 6, "[1,22,..."},
        {"{\"key\": [1, 2]}", 4, "{\"ke..."},
        {"\"a\u00e9\u00e9\"", 5, "\"a\u00e9..."},
        {"12345", 2, "12..."},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = load(rows[i].json);
        struct buf text = {0};

        buf_text(&text, ">");
        value_brief(value, rows[i].most, &text);
        assert_string_equal(buf_str(&text) + 1, rows[i].text);
        buf_release(&text);
        json_decref(value);
    }
}

static void
a_brief_look_at_much_costs_little(void **state)
{
    json_t *list = json_array();
    struct buf text = {0};

    (void)state;
    for (int i = 0; i < 100000; i++)
        json_array_append_new(list, json_integer(i));
    value_brief(list, 10, &text);
    assert_string_equal(text.data, "[0,1,2,3,4...");
    assert_true(text.cap < 1000);
    buf_release(&text);
    json_decref(list);
}

static void
equality_is_of_what_is_meant(void **state)
{
    static const struct {
        const char *a, *b;
        bool equal;
    } rows[] = {
        {"1", "1.0", true},
        {"1", "1.5", false},
        {"1", "\"1\"", false},
        {"[1, [2.0]]", "[1.0, [2]]", true},
        {"[1]", "[1, 2]", false},
        {"[1]", "[2]", false},
        {"{\"a\": 1, \"b\": 2}", "{\"b\": 2.0, \"a\": 1}", true},
        {"{\"a\": 1}", "{\"b\": 1}", false},
        {"{\"a\": 1}", "{}", false},
        {"null", "false", false},
        {"true", "true", true},
        {"\"a\"", "\"a\"", true},
        {"[]", "{}", false},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *a = load(rows[i].a), *b = load(rows[i].b);

        assert_int_equal(value_equal(a, b), rows[i].equal);
        assert_int_equal(value_equal(b, a), rows[i].equal);
        json_decref(a);
        json_decref(b);
    }
    assert_true(value_equal(NULL, json_null()));
    assert_false(value_equal(NULL, json_true()));
}

static void
words_are_typed_by_the_grammar_of_json(void **state)
{
    static const struct {
        const char *word;
        const char *json;
    } rows[] = {
        {"null", "null"},
        {"true", "true"},
        {"false", "false"},
        {"True", "\"True\""},
        {"no", "\"no\""},
        {"~", "\"~\""},
        {"0", "0"},
        {"-0", "0"},
        {"12", "12"},
        {"012", "\"012\""},
        {"+1", "\"+1\""},
        {"1.", "\"1.\""},
        {".5", "\".5\""},
        {"1.50", "1.5"},
        {"1e3", "1000.0"},
        {"1E+3", "1000.0"},
        {"1e", "\"1e\""},
        {"0x10", "\"0x10\""},
        {"1_000", "\"1_000\""},
        {"-", "\"-\""},
        {"1.2.3", "\"1.2.3\""},
        {"", "\"\""},
        {"99999999999999999999", "\"99999999999999999999\""},
        {"1e999", "\"1e999\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = value_from_word(rows[i].word, strlen(rows[i].word));

        assert_json(value, rows[i].json);
        json_decref(value);
    }
}

static void
types_have_names_for_messages(void **state)
{
    static const char *const rows[][2] = {
        {"{}", "an object"},    {"[]", "a list"},   {"\"\"", "a string"},
        {"1", "an integer"},    {"1.0", "a float"}, {"true", "a boolean"},
        {"false", "a boolean"}, {"null", "null"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        json_t *value = load(rows[i][0]);

        assert_string_equal(value_type_name(value), rows[i][1]);
        json_decref(value);
    }
    assert_string_equal(value_type_name(NULL), "null");
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(output_becomes_a_value_of_its_kind),
        cmocka_unit_test(output_that_does_not_parse_is_shown),
        cmocka_unit_test(a_long_text_is_shown_in_part),
        cmocka_unit_test(a_nul_ends_no_number),
        cmocka_unit_test(values_have_limits),
        cmocka_unit_test(tasks_see_values_as_text),
        cmocka_unit_test(a_brief_look_is_cut_between_characters),
        cmocka_unit_test(a_brief_look_at_much_costs_little),
        cmocka_unit_test(equality_is_of_what_is_meant),
        cmocka_unit_test(words_are_typed_by_the_grammar_of_json),
        cmocka_unit_test(types_have_names_for_messages),
    };

    return cmocka_run_group_tests_name("value", tests, NULL, NULL);
}
