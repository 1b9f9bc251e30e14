/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/core_impl.h"

/* ---- what an agent says of itself ---- */

static void
copy_info(struct agent_info *to, const struct agent_info *from)
{
    struct flow_resource *resources =
        mem_alloc(from->nresource, sizeof *resources);
    char **labels = mem_alloc(from->nlabel, sizeof *labels);

    *to = *from;
    to->name = mem_dup(from->name);
    to->host = mem_dup(from->host);
    to->version = mem_dup(from->version);
    for (uint32_t i = 0; i < from->nresource; i++) {
        resources[i].name = mem_dup(from->resources[i].name);
        resources[i].amount = from->resources[i].amount;
    }
    for (uint32_t i = 0; i < from->nlabel; i++)
        labels[i] = mem_dup(from->labels[i]);
    to->resources = resources;
    to->labels = (const char *const *)labels;
}

static void
free_text(const char *text)
{
    free((void *)(uintptr_t)text);
}

static void
release_info(struct agent_info *info)
{
    free_text(info->name);
    free_text(info->host);
    free_text(info->version);
    for (uint32_t i = 0; i < info->nresource; i++)
        free(info->resources[i].name);
    for (uint32_t i = 0; i < info->nlabel; i++)
        free_text(info->labels[i]);
    free((void *)(uintptr_t)info->resources);
    free((void *)(uintptr_t)info->labels);
}

void
broker_peer_destroy(struct peer **self_p)
{
    struct peer *self = *self_p;

    if (!self)
        return;
    release_info(&self->info);
    free(self->rooms);
    free(self->tickets);
    free(self->acks);
    free(self->kept);
    free(self->aside);
    free(self);
    *self_p = NULL;
}

/* ---- hello ---- */

static struct peer *
find_by_name(const struct broker *self, const char *name)
{
    for (uint32_t p = 0; p < self->npeer; p++) {
        if (self->peers[p] && strcmp(self->peers[p]->info.name, name) == 0)
            return self->peers[p];
    }
    return NULL;
}

/* 54 bits that nobody can guess, and its place; never 0 and never so large that
 * it is taken for another number. */
static broker_session
make_session(uint64_t random, uint32_t place)
{
    return (random >> 10 | UINT64_C(1) << 54) << 8 | place;
}

static struct peer *
new_peer(struct broker *self, uint32_t place, const struct agent_info *info,
         uint64_t random, int64_t now)
{
    struct peer *peer = mem_alloc(1, sizeof *peer);

    peer->place = place;
    peer->session = make_session(random, place);
    copy_info(&peer->info, info);
    peer->state = AGENT_JOINING;
    peer->window = info->slots;
    peer->heard = peer->progress = now;
    peer->beat_due = now;
    peer->free = peer->first = peer->last = NO_TICKET;
    broker_rooms_init(self, peer);
    return peer;
}

static bool
is_held(const struct held *h, uint64_t run, struct plan_id id, uint32_t attempt)
{
    return h->run == run && plan_id_is(h->id, id) && h->attempt == attempt;
}

/* An attempt goes on under a new name. `known`: that it runs is recorded. */
static uint32_t
hold(struct peer *peer, struct life *life, const struct held *h, bool known,
     int64_t now)
{
    bool running = h->phase != HELD_QUEUED;
    struct ticket *t =
        broker_ticket_add(peer, life, h->id, h->attempt,
                          running ? PHASE_RUNNING : PHASE_SENT, now);

    if (!t) {
        broker_life_give_back(life, h->id);
        return 0;
    }
    if (h->phase == HELD_RUNNING && !known)
        broker_life_started(life, h->id, h->attempt);
    return broker_ticket_number(peer, t);
}

/* What an earlier session of the agent had. */
static uint32_t
hold_own(struct broker *self, struct peer *peer, struct peer *old,
         struct ticket *t, const struct held *h, int64_t now)
{
    struct life *life = t->life;
    bool known = t->phase == PHASE_RUNNING;

    if (t->phase == PHASE_STORING)
        return 0;
    broker_ticket_remove(self, old, t);
    return hold(peer, life, h, known, now);
}

/* What was held back because this agent was lost. */
static uint32_t
hold_lease(struct broker *self, struct peer *peer, const struct held *h,
           int64_t now)
{
    for (size_t i = 0; i < self->nlease; i++) {
        struct lease *lease = &self->leases[i];
        struct life *life = lease->life;
        bool known = lease->started;

        if (lease->incarnation != peer->info.incarnation ||
            !is_held(h, life->id, lease->id, lease->attempt))
            continue;
        broker_lease_remove(self, i);
        return hold(peer, life, h, known, now);
    }
    return 0;
}

/*
 * What an earlier broker gave out, or this one before it lost the agent and
 * gave it back to the run. An attempt whose end was told already is over.
 */
static uint32_t
adopt(struct broker *self, struct peer *peer, const struct held *h, int64_t now)
{
    struct life *life = broker_life_find(self, h->run);
    uint32_t attempts;
    bool adopted;

    if (!life || h->id.task >= life->flow->ntask)
        return 0;
    if (life->unsettled)
        broker_life_settle(life, now);
    if (h->id.child != PLAN_WHOLE &&
        h->id.child >= plan_children(run_plan(life->run), h->id.task))
        return 0;
    attempts = run_attempts(life->run, h->id);
    if (h->attempt < attempts ||
        (h->attempt == attempts && h->epoch == self->epoch))
        return 0;
    /* Its place may be taken: then it ends there, and waits for another. */
    if (broker_class_is_limited(life,
                                &life->classes[life->class_of[h->id.task]]))
        return 0;
    life->adopting = true;
    adopted = run_adopt(life->run, h->id, h->attempt);
    life->adopting = false;
    life->unsettled = true;
    return adopted ? hold(peer, life, h, h->attempt == attempts, now) : 0;
}

/*
 * Was its end told already, and by whomever? Then it is over, and the result is
 * on disk, or will be; what is out elsewhere, or may be given out under this
 * number, is not.
 */
static bool
is_told(const struct broker *self, const struct held *h)
{
    const struct life *life = broker_life_find(self, h->run);
    uint32_t attempts;

    if (!life)
        return true;
    if (h->id.task >= life->flow->ntask ||
        (h->id.child != PLAN_WHOLE &&
         h->id.child >= plan_children(run_plan(life->run), h->id.task)))
        return false;
    attempts = run_attempts(life->run, h->id);
    if (h->attempt != attempts)
        return h->attempt < attempts;
    return plan_state(run_plan(life->run), h->id) != PLAN_RUNNING ||
           broker_life_is_asking(life, h->id, h->attempt);
}

/* The tickets of a ledger by what they are of, to find them again. */
struct own {
    uint64_t run;
    struct plan_id id;
    uint32_t attempt;
    uint32_t ticket;
};

static int
by_attempt(const void *left, const void *right)
{
    const struct own *a = left, *b = right;

    if (a->run != b->run)
        return a->run < b->run ? -1 : 1;
    if (a->id.task != b->id.task)
        return a->id.task < b->id.task ? -1 : 1;
    if (a->id.child != b->id.child)
        return a->id.child < b->id.child ? -1 : 1;
    return a->attempt < b->attempt ? -1 : a->attempt > b->attempt;
}

static struct own *
list_own(const struct peer *old, size_t *n)
{
    struct own *list;
    size_t cap = old ? (size_t)old->nsent + old->nrunning : 0;

    list = mem_alloc(cap, sizeof *list);
    for (uint32_t i = old ? old->first : NO_TICKET; i != NO_TICKET;
         i = old->tickets[i].after) {
        const struct ticket *t = &old->tickets[i];

        if (t->ask) /* is ended with the session */
            continue;
        list[(*n)++] = (struct own){t->life->id, t->id, t->attempt,
                                    broker_ticket_number(old, t)};
    }
    if (*n > 1)
        qsort(list, *n, sizeof *list, by_attempt);
    return list;
}

/* What it says it holds, and what that is called from now on. */
struct claims {
    const struct held *held;
    size_t n;
    uint32_t *tickets;
};

static void
hold_all(struct broker *self, struct peer *peer, struct peer *old,
         const struct claims *claims, int64_t now)
{
    size_t n = 0;
    struct own *list = list_own(old, &n);

    for (size_t i = 0; i < claims->n; i++) {
        const struct held *h = &claims->held[i];
        struct own key = {h->run, h->id, h->attempt, 0};
        struct own *own = bsearch(&key, list, n, sizeof *list, by_attempt);
        struct ticket *t = own ? broker_ticket_find(old, own->ticket) : NULL;
        uint32_t ticket = 0;

        if (t)
            ticket = hold_own(self, peer, old, t, h, now);
        else
            ticket = hold_lease(self, peer, h, now);
        if (!t && ticket == 0)
            ticket = adopt(self, peer, h, now);
        if (ticket == 0 && h->phase == HELD_FINISHED && is_told(self, h))
            ticket = broker_acks_expect(self, peer, h, (uint32_t)i);
        claims->tickets[i] = ticket;
    }
    free(list);
}

/* A place for it; -1 if there is none. */
static int
find_place(struct broker *self)
{
    for (uint32_t p = 0; p < LIMIT_AGENTS; p++) {
        if (!self->peers[p])
            return (int)p;
    }
    return -1;
}

/* What the agent does not hold any more never got there, or was lost. */
static void
forget_rest(struct broker *self, struct peer *old, int64_t now)
{
    while (old->first != NO_TICKET) {
        struct ticket *t = &old->tickets[old->first];

        broker_ticket_lose(self, old, t, LOSS_ATTEMPT, now);
    }
}

int
broker_hello(struct broker *self, const struct agent_info *info,
             const struct held *held, size_t nheld, int64_t now,
             broker_session *session, uint32_t *tickets, struct err *err)
{
    struct claims claims = {.held = held, .n = nheld};
    struct peer *old = find_by_name(self, info->name);
    struct peer *peer;
    int place;

    if (old && old->info.incarnation != info->incarnation) {
        if (old->state == AGENT_UP || old->state == AGENT_JOINING)
            return err_set(err, ERR_INVALID,
                           "there is an agent `%s` already, on %s (pid %u); "
                           "name this one with --name",
                           info->name, old->info.host ? old->info.host : "?",
                           old->info.pid);
        broker_peer_lose(self, old, LOSS_AGENT, "another one came in its place",
                         now);
        old = NULL;
    }
    place = old ? (int)old->place : find_place(self);
    if (place < 0)
        return err_set(err, ERR_LIMIT, "a broker has at most %u agents",
                       LIMIT_AGENTS);
    peer = new_peer(self, (uint32_t)place, info, *session, now);
    if (self->npeer == 0)
        self->agents_since = now > 0 ? now : 1;
    self->peers[place] = peer;
    if (self->npeer <= (uint32_t)place)
        self->npeer = (uint32_t)place + 1;
    self->version++;
    self->fit_version++;
    claims.tickets = tickets;
    hold_all(self, peer, old, &claims, now);
    if (old) {
        peer->draining = old->draining;
        broker_peer_drop(self, old, "it said hello again");
        forget_rest(self, old, now);
        broker_peer_destroy(&old);
    }
    *session = peer->session;
    return 0;
}
