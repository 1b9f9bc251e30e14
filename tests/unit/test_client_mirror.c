/* SPDX-License-Identifier: MPL-2.0 */
/*
 * What a store holds of a run, handed to a mirror as a broker would: what the
 * watch is told is one line of a journal each.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
/* cmocka needs those above */
#include <cmocka.h>

#include "flow/file.h"
#include "flow/params.h"
#include "lib/client_mirror.h"
#include "store_box.h"

static const char text[] =
    "leat: 1\n"
    "name: f\n"
    "tasks:\n"
    "  list: { run: x, value: lines }\n"
    "  each: { each: { x: \"${list}\" }, run: x, value: text }\n"
    "  end: { needs: [each], run: x, retry: { times: 9, delay: 1h,\n"
    "         backoff: 10 } }\n";

#define BASE INT64_C(1700000000000000)

struct world {
    struct box *box;
    struct flow *flow;
    json_t *params;
    uint64_t run;
    uint32_t attempt; /* of what is told; 0: 1 */
    struct mirror mirror;
    struct client_follow follow;
    struct local_watch watch;
    struct buf journal;
};

static void
on_changed(void *ctx, const struct run *run, const struct run_change *change)
{
    struct world *w = ctx;

    run_name(run, change->id, &w->journal);
    buf_printf(&w->journal, " %s", plan_state_names[change->state]);
    if (change->kept)
        buf_text(&w->journal, " kept");
    if (change->took > 0)
        buf_printf(&w->journal, " in %lld", (long long)change->took);
    if (change->state == PLAN_RETRYING)
        buf_printf(
            &w->journal, ", again in %lld h",
            (long long)((change->until - span_mono() + 60 * SPAN_SECOND) /
                        (3600 * SPAN_SECOND)));
    buf_char(&w->journal, '\n');
}

static void
on_output(void *ctx, const struct run *run, struct plan_id id, int stream,
          const char *data, size_t n)
{
    struct world *w = ctx;

    run_name(run, id, &w->journal);
    buf_printf(&w->journal, " %d|%.*s\n", stream, (int)n, data);
}

static void
open_world(struct world *w, void **state)
{
    struct store_run info = {.flow = (char[]){"f"},
                             .source = (char *)(uintptr_t)text,
                             .source_len = strlen(text)};
    struct diags diags = {0};
    struct err err;

    *w = (struct world){.box = *state, .params = json_object()};
    assert_int_equal(flow_parse("f.yaml", text, strlen(text), &w->flow, &diags),
                     0);
    info.params = w->params;
    assert_int_equal(store_run_begin(w->box->store, &info, &err), 0);
    w->run = info.id;
    w->watch = (struct local_watch){
        .changed = on_changed, .output = on_output, .ctx = w};
    w->follow = (struct client_follow){.flow = w->flow,
                                       .params = w->params,
                                       .from = PLAN_NONE,
                                       .watch = &w->watch};
}

static void
look(struct world *w)
{
    struct err err;

    assert_int_equal(mirror_init(&w->mirror, &w->follow, &err), 0);
}

static void
close_world(struct world *w)
{
    mirror_release(&w->mirror);
    flow_destroy(&w->flow);
    json_decref(w->params);
    buf_release(&w->journal);
}

static void
tell(struct world *w, uint32_t task, uint32_t child, enum plan_state state,
     const char *json, int64_t started, int64_t ended)
{
    struct store_record r = {
        .id = {task, child},
        .task = w->flow->tasks[task].name,
        .attempt = state == PLAN_MAPPED ? 0
                   : w->attempt         ? w->attempt
                                        : 1,
        .state = state,
        .code = -1,
        .children = state == PLAN_MAPPED ? 2 : 0,
        .started = started ? BASE + started * SPAN_MS : 0,
        .ended = ended ? BASE + ended * SPAN_MS : 0,
    };
    json_t *value = json ? json_loads(json, JSON_DECODE_ANY, NULL) : NULL;
    struct err err;

    r.value = value;
    assert_int_equal(store_record(w->box->store, w->run, &r, &err), 0);
    json_decref(value);
}

static void
write_output(struct world *w, uint32_t task, uint32_t child, const char *what)
{
    struct err err;

    assert_int_equal(store_output(w->box->store, w->run,
                                  (struct plan_id){task, child}, 1, 1, what,
                                  strlen(what), &err),
                     0);
}

static bool
on_batch(void *ctx, uint64_t number, const char *batch, size_t n)
{
    struct world *w = ctx;
    struct err err;

    assert_true(number > 0);
    assert_int_equal(mirror_batch(&w->mirror, batch, n, &err), 0);
    return true;
}

/* All that there is, as one Seen would bring it. */
static void
bring(struct world *w)
{
    struct buf output = {0};
    uint64_t offset = 0;
    bool more = false;
    struct err err;

    assert_int_equal(store_flush(w->box->store, &err), 0);
    assert_int_equal(store_batches(w->box->store, w->run, 0, on_batch, w, &err),
                     0);
    assert_int_equal(store_output_raw(w->box->store, w->run, &offset, 1 << 20,
                                      &output, &more, &err),
                     0);
    assert_int_equal(mirror_output(&w->mirror, output.data, output.len, &err),
                     0);
    assert_int_equal(mirror_settle(&w->mirror, &err), 0);
    buf_release(&output);
}

static void
told(const struct world *w, const char *expected)
{
    assert_string_equal(buf_str(&w->journal), expected);
}

static void
inputs_end_before_what_depends_on_them_writes(void **state)
{
    int64_t late = (span_wall() - BASE) / SPAN_MS + 60000;
    struct world w;

    open_world(&w, state);
    tell(&w, 0, PLAN_WHOLE, PLAN_SUCCEEDED, "[\"a\", \"b\"]", late, late + 1);
    tell(&w, 1, PLAN_WHOLE, PLAN_MAPPED, NULL, 0, 0);
    tell(&w, 1, 0, PLAN_SUCCEEDED, "\"x\"", late + 1, late + 2);
    tell(&w, 1, 1, PLAN_SUCCEEDED, "\"y\"", late + 1, late + 2);
    tell(&w, 2, PLAN_WHOLE, PLAN_SUCCEEDED, NULL, late + 2, late + 3);
    write_output(&w, 2, PLAN_WHOLE, "words");
    look(&w);
    bring(&w);
    told(&w, "list succeeded in 1000\n"
             "each mapped\n"
             "each[a] succeeded in 1000\n"
             "each[b] succeeded in 1000\n"
             "end running\n"
             "end 1|words\n"
             "end succeeded in 1000\n");
    close_world(&w);
}

/* Real output has real times, and the records here are of long ago. */
static void
output_comes_before_the_end_of_its_attempt(void **state)
{
    struct world w;

    open_world(&w, state);
    tell(&w, 0, PLAN_WHOLE, PLAN_RUNNING, NULL, 1, 0);
    tell(&w, 0, PLAN_WHOLE, PLAN_SUCCEEDED, "[\"a\", \"b\"]", 1, 5);
    tell(&w, 1, PLAN_WHOLE, PLAN_MAPPED, NULL, 0, 0);
    tell(&w, 1, 0, PLAN_SUCCEEDED, "\"x\"", 6, 7);
    write_output(&w, 0, PLAN_WHOLE, "a b");
    look(&w);
    bring(&w);
    told(&w, "list running\n"
             "list 1|a b\n"
             "list succeeded in 4000\n"
             "each mapped\n"
             "each[a] succeeded in 1000\n");
    close_world(&w);
}

static void
what_others_write_first_does_not_end_it_before_its_output(void **state)
{
    struct world w;

    open_world(&w, state);
    tell(&w, 0, PLAN_WHOLE, PLAN_SUCCEEDED, "[\"a\", \"b\"]", 1, 5);
    tell(&w, 1, PLAN_WHOLE, PLAN_MAPPED, NULL, 0, 0);
    tell(&w, 1, 0, PLAN_SUCCEEDED, "\"x\"", 6, 7);
    tell(&w, 1, 1, PLAN_SUCCEEDED, "\"y\"", 6, 8);
    write_output(&w, 1, 1, "one");
    write_output(&w, 1, 0, "two");
    write_output(&w, 1, 1, "three");
    write_output(&w, 1, 0, "four");
    look(&w);
    bring(&w);
    told(&w, "list succeeded in 4000\n"
             "each mapped\n"
             "each[a] running\n"
             "each[a] 1|two\n"
             "each[a] 1|four\n"
             "each[a] succeeded in 1000\n"
             "each[b] running\n"
             "each[b] 1|one\n"
             "each[b] 1|three\n"
             "each[b] succeeded in 2000\n");
    close_world(&w);
}

/* Records are committed together; output is there at once. */
static void
output_before_its_record_says_that_the_attempt_runs(void **state)
{
    struct world w;
    struct buf output = {0};
    uint64_t offset = 0;
    bool more = false;
    struct err err;

    open_world(&w, state);
    write_output(&w, 0, PLAN_WHOLE, "a b");
    look(&w);
    assert_int_equal(store_output_raw(w.box->store, w.run, &offset, 1 << 20,
                                      &output, &more, &err),
                     0);
    assert_int_equal(mirror_output(&w.mirror, output.data, output.len, &err),
                     0);
    assert_int_equal(mirror_settle(&w.mirror, &err), 0);
    told(&w, "list running\n"
             "list 1|a b\n");
    tell(&w, 0, PLAN_WHOLE, PLAN_RUNNING, NULL, 1, 0);
    tell(&w, 0, PLAN_WHOLE, PLAN_FAILED, NULL, 1, 5);
    assert_int_equal(store_flush(w.box->store, &err), 0);
    assert_int_equal(store_batches(w.box->store, w.run, 0, on_batch, &w, &err),
                     0);
    assert_int_equal(mirror_settle(&w.mirror, &err), 0);
    told(&w, "list running\n"
             "list 1|a b\n"
             "list failed in 4000\n");
    buf_release(&output);
    close_world(&w);
}

static void
output_of_a_child_waits_for_the_record_that_makes_it(void **state)
{
    struct world w;

    open_world(&w, state);
    tell(&w, 0, PLAN_WHOLE, PLAN_SUCCEEDED, "[\"a\", \"b\"]", 1, 5);
    tell(&w, 1, PLAN_WHOLE, PLAN_MAPPED, NULL, 0, 0);
    tell(&w, 1, 1, PLAN_SUCCEEDED, "\"x\"", 6, 7);
    write_output(&w, 1, 1, "of b");
    look(&w);
    bring(&w);
    told(&w, "list succeeded in 4000\n"
             "each mapped\n"
             "each[b] running\n"
             "each[b] 1|of b\n"
             "each[b] succeeded in 1000\n");
    close_world(&w);
}

/* It is with the kernel before the record of its map is committed. */
static void
output_of_a_child_that_is_not_there_yet_is_kept(void **state)
{
    struct buf output = {0};
    uint64_t offset = 0;
    bool more = false;
    struct world w;
    struct err err;

    open_world(&w, state);
    write_output(&w, 1, 1, "of b");
    look(&w);
    assert_int_equal(store_flush(w.box->store, &err), 0);
    assert_int_equal(store_output_raw(w.box->store, w.run, &offset, 1 << 20,
                                      &output, &more, &err),
                     0);
    assert_int_equal(mirror_output(&w.mirror, output.data, output.len, &err),
                     0);
    assert_int_equal(mirror_settle(&w.mirror, &err), 0);
    buf_release(&output);
    told(&w, "");
    tell(&w, 0, PLAN_WHOLE, PLAN_SUCCEEDED, "[\"a\", \"b\"]", 1, 5);
    tell(&w, 1, PLAN_WHOLE, PLAN_MAPPED, NULL, 0, 0);
    tell(&w, 1, 1, PLAN_SUCCEEDED, "\"x\"", 6, 7);
    assert_int_equal(store_flush(w.box->store, &err), 0);
    assert_int_equal(store_batches(w.box->store, w.run, 0, on_batch, &w, &err),
                     0);
    assert_int_equal(mirror_settle(&w.mirror, &err), 0);
    told(&w, "list succeeded in 4000\n"
             "each mapped\n"
             "each[b] running\n"
             "each[b] 1|of b\n"
             "each[b] succeeded in 1000\n");
    close_world(&w);
}

static void
output_of_nobody_is_dropped(void **state)
{
    struct world w;

    open_world(&w, state);
    write_output(&w, 1, 7, "of a child that never was");
    write_output(&w, 99, PLAN_WHOLE, "of no task");
    look(&w);
    bring(&w);
    told(&w, "");
    close_world(&w);
}

static void
earlier_sessions_are_kept_and_not_told_again(void **state)
{
    struct history *history = NULL;
    struct world w;
    struct err err;

    open_world(&w, state);
    tell(&w, 0, PLAN_WHOLE, PLAN_SUCCEEDED, "[\"a\", \"b\"]", 1, 5);
    tell(&w, 1, PLAN_WHOLE, PLAN_MAPPED, NULL, 0, 0);
    tell(&w, 1, 0, PLAN_SUCCEEDED, "\"x\"", 6, 7);
    tell(&w, 1, 1, PLAN_FAILED, NULL, 6, 7);
    write_output(&w, 1, 1, "of the first session");
    assert_int_equal(store_flush(w.box->store, &err), 0);
    assert_int_equal(history_load(&history, w.box->store, w.run, &err), 0);
    tell(&w, 1, 1, PLAN_SUCCEEDED, "\"y\"", 8, 9);
    tell(&w, 2, PLAN_WHOLE, PLAN_SUCCEEDED, NULL, 10, 11);
    w.follow.resume = history;
    look(&w);
    bring(&w);
    told(&w, "list succeeded kept\n"
             "each mapped kept\n"
             "each[a] succeeded kept\n"
             "each[b] succeeded in 1000\n"
             "end succeeded in 1000\n");
    assert_true(run_is_success(w.mirror.run));
    history_destroy(&history);
    close_world(&w);
}

static void
attempts_of_earlier_sessions_make_no_delay_longer(void **state)
{
    struct history *history = NULL;
    struct world w;
    struct err err;

    open_world(&w, state);
    tell(&w, 0, PLAN_WHOLE, PLAN_SUCCEEDED, "[]", 1, 5);
    tell(&w, 1, PLAN_WHOLE, PLAN_SUCCEEDED, "[]", 5, 5);
    w.attempt = 3;
    tell(&w, 2, PLAN_WHOLE, PLAN_FAILED, NULL, 6, 7);
    assert_int_equal(store_flush(w.box->store, &err), 0);
    assert_int_equal(history_load(&history, w.box->store, w.run, &err), 0);
    w.attempt = 4;
    tell(&w, 2, PLAN_WHOLE, PLAN_RETRYING, NULL, 8, 9);
    w.attempt = 5;
    tell(&w, 2, PLAN_WHOLE, PLAN_RETRYING, NULL, 10, 11);
    w.follow.resume = history;
    look(&w);
    bring(&w);
    told(&w, "list succeeded kept\n"
             "each succeeded kept\n"
             "end retrying in 1000, again in 1 h\n"
             "end retrying in 1000, again in 10 h\n");
    history_destroy(&history);
    close_world(&w);
}

static void
what_is_executed_again_is_not_kept(void **state)
{
    struct history *history = NULL;
    struct world w;
    struct err err;

    open_world(&w, state);
    tell(&w, 0, PLAN_WHOLE, PLAN_SUCCEEDED, "[\"a\", \"b\"]", 1, 5);
    tell(&w, 1, PLAN_WHOLE, PLAN_MAPPED, NULL, 0, 0);
    tell(&w, 1, 0, PLAN_SUCCEEDED, "\"x\"", 6, 7);
    tell(&w, 1, 1, PLAN_SUCCEEDED, "\"y\"", 6, 7);
    tell(&w, 2, PLAN_WHOLE, PLAN_SUCCEEDED, NULL, 8, 9);
    assert_int_equal(store_flush(w.box->store, &err), 0);
    assert_int_equal(history_load(&history, w.box->store, w.run, &err), 0);
    w.follow.resume = history;
    w.follow.from = 1;
    look(&w);
    bring(&w);
    told(&w, "list succeeded kept\n");
    history_destroy(&history);
    close_world(&w);
}

static void
records_of_another_flow_are_refused(void **state)
{
    static const char batch[] = "1700000000000000\n{\"0\":\"list\"}\n"
                                "not records";
    struct world w;
    struct err err = {0};

    open_world(&w, state);
    look(&w);
    assert_int_equal(mirror_batch(&w.mirror, batch, strlen(batch), &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    tell(&w, 1, PLAN_WHOLE, PLAN_MAPPED, NULL, 0, 0);
    assert_int_equal(store_flush(w.box->store, &err), 0);
    assert_int_equal(store_batches(w.box->store, w.run, 0, on_batch, &w, &err),
                     0);
    /* The list that it maps over is not known: there can't be children. */
    assert_int_equal(mirror_settle(&w.mirror, &err), -1);
    close_world(&w);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            inputs_end_before_what_depends_on_them_writes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            output_comes_before_the_end_of_its_attempt, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_others_write_first_does_not_end_it_before_its_output, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            output_before_its_record_says_that_the_attempt_runs, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            output_of_a_child_waits_for_the_record_that_makes_it, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(
            output_of_a_child_that_is_not_there_yet_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(output_of_nobody_is_dropped, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            earlier_sessions_are_kept_and_not_told_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            attempts_of_earlier_sessions_make_no_delay_longer, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(what_is_executed_again_is_not_kept,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(records_of_another_flow_are_refused,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
