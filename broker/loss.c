/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/core_impl.h"

void
broker_peer_drop(struct broker *self, struct peer *peer, const char *why)
{
    if (!peer->dropped)
        self->effects.drop(self->effects.ctx, peer->session, why);
    peer->dropped = true;
}

/* ---- leases ---- */

static struct class *
class_of(const struct life *life, struct plan_id id)
{
    return &life->classes[life->class_of[id.task]];
}

/* Nobody else may begin it before the agent has ended it by itself; until then
 * it counts for the flow's limits. */
static void
add_lease(struct broker *self, const struct peer *peer, const struct ticket *t,
          bool begun, int64_t now)
{
    self->leases = mem_grow(self->leases, &self->cap_lease, self->nlease + 1,
                            sizeof *self->leases);
    self->leases[self->nlease++] = (struct lease){
        .life = t->life,
        .id = t->id,
        .attempt = t->attempt,
        .incarnation = peer->info.incarnation,
        .started = begun,
        .until = now + MS(LIMIT_LEASE_MS),
        .agent = mem_dup(peer->info.name),
    };
    t->life->inflight++;
    broker_class_occupy(t->life, class_of(t->life, t->id), NULL, 1);
}

void
broker_lease_remove(struct broker *self, size_t i)
{
    struct lease *lease = &self->leases[i];

    lease->life->inflight--;
    lease->life->unsettled = true;
    broker_class_occupy(lease->life, class_of(lease->life, lease->id), NULL,
                        -1);
    self->version++;
    free(lease->agent);
    *lease = self->leases[--self->nlease];
}

void
broker_leases_drop(struct broker *self, const struct life *life,
                   const struct plan_id *only)
{
    for (size_t i = self->nlease; i-- > 0;) {
        struct lease lease = self->leases[i];

        if (lease.life != life || (only && !broker_is_of(lease.id, *only)))
            continue;
        broker_life_end_cancelled(lease.life, lease.id, 0);
        broker_lease_remove(self, i);
    }
}

int64_t
broker_leases_tick(struct broker *self, int64_t now)
{
    int64_t next = SPAN_NEVER;

    for (size_t i = self->nlease; i-- > 0;) {
        struct lease *lease = &self->leases[i];

        if (lease->until > now) {
            next = lease->until < next ? lease->until : next;
            continue;
        }
        if (lease->started)
            broker_life_lost(lease->life, lease->id, lease->agent, true, now);
        else
            broker_life_give_back(lease->life, lease->id);
        broker_lease_remove(self, i);
    }
    return next;
}

/* ---- loss ---- */

/* Nobody is to blame if handlers were asked: others will be. */
static void
lose_ask(struct broker *self, struct peer *peer, struct ticket *ticket)
{
    struct life *life = ticket->life;
    struct ask *ask = ticket->ask;

    broker_ticket_remove(self, peer, ticket);
    self->counts.requeued++;
    broker_ask_again(life, ask);
}

/*
 * What becomes of an attempt that an agent does not hold any more. What was
 * sent but is not known to have begun may have, which matters if it must not
 * begin twice.
 */
void
broker_ticket_lose(struct broker *self, struct peer *peer,
                   struct ticket *ticket, enum loss why, int64_t now)
{
    struct ticket t = *ticket;
    const struct flow_options *o = t.life->flow->tasks[t.id.task].options;
    bool sent = t.phase != PHASE_STORING;
    bool begun = t.phase == PHASE_RUNNING ||
                 (sent && o->at_most_once && why != LOSS_ATTEMPT);
    bool leased = o->exclusive && sent && why == LOSS_AGENT &&
                  !t.life->cancelled && !run_is_stopping(t.life->run, t.id);

    if (t.ask) {
        lose_ask(self, peer, ticket);
        return;
    }
    if (leased)
        add_lease(self, peer, &t, begun, now);
    broker_ticket_remove(self, peer, ticket);
    if (leased)
        return;
    if (begun) {
        broker_life_lost(t.life, t.id, peer->info.name, why == LOSS_AGENT, now);
    } else {
        self->counts.requeued++;
        broker_life_give_back(t.life, t.id);
    }
}

void
broker_peer_lose(struct broker *self, struct peer *peer, enum loss loss,
                 const char *why, int64_t now)
{
    broker_peer_drop(self, peer, why);
    while (peer->first != NO_TICKET)
        broker_ticket_lose(self, peer, &peer->tickets[peer->first], loss, now);
    self->peers[peer->place] = NULL;
    while (self->npeer > 0 && !self->peers[self->npeer - 1])
        self->npeer--;
    self->version++;
    self->fit_version++;
    self->counts.lost_agents += loss == LOSS_AGENT;
    broker_peer_destroy(&peer);
}

void
broker_gone(struct broker *self, broker_session agent, enum broker_gone why,
            int64_t now)
{
    struct peer *peer = broker_peer_find(self, agent);

    if (!peer)
        return;
    if (why == GONE_LEFT || (peer->draining && peer->first == NO_TICKET)) {
        broker_peer_lose(self, peer, LOSS_LEFT, "it left", now);
        return;
    }
    if (peer->state == AGENT_AWAY)
        return;
    if (why == GONE_STUCK)
        broker_peer_drop(self, peer, "its lane takes nothing");
    peer->state = AGENT_AWAY;
    peer->away_until = now + MS(LIMIT_AWAY_MS);
}
