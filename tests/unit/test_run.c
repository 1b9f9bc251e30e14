/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/unit/run_world.h"

static void
values_flow_from_task_to_task(void **state)
{
    static const struct scripted script[] = {
        {"a", PLAN_SUCCEEDED, "3"}, {"b", PLAN_SUCCEEDED, "4"}, {0}};
    struct world w = {.script = script};
    struct plan_id sum = {2, PLAN_WHOLE};
    json_t *value = NULL;
    json_t *all = NULL;
    struct buf text = {0};
    struct plan_id id;
    struct err err;
    int64_t until;

    (void)state;
    begin(
        &w,
        "leat: 1\nname: test\nparams: { p: { type: int, default: 7 } }\n"
        "tasks:\n"
        "  a: { run: x, value: int }\n"
        "  b: { run: x, value: int }\n"
        "  sum: { with: { n: [\"${a}\", \"${b}\"], t: 'is ${p}' }, run: x }\n",
        NULL);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(run_next(w.run, 0, &id, &until), RUN_START);
        report(&w, id);
    }
    assert_int_equal(run_next(w.run, 0, &id, &until), RUN_START);
    assert_int_equal(id.task, sum.task);
    assert_int_equal(run_own(w.run, id, &all, &err), 0);
    value_json(all, &text);
    assert_string_equal(buf_str(&text), "{\"n\":[3,4],\"t\":\"is 7\"}");
    assert_int_equal(run_lookup(w.run, id, "n", &value, &err), 0);
    assert_int_equal(json_array_size(value), 2);
    json_decref(value);
    assert_int_equal(run_lookup(w.run, id, "p", &value, &err), 0);
    assert_int_equal(json_integer_value(value), 7);
    json_decref(value);
    assert_int_equal(run_lookup(w.run, id, "q", &value, &err), -1);
    assert_string_equal(err.msg, "`sum` has no argument `q`");
    json_decref(all);
    buf_release(&text);
    end(&w);
}

static void
a_case_chooses_and_first_merges(void **state)
{
    static const struct scripted script[] = {
        {"choose", PLAN_SUCCEEDED, "\"b\""}, {"vb", PLAN_SUCCEEDED, "2"}, {0}};
    struct world w = {.script = script};
    json_t *value = NULL;
    struct plan_id id;
    struct err err;

    (void)state;
    begin(&w,
          HEAD
          "  choose: { run: x, value: text }\n"
          "  va: { case: { of: '${choose}', is: a }, run: x, value: int }\n"
          "  vb: { case: { of: '${choose}', is: b }, run: x, value: int }\n"
          "  use: { with: { v: { first: ['${va}', '${vb}'] } }, run: x }\n",
          NULL);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_string_equal(buf_str(&w.journal),
                        "choose running\nchoose succeeded \"b\"\n"
                        "va skipped: case: the value is \"b\", not \"a\"\n"
                        "vb running\nvb succeeded 2\n"
                        "use.v succeeded 2\nuse running\nuse succeeded\n");
    id = (struct plan_id){3, PLAN_WHOLE};
    assert_int_equal(run_lookup(w.run, id, "v", &value, &err), 0);
    assert_int_equal(json_integer_value(value), 2);
    json_decref(value);
    end(&w);
}

static void
a_case_compares_what_numbers_are_worth(void **state)
{
    static const struct scripted script[] = {{"a", PLAN_SUCCEEDED, "1.0"}, {0}};

    (void)state;
    check_run(HEAD "  a: { run: x, value: float }\n"
                   "  b: { case: { of: '${a}', is: 1 }, run: x }\n",
              NULL, script,
              "a running\na succeeded 1.0\nb running\nb succeeded\n");
}

static void
retries_wait_longer_each_time_and_end(void **state)
{
    static const struct scripted script[] = {{"a#1", PLAN_FAILED, NULL},
                                             {"a#2", PLAN_TIMED_OUT, NULL},
                                             {"a#3", PLAN_FAILED, NULL},
                                             {"a#4", PLAN_FAILED, NULL},
                                             {0}};

    (void)state;
    check_run(HEAD "  a: { run: x, retry: { times: 3, delay: 1s, backoff: 3, "
                   "max: 5s } }\n",
              NULL, script,
              "a running\na retrying: scripted in 1000\n"
              "a running\na retrying: scripted in 3000\n"
              "a running\na retrying: scripted in 5000\n"
              "a running\na failed: scripted\n");
}

static void
only_the_named_classes_are_retried(void **state)
{
    static const struct scripted script[] = {{"a", PLAN_FAILED, NULL}, {0}};

    (void)state;
    check_run(HEAD "  a: { run: x, retry: { times: 3, on: [timeout] } }\n",
              NULL, script, "a running\na failed: scripted\n");
}

static void
a_task_that_asks_for_a_retry_needs_one_left(void **state)
{
    static const struct scripted script[] = {{"a", PLAN_RETRYING, NULL}, {0}};

    (void)state;
    check_run(HEAD "  a: { run: x, retry: 1 }\n", NULL, script,
              "a running\na retrying: scripted in 0\n"
              "a running\na failed: asked for a retry, but has no more "
              "(scripted)\n");
}

static void
too_many_failures_end_the_run(void **state)
{
    static const struct scripted script[] = {
        {"m[1]", PLAN_FAILED, NULL}, {"m[3]", PLAN_FAILED, NULL}, {0}};

    (void)state;
    check_run(
        "leat: 1\nname: test\nmax-fails: 1\ntasks:\n"
        "  m: { each: { i: 1..5 }, run: x }\n  after: { run: x }\n",
        NULL, script,
        "m mapped\n"
        "m[1] running\nm[1] failed: scripted\n"
        "m[2] running\nm[2] succeeded\n"
        "m[3] running\nm[3] failed: scripted\n"
        "m[4] cancelled: max-fails: more than 1 failure ended the run\n"
        "m[5] cancelled: max-fails: more than 1 failure ended the run\n"
        "after cancelled: max-fails: more than 1 failure ended the run\n");
}

static void
a_manual_task_waits_to_be_approved(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w,
          HEAD "  a: { run: x, trigger: manual-only }\n"
               "  b: { needs: a, run: x }\n",
          NULL);
    assert_int_equal(go(&w), RUN_PAUSED);
    run_resume(w.run, (struct plan_id){0, PLAN_WHOLE});
    assert_int_equal(go(&w), RUN_ENDED);
    assert_string_equal(buf_str(&w.journal),
                        "a paused\na running\na succeeded\n"
                        "b running\nb succeeded\n");
    end(&w);
}

static void
reference_tasks_decide_the_outcome(void **state)
{
    static const struct scripted script[] = {{"work", PLAN_FAILED, NULL}, {0}};
    static const char *body = "tasks:\n  work: { run: x }\n"
                              "  clean: { needs: work, trigger: always-run, "
                              "run: x }\n";
    struct buf text = {0};

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct world w = {.script = script};

        buf_clear(&text);
        buf_printf(&text, "leat: 1\nname: test\n%s%s",
                   i == 1 ? "reference: [work]\n" : "", body);
        begin(&w, buf_str(&text), NULL);
        assert_int_equal(go(&w), RUN_ENDED);
        assert_int_equal(run_is_success(w.run), i == 0);
        end(&w);
    }
    buf_release(&text);
}

static void
the_output_is_there_when_the_run_succeeded(void **state)
{
    static const struct scripted script[] = {{"a", PLAN_SUCCEEDED, "{\"k\":9}"},
                                             {0}};
    struct world w = {.script = script};
    json_t *output = NULL;
    struct err err;

    (void)state;
    begin(&w,
          "leat: 1\nname: test\noutput: { x: '${a.k}' }\ntasks:\n"
          "  a: { run: x, value: json }\n",
          NULL);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_int_equal(run_output(w.run, &output, &err), 0);
    assert_int_equal(json_integer_value(json_object_get(output, "x")), 9);
    json_decref(output);
    end(&w);
}

static enum plan_state
skip_b_and_fail_success(void *ctx, struct run_change *change)
{
    (void)ctx;
    if (change->id.task == 1 && change->state == PLAN_RUNNING)
        return PLAN_SKIPPED;
    if (change->state == PLAN_SUCCEEDED)
        assert_int_equal(change->from, PLAN_RUNNING);
    if (change->id.task == 0 && change->state == PLAN_SUCCEEDED)
        return PLAN_FAILED;
    return change->state;
}

static void
state_handlers_may_change_a_state(void **state)
{
    struct world w = {.handle = skip_b_and_fail_success};

    (void)state;
    begin(&w, HEAD "  a: { run: x }\n  b: { run: x }\n", NULL);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_string_equal(buf_str(&w.journal),
                        "a running\na failed\nb skipped\n");
    end(&w);
}

static enum plan_state
cancel_a_and_forgive_b(void *ctx, struct run_change *change)
{
    (void)ctx;
    if (change->id.task == 0 && change->state == PLAN_SUCCEEDED)
        return PLAN_CANCELLED;
    if (change->id.task == 1 && change->state == PLAN_FAILED)
        return PLAN_SUCCEEDED;
    return change->state;
}

static void
what_a_handler_made_of_a_task_stays_so(void **state)
{
    static const struct scripted script[] = {
        {"b", PLAN_FAILED, NULL}, {"c", PLAN_FAILED, NULL}, {0}};
    struct world w = {.handle = cancel_a_and_forgive_b, .script = script};

    (void)state;
    begin(&w,
          "leat: 1\nname: test\nmax-fails: 0\ntasks:\n"
          "  a: { run: x }\n  b: { run: x }\n  c: { run: x }\n"
          "  d: { run: x }\n",
          NULL);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_string_equal(
        buf_str(&w.journal),
        "a running\na cancelled: its state handler cancelled it\n"
        "b running\nb succeeded\nc running\nc failed: scripted\n"
        "d cancelled: max-fails: more than 0 failures ended the run\n");
    assert_null(run_cause(w.run, (struct plan_id){1, PLAN_WHOLE}));
    assert_string_equal(run_cause(w.run, (struct plan_id){3, PLAN_WHOLE}),
                        "max-fails: more than 0 failures ended the run");
    end(&w);
}

static uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 16;
}

static enum plan_state
answer_anything(void *ctx, struct run_change *change)
{
    struct world *w = ctx;
    uint32_t r = next_random(&w->random);

    return r % 4 ? change->state : (enum plan_state)(r / 4 % PLAN_STATE_COUNT);
}

/* Attempts end in any way, and now and then the run is cancelled. */
static void
go_anyhow(struct world *w)
{
    static const enum plan_state ends[] = {
        PLAN_SUCCEEDED, PLAN_SUCCEEDED, PLAN_FAILED,  PLAN_RETRYING,
        PLAN_TIMED_OUT, PLAN_SKIPPED,   PLAN_CRASHED, PLAN_CACHED};
    enum run_step step = RUN_WAIT;

    while (step != RUN_ENDED) {
        struct run_outcome outcome = {0};
        struct plan_id id;
        int64_t until;

        step = run_next(w->run, w->now, &id, &until);
        if (step == RUN_WAIT)
            w->now = until;
        if (step == RUN_PAUSED)
            run_resume(w->run, (struct plan_id){3, PLAN_WHOLE});
        if (step == RUN_START) {
            outcome.state = ends[next_random(&w->random) % 8];
            outcome.value = json_pack("[i,i]", 1, 2);
            run_report(w->run, id, &outcome, w->now);
        }
        if (next_random(&w->random) % 200 == 0)
            run_cancel(w->run);
    }
}

static void
handlers_may_answer_anything(void **state)
{
    (void)state;
    for (uint32_t seed = 0; seed < 500; seed++) {
        struct world w = {.handle = answer_anything, .random = seed};

        begin(&w,
              "leat: 1\nname: test\nmax-fails: 6\ntasks:\n"
              "  a: { run: x, value: json, retry: 2 }\n"
              "  m: { each: { i: '${a}', j: 1..2 }, run: x, retry: 1 }\n"
              "  n: { each: { k: '${m}' }, run: x, trigger: all-finished }\n"
              "  p: { needs: a, run: x, trigger: manual-only }\n"
              "  c: { case: { of: '${a}', is: [1, 2] }, run: x }\n"
              "  f: { with: { v: { first: ['${c}', '${p}'] } }, run: x, "
              "trigger: any-failed }\n"
              "  r: { with: { l: '${n}' }, run: x, trigger: all-finished }\n",
              NULL);
        go_anyhow(&w);
        assert_true(plan_is_finished(run_plan(w.run)));
        end(&w);
    }
}

static void
no_delay_is_longer_than_max(void **state)
{
    static const struct scripted script[] = {{"a", PLAN_FAILED, NULL}, {0}};
    struct world w = {.script = script};
    enum run_step step = RUN_WAIT;

    (void)state;
    begin(&w,
          HEAD "  a: { run: x, retry: { times: 50, delay: 8s, max: 10s, "
               "jitter: 1 } }\n",
          NULL);
    while (step != RUN_ENDED) {
        struct plan_id id;
        int64_t until;

        step = run_next(w.run, w.now, &id, &until);
        if (step == RUN_START)
            report(&w, id);
        if (step != RUN_WAIT)
            continue;
        assert_in_range(until - w.now, 0, 10 * SPAN_SECOND);
        w.now = until;
    }
    end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_flow_from_task_to_task),
        cmocka_unit_test(a_case_chooses_and_first_merges),
        cmocka_unit_test(a_case_compares_what_numbers_are_worth),
        cmocka_unit_test(retries_wait_longer_each_time_and_end),
        cmocka_unit_test(only_the_named_classes_are_retried),
        cmocka_unit_test(a_task_that_asks_for_a_retry_needs_one_left),
        cmocka_unit_test(too_many_failures_end_the_run),
        cmocka_unit_test(a_manual_task_waits_to_be_approved),
        cmocka_unit_test(reference_tasks_decide_the_outcome),
        cmocka_unit_test(the_output_is_there_when_the_run_succeeded),
        cmocka_unit_test(state_handlers_may_change_a_state),
        cmocka_unit_test(what_a_handler_made_of_a_task_stays_so),
        cmocka_unit_test(handlers_may_answer_anything),
        cmocka_unit_test(no_delay_is_longer_than_max),
    };

    return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
