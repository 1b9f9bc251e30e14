/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "flow/tmpl.h"
#include "flow/value.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct tmpl *
parse(const char *text)
{
    struct tmpl *tmpl = NULL;
    struct err err = {0};
    size_t at;

    if (tmpl_parse(text, strlen(text), &tmpl, &at, &err) < 0)
        fail_msg("%s: %s", text, err.msg);
    return tmpl;
}

/* Names stand for the fields of one JSON object. */
static json_t *
look_up(void *ctx, const struct ref *ref, struct err *err)
{
    json_t *value = json_object_get(ctx, ref->name);

    if (!value)
        err_set(err, ERR_NOT_FOUND, "nothing is called `%s`", ref->name);
    return json_incref(value);
}

static json_t *
world(void)
{
    return json_loads("{\"n\": 5, \"s\": \"a b\", \"list\": [1, \"two\", [3]],"
                      " \"o\": {\"x\": {\"y-z\": [7]}, \"0\": null},"
                      " \"empty\": {}, \"none\": null}",
                      0, NULL);
}

static void
assert_json(const json_t *value, const char *expected)
{
    struct buf text = {0};

    value_json(value, &text);
    assert_string_equal(buf_str(&text), expected);
    buf_release(&text);
}

static void
strings_are_evaluated(void **state)
{
    static const struct {
        const char *text;
        enum tmpl_kind kind;
        const char *expected;
    } rows[] = {
        {"", TMPL_CONST, "\"\""},
        {"plain", TMPL_CONST, "\"plain\""},
        {"$ $x $5 a$", TMPL_CONST, "\"$ $x $5 a$\""},
        {"$$", TMPL_CONST, "\"$\""},
        {"$${n}", TMPL_CONST, "\"${n}\""},
        {"${n}", TMPL_REF, "5"},
        {"${list}", TMPL_REF, "[1,\"two\",[3]]"},
        {"${list[1]}", TMPL_REF, "\"two\""},
        {"${list[2][0]}", TMPL_REF, "3"},
        {"${o.x.y-z[0]}", TMPL_REF, "7"},
        {"${o.0}", TMPL_REF, "null"},
        {" ${n}", TMPL_TEXT, "\" 5\""},
        {"${n}${n}", TMPL_TEXT, "\"55\""},
        {"$$${n}", TMPL_TEXT, "\"$5\""},
        {"$${n}${n}", TMPL_TEXT, "\"${n}5\""},
        {"<${list}>", TMPL_TEXT, "\"<1\\ntwo\\n[3]>\""},
        {"<${o.x}>", TMPL_TEXT, "\"<{\\\"y-z\\\":[7]}>\""},
        {"<${none}>", TMPL_TEXT, "\"<>\""},
        {"${s}!", TMPL_TEXT, "\"a b!\""},
    };
    json_t *names = world();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tmpl *tmpl = parse(rows[i].text);
        json_t *value = NULL;
        struct err err;

        assert_int_equal(tmpl->kind, rows[i].kind);
        assert_int_equal(tmpl_eval(tmpl, look_up, names, &value, &err), 0);
        assert_json(value, rows[i].expected);
        json_decref(value);
        tmpl_destroy(&tmpl);
        assert_null(tmpl);
    }
    json_decref(names);
}

static void
what_is_no_reference_is_refused_at_its_place(void **state)
{
    static const struct {
        const char *text;
        size_t at;
        const char *expected;
    } rows[] = {
        {"ab${", 4, "`${` without a `}`"},
        {"${a", 3, "`${` without a `}`"},
        {"${a.b", 5, "`${` without a `}`"},
        {"${}", 2, "expected a name after `${`; write `$${` for a plain `${`"},
        {"${9}", 2, "expected a name after `${`; write `$${` for a plain `${`"},
        {"${a b}", 3,
         "a reference is a name and a path, such as ${a.field[0]}, and nothing "
         "more"},
        {"${a.}", 4, "expected the name of a field after `.`"},
        {"${a[]}", 4, "an index is a whole number from 0"},
        {"${a[4294967295]}", 14, "an index is a whole number from 0"},
        {"${a[0}", 5, "expected `]` after the index"},
        {"a\xff", 1, "this is not UTF-8 text"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tmpl *tmpl = NULL;
        struct err err = {0};
        size_t at = 99;

        assert_int_equal(
            tmpl_parse(rows[i].text, strlen(rows[i].text), &tmpl, &at, &err),
            -1);
        assert_string_equal(err.msg, rows[i].expected);
        assert_int_equal(at, rows[i].at);
        assert_null(tmpl);
    }
}

static void
paths_and_names_have_limits(void **state)
{
    struct buf text = {0};
    struct tmpl *tmpl = NULL;
    struct err err;
    size_t at;

    (void)state;
    buf_text(&text, "${a");
    for (int i = 0; i < 33; i++)
        buf_text(&text, "[0]");
    buf_char(&text, '}');
    assert_int_equal(tmpl_parse(text.data, text.len, &tmpl, &at, &err), -1);
    assert_string_equal(err.msg, "this path is too long");
    buf_clear(&text);

    buf_text(&text, "${");
    for (int i = 0; i < 129; i++)
        buf_char(&text, 'x');
    buf_char(&text, '}');
    assert_int_equal(tmpl_parse(text.data, text.len, &tmpl, &at, &err), -1);
    assert_string_equal(err.msg, "this name is too long");
    assert_int_equal(at, 2);
    buf_release(&text);
}

static void
a_path_that_leads_nowhere_says_what_there_is(void **state)
{
    static const char *const rows[][2] = {
        {"${o.y}", "`o` has no field `y`; it has `x`, `0`"},
        {"${o.x.a}", "`o.x` has no field `a`; it has `y-z`"},
        {"${empty.a}", "`empty` has no field `a`: it is an object without "
                       "fields"},
        {"${n.a}", "`n` has no field `a`: it is an integer"},
        {"${list.a}", "`list` has no field `a`: it is a list"},
        {"${list[3]}", "`list` has no element [3]: it has 3, counted from 0"},
        {"${list[2][1]}",
         "`list[2]` has no element [1]: it has 1, counted from 0"},
        {"${s[0]}", "`s` has no element [0]: it is a string"},
        {"${nope}", "nothing is called `nope`"},
        {"x${nope}", "nothing is called `nope`"},
    };
    json_t *names = world();

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tmpl *tmpl = parse(rows[i][0]);
        json_t *value = NULL;
        struct err err = {0};

        assert_int_equal(tmpl_eval(tmpl, look_up, names, &value, &err), -1);
        assert_string_equal(err.msg, rows[i][1]);
        assert_null(value);
        tmpl_destroy(&tmpl);
    }
    json_decref(names);
}

static void
only_some_of_many_fields_are_listed(void **state)
{
    json_t *names =
        json_loads("{\"o\": {\"a\": 1, \"b\": 1, \"c\": 1, \"d\": 1,"
                   "\"e\": 1, \"f\": 1, \"g\": 1, \"h\": 1,"
                   "\"i\": 1}}",
                   0, NULL);
    struct tmpl *tmpl = parse("${o.z}");
    json_t *value = NULL;
    struct err err;

    (void)state;
    assert_int_equal(tmpl_eval(tmpl, look_up, names, &value, &err), -1);
    assert_string_equal(err.msg,
                        "`o` has no field `z`; it has `a`, `b`, `c`, `d`, `e`, "
                        "`f`, `g`, `h`, ...");
    tmpl_destroy(&tmpl);
    json_decref(names);
}

/* {"l": ["${n}", "x${s}", 3], "c": true} */
static struct tmpl *
nested(void)
{
    struct tmpl *object = tmpl_object();
    struct tmpl *list = tmpl_list();
    struct tmpl *part = parse("${n}");

    tmpl_append(list, &part);
    assert_null(part);
    part = parse("x${s}");
    tmpl_append(list, &part);
    part = tmpl_const(json_integer(3));
    tmpl_append(list, &part);
    tmpl_set(object, "l", &list);
    part = tmpl_const(json_true());
    tmpl_set(object, "c", &part);
    return object;
}

static void
lists_and_objects_are_evaluated(void **state)
{
    json_t *names = world();
    struct tmpl *tmpl = nested();
    struct tmpl *copy = tmpl_copy(tmpl);
    json_t *value = NULL;
    struct err err;

    (void)state;
    tmpl_destroy(&tmpl);
    assert_int_equal(tmpl_eval(copy, look_up, names, &value, &err), 0);
    assert_json(value, "{\"l\":[5,\"xa b\",3],\"c\":true}");
    json_decref(value);

    json_object_del(names, "s");
    assert_int_equal(tmpl_eval(copy, look_up, names, &value, &err), -1);
    tmpl_destroy(&copy);
    json_decref(names);
}

static void
add_name(void *ctx, struct ref *ref)
{
    buf_printf(ctx, "%s@%u ", ref->name, ref->offset);
}

static void
references_are_visited_in_order(void **state)
{
    struct tmpl *tmpl = parse("a${x}$$${y.f} ${x[1]}");
    struct buf seen = {0};

    (void)state;
    tmpl_each_ref(tmpl, add_name, &seen);
    assert_string_equal(seen.data, "x@1 y@7 x@14 ");
    tmpl_destroy(&tmpl);
    tmpl = nested();
    buf_clear(&seen);
    tmpl_each_ref(tmpl, add_name, &seen);
    assert_string_equal(seen.data, "n@0 s@1 ");
    tmpl_destroy(&tmpl);
    tmpl_each_ref(NULL, add_name, &seen);
    buf_release(&seen);
}

static void
what_is_written_reads_back_the_same(void **state)
{
    static const char *const rows[] = {
        "",      "plain",  "$",        "$$",          "a$",
        "$x",    "$${n}",  "${n}",     "a${o.x[3]}b", "$$${n}$$${n}",
        "${n}$", "{${n}}", "$$$$${n}",
    };
    json_t *names =
        json_loads("{\"n\": \"$\", \"o\": {\"x\": [0,1,2,3]}}", 0, NULL);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tmpl *tmpl = parse(rows[i]);
        json_t *json = tmpl_to_json(tmpl);
        struct tmpl *again = parse(json_string_value(json));
        json_t *a = NULL, *b = NULL;
        struct err err;

        assert_int_equal(tmpl->kind, again->kind);
        assert_int_equal(tmpl_eval(tmpl, look_up, names, &a, &err), 0);
        assert_int_equal(tmpl_eval(again, look_up, names, &b, &err), 0);
        assert_true(json_equal(a, b));
        json_decref(a);
        json_decref(b);
        json_decref(json);
        tmpl_destroy(&tmpl);
        tmpl_destroy(&again);
    }
    json_decref(names);
}

static void
constants_are_written_with_their_dollar_signs_doubled(void **state)
{
    json_t *value =
        json_loads("{\"a\": [\"${x}\", \"$5\", 1], \"b\": null}", 0, NULL);
    struct tmpl *tmpl = tmpl_const(value);
    json_t *json = tmpl_to_json(tmpl);

    (void)state;
    assert_json(json, "{\"a\":[\"$${x}\",\"$5\",1],\"b\":null}");
    json_decref(json);
    tmpl_destroy(&tmpl);

    tmpl = nested();
    json = tmpl_to_json(tmpl);
    assert_json(json, "{\"l\":[\"${n}\",\"x${s}\",3],\"c\":true}");
    json_decref(json);
    tmpl_destroy(&tmpl);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_evaluated),
        cmocka_unit_test(what_is_no_reference_is_refused_at_its_place),
        cmocka_unit_test(paths_and_names_have_limits),
        cmocka_unit_test(a_path_that_leads_nowhere_says_what_there_is),
        cmocka_unit_test(only_some_of_many_fields_are_listed),
        cmocka_unit_test(lists_and_objects_are_evaluated),
        cmocka_unit_test(references_are_visited_in_order),
        cmocka_unit_test(what_is_written_reads_back_the_same),
        cmocka_unit_test(constants_are_written_with_their_dollar_signs_doubled),
    };

    return cmocka_run_group_tests_name("tmpl", tests, NULL, NULL);
}
