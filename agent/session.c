/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/session.h"

#include <stdlib.h>
#include <string.h>

#include <wire.pb-c.h>

#include "base/log.h"
#include "base/mem.h"
#include "base/span.h"
#include "proto/limits.h"
#include "proto/link.h"

#define BATCH   64                 /* frames a turn from one socket */
#define ANSWER  (3 * SPAN_SECOND)  /* for a Welcome; then a new socket */
#define RETRY   (250 * SPAN_MS)    /* between hellos */
#define REMIND  (60 * SPAN_SECOND) /* between lines about being away */
#define GONE    (300 * SPAN_MS)    /* without connection, after joining */
#define CONNECT (5 * SPAN_SECOND)  /* for lane and return to connect */
#define NAME    (LIMIT_SUSPECT_MS * SPAN_MS + SPAN_SECOND)
/* What is sent between two frames of the lane: a broker that is stopped takes
 * none of it, and its socket would take a thousand frames. */
#define AHEAD  (16 * LIMIT_OUTBOX_BYTES)
#define SILENT (LIMIT_LOST_MS * SPAN_MS)

enum phase { AWAY, ASKED, JOINED };

struct session {
    char *address;
    const struct agent_info *info; /* borrowed */
    struct session_calls calls;
    enum phase phase;
    void *control, *lane, *back;
    struct return_out *out;
    unsigned change;
    uint64_t tag;     /* of the last hello */
    size_t nheld;     /* in it */
    int64_t hello_at; /* AWAY: no sooner; ASKED: when it was said */
    int64_t made_at;  /* the control socket was, or seen to be connected */
    int64_t heard;    /* JOINED: the last frame of the lane */
    size_t ahead;     /* bytes sent since */
    int64_t joined_at;
    bool connected;     /* the return socket was, since joining */
    int64_t shut;       /* since when it takes nothing; 0: it does */
    bool cut;           /* ... and control was gone meanwhile */
    int64_t away_since; /* 0: not away */
    int64_t told;       /* a line about being away */
    int64_t named;      /* since when the name is taken; 0: it is not */
    unsigned dropped;   /* frames, since a line about that */
    int64_t dropped_told;
};

/* ---- life ---- */

struct session *
session_new(const char *address, const struct agent_info *info,
            const struct session_calls *calls, int64_t now)
{
    struct session *self = mem_alloc(1, sizeof *self);

    self->address = mem_dup(address);
    self->info = info;
    self->calls = *calls;
    self->out = return_out_new(0);
    self->hello_at = self->away_since = now;
    /* A broker that is just being started is not worth a line. */
    self->told = now - REMIND + SPAN_SECOND;
    return self;
}

static void
close_lanes(struct session *self)
{
    link_close(&self->lane);
    link_close(&self->back);
    self->change++;
}

static void
close_all(struct session *self)
{
    link_close(&self->control);
    close_lanes(self);
}

void
session_destroy(struct session **self_p)
{
    struct session *self = *self_p;

    if (!self)
        return;
    close_all(self);
    return_out_destroy(&self->out);
    free(self->address);
    free(self);
    *self_p = NULL;
}

bool
session_is_joined(const struct session *self)
{
    return self->phase == JOINED;
}

struct return_out *
session_out(struct session *self)
{
    return self->out;
}

void
session_fds(const struct session *self, int fds[SESSION_FDS], unsigned *change)
{
    void *const sockets[SESSION_FDS] = {self->control, self->lane, self->back};

    for (int i = 0; i < SESSION_FDS; i++)
        fds[i] = sockets[i] ? link_fd(sockets[i]) : -1;
    *change = self->change;
}

/* ---- frames ---- */

/* A frame that is none, or a part of something, is dropped; with a line, but
 * not for each of many. */
static bool
decode(struct session *self, struct wire *wire, zmq_msg_t *message, int64_t now,
       struct err *err)
{
    char quoted[LOG_QUOTED];

    if (wire_decode(wire, zmq_msg_data(message), zmq_msg_size(message), err) ==
        0)
        return true;
    self->dropped++;
    if (now < self->dropped_told + SPAN_SECOND)
        return false;
    log_warn("frame_dropped", "frames=%u why=%s", self->dropped,
             log_quote(err->msg, quoted));
    self->dropped = 0;
    self->dropped_told = now;
    return false;
}

bool
session_send(struct session *self, enum wire_type type,
             const ProtobufCMessage *message)
{
    struct buf frame = {0};
    struct err err;
    bool sent;

    if (!self->control)
        return false;
    sent = wire_encode(&frame, type, message, &err) == 0 &&
           link_send(self->control, frame.data, frame.len, &err) == 1;
    buf_release(&frame);
    return sent;
}

/* ---- away ---- */

static void
go_away(struct session *self, int64_t now)
{
    self->phase = AWAY;
    self->hello_at = now;
    if (self->away_since == 0) {
        self->away_since = now;
        self->told = now - REMIND + SPAN_SECOND;
    }
}

void
session_again(struct session *self, const char *why, int64_t now)
{
    if (self->phase != JOINED)
        return;
    close_lanes(self);
    return_out_begin(self->out, 0);
    go_away(self, now);
    self->calls.lost(self->calls.ctx, why);
}

static void
remind(struct session *self, int64_t now)
{
    struct err err;
    char quoted[LOG_QUOTED];

    if (now < self->told + REMIND)
        return;
    self->told = now;
    if (link_probe(self->address, SPAN_SECOND / 10, &err) == 0)
        (void)err_set(&err, ERR_UNAVAILABLE, "it does not answer");
    log_warn("broker_away", "broker=%s why=%s", self->address,
             log_quote(err.msg, quoted));
}

static void
say_hello(struct session *self, int64_t now)
{
    const struct held *held;
    struct buf frame = {0};
    char quoted[LOG_QUOTED];
    struct err err;

    held = self->calls.held(self->calls.ctx, &self->nheld);
    self->hello_at = now;
    if (hello_write(&frame, ++self->tag, self->info, held, self->nheld, &err) <
        0) {
        log_error("no_hello", "held=%zu why=%s", self->nheld,
                  log_quote(err.msg, quoted));
        self->hello_at = now + REMIND;
    } else if (link_send(self->control, frame.data, frame.len, &err) == 1) {
        self->phase = ASKED;
    } else {
        self->hello_at = now + RETRY;
    }
    buf_release(&frame);
}

static void
connect_control(struct session *self, int64_t now)
{
    char quoted[LOG_QUOTED];
    struct err err;

    self->change++;
    self->made_at = now;
    if (link_socket(&self->control, LINK_DEALER, &err) == 0 &&
        link_connect(self->control, self->address, &err) == 0)
        return;
    link_close(&self->control);
    self->hello_at = now + SPAN_SECOND;
    log_error("no_connection", "broker=%s why=%s", self->address,
              log_quote(err.msg, quoted));
}

/* A socket whose handshake went wrong never tries again, and can't be told from
 * one that does: a new one now and then. */
static void
renew_control(struct session *self, int64_t now)
{
    if (!self->control || now < self->made_at + ANSWER)
        return;
    if (link_events(self->control) & LINK_OUT)
        self->made_at = now;
    else
        link_close(&self->control);
}

static void
turn_away(struct session *self, int64_t now)
{
    remind(self, now);
    if (now < self->hello_at)
        return;
    renew_control(self, now);
    if (!self->control)
        connect_control(self, now);
    if (self->control && (link_events(self->control) & LINK_OUT))
        say_hello(self, now);
}

/* Nobody has answered: what is in the socket is forgotten with it. */
static void
turn_asked(struct session *self, int64_t now)
{
    remind(self, now);
    if (now < self->hello_at + ANSWER &&
        (link_events(self->control) & LINK_OUT))
        return;
    link_close(&self->control);
    self->change++;
    self->phase = AWAY;
    self->hello_at = now + RETRY;
}

/* ---- joining ---- */

/* ":PORT" is on the broker's host. */
static int
connect_to(void **ret, enum link_kind kind, const struct session *self,
           const char *endpoint, uint64_t secret, struct err *err)
{
    char *whole = NULL;
    int rc;

    if (endpoint[0] == ':')
        whole = link_beside(self->address,
                            (unsigned)strtoul(endpoint + 1, NULL, 10), "");
    rc = link_socket(ret, kind, err);
    if (rc == 0 && kind == LINK_LANE_PULL)
        rc = link_set_secret(*ret, kind, secret, err);
    if (rc == 0)
        rc = link_connect(*ret, whole ? whole : endpoint, err);
    free(whole);
    return rc;
}

static void
on_welcome(struct session *self, const Wire__Welcome *welcome, int64_t now)
{
    char quoted[LOG_QUOTED];
    struct err err;

    if (self->phase != ASKED || welcome->tag != self->tag)
        return; /* to an earlier hello */
    if (welcome->n_tickets != self->nheld ||
        connect_to(&self->lane, LINK_LANE_PULL, self, welcome->lane,
                   welcome->session, &err) < 0 ||
        connect_to(&self->back, LINK_RETURN_PUSH, self, welcome->back, 0,
                   &err) < 0) {
        if (welcome->n_tickets != self->nheld)
            (void)err_set(&err, ERR_INVALID, "its welcome is for another");
        log_error("no_connection", "broker=%s why=%s", self->address,
                  log_quote(err.msg, quoted));
        close_all(self);
        self->phase = AWAY;
        self->hello_at = now + SPAN_SECOND;
        return;
    }
    self->phase = JOINED;
    self->change++;
    self->heard = self->joined_at = now;
    self->connected = false;
    self->ahead = 0;
    self->shut = self->away_since = self->named = 0;
    return_out_begin(self->out, welcome->session);
    self->calls.joined(self->calls.ctx, welcome->session, welcome->epoch,
                       welcome->tickets, welcome->n_tickets);
}

/*
 * Another agent has the name and is well: it may be this one's own former
 * process, whose end the broker is about to see.
 */
static bool
may_be_ours(struct session *self, enum err_code code, int64_t now)
{
    if (code != ERR_INVALID)
        return false;
    if (self->named == 0)
        self->named = now;
    self->told = now; /* it does answer */
    return now < self->named + NAME;
}

static void
on_refusal(struct session *self, const Wire__Answer *answer, int64_t now)
{
    enum err_code code = (enum err_code)answer->code;
    char quoted[LOG_QUOTED];
    struct err err;

    self->phase = AWAY;
    self->hello_at = now + RETRY;
    (void)err_set(&err, code, "%s", answer->text);
    if (code == ERR_UNAVAILABLE || code == ERR_LIMIT) {
        self->hello_at = now + SPAN_SECOND;
        log_warn("hello_refused", "why=%s", log_quote(err.msg, quoted));
    } else if (!may_be_ours(self, code, now)) {
        self->calls.refused(self->calls.ctx, &err);
    }
}

/* The broker has given the session up, and says so in answer to its hello. */
static bool
is_over(const struct session *self, const struct wire *wire)
{
    return wire->type == WIRE_ANSWER && self->phase == JOINED &&
           wire->as.answer->tag == self->tag;
}

/* ---- receiving ---- */

static void
on_control(struct session *self, const struct wire *wire, int64_t now)
{
    if (wire->type == WIRE_WELCOME)
        on_welcome(self, wire->as.welcome, now);
    else if (wire->type == WIRE_ANSWER && self->phase == ASKED &&
             wire->as.answer->tag == self->tag && wire->as.answer->code != 0)
        on_refusal(self, wire->as.answer, now);
    else if (is_over(self, wire))
        session_again(self, wire->as.answer->text, now);
    else if (wire->type == WIRE_ANSWER || wire->type == WIRE_CHUNK)
        self->calls.control(self->calls.ctx, wire);
}

/* True: there may be more. */
static bool
receive_control(struct session *self, int64_t now)
{
    zmq_msg_t message;
    struct wire wire;
    struct err err;

    for (int i = 0; i < BATCH; i++) {
        if (!self->control || !link_receive(self->control, &message))
            return false;
        if (decode(self, &wire, &message, now, &err)) {
            on_control(self, &wire, now);
            wire_release(&wire);
        } else if (err.code == ERR_DENIED) {
            self->calls.refused(self->calls.ctx, &err);
        }
        (void)zmq_msg_close(&message);
    }
    return true;
}

static bool
receive_lane(struct session *self, int64_t now)
{
    zmq_msg_t message;
    struct wire wire;
    struct err err;

    for (int i = 0; i < BATCH; i++) {
        /* What is handled may end the session. */
        if (self->phase != JOINED || !link_receive(self->lane, &message))
            return false;
        self->heard = now;
        self->ahead = 0;
        if (!decode(self, &wire, &message, now, &err)) {
            /* What was in it is taken for given: that is found in a hello. */
            session_again(self, err.msg, now);
        } else {
            if (wire.type == WIRE_LANE)
                self->calls.lane(self->calls.ctx, &wire);
            wire_release(&wire);
        }
        (void)zmq_msg_close(&message);
    }
    return true;
}

/* ---- is it there ---- */

/* Why the broker is given up, or NULL. */
static const char *
what_is_wrong(struct session *self, int64_t now)
{
    bool takes = (link_events(self->back) & LINK_OUT) != 0;
    bool control = (link_events(self->control) & LINK_OUT) != 0;

    if (takes)
        self->connected = true;
    if (now >= self->heard + SILENT)
        return "silent";
    if (!self->connected)
        return now >= self->joined_at + CONNECT ? "no connection back" : NULL;
    if (takes) {
        self->shut = 0;
        return NULL;
    }
    if (self->shut == 0) {
        self->shut = now;
        self->cut = false;
    }
    /* A full socket takes nothing, either; but then control does all the while.
     * A broker that is there again at once has control only. */
    self->cut = self->cut || !control;
    return self->cut && now >= self->shut + GONE ? "connection gone" : NULL;
}

static void
turn_joined(struct session *self, int64_t now)
{
    const char *why = what_is_wrong(self, now);

    if (!why)
        return;
    session_again(self, why, now);
    close_all(self);
}

static int64_t
due(const struct session *self, int64_t now)
{
    int64_t next = self->heard + SILENT;

    if (self->phase == AWAY)
        return self->hello_at > now ? self->hello_at : now + RETRY;
    if (self->phase == ASKED)
        return self->hello_at + ANSWER;
    if (!self->connected && self->joined_at + CONNECT < next)
        next = self->joined_at + CONNECT;
    if (self->shut != 0)
        next = now + GONE / 3;
    return next;
}

int64_t
session_turn(struct session *self, int64_t now, bool *busy)
{
    *busy = receive_control(self, now);
    if (self->phase == JOINED && receive_lane(self, now))
        *busy = true;
    if (self->phase == AWAY)
        turn_away(self, now);
    else if (self->phase == ASKED)
        turn_asked(self, now);
    else
        turn_joined(self, now);
    return due(self, now);
}

bool
session_waits(struct session *self)
{
    return (self->control && (link_events(self->control) & LINK_IN)) ||
           (self->phase == JOINED && (link_events(self->lane) & LINK_IN));
}

bool
session_flush(struct session *self)
{
    const struct buf *frame = NULL;
    struct err err;

    if (self->phase != JOINED)
        return true;
    while ((frame = return_out_next(self->out))) {
        if (self->ahead >= AHEAD ||
            link_send(self->back, frame->data, frame->len, &err) != 1)
            return false;
        self->ahead += frame->len;
        return_out_sent(self->out);
    }
    return true;
}
