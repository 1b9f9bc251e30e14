/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/broker_world.h"

static const struct plan_id first = {0, PLAN_WHOLE};

static void
both_sides_beat_every_second(void **state)
{
    struct broker_world *w = *state;

    join(w, "box", 1);
    w->beats = true;
    tick(w);
    check(w, "box beat\n");
    tick(w);
    check(w, "");
    assert_int_equal(w->next, w->now + SPAN_SECOND);
    pass(w, SPAN_SECOND);
    check(w, "box beat\n");
}

static void
a_silent_agent_gets_nothing_until_it_is_heard_again(void **state)
{
    struct broker_world *w = *state;

    join(w, "box", 1);
    pass(w, 3 * SPAN_SECOND);
    submit(w, HEAD "  a: { run: x }\n");
    tick(w);
    check(w, "");
    check_why(w, 1, first,
              "is ready and waits for an agent\nbox: is suspect\n");
    beat(w, "box");
    tick(w);
    check(w, "box task a\n");
}

static void
a_lost_agent_gives_up_what_it_held(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { run: x }\n  b: { run: x }\n");
    join(w, "box", 2);
    tick(w);
    began(w, "a");
    join(w, "other", 2);
    buf_clear(&w->journal);
    silence(w, "box", 9 * SPAN_SECOND);
    check(w, "");
    silence(w, "box", SPAN_SECOND);
    /* only what had begun is blamed, and has a new number */
    check(w, "box dropped: it has been silent for too long\n"
             "1 a retrying: agent box was lost\n"
             "other task a#2\nother task b\n");
    assert_int_equal(broker_counts(w->broker).requeued, 2);
    assert_int_equal(broker_counts(w->broker).lost_agents, 1);
}

static void
a_broken_connection_has_a_second_to_come_back(void **state)
{
    struct broker_world *w = *state;
    uint32_t tickets[3];
    struct err err;
    struct held held[3] = {
        {1, {1, PLAN_WHOLE}, 1, 1, HELD_QUEUED},
        {1, {0, PLAN_WHOLE}, 1, 1, HELD_RUNNING},
        {7, {0, PLAN_WHOLE}, 1, 1, HELD_RUNNING},
    };

    w->records = true;
    submit(w, HEAD "  a: { run: x }\n  b: { run: x }\n  c: { run: x }\n");
    join(w, "box", 3);
    tick(w);
    gone(w, "box", GONE_CONNECTION);
    tick(w);
    buf_clear(&w->journal);
    assert_int_equal(hello(w, "box", 3, 100, held, 3, tickets, &err), 0);
    /* what it does not hold never got there */
    check(w, "1 a running\nbox dropped: it said hello again\n");
    assert_int_not_equal(tickets[0], 0);
    assert_int_not_equal(tickets[1], 0);
    assert_int_equal(tickets[2], 0);
    beat(w, "box");
    pass(w, 2 * SPAN_SECOND);
    check(w, "box task c\n");
    for (int i = 0; i < 2; i++) {
        struct result result = {
            .ticket = tickets[i], .state = PLAN_SUCCEEDED, .code = -1};

        assert_true(broker_result(w->broker, member(w, "box")->session,
                                  (uint64_t)i + 1, &result, w->now));
    }
    check(w, "1 b succeeded\n1 a succeeded\n");
}

static void
tickets_mean_nothing_in_another_session(void **state)
{
    struct broker_world *w = *state;
    struct held held = {1, {0, PLAN_WHOLE}, 1, 1, HELD_RUNNING};
    struct result result = {.state = PLAN_SUCCEEDED};
    broker_session old;
    struct err err;
    uint32_t ticket;

    submit(w, HEAD "  a: { run: x }\n");
    join(w, "box", 1);
    tick(w);
    old = member(w, "box")->session;
    assert_int_equal(hello(w, "box", 1, 100, &held, 1, &ticket, &err), 0);
    result.ticket = ticket;
    assert_false(broker_result(w->broker, old, 1, &result, w->now));
    assert_true(broker_result(w->broker, member(w, "box")->session, 1, &result,
                              w->now));
    tick(w);
    assert_false(broker_result(w->broker, member(w, "box")->session, 2, &result,
                               w->now));
}

static void
an_agent_that_left_is_not_blamed(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { run: x }\n");
    for (int i = 1; i <= 5; i++) {
        char name[16];

        join(w, "box", 1);
        tick(w);
        (void)snprintf(name, sizeof name, i > 1 ? "a#%d" : "a", i);
        began(w, name);
        gone(w, "box", GONE_LEFT);
        tick(w);
    }
    assert_int_equal(broker_counts(w->broker).lost_agents, 0);
    buf_clear(&w->journal);
    join(w, "box", 1);
    tick(w);
    check(w, "box task a#6\n");
}

static void
three_crashes_end_a_task(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { run: x, retry: 9 }\n");
    for (int i = 1; i <= 3; i++) {
        char name[16];

        join(w, "box", 1);
        tick(w);
        (void)snprintf(name, sizeof name, i > 1 ? "a#%d" : "a", i);
        began(w, name);
        gone(w, "box", GONE_CONNECTION);
        buf_clear(&w->journal);
        pass(w, SPAN_SECOND);
    }
    check(w, "box dropped: its connection is gone\n"
             "1 a#3 crashed: agent box was lost (3 times)\nrun 1 failed\n");
}

static void
a_task_that_retries_only_failures_ends_with_its_agent(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { run: x, retry: { times: 3, on: [failed] } }\n");
    join(w, "box", 1);
    tick(w);
    began(w, "a");
    gone(w, "box", GONE_CONNECTION);
    buf_clear(&w->journal);
    pass(w, SPAN_SECOND);
    check(w, "box dropped: its connection is gone\n"
             "1 a crashed: agent box was lost\nrun 1 failed\n");
}

static void
what_is_exclusive_waits_until_the_lost_agent_has_ended_it(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x, exclusive: true }\n");
    join(w, "box", 1);
    tick(w);
    gone(w, "box", GONE_CONNECTION);
    pass(w, SPAN_SECOND);
    join(w, "other", 1);
    buf_clear(&w->journal);
    silence(w, "box", 59 * SPAN_SECOND); /* since it was given up */
    check(w, "");
    check_why(w, 1, first,
              "agent box, which had it, was lost; it is exclusive and may "
              "still run there\n");
    silence(w, "box", SPAN_SECOND);
    check(w, "other task a\n");
}

static void
an_exclusive_attempt_is_adopted_when_its_agent_comes_back(void **state)
{
    struct broker_world *w = *state;
    struct held held = {1, {0, PLAN_WHOLE}, 1, 1, HELD_RUNNING};
    uint32_t ticket;
    struct err err;

    submit(w, HEAD "  a: { run: x, exclusive: true }\n");
    join(w, "box", 1);
    tick(w);
    began(w, "a");
    gone(w, "box", GONE_CONNECTION);
    pass(w, 5 * SPAN_SECOND);
    assert_int_equal(hello(w, "box", 1, 100, &held, 1, &ticket, &err), 0);
    assert_int_not_equal(ticket, 0);
    beat(w, "box");
    silence(w, "", 70 * SPAN_SECOND);
    check(w, "box task a\nbox dropped: its connection is gone\n");
}

static void
a_lost_agent_that_comes_back_keeps_what_nobody_else_began(void **state)
{
    struct broker_world *w = *state;
    struct held held[2] = {
        {1, {0, PLAN_WHOLE}, 1, 1, HELD_RUNNING},
        {1, {1, PLAN_WHOLE}, 1, 1, HELD_RUNNING},
    };
    uint32_t tickets[2];
    struct err err;

    submit(w, HEAD "  a: { run: x }\n  b: { run: x }\n");
    join(w, "box", 2);
    tick(w);
    gone(w, "box", GONE_CONNECTION);
    pass(w, SPAN_SECOND);
    join(w, "other", 1);
    tick(w);
    assert_int_equal(hello(w, "box", 2, 100, held, 2, tickets, &err), 0);
    assert_int_equal(tickets[0], 0); /* the other one has it */
    assert_int_not_equal(tickets[1], 0);
    tick(w);
    check(w, "box task a\nbox task b\nbox dropped: its connection is gone\n"
             "other task a\n");
}

static void
an_attempt_whose_end_is_known_is_not_adopted(void **state)
{
    struct broker_world *w = *state;
    struct held held = {1, {0, PLAN_WHOLE}, 1, 1, HELD_FINISHED};
    struct plan_id id;
    uint32_t ticket, attempt;
    uint64_t run;
    struct err err;

    w->records = true;
    submit(w, HEAD "  a: { run: x, retry: { times: 1, delay: 1 } }\n");
    join(w, "box", 1);
    tick(w);
    end_as(w, "a", PLAN_FAILED, SPAN_SECOND);
    tick(w);
    /* its result was not acknowledged yet, and is kept until then */
    assert_int_equal(hello(w, "box", 1, 100, &held, 1, &ticket, &err), 0);
    assert_int_not_equal(ticket, 0);
    assert_false(broker_find(w->broker, member(w, "box")->session, ticket, &run,
                             &id, &attempt));
    beat(w, "box");
    pass(w, SPAN_SECOND);
    check(w, "box task a\n1 a retrying: scripted (code 1, 1000 ms)\n"
             "box dropped: it said hello again\nbox task a#2\n");
}

static void
a_lane_that_takes_nothing_is_dropped_at_once(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x }\n");
    join(w, "box", 1);
    tick(w);
    gone(w, "box", GONE_STUCK);
    gone(w, "box", GONE_CONNECTION);
    check(w, "box task a\nbox dropped: its lane takes nothing\n");
    join(w, "other", 1);
    pass(w, SPAN_SECOND);
    check(w, "other task a\n");
    assert_int_equal(broker_counts(w->broker).lost_agents, 1);
}

static void
a_name_belongs_to_one_agent_while_it_is_well(void **state)
{
    struct broker_world *w = *state;
    struct err err;

    join(w, "box", 1);
    assert_int_equal(hello(w, "box", 1, 999, NULL, 0, NULL, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.msg, "there is an agent `box` already, on earth "
                                 "(pid 17); name this one with --name");
    gone(w, "box", GONE_CONNECTION);
    assert_int_equal(hello(w, "box", 1, 999, NULL, 0, NULL, &err), 0);
    check(w, "box dropped: another one came in its place\n");
}

static void
there_is_an_end_to_the_number_of_agents(void **state)
{
    struct broker_world *w = *state;
    struct agent_info info = {.version = "1", .slots = 1};
    broker_session session = 0;
    struct err err;
    char name[16];

    for (uint32_t i = 0; i <= LIMIT_AGENTS; i++) {
        (void)snprintf(name, sizeof name, "a%u", i);
        info.name = name;
        info.incarnation = i + 1;
        assert_int_equal(broker_hello(w->broker, &info, NULL, 0, w->now,
                                      &session, NULL, &err),
                         i < LIMIT_AGENTS ? 0 : -1);
    }
    assert_int_equal(err.code, ERR_LIMIT);
}

static void
a_draining_agent_gets_nothing_more_and_gives_back(void **state)
{
    struct broker_world *w = *state;
    struct err err;

    submit(w, HEAD "  a: { run: x }\n  b: { run: x }\n  c: { run: x }\n");
    join(w, "box", 2);
    tick(w);
    began(w, "a");
    buf_clear(&w->journal);
    assert_int_equal(broker_drain(w->broker, "box", &err), 0);
    assert_int_equal(broker_drain(w->broker, "box", &err), 0);
    check(w, "box drain\nbox recall b\n");
    give_back(w, "b");
    ok(w, "a");
    tick(w);
    check(w, "");
    /* its connection ends: it had nothing, so nobody waits for it */
    gone(w, "box", GONE_CONNECTION);
    check(w, "box dropped: it left\n");
    assert_int_equal(broker_drain(w->broker, "box", &err), -1);
    assert_string_equal(err.msg, "there is no agent `box`");
}

/* Else it would be given the same again and again. */
static void
an_agent_that_gives_back_unasked_is_leaving(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x }\n  b: { run: x }\n");
    join(w, "box", 1);
    tick(w);
    buf_clear(&w->journal);
    give_back(w, "a");
    tick(w);
    check(w, "");
    join(w, "other", 1);
    tick(w);
    check(w, "other task a\n");
}

static void
cancels_reach_an_agent_that_was_away(void **state)
{
    struct broker_world *w = *state;
    struct held held = {1, {0, PLAN_WHOLE}, 1, 1, HELD_RUNNING};
    struct given g;
    uint32_t ticket;
    struct err err;

    submit(w, HEAD "  a: { run: x }\n");
    join(w, "box", 1);
    tick(w);
    gone(w, "box", GONE_CONNECTION);
    broker_run_cancel(w->broker, 1, false, w->now);
    check(w, "box task a\n");
    assert_int_equal(hello(w, "box", 1, 100, &held, 1, &ticket, &err), 0);
    g = take_given(w, "a");
    g.session = member(w, "box")->session;
    g.ticket = ticket;
    w->given[w->ngiven++] = g;
    buf_clear(&w->journal);
    beat(w, "box");
    check(w, "box cancel a\n");
    end_as(w, "a", PLAN_CANCELLED, SPAN_SECOND);
    tick(w);
    check(w, "run 1 cancelled\n");
}

static void
who_may_have_spoken_is_not_silent(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x }\n");
    join(w, "box", 1);
    tick(w);
    began(w, "a");
    check(w, "box task a\n");
    for (int i = 0; i < 30; i++) { /* the store takes nothing, say */
        w->now += SPAN_SECOND;
        broker_unheard(w->broker, w->now);
        tick(w);
    }
    check(w, "");
    pass(w, 9 * SPAN_SECOND);
    check(w, "");
    pass(w, SPAN_SECOND);
    check(w, "box dropped: it has been silent for too long\n");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(both_sides_beat_every_second),
        TEST(a_silent_agent_gets_nothing_until_it_is_heard_again),
        TEST(who_may_have_spoken_is_not_silent),
        TEST(a_lost_agent_gives_up_what_it_held),
        TEST(a_broken_connection_has_a_second_to_come_back),
        TEST(tickets_mean_nothing_in_another_session),
        TEST(an_agent_that_left_is_not_blamed),
        TEST(three_crashes_end_a_task),
        TEST(a_task_that_retries_only_failures_ends_with_its_agent),
        TEST(what_is_exclusive_waits_until_the_lost_agent_has_ended_it),
        TEST(an_exclusive_attempt_is_adopted_when_its_agent_comes_back),
        TEST(a_lost_agent_that_comes_back_keeps_what_nobody_else_began),
        TEST(an_attempt_whose_end_is_known_is_not_adopted),
        TEST(a_lane_that_takes_nothing_is_dropped_at_once),
        TEST(a_name_belongs_to_one_agent_while_it_is_well),
        TEST(there_is_an_end_to_the_number_of_agents),
        TEST(a_draining_agent_gets_nothing_more_and_gives_back),
        TEST(an_agent_that_gives_back_unasked_is_leaving),
        TEST(cancels_reach_an_agent_that_was_away),
    };

    return cmocka_run_group_tests_name("broker_agents", tests, NULL, NULL);
}
