/* SPDX-License-Identifier: MPL-2.0 */
#include "agent/room.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/mem.h"
#include "proto/limits.h"

#define UNIT  10000 /* of 1 */
#define CPUS  0     /* number of the resource */
#define AHEAD ((int64_t)LIMIT_AHEAD_US * 1000)

TAILQ_HEAD(slots, slot);

struct slot {
    TAILQ_ENTRY(slot) link;
    struct slots *in; /* idle, open, or NULL */
    uint32_t calls;   /* or the one command */
    uint32_t unknown; /* of those: how long they take is not known */
    int64_t ahead;    /* nanoseconds of work of the others */
};

struct resource {
    char *name;
    int64_t total, free;
};

struct room {
    struct resource *resources;
    uint32_t nresource;
    uint32_t gpus; /* number of the resource; UINT32_MAX: none */
    int64_t *gpu;  /* what is free of each */
    uint32_t ngpu;
    struct slot *slots;
    uint32_t nslot;
    struct slots idle; /* the one that was used last in front: it is warm */
    struct slots open; /* has short calls, and room for more */
};

/* ---- what there is ---- */

static int64_t
to_units(double amount)
{
    double units = round(amount * UNIT);

    if (!(units >= 1))
        return 1;
    return units < 9e18 ? (int64_t)units : INT64_MAX;
}

static struct resource *
find_resource(const struct room *self, const char *name)
{
    for (uint32_t i = 0; i < self->nresource; i++) {
        if (strcmp(self->resources[i].name, name) == 0)
            return &self->resources[i];
    }
    return NULL;
}

static void
add_resource(struct room *self, const char *name, int64_t units)
{
    struct resource *had = find_resource(self, name);

    if (!had) {
        had = &self->resources[self->nresource++];
        had->name = mem_dup(name);
    }
    had->total = had->free = units;
}

/* Each is one, the last what is left. */
static void
set_gpus(struct room *self)
{
    struct resource *gpus = find_resource(self, "gpus");
    int64_t left;

    self->gpus = UINT32_MAX;
    if (!gpus)
        return;
    self->gpus = (uint32_t)(gpus - self->resources);
    if (gpus->total > INT64_C(65536) * UNIT)
        gpus->total = gpus->free = INT64_C(65536) * UNIT;
    self->ngpu = (uint32_t)((gpus->total + UNIT - 1) / UNIT);
    self->gpu = mem_alloc(self->ngpu, sizeof *self->gpu);
    left = gpus->total;
    for (uint32_t i = 0; i < self->ngpu; i++, left -= UNIT)
        self->gpu[i] = left < UNIT ? left : UNIT;
}

struct room *
agent_room_new(uint32_t slots, const struct flow_resource *resources,
               uint32_t n)
{
    struct room *self = mem_alloc(1, sizeof *self);

    self->resources = mem_alloc(n + 1, sizeof *self->resources);
    add_resource(self, "cpus", (int64_t)slots * UNIT);
    for (uint32_t i = 0; i < n; i++) {
        if (resources[i].amount > 0)
            add_resource(self, resources[i].name,
                         to_units(resources[i].amount));
    }
    set_gpus(self);
    TAILQ_INIT(&self->idle);
    TAILQ_INIT(&self->open);
    self->nslot = slots;
    self->slots = mem_alloc(slots, sizeof *self->slots);
    for (uint32_t i = 0; i < slots; i++) {
        TAILQ_INSERT_TAIL(&self->idle, &self->slots[i], link);
        self->slots[i].in = &self->idle;
    }
    return self;
}

void
agent_room_destroy(struct room **self_p)
{
    struct room *self = *self_p;

    if (!self)
        return;
    for (uint32_t i = 0; i < self->nresource; i++)
        free(self->resources[i].name);
    free(self->resources);
    free(self->gpu);
    free(self->slots);
    free(self);
    *self_p = NULL;
}

/* ---- what is asked for ---- */

static int
compare_needs(const void *a, const void *b)
{
    const struct room_need *one = a;
    const struct room_need *other = b;

    return (one->what > other->what) - (one->what < other->what);
}

/* The last that is said of a resource counts. */
static void
set_need(struct room_need *needs, uint32_t *n, uint32_t what, int64_t amount)
{
    uint32_t i = 0;

    while (i < *n && needs[i].what != what)
        i++;
    needs[i] = (struct room_need){.what = what, .amount = amount};
    *n += i == *n;
}

uint32_t
agent_room_needs(const struct room *self, const struct flow_resource *resources,
                 uint32_t n, struct room_need *ret, struct buf *why)
{
    uint32_t nneed = 1;

    ret[0] = (struct room_need){.what = CPUS, .amount = UNIT};
    for (uint32_t i = 0; i < n; i++) {
        const struct resource *has = find_resource(self, resources[i].name);
        uint32_t what = has ? (uint32_t)(has - self->resources) : 0;
        int64_t amount = to_units(resources[i].amount);

        if (!has || has->total < amount) {
            buf_printf(why, "asks for %.10g %s, this agent has %.10g",
                       resources[i].amount, resources[i].name,
                       has ? (double)has->total / UNIT : 0.0);
            return 0;
        }
        set_need(ret, &nneed, what, amount);
    }
    if (ret[0].amount > self->resources[CPUS].total) {
        buf_printf(why, "asks for a cpu, this agent has %.10g",
                   (double)self->resources[CPUS].total / UNIT);
        return 0;
    }
    qsort(ret, nneed, sizeof *ret, compare_needs);
    return nneed;
}

/* ---- GPUs ---- */

/* One of which just enough is free, so that whole ones stay whole. */
static uint32_t
best_gpu(const struct room *self, int64_t part)
{
    uint32_t best = UINT32_MAX;

    for (uint32_t i = 0; i < self->ngpu; i++) {
        if (self->gpu[i] >= part &&
            (best == UINT32_MAX || self->gpu[i] < self->gpu[best]))
            best = i;
    }
    return best;
}

/* All or nothing. */
static bool
take_gpus(struct room *self, int64_t amount, struct room_given *ret)
{
    uint32_t most = (uint32_t)((amount + UNIT - 1) / UNIT);

    ret->gpus = mem_alloc(most, sizeof *ret->gpus);
    ret->ngpu = 0;
    while (amount > 0) {
        int64_t part = amount < UNIT ? amount : UNIT;
        uint32_t gpu = best_gpu(self, part);

        if (gpu == UINT32_MAX) {
            while (ret->ngpu > 0)
                self->gpu[ret->gpus[--ret->ngpu]] += UNIT;
            free(ret->gpus);
            ret->gpus = NULL;
            return false;
        }
        self->gpu[gpu] -= part;
        ret->gpus[ret->ngpu++] = gpu;
        amount -= part;
    }
    return true;
}

static void
give_gpus_back(struct room *self, int64_t amount, struct room_given *given)
{
    for (uint32_t i = 0; i < given->ngpu; i++, amount -= UNIT)
        self->gpu[given->gpus[i]] += amount < UNIT ? amount : UNIT;
    free(given->gpus);
    given->gpus = NULL;
    given->ngpu = 0;
}

/* ---- slots ---- */

static void
move_slot(struct slot *slot, struct slots *to, bool in_front)
{
    if (slot->in)
        TAILQ_REMOVE(slot->in, slot, link);
    slot->in = to;
    if (to && in_front)
        TAILQ_INSERT_HEAD(to, slot, link);
    else if (to)
        TAILQ_INSERT_TAIL(to, slot, link);
}

static bool
slot_has_room(const struct slot *slot)
{
    return slot->unknown == 0 && slot->ahead < AHEAD &&
           slot->calls < LIMIT_AHEAD;
}

/* In turns: what is open goes behind the others. */
static void
put_in(struct room *self, struct slot *slot, struct room_given *given)
{
    slot->calls++;
    if (given->length == ROOM_UNKNOWN)
        slot->unknown++;
    else
        slot->ahead += given->length;
    move_slot(slot, slot_has_room(slot) ? &self->open : NULL, false);
    given->slot = (uint32_t)(slot - self->slots);
    given->slotted = true;
}

static void
take_out(struct room *self, struct room_given *given)
{
    struct slot *slot = &self->slots[given->slot];

    slot->calls--;
    if (given->length == ROOM_UNKNOWN)
        slot->unknown--;
    else
        slot->ahead -= given->length;
    if (slot->calls == 0)
        move_slot(slot, &self->idle, true);
    else if (!slot->in && slot_has_room(slot))
        move_slot(slot, &self->open, false);
    given->slotted = false;
}

/* The first in a slot takes its cpu, for all. */
static bool
take_short(struct room *self, struct room_given *ret)
{
    struct slot *idle = TAILQ_FIRST(&self->idle);
    struct slot *open = TAILQ_FIRST(&self->open);
    struct resource *cpus = &self->resources[CPUS];

    if (ret->length > AHEAD)
        ret->length = ROOM_UNKNOWN;
    if (idle && cpus->free >= UNIT) {
        cpus->free -= UNIT;
        put_in(self, idle, ret);
        return true;
    }
    if (!open || ret->length == ROOM_UNKNOWN)
        return false;
    put_in(self, open, ret);
    return true;
}

/* ---- taking and giving back ---- */

static bool
has_all(const struct room *self, const struct room_need *needs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (self->resources[needs[i].what].free < needs[i].amount)
            return false;
    }
    return true;
}

static int64_t
gpus_needed(const struct room *self, const struct room_need *needs, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (needs[i].what == self->gpus)
            return needs[i].amount;
    }
    return 0;
}

bool
agent_room_take(struct room *self, enum room_kind kind,
                const struct room_need *needs, uint32_t nneed,
                struct room_given *ret)
{
    struct slot *idle = TAILQ_FIRST(&self->idle);
    int64_t gpus;

    if (kind == ROOM_SHORT)
        return take_short(self, ret);
    if ((kind == ROOM_CALL && !idle) || !has_all(self, needs, nneed))
        return false;
    *ret = (struct room_given){.length = ROOM_UNKNOWN};
    gpus = gpus_needed(self, needs, nneed);
    if (gpus > 0 && !take_gpus(self, gpus, ret))
        return false;
    for (uint32_t i = 0; i < nneed; i++)
        self->resources[needs[i].what].free -= needs[i].amount;
    if (idle && (kind == ROOM_CALL || needs[0].amount >= UNIT))
        put_in(self, idle, ret);
    return true;
}

void
agent_room_give_back(struct room *self, enum room_kind kind,
                     const struct room_need *needs, uint32_t nneed,
                     struct room_given *given)
{
    if (given->slotted)
        take_out(self, given);
    if (kind == ROOM_SHORT) {
        if (self->slots[given->slot].calls == 0)
            self->resources[CPUS].free += UNIT;
        return;
    }
    for (uint32_t i = 0; i < nneed; i++)
        self->resources[needs[i].what].free += needs[i].amount;
    if (given->ngpu > 0)
        give_gpus_back(self, gpus_needed(self, needs, nneed), given);
}
