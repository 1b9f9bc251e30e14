/* SPDX-License-Identifier: MPL-2.0 */
/* The part of the core that knows what is held, under all its names. */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "agent/core_impl.h"
#include "base/mem.h"

#define LEAST 64u   /* chains */
#define AGES  4096u /* own: the place, and in the upper bits its age */

static_assert(PLACES <= UINT32_MAX / AGES + 1, "own has 32 bits");

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

/* ---- names ---- */

static uint32_t *
chain_of(const struct agent *self, unsigned kind, uint64_t key)
{
    const struct lookup *names = &self->names[kind];

    return &names->first[key & (names->size - 1)];
}

static void
link_name(struct agent *self, unsigned kind, uint32_t i)
{
    struct name *name = &self->entries[i].names[kind];
    uint32_t *first = chain_of(self, kind, name->key);

    name->next = *first;
    *first = i;
}

static void
enlarge(struct agent *self, unsigned kind)
{
    struct lookup *names = &self->names[kind];
    uint32_t *old = names->first;
    uint32_t n = names->size;

    names->size = n > 0 ? 2 * n : LEAST;
    names->first = mem_block(names->size * sizeof *names->first);
    memset(names->first, 0xff, names->size * sizeof *names->first);
    for (uint32_t k = 0; k < n; k++) {
        uint32_t next;

        for (uint32_t i = old[k]; i != NONE; i = next) {
            next = self->entries[i].names[kind].next;
            link_name(self, kind, i);
        }
    }
    free(old);
}

void
agent_name_add(struct agent *self, unsigned kind, uint32_t i, uint64_t key)
{
    struct lookup *names = &self->names[kind];

    if (names->n >= names->size)
        enlarge(self, kind);
    names->n++;
    self->entries[i].names[kind].key = key;
    link_name(self, kind, i);
}

void
agent_name_remove(struct agent *self, unsigned kind, uint32_t i)
{
    const struct name *name = &self->entries[i].names[kind];
    uint32_t *at;

    if (self->names[kind].n == 0)
        return;
    at = chain_of(self, kind, name->key);
    while (*at != NONE && *at != i)
        at = &self->entries[*at].names[kind].next;
    if (*at == NONE)
        return;
    *at = name->next;
    self->names[kind].n--;
}

static uint32_t
seek(const struct agent *self, unsigned kind, uint64_t key, uint32_t i)
{
    while (i != NONE && self->entries[i].names[kind].key != key)
        i = self->entries[i].names[kind].next;
    return i;
}

uint32_t
agent_name_find(const struct agent *self, unsigned kind, uint64_t key)
{
    if (self->names[kind].n == 0)
        return NONE;
    return seek(self, kind, key, *chain_of(self, kind, key));
}

uint32_t
agent_name_next(const struct agent *self, unsigned kind, uint32_t i)
{
    const struct name *name = &self->entries[i].names[kind];

    return seek(self, kind, name->key, name->next);
}

void
agent_names_clear(struct agent *self, unsigned kind)
{
    struct lookup *names = &self->names[kind];

    if (names->n > 0)
        memset(names->first, 0xff, names->size * sizeof *names->first);
    names->n = 0;
}

/* ---- entries ---- */

uint32_t
agent_entry_own(const struct agent *self, uint32_t i)
{
    return (i + 1) | (uint32_t)self->entries[i].age * PLACES;
}

uint32_t
agent_entry_by_own(const struct agent *self, uint32_t own)
{
    uint32_t i = own % PLACES - 1;

    if (own == 0 || i >= self->nentry || self->entries[i].phase == FREE ||
        agent_entry_own(self, i) != own)
        return NONE;
    return i;
}

uint32_t
agent_entry_by_ticket(const struct agent *self, uint32_t ticket)
{
    return agent_name_find(self, BY_TICKET, ticket);
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

    agent_name_remove(self, BY_TICKET, i);
    agent_name_remove(self, BY_ATTEMPT, i);
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
        agent_chain_remove(self, entry->kept ? &self->kept : &self->spool, i);
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
        if (self->entries[i].phase == QUEUED && !self->entries[i].handlers)
            agent_entry_give_back(self, i);
    }
}
