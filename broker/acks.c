/* SPDX-License-Identifier: MPL-2.0 */
/*
 * acks - which results, and how much of its output, an agent may forget.
 */
#include <string.h>

#include "base/mem.h"
#include "broker/core_impl.h"

/* Between acknowledgements, and results or output without one, while it is
 * busy. */
#define ACK_PACE  (40 * SPAN_MS)
#define ACK_MANY  1024
#define ACK_BYTES (1u << 20)

/* ---- what must wait ---- */

/*
 * A result whose change of state is not made yet, for its handlers are asked,
 * is recorded nowhere: its agent keeps it, and all that came after it.
 */
void
broker_acks_hold(struct broker *self, broker_session session, uint64_t number)
{
    struct peer *peer = broker_peer_find(self, session);

    if (!peer)
        return;
    peer->open = mem_grow(peer->open, &peer->cap_open, peer->nopen + 1,
                          sizeof *peer->open);
    peer->open[peer->nopen++] = number;
}

void
broker_acks_let_go(struct broker *self, broker_session session, uint64_t number)
{
    struct peer *peer = session ? broker_peer_find(self, session) : NULL;
    size_t i = 0;

    while (peer && i < peer->nopen && peer->open[i] != number)
        i++;
    if (!peer || i == peer->nopen)
        return;
    memmove(peer->open + i, peer->open + i + 1,
            (peer->nopen - i - 1) * sizeof *peer->open);
    peer->nopen--;
}

/* What has come so far and may be acknowledged. */
static struct ack
come_of(const struct peer *peer)
{
    struct ack ack = peer->got;

    if (peer->nopen > 0)
        ack.number = peer->open[0] - 1;
    return ack;
}

/* ---- acknowledgements ---- */

bool
broker_misses(const struct broker *self, broker_session agent, uint64_t number)
{
    const struct peer *peer = broker_peer_find(self, agent);

    return peer && number > peer->got.number + 1;
}

/* What has come so far is safe when that group is. */
void
broker_acks_note(struct broker *self, uint64_t group)
{
    for (uint32_t p = 0; p < self->npeer; p++) {
        struct peer *peer = self->peers[p];
        struct ack come = {0};

        if (peer)
            come = come_of(peer);
        if (!peer || (come.number == peer->noted.number &&
                      come.output == peer->noted.output))
            continue;
        come.group = group;
        peer->noted = come;
        peer->acks = mem_grow(peer->acks, &peer->cap_ack, peer->nack + 1,
                              sizeof *peer->acks);
        peer->acks[peer->nack++] = come;
    }
}

/* A peer that has things to do anyhow is not woken for each group. */
static bool
may_wait(const struct peer *peer, const struct ack *ack, int64_t now)
{
    return peer->nsent + peer->nrunning > 0 &&
           now < peer->acked_at + ACK_PACE &&
           ack->number - peer->acked.number < ACK_MANY &&
           ack->output - peer->acked.output < ACK_BYTES;
}

static void
tell_ack(struct broker *self, struct peer *peer, const struct ack *ack)
{
    const struct broker_effects *effects = &self->effects;

    if (ack->output > peer->acked.output)
        effects->tell(effects->ctx, peer->session, TELL_SAVED, ack->output);
    if (ack->number > peer->acked.number)
        effects->tell(effects->ctx, peer->session, TELL_ACK, ack->number);
    peer->acked = *ack;
}

/* How many of what it has sent are committed. */
static size_t
count_committed(const struct broker *self, const struct peer *peer)
{
    size_t n = 0;

    while (n < peer->nack && peer->acks[n].group <= self->committed)
        n++;
    return n;
}

int64_t
broker_acks_send(struct broker *self, int64_t now)
{
    int64_t next = SPAN_NEVER;

    for (uint32_t p = 0; p < self->npeer; p++) {
        struct peer *peer = self->peers[p];
        struct ack ack;
        size_t n;

        if (!peer || !broker_peer_has_lane(peer))
            continue;
        n = count_committed(self, peer);
        if (n == 0)
            continue;
        ack = peer->acks[n - 1];
        if (may_wait(peer, &ack, now)) {
            if (peer->acked_at + ACK_PACE < next)
                next = peer->acked_at + ACK_PACE;
            continue;
        }
        if (!broker_peer_has_places(peer)) {
            self->version++; /* it may be given something again: */
            next = now;
        }
        tell_ack(self, peer, &ack);
        peer->acked_at = now;
        peer->nack -= n;
        memmove(peer->acks, peer->acks + n, peer->nack * sizeof *peer->acks);
    }
    return next;
}
