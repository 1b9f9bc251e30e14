/* SPDX-License-Identifier: MPL-2.0 */
#include "proto/link_gate.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include <zmq.h>

/* A request's parts, and how much of each is looked at. */
enum {
    PART_VERSION,
    PART_REQUEST,
    PART_DOMAIN,
    PART_ADDRESS,
    PART_IDENTITY,
    PART_MECHANISM,
    PART_USER,
    PART_PASSWORD,
    PART_COUNT
};
#define PART_BYTES 256

struct request {
    char part[PART_COUNT][PART_BYTES];
    size_t n[PART_COUNT];
};

static atomic_ullong refused;

static bool
is_part(const struct request *request, int part, const char *text)
{
    return request->n[part] == strlen(text) &&
           memcmp(request->part[part], text, request->n[part]) == 0;
}

/* False: the context is gone. What is too long or too much is left away. */
static bool
receive(void *socket, struct request *ret)
{
    int more = 1;
    size_t size = sizeof more;

    memset(ret, 0, sizeof *ret);
    for (int i = 0; more; i++) {
        char spare[1];
        int n = i < PART_COUNT ? zmq_recv(socket, ret->part[i], PART_BYTES, 0)
                               : zmq_recv(socket, spare, sizeof spare, 0);

        if (n < 0 && zmq_errno() == EINTR) {
            i--;
            continue;
        }
        if (n < 0 || zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) < 0)
            return false;
        if (i < PART_COUNT)
            ret->n[i] = (size_t)n;
    }
    return true;
}

static bool
may_come(const struct request *request)
{
    size_t n = request->n[PART_DOMAIN];

    if (is_part(request, PART_DOMAIN, LINK_GATE_OPEN))
        return is_part(request, PART_MECHANISM, "NULL");
    return is_part(request, PART_MECHANISM, "PLAIN") && n > 0 &&
           n < PART_BYTES && n == request->n[PART_PASSWORD] &&
           memcmp(request->part[PART_DOMAIN], request->part[PART_PASSWORD],
                  n) == 0;
}

static void
answer(void *socket, const struct request *request, bool yes)
{
    size_t n = request->n[PART_REQUEST];

    n = n < PART_BYTES ? n : PART_BYTES;
    (void)zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
    (void)zmq_send(socket, request->part[PART_REQUEST], n, ZMQ_SNDMORE);
    (void)zmq_send(socket, yes ? "200" : "400", 3, ZMQ_SNDMORE);
    (void)zmq_send(socket, "", 0, ZMQ_SNDMORE);
    (void)zmq_send(socket, "", 0, ZMQ_SNDMORE);
    (void)zmq_send(socket, "", 0, 0);
}

static void *
work(void *socket)
{
    struct request request;

    while (receive(socket, &request)) {
        bool yes = may_come(&request);

        if (!yes)
            atomic_fetch_add(&refused, 1);
        answer(socket, &request, yes);
    }
    (void)zmq_close(socket);
    return NULL;
}

int
link_gate_start(void *context, struct err *err)
{
    void *socket = zmq_socket(context, ZMQ_REP);
    pthread_t thread;
    int rc;

    if (!socket || zmq_bind(socket, "inproc://zeromq.zap.01") < 0) {
        (void)err_set(err, ERR_UNAVAILABLE, "can't ask peers for a secret: %s",
                      zmq_strerror(zmq_errno()));
        goto failed;
    }
    rc = pthread_create(&thread, NULL, work, socket);
    if (rc != 0) {
        (void)err_set(err, ERR_UNAVAILABLE, "can't start a thread: %s",
                      strerror(rc));
        goto failed;
    }
    (void)pthread_detach(thread);
    return 0;
failed:
    if (socket)
        (void)zmq_close(socket);
    return -1;
}

uint64_t
link_gate_refused(void)
{
    return atomic_exchange(&refused, 0);
}
