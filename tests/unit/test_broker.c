/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/broker_world.h"

static void
tasks_go_to_agents_in_order_and_the_run_ends(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x }\n  b: { needs: [a], run: x }\n");
    tick(w);
    check(w, "");
    join(w, "box", 2);
    tick(w);
    check(w, "box task a\n");
    ok(w, "a");
    tick(w);
    check(w, "box task b\n");
    ok(w, "b");
    tick(w);
    check(w, "run 1 succeeded\n");
    assert_int_equal(broker_run_count(w->broker), 0);
}

static void
an_agent_gets_nothing_before_its_first_beat(void **state)
{
    struct broker_world *w = *state;
    struct err err;

    submit(w, HEAD "  a: { run: x }\n");
    assert_int_equal(hello(w, "box", 1, 1, NULL, 0, NULL, &err), 0);
    tick(w);
    check(w, "");
    beat(w, "box");
    tick(w);
    check(w, "box task a\n");
}

static void
the_output_of_a_run_comes_with_its_end(void **state)
{
    struct broker_world *w = *state;
    struct result result = {.state = PLAN_SUCCEEDED, .code = 0};

    submit(w, "leat: 1\nname: test\noutput: 'is ${a}'\n"
              "tasks:\n  a: { run: x, value: int }\n");
    join(w, "box", 1);
    tick(w);
    result.value = json_integer(7);
    assert_true(send_result(w, "a", result));
    json_decref(result.value);
    tick(w);
    check(w, "box task a\nrun 1 succeeded \"is 7\"\n");
}

static void
records_are_those_of_a_local_run(void **state)
{
    struct broker_world *w = *state;
    struct result result = {.state = PLAN_SUCCEEDED,
                            .code = 0,
                            .started = 5 * SPAN_SECOND,
                            .ended = 7 * SPAN_SECOND};

    w->records = true;
    submit(w, HEAD "  a: { run: x }\n"
                   "  m: { needs: [a], each: { f: [x, y] }, run: x }\n"
                   "  z: { trigger: any-failed, needs: [m], run: x }\n");
    join(w, "box", 2);
    tick(w);
    check(w, "box task a\n");
    began(w, "a");
    began(w, "a"); /* told twice: recorded once */
    check(w, "1 a running\n");
    assert_true(send_result(w, "a", result));
    tick(w);
    check(w, "1 a succeeded (code 0, 2000 ms)\n1 m mapped\n"
             "box task m[x]\nbox task m[y]\n");
    ok(w, "m[x]");
    ok(w, "m[y]");
    tick(w);
    check(w, "1 m[x] succeeded (code 0, 1000 ms)\n"
             "1 m[y] succeeded (code 0, 1000 ms)\n"
             "1 z trigger-failed: its trigger `any-failed` did not hold\n"
             "run 1 failed\n");
}

static void
starts_of_calls_are_recorded_only_where_a_timeout_could_hit(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { call: f }\n  b: { call: f, timeout: 5 }\n");
    join(w, "box", 2);
    tick(w);
    check(w, "box task a\nbox task b\n");
    began(w, "a");
    began(w, "b");
    check(w, "1 b running\n");
}

static void
what_cannot_be_evaluated_fails_without_being_sent(void **state)
{
    struct broker_world *w = *state;
    struct result result = {.state = PLAN_SUCCEEDED, .code = 0};

    w->records = true;
    submit(w, HEAD "  a: { run: x, value: json }\n"
                   "  b: { argv: [echo, '${a.key}'] }\n");
    join(w, "box", 2);
    tick(w);
    result.value = json_integer(3);
    assert_true(send_result(w, "a", result));
    json_decref(result.value);
    buf_clear(&w->journal);
    tick(w);
    assert_non_null(strstr(buf_str(&w->journal), "1 b failed: argv: "));
    assert_non_null(strstr(buf_str(&w->journal), "run 1 failed\n"));
    assert_null(strstr(buf_str(&w->journal), "box task b"));
}

static void
retries_wait_their_time_and_go_out_again(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x, retry: { times: 1, delay: 5 } }\n");
    join(w, "box", 1);
    tick(w);
    end_as(w, "a", PLAN_FAILED, SPAN_SECOND);
    tick(w);
    assert_true(w->next <= w->now + 5 * SPAN_SECOND);
    beat(w, "box");
    pass(w, 2 * SPAN_SECOND);
    check(w, "box task a\n");
    beat(w, "box");
    pass(w, 2 * SPAN_SECOND);
    beat(w, "box");
    pass(w, SPAN_SECOND);
    check(w, "box task a#2\n");
    end_as(w, "a#2", PLAN_FAILED, SPAN_SECOND);
    tick(w);
    check(w, "run 1 failed\n");
}

static void
what_is_unknown_or_late_is_counted_and_dropped(void **state)
{
    struct broker_world *w = *state;
    struct result result = {.ticket = 12345, .state = PLAN_SUCCEEDED};
    struct beat b = {0};
    uint64_t run;
    struct plan_id id;
    uint32_t attempt;

    submit(w, HEAD "  a: { run: x }\n");
    join(w, "box", 1);
    tick(w);
    assert_false(broker_result(w->broker, 4711, 1, &result, w->now));
    assert_false(broker_result(w->broker, member(w, "box")->session, 1, &result,
                               w->now));
    assert_false(
        broker_started(w->broker, member(w, "box")->session, 0, w->now));
    assert_false(broker_beat(w->broker, 4711, &b, w->now));
    assert_false(broker_find(w->broker, 4711, 1, &run, &id, &attempt));
    assert_int_equal(broker_counts(w->broker).late, 4);
    assert_true(broker_find(w->broker, member(w, "box")->session,
                            peek_given(w, "a")->ticket, &run, &id, &attempt));
    assert_int_equal(run, 1);
    assert_int_equal(attempt, 1);
}

static void
there_is_an_end_to_the_number_of_runs(void **state)
{
    struct broker_world *w = *state;
    struct broker_run run = {.id = 9999, .from = PLAN_NONE};
    struct err err;

    for (uint32_t i = 0; i < LIMIT_ACTIVE_RUNS; i++)
        submit(w, HEAD "  a: { run: x }\n");
    run.flow = parse(HEAD "  a: { run: x }\n");
    assert_int_equal(broker_run_begin(w->broker, &run, w->now, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_int_equal(broker_run_count(w->broker), LIMIT_ACTIVE_RUNS);
}

static void
forwarded_variables_give_way_to_those_of_the_task(void **state)
{
    struct broker_world *w = *state;
    struct broker_run run = {.from = PLAN_NONE};

    w->env = true;
    run.env = json_pack("{s:s,s:s}", "A", "outer", "B", "outer");
    submit_as(w, &run,
              HEAD "  a: { run: x, env: { A: inner } }\n"
                   "  b: { run: x }\n");
    json_decref(run.env);
    join(w, "box", 2);
    tick(w);
    check(w, "box task a {\"A\":\"inner\",\"B\":\"outer\"}\n"
             "box task b {\"A\":\"outer\",\"B\":\"outer\"}\n");
}

static void
paused_tasks_go_on_when_somebody_says_so(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x }\n"
                   "  ask: { needs: [a], trigger: manual-only, run: x }\n"
                   "  long: { run: x }\n");
    join(w, "box", 2);
    tick(w);
    ok(w, "a");
    tick(w);
    check(w, "box task a\nbox task long\n");
    check_why(w, 1, (struct plan_id){1, PLAN_WHOLE},
              "is paused until somebody lets it go on\n");
    broker_run_approve(w->broker, 1, w->now);
    tick(w);
    check(w, "box task ask\n");
}

static void
a_run_that_only_waits_for_people_ends_paused(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x }\n"
                   "  ask: { needs: [a], trigger: manual-only, run: x }\n");
    join(w, "box", 2);
    tick(w);
    ok(w, "a");
    tick(w);
    check(w, "box task a\nrun 1 paused\n");
}

/* ---- the store ---- */

static void
results_are_acknowledged_once_they_are_committed(void **state)
{
    struct broker_world *w = *state;
    uint64_t first, second;

    submit(w, HEAD "  a: { run: x }\n  b: { run: x }\n  c: { run: x }\n");
    join(w, "box", 3);
    tick(w);
    buf_clear(&w->journal);
    ok(w, "a");
    ok(w, "b");
    tick(w);
    first = broker_seal(w->broker);
    ok(w, "c");
    tick(w);
    second = broker_seal(w->broker);
    check(w, "run 1 succeeded\n");
    broker_committed(w->broker, first, w->now);
    check(w, "box ack 2\n");
    tick(w);
    check(w, "");
    broker_committed(w->broker, second, w->now);
    check(w, "box ack 3\n");
}

/* What had come was not on disk when it said hello again: it must keep it. What
 * others are at, or what it did not begin, it must not. */
static void
results_are_kept_through_a_hello_until_they_are_committed(void **state)
{
    struct broker_world *w = *state;
    const struct held held[] = {{1, {0, PLAN_WHOLE}, 1, 1, HELD_FINISHED},
                                {1, {1, PLAN_WHOLE}, 1, 1, HELD_FINISHED},
                                {1, {2, PLAN_WHOLE}, 1, 1, HELD_FINISHED},
                                {7, {0, PLAN_WHOLE}, 1, 1, HELD_FINISHED}};
    uint32_t tickets[4] = {0};
    struct err err;

    submit(w, HEAD "  a: { run: x, retry: 1 }\n  b: { run: x }\n"
                   "  c: { run: x }\n");
    join(w, "box", 8);
    tick(w);
    end_as(w, "a", PLAN_FAILED, SPAN_SECOND);
    ok(w, "b");
    gone(w, "box", GONE_CONNECTION);
    tick(w);
    join(w, "other", 8);
    pass(w, 2 * SPAN_SECOND);
    buf_clear(&w->journal);
    assert_int_equal(count_given(w, "other"), 2); /* a#2, and c once more */
    assert_int_equal(hello(w, "box", 8, 100, held, 4, tickets, &err), 0);
    assert_int_not_equal(tickets[0], 0);
    assert_int_not_equal(tickets[1], 0);
    assert_int_equal(tickets[2], 0);
    assert_int_not_equal(tickets[3], 0); /* nobody knows: it may have been */
    beat(w, "box");
    for (uint32_t i = 0; i < 4; i++) {
        struct result result = {
            .ticket = tickets[i], .state = PLAN_SUCCEEDED, .code = -1};

        if (tickets[i] == 0)
            continue;
        assert_false(broker_result(w->broker, member(w, "box")->session,
                                   ++member(w, "box")->number, &result,
                                   w->now));
    }
    (void)broker_seal(w->broker);
    pass(w, SPAN_SECOND);
    check(w, "");
    broker_committed(w->broker, 1, w->now);
    check(w, "box ack 3\n");
}

static void
output_is_acknowledged_once_it_is_committed(void **state)
{
    struct broker_world *w = *state;
    struct broker_attempt of;
    const struct given *g;
    uint64_t first, second;

    submit(w, HEAD "  a: { run: x }\n");
    join(w, "box", 3);
    tick(w);
    tick(w);
    (void)broker_seal(w->broker);
    g = peek_given(w, "a");
    buf_clear(&w->journal);
    assert_true(
        broker_output(w->broker, g->session, g->ticket, 10, w->now, &of));
    assert_int_equal(of.run, 1);
    assert_int_equal(of.id.task, 0);
    assert_int_equal(of.attempt, 1);
    tick(w);
    check(w, "");
    first = broker_seal(w->broker);
    /* Of nobody: it is to be forgotten, too. */
    assert_false(broker_output(w->broker, g->session, 12345, 5, w->now, &of));
    assert_true(
        broker_output(w->broker, g->session, g->ticket, 7, w->now, &of));
    ok(w, "a");
    tick(w);
    second = broker_seal(w->broker);
    check(w, "run 1 succeeded\n");
    broker_committed(w->broker, first, w->now);
    check(w, "box saved 10\n");
    broker_committed(w->broker, second, w->now);
    check(w, "box saved 22\nbox ack 1\n");
    assert_false(broker_output(w->broker, 4711, 1, 5, w->now, &of));
}

static void
a_late_result_that_nothing_is_recorded_of_is_acknowledged(void **state)
{
    struct broker_world *w = *state;
    struct result result = {.ticket = 99, .state = PLAN_SUCCEEDED};

    join(w, "box", 1);
    tick(w);
    assert_false(broker_result(w->broker, member(w, "box")->session, 5, &result,
                               w->now));
    tick(w);
    check(w, "box ack 5\n");
}

static void
what_may_run_only_once_is_on_disk_before_it_is_sent(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { run: x, at-most-once: true }\n");
    join(w, "box", 1);
    tick(w);
    check(w, "1 a running\n");
    check_why(w, 1, (struct plan_id){0, PLAN_WHOLE},
              "goes to box as soon as that is stored\n");
    tick(w);
    check(w, "");
    store(w);
    check(w, "box task a\n");
    began(w, "a");
    check(w, "");
    ok(w, "a");
    tick(w);
    check(w, "1 a succeeded (code 0, 1000 ms)\nrun 1 succeeded\n");
}

static void
what_may_run_only_once_is_never_given_out_again(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { run: x, at-most-once: true }\n");
    join(w, "box", 1);
    tick(w);
    store(w);
    buf_clear(&w->journal);
    gone(w, "box", GONE_CONNECTION);
    pass(w, SPAN_SECOND);
    join(w, "other", 1);
    tick(w);
    check(w, "box dropped: its connection is gone\n"
             "1 a crashed: agent box was lost\nrun 1 failed\n");
}

static void
what_was_not_sent_yet_goes_elsewhere_when_its_agent_is_lost(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x, at-most-once: true }\n");
    join(w, "box", 1);
    tick(w);
    gone(w, "box", GONE_CONNECTION);
    store(w);
    join(w, "other", 1);
    tick(w);
    store(w);
    check(w, "other task a\n");
}

/* What is a run's goes down a lane once, with whatever task comes first. */
static void
a_command_tells_the_program_of_the_calls_behind_it(void **state)
{
    struct broker_world *w = *state;
    struct broker_run run = {
        .from = PLAN_NONE, .program = "/flow", .nprogram = 5};

    submit_as(w, &run, HEAD "  a: { run: x }\n  b: { needs: [a], call: y }\n");
    join(w, "one", 1);
    tick(w);
    assert_int_equal(w->ngiven, 1);
    assert_int_equal(w->nprogram, 5);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_command_tells_the_program_of_the_calls_behind_it),
        TEST(tasks_go_to_agents_in_order_and_the_run_ends),
        TEST(an_agent_gets_nothing_before_its_first_beat),
        TEST(the_output_of_a_run_comes_with_its_end),
        TEST(records_are_those_of_a_local_run),
        TEST(starts_of_calls_are_recorded_only_where_a_timeout_could_hit),
        TEST(what_cannot_be_evaluated_fails_without_being_sent),
        TEST(retries_wait_their_time_and_go_out_again),
        TEST(what_is_unknown_or_late_is_counted_and_dropped),
        TEST(there_is_an_end_to_the_number_of_runs),
        TEST(forwarded_variables_give_way_to_those_of_the_task),
        TEST(paused_tasks_go_on_when_somebody_says_so),
        TEST(a_run_that_only_waits_for_people_ends_paused),
        TEST(results_are_acknowledged_once_they_are_committed),
        TEST(results_are_kept_through_a_hello_until_they_are_committed),
        TEST(output_is_acknowledged_once_it_is_committed),
        TEST(a_late_result_that_nothing_is_recorded_of_is_acknowledged),
        TEST(what_may_run_only_once_is_on_disk_before_it_is_sent),
        TEST(what_may_run_only_once_is_never_given_out_again),
        TEST(what_was_not_sent_yet_goes_elsewhere_when_its_agent_is_lost),
    };

    return cmocka_run_group_tests_name("broker", tests, NULL, NULL);
}
