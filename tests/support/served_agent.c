/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/link.h"
#include "tests/support/served.h"

void
flush_back(struct served *s)
{
    const struct buf *frame;

    while ((frame = return_out_next(s->out))) {
        send_frame(s, s->back, frame->data, frame->len);
        return_out_sent(s->out);
    }
}

void
hello(struct served *s, const char *name, uint64_t incarnation,
      const struct held *held, size_t nheld)
{
    struct agent_info info = {.name = name,
                              .host = "here",
                              .version = "0.1.0",
                              .pid = 1,
                              .incarnation = incarnation,
                              .slots = 4};
    struct buf out = {0};
    struct wire wire;

    leave(s);
    assert_int_equal(hello_write(&out, ++s->tag, &info, held, nheld, &s->err),
                     0);
    send_frame(s, s->control, out.data, out.len);
    buf_release(&out);
    next_frame(s, s->control, &wire);
    if (wire.type == WIRE_ANSWER)
        fail_msg("%s", wire.as.answer->text);
    assert_int_equal(wire.type, WIRE_WELCOME);
    assert_int_equal(wire.as.welcome->n_tickets, nheld);
    s->hello = wire.as.welcome->tag;
    for (size_t i = 0; i < nheld; i++)
        s->tickets[i] = wire.as.welcome->tickets[i];
    s->session = wire.as.welcome->session;
    lane_in_destroy(&s->runs);
    s->runs = lane_in_new();
    s->epoch = wire.as.welcome->epoch;
    s->number = s->saved = 0;
    s->ntask = nheld;
    assert_int_equal(link_socket(&s->lane, LINK_LANE_PULL, &s->err), 0);
    assert_int_equal(link_socket(&s->back, LINK_RETURN_PUSH, &s->err), 0);
    assert_int_equal(
        link_set_secret(s->lane, LINK_LANE_PULL, s->session, &s->err), 0);
    assert_int_equal(link_connect(s->lane, wire.as.welcome->lane, &s->err), 0);
    assert_int_equal(link_connect(s->back, wire.as.welcome->back, &s->err), 0);
    wire_release(&wire);
    s->out = return_out_new(s->session);
    return_out_beat(s->out, &(struct beat){.number = 1});
    flush_back(s);
}

void
served_task(void *ctx, const struct lane_task *task)
{
    struct served *s = ctx;

    assert_true(s->ntask < TICKETS);
    s->held[s->ntask] = (struct held){.run = task->work->spec->run,
                                      .id = task->work->id,
                                      .attempt = task->work->attempt,
                                      .epoch = s->epoch,
                                      .phase = HELD_RUNNING};
    s->tickets[s->ntask++] = task->ticket;
    free(s->first_script);
    s->first_script = mem_dup(task->work->spec->script);
    lane_work_free(task->work);
}

static void
on_saved(void *ctx, uint64_t bytes)
{
    struct served *s = ctx;

    s->saved = bytes;
}

void
served_ack(void *ctx, uint64_t number)
{
    struct served *s = ctx;

    s->acked = number;
}

static void
read_lane(struct served *s)
{
    static const struct lane_calls calls = {
        .task = served_task, .saved = on_saved, .ack = served_ack};
    struct wire wire;

    next_frame(s, s->lane, &wire);
    if (lane_read(s->runs, &wire, &calls, s, &s->err) < 0)
        fail_msg("%s", s->err.msg);
    wire_release(&wire);
}

void
wait_for_tasks(struct served *s, size_t n)
{
    while (s->ntask < n)
        read_lane(s);
    assert_int_equal(s->ntask, n);
}

void
wait_for_ack(struct served *s)
{
    while (s->acked < s->number)
        read_lane(s);
}

void
report_from(struct served *s, size_t i, const char *cwd, json_t *value)
{
    struct result result = {.ticket = s->tickets[i],
                            .state = PLAN_SUCCEEDED,
                            .value = value,
                            .started = span_wall(),
                            .ended = span_wall(),
                            .cwd = cwd};

    return_out_result(s->out, ++s->number, &result);
    flush_back(s);
    json_decref(value);
}

void
report(struct served *s, size_t i, enum plan_state state, json_t *value)
{
    struct result result = {.ticket = s->tickets[i],
                            .state = state,
                            .value = value,
                            .code = 0,
                            .started = span_wall() - 1000,
                            .ended = span_wall()};

    return_out_result(s->out, ++s->number, &result);
    flush_back(s);
    json_decref(value);
}

void
put_output(struct served *s, size_t i, uint64_t offset, const char *text)
{
    struct output output = {.ticket = s->tickets[i],
                            .stream = 1,
                            .origin = 4711,
                            .offset = offset,
                            .when = span_wall(),
                            .data = text,
                            .n = strlen(text)};

    return_out_output(s->out, &output);
}

void
wait_until_saved(struct served *s, uint64_t bytes)
{
    while (s->saved < bytes)
        read_lane(s);
    assert_int_equal(s->saved, bytes);
}
