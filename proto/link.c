/* SPDX-License-Identifier: MPL-2.0 */
#include "proto/link.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/span.h"
#include "proto/limits.h"
#include "proto/link_address.h"
#include "proto/link_gate.h"

#define MOST_SOCKETS 16384
#define LAST_CLOSED  8
#define LINGER_MS    500
/* Between looks at whether all has gone: mostly it has at once. */
#define FIRST_TICK 30000 /* ns */
#define LAST_TICK  1000000

/* A socket that sends only never receives more than a handshake and pings. */
#define SMALL_BYTES 4096

struct setting {
    int type;
    int linger; /* ms */
    int sndhwm, rcvhwm;
    int most_bytes;
    bool immediate; /* nothing is kept for a peer that is not there */
};

/*
 * What lies in a pipe is bounded by its frames, which are up to a MiB: those
 * of a lane and of what a broker receives are few. What an agent sends is
 * bounded by what it has; a deep queue, as a full one looks like a broker that
 * is gone.
 */
static const struct setting settings[LINK_COUNT] = {
    [LINK_ROUTER] = {ZMQ_ROUTER, LINGER_MS, LINK_ANSWER_FRAMES, 16,
                     LIMIT_FRAME_BYTES, false},
    [LINK_DEALER] = {ZMQ_DEALER, LINGER_MS, 64, 64, LIMIT_FRAME_BYTES, true},
    [LINK_CLIENT] = {ZMQ_DEALER, 0, 64, 64, LIMIT_FRAME_BYTES, true},
    [LINK_LANE_PUSH] = {ZMQ_PUSH, 0, LINK_LANE_FRAMES, 1, SMALL_BYTES, false},
    [LINK_LANE_PULL] = {ZMQ_PULL, 0, 1, 64, LIMIT_FRAME_BYTES, false},
    [LINK_RETURN_PULL] = {ZMQ_PULL, 0, 1, 16, LIMIT_FRAME_BYTES, false},
    [LINK_RETURN_PUSH] = {ZMQ_PUSH, LINGER_MS, LINK_RETURN_FRAMES, 1,
                          SMALL_BYTES, true},
};

/* The one thing that is a process's: its context, and the descriptors of
 * sockets that were closed while they may have had something to send. */
static struct {
    pthread_once_t once;
    void *zmq;
    int closed[LAST_CLOSED];
    unsigned nclosed;
    bool gated;
} process = {.once = PTHREAD_ONCE_INIT};

static void
make_context(void)
{
    process.zmq = zmq_ctx_new();
    if (!process.zmq)
        return;
    (void)zmq_ctx_set(process.zmq, ZMQ_IO_THREADS, 1);
    (void)zmq_ctx_set(process.zmq, ZMQ_MAX_SOCKETS, MOST_SOCKETS);
}

void
link_begin(void)
{
    (void)pthread_once(&process.once, make_context);
}

/* ---- a socket's life ---- */

static void
set(void *socket, int option, int value)
{
    int rc = zmq_setsockopt(socket, option, &value, sizeof value);

    assert(rc == 0);
    (void)rc;
}

/* The two that an agent connects for one session and closes with it. */
static bool
is_session(enum link_kind kind)
{
    return kind == LINK_LANE_PULL || kind == LINK_RETURN_PUSH;
}

/*
 * Peers of ZMTP before 3 are refused where there is a ZAP domain. What is no
 * ZMTP is taken for one: a lane would deal its frames to a port scanner. Not
 * where we connect: such a peer would never be tried again.
 */
static void
refuse_old(void *socket)
{
    int rc = zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, LINK_GATE_OPEN,
                            strlen(LINK_GATE_OPEN));

    assert(rc == 0);
    (void)rc;
}

static void
set_all(void *socket, enum link_kind kind)
{
    const struct setting *setting = &settings[kind];
    int64_t most_bytes = setting->most_bytes;
    int rc =
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most_bytes, sizeof most_bytes);

    assert(rc == 0);
    (void)rc;
    set(socket, ZMQ_LINGER, setting->linger);
    set(socket, ZMQ_SNDHWM, setting->sndhwm);
    set(socket, ZMQ_RCVHWM, setting->rcvhwm);
    set(socket, ZMQ_IMMEDIATE, setting->immediate);
    set(socket, ZMQ_SNDTIMEO, 0);
    set(socket, ZMQ_RCVTIMEO, 0);
    set(socket, ZMQ_HANDSHAKE_IVL, 1000);
    set(socket, ZMQ_HEARTBEAT_IVL, 2000);
    set(socket, ZMQ_HEARTBEAT_TIMEOUT, 6000);
    set(socket, ZMQ_HEARTBEAT_TTL, 6000);
    set(socket, ZMQ_TCP_KEEPALIVE, 1);
    set(socket, ZMQ_TCP_KEEPALIVE_IDLE, 30);
    set(socket, ZMQ_TCP_KEEPALIVE_INTVL, 10);
    set(socket, ZMQ_TCP_KEEPALIVE_CNT, 3);
    set(socket, ZMQ_CONNECT_TIMEOUT, 3000);
    /* A lane that was lost is never gone back to: what listens there by then is
     * another agent's. Nor is the way back: what was on it is lost, and a
     * session that went on would never know. */
    set(socket, ZMQ_RECONNECT_IVL, is_session(kind) ? -1 : 100);
    set(socket, ZMQ_RECONNECT_IVL_MAX, is_session(kind) ? 0 : 500);
    set(socket, ZMQ_BACKLOG, 1024);
    if (kind == LINK_ROUTER || kind == LINK_LANE_PUSH ||
        kind == LINK_RETURN_PULL)
        refuse_old(socket);
    if (kind == LINK_ROUTER)
        set(socket, ZMQ_ROUTER_MANDATORY, 1);
}

int
link_socket(void **ret, enum link_kind kind, struct err *err)
{
    void *socket = NULL;

    link_begin();
    if (process.zmq)
        socket = zmq_socket(process.zmq, settings[kind].type);
    if (!socket)
        return err_set(err, ERR_UNAVAILABLE, "no socket can be made: %s",
                       zmq_strerror(zmq_errno()));
    set_all(socket, kind);
    *ret = socket;
    return 0;
}

static int
set_text(void *socket, int option, const char *text)
{
    return zmq_setsockopt(socket, option, text, strlen(text));
}

int
link_set_secret(void *socket, enum link_kind kind, uint64_t secret,
                struct err *err)
{
    char text[17];
    int rc;

    (void)snprintf(text, sizeof text, "%016llx", (unsigned long long)secret);
    if (kind == LINK_LANE_PULL) {
        rc = set_text(socket, ZMQ_PLAIN_USERNAME, "lane") +
             set_text(socket, ZMQ_PLAIN_PASSWORD, text);
        assert(rc == 0);
        return 0;
    }
    if (!process.gated && link_gate_start(process.zmq, err) < 0)
        return -1;
    process.gated = true;
    set(socket, ZMQ_PLAIN_SERVER, 1);
    rc = set_text(socket, ZMQ_ZAP_DOMAIN, text);
    assert(rc == 0);
    return 0;
}

uint64_t
link_refused(void)
{
    return link_gate_refused();
}

static int
get(void *socket, int option)
{
    int value = 0;
    size_t n = sizeof value;
    int rc;

    do
        rc = zmq_getsockopt(socket, option, &value, &n);
    while (rc < 0 && zmq_errno() == EINTR);
    return rc < 0 ? -1 : value;
}

/* Its descriptor goes when it has sent what it had: see link_finish. */
void
link_close(void **socket_p)
{
    void *socket = *socket_p;

    *socket_p = NULL;
    if (!socket)
        return;
    if (get(socket, ZMQ_LINGER) > 0)
        process.closed[process.nclosed++ % LAST_CLOSED] = link_fd(socket);
    (void)zmq_close(socket);
}

void
link_finish(void)
{
    struct timespec tick = {.tv_nsec = FIRST_TICK};
    unsigned n = process.nclosed < LAST_CLOSED ? process.nclosed : LAST_CLOSED;
    int64_t end = span_mono() + LINGER_MS * SPAN_MS;

    while (n > 0 && span_mono() < end) {
        if (fcntl(process.closed[n - 1], F_GETFD) < 0) {
            n--;
            continue;
        }
        (void)nanosleep(&tick, NULL);
        if (tick.tv_nsec < LAST_TICK)
            tick.tv_nsec *= 2;
    }
    process.nclosed = 0;
}

/* ---- where to ---- */

int
link_bind(void *socket, const char *endpoint, struct err *err)
{
    struct err ignored;

    /* libzmq would take the path away from who listens there. */
    if (address_is_ipc(endpoint) &&
        link_probe(endpoint, LINK_PROBE_IPC, &ignored) == 0)
        return err_set(err, ERR_UNAVAILABLE,
                       "can't listen at %s: somebody does already", endpoint);
    set(socket, ZMQ_IPV6, address_needs_ipv6(endpoint));
    if (zmq_bind(socket, endpoint) == 0)
        return 0;
    if (zmq_errno() == EADDRINUSE)
        return err_set(err, ERR_UNAVAILABLE,
                       "can't listen at %s: somebody does already, maybe "
                       "another broker (`ss -ltnp` shows who)",
                       endpoint);
    return err_set(err, ERR_UNAVAILABLE, "can't listen at %s: %s", endpoint,
                   zmq_strerror(zmq_errno()));
}

int
link_connect(void *socket, const char *endpoint, struct err *err)
{
    set(socket, ZMQ_IPV6, address_needs_ipv6(endpoint));
    if (zmq_connect(socket, endpoint) < 0)
        return err_set(err, ERR_UNAVAILABLE, "can't connect to %s: %s",
                       endpoint, zmq_strerror(zmq_errno()));
    return 0;
}

/* ---- using it ---- */

int
link_fd(void *socket)
{
    return get(socket, ZMQ_FD);
}

int
link_events(void *socket)
{
    int events = get(socket, ZMQ_EVENTS);

    if (events < 0)
        return 0;
    return (events & ZMQ_POLLIN ? LINK_IN : 0) |
           (events & ZMQ_POLLOUT ? LINK_OUT : 0);
}

int
link_send(void *socket, const void *data, size_t n, struct err *err)
{
    int rc;

    do
        rc = zmq_send(socket, data, n, ZMQ_DONTWAIT);
    while (rc < 0 && zmq_errno() == EINTR);
    if (rc >= 0)
        return 1;
    if (zmq_errno() == EAGAIN)
        return 0;
    return err_set(err, ERR_UNAVAILABLE, "can't send: %s",
                   zmq_strerror(zmq_errno()));
}

bool
link_receive(void *socket, zmq_msg_t *frame)
{
    int rc;

    (void)zmq_msg_init(frame);
    do
        rc = zmq_msg_recv(frame, socket, ZMQ_DONTWAIT);
    while (rc < 0 && zmq_errno() == EINTR);
    if (rc >= 0)
        return true;
    (void)zmq_msg_close(frame);
    return false;
}
