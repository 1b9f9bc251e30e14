/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/broker_world.h"

static const struct plan_id first = {0, PLAN_WHOLE};

#define MAP(n, more) HEAD "  m: { each: { i: 1.." n " }, run: x" more " }\n"

/* End the first of an agent so; false if it has nothing. */
static bool
end_one(struct broker_world *w, const char *agent, int64_t took)
{
    for (size_t k = 0; k < w->ngiven; k++) {
        if (w->given[k].session != member(w, agent)->session)
            continue;
        end_as(w, w->given[k].name, PLAN_SUCCEEDED, took);
        return true;
    }
    return false;
}

static void
end_some(struct broker_world *w, const char *agent, int n, int64_t took)
{
    for (int i = 0; i < n; i++)
        assert_true(end_one(w, agent, took));
}

/* ---- room ---- */

static void
free_room_is_spread_over_agents(void **state)
{
    struct broker_world *w = *state;

    submit(w, MAP("6", ""));
    join(w, "big", 4);
    join(w, "box", 2);
    tick(w);
    check(w, "big task m[1]\nbig task m[2]\nbig task m[3]\nbox task m[4]\n"
             "big task m[5]\nbox task m[6]\n");
}

static void
cpus_memory_and_named_resources_are_counted(void **state)
{
    struct flow_resource has[] = {{(char[]){"memory"}, 0x1p32},
                                  {(char[]){"licence"}, 2}};
    struct broker_world *w = *state;

    w->resources = has;
    w->nresource = 2;
    join(w, "box", 4);
    submit(w, HEAD "  a: { run: x, resources: { cpus: 3 } }\n"
                   "  b: { run: x, resources: { cpus: 2 } }\n"
                   "  c: { run: x, resources: { memory: 3GiB } }\n");
    tick(w);
    check(w, "box task a\nbox task c\n");
    check_why(w, 1, (struct plan_id){1, PLAN_WHOLE},
              "is ready and waits for an agent\n"
              "box: needs 2 cpus; free are 0 of 4\n");
    ok(w, "a");
    tick(w);
    check(w, "box task b\n");
    ok(w, "b");
    ok(w, "c");
    submit(w, HEAD "  a: { run: x, resources: { cpus: 0.5, licence: 0.8 } }\n"
                   "  b: { run: x, resources: { cpus: 0.5, licence: 0.8 } }\n"
                   "  c: { run: x, resources: { cpus: 0.5, licence: 0.8 } }\n"
                   "  d: { run: x, resources: { cpus: 0.5, licence: 0.3 } }\n");
    tick(w);
    check(w, "box task a\nbox task b\nbox task d\nrun 1 succeeded\n");
    check_why(w, 2, (struct plan_id){2, PLAN_WHOLE},
              "is ready and waits for an agent\n"
              "box: needs 0.8 licence; free are 0.1 of 2\n");
}

static void
where_asks_for_labels_of_the_agent(void **state)
{
    static const char *const labels[] = {"arch=arm64", "os=linux", "zone=b"};
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x, where: { zone: b, arch: arm64 } }\n"
                   "  b: { run: x, where: { host: earth } }\n");
    join(w, "box", 1);
    tick(w);
    check(w, "box task b\n"); /* host is known without a label */
    check_why(w, 1, first,
              "is ready and waits for an agent\n"
              "box: its zone is not set, not `b`\n");
    w->labels = labels;
    w->nlabel = 3;
    join(w, "arm", 1);
    tick(w);
    check(w, "arm task a\n");
}

static void
limits_by_tag_hold_over_all_agents(void **state)
{
    struct broker_world *w = *state;

    submit(w, "leat: 1\nname: test\nlimits: { db: 2 }\ntasks:\n"
              "  m: { each: { i: 1..3 }, run: x, tags: [db, other] }\n"
              "  n: { run: x, tags: [other] }\n");
    join(w, "box", 2);
    join(w, "big", 2);
    tick(w);
    check(w, "box task m[1]\nbig task m[2]\nbox task n\n");
    check_why(w, 1, (struct plan_id){0, 2},
              "is ready and waits for an agent\nlimit `db`: 2 of 2 run now\n"
              "box: needs 1 cpu; free are 0 of 2\nbig: could take it now\n");
    ok(w, "m[2]");
    tick(w);
    check(w, "big task m[3]\n");
}

static void
a_task_without_room_holds_up_nobody(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  big: { run: x, resources: { cpus: 9 } }\n"
                   "  far: { run: x, where: { zone: moon } }\n"
                   "  a: { run: x }\n  b: { run: x }\n");
    join(w, "box", 1);
    tick(w);
    check(w, "box task a\n");
    ok(w, "a");
    tick(w);
    check(w, "box task b\n");
}

static void
priority_goes_before_the_order_of_definition(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x }\n  b: { run: x, priority: 5 }\n"
                   "  c: { run: x, priority: 9, tags: [t],"
                   " resources: { cpus: 0.5 } }\n");
    join(w, "box", 1);
    tick(w);
    check(w, "box task c\n");
    ok(w, "c");
    tick(w);
    check(w, "box task b\n");
}

static void
equal_runs_share_and_a_late_one_is_not_starved(void **state)
{
    struct broker_world *w = *state;
    uint32_t second = 0;

    submit(w, MAP("40", ""));
    join(w, "box", 8);
    tick(w);
    assert_int_equal(count_given(w, "box"), 8);
    submit(w, MAP("40", ""));
    for (int i = 0; i < 8; i++) {
        end_some(w, "box", 1, SPAN_SECOND);
        tick(w);
    }
    for (size_t i = 0; i < w->ngiven; i++)
        second += w->given[i].run == 2;
    assert_int_equal(count_given(w, "box"), 8);
    assert_int_equal(second, 4);
}

/* ---- windows ---- */

static void
nothing_lies_in_wait_before_it_is_known_how_long_it_takes(void **state)
{
    struct broker_world *w = *state;

    submit(w, MAP("2000", ""));
    join(w, "box", 4);
    tick(w);
    assert_int_equal(count_given(w, "box"), 4);
    end_some(w, "box", 2, MS / 10);
    tick(w);
    assert_int_equal(count_given(w, "box"), 4);
}

static void
windows_hold_ten_milliseconds_of_work(void **state)
{
    struct broker_world *w = *state;

    submit(w, MAP("2000", ""));
    join(w, "box", 4);
    tick(w);
    end_some(w, "box", 3, MS / 10);
    tick(w);
    /* what was sent when it was not known counts as long: one slot is short */
    assert_int_equal(count_given(w, "box"), 4 + 3 * 100);
    end_some(w, "box", 1, MS / 10);
    tick(w);
    assert_int_equal(count_given(w, "box"), 4 + 4 * 100);
}

static void
one_that_took_long_does_not_close_a_window(void **state)
{
    struct broker_world *w = *state;

    submit(w, MAP("2000", ""));
    join(w, "box", 1);
    tick(w);
    for (int i = 0; i < 3; i++) {
        end_some(w, "box", 1, i < 2 ? 10 : 10 * MS);
        tick(w);
    }
    assert_in_range(count_given(w, "box"), 400, 600);
}

static void
windows_are_deep_for_microseconds(void **state)
{
    struct broker_world *w = *state;

    submit(w, MAP("4000", ""));
    join(w, "box", 1);
    tick(w);
    for (int i = 0; i < 3; i++) {
        end_some(w, "box", 1, 4);
        tick(w);
    }
    assert_int_equal(count_given(w, "box"), 2500 + 1);
}

static void
windows_are_no_deeper_than_a_frame_of_what_goes_along(void **state)
{
    struct broker_world *w = *state;
    struct buf text = {0};

    buf_text(&text, HEAD "  m: { each: { i: 1..4000 }, run: x, stdin: '");
    for (int i = 0; i < 10000; i++)
        buf_char(&text, 'x');
    buf_text(&text, "' }\n");
    submit(w, buf_str(&text));
    buf_release(&text);
    join(w, "box", 1);
    tick(w);
    for (int i = 0; i < 3; i++) {
        end_some(w, "box", 1, 1);
        tick(w);
    }
    assert_in_range(count_given(w, "box"), 90, 110);
}

/* An agent's clock was set meanwhile; sums of such lengths stay numbers. */
static void
no_task_took_longer_than_can_be_added_up(void **state)
{
    struct broker_world *w = *state;
    struct result result = {
        .state = PLAN_SUCCEEDED, .started = 1, .ended = INT64_MAX};

    submit(w, MAP("4000", ""));
    join(w, "box", 1);
    tick(w);
    for (int i = 0; i < 40; i++) {
        end_some(w, "box", 1, 1);
        tick(w);
    }
    assert_true(count_given(w, "box") > 100);
    for (int i = 0; i < 3; i++)
        assert_true(send_result(w, w->given[0].name, result));
    join(w, "other", 1); /* idle: how long will others wait? */
    tick(w);
    end_some(w, "box", 1, 1);
}

/* What is not on disk stays with the agent, whose hello has to fit a frame. */
static void
results_that_are_not_committed_count_for_what_an_agent_may_hold(void **state)
{
    struct broker_world *w = *state;

    submit(w, MAP("30000", ""));
    join(w, "box", 2);
    tick(w);
    for (uint32_t i = 2; i <= LIMIT_HELD; i++) {
        assert_int_equal(count_given(w, "box"), 2);
        end_some(w, "box", 1, SPAN_SECOND);
        tick(w);
        buf_clear(&w->journal);
    }
    assert_int_equal(count_given(w, "box"), 1);
    end_some(w, "box", 1, SPAN_SECOND);
    tick(w);
    check(w, "");
    store(w);
    check(w, "box ack 24576\n");
    tick(w);
    check(w, "box task m[24577]\nbox task m[24578]\n");
}

static void
ends_that_no_agent_told_measure_nothing(void **state)
{
    struct broker_world *w = *state;

    submit(w, MAP("2000", ""));
    join(w, "box", 1);
    tick(w);
    for (int i = 0; i < 10; i++) {
        struct given g = w->given[0];
        struct result result = {.ticket = g.ticket,
                                .state = PLAN_CACHED,
                                .code = -1,
                                .started = w->wall,
                                .ended = w->wall};

        w->ngiven = 0;
        assert_true(broker_result(w->broker, g.session, 0, &result, w->now));
        tick(w);
        assert_int_equal(count_given(w, "box"), 1);
    }
}

static void
one_waits_for_each_slot_below_a_tenth_of_a_second_and_none_above(void **state)
{
    struct broker_world *w = *state;

    submit(w, MAP("2000", ""));
    join(w, "box", 4);
    tick(w);
    for (int i = 0; i < 8; i++) {
        end_some(w, "box", 1, 80 * MS);
        tick(w);
    }
    assert_int_equal(count_given(w, "box"), 8);
    for (int i = 0; i < 100; i++) {
        end_some(w, "box", 1, 300 * MS);
        tick(w);
    }
    assert_int_equal(count_given(w, "box"), 4);
}

static void
only_plain_tasks_lie_in_wait(void **state)
{
    struct broker_world *w = *state;

    submit(w, MAP("2000", ", resources: { cpus: 2 }"));
    join(w, "box", 4);
    tick(w);
    for (int i = 0; i < 20; i++) {
        end_some(w, "box", 1, MS);
        tick(w);
        assert_int_equal(count_given(w, "box"), 2);
    }
}

static void
what_waits_too_long_is_recalled_for_an_idle_agent(void **state)
{
    struct broker_world *w = *state;
    uint32_t before;

    submit(w, MAP("12", ""));
    join(w, "box", 2);
    tick(w);
    for (int i = 0; i < 4; i++) {
        end_some(w, "box", 1, 30 * MS);
        tick(w);
    }
    before = count_given(w, "box");
    assert_int_equal(before, 4);
    end_some(w, "box", 4, 30 * MS);
    tick(w);
    assert_int_equal(count_given(w, "box"), 4); /* the last of all */
    buf_clear(&w->journal);
    join(w, "other", 1);
    tick(w);
    check(w, "box recall m[12]\n");
    tick(w);
    check(w, ""); /* one slot is free: one is enough */
    give_back(w, "m[12]");
    tick(w);
    check(w, "other task m[12]\n");
    assert_int_equal(broker_counts(w->broker).requeued, 1);
}

static void
what_waits_behind_a_task_that_takes_longer_than_others_is_recalled(void **state)
{
    struct broker_world *w = *state;

    submit(w, MAP("6", ""));
    join(w, "box", 1);
    tick(w);
    for (int i = 0; i < 4; i++) {
        end_some(w, "box", 1, 5 * MS);
        tick(w);
    }
    join(w, "other", 1);
    buf_clear(&w->journal);
    assert_int_equal(count_given(w, "box"), 2);
    tick(w);
    assert_int_equal(w->next, w->now + 20 * MS);
    check(w, "");
    pass(w, 21 * MS);
    check(w, "box recall m[6]\n");
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(free_room_is_spread_over_agents),
        TEST(cpus_memory_and_named_resources_are_counted),
        TEST(where_asks_for_labels_of_the_agent),
        TEST(limits_by_tag_hold_over_all_agents),
        TEST(a_task_without_room_holds_up_nobody),
        TEST(priority_goes_before_the_order_of_definition),
        TEST(equal_runs_share_and_a_late_one_is_not_starved),
        TEST(nothing_lies_in_wait_before_it_is_known_how_long_it_takes),
        TEST(windows_hold_ten_milliseconds_of_work),
        TEST(one_that_took_long_does_not_close_a_window),
        TEST(windows_are_deep_for_microseconds),
        TEST(windows_are_no_deeper_than_a_frame_of_what_goes_along),
        TEST(no_task_took_longer_than_can_be_added_up),
        TEST(results_that_are_not_committed_count_for_what_an_agent_may_hold),
        TEST(ends_that_no_agent_told_measure_nothing),
        TEST(one_waits_for_each_slot_below_a_tenth_of_a_second_and_none_above),
        TEST(only_plain_tasks_lie_in_wait),
        TEST(what_waits_too_long_is_recalled_for_an_idle_agent),
        TEST(
            what_waits_behind_a_task_that_takes_longer_than_others_is_recalled),
    };

    return cmocka_run_group_tests_name("broker_schedule", tests, NULL, NULL);
}
