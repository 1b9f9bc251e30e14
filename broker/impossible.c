/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "broker/core_impl.h"

#define NAMED 8  /* tasks or agents told one by one */
#define KINDS 20 /* of tasks that nobody can run, told of one run */

/* ---- words ---- */

static double
as_amount(uint32_t resource, int64_t units)
{
    return resource == RESOURCE_MEMORY ? (double)units : (double)units / 1e6;
}

/* "4 gpus", "1.5 GiB of memory". */
void
broker_say_amount(const struct broker *self, uint32_t resource, int64_t units,
                  struct buf *out)
{
    const char *name = self->resource_names[resource];
    double amount = as_amount(resource, units);

    if (resource == RESOURCE_MEMORY)
        buf_printf(out, "%.4g GiB of memory", amount / 0x1p30);
    else if (amount == 1 && resource <= RESOURCE_GPUS)
        buf_printf(out, "1 %.*s", (int)strlen(name) - 1, name);
    else
        buf_printf(out, "%.10g %s", amount, name);
}

void
broker_say_bare(uint32_t resource, int64_t units, struct buf *out)
{
    double amount = as_amount(resource, units);

    if (resource == RESOURCE_MEMORY)
        buf_printf(out, "%.4g GiB", amount / 0x1p30);
    else
        buf_printf(out, "%.10g", amount);
}

/* "box has 2 (1 free)". */
static void
say_room(const struct peer *peer, uint32_t resource, struct buf *out)
{
    const struct room *room = &peer->rooms[resource];
    int64_t left = room->has > room->used ? room->has - room->used : 0;

    buf_printf(out, "%s has ", peer->info.name);
    broker_say_bare(resource, room->has, out);
    if (room->used > 0) {
        buf_text(out, " (");
        broker_say_bare(resource, left, out);
        buf_text(out, " free)");
    }
}

static const char *
between(size_t i)
{
    return i == 0 ? "" : ", ";
}

/* ---- what nobody has ---- */

bool
broker_has_label(const struct peer *peer, const struct flow_bind *where)
{
    const char *label = broker_label(&peer->info, where->name);
    const char *want = json_string_value(where->value->value);

    return label && want && strcmp(label, want) == 0;
}

/* Who has how much of a resource, in one clause. */
static void
say_all_rooms(const struct broker *self, uint32_t resource, struct buf *out)
{
    size_t n = 0;

    for (uint32_t p = 0; p < self->npeer; p++) {
        const struct peer *peer = self->peers[p];

        if (!peer)
            continue;
        if (n < NAMED) {
            buf_text(out, between(n));
            say_room(peer, resource, out);
        }
        n++;
    }
    if (n > NAMED)
        buf_printf(out, " and %zu more agents", n - NAMED);
}

static void
say_all_labels(const struct broker *self, const char *name, struct buf *out)
{
    size_t n = 0;

    for (uint32_t p = 0; p < self->npeer; p++) {
        const struct peer *peer = self->peers[p];
        const char *label = peer ? broker_label(&peer->info, name) : NULL;

        if (!peer)
            continue;
        if (n < NAMED && label)
            buf_printf(out, "%s%s is `%s`", between(n), peer->info.name, label);
        else if (n < NAMED)
            buf_printf(out, "%s%s has none", between(n), peer->info.name);
        n++;
    }
    if (n > NAMED)
        buf_printf(out, " and %zu more agents", n - NAMED);
}

static bool
any_has(const struct broker *self, const struct need *need)
{
    for (uint32_t p = 0; p < self->npeer; p++) {
        const struct peer *peer = self->peers[p];

        if (peer && peer->rooms[need->resource].has >= need->amount)
            return true;
    }
    return false;
}

static bool
any_label(const struct broker *self, const struct flow_bind *where)
{
    for (uint32_t p = 0; p < self->npeer; p++) {
        if (self->peers[p] && broker_has_label(self->peers[p], where))
            return true;
    }
    return false;
}

/* Each thing is somewhere, but no agent has them all. */
static void
say_together(const struct broker *self, const struct class *class,
             struct buf *out)
{
    const struct flow_options *o = class->options;

    buf_text(out, "needs ");
    for (uint32_t i = 0; i < class->nneed; i++) {
        buf_text(out, between(i));
        broker_say_amount(self, class->needs[i].resource,
                          class->needs[i].amount, out);
    }
    for (uint32_t i = 0; i < o->nwhere; i++) {
        const char *want = json_string_value(o->where[i].value->value);

        buf_printf(out, ", %s `%s`", o->where[i].name, want ? want : "?");
    }
    buf_text(out, ", and no agent has all of that");
}

/* The first thing that no agent has, with what there is instead. */
static void
say_unfit(const struct broker *self, const struct class *class, struct buf *out)
{
    const struct flow_options *o = class->options;

    for (uint32_t i = 0; i < class->nneed; i++) {
        if (any_has(self, &class->needs[i]))
            continue;
        buf_text(out, "needs ");
        broker_say_amount(self, class->needs[i].resource,
                          class->needs[i].amount, out);
        buf_text(out, "; ");
        say_all_rooms(self, class->needs[i].resource, out);
        return;
    }
    for (uint32_t i = 0; i < o->nwhere; i++) {
        const char *want = json_string_value(o->where[i].value->value);

        if (any_label(self, &o->where[i]))
            continue;
        buf_printf(out, "must run where %s is `%s`; ", o->where[i].name,
                   want ? want : "?");
        say_all_labels(self, o->where[i].name, out);
        return;
    }
    say_together(self, class, out);
}

size_t
broker_count_agents(const struct broker *self)
{
    size_t n = 0;

    for (uint32_t p = 0; p < self->npeer; p++)
        n += self->peers[p] != NULL;
    return n;
}

/* The first task of a class that has something ready, or PLAN_NONE. */
static uint32_t
first_task(const struct life *life, uint32_t class)
{
    const struct plan *plan = run_plan(life->run);

    for (uint32_t t = 0; t < life->flow->ntask; t++) {
        struct plan_id id = {t, PLAN_WHOLE};

        if (life->class_of[t] == class &&
            (plan_state(plan, id) == PLAN_READY ||
             plan_children_in(plan, t, PLAN_READY) > 0))
            return t;
    }
    return PLAN_NONE;
}

/* No agent could run it, since a second or longer. */
static bool
is_hopeless(const struct broker *self, struct life *life, struct class *class,
            int64_t now)
{
    if (broker_class_has_fit(life, class) ||
        broker_class_is_refused(life, class)) {
        class->unfit = 0;
        class->told = false;
        return false;
    }
    if (class->unfit < self->agents_since)
        class->unfit = now;
    return now - class->unfit >= SPAN_SECOND;
}

static void
say_hopeless(const struct life *life, uint32_t class, uint32_t task,
             struct buf *out)
{
    buf_printf(out, "task `%s` ", life->flow->tasks[task].name);
    say_unfit(life->broker, &life->classes[class], out);
}

bool
broker_impossible(const struct broker *self, uint64_t run, int64_t now,
                  struct buf *out)
{
    struct life *life = broker_life_find(self, run);
    const struct plan *plan = life ? run_plan(life->run) : NULL;

    if (!life || broker_count_agents(self) == 0)
        return false;
    for (uint32_t c = plan_next_class(plan, 0); c != PLAN_NONE;
         c = plan_next_class(plan, c + 1)) {
        uint32_t task = PLAN_NONE;

        if (is_hopeless(self, life, &life->classes[c], now))
            task = first_task(life, c);
        if (task == PLAN_NONE)
            continue;
        say_hopeless(life, c, task, out);
        return true;
    }
    return false;
}

/* The first kinds; a flow may have as many as tasks. */
static void
tell_one(struct life *life, int64_t now, broker_impossible_fn *fn, void *ctx)
{
    const struct plan *plan = run_plan(life->run);
    struct buf text = {0};
    uint32_t ntold = 0;

    for (uint32_t c = plan_next_class(plan, 0); c != PLAN_NONE && ntold < KINDS;
         c = plan_next_class(plan, c + 1)) {
        struct class *class = &life->classes[c];
        uint32_t task = PLAN_NONE;

        if (!is_hopeless(life->broker, life, class, now))
            continue;
        if (!class->told)
            task = first_task(life, c);
        ntold += class->told || task != PLAN_NONE;
        if (task == PLAN_NONE)
            continue;
        class->told = true;
        buf_clear(&text);
        say_hopeless(life, c, task, &text);
        fn(ctx, life->id, (struct plan_id){task, PLAN_WHOLE}, buf_str(&text));
    }
    buf_release(&text);
}

void
broker_tell_impossible(struct broker *self, int64_t now,
                       broker_impossible_fn *fn, void *ctx)
{
    struct life *life;

    if (broker_count_agents(self) == 0)
        return;
    TAILQ_FOREACH(life, &self->lives, link)
        tell_one(life, now, fn, ctx);
}
