/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/broker_world.h"

#define TWO                                  \
    HEAD "  a: { run: x, handlers: true }\n" \
         "  b: { needs: [a], run: x }\n"

static void
handlers_are_asked_before_a_change_is_made(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, TWO);
    join(w, "box", 1);
    tick(w);
    check(w, "box task a?running\n");
    check_why(w, 1, (struct plan_id){0, PLAN_WHOLE},
              "waits for its state handlers, which box was asked\n");
    began(w, "a?running"); /* nothing to be recorded */
    handlers_say(w, "a?running", PLAN_RUNNING, NULL);
    tick(w);
    check(w, "box task a\nbox ack 1\n");
    began(w, "a");
    end_as(w, "a", PLAN_FAILED, SPAN_SECOND);
    tick(w);
    check(w, "1 a running\nbox task a?failed\n");
    handlers_say(w, "a?failed", PLAN_SKIPPED, NULL);
    tick(w);
    check(w, "1 a skipped: scripted (code 1, 1000 ms)\n"
             "1 b skipped: something it depends on was skipped\n"
             "run 1 succeeded\n");
}

static void
those_of_the_flow_hear_of_everything(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, "leat: 1\nname: test\nhandlers: true\ntasks:\n"
              "  m: { each: { f: [x, y] }, run: x }\n"
              "  z: { trigger: any-failed, needs: [m], run: x }\n"
              "  p: { trigger: manual-only, run: x }\n");
    join(w, "box", 8);
    tick(w);
    check(w, "box task m?mapped\nbox task p?paused\n");
    handlers_say(w, "p?paused", PLAN_CANCELLED, "nobody is there");
    handlers_say(w, "m?mapped", PLAN_MAPPED, NULL);
    tick(w);
    check(w, "1 p cancelled: nobody is there\n1 m mapped\n"
             "box task m[x]?running\nbox task m[y]?running\n");
    handlers_say(w, "m[y]?running", PLAN_SUCCEEDED, NULL);
    handlers_say(w, "m[x]?running", PLAN_RUNNING, NULL);
    tick(w);
    check(w, "1 m[y] succeeded\nbox task m[x]\n");
    ok(w, "m[x]");
    tick(w);
    handlers_say(w, "m[x]?succeeded", PLAN_SUCCEEDED, NULL);
    tick(w);
    check(w, "box task m[x]?succeeded\n"
             "1 m[x] succeeded (code 0, 1000 ms)\n"
             "box task z?trigger-failed\n");
    handlers_say(w, "z?trigger-failed", PLAN_SUCCEEDED, NULL);
    tick(w);
    check(w, "1 z succeeded\nrun 1 failed\n");
}

static void
a_result_is_acknowledged_when_its_change_is_made(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x, handlers: true }\n  b: { run: x }\n"
                   "  c: { run: x }\n");
    join(w, "box", 8);
    tick(w);
    handlers_say(w, "a?running", PLAN_RUNNING, NULL);
    tick(w);
    store(w);
    pass(w, 20 * MS);
    buf_clear(&w->journal);
    ok(w, "b");
    ok(w, "a");
    ok(w, "c");
    tick(w);
    store(w);
    pass(w, 20 * MS);
    check(w, "box task a?succeeded\nbox ack 2\n"); /* the answer, and b */
    handlers_say(w, "a?succeeded", PLAN_SUCCEEDED, NULL);
    tick(w);
    check(w, "run 1 succeeded\n");
    store(w);
    pass(w, 20 * MS);
    check(w, "box ack 5\n");
}

/* Once there are many: till then that they are made soon is hoped for. */
static void
others_are_acknowledged_while_a_change_is_pending(void **state)
{
    struct broker_world *w = *state;
    struct buf last = {0};
    uint64_t number;

    submit(w, HEAD "  a: { run: x, handlers: true }\n"
                   "  m: { each: { i: 1..1100 }, run: x }\n"
                   "  b: { run: x, handlers: true }\n");
    join(w, "box", 2000);
    tick(w);
    handlers_say(w, "a?running", PLAN_RUNNING, NULL);
    handlers_say(w, "b?running", PLAN_RUNNING, NULL);
    tick(w);
    ok(w, "a");
    tick(w);
    store(w);
    pass(w, 40 * MS);
    buf_clear(&w->journal);
    for (int i = 1; i <= 1100; i++) {
        char name[16];

        (void)snprintf(name, sizeof name, "m[%d]", i);
        if (i == 1100)
            ok(w, "b");
        ok(w, name);
    }
    tick(w);
    store(w);
    number = member(w, "box")->number;
    buf_printf(&last,
               "box task b?succeeded\nbox keep a\nbox keep b\nbox ack %u\n",
               (unsigned)number);
    check(w, buf_str(&last));
    handlers_say(w, "a?succeeded", PLAN_SUCCEEDED, NULL);
    tick(w);
    pass(w, 40 * MS);
    check(w, ""); /* it is not on disk */
    store(w);
    check(w, "box done a\nbox ack 1105\n");
    handlers_say(w, "b?succeeded", PLAN_SUCCEEDED, NULL);
    tick(w);
    store(w);
    pass(w, 40 * MS);
    check(w, "run 1 succeeded\nbox done b\nbox ack 1106\n");
    buf_release(&last);
}

/* An agent keeps so many results that are not acknowledged, and no more. */
static void
handlers_that_do_not_answer_hold_up_nothing_else(void **state)
{
    struct broker_world *w = *state;
    uint32_t done = 0;

    submit(w, HEAD "  a: { run: x, handlers: true }\n");
    join(w, "box", 8);
    tick(w);
    handlers_say(w, "a?running", PLAN_RUNNING, NULL);
    tick(w);
    ok(w, "a");
    submit(w, HEAD "  m: { each: { i: 1..60000 }, run: x }\n");
    tick(w);
    while (done < 60000) {
        uint32_t n = 0;

        while (w->ngiven > 1) { /* a?succeeded is the first */
            ok(w, w->given[w->ngiven - 1].name);
            n++;
        }
        if (n == 0)
            fail_msg("it gets nothing after %u", done);
        done += n;
        tick(w);
        store(w);
        pass(w, 50 * MS);
        beat(w, "box");
        buf_clear(&w->journal);
    }
}

static void
others_are_asked_when_an_agent_is_lost(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, TWO);
    join(w, "one", 1);
    tick(w);
    began(w, "a?running");
    gone(w, "one", GONE_CONNECTION);
    join(w, "two", 1);
    pass(w, 2 * SPAN_SECOND);
    check(w, "one task a?running\none dropped: its connection is gone\n"
             "two task a?running\n");
    give_back(w, "a?running");
    join(w, "three", 1);
    tick(w);
    handlers_say(w, "a?running", PLAN_SKIPPED, "not today");
    tick(w);
    check(w, "three task a?running\n1 a skipped: not today\n"
             "1 b skipped: something it depends on was skipped\n"
             "run 1 succeeded\n");
}

/* It sends the result that it was given this ticket for. */
static void
say_again(struct broker_world *w, const char *name, uint32_t ticket)
{
    struct result result = {
        .ticket = ticket, .state = PLAN_SUCCEEDED, .code = -1};
    struct member *m = member(w, name);

    assert_false(
        broker_result(w->broker, m->session, ++m->number, &result, w->now));
}

/* Its result has come, and is known, but not on disk. */
/* Nobody else is there to be asked; more it is not given. */
static void
an_agent_that_drains_is_asked_about_what_it_holds(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x, handlers: true }\n"
                   "  b: { needs: [a], run: x, handlers: true }\n");
    join(w, "box", 2);
    tick(w);
    handlers_say(w, "a?running", PLAN_RUNNING, NULL);
    tick(w);
    began(w, "a");
    store(w);
    pass(w, 40 * MS);
    buf_clear(&w->journal);
    assert_int_equal(broker_drain(w->broker, "box", &(struct err){0}), 0);
    ok(w, "a");
    tick(w);
    check(w, "box drain\nbox task a?succeeded\n");
    join(w, "other", 1);
    handlers_say(w, "a?succeeded", PLAN_SUCCEEDED, NULL);
    tick(w);
    check(w, "other task b?running\n");
    store(w);
    pass(w, 40 * MS);
    check(w, "box ack 3\n"); /* it may leave */
    gone(w, "other", GONE_LEFT);
    tick(w);
    check(w, "other dropped: it left\n");
    check_why(w, 1, (struct plan_id){1, PLAN_WHOLE},
              "waits for room to call its state handlers\n");
}

/* They hold up its leaving: what it was asked is not asked back. */
static void
an_agent_that_drains_answers_what_it_was_asked(void **state)
{
    struct broker_world *w = *state;

    submit(w, HEAD "  a: { run: x, handlers: true }\n  b: { run: x }\n");
    join(w, "box", 2);
    tick(w);
    check(w, "box task a?running\nbox task b\n");
    assert_int_equal(broker_drain(w->broker, "box", &(struct err){0}), 0);
    check(w, "box drain\nbox recall b\n");
}

static void
an_agent_that_says_hello_again_keeps_its_result(void **state)
{
    struct broker_world *w = *state;
    struct held held = {1, {0, PLAN_WHOLE}, 1, 1, HELD_FINISHED};
    uint32_t ticket = 0;
    struct err err;

    w->records = true;
    submit(w, TWO);
    join(w, "box", 1);
    tick(w);
    handlers_say(w, "a?running", PLAN_RUNNING, NULL);
    tick(w);
    ok(w, "a");
    tick(w);
    check(w, "box task a?running\nbox task a\nbox ack 1\n"
             "box task a?succeeded\n");
    assert_int_equal(hello(w, "box", 1, 100, &held, 1, &ticket, &err), 0);
    assert_int_not_equal(ticket, 0);
    beat(w, "box");
    say_again(w, "box", ticket);
    tick(w);
    check(w, "box dropped: it said hello again\nbox task a?succeeded\n");
    store(w);
    pass(w, SPAN_SECOND);
    check(w, "");
    handlers_say(w, "a?succeeded", PLAN_SUCCEEDED, NULL);
    tick(w);
    check(w, "1 a succeeded (code 0, 1000 ms)\nbox task b\n");
    pass(w, SPAN_SECOND);
    check(w, "");
    store(w);
    check(w, "box ack 2\n");
}

/* Also if it was given up meanwhile; each result by itself. */
static void
what_a_lost_agent_has_told_is_kept_when_it_is_back(void **state)
{
    struct broker_world *w = *state;
    const struct held held[] = {{1, {0, PLAN_WHOLE}, 1, 1, HELD_FINISHED},
                                {1, {1, PLAN_WHOLE}, 1, 1, HELD_FINISHED},
                                {1, {2, PLAN_WHOLE}, 1, 1, HELD_FINISHED}};
    uint32_t tickets[3] = {0};
    struct err err;

    submit(w, HEAD "  a: { run: x, handlers: true }\n  b: { run: x }\n"
                   "  c: { run: x, handlers: true }\n");
    join(w, "box", 8);
    tick(w);
    handlers_say(w, "a?running", PLAN_RUNNING, NULL);
    handlers_say(w, "c?running", PLAN_RUNNING, NULL);
    tick(w);
    ok(w, "a");
    ok(w, "b");
    ok(w, "c");
    gone(w, "box", GONE_CONNECTION);
    pass(w, 2 * SPAN_SECOND);
    buf_clear(&w->journal);
    assert_int_equal(hello(w, "box", 8, 100, held, 3, tickets, &err), 0);
    beat(w, "box");
    for (size_t i = 0; i < 3; i++)
        say_again(w, "box", tickets[i]);
    tick(w);
    check(w, "box task a?succeeded\nbox task c?succeeded\n");
    handlers_say(w, "c?succeeded", PLAN_SUCCEEDED, NULL);
    tick(w);
    store(w);
    pass(w, SPAN_SECOND);
    check(w, "");
    handlers_say(w, "a?succeeded", PLAN_SUCCEEDED, NULL);
    tick(w);
    store(w);
    pass(w, SPAN_SECOND);
    check(w, "run 1 succeeded\nbox ack 5\n");
}

/* That it was lost is what handlers are asked about, not what it comes with. */
static void
what_comes_after_a_loss_is_not_known(void **state)
{
    struct broker_world *w = *state;
    struct held held = {1, {0, PLAN_WHOLE}, 1, 1, HELD_FINISHED};
    uint32_t ticket = 0;
    struct err err;

    submit(w, TWO);
    join(w, "box", 1);
    tick(w);
    handlers_say(w, "a?running", PLAN_RUNNING, NULL);
    tick(w);
    began(w, "a");
    gone(w, "box", GONE_CONNECTION);
    pass(w, 2 * SPAN_SECOND);
    buf_clear(&w->journal);
    assert_int_equal(hello(w, "box", 1, 100, &held, 1, &ticket, &err), 0);
    assert_int_equal(ticket, 0);
    beat(w, "box");
    tick(w);
    check(w, "box task a?retrying\n");
}

static void
handlers_that_can_not_answer_fail_the_task(void **state)
{
    static const struct {
        struct result result;
        const char *cause;
    } rows[] = {
        {{.state = PLAN_FAILED, .cause = "SIGSEGV"},
         "its state handler failed: SIGSEGV"},
        {{.state = PLAN_TIMED_OUT, .cause = "timed out after 1m"},
         "its state handler failed: timed out after 1m"},
        {{.state = PLAN_SUCCEEDED, .cause = NULL},
         "its state handler failed: its answer is no state"},
    };
    struct broker_world *w = *state;

    join(w, "box", 1);
    w->records = true;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct result result = rows[i].result;
        char *want = mem_printf("1 a failed: %s", rows[i].cause);

        submit(w, HEAD "  a: { run: x, handlers: true, retry: 3 }\n");
        want[0] = (char)('1' + i);
        tick(w);
        result.code = -1;
        assert_true(send_result(w, "a?running", result));
        tick(w);
        assert_non_null(strstr(buf_str(&w->journal), want));
        assert_int_equal(broker_run_count(w->broker), 0);
        free(want);
    }
}

static void
a_program_that_no_agent_has_can_not_be_asked(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, TWO);
    join(w, "box", 1);
    tick(w);
    refuse(w, "a?running", REFUSED_PROGRAM);
    tick(w);
    check(w, "box task a?running\n1 a failed: wrong architecture\n"
             "1 b trigger-failed: something it depends on failed\n"
             "run 1 failed\n");
}

static void
nobody_is_asked_once_a_run_is_cancelled(void **state)
{
    static const char *const asked[] = {"a?running", "b?running", "c?running",
                                        "d?running"};
    struct broker_world *w = *state;

    w->records = true;
    submit(w, HEAD "  a: { run: x, handlers: true }\n"
                   "  b: { run: x, handlers: true }\n"
                   "  c: { run: x, handlers: true }\n"
                   "  d: { run: x, handlers: true, retry: 1 }\n");
    join(w, "box", 4);
    tick(w);
    for (size_t i = 0; i < 4; i++)
        handlers_say(w, asked[i], PLAN_RUNNING, NULL);
    tick(w);
    buf_clear(&w->journal);
    /* a is being asked about, c runs, d and b have just ended. */
    ok(w, "a");
    tick(w);
    ok(w, "b");
    end_as(w, "d", PLAN_FAILED, SPAN_SECOND);
    broker_run_cancel(w->broker, 1, false, w->now);
    tick(w);
    check(w, "box task a?succeeded\n"
             "1 d cancelled: the run was cancelled\n"
             "1 b succeeded (code 0, 1000 ms)\n"
             "box cancel c\nbox cancel a?succeeded\n");
    end_as(w, "c", PLAN_CANCELLED, SPAN_SECOND);
    end_as(w, "a?succeeded", PLAN_CANCELLED, SPAN_SECOND);
    tick(w);
    check(w, "1 c cancelled: scripted (code 1, 1000 ms)\n"
             "1 a succeeded (code 0, 1000 ms)\nrun 1 cancelled\n");
}

static void
a_lost_agent_holds_up_no_cancelled_run(void **state)
{
    struct broker_world *w = *state;

    submit(w, TWO);
    join(w, "box", 1);
    tick(w);
    handlers_say(w, "a?running", PLAN_RUNNING, NULL);
    tick(w);
    ok(w, "a");
    tick(w);
    broker_run_cancel(w->broker, 1, false, w->now);
    gone(w, "box", GONE_CONNECTION);
    pass(w, 2 * SPAN_SECOND);
    check(
        w,
        "box task a?running\nbox task a\nbox ack 1\n"
        "box task a?succeeded\nbox cancel a?succeeded\nbox dropped: its connection is gone\n"
        "run 1 cancelled\n");
}

static void
too_many_failures_end_the_run_with_what_is_asked(void **state)
{
    struct broker_world *w = *state;

    w->records = true;
    submit(w, "leat: 1\nname: test\nmax-fails: 0\ntasks:\n"
              "  a: { run: x, handlers: true }\n"
              "  b: { run: x, handlers: true }\n"
              "  c: { needs: [b], run: x }\n");
    join(w, "box", 2);
    tick(w);
    handlers_say(w, "a?running", PLAN_RUNNING, NULL);
    tick(w);
    buf_clear(&w->journal);
    end_as(w, "a", PLAN_FAILED, SPAN_SECOND);
    tick(w);
    handlers_say(w, "a?failed", PLAN_FAILED, NULL);
    tick(w);
    check(w, "box task a?failed\n1 a failed: scripted (code 1, 1000 ms)\n"
             "1 b cancelled: max-fails: more than 0 failures ended the run\n"
             "1 c cancelled: max-fails: more than 0 failures ended the run\n"
             "box recall b?running\n");
    handlers_say(w, "b?running", PLAN_RUNNING, NULL);
    tick(w);
    check(w, "run 1 failed\n");
}

/* ---- after a restart ---- */

/* m is mapped, and one of its children runs; z was decided by its handler. */
static void
what_handlers_have_decided_is_not_asked_again(void **state)
{
    static const char text[] =
        HEAD "  m: { each: { f: [x, y] }, run: x, handlers: true }\n"
             "  p: { run: x }\n"
             "  z: { needs: [p], trigger: any-failed, run: x, "
             "handlers: true }\n"
             "  s: { needs: [z], run: x }\n";
    struct history_item children[2] = {
        {.state = PLAN_RUNNING, .attempt = 1, .code = -1, .order = 2},
        {.state = PLAN_WAITING, .code = -1}};
    struct history_task tasks[4] = {
        {.item = {.state = PLAN_MAPPED, .order = 1},
         .children = children,
         .nchild = 2},
        {.item = {.state = PLAN_SUCCEEDED, .attempt = 1, .order = 3}},
        {.item = {.state = PLAN_SUCCEEDED, .order = 4}},
        {.item = {.state = PLAN_RUNNING, .attempt = 1, .order = 5}}};
    const struct held held[] = {{1, {0, 0}, 1, 9, HELD_RUNNING},
                                {1, {3, PLAN_WHOLE}, 1, 9, HELD_RUNNING}};
    struct broker_world *w = *state;
    struct history history = {.tasks = tasks};
    struct broker_run run = {.id = 1,
                             .resume = &history,
                             .from = PLAN_NONE,
                             .adopt_until = w->now + 3 * SPAN_SECOND};
    uint32_t tickets[2] = {0, 0};
    struct err err;

    history.flow = parse(text);
    w->records = true;
    submit_as(w, &run, text);
    assert_int_equal(hello(w, "box", 4, 100, held, 2, tickets, &err), 0);
    beat(w, "box");
    assert_int_not_equal(tickets[0], 0);
    assert_int_not_equal(tickets[1], 0);
    tick(w);
    check(w, "");
    for (int i = 0; i < 4; i++) {
        beat(w, "box");
        pass(w, SPAN_SECOND);
    }
    /* Of the other child nobody has told. */
    check(w, "box task m[y]?running\n");
    flow_destroy(&history.flow);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(handlers_are_asked_before_a_change_is_made),
        TEST(those_of_the_flow_hear_of_everything),
        TEST(a_result_is_acknowledged_when_its_change_is_made),
        TEST(others_are_acknowledged_while_a_change_is_pending),
        TEST(handlers_that_do_not_answer_hold_up_nothing_else),
        TEST(others_are_asked_when_an_agent_is_lost),
        TEST(an_agent_that_drains_is_asked_about_what_it_holds),
        TEST(an_agent_that_drains_answers_what_it_was_asked),
        TEST(an_agent_that_says_hello_again_keeps_its_result),
        TEST(what_a_lost_agent_has_told_is_kept_when_it_is_back),
        TEST(what_comes_after_a_loss_is_not_known),
        TEST(handlers_that_can_not_answer_fail_the_task),
        TEST(a_program_that_no_agent_has_can_not_be_asked),
        TEST(nobody_is_asked_once_a_run_is_cancelled),
        TEST(a_lost_agent_holds_up_no_cancelled_run),
        TEST(too_many_failures_end_the_run_with_what_is_asked),
        TEST(what_handlers_have_decided_is_not_asked_again),
    };

    return cmocka_run_group_tests_name("broker_handlers", tests, NULL, NULL);
}
