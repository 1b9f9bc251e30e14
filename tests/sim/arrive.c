/* SPDX-License-Identifier: MPL-2.0 */
/* What agents say arrives at the broker, and what must hold of it. */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "tests/sim/sim.h"

/* Has the result of what is held come to this broker, as far as one can see? */
static bool
has_come(struct sim *s, const struct held *held)
{
    const struct inst *inst = story_inst(hub_story(s, held->run), held->id);

    return inst->came >= held->attempt && held->epoch == s->hub.epoch;
}

/* Then its agent must keep it until it is on disk. */
static void
check_forgotten(struct sim *s, const struct host *host, const struct held *held)
{
    const struct inst *inst = story_inst(hub_story(s, held->run), held->id);

    if (has_come(s, held) && (inst->stored_attempt < held->attempt ||
                              (inst->stored_attempt == held->attempt &&
                               inst->stored == PLAN_RUNNING)))
        sim_fail(s,
                 "%s is to forget the result of %s #%u, which is not on disk",
                 host->name, story_shown(inst), held->attempt);
}

/* A ticket may be the name of a result only that is known already. */
static bool
is_out(const struct hub *hub, uint64_t session, uint32_t ticket)
{
    uint64_t run;
    struct plan_id id;
    uint32_t attempt;

    return ticket != 0 &&
           broker_find(hub->core, session, ticket, &run, &id, &attempt);
}

static void
note_held(struct host *host, const struct message *message,
          const uint32_t *tickets)
{
    size_t n = message->n;

    host->nheld = n;
    free(host->held);
    free(host->tickets);
    host->held = mem_alloc(n, sizeof *host->held);
    host->tickets = mem_alloc(n, sizeof *host->tickets);
    if (n == 0)
        return;
    memcpy(host->held, message->held, n * sizeof *host->held);
    memcpy(host->tickets, tickets, n * sizeof *host->tickets);
}

static void
take_hello(struct sim *s, struct host *host, const struct message *message)
{
    struct hub *hub = &s->hub;
    struct agent_info info = host->info;
    uint32_t *tickets = mem_alloc(message->n, sizeof *tickets);
    struct message *answer;
    broker_session session = ++hub->nsession << 10;
    struct err err;

    info.incarnation = message->incarnation;
    if (broker_hello(hub->core, &info, message->held, message->n, s->now,
                     &session, tickets, &err) < 0) {
        sim_say(s, "  %s is turned away: %s", host->name, err.msg);
        free(tickets);
        return;
    }
    sim_say(s, "  %s said hello, session %llx", host->name,
            (unsigned long long)session);
    host->given = host->counted = session;
    host->given_to = message->incarnation;
    host->down_sent = host->up_got = host->heard_bytes = 0;
    wire_release(&host->wires[WAY_DOWN]);
    host->wires[WAY_DOWN] =
        (struct wire){.stalled = host->wires[WAY_DOWN].stalled};
    slip_check_all(s);
    for (size_t i = 0; i < message->n; i++) {
        const struct held *held = &message->held[i];

        sim_say(s, "  holds run %llu task %u[%d] #%u phase %d as %u",
                (unsigned long long)held->run, held->id.task,
                (int)held->id.child, held->attempt, (int)held->phase,
                tickets[i]);
        if (tickets[i] == 0 && held->phase == HELD_RUNNING &&
            story_must_adopt(hub_story(s, held->run), held))
            sim_fail(s, "what %s does is not adopted", host->name);
        if (tickets[i] == 0 && held->phase == HELD_FINISHED)
            check_forgotten(s, host, held);
        if (is_out(hub, session, tickets[i]))
            slip_add(
                s, (struct slip){session, tickets[i], held->attempt,
                                 story_inst(hub_story(s, held->run), held->id),
                                 false});
    }
    note_held(host, message, tickets);
    answer = message_new(host, MESSAGE_WELCOME, WAY_CONTROL_DOWN);
    answer->incarnation = message->incarnation;
    answer->session = session;
    answer->number = message->number;
    answer->epoch = hub->epoch;
    answer->tickets = tickets;
    answer->n = message->n;
    wire_send(s, answer);
}

/* The result of an attempt that was told in an earlier session: what must be on
 * disk all the same before it is acknowledged. */
static void
note_known(struct sim *s, const struct host *host, struct receipt *receipt)
{
    size_t i = 0;

    while (i < host->nheld && host->tickets[i] != receipt->ticket)
        i++;
    if (receipt->session != host->given || i == host->nheld ||
        !has_come(s, &host->held[i]))
        return;
    receipt->inst =
        story_inst(hub_story(s, host->held[i].run), host->held[i].id);
    receipt->attempt = host->held[i].attempt;
    s->counts.known++;
}

static void
note_receipt(struct sim *s, const struct message *message,
             const struct slip *slip, bool wanted)
{
    struct hub *hub = &s->hub;
    struct receipt receipt = {
        .session = message->session,
        .number = message->number,
        .ticket = message->result.ticket,
        .inst = wanted && slip && !slip->handlers ? slip->inst : NULL,
        .attempt = slip ? slip->attempt : 0,
        .state = message->result.state,
        .refused = message->result.refused != REFUSED_NOT,
    };

    if (!slip->inst)
        note_known(s, message->host, &receipt);
    for (size_t i = 0; i < hub->nreceipt; i++) {
        if (hub->receipts[i].session == receipt.session &&
            hub->receipts[i].number == receipt.number)
            return; /* once more */
    }
    hub->receipts = mem_grow(hub->receipts, &hub->cap_receipt,
                             hub->nreceipt + 1, sizeof receipt);
    hub->receipts[hub->nreceipt++] = receipt;
}

static void
take_result(struct sim *s, const struct message *message)
{
    struct hub *hub = &s->hub;
    struct slip *found =
        slip_find(hub, message->session, message->result.ticket);
    struct slip slip = found ? *found : (struct slip){0};
    bool wanted;

    if (found) {
        slip_remove(hub, found);
        story_came(&slip, &message->result);
    }
    wanted = broker_result(hub->core, message->session, message->number,
                           &message->result, s->now);
    if (wanted != (slip.inst != NULL))
        sim_fail(s, "ticket %u of session %llx is %s", message->result.ticket,
                 (unsigned long long)message->session,
                 wanted ? "not out, but its result was taken"
                        : "out, but its result was not taken");
    s->counts.late += !wanted;
    note_receipt(s, message, &slip, wanted);
    hub->dirty = true;
}

static void
take_given_back(struct sim *s, const struct message *message)
{
    struct hub *hub = &s->hub;
    struct slip *slip = slip_find(hub, message->session, message->ticket);

    if (slip) {
        if (++slip->inst->given_back > 30)
            sim_fail(s, "%s is sent to and fro", story_shown(slip->inst));
        slip_remove(hub, slip);
    }
    if (broker_given_back(hub->core, message->session, message->ticket,
                          s->now) != (slip != NULL))
        sim_fail(s, "ticket %u given back: known to one only", message->ticket);
}

/* A copy of it comes again, when its session may be over. */
static void
come_again(struct sim *s, const struct message *message)
{
    struct message *copy;

    if (s->weather.calm || s->healed || dice_roll(&s->dice, 100) != 0)
        return;
    copy = message_new(message->host, message->kind, WAY_UP);
    copy->incarnation = message->incarnation;
    copy->session = message->session;
    copy->number = message->number;
    copy->nth = message->nth;
    copy->ticket = message->ticket;
    copy->result = message->result;
    json_incref(copy->result.value);
    copy->result.cause = mem_dup(message->result.cause);
    copy->result.cwd = mem_dup(message->result.cwd);
    wire_send(s, copy);
}

void
hub_take(struct sim *s, struct message *message)
{
    struct hub *hub = &s->hub;

    switch (message->kind) {
    case MESSAGE_HELLO:
        take_hello(s, message->host, message);
        break;
    case MESSAGE_BEAT:
        broker_beat(hub->core, message->session, &message->beat, s->now);
        break;
    case MESSAGE_STARTED:
        broker_started(hub->core, message->session, message->ticket, s->now);
        break;
    case MESSAGE_OUTPUT:
        print_arrived(s, message);
        break;
    case MESSAGE_RESULT:
        take_result(s, message);
        come_again(s, message);
        break;
    case MESSAGE_GIVEN_BACK:
        take_given_back(s, message);
        break;
    case MESSAGE_LEAVING:
        broker_gone(hub->core, message->session, GONE_LEFT, s->now);
        break;
    case MESSAGE_TASK:
    case MESSAGE_TELL:
    case MESSAGE_WELCOME:
    case MESSAGE_TURNED_AWAY:
        break;
    }
}
