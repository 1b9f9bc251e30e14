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

void
slip_add(struct sim *s, uint64_t session, uint32_t ticket, struct inst *inst,
         uint32_t attempt)
{
    struct hub *hub = &s->hub;

    if (ticket == 0 || slip_find(hub, session, ticket))
        sim_fail(s, "ticket %u of session %llx is given out twice", ticket,
                 (unsigned long long)session);
    slip_check(s, inst);
    if (inst->ticket != 0)
        sim_fail(s, "run %llu task %u[%d] has two tickets at once: %u, %u",
                 (unsigned long long)inst->story->run, inst->id.task,
                 (int)inst->id.child, inst->ticket, ticket);
    inst->session = session;
    inst->ticket = ticket;
    hub->slips = mem_grow(hub->slips, &hub->cap_slip, hub->nslip + 1,
                          sizeof *hub->slips);
    hub->slips[hub->nslip++] = (struct slip){session, ticket, attempt, inst};
}

void
slip_remove(struct hub *hub, struct slip *slip)
{
    slip->inst->ticket = 0;
    slip->inst->session = 0;
    *slip = hub->slips[--hub->nslip];
}

/* It is lost with its agent, or with the broker. */
void
slip_lose(struct sim *s, struct slip *slip)
{
    struct inst *inst = slip->inst;

    inst->losses++;
    if (inst->begun >> (slip->attempt % 64) & 1 ||
        inst->story->flow->tasks[inst->id.task].options->at_most_once)
        inst->touched = true;
    s->counts.losses++;
    slip_remove(&s->hub, slip);
}

void
slip_check_all(struct sim *s)
{
    for (size_t i = s->hub.nslip; i-- > 0;)
        slip_check(s, s->hub.slips[i].inst);
}
