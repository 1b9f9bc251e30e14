/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Runs whose attempts are on their way elsewhere: given back, put off, adopted
 * after a restart. Many at once and by class are in test_run_random.
 */
#include "tests/unit/run_world.h"

#define TASK(n) ((struct plan_id){(n), PLAN_WHOLE})

static const char two[] = "leat: 1\n"
                          "name: two\n"
                          "tasks:\n"
                          "  a: { run: x }\n"
                          "  b: { run: x, needs: [a] }\n";

static const char once[] = "leat: 1\n"
                           "name: once\n"
                           "tasks:\n"
                           "  a: { run: x, at-most-once: true }\n";

static const char tries[] = "leat: 1\n"
                            "name: tries\n"
                            "tasks:\n"
                            "  a: { run: x, retry: 2 }\n"
                            "  b: { run: x, needs: [a] }\n";

static enum plan_state
state_of(const struct world *w, uint32_t task)
{
    return plan_state(run_plan(w->run), TASK(task));
}

static struct plan_id
take(struct world *w)
{
    struct plan_id id = {PLAN_NONE, PLAN_WHOLE};
    int64_t until;

    (void)run_settle(w->run, w->now, &until);
    (void)run_take(w->run, 0, &id);
    return id;
}

static void
what_is_given_back_does_not_count(void **state)
{
    struct world w = {0};
    struct plan_id id;

    (void)state;
    begin(&w, two, NULL);
    id = take(&w);
    assert_int_equal(run_attempts(w.run, id), 1);
    run_give_back(w.run, id);
    assert_int_equal(run_attempts(w.run, id), 0);
    assert_int_equal(state_of(&w, 0), PLAN_READY);
    assert_int_equal(take(&w).task, 0);
    assert_int_equal(run_attempts(w.run, id), 1);
    end(&w);
}

static void
what_is_put_off_is_ready_then(void **state)
{
    struct world w = {0};
    struct plan_id id;
    int64_t until = 0;

    (void)state;
    begin(&w, two, NULL);
    id = take(&w);
    run_put_off(w.run, id, 1000);
    assert_int_equal(run_settle(w.run, 999, &until), RUN_WAIT);
    assert_int_equal(until, 1000);
    assert_int_equal(run_settle(w.run, 1000, &until), RUN_START);
    end(&w);
}

static void
what_is_given_back_after_a_cancel_is_cancelled(void **state)
{
    struct world w = {0};
    struct plan_id id;
    int64_t until;

    (void)state;
    begin(&w, two, NULL);
    id = take(&w);
    run_cancel(w.run);
    run_give_back(w.run, id);
    assert_int_equal(run_settle(w.run, 0, &until), RUN_ENDED);
    assert_string_equal(buf_str(&w.journal),
                        "a running\n"
                        "b cancelled: the run was cancelled\n"
                        "a cancelled: the run was cancelled\n");
    end(&w);
}

/* A restart: a was started once, and nobody knows how it ended. */
static void
restart(struct world *w, const char *text)
{
    int64_t until;

    begin(w, text, NULL);
    run_keep(w->run, TASK(0), PLAN_RUNNING, NULL, 1);
    run_hold_started(w->run, 5000);
    (void)run_settle(w->run, 0, &until);
}

static void
what_was_started_waits_to_be_adopted(void **state)
{
    struct world w = {0};
    struct run_outcome good = {.state = PLAN_SUCCEEDED};

    (void)state;
    restart(&w, two);
    assert_int_equal(take(&w).task, 0); /* taken, but held back */
    assert_int_equal(state_of(&w, 0), PLAN_RETRYING);
    assert_true(run_adopt(w.run, TASK(0), 1));
    assert_int_equal(state_of(&w, 0), PLAN_RUNNING);
    assert_int_equal(run_attempts(w.run, TASK(0)), 1);
    run_report(w.run, TASK(0), &good, 0);
    assert_int_equal(take(&w).task, 1);
    end(&w);
}

static void
it_is_adopted_before_it_was_its_turn_too(void **state)
{
    struct world w = {0};

    (void)state;
    restart(&w, two);
    assert_true(run_adopt(w.run, TASK(0), 1));
    assert_int_equal(state_of(&w, 0), PLAN_RUNNING);
    assert_false(run_adopt(w.run, TASK(0), 1)); /* by one only */
    end(&w);
}

/* Two have it, as one was given it by a broker that forgot the other. */
static void
an_end_that_was_heard_is_not_adopted_once_more(void **state)
{
    struct run_outcome bad = {.state = PLAN_FAILED, .cause = "no"};
    struct world w = {0};

    (void)state;
    restart(&w, tries);
    assert_true(run_adopt(w.run, TASK(0), 1));
    run_report(w.run, TASK(0), &bad, 0);
    assert_int_equal(state_of(&w, 0), PLAN_RETRYING);
    assert_false(run_adopt(w.run, TASK(0), 1));
    end(&w);
}

static void
what_nobody_adopts_is_started_anew(void **state)
{
    struct world w = {0};
    int64_t until = 0;

    (void)state;
    restart(&w, two);
    (void)take(&w);
    assert_int_equal(run_settle(w.run, 4999, &until), RUN_WAIT);
    assert_int_equal(until, 5000);
    w.now = 5000;
    assert_int_equal(take(&w).task, 0);
    assert_int_equal(state_of(&w, 0), PLAN_RUNNING);
    assert_int_equal(run_attempts(w.run, TASK(0)), 2);
    end(&w);
}

static void
at_most_once_can_be_adopted_but_never_started_again(void **state)
{
    struct world w = {0};
    int64_t until;

    (void)state;
    restart(&w, once);
    (void)take(&w);
    assert_true(run_adopt(w.run, TASK(0), 1));
    end(&w);
    w = (struct world){0};
    restart(&w, once);
    (void)take(&w);
    (void)run_settle(w.run, 5000, &until);
    w.now = 5000;
    (void)take(&w);
    assert_int_equal(state_of(&w, 0), PLAN_FAILED);
    end(&w);
}

static void
only_what_can_still_be_going_on_is_adopted(void **state)
{
    struct world w = {0};
    int64_t until;

    (void)state;
    begin(&w, two, NULL);
    run_keep(w.run, TASK(0), PLAN_RETRYING, NULL, 2);
    run_hold_started(w.run, 5000);
    (void)run_settle(w.run, 0, &until);
    assert_false(run_adopt(w.run, TASK(0), 1)); /* ended before */
    assert_false(run_adopt(w.run, TASK(0), 2)); /* its end is known */
    assert_false(run_adopt(w.run, TASK(1), 1)); /* waits for a */
    assert_false(run_adopt(w.run, TASK(2), 1)); /* there is none */
    assert_false(run_adopt(w.run, (struct plan_id){0, 7}, 3));
    assert_false(run_adopt(w.run, TASK(0), 0));
    assert_true(run_adopt(w.run, TASK(0), 3)); /* not known to be started */
    run_cancel(w.run);
    assert_false(run_adopt(w.run, TASK(0), 4));
    end(&w);
}

/* Only who drives it was lost: nobody asked for another chance. */
static void
what_had_failed_stays_so_after_a_restart(void **state)
{
    struct world w = {0};
    int64_t until;

    (void)state;
    begin(&w, tries, NULL);
    run_keep(w.run, TASK(0), PLAN_FAILED, NULL, 3);
    run_hold_started(w.run, 5000);
    (void)run_settle(w.run, 0, &until);
    (void)take(&w);
    assert_int_equal(state_of(&w, 0), PLAN_FAILED);
    assert_int_equal(run_settle(w.run, 0, &until), RUN_ENDED);
    assert_int_equal(state_of(&w, 1), PLAN_TRIGGER_FAILED);
    end(&w);
}

static void
failures_before_a_restart_count_for_max_fails(void **state)
{
    static const char text[] = "leat: 1\n"
                               "name: m\n"
                               "max-fails: 0\n"
                               "tasks:\n"
                               "  a: { run: x }\n"
                               "  b: { run: x }\n";
    struct world w = {0};
    int64_t until;

    (void)state;
    begin(&w, text, NULL);
    run_keep(w.run, TASK(0), PLAN_FAILED, NULL, 1);
    run_hold_started(w.run, 5000);
    (void)run_settle(w.run, 0, &until);
    (void)take(&w);
    assert_int_equal(run_settle(w.run, 0, &until), RUN_ENDED);
    assert_int_equal(state_of(&w, 1), PLAN_CANCELLED);
    end(&w);
}

static void
retries_count_on_after_a_restart(void **state)
{
    struct run_outcome bad = {.state = PLAN_FAILED, .cause = "no"};
    struct world w = {0};
    int64_t until;

    (void)state;
    begin(&w, tries, NULL);
    run_keep(w.run, TASK(0), PLAN_RETRYING, NULL, 2);
    run_hold_started(w.run, 5000);
    (void)take(&w);
    w.now = 5000;
    (void)run_settle(w.run, w.now, &until);
    assert_int_equal(take(&w).task, 0);
    assert_int_equal(run_attempts(w.run, TASK(0)), 3);
    run_report(w.run, TASK(0), &bad, w.now);
    assert_int_equal(state_of(&w, 0), PLAN_FAILED);
    end(&w);
}

static void
what_can_not_be_of_the_flow_is_not_followed(void **state)
{
    static const char text[] = "leat: 1\n"
                               "name: m\n"
                               "tasks:\n"
                               "  a: { run: x, each: { i: [1, 2] } }\n"
                               "  b: { run: x }\n";
    static const struct {
        struct run_change change;
        uint32_t children;
    } bad[] = {
        {{.id = {9, PLAN_WHOLE}, .state = PLAN_FAILED}, 0},
        {{.id = {1, 0}, .state = PLAN_FAILED}, 0},
        {{.id = {0, 2}, .state = PLAN_FAILED}, 0},
        {{.id = {0, PLAN_WHOLE}, .state = PLAN_MAPPED}, 3},
        {{.id = {1, PLAN_WHOLE}, .state = PLAN_MAPPED}, 2},
        {{.id = {0, 1}, .state = PLAN_MAPPED}, 2},
        {{.id = {1, PLAN_WHOLE}, .state = PLAN_STATE_COUNT}, 0},
    };
    struct run_change mapped = {.id = {0, PLAN_WHOLE}, .state = PLAN_MAPPED};
    struct world w = {0};
    struct err err;

    (void)state;
    begin(&w, text, NULL);
    assert_int_equal(run_follow(w.run, &mapped, 2, &err), 0);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        err.msg[0] = '\0';
        assert_int_equal(
            run_follow(w.run, &bad[i].change, bad[i].children, &err), -1);
        assert_int_equal(err.code, ERR_INVALID);
        assert_true(err.msg[0]);
    }
    end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_given_back_does_not_count),
        cmocka_unit_test(what_is_put_off_is_ready_then),
        cmocka_unit_test(what_is_given_back_after_a_cancel_is_cancelled),
        cmocka_unit_test(what_was_started_waits_to_be_adopted),
        cmocka_unit_test(it_is_adopted_before_it_was_its_turn_too),
        cmocka_unit_test(an_end_that_was_heard_is_not_adopted_once_more),
        cmocka_unit_test(what_nobody_adopts_is_started_anew),
        cmocka_unit_test(at_most_once_can_be_adopted_but_never_started_again),
        cmocka_unit_test(only_what_can_still_be_going_on_is_adopted),
        cmocka_unit_test(what_had_failed_stays_so_after_a_restart),
        cmocka_unit_test(failures_before_a_restart_count_for_max_fails),
        cmocka_unit_test(retries_count_on_after_a_restart),
        cmocka_unit_test(what_can_not_be_of_the_flow_is_not_followed),
    };

    return cmocka_run_group_tests_name("run_many", tests, NULL, NULL);
}
