/* SPDX-License-Identifier: MPL-2.0 */
/*
 * handlers - what the state handlers of C flows are asked.
 *
 *   proposed --hook--> [WAITING] --ticket--> [ASKED] --answer--> made
 *                          ^ given back, agent lost |    | could not answer
 *                          '------------------------'    '--> FAILED
 *
 * They are called in the flow's program, by an agent. Nothing is stored before
 * a change is made: a broker that starts again proposes it anew. Once the run
 * is cancelled, handlers are not asked any more, and what ran ends as it ended:
 * nobody may be there who could ask them.
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/mem.h"
#include "broker/core_impl.h"

void
broker_ask_destroy(struct life *life, struct ask **ask_p)
{
    struct ask *self = *ask_p;

    if (!self)
        return;
    life->broker->nsettled++;
    free((char *)(uintptr_t)self->result.cwd);
    free(self);
    *ask_p = NULL;
}

void
broker_asks_forget(const struct peer *peer)
{
    for (uint32_t i = peer ? peer->first : NO_TICKET; i != NO_TICKET;
         i = peer->tickets[i].after)
        broker_ask_destroy(peer->tickets[i].life, &peer->tickets[i].ask);
}

bool
broker_ask_is_pending(const struct life *life, const struct ask *ask)
{
    const struct run_change *change = run_pending(life->run, ask->id);

    return change && change->attempt == ask->attempt &&
           change->state == ask->state;
}

bool
broker_life_is_asking(const struct life *life, struct plan_id id,
                      uint32_t attempt)
{
    const struct plan *plan = run_plan(life->run);
    const struct run_change *change;

    if (id.child != PLAN_WHOLE && id.child >= plan_children(plan, id.task))
        return false;
    change = run_pending(life->run, id);
    return change && change->attempt == attempt && change->reported;
}

/* ---- the run proposes ---- */

/* What the change will be recorded with. */
static void
take_result(struct life *life, struct ask *ask, struct run_change *change)
{
    if (!life->result || !plan_id_is(life->reported, ask->id))
        return;
    change->reported = life->result->ticket != 0;
    ask->has_result = true;
    ask->result = *life->result;
    ask->result.value = NULL;
    ask->result.cause = NULL;
    ask->result.cwd = mem_dup(life->result->cwd);
}

enum plan_state
broker_life_handle(void *ctx, struct run_change *change)
{
    struct life *life = ctx;
    struct ask *ask;

    if (!flow_is_handled(life->flow, change->id.task) || life->cancelled ||
        (life->adopting && change->state == PLAN_RUNNING))
        return change->state;
    ask = mem_alloc(1, sizeof *ask);
    ask->id = change->id;
    ask->attempt = change->attempt;
    ask->state = change->state;
    take_result(life, ask, change);
    TAILQ_INSERT_TAIL(&life->asks, ask, link);
    life->nask++;
    life->unsettled = true;
    return RUN_LATER;
}

/* ---- asking ---- */

static struct ask *
take_first(struct life *life)
{
    struct ask *ask = TAILQ_FIRST(&life->asks);

    if (!ask)
        return NULL;
    TAILQ_REMOVE(&life->asks, ask, link);
    life->nask--;
    return ask;
}

struct ask *
broker_ask_take(struct life *life)
{
    struct ask *ask;

    while ((ask = take_first(life)) && !broker_ask_is_pending(life, ask))
        broker_ask_destroy(life, &ask);
    return ask;
}

void
broker_ask_send(struct broker *self, struct peer *peer, const struct ticket *t)
{
    const struct life *life = t->life;
    const struct work_spec spec = {
        .run = life->id,
        .task = t->id.task,
        .flow = life->flow->name,
        .name = life->flow->tasks[t->id.task].name,
        .kind = FLOW_CALL,
        .timeout = MS(LIMIT_HANDLERS_MS),
        .grace = MS(LIMIT_GRACE_MS),
        .handlers = true,
        .home = life->home,
        .program = life->program,
        .nprogram = life->nprogram,
        .source_hash = life->source_hash,
    };
    struct work work = {
        .spec = &spec,
        .id = t->id,
        .attempt = t->attempt,
        .env = json_incref(life->env),
        .handle = work_handle(run_pending(life->run, t->id)),
    };
    const struct lane_task task = {broker_ticket_number(peer, t), &work};

    broker_class_weigh(&t->life->classes[t->class], &work);
    self->effects.task(self->effects.ctx, peer->session, &task);
    work_release(&work);
}

/* ---- answers ---- */

/* Make the change so, if it is still pending. Takes the ask. */
static void
settle(struct life *life, struct ask *ask, enum plan_state state,
       const char *cause)
{
    if (broker_ask_is_pending(life, ask)) {
        life->reported = ask->id;
        life->result = ask->has_result ? &ask->result : NULL;
        run_handled(life->run, ask->id, state, cause);
        life->result = NULL;
    }
    life->unsettled = true;
    broker_ask_destroy(life, &ask);
}

void
broker_ask_again(struct life *life, struct ask *ask)
{
    if (life->cancelled) {
        settle(life, ask, ask->state, NULL);
        return;
    }
    TAILQ_INSERT_HEAD(&life->asks, ask, link);
    life->nask++;
    life->unsettled = true;
}

static void
fail(struct life *life, struct ask *ask, const char *why)
{
    char cause[LIMIT_CAUSE_BYTES];

    (void)snprintf(cause, sizeof cause, "its state handler failed: %s", why);
    settle(life, ask, PLAN_FAILED, cause);
}

/* What handlers answered; false: it is no state. */
static bool
read_answer(const struct result *result, enum plan_state *ret)
{
    json_int_t state = json_integer_value(result->value);

    if (!json_is_integer(result->value) || state < 0 ||
        state >= PLAN_STATE_COUNT)
        return false;
    *ret = (enum plan_state)state;
    return true;
}

void
broker_ask_result(struct life *life, struct ask *ask,
                  const struct result *result)
{
    enum plan_state state = PLAN_FAILED;

    if (result->state == PLAN_CANCELLED)
        broker_ask_again(life, ask);
    else if (result->state != PLAN_SUCCEEDED)
        fail(life, ask, result->cause ? result->cause : "it did not answer");
    else if (read_answer(result, &state))
        settle(life, ask, state, result->cause);
    else
        fail(life, ask, "its answer is no state");
}

void
broker_asks_refuse(struct life *life, const char *cause)
{
    struct ask *ask;

    while ((ask = broker_ask_take(life)))
        settle(life, ask, PLAN_FAILED, cause);
}

void
broker_asks_cancel(struct life *life)
{
    struct ask *ask;

    while ((ask = broker_ask_take(life)))
        settle(life, ask, ask->state, NULL);
}
