/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "flow/value.h"
#include "proto/limits.h"
#include "tests/support/text.h"
#include "tests/support/told.h"

static void
nothing_to_say_is_no_frame(void **state)
{
    struct lane_out *lane = lane_out_new();
    struct return_out *back = return_out_new(5);

    (void)state;
    assert_null(lane_out_next(lane));
    assert_null(return_out_next(back));
    lane_out_destroy(&lane);
    return_out_destroy(&back);
    lane_out_destroy(&lane);
    return_out_destroy(&back);
}

static void
forward(void *ctx, const struct lane_task *task)
{
    struct lane_out *to = ctx;
    struct err err;

    assert_int_equal(task->work->item != NULL,
                     task->work->id.child != PLAN_WHOLE);
    assert_null(task->work->own);
    assert_int_equal(lane_out_task(to, task, &err), 0);
    lane_work_free(task->work);
}

/* An agent hands calls to its workers as it was given them. */
static void
calls_can_be_passed_on_unread(void **state)
{
    static const struct lane_calls calls = {.task = forward, .passes_on = true};
    struct lane_out *from = lane_out_new(), *to = lane_out_new();
    struct work_spec spec = spec_of(0, "noop");
    struct work work = work_of(&spec, 5);
    struct told direct = {0}, hop = {0};
    struct lane_in *in = lane_in_new();
    const struct buf *frame;
    struct wire wire;
    struct err err;

    (void)state;
    work.own = json_pack("{s:i}", "i", 5);
    put_task(from, 1, &work);
    work_release(&work);
    work = work_of(&spec, PLAN_WHOLE);
    put_task(from, 2, &work);
    frame = lane_out_next(from);
    decode(&wire, frame);
    assert_int_equal(read_lane(&direct, &wire, &err), 0);
    assert_int_equal(lane_read(in, &wire, &calls, to, &err), 0);
    wire_release(&wire);
    lane_out_sent(from);
    assert_int_equal(pass_lane(to, &hop), 1);
    assert_string_equal(buf_str(&direct.text), buf_str(&hop.text));
    assert_non_null(strstr(buf_str(&hop.text), "with={\"i\":5}"));
    told_release(&direct);
    told_release(&hop);
    lane_in_destroy(&in);
    lane_out_destroy(&from);
    lane_out_destroy(&to);
}

/* ... but not those of which something has to be known on the way. */
static void
calls_with_more_to_them_are_read(void **state)
{
    static const struct lane_calls calls = {.task = told_task,
                                            .passes_on = true};
    struct lane_out *out = lane_out_new();
    struct work_spec when = spec_of(0, "a"), creates = spec_of(1, "b");
    struct told told = {.in = lane_in_new()};
    struct wire wire;
    struct err err;

    (void)state;
    when.when = "true";
    creates.creates = true;
    for (int i = 0; i < 2; i++) {
        struct work work = work_of(i == 0 ? &when : &creates, 1);

        work.own = json_pack("{s:i}", "i", i);
        put_task(out, (uint32_t)i + 1, &work);
        work_release(&work);
    }
    decode(&wire, lane_out_next(out));
    assert_int_equal(lane_read(told.in, &wire, &calls, &told, &err), 0);
    wire_release(&wire);
    lane_out_sent(out);
    for (size_t i = 0; i < told.ntask; i++) {
        assert_null(told.tasks[i].work->item);
        assert_non_null(told.tasks[i].work->own);
    }
    assert_int_equal(told.ntask, 2);
    told_release(&told);
    lane_out_destroy(&out);
}

static void
a_lane_says_it_all_in_one_frame(void **state)
{
    struct lane_out *out = lane_out_new();
    struct told told = {0};
    struct work_spec call = spec_of(0, "noop"), script = spec_of(3, "train");
    struct work work;

    (void)state;
    lane_out_leave(out);
    lane_out_beat(out, 12);
    lane_out_ack(out, 1);
    lane_out_ack(out, 2);
    lane_out_saved(out, 70);
    lane_out_saved(out, 77);
    lane_out_drain(out);
    script.kind = FLOW_SCRIPT;
    script.script = "";
    work = work_of(&call, PLAN_WHOLE);
    put_task(out, 1, &work);
    work = work_of(&script, 2);
    work.attempt = 4;
    work.name = text("train[8,3]");
    work.own = json_pack("{s:i, s:[b, n]}", "lr", 8, "l", 1);
    work.env = json_pack("{s:s}", "A", "\"\xe2\x82\xac\n");
    work.input = json_string("in");
    work.cwd = text("/tmp/a b");
    work.creates = text("out");
    put_task(out, 2, &work);
    json_decref(work.own);
    json_decref(work.env);
    json_decref(work.input);
    work = work_of(&script, PLAN_WHOLE);
    work.name = text("train");
    work.argv = json_pack("[s, i]", "x", 3);
    put_task(out, 3, &work);
    json_decref(work.argv);
    lane_out_cancel(out, 9, false);
    lane_out_cancel(out, 10, true);
    lane_out_recall(out, 11);
    lane_out_keep(out, 13);
    lane_out_done(out, 14);
    assert_true(lane_out_bytes(out) > 0);
    assert_int_equal(pass_lane(out, &told), 1);
    assert_string_equal(
        buf_str(&told.text),
        "task 1 noop/-1 try 1\n"
        "task 2 train/2 try 4 `train[8,3]` with={\"lr\":8,\"l\":[true,null]} "
        "env={\"A\":\"\\\"\xe2\x82\xac\\n\"} stdin=\"in\" cwd=/tmp/a b "
        "creates=out\n"
        "task 3 train/-1 try 1 `train` argv=[\"x\",3]\n"
        "cancel 9\nkill 10\nrecall 11\nsaved 77\nkeep 13\ndone 14\nack 2\n"
        "drain\nbeat 12\nleave\n");
    told_release(&told);
    lane_out_destroy(&out);
}

static void
a_spec_comes_back_as_it_was(void **state)
{
    struct flow_resource resources[] = {{text("gpus"), 0.25},
                                        {text("memory"), 1e9}};
    struct lane_out *out = lane_out_new();
    struct told told = {0};
    struct work_spec spec = {
        .run = UINT64_MAX,
        .task = LIMIT_TASKS - 1,
        .flow = "nightly \xc3\xa9",
        .name = "t",
        .kind = FLOW_SCRIPT,
        .value = VALUE_JSON,
        .script = "echo\n",
        .shell = "/bin/bash -e",
        .when = "true",
        .exit_skip = {{1, 0, 0, UINT64_MAX}},
        .exit_retry = {{0, 2, 0, 0}},
        .timeout = (int64_t)LIMIT_SPAN_US,
        .grace = 5,
        .exclusive = true,
        .at_most_once = true,
        .resources = resources,
        .nresource = 2,
        .params = json_pack("{s:{s:f}}", "p", "q", 0.1),
        .home = "/home/a",
        .program = "/a/b\xff",
        .nprogram = 5,
        .source_hash = "00ff",
    };
    struct work work = work_of(&spec, 0);
    const struct work_spec *got;

    (void)state;
    put_task(out, 1, &work);
    assert_int_equal(pass_lane(out, &told), 1);
    got = told.tasks[0].work->spec;
    assert_true(got->run == spec.run);
    assert_int_equal(got->task, spec.task);
    assert_string_equal(got->flow, spec.flow);
    assert_string_equal(got->name, spec.name);
    assert_int_equal(got->kind, spec.kind);
    assert_int_equal(got->value, spec.value);
    assert_string_equal(got->script, spec.script);
    assert_string_equal(got->shell, spec.shell);
    assert_string_equal(got->when, spec.when);
    assert_memory_equal(&got->exit_skip, &spec.exit_skip,
                        sizeof spec.exit_skip);
    assert_memory_equal(&got->exit_retry, &spec.exit_retry,
                        sizeof spec.exit_retry);
    assert_true(got->timeout == spec.timeout && got->grace == spec.grace);
    assert_true(got->exclusive && got->at_most_once);
    assert_int_equal(got->nresource, 2);
    assert_string_equal(got->resources[0].name, "gpus");
    assert_true(got->resources[0].amount == 0.25);
    assert_string_equal(got->resources[1].name, "memory");
    assert_true(got->resources[1].amount == 1e9);
    assert_true(value_equal(got->params, spec.params));
    assert_string_equal(got->home, spec.home);
    assert_int_equal(got->nprogram, spec.nprogram);
    assert_memory_equal(got->program, spec.program, spec.nprogram);
    assert_string_equal(got->source_hash, spec.source_hash);
    json_decref(spec.params);
    told_release(&told);
    lane_out_destroy(&out);
}

static void
handlers_go_beside_their_task(void **state)
{
    struct lane_out *out = lane_out_new();
    struct told told = {0};
    struct work_spec task = spec_of(3, "a");
    struct work_spec handlers = spec_of(3, "a");
    struct work one = work_of(&task, PLAN_WHOLE);
    struct work other = work_of(&handlers, PLAN_WHOLE);

    (void)state;
    handlers.handlers = true;
    other.attempt = 0;
    other.handle = json_pack("{s:i,s:i}", "from", 0, "to", 5);
    for (uint32_t i = 0; i < 4; i++)
        put_task(out, 1 + i, i % 2 ? &one : &other);
    assert_int_equal(pass_lane(out, &told), 1);
    assert_string_equal(buf_str(&told.text),
                        "task 1 a/-1 try 0 handle={\"from\":0,\"to\":5}\n"
                        "task 2 a/-1 try 1\n"
                        "task 3 a/-1 try 0 handle={\"from\":0,\"to\":5}\n"
                        "task 4 a/-1 try 1\n");
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(told.tasks[i].work->spec->handlers, i % 2 == 0);
    json_decref(other.handle);
    told_release(&told);
    lane_out_destroy(&out);
}

static void
tasks_of_a_frame_share_specs_and_parameters(void **state)
{
    struct lane_out *out = lane_out_new();
    struct told told = {0};
    struct work_spec a = spec_of(0, "a"), b = spec_of(1, "b");
    struct work wa, wb;

    (void)state;
    a.params = b.params = json_pack("{s:i}", "n", 1);
    wa = work_of(&a, PLAN_WHOLE);
    wb = work_of(&b, PLAN_WHOLE);
    for (uint32_t i = 0; i < 300; i++)
        put_task(out, 1 + i, i % 2 ? &wa : &wb);
    assert_int_equal(pass_lane(out, &told), 1);
    for (size_t i = 0; i < 300; i++) {
        assert_ptr_equal(told.tasks[i].work->spec,
                         told.tasks[i % 2].work->spec);
        assert_ptr_equal(told.tasks[i].work->spec->params,
                         told.tasks[0].work->spec->params);
    }
    json_decref(a.params);
    told_release(&told);
    lane_out_destroy(&out);
}

/* Each with a spec of its own: the table of specs grows. */
static void
many_tasks_take_several_frames(void **state)
{
    struct lane_out *out = lane_out_new();
    struct told told = {0};
    struct err err;
    size_t ntask = 30000, frames;

    (void)state;
    for (size_t i = 0; i < ntask; i++) {
        struct work_spec spec = spec_of((uint32_t)i, "t");
        struct work work = work_of(&spec, PLAN_WHOLE);
        struct lane_task task = {(uint32_t)i + 1, &work};

        work.own = json_pack("{s:i}", "i", (int)i);
        assert_int_equal(lane_out_task(out, &task, &err), 0);
        json_decref(work.own);
        if (i % 3 == 0)
            lane_out_recall(out, (uint32_t)i + 1);
    }
    frames = pass_lane(out, &told);
    assert_in_range(frames, 10, 20);
    assert_int_equal(told.ntask, ntask);
    for (size_t i = 0; i < ntask; i++) {
        const struct work *work = told.tasks[i].work;

        assert_int_equal(told.tasks[i].ticket, i + 1);
        assert_int_equal(work->spec->task, i);
        assert_int_equal(json_integer_value(json_object_get(work->own, "i")),
                         i);
    }
    told_release(&told);
    lane_out_destroy(&out);
}

static void
a_frame_holds_no_more_than_its_bytes(void **state)
{
    struct lane_out *out = lane_out_new();
    struct told told = {0};
    struct work_spec spec = spec_of(0, "t");
    struct work work = work_of(&spec, PLAN_WHOLE);
    char *long_text = mem_alloc(100001, 1);

    (void)state;
    memset(long_text, 'x', 100000);
    work.own = json_pack("{s:s}", "i", long_text);
    for (uint32_t i = 0; i < 35; i++)
        put_task(out, i + 1, &work);
    assert_int_equal(pass_lane(out, &told), 4);
    assert_int_equal(told.ntask, 35);
    json_decref(work.own);
    free(long_text);
    told_release(&told);
    lane_out_destroy(&out);
}

static void
what_can_not_travel_is_refused_and_nothing_else(void **state)
{
    struct lane_out *out = lane_out_new();
    struct told told = {0};
    struct work_spec good = spec_of(0, "good"), bad = spec_of(1, "bad");
    struct work fine = work_of(&good, PLAN_WHOLE),
                wrong = work_of(&bad, PLAN_WHOLE);
    struct lane_task task = {2, &wrong};
    char *huge = mem_alloc((1 << 20) + 1, 1);
    struct err err;

    (void)state;
    memset(huge, 'x', 1 << 20);
    put_task(out, 1, &fine);
    wrong.input = json_string(huge);
    assert_int_equal(lane_out_task(out, &task, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    assert_string_equal(err.msg,
                        "its values have 1048588 bytes; 917504 are the most "
                        "that travel to an agent: write a file and give its "
                        "path");
    json_decref(wrong.input);
    wrong.input = NULL;
    wrong.cwd = text("\xff");
    assert_int_equal(lane_out_task(out, &task, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.msg,
                        "cwd is not UTF-8 text: it can't be sent to an agent");
    wrong.cwd = NULL;
    bad.script = "\xff";
    assert_int_equal(lane_out_task(out, &task, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    put_task(out, 3, &fine);
    bad.script = huge;
    assert_int_equal(lane_out_task(out, &task, &err), -1);
    assert_int_equal(err.code, ERR_LIMIT);
    put_task(out, 4, &fine);
    (void)pass_lane(out, &told);
    assert_string_equal(buf_str(&told.text),
                        "task 1 good/-1 try 1\ntask 3 good/-1 try 1\n"
                        "task 4 good/-1 try 1\n");
    free(huge);
    told_release(&told);
    lane_out_destroy(&out);
}

/* As deep as a value may be, inside of a binding. */
static void
values_travel_however_deep_they_may_be(void **state)
{
    struct lane_out *out = lane_out_new();
    struct told told = {0};
    struct work_spec spec = spec_of(0, "t");
    struct work work = work_of(&spec, PLAN_WHOLE);
    json_t *deep = json_integer(1);
    struct err err;

    (void)state;
    for (int i = 0; i < LIMIT_DEPTH; i++)
        deep = json_pack("[o]", deep);
    assert_int_equal(value_check(deep, &err), 0);
    work.own = json_pack("{s:O}", "x", deep);
    put_task(out, 1, &work);
    work.env = json_pack("{s:O}", "x", deep);
    work.argv = json_pack("[O]", deep);
    work.input = json_incref(deep);
    put_task(out, 2, &work);
    assert_int_equal(pass_lane(out, &told), 1);
    assert_true(value_equal(told.tasks[1].work->env, work.env));
    json_decref(work.own);
    json_decref(work.env);
    json_decref(work.argv);
    json_decref(work.input);
    json_decref(deep);
    told_release(&told);
    lane_out_destroy(&out);
}

static void
a_frame_that_could_not_be_sent_waits(void **state)
{
    struct lane_out *out = lane_out_new();
    struct told told = {0};
    const struct buf *frame;
    char copy[64];
    size_t n;

    (void)state;
    lane_out_beat(out, 1);
    frame = lane_out_next(out);
    n = frame->len;
    memcpy(copy, frame->data, n);
    lane_out_beat(out, 2);
    lane_out_ack(out, 3);
    frame = lane_out_next(out);
    assert_int_equal(frame->len, n);
    assert_memory_equal(frame->data, copy, n);
    assert_int_equal(pass_lane(out, &told), 2);
    assert_string_equal(buf_str(&told.text), "beat 1\nack 3\nbeat 2\n");
    told_release(&told);
    lane_out_destroy(&out);
}

int
main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_to_say_is_no_frame),
        cmocka_unit_test(calls_can_be_passed_on_unread),
        cmocka_unit_test(calls_with_more_to_them_are_read),
        cmocka_unit_test(a_lane_says_it_all_in_one_frame),
        cmocka_unit_test(a_spec_comes_back_as_it_was),
        cmocka_unit_test(handlers_go_beside_their_task),
        cmocka_unit_test(tasks_of_a_frame_share_specs_and_parameters),
        cmocka_unit_test(many_tasks_take_several_frames),
        cmocka_unit_test(a_frame_holds_no_more_than_its_bytes),
        cmocka_unit_test(what_can_not_travel_is_refused_and_nothing_else),
        cmocka_unit_test(values_travel_however_deep_they_may_be),
        cmocka_unit_test(a_frame_that_could_not_be_sent_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
