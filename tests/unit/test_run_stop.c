/* SPDX-License-Identifier: MPL-2.0 */
/* One instance is cancelled while its run goes on. */
#include "tests/unit/run_world.h"

#include <malloc.h>

#define TASK(n)     ((struct plan_id){(n), PLAN_WHOLE})
#define CHILD(n, k) ((struct plan_id){(n), (k)})

static enum run_step
settle(struct world *w)
{
    int64_t until;

    return run_settle(w->run, w->now, &until);
}

static struct plan_id
take(struct world *w)
{
    struct plan_id id = {PLAN_NONE, PLAN_WHOLE};

    (void)settle(w);
    (void)run_take(w->run, 0, &id);
    return id;
}

static void
assert_journal(struct world *w, const char *expected)
{
    assert_string_equal(buf_str(&w->journal), expected);
    buf_clear(&w->journal);
}

static void
what_waits_ends_at_once_and_what_follows_goes_by_its_trigger(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w,
          HEAD "  a: { run: x }\n"
               "  b: { needs: [a], run: x }\n"
               "  c: { needs: [b], run: x }\n"
               "  d: { needs: [b], trigger: any-failed, run: x }\n"
               "  e: { needs: [a], run: x }\n",
          NULL);
    run_stop(w.run, TASK(1));
    assert_false(run_is_stopping(w.run, TASK(1)));
    assert_int_equal(go(&w), RUN_ENDED);
    assert_journal(&w, "b cancelled: it was cancelled\n"
                       "c trigger-failed: something it depends on failed\n"
                       "a running\na succeeded\n"
                       "d running\nd succeeded\ne running\ne succeeded\n");
    assert_false(run_is_success(w.run));
    run_stop(w.run, TASK(1)); /* all is over */
    assert_journal(&w, "");
    end(&w);
}

static void
what_is_ready_is_not_started(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w, HEAD "  a: { run: x }\n  b: { run: x }\n", NULL);
    assert_int_equal(settle(&w), RUN_START);
    run_stop(w.run, TASK(0));
    assert_int_equal(take(&w).task, 1);
    assert_journal(&w, "a cancelled: it was cancelled\nb running\n");
    end(&w);
}

static void
what_is_paused_stalls_nothing_any_more(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w,
          HEAD "  a: { run: x, trigger: manual-only }\n"
               "  b: { needs: [a], trigger: all-finished, run: x }\n",
          NULL);
    assert_int_equal(settle(&w), RUN_PAUSED);
    run_stop(w.run, TASK(0));
    assert_int_equal(go(&w), RUN_ENDED);
    assert_journal(&w, "a paused\na cancelled: it was cancelled\n"
                       "b running\nb succeeded\n");
    end(&w);
}

static void
what_waits_to_be_tried_again_is_not(void **state)
{
    static const struct scripted script[] = {{"a", PLAN_FAILED, NULL}, {0}};
    struct world w = {.script = script};

    (void)state;
    begin(&w, HEAD "  a: { run: x, retry: { times: 3, delay: 1h } }\n", NULL);
    report(&w, take(&w));
    buf_clear(&w.journal);
    run_stop(w.run, TASK(0));
    assert_int_equal(settle(&w), RUN_ENDED);
    assert_journal(&w, "a cancelled: it was cancelled\n");
    w.now = 2 * 3600 * SPAN_SECOND;
    assert_int_equal(settle(&w), RUN_ENDED);
    end(&w);
}

/* How an attempt of a task with retries ends that is stopped meanwhile. */
static void
stop_while_it_runs(enum plan_state ends, const char *cause, const char *journal)
{
    struct world w = {0};
    struct run_outcome outcome = {.state = ends, .cause = cause};
    struct plan_id id;

    begin(&w, HEAD "  a: { run: x, retry: 3 }\n  b: { run: x }\n", NULL);
    id = take(&w);
    (void)take(&w);
    buf_clear(&w.journal);
    run_stop(w.run, id);
    run_stop(w.run, id);
    assert_true(run_is_stopping(w.run, id));
    assert_false(run_is_stopping(w.run, TASK(1)));
    assert_journal(&w, "");
    run_report(w.run, id, &outcome, w.now);
    assert_int_equal(settle(&w), RUN_WAIT);
    assert_journal(&w, journal);
    assert_false(run_is_stopping(w.run, id));
    end(&w);
}

static void
what_runs_ends_as_it_does_but_is_not_tried_again(void **state)
{
    (void)state;
    stop_while_it_runs(PLAN_CANCELLED, "by itself", "a cancelled: by itself\n");
    stop_while_it_runs(PLAN_CANCELLED, "cancelled",
                       "a cancelled: it was cancelled\n");
    stop_while_it_runs(PLAN_SUCCEEDED, NULL, "a succeeded\n");
    stop_while_it_runs(
        PLAN_FAILED, "by itself",
        "a retrying: by itself in 0\na cancelled: it was cancelled\n");
}

static void
what_is_given_back_or_put_off_is_cancelled(void **state)
{
    struct world w = {0};
    struct plan_id a, b, c;

    (void)state;
    begin(&w, HEAD "  a: { run: x }\n  b: { run: x }\n  c: { run: x }\n", NULL);
    a = take(&w);
    b = take(&w);
    c = take(&w);
    buf_clear(&w.journal);
    run_stop(w.run, a);
    run_stop(w.run, b);
    run_stop(w.run, c);
    run_give_back(w.run, a);
    run_put_off(w.run, b, SPAN_SECOND);
    run_try_again(w.run, c, "lost", SPAN_SECOND);
    assert_int_equal(settle(&w), RUN_ENDED);
    assert_journal(&w, "c retrying: lost in 1000\n"
                       "a cancelled: it was cancelled\n"
                       "b cancelled: it was cancelled\n"
                       "c cancelled: it was cancelled\n");
    end(&w);
}

static const char map[] = HEAD "  m: { each: { x: [1, 2, 3] }, run: x }\n"
                               "  n: { each: { y: \"${m}\" }, run: x }\n";

static void
one_child_ends_with_what_goes_over_it(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w, map, NULL);
    (void)settle(&w);
    buf_clear(&w.journal);
    run_stop(w.run, CHILD(0, 1));
    (void)settle(&w);
    assert_journal(&w, "m[2] cancelled: it was cancelled\n"
                       "n[#1] trigger-failed: something it depends on "
                       "failed\n");
    assert_int_equal(take(&w).child, 0);
    assert_int_equal(take(&w).child, 2);
    end(&w);
}

static void
a_map_ends_with_all_its_children(void **state)
{
    struct run_outcome good = {.state = PLAN_SUCCEEDED};
    struct world w = {0};

    (void)state;
    begin(&w, map, NULL);
    run_report(w.run, take(&w), &good, 0);
    (void)take(&w);
    buf_clear(&w.journal);
    run_stop(w.run, TASK(0));
    assert_journal(&w, "m[3] cancelled: it was cancelled\n");
    assert_true(run_is_stopping(w.run, CHILD(0, 1)));
    assert_false(run_is_stopping(w.run, CHILD(0, 0)));
    end(&w);
}

static void
a_further_cancel_takes_no_more_memory(void **state)
{
    struct world w = {0};
    size_t before;

    (void)state;
    begin(&w, HEAD "  m: { each: { x: 1..50 }, run: x }\n", NULL);
    for (uint32_t k = 0; k < 50; k++)
        assert_int_equal(take(&w).child, k);
    run_stop(w.run, TASK(0));
    before = mallinfo2().uordblks;
    for (int i = 0; i < 1000; i++) {
        run_stop(w.run, TASK(0));
        (void)settle(&w);
        run_stop(w.run, CHILD(0, 7));
    }
    /* What malloc keeps for itself is not much. */
    assert_true(mallinfo2().uordblks < before + 50000);
    assert_true(run_is_stopping(w.run, CHILD(0, 49)));
    end(&w);
}

static void
a_map_that_is_not_there_yet_ends_as_a_whole(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w, map, NULL);
    run_stop(w.run, TASK(0));
    assert_int_equal(go(&w), RUN_ENDED);
    assert_journal(&w, "m cancelled: it was cancelled\n"
                       "n failed: each: `y`: nothing to map over: `m` is "
                       "cancelled\n");
    end(&w);
}

static void
a_child_that_is_to_come_is_cancelled_then(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w, map, NULL);
    run_stop(w.run, CHILD(0, 2));
    assert_int_equal(settle(&w), RUN_START);
    assert_int_equal(take(&w).child, 0);
    assert_int_equal(take(&w).child, 1);
    assert_int_equal(take(&w).task, PLAN_NONE);
    assert_int_equal(plan_state(run_plan(w.run), CHILD(0, 2)), PLAN_CANCELLED);
    end(&w);
}

/* Further children go on in the place that it had. */
static void
max_parallel_counts_it_no_more(void **state)
{
    struct run_outcome gone = {.state = PLAN_CANCELLED};
    struct world w = {0};
    struct plan_id id;

    (void)state;
    begin(&w,
          HEAD "  m: { each: { x: 1..3 }, max-parallel: 1, run: x }\n"
               "  z: { run: x }\n",
          NULL);
    id = take(&w);
    assert_int_equal(id.child, 0);
    run_stop(w.run, CHILD(0, 1));
    assert_int_equal(take(&w).task, 1);
    assert_int_equal(take(&w).task, PLAN_NONE);
    run_stop(w.run, id);
    run_report(w.run, id, &gone, 0);
    assert_int_equal(take(&w).child, 2);
    end(&w);
}

static void
what_an_earlier_session_came_to_stays(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w, HEAD "  a: { run: x }\n  b: { needs: [a], run: x }\n", NULL);
    run_keep(w.run, TASK(0), PLAN_SUCCEEDED, NULL, 1);
    (void)settle(&w);
    run_stop(w.run, TASK(0));
    assert_int_equal(go(&w), RUN_ENDED);
    assert_journal(&w, "a succeeded kept\nb running\nb succeeded\n");
    end(&w);
}

static void
the_whole_run_may_be_cancelled_as_well(void **state)
{
    struct run_outcome gone = {.state = PLAN_CANCELLED, .cause = "ended"};
    struct world w = {0};
    struct plan_id id;

    (void)state;
    begin(&w, HEAD "  a: { run: x }\n  b: { run: x }\n", NULL);
    id = take(&w);
    run_stop(w.run, TASK(1));
    run_stop(w.run, id);
    run_cancel(w.run);
    run_stop(w.run, id);
    run_report(w.run, id, &gone, 0);
    assert_int_equal(settle(&w), RUN_ENDED);
    assert_journal(&w, "a running\nb cancelled: it was cancelled\n"
                       "a cancelled: ended\n");
    end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            what_waits_ends_at_once_and_what_follows_goes_by_its_trigger),
        cmocka_unit_test(what_is_ready_is_not_started),
        cmocka_unit_test(what_is_paused_stalls_nothing_any_more),
        cmocka_unit_test(what_waits_to_be_tried_again_is_not),
        cmocka_unit_test(what_runs_ends_as_it_does_but_is_not_tried_again),
        cmocka_unit_test(what_is_given_back_or_put_off_is_cancelled),
        cmocka_unit_test(one_child_ends_with_what_goes_over_it),
        cmocka_unit_test(a_map_ends_with_all_its_children),
        cmocka_unit_test(a_further_cancel_takes_no_more_memory),
        cmocka_unit_test(a_map_that_is_not_there_yet_ends_as_a_whole),
        cmocka_unit_test(a_child_that_is_to_come_is_cancelled_then),
        cmocka_unit_test(max_parallel_counts_it_no_more),
        cmocka_unit_test(what_an_earlier_session_came_to_stays),
        cmocka_unit_test(the_whole_run_may_be_cancelled_as_well),
    };

    return cmocka_run_group_tests_name("run_stop", tests, NULL, NULL);
}
