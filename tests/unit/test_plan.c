/* SPDX-License-Identifier: MPL-2.0 */
/* Tasks without maps; test_plan_map.c has those. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/limits.h"
#include "tests/support/steps.h"

static const struct plan_task two[] = {PLAIN, PLAIN};
static const struct plan_task three[] = {PLAIN, PLAIN, PLAIN};
static const struct plan_edge a_b[] = {WHOLE(A, B)};
static const struct plan_edge a_b_c[] = {WHOLE(A, B), WHOLE(B, C)};

static void
a_diamond_runs_in_order(void **state)
{
    static const struct plan_task tasks[] = {PLAIN, PLAIN, PLAIN, PLAIN};
    static const struct plan_edge edges[] = {WHOLE(A, B), WHOLE(A, C),
                                             WHOLE(B, D), WHOLE(C, D)};
    struct plan *p = MAKE(tasks, edges);

    (void)state;
    assert_int_equal(plan_count(p, PLAN_READY), 1);
    assert_int_equal(plan_count(p, PLAN_WAITING), 3);
    run(p, whole(A), PLAN_SUCCEEDED);
    expect_take(p, whole(B));
    expect_take(p, whole(C));
    expect_nothing_to_take(p);
    plan_finish(p, whole(C), PLAN_CACHED);
    expect_nothing_to_take(p);
    assert_false(plan_is_stalled(p));
    plan_finish(p, whole(B), PLAN_SUCCEEDED);
    assert_false(plan_is_finished(p));
    run(p, whole(D), PLAN_SUCCEEDED);
    expect_finished(p);
    assert_int_equal(plan_count(p, PLAN_SUCCEEDED), 3);
    assert_int_equal(plan_count(p, PLAN_CACHED), 1);
    plan_destroy(&p);
    assert_null(p);
}

static void
a_plan_of_no_tasks_is_finished(void **state)
{
    struct plan *p = make_plan(NULL, 0, NULL, 0);

    (void)state;
    expect_finished(p);
    plan_destroy(&p);
}

/* ---- states ---- */

static void
every_end_can_be_reported(void **state)
{
    (void)state;
    for (int i = PLAN_SUCCEEDED; i < PLAN_STATE_COUNT; i++) {
        enum plan_state end = (enum plan_state)i;
        struct plan *p = make_plan(two, 1, NULL, 0);

        expect_take(p, whole(A));
        assert_false(plan_task_is_finished(p, A));
        assert_false(plan_task_is_success(p, A));
        plan_finish(p, whole(A), end);
        expect_state(p, whole(A), end);
        assert_true(plan_task_is_finished(p, A));
        assert_int_equal(plan_task_is_success(p, A), end <= PLAN_SKIPPED);
        assert_int_equal(plan_count(p, end), 1);
        expect_finished(p);
        plan_destroy(&p);
    }
}

static void
states_know_whether_they_are_final_and_a_success(void **state)
{
    (void)state;
    for (int i = 0; i < PLAN_STATE_COUNT; i++) {
        enum plan_state s = (enum plan_state)i;

        assert_int_equal(plan_state_is_final(s), i >= PLAN_SUCCEEDED);
        assert_int_equal(plan_state_is_success(s), s == PLAN_SUCCEEDED ||
                                                       s == PLAN_CACHED ||
                                                       s == PLAN_SKIPPED);
        assert_non_null(plan_state_names[i]);
    }
    assert_string_equal(plan_state_names[PLAN_TIMED_OUT], "timed-out");
    for (int i = 0; i < TRIGGER_COUNT; i++)
        assert_non_null(plan_trigger_names[i]);
}

static void
a_retry_waits_until_it_is_ready(void **state)
{
    struct plan *p = MAKE(two, a_b);

    (void)state;
    expect_take(p, whole(A));
    plan_retry(p, whole(A));
    expect_state(p, whole(A), PLAN_RETRYING);
    expect_nothing_to_take(p);
    assert_false(plan_is_stalled(p));
    plan_ready(p, whole(A));
    expect_state(p, whole(A), PLAN_READY);
    run(p, whole(A), PLAN_SUCCEEDED);
    run(p, whole(B), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_task_given_back_starts_again(void **state)
{
    struct plan *p = MAKE(two, a_b);

    (void)state;
    expect_take(p, whole(A));
    plan_ready(p, whole(A));
    run(p, whole(A), PLAN_SUCCEEDED);
    run(p, whole(B), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_paused_task_stalls_the_run_until_it_is_ready(void **state)
{
    static const struct plan_task tasks[] = {
        PLAIN, {.trigger = TRIGGER_MANUAL_ONLY, .at_least = -1, .at_most = -1}};
    struct plan *p = MAKE(tasks, a_b);

    (void)state;
    run(p, whole(A), PLAN_FAILED);
    assert_false(plan_is_stalled(p));
    expect_decision(p, whole(B), PLAN_PAUSE);
    assert_false(plan_is_stalled(p));
    plan_pause(p, whole(B));
    expect_state(p, whole(B), PLAN_PAUSED);
    expect_nothing_to_take(p);
    assert_true(plan_is_stalled(p));
    plan_ready(p, whole(B));
    assert_false(plan_is_stalled(p));
    run(p, whole(B), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_decision_may_be_answered_otherwise(void **state)
{
    struct plan *p = MAKE(three, a_b_c);

    (void)state;
    run(p, whole(A), PLAN_FAILED);
    expect_decision(p, whole(B), PLAN_TRIGGER_FAIL);
    plan_ready(p, whole(B));
    run(p, whole(B), PLAN_FAILED);
    expect_decision(p, whole(C), PLAN_TRIGGER_FAIL);
    plan_finish(p, whole(C), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

/* ---- skips ---- */

static void
a_skip_goes_all_the_way_down(void **state)
{
    struct plan *p = MAKE(three, a_b_c);

    (void)state;
    run(p, whole(A), PLAN_SKIPPED);
    expect_skip(p, whole(B));
    expect_skip(p, whole(C));
    expect_finished(p);
    plan_destroy(&p);
}

static void
a_skip_goes_before_a_failed_trigger(void **state)
{
    static const struct plan_edge edges[] = {WHOLE(A, C), WHOLE(B, C)};
    struct plan *p = MAKE(three, edges);

    (void)state;
    run(p, whole(A), PLAN_FAILED);
    run(p, whole(B), PLAN_SKIPPED);
    expect_skip(p, whole(C));
    expect_finished(p);
    plan_destroy(&p);
}

static void
without_skip_on_skip_a_skip_is_a_success(void **state)
{
    static const struct plan_task tasks[] = {PLAIN,
                                             {.at_least = -1, .at_most = -1}};
    struct plan *p = MAKE(tasks, a_b);

    (void)state;
    run(p, whole(A), PLAN_SKIPPED);
    run(p, whole(B), PLAN_SUCCEEDED);
    expect_finished(p);
    plan_destroy(&p);
}

/* ---- triggers ---- */

struct trigger_case {
    const char *upstream; /* s: succeeded, c: cached, k: skipped, f: failed */
    const char
        *verdicts; /* r: runs, x: trigger-failed, k: skipped; by trigger */
};

static enum plan_state
state_by_letter(char c)
{
    static const char letters[] = "sckftxTC";
    static const enum plan_state states[] = {
        PLAN_SUCCEEDED, PLAN_CACHED,  PLAN_SKIPPED,        PLAN_FAILED,
        PLAN_TIMED_OUT, PLAN_CRASHED, PLAN_TRIGGER_FAILED, PLAN_CANCELLED,
    };

    return states[strchr(letters, c) - letters];
}

/* A task after others that end so: r, x, k, or p for paused. */
static char
verdict(const struct plan_task *task, const char *upstream)
{
    static const char letters[] = {
        [PLAN_SKIP] = 'k', [PLAN_TRIGGER_FAIL] = 'x', [PLAN_PAUSE] = 'p'};
    uint32_t n = (uint32_t)strlen(upstream);
    struct plan_task tasks[8] = {0};
    struct plan_edge edges[8] = {0};
    enum plan_decision decision;
    struct plan_id id;
    struct plan *p;
    char ret = 'r';

    tasks[n] = *task;
    for (uint32_t i = 0; i < n; i++)
        edges[i] = (struct plan_edge)WHOLE(i, n);
    p = make_plan(tasks, n + 1, edges, n);
    for (uint32_t i = 0; i < n; i++)
        run(p, whole(i), state_by_letter(upstream[i]));
    if (plan_decide(p, &id, &decision))
        ret = letters[decision];
    else
        expect_take(p, whole(n));
    plan_destroy(&p);
    return ret;
}

static void
triggers_look_at_upstream_states(void **state)
{
    /* in the order of enum plan_trigger, without the some-triggers */
    static const struct trigger_case cases[] = {
        {"", "rrrrrrp"},    {"s", "rxrxrrp"},   {"c", "rxrxrrp"},
        {"f", "xrxrrxp"},   {"k", "rxrxrkp"},   {"t", "xrxrrxp"},
        {"x", "xrxrrxp"},   {"T", "xrxrrxp"},   {"C", "xrxrrxp"},
        {"ss", "rxrxrrp"},  {"sf", "xxrrrxp"},  {"ff", "xrxrrxp"},
        {"kk", "rxrxrkp"},  {"sk", "rxrxrrp"},  {"kf", "xxrrrxp"},
        {"kkc", "rxrxrrp"}, {"kkk", "rxrxrkp"}, {"scT", "xxrrrxp"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases) * TRIGGER_SOME_SUCCESSFUL; i++) {
        const struct trigger_case *c = &cases[i / TRIGGER_SOME_SUCCESSFUL];
        uint8_t t = (uint8_t)(i % TRIGGER_SOME_SUCCESSFUL);
        struct plan_task task = {.trigger = t};

        if (verdict(&task, c->upstream) != c->verdicts[t])
            fail_msg("%s after \"%s\"", plan_trigger_names[t], c->upstream);
    }
}

static void
some_triggers_count_upstream_states(void **state)
{
    static const struct {
        const char *upstream;
        double at_least, at_most;
        char successful, failed;
    } cases[] = {
        {"", 5, 0, 'r', 'r'},         {"sf", -1, -1, 'r', 'r'},
        {"ssf", 2, -1, 'r', 'x'},     {"ssf", 3, -1, 'x', 'x'},
        {"ssf", -1, 1, 'x', 'r'},     {"ssf", 1, 2, 'r', 'r'},
        {"ssf", 0, 0, 'x', 'x'},      {"ff", 0, 0, 'r', 'x'},
        {"sf", 0.5, -1, 'r', 'r'},    {"sff", 0.5, -1, 'x', 'r'},
        {"sff", -1, 0.5, 'r', 'x'},   {"kkf", 0.6, -1, 'r', 'x'},
        {"ksff", 0.5, 0.5, 'r', 'r'}, {"sfff", 0.26, -1, 'x', 'r'},
        {"ssss", 0.99, -1, 'r', 'x'}, {"ss", 1, 1, 'x', 'x'},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct plan_task task = {.trigger = TRIGGER_SOME_SUCCESSFUL,
                                 .at_least = cases[i].at_least,
                                 .at_most = cases[i].at_most};

        if (verdict(&task, cases[i].upstream) != cases[i].successful)
            fail_msg("some-successful, case %zu", i);
        task.trigger = TRIGGER_SOME_FAILED;
        if (verdict(&task, cases[i].upstream) != cases[i].failed)
            fail_msg("some-failed, case %zu", i);
    }
}

/* ---- order ---- */

static void
higher_priorities_start_first(void **state)
{
    static const struct plan_task tasks[] = {
        {.priority = 0},        {.priority = 7},   {.priority = -1},
        {.priority = 7},        {.priority = 300}, {.priority = INT32_MIN},
        {.priority = INT32_MAX}};
    static const uint32_t order[] = {6, 4, 1, 3, 0, 2, 5};
    struct plan *p = make_plan(tasks, COUNT(tasks), NULL, 0);

    (void)state;
    for (size_t i = 0; i < COUNT(order); i++)
        expect_take(p, whole(order[i]));
    plan_destroy(&p);
}

/* ---- cancelling ---- */

static void
cancel_leaves_only_what_runs(void **state)
{
    static const struct plan_task tasks[] = {PLAIN, PLAIN, PLAIN, PLAIN, PLAIN};
    static const struct plan_edge edges[] = {WHOLE(A, D)};
    struct plan *p = MAKE(tasks, edges);

    (void)state;
    expect_take(p, whole(A));
    expect_take(p, whole(B));
    plan_retry(p, whole(B));
    run(p, whole(C), PLAN_FAILED);
    plan_cancel(p);
    expect_state(p, whole(A), PLAN_RUNNING);
    expect_state(p, whole(B), PLAN_CANCELLED);
    expect_state(p, whole(C), PLAN_FAILED);
    expect_state(p, whole(D), PLAN_CANCELLED);
    expect_state(p, whole(E), PLAN_CANCELLED);
    assert_false(plan_is_finished(p));
    assert_false(plan_is_stalled(p));
    plan_finish(p, whole(A), PLAN_SUCCEEDED);
    expect_state(p, whole(D), PLAN_CANCELLED);
    assert_int_equal(plan_count(p, PLAN_CANCELLED), 3);
    expect_finished(p);
    plan_destroy(&p);
}

static void
cancel_drops_decisions_and_pauses(void **state)
{
    static const struct plan_task tasks[] = {{.trigger = TRIGGER_MANUAL_ONLY},
                                             {.trigger = TRIGGER_MANUAL_ONLY}};
    struct plan *p = make_plan(tasks, COUNT(tasks), NULL, 0);

    (void)state;
    expect_decision(p, whole(A), PLAN_PAUSE);
    plan_pause(p, whole(A));
    plan_cancel(p);
    expect_state(p, whole(A), PLAN_CANCELLED);
    expect_state(p, whole(B), PLAN_CANCELLED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
the_answer_to_a_decision_may_come_later(void **state)
{
    static const struct plan_task tasks[] = {{.trigger = TRIGGER_MANUAL_ONLY},
                                             {.trigger = TRIGGER_MANUAL_ONLY},
                                             {.trigger = TRIGGER_MANUAL_ONLY}};
    struct plan *p = make_plan(tasks, COUNT(tasks), NULL, 0);

    (void)state;
    expect_decision(p, whole(A), PLAN_PAUSE);
    assert_true(plan_defer(p, whole(A)));
    assert_false(plan_defer(p, whole(A)));
    expect_decision(p, whole(B), PLAN_PAUSE);
    plan_pause(p, whole(B));
    expect_decision(p, whole(C), PLAN_PAUSE);
    assert_true(plan_defer(p, whole(C)));
    expect_state(p, whole(A), PLAN_WAITING);
    assert_false(plan_is_stalled(p));
    plan_recall(p, whole(A));
    plan_finish(p, whole(A), PLAN_SKIPPED);
    assert_false(plan_is_stalled(p));
    plan_cancel(p); /* nobody is asked any more */
    expect_state(p, whole(A), PLAN_SKIPPED);
    expect_state(p, whole(C), PLAN_CANCELLED);
    expect_finished(p);
    plan_destroy(&p);
}

static void
after_cancel_nothing_becomes_ready(void **state)
{
    static const struct plan_task tasks[] = {
        PLAIN, PLAIN, {.trigger = TRIGGER_MANUAL_ONLY}};
    struct plan *p = make_plan(tasks, COUNT(tasks), NULL, 0);

    (void)state;
    expect_take(p, whole(A));
    expect_take(p, whole(B));
    expect_decision(p, whole(C), PLAN_PAUSE);
    plan_cancel(p);
    plan_retry(p, whole(A));
    expect_state(p, whole(A), PLAN_CANCELLED);
    plan_ready(p, whole(B));
    expect_state(p, whole(B), PLAN_CANCELLED);
    assert_false(plan_is_finished(p));
    plan_pause(p, whole(C));
    expect_state(p, whole(C), PLAN_CANCELLED);
    expect_finished(p);
    plan_destroy(&p);
}

/* ---- edges ---- */

struct seen {
    uint32_t tasks[8];
    uint32_t n;
};

static void
see(void *ctx, uint32_t task)
{
    struct seen *seen = ctx;

    assert_true(seen->n < COUNT(seen->tasks));
    seen->tasks[seen->n++] = task;
}

static void
neighbours_are_listed_once_and_in_order(void **state)
{
    static const struct plan_task tasks[] = {PLAIN, PLAIN, PLAIN, PLAIN, PLAIN};
    static const struct plan_edge edges[] = {WHOLE(E, B), WHOLE(A, B),
                                             WHOLE(E, A), WHOLE(E, B),
                                             WHOLE(C, B), WHOLE(E, D)};
    static const uint32_t below[] = {A, B, D};
    struct seen seen = {0};
    struct plan *p = MAKE(tasks, edges);

    (void)state;
    plan_downstream(p, E, see, &seen);
    assert_int_equal(seen.n, COUNT(below));
    assert_memory_equal(seen.tasks, below, sizeof below);
    plan_destroy(&p);
}

static void
refuses_an_edge_to_no_task(void **state)
{
    static const struct plan_edge edges[] = {WHOLE(A, B), WHOLE(A, C)};
    struct plan *p = NULL;
    struct err err;

    (void)state;
    assert_int_equal(plan_new(&p, two, 2, edges, 2, NULL, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.msg, "edge 1 names no task");
    assert_null(p);
}

static void
refuses_more_than_the_limits(void **state)
{
    struct plan *p = NULL;
    struct err err;

    (void)state;
    assert_int_equal(plan_new(&p, two, LIMIT_TASKS + 1, NULL, 0, NULL, &err),
                     -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(
        plan_new(&p, two, 2, a_b, (size_t)UINT32_MAX + 1, NULL, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_null(p);
}

static void
refuses_a_circle_and_tells_it(void **state)
{
    static const struct plan_task tasks[] = {PLAIN, PLAIN, PLAIN, PLAIN, PLAIN};
    static const struct plan_edge edges[] = {
        WHOLE(A, D), WHOLE(D, B), WHOLE(B, C), WHOLE(C, D), WHOLE(C, E)};
    static const uint32_t circle[] = {B, C, D, PLAN_NONE};
    uint32_t *cycle = NULL;
    struct plan *p = NULL;
    struct err err;

    (void)state;
    assert_int_equal(plan_new(&p, tasks, 5, edges, COUNT(edges), &cycle, &err),
                     -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.msg, "the tasks depend on each other in a circle");
    assert_memory_equal(cycle, circle, sizeof circle);
    free(cycle);
    assert_int_equal(plan_new(&p, tasks, 5, edges, COUNT(edges), NULL, &err),
                     -1);
    assert_null(p);
}

static void
refuses_a_task_that_depends_on_itself(void **state)
{
    static const struct plan_edge edges[] = {WHOLE(B, B)};
    static const uint32_t circle[] = {B, PLAN_NONE};
    uint32_t *cycle = NULL;
    struct plan *p = NULL;
    struct err err;

    (void)state;
    assert_int_equal(plan_new(&p, two, 2, edges, 1, &cycle, &err), -1);
    assert_memory_equal(cycle, circle, sizeof circle);
    free(cycle);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_diamond_runs_in_order),
        cmocka_unit_test(a_plan_of_no_tasks_is_finished),
        cmocka_unit_test(every_end_can_be_reported),
        cmocka_unit_test(states_know_whether_they_are_final_and_a_success),
        cmocka_unit_test(a_retry_waits_until_it_is_ready),
        cmocka_unit_test(a_task_given_back_starts_again),
        cmocka_unit_test(a_paused_task_stalls_the_run_until_it_is_ready),
        cmocka_unit_test(a_decision_may_be_answered_otherwise),
        cmocka_unit_test(the_answer_to_a_decision_may_come_later),
        cmocka_unit_test(a_skip_goes_all_the_way_down),
        cmocka_unit_test(a_skip_goes_before_a_failed_trigger),
        cmocka_unit_test(without_skip_on_skip_a_skip_is_a_success),
        cmocka_unit_test(triggers_look_at_upstream_states),
        cmocka_unit_test(some_triggers_count_upstream_states),
        cmocka_unit_test(higher_priorities_start_first),
        cmocka_unit_test(cancel_leaves_only_what_runs),
        cmocka_unit_test(cancel_drops_decisions_and_pauses),
        cmocka_unit_test(after_cancel_nothing_becomes_ready),
        cmocka_unit_test(neighbours_are_listed_once_and_in_order),
        cmocka_unit_test(refuses_an_edge_to_no_task),
        cmocka_unit_test(refuses_more_than_the_limits),
        cmocka_unit_test(refuses_a_circle_and_tells_it),
        cmocka_unit_test(refuses_a_task_that_depends_on_itself),
    };

    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
