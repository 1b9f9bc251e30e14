/* SPDX-License-Identifier: MPL-2.0 */
/*
 * session - an agent's three sockets to its broker, and whether it is there.
 *
 *   [AWAY] --control connects--> [ASKED] --Welcome--> [JOINED]
 *      ^                            | refused: told      |
 *      '---- no answer, connection gone, silent for 10 s, "leave" ----'
 *
 * Says hello by itself, as often as it takes. Never blocks; what does not go
 * now waits, and what waits when a session ends is forgotten. In one epoll with
 * everything else: whoever waits for session_fds calls session_turn then.
 */
#ifndef AGENT_SESSION_H
#define AGENT_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/convert.h"
#include "proto/items.h"
#include "proto/wire.h"

struct session;

struct session_calls {
    /* What to say hello with; valid until the answer. */
    const struct held *(*held)(void *ctx, size_t *n);
    /* Joined: n tickets, for those held. */
    void (*joined)(void *ctx, uint64_t number, uint32_t epoch,
                   const uint32_t *tickets, size_t n);
    /* A Lane frame, which is right by itself. */
    void (*lane)(void *ctx, const struct wire *wire);
    /* A Chunk or an Answer that is none to a hello. */
    void (*control)(void *ctx, const struct wire *wire);
    /* The session is over. */
    void (*lost)(void *ctx, const char *why);
    /* The broker does not want this agent. */
    void (*refused)(void *ctx, const struct err *err);
    void *ctx;
};

/* info: borrowed for life. Returns at once: the broker need not be there. */
struct session *session_new(const char *address, const struct agent_info *info,
                            const struct session_calls *calls, int64_t now);
void session_destroy(struct session **self_p);

bool session_is_joined(const struct session *self);
/* For what goes back; only while joined. */
struct return_out *session_out(struct session *self);
/* Send over control, if it can be now. */
bool session_send(struct session *self, enum wire_type type,
                  const ProtobufCMessage *message);
/* A new one is needed: what came makes no sense, or the broker said so. */
void session_again(struct session *self, const char *why, int64_t now);

#define SESSION_FDS 3
/* To poll for input; -1: none now. They change with the state; `change` counts
 * those changes. */
void session_fds(const struct session *self, int fds[SESSION_FDS],
                 unsigned *change);

/* Receive, and see to the broker being there. *busy: there is more to receive
 * than was taken. Returns when to call it again, monotonic. */
int64_t session_turn(struct session *self, int64_t now, bool *busy);
/* There is something to receive: a descriptor does not tell again what came
 * while its socket was asked or written to. */
bool session_waits(struct session *self);
/* Send what there is; true: all of it went. */
bool session_flush(struct session *self);

#endif
