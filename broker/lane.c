/* SPDX-License-Identifier: MPL-2.0 */
#include "broker/lane.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "base/span.h"
#include "proto/convert.h"
#include "proto/limits.h"
#include "proto/link.h"

#define JOIN_TIME   (10 * SPAN_SECOND) /* from welcome to the connection */
#define RETIRE_TIME (200 * SPAN_MS)
/* Frames that may lie in a socket whose peer reads slowly: with fewer sent in
 * the last second a lane that takes nothing has lost its peer. */
#define FULL_FRAMES (LINK_LANE_FRAMES / 2)

struct noted {
    uint32_t ticket;
    char *key, *folder;
};

struct broker_lane {
    broker_session session;
    char *endpoint;
    void *socket;
    struct lane_out *out;
    bool bound;
    bool open; /* its peer was there */
    int64_t join_by;
    int64_t shut;      /* since when it takes nothing; 0: it does */
    int64_t retire_at; /* 0: it is not */
    int64_t second;    /* frames sent since then */
    uint32_t frames;
    struct noted *noted;
    size_t nnoted, cap_noted;
    struct broker_client client; /* its agent, to be told of the end */
    uint64_t tag;
    bool has_agent;
};

int
broker_lane_new(struct broker_lane **ret, broker_session session,
                char **endpoint_p, int64_t now, struct err *err)
{
    struct broker_lane *self = mem_alloc(1, sizeof *self);

    self->endpoint = *endpoint_p;
    *endpoint_p = NULL;
    self->session = session;
    self->join_by = now + JOIN_TIME;
    if (link_socket(&self->socket, LINK_LANE_PUSH, err) < 0 ||
        link_set_secret(self->socket, LINK_LANE_PUSH, session, err) < 0 ||
        link_bind(self->socket, self->endpoint, err) < 0) {
        broker_lane_destroy(&self);
        return -1;
    }
    self->bound = true;
    self->out = lane_out_new();
    *ret = self;
    return 0;
}

void
broker_lane_unbind(void **socket_p, const char *endpoint)
{
    const char *path = endpoint + strlen("ipc://");

    /* Before: afterwards it may be somebody else's. */
    if (strncmp(endpoint, "ipc://", strlen("ipc://")) == 0 && *path != '@')
        (void)unlink(path);
    link_close(socket_p);
}

void
broker_lane_destroy(struct broker_lane **self_p)
{
    struct broker_lane *self = *self_p;

    if (!self)
        return;
    *self_p = NULL;
    if (self->bound)
        broker_lane_unbind(&self->socket, self->endpoint);
    else
        link_close(&self->socket);
    lane_out_destroy(&self->out);
    for (size_t i = 0; i < self->nnoted; i++) {
        free(self->noted[i].key);
        free(self->noted[i].folder);
    }
    free(self->noted);
    free(self->endpoint);
    free(self);
}

broker_session
broker_lane_session(const struct broker_lane *self)
{
    return self->session;
}

const char *
broker_lane_endpoint(const struct broker_lane *self)
{
    return self->endpoint;
}

int
broker_lane_fd(const struct broker_lane *self)
{
    return link_fd(self->socket);
}

void
broker_lane_set_agent(struct broker_lane *self,
                      const struct broker_client *client, uint64_t tag)
{
    self->client = *client;
    self->tag = tag;
    self->has_agent = true;
}

bool
broker_lane_take_agent(struct broker_lane *self, struct broker_client *client,
                       uint64_t *tag)
{
    bool has = self->has_agent;

    *client = self->client;
    *tag = self->tag;
    self->has_agent = false;
    return has;
}

int
broker_lane_task(struct broker_lane *self, const struct lane_task *task,
                 struct err *err)
{
    return lane_out_task(self->out, task, err);
}

void
broker_lane_forget(struct broker_lane *self, uint64_t run)
{
    lane_out_forget(self->out, run);
}

void
broker_lane_tell(struct broker_lane *self, enum broker_tell what,
                 uint64_t number)
{
    switch (what) {
    case TELL_CANCEL:
    case TELL_KILL:
        lane_out_cancel(self->out, (uint32_t)number, what == TELL_KILL);
        break;
    case TELL_RECALL:
        lane_out_recall(self->out, (uint32_t)number);
        break;
    case TELL_KEEP:
        lane_out_keep(self->out, (uint32_t)number);
        break;
    case TELL_DONE:
        lane_out_done(self->out, (uint32_t)number);
        break;
    case TELL_SAVED:
        lane_out_saved(self->out, number);
        break;
    case TELL_ACK:
        lane_out_ack(self->out, number);
        break;
    case TELL_DRAIN:
        lane_out_drain(self->out);
        break;
    case TELL_BEAT:
        lane_out_beat(self->out, number);
        break;
    case TELL_LEAVE:
        lane_out_leave(self->out);
        break;
    case TELL_COUNT:
        break;
    }
}

/* ---- sending ---- */

static void
count_frame(struct broker_lane *self, int64_t now)
{
    if (now - self->second > SPAN_SECOND) {
        self->second = now;
        self->frames = 0;
    }
    self->frames++;
}

/* False: the socket is broken. */
static bool
send_all(struct broker_lane *self, int64_t now)
{
    const struct buf *frame;
    struct err err;

    while ((frame = lane_out_next(self->out))) {
        int rc = link_send(self->socket, frame->data, frame->len, &err);

        if (rc < 0)
            return false;
        if (rc == 0)
            break;
        count_frame(self, now);
        lane_out_sent(self->out);
    }
    return true;
}

static bool
is_idle(const struct broker_lane *self, int64_t now)
{
    return self->frames < FULL_FRAMES || now - self->second > 2 * SPAN_SECOND;
}

enum broker_gone
broker_lane_turn(struct broker_lane *self, int64_t now)
{
    /* Asking is also what makes the socket see to its peer. */
    bool takes = (link_events(self->socket) & LINK_OUT) != 0;

    if (takes)
        self->open = true;
    if (!self->open)
        return now >= self->join_by ? GONE_CONNECTION : GONE_LEFT;
    if (takes && !send_all(self, now))
        return GONE_STUCK;
    if (takes)
        takes = (link_events(self->socket) & LINK_OUT) != 0;
    if (takes) {
        self->shut = 0;
        return GONE_LEFT;
    }
    if (is_idle(self, now))
        return GONE_CONNECTION;
    if (self->shut == 0)
        self->shut = now;
    return now - self->shut >= LIMIT_STUCK_MS * SPAN_MS ? GONE_STUCK
                                                        : GONE_LEFT;
}

int64_t
broker_lane_due(const struct broker_lane *self)
{
    if (self->retire_at)
        return self->retire_at;
    if (!self->open)
        return self->join_by;
    return self->shut ? self->shut + LIMIT_STUCK_MS * SPAN_MS : SPAN_NEVER;
}

void
broker_lane_retire(struct broker_lane *self, int64_t now)
{
    if (!self->retire_at)
        self->retire_at = now + (self->open && !self->shut ? RETIRE_TIME : 0);
}

bool
broker_lane_is_retired(const struct broker_lane *self)
{
    return self->retire_at != 0;
}

bool
broker_lane_is_done(const struct broker_lane *self, int64_t now)
{
    return self->retire_at && now >= self->retire_at;
}

/* ---- keys ---- */

void
broker_lane_note_key(struct broker_lane *self, uint32_t ticket, char **key_p,
                     char **folder_p)
{
    self->noted = mem_grow(self->noted, &self->cap_noted, self->nnoted + 1,
                           sizeof *self->noted);
    self->noted[self->nnoted++] = (struct noted){ticket, *key_p, *folder_p};
    *key_p = *folder_p = NULL;
}

static bool
is_elsewhere(const struct noted *noted, const char *cwd)
{
    return cwd && (!noted->folder || strcmp(cwd, noted->folder) != 0);
}

char *
broker_lane_take_key(struct broker_lane *self, uint32_t ticket, const char *cwd)
{
    for (size_t i = 0; i < self->nnoted; i++) {
        struct noted noted = self->noted[i];

        if (noted.ticket != ticket)
            continue;
        self->noted[i] = self->noted[--self->nnoted];
        if (is_elsewhere(&noted, cwd)) {
            free(noted.key);
            noted.key = NULL;
        }
        free(noted.folder);
        return noted.key;
    }
    return NULL;
}
