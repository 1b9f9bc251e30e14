/* SPDX-License-Identifier: MPL-2.0 */
#include "flow/work.h"

#include "base/mem.h"
#include "tests/unit/run_world.h"

/* A world in which the first attempt has just been handed out. */
static struct plan_id
begin_work(struct world *w, struct work_spec *spec, const char *text)
{
    struct plan_id id = {0, PLAN_WHOLE};
    int64_t until;

    begin(w, text, NULL);
    assert_int_equal(run_next(w->run, 0, &id, &until), RUN_START);
    work_spec_init(spec, w->flow, id.task);
    return id;
}

static void
expect_json(const json_t *value, const char *wanted)
{
    struct buf text = {0};

    if (!wanted) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    value_json(value, &text);
    assert_string_equal(buf_str(&text), wanted);
    buf_release(&text);
}

/* What it has of its own, as the document that says so; NULL: nothing. */
static json_t *
item_of(const struct work *work)
{
    struct buf text = {0};
    json_t *item = NULL;
    struct err err;

    assert_int_equal(work_item(work, &text, &err), 0);
    if (text.len > 0) {
        item = json_loadb(text.data, text.len, 0, NULL);
        assert_non_null(item);
    }
    buf_release(&text);
    return item;
}

/* What an attempt has of its own travels as this document, and comes back. */
static void
expect_item(const struct work *work, const char *wanted)
{
    struct work back = {.spec = work->spec, .attempt = 7};
    json_t *item = item_of(work);
    json_t *again = NULL;
    struct err err;

    expect_json(item, wanted);
    assert_int_equal(work_from_item(&back, item, &err), 0);
    assert_ptr_equal(back.spec, work->spec);
    assert_int_equal(back.attempt, 7);
    again = item_of(&back);
    expect_json(again, wanted);
    json_decref(item);
    json_decref(again);
    work_release(&back);
}

/* Gather the first attempt of a flow; its item is this. */
static void
check_item(const char *text, const char *wanted)
{
    struct world w = {0};
    struct work_spec spec;
    struct work work;
    struct plan_id id = begin_work(&w, &spec, text);
    struct err err;

    assert_int_equal(work_gather(&work, &spec, w.run, id, &err), 0);
    assert_ptr_equal(work.spec, &spec);
    assert_int_equal(work.id.task, id.task);
    assert_int_equal(work.id.child, id.child);
    assert_int_equal(work.attempt, 1);
    expect_item(&work, wanted);
    work_release(&work);
    end(&w);
}

static void
check_failure(const char *text, const char *wanted)
{
    struct world w = {0};
    struct work_spec spec;
    struct work work;
    struct plan_id id = begin_work(&w, &spec, text);
    struct err err;

    assert_int_equal(work_gather(&work, &spec, w.run, id, &err), -1);
    assert_string_equal(err.msg, wanted);
    end(&w);
}

/* ---- the spec ---- */

static void
a_spec_has_what_all_attempts_share(void **state)
{
    struct world w = {0};
    struct work_spec spec;

    (void)state;
    (void)begin_work(&w, &spec,
                     "leat: 1\nname: test\ntasks:\n"
                     "  a:\n    run: 'echo 3'\n    value: int\n"
                     "    when: 'test -d /'\n    shell: sh -e\n"
                     "    timeout: 5 s\n    grace: 2 s\n"
                     "    exit: { skip: [77], retry: [75] }\n");
    assert_string_equal(spec.flow, "test");
    assert_string_equal(spec.name, "a");
    assert_int_equal(spec.kind, FLOW_SCRIPT);
    assert_int_equal(spec.value, VALUE_INT);
    assert_string_equal(spec.script, "echo 3");
    assert_string_equal(spec.when, "test -d /");
    assert_string_equal(spec.shell, "sh -e");
    assert_int_equal(spec.timeout, 5 * SPAN_SECOND);
    assert_int_equal(spec.grace, 2 * SPAN_SECOND);
    assert_int_equal(spec.exit_skip.bits[1], UINT64_C(1) << (77 - 64));
    assert_int_equal(spec.exit_retry.bits[1], UINT64_C(1) << (75 - 64));
    assert_int_equal(spec.run, 0);
    assert_null(spec.params);
    assert_null(spec.home);
    end(&w);
}

/* ---- gathering ---- */

static void
what_is_its_own_is_gathered(void **state)
{
    (void)state;
    check_item("leat: 1\nname: test\n"
               "params: { p: { type: int, default: 7 } }\ntasks:\n"
               "  a: { argv: [cat, '${p}', '${n}'], with: { n: [1, '${p}'] },\n"
               "       env: { E: 'p=${p}' }, stdin: { x: '${p}' },\n"
               "       cwd: 'dir${p}', creates: 'out${p}' }\n",
               "{\"with\":{\"n\":[1,7]},\"env\":{\"E\":\"p=7\"},"
               "\"argv\":[\"cat\",7,[1,7]],\"stdin\":{\"x\":7},"
               "\"cwd\":\"dir7\",\"creates\":\"out7\"}");
}

static void
a_child_has_its_keys_and_its_name(void **state)
{
    struct world w = {0};
    struct work_spec spec;
    struct work work;
    struct plan_id id =
        begin_work(&w, &spec,
                   HEAD "  m: { each: { f: [x, y], i: 1..2 },\n"
                        "       with: { t: '${f}${i}' }, run: x }\n");
    struct err err;

    (void)state;
    assert_int_equal(work_gather(&work, &spec, w.run, id, &err), 0);
    assert_string_equal(work.name, "m[x,1]");
    expect_json(work.own, "{\"f\":\"x\",\"i\":1,\"t\":\"x1\"}");
    work_release(&work);
    end(&w);
}

/* What a broker sends of a flow's first attempt: text, or (NULL) values. */
static void
check_text(const char *text, const char *wanted)
{
    struct world w = {0};
    struct work_spec spec;
    struct work work;
    struct plan_id id = begin_work(&w, &spec, text);
    struct buf item = {0};
    struct err err;

    assert_int_equal(work_gather_text(&work, &spec, w.run, id, &item, &err), 0);
    assert_int_equal(work.attempt, 1);
    if (wanted) {
        assert_null(work.own);
        assert_int_equal(work.nitem, strlen(wanted));
        if (*wanted)
            assert_string_equal(work.item, wanted);
    } else {
        assert_null(work.item);
        assert_non_null(work.own);
    }
    work_release(&work);
    buf_release(&item);
    end(&w);
}

static void
bindings_of_calls_are_gathered_as_text(void **state)
{
    (void)state;
    check_text(HEAD "  m: { each: { f: ['x\"', y], i: 1..2 },\n"
                    "       with: { t: ['${i}', null] }, call: x }\n",
               "{\"with\":{\"f\":\"x\\\"\",\"i\":1,\"t\":[1,null]}}");
    check_text(HEAD "  a: { call: x }\n", "");
    check_text(HEAD "  m: { each: { i: 1..2 }, run: x }\n", NULL);
    check_text(HEAD "  m: { each: { i: 1..2 }, call: x, env: { A: b } }\n",
               NULL);
    check_text(HEAD "  m: { each: { i: 1..2 }, call: x, cwd: '${i}' }\n", NULL);
    check_text(HEAD "  m: { each: { i: 1..2 }, call: x, when: 'true' }\n",
               NULL);
    check_text(HEAD "  m: { each: { i: 1..2 }, call: x, cache: { for: 1h } }\n",
               NULL);
}

static void
who_has_nothing_of_its_own_has_no_item(void **state)
{
    (void)state;
    check_item(HEAD "  a: { run: x }\n", NULL);
}

static void
a_null_for_stdin_is_not_nothing(void **state)
{
    (void)state;
    check_item("leat: 1\nname: test\n"
               "params: { p: { type: json, default: null } }\ntasks:\n"
               "  a: { run: x, stdin: '${p}', env: { A: '${p}' } }\n",
               "{\"env\":{\"A\":null},\"stdin\":null}");
}

static void
bindings_are_parameters_with_its_own_over_them(void **state)
{
    json_t *params = json_pack("{s:i,s:i}", "a", 1, "b", 2);
    json_t *own = json_pack("{s:i,s:i}", "c", 3, "a", 4);
    struct work_spec spec = {.params = params};
    struct work work = {.spec = &spec, .own = own};
    json_t *all = work_bindings(&work);

    (void)state;
    expect_json(all, "{\"a\":4,\"b\":2,\"c\":3}");
    expect_json(params, "{\"a\":1,\"b\":2}");
    json_decref(all);
    json_decref(own);
    json_decref(params);
    spec.params = NULL;
    work.own = NULL;
    all = work_bindings(&work);
    expect_json(all, "{}");
    json_decref(all);
}

static void
what_cannot_be_evaluated_is_told_with_its_place(void **state)
{
#define ONE \
    "leat: 1\nname: test\nparams: { p: { type: json, default: {} } }\ntasks:\n"
    (void)state;
    check_failure(ONE "  a: { run: x, cwd: '${p.q}' }\n",
                  "cwd: `p` has no field `q`: it is an object without fields");
    check_failure(
        ONE "  a: { run: x, with: { w: '${p.q}' } }\n",
        "with: `w`: `p` has no field `q`: it is an object without fields");
    check_failure(
        ONE "  a: { run: x, env: { E: '${p.q}' } }\n",
        "env: `E`: `p` has no field `q`: it is an object without fields");
    check_failure(ONE "  a: { argv: [x, '${p.q}'] }\n",
                  "argv: `p` has no field `q`: it is an object without fields");
    check_failure(
        ONE "  a: { run: x, stdin: '${p.q}' }\n",
        "stdin: `p` has no field `q`: it is an object without fields");
    check_failure(
        ONE "  a: { run: x, creates: '${p.q}' }\n",
        "creates: `p` has no field `q`: it is an object without fields");
#undef ONE
}

/* ---- what came from elsewhere ---- */

static void
expect_refused(const char *json, const char *wanted)
{
    json_t *item = json_loads(json, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    struct work work = {0};
    struct err err;

    assert_non_null(item);
    assert_int_equal(work_from_item(&work, item, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.msg, wanted);
    assert_null(work.own);
    assert_null(work.cwd);
    json_decref(item);
    work_release(&work);
}

static void
items_that_are_none_are_refused(void **state)
{
#define ITEM "an attempt's item: "
    (void)state;
    expect_refused("[]", ITEM "it is a list, not an object");
    expect_refused("null", ITEM "it is null, not an object");
    expect_refused("{\"witch\":{}}", ITEM "it has a key that is not known");
    expect_refused("{\"cwd\":\"/\",\"with\":[]}",
                   ITEM "`with` is a list, not an object");
    expect_refused("{\"with\":{\"a\":1},\"env\":\"A=b\"}",
                   ITEM "`env` is a string, not an object");
    expect_refused("{\"env\":{\"A=B\":\"\"}}",
                   ITEM "`env` has a name that is none");
    expect_refused("{\"with\":{\"\":\"\"}}",
                   ITEM "`with` has a name that is none");
    expect_refused("{\"argv\":{\"0\":\"ls\"}}",
                   ITEM "`argv` is an object, not a list");
    expect_refused("{\"cwd\":null}", ITEM "`cwd` is null, not a string");
    expect_refused("{\"cwd\":\"a\\u0000b\"}",
                   ITEM "`cwd` has a NUL byte in it");
    expect_refused("{\"with\":{},\"creates\":[\"a\"]}",
                   ITEM "`creates` is a list, not a string");
    expect_refused("{\"creates\":\"\\u0000\"}",
                   ITEM "`creates` has a NUL byte in it");
    expect_refused("{\"handle\":3}",
                   ITEM "`handle` is an integer, not an object");
#undef ITEM
}

static void
a_change_of_state_can_travel(void **state)
{
    static const char *const none[] = {
        "{}", "{\"from\":1}", "{\"from\":1,\"to\":14}",
        "{\"from\":-1,\"to\":2}", "{\"from\":1,\"to\":2,\"cause\":3}"};
    json_t *value = json_pack("[i]", 4);
    const struct run_change change = {
        .from = PLAN_RUNNING,
        .state = PLAN_FAILED,
        .value = value,
        .cause = "it is late",
    };
    struct work work = {.handle = work_handle(&change)};
    json_t *item = item_of(&work);
    struct run_change got = {0};
    struct work back = {0};
    struct err err;

    (void)state;
    assert_int_equal(work_from_item(&back, item, &err), 0);
    assert_int_equal(work_from_handle(&got, back.handle, &err), 0);
    assert_int_equal(got.from, PLAN_RUNNING);
    assert_int_equal(got.state, PLAN_FAILED);
    assert_true(json_equal(got.value, value));
    assert_string_equal(got.cause, "it is late");
    for (size_t i = 0; i < sizeof none / sizeof none[0]; i++) {
        json_t *handle = json_loads(none[i], 0, NULL);

        assert_int_equal(work_from_handle(&got, handle, &err), -1);
        json_decref(handle);
    }
    work_release(&work);
    work_release(&back);
    json_decref(item);
    json_decref(value);
}

static void
no_item_is_nothing_of_its_own(void **state)
{
    struct work work = {0};
    json_t *item = NULL;
    struct err err;

    (void)state;
    assert_int_equal(work_from_item(&work, NULL, &err), 0);
    item = item_of(&work);
    assert_null(item);
    work_release(&work);
}

static void
a_path_is_told_from_a_hash(void **state)
{
    unsigned char hash[WORK_PROGRAM_HASH];

    (void)state;
    memset(hash, 0x9c, sizeof hash);
    assert_true(work_program_is_hash(hash, sizeof hash));
    hash[0] = '/';
    assert_true(work_program_is_hash(hash, sizeof hash));
    assert_false(work_program_is_hash("/a", 2));
    assert_false(
        work_program_is_hash("/home/me/flows/of/mine/a_program", sizeof hash));
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_spec_has_what_all_attempts_share),
        cmocka_unit_test(what_is_its_own_is_gathered),
        cmocka_unit_test(a_child_has_its_keys_and_its_name),
        cmocka_unit_test(bindings_of_calls_are_gathered_as_text),
        cmocka_unit_test(who_has_nothing_of_its_own_has_no_item),
        cmocka_unit_test(a_null_for_stdin_is_not_nothing),
        cmocka_unit_test(bindings_are_parameters_with_its_own_over_them),
        cmocka_unit_test(what_cannot_be_evaluated_is_told_with_its_place),
        cmocka_unit_test(items_that_are_none_are_refused),
        cmocka_unit_test(a_change_of_state_can_travel),
        cmocka_unit_test(no_item_is_nothing_of_its_own),
        cmocka_unit_test(a_path_is_told_from_a_hash),
    };

    return cmocka_run_group_tests_name("work", tests, NULL, NULL);
}
