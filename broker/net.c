/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/net.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/limits.h"
#include "proto/link.h"
#include "proto/wire.h"

/* More than there are agents: some lanes are on their way out. */
#define PLACES (2 * LIMIT_AGENTS)

struct place {
    struct broker_lane *lane; /* NULL: free */
    bool awake;
};

struct broker_net {
    int epoll;
    char *address, *back, *back_endpoint;
    void *control, *returns;    /* NULL: not bound */
    unsigned first, last, next; /* ports of lanes; ipc: only `next` */
    struct place places[PLACES];
    uint64_t garbage;
};

/* ---- frames ---- */

/* Who it is from, and the frame. */
static zframe_t *
take_message(zmsg_t *message, struct broker_client *client)
{
    zframe_t *name = zmsg_first(message);
    size_t n = zframe_size(name);
    zframe_t *frame;

    if (zmsg_size(message) != 2 || n == 0 || n > CLIENT_NAME)
        return NULL;
    client->n = (uint8_t)n;
    memcpy(client->name, zframe_data(name), n);
    frame = zmsg_last(message);
    zmsg_remove(message, frame);
    return frame;
}

zframe_t *
broker_net_control(struct broker_net *self, struct broker_client *client)
{
    zframe_t *frame = NULL;
    zmsg_t *message;

    while (!frame && (message = zmsg_recv(self->control))) {
        frame = take_message(message, client);
        zmsg_destroy(&message);
        self->garbage += frame == NULL;
    }
    return frame;
}

zframe_t *
broker_net_return(struct broker_net *self)
{
    zframe_t *frame = NULL;
    zmsg_t *message;

    while (!frame && (message = zmsg_recv(self->returns))) {
        if (zmsg_size(message) == 1)
            frame = zmsg_pop(message);
        zmsg_destroy(&message);
        self->garbage += frame == NULL;
    }
    return frame;
}

bool
broker_net_control_waits(struct broker_net *self)
{
    return (link_events(self->control) & LINK_IN) != 0;
}

bool
broker_net_return_waits(struct broker_net *self)
{
    return (link_events(self->returns) & LINK_IN) != 0;
}

void
broker_net_send(struct broker_net *self, const struct broker_client *client,
                const char *frames, size_t n)
{
    struct err ignored;
    size_t size = 0;

    while (n > 0 && wire_frame_bytes(frames, n, &size, &ignored) == 0 &&
           size > 0 && size <= n) {
        zmsg_t *message = zmsg_new();

        (void)zmsg_addmem(message, client->name, client->n);
        (void)zmsg_addmem(message, frames, size);
        if (zmsg_send(&message, self->control) < 0) {
            zmsg_destroy(&message);
            return;
        }
        frames += size;
        n -= size;
    }
}

uint64_t
broker_net_garbage(struct broker_net *self)
{
    uint64_t n = self->garbage;

    self->garbage = 0;
    return n;
}

/* ---- lanes ---- */

static bool
is_ipc(const struct broker_net *self)
{
    return strncmp(self->address, "ipc:", 4) == 0;
}

const char *
broker_net_back(const struct broker_net *self)
{
    return self->back;
}

static struct place *
find(struct broker_net *self, broker_session session)
{
    /* The core counts places in the low byte: as a rule the first look hits. */
    for (size_t i = 0; i < PLACES; i++) {
        struct place *place = &self->places[(session + i) % PLACES];

        if (place->lane && broker_lane_session(place->lane) == session)
            return place;
    }
    return NULL;
}

struct broker_lane *
broker_net_lane(struct broker_net *self, broker_session session)
{
    const struct place *place = find(self, session);

    return place && !broker_lane_is_retired(place->lane) ? place->lane : NULL;
}

static struct place *
free_place(struct broker_net *self, broker_session session)
{
    for (size_t i = 0; i < PLACES; i++) {
        struct place *place = &self->places[(session + i) % PLACES];

        if (!place->lane)
            return place;
    }
    return NULL;
}

/* Ports in turn, so that one is not used again at once. */
static int
bind_lane(struct broker_net *self, broker_session session, int64_t now,
          struct broker_lane **ret, char **told, struct err *err)
{
    unsigned n = is_ipc(self) ? 1 : self->last - self->first + 1;

    for (unsigned i = 0; i < n; i++) {
        unsigned port = self->next;
        char *name = mem_printf("lane-%u", port);
        char *endpoint = link_beside(self->address, port, name);

        free(name);
        self->next = self->next >= self->last ? self->first : self->next + 1;
        *told = is_ipc(self) ? mem_dup(endpoint) : mem_printf(":%u", port);
        if (broker_lane_new(ret, session, &endpoint, now, err) == 0)
            return 0;
        free(*told);
        *told = NULL;
    }
    return err_prefix(err,
                      "no port from %u to %u is free for a lane: ", self->first,
                      self->last);
}

static int
add_to_epoll(const struct broker_net *self, int fd, uint64_t data,
             struct err *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = data};

    if (fd < 0 || epoll_ctl(self->epoll, EPOLL_CTL_ADD, fd, &event) < 0)
        return err_system(err, "can't wait for a socket");
    return 0;
}

int
broker_net_open(struct broker_net *self, broker_session session, int64_t now,
                char **told, struct err *err)
{
    struct place *place = free_place(self, session);
    struct broker_lane *lane = NULL;

    if (!place)
        return err_set(err, ERR_UNAVAILABLE, "too many lanes are closing");
    if (bind_lane(self, session, now, &lane, told, err) < 0)
        return -1;
    if (add_to_epoll(self, broker_lane_fd(lane), session, err) < 0) {
        broker_lane_destroy(&lane);
        free(*told);
        return -1;
    }
    place->lane = lane;
    place->awake = true;
    return 0;
}

void
broker_net_wake(struct broker_net *self, broker_session session)
{
    struct place *place = find(self, session);

    if (place)
        place->awake = true;
}

void
broker_net_drop(struct broker_net *self, broker_session session, int64_t now)
{
    struct place *place = find(self, session);

    if (!place)
        return;
    broker_lane_retire(place->lane, now);
    place->awake = true;
}

void
broker_net_forget(struct broker_net *self, uint64_t run)
{
    for (size_t i = 0; i < PLACES; i++) {
        if (self->places[i].lane)
            broker_lane_forget(self->places[i].lane, run);
    }
}

static void
close_lane(struct broker_net *self, struct place *place)
{
    (void)epoll_ctl(self->epoll, EPOLL_CTL_DEL, broker_lane_fd(place->lane),
                    NULL);
    broker_lane_destroy(&place->lane);
    place->awake = false;
}

void
broker_net_turn(struct broker_net *self, int64_t now, broker_gone_fn *fn,
                void *ctx)
{
    for (size_t i = 0; i < PLACES; i++) {
        struct place *place = &self->places[i];
        struct broker_lane *lane = place->lane;
        enum broker_gone gone;

        if (!lane || (!place->awake && broker_lane_due(lane) > now))
            continue;
        place->awake = false;
        gone = broker_lane_turn(lane, now);
        if (broker_lane_is_retired(lane)) {
            if (gone != GONE_LEFT || broker_lane_is_done(lane, now))
                close_lane(self, place);
        } else if (gone != GONE_LEFT) {
            fn(ctx, broker_lane_session(lane), gone);
            /* The core drops it when it thinks so; this is of no use. */
            if (place->lane)
                close_lane(self, place);
        }
    }
}

int64_t
broker_net_due(const struct broker_net *self)
{
    int64_t due = SPAN_NEVER;

    for (size_t i = 0; i < PLACES; i++) {
        const struct place *place = &self->places[i];
        int64_t one = SPAN_NEVER;

        if (place->lane)
            one = place->awake ? 0 : broker_lane_due(place->lane);
        due = one < due ? one : due;
    }
    return due;
}

/* ---- life ---- */

static unsigned
port_of(const char *address)
{
    const char *colon = strrchr(address, ':');

    return colon ? (unsigned)strtoul(colon + 1, NULL, 10) : 0;
}

static int
open_socket(struct broker_net *self, void **ret, enum link_kind kind,
            const char *endpoint, struct err *err)
{
    void *socket = NULL;

    if (link_socket(&socket, kind, err) < 0)
        return -1;
    if (link_bind(socket, endpoint, err) < 0) {
        link_close(&socket);
        return -1;
    }
    *ret = socket;
    return add_to_epoll(self, link_fd(socket), 0, err);
}

int
broker_net_new(struct broker_net **ret,
               const struct broker_net_options *options, struct err *err)
{
    struct broker_net *self = mem_alloc(1, sizeof *self);
    unsigned port = port_of(options->address) + 1;

    if (port > 65535) {
        free(self);
        return err_set(err, ERR_UNAVAILABLE,
                       "%s can't be served: the port after it is needed, too",
                       options->address);
    }
    self->epoll = options->epoll;
    self->address = mem_dup(options->address);
    self->first = self->next = options->first;
    self->last = options->last;
    self->back_endpoint = link_beside(self->address, port, "return");
    self->back =
        is_ipc(self) ? mem_dup(self->back_endpoint) : mem_printf(":%u", port);
    if (open_socket(self, &self->control, LINK_ROUTER, self->address, err) <
            0 ||
        open_socket(self, &self->returns, LINK_RETURN_PULL, self->back_endpoint,
                    err) < 0) {
        broker_net_destroy(&self);
        return -1;
    }
    *ret = self;
    return 0;
}

void
broker_net_destroy(struct broker_net **self_p)
{
    struct broker_net *self = *self_p;

    if (!self)
        return;
    *self_p = NULL;
    for (size_t i = 0; i < PLACES; i++)
        broker_lane_destroy(&self->places[i].lane);
    if (self->control)
        broker_lane_unbind(&self->control, self->address);
    if (self->returns)
        broker_lane_unbind(&self->returns, self->back_endpoint);
    free(self->address);
    free(self->back_endpoint);
    free(self->back);
    free(self);
}
