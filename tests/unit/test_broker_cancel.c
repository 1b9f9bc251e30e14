/* SPDX-License-Identifier: MPL-2.0 */
/* Runs and tasks that are ended before they would end. */
#include "tests/unit/broker_world.h"

/* ---- cancelling ---- */

static void
cancelling_ends_what_runs_and_starts_nothing_more(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x }\n  b: { needs: [a], run: x }\n");
    join(w, "box", 1);
    tick(w);
    broker_run_cancel(w->broker, 1, false, w->now);
    broker_run_cancel(w->broker, 1, false, w->now);
    tick(w);
    check(w, "box task a\nbox cancel a\n");
    broker_run_cancel(w->broker, 1, true, w->now);
    check(w, "box kill a\n");
    end_as(w, "a", PLAN_CANCELLED, SPAN_SECOND);
    tick(w);
    check(w, "run 1 cancelled\n");
    broker_run_cancel(w->broker, 1, false, w->now);
}

static void
a_run_past_its_timeout_is_cancelled(void **state)
{
    struct broker_world *w = *state;
    struct broker_run run = {.timeout = 2 * SPAN_SECOND, .from = PLAN_NONE};

    submit_as(w, &run, HEAD "  a: { run: x }\n");
    join(w, "box", 1);
    tick(w);
    check(w, "box task a\n");
    pass(w, 2 * SPAN_SECOND);
    check(w, "box cancel a\n");
    end_as(w, "a", PLAN_CANCELLED, SPAN_SECOND);
    tick(w);
    check(w, "run 1 cancelled: " STORE_TIMED_OUT "\n");
}

static void
a_lost_agent_ends_a_cancelled_run(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { run: x }\n  b: { run: x }\n");
    join(w, "box", 2);
    tick(w);
    began(w, "a");
    broker_run_cancel(w->broker, 1, false, w->now);
    gone(w, "box", GONE_CONNECTION);
    buf_clear(&w->journal);
    pass(w, SPAN_SECOND);
    check(w, "box dropped: its connection is gone\n"
             "1 a cancelled: the run was cancelled\n"
             "1 b cancelled: the run was cancelled\n"
             "run 1 cancelled\n");
}

static void
one_task_is_ended_and_the_run_goes_on(void **state)
{
    const struct plan_id a = {0, PLAN_WHOLE}, d = {3, PLAN_WHOLE};
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { run: x, retry: 5 }\n"
                   "  b: { needs: [a], trigger: any-failed, run: x }\n"
                   "  c: { run: x }\n"
                   "  d: { run: x }\n");
    join(w, "box", 2);
    tick(w);
    began(w, "a");
    buf_clear(&w->journal);
    broker_run_stop(w->broker, 1, a, false, w->now);
    check(w, "box cancel a\n");
    broker_run_stop(w->broker, 1, a, true, w->now);
    check(w, "box kill a\n");
    broker_run_stop(w->broker, 1, d, false, w->now);
    check(w, "1 d cancelled: it was cancelled\n");
    broker_run_stop(w->broker, 2, a, true, w->now);
    end_as(w, "a", PLAN_CANCELLED, SPAN_SECOND);
    tick(w);
    check(w, "1 a cancelled: scripted (code 1, 1000 ms)\nbox task b\n");
    ok(w, "b");
    ok(w, "c");
    tick(w);
    check(w, "1 b succeeded (code 0, 1000 ms)\n"
             "1 c succeeded (code 0, 1000 ms)\nrun 1 failed\n");
}

static void
a_task_that_is_being_ended_is_not_begun_anew_elsewhere(void **state)
{
    const struct plan_id a = {0, PLAN_WHOLE}, b = {1, PLAN_WHOLE};
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { run: x }\n  b: { run: x, exclusive: true }\n");
    join(w, "box", 2);
    tick(w);
    began(w, "a");
    began(w, "b");
    broker_run_stop(w->broker, 1, a, false, w->now);
    broker_run_stop(w->broker, 1, b, false, w->now);
    gone(w, "box", GONE_CONNECTION);
    buf_clear(&w->journal);
    pass(w, SPAN_SECOND);
    check(w, "box dropped: its connection is gone\n"
             "1 a cancelled: it was cancelled\n"
             "1 b cancelled: it was cancelled\n"
             "run 1 failed\n");
}

static void
what_waits_to_be_on_disk_is_not_sent_if_it_is_cancelled(void **state)
{
    const struct plan_id a = {0, PLAN_WHOLE};
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x, at-most-once: true }\n");
    join(w, "box", 1);
    tick(w);
    broker_run_stop(w->broker, 1, a, false, w->now);
    store(w);
    tick(w);
    check(w, "run 1 failed\n");
}

static void
who_comes_back_is_told_again_what_is_to_be_ended(void **state)
{
    const struct plan_id a = {0, PLAN_WHOLE};
    struct broker_world *w = *state;
    struct held held = {
        .run = 1, .id = a, .attempt = 1, .epoch = 9, .phase = HELD_RUNNING};
    uint32_t ticket = 0;
    struct err err;

    submit(w, HEAD "  a: { run: x }\n");
    join(w, "box", 1);
    tick(w);
    began(w, "a");
    gone(w, "box", GONE_CONNECTION);
    broker_run_stop(w->broker, 1, a, false, w->now);
    check(w, "box task a\n");
    assert_int_equal(hello(w, "box", 1, member(w, "box")->incarnation, &held, 1,
                           &ticket, &err),
                     0);
    assert_int_not_equal(ticket, 0);
    buf_clear(&w->journal);
    beat(w, "box");
    check(w, "box cancel ?\n");
}

/* One by itself, a child, and a child of a map; each once more. */
static void
what_is_to_be_killed_is_not_ended_gently_after_a_hello(void **state)
{
    static const struct plan_id ids[] = {
        {0, PLAN_WHOLE}, {1, 1}, {2, PLAN_WHOLE}};
    struct broker_world *w = *state;
    struct held held[] = {{1, {0, PLAN_WHOLE}, 1, 1, HELD_RUNNING},
                          {1, {1, 0}, 1, 1, HELD_RUNNING},
                          {1, {1, 1}, 1, 1, HELD_RUNNING},
                          {1, {2, 0}, 1, 1, HELD_RUNNING}};
    uint32_t tickets[4];
    struct err err;

    submit(w, HEAD "  a: { run: x }\n"
                   "  m: { each: { f: [x, y] }, run: x }\n"
                   "  n: { each: { f: [x] }, run: x }\n");
    join(w, "box", 4);
    tick(w);
    for (size_t i = 0; i < 3; i++) {
        broker_run_stop(w->broker, 1, ids[i], false, w->now);
        broker_run_stop(w->broker, 1, ids[i], true, w->now);
        broker_run_stop(w->broker, 1, ids[i], false, w->now);
    }
    broker_run_stop(w->broker, 1, (struct plan_id){1, 0}, false, w->now);
    assert_int_equal(hello(w, "box", 4, 100, held, 4, tickets, &err), 0);
    buf_clear(&w->journal);
    beat(w, "box");
    check(w, "box kill ?\nbox cancel ?\nbox kill ?\nbox kill ?\n");
}

static void
more_failures_than_allowed_take_back_what_has_not_begun(void **state)
{
    struct broker_world *w = *state;

    submit(w, "leat: 1\nname: test\nmax-fails: 0\ntasks:\n"
              "  a: { run: x }\n  b: { run: x }\n  c: { run: x }\n");
    join(w, "box", 2);
    tick(w);
    check(w, "box task a\nbox task b\n");
    end_as(w, "a", PLAN_FAILED, SPAN_SECOND);
    tick(w);
    check(w, "box recall b\n");
    give_back(w, "b");
    tick(w);
    check(w, "run 1 failed\n");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(cancelling_ends_what_runs_and_starts_nothing_more),
        TEST(a_run_past_its_timeout_is_cancelled),
        TEST(a_lost_agent_ends_a_cancelled_run),
        TEST(one_task_is_ended_and_the_run_goes_on),
        TEST(a_task_that_is_being_ended_is_not_begun_anew_elsewhere),
        TEST(what_waits_to_be_on_disk_is_not_sent_if_it_is_cancelled),
        TEST(who_comes_back_is_told_again_what_is_to_be_ended),
        TEST(what_is_to_be_killed_is_not_ended_gently_after_a_hello),
        TEST(more_failures_than_allowed_take_back_what_has_not_begun),
    };

    return cmocka_run_group_tests_name("broker", tests, NULL, NULL);
}
