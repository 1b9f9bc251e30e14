/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

/* ---- messages ---- */

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
    };
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

static void
arrive(struct sim *s, void *what, uint64_t a, uint64_t b)
{
    struct message *message = what;
    struct host *host = message->host;
    struct wire *wire = &host->wires[message->way];
    int64_t late = wire->stalled;

    (void)a;
    (void)b;
    if (message->life != wire->life &&
        (message->life + 1 != wire->life || s->now > wire->cut)) {
        message_free(message);
        return;
    }
    if (goes_up(message->way) && s->hub.alive && s->hub.paused_until > late)
        late = s->hub.paused_until;
    if (!goes_up(message->way) && host->paused_until > late)
        late = host->paused_until;
    if (late > s->now) {
        /* All that waits is put off in its order. */
        sim_at_owned(s, late, arrive, message, message_free, 0);
        return;
    }
    if (goes_up(message->way))
        hub_arrived(s, message);
    else
        host_arrived(host, message);
}

void
wire_send(struct sim *s, struct message *message)
{
    struct wire *wire = &message->host->wires[message->way];
    int64_t when = s->now + sim_span(s, 20, s->weather.delay);

    if (when < wire->last)
        when = wire->last;
    wire->last = when;
    message->life = wire->life;
    sim_at_owned(s, when, arrive, message, message_free, 0);
}

void
wire_break(struct sim *s, struct host *host, enum way way)
{
    struct wire *wire = &host->wires[way];

    wire->life++;
    wire->last = 0;
    wire->cut = s->now + (sim_chance(s, 50) ? sim_span(s, 0, 20000) : -1);
}
