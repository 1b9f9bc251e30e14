/* SPDX-License-Identifier: MPL-2.0 */
#include "lib/client.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "flow/value.h"
#include "lib/client_impl.h"
#include "proto/limits.h"
#include "proto/link.h"

#define LOOK     (100 * SPAN_MS) /* between looks at the connection */
#define QUEUED   64              /* frames, each way */
#define BEAT_MS  2000            /* between heartbeats of the connection */
#define QUIET_MS 6000            /* without one it is gone */

static uint64_t
tag_of(const struct wire *message)
{
    switch (message->type) {
    case WIRE_ANSWER:
        return message->as.answer->tag;
    case WIRE_SEEN:
        return message->as.seen->tag;
    case WIRE_NONE:
    case WIRE_LANE:
    case WIRE_RETURN:
    case WIRE_HELLO:
    case WIRE_WELCOME:
    case WIRE_SUBMIT:
    case WIRE_CHUNK:
    case WIRE_BLOB:
    case WIRE_ASK:
    case WIRE_LOOK:
    case WIRE_TYPE_END:
        break;
    }
    return 0; /* no question has this tag */
}

/* ---- the connection ---- */

static void
disconnect(struct client *self)
{
    if (self->poller && self->socket)
        (void)zpoller_remove(self->poller, self->socket);
    zsock_destroy(&self->socket);
}

static zsock_t *
make_socket(void)
{
    zsock_t *socket = zsock_new(ZMQ_DEALER);

    if (!socket)
        return NULL;
    /* None is left to a default, which ZSYS_* variables could change. */
    zsock_set_linger(socket, 0);
    zsock_set_immediate(socket, 1);
    zsock_set_sndhwm(socket, QUEUED);
    zsock_set_rcvhwm(socket, QUEUED);
    zsock_set_maxmsgsize(socket, (int)LIMIT_FRAME_BYTES);
    zsock_set_sndtimeo(socket, (int)(CLIENT_ANSWER / SPAN_MS));
    zsock_set_rcvtimeo(socket, 0);
    zsock_set_handshake_ivl(socket, 1000);
    zsock_set_heartbeat_ivl(socket, BEAT_MS);
    zsock_set_heartbeat_timeout(socket, QUIET_MS);
    zsock_set_reconnect_ivl(socket, 100);
    zsock_set_reconnect_ivl_max(socket, 1000);
    zsock_set_tcp_keepalive(socket, 1);
    zsock_set_ipv6(socket, 1);
    return socket;
}

int
client_connect(struct client *self, int64_t timeout, struct err *err)
{
    disconnect(self);
    if (link_probe(self->address, timeout, err) < 0)
        return -1;
    self->socket = make_socket();
    if (!self->socket)
        return err_set(err, ERR_UNAVAILABLE,
                       "no socket can be made: too many files are open");
    if (zsock_connect(self->socket, "%s", self->address) < 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "can't connect to the broker at %s: %s", self->address,
                       zmq_strerror(zmq_errno()));
    if (!self->poller) {
        self->poller = zpoller_new(NULL);
        zpoller_set_nonstop(self->poller, true);
    }
    (void)zpoller_add(self->poller, self->socket);
    return 0;
}

/* With IMMEDIATE set a socket whose peer is gone takes nothing. */
static bool
is_lost(struct client *self)
{
    bool room = zsock_events(self->socket) & ZMQ_POLLOUT;

    if (room && self->sent)
        self->sending = false;
    return !self->sending && !room;
}

static int
lost(const struct client *self, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE,
                   "the connection to the broker at %s is gone", self->address);
}

int
client_bad_answer(const struct client *self, const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "the broker at %s answered with something else: %s",
                   self->address, what);
}

int
client_refused(const struct Wire__Answer *answer, struct err *err)
{
    return err_set(err,
                   answer->code < ERR_CODE_COUNT ? (enum err_code)answer->code
                                                 : ERR_SYSTEM,
                   "%s", answer->text);
}

int
client_send(struct client *self, enum wire_type type,
            const ProtobufCMessage *message, struct err *err)
{
    struct buf out = {0};
    zframe_t *frame = NULL;
    int rc = -1;

    self->lost = false;
    if (wire_encode(&out, type, message, err) < 0)
        goto out;
    if (!self->socket) {
        self->lost = true;
        (void)lost(self, err);
        goto out;
    }
    frame = zframe_new(out.data, out.len);
    self->lost = zframe_send(&frame, self->socket, 0) < 0;
    if (self->lost)
        (void)err_set(err, ERR_UNAVAILABLE,
                      "the broker at %s takes nothing any more", self->address);
    else
        rc = 0;
out:
    zframe_destroy(&frame);
    buf_release(&out);
    return rc;
}

/* One frame, if one is there. */
static enum client_step
take(struct client *self, uint64_t tag, struct wire *ret, struct err *err)
{
    zframe_t *frame = zframe_recv(self->socket);
    int rc;

    if (!frame)
        return CLIENT_LATE;
    rc = wire_decode(ret, zframe_data(frame), zframe_size(frame), err);
    zframe_destroy(&frame);
    if (rc < 0) {
        (void)err_prefix(err, "the broker at %s", self->address);
        return CLIENT_BAD;
    }
    if (tag_of(ret) == tag)
        return CLIENT_GOT;
    wire_release(ret);
    return CLIENT_LATE;
}

static void
read_interrupts(struct client *self)
{
    char bytes[16];
    ssize_t n = read(self->interrupt_fd, bytes, sizeof bytes);

    if (n > 0)
        self->interrupts += (int)n;
    if (n == 0)
        client_set_interrupt(self, -1); /* closed: no more will come */
}

enum client_step
client_next(struct client *self, uint64_t tag, int64_t until, struct wire *ret,
            struct err *err)
{
    for (;;) {
        enum client_step step = take(self, tag, ret, err);
        int64_t wait = until - span_mono();
        void *ready;

        if (step != CLIENT_LATE)
            return step;
        if (is_lost(self)) {
            (void)lost(self, err);
            return CLIENT_LOST;
        }
        if (wait <= 0)
            return CLIENT_LATE;
        wait = wait < LOOK ? wait : LOOK;
        ready =
            zpoller_wait(self->poller, (int)((wait + SPAN_MS - 1) / SPAN_MS));
        if (ready == &self->interrupt_fd) {
            read_interrupts(self);
            return CLIENT_INTERRUPT;
        }
    }
}

void
client_rest(struct client *self)
{
    struct pollfd fd = {.fd = self->interrupt_fd, .events = POLLIN};

    if (poll(&fd, 1, (int)(LOOK / SPAN_MS)) > 0)
        read_interrupts(self);
}

/* ---- questions ---- */

static int
read_answer(const struct client *self, const struct Wire__Answer *answer,
            json_t **document, uint64_t *number, struct err *err)
{
    json_t *parsed = NULL;

    if (answer->code != ERR_NONE)
        return client_refused(answer, err);
    if (answer->document.len > 0 &&
        value_parse(VALUE_JSON, (const char *)answer->document.data,
                    answer->document.len, &parsed, err) < 0)
        return client_bad_answer(self, "a document that is no JSON", err);
    if (number)
        *number = answer->number;
    if (document)
        *document = parsed ? parsed : json_null();
    else
        json_decref(parsed);
    return answer->more ? 1 : 0;
}

int
client_answer(struct client *self, uint64_t tag, json_t **document,
              uint64_t *number, struct err *err)
{
    int64_t until = span_mono() + CLIENT_ANSWER;
    struct wire message;
    int rc = -1;

    self->lost = true;
    for (;;) {
        switch (client_next(self, tag, until, &message, err)) {
        case CLIENT_INTERRUPT:
            continue; /* it is counted */
        case CLIENT_LATE:
            return err_set(err, ERR_UNAVAILABLE,
                           "the broker at %s does not answer", self->address);
        case CLIENT_LOST:
            return -1;
        case CLIENT_BAD:
            self->lost = false;
            return -1;
        case CLIENT_GOT:
            break;
        }
        break;
    }
    self->lost = false;
    if (message.type == WIRE_ANSWER)
        rc = read_answer(self, message.as.answer, document, number, err);
    else
        (void)client_bad_answer(self, wire_type_names[message.type], err);
    wire_release(&message);
    return rc;
}

static int
send_ask(struct client *self, enum ask_what what, uint64_t run,
         const char *text, uint64_t number, struct err *err)
{
    Wire__Ask ask;

    wire__ask__init(&ask);
    ask.tag = ++self->tag;
    ask.what = (uint32_t)what;
    ask.run = run;
    ask.text = (char *)(uintptr_t)(text ? text : "");
    ask.number = number;
    return client_send(self, WIRE_ASK, &ask.base, err);
}

/* A piece of a list, or one of its elements. Taken over. */
static void
gather(json_t *all, json_t *piece)
{
    if (json_is_array(piece))
        (void)json_array_extend(all, piece);
    else if (!json_is_null(piece))
        (void)json_array_append(all, piece);
    json_decref(piece);
}

int
client_ask(struct client *self, enum ask_what what, uint64_t run,
           const char *text, uint64_t number, json_t **document,
           uint64_t *answer, struct err *err)
{
    json_t *one = NULL;
    json_t *all = NULL;
    int more;

    if (send_ask(self, what, run, text, number, err) < 0)
        return -1;
    more = client_answer(self, self->tag, &one, answer, err);
    while (more > 0) {
        /* Lists come in pieces: together they are one. */
        if (!all)
            all = json_array();
        gather(all, one);
        one = NULL;
        more = client_answer(self, self->tag, &one, answer, err);
    }
    if (more < 0) {
        json_decref(all);
        return -1;
    }
    if (all) {
        gather(all, one);
        one = all;
    }
    if (document)
        *document = one;
    else
        json_decref(one);
    return 0;
}

int
client_connect_again(struct client *self, struct err *err)
{
    if (client_connect(self, CLIENT_PROBE, err) < 0)
        return -1;
    return client_ask(self, ASK_VERSION, 0, NULL, 0, NULL, NULL, err);
}

/* ---- life ---- */

/*
 * czmq would catch SIGINT and SIGTERM. It is told not to before it makes its
 * context, which is when it would do that.
 */
static void
prepare_czmq(void)
{
    zsys_handler_set(NULL);
    (void)zsys_init();
    zsys_handler_set(NULL);
}

int
client_open(struct client **ret, const char *address, struct err *err)
{
    struct client *self = mem_alloc(1, sizeof *self);

    self->interrupt_fd = -1;
    prepare_czmq();
    if (link_address(&self->address, address, err) < 0 ||
        client_connect_again(self, err) < 0) {
        client_close(&self);
        return -1;
    }
    *ret = self;
    return 0;
}

void
client_close(struct client **self_p)
{
    struct client *self = *self_p;

    if (!self)
        return;
    disconnect(self);
    zpoller_destroy(&self->poller);
    free(self->address);
    free(self);
    *self_p = NULL;
}

const char *
client_address(const struct client *self)
{
    return self->address;
}

void
client_set_interrupt(struct client *self, int fd)
{
    if (self->interrupt_fd >= 0)
        (void)zpoller_remove(self->poller, &self->interrupt_fd);
    self->interrupt_fd = fd;
    if (fd >= 0)
        (void)zpoller_add(self->poller, &self->interrupt_fd);
}
