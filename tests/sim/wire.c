/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

/* ---- messages ---- */

/* What is its own came as text. */
static void
read_item(struct work *work, const struct work *from)
{
    json_t *item =
        json_loadb(from->item, from->nitem, JSON_REJECT_DUPLICATES, NULL);
    struct err err;

    if (!item || work_from_item(work, item, &err) < 0)
        abort();
    json_decref(item);
}

/* As a decoded frame: nothing in it is the sender's. */
struct parcel *
parcel_new(const struct work *work)
{
    struct parcel *self = mem_alloc(1, sizeof *self);
    const struct work_spec *spec = work->spec;
    struct flow_resource *resources =
        mem_alloc(spec->nresource, sizeof *resources);

    self->spec = *spec;
    self->spec.flow = mem_dup(spec->flow);
    self->spec.name = mem_dup(spec->name);
    self->spec.script = mem_dup(spec->script);
    self->spec.shell = NULL;
    self->spec.when = mem_dup(spec->when);
    self->spec.params = json_incref(spec->params);
    self->spec.home = NULL;
    self->spec.program = NULL;
    self->spec.source_hash = NULL;
    for (uint32_t i = 0; i < spec->nresource; i++) {
        resources[i] = spec->resources[i];
        resources[i].name = mem_dup(spec->resources[i].name);
    }
    self->spec.resources = resources;
    self->work = (struct work){
        .spec = &self->spec,
        .id = work->id,
        .attempt = work->attempt,
        .name = mem_dup(work->name),
        .own = json_incref(work->own),
        .env = json_incref(work->env),
        .argv = json_incref(work->argv),
        .input = json_incref(work->input),
        .cwd = mem_dup(work->cwd),
        .creates = mem_dup(work->creates),
        .handle = json_incref(work->handle),
    };
    if (work->item)
        read_item(&self->work, work);
    return self;
}

static void
free_text(const char *text)
{
    free((char *)(uintptr_t)text);
}

void
parcel_free(struct parcel *self)
{
    if (!self)
        return;
    for (uint32_t i = 0; i < self->spec.nresource; i++)
        free(self->spec.resources[i].name);
    free((struct flow_resource *)(uintptr_t)self->spec.resources);
    free_text(self->spec.flow);
    free_text(self->spec.name);
    free_text(self->spec.script);
    free_text(self->spec.when);
    json_decref(self->spec.params);
    work_release(&self->work);
    free(self);
}

struct message *
message_new(struct host *host, enum message_kind kind, enum way way)
{
    struct message *self = mem_alloc(1, sizeof *self);

    self->kind = kind;
    self->host = host;
    self->way = way;
    self->incarnation = host->incarnation;
    return self;
}

void
message_free(void *message)
{
    struct message *self = message;

    parcel_free(self->parcel);
    json_decref(self->result.value);
    free_text(self->result.cause);
    free_text(self->result.cwd);
    free(self->held);
    free(self->tickets);
    free(self);
}

/* ---- on their way ---- */

static bool
goes_up(enum way way)
{
    return way == WAY_UP || way == WAY_CONTROL_UP;
}

static int64_t
opens_at(const struct sim *s, const struct host *host, enum way way)
{
    int64_t pause = host->paused_until;

    if (goes_up(way))
        pause = s->hub.alive ? s->hub.paused_until : 0;
    return host->wires[way].stalled > pause ? host->wires[way].stalled : pause;
}

static struct message *
take_first(struct wire *wire)
{
    struct message *first = wire->queue[0];

    wire->n--;
    memmove(wire->queue, wire->queue + 1, wire->n * sizeof(struct message *));
    return first;
}

/* One after another, whatever holds them up. */
static void
arrive(struct sim *s, void *what, uint64_t way, uint64_t b)
{
    struct host *host = what;
    struct wire *wire = &host->wires[way];
    int64_t opens = opens_at(s, host, (enum way)way);
    struct message *message;

    (void)b;
    if (wire->n == 0 || wire->queue[0]->when > s->now)
        return;
    if (opens > s->now) {
        sim_at(s, opens, arrive, host, way, 0);
        return;
    }
    message = take_first(wire);
    if (wire->n > 0)
        sim_at(s, wire->queue[0]->when, arrive, host, way, 0);
    if (goes_up((enum way)way))
        hub_arrived(s, message);
    else
        host_arrived(host, message);
}

void
wire_send(struct sim *s, struct message *message)
{
    struct wire *wire = &message->host->wires[message->way];

    message->when = s->now + sim_span(s, 20, s->weather.delay);
    if (wire->n > 0 && message->when < wire->queue[wire->n - 1]->when)
        message->when = wire->queue[wire->n - 1]->when;
    wire->queue = mem_grow(wire->queue, &wire->cap, wire->n + 1,
                           sizeof(struct message *));
    wire->queue[wire->n++] = message;
    if (wire->n == 1)
        sim_at(s, message->when, arrive, message->host, message->way, 0);
}

void
wire_wake(struct sim *s, struct host *host, enum way way)
{
    struct wire *wire = &host->wires[way];

    if (wire->n > 0)
        sim_at(s, wire->queue[0]->when, arrive, host, way, 0);
}

void
wire_break(struct sim *s, struct host *host, enum way way)
{
    struct wire *wire = &host->wires[way];
    int64_t cut = sim_chance(s, 50) ? s->now + sim_span(s, 0, 20000) : -1;

    if (wire->stalled > s->now)
        cut = -1;
    while (wire->n > 0 && wire->queue[wire->n - 1]->when > cut)
        message_free(wire->queue[--wire->n]);
}

void
wire_release(struct wire *self)
{
    while (self->n > 0)
        message_free(self->queue[--self->n]);
    free(self->queue);
}
