/* SPDX-License-Identifier: MPL-2.0 */
/* Runs that go on in later sessions. */
#include "base/mem.h"
#include "tests/unit/run_world.h"

/* What a store would know: the last of each instance, in order. */
struct memory {
    struct memory_item {
        struct plan_id id;
        enum plan_state state;
        json_t *value;
        uint32_t attempt;
    } list[32];
    size_t n;
    bool dead; /* the process was killed: nothing more is written */
};

struct session {
    struct world world;
    struct memory *memory;
};

static void
remember(struct memory *self, const struct run_change *change)
{
    size_t i = 0;

    if (change->kept || change->state == PLAN_MAPPED || self->dead)
        return;
    while (i < self->n && (self->list[i].id.task != change->id.task ||
                           self->list[i].id.child != change->id.child))
        i++;
    if (i < self->n) {
        json_decref(self->list[i].value);
        memmove(&self->list[i], &self->list[i + 1],
                (--self->n - i) * sizeof self->list[0]);
    }
    assert_true(self->n < 32);
    self->list[self->n++] = (struct memory_item){
        change->id, change->state,
        json_incref((json_t *)(uintptr_t)change->value), change->attempt};
}

static void
on_remembered(void *ctx, const struct run_change *change)
{
    struct session *self = ctx;

    on_changed(&self->world, change);
    remember(self->memory, change);
}

static void
begin_session(struct session *self, const char *text, struct memory *memory)
{
    struct run_hooks hooks = {.changed = on_remembered, .ctx = self};
    json_t *given = json_object();
    json_t *params = NULL;
    struct buf problems = {0};
    struct err err;

    self->memory = memory;
    begin(&self->world, text, NULL);
    assert_int_equal(params_bind(self->world.flow, given, &params, &problems),
                     0);
    json_decref(given);
    run_destroy(&self->world.run);
    assert_int_equal(
        run_new(&self->world.run, self->world.flow, params, 1, &hooks, &err),
        0);
    json_decref(params);
    for (size_t i = 0; i < memory->n; i++) {
        const struct memory_item *item = &memory->list[i];

        if (item->attempt > 0)
            run_keep(self->world.run, item->id, item->state, item->value,
                     item->attempt);
    }
    memory->dead = false;
}

static void
end_session(struct session *self, const char *journal)
{
    assert_string_equal(buf_str(&self->world.journal), journal);
    end(&self->world);
}

/* A session from its begin to the end of the run. */
static void
session(struct memory *memory, const char *text, const struct scripted *script,
        const char *journal)
{
    struct session self = {.world.script = script};

    begin_session(&self, text, memory);
    assert_int_equal(go(&self.world), RUN_ENDED);
    end_session(&self, journal);
}

/* The same, cancelled while its first attempt runs; or killed after it. */
static void
session_cut(struct memory *memory, const char *text, bool killed,
            const char *journal)
{
    struct session self = {0};
    struct plan_id id;
    int64_t until;

    begin_session(&self, text, memory);
    assert_int_equal(run_next(self.world.run, 0, &id, &until), RUN_START);
    if (!killed)
        run_cancel(self.world.run);
    report(&self.world, id);
    memory->dead = true;
    end_session(&self, journal);
}

static void
forget_memory(struct memory *self)
{
    for (size_t i = 0; i < self->n; i++)
        json_decref(self->list[i].value);
}

static const struct scripted a_fails[] = {{"a", PLAN_FAILED, NULL}, {0}};

static void
what_was_kept_is_not_executed_again(void **state)
{
    static const char *text =
        HEAD "  a: { run: x, value: int }\n"
             "  b: { each: { i: ['${a}', 5] }, run: x }\n"
             "  c: { needs: b, run: x, trigger: all-finished }\n"
             "  d: { needs: a, run: x }\n";
    struct world w = {0};
    json_t *three = json_integer(3);

    (void)state;
    begin(&w, text, NULL);
    run_keep(w.run, (struct plan_id){0, PLAN_WHOLE}, PLAN_SUCCEEDED, three, 1);
    run_keep(w.run, (struct plan_id){1, 1}, PLAN_SUCCEEDED, NULL, 2);
    run_keep(w.run, (struct plan_id){1, 0}, PLAN_FAILED, NULL, 2);
    run_keep(w.run, (struct plan_id){2, PLAN_WHOLE}, PLAN_SUCCEEDED, NULL, 1);
    run_keep(w.run, (struct plan_id){3, PLAN_WHOLE}, PLAN_SUCCEEDED, NULL, 1);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_string_equal(buf_str(&w.journal), "a succeeded kept 3\nb mapped\n"
                                             "b[3] running\nb[3] succeeded\n"
                                             "b[5] succeeded kept\n"
                                             "c running\nc succeeded\n"
                                             "d succeeded kept\n");
    assert_int_equal(run_attempts(w.run, (struct plan_id){1, 0}), 3);
    json_decref(three);
    end(&w);
}

static void
forgetting_a_task_forgets_what_follows(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w,
          HEAD "  a: { run: x }\n  b: { needs: a, run: x }\n"
               "  c: { run: x }\n",
          NULL);
    for (uint32_t t = 0; t < 3; t++)
        run_keep(w.run, (struct plan_id){t, PLAN_WHOLE}, PLAN_SUCCEEDED, NULL,
                 1);
    run_forget(w.run, 0);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_string_equal(buf_str(&w.journal),
                        "a running\na succeeded\nb running\nb succeeded\n"
                        "c succeeded kept\n");
    end(&w);
}

static void
at_most_once_is_never_started_again(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w, HEAD "  a: { run: x, at-most-once: true }\n", NULL);
    run_keep(w.run, (struct plan_id){0, PLAN_WHOLE}, PLAN_RUNNING, NULL, 1);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_string_equal(
        buf_str(&w.journal),
        "a failed: at-most-once: it was started in an earlier session\n");
    assert_false(run_is_success(w.run));
    end(&w);
}

static void
at_most_once_holds_in_every_later_session(void **state)
{
    static const char *text = HEAD "  a: { run: x }\n"
                                   "  once: { run: x, at-most-once: true }\n"
                                   "  b: { needs: [a, once], run: x }\n";
    static const struct scripted both_fail[] = {
        {"a", PLAN_FAILED, NULL}, {"once", PLAN_FAILED, NULL}, {0}};
    struct memory memory = {0};

    (void)state;
    session(&memory, text, both_fail,
            "a running\na failed: scripted\n"
            "once running\nonce failed: scripted\n"
            "b trigger-failed: something it depends on failed\n");
    session_cut(&memory, text, false,
                "a running\nonce cancelled: the run was cancelled\n"
                "b cancelled: the run was cancelled\na succeeded\n");
    for (int i = 0; i < 2; i++)
        session(&memory, text, NULL,
                "a succeeded kept\n"
                "once failed: at-most-once: it was started in an earlier "
                "session\n"
                "b trigger-failed: something it depends on failed\n");
    forget_memory(&memory);
}

static void
forgetting_lets_nothing_be_started_twice(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w,
          HEAD "  a: { run: x }\n"
               "  b: { needs: a, run: x, at-most-once: true }\n",
          NULL);
    for (uint32_t t = 0; t < 2; t++)
        run_keep(w.run, (struct plan_id){t, PLAN_WHOLE}, PLAN_SUCCEEDED, NULL,
                 3);
    run_forget(w.run, 0);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_string_equal(
        buf_str(&w.journal),
        "a running\na succeeded\n"
        "b failed: at-most-once: it was started in an earlier session\n");
    assert_int_equal(run_attempts(w.run, (struct plan_id){0, PLAN_WHOLE}), 4);
    end(&w);
}

static void
a_cancelled_session_loses_nothing_of_the_one_before(void **state)
{
    static const char *text =
        HEAD "  a: { run: x }\n  b: { run: x, value: int }\n"
             "  c: { each: { i: 1..2 }, run: x }\n";
    static const struct scripted script[] = {
        {"a", PLAN_FAILED, NULL}, {"b", PLAN_SUCCEEDED, "4"}, {0}};
    struct memory memory = {0};

    (void)state;
    session(&memory, text, script,
            "c mapped\na running\na failed: scripted\n"
            "b running\nb succeeded 4\n"
            "c[1] running\nc[1] succeeded\nc[2] running\nc[2] succeeded\n");
    session_cut(&memory, text, false,
                "c mapped\na running\n"
                "b cancelled kept: the run was cancelled\n"
                "c[1] cancelled kept: the run was cancelled\n"
                "c[2] cancelled kept: the run was cancelled\na succeeded\n");
    session(&memory, text, NULL,
            "c mapped\na succeeded kept\nb succeeded kept 4\n"
            "c[1] succeeded kept\nc[2] succeeded kept\n");
    forget_memory(&memory);
}

static void
what_is_new_goes_through_merges_skips_and_empty_maps(void **state)
{
    static const char *text =
        HEAD "  a: { run: x, value: json }\n"
             "  merged: { with: { v: { first: ['${a}'] } }, run: x, "
             "trigger: all-finished }\n"
             "  chosen: { case: { of: '${a}', is: 1 }, run: x, "
             "trigger: all-finished }\n"
             "  after: { needs: chosen, run: x, skip-on-upstream-skip: false "
             "}\n"
             "  map: { each: { i: '${a}' }, run: x }\n"
             "  reduce: { with: { l: '${map}' }, run: x, trigger: "
             "all-finished }\n";
    static const struct scripted empty[] = {{"a", PLAN_SUCCEEDED, "[]"}, {0}};
    struct memory memory = {0};
    struct session last = {.world.script = empty};

    (void)state;
    session(&memory, text, a_fails,
            "a running\na failed: scripted\n"
            "map failed: each: `i`: nothing to map over: `a` is failed\n"
            "merged.v trigger-failed: its trigger `not-all-skipped` did not "
            "hold\n"
            "merged running\nmerged succeeded\n"
            "chosen skipped: case: the value is null, not 1\n"
            "after running\nafter succeeded\n"
            "reduce running\nreduce succeeded\n");
    begin_session(&last, text, &memory);
    assert_int_equal(go(&last.world), RUN_ENDED);
    end_session(&last,
                "a running\na succeeded []\nmap mapped\n"
                "chosen skipped: case: the value is [], not 1\n"
                "after running\nafter succeeded\n"
                "reduce running\nreduce succeeded\n"
                "merged.v succeeded []\nmerged running\nmerged succeeded\n");
    /* And then all of it is old. */
    session(&memory, text, NULL,
            "a succeeded kept []\nmap mapped\n"
            "chosen skipped: case: the value is [], not 1\n"
            "after succeeded kept\nreduce succeeded kept\n"
            "merged.v succeeded []\nmerged succeeded kept\n");
    forget_memory(&memory);
}

static void
what_follows_is_out_of_date_though_the_process_was_killed(void **state)
{
    static const char *text =
        HEAD "  a: { run: x }\n"
             "  b: { needs: a, run: x, trigger: all-finished }\n"
             "  c: { run: x }\n";
    struct memory memory = {0};

    (void)state;
    session(&memory, text, a_fails,
            "a running\na failed: scripted\nb running\nb succeeded\n"
            "c running\nc succeeded\n");
    session_cut(&memory, text, true, "a running\na succeeded\n");
    session(&memory, text, NULL,
            "a succeeded kept\nb running\nb succeeded\n"
            "c succeeded kept\n");
    forget_memory(&memory);
}

static void
only_the_children_that_see_something_new_are_executed_again(void **state)
{
    static const char *text =
        HEAD "  a: { each: { i: 1..3 }, run: x }\n"
             "  b: { each: { j: '${a}' }, run: x, trigger: all-finished }\n";
    static const struct scripted one_fails[] = {{"a[2]", PLAN_FAILED, NULL},
                                                {0}};
    struct memory memory = {0};

    (void)state;
    session(&memory, text, one_fails,
            "a mapped\nb mapped\na[1] running\na[1] succeeded\n"
            "a[2] running\na[2] failed: scripted\n"
            "a[3] running\na[3] succeeded\n"
            "b[#0] running\nb[#0] succeeded\n"
            "b[#1] running\nb[#1] succeeded\n"
            "b[#2] running\nb[#2] succeeded\n");
    session_cut(&memory, text, true,
                "a mapped\nb mapped\na[1] succeeded kept\n"
                "a[2] running\na[2] succeeded\n");
    session(&memory, text, NULL,
            "a mapped\nb mapped\na[1] succeeded kept\na[2] succeeded kept\n"
            "a[3] succeeded kept\nb[#0] succeeded kept\n"
            "b[#1] running\nb[#1] succeeded\n"
            "b[#2] succeeded kept\n");
    assert_int_equal(memory.list[memory.n - 1].attempt, 2);
    forget_memory(&memory);
}

static void
attempts_are_counted_past_16_bits(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w, HEAD "  a: { each: { i: 1..1 }, run: x }\n", NULL);
    run_keep(w.run, (struct plan_id){0, 0}, PLAN_FAILED, NULL, 65535);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_int_equal(run_attempts(w.run, (struct plan_id){0, 0}), 65536);
    end(&w);
}

static void
a_product_with_itself_is_kept_by_its_pairs(void **state)
{
    struct world w = {0};

    (void)state;
    begin(&w,
          HEAD "  a: { each: { i: [1, 2] }, run: x, value: int }\n"
               "  p: { each: { x: '${a}', y: '${a}' }, run: x, "
               "trigger: all-finished }\n",
          NULL);
    run_keep(w.run, (struct plan_id){0, 0}, PLAN_SUCCEEDED, NULL, 1);
    run_keep(w.run, (struct plan_id){0, 1}, PLAN_FAILED, NULL, 1);
    for (uint32_t k = 0; k < 4; k++)
        run_keep(w.run, (struct plan_id){1, k}, PLAN_SUCCEEDED, NULL, 1);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_string_equal(buf_str(&w.journal),
                        "a mapped\np mapped\na[1] succeeded kept\n"
                        "a[2] running\na[2] succeeded\n"
                        "p[#0] succeeded kept\n"
                        "p[#1] running\np[#1] succeeded\n"
                        "p[#2] running\np[#2] succeeded\n"
                        "p[#3] running\np[#3] succeeded\n");
    end(&w);
}

static void
a_long_chain_is_forgotten(void **state)
{
    enum { N = 200000 };
    struct world w = {0};
    struct buf text = {0};

    (void)state;
    buf_text(&text, HEAD "  t0: { run: x }\n");
    for (int i = 1; i < N; i++)
        buf_printf(&text, "  t%d: { needs: t%d, run: x }\n", i, i - 1);
    begin(&w, buf_str(&text), NULL);
    run_keep(w.run, (struct plan_id){N - 1, PLAN_WHOLE}, PLAN_SUCCEEDED, NULL,
             1);
    run_forget(w.run, 0);
    assert_int_equal(go(&w), RUN_ENDED);
    assert_int_equal(run_attempts(w.run, (struct plan_id){N - 1, PLAN_WHOLE}),
                     2);
    buf_release(&text);
    end(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_kept_is_not_executed_again),
        cmocka_unit_test(forgetting_a_task_forgets_what_follows),
        cmocka_unit_test(at_most_once_is_never_started_again),
        cmocka_unit_test(at_most_once_holds_in_every_later_session),
        cmocka_unit_test(forgetting_lets_nothing_be_started_twice),
        cmocka_unit_test(a_cancelled_session_loses_nothing_of_the_one_before),
        cmocka_unit_test(what_is_new_goes_through_merges_skips_and_empty_maps),
        cmocka_unit_test(
            what_follows_is_out_of_date_though_the_process_was_killed),
        cmocka_unit_test(
            only_the_children_that_see_something_new_are_executed_again),
        cmocka_unit_test(attempts_are_counted_past_16_bits),
        cmocka_unit_test(a_product_with_itself_is_kept_by_its_pairs),
        cmocka_unit_test(a_long_chain_is_forgotten),
    };

    return cmocka_run_group_tests_name("run_resume", tests, NULL, NULL);
}
