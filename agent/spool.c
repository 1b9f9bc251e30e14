/* SPDX-License-Identifier: MPL-2.0 */
/* The part of the core that deals with sessions and results. */
#include <stdlib.h>

#include "agent/core_impl.h"
#include "base/mem.h"
#include "base/span.h"

/* ---- results ---- */

static void
send_result(struct agent *self, uint32_t i)
{
    struct entry *entry = &self->entries[i];

    entry->number = ++self->last;
    entry->result.ticket = entry->ticket;
    self->effects.result(self->effects.ctx, entry->number, &entry->result);
}

void
agent_spool_add(struct agent *self, uint32_t i, const struct result *result)
{
    struct entry *entry = &self->entries[i];

    entry->result = *result;
    entry->result.value = json_incref(result->value);
    entry->result.cause = mem_dup(result->cause);
    entry->result.cwd = mem_dup(result->cwd);
    entry->number = 0;
    /* One that was refused may be given to us again before it is forgotten. */
    if (result->refused != REFUSED_NOT)
        agent_name_remove(self, BY_ATTEMPT, i);
    agent_entry_let_go(self, i);
    agent_entry_set_phase(self, i, SPOOLED);
    agent_chain_add(self, &self->spool, i);
    if (self->in_session)
        send_result(self, i);
}

void
agent_ack(struct agent *self, uint64_t number, int64_t now)
{
    (void)now;
    while (self->in_session && self->spool.n > 0 &&
           self->entries[self->spool.first].number <= number)
        agent_entry_free(self, self->spool.first);
}

/* Only in a session has anything a ticket. */
static uint32_t
find_result(const struct agent *self, uint32_t ticket)
{
    uint32_t i = self->in_session ? agent_entry_by_ticket(self, ticket) : NONE;

    return i != NONE && self->entries[i].phase == SPOOLED ? i : NONE;
}

void
agent_keep(struct agent *self, uint32_t ticket)
{
    uint32_t i = find_result(self, ticket);

    if (i == NONE || self->entries[i].kept)
        return;
    agent_chain_remove(self, &self->spool, i);
    agent_chain_add(self, &self->kept, i);
    self->entries[i].kept = true;
}

void
agent_done(struct agent *self, uint32_t ticket)
{
    uint32_t i = find_result(self, ticket);

    if (i != NONE && self->entries[i].kept)
        agent_entry_free(self, i);
}

/* ---- hello ---- */

/* They are sent again, like all others. */
static void
put_kept_back(struct agent *self)
{
    while (self->kept.n > 0) {
        uint32_t i = self->kept.first;

        agent_chain_remove(self, &self->kept, i);
        agent_chain_add(self, &self->spool, i);
        self->entries[i].kept = false;
    }
}

static bool
has_begun(const struct entry *entry)
{
    if (entry->phase != STARTED)
        return false;
    return entry->began || entry->request->kind == ROOM_COMMAND;
}

static void
hold(struct agent *self, uint32_t i, enum held_phase phase)
{
    self->held[self->nheld] = self->entries[i].held;
    self->held[self->nheld].phase = phase;
    self->held_own[self->nheld++] = agent_entry_own(self, i);
}

/* The broker asks anew, perhaps elsewhere. */
static void
forget_handlers(struct agent *self)
{
    for (uint32_t i = 0; i < self->nentry; i++) {
        struct entry *entry = &self->entries[i];

        if (entry->phase == FREE || !entry->handlers || entry->ticket == 0)
            continue;
        agent_entry_disown(self, i);
        if (entry->phase == STARTED)
            self->effects.stop(self->effects.ctx, agent_entry_own(self, i),
                               true);
        else
            agent_entry_free(self, i);
    }
}

static void
leave_session(struct agent *self, int64_t now)
{
    if (self->in_session) {
        forget_handlers(self);
        put_kept_back(self);
    }
    if (self->in_session || self->alone_since > now)
        self->alone_since = now;
    self->in_session = false;
}

const struct held *
agent_held(struct agent *self, size_t *n)
{
    leave_session(self, SPAN_NEVER);
    free(self->held);
    free(self->held_own);
    self->held = mem_alloc(self->nentry, sizeof *self->held);
    self->held_own = mem_alloc(self->nentry, sizeof *self->held_own);
    self->nheld = 0;
    /* What was refused has not begun: nobody is to be blamed for it. */
    for (uint32_t i = self->spool.first; i != NONE; i = self->entries[i].next)
        hold(self, i,
             self->entries[i].result.refused == REFUSED_NOT ? HELD_FINISHED
                                                            : HELD_QUEUED);
    for (uint32_t i = 0; i < self->nentry; i++) {
        const struct entry *entry = &self->entries[i];

        if (entry->ticket != 0 &&
            (entry->phase == QUEUED || entry->phase == STARTED))
            hold(self, i, has_begun(entry) ? HELD_RUNNING : HELD_QUEUED);
    }
    *n = self->nheld;
    return self->held;
}

/* ---- welcome ---- */

static bool
send_again(void *ctx, const struct output *kept)
{
    struct agent *self = ctx;
    struct output output = *kept;

    output.ticket = agent_ticket(self, kept->ticket);
    if (output.ticket == 0)
        return false;
    self->effects.output(self->effects.ctx, &output);
    return true;
}

/* It is called so now. Twice the same name is as good as none. */
static void
rename_entry(struct agent *self, uint32_t i, uint32_t ticket)
{
    struct entry *entry = &self->entries[i];

    if (ticket != 0 && agent_entry_by_ticket(self, ticket) == NONE) {
        agent_name_add(self, BY_TICKET, i, ticket);
        entry->ticket = ticket;
        return;
    }
    agent_entry_disown(self, i);
    if (entry->phase != STARTED)
        agent_entry_free(self, i);
    else
        self->effects.stop(self->effects.ctx, agent_entry_own(self, i), true);
}

/* What the broker was not told while it was away. */
static void
tell_begun(struct agent *self, uint32_t i, enum held_phase said)
{
    const struct entry *entry = &self->entries[i];

    if (entry->phase == STARTED && entry->began && said == HELD_QUEUED)
        self->effects.started(self->effects.ctx, entry->ticket);
}

void
agent_welcome(struct agent *self, uint32_t epoch, const uint32_t *tickets,
              size_t n, int64_t now)
{
    (void)now;
    self->in_session = true;
    self->is_fenced = false;
    self->alone_since = SPAN_NEVER;
    self->epoch = epoch;
    self->last = 0;
    agent_names_clear(self, BY_TICKET);
    for (size_t k = 0; k < self->nheld; k++) {
        uint32_t i = agent_entry_by_own(self, self->held_own[k]);

        if (i == NONE)
            continue;
        rename_entry(self, i, k < n ? tickets[k] : 0);
        if (agent_entry_by_own(self, self->held_own[k]) != NONE &&
            self->entries[i].ticket != 0)
            tell_begun(self, i, self->held[k].phase);
    }
    outbox_again(&self->outbox, send_again, self);
    for (uint32_t i = self->spool.first; i != NONE; i = self->entries[i].next)
        send_result(self, i);
    self->nheld = 0;
    if (self->draining)
        agent_entry_give_back_all(self);
}

void
agent_lost_broker(struct agent *self, int64_t now)
{
    leave_session(self, now);
}
