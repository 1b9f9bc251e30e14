/* SPDX-License-Identifier: MPL-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/core_impl.h"

/* ---- what there is ---- */

uint32_t
broker_resource(struct broker *self, const char *name)
{
    uint32_t i = names_find(&self->resources, name);

    if (i != NAMES_NONE)
        return i;
    i = (uint32_t)self->nresource;
    self->resource_names = mem_grow(self->resource_names, &self->cap_resource,
                                    self->nresource + 1, sizeof(char *));
    self->resource_names[self->nresource++] = mem_dup(name);
    (void)names_add(&self->resources, self->resource_names[i], i);
    for (uint32_t p = 0; p < self->npeer; p++) {
        struct peer *peer = self->peers[p];
        size_t cap = i;

        if (!peer)
            continue;
        peer->rooms =
            mem_grow(peer->rooms, &cap, self->nresource, sizeof *peer->rooms);
        peer->rooms[i] = (struct room){0};
    }
    return i;
}

static int64_t
units_of(uint32_t resource, double amount)
{
    double units = resource == RESOURCE_MEMORY ? amount : amount * 1e6;

    if (!(units > 0))
        return 0;
    return units < 4e18 ? (int64_t)llround(units)
                        : INT64_C(4000000000000000000);
}

void
broker_rooms_init(struct broker *self, struct peer *peer)
{
    for (uint32_t i = 0; i < peer->info.nresource; i++)
        (void)broker_resource(self, peer->info.resources[i].name);
    peer->rooms = mem_alloc(self->nresource, sizeof *peer->rooms);
    for (uint32_t i = 0; i < peer->info.nresource; i++) {
        const struct flow_resource *from = &peer->info.resources[i];
        uint32_t r = broker_resource(self, from->name);

        peer->rooms[r].has = units_of(r, from->amount);
    }
    peer->rooms[RESOURCE_CPUS].has =
        units_of(RESOURCE_CPUS, (double)peer->info.slots);
}

const char *
broker_label(const struct agent_info *info, const char *name)
{
    size_t n = strlen(name);

    for (uint32_t i = 0; i < info->nlabel; i++) {
        if (strncmp(info->labels[i], name, n) == 0 && info->labels[i][n] == '=')
            return info->labels[i] + n + 1;
    }
    return strcmp(name, "host") == 0 ? info->host : NULL;
}

/* ---- what asks for the same ---- */

static uint32_t
find_limit(const struct flow *flow, const char *tag)
{
    for (uint32_t i = 0; i < flow->nlimit; i++) {
        if (strcmp(flow->limits[i].tag, tag) == 0)
            return i;
    }
    return UINT32_MAX;
}

/* Everything that makes a class, as text. */
static void
describe(const struct flow *flow, const struct flow_task *task, struct buf *out)
{
    const struct flow_options *o = task->options;

    buf_clear(out);
    buf_text(out, task->kind == FLOW_CALL ? "call" : "command");
    if (o->exclusive)
        buf_text(out, " exclusive");
    for (uint32_t i = 0; i < o->nresource; i++)
        buf_printf(out, "\nr %s %.17g", o->resources[i].name,
                   o->resources[i].amount);
    for (uint32_t i = 0; i < o->nwhere; i++) {
        const char *want = json_string_value(o->where[i].value->value);

        buf_printf(out, "\nw %s %s", o->where[i].name, want ? want : "");
    }
    for (uint32_t i = 0; i < o->ntag; i++) {
        if (find_limit(flow, o->tags[i]) != UINT32_MAX)
            buf_printf(out, "\nt %s", o->tags[i]);
    }
}

static void
add_limits(const struct flow *flow, struct class *class)
{
    const struct flow_options *o = class->options;

    class->limits = mem_alloc(o->ntag, sizeof *class->limits);
    for (uint32_t i = 0; i < o->ntag; i++) {
        uint32_t limit = find_limit(flow, o->tags[i]);
        bool twice = limit == UINT32_MAX;

        for (uint32_t k = 0; k < class->nlimit; k++)
            twice = twice || class->limits[k] == limit;
        if (!twice)
            class->limits[class->nlimit++] = limit;
    }
}

static void
init_class(struct life *life, struct class *class, const struct flow_task *task)
{
    const struct flow_options *o = task->options;

    *class = (struct class){
        .options = o,
        .exclusive = o->exclusive,
        .program = task->kind == FLOW_CALL,
    };
    class->needs = mem_alloc((size_t)o->nresource + 1, sizeof *class->needs);
    class->needs[0] = (struct need){RESOURCE_CPUS, 1000000};
    class->nneed = 1;
    for (uint32_t i = 0; i < o->nresource; i++) {
        uint32_t r = broker_resource(life->broker, o->resources[i].name);
        struct need *need = &class->needs[0];

        if (r != RESOURCE_CPUS)
            need = &class->needs[class->nneed++];
        *need = (struct need){r, units_of(r, o->resources[i].amount)};
    }
    add_limits(life->flow, class);
    class->plain = class->nneed == 1 && class->needs[0].amount == 1000000 &&
                   class->nlimit == 0 && o->nwhere == 0 && !o->exclusive;
}

/* Handlers take as much as a function that asks for nothing. */
static void
init_handlers(struct class *class)
{
    static const struct flow_options none;

    *class = (struct class){.options = &none, .program = true, .plain = true};
    class->needs = mem_alloc(1, sizeof *class->needs);
    class->needs[0] = (struct need){RESOURCE_CPUS, 1000000};
    class->nneed = 1;
}

/* Descriptions of the classes so far, to find them again. */
struct found {
    struct names names;
    char **keys;
    size_t cap_key, cap;
    struct buf key;
};

static uint32_t
find_class(struct life *life, struct found *found, const struct flow_task *task)
{
    uint32_t class;

    describe(life->flow, task, &found->key);
    class = names_find(&found->names, buf_str(&found->key));
    if (class != NAMES_NONE)
        return class;
    class = life->nclass++;
    life->classes = mem_grow(life->classes, &found->cap, life->nclass,
                             sizeof *life->classes);
    found->keys = mem_grow(found->keys, &found->cap_key, life->nclass,
                           sizeof *found->keys);
    found->keys[class] = mem_dup(buf_str(&found->key));
    (void)names_add(&found->names, found->keys[class], class);
    init_class(life, &life->classes[class], task);
    return class;
}

void
broker_classes_init(struct life *life)
{
    const struct flow *flow = life->flow;
    const struct flow_task *last = NULL;
    struct found found = {0};

    life->class_of = mem_alloc(flow->ntask, sizeof *life->class_of);
    for (size_t t = 0; t < flow->ntask; t++) {
        const struct flow_task *task = &flow->tasks[t];

        /* Most tasks share one block of options: look at it once. */
        if (last && last->options == task->options &&
            (last->kind == FLOW_CALL) == (task->kind == FLOW_CALL))
            life->class_of[t] = life->class_of[t - 1];
        else
            life->class_of[t] = find_class(life, &found, task);
        last = task;
    }
    if (life->handled) {
        life->classes = mem_grow(life->classes, &found.cap, life->nclass + 1,
                                 sizeof *life->classes);
        init_handlers(&life->classes[life->nclass]);
    }
    if (life->nclass > 0)
        run_set_classes(life->run, life->class_of, life->nclass);
    life->limit_used = mem_alloc(flow->nlimit, sizeof *life->limit_used);
    names_release(&found.names);
    for (uint32_t i = 0; found.keys && i < life->nclass; i++)
        free(found.keys[i]);
    free(found.keys);
    buf_release(&found.key);
}

void
broker_classes_release(struct life *life)
{
    uint32_t n = life->classes ? life->nclass + life->handled : 0;

    for (uint32_t i = 0; i < n; i++) {
        free(life->classes[i].needs);
        free(life->classes[i].limits);
    }
    free(life->classes);
    free(life->class_of);
    free(life->limit_used);
}

/* ---- who could ---- */

bool
broker_is_refused(const struct life *life, const struct peer *peer)
{
    for (size_t i = 0; i < life->nrefusal; i++) {
        if (life->refusals[i].session == peer->session)
            return true;
    }
    return false;
}

static bool
could_run(const struct class *class, const struct peer *peer)
{
    const struct flow_options *o = class->options;

    for (uint32_t i = 0; i < class->nneed; i++) {
        if (peer->rooms[class->needs[i].resource].has < class->needs[i].amount)
            return false;
    }
    for (uint32_t i = 0; i < o->nwhere; i++) {
        const char *label = broker_label(&peer->info, o->where[i].name);
        const char *want = json_string_value(o->where[i].value->value);

        if (!label || !want || strcmp(label, want) != 0)
            return false;
    }
    return true;
}

/* Look at all agents once for each change among them. */
static void
refresh_fit(struct life *life, struct class *class)
{
    const struct broker *self = life->broker;

    if (class->fit_version == self->fit_version)
        return;
    class->fit_version = self->fit_version;
    memset(class->fit, 0, sizeof class->fit);
    for (uint32_t p = 0; p < self->npeer; p++) {
        const struct peer *peer = self->peers[p];

        if (peer && could_run(class, peer) &&
            !(class->program && broker_is_refused(life, peer)))
            class->fit[p / 64] |= UINT64_C(1) << p % 64;
    }
}

bool
broker_class_is_fit(struct life *life, struct class *class,
                    const struct peer *peer)
{
    refresh_fit(life, class);
    return (class->fit[peer->place / 64] >> peer->place % 64 & 1) != 0;
}

bool
broker_class_has_fit(struct life *life, struct class *class)
{
    refresh_fit(life, class);
    for (size_t i = 0; i < AGENT_SETS; i++) {
        if (class->fit[i] != 0)
            return true;
    }
    return false;
}

bool
broker_class_is_refused(const struct life *life, const struct class *class)
{
    const struct broker *self = life->broker;
    bool refused = false;

    for (uint32_t p = 0; class->program && p < self->npeer; p++) {
        const struct peer *peer = self->peers[p];

        if (!peer || !could_run(class, peer))
            continue;
        if (!broker_is_refused(life, peer))
            return false;
        refused = true;
    }
    return refused;
}

/* ---- room ---- */

void
broker_class_occupy(struct life *life, struct class *class, struct peer *peer,
                    int sign)
{
    for (uint32_t i = 0; peer && i < class->nneed; i++)
        peer->rooms[class->needs[i].resource].used +=
            sign * class->needs[i].amount;
    for (uint32_t i = 0; i < class->nlimit; i++)
        life->limit_used[class->limits[i]] += (uint32_t)sign;
}

bool
broker_class_has_room(const struct class *class, const struct peer *peer)
{
    for (uint32_t i = 0; i < class->nneed; i++) {
        const struct room *room = &peer->rooms[class->needs[i].resource];

        if (room->has - room->used < class->needs[i].amount)
            return false;
    }
    return true;
}

bool
broker_class_is_limited(const struct life *life, const struct class *class)
{
    for (uint32_t i = 0; i < class->nlimit; i++) {
        uint32_t limit = class->limits[i];

        if (life->limit_used[limit] >= life->flow->limits[limit].most)
            return true;
    }
    return false;
}
