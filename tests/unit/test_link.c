/* SPDX-License-Identifier: MPL-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zmq.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/link.h"
#include "proto/link_address.h"

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define SOON     (5 * SPAN_SECOND)

/* ---- peers that are killed ---- */

/* Another process at the other end: it gets its endpoint through a pipe, as it
 * is made before this one has a context. */
struct peer {
    pid_t pid;
    int to;
};

struct place {
    char folder[32];
    char ipc[64]; /* new for each test: sockets are closed in the background */
    struct peer peers[6];
    size_t next;
    unsigned number;
};

static void
serve_peer(int from)
{
    enum link_kind kind;
    char endpoint[128];
    void *socket = NULL;
    struct err err;

    if (read(from, &kind, sizeof kind) != sizeof kind ||
        read(from, endpoint, sizeof endpoint) != sizeof endpoint)
        _exit(0);
    if (link_socket(&socket, kind, &err) < 0)
        _exit(1);
    if ((kind == LINK_LANE_PULL ? link_connect(socket, endpoint, &err)
                                : link_bind(socket, endpoint, &err)) < 0) {
        (void)dprintf(2, "%s\n", err.msg);
        _exit(1);
    }
    for (;;)
        (void)pause();
}

static int
make_place(void **state)
{
    struct place *self = mem_alloc(1, sizeof *self);

    for (size_t i = 0; i < COUNT(self->peers); i++) {
        int ends[2];

        if (pipe(ends) < 0)
            return -1;
        self->peers[i].pid = fork();
        if (self->peers[i].pid == 0) {
            (void)close(ends[1]);
            for (size_t k = 0; k < i; k++)
                (void)close(self->peers[k].to);
            serve_peer(ends[0]);
        }
        (void)close(ends[0]);
        self->peers[i].to = ends[1];
    }
    (void)snprintf(self->folder, sizeof self->folder, "/tmp/leat-link-XXXXXX");
    if (!mkdtemp(self->folder))
        return -1;
    *state = self;
    return 0;
}

static int
name_socket(void **state)
{
    struct place *self = *state;

    (void)snprintf(self->ipc, sizeof self->ipc, "ipc://%s/%u", self->folder,
                   self->number++);
    return 0;
}

static void
kill_peer(struct peer *peer)
{
    if (peer->pid <= 0)
        return;
    assert_int_equal(kill(peer->pid, SIGKILL), 0);
    assert_int_equal(waitpid(peer->pid, NULL, 0), peer->pid);
    (void)close(peer->to);
    peer->pid = 0;
}

static int
leave_socket(void **state)
{
    struct place *self = *state;

    (void)unlink(self->ipc + sizeof "ipc://" - 1);
    return 0;
}

static int
leave_place(void **state)
{
    struct place *self = *state;

    for (size_t i = 0; i < COUNT(self->peers); i++)
        kill_peer(&self->peers[i]);
    (void)rmdir(self->folder);
    free(self);
    return 0;
}

static struct peer *
start_peer(struct place *self, enum link_kind kind, const char *at)
{
    struct peer *peer = &self->peers[self->next++];
    char endpoint[128] = {0};

    assert_in_range(strlen(at), 1, sizeof endpoint - 1);
    memcpy(endpoint, at, strlen(at));
    assert_int_equal(write(peer->to, &kind, sizeof kind), sizeof kind);
    assert_int_equal(write(peer->to, endpoint, sizeof endpoint),
                     sizeof endpoint);
    return peer;
}

/* Bound by a port that the kernel chose. */
static void
bind_anywhere(void *socket, char *endpoint, size_t n)
{
    struct err err;

    if (link_bind(socket, "tcp://127.0.0.1:*", &err) < 0)
        fail_msg("%s", err.msg);
    assert_int_equal(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &n),
                     0);
}

/*
 * Wait by the descriptor alone until the socket takes frames, or takes none.
 * How long it took; negative: the descriptor did not tell.
 */
static int64_t
wait_out(void *socket, bool takes)
{
    struct pollfd fd = {.fd = link_fd(socket), .events = POLLIN};
    int64_t start = span_mono();

    while (((link_events(socket) & LINK_OUT) != 0) != takes) {
        int64_t left = start + SOON - span_mono();

        if (left <= 0 || poll(&fd, 1, (int)(left / SPAN_MS) + 1) == 0)
            return -1;
    }
    return span_mono() - start;
}

static void
check_lane(struct place *place, void *push, const char *endpoint)
{
    struct peer *peer;
    struct err err;

    assert_int_equal(link_events(push), 0);
    assert_int_equal(link_send(push, "x", 1, &err), 0);
    peer = start_peer(place, LINK_LANE_PULL, endpoint);
    assert_in_range(wait_out(push, true), 0, SOON);
    for (int i = 0; i < 10; i++)
        assert_int_equal(link_send(push, "x", 1, &err), 1);
    assert_true(link_events(push) & LINK_OUT);
    kill_peer(peer);
    assert_in_range(wait_out(push, false), 0, SPAN_SECOND);
    assert_int_equal(link_send(push, "x", 1, &err), 0);
}

static void
a_lane_is_known_to_have_lost_its_peer_at_once(void **state)
{
    struct place *place = *state;
    char endpoint[128];
    void *push = NULL;
    struct err err;

    assert_int_equal(link_socket(&push, LINK_LANE_PUSH, &err), 0);
    bind_anywhere(push, endpoint, sizeof endpoint);
    check_lane(place, push, endpoint);
    link_close(&push);
    assert_int_equal(link_socket(&push, LINK_LANE_PUSH, &err), 0);
    assert_int_equal(link_bind(push, place->ipc, &err), 0);
    check_lane(place, push, place->ipc);
    link_close(&push);
    link_close(&push);
}

/* A port that nobody listens at. */
static void
find_free_port(char *endpoint, size_t n)
{
    struct sockaddr_in place = {.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t nplace = sizeof place;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(bind(fd, (struct sockaddr *)&place, nplace), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&place, &nplace), 0);
    (void)snprintf(endpoint, n, "tcp://127.0.0.1:%u", ntohs(place.sin_port));
    (void)close(fd);
}

#define AGAIN (600 * SPAN_MS) /* any that connect again have done so by then */

/* As an agent does: the peer may not be bound yet, and a socket tries once. */
static void
connect_back(void **ret, const char *endpoint)
{
    struct pollfd fd = {.events = POLLIN};
    struct err err;

    for (int64_t until = span_mono() + SOON; span_mono() < until;) {
        link_close(ret);
        assert_int_equal(link_socket(ret, LINK_RETURN_PUSH, &err), 0);
        assert_int_equal(link_connect(*ret, endpoint, &err), 0);
        fd.fd = link_fd(*ret);
        for (int i = 0; i < 10 && !(link_events(*ret) & LINK_OUT); i++)
            (void)poll(&fd, 1, 20);
        if (link_events(*ret) & LINK_OUT)
            return;
    }
    fail_msg("no connection to %s", endpoint);
}

static void
check_return(struct place *place, const char *endpoint)
{
    void *push = NULL, *next = NULL;
    struct peer *peer;
    struct pollfd fd = {.events = POLLIN};
    struct err err;

    peer = start_peer(place, LINK_RETURN_PULL, endpoint);
    connect_back(&push, endpoint);
    for (int i = 0; i < 10; i++)
        assert_int_equal(link_send(push, "x", 1, &err), 1);
    kill_peer(peer);
    assert_in_range(wait_out(push, false), 0, SPAN_SECOND);
    assert_int_equal(link_send(push, "x", 1, &err), 0);
    /* It does not find the next one by itself: what was on its way is lost, and
     * whoever sends has to know. */
    peer = start_peer(place, LINK_RETURN_PULL, endpoint);
    connect_back(&next, endpoint);
    fd.fd = link_fd(push);
    for (int64_t until = span_mono() + AGAIN; span_mono() < until;) {
        assert_int_equal(link_events(push) & LINK_OUT, 0);
        (void)poll(&fd, 1, (int)(AGAIN / SPAN_MS));
    }
    kill_peer(peer);
    link_close(&push);
    link_close(&next);
}

static void
an_agent_knows_at_once_that_its_broker_is_gone(void **state)
{
    struct place *place = *state;
    char endpoint[64];

    check_return(place, place->ipc);
    find_free_port(endpoint, sizeof endpoint);
    check_return(place, endpoint);
}

/* ---- within this process ---- */

static void
wait_in(void *socket)
{
    struct pollfd fd = {.fd = link_fd(socket), .events = POLLIN};

    while ((link_events(socket) & LINK_IN) == 0)
        assert_int_equal(poll(&fd, 1, (int)(SOON / SPAN_MS)), 1);
}

static void
frames_go_down_a_lane(void **state)
{
    struct place *place = *state;
    void *push = NULL, *pull = NULL;
    char got[8];
    struct err err;

    assert_int_equal(link_socket(&push, LINK_LANE_PUSH, &err), 0);
    assert_int_equal(link_socket(&pull, LINK_LANE_PULL, &err), 0);
    assert_int_equal(link_bind(push, place->ipc, &err), 0);
    assert_int_equal(link_connect(pull, place->ipc, &err), 0);
    assert_in_range(wait_out(push, true), 0, SOON);
    assert_int_equal(link_send(push, "hello", 5, &err), 1);
    wait_in(pull);
    assert_int_equal(zmq_recv(pull, got, sizeof got, ZMQ_DONTWAIT), 5);
    assert_memory_equal(got, "hello", 5);
    assert_int_equal(zmq_recv(pull, got, sizeof got, ZMQ_DONTWAIT), -1);
    assert_int_equal(zmq_errno(), EAGAIN);
    link_close(&pull);
    link_close(&push);
}

/* Whoever else is connected gets none of its frames. */
static void
a_lane_deals_only_to_who_knows_its_secret(void **state)
{
    static const uint64_t secrets[] = {0, 8, 7}; /* 0: none */
    struct place *place = *state;
    void *push = NULL, *pulls[COUNT(secrets)] = {0};
    int64_t start = span_mono();
    char got[8];
    struct err err;

    assert_int_equal(link_socket(&push, LINK_LANE_PUSH, &err), 0);
    assert_int_equal(link_set_secret(push, LINK_LANE_PUSH, 7, &err), 0);
    assert_int_equal(link_bind(push, place->ipc, &err), 0);
    for (size_t i = 0; i < COUNT(secrets); i++) {
        assert_int_equal(link_socket(&pulls[i], LINK_LANE_PULL, &err), 0);
        if (secrets[i] != 0)
            assert_int_equal(
                link_set_secret(pulls[i], LINK_LANE_PULL, secrets[i], &err), 0);
        assert_int_equal(link_connect(pulls[i], place->ipc, &err), 0);
        while (secrets[i] == 8 && link_refused() == 0)
            assert_true(span_mono() - start < SOON);
    }
    for (int i = 0; i < 12; i++) {
        assert_in_range(wait_out(push, true), 0, SOON);
        assert_int_equal(link_send(push, "hello", 5, &err), 1);
        wait_in(pulls[2]);
        assert_int_equal(zmq_recv(pulls[2], got, sizeof got, ZMQ_DONTWAIT), 5);
    }
    for (size_t i = 0; i < COUNT(secrets); i++)
        link_close(&pulls[i]);
    link_close(&push);
}

static void
a_lost_lane_is_not_gone_back_to(void **state)
{
    struct place *place = *state;
    void *push = NULL, *pull = NULL;
    int64_t start = span_mono();
    struct pollfd fd = {.events = POLLIN};
    struct err err;

    assert_int_equal(link_socket(&push, LINK_LANE_PUSH, &err), 0);
    assert_int_equal(link_socket(&pull, LINK_LANE_PULL, &err), 0);
    assert_int_equal(link_bind(push, place->ipc, &err), 0);
    assert_int_equal(link_connect(pull, place->ipc, &err), 0);
    assert_in_range(wait_out(push, true), 0, SOON);
    link_close(&push);
    assert_int_equal(link_socket(&push, LINK_LANE_PUSH, &err), 0);
    while (link_bind(push, place->ipc, &err) < 0)
        assert_true(span_mono() - start < SOON); /* until it is closed */
    /* longer than others take to come back */
    for (start = span_mono(); span_mono() - start < 300 * SPAN_MS;) {
        fd.fd = link_fd(push);
        (void)poll(&fd, 1, 20);
        assert_int_equal(link_events(push), 0);
    }
    link_close(&push);
    link_close(&pull);
}

static void
what_was_sent_last_still_goes_when_all_is_over(void **state)
{
    struct place *place = *state;
    void *push = NULL, *pull = NULL;
    char *got = mem_alloc(1 << 20, 1);
    struct err err;

    assert_int_equal(link_socket(&push, LINK_RETURN_PUSH, &err), 0);
    assert_int_equal(link_socket(&pull, LINK_RETURN_PULL, &err), 0);
    assert_int_equal(link_bind(pull, place->ipc, &err), 0);
    assert_int_equal(link_connect(push, place->ipc, &err), 0);
    assert_in_range(wait_out(push, true), 0, SOON);
    for (int i = 0; i < 10; i++)
        assert_int_equal(link_send(push, got, 1 << 20, &err), 1);
    link_close(&push);
    link_finish();
    for (int i = 0; i < 10; i++) {
        wait_in(pull);
        assert_int_equal(zmq_recv(pull, got, 1 << 20, ZMQ_DONTWAIT), 1 << 20);
    }
    link_close(&pull);
    link_finish();
    free(got);
}

static void
a_place_that_is_taken_is_not_taken_away(void **state)
{
    struct place *place = *state;
    void *first = NULL, *second = NULL;
    char endpoint[128];
    struct err err;

    assert_int_equal(link_socket(&first, LINK_ROUTER, &err), 0);
    assert_int_equal(link_socket(&second, LINK_ROUTER, &err), 0);
    assert_int_equal(link_bind(first, place->ipc, &err), 0);
    assert_int_equal(link_bind(second, place->ipc, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "somebody does already"));
    bind_anywhere(first, endpoint, sizeof endpoint);
    assert_int_equal(link_bind(second, endpoint, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "somebody does already"));
    assert_int_equal(link_bind(second, "ipc:///no/such/folder/x", &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_int_equal(link_probe(endpoint, SPAN_SECOND, &err), 0);
    assert_int_equal(link_probe(place->ipc, SPAN_SECOND, &err), 0);
    link_close(&second);
    link_close(&first);
}

static void
a_broker_that_is_away_is_known_at_once(void **state)
{
    struct place *place = *state;
    char endpoint[64];
    struct err err;

    assert_int_equal(link_probe(place->ipc, SPAN_SECOND, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "there is no such socket"));
    assert_int_equal(link_probe("ipc://@leat-nobody", SPAN_SECOND, &err), -1);
    assert_non_null(strstr(err.msg, "the connection is refused"));
    find_free_port(endpoint, sizeof endpoint);
    assert_int_equal(link_probe(endpoint, SPAN_SECOND, &err), -1);
    assert_int_equal(err.code, ERR_UNAVAILABLE);
    assert_non_null(strstr(err.msg, "the connection is refused"));
}

#define WITH_SOCKET(test) \
    cmocka_unit_test_setup_teardown(test, name_socket, leave_socket)

int
main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SOCKET(a_lane_is_known_to_have_lost_its_peer_at_once),
        WITH_SOCKET(an_agent_knows_at_once_that_its_broker_is_gone),
        WITH_SOCKET(frames_go_down_a_lane),
        WITH_SOCKET(a_lane_deals_only_to_who_knows_its_secret),
        WITH_SOCKET(a_lost_lane_is_not_gone_back_to),
        WITH_SOCKET(what_was_sent_last_still_goes_when_all_is_over),
        WITH_SOCKET(a_place_that_is_taken_is_not_taken_away),
        WITH_SOCKET(a_broker_that_is_away_is_known_at_once),
    };

    return cmocka_run_group_tests(tests, make_place, leave_place);
}
