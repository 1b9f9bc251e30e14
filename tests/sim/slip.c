/* SPDX-License-Identifier: MPL-2.0 */
#include "base/mem.h"
#include "tests/sim/sim.h"

struct slip *
slip_find(struct hub *hub, uint64_t session, uint32_t ticket)
{
    for (size_t i = 0; i < hub->nslip; i++) {
        if (hub->slips[i].session == session && hub->slips[i].ticket == ticket)
            return &hub->slips[i];
    }
    return NULL;
}

/* Whether a session is over for a reason that is known here. */
static bool
is_current(const struct sim *s, uint64_t session)
{
    for (uint32_t i = 0; i < s->nhost; i++) {
        if (s->hosts[i].given == session)
            return true;
    }
    return false;
}

void
slip_check(struct sim *s, struct inst *inst)
{
    uint64_t run;
    struct plan_id id;
    uint32_t attempt;

    if (inst->ticket == 0 ||
        (s->hub.core && broker_find(s->hub.core, inst->session, inst->ticket,
                                    &run, &id, &attempt)))
        return;
    if (is_current(s, inst->session))
        sim_fail(s, "ticket %u of session %llx has vanished", inst->ticket,
                 (unsigned long long)inst->session);
    slip_lose(s, slip_find(&s->hub, inst->session, inst->ticket));
}

/* Neither of its attempts nor of its handlers is another one out. */
static void
check_alone(struct sim *s, const struct inst *inst)
{
    slip_check_all(s);
    for (size_t i = 0; i < s->hub.nslip; i++) {
        if (s->hub.slips[i].inst == inst)
            sim_fail(s, "%s has two tickets at once", story_shown(inst));
    }
}

void
slip_add(struct sim *s, struct slip slip)
{
    struct hub *hub = &s->hub;

    if (slip.ticket == 0 || slip_find(hub, slip.session, slip.ticket))
        sim_fail(s, "ticket %u of session %llx is given out twice", slip.ticket,
                 (unsigned long long)slip.session);
    check_alone(s, slip.inst);
    hub->slips = mem_grow(hub->slips, &hub->cap_slip, hub->nslip + 1,
                          sizeof *hub->slips);
    hub->slips[hub->nslip++] = slip;
    if (slip.handlers)
        return;
    slip.inst->session = slip.session;
    slip.inst->ticket = slip.ticket;
}

void
slip_remove(struct hub *hub, struct slip *slip)
{
    if (!slip->handlers) {
        slip->inst->ticket = 0;
        slip->inst->session = 0;
    }
    *slip = hub->slips[--hub->nslip];
}

/* It is lost with its agent, or with the broker. */
void
slip_lose(struct sim *s, struct slip *slip)
{
    struct inst *inst = slip->inst;

    if (!slip->handlers) {
        inst->losses++;
        if (inst->begun >> (slip->attempt % 64) & 1 ||
            inst->story->flow->tasks[inst->id.task].options->at_most_once)
            inst->touched = true;
        s->counts.losses++;
    }
    slip_remove(&s->hub, slip);
}

/* Handlers that nobody asks any more. */
static void
check_handlers(struct sim *s, struct slip *slip)
{
    uint64_t run;
    struct plan_id id;
    uint32_t attempt;

    if (s->hub.core && broker_find(s->hub.core, slip->session, slip->ticket,
                                   &run, &id, &attempt))
        return;
    if (is_current(s, slip->session))
        sim_fail(s, "ticket %u of session %llx has vanished", slip->ticket,
                 (unsigned long long)slip->session);
    slip_lose(s, slip);
}

void
slip_check_all(struct sim *s)
{
    for (size_t i = s->hub.nslip; i-- > 0;) {
        if (i >= s->hub.nslip)
            continue; /* it has gone with the one before */
        if (s->hub.slips[i].handlers)
            check_handlers(s, &s->hub.slips[i]);
        else
            slip_check(s, s->hub.slips[i].inst);
    }
}
