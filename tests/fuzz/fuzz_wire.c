/* SPDX-License-Identifier: MPL-2.0 */
/*
 * Any bytes as a frame: what is taken can be written again, and what we write
 * is taken. The first byte says whether the rest is a frame as it stands (0) or
 * a message of that type, which gets its envelope here.
 */
#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>

#include "proto/convert.h"
#include "proto/limits.h"
#include "tests/fuzz/fuzz.h"

struct told {
    struct lane_out *lane;   /* gets everything once more, or NULL */
    struct return_out *back; /* likewise */
    size_t ntask, nresult, nother;
};

/* ---- lanes ---- */

static void
on_task(void *ctx, const struct lane_task *task)
{
    struct told *self = ctx;
    struct err err;

    assert(task->ticket > 0 && task->work->spec->name[0] != '\0');
    if (self->lane && lane_out_task(self->lane, task, &err) < 0)
        assert(err.code == ERR_LIMIT || err.code == ERR_INVALID);
    else
        self->ntask++;
    lane_work_free(task->work);
}

static void
on_cancel(void *ctx, uint32_t ticket, bool at_once)
{
    struct told *self = ctx;

    if (self->lane)
        lane_out_cancel(self->lane, ticket, at_once);
    self->nother++;
}

static void
on_recall(void *ctx, uint32_t ticket)
{
    struct told *self = ctx;

    if (self->lane)
        lane_out_recall(self->lane, ticket);
    self->nother++;
}

static void
on_keep(void *ctx, uint32_t ticket)
{
    struct told *self = ctx;

    if (self->lane)
        lane_out_keep(self->lane, ticket);
    self->nother++;
}

static void
on_done(void *ctx, uint32_t ticket)
{
    struct told *self = ctx;

    if (self->lane)
        lane_out_done(self->lane, ticket);
    self->nother++;
}

static void
on_number(void *ctx, uint64_t number)
{
    (void)ctx;
    assert(number > 0);
}

static const struct lane_calls lane_calls = {
    .task = on_task,
    .cancel = on_cancel,
    .recall = on_recall,
    .saved = on_number,
    .keep = on_keep,
    .done = on_done,
    .ack = on_number,
    .beat = on_number,
};

static void
check_lane(const struct wire *wire)
{
    struct told told = {.lane = lane_out_new()}, again = {0};
    struct lane_in *in = lane_in_new();
    const struct buf *frame;
    struct wire second;
    struct err err;

    if (lane_read(in, wire, &lane_calls, &told, &err) < 0)
        assert(err.code == ERR_INVALID);
    lane_in_clear(in);
    while ((frame = lane_out_next(told.lane))) {
        if (wire_decode(&second, frame->data, frame->len, &err) < 0 ||
            lane_read(in, &second, &lane_calls, &again, &err) < 0)
            abort();
        wire_release(&second);
        lane_out_sent(told.lane);
    }
    assert(again.ntask == told.ntask && again.nother == told.nother);
    lane_out_destroy(&told.lane);
    lane_in_destroy(&in);
}

/* ---- returns ---- */

static void
on_started(void *ctx, uint32_t ticket)
{
    struct told *self = ctx;

    if (self->back)
        return_out_started(self->back, ticket);
    self->nother++;
}

static void
on_output(void *ctx, const struct output *output)
{
    struct told *self = ctx;

    assert(output->ticket > 0 && output->origin < LIMIT_ORIGIN);
    if (self->back)
        return_out_output(self->back, output);
    self->nother++;
}

static void
on_result(void *ctx, uint64_t number, const struct result *result)
{
    struct told *self = ctx;

    assert(number > 0 && result->ticket > 0);
    if (self->back)
        return_out_result(self->back, number, result);
    self->nresult++;
}

static void
on_beat(void *ctx, const struct beat *beat)
{
    struct told *self = ctx;

    if (self->back)
        return_out_beat(self->back, beat);
    self->nother++;
}

static const struct return_calls return_calls = {
    .beat = on_beat,
    .started = on_started,
    .output = on_output,
    .result = on_result,
};

static void
check_return(const struct wire *wire)
{
    struct told told = {.back = return_out_new(wire->as.back->session)};
    struct told again = {0};
    const struct buf *frame;
    struct wire second;
    struct err err;

    if (return_read(wire, &return_calls, &told, &err) < 0)
        assert(err.code == ERR_INVALID);
    while ((frame = return_out_next(told.back))) {
        if (wire_decode(&second, frame->data, frame->len, &err) < 0 ||
            return_read(&second, &return_calls, &again, &err) < 0)
            abort();
        assert(second.as.back->session == wire->as.back->session);
        wire_release(&second);
        return_out_sent(told.back);
    }
    assert(again.nresult == told.nresult && again.nother == told.nother);
    return_out_destroy(&told.back);
}

/* ---- the rest ---- */

static void
check_hello(const struct wire *wire)
{
    struct buf frame = {0};
    struct hello hello;
    struct wire second;
    struct err err;

    hello_read(&hello, wire);
    if (hello_write(&frame, hello.tag, &hello.info, hello.held, hello.nheld,
                    &err) < 0 ||
        wire_decode(&second, frame.data, frame.len, &err) < 0)
        abort();
    hello_release(&hello);
    wire_release(&second);
    buf_release(&frame);
}

/* Written once more it is the same message: the same bytes from then on. */
static void
check_message(const struct wire *wire)
{
    struct buf once = {0}, twice = {0};
    struct wire second;
    struct err err;

    /* what was written wastefully is shorter now, never longer */
    if (wire_encode(&once, wire->type, wire->as.base, &err) < 0 ||
        wire_decode(&second, once.data, once.len, &err) < 0 ||
        wire_encode(&twice, second.type, second.as.base, &err) < 0)
        abort();
    assert(once.len == twice.len &&
           memcmp(once.data, twice.data, once.len) == 0);
    wire_release(&second);
    buf_release(&once);
    buf_release(&twice);
    if (wire->type == WIRE_LANE)
        check_lane(wire);
    if (wire->type == WIRE_RETURN)
        check_return(wire);
    if (wire->type == WIRE_HELLO)
        check_hello(wire);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf frame = {0};
    struct wire wire;
    uint64_t session;
    struct err err;

    if (n == 0 || n - 1 > LIMIT_FRAME_BYTES - WIRE_ENVELOPE)
        return 0;
    if (data[0] > 0) {
        buf_add(&frame, "lT0123456789", WIRE_ENVELOPE);
        buf_add(&frame, data + 1, n - 1);
        wire_seal(&frame, 0, (enum wire_type)(data[0] % WIRE_TYPE_END));
    } else {
        buf_add(&frame, data + 1, n - 1);
    }
    session = wire_session(buf_str(&frame), frame.len);
    if (wire_decode(&wire, buf_str(&frame), frame.len, &err) == 0) {
        assert(session == 0 || session == wire.as.back->session);
        check_message(&wire);
        wire_release(&wire);
    } else {
        assert(err.code == ERR_INVALID || err.code == ERR_DENIED);
    }
    buf_release(&frame);
    return 0;
}
