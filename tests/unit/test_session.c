/* SPDX-License-Identifier: MPL-2.0 */
/*
 * An agent's session with a broker that the test plays, over ipc in a folder of
 * its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka needs those above */
#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <wire.pb-c.h>
#include <zmq.h>

#include "agent/session.h"
#include "base/mem.h"
#include "base/span.h"
#include "proto/link.h"

#define SESSION 9
#define SOON    (10 * SPAN_SECOND)

struct played {
    char folder[32];
    char *address, *lane_at, *back_at;
    void *control, *lane, *back;
    struct session *session;
    char name[32]; /* of the agent, at the ROUTER */
    size_t nname;
    unsigned joined, lanes;
    uint64_t tag; /* of its last hello */
    char lost[200];
    struct err err;
};

static const struct held *
on_held(void *ctx, size_t *n)
{
    (void)ctx;
    *n = 0;
    return NULL;
}

static void
on_joined(void *ctx, uint64_t number, uint32_t epoch, const uint32_t *tickets,
          size_t n)
{
    struct played *p = ctx;

    (void)number;
    (void)epoch;
    (void)tickets;
    (void)n;
    p->joined++;
}

static void
on_lane(void *ctx, const struct wire *wire)
{
    struct played *p = ctx;

    (void)wire;
    p->lanes++;
}

static void
on_control(void *ctx, const struct wire *wire)
{
    (void)ctx;
    (void)wire;
}

static void
on_lost(void *ctx, const char *why)
{
    struct played *p = ctx;

    (void)snprintf(p->lost, sizeof p->lost, "%s", why);
}

static void
on_refused(void *ctx, const struct err *err)
{
    (void)ctx;
    fail_msg("%s", err->msg);
}

static void
bind_at(struct played *p, void **socket, enum link_kind kind, const char *at)
{
    assert_int_equal(link_socket(socket, kind, &p->err), 0);
    if (kind == LINK_LANE_PUSH)
        assert_int_equal(link_set_secret(*socket, kind, SESSION, &p->err), 0);
    assert_int_equal(link_bind(*socket, at, &p->err), 0);
}

static int
set_up(void **state)
{
    static const struct agent_info info = {.name = "one",
                                           .host = "here",
                                           .version = "1",
                                           .pid = 1,
                                           .incarnation = 1,
                                           .slots = 1};
    struct played *p = mem_alloc(1, sizeof *p);
    const struct session_calls calls = {
        on_held, on_joined, on_lane, on_control, on_lost, on_refused, p};

    (void)snprintf(p->folder, sizeof p->folder, "/tmp/test-session-XXXXXX");
    assert_non_null(mkdtemp(p->folder));
    p->address = mem_printf("ipc://%s/c", p->folder);
    p->lane_at = mem_printf("ipc://%s/l", p->folder);
    p->back_at = mem_printf("ipc://%s/b", p->folder);
    bind_at(p, &p->control, LINK_ROUTER, p->address);
    bind_at(p, &p->lane, LINK_LANE_PUSH, p->lane_at);
    bind_at(p, &p->back, LINK_RETURN_PULL, p->back_at);
    p->session = session_new(p->address, &info, &calls, span_mono());
    *state = p;
    return 0;
}

static int
tear_down(void **state)
{
    struct played *p = *state;

    session_destroy(&p->session);
    link_close(&p->control);
    link_close(&p->lane);
    link_close(&p->back);
    (void)unlink(p->address + strlen("ipc://"));
    (void)unlink(p->lane_at + strlen("ipc://"));
    (void)unlink(p->back_at + strlen("ipc://"));
    (void)rmdir(p->folder);
    free(p->address);
    free(p->lane_at);
    free(p->back_at);
    free(p);
    return 0;
}

/* Let it go on until something has come, or has become so. */
static void
go_on(struct played *p, void *until_in, void *until_out, const unsigned *count,
      unsigned n)
{
    int64_t end = span_mono() + SOON;
    bool busy = false;

    while (!(until_in && (link_events(until_in) & LINK_IN)) &&
           !(until_out && (link_events(until_out) & LINK_OUT)) &&
           !(count && *count >= n)) {
        if (span_mono() > end)
            fail_msg("nothing came");
        (void)session_turn(p->session, span_mono(), &busy);
        (void)poll(NULL, 0, 1);
    }
}

/* Take its hello and answer it. */
static void
welcome(struct played *p)
{
    struct buf out = {0};
    struct wire wire;
    zmq_msg_t frame;
    int n;

    go_on(p, p->control, NULL, NULL, 0);
    n = zmq_recv(p->control, p->name, sizeof p->name, ZMQ_DONTWAIT);
    assert_true(n > 0);
    p->nname = (size_t)n;
    (void)zmq_msg_init(&frame);
    assert_true(zmq_msg_recv(&frame, p->control, ZMQ_DONTWAIT) > 0);
    assert_int_equal(
        wire_decode(&wire, zmq_msg_data(&frame), zmq_msg_size(&frame), &p->err),
        0);
    assert_int_equal(wire.type, WIRE_HELLO);
    p->tag = wire.as.hello->tag;
    assert_int_equal(welcome_write(&out, wire.as.hello->tag, SESSION, 1,
                                   p->lane_at, p->back_at, NULL, 0, &p->err),
                     0);
    wire_release(&wire);
    (void)zmq_msg_close(&frame);
    assert_true(zmq_send(p->control, p->name, p->nname,
                         ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0);
    assert_true(zmq_send(p->control, out.data, out.len, ZMQ_DONTWAIT) >= 0);
    buf_release(&out);
}

static void
say_over(struct played *p, uint64_t tag)
{
    struct buf out = {0};
    struct err err;

    (void)err_set(&err, ERR_UNAVAILABLE, "its lane takes nothing");
    answer_write(&out, tag, &err, 0);
    assert_true(zmq_send(p->control, p->name, p->nname,
                         ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0);
    assert_true(zmq_send(p->control, out.data, out.len, ZMQ_DONTWAIT) >= 0);
    buf_release(&out);
}

static void
a_lane_that_makes_no_sense_is_asked_for_anew(void **state)
{
    struct played *p = *state;

    welcome(p);
    go_on(p, NULL, NULL, &p->joined, 1);
    go_on(p, NULL, p->lane, NULL, 0);
    assert_int_equal(link_send(p->lane, "junk", 4, &p->err), 1);
    welcome(p); /* it says hello again */
    go_on(p, NULL, NULL, &p->joined, 2);
    assert_true(p->lost[0]);
}

static void
an_agent_that_is_told_that_its_session_is_over_says_hello(void **state)
{
    struct played *p = *state;

    welcome(p);
    go_on(p, NULL, NULL, &p->joined, 1);
    say_over(p, p->tag + 1); /* of another */
    say_over(p, p->tag);
    welcome(p);
    go_on(p, NULL, NULL, &p->joined, 2);
    assert_string_equal(p->lost, "its lane takes nothing");
}

static void
what_came_while_others_were_seen_to_is_not_forgotten(void **state)
{
    struct played *p = *state;
    struct lane_out *out = lane_out_new();
    const struct buf *frame;
    int64_t end = span_mono() + SOON;

    welcome(p);
    go_on(p, NULL, NULL, &p->joined, 1);
    go_on(p, NULL, p->lane, NULL, 0);
    assert_false(session_waits(p->session));
    lane_out_beat(out, 1);
    frame = lane_out_next(out);
    assert_int_equal(link_send(p->lane, frame->data, frame->len, &p->err), 1);
    while (!session_waits(p->session)) {
        assert_true(span_mono() < end);
        (void)poll(NULL, 0, 1);
    }
    go_on(p, NULL, NULL, &p->lanes, 1);
    assert_false(session_waits(p->session));
    lane_out_destroy(&out);
}

/* A moment later the endpoint is free. */
static void
bind_again(struct played *p, void **socket, enum link_kind kind, const char *at)
{
    int64_t end = span_mono() + SOON;

    link_close(socket);
    assert_int_equal(link_socket(socket, kind, &p->err), 0);
    while (link_bind(*socket, at, &p->err) < 0) {
        assert_true(span_mono() < end);
        (void)poll(NULL, 0, 1);
    }
}

/* Its control socket is connected again before anybody could miss it. */
static void
a_broker_that_is_there_again_at_once_is_a_new_one(void **state)
{
    struct played *p = *state;

    welcome(p);
    go_on(p, NULL, NULL, &p->joined, 1);
    go_on(p, NULL, p->lane, NULL, 0);
    return_out_leaving(session_out(p->session));
    while (!session_flush(p->session))
        go_on(p, NULL, p->lane, NULL, 0);
    go_on(p, p->back, NULL, NULL, 0);
    bind_again(p, &p->control, LINK_ROUTER, p->address);
    bind_again(p, &p->lane, LINK_LANE_PUSH, p->lane_at);
    bind_again(p, &p->back, LINK_RETURN_PULL, p->back_at);
    welcome(p);
    assert_non_null(p->lost); /* by whichever of them was missed first */
    go_on(p, NULL, NULL, &p->joined, 2);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_lane_that_makes_no_sense_is_asked_for_anew),
        TEST(a_broker_that_is_there_again_at_once_is_a_new_one),
        TEST(an_agent_that_is_told_that_its_session_is_over_says_hello),
        TEST(what_came_while_others_were_seen_to_is_not_forgotten),
    };

    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
