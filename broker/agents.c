/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/core_impl.h"

const char *const broker_agent_state_names[AGENT_STATE_COUNT] = {
    [AGENT_JOINING] = "joining", [AGENT_UP] = "up",
    [AGENT_SUSPECT] = "suspect", [AGENT_DRAINING] = "draining",
    [AGENT_AWAY] = "away",       [AGENT_ASIDE] = "aside",
};

/* ---- looking ---- */

struct peer *
broker_peer_find(const struct broker *self, broker_session session)
{
    struct peer *peer = self->peers[session % LIMIT_AGENTS];

    return peer && peer->session == session ? peer : NULL;
}

bool
broker_peer_has_lane(const struct peer *self)
{
    return self->state == AGENT_UP || self->state == AGENT_SUSPECT;
}

bool
broker_peer_takes(const struct peer *self, bool asks)
{
    return self->state == AGENT_UP && self->aside_until == 0 &&
           self->pause_until == 0 &&
           (!self->draining || (asks && self->nkept > 0));
}

bool
broker_peer_has_places(const struct peer *self)
{
    uint64_t has = (uint64_t)self->nsent + self->nrunning;

    return has < LIMIT_WINDOW && has + self->nexpected + self->nkept +
                                         self->got.number - self->acked.number <
                                     LIMIT_HELD;
}

enum broker_agent_state
broker_peer_state(const struct peer *self)
{
    if (self->state != AGENT_UP)
        return self->state;
    if (self->draining)
        return AGENT_DRAINING;
    return self->aside_until > 0 ? AGENT_ASIDE : AGENT_UP;
}

static int
by_name(const void *left, const void *right)
{
    const struct peer *const *a = left, *const *b = right;

    return strcmp((*a)->info.name, (*b)->info.name);
}

void
broker_agents(const struct broker *self, broker_agent_fn *fn, void *ctx)
{
    const struct peer *list[LIMIT_AGENTS];
    size_t n = 0;

    for (uint32_t p = 0; p < self->npeer; p++) {
        if (self->peers[p])
            list[n++] = self->peers[p];
    }
    if (n > 1)
        qsort(list, n, sizeof(struct peer *), by_name);
    for (size_t i = 0; i < n; i++) {
        const struct peer *peer = list[i];
        struct broker_agent shown = {
            .session = peer->session,
            .info = &peer->info,
            .state = broker_peer_state(peer),
            .sent = peer->nsent,
            .running = peer->nrunning,
            .window = peer->window,
            .finished = peer->finished,
            .beat = peer->beat,
            .heard = peer->heard,
            .aside = peer->aside_until > 0 ? peer->aside : NULL,
        };

        if (!fn(ctx, &shown))
            break;
    }
}

/* ---- leaving ---- */

/* Handlers it may still call. */
static void
recall(struct broker *self, struct peer *peer, struct ticket *t)
{
    if (!t->ask)
        broker_ticket_recall(self, peer, t);
}

int
broker_drain(struct broker *self, const char *name, struct err *err)
{
    for (uint32_t p = 0; p < self->npeer; p++) {
        struct peer *peer = self->peers[p];
        uint32_t i;

        if (!peer || strcmp(peer->info.name, name) != 0)
            continue;
        if (peer->draining)
            return 0;
        peer->draining = true;
        if (!broker_peer_has_lane(peer))
            return 0; /* it is told once it is up */
        self->effects.tell(self->effects.ctx, peer->session, TELL_DRAIN, 0);
        for (i = peer->last; i != NO_TICKET; i = peer->tickets[i].before)
            recall(self, peer, &peer->tickets[i]);
        return 0;
    }
    return err_set(err, ERR_NOT_FOUND, "there is no agent `%s`", name);
}

/* ---- beats ---- */

/* What it could not be told before. */
static void
come_up(struct broker *self, struct peer *peer)
{
    peer->state = AGENT_UP;
    self->version++;
    if (peer->draining)
        self->effects.tell(self->effects.ctx, peer->session, TELL_DRAIN, 0);
    for (uint32_t i = peer->first; i != NO_TICKET; i = peer->tickets[i].after) {
        struct ticket *t = &peer->tickets[i];
        enum broker_tell how;

        if (broker_life_is_ending(t->life, t->id, &how))
            self->effects.tell(self->effects.ctx, peer->session, how,
                               broker_ticket_number(peer, t));
        else if (peer->draining)
            recall(self, peer, t);
        else if (t->life->fell)
            broker_ticket_recall(self, peer, t);
    }
}

bool
broker_beat(struct broker *self, broker_session agent, const struct beat *beat,
            int64_t now)
{
    struct peer *peer = broker_peer_find(self, agent);

    if (!peer) {
        self->counts.late++;
        return false;
    }
    peer->heard = now;
    peer->beat = *beat;
    if (peer->state == AGENT_JOINING)
        come_up(self, peer);
    return true;
}

void
broker_unheard(struct broker *self, int64_t now)
{
    for (uint32_t p = 0; p < self->npeer; p++) {
        struct peer *peer = self->peers[p];

        if (peer && peer->state != AGENT_AWAY)
            peer->heard = now;
    }
}

static void
earlier(int64_t *next, int64_t when)
{
    if (when < *next)
        *next = when;
}

static void
end_pauses(struct broker *self, struct peer *peer, int64_t now, int64_t *next)
{
    int64_t *ends[] = {&peer->pause_until, &peer->aside_until};

    for (size_t i = 0; i < 2; i++) {
        if (*ends[i] != 0 && *ends[i] <= now) {
            *ends[i] = 0;
            self->version++;
        }
        if (*ends[i] != 0)
            earlier(next, *ends[i]);
    }
}

static void
send_beat(struct broker *self, struct peer *peer, int64_t now, int64_t *next)
{
    if (!broker_peer_has_lane(peer))
        return;
    if (peer->beat_due <= now) {
        self->effects.tell(self->effects.ctx, peer->session, TELL_BEAT,
                           ++peer->nbeat);
        peer->beat_due = now + MS(LIMIT_BEAT_MS);
    }
    earlier(next, peer->beat_due);
}

/* True if it is lost now. */
static bool
watch_over(struct broker *self, struct peer *peer, int64_t now, int64_t *next)
{
    int64_t silent = now - peer->heard;

    if (peer->state == AGENT_AWAY && peer->away_until <= now) {
        broker_peer_lose(self, peer, LOSS_AGENT, "its connection is gone", now);
        return true;
    }
    if (silent >= MS(LIMIT_LOST_MS)) {
        broker_peer_lose(self, peer, LOSS_AGENT,
                         "it has been silent for too long", now);
        return true;
    }
    if (peer->state == AGENT_AWAY)
        earlier(next, peer->away_until);
    if (peer->state == AGENT_UP && silent >= MS(LIMIT_SUSPECT_MS))
        peer->state = AGENT_SUSPECT;
    if (peer->state == AGENT_SUSPECT && silent < MS(LIMIT_SUSPECT_MS)) {
        peer->state = AGENT_UP;
        self->version++;
    }
    earlier(next, peer->heard + MS(LIMIT_LOST_MS));
    if (peer->state == AGENT_UP)
        earlier(next, peer->heard + MS(LIMIT_SUSPECT_MS));
    return false;
}

int64_t
broker_peers_tick(struct broker *self, int64_t now)
{
    int64_t next = SPAN_NEVER;

    for (uint32_t p = 0; p < self->npeer; p++) {
        struct peer *peer = self->peers[p];

        if (!peer || watch_over(self, peer, now, &next))
            continue;
        end_pauses(self, peer, now, &next);
        send_beat(self, peer, now, &next);
    }
    return next;
}
