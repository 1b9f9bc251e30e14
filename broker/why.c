/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "broker/core_impl.h"

#define NAMED 8 /* tasks or agents told one by one */

/* ---- words ---- */

static double
as_amount(uint32_t resource, int64_t units)
{
    return resource == RESOURCE_MEMORY ? (double)units : (double)units / 1e6;
}

/* "4 gpus", "1.5 GiB of memory". */
static void
say_amount(const struct broker *self, uint32_t resource, int64_t units,
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

static void
say_bare(uint32_t resource, int64_t units, struct buf *out)
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
    say_bare(resource, room->has, out);
    if (room->used > 0) {
        buf_text(out, " (");
        say_bare(resource, left, out);
        buf_text(out, " free)");
    }
}

static const char *
between(size_t i)
{
    return i == 0 ? "" : ", ";
}

/* ---- what nobody has ---- */

static bool
has_label(const struct peer *peer, const struct flow_bind *where)
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
        if (self->peers[p] && has_label(self->peers[p], where))
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
        say_amount(self, class->needs[i].resource, class->needs[i].amount, out);
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
        say_amount(self, class->needs[i].resource, class->needs[i].amount, out);
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

static size_t
count_agents(const struct broker *self)
{
    size_t n = 0;

    for (uint32_t p = 0; p < self->npeer; p++)
        n += self->peers[p] != NULL;
    return n;
}

/* The first task of a class that has something ready. */
static const struct flow_task *
first_task(const struct life *life, uint32_t class)
{
    for (size_t t = 0; t < life->flow->ntask; t++) {
        struct plan_id id = {(uint32_t)t, PLAN_WHOLE};
        const struct plan *plan = run_plan(life->run);

        if (life->class_of[t] == class &&
            (plan_state(plan, id) == PLAN_READY ||
             plan_children_in(plan, id.task, PLAN_READY) > 0))
            return &life->flow->tasks[t];
    }
    return NULL;
}

bool
broker_impossible(const struct broker *self, uint64_t run, int64_t now,
                  struct buf *out)
{
    struct life *life = broker_life_find(self, run);
    const struct plan *plan = life ? run_plan(life->run) : NULL;
    const struct flow_task *task;

    if (!life || count_agents(self) == 0)
        return false;
    for (uint32_t c = plan_next_class(plan, 0); c != PLAN_NONE;
         c = plan_next_class(plan, c + 1)) {
        struct class *class = &life->classes[c];

        if (broker_class_has_fit(life, class) ||
            broker_class_is_refused(life, class)) {
            class->unfit = 0;
            continue;
        }
        if (class->unfit < self->agents_since)
            class->unfit = now;
        task = first_task(life, c);
        if (now - class->unfit < SPAN_SECOND || !task)
            continue;
        buf_printf(out, "task `%s` ", task->name);
        say_unfit(self, class, out);
        return true;
    }
    return false;
}

/* ---- why one that is ready waits ---- */

/* What keeps an agent from taking one now. */
static void
say_agent(const struct broker *self, struct life *life,
          const struct class *class, const struct peer *peer, struct buf *out)
{
    const struct flow_options *o = class->options;
    enum broker_agent_state state = broker_peer_state(peer);

    buf_printf(out, "%s: ", peer->info.name);
    for (uint32_t i = 0; i < o->nwhere; i++) {
        const char *label = broker_label(&peer->info, o->where[i].name);

        if (has_label(peer, &o->where[i]))
            continue;
        buf_printf(out, "its %s is %s%s%s, not `%s`\n", o->where[i].name,
                   label ? "`" : "not set", label ? label : "",
                   label ? "`" : "",
                   json_string_value(o->where[i].value->value));
        return;
    }
    for (uint32_t i = 0; i < class->nneed; i++) {
        const struct need *need = &class->needs[i];
        const struct room *room = &peer->rooms[need->resource];
        bool never = room->has < need->amount;

        if (!never && room->has - room->used >= need->amount)
            continue;
        buf_text(out, "needs ");
        say_amount(self, need->resource, need->amount, out);
        buf_text(out, never ? "; it has " : "; free are ");
        say_bare(need->resource,
                 never                    ? room->has
                 : room->has > room->used ? room->has - room->used
                                          : 0,
                 out);
        if (!never) {
            buf_text(out, " of ");
            say_bare(need->resource, room->has, out);
        }
        buf_char(out, '\n');
        return;
    }
    if (class->program && broker_is_refused(life, peer))
        buf_printf(out, "can't run its program: %s\n", life->refused);
    else if (state == AGENT_ASIDE)
        buf_printf(out, "set aside: %s\n", peer->aside);
    else if (state != AGENT_UP)
        buf_printf(out, "is %s\n", broker_agent_state_names[state]);
    else if (peer->pause_until > 0)
        buf_text(out, "is short of processes or memory for the moment\n");
    else
        buf_text(out, "could take it now\n");
}

static void
say_limits(const struct life *life, const struct class *class, struct buf *out)
{
    for (uint32_t i = 0; i < class->nlimit; i++) {
        const struct flow_limit *limit = &life->flow->limits[class->limits[i]];

        if (life->limit_used[class->limits[i]] >= limit->most)
            buf_printf(out, "limit `%s`: %u of %u run now\n", limit->tag,
                       life->limit_used[class->limits[i]], limit->most);
    }
}

static void
say_ready(const struct broker *self, struct life *life, struct plan_id id,
          struct buf *out)
{
    struct class *class = &life->classes[life->class_of[id.task]];
    uint32_t most = life->flow->tasks[id.task].options->max_parallel;

    buf_text(out, "is ready and waits for room\n");
    say_limits(life, class, out);
    if (id.child != PLAN_WHOLE && most > 0 &&
        plan_children_in(run_plan(life->run), id.task, PLAN_RUNNING) >= most)
        buf_printf(out, "max-parallel: %u of its children run now\n", most);
    if (count_agents(self) == 0)
        buf_text(out, "there are no agents\n");
    for (uint32_t p = 0; p < self->npeer; p++) {
        if (self->peers[p])
            say_agent(self, life, class, self->peers[p], out);
    }
}

/* ---- why others wait ---- */

static uint32_t
count_open(const struct plan *plan, uint32_t task)
{
    uint32_t n = 0;

    for (int s = 0; s < PLAN_STATE_COUNT; s++) {
        if (!plan_state_is_final((enum plan_state)s))
            n += plan_children_in(plan, task, (enum plan_state)s);
    }
    return n;
}

static void
say_waiting(const struct life *life, struct plan_id id, struct buf *out)
{
    const struct plan *plan = run_plan(life->run);
    size_t nedge = 0, n = 0;
    struct plan_edge *edges = flow_edges(life->flow, &nedge);
    uint32_t last = PLAN_NONE;

    for (size_t i = 0; i < nedge; i++) {
        struct plan_id from = {edges[i].from, PLAN_WHOLE};

        if (edges[i].to != id.task || from.task == last ||
            plan_task_is_finished(plan, from.task))
            continue;
        last = from.task;
        if (n++ >= NAMED)
            continue;
        buf_printf(out, "waits for `%s`, which is ",
                   life->flow->tasks[from.task].name);
        if (plan_children(plan, from.task) > 0)
            buf_printf(out, "mapped: %u of %u children have not ended\n",
                       count_open(plan, from.task),
                       plan_children(plan, from.task));
        else
            buf_printf(out, "%s\n", plan_state_names[plan_state(plan, from)]);
    }
    if (n > NAMED)
        buf_printf(out, "and for %zu more\n", n - NAMED);
    free(edges);
}

static const struct ticket *
find_ticket(const struct broker *self, const struct life *life,
            struct plan_id id, const struct peer **ret)
{
    for (uint32_t p = 0; p < self->npeer; p++) {
        const struct peer *peer = self->peers[p];

        for (uint32_t i = peer ? peer->first : NO_TICKET; i != NO_TICKET;
             i = peer->tickets[i].after) {
            const struct ticket *t = &peer->tickets[i];

            if (t->life == life && t->id.task == id.task &&
                t->id.child == id.child) {
                *ret = peer;
                return t;
            }
        }
    }
    return NULL;
}

static void
say_running(const struct broker *self, const struct life *life,
            struct plan_id id, struct buf *out)
{
    const struct peer *peer = NULL;
    const struct ticket *t = find_ticket(self, life, id, &peer);

    if (!t) {
        for (size_t i = 0; i < self->nlease; i++) {
            const struct lease *lease = &self->leases[i];

            if (lease->life == life && lease->id.task == id.task &&
                lease->id.child == id.child)
                buf_printf(out,
                           "agent %s, which had it, was lost; it is exclusive "
                           "and may still run there\n",
                           lease->agent);
        }
    } else if (t->phase == PHASE_STORING) {
        buf_printf(out, "goes to %s as soon as that is stored\n",
                   peer->info.name);
    } else if (t->phase == PHASE_SENT) {
        buf_printf(out, "was given to %s, which has not begun it yet\n",
                   peer->info.name);
    } else {
        buf_printf(out, "runs on %s\n", peer->info.name);
    }
}

static bool
is_there(const struct life *life, struct plan_id id)
{
    return id.task < life->flow->ntask &&
           (id.child == PLAN_WHOLE ||
            id.child < plan_children(run_plan(life->run), id.task));
}

int
broker_why(const struct broker *self, uint64_t run, struct plan_id id,
           struct buf *out, struct err *err)
{
    struct life *life = broker_life_find(self, run);
    enum plan_state state;
    const char *cause;

    if (!life)
        return err_set(err, ERR_NOT_FOUND, "run %llu is not going on",
                       (unsigned long long)run);
    if (!is_there(life, id))
        return err_set(err, ERR_NOT_FOUND, "run %llu has no such task",
                       (unsigned long long)run);
    state = plan_state(run_plan(life->run), id);
    cause = run_cause(life->run, id);
    if (state == PLAN_WAITING)
        say_waiting(life, id, out);
    else if (state == PLAN_READY)
        say_ready(self, life, id, out);
    else if (state == PLAN_RUNNING)
        say_running(self, life, id, out);
    else if (state == PLAN_RETRYING)
        buf_text(out, life->adopt_until > 0 && run_attempts(life->run, id) == 0
                          ? "may still be held by an agent that has not come "
                            "back after the broker's restart\n"
                          : "waits to be tried again\n");
    else if (state == PLAN_PAUSED)
        buf_text(out, "is paused until somebody lets it go on\n");
    else
        buf_printf(out, "is %s%s%s\n", plan_state_names[state],
                   cause ? ": " : "", cause ? cause : "");
    return 0;
}
