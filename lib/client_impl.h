/* SPDX-License-Identifier: MPL-2.0 */
/*
 * client_impl - what the parts of the client share: client.c has the
 * connection, client_submit.c what is sent up, client_follow.c what comes of a
 * run, client_mirror.c the run as it is known here. Nobody else includes this.
 */
#ifndef LIB_CLIENT_IMPL_H
#define LIB_CLIENT_IMPL_H

#include <wire.pb-c.h>

#include "base/span.h"
#include "lib/client.h"
#include "proto/wire.h"

#define CLIENT_PROBE  (2 * SPAN_SECOND)  /* a connection is made in that time */
#define CLIENT_ANSWER (30 * SPAN_SECOND) /* and every answer comes */

struct client {
    char *address;
    void *socket;     /* NULL: the broker is away */
    int interrupt_fd; /* -1: none, or closed */
    int interrupts;   /* how many have come */
    uint64_t tag;     /* of the last question */
    bool heard;       /* from a broker, ever */
    bool sending;     /* much is on its way: a full queue is no trouble */
    bool sent;        /* ... all of it is in the queue */
    bool lost;        /* the last answer did not come: it may be asked again */
};

/* Connect anew, and see that a broker answers that speaks as we do; nothing of
 * an earlier connection comes any more. */
int client_connect_again(struct client *self, struct err *err);

/* A moment between two tries, or until an interrupt, which is counted. */
void client_rest(struct client *self);

/* Send a question. */
int client_send(struct client *self, enum wire_type type,
                const ProtobufCMessage *message, struct err *err);

enum client_step {
    CLIENT_LATE,      /* `until` has come */
    CLIENT_INTERRUPT, /* interrupts were counted */
    CLIENT_GOT,       /* *ret, to be released */
    CLIENT_LOST,      /* the connection is gone: *err */
    CLIENT_BAD,       /* what came is not understood: *err */
};

/* The next message with this tag; others are dropped. `until`: monotonic. */
enum client_step client_next(struct client *self, uint64_t tag, int64_t until,
                             struct wire *ret, struct err *err);

/* The answer to a question: 1 one that is not the last, 0 the last, -1 *err
 * (also if the answer is an error). document and number may be NULL. */
int client_answer(struct client *self, uint64_t tag, json_t **document,
                  uint64_t *number, struct err *err);

/* -1 and *err of an answer's code and text. */
int client_refused(const struct Wire__Answer *answer, struct err *err);

int client_bad_answer(const struct client *self, const char *what,
                      struct err *err);

#endif
