/* SPDX-License-Identifier: MPL-2.0 */
#include "base/mem.h"
#include "broker/core_impl.h"

#define CPU      INT64_C(1000000) /* of a room */
#define AHEAD    (10 * SPAN_MS)   /* of work that lies in wait in a slot */
#define PATIENCE (20 * SPAN_MS)   /* that it may wait while others are idle */

static int64_t
free_cpus(const struct peer *peer)
{
    const struct room *room = &peer->rooms[RESOURCE_CPUS];

    return room->has - room->used;
}

/* ---- who has something ---- */

/* Nobody who is there can run the program: then it has failed. */
static void
fail_refused(struct life *life, uint32_t class, int64_t now)
{
    struct plan_id id;

    if (class == life->nclass)
        broker_asks_refuse(life, life->refused);
    else
        while (run_take(life->run, class, &id))
            broker_life_end_as(life, id, PLAN_FAILED, life->refused, now);
    life->unsettled = true;
}

/* Is there anybody for it at all? */
static void
look_at_class(struct life *life, uint32_t c, int64_t now)
{
    struct class *class = &life->classes[c];

    if (broker_class_has_fit(life, class))
        class->unfit = 0;
    else if (life->nrefusal > 0 && broker_class_is_refused(life, class))
        fail_refused(life, c, now);
    else if (class->unfit < life->broker->agents_since)
        class->unfit = now;
}

/* Look at what has become ready. */
static void
look_at_classes(struct life *life, int64_t now)
{
    const struct plan *plan = run_plan(life->run);

    for (uint32_t c = plan_next_class(plan, 0); c != PLAN_NONE;
         c = plan_next_class(plan, c + 1))
        look_at_class(life, c, now);
    if (life->nask > 0)
        look_at_class(life, life->nclass, now);
}

static void
list_ready(struct broker *self, int64_t now)
{
    struct life *life;

    self->ready = mem_grow(self->ready, &self->cap_ready, self->nlife,
                           sizeof(struct life *));
    self->nready = 0;
    TAILQ_FOREACH(life, &self->lives, link) {
        if (life->unsettled || life->wake <= now) {
            broker_life_settle(life, now);
            if (life->step == RUN_START || life->nask > 0)
                look_at_classes(life, now);
        }
        if (life->step == RUN_START || life->nask > 0)
            self->ready[self->nready++] = life;
    }
}

static void
list_roomy(struct broker *self)
{
    self->nroomy = 0;
    for (uint32_t p = 0; p < self->npeer; p++) {
        struct peer *peer = self->peers[p];

        if (peer && broker_peer_takes(peer, true) && free_cpus(peer) > 0 &&
            broker_peer_has_places(peer))
            self->roomy[self->nroomy++] = peer;
    }
}

/* ---- windows ---- */

/*
 * How many of a class may lie in wait in a slot: enough for the agent to tell of
 * several at once and not run dry meanwhile.
 */
static int64_t
wait_in_slot(const struct class *class)
{
    int64_t mean = class->mean > 0 ? class->mean : 1;
    int64_t n = (AHEAD * 1000 + mean - 1) / mean;

    return n < LIMIT_WINDOW ? n : LIMIT_WINDOW;
}

/*
 * How many cpus more than it has may be given to an agent in short tasks: about
 * 10 ms of work for each slot that is not taken by something longer; but not
 * more than a frame or so of what goes along with them.
 */
static int64_t
prefetch(const struct peer *peer, const struct class *class)
{
    int64_t slots = (int64_t)peer->info.slots - peer->nslow;
    int64_t most = (int64_t)LIMIT_WINDOW - (int64_t)peer->info.slots;
    int64_t n = slots * wait_in_slot(class);

    int64_t light = LIMIT_FRAME_BYTES / (32 + class->bytes);

    if (slots <= 0 || most <= 0)
        return 0;
    if (light < slots)
        light = slots;
    most = light < most ? light : most;
    return n < most ? n : most;
}

/* It can run it, and is there to. */
static bool
may_have(struct life *life, struct class *class, const struct peer *peer)
{
    bool asks = class == &life->classes[life->nclass];

    return broker_peer_takes(peer, asks) &&
           broker_class_is_fit(life, class, peer);
}

static bool
may_wait_at(struct life *life, struct class *class, const struct peer *peer)
{
    return class->plain && broker_class_is_short(class) &&
           may_have(life, class, peer) &&
           free_cpus(peer) - CPU >= -prefetch(peer, class) * CPU;
}

/* ---- what is next ---- */

static bool
is_better(const struct peer *peer, const struct peer *best)
{
    if (!best || peer->draining != best->draining)
        return !best || best->draining;
    return free_cpus(peer) > free_cpus(best);
}

/* The agent with the most free cpus that has room for one of the class; one that
 * drains if there is no other. */
static struct peer *
find_room(struct broker *self, struct life *life, struct class *class)
{
    struct peer *best = NULL;

    if (broker_class_is_limited(life, class))
        return NULL;
    for (size_t i = 0; i < self->nroomy; i++) {
        struct peer *peer = self->roomy[i];

        if (!is_better(peer, best))
            continue;
        if (broker_class_has_room(class, peer) && may_have(life, class, peer))
            best = peer;
    }
    return best;
}

/* It may wait in the only agent's window, or there is room: *peer. Here, for a
 * run may have more classes than could be gone through for each without. */
static bool
has_room(struct life *life, uint32_t c, const struct peer *only,
         struct peer **peer)
{
    struct class *class = &life->classes[c];
    struct broker *self = life->broker;

    if (only)
        return may_wait_at(life, class, only);
    *peer =
        class->blocked == self->version ? NULL : find_room(self, life, class);
    if (!*peer)
        class->blocked = self->version;
    return *peer != NULL;
}

/* The class of which the first comes first, handlers before all others, for
 * they hold things up. PLAN_NONE: there is none. */
static uint32_t
choose_class(struct life *life, const struct peer *only, struct peer **peer)
{
    const struct plan *plan = run_plan(life->run);
    struct peer *room = NULL;
    uint32_t best = PLAN_NONE;
    uint32_t place = PLAN_NONE;

    if (life->nask > 0 && has_room(life, life->nclass, only, peer))
        return life->nclass;
    for (uint32_t c = plan_next_class(plan, 0); c != PLAN_NONE;
         c = plan_next_class(plan, c + 1)) {
        uint32_t first;

        if (!only && life->classes[c].blocked == life->broker->version)
            continue;
        first = plan_first_of(plan, c);
        if (first >= place || !has_room(life, c, only, &room))
            continue;
        place = first;
        best = c;
        *peer = room;
    }
    return best;
}

/* The run with the least in flight, the first of them. */
static struct life *
choose(struct broker *self, const struct peer *only, uint32_t *class,
       struct peer **peer)
{
    struct life *best = NULL;

    for (size_t i = 0; i < self->nready; i++) {
        struct life *life = self->ready[i];
        struct peer *room = NULL;
        uint32_t c;

        if (!life || (best && life->inflight >= best->inflight))
            continue;
        c = choose_class(life, only, &room);
        if (c == PLAN_NONE)
            continue;
        best = life;
        *class = c;
        *peer = room;
    }
    return best;
}

/* ---- handing out ---- */

/* After a restart it may still be going on where nobody has told of it. */
static int64_t
held_until(const struct life *life, const struct class *class)
{
    return class->exclusive ? life->lease_until : life->adopt_until;
}

static void
hand_out_ask(struct broker *self, struct life *life, struct peer *peer,
             int64_t now)
{
    struct ask *ask = broker_ask_take(life);
    struct ticket *t = NULL;

    if (!ask)
        return;
    t = broker_ticket_add_ask(peer, life, ask, now);
    if (!t) {
        broker_ask_again(life, ask);
        return;
    }
    broker_ask_send(self, peer, t);
}

static void
hand_out_task(struct broker *self, struct life *life, uint32_t c,
              struct peer *peer, int64_t now)
{
    const struct class *class = &life->classes[c];
    const struct flow_options *o;
    struct plan_id id;
    struct ticket *t;
    bool storing;

    if (now < held_until(life, class))
        life->adopting = true; /* it stays here */
    if (!run_take(life->run, c, &id)) {
        life->adopting = false;
        broker_life_settle(life, now);
        return;
    }
    if (life->adopting) {
        life->adopting = false;
        run_put_off(life->run, id, held_until(life, class));
        life->unsettled = true;
        return;
    }
    o = life->flow->tasks[id.task].options;
    storing = o->at_most_once;
    t = broker_ticket_add(peer, life, id, run_attempts(life->run, id),
                          storing ? PHASE_STORING : PHASE_SENT, now);
    if (!t) {
        broker_life_give_back(life, id);
        return;
    }
    if (!storing) {
        broker_ticket_send(self, peer, t, now);
        return;
    }
    self->storing = mem_grow(self->storing, &self->cap_storing,
                             self->nstoring + 1, sizeof *self->storing);
    self->storing[self->nstoring++] = (struct storing){
        peer->session, broker_ticket_number(peer, t), self->group};
}

static void
hand_out(struct broker *self, struct life *life, uint32_t c, struct peer *peer,
         int64_t now)
{
    if (c == life->nclass)
        hand_out_ask(self, life, peer, now);
    else
        hand_out_task(self, life, c, peer, now);
}

static void
forget_full(struct broker *self)
{
    size_t n = 0;

    for (size_t i = 0; i < self->nroomy; i++) {
        struct peer *peer = self->roomy[i];

        if (free_cpus(peer) > 0 && broker_peer_has_places(peer))
            self->roomy[n++] = peer;
    }
    self->nroomy = n;
}

/* Give free room away, spread over all that have some. */
static void
fill_rooms(struct broker *self, int64_t now)
{
    struct peer *peer = NULL;
    struct life *life;
    uint32_t c;

    while (self->nroomy > 0 && (life = choose(self, NULL, &c, &peer))) {
        hand_out(self, life, c, peer, now);
        if (free_cpus(peer) <= 0 || !broker_peer_has_places(peer))
            forget_full(self);
    }
}

/* ... and let short tasks lie in wait. */
static void
fill_window(struct broker *self, struct peer *peer, int64_t now)
{
    struct peer *none;
    struct life *life;
    uint32_t c;

    while (broker_peer_has_places(peer) &&
           (life = choose(self, peer, &c, &none))) {
        peer->window =
            peer->info.slots + (uint32_t)prefetch(peer, &life->classes[c]);
        hand_out(self, life, c, peer, now);
    }
}

void
broker_schedule(struct broker *self, int64_t now)
{
    list_ready(self, now);
    if (self->nready == 0)
        return;
    list_roomy(self);
    fill_rooms(self, now);
    for (uint32_t p = 0; p < self->npeer; p++) {
        struct peer *peer = self->peers[p];

        if (peer && broker_peer_takes(peer, true))
            fill_window(self, peer, now);
    }
}

/* ---- taking back ---- */

/* Whole cpus that nothing is on its way to. */
static int64_t
count_idle(struct broker *self)
{
    int64_t n = 0;

    list_roomy(self);
    for (size_t i = 0; i < self->nroomy; i++)
        n += broker_peer_takes(self->roomy[i], false)
                 ? free_cpus(self->roomy[i]) / CPU
                 : 0;
    for (uint32_t p = 0; p < self->npeer; p++) {
        if (self->peers[p])
            n -= self->peers[p]->nrecalled;
    }
    return n;
}

static bool
fits_idle(struct broker *self, const struct ticket *t)
{
    struct class *class = &t->life->classes[t->class];

    for (size_t i = 0; i < self->nroomy; i++) {
        if (broker_class_has_room(class, self->roomy[i]) &&
            may_have(t->life, class, self->roomy[i]))
            return true;
    }
    return false;
}

/* The last given first: the others will be begun sooner. */
static void
recall_some(struct broker *self, struct peer *peer, int64_t n)
{
    for (uint32_t i = peer->last; i != NO_TICKET && n > 0;
         i = peer->tickets[i].before) {
        struct ticket *t = &peer->tickets[i];

        if (t->phase != PHASE_SENT || t->recalled || !fits_idle(self, t))
            continue;
        broker_ticket_recall(self, peer, t);
        n--;
    }
}

/* Tasks that wait behind others at an agent, and how long they will. */
static int64_t
count_waiting(const struct peer *peer, int64_t now, int64_t *wait)
{
    int64_t n = -free_cpus(peer) / CPU - peer->nrecalled;
    const struct ticket *t;
    int64_t each;

    if (n <= 0 || !broker_peer_has_lane(peer) || peer->last == NO_TICKET)
        return 0;
    t = &peer->tickets[peer->last];
    each = t->life->classes[t->class].mean / 1000;
    /* No result for long says more than what the last ones took. */
    if (now - peer->progress > each)
        each = now - peer->progress;
    *wait = n * each / (peer->info.slots > 0 ? peer->info.slots : 1);
    return n;
}

int64_t
broker_rebalance(struct broker *self, int64_t now)
{
    int64_t idle = count_idle(self);
    int64_t next = SPAN_NEVER;

    for (uint32_t p = 0; p < self->npeer && idle > 0; p++) {
        struct peer *peer = self->peers[p];
        int64_t wait = 0;
        int64_t waiting = peer ? count_waiting(peer, now, &wait) : 0;

        if (waiting > 0 && wait > PATIENCE) {
            recall_some(self, peer, waiting < idle ? waiting : idle);
            idle -= waiting;
        } else if (waiting > 0) {
            next = now + PATIENCE;
        }
    }
    return next;
}
