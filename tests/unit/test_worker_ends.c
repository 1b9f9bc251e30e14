/* SPDX-License-Identifier: MPL-2.0 */
/* What becomes of a call that does not just give its value. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/span.h"
#include "lib/worker.h"
#include "tests/support/shop.h"

static void
ends_of_a_function_are_told(void **state)
{
    static const struct {
        const char *name;
        enum plan_state state;
        const char *cause;
    } table[] = {
        {"nothing", PLAN_SUCCEEDED, NULL},
        {"give_up", PLAN_FAILED, "no more \\xff paper"},
        {"leave_out", PLAN_SKIPPED, "not today"},
        {"again", PLAN_RETRYING, "busy"},
        {"add", PLAN_FAILED, "`add` has no argument `a`"},
    };
    struct shop shop;

    (void)state;
    open_shop(&shop);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        (void)call(&shop, table[i].name, NULL);
    finish(&shop);
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_result(&shop.made[i + 1], table[i].state, table[i].cause);
    close_shop(&shop);
}

static void
a_value_that_is_too_long_to_travel_fails(void **state)
{
    struct shop shop;
    struct made *most, *more;

    (void)state;
    open_shop(&shop);
    most = call(&shop, "give_much",
                json_pack("{s:i}", "a", (int)LIMIT_TRAVEL_BYTES - 2));
    more = call(&shop, "give_much",
                json_pack("{s:i}", "a", (int)LIMIT_TRAVEL_BYTES));
    finish(&shop);
    assert_result(most, PLAN_SUCCEEDED, NULL);
    assert_int_equal(json_string_length(most->result.value),
                     LIMIT_TRAVEL_BYTES - 2);
    assert_int_equal(more->result.state, PLAN_FAILED);
    assert_non_null(more->result.cause);
    close_shop(&shop);
}

static void
a_crash_costs_its_call_and_nothing_else(void **state)
{
    struct shop shop;
    struct made *before, *killed, *after;

    (void)state;
    open_shop(&shop);
    for (int i = 0; i < 100; i++)
        before = call(&shop, "nothing", NULL);
    killed = call(&shop, "crash", NULL);
    after = call(&shop, "nothing", NULL);
    finish(&shop);
    for (uint32_t i = 1; i <= 100; i++)
        assert_result(&shop.made[i], PLAN_SUCCEEDED, NULL);
    assert_result(before, PLAN_SUCCEEDED, NULL);
    assert_result(killed, PLAN_FAILED, "killed by signal 9 (Killed)");
    assert_int_equal(killed->result.code, 9);
    assert_int_equal(after->ended, 0);
    assert_int_equal(after->not_begun, 1);

    after = call(&shop, "who", NULL); /* by a new one */
    finish(&shop);
    assert_result(after, PLAN_SUCCEEDED, NULL);
    close_shop(&shop);
}

static void
what_a_crashed_call_has_printed_is_not_lost(void **state)
{
    struct shop shop;
    struct made *made;

    (void)state;
    open_shop(&shop);
    made = call(&shop, "crash", json_pack("{s:i}", "a", 1));
    finish(&shop);
    assert_int_equal(made->result.state, PLAN_FAILED);
    assert_int_equal(made->result.code, SIGABRT);
    assert_string_equal(made->result.cause, "killed by signal 6 (Aborted)");
    assert_string_equal(buf_str(&made->out), "last words");
    close_shop(&shop);
}

static void
a_function_may_end_its_process(void **state)
{
    struct shop shop;
    struct made *well, *badly, *skips, *retries;

    (void)state;
    open_shop(&shop);
    well = call(&shop, "end", json_pack("{s:i}", "a", 0));
    finish(&shop);
    badly = call(&shop, "end", json_pack("{s:i}", "a", 3));
    finish(&shop);
    skips = prepare(&shop, "end", json_pack("{s:i}", "a", 77));
    skips->spec.exit_skip.bits[1] = UINT64_C(1) << (77 - 64);
    hand_over(&shop, skips, 0);
    finish(&shop);
    retries = prepare(&shop, "end", json_pack("{s:i}", "a", 75));
    retries->spec.exit_retry.bits[1] = UINT64_C(1) << (75 - 64);
    hand_over(&shop, retries, 0);
    finish(&shop);
    assert_result(well, PLAN_FAILED, "the function ended its process");
    assert_string_equal(buf_str(&well->out), "going\n");
    assert_result(badly, PLAN_FAILED, "exit code 3");
    assert_int_equal(badly->result.code, 3);
    assert_result(skips, PLAN_SKIPPED, "exit code 77");
    assert_result(retries, PLAN_RETRYING, "exit code 75");
    close_shop(&shop);
}

static void
a_call_that_takes_too_long_is_ended(void **state)
{
    struct shop shop;
    struct made *before, *hangs, *behind;

    (void)state;
    open_shop(&shop);
    before = call(&shop, "nothing", NULL);
    hangs = prepare(&shop, "hang", json_pack("{s:i}", "b", 1));
    hangs->spec.timeout = 100 * SPAN_MS;
    hand_over(&shop, hangs, 0);
    behind = call(&shop, "nothing", NULL);
    finish(&shop);
    assert_result(before, PLAN_SUCCEEDED, NULL);
    assert_result(hangs, PLAN_TIMED_OUT, "timed out after 100 ms");
    assert_true(hangs->result.ended - hangs->result.started >= 100 * SPAN_MS);
    assert_int_equal(hangs->result.code, -1);
    assert_int_equal(hangs->begun, 1);
    assert_non_null(strstr(buf_str(&hangs->out), "hanging\n"));
    assert_int_equal(behind->not_begun, 1);
    close_shop(&shop);
}

static void
one_that_does_not_heed_term_is_killed_after_its_grace(void **state)
{
    struct shop shop;
    struct made *made;

    (void)state;
    open_shop(&shop);
    made = prepare(&shop, "hang", json_pack("{s:i}", "a", 1));
    made->spec.timeout = 50 * SPAN_MS;
    made->spec.grace = 100 * SPAN_MS;
    hand_over(&shop, made, 0);
    finish(&shop);
    assert_result(made, PLAN_TIMED_OUT, "timed out after 50 ms");
    assert_true(made->result.ended - made->result.started >= 150 * SPAN_MS);
    close_shop(&shop);
}

static void
a_call_can_be_cancelled_before_and_after_it_has_begun(void **state)
{
    struct shop shop;
    struct made *hangs, *behind, *unsent, *last;

    (void)state;
    open_shop(&shop);
    hangs = call(&shop, "hang", NULL);
    behind = call(&shop, "nothing", NULL);
    work_until(&shop, &hangs->begun, 1);
    unsent = call(&shop, "nothing", NULL);
    workers_stop(shop.workers, (uint32_t)(unsent - shop.made), false);
    work_until(&shop, &unsent->ended, 1);
    assert_result(unsent, PLAN_CANCELLED, "cancelled");
    assert_int_equal(hangs->ended, 0);
    workers_stop(shop.workers, (uint32_t)(hangs - shop.made), false);
    finish(&shop);
    assert_result(hangs, PLAN_CANCELLED, "cancelled");
    assert_int_equal(behind->not_begun, 1);
    last = call(&shop, "nothing", NULL);
    finish(&shop);
    assert_result(last, PLAN_SUCCEEDED, NULL);
    close_shop(&shop);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_of_a_function_are_told),
        cmocka_unit_test(a_value_that_is_too_long_to_travel_fails),
        cmocka_unit_test(a_crash_costs_its_call_and_nothing_else),
        cmocka_unit_test(what_a_crashed_call_has_printed_is_not_lost),
        cmocka_unit_test(a_function_may_end_its_process),
        cmocka_unit_test(a_call_that_takes_too_long_is_ended),
        cmocka_unit_test(one_that_does_not_heed_term_is_killed_after_its_grace),
        cmocka_unit_test(a_call_can_be_cancelled_before_and_after_it_has_begun),
    };

    return worker_is_wanted() ? shop_serve()
                              : cmocka_run_group_tests(tests, NULL, NULL);
}
