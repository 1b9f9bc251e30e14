/* SPDX-License-Identifier: MPL-2.0 */
/*
 * link - ZeroMQ sockets the way leat uses them: every option set (hazards: none
 * is left to a default), every one bounded, none that blocks.
 *
 * One context a process, made at the first use and never ended: see
 * link_finish. Keys will go in here.
 */
#ifndef PROTO_LINK_H
#define PROTO_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <zmq.h>

#include "base/err.h"

#define LINK_CONTROL_PORT 7100 /* ROUTER */

enum link_kind {
    LINK_ROUTER,      /* broker, control */
    LINK_DEALER,      /* agent, control */
    LINK_CLIENT,      /* a DEALER that waits for its last answer */
    LINK_LANE_PUSH,   /* broker */
    LINK_LANE_PULL,   /* agent */
    LINK_RETURN_PULL, /* broker */
    LINK_RETURN_PUSH, /* agent */
    LINK_COUNT
};

/*
 * An address as people give it: tcp://HOST[:PORT], HOST[:PORT], ipc://PATH,
 * ipc://@NAME; made whole ("tcp://HOST:7100") in *ret, a heap string. Says what
 * is wrong with it, and that its host does not resolve.
 */
int link_address(char **ret, const char *text, struct err *err);
/* Only how it is written. ERR_INVALID. */
int link_address_check(const char *text, struct err *err);

/* Loopback or ipc: nobody else can reach it. */
bool link_is_private(const char *address);

/* The endpoint beside `address` of a given port (tcp) or name (ipc: the path
 * with "-NAME" behind it); heap. */
char *link_beside(const char *address, unsigned port, const char *name);

/* What the first socket would take its time for, while something else is waited
 * for. */
void link_begin(void);

/* A socket with all its options. ERR_UNAVAILABLE: out of descriptors. */
int link_socket(void **ret, enum link_kind kind, struct err *err);
/*
 * A lane's two ends, before they are bound or connected: the PUSH has only peers
 * with the same secret, whoever else knows its endpoint. Without keys it goes
 * over the wire as it is: this keeps out who can't read what others send.
 */
int link_set_secret(void *socket, enum link_kind kind, uint64_t secret,
                    struct err *err);
/* Peers that were turned away since the last call, having another secret. */
uint64_t link_refused(void);
#define LINK_SECRET_SHOWN 0xffffffu /* of a secret, in logs */

/*
 * Bind; ERR_UNAVAILABLE names who may have the port. An ipc path that somebody
 * listens at is not taken away; one that is left over is. link_close frees an
 * endpoint a moment later, in the background.
 */
int link_bind(void *socket, const char *endpoint, struct err *err);
/* In the background, again and again; but a LINK_LANE_PULL once, and it does not
 * come back to a lane that it has lost. */
int link_connect(void *socket, const char *endpoint, struct err *err);
void link_close(void **socket_p);

/*
 * The descriptor to poll. It is readable when something has changed; then look
 * at link_events until there is nothing, also after each send and receive: what
 * changed meanwhile is not told again.
 *
 * A PUSH has LINK_OUT while its peer is there and takes frames. When the peer's
 * process is killed, the descriptor becomes readable and LINK_OUT is gone at
 * once: within 0.2 ms over tcp and ipc, the bound PUSH of a lane as well as the
 * connected one of an agent (test_link has both). A peer's machine that is gone
 * is known after 6 s, by ZeroMQ's heartbeat. LINK_OUT also goes away while
 * LINK_LANE_FRAMES (an agent: LINK_RETURN_FRAMES) or more frames lie in the
 * socket because the peer reads slowly; that can't be told apart.
 */
int link_fd(void *socket);
enum { LINK_IN = 1, LINK_OUT = 2 };
#define LINK_LANE_FRAMES   64
#define LINK_RETURN_FRAMES 1000
/* What waits in a ROUTER for a client that does not read; more is dropped. */
#define LINK_ANSWER_FRAMES 256
int link_events(void *socket);

/* One frame, at once or not: 1 done, 0 not now, -1 *err (ERR_UNAVAILABLE). A
 * ROUTER says so too (EHOSTUNREACH) when the one it is for is gone. */
int link_send(void *socket, const void *data, size_t n, struct err *err);

/* One frame, or one part of some, if it is there: to be closed by the caller. */
bool link_receive(void *socket, zmq_msg_t *frame);

/* Whether a connection can be made at all, within `timeout` microseconds: a
 * broker that is away is known at once, with the cause. */
int link_probe(const char *address, int64_t timeout, struct err *err);

/* Before _exit: sockets are closed, what was sent last gets half a second. */
void link_finish(void);

#endif
