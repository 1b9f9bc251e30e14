/* SPDX-License-Identifier: MPL-2.0 */
/*
 * acks - which results, and how much of its output, an agent may forget.
 */
#include <assert.h>
#include <string.h>

#include "base/mem.h"
#include "broker/core_impl.h"

/* Between acknowledgements, and results or output without one, while it is
 * busy. */
#define ACK_PACE  (40 * SPAN_MS)
#define ACK_MANY  1024
#define ACK_BYTES (1u << 20)
/* Results behind one that is pending, before that is to be kept by itself. */
#define KEEP_MANY 16

/* ---- what must wait ---- */

static bool
is_pending(const struct broker *self, const struct kept *kept)
{
    const struct life *life = broker_life_find(self, kept->run);

    return life && broker_life_is_asking(life, kept->id, kept->attempt);
}

/* What there is of them that others have to know. */
static void
sum_up(struct peer *peer)
{
    peer->due = peer->pending = 0;
    for (size_t i = 0; i < peer->nkept; i++) {
        const struct kept *kept = &peer->kept[i];

        if (kept->group == 0 && !kept->told && kept->number > 0 &&
            peer->pending == 0)
            peer->pending = kept->number;
        if (kept->group > 0 && kept->told &&
            (peer->due == 0 || kept->group < peer->due))
            peer->due = kept->group;
    }
}

static void
keep(struct peer *peer, const struct kept *kept)
{
    peer->kept = mem_grow(peer->kept, &peer->cap_kept, peer->nkept + 1,
                          sizeof *peer->kept);
    peer->kept[peer->nkept++] = *kept;
    if (peer->pending == 0)
        peer->pending = kept->number;
}

void
broker_acks_keep(struct peer *peer, const struct ticket *t, uint32_t ticket,
                 uint64_t number)
{
    keep(peer, &(struct kept){.ticket = ticket,
                              .number = number,
                              .run = t->life->id,
                              .id = t->id,
                              .attempt = t->attempt});
}

static_assert(LIMIT_HELD < PLACES, "tickets are never given out below");

uint32_t
broker_acks_expect(const struct broker *self, struct peer *peer,
                   const struct held *held, uint32_t nth)
{
    const struct kept kept = {.ticket = nth + 1,
                              .run = held->run,
                              .id = held->id,
                              .attempt = held->attempt};

    peer->nexpected++;
    if (is_pending(self, &kept))
        keep(peer, &kept);
    return kept.ticket;
}

void
broker_acks_known(struct peer *peer, uint32_t ticket, uint64_t number)
{
    size_t i = 0;

    if (ticket >= PLACES || peer->nexpected == 0)
        return;
    peer->nexpected--;
    while (i < peer->nkept && peer->kept[i].ticket != ticket)
        i++;
    if (i == peer->nkept || peer->kept[i].number > 0)
        return;
    peer->kept[i].number = number;
    sum_up(peer);
}

/* What was decided since is safe with the group. */
static void
look_at_kept(const struct broker *self, struct peer *peer, uint64_t group)
{
    if (peer->nsettled == self->nsettled)
        return;
    peer->nsettled = self->nsettled;
    for (size_t i = 0; i < peer->nkept; i++) {
        if (peer->kept[i].group == 0 && !is_pending(self, &peer->kept[i]))
            peer->kept[i].group = group;
    }
    sum_up(peer);
}

/*
 * What has come so far, and is safe with the next group. It ends before a result
 * that is pending, as most are for a moment only, unless many came after it.
 */
static struct ack
come_of(const struct peer *peer)
{
    struct ack come = peer->got;

    if (peer->pending > 0 && come.number - peer->pending < KEEP_MANY)
        come.number = peer->pending - 1;
    if (come.number < peer->noted.number) /* the first was told, this was not */
        come.number = peer->noted.number;
    return come;
}

/*
 * Before results up to a number are acknowledged: those of them that are not
 * safe are to be kept. What was, and is safe now, is done; of others that are
 * safe nothing has to be said but the number.
 */
static void
tell_kept(struct broker *self, struct peer *peer, uint64_t number)
{
    const struct broker_effects *effects = &self->effects;
    size_t n = 0;

    for (size_t i = 0; i < peer->nkept; i++) {
        struct kept kept = peer->kept[i];
        bool safe = kept.group > 0 && kept.group <= self->committed;

        if (safe && kept.told)
            effects->tell(effects->ctx, peer->session, TELL_DONE, kept.ticket);
        if (safe)
            continue;
        if (!kept.told && kept.number > 0 && kept.number <= number) {
            effects->tell(effects->ctx, peer->session, TELL_KEEP, kept.ticket);
            kept.told = true;
        }
        peer->kept[n++] = kept;
    }
    peer->nkept = n;
    sum_up(peer);
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
        struct ack come;

        if (!peer)
            continue;
        look_at_kept(self, peer, group);
        come = come_of(peer);
        if (come.number == peer->noted.number &&
            come.output == peer->noted.output)
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

/* Returns when to try again: what is due may wait until then. */
static int64_t
send_due(struct broker *self, struct peer *peer, int64_t now)
{
    size_t n = count_committed(self, peer);
    struct ack ack = n > 0 ? peer->acks[n - 1] : peer->acked;
    int64_t next = SPAN_NEVER;

    if (n == 0 && (peer->due == 0 || peer->due > self->committed))
        return SPAN_NEVER;
    if (may_wait(peer, &ack, now))
        return peer->acked_at + ACK_PACE;
    if (!broker_peer_has_places(peer)) {
        self->version++; /* it may be given something again: */
        next = now;
    }
    tell_kept(self, peer, ack.number);
    tell_ack(self, peer, &ack);
    peer->acked_at = now;
    peer->nack -= n;
    memmove(peer->acks, peer->acks + n, peer->nack * sizeof *peer->acks);
    return next;
}

int64_t
broker_acks_send(struct broker *self, int64_t now)
{
    int64_t next = SPAN_NEVER;

    for (uint32_t p = 0; p < self->npeer; p++) {
        struct peer *peer = self->peers[p];
        int64_t one = SPAN_NEVER;

        if (peer && broker_peer_has_lane(peer))
            one = send_due(self, peer, now);
        next = one < next ? one : next;
    }
    return next;
}
