/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/broker_world.h"

/* What a broker that died had stored, task by task. */
struct stored {
    enum plan_state state;
    uint32_t attempt;
    int value;
};

static void
resume_but(struct broker_world *w, const char *text,
           const struct stored *stored, bool adopt, const struct plan_id *stops,
           size_t nstop)
{
    struct history history = {.flow = parse(text)};
    struct broker_run run = {
        .stops = stops,
        .nstop = nstop,
        .id = ++w->nrun,
        .resume = &history,
        .from = PLAN_NONE,
        .adopt_until = adopt ? w->now + 3 * SPAN_SECOND : 0,
    };
    size_t n = history.flow->ntask;

    history.tasks = mem_alloc(n, sizeof *history.tasks);
    for (size_t t = 0; t < n; t++) {
        history.tasks[t].item = (struct history_item){
            .state = stored[t].state,
            .attempt = stored[t].attempt,
            .code = -1,
            .value = json_integer(stored[t].value),
            .order = t + 1,
        };
    }
    submit_as(w, &run, text);
    for (size_t t = 0; t < n; t++)
        json_decref(history.tasks[t].item.value);
    free(history.tasks);
    flow_destroy(&history.flow);
}

static void
resume(struct broker_world *w, const char *text, const struct stored *stored,
       bool adopt)
{
    resume_but(w, text, stored, adopt, NULL, 0);
}

static void
come_back(struct broker_world *w, const char *name, const struct held *held,
          size_t n, uint32_t *tickets)
{
    struct err err;

    assert_int_equal(
        hello(w, name, 4, 100 + w->nmember, held, n, tickets, &err), 0);
    beat(w, name);
}

static void
turn(struct broker_world *w, const char *name, int64_t span)
{
    w->now += span;
    beat(w, name);
    tick(w);
}

#define THREE                                                         \
    HEAD "  a: { run: x, value: int }\n  b: { needs: [a], run: x }\n" \
         "  c: { run: x }\n"

static void
what_succeeded_is_kept_and_the_rest_is_done(void **state)
{
    static const struct stored stored[] = {
        {PLAN_SUCCEEDED, 1, 7}, {PLAN_FAILED, 1, 0}, {PLAN_WAITING, 0, 0}};
    struct broker_world *w = *state;

    w->records = true;
    resume(w, THREE, stored, false);
    join(w, "box", 4);
    tick(w);
    check(w, "box task b#2\nbox task c\n");
    ok(w, "b#2");
    ok(w, "c");
    tick(w);
    check(w, "1 b#2 succeeded (code 0, 1000 ms)\n"
             "1 c succeeded (code 0, 1000 ms)\nrun 1 succeeded\n");
}

static void
what_was_cancelled_stays_so_after_a_restart(void **state)
{
    /* b was told to end, and the broker has not heard how it did; c had ended
     * before it was told; d was cancelled before it began */
    static const struct stored stored[] = {{PLAN_SUCCEEDED, 1, 7},
                                           {PLAN_RUNNING, 1, 0},
                                           {PLAN_SUCCEEDED, 1, 0},
                                           {PLAN_CANCELLED, 0, 0},
                                           {PLAN_WAITING, 0, 0}};
    static const struct plan_id stops[] = {
        {1, PLAN_WHOLE}, {2, PLAN_WHOLE}, {3, PLAN_WHOLE}, {99, PLAN_WHOLE}};
    static const struct held held[] = {
        {1, {1, PLAN_WHOLE}, 1, 9, HELD_RUNNING},
    };
    struct broker_world *w = *state;
    uint32_t ticket = 77;

    resume_but(w,
               HEAD
               "  a: { run: x, value: int }\n  b: { run: x, retry: 9 }\n"
               "  c: { run: x }\n  d: { run: x }\n"
               "  e: { needs: [b, c, d], trigger: all-finished, run: x }\n",
               stored, true, stops, 4);
    come_back(w, "box", held, 1, &ticket);
    assert_int_equal(ticket, 0);
    tick(w);
    turn(w, "box", 3 * SPAN_SECOND);
    check(w, "box task e\n");
    ok(w, "e");
    tick(w);
    check(w, "run 1 succeeded\n");
}

static void
held_attempts_are_adopted_after_a_restart(void **state)
{
    static const struct stored stored[] = {
        {PLAN_SUCCEEDED, 1, 7}, {PLAN_RUNNING, 1, 0}, {PLAN_WAITING, 0, 0}};
    /* of the last, no record tells: it was on its way */
    static const struct held held[] = {
        {1, {1, PLAN_WHOLE}, 1, 9, HELD_RUNNING},
        {1, {2, PLAN_WHOLE}, 1, 9, HELD_QUEUED},
        {1, {0, PLAN_WHOLE}, 1, 9, HELD_RUNNING},
        {1, {5, PLAN_WHOLE}, 1, 9, HELD_RUNNING},
        {2, {0, PLAN_WHOLE}, 1, 9, HELD_RUNNING},
    };
    struct broker_world *w = *state;
    struct result result = {.state = PLAN_SUCCEEDED, .code = -1};
    uint32_t tickets[5];

    w->records = true;
    resume(w, THREE, stored, true);
    tick(w);
    come_back(w, "box", held, 5, tickets);
    tick(w);
    assert_int_not_equal(tickets[0], 0);
    assert_int_not_equal(tickets[1], 0);
    assert_int_equal(tickets[2], 0); /* it has an end already */
    assert_int_equal(tickets[3], 0);
    assert_int_equal(tickets[4], 0);
    turn(w, "box", 2 * SPAN_SECOND);
    turn(w, "box", 2 * SPAN_SECOND);
    check(w, "");
    for (uint64_t i = 0; i < 2; i++) {
        result.ticket = tickets[i];
        assert_true(broker_result(w->broker, member(w, "box")->session, i + 1,
                                  &result, w->now));
    }
    tick(w);
    check(w, "1 b succeeded\n1 c succeeded\nrun 1 succeeded\n");
}

static void
what_nobody_holds_is_given_out_after_a_while(void **state)
{
    static const struct stored stored[] = {
        {PLAN_SUCCEEDED, 1, 7}, {PLAN_RUNNING, 1, 0}, {PLAN_WAITING, 0, 0}};
    struct broker_world *w = *state;

    resume(w, THREE, stored, true);
    join(w, "box", 4);
    tick(w);
    check_why(w, 1, (struct plan_id){2, PLAN_WHOLE},
              "may still be held by an agent that has not come back after the "
              "broker's restart\n");
    turn(w, "box", 2 * SPAN_SECOND);
    check(w, "");
    turn(w, "box", SPAN_SECOND);
    check(w, "box task b#2\nbox task c\n");
}

static void
what_may_run_only_once_fails_if_nobody_holds_it(void **state)
{
    static const struct stored stored[] = {{PLAN_RUNNING, 1, 0},
                                           {PLAN_WAITING, 0, 0}};
    struct broker_world *w = *state;

    w->records = true;
    resume(w,
           HEAD "  a: { run: x, at-most-once: true }\n"
                "  b: { run: x, at-most-once: true }\n",
           stored, true);
    join(w, "box", 1);
    turn(w, "box", 2 * SPAN_SECOND);
    check(w, "");
    turn(w, "box", SPAN_SECOND);
    check(w, "1 a failed: at-most-once: it was started in an earlier "
             "session\n1 b running\n");
    store(w);
    check(w, "box task b\n");
}

static void
what_is_exclusive_waits_longer_even_if_no_start_is_recorded(void **state)
{
    static const struct stored stored[] = {{PLAN_WAITING, 0, 0}};
    struct broker_world *w = *state;

    resume(w, HEAD "  a: { run: x, exclusive: true }\n", stored, true);
    join(w, "box", 1);
    for (int i = 0; i < 30; i++)
        turn(w, "box", 59 * SPAN_SECOND / 30);
    check(w, "");
    turn(w, "box", 2 * SPAN_SECOND);
    check(w, "box task a\n");
}

/* An agent is back before the one that has the result, which was not committed,
 * of what its own depend on: those are ended, and done again. */
static void
what_depends_on_a_lost_result_is_done_again(void **state)
{
    static const struct stored stored[] = {
        {PLAN_RUNNING, 1, 0}, {PLAN_WAITING, 0, 0}, {PLAN_WAITING, 0, 0}};
    static const struct held children[] = {
        {1, {1, PLAN_WHOLE}, 1, 9, HELD_RUNNING},
        {1, {2, PLAN_WHOLE}, 1, 9, HELD_RUNNING},
    };
    static const struct held parent = {1, {0, PLAN_WHOLE}, 1, 9, HELD_FINISHED};
    struct broker_world *w = *state;
    struct result result = {.state = PLAN_SUCCEEDED, .code = -1};
    uint32_t tickets[2];

    resume(w,
           HEAD "  a: { run: x }\n  b: { needs: [a], run: x }\n"
                "  c: { needs: [a], run: x, exclusive: true }\n",
           stored, true);
    come_back(w, "two", children, 2, tickets);
    assert_int_equal(tickets[0], 0);
    assert_int_equal(tickets[1], 0);
    tick(w);
    come_back(w, "one", &parent, 1, tickets);
    result.ticket = tickets[0];
    assert_true(broker_result(w->broker, member(w, "one")->session, 1, &result,
                              w->now));
    tick(w);
    check(w, "");
    turn(w, "two", 3 * SPAN_SECOND);
    check(w, "two task b\n");
    /* until it has surely ended where it was */
    for (int i = 0; i < 28; i++)
        turn(w, "two", 2 * SPAN_SECOND);
    assert_int_equal(count_given(w, "two"), 1);
    turn(w, "two", SPAN_SECOND);
    assert_int_equal(count_given(w, "two"), 2);
}

static void
a_run_of_which_all_is_kept_ends_at_once(void **state)
{
    static const struct stored stored[] = {
        {PLAN_SUCCEEDED, 1, 7}, {PLAN_SUCCEEDED, 1, 0}, {PLAN_SUCCEEDED, 1, 0}};
    struct broker_world *w = *state;

    resume(w, THREE, stored, false);
    join(w, "box", 4);
    tick(w);
    check(w, "run 1 succeeded\n");
}

/* t was cancelled by itself; its handler, asked about that, failed. */
static void
what_failed_when_it_was_cancelled_is_not_begun(void **state)
{
    static const char text[] = HEAD "  t: { run: x, handlers: true }\n"
                                    "  s: { run: x }\n";
    static const struct plan_id stops[] = {{0, PLAN_WHOLE}};
    struct history_task tasks[2] = {
        {.item = {.state = PLAN_FAILED, .order = 1}},
        {.item = {.state = PLAN_WAITING}}};
    struct broker_world *w = *state;
    struct history history = {.tasks = tasks};
    struct broker_run run = {.id = 1,
                             .resume = &history,
                             .from = PLAN_NONE,
                             .stops = stops,
                             .nstop = 1,
                             .adopt_until = w->now + 3 * SPAN_SECOND};

    history.flow = parse(text);
    submit_as(w, &run, text);
    join(w, "box", 4);
    for (int i = 0; i < 4; i++) {
        beat(w, "box");
        pass(w, SPAN_SECOND);
    }
    check(w, "box task s\n");
    ok(w, "s");
    tick(w);
    check(w, "run 1 failed\n");
    flow_destroy(&history.flow);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_succeeded_is_kept_and_the_rest_is_done),
        TEST(what_was_cancelled_stays_so_after_a_restart),
        TEST(held_attempts_are_adopted_after_a_restart),
        TEST(what_nobody_holds_is_given_out_after_a_while),
        TEST(what_may_run_only_once_fails_if_nobody_holds_it),
        TEST(what_is_exclusive_waits_longer_even_if_no_start_is_recorded),
        TEST(what_depends_on_a_lost_result_is_done_again),
        TEST(a_run_of_which_all_is_kept_ends_at_once),
        TEST(what_failed_when_it_was_cancelled_is_not_begun),
    };

    return cmocka_run_group_tests_name("broker_restart", tests, NULL, NULL);
}
