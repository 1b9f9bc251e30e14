/* SPDX-License-Identifier: MPL-2.0 */
/* Maps, what is above and what is below them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/steps.h"

static const struct plan_task map[] = {MAPPED};
static const struct plan_task maps[] = {MAPPED, MAPPED, MAPPED};
static const struct plan_task map_task[] = {MAPPED, PLAIN};
static const struct plan_task task_map[] = {PLAIN, MAPPED};
static const struct plan_edge a_b[] = {WHOLE(A, B)};
static const struct plan_edge child_a_b[] = {CHILD(A, B)};

static void
a_map_runs_its_children_in_order(void **state)
{
    struct plan *p = make_plan(map, 1, NULL, 0);

    (void)state;
    expect_nothing_to_take(p);
    assert_int_equal(plan_count(p, PLAN_WAITING), 1);
    expand(p, A, 3);
    assert_int_equal(plan_count(p, PLAN_MAPPED), 1);
    assert_int_equal(plan_children_in(p, A, PLAN_READY), 3);
    expect_take(p, child(A, 0));
    expect_take(p, child(A, 1));
    plan_finish(p, child(A, 1), PLAN_SUCCEEDED);
    assert_int_equal(plan_children_in(p, A, PLAN_RUNNING), 1);
    assert_int_equal(plan_count(p, PLAN_READY), 1);
    run(p, child(A, 2), PLAN_CACHED);
    assert_false(plan_task_is_finished(p, A));
    assert_false(plan_task_is_success(p, A));
    plan_finish(p, child(A, 0), PLAN_SUCCEEDED);
    assert_true(plan_task_is_finished(p, A));
    assert_true(plan_task_is_success(p, A));
    expect_state(p, whole(A), PLAN_MAPPED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
one_failed_child_fails_the_map(void **state)
{
    struct plan *p = make_plan(map, 1, NULL, 0);

    (void)state;
    expand(p, A, 2);
    run(p, child(A, 0), PLAN_FAILED);
    run(p, child(A, 1), PLAN_SUCCEEDED);
    expect_finished(p);
    assert_false(plan_task_is_success(p, A));
    plan_destroy(&p);
}

static void
an_empty_map_is_a_success(void **state)
{
    struct plan *p = MAKE(map_task, a_b);

    (void)state;
    expand(p, A, 0);
    assert_true(plan_task_is_finished(p, A));
    assert_true(plan_task_is_success(p, A));
    run(p, whole(B), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_map_that_cannot_be_expanded_ends_as_a_task(void **state)
{
    struct plan *p = MAKE(map_task, a_b);

    (void)state;
    expect_decision(p, whole(A), PLAN_EXPAND);
    plan_finish(p, whole(A), PLAN_FAILED);
    expect_state(p, whole(A), PLAN_FAILED);
    assert_int_equal(plan_children(p, A), 0);
    assert_int_equal(plan_children_in(p, A, PLAN_FAILED), 0);
    expect_trigger_fail(p, whole(B));
    expect_finished(p);
    plan_destroy(&p);
}

/* ---- what is above a map ---- */

static void
a_skip_above_a_map_skips_it_unexpanded(void **state)
{
    struct plan *p = MAKE(task_map, a_b);

    (void)state;
    run(p, whole(A), PLAN_SKIPPED);
    expect_skip(p, whole(B));
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_failure_above_a_map_is_for_each_child_to_judge(void **state)
{
    struct plan *p = MAKE(task_map, a_b);

    (void)state;
    run(p, whole(A), PLAN_FAILED);
    expand(p, B, 3);
    for (uint32_t k = 0; k < 3; k++)
        expect_trigger_fail(p, child(B, k));
    assert_int_equal(plan_children_in(p, B, PLAN_TRIGGER_FAILED), 3);
    expect_finished(p);
    plan_destroy(&p);
}

static void
every_child_of_a_manual_map_pauses(void **state)
{
    static const struct plan_task tasks[] = {
        {.mapped = true, .trigger = TRIGGER_MANUAL_ONLY}};
    struct plan *p = make_plan(tasks, 1, NULL, 0);

    (void)state;
    expand(p, A, 2);
    for (uint32_t k = 0; k < 2; k++) {
        expect_decision(p, child(A, k), PLAN_PAUSE);
        plan_pause(p, child(A, k));
    }
    assert_true(plan_is_stalled(p));
    plan_ready(p, child(A, 1));
    run(p, child(A, 1), PLAN_SUCCEEDED);
    assert_true(plan_is_stalled(p));
    plan_ready(p, child(A, 0));
    run(p, child(A, 0), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

/* ---- what is below a map ---- */

static void
a_reduce_waits_for_all_children(void **state)
{
    struct plan *p = MAKE(map_task, a_b);

    (void)state;
    expand(p, A, 2);
    run(p, child(A, 0), PLAN_SUCCEEDED);
    expect_take(p, child(A, 1));
    expect_nothing_to_take(p);
    plan_finish(p, child(A, 1), PLAN_SUCCEEDED);
    run(p, whole(B), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

struct reduce_case {
    const char *children; /* s: succeeded, k: skipped, f: failed */
    double at_least;
    enum plan_trigger trigger;
    char verdict; /* r: runs, x: trigger-failed, k: skipped */
};

static char
reduce(const struct reduce_case *c, bool skip_on_skip)
{
    struct plan_task tasks[] = {MAPPED,
                                {.trigger = (uint8_t)c->trigger,
                                 .skip_on_skip = skip_on_skip,
                                 .at_least = c->at_least,
                                 .at_most = -1}};
    struct plan *p;
    uint32_t n = 0;
    enum plan_decision what;
    struct plan_id id;
    char ret = 'r';

    while (c->children[n])
        n++;
    p = MAKE(tasks, a_b);
    expand(p, A, n);
    for (uint32_t k = 0; k < n; k++)
        run(p, child(A, k),
            c->children[k] == 's'   ? PLAN_SUCCEEDED
            : c->children[k] == 'k' ? PLAN_SKIPPED
                                    : PLAN_FAILED);
    if (plan_decide(p, &id, &what))
        ret = what == PLAN_SKIP ? 'k' : 'x';
    else
        expect_take(p, whole(B));
    plan_destroy(&p);
    return ret;
}

static void
the_trigger_of_a_reduce_sees_the_children(void **state)
{
    static const struct reduce_case cases[] = {
        {"ss", -1, TRIGGER_ALL_SUCCESSFUL, 'r'},
        {"sf", -1, TRIGGER_ALL_SUCCESSFUL, 'x'},
        {"", -1, TRIGGER_ALL_SUCCESSFUL, 'r'},
        {"ff", -1, TRIGGER_ALL_FAILED, 'r'},
        {"fs", -1, TRIGGER_ALL_FAILED, 'x'},
        {"", -1, TRIGGER_ALL_FAILED, 'r'},
        {"fsf", -1, TRIGGER_ANY_SUCCESSFUL, 'r'},
        {"ff", -1, TRIGGER_ANY_SUCCESSFUL, 'x'},
        {"", -1, TRIGGER_ANY_SUCCESSFUL, 'x'},
        {"sf", -1, TRIGGER_ANY_FAILED, 'r'},
        {"sk", -1, TRIGGER_ANY_FAILED, 'x'},
        {"", -1, TRIGGER_ANY_FAILED, 'x'},
        {"fks", -1, TRIGGER_ALL_FINISHED, 'r'},
        {"", -1, TRIGGER_ALL_FINISHED, 'r'},
        {"ks", -1, TRIGGER_NOT_ALL_SKIPPED, 'r'},
        {"kk", -1, TRIGGER_NOT_ALL_SKIPPED, 'k'},
        {"kf", -1, TRIGGER_NOT_ALL_SKIPPED, 'x'},
        {"", -1, TRIGGER_NOT_ALL_SKIPPED, 'k'},
        {"ssf", 0.5, TRIGGER_SOME_SUCCESSFUL, 'r'},
        {"sff", 0.5, TRIGGER_SOME_SUCCESSFUL, 'x'},
        {"", 0.5, TRIGGER_SOME_SUCCESSFUL, 'r'},
        {"", 1, TRIGGER_SOME_SUCCESSFUL, 'x'},
        {"sff", 2, TRIGGER_SOME_FAILED, 'r'},
        {"sfs", 2, TRIGGER_SOME_FAILED, 'x'},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (reduce(&cases[i], false) != cases[i].verdict)
            fail_msg("%s of \"%s\"", plan_trigger_names[cases[i].trigger],
                     cases[i].children);
    }
}

static void
a_skipped_child_skips_a_reduce(void **state)
{
    static const struct reduce_case skipped = {"fks", -1, TRIGGER_ALL_FINISHED,
                                               0};

    (void)state;
    assert_int_equal(reduce(&skipped, true), 'k');
    assert_int_equal(reduce(&skipped, false), 'r');
}

/* ---- starting ---- */

static void
max_parallel_lets_others_go_first(void **state)
{
    static const struct plan_task tasks[] = {
        {.mapped = true, .max_parallel = 2}, PLAIN};
    struct plan *p = make_plan(tasks, COUNT(tasks), NULL, 0);

    (void)state;
    expand(p, A, 4);
    expect_take(p, child(A, 0));
    expect_take(p, child(A, 1));
    expect_take(p, whole(B));
    expect_nothing_to_take(p);
    plan_retry(p, child(A, 0));
    expect_take(p, child(A, 2));
    expect_nothing_to_take(p);
    plan_ready(p, child(A, 0));
    expect_nothing_to_take(p);
    plan_finish(p, child(A, 1), PLAN_SUCCEEDED);
    expect_take(p, child(A, 0));
    expect_nothing_to_take(p);
    plan_ready(p, child(A, 0)); /* given back */
    expect_take(p, child(A, 0));
    plan_destroy(&p);
}

static void
children_have_the_priority_of_their_task(void **state)
{
    static const struct plan_task tasks[] = {
        PLAIN, {.mapped = true}, {.mapped = true, .priority = 1}};
    struct plan *p = make_plan(tasks, COUNT(tasks), NULL, 0);

    (void)state;
    expand(p, B, 1);
    expand(p, C, 2);
    run_all(p, C, 2, PLAN_SUCCEEDED);
    run(p, whole(A), PLAN_SUCCEEDED);
    run_all(p, B, 1, PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_child_retries_by_itself(void **state)
{
    struct plan *p = MAKE(map_task, a_b);

    (void)state;
    expand(p, A, 2);
    expect_take(p, child(A, 0));
    plan_retry(p, child(A, 0));
    run(p, child(A, 1), PLAN_SUCCEEDED);
    expect_nothing_to_take(p);
    assert_int_equal(plan_children_in(p, A, PLAN_RETRYING), 1);
    plan_ready(p, child(A, 0));
    run(p, child(A, 0), PLAN_SUCCEEDED);
    run(p, whole(B), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_map_of_a_million_costs_little_to_expand_and_to_fail(void **state)
{
    enum { MANY = 1000000 };
    struct plan *p = MAKE(task_map, a_b);

    (void)state;
    run(p, whole(A), PLAN_FAILED);
    expand(p, B, MANY);
    for (uint32_t k = 0; k < MANY; k++)
        expect_trigger_fail(p, child(B, k));
    expect_finished(p);
    plan_destroy(&p);
}

/* ---- cancelling ---- */

static void
cancel_ends_the_children_that_do_not_run(void **state)
{
    struct plan *p = MAKE(maps, child_a_b);

    (void)state;
    expand(p, A, 4);
    run(p, child(A, 0), PLAN_SUCCEEDED);
    expect_take(p, child(A, 1));
    expect_take(p, child(A, 2));
    plan_retry(p, child(A, 2));
    plan_cancel(p);
    assert_int_equal(plan_children_in(p, A, PLAN_CANCELLED), 2);
    expect_state(p, child(A, 1), PLAN_RUNNING);
    expect_state(p, whole(A), PLAN_MAPPED);
    expect_state(p, whole(B), PLAN_CANCELLED);
    expect_state(p, whole(C), PLAN_CANCELLED);
    expect_nothing_to_take(p);
    expect_no_decision(p);
    assert_false(plan_task_is_finished(p, A));
    plan_finish(p, child(A, 1), PLAN_FAILED);
    assert_true(plan_task_is_finished(p, A));
    expect_finished(p);
    plan_destroy(&p);
}

static void
cancel_ends_a_map_and_those_below_it(void **state)
{
    struct plan *p = MAKE(maps, child_a_b);

    (void)state;
    expand(p, A, 2);
    expand(p, C, 1);
    expand(p, B, 2);
    run(p, child(A, 0), PLAN_FAILED);
    expect_take(p, child(A, 1));
    plan_cancel(p);
    assert_int_equal(plan_children_in(p, B, PLAN_CANCELLED), 2);
    assert_int_equal(plan_children_in(p, C, PLAN_CANCELLED), 1);
    assert_true(plan_task_is_finished(p, B));
    plan_finish(p, child(A, 1), PLAN_SUCCEEDED);
    expect_finished(p);
    assert_int_equal(plan_count(p, PLAN_MAPPED), 3);
    plan_destroy(&p);
}

static void
a_map_expanded_after_cancel_is_cancelled(void **state)
{
    struct plan *p = MAKE(map_task, a_b);

    (void)state;
    expect_decision(p, whole(A), PLAN_EXPAND);
    plan_cancel(p);
    assert_false(plan_is_finished(p));
    plan_expand(p, A, 3, NULL, 0);
    expect_state(p, whole(A), PLAN_CANCELLED);
    expect_finished(p);
    plan_destroy(&p);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_map_runs_its_children_in_order),
        cmocka_unit_test(one_failed_child_fails_the_map),
        cmocka_unit_test(an_empty_map_is_a_success),
        cmocka_unit_test(a_map_that_cannot_be_expanded_ends_as_a_task),
        cmocka_unit_test(a_skip_above_a_map_skips_it_unexpanded),
        cmocka_unit_test(a_failure_above_a_map_is_for_each_child_to_judge),
        cmocka_unit_test(every_child_of_a_manual_map_pauses),
        cmocka_unit_test(a_reduce_waits_for_all_children),
        cmocka_unit_test(the_trigger_of_a_reduce_sees_the_children),
        cmocka_unit_test(a_skipped_child_skips_a_reduce),
        cmocka_unit_test(max_parallel_lets_others_go_first),
        cmocka_unit_test(children_have_the_priority_of_their_task),
        cmocka_unit_test(a_child_retries_by_itself),
        cmocka_unit_test(a_map_of_a_million_costs_little_to_expand_and_to_fail),
        cmocka_unit_test(cancel_ends_the_children_that_do_not_run),
        cmocka_unit_test(cancel_ends_a_map_and_those_below_it),
        cmocka_unit_test(a_map_expanded_after_cancel_is_cancelled),
    };

    return cmocka_run_group_tests_name("plan_map", tests, NULL, NULL);
}
