/* SPDX-License-Identifier: MPL-2.0 */
#include "tests/support/told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "flow/value.h"
#include "proto/limits.h"

void
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

void
told_task(void *ctx, const struct lane_task *task)
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
    told_task, on_cancel, on_recall,    on_saved, on_keep, on_done,
    on_ack,    on_drain,  on_lane_beat, on_leave, false,
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

const struct return_calls told_return = {
    on_beat, on_started, on_output, on_result, on_given_back, on_leaving,
};

void
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

int
read_lane(struct told *told, const struct wire *wire, struct err *err)
{
    if (!told->in)
        told->in = lane_in_new();
    return lane_read(told->in, wire, &lane_calls, told, err);
}

size_t
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

size_t
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
        if (return_read(&wire, &told_return, told, &err) < 0)
            fail_msg("%s", err.msg);
        wire_release(&wire);
        n++;
    }
    assert_int_equal(return_out_bytes(out), 0);
    return n;
}

/* ---- what is sent ---- */

struct work_spec
spec_of(uint32_t task, const char *name)
{
    return (struct work_spec){
        .run = 7, .task = task, .flow = "f", .name = name, .kind = FLOW_CALL};
}

struct work
work_of(const struct work_spec *spec, uint32_t child)
{
    return (struct work){.spec = spec, .id = {spec->task, child}, .attempt = 1};
}

void
put_task(struct lane_out *out, uint32_t ticket, const struct work *work)
{
    struct lane_task task = {ticket, work};
    struct err err;

    if (lane_out_task(out, &task, &err) < 0)
        fail_msg("%s", err.msg);
}
