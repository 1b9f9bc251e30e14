/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>

#include "broker/core_impl.h"

#define NAMED 8 /* tasks told one by one */

/* ---- why one that is ready waits ---- */

/* Each says what keeps an agent from taking one now, if it is that. */
static bool
say_label(const struct class *class, const struct peer *peer, struct buf *out)
{
    const struct flow_options *o = class->options;

    for (uint32_t i = 0; i < o->nwhere; i++) {
        const char *label = broker_label(&peer->info, o->where[i].name);
        const char *want = json_string_value(o->where[i].value->value);

        if (broker_has_label(peer, &o->where[i]))
            continue;
        buf_printf(out, "its %s is %s%s%s, not `%s`\n", o->where[i].name,
                   label ? "`" : "not set", label ? label : "",
                   label ? "`" : "", want ? want : "?");
        return true;
    }
    return false;
}

static bool
say_room(const struct broker *self, const struct class *class,
         const struct peer *peer, struct buf *out)
{
    for (uint32_t i = 0; i < class->nneed; i++) {
        const struct need *need = &class->needs[i];
        const struct room *room = &peer->rooms[need->resource];
        int64_t left = room->has > room->used ? room->has - room->used : 0;

        if (left >= need->amount)
            continue;
        buf_text(out, "needs ");
        broker_say_amount(self, need->resource, need->amount, out);
        if (room->has >= need->amount) {
            buf_text(out, "; free are ");
            broker_say_bare(need->resource, left, out);
            buf_text(out, " of ");
        } else {
            buf_text(out, "; it has ");
        }
        broker_say_bare(need->resource, room->has, out);
        buf_char(out, '\n');
        return true;
    }
    return false;
}

static void
say_agent(const struct broker *self, struct life *life,
          const struct class *class, const struct peer *peer, struct buf *out)
{
    enum broker_agent_state state = broker_peer_state(peer);

    buf_printf(out, "%s: ", peer->info.name);
    if (say_label(class, peer, out) || say_room(self, class, peer, out))
        return;
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

    buf_text(out, "is ready and waits for an agent\n");
    say_limits(life, class, out);
    if (id.child != PLAN_WHOLE && most > 0 &&
        plan_children_in(run_plan(life->run), id.task, PLAN_RUNNING) >= most)
        buf_printf(out, "max-parallel: %u of its children run now\n", most);
    if (broker_count_agents(self) == 0)
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
    struct plan_edge *edges = flow_edges_to(life->flow, id.task, &nedge);
    uint32_t last = PLAN_NONE;

    for (size_t i = 0; i < nedge; i++) {
        struct plan_id from = {edges[i].from, PLAN_WHOLE};

        if (from.task == last || plan_task_is_finished(plan, from.task))
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
find_at(const struct peer *peer, const struct life *life, struct plan_id id)
{
    for (uint32_t i = peer->first; i != NO_TICKET; i = peer->tickets[i].after) {
        const struct ticket *t = &peer->tickets[i];

        if (t->life == life && plan_id_is(t->id, id))
            return t;
    }
    return NULL;
}

static const struct ticket *
find_ticket(const struct broker *self, const struct life *life,
            struct plan_id id, const struct peer **ret)
{
    const struct ticket *t = NULL;

    for (uint32_t p = 0; p < self->npeer && !t; p++) {
        *ret = self->peers[p];
        if (*ret)
            t = find_at(*ret, life, id);
    }
    return t;
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

            if (lease->life == life && plan_id_is(lease->id, id))
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

static void
say_pending(const struct broker *self, const struct life *life,
            struct plan_id id, struct buf *out)
{
    const struct peer *peer = NULL;

    if (find_ticket(self, life, id, &peer))
        buf_printf(out, "waits for its state handlers, which %s was asked\n",
                   peer->info.name);
    else
        buf_text(out, "waits for room to call its state handlers\n");
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
    if (run_pending(life->run, id))
        say_pending(self, life, id, out);
    else if (state == PLAN_WAITING)
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
