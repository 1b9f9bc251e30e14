/* SPDX-License-Identifier: MPL-2.0 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "broker/core_impl.h"

/* ---- life ---- */

struct life *
broker_life_find(const struct broker *self, uint64_t run)
{
    struct life *life;

    TAILQ_FOREACH(life, &self->lives, link) {
        if (life->id == run)
            return life;
    }
    return NULL;
}

void
broker_life_destroy(struct life **self_p)
{
    struct life *self = *self_p;
    struct ask *ask;

    if (!self)
        return;
    TAILQ_REMOVE(&self->broker->lives, self, link);
    self->broker->nlife--;
    while ((ask = TAILQ_FIRST(&self->asks))) {
        TAILQ_REMOVE(&self->asks, ask, link);
        broker_ask_destroy(self, &ask);
    }
    run_destroy(&self->run);
    broker_classes_release(self);
    flow_destroy(&self->flow);
    json_decref(self->params);
    json_decref(self->env);
    free(self->home);
    free(self->source_hash);
    free(self->program);
    free(self->kills);
    free(self->crashes);
    free(self->refusals);
    free(self->refused);
    free(self);
    *self_p = NULL;
}

/*
 * Go through what is ready when a run goes on: what is kept comes to its end at
 * once, and all else waits, for it may be held by an agent that has not said
 * hello yet though no record tells of it. What must not overlap waits longer.
 */
static bool
hold_class(struct life *self, uint32_t class)
{
    bool any = false;
    struct plan_id id;

    while (plan_first_of(run_plan(self->run), class) != PLAN_NONE) {
        any = true;
        if (run_take(self->run, class, &id))
            run_put_off(self->run, id,
                        self->classes[class].exclusive ? self->lease_until
                                                       : self->adopt_until);
    }
    return any;
}

static void
hold_all(struct life *self, int64_t now)
{
    bool more = true;

    while (more) {
        more = false;
        broker_life_settle(self, now);
        for (uint32_t c = 0; c < self->nclass; c++)
            more = hold_class(self, c) || more;
    }
}

/* What had not ended otherwise before. What had by its handlers, which failed
 * when they were told, was cancelled: else it would be begun. */
static void
stop_again(struct life *self, const struct history *history, struct plan_id id)
{
    const struct history_task *task = &history->tasks[id.task];
    const struct history_item *item = NULL;

    if (id.child == PLAN_WHOLE)
        item = &task->item;
    else if (id.child < task->nchild)
        item = &task->children[id.child];
    if (!item || !plan_state_is_final(item->state) ||
        item->state == PLAN_CANCELLED ||
        (item->state == PLAN_FAILED && item->attempt == 0 &&
         flow_is_handled(self->flow, id.task)))
        run_stop(self->run, id);
}

/* Before anything is decided: what was to be cancelled still is. */
static void
stop_all_again(struct life *self, const struct broker_run *run)
{
    for (size_t i = 0; i < run->nstop; i++) {
        struct plan_id id = run->stops[i];
        const struct history_task *task;

        if (id.task >= self->flow->ntask)
            continue;
        task = &run->resume->tasks[id.task];
        if (id.child != PLAN_WHOLE || task->item.state != PLAN_MAPPED) {
            stop_again(self, run->resume, id);
            continue;
        }
        for (id.child = 0; id.child < task->nchild; id.child++)
            stop_again(self, run->resume, id);
    }
}

static void
go_on(struct life *self, const struct broker_run *run, int64_t now)
{
    history_keep(run->resume, self->run, run->from);
    if (run->adopt_until > now)
        run_hold_started(self->run, run->adopt_until);
    stop_all_again(self, run);
    if (run->adopt_until <= now)
        return;
    self->adopt_until = run->adopt_until;
    self->lease_until = now + LIMIT_LEASE_MS * SPAN_MS;
    self->adopting = true;
    hold_all(self, now);
    self->adopting = false;
}

/* What agents are told of the run. */
static void
keep_what_travels(struct life *self, const struct broker_run *run)
{
    self->params = json_incref(run->params);
    if (json_object_size(run->env) > 0) /* else it would only travel */
        self->env = json_incref(run->env);
    self->home = mem_dup(run->home);
    self->source_hash = mem_dup(run->source_hash);
    if (run->program) {
        self->program = mem_alloc(run->nprogram + 1, 1);
        memcpy(self->program, run->program, run->nprogram);
        self->nprogram = run->nprogram;
    }
}

int
broker_run_begin(struct broker *self, const struct broker_run *run, int64_t now,
                 struct err *err)
{
    struct life *life = mem_alloc(1, sizeof *life);
    struct run_hooks hooks = {.changed = broker_life_changed, .ctx = life};

    life->broker = self;
    life->id = run->id;
    life->flow = run->flow;
    life->handled = flow_has_handlers(run->flow);
    if (life->handled)
        hooks.handle = broker_life_handle;
    TAILQ_INIT(&life->asks);
    TAILQ_INSERT_TAIL(&self->lives, life, link);
    self->nlife++;
    if (self->nlife > LIMIT_ACTIVE_RUNS) {
        broker_life_destroy(&life);
        return err_set(err, ERR_LIMIT, "a broker has at most %u runs at once",
                       LIMIT_ACTIVE_RUNS);
    }
    if (run_new(&life->run, life->flow, run->params, run->seed, &hooks, err) <
        0) {
        broker_life_destroy(&life);
        return -1;
    }
    keep_what_travels(life, run);
    life->deadline = run->timeout > 0 ? now + run->timeout : SPAN_NEVER;
    life->wake = SPAN_NEVER;
    broker_classes_init(life);
    if (run->resume)
        go_on(life, run, now);
    life->unsettled = true;
    return 0;
}

void
broker_life_settle(struct life *self, int64_t now)
{
    self->unsettled = false;
    self->step = run_settle(self->run, now, &self->wake);
}

/* ---- cancelling ---- */

typedef void each_ticket_fn(struct life *self, struct peer *peer,
                            struct ticket *t, int64_t now);

bool
broker_is_of(struct plan_id id, struct plan_id all)
{
    return id.task == all.task &&
           (all.child == PLAN_WHOLE || all.child == id.child);
}

/* only: of one instance, or of a whole task; NULL: of all. */
static void
each_ticket(struct life *self, const struct plan_id *only, each_ticket_fn *fn,
            int64_t now)
{
    for (uint32_t p = 0; p < self->broker->npeer; p++) {
        struct peer *peer = self->broker->peers[p];
        uint32_t next;

        for (uint32_t i = peer ? peer->first : NO_TICKET; i != NO_TICKET;
             i = next) {
            next = peer->tickets[i].after;
            if (peer->tickets[i].life == self &&
                (!only || broker_is_of(peer->tickets[i].id, *only)))
                fn(self, peer, &peer->tickets[i], now);
        }
    }
}

static void
end_ticket(struct life *self, struct peer *peer, struct ticket *t,
           enum broker_tell how, int64_t now)
{
    struct broker *broker = self->broker;
    struct plan_id id = t->id;

    if (t->phase == PHASE_STORING) {
        broker_ticket_remove(broker, peer, t);
        broker_life_end_cancelled(self, id, now);
    } else if (broker_peer_has_lane(peer)) {
        broker->effects.tell(broker->effects.ctx, peer->session, how,
                             broker_ticket_number(peer, t));
    }
}

static void
cancel_ticket(struct life *self, struct peer *peer, struct ticket *t,
              int64_t now)
{
    end_ticket(self, peer, t, TELL_CANCEL, now);
}

static void
kill_ticket(struct life *self, struct peer *peer, struct ticket *t, int64_t now)
{
    end_ticket(self, peer, t, TELL_KILL, now);
}

void
broker_life_cancel(struct life *self, bool at_once, int64_t now)
{
    if (self->killed || (self->cancelled && !at_once))
        return;
    self->killed = at_once;
    self->unsettled = true;
    if (!self->cancelled) {
        self->cancelled = true;
        run_cancel(self->run);
        broker_leases_drop(self->broker, self, NULL);
        broker_asks_cancel(self);
    }
    each_ticket(self, NULL, at_once ? kill_ticket : cancel_ticket, now);
}

/* Is it one of those that are to be ended at once? */
static bool
is_killed(const struct life *self, struct plan_id id)
{
    size_t i = 0;

    while (i < self->nkill && !broker_is_of(id, self->kills[i]))
        i++;
    return i < self->nkill;
}

static void
note_kill(struct life *self, struct plan_id id)
{
    if (is_killed(self, id))
        return;
    self->kills = mem_grow(self->kills, &self->cap_kill, self->nkill + 1,
                           sizeof *self->kills);
    self->kills[self->nkill++] = id;
}

bool
broker_life_is_ending(const struct life *self, struct plan_id id,
                      enum broker_tell *how)
{
    *how = self->killed || is_killed(self, id) ? TELL_KILL : TELL_CANCEL;
    return self->cancelled || run_is_stopping(self->run, id);
}

/* Ends of what ran are still to be handled. */
static void
recall_ticket(struct life *self, struct peer *peer, struct ticket *t,
              int64_t now)
{
    (void)now;
    if (!t->ask || !broker_ask_is_pending(self, t->ask))
        broker_ticket_recall(self->broker, peer, t);
}

void
broker_life_fell(struct life *self)
{
    each_ticket(self, NULL, recall_ticket, 0);
    broker_leases_drop(self->broker, self, NULL);
}

/* ---- the end ---- */

bool
broker_life_end(struct life *self)
{
    struct broker *broker = self->broker;
    enum store_run_state state = STORE_PAUSED;
    json_t *output = NULL;
    char *problem = NULL;
    struct err err;

    if (self->inflight > 0 ||
        (self->step != RUN_ENDED && self->step != RUN_PAUSED))
        return false;
    if (self->cancelled)
        state = STORE_CANCELLED;
    else if (self->step == RUN_ENDED)
        state = run_is_success(self->run) ? STORE_SUCCEEDED : STORE_FAILED;
    if (self->timed_out)
        problem = mem_dup(STORE_TIMED_OUT);
    if (state == STORE_SUCCEEDED && run_output(self->run, &output, &err) < 0) {
        state = STORE_FAILED;
        problem = mem_dup(err.msg);
    }
    broker->effects.ended(broker->effects.ctx, self->id, state, output,
                          problem);
    json_decref(output);
    free(problem);
    broker_life_destroy(&self);
    return true;
}

/* ---- what the edge asks ---- */

void
broker_run_cancel(struct broker *self, uint64_t run, bool at_once, int64_t now)
{
    struct life *life = broker_life_find(self, run);

    if (life)
        broker_life_cancel(life, at_once, now);
}

void
broker_run_stop(struct broker *self, uint64_t run, struct plan_id id,
                bool at_once, int64_t now)
{
    struct life *life = broker_life_find(self, run);

    if (!life || life->cancelled)
        return;
    if (at_once)
        note_kill(life, id);
    run_stop(life->run, id);
    broker_leases_drop(self, life, &id);
    each_ticket(life, &id, at_once ? kill_ticket : cancel_ticket, now);
    life->unsettled = true;
}

void
broker_run_approve(struct broker *self, uint64_t run, int64_t now)
{
    struct life *life = broker_life_find(self, run);
    const struct plan *plan;

    (void)now;
    if (!life)
        return;
    plan = run_plan(life->run);
    run_approve_all(life->run);
    for (uint32_t t = 0;
         t < life->flow->ntask && plan_count(plan, PLAN_PAUSED) > 0; t++) {
        run_resume(life->run, (struct plan_id){t, PLAN_WHOLE});
        for (uint32_t k = 0; k < plan_children(plan, t); k++)
            run_resume(life->run, (struct plan_id){t, k});
    }
    life->unsettled = true;
}

const struct run *
broker_run_find(const struct broker *self, uint64_t run)
{
    const struct life *life = broker_life_find(self, run);

    return life ? life->run : NULL;
}

void
broker_run_programs(const struct broker *self, struct buf *out)
{
    const struct life *life;

    TAILQ_FOREACH(life, &self->lives, link) {
        if (work_program_is_hash(life->program, life->nprogram))
            buf_add(out, life->program, life->nprogram);
    }
}

size_t
broker_run_count(const struct broker *self)
{
    return self->nlife;
}
