/* SPDX-License-Identifier: MPL-2.0 */
/* The agent's core: sessions and results. */
#include "tests/unit/agent_world.h"

/* ---- what is given twice ---- */

static void
a_ticket_or_an_attempt_is_not_taken_twice(void **state)
{
    struct work_spec spec = command();
    struct err err;
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    assert_int_equal(try_task(&box, 100, 1, &spec, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(try_task(&box, 101, 0, &spec, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_int_equal(try_task(&box, 0, 2, &spec, &err), -1);
    spec.run = 2;
    assert_int_equal(try_task(&box, 101, 0, &spec, &err), 0);
    /* Also while the result waits; not any more after that. */
    spec.run = 1;
    tick(&box);
    end_so(&box, 0, PLAN_SUCCEEDED, 1);
    assert_int_equal(try_task(&box, 102, 1, &spec, &err), 0);
    agent_ack(box.agent, 1, box.now);
    expect_state(&box, 1, 1, 0);
    close_box(&box);
}

static void
no_task_is_taken_outside_a_session(void **state)
{
    struct work_spec spec = command();
    struct err err;
    struct box box;

    (void)state;
    open_box(&box, &config);
    agent_lost_broker(box.agent, box.now);
    assert_int_equal(try_task(&box, 100, 0, &spec, &err), -1);
    agent_welcome(box.agent, 2, NULL, 0, box.now);
    assert_int_equal(try_task(&box, 100, 0, &spec, &err), 0);
    close_box(&box);
}

/* ---- the spool and sessions ---- */

static void
results_are_kept_until_they_are_acknowledged(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 4; t++)
        give_command(&box, t);
    tick(&box);
    end(&box, 0);
    end(&box, 1);
    tick(&box);
    end(&box, 2);
    expect_state(&box, 0, 1, 3);
    agent_ack(box.agent, 2, box.now);
    expect_state(&box, 0, 1, 1);
    agent_ack(box.agent, 1, box.now);
    expect_state(&box, 0, 1, 1);
    agent_ack(box.agent, 1000, box.now);
    expect_state(&box, 0, 1, 0);
    close_box(&box);
}

static void
a_welcome_renames_what_is_held_and_results_come_again(void **state)
{
    const uint32_t tickets[] = {100, 7, 8, 9};
    struct work_spec spec = command();
    struct err err;
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 5; t++)
        give_command(&box, t);
    tick(&box);
    agent_began(box.agent, box.started[1]);
    end(&box, 0);
    agent_ack(box.agent, 1, box.now);
    tick(&box);
    end(&box, 2);
    tick(&box);
    agent_lost_broker(box.agent, box.now);
    buf_clear(&box.said);
    expect_held(&box, "2f 1r 3r 4q");
    agent_welcome(box.agent, 2, tickets, COUNT(tickets), box.now);
    expect_said(&box, "result1:t100=succeeded");
    assert_int_equal(agent_ticket(box.agent, box.started[1]), 7);
    end(&box, 3);
    expect_said(&box, "result2:t8=succeeded");
    /* Old names are free again. */
    assert_int_equal(try_task(&box, 101, 20, &spec, &err), 0);
    assert_int_equal(try_task(&box, 7, 21, &spec, &err), -1);
    agent_cancel(box.agent, 7, true);
    expect_said(&box, "kill:1");
    agent_recall(box.agent, 9);
    expect_said(&box, "back:t9");
    close_box(&box);
}

static void
output_is_kept_until_it_is_safe(void **state)
{
    size_t each;
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    tick(&box);
    buf_clear(&box.said);
    print(&box, 0, 0, "one");
    each = agent_state(box.agent).kept;
    print(&box, 0, 3, "two");
    print(&box, 0, 6, "six");
    expect_said(&box, "output:t100=1+0=one output:t100=1+3=two "
                      "output:t100=1+6=six");
    assert_int_equal(agent_state(box.agent).kept, 3 * each);
    agent_saved(box.agent, 2); /* a part of a piece */
    assert_int_equal(agent_state(box.agent).kept, 3 * each);
    agent_saved(box.agent, 6);
    assert_int_equal(agent_state(box.agent).kept, each);
    agent_saved(box.agent, 3); /* an older word */
    assert_int_equal(agent_state(box.agent).kept, each);
    print(&box, 0, 9, "ten");
    agent_saved(box.agent, 1000);
    assert_int_equal(agent_state(box.agent).kept, 0);
    close_box(&box);
}

static void
output_that_is_not_safe_comes_again_before_the_results(void **state)
{
    const uint32_t tickets[] = {7, 8};
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    give_command(&box, 1);
    tick(&box);
    print(&box, 0, 0, "safe");
    print(&box, 0, 4, "a");
    print(&box, 1, 0, "b");
    end(&box, 0);
    agent_saved(box.agent, 4);
    agent_lost_broker(box.agent, box.now);
    agent_saved(box.agent, 6); /* nobody said that */
    buf_clear(&box.said);
    print(&box, 1, 1, "c");
    expect_said(&box, "");
    expect_held(&box, "0f 1r");
    print(&box, 1, 2, "d"); /* after the hello, before the welcome */
    agent_welcome(box.agent, 2, tickets, COUNT(tickets), box.now);
    expect_said(&box, "output:t7=1+4=a output:t8=1+0=b output:t8=1+1=c "
                      "output:t8=1+2=d result1:t7=succeeded");
    /* Bytes count from the welcome on. */
    agent_saved(box.agent, 2);
    agent_ack(box.agent, 1, box.now);
    agent_lost_broker(box.agent, box.now);
    expect_held(&box, "1r");
    agent_welcome(box.agent, 3, tickets, 1, box.now);
    expect_said(&box, "output:t7=1+1=c output:t7=1+2=d");
    close_box(&box);
}

static void
output_that_nobody_wants_is_forgotten(void **state)
{
    const uint32_t tickets[] = {0, 5};
    size_t each;
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    give_command(&box, 1);
    tick(&box);
    print(&box, 0, 0, "a");
    each = agent_state(box.agent).kept;
    print(&box, 1, 0, "b");
    agent_lost_broker(box.agent, box.now);
    expect_held(&box, "0r 1r");
    buf_clear(&box.said);
    agent_welcome(box.agent, 2, tickets, COUNT(tickets), box.now);
    expect_said(&box, "kill:0 output:t5=1+0=b");
    assert_int_equal(agent_state(box.agent).kept, each);
    print(&box, 0, 1, "more");
    expect_said(&box, "");
    assert_int_equal(agent_state(box.agent).kept, each);
    close_box(&box);
}

static void
what_happened_while_the_broker_was_away_is_told(void **state)
{
    const uint32_t tickets[] = {1, 2, 3};
    struct work_spec spec = call();
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 3; t++)
        give(&box, t, &spec);
    tick(&box);
    agent_lost_broker(box.agent, box.now);
    buf_clear(&box.said);
    expect_held(&box, "0q 1q 2q");
    agent_began(box.agent, box.started[0]);
    agent_began(box.agent, box.started[1]);
    end(&box, 0);
    tick(&box);
    expect_said(&box, "start:2");
    agent_welcome(box.agent, 2, tickets, COUNT(tickets), box.now);
    expect_said(&box, "started:t2 result1:t1=succeeded");
    close_box(&box);
}

static void
what_the_welcome_does_not_want_is_ended_and_forgotten(void **state)
{
    const uint32_t tickets[] = {0, 0, 1, 0};
    struct work_spec spec = command();
    struct err err;
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 4; t++)
        give_command(&box, t);
    tick(&box);
    end(&box, 0);
    tick(&box);
    buf_clear(&box.said);
    agent_lost_broker(box.agent, box.now);
    expect_held(&box, "0f 1r 2r 3q");
    agent_welcome(box.agent, 1, tickets, COUNT(tickets), box.now);
    expect_said(&box, "kill:1");
    expect_state(&box, 0, 2, 0);
    assert_int_equal(agent_ticket(box.agent, box.started[1]), 0);
    /* The same attempt may come anew, while the old one ends. */
    assert_int_equal(try_task(&box, 101, 1, &spec, &err), 0);
    agent_lost_broker(box.agent, box.now);
    expect_held(&box, "1q 2r");
    end_so(&box, 1, PLAN_CANCELLED, 1);
    expect_said(&box, "");
    expect_state(&box, 1, 1, 0);
    close_box(&box);
}

/* Handlers of what is finished are called beside it, and are no attempt. */
static void
results_that_are_kept_are_forgotten_by_themselves(void **state)
{
    struct box box;
    const uint32_t tickets[] = {31, 32};

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 4; t++)
        give_command(&box, t);
    (void)tick(&box);
    end(&box, 0);
    end(&box, 1);
    agent_keep(box.agent, 101);
    agent_keep(box.agent, 101);
    agent_keep(box.agent, 103); /* it has not ended */
    agent_keep(box.agent, 9);
    agent_done(box.agent, 100); /* nobody said that it is kept */
    agent_ack(box.agent, 2, box.now);
    expect_state(&box, 2, 0, 1);
    (void)tick(&box);
    end(&box, 2);
    end(&box, 3);
    agent_keep(box.agent, 102);
    agent_ack(box.agent, 4, box.now);
    expect_state(&box, 0, 0, 2);
    agent_done(box.agent, 101);
    agent_done(box.agent, 101);
    expect_state(&box, 0, 0, 1);
    give_command(&box, 5);
    (void)tick(&box);
    end(&box, 5);

    /* In another session it is like any other. */
    agent_lost_broker(box.agent, box.now);
    agent_done(box.agent, 102);
    buf_clear(&box.said);
    expect_held(&box, "5f 2f");
    agent_welcome(box.agent, 2, tickets, 2, box.now);
    expect_said(&box, "result1:t31=succeeded result2:t32=succeeded");
    agent_keep(box.agent, 31);
    agent_ack(box.agent, 2, box.now);
    expect_state(&box, 0, 0, 1);
    agent_done(box.agent, 31);
    expect_state(&box, 0, 0, 0);
    close_box(&box);
}

/* For the results that it holds wait for them. */
static void
handlers_are_called_while_it_drains(void **state)
{
    struct work_spec handlers = call();
    struct box box;
    struct err err;

    (void)state;
    open_box(&box, &config);
    handlers.handlers = true;
    give_command(&box, 0);
    give_command(&box, 1);
    (void)tick(&box);
    end(&box, 0);
    give_command(&box, 2);
    assert_int_equal(try_task(&box, 203, 3, &handlers, &err), 0);
    buf_clear(&box.said);
    agent_drain(box.agent, box.now);
    expect_said(&box, "back:t102");
    assert_int_equal(try_task(&box, 204, 4, &handlers, &err), 0);
    give_command(&box, 5);
    expect_said(&box, "back:t105");
    (void)tick(&box);
    agent_not_begun(box.agent, box.started[3]); /* its worker has crashed */
    (void)tick(&box);
    end(&box, 3);
    (void)tick(&box);
    end(&box, 4);
    end(&box, 1);
    expect_said(&box, "start:3 start:3 result2:t203=succeeded start:4 "
                      "result3:t204=succeeded result4:t101=succeeded");
    assert_false(agent_state(box.agent).may_leave);
    agent_ack(box.agent, 4, box.now);
    assert_true(agent_state(box.agent).may_leave);
    close_box(&box);
}

static void
handlers_end_with_the_session(void **state)
{
    struct work_spec attempt = command(), handlers = call();
    uint32_t tickets[1] = {7};
    struct box box;
    struct err err;

    (void)state;
    open_box(&box, &config);
    handlers.handlers = true;
    handlers.timeout = SPAN_SECOND;
    assert_int_equal(try_task(&box, 100, 0, &attempt, &err), 0);
    tick(&box);
    end(&box, 0);
    assert_int_equal(try_task(&box, 200, 0, &handlers, &err), 0);
    assert_int_equal(try_task(&box, 201, 1, &handlers, &err), 0);
    assert_int_equal(try_task(&box, 202, 2, &handlers, &err), 0);
    tick(&box);
    end(&box, 1);
    tick(&box);
    expect_said(&box, "start:0 result1:t100=succeeded start:0 start:1 "
                      "result2:t201=succeeded start:2");
    assert_int_equal(try_task(&box, 203, 3, &handlers, &err), 0);
    assert_int_equal(try_task(&box, 204, 4, &handlers, &err), 0);
    expect_held(&box, "0f");
    expect_said(&box, "kill:0 kill:2");
    agent_welcome(box.agent, 1, tickets, 1, box.now);
    expect_said(&box, "result1:t7=succeeded");
    assert_int_equal(try_task(&box, 200, 0, &handlers, &err), 0);
    agent_lost_broker(box.agent, box.now);
    end(&box, 2);
    expect_held(&box, "0f");
    close_box(&box);
}

static void
nothing_is_told_while_there_is_no_session(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 3; t++)
        give_command(&box, t);
    tick(&box);
    agent_lost_broker(box.agent, box.now);
    buf_clear(&box.said);
    agent_began(box.agent, box.started[0]);
    end(&box, 0);
    agent_recall(box.agent, 102);
    agent_drain(box.agent, box.now);
    agent_ack(box.agent, 10, box.now);
    expect_said(&box, "");
    expect_state(&box, 1, 1, 1);
    close_box(&box);
}

/* ---- exclusive, at most once ---- */

static void
guarded_attempts_start_within_a_session_only(void **state)
{
    const uint32_t tickets[] = {5, 6, 7};
    struct work_spec exclusive = command();
    struct work_spec once = command();
    struct box box;

    (void)state;
    exclusive.exclusive = true;
    once.at_most_once = true;
    open_box(&box, &config);
    give(&box, 0, &exclusive);
    give(&box, 1, &once);
    give_command(&box, 2);
    agent_lost_broker(box.agent, box.now);
    tick(&box);
    expect_said(&box, "start:2");
    expect_held(&box, "0q 1q 2r");
    tick(&box);
    agent_welcome(box.agent, 1, tickets, COUNT(tickets), box.now);
    tick(&box);
    expect_said(&box, "start:0");
    close_box(&box);
}

static void
exclusive_attempts_are_ended_when_the_broker_is_away_for_long(void **state)
{
    const uint32_t tickets[] = {5, 6};
    struct work_spec exclusive = command();
    struct box box;

    (void)state;
    exclusive.exclusive = true;
    open_box(&box, &config);
    give(&box, 0, &exclusive);
    give_command(&box, 1);
    tick(&box);
    agent_lost_broker(box.agent, box.now);
    box.now += 10 * SPAN_SECOND;
    agent_lost_broker(box.agent, box.now); /* from the first time on */
    buf_clear(&box.said);
    assert_true(tick(&box) == box.now + 35 * SPAN_SECOND);
    box.now += 35 * SPAN_SECOND - 1;
    tick(&box);
    expect_said(&box, "");
    box.now++;
    assert_true(tick(&box) == SPAN_NEVER);
    expect_said(&box, "kill:0");
    end_so(&box, 0, PLAN_CANCELLED, 1);
    expect_held(&box, "0f 1r");
    agent_welcome(box.agent, 2, tickets, COUNT(tickets), box.now);
    expect_said(&box, "result1:t5=crashed");
    close_box(&box);
}

static void
a_hello_without_a_loss_fences_too(void **state)
{
    struct work_spec exclusive = command();
    struct box box;

    (void)state;
    exclusive.exclusive = true;
    open_box(&box, &config);
    give(&box, 0, &exclusive);
    tick(&box);
    expect_held(&box, "0r");
    buf_clear(&box.said);
    assert_true(tick(&box) == box.now + 45 * SPAN_SECOND);
    box.now += 45 * SPAN_SECOND;
    tick(&box);
    expect_said(&box, "kill:0");
    close_box(&box);
}

/* ---- what does not fit ---- */

static void
what_is_said_of_unknown_attempts_is_ignored(void **state)
{
    struct result result = {.state = PLAN_SUCCEEDED};
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    tick(&box);
    end(&box, 0);
    buf_clear(&box.said);
    result.ticket = box.started[0]; /* once more */
    agent_ended(box.agent, &result, box.now);
    agent_began(box.agent, box.started[0]);
    agent_not_begun(box.agent, box.started[0]);
    for (uint32_t own = 0; own < 10; own++) {
        result.ticket = own << 30 | own;
        if (result.ticket != box.started[0])
            agent_ended(box.agent, &result, box.now);
    }
    expect_said(&box, "");
    expect_state(&box, 0, 0, 1);
    close_box(&box);
}

static void
places_that_are_used_again_have_other_names(void **state)
{
    struct box box;
    uint32_t first;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    tick(&box);
    first = box.started[0];
    end(&box, 0);
    agent_ack(box.agent, 1, box.now);
    give_command(&box, 1);
    tick(&box);
    assert_int_not_equal(first, box.started[1]);
    assert_int_equal(agent_ticket(box.agent, first), 0);
    close_box(&box);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_or_an_attempt_is_not_taken_twice),
        cmocka_unit_test(no_task_is_taken_outside_a_session),
        cmocka_unit_test(results_are_kept_until_they_are_acknowledged),
        cmocka_unit_test(a_welcome_renames_what_is_held_and_results_come_again),
        cmocka_unit_test(output_is_kept_until_it_is_safe),
        cmocka_unit_test(
            output_that_is_not_safe_comes_again_before_the_results),
        cmocka_unit_test(output_that_nobody_wants_is_forgotten),
        cmocka_unit_test(what_happened_while_the_broker_was_away_is_told),
        cmocka_unit_test(what_the_welcome_does_not_want_is_ended_and_forgotten),
        cmocka_unit_test(results_that_are_kept_are_forgotten_by_themselves),
        cmocka_unit_test(handlers_are_called_while_it_drains),
        cmocka_unit_test(handlers_end_with_the_session),
        cmocka_unit_test(nothing_is_told_while_there_is_no_session),
        cmocka_unit_test(guarded_attempts_start_within_a_session_only),
        cmocka_unit_test(
            exclusive_attempts_are_ended_when_the_broker_is_away_for_long),
        cmocka_unit_test(a_hello_without_a_loss_fences_too),
        cmocka_unit_test(what_is_said_of_unknown_attempts_is_ignored),
        cmocka_unit_test(places_that_are_used_again_have_other_names),
    };

    return cmocka_run_group_tests_name("agent_sessions", tests, NULL, NULL);
}
