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

#define MOMENT (100 * SPAN_MS) /* between two tries */
/* As a rule there is a connection by then; else it is asked why not. */
#define SOON (20 * SPAN_MS)
/* From a connection to a greeting, which may take several tries. */
#define GREETING (3 * SPAN_SECOND)

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
read_interrupts(struct client *self)
{
    char bytes[16];
    ssize_t n = read(self->interrupt_fd, bytes, sizeof bytes);

    if (n > 0)
        self->interrupts += (int)n;
    if (n == 0)
        self->interrupt_fd = -1; /* closed: no more will come */
}

/* Until something may have changed, or until then: monotonic. True: it was an
 * interrupt. */
static bool
await(struct client *self, int64_t until)
{
    int64_t left = until - span_mono();
    struct pollfd fds[] = {
        {.fd = link_fd(self->socket), .events = POLLIN},
        {.fd = self->interrupt_fd, .events = POLLIN},
    };

    if (left <= 0 || poll(fds, 2, (int)((left + SPAN_MS - 1) / SPAN_MS)) <= 0 ||
        fds[1].revents == 0)
        return false;
    read_interrupts(self);
    return true;
}

static bool
await_greeting(struct client *self, int64_t until)
{
    while (!(link_events(self->socket) & LINK_OUT)) {
        if (span_mono() >= until)
            return false;
        (void)await(self, until);
    }
    return true;
}

static int
no_broker(const struct client *self, struct err *err)
{
    return err_set(err, ERR_UNAVAILABLE,
                   "what listens at %s does not answer as a broker does: is it "
                   "stopped, or not the address that leat-broker is at?",
                   self->address);
}

static int
greet(struct client *self, int64_t timeout, struct err *err)
{
    struct err why;

    if (await_greeting(self, span_mono() + SOON))
        return 0;
    if (link_probe(self->address, timeout, &why) < 0)
        return err_set(err, why.code, "%s (is leat-broker running there?)",
                       why.msg);
    if (await_greeting(self, span_mono() + GREETING))
        return 0;
    return no_broker(self, err);
}

/* Connect, or connect anew. */
static int
connect_to(struct client *self, int64_t timeout, struct err *err)
{
    link_close(&self->socket);
    if (link_socket(&self->socket, LINK_CLIENT, err) < 0 ||
        link_connect(self->socket, self->address, err) < 0 ||
        greet(self, timeout, err) < 0) {
        link_close(&self->socket);
        return -1;
    }
    return 0;
}

/* A socket whose peer is gone takes nothing. */
static bool
is_lost(struct client *self, int events)
{
    bool room = events & LINK_OUT;

    if (room && self->sent)
        self->sending = false;
    return !self->sending && !room;
}

static int
lost(const struct client *self, struct err *err)
{
    if (!self->heard)
        return no_broker(self, err);
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

/* A full queue is waited for. */
static int
send_frame(struct client *self, const struct buf *frame, struct err *err)
{
    int64_t until = span_mono() + CLIENT_ANSWER;
    int rc;

    while ((rc = link_send(self->socket, frame->data, frame->len, err)) == 0) {
        if (span_mono() >= until)
            return err_set(err, ERR_UNAVAILABLE,
                           "the broker at %s takes nothing any more",
                           self->address);
        if (!(link_events(self->socket) & LINK_OUT))
            (void)await(self, until);
    }
    return rc < 0 ? -1 : 0;
}

int
client_send(struct client *self, enum wire_type type,
            const ProtobufCMessage *message, struct err *err)
{
    struct buf out = {0};
    int rc = wire_encode(&out, type, message, err);

    self->lost = false;
    if (rc == 0) {
        rc = self->socket ? send_frame(self, &out, err) : lost(self, err);
        self->lost = rc < 0;
    }
    buf_release(&out);
    return rc;
}

/* One frame, if one is there. */
static enum client_step
take(struct client *self, uint64_t tag, struct wire *ret, struct err *err)
{
    zmq_msg_t frame;
    int rc;

    if (!link_receive(self->socket, &frame))
        return CLIENT_LATE;
    rc = wire_decode(ret, zmq_msg_data(&frame), zmq_msg_size(&frame), err);
    (void)zmq_msg_close(&frame);
    if (rc < 0) {
        (void)err_prefix(err, "the broker at %s: ", self->address);
        return CLIENT_BAD;
    }
    self->heard = true;
    if (tag_of(ret) == tag)
        return CLIENT_GOT;
    wire_release(ret);
    return CLIENT_LATE;
}

enum client_step
client_next(struct client *self, uint64_t tag, int64_t until, struct wire *ret,
            struct err *err)
{
    for (;;) {
        enum client_step step = take(self, tag, ret, err);
        int events;

        if (step != CLIENT_LATE)
            return step;
        events = link_events(self->socket);
        if (events & LINK_IN)
            continue;
        if (is_lost(self, events)) {
            (void)lost(self, err);
            return CLIENT_LOST;
        }
        if (span_mono() >= until)
            return CLIENT_LATE;
        if (await(self, until))
            return CLIENT_INTERRUPT;
    }
}

void
client_rest(struct client *self)
{
    struct pollfd fd = {.fd = self->interrupt_fd, .events = POLLIN};

    if (poll(&fd, 1, (int)(MOMENT / SPAN_MS)) > 0)
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
    if (connect_to(self, CLIENT_PROBE, err) < 0)
        return -1;
    return client_ask(self, ASK_VERSION, 0, NULL, 0, NULL, NULL, err);
}

/* ---- life ---- */

int
client_open(struct client **ret, const char *address, struct err *err)
{
    struct client *self = mem_alloc(1, sizeof *self);

    self->interrupt_fd = -1;
    if (link_address(&self->address, address, err) < 0 ||
        connect_to(self, CLIENT_PROBE, err) < 0) {
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
    link_close(&self->socket);
    free(self->address);
    free(self);
    *self_p = NULL;
}

void
client_set_interrupt(struct client *self, int fd)
{
    self->interrupt_fd = fd;
}
