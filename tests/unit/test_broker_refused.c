/* SPDX-License-Identifier: MPL-2.0 */
/* Agents that can not start what they are given, or where all of it fails. */
#include "tests/unit/broker_world.h"

/* ---- programs and shortages ---- */

static void
a_program_that_an_agent_cannot_run_goes_elsewhere(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { call: f }\n");
    join(w, "arm", 2);
    join(w, "box", 1);
    tick(w);
    refuse(w, "a", REFUSED_PROGRAM);
    tick(w);
    check(w, "arm task a\nbox task a\narm ack 1\n");
    ok(w, "a");
    tick(w);
    check(w, "run 1 succeeded\n");
}

static void
a_program_that_no_agent_can_run_fails(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { call: f }\n  b: { call: f }\n  c: { run: x }\n");
    join(w, "arm", 1);
    tick(w);
    refuse(w, "a", REFUSED_PROGRAM);
    tick(w);
    check(w, "arm task a\n1 a failed: wrong architecture\n"
             "1 b failed: wrong architecture\narm task c\n");
}

static void
an_agent_short_of_something_has_a_pause(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x }\n");
    join(w, "box", 1);
    tick(w);
    refuse(w, "a", REFUSED_SHORT);
    tick(w);
    check(w, "box task a\nbox ack 1\n");
    assert_int_equal(w->next, w->now + SPAN_SECOND);
    pass(w, SPAN_SECOND);
    check(w, "box task a\n");
}

/* ---- where everything fails ---- */

#define TEN                                                    \
    HEAD "  a: { run: x }\n  b: { run: x }\n  c: { run: x }\n" \
         "  d: { run: x }\n  e: { run: x }\n  f: { run: x }\n" \
         "  g: { run: x }\n  h: { run: x }\n  i: { run: x }\n"

static const char *
held_by(struct broker_world *w, const char *agent)
{
    for (size_t k = 0; k < w->ngiven; k++) {
        if (w->given[k].session == member(w, agent)->session)
            return w->given[k].name;
    }
    return NULL;
}

static void
fail_five(struct broker_world *w)
{
    for (int i = 0; i < 5; i++) {
        end_as(w, held_by(w, "bad"), PLAN_FAILED, 90 * MS);
        tick(w);
    }
}

static bool
tell_aside(void *ctx, const struct broker_agent *agent)
{
    struct buf *out = ctx;

    buf_printf(out, "%s %s %s\n", agent->info->name,
               broker_agent_state_names[agent->state],
               agent->aside ? agent->aside : "-");
    return true;
}

static void
an_agent_where_everything_fails_is_set_aside(void **state)
{
    struct broker_world *w = *state;
    struct buf out = {0};
    const char *name;

    submit(w, TEN);
    join(w, "bad", 1);
    join(w, "good", 1);
    tick(w);
    fail_five(w);
    broker_agents(w->broker, tell_aside, &out);
    assert_string_equal(
        buf_str(&out),
        "bad aside the last 5 attempts failed at once: scripted\ngood up -\n");
    /* what it has not begun is asked back, and nothing comes after it */
    while ((name = held_by(w, "bad")))
        give_back(w, name);
    tick(w);
    assert_int_equal(count_given(w, "bad"), 0);
    while ((name = held_by(w, "good")))
        give_back(w, name);
    silence(w, "", 29 * SPAN_SECOND);
    assert_int_equal(count_given(w, "bad"), 0);
    silence(w, "", SPAN_SECOND);
    assert_true(count_given(w, "bad") > 0);
    buf_release(&out);
}

static void
the_last_agent_is_never_set_aside(void **state)
{
    struct broker_world *w = *state;

    submit(w, TEN);
    join(w, "bad", 1);
    tick(w);
    fail_five(w);
    assert_true(count_given(w, "bad") > 0);
}

static void
where_tasks_fail_everywhere_no_agent_is_set_aside(void **state)
{
    struct broker_world *w = *state;

    submit(w, TEN);
    join(w, "bad", 1);
    join(w, "good", 1);
    tick(w);
    end_as(w, held_by(w, "good"), PLAN_FAILED, 90 * MS);
    tick(w);
    fail_five(w);
    assert_true(count_given(w, "bad") > 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_program_that_an_agent_cannot_run_goes_elsewhere),
        TEST(a_program_that_no_agent_can_run_fails),
        TEST(an_agent_short_of_something_has_a_pause),
        TEST(an_agent_where_everything_fails_is_set_aside),
        TEST(the_last_agent_is_never_set_aside),
        TEST(where_tasks_fail_everywhere_no_agent_is_set_aside),
    };

    return cmocka_run_group_tests_name("broker_agents", tests, NULL, NULL);
}
