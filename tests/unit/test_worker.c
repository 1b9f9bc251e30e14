/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/span.h"
#include "lib/worker.h"
#include "tests/support/shop.h"

static void
calls_are_made_in_order_by_one_process(void **state)
{
    struct shop shop;
    struct made *sum, *first, *last;

    (void)state;
    open_shop(&shop);
    first = call(&shop, "who", NULL);
    sum = call(&shop, "add", json_pack("{s:i, s:i}", "a", 2, "b", 40));
    last = call(&shop, "who", NULL);
    finish(&shop);
    assert_result(sum, PLAN_SUCCEEDED, NULL);
    assert_int_equal(json_integer_value(sum->result.value), 42);
    assert_true(json_equal(first->result.value, last->result.value));
    assert_true(first->result.ended <= last->result.started);
    assert_int_equal(sum->result.code, -1);
    assert_int_equal(workers_count(shop.workers), 1);
    close_shop(&shop);
}

/* Ask the handlers of a task. */
static struct made *
ask(struct shop *shop, const char *name, const char *cause)
{
    struct made *made = prepare(shop, name, NULL);
    json_t *value = json_integer(5);
    const struct run_change change = {
        .from = PLAN_RUNNING,
        .state = PLAN_FAILED,
        .value = value,
        .cause = cause,
    };

    made->spec.handlers = true;
    made->spec.timeout = 200 * SPAN_MS;
    made->work.handle = work_handle(&change);
    json_decref(value);
    hand_over(shop, made, 0);
    return made;
}

static void
assert_answer(const struct made *made, enum plan_state state, const char *cause)
{
    assert_result(made, PLAN_SUCCEEDED, cause);
    assert_int_equal(json_integer_value(made->result.value), state);
}

static void
handlers_answer_for_their_task(void **state)
{
    struct shop shop;
    struct made *agree, *skip, *fail, *crashed, *hung, *none, *sum;

    (void)state;
    open_shop(&shop);
    agree = ask(&shop, "add", "agree");
    skip = ask(&shop, "add", "skip");
    fail = ask(&shop, "add", "fail");
    finish(&shop);
    assert_answer(agree, PLAN_FAILED, NULL);
    assert_string_equal(buf_str(&agree->out), "add failed\n");
    assert_answer(skip, PLAN_SKIPPED, NULL);
    assert_answer(fail, PLAN_FAILED,
                  "its state handler failed: 5 of attempt 2");
    crashed = ask(&shop, "add", "crash");
    hung = ask(&shop, "add", "hang");
    finish(&shop);
    assert_result(crashed, PLAN_FAILED, "killed by signal 6 (Aborted)");
    if (hung->ended == 0) { /* it was with the one that crashed */
        hung = ask(&shop, "add", "hang");
        finish(&shop);
    }
    assert_result(hung, PLAN_TIMED_OUT, "timed out after 200 ms");
    none = ask(&shop, "nothing", "agree");
    sum = call(&shop, "add", json_pack("{s:i, s:i}", "a", 2, "b", 40));
    finish(&shop);
    assert_int_equal(none->result.refused, REFUSED_PROGRAM);
    assert_result(sum, PLAN_SUCCEEDED, NULL);
    close_shop(&shop);
}

static void
a_function_sees_parameters_under_its_arguments(void **state)
{
    struct shop shop;
    struct made *made;

    (void)state;
    open_shop(&shop);
    made = prepare(&shop, "add", json_pack("{s:i}", "a", 1));
    json_object_set_new(made->spec.params, "a", json_integer(100));
    json_object_set_new(made->spec.params, "b", json_integer(10));
    hand_over(&shop, made, 0);
    finish(&shop);
    assert_int_equal(json_integer_value(made->result.value), 11);
    close_shop(&shop);
}

static void
output_is_its_calls_and_comes_before_its_end(void **state)
{
    struct shop shop;
    struct made *mute, *loud, *child;

    (void)state;
    open_shop(&shop);
    mute = call(&shop, "nothing", NULL);
    loud = call(&shop, "say", json_pack("{s:i}", "a", 1));
    child = prepare(&shop, "say", NULL);
    child->work.id.child = 3;
    hand_over(&shop, child, 0);
    finish(&shop);
    assert_int_equal(mute->out.len, 0);
    assert_string_equal(buf_str(&loud->out),
                        "out of -1\nerr of attempt 2 run 7\n");
    assert_string_equal(json_string_value(loud->result.value), "said");
    assert_string_equal(buf_str(&child->out),
                        "out of 3\nerr of attempt 2 run 7\n");
    assert_result(child, PLAN_SUCCEEDED, NULL);
    close_shop(&shop);
}

static void
much_output_comes_whole(void **state)
{
    struct shop shop;
    struct made *made;

    (void)state;
    open_shop(&shop);
    made = call(&shop, "flood", json_pack("{s:i}", "a", 100000));
    finish(&shop);
    assert_int_equal(made->out.len, 6400000);
    for (size_t i = 0; i < 100000; i++) {
        char line[65];

        (void)snprintf(line, sizeof line, "%063zu\n", i);
        assert_memory_equal(made->out.data + 64 * i, line, 64);
    }
    close_shop(&shop);
}

static void
what_is_held_back_comes_later(void **state)
{
    struct shop shop;
    struct made *first, *flood;

    (void)state;
    open_shop(&shop);
    first = call(&shop, "nothing", NULL);
    work_until(&shop, &first->ended, 1);
    workers_hold(shop.workers, true);
    flood = call(&shop, "flood", json_pack("{s:i}", "a", 100000));
    for (int i = 0; i < 20; i++)
        turn(&shop);
    assert_int_equal(flood->out.len, 0);
    workers_hold(shop.workers, false);
    finish(&shop);
    assert_result(flood, PLAN_SUCCEEDED, NULL);
    assert_int_equal(flood->out.len, 6400000);

    workers_hold(shop.workers, true);
    flood = call(&shop, "crash", NULL); /* ends are seen all the same */
    finish(&shop);
    assert_int_equal(flood->result.code, 9);
    close_shop(&shop);
}

static void
many_calls_all_come_back(void **state)
{
    struct shop shop;

    (void)state;
    open_shop(&shop);
    for (uint32_t i = 0; i < MOST; i++)
        (void)call(&shop, "nothing", NULL);
    finish(&shop);
    for (uint32_t i = 1; i <= MOST; i++)
        assert_result(&shop.made[i], PLAN_SUCCEEDED, NULL);
    close_shop(&shop);
}

static void
a_long_call_does_not_hold_up_results_of_short_ones(void **state)
{
    struct shop shop;
    struct made *plain, *told, *hangs;
    uint32_t ticket;

    (void)state;
    open_shop(&shop);
    for (int i = 0; i < 50; i++) {
        plain = call(&shop, "nothing", NULL);
        told = call(&shop, "say", json_pack("{s:i}", "a", 1));
    }
    hangs = call(&shop, "hang", NULL);
    ticket = (uint32_t)(hangs - shop.made);
    work_until(&shop, &shop.ndone, 100);
    assert_result(plain, PLAN_SUCCEEDED, NULL);
    assert_result(told, PLAN_SUCCEEDED, NULL);
    workers_stop(shop.workers, ticket, true);
    finish(&shop);
    for (uint32_t i = 1; i <= 100; i++) /* not once more by its last words */
        assert_int_equal(shop.made[i].out.len, i % 2 == 1 ? 0 : 33);
    assert_result(hangs, PLAN_CANCELLED, "cancelled");
    close_shop(&shop);
}

static void
calls_are_made_where_and_with_what_they_ask_for(void **state)
{
    struct shop shop;
    struct made *here, *there, *gone;
    struct workers_call it = {.program = shop.self, .cwd = "/usr"};
    char *cwd = getcwd(NULL, 0);

    (void)state;
    open_shop(&shop);
    here = call(&shop, "where", NULL);
    there = prepare(&shop, "where", NULL);
    there->work.env = json_pack("{s:s}", "WORD", "over");
    it.ticket = (uint32_t)(there - shop.made);
    it.work = &there->work;
    workers_call(shop.workers, &it);
    gone = prepare(&shop, "nothing", NULL);
    it.ticket = (uint32_t)(gone - shop.made);
    it.work = &gone->work;
    it.cwd = "/nowhere at all";
    workers_call(shop.workers, &it);
    finish(&shop);
    assert_string_equal(
        json_string_value(json_array_get(here->result.value, 0)), cwd);
    assert_string_equal(
        json_string_value(json_array_get(here->result.value, 1)), "");
    assert_false(json_is_true(json_array_get(here->result.value, 3)));
    assert_string_equal(
        json_string_value(json_array_get(there->result.value, 0)), "/usr");
    assert_string_equal(
        json_string_value(json_array_get(there->result.value, 1)), "over");
    assert_result(gone, PLAN_FAILED,
                  "can't go to /nowhere at all: No such file or directory");
    free(cwd);
    close_shop(&shop);
}

static void
slots_have_processes_of_their_own(void **state)
{
    struct shop shop;
    struct made *a, *b;

    (void)state;
    open_shop(&shop);
    a = prepare(&shop, "who", NULL);
    b = prepare(&shop, "who", NULL);
    hand_over(&shop, a, 0);
    hand_over(&shop, b, 3);
    finish(&shop);
    assert_false(json_equal(a->result.value, b->result.value));
    assert_int_equal(workers_count(shop.workers), 2);
    close_shop(&shop);
}

static void
another_environment_takes_another_process(void **state)
{
    const char *const env[] = {"WORD=gpu", NULL};
    struct shop shop;
    struct made *a, *b, *c;
    struct workers_call it = {.program = shop.self, .env = env};

    (void)state;
    open_shop(&shop);
    a = call(&shop, "who", NULL);
    b = prepare(&shop, "where", NULL);
    it.ticket = (uint32_t)(b - shop.made);
    it.work = &b->work;
    workers_call(shop.workers, &it);
    c = call(&shop, "who", NULL);
    finish(&shop);
    assert_string_equal(json_string_value(json_array_get(b->result.value, 1)),
                        "gpu");
    assert_false(json_equal(a->result.value, c->result.value));
    assert_int_equal(workers_count(shop.workers), 1);
    close_shop(&shop);
}

static void
assert_refused(const struct made *made, const char *word)
{
    assert_int_equal(made->ended, 1);
    assert_int_equal(made->result.state, PLAN_CRASHED);
    assert_int_equal(made->result.refused, REFUSED_PROGRAM);
    if (!strstr(made->result.cause, word))
        assert_string_equal(made->result.cause, word);
}

static void
what_is_no_program_for_it_is_refused(void **state)
{
    static const struct {
        const char *program, *why;
    } table[] = {
        {"/nowhere/at/all", "/nowhere/at/all"},
        {"/etc/passwd", "/etc/passwd"},
        {"/bin/true", "it ended before it served (exit code 0)"},
        {"/bin/ls", "it ended before it served"},
    };
    struct shop shop;

    (void)state;
    open_shop(&shop);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct made *made = prepare(&shop, "nothing", NULL);
        const struct workers_call it = {
            .ticket = (uint32_t)(made - shop.made),
            .work = &made->work,
            .program = table[i].program,
        };

        workers_call(shop.workers, &it);
        finish(&shop);
        assert_refused(made, table[i].why);
    }
    close_shop(&shop);
}

static void
calls_of_another_flow_are_refused(void **state)
{
    struct shop shop;
    struct made *made, *late;

    (void)state;
    open_shop(&shop);
    made = prepare(&shop, "nothing", NULL);
    made->spec.source_hash = "abc";
    hand_over(&shop, made, 0);
    finish(&shop);
    assert_refused(made, "calls of another flow than `w`");
    made = call(&shop, "nothing", NULL);
    late = prepare(&shop, "nothing", NULL);
    late->spec.source_hash = "abc"; /* of a process that serves already */
    late->spec.run = 8;
    hand_over(&shop, late, 0);
    finish(&shop);
    assert_result(made, PLAN_SUCCEEDED, NULL);
    assert_refused(late, "the program's flow is not the one of the run");
    close_shop(&shop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_made_in_order_by_one_process),
        cmocka_unit_test(handlers_answer_for_their_task),
        cmocka_unit_test(a_function_sees_parameters_under_its_arguments),
        cmocka_unit_test(output_is_its_calls_and_comes_before_its_end),
        cmocka_unit_test(much_output_comes_whole),
        cmocka_unit_test(what_is_held_back_comes_later),
        cmocka_unit_test(many_calls_all_come_back),
        cmocka_unit_test(a_long_call_does_not_hold_up_results_of_short_ones),
        cmocka_unit_test(calls_are_made_where_and_with_what_they_ask_for),
        cmocka_unit_test(slots_have_processes_of_their_own),
        cmocka_unit_test(another_environment_takes_another_process),
        cmocka_unit_test(what_is_no_program_for_it_is_refused),
        cmocka_unit_test(calls_of_another_flow_are_refused),
    };

    return worker_is_wanted() ? shop_serve()
                              : cmocka_run_group_tests(tests, NULL, NULL);
}
