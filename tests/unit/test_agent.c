/* SPDX-License-Identifier: MPL-2.0 */
/* The agent's core: what starts where and when. */
#include "tests/unit/agent_world.h"

/* As a flow has them. */
static char cpus[] = "cpus";
static char memory[] = "memory";
static char licence[] = "licence";
static char gpus[] = "gpus";

/* ---- starting ---- */

static void
as_many_start_as_there_are_slots_in_order_of_arrival(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 4; t++)
        give_command(&box, t);
    expect_said(&box, "");
    assert_true(tick(&box) == SPAN_NEVER);
    expect_said(&box, "start:0 start:1");
    assert_int_not_equal(box.slot[0], box.slot[1]);
    expect_state(&box, 2, 2, 0);
    end(&box, 1);
    tick(&box);
    expect_said(&box, "result1:t101=succeeded start:2");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result2:t100=succeeded start:3");
    close_box(&box);
}

static void
one_without_room_does_not_hold_up_one_that_has(void **state)
{
    struct flow_resource two[] = {{cpus, 2}};
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_command(&box, 0);
    give_asking(&box, 1, two, 1);
    give_command(&box, 2);
    give_command(&box, 3);
    tick(&box);
    expect_said(&box, "start:0 start:2");
    end(&box, 0);
    end(&box, 2);
    tick(&box);
    expect_said(&box, "result1:t100=succeeded result2:t102=succeeded start:1");
    close_box(&box);
}

static void
fractions_of_cpus_add_up(void **state)
{
    struct flow_resource third[] = {{cpus, 0.3333}};
    struct flow_resource more[] = {{cpus, 0.4}};
    struct agent_config one = {.slots = 1};
    struct box box;

    (void)state;
    open_box(&box, &one);
    for (uint32_t t = 0; t < 4; t++)
        give_asking(&box, t, third, 1);
    give_asking(&box, 4, more, 1);
    tick(&box);
    expect_said(&box, "start:0 start:1 start:2");
    end(&box, 1);
    buf_clear(&box.said);
    tick(&box);
    expect_said(&box, "start:3");
    end(&box, 0);
    end(&box, 2);
    buf_clear(&box.said);
    tick(&box);
    expect_said(&box, "start:4");
    close_box(&box);
}

static void
memory_and_named_resources_are_counted(void **state)
{
    struct flow_resource has[] = {{memory, 0x1p30}, {licence, 1.5}};
    struct flow_resource most[] = {{memory, 0x1p30 - 1}};
    struct flow_resource both[] = {{licence, 1}, {memory, 1}};
    struct flow_resource same[] = {{memory, 1}, {licence, 1}};
    struct agent_config rich = {.slots = 8, .resources = has, .nresource = 2};
    struct box box;

    (void)state;
    open_box(&box, &rich);
    give_asking(&box, 0, most, 1);
    give_asking(&box, 1, most, 1);
    give_asking(&box, 2, both, 2);
    give_asking(&box, 3, same, 2);
    tick(&box);
    expect_said(&box, "start:0 start:2");
    end(&box, 2);
    tick(&box);
    expect_said(&box, "result1:t102=succeeded start:3");
    close_box(&box);
}

static void
gpus_are_given_by_index(void **state)
{
    struct flow_resource has[] = {{gpus, 2}};
    struct flow_resource one[] = {{gpus, 1}};
    struct flow_resource both[] = {{gpus, 2}};
    struct agent_config rich = {.slots = 8, .resources = has, .nresource = 1};
    struct box box;

    (void)state;
    open_box(&box, &rich);
    give_asking(&box, 0, one, 1);
    give_asking(&box, 1, both, 1);
    give_asking(&box, 2, one, 1);
    tick(&box);
    expect_said(&box, "start:0 gpu0 start:2 gpu1");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result1:t100=succeeded");
    end(&box, 2);
    tick(&box);
    expect_said(&box, "result2:t102=succeeded start:1 gpu0 gpu1");
    close_box(&box);
}

static void
fractions_of_a_gpu_share_one_and_leave_the_other_whole(void **state)
{
    struct flow_resource has[] = {{gpus, 2}};
    struct flow_resource half[] = {{gpus, 0.5}};
    struct flow_resource one[] = {{gpus, 1}};
    struct agent_config rich = {.slots = 8, .resources = has, .nresource = 1};
    struct box box;

    (void)state;
    open_box(&box, &rich);
    give_asking(&box, 0, half, 1);
    give_asking(&box, 1, half, 1);
    give_asking(&box, 2, one, 1);
    give_asking(&box, 3, half, 1);
    tick(&box);
    expect_said(&box, "start:0 gpu0 start:1 gpu0 start:2 gpu1");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result1:t100=succeeded start:3 gpu0");
    close_box(&box);
}

/* Half of one and half of the other are not a whole one. */
static void
whole_gpus_are_not_put_together_from_halves(void **state)
{
    struct flow_resource has[] = {{gpus, 2}};
    struct flow_resource most[] = {{gpus, 0.6}};
    struct flow_resource more[] = {{gpus, 1.5}};
    struct agent_config rich = {.slots = 8, .resources = has, .nresource = 1};
    struct box box;

    (void)state;
    open_box(&box, &rich);
    give_asking(&box, 0, most, 1);
    give_asking(&box, 1, most, 1);
    tick(&box);
    end(&box, 1);
    buf_clear(&box.said);
    give_asking(&box, 2, more, 1);
    tick(&box);
    expect_said(&box, "");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result2:t100=succeeded start:2 gpu0 gpu1");
    close_box(&box);
}

static void
what_can_never_have_room_is_refused(void **state)
{
    struct flow_resource many[] = {{cpus, 3}};
    struct flow_resource other[] = {{licence, 1}};
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_asking(&box, 0, many, 1);
    give_asking(&box, 1, other, 1);
    expect_said(&box, "result1:t100=crashed result2:t101=crashed");
    expect_held(&box, "0q 1q"); /* they have not begun */
    agent_welcome(box.agent, 1, (const uint32_t[]){100, 101}, 2, box.now);
    expect_said(&box, "result1:t100=crashed result2:t101=crashed");
    tick(&box);
    expect_said(&box, "");
    /* It may come once more before it is acknowledged. */
    give(&box, 0 + 5, &(struct work_spec){.kind = FLOW_SCRIPT, .run = 1});
    tick(&box);
    expect_said(&box, "start:5");
    close_box(&box);
}

/* ---- C calls ---- */

static void
give_calls(struct box *box, uint32_t from, uint32_t n, uint32_t task)
{
    struct err err = {0};
    struct work_spec spec = call();

    for (uint32_t k = from; k < from + n; k++) {
        struct lent *lent = &box->lent[box->nlent++ % MOST];
        struct lane_task item = {k + 1, &lent->work};

        assert_false(lent->lent);
        lent->spec = spec;
        lent->spec.task = task;
        lent->work =
            (struct work){.spec = &lent->spec, .id = {task, k}, .attempt = 1};
        lent->lent = true;
        if (agent_task(box->agent, &item, box->now, &err) < 0)
            fail_msg("%s", err.msg);
    }
}

/* How many start of 200 calls of a task whose calls take so long. */
static uint32_t
started_of(int64_t took)
{
    struct box box;
    uint32_t n;

    open_box(&box, &config);
    box.quiet = true;
    give_calls(&box, 0, 1, 7);
    tick(&box);
    end_so(&box, 7, PLAN_SUCCEEDED, took);
    give_calls(&box, 1, 3000, 7);
    tick(&box);
    n = box.running;
    close_box(&box);
    return n;
}

static void
short_calls_are_handed_out_about_a_millisecond_ahead(void **state)
{
    (void)state;
    assert_int_equal(started_of(1), 2 * 1000);
    assert_int_equal(started_of(10), 2 * 100);
    assert_int_equal(started_of(1000), 2 * 1);
    assert_int_equal(started_of(1001), 2 * 1);
    assert_int_equal(started_of(50000000), 2 * 1);
}

static void
calls_that_were_not_measured_go_one_to_a_slot(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    give_calls(&box, 0, 10, 7);
    tick(&box);
    expect_said(&box, "start:7 start:7");
    assert_int_equal(box.most, 1);
    close_box(&box);
}

static void
a_long_call_has_its_slot_for_itself(void **state)
{
    struct work_spec spec = call();
    struct box box;

    (void)state;
    open_box(&box, &config);
    give(&box, 0, &spec);
    tick(&box);
    end_so(&box, 0, PLAN_SUCCEEDED, 1);
    give(&box, 1, &spec); /* another task: not measured */
    give_calls(&box, 0, 50, 0);
    buf_clear(&box.said);
    tick(&box);
    box.quiet = true;
    assert_int_equal(box.running, 51);
    assert_int_not_equal(box.slot[0], box.slot[1]);
    assert_int_equal(box.on_slot[box.slot[1]], 1);
    close_box(&box);
}

static void
a_call_with_a_timeout_is_never_behind_another(void **state)
{
    struct work_spec spec = call();
    struct box box;

    (void)state;
    spec.timeout = SPAN_SECOND;
    open_box(&box, &config);
    give(&box, 0, &spec);
    tick(&box);
    end_so(&box, 0, PLAN_SUCCEEDED, 1);
    for (uint32_t t = 1; t < 9; t++)
        give(&box, t, &spec);
    tick(&box);
    assert_int_equal(box.running, 2);
    assert_int_equal(box.most, 1);
    close_box(&box);
}

static void
calls_and_commands_share_the_cpus(void **state)
{
    struct work_spec spec = call();
    struct box box;

    (void)state;
    open_box(&box, &config);
    give(&box, 0, &spec);
    give_command(&box, 1);
    give(&box, 2, &spec);
    give_command(&box, 3);
    tick(&box);
    expect_said(&box, "start:0 start:1");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result1:t100=succeeded start:2");
    end(&box, 2);
    tick(&box);
    expect_said(&box, "result2:t102=succeeded start:3");
    close_box(&box);
}

static void
calls_that_were_not_begun_go_back_to_their_place(void **state)
{
    struct work_spec spec = call();
    struct agent_config one = {.slots = 1};
    struct box box;

    (void)state;
    open_box(&box, &one);
    give(&box, 0, &spec);
    give(&box, 1, &spec);
    give(&box, 2, &spec);
    give_command(&box, 3);
    tick(&box);
    agent_not_begun(box.agent, box.started[0]);
    expect_said(&box, "start:0");
    expect_state(&box, 4, 0, 0);
    tick(&box);
    expect_said(&box, "start:0");
    agent_began(box.agent, box.started[0]);
    expect_said(&box, "started:t100");
    end(&box, 0);
    tick(&box);
    expect_said(&box, "result1:t100=succeeded start:1");
    close_box(&box);
}

/* ---- recall, cancel ---- */

static void
only_what_is_queued_can_be_recalled(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 3; t++)
        give_command(&box, t);
    tick(&box);
    buf_clear(&box.said);
    agent_recall(box.agent, 101);
    agent_recall(box.agent, 999);
    expect_said(&box, "");
    agent_recall(box.agent, 102);
    agent_recall(box.agent, 102);
    expect_said(&box, "back:t102");
    expect_state(&box, 0, 2, 0);
    /* It may come again, under any name. */
    give_command(&box, 2);
    close_box(&box);
}

static void
what_is_queued_is_cancelled_at_once_what_runs_is_ended(void **state)
{
    struct box box;

    (void)state;
    open_box(&box, &config);
    for (uint32_t t = 0; t < 3; t++)
        give_command(&box, t);
    tick(&box);
    buf_clear(&box.said);
    agent_cancel(box.agent, 102, false);
    expect_said(&box, "result1:t102=cancelled");
    agent_cancel(box.agent, 100, false);
    agent_cancel(box.agent, 100, true);
    agent_cancel(box.agent, 102, false);
    agent_cancel(box.agent, 999, true);
    expect_said(&box, "stop:0 kill:0");
    end_so(&box, 0, PLAN_CANCELLED, 5);
    expect_said(&box, "result2:t100=cancelled");
    close_box(&box);
}

static void
a_cancelled_call_that_was_not_begun_ends_cancelled(void **state)
{
    struct work_spec spec = call();
    struct box box;

    (void)state;
    open_box(&box, &config);
    give(&box, 0, &spec);
    tick(&box);
    agent_cancel(box.agent, 100, false);
    agent_not_begun(box.agent, box.started[0]);
    expect_said(&box, "start:0 stop:0 result1:t100=cancelled");
    expect_state(&box, 0, 0, 1);
    close_box(&box);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_many_start_as_there_are_slots_in_order_of_arrival),
        cmocka_unit_test(one_without_room_does_not_hold_up_one_that_has),
        cmocka_unit_test(fractions_of_cpus_add_up),
        cmocka_unit_test(memory_and_named_resources_are_counted),
        cmocka_unit_test(gpus_are_given_by_index),
        cmocka_unit_test(
            fractions_of_a_gpu_share_one_and_leave_the_other_whole),
        cmocka_unit_test(whole_gpus_are_not_put_together_from_halves),
        cmocka_unit_test(what_can_never_have_room_is_refused),
        cmocka_unit_test(short_calls_are_handed_out_about_a_millisecond_ahead),
        cmocka_unit_test(calls_that_were_not_measured_go_one_to_a_slot),
        cmocka_unit_test(a_long_call_has_its_slot_for_itself),
        cmocka_unit_test(a_call_with_a_timeout_is_never_behind_another),
        cmocka_unit_test(calls_and_commands_share_the_cpus),
        cmocka_unit_test(calls_that_were_not_begun_go_back_to_their_place),
        cmocka_unit_test(only_what_is_queued_can_be_recalled),
        cmocka_unit_test(
            what_is_queued_is_cancelled_at_once_what_runs_is_ended),
        cmocka_unit_test(a_cancelled_call_that_was_not_begun_ends_cancelled),
    };

    return cmocka_run_group_tests_name("agent", tests, NULL, NULL);
}
