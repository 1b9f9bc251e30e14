/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "flow/value.h"
#include "proto/convert.h"
#include "proto/limits.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* ---- what a reader was told, as lines of text ---- */

struct told {
    struct lane_in *in; /* made when it is needed */
    struct buf text;
    struct lane_task *tasks; /* kept */
    size_t ntask, cap;
};

static void
told_release(struct told *self)
{
    for (size_t i = 0; i < self->ntask; i++)
        lane_work_free(self->tasks[i].work);
    lane_in_destroy(&self->in);
    free(self->tasks);
    buf_release(&self->text);
}

static void
tell_json(struct told *self, const char *name, const json_t *value)
{
    if (!value)
        return;
    buf_printf(&self->text, " %s=", name);
    value_json(value, &self->text);
}

static void
on_task(void *ctx, const struct lane_task *task)
{
    struct told *self = ctx;
    const struct work *work = task->work;

    buf_printf(&self->text, "task %u %s/%d try %u", task->ticket,
               work->spec->name, (int)work->id.child, work->attempt);
    if (work->name)
        buf_printf(&self->text, " `%s`", work->name);
    tell_json(self, "with", work->own);
    tell_json(self, "env", work->env);
    tell_json(self, "argv", work->argv);
    tell_json(self, "stdin", work->input);
    tell_json(self, "handle", work->handle);
    if (work->cwd)
        buf_printf(&self->text, " cwd=%s", work->cwd);
    if (work->creates)
        buf_printf(&self->text, " creates=%s", work->creates);
    buf_char(&self->text, '\n');
    self->tasks =
        mem_grow(self->tasks, &self->cap, self->ntask + 1, sizeof *self->tasks);
    self->tasks[self->ntask++] = *task;
}

static void
on_cancel(void *ctx, uint32_t ticket, bool at_once)
{
    struct told *self = ctx;

    buf_printf(&self->text, "%s %u\n", at_once ? "kill" : "cancel", ticket);
}

static void
on_recall(void *ctx, uint32_t ticket)
{
    struct told *self = ctx;

    buf_printf(&self->text, "recall %u\n", ticket);
}

static void
on_saved(void *ctx, uint64_t bytes)
{
    struct told *self = ctx;

    buf_printf(&self->text, "saved %llu\n", (unsigned long long)bytes);
}

static void
on_keep(void *ctx, uint32_t ticket)
{
    struct told *self = ctx;

    buf_printf(&self->text, "keep %u\n", ticket);
}

static void
on_done(void *ctx, uint32_t ticket)
{
    struct told *self = ctx;

    buf_printf(&self->text, "done %u\n", ticket);
}

static void
on_ack(void *ctx, uint64_t number)
{
    struct told *self = ctx;

    buf_printf(&self->text, "ack %llu\n", (unsigned long long)number);
}

static void
on_drain(void *ctx)
{
    struct told *self = ctx;

    buf_text(&self->text, "drain\n");
}

static void
on_lane_beat(void *ctx, uint64_t number)
{
    struct told *self = ctx;

    buf_printf(&self->text, "beat %llu\n", (unsigned long long)number);
}

static void
on_leave(void *ctx)
{
    struct told *self = ctx;

    buf_text(&self->text, "leave\n");
}

static const struct lane_calls lane_calls = {
    on_task, on_cancel, on_recall,    on_saved, on_keep, on_done,
    on_ack,  on_drain,  on_lane_beat, on_leave, false,
};

static void
on_beat(void *ctx, const struct beat *beat)
{
    struct told *self = ctx;

    buf_printf(&self->text, "beat %llu: %u queued, %u running, %.2f, %llu\n",
               (unsigned long long)beat->number, beat->queued, beat->running,
               beat->load, (unsigned long long)beat->memory);
}

static void
on_started(void *ctx, uint32_t ticket)
{
    struct told *self = ctx;

    buf_printf(&self->text, "started %u\n", ticket);
}

static void
on_output(void *ctx, const struct output *output)
{
    struct told *self = ctx;

    buf_printf(&self->text, "output %u %d %u+%llu %lld ", output->ticket,
               output->stream, output->origin,
               (unsigned long long)output->offset, (long long)output->when);
    if (output->n < 100)
        buf_add(&self->text, output->data, output->n);
    else
        buf_printf(&self->text, "%zu bytes", output->n);
    buf_char(&self->text, '\n');
}

static void
on_result(void *ctx, uint64_t number, const struct result *result)
{
    struct told *self = ctx;

    buf_printf(&self->text, "%llu: %u %s %lld..%lld",
               (unsigned long long)number, result->ticket,
               plan_state_names[result->state], (long long)result->started,
               (long long)result->ended);
    tell_json(self, "value", result->value);
    if (result->cause)
        buf_printf(&self->text, " `%s`", result->cause);
    if (result->code != -1)
        buf_printf(&self->text, " code %d", result->code);
    if (result->cpu || result->memory)
        buf_printf(&self->text, " cpu %lld memory %lld", (long long)result->cpu,
                   (long long)result->memory);
    if (result->cwd)
        buf_printf(&self->text, " cwd=%s", result->cwd);
    if (result->refused)
        buf_printf(&self->text, " refused %d", (int)result->refused);
    buf_char(&self->text, '\n');
}

static void
on_given_back(void *ctx, uint32_t ticket)
{
    struct told *self = ctx;

    buf_printf(&self->text, "given back %u\n", ticket);
}

static void
on_leaving(void *ctx)
{
    struct told *self = ctx;

    buf_text(&self->text, "leaving\n");
}

static const struct return_calls return_calls = {
    on_beat, on_started, on_output, on_result, on_given_back, on_leaving,
};

/* A frame is decoded, and what the packer of protobuf-c makes of the same
 * message is the same bytes. */
static void
decode(struct wire *ret, const struct buf *frame)
{
    struct buf again = {0};
    struct err err;

    assert_true(frame->len <= LIMIT_FRAME_BYTES);
    if (wire_decode(ret, frame->data, frame->len, &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(wire_encode(&again, ret->type, ret->as.base, &err), 0);
    assert_int_equal(again.len, frame->len);
    assert_memory_equal(again.data, frame->data, frame->len);
    buf_release(&again);
}

static int
read_lane(struct told *told, const struct wire *wire, struct err *err)
{
    if (!told->in)
        told->in = lane_in_new();
    return lane_read(told->in, wire, &lane_calls, told, err);
}

/* Send everything there is; how many frames it took. */
static size_t
pass_lane(struct lane_out *out, struct told *told)
{
    const struct buf *frame;
    struct wire wire;
    struct err err;
    size_t n = 0;

    while ((frame = lane_out_next(out))) {
        decode(&wire, frame);
        lane_out_sent(out);
        assert_int_equal(wire.type, WIRE_LANE);
        if (read_lane(told, &wire, &err) < 0)
            fail_msg("%s", err.msg);
        wire_release(&wire);
        n++;
    }
    assert_int_equal(lane_out_bytes(out), 0);
    return n;
}

static size_t
pass_return(struct return_out *out, uint64_t session, struct told *told)
{
    const struct buf *frame;
    struct wire wire;
    struct err err;
    size_t n = 0;

    while ((frame = return_out_next(out))) {
        decode(&wire, frame);
        return_out_sent(out);
        assert_int_equal(wire.type, WIRE_RETURN);
        assert_int_equal(wire.as.back->session, session);
        if (return_read(&wire, &return_calls, told, &err) < 0)
            fail_msg("%s", err.msg);
        wire_release(&wire);
        n++;
    }
    assert_int_equal(return_out_bytes(out), 0);
    return n;
}

/* ---- lanes ---- */

static struct work_spec
spec_of(uint32_t task, const char *name)
{
    return (struct work_spec){
        .run = 7, .task = task, .flow = "f", .name = name, .kind = FLOW_CALL};
}

static struct work
work_of(const struct work_spec *spec, uint32_t child)
{
    return (struct work){.spec = spec, .id = {spec->task, child}, .attempt = 1};
}

static void
put_task(struct lane_out *out, uint32_t ticket, const struct work *work)
{
    struct lane_task task = {ticket, work};
    struct err err;

    if (lane_out_task(out, &task, &err) < 0)
        fail_msg("%s", err.msg);
}

static char *
text(const char *s)
{
    return (char *)(uintptr_t)s;
}

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
    static const struct lane_calls calls = {.task = on_task, .passes_on = true};
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

/* ---- what is a run's ---- */

/* A run whose parameter has its number. */
static struct work_spec
spec_of_run(uint64_t run)
{
    struct work_spec spec = spec_of(0, "t");

    spec.run = spec.common = run;
    spec.params = json_pack("{s:I}", "n", (json_int_t)run);
    return spec;
}

/* Send a task in a frame of its own; how many runs that tells of. */
static size_t
pass_task(struct lane_out *out, struct told *told, const struct work_spec *spec)
{
    struct work work = work_of(spec, PLAN_WHOLE);
    const struct work_spec *got;
    struct wire wire;
    struct err err;
    size_t n;

    put_task(out, 1, &work);
    decode(&wire, lane_out_next(out));
    lane_out_sent(out);
    n = wire.as.lane->n_runs;
    if (read_lane(told, &wire, &err) < 0)
        fail_msg("%s", err.msg);
    wire_release(&wire);
    got = told->tasks[told->ntask - 1].work->spec;
    assert_int_equal(got->run, spec->run);
    assert_true(value_equal(got->params, spec->params));
    assert_string_equal(got->home ? got->home : "",
                        spec->home ? spec->home : "");
    return n;
}

static void
what_is_a_runs_goes_once(void **state)
{
    struct lane_out *out = lane_out_new();
    struct work_spec spec = spec_of_run(1), other = spec_of_run(2);
    struct told told = {0};
    const struct work_spec *first, *second;

    (void)state;
    assert_int_equal(pass_task(out, &told, &spec), 1);
    assert_int_equal(pass_task(out, &told, &spec), 0);
    assert_int_equal(pass_task(out, &told, &other), 1);
    assert_int_equal(pass_task(out, &told, &spec), 0);
    first = told.tasks[0].work->spec;
    second = told.tasks[1].work->spec;
    assert_ptr_equal(first->params, second->params);
    assert_int_equal(first->common, second->common);
    assert_true(first->common != told.tasks[2].work->spec->common);
    lane_out_forget(out, 1);
    assert_int_equal(pass_task(out, &told, &other), 0);
    assert_int_equal(pass_task(out, &told, &spec), 1);
    /* the number may be another broker's */
    spec.common = 3;
    assert_int_equal(pass_task(out, &told, &spec), 1);
    json_decref(spec.params);
    json_decref(other.params);
    told_release(&told);
    lane_out_destroy(&out);
}

static void
folders_of_a_run_may_differ(void **state)
{
    static const char *const homes[] = {"/a", "/b", NULL, "/a"};
    struct lane_out *out = lane_out_new();
    struct work_spec spec = spec_of_run(1);
    struct told told = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(homes); i++) {
        struct work work = work_of(&spec, (uint32_t)i);

        spec.home = homes[i];
        put_task(out, (uint32_t)i + 1, &work);
    }
    assert_int_equal(pass_lane(out, &told), 1);
    for (size_t i = 0; i < COUNT(homes); i++) {
        const char *home = told.tasks[i].work->spec->home;

        assert_string_equal(home ? home : "", homes[i] ? homes[i] : "");
    }
    assert_ptr_equal(told.tasks[0].work->spec, told.tasks[3].work->spec);
    json_decref(spec.params);
    told_release(&told);
    lane_out_destroy(&out);
}

/* In turns, in a frame each and all in one: each has its own. */
static void
there_may_be_more_runs_than_a_lane_knows(void **state)
{
    struct work_spec specs[LIMIT_LANE_RUNS + 8];
    struct lane_out *out = lane_out_new();
    struct told told = {0};

    (void)state;
    for (size_t i = 0; i < COUNT(specs); i++)
        specs[i] = spec_of_run(i + 1);
    for (size_t i = 0; i < 2 * COUNT(specs); i++)
        (void)pass_task(out, &told, &specs[i % COUNT(specs)]);
    for (size_t i = 0; i < COUNT(specs); i++) {
        struct work work = work_of(&specs[i], PLAN_WHOLE);

        put_task(out, (uint32_t)i + 1, &work);
        if (i % 3 == 0)
            lane_out_forget(out, i + 1);
    }
    (void)pass_lane(out, &told);
    assert_int_equal(told.ntask, 3 * COUNT(specs));
    for (size_t i = 0; i < COUNT(specs); i++) {
        const struct work *work = told.tasks[2 * COUNT(specs) + i].work;

        assert_true(value_equal(work->spec->params, specs[i].params));
        json_decref(specs[i].params);
    }
    told_release(&told);
    lane_out_destroy(&out);
}

/* ---- what a broken sender could send ---- */

static const char *
wrong_with_lane(const char *item, const char *params, struct err *err)
{
    uint32_t one = 1, zero = 0, nitem = (uint32_t)strlen(item);
    struct told told = {0};
    struct buf frame = {0};
    struct wire wire;
    Wire__Run run, *runs[] = {&run};
    Wire__Spec spec, *specs[] = {&spec};
    Wire__Lane lane;

    err->msg[0] = '\0';
    wire__spec__init(&spec);
    spec.name = text("t");
    wire__run__init(&run);
    run.params.data = (uint8_t *)(uintptr_t)params;
    run.params.len = strlen(params);
    wire__lane__init(&lane);
    lane.n_runs = 1;
    lane.runs = runs;
    lane.n_specs = lane.n_ticket = lane.n_spec = lane.n_child = 1;
    lane.n_attempt = lane.n_item = 1;
    lane.specs = specs;
    lane.ticket = lane.attempt = &one;
    lane.spec = lane.child = &zero;
    lane.item = &nitem;
    lane.items.data = (uint8_t *)(uintptr_t)item;
    lane.items.len = nitem;
    assert_int_equal(wire_encode(&frame, WIRE_LANE, &lane.base, err), 0);
    assert_int_equal(wire_decode(&wire, frame.data, frame.len, err), 0);
    if (read_lane(&told, &wire, err) < 0)
        assert_int_equal(err->code, ERR_INVALID);
    wire_release(&wire);
    buf_release(&frame);
    told_release(&told);
    return err->msg;
}

static void
json_that_is_none_is_refused(void **state)
{
    static const char *const not_json[] = {
        "{",
        "{\"with\":{}",
        "{\"with\":{}}}",
        "{\"with\":{\"a\"}}",
        "{\"with\":}",
        "{\"a\":1,\"a\":2}",
        "\xff",
        "1",
    };
    struct err err;

    (void)state;
    for (size_t i = 0; i < COUNT(not_json); i++)
        assert_string_equal(wrong_with_lane(not_json[i], "", &err),
                            "Lane.item: not JSON");
    assert_string_equal(wrong_with_lane("{\"with\":{}}", "", &err), "");
    assert_string_equal(
        wrong_with_lane("{\"with\":{},\"cwd\":\"a\"}", "{}", &err), "");
    assert_string_not_equal(wrong_with_lane("[]", "", &err), "");
    assert_string_not_equal(wrong_with_lane("{\"else\":1}", "", &err), "");
    assert_string_not_equal(wrong_with_lane("{\"with\":[]}", "", &err), "");
    assert_string_not_equal(wrong_with_lane("{\"argv\":{}}", "", &err), "");
    assert_string_equal(wrong_with_lane("{}", "[]", &err),
                        "Run.params: not a JSON object");
    assert_string_equal(wrong_with_lane("{}", "{", &err),
                        "Run.params: not a JSON object");
}

static void
a_run_that_was_never_told_is_refused(void **state)
{
    struct lane_out *out = lane_out_new();
    struct work_spec spec = spec_of_run(1);
    struct told told = {0};
    struct work work = work_of(&spec, PLAN_WHOLE);
    struct wire wire;
    struct err err;

    (void)state;
    (void)pass_task(out, &told, &spec);
    put_task(out, 2, &work);
    decode(&wire, lane_out_next(out));
    lane_in_clear(told.in);
    assert_int_equal(read_lane(&told, &wire, &err), -1);
    assert_int_equal(err.code, ERR_INVALID);
    assert_string_equal(err.msg, "Spec.place: no run is there");
    assert_int_equal(told.ntask, 1);
    wire_release(&wire);
    json_decref(spec.params);
    told_release(&told);
    lane_out_destroy(&out);
}

static void
nesting_past_the_limit_is_refused(void **state)
{
    struct buf item = {0};
    struct err err;

    (void)state;
    buf_text(&item, "{\"with\":{\"a\":");
    for (int i = 0; i <= LIMIT_DEPTH; i++)
        buf_char(&item, '[');
    for (int i = 0; i <= LIMIT_DEPTH; i++)
        buf_char(&item, ']');
    buf_text(&item, "}}");
    assert_string_equal(wrong_with_lane(buf_str(&item), "", &err),
                        "Lane.item: nested too deep");
    buf_release(&item);
}

static void
a_value_that_is_not_json_is_refused(void **state)
{
    struct told told = {0};
    struct buf frame = {0};
    struct wire wire;
    struct err err;
    Wire__Result result, *results[] = {&result};
    Wire__Return back;

    (void)state;
    wire__result__init(&result);
    result.ticket = 1;
    result.state = PLAN_SUCCEEDED;
    result.value.data = (uint8_t *)(uintptr_t) "[1";
    result.value.len = 2;
    wire__return__init(&back);
    back.first = 1;
    back.n_results = 1;
    back.results = results;
    assert_int_equal(wire_encode(&frame, WIRE_RETURN, &back.base, &err), 0);
    assert_int_equal(wire_decode(&wire, frame.data, frame.len, &err), 0);
    assert_int_equal(return_read(&wire, &return_calls, &told, &err), -1);
    assert_string_equal(err.msg, "Result.value: not JSON");
    wire_release(&wire);
    buf_release(&frame);
    told_release(&told);
}

/* ---- back ---- */

static struct result
plain(uint32_t ticket, int64_t started)
{
    return (struct result){.ticket = ticket,
                           .state = PLAN_SUCCEEDED,
                           .code = -1,
                           .started = started,
                           .ended = started + 5};
}

static void
a_return_says_it_all_in_one_frame(void **state)
{
    const struct output oops = {.ticket = 20,
                                .stream = 2,
                                .origin = 5,
                                .offset = 1ull << 40,
                                .when = 77,
                                .data = "oops",
                                .n = 4};
    struct return_out *out = return_out_new(3);
    struct beat beat = {.number = 4,
                        .queued = 5,
                        .running = 6,
                        .load = 0.5,
                        .memory = 1ull << 40};
    struct told told = {0};
    struct result result = plain(20, 1000);

    (void)state;
    return_out_leaving(out);
    return_out_given_back(out, 8);
    return_out_result(out, 100, &result);
    result = plain(21, 990); /* the clock was set back */
    return_out_result(out, 101, &result);
    result = plain(22, 995);
    result.value = json_pack("[i]", 1);
    result.code = 0;
    return_out_result(out, 102, &result);
    json_decref(result.value);
    result = plain(23, 996); /* plain, but after one that is not */
    return_out_result(out, 103, &result);
    result = (struct result){.ticket = 24,
                             .state = PLAN_CRASHED,
                             .cause = "no \xff program",
                             .code = 9,
                             .started = 1,
                             .ended = 2,
                             .cpu = 3,
                             .memory = 4,
                             .cwd = "/tmp",
                             .refused = REFUSED_PROGRAM};
    return_out_result(out, 104, &result);
    return_out_started(out, 20);
    return_out_output(out, &oops);
    return_out_beat(out, &beat);
    assert_int_equal(pass_return(out, 3, &told), 1);
    assert_string_equal(
        buf_str(&told.text),
        "beat 4: 5 queued, 6 running, 0.50, 1099511627776\n"
        "started 20\n"
        "output 20 2 5+1099511627776 77 oops\n"
        "100: 20 succeeded 1000..1005\n"
        "101: 21 succeeded 990..995\n"
        "102: 22 succeeded 995..1000 value=[1] code 0\n"
        "103: 23 succeeded 996..1001\n"
        "104: 24 crashed 1..2 `no \\xff program` code 9 cpu 3 memory 4 "
        "cwd=/tmp refused 1\n"
        "given back 8\n"
        "leaving\n");
    told_release(&told);
    return_out_destroy(&out);
}

static void
what_is_not_plain_is_told_in_full(void **state)
{
    static const struct result rows[] = {
        {.state = PLAN_SUCCEEDED, .code = -1, .started = 9, .ended = 8},
        {.state = PLAN_SUCCEEDED, .code = 0, .started = 9, .ended = 9},
        {.state = PLAN_SUCCEEDED, .code = -1, .cpu = 1},
        {.state = PLAN_SUCCEEDED, .code = -1, .memory = 1},
        {.state = PLAN_SUCCEEDED, .code = -1, .cwd = "/x"},
        {.state = PLAN_SUCCEEDED, .code = -1, .cause = "x"},
        {.state = PLAN_SUCCEEDED, .code = -1, .ended = INT64_C(1) << 40},
        {.state = PLAN_CACHED, .code = -1},
        {.state = PLAN_RETRYING, .code = -1, .cause = "again"},
    };
    struct told direct = {0}, told = {0};
    struct return_out *out = return_out_new(0);

    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct result result = rows[i];

        result.ticket = 1;
        on_result(&direct, 1, &result);
        return_out_result(out, 1, &result);
        assert_int_equal(pass_return(out, 0, &told), 1);
    }
    assert_string_equal(buf_str(&told.text), buf_str(&direct.text));
    told_release(&direct);
    told_release(&told);
    return_out_destroy(&out);
}

static uint32_t
roll(uint64_t *seed)
{
    *seed = *seed * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (uint32_t)(*seed >> 34);
}

/* In any mixture, and wherever a frame ends. */
static void
results_keep_their_numbers(void **state)
{
    struct return_out *out = return_out_new(1);
    struct told direct = {0}, told = {0};
    uint64_t number = 1, seed = 1;

    (void)state;
    for (uint32_t i = 0; i < 40000; i++) {
        struct result result = plain(i + 1, 1000000 + (int)roll(&seed) % 1000);

        if ((int)roll(&seed) % 1000 == 0)
            result.value = json_string("v");
        if ((int)roll(&seed) % 5000 == 0)
            number += 10;
        on_result(&direct, number, &result);
        return_out_result(out, number++, &result);
        json_decref(result.value);
        if ((int)roll(&seed) % 3000 == 0)
            (void)pass_return(out, 1, &told);
    }
    (void)pass_return(out, 1, &told);
    assert_string_equal(buf_str(&told.text), buf_str(&direct.text));
    told_release(&direct);
    told_release(&told);
    return_out_destroy(&out);
}

static void
plain_results_take_few_bytes(void **state)
{
    struct return_out *out = return_out_new(1);
    size_t n = 8000;

    (void)state;
    for (uint32_t i = 0; i < n; i++) {
        struct result result = plain(i + 1, INT64_C(1750000000000000) + i * 3);

        return_out_result(out, i + 1, &result);
    }
    assert_true(return_out_next(out)->len < n * 5);
    return_out_sent(out);
    assert_null(return_out_next(out));
    return_out_destroy(&out);
}

static void
values_and_causes_are_cut_to_what_may_travel(void **state)
{
    struct return_out *out = return_out_new(1);
    struct told told = {0};
    struct result result = plain(1, 0);
    char *huge = mem_alloc((1 << 20) + 1, 1);
    struct buf cause = {0};

    (void)state;
    memset(huge, 'x', 1 << 20);
    result.value = json_string(huge);
    return_out_result(out, 1, &result);
    json_decref(result.value);
    result.value = NULL;
    buf_char(&cause, 'c');
    while (cause.len < 1000)
        buf_text(&cause, "\xe2\x82\xac");
    result.cause = buf_str(&cause);
    result.state = PLAN_FAILED;
    return_out_result(out, 2, &result);
    (void)pass_return(out, 1, &told);
    assert_non_null(strstr(
        buf_str(&told.text),
        "1: 1 failed 0..5 `the value has 1048578 bytes; 917504 are the most "
        "that travel from an agent: write a file and give its path`\n"));
    assert_non_null(strstr(buf_str(&told.text), "2: 1 failed 0..5 `c\xe2"));
    assert_true(told.text.len < 700);
    buf_release(&cause);
    free(huge);
    told_release(&told);
    return_out_destroy(&out);
}

static void
long_output_is_cut_into_pieces(void **state)
{
    struct return_out *out = return_out_new(1);
    struct told told = {0};
    struct output output = {.ticket = 7,
                            .stream = 1,
                            .origin = 3,
                            .offset = 1000,
                            .when = -1,
                            .n = 5 * LIMIT_CHUNK_BYTES + 200};
    char *data = mem_alloc(output.n, 1);

    (void)state;
    output.data = data;
    return_out_output(out, &output);
    output.n = 0;
    return_out_output(out, &output);
    assert_int_equal(pass_return(out, 1, &told), 2);
    assert_string_equal(buf_str(&told.text),
                        "output 7 1 3+1000 -1 262144 bytes\n"
                        "output 7 1 3+263144 -1 262144 bytes\n"
                        "output 7 1 3+525288 -1 262144 bytes\n"
                        "output 7 1 3+787432 -1 262144 bytes\n"
                        "output 7 1 3+1049576 -1 262144 bytes\n"
                        "output 7 1 3+1311720 -1 200 bytes\n");
    free(data);
    told_release(&told);
    return_out_destroy(&out);
}

static void
a_new_session_begins_with_nothing(void **state)
{
    struct return_out *out = return_out_new(1);
    struct told told = {0};

    (void)state;
    return_out_started(out, 1);
    assert_non_null(return_out_next(out));
    return_out_started(out, 2);
    return_out_begin(out, 9);
    assert_null(return_out_next(out));
    return_out_started(out, 3);
    assert_int_equal(pass_return(out, 9, &told), 1);
    assert_string_equal(buf_str(&told.text), "started 3\n");
    told_release(&told);
    return_out_destroy(&out);
}

static void
calls_that_nobody_wants_are_left_out(void **state)
{
    static const struct return_calls no_return = {0};
    static const struct lane_calls no_lane = {0};
    struct lane_out *lane = lane_out_new();
    struct lane_in *in = lane_in_new();
    struct return_out *back = return_out_new(1);
    struct work_spec spec = spec_of(0, "t");
    struct work work = work_of(&spec, 0);
    struct result result = plain(1, 0);
    struct beat beat = {0};
    struct wire wire;
    struct err err;

    (void)state;
    put_task(lane, 1, &work);
    lane_out_cancel(lane, 1, false);
    lane_out_recall(lane, 1);
    lane_out_leave(lane);
    decode(&wire, lane_out_next(lane));
    assert_int_equal(lane_read(in, &wire, &no_lane, NULL, &err), 0);
    wire_release(&wire);
    return_out_result(back, 1, &result);
    return_out_beat(back, &beat);
    return_out_started(back, 1);
    return_out_given_back(back, 1);
    return_out_output(
        back, &(struct output){.ticket = 1, .stream = 1, .data = "x", .n = 1});
    return_out_leaving(back);
    decode(&wire, return_out_next(back));
    assert_int_equal(return_read(&wire, &no_return, NULL, &err), 0);
    wire_release(&wire);
    lane_in_destroy(&in);
    lane_out_destroy(&lane);
    return_out_destroy(&back);
}

/* ---- control ---- */

static void
a_hello_comes_back_as_it_was(void **state)
{
    static const char *const labels[] = {"disk=fast", "room=2"};
    struct flow_resource resources[] = {{text("cpus"), 8}, {text("gpus"), 2}};
    struct agent_info info = {.name = "box",
                              .host = "box.example.org",
                              .version = "0.4",
                              .pid = 77,
                              .incarnation = UINT64_MAX,
                              .slots = 8,
                              .resources = resources,
                              .nresource = 2,
                              .labels = labels,
                              .nlabel = 2};
    struct held held[] = {
        {7, {3, PLAN_WHOLE}, 1, 5, HELD_QUEUED},
        {UINT64_MAX, {0, 0}, 2, 6, HELD_FINISHED},
    };
    struct buf frame = {0};
    struct wire wire;
    struct hello hello;
    struct err err;

    (void)state;
    assert_int_equal(hello_write(&frame, 9, &info, held, 2, &err), 0);
    decode(&wire, &frame);
    hello_read(&hello, &wire);
    assert_int_equal(hello.tag, 9);
    assert_string_equal(hello.info.name, info.name);
    assert_string_equal(hello.info.host, info.host);
    assert_string_equal(hello.info.version, info.version);
    assert_int_equal(hello.info.pid, info.pid);
    assert_true(hello.info.incarnation == info.incarnation);
    assert_int_equal(hello.info.slots, info.slots);
    assert_int_equal(hello.info.nresource, 2);
    assert_string_equal(hello.info.resources[1].name, "gpus");
    assert_true(hello.info.resources[1].amount == 2);
    assert_int_equal(hello.info.nlabel, 2);
    assert_string_equal(hello.info.labels[1], "room=2");
    assert_int_equal(hello.nheld, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_true(hello.held[i].run == held[i].run);
        assert_int_equal(hello.held[i].id.task, held[i].id.task);
        assert_int_equal(hello.held[i].id.child, held[i].id.child);
        assert_int_equal(hello.held[i].attempt, held[i].attempt);
        assert_int_equal(hello.held[i].epoch, held[i].epoch);
        assert_int_equal(hello.held[i].phase, held[i].phase);
    }
    hello_release(&hello);
    wire_release(&wire);
    buf_release(&frame);
}

static void
a_hello_has_room_for_all_that_may_be_held(void **state)
{
    static char label[LIMIT_PATH_BYTES], name[LIMIT_NAME_BYTES + 1];
    static struct flow_resource resources[LIMIT_LABELS];
    static const char *labels[LIMIT_LABELS];
    struct agent_info info = {.name = "box",
                              .host = "box",
                              .version = "0.4",
                              .incarnation = UINT64_MAX,
                              .pid = UINT32_MAX,
                              .slots = LIMIT_SLOTS,
                              .resources = resources,
                              .nresource = LIMIT_LABELS,
                              .labels = labels,
                              .nlabel = LIMIT_LABELS};
    size_t n = LIMIT_HELD;
    struct held *held = mem_alloc(n, sizeof *held);
    uint32_t *tickets = mem_alloc(n, sizeof *tickets);
    struct buf frame = {0};
    struct wire wire;
    struct hello hello;
    struct err err;

    (void)state;
    memset(name, 'n', LIMIT_NAME_BYTES);
    memset(label, 'l', sizeof label - 1);
    label[1] = '=';
    for (size_t i = 0; i < LIMIT_LABELS; i++) {
        resources[i] = (struct flow_resource){name, 1.5};
        labels[i] = label;
    }
    for (size_t i = 0; i < n; i++) {
        held[i] =
            (struct held){UINT64_MAX,
                          {LIMIT_TASKS - 1, LIMIT_CHILDREN - 1 - (uint32_t)i},
                          UINT32_MAX,
                          UINT32_MAX,
                          HELD_FINISHED};
        tickets[i] = UINT32_MAX;
    }
    assert_int_equal(hello_write(&frame, UINT64_MAX, &info, held, n, &err), 0);
    decode(&wire, &frame);
    hello_read(&hello, &wire);
    assert_int_equal(hello.nheld, n);
    assert_int_equal(hello.held[n - 1].id.child, held[n - 1].id.child);
    hello_release(&hello);
    wire_release(&wire);
    buf_clear(&frame);
    assert_int_equal(
        welcome_write(&frame, 1, 2, 3, ":7200", ":7101", tickets, n, &err), 0);
    decode(&wire, &frame);
    wire_release(&wire);
    buf_release(&frame);
    free(tickets);
    free(held);
}

static void
a_welcome_renames_what_is_held(void **state)
{
    uint32_t tickets[] = {5, 0, 7};
    struct buf frame = {0};
    struct wire wire;
    struct err err;

    (void)state;
    assert_int_equal(
        welcome_write(&frame, 1, 2, 3, ":7200", ":7101", tickets, 3, &err), 0);
    decode(&wire, &frame);
    assert_int_equal(wire.as.welcome->session, 2);
    assert_int_equal(wire.as.welcome->epoch, 3);
    assert_string_equal(wire.as.welcome->lane, ":7200");
    assert_string_equal(wire.as.welcome->back, ":7101");
    assert_int_equal(wire.as.welcome->n_tickets, 3);
    assert_memory_equal(wire.as.welcome->tickets, tickets, sizeof tickets);
    wire_release(&wire);
    buf_release(&frame);
}

static void
an_answer_says_what_is_wrong(void **state)
{
    struct err wrong = {ERR_NOT_FOUND, "no run \xff"};
    struct buf frame = {0};
    struct wire wire;

    (void)state;
    answer_write(&frame, 4, &wrong, 0);
    decode(&wire, &frame);
    assert_int_equal(wire.as.answer->code, ERR_NOT_FOUND);
    assert_string_equal(wire.as.answer->text, "no run \\xff");
    wire_release(&wire);
    buf_clear(&frame);
    answer_write(&frame, 4, NULL, 12);
    decode(&wire, &frame);
    assert_int_equal(wire.as.answer->tag, 4);
    assert_int_equal(wire.as.answer->code, ERR_NONE);
    assert_int_equal(wire.as.answer->number, 12);
    wire_release(&wire);
    buf_release(&frame);
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
        cmocka_unit_test(what_is_a_runs_goes_once),
        cmocka_unit_test(folders_of_a_run_may_differ),
        cmocka_unit_test(there_may_be_more_runs_than_a_lane_knows),
        cmocka_unit_test(a_run_that_was_never_told_is_refused),
        cmocka_unit_test(json_that_is_none_is_refused),
        cmocka_unit_test(nesting_past_the_limit_is_refused),
        cmocka_unit_test(a_value_that_is_not_json_is_refused),
        cmocka_unit_test(a_return_says_it_all_in_one_frame),
        cmocka_unit_test(what_is_not_plain_is_told_in_full),
        cmocka_unit_test(results_keep_their_numbers),
        cmocka_unit_test(plain_results_take_few_bytes),
        cmocka_unit_test(values_and_causes_are_cut_to_what_may_travel),
        cmocka_unit_test(long_output_is_cut_into_pieces),
        cmocka_unit_test(a_new_session_begins_with_nothing),
        cmocka_unit_test(calls_that_nobody_wants_are_left_out),
        cmocka_unit_test(a_hello_comes_back_as_it_was),
        cmocka_unit_test(a_hello_has_room_for_all_that_may_be_held),
        cmocka_unit_test(a_welcome_renames_what_is_held),
        cmocka_unit_test(an_answer_says_what_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
