/* SPDX-License-Identifier: MPL-2.0 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/core_impl.h"

/*
 * A ticket's number is its place in the agent's array and, above, how often the
 * place was used, from 1: what comes back for an earlier use finds nothing.
 */

uint32_t
broker_ticket_number(const struct peer *peer, const struct ticket *t)
{
    return (uint32_t)t->nth << PLACE_BITS | (uint32_t)(t - peer->tickets);
}

struct ticket *
broker_ticket_find(const struct peer *peer, uint32_t number)
{
    uint32_t place = number & (PLACES - 1);
    struct ticket *t;

    if (place >= peer->nticket)
        return NULL;
    t = &peer->tickets[place];
    return t->life && t->nth == number >> PLACE_BITS ? t : NULL;
}

static struct ticket *
take_place(struct peer *peer, const struct ticket *of)
{
    struct ticket *t;
    uint16_t nth;

    if (peer->free == NO_TICKET) {
        peer->tickets = mem_grow(peer->tickets, &peer->cap_ticket,
                                 (size_t)peer->nticket + 1, sizeof *t);
        t = &peer->tickets[peer->nticket++];
        t->nth = 0;
    } else {
        t = &peer->tickets[peer->free];
        peer->free = t->after;
    }
    nth = (uint16_t)(t->nth + 1);
    *t = *of;
    t->nth = nth ? nth : 1;
    t->after = NO_TICKET;
    return t;
}

static void
count(struct peer *peer, const struct ticket *t, uint32_t sign)
{
    if (t->phase == PHASE_RUNNING)
        peer->nrunning += sign;
    else
        peer->nsent += sign;
    if (t->slow)
        peer->nslow += sign;
    if (t->recalled)
        peer->nrecalled += sign;
}

/* What it is of is in *of. */
static struct ticket *
add(struct peer *peer, const struct ticket *of)
{
    struct life *life = of->life;
    struct class *class = &life->classes[of->class];
    struct ticket *t;
    uint32_t place;

    if (peer->free == NO_TICKET && peer->nticket == PLACES)
        return NULL;
    t = take_place(peer, of);
    place = (uint32_t)(t - peer->tickets);
    t->slow = !class->plain || !broker_class_is_short(class);
    t->before = peer->last;
    if (peer->last == NO_TICKET)
        peer->first = place;
    else
        peer->tickets[peer->last].after = place;
    peer->last = place;
    count(peer, t, 1);
    life->inflight++;
    broker_class_occupy(life, class, peer, 1);
    class->told = false; /* somebody can run it */
    return t;
}

struct ticket *
broker_ticket_add(struct peer *peer, struct life *life, struct plan_id id,
                  uint32_t attempt, enum phase phase, int64_t now)
{
    const struct ticket of = {
        .life = life,
        .id = id,
        .attempt = attempt,
        .class = life->class_of[id.task],
        .phase = (uint8_t)phase,
        .given = now,
    };

    return add(peer, &of);
}

struct ticket *
broker_ticket_add_ask(struct peer *peer, struct life *life, struct ask *ask,
                      int64_t now)
{
    const struct ticket of = {
        .life = life,
        .ask = ask,
        .id = ask->id,
        .attempt = ask->attempt,
        .class = life->nclass,
        .phase = PHASE_SENT,
        .given = now,
    };

    return add(peer, &of);
}

void
broker_ticket_remove(struct broker *self, struct peer *peer, struct ticket *t)
{
    struct life *life = t->life;
    uint32_t place = (uint32_t)(t - peer->tickets);

    assert(life && life->inflight > 0);
    count(peer, t, UINT32_MAX);
    life->inflight--;
    life->unsettled = true;
    broker_class_occupy(life, &life->classes[t->class], peer, -1);
    self->version++;
    if (t->before == NO_TICKET)
        peer->first = t->after;
    else
        peer->tickets[t->before].after = t->after;
    if (t->after == NO_TICKET)
        peer->last = t->before;
    else
        peer->tickets[t->after].before = t->before;
    t->life = NULL;
    t->after = peer->free;
    peer->free = place;
}

static void
set_running(struct peer *peer, struct ticket *t)
{
    if (t->phase == PHASE_RUNNING)
        return;
    count(peer, t, UINT32_MAX);
    t->phase = PHASE_RUNNING;
    count(peer, t, 1);
}

void
broker_ticket_recall(struct broker *self, struct peer *peer, struct ticket *t)
{
    if (t->recalled || t->phase != PHASE_SENT || !broker_peer_has_lane(peer))
        return;
    count(peer, t, UINT32_MAX);
    t->recalled = true;
    count(peer, t, 1);
    self->effects.tell(self->effects.ctx, peer->session, TELL_RECALL,
                       broker_ticket_number(peer, t));
}

/* ---- on its way ---- */

void
broker_ticket_send(struct broker *self, struct peer *peer, struct ticket *t,
                   int64_t now)
{
    struct lane_task task = {.ticket = broker_ticket_number(peer, t)};
    struct work work;

    if (!broker_life_work(t->life, t->id, &work, now)) {
        broker_ticket_remove(self, peer, t);
        return;
    }
    t->phase = PHASE_SENT;
    t->given = now;
    broker_class_weigh(&t->life->classes[t->class], &work);
    task.work = &work;
    self->counts.tasks++;
    self->effects.task(self->effects.ctx, peer->session, &task);
    work_release(&work);
}

/* It can't go there any more; nobody else has seen it. */
static void
take_back(struct broker *self, struct peer *peer, struct ticket *t)
{
    struct life *life = t->life;
    struct plan_id id = t->id;
    struct ask *ask = t->ask;

    broker_ticket_remove(self, peer, t);
    if (ask)
        broker_ask_again(life, ask);
    else
        broker_life_give_back(life, id);
}

void
broker_send_stored(struct broker *self, int64_t now)
{
    size_t i = 0;

    while (i < self->nstoring && self->storing[i].group <= self->committed) {
        struct storing *s = &self->storing[i++];
        struct peer *peer = broker_peer_find(self, s->session);
        struct ticket *t = peer ? broker_ticket_find(peer, s->ticket) : NULL;

        if (!t || t->phase != PHASE_STORING)
            continue;
        if (broker_peer_takes(peer, false))
            broker_ticket_send(self, peer, t, now);
        else
            take_back(self, peer, t);
    }
    self->nstoring -= i;
    if (i > 0)
        memmove(self->storing, self->storing + i,
                self->nstoring * sizeof *self->storing);
}

/* ---- what comes back ---- */

/* Any word from it; what is said of an unknown ticket is late. */
static struct ticket *
heard_of(struct broker *self, broker_session session, uint32_t number,
         int64_t now, struct peer **ret)
{
    struct peer *peer = broker_peer_find(self, session);
    struct ticket *t = NULL;

    if (peer) {
        peer->heard = now;
        t = broker_ticket_find(peer, number);
    }
    if (!t || t->phase == PHASE_STORING) {
        self->counts.late++;
        return NULL;
    }
    *ret = peer;
    return t;
}

bool
broker_started(struct broker *self, broker_session agent, uint32_t ticket,
               int64_t now)
{
    struct peer *peer;
    struct ticket *t = heard_of(self, agent, ticket, now, &peer);

    if (!t)
        return false;
    if (t->phase != PHASE_RUNNING) {
        set_running(peer, t);
        t->given = now;
        if (!t->ask)
            broker_life_started(t->life, t->id, t->attempt);
    }
    return true;
}

bool
broker_given_back(struct broker *self, broker_session agent, uint32_t ticket,
                  int64_t now)
{
    struct peer *peer;
    struct ticket *t = heard_of(self, agent, ticket, now, &peer);

    if (!t)
        return false;
    /* Unasked: it is going to leave, and would give everything back. */
    if (!t->recalled)
        peer->draining = true;
    self->counts.requeued++;
    take_back(self, peer, t);
    return true;
}

/* Once: a whole window of them comes back. */
static void
note_refusal(struct life *life, const struct peer *peer, const char *cause)
{
    if (!broker_is_refused(life, peer)) {
        life->refusals = mem_grow(life->refusals, &life->cap_refusal,
                                  life->nrefusal + 1, sizeof *life->refusals);
        life->refusals[life->nrefusal++] = (struct refusal){peer->session};
    }
    free(life->refused);
    life->refused = mem_dup(cause ? cause : "its program can't be run");
}

static void
refuse(struct broker *self, struct peer *peer, struct ticket *t,
       const struct result *result, int64_t now)
{
    struct life *life = t->life;

    if (result->refused == REFUSED_PROGRAM) {
        note_refusal(life, peer, result->cause);
        self->fit_version++;
    } else {
        peer->pause_until = now + SPAN_SECOND;
    }
    self->counts.requeued++;
    take_back(self, peer, t);
}

/* It was ended, and not because somebody asked for that here. */
static bool
is_ended_by_agent(const struct ticket *t, const struct result *result)
{
    return result->state == PLAN_CANCELLED && !t->life->cancelled &&
           !t->life->fell && !run_is_stopping(t->life->run, t->id);
}

static void
measure(struct peer *peer, const struct ticket *t, const struct result *result)
{
    if (result->started > 0 && result->ended > 0)
        broker_class_measure(&t->life->classes[t->class],
                             result->ended - result->started);
    peer->finished++;
}

/* What its ticket was of has come to an end. */
static void
report(const struct peer *peer, const struct ticket *was,
       const struct result *result, int64_t now)
{
    struct life *life = was->life;
    struct result known = *result;

    if (was->ask) {
        broker_ask_result(life, was->ask, result);
        return;
    }
    if (is_ended_by_agent(was, result)) {
        broker_life_lost(life, was->id, peer->info.name, !peer->draining, now);
        return;
    }
    if (!plan_state_is_final(known.state) && known.state != PLAN_RETRYING)
        known.state = PLAN_CRASHED;
    broker_life_report(life, was->id, &known, now);
}

bool
broker_result(struct broker *self, broker_session agent, uint64_t number,
              const struct result *result, int64_t now)
{
    struct peer *peer = broker_peer_find(self, agent);
    struct ticket *t;
    struct ticket was;

    if (peer && number > peer->got.number) {
        peer->got.number = number; /* also what is late must not come again */
        broker_acks_known(peer, result->ticket, number);
    }
    t = heard_of(self, agent, result->ticket, now, &peer);
    if (!t)
        return false;
    self->counts.results++;
    peer->progress = now;
    if (result->refused != REFUSED_NOT) {
        refuse(self, peer, t, result, now);
        return true;
    }
    if (number > 0) {
        measure(peer, t, result);
        if (!t->ask)
            broker_peer_judge(self, peer, t, result, now);
    }
    was = *t;
    broker_ticket_remove(self, peer, t);
    report(peer, &was, result, now);
    if (number > 0 && !was.ask &&
        broker_life_is_asking(was.life, was.id, was.attempt))
        broker_acks_keep(peer, &was, result->ticket, number);
    return true;
}

bool
broker_output(struct broker *self, broker_session agent, uint32_t ticket,
              size_t n, int64_t now, struct broker_attempt *ret)
{
    struct peer *peer = broker_peer_find(self, agent);
    const struct ticket *t;

    if (peer)
        peer->got.output += n;
    t = heard_of(self, agent, ticket, now, &peer);
    if (!t)
        return false;
    self->recorded = true;
    *ret = (struct broker_attempt){t->life->id, t->id, t->attempt};
    return true;
}

bool
broker_find(const struct broker *self, broker_session agent, uint32_t ticket,
            uint64_t *run, struct plan_id *id, uint32_t *attempt)
{
    const struct peer *peer = broker_peer_find(self, agent);
    const struct ticket *t = peer ? broker_ticket_find(peer, ticket) : NULL;

    if (!t)
        return false;
    *run = t->life->id;
    *id = t->id;
    *attempt = t->attempt;
    return true;
}
