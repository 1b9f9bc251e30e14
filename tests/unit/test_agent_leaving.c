/* SPDX-License-Identifier: MPL-2.0 */
/* The agent's core: draining, and leaving. */
#include "tests/unit/agent_world.h"

static void
draining_gives_back_what_is_queued_and_leaves_when_all_is_done(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 4; t++)
        give_command(&box, t);
    tick(&box);
    buf_clear(&box.said);
    agent_drain(box.agent, box.now);
    expect_said(&box, "back:t102 back:t103");
    give_command(&box, 4);
    expect_said(&box, "back:t104");
    end(&box, 0);
    end(&box, 1);
    assert_false(agent_state(box.agent).may_leave);
    agent_ack(box.agent, 1, box.now);
    assert_false(agent_state(box.agent).may_leave);
    agent_ack(box.agent, 2, box.now);
    assert_true(agent_state(box.agent).may_leave);
    close_box(&box);
}

static void
one_that_drains_gives_back_after_the_broker_was_away(void **state)
{
    const uint32_t tickets[] = {5, 6, 7};
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 3; t++)
        give_command(&box, t);
    tick(&box);
    agent_lost_broker(box.agent, box.now);
    agent_drain(box.agent, box.now);
    buf_clear(&box.said);
    end(&box, 0);
    tick(&box);
    expect_held(&box, "0f 1r 2q");
    agent_welcome(box.agent, 1, tickets, COUNT(tickets), box.now);
    expect_said(&box, "result1:t5=succeeded back:t7");
    close_box(&box);
}

static void
an_agent_leaves_when_it_had_nothing_for_long(void **state)
{
    struct agent_config lazy = {.slots = 1, .idle = 10 * SPAN_SECOND};
    struct box box;

    (void)state;
    open_box(&box, &lazy);
    assert_true(tick(&box) == box.now + 10 * SPAN_SECOND);
    box.now += 9 * SPAN_SECOND;
    give_command(&box, 0);
    assert_true(tick(&box) == SPAN_NEVER);
    box.now += 100 * SPAN_SECOND;
    end(&box, 0);
    tick(&box);
    box.now += 100 * SPAN_SECOND;
    assert_true(tick(&box) == SPAN_NEVER);
    assert_false(agent_state(box.agent).may_leave);
    agent_ack(box.agent, 1, box.now);
    assert_true(tick(&box) == box.now + 10 * SPAN_SECOND);
    box.now += 10 * SPAN_SECOND;
    tick(&box);
    assert_true(agent_state(box.agent).may_leave);
    give_command(&box, 1);
    assert_false(agent_state(box.agent).may_leave);
    close_box(&box);
}

static void
an_agent_drains_at_the_end_of_its_life(void **state)
{
    struct agent_config mortal = {.slots = 1, .lifetime = 60 * SPAN_SECOND};
    struct box box;

    (void)state;
    open_box(&box, &mortal);
    give_command(&box, 0);
    give_command(&box, 1);
    assert_true(tick(&box) == box.now + 60 * SPAN_SECOND);
    box.now += 60 * SPAN_SECOND;
    assert_true(tick(&box) == SPAN_NEVER);
    expect_said(&box, "start:0 back:t101");
    assert_true(agent_state(box.agent).draining);
    close_box(&box);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            draining_gives_back_what_is_queued_and_leaves_when_all_is_done),
        cmocka_unit_test(one_that_drains_gives_back_after_the_broker_was_away),
        cmocka_unit_test(an_agent_leaves_when_it_had_nothing_for_long),
        cmocka_unit_test(an_agent_drains_at_the_end_of_its_life),
    };

    return cmocka_run_group_tests_name("agent_sessions", tests, NULL, NULL);
}
