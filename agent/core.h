/* SPDX-License-Identifier: MPL-2.0 */
/*
 * core - the agent's rules: events in, effects out. No I/O, no clock.
 *
 *   task --> [QUEUED] --room--> [RUNNING] --ended--> [SPOOLED] --ack--> forgotten
 *               | recall            | cancel, kill
 *               v                   v
 *           given back           ends CANCELLED
 *
 * Keeps results and output until the broker has committed them, through any
 * number of sessions. Gives each attempt what it asks for: cpus (a slot each),
 * memory, GPUs by index, named and fractional resources; a task that has no
 * room does not hold up one that has. Short C calls may share a slot: they are
 * handed to its worker several at a time.
 */
#ifndef AGENT_CORE_H
#define AGENT_CORE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "proto/items.h"

struct agent;

/*
 * What was started has a number of the agent's own, `own`, as the broker's
 * tickets change with each session and may come again: start, stop, began,
 * ended and not_begun speak of it. Never 0; what is started at a time differs
 * modulo AGENT_PLACES, too, and is not much there.
 */
#define AGENT_PLACES (UINT32_C(1) << 20)

struct agent_effects {
    /*
     * Carry it out now. slot: 0..slots-1; a C call goes to that slot's worker,
     * behind what it has; commands may share one when they ask for less than a
     * cpu. gpus: indexes given to it. May call agent_began and agent_ended.
     */
    void (*start)(void *ctx, uint32_t own, uint32_t slot,
                  const struct work *work, const uint32_t *gpus, uint32_t ngpu);
    /* End what was started: agent_ended (or not_begun) follows. */
    void (*stop)(void *ctx, uint32_t own, bool at_once);
    /* The core has no more use for a work that agent_task lent it: it was the
     * edge's all the time. What was started has ended by then. */
    void (*forget)(void *ctx, const struct work *work);
    /* To the broker, to be batched by the edge; only within a session: */
    void (*started)(void *ctx, uint32_t ticket);
    /* Output of an attempt goes before its result. Valid during the call. */
    void (*output)(void *ctx, const struct output *output);
    /* Numbers of a session go up by one. Valid during the call. */
    void (*result)(void *ctx, uint64_t number, const struct result *result);
    void (*given_back)(void *ctx, uint32_t ticket);
    void *ctx;
};

struct agent_config {
    uint32_t slots;
    /* As in agent_info; copied. Without cpus: as many as slots. */
    const struct flow_resource *resources;
    uint32_t nresource;
    int64_t idle;     /* leaves when it had nothing for so long; 0: never */
    int64_t lifetime; /* drains after so long; 0: never */
    int64_t fence;    /* ends exclusive attempts after so long without broker */
};

struct agent *agent_new(const struct agent_config *config,
                        const struct agent_effects *effects, int64_t now);
void agent_destroy(struct agent **self_p);

/* ---- sessions ---- */

/*
 * What to put in a hello: everything held, in an order that stays until the
 * welcome. The array is the core's, valid until the next call. An earlier
 * session is over.
 */
const struct held *agent_held(struct agent *self, size_t *n);
/*
 * Welcome: tickets[i] is what held[i] is called now; 0: end and forget it. n is
 * what agent_held said. What has begun since is told at once (effect started),
 * then all output that is kept is sent again, then spooled results, numbered
 * from 1 in that order.
 */
void agent_welcome(struct agent *self, uint32_t epoch, const uint32_t *tickets,
                   size_t n, int64_t now);
/*
 * The broker is away: what runs goes on, what is queued starts, but for
 * exclusive and at-most-once attempts. config.fence counts from `now`: a
 * broker that is silent is lost within LIMIT_LOST_MS, or leases are too short.
 */
void agent_lost_broker(struct agent *self, int64_t now);

/* ---- from the lane ---- */

/*
 * A task: *work, with its spec and all else, is lent until the effect forget.
 * On failure it is not taken. A ticket or an attempt that is held already, no
 * session, or input that makes no sense is ERR_INVALID: the edge says hello
 * again. What can never have room here ends as REFUSED_SHORT. State handlers
 * (spec->handlers) are no attempt: they end with the session, and are not held.
 */
int agent_task(struct agent *self, const struct lane_task *task, int64_t now,
               struct err *err);
/* One that is queued ends CANCELLED. Of what is not held: nothing, as below. */
void agent_cancel(struct agent *self, uint32_t ticket, bool at_once);
void agent_recall(struct agent *self, uint32_t ticket);
void agent_ack(struct agent *self, uint64_t number, int64_t now);
/* The result of this ticket is not forgotten with those up to a number, but when
 * it is done, by itself. */
void agent_keep(struct agent *self, uint32_t ticket);
void agent_done(struct agent *self, uint32_t ticket);
/* So many bytes of output, of those sent in this session, are safe. */
void agent_saved(struct agent *self, uint64_t bytes);
/* Take nothing more but handlers, give back what is queued, leave when nothing
 * is left: what is held may wait for handlers. */
void agent_drain(struct agent *self, int64_t now);

/* ---- from what runs ---- */

/* The attempt has begun (a C call: its worker took it). */
void agent_began(struct agent *self, uint32_t own);
/* It has written something (output->ticket is `own`), which is copied. Whoever
 * asks it to write sees to it that agent_state.kept stays small. */
void agent_output(struct agent *self, const struct output *output);
/* It has ended: *result (result->ticket is `own`) is copied. */
void agent_ended(struct agent *self, const struct result *result, int64_t now);
/* A call that its worker never began (it crashed before): goes back into the
 * queue, in front. */
void agent_not_begun(struct agent *self, uint32_t own);
/* What the broker calls it now; 0: it does not want it. */
uint32_t agent_ticket(const struct agent *self, uint32_t own);

/* ---- looking ---- */

struct agent_state {
    uint32_t queued, running, spooled;
    size_t kept; /* bytes of output */
    bool draining;
    bool may_leave; /* draining (or idle for too long) and nothing is left */
};
struct agent_state agent_state(const struct agent *self);

/* Start what has room; when to call again at the latest, or SPAN_NEVER. */
int64_t agent_tick(struct agent *self, int64_t now);

#endif
