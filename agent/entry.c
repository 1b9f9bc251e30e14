/* SPDX-License-Identifier: MPL-2.0 */
/* The part of the core that knows what is held, under all its names. */
#include <assert.h>
#include <stdlib.h>

#include "agent/core_impl.h"
#include "base/mem.h"
#include "proto/limits.h"

#define AGES 4096u /* own: the place, and in the upper bits its age */

static_assert(LIMIT_HELD <= UINT32_MAX / AGES + 1, "own has 32 bits");

/* ---- chains ---- */

void
agent_chain_add(struct agent *self, struct chain *chain, uint32_t i)
{
    struct entry *entry = &self->entries[i];

    entry->next = NONE;
    entry->before = chain->n > 0 ? chain->last : NONE;
    if (chain->n > 0)
        self->entries[chain->last].next = i;
    else
        chain->first = i;
    chain->last = i;
    chain->n++;
}

void
agent_chain_remove(struct agent *self, struct chain *chain, uint32_t i)
{
    struct entry *entry = &self->entries[i];

    if (entry->before != NONE)
        self->entries[entry->before].next = entry->next;
    else
        chain->first = entry->next;
    if (entry->next != NONE)
        self->entries[entry->next].before = entry->before;
    else
        chain->last = entry->before;
    chain->n--;
}

/* ---- entries ---- */

uint32_t
agent_entry_own(const struct agent *self, uint32_t i)
{
    return (i + 1) | (uint32_t)self->entries[i].age * LIMIT_HELD;
}

uint32_t
agent_entry_by_own(const struct agent *self, uint32_t own)
{
    uint32_t i = own % LIMIT_HELD - 1;

    if (own == 0 || i >= self->nentry || self->entries[i].phase == FREE ||
        agent_entry_own(self, i) != own)
        return NONE;
    return i;
}

uint32_t
agent_entry_by_ticket(const struct agent *self, uint32_t ticket)
{
    return agent_index_find(&self->tickets, agent_index_mix(ticket));
}

void
agent_entry_set_phase(struct agent *self, uint32_t i, enum phase phase)
{
    self->count[self->entries[i].phase]--;
    self->count[phase]++;
    self->entries[i].phase = (uint8_t)phase;
}

uint32_t
agent_entry_new(struct agent *self)
{
    uint32_t i = self->empty.first;
    uint32_t age;

    if (self->empty.n > 0) {
        agent_chain_remove(self, &self->empty, i);
    } else {
        i = self->nentry++;
        self->entries = mem_grow(self->entries, &self->cap_entry, self->nentry,
                                 sizeof *self->entries);
        self->entries[i] = (struct entry){0};
        self->count[FREE]++;
    }
    age = (self->entries[i].age + 1u) % AGES;
    self->entries[i] =
        (struct entry){.age = (uint16_t)age, .order = ++self->norder};
    return i;
}

void
agent_entry_disown(struct agent *self, uint32_t i)
{
    struct entry *entry = &self->entries[i];

    agent_index_remove(&self->tickets, agent_index_mix(entry->ticket), i);
    agent_index_remove(&self->attempts, entry->key, i);
    entry->ticket = 0;
}

void
agent_entry_let_go(struct agent *self, uint32_t i)
{
    struct entry *entry = &self->entries[i];
    const struct work *work = entry->work;

    if (entry->request)
        agent_queue_leave(self, i);
    entry->work = NULL;
    if (work)
        self->effects.forget(self->effects.ctx, work);
}

void
agent_entry_free(struct agent *self, uint32_t i)
{
    struct entry *entry = &self->entries[i];

    if (entry->ticket != 0)
        agent_entry_disown(self, i);
    agent_entry_let_go(self, i);
    if (entry->phase == SPOOLED) {
        agent_chain_remove(self, &self->spool, i);
        json_decref(entry->result.value);
        free((char *)(uintptr_t)entry->result.cause);
        free((char *)(uintptr_t)entry->result.cwd);
    }
    agent_entry_set_phase(self, i, FREE);
    agent_chain_add(self, &self->empty, i);
}

void
agent_entry_give_back(struct agent *self, uint32_t i)
{
    uint32_t ticket = self->entries[i].ticket;

    agent_entry_free(self, i);
    self->effects.given_back(self->effects.ctx, ticket);
}

void
agent_entry_give_back_all(struct agent *self)
{
    for (uint32_t i = 0; i < self->nentry; i++) {
        if (self->entries[i].phase == QUEUED)
            agent_entry_give_back(self, i);
    }
}
